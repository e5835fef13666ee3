// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ActionKind} from "../generated/ActionRules.sol";
import {Epoch} from "../generated/Messages.sol";

/// @notice The point of a named policy. An epoch signs the hash of all its points: keccak256(abi.encode(Point[])).
/// @param name ASCII name, zero-padded; strictly increasing within an epoch.
/// @param x Coordinate on BN254's G1.
/// @param y Its other coordinate.
struct Point {
    bytes32 name;
    uint256 x;
    uint256 y;
}

/// @notice What the oracle keeps of an epoch.
/// @param number Its number.
/// @param time Unix seconds of its market snapshot.
/// @param generation Version of the listing in which slots are meant.
/// @param keyVersion Version of the verification keys that its points are sums for.
/// @param pointsHash keccak256(abi.encode(Point[])) of every point.
/// @param snapshotHash keccak256 of the snapshot's canonical bytes.
struct EpochView {
    uint64 number;
    uint40 time;
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
/// @notice Anyone may carry an epoch in. It names the policies of the moment by their points, and, at a generation
///         step, the settlement of expired slots. Every epoch carries `minEpoch`, the number of the last urgent epoch:
///         no earlier epoch serves once it is posted. An urgent epoch has its own number there, and its successors
///         carry it on, so that posting a successor first revokes as much. A generation lasts at least an hour (chain
///         time).
/// @dev Safety assumptions
///      - Fewer than `threshold` publishers are dishonest. Warning: a dishonest quorum can do more than set prices: a
///        freely chosen point lets the verifier accept anything. Each honest publisher recomputes every point from the
///        data before signing; whoever audits the venue repeats it.
///      - An urgent epoch that a quorum signed but nobody posted is carried on only if every later quorum shares an
///        honest publisher with it: 2 * threshold - signers must exceed the number of dishonest publishers.
///      - The policies keep their bounds (the bit budget of engine/presets.json); the contract never sees the data
///        behind a point.
///      - A slot's instrument changes only at a generation step whose settlement drops the slot.
///      Liveness assumptions
///      - A quorum signs epochs at short intervals and somebody carries them in. Without epochs trades, withdrawals,
///        cures and attestations stop; deposits and exits of flat accounts go on.
///      - The publishers serve policy bytes by hash, and snapshot bytes when these were not published here.
interface IRiskOracle {
    /// @notice An epoch was posted.
    /// @param number Its number.
    /// @param generation Version of the listing in which slots are meant.
    /// @param time Unix seconds of its market snapshot.
    /// @param minEpoch Number of the last urgent epoch; no earlier one serves.
    /// @param snapshotHash keccak256 of the snapshot's canonical bytes.
    /// @param policyHash Hash of every policy's canonical bytes.
    /// @param settlementHash keccak256 of the settlement's canonical bytes.
    /// @param keyVersion Version of the verification keys that its points are sums for.
    /// @param points The point of every policy.
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
    /// @notice The snapshot of an epoch, in full.
    /// @param number The epoch's number.
    /// @param snapshot Its canonical bytes.
    event SnapshotPublished(uint64 indexed number, bytes snapshot);
    /// @notice The settlement of a generation step, and its point under a key version.
    /// @param generation Generation that the step leads into.
    /// @param number Number of the epoch that brought it.
    /// @param keyVersion Version of the verification keys that the point is a sum for.
    /// @param x Coordinate on BN254's G1.
    /// @param y Its other coordinate.
    /// @param settlement Canonical bytes of the settlement vector.
    event SettlementPublished(
        uint24 indexed generation,
        uint64 indexed number,
        uint16 indexed keyVersion,
        uint256 x,
        uint256 y,
        bytes settlement
    );
    /// @notice The publishers were replaced.
    /// @param signers The new ones, by increasing address.
    /// @param threshold How many make a quorum.
    event SignersSet(address[] signers, uint8 threshold);
    /// @notice The guardian was named.
    /// @param guardian Who may pause.
    event GuardianSet(address guardian);
    /// @notice A pause began or ended.
    /// @param paused Whether it began.
    event PauseSet(bool paused);
    /// @notice The greatest age of an epoch was set for an action, and for every other of the same rule.
    /// @param kind The action.
    /// @param seconds_ Seconds.
    event MaxAgeSet(ActionKind indexed kind, uint16 seconds_);

