// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ActionKind} from "../generated/ActionRules.sol";
import {Epoch} from "../generated/Messages.sol";

/// @dev The point of a named policy. An epoch signs the hash of all its points: keccak256(abi.encode(Point[])), names strictly increasing.
struct Point {
    bytes32 name;
    uint256 x;
    uint256 y;
}

/// @dev What the contracts need of an epoch.
struct EpochView {
    uint64 number;
    uint40 time; // unix seconds, of the market snapshot
    uint24 generation;
    uint16 keyVersion;
    bytes32 pointsHash;
    bytes32 snapshotHash;
}

/// @notice What an action needs of its epoch.
/// @param time Unix seconds of its prices.
/// @param generation Version of the listing in which slots are meant.
/// @param keyVersion Version of the verification keys that its points are sums for.
/// @param pointsHash keccak256(abi.encode(Point[])) of every point.
struct FreshEpoch {
    uint40 time;
    uint24 generation;
    uint16 keyVersion;
    bytes32 pointsHash;
}

/// @title Risk epochs, signed by a quorum of publishers
/// @notice Anyone may carry an epoch in. It names the policies of the moment by their points, and, at a generation step, the settlement of expired slots.
///         Every epoch carries `minEpoch`, the number of the last urgent epoch: no earlier epoch serves once it is posted. An urgent epoch has its own number there,
///         and its successors carry it on, so that posting a successor first revokes as much. A generation lasts at least an hour (chain time).
/// @dev Safety assumptions
///      - Fewer than `threshold` publishers are dishonest. Warning: a dishonest quorum can do more than set prices: a freely chosen point lets the verifier accept
///        anything. Each honest publisher recomputes every point from the data before signing; the auditor repeats it.
///      - An urgent epoch that a quorum signed but nobody posted is carried on only if every later quorum shares an honest publisher with it:
///        2 * threshold - signers must exceed the number of dishonest publishers.
///      - The policies keep their bounds (the bit budget of engine/presets.json); the contract never sees the data behind a point.
///      - A slot's instrument changes only at a generation step whose settlement drops the slot.
///      Liveness assumptions
///      - A quorum signs epochs at short intervals and somebody carries them in. Without epochs trades, withdrawals, cures and attestations stop;
///        deposits and exits of flat accounts go on.
///      - The publishers serve policy bytes by hash, and snapshot bytes when these were not published here.
interface IRiskOracle {
    event EpochPosted(
        uint64 indexed number,
        uint24 indexed generation,
        uint40 time,
        uint64 minEpoch,
        bytes32 snapshotHash,
        bytes32 policyHash,
        bytes32 settlementHash,
        uint16 keyVersion,
        Point[] points
    );
    event SnapshotPublished(uint64 indexed number, bytes snapshot);
    event SettlementPublished(
        uint24 indexed generation, uint64 indexed number, uint16 indexed keyVersion, uint256 x, uint256 y, bytes settlement
    );
    event SignersSet(address[] signers, uint8 threshold);
    event GuardianSet(address guardian);
    event PauseSet(bool paused);
    event MaxAgeSet(ActionKind indexed kind, uint16 seconds_);