    /// @notice An epoch's number must exceed the last one's.
    /// @param number Its number.
    /// @param latest The last one's.
    error EpochNumberTooLow(uint64 number, uint64 latest);
    /// @notice An epoch's number may exceed the last one's by a million at most, so that no single epoch uses up the
    ///         numbers.
    /// @param number Its number.
    /// @param limit Highest number.
    error EpochNumberTooHigh(uint64 number, uint64 limit);
    /// @notice An epoch's time must not lie before the last one's, nor further ahead than the allowed skew.
    /// @param time Its time, unix seconds.
    /// @param earliest The last one's, unix seconds.
    /// @param latest The block's time and the skew, unix seconds.
    error EpochTimeOutOfRange(uint40 time, uint40 earliest, uint256 latest);
    /// @notice An epoch's generation must be the current one or the next.
    /// @param generation Its generation.
    /// @param current The current one.
    error EpochGenerationWrong(uint24 generation, uint24 current);
    /// @notice The number was never posted, or has left the ring of the last epochs.
    /// @param number The number.
    /// @param latest The last one's.
    error EpochUnknown(uint64 number, uint64 latest);
    /// @notice A later epoch, urgent or with a generation step, revoked this one; or one posted later carried an urgent
    ///         epoch's number on.
    /// @param number The number.
    /// @param minEpoch Lowest number that serves.
    error EpochRevoked(uint64 number, uint64 minEpoch);
    /// @notice The epoch is too old for this action.
    /// @param number The number.
    /// @param age Seconds since its time.
    /// @param maxAge Most seconds for the action.
    error EpochStale(uint64 number, uint256 age, uint16 maxAge);
    /// @notice Bytes do not match the hash that was signed.
    /// @param given Hash of the bytes.
    /// @param signed The hash that was signed.
    error HashMismatch(bytes32 given, bytes32 signed);
    /// @notice A point is off the curve, the identity, or a coordinate is not below the field's order.
    /// @param name Name of its policy, or "settlement".
    /// @param x Its coordinate.
    /// @param y Its other coordinate.
    error PointInvalid(bytes32 name, uint256 x, uint256 y);
    /// @notice Names must be strictly increasing, and not "flat" or empty, which are constants.
    /// @param name The name.
    /// @param previous The name before it.
    error PointNameInvalid(bytes32 name, bytes32 previous);
    /// @notice The number of points is 0 or too large.
    /// @param count The number.
    /// @param limit Highest number.
    error PointCountOutOfRange(uint256 count, uint256 limit);
    /// @notice An epoch without a generation step brings neither settlement point nor bytes, unless its key version
    ///         lacks the point of the step into its generation.
    /// @param x Coordinate given.
    /// @param y Its other coordinate.
    /// @param length Bytes given.
    error SettlementUnexpected(uint256 x, uint256 y, uint256 length);
    /// @notice The step into this generation has no settlement point under this key version; an epoch under that key
    ///         can still bring it.
    /// @param keyVersion The key version.
    /// @param generation The generation.
    error SettlementUnset(uint16 keyVersion, uint24 generation);
    /// @notice An epoch cannot revoke itself.
    /// @param minEpoch Lowest number that shall serve.
    /// @param number The epoch's number.
    error MinEpochTooHigh(uint64 minEpoch, uint64 number);
    /// @notice A generation lasts at least an hour.
    /// @param time The block's time, unix seconds.
    /// @param earliest Earliest time of a step, unix seconds.
    error StepTooEarly(uint256 time, uint256 earliest);
    /// @notice Fewer signatures than the threshold.
    /// @param count Signatures given.
    /// @param threshold Signatures needed.
    error SignaturesMissing(uint256 count, uint8 threshold);
    /// @notice A signature does not recover to a signer, or signers are not strictly increasing by address.
    /// @param index Place of the signature.
    /// @param recovered Whom it recovers to; 0 if to nobody.
    error SignatureInvalid(uint256 index, address recovered);
    /// @notice At least three signers, at most the limit, a threshold above half, strictly increasing addresses.
    /// @param count Number of signers.
    /// @param threshold Signatures that shall be needed.
    error SignersInvalid(uint256 count, uint256 threshold);
    /// @notice The guardian has stopped this action.
    /// @param kind The action.
    error ActionPaused(ActionKind kind);
    /// @notice Only the guardian or the owner may pause.
    /// @param caller Who called.
    /// @param guardian The guardian.
    error CallerNotGuardian(address caller, address guardian);
    /// @notice The action takes no epoch, so none has an age for it.
    /// @param kind The action.
    error EpochNotTaken(ActionKind kind);
    /// @notice A greatest age outside its bounds.
    /// @param kind The action.
    /// @param seconds_ Seconds given.
    /// @param low Least seconds.
    /// @param high Most seconds.
    error MaxAgeOutOfRange(ActionKind kind, uint16 seconds_, uint16 low, uint16 high);

    /// @notice Posts an epoch. Anyone may carry it in; a quorum of publishers must have signed.
    /// @dev `settlement` is given at a generation step, and by an epoch of the present generation under a key version
    ///      that lacks the point of that step (points differ by key, the vector does not); it is empty otherwise.
    ///      `snapshot` may be empty and published later. Relies on the publishers for every number in it. Reverts with
    ///      `EpochNumberTooLow`, `EpochNumberTooHigh`, `EpochTimeOutOfRange`, `MinEpochTooHigh`,
    ///      `EpochGenerationWrong`, `StepTooEarly`, `PointCountOutOfRange`, `PointNameInvalid`, `PointInvalid`,
    ///      `HashMismatch`, `SettlementUnexpected`, `SignaturesMissing`, `SignatureInvalid`, and the registry's errors
    ///      unless the key is live.
    ///      Warning: it goes on while paused, so a pause does not stop a dishonest quorum.
    /// @param epoch The typed message that was signed.
    /// @param points The point of every policy, by strictly increasing name.
    /// @param snapshot Canonical bytes of the snapshot, or none.
    /// @param settlement Canonical bytes of the settlement vector, or none.
    /// @param signatures ECDSA signatures (65 bytes) over the typed message Epoch, by strictly increasing signer.
    function postEpoch(
        Epoch calldata epoch,
        Point[] calldata points,
        bytes calldata snapshot,
        bytes calldata settlement,
        bytes[] calldata signatures
    ) external;

    /// @notice Publishes the snapshot of an epoch still in the ring. Anyone may.
    /// @dev Reverts with `EpochUnknown`, `HashMismatch`.
    /// @param number The epoch's number.
    /// @param snapshot Canonical bytes of the snapshot.
    function publishSnapshot(uint64 number, bytes calldata snapshot) external;

    /// @notice Replaces the publishers. Only the owner.
    /// @dev Reverts with `OwnableUnauthorizedAccount` for anybody else, `SignersInvalid`.
    ///      Warning: whoever controls a quorum can empty the vault, so the owner must be a timelock. What the old
    ///      publishers posted goes on serving until it is too old or revoked.
    /// @param signers The new ones, by strictly increasing address.
    /// @param threshold How many make a quorum.
    function setSigners(address[] calldata signers, uint8 threshold) external;

    /// @notice Sets for how many seconds an epoch serves an action, and every other of the same rule. Only the owner.
    /// @dev Reverts with `OwnableUnauthorizedAccount` for anybody else, `MaxAgeOutOfRange`, `EpochNotTaken`, and with
    ///      `ActionUnknown` of ActionRules.
    /// @param kind The action.
    /// @param seconds_ Seconds.
    function setMaxAge(ActionKind kind, uint16 seconds_) external;

    /// @notice Stops every action that the action table does not let go on: opening, trades, withdrawals, attestations.
    ///         Only the guardian or the owner.
    /// @dev Funding, deposits, cures and flat exits go on. Reverts with `CallerNotGuardian`.
    function pause() external;

    /// @notice Ends a pause. Only the owner.
    /// @dev Reverts with `OwnableUnauthorizedAccount` for anybody else.
    function unpause() external;

    /// @notice Names who may pause. Only the owner.
    /// @dev Reverts with `OwnableUnauthorizedAccount` for anybody else.
    /// @param guardian The guardian.
    function setGuardian(address guardian) external;

    /// @notice An epoch still in the ring, fresh or not.
    /// @dev Reverts with `EpochUnknown`.
    /// @param number Its number.
    /// @return What is kept of it.
    function getEpoch(uint64 number) external view returns (EpochView memory);

    /// @notice An epoch that may serve `kind` now.
    /// @dev Reverts with `ActionPaused`, `EpochUnknown`, `EpochRevoked`, `EpochStale`, `EpochNotTaken`, and with
    ///      `ActionUnknown` of ActionRules.
    /// @param number Its number.
    /// @param kind The action.
    /// @return What the action needs of it.
    function requireFresh(uint64 number, ActionKind kind) external view returns (FreshEpoch memory);

    /// @notice Reverts with `ActionPaused` while paused.
    /// @param kind The action, which the error names.
    function requireUnpaused(ActionKind kind) external view;

    /// @notice The settlement point of the step into `generation` under a key version.
    /// @dev Reverts with `SettlementUnset`.
    /// @param keyVersion The key version.
    /// @param generation The generation.
    /// @return x Coordinate on BN254's G1.
    /// @return y Its other coordinate.
    function settlementOf(uint16 keyVersion, uint24 generation) external view returns (uint256 x, uint256 y);

    /// @notice Hash of the settlement vector of the step into `generation`; 0 if there was none.
    /// @param generation The generation.
    /// @return keccak256 of its canonical bytes.
    function settlementHashOf(uint24 generation) external view returns (bytes32);

    /// @notice Generation of the latest epoch.
    /// @return The generation.
    function generation() external view returns (uint24);

    /// @notice Generation in which an account may be opened now.
    /// @dev Reverts with `ActionPaused` while paused.
    /// @return The generation.
    function openingGeneration() external view returns (uint24);

    /// @notice Number of the latest epoch; 0 before the first.
    /// @return The number.
    function latestNumber() external view returns (uint64);

    /// @notice EIP-712 digest that the publishers sign.
    /// @param epoch The typed message.
    /// @return The digest.
    function hashEpoch(Epoch calldata epoch) external view returns (bytes32);
}