    /// @notice An epoch's number must exceed the last one's.
    error EpochNumberTooLow(uint64 number, uint64 latest);
    /// @notice An epoch's number may exceed the last one's by a million at most, so that no single epoch uses up the numbers.
    error EpochNumberTooHigh(uint64 number, uint64 limit);
    /// @notice An epoch's time must not lie before the last one's, nor further ahead than the allowed skew.
    error EpochTimeOutOfRange(uint40 time, uint40 earliest, uint256 latest);
    /// @notice An epoch's generation must be the current one or the next.
    error EpochGenerationWrong(uint24 generation, uint24 current);
    /// @notice The number was never posted, or has left the ring of the last epochs.
    error EpochUnknown(uint64 number, uint64 latest);
    /// @notice A later epoch, urgent or with a generation step, revoked this one; or one posted later carried an urgent epoch's number on.
    error EpochRevoked(uint64 number, uint64 minEpoch);
    /// @notice The epoch is too old for this action.
    error EpochStale(uint64 number, uint256 age, uint16 maxAge);
    /// @notice Bytes do not match the hash that was signed.
    error HashMismatch(bytes32 given, bytes32 signed);
    /// @notice A point is off the curve, the identity, or a coordinate is not below the field's order.
    error PointInvalid(bytes32 name, uint256 x, uint256 y);
    /// @notice Names must be strictly increasing, and not "flat" or empty, which are constants.
    error PointNameInvalid(bytes32 name, bytes32 previous);
    /// @notice The number of points is 0 or too large.
    error PointCountOutOfRange(uint256 count, uint256 limit);
    /// @notice An epoch without a generation step brings neither settlement point nor bytes, unless its key version lacks the point of the step into its generation.
    error SettlementUnexpected(uint256 x, uint256 y, uint256 length);
    /// @notice The step into this generation has no settlement point under this key version; an epoch under that key can still bring it.
    error SettlementUnset(uint16 keyVersion, uint24 generation);
    /// @notice An epoch cannot revoke itself.
    error MinEpochTooHigh(uint64 minEpoch, uint64 number);
    /// @notice A generation lasts at least an hour.
    error StepTooEarly(uint256 time, uint256 earliest);
    /// @notice Fewer signatures than the threshold.
    error SignaturesMissing(uint256 count, uint8 threshold);
    /// @notice A signature does not recover to a signer, or signers are not strictly increasing by address.
    error SignatureInvalid(uint256 index, address recovered);
    /// @notice At least three signers, at most the limit, a threshold above half, strictly increasing addresses.
    error SignersInvalid(uint256 count, uint256 threshold);
    /// @notice The guardian has stopped this action.
    error ActionPaused(ActionKind kind);
    /// @notice Only the guardian or the owner may pause.
    error CallerNotGuardian(address caller, address guardian);
    /// @notice The action takes no epoch, so no age of one serves it.
    error EpochNotTaken(ActionKind kind);
    /// @notice A maximal age outside its bounds.
    error MaxAgeOutOfRange(ActionKind kind, uint16 seconds_, uint16 low, uint16 high);

    /// @notice Posts an epoch. `settlement` is given at a generation step, and by an epoch of the present generation under a key version that lacks the point of that
    ///         step (points differ by key, the vector does not); it is empty otherwise. `snapshot` may be empty and published later.
    /// @param signatures ECDSA signatures (65 bytes) over the typed message Epoch, by strictly increasing signer.
    function postEpoch(
        Epoch calldata epoch,
        Point[] calldata points,
        bytes calldata snapshot,
        bytes calldata settlement,
        bytes[] calldata signatures
    ) external;

    /// @notice Publishes the snapshot of an epoch still in the ring.
    function publishSnapshot(uint64 number, bytes calldata snapshot) external;

    /// @notice Replaces the publishers; only the owner.
    function setSigners(address[] calldata signers, uint8 threshold) external;

    /// @notice Sets for how many seconds an epoch serves an action; only the owner.
    function setMaxAge(ActionKind kind, uint16 seconds_) external;

    /// @notice Stops opening, trades, withdrawals and attestations; the guardian or the owner. Funding, deposits, cures and flat exits go on, see ActionRules.
    function pause() external;

    /// @notice Ends a pause; only the owner.
    function unpause() external;

    /// @notice Names who may pause; only the owner.
    function setGuardian(address guardian) external;

    /// @notice An epoch still in the ring, fresh or not.
    function getEpoch(uint64 number) external view returns (EpochView memory);

    /// @notice An epoch that may serve `kind` now; reverts otherwise.
    function requireFresh(uint64 number, ActionKind kind) external view returns (FreshEpoch memory);

    /// @notice Reverts with `ActionPaused` while paused.
    function requireUnpaused(ActionKind kind) external view;

    /// @notice The settlement point of the step into `generation` under a key version; reverts if it is unset.
    function settlementOf(uint16 keyVersion, uint24 generation) external view returns (uint256 x, uint256 y);

    /// @notice Hash of the settlement vector of the step into `generation`; 0 if there was none.
    function settlementHashOf(uint24 generation) external view returns (bytes32);

    /// @notice Generation of the latest epoch.
    function generation() external view returns (uint24);

    /// @notice Generation in which an account may be opened now; reverts while paused.
    function openingGeneration() external view returns (uint24);

    /// @notice Number of the latest epoch; 0 before the first.
    function latestNumber() external view returns (uint64);

    /// @notice EIP-712 digest that the publishers sign.
    function hashEpoch(Epoch calldata epoch) external view returns (bytes32);
}
