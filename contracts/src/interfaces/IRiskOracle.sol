// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ActionKind} from "../generated/ActionRules.sol";
import {Epoch, Settlement} from "../generated/Messages.sol";
import {IKeyRegistry} from "./IKeyRegistry.sol";

/// @notice The point of a named policy. An epoch signs the root of a Merkle tree over all its points.
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
/// @param pointsRoot First 22 bytes of the Merkle root over its points (libraries/Points.sol).
struct EpochView {
    uint64 number;
    uint40 time;
    uint24 generation;
    uint16 keyVersion;
    bytes22 pointsRoot;
}

/// @notice What an action needs of its epoch.
/// @param time Unix seconds of its prices.
/// @param generation Version of the listing in which slots are meant.
/// @param keyVersion Version of the verification keys that its points are sums for.
/// @param revokedUpTo Highest number that was ever revoked, 0 for none: `isRevoked` is false above it.
/// @param pointsRoot First 22 bytes of the Merkle root over its points (libraries/Points.sol).
struct FreshEpoch {
    uint40 time;
    uint24 generation;
    uint16 keyVersion;
    uint48 revokedUpTo;
    bytes22 pointsRoot;
}

/// @title Risk epochs, signed by a quorum of publishers
/// @notice Anyone may carry an epoch in. It names the policies of the moment by their points, and, at a generation
///         step, the settlement of expired slots. Every epoch carries `minEpoch`, the number of the last urgent epoch:
///         it supersedes every earlier epoch, none of which serves once it is posted. An urgent epoch has its own
///         number there, and its successors carry it on, so that posting a successor first supersedes as much. A
///         generation lasts at least an hour (chain time).
///         A settlement serves after SETTLEMENT_DELAY, at most half of that hour, in which the guardian may veto it;
///         the delay stands still in a pause (IPaymentClock). Until then an account that holds derivatives makes no
///         step, and no further step is taken. A settlement that was vetoed, whose epoch was revoked, or whose
///         publishers were replaced within its delay is posted again by `postSettlement`. So are the points of 4 and of
///         16 steps at once, and those of a key version that lacks them.
///         *Superseded* and *revoked* are two things. A superseded epoch was good and is too old. A revoked one is bad:
///         the guardian said so, and whatever depends on it is in doubt (`isRevoked`).
/// @dev Safety assumptions
///      - Fewer than `threshold` publishers are dishonest. Warning: a dishonest quorum can do more than set prices: a
///        freely chosen point lets the verifier accept anything. Each honest publisher recomputes every point from the
///        data before signing; whoever audits the venue repeats it. Against a quorum that is dishonest all the same,
///        the guardian pauses, which stops epochs and settlements too, and then revokes what was posted, from the first
///        bad epoch to the latest; the owner replaces the publishers, which supersedes every epoch of theirs.
///      - The guardian can stop the venue, not take from it: it may pause, revoke, and veto within the delay. Only the
///        owner ends a pause, restores epochs and replaces the guardian.
///      - An urgent epoch that a quorum signed but nobody posted is carried on only if every later quorum shares an
///        honest publisher with it: 2 * threshold - signers must exceed the number of dishonest publishers.
///      - The policies keep their bounds (the bit budget of engine/presets.json); the contract never sees the data
///        behind a point.
///      - A slot's instrument changes only at a generation step whose settlement drops the slot.
///      Liveness assumptions
///      - A quorum signs epochs at short intervals and somebody carries them in. Without epochs trades, withdrawals,
///        cures and attestations stop; deposits and exits of flat accounts go on.
///      - The publishers serve policy bytes by hash, and snapshot bytes by theirs.
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
    /// @notice Bytes were published. They are the snapshot of the epochs that signed their hash, and else nothing.
    /// @param snapshotHash keccak256 of the bytes.
    /// @param snapshot The bytes.
    event SnapshotPublished(bytes32 indexed snapshotHash, bytes snapshot);
    /// @notice A settlement point was posted, with its vector.
    /// @param keyVersion Version of the verification keys that the point is a sum for.
    /// @param fromGeneration Generation of the accounts that it settles.
    /// @param steps How many generations it takes them on.
    /// @param number Number of the latest epoch at that moment: the step's own where an epoch brought it.
    /// @param readyAt Live time (IPaymentClock) from which it serves, unless it is vetoed before.
    /// @param x Coordinate on BN254's G1.
    /// @param y Its other coordinate.
    /// @param settlement Canonical bytes of the settlement vector, the steps' composed.
    event SettlementPublished(
        uint16 indexed keyVersion,
        uint24 indexed fromGeneration,
        uint24 indexed steps,
        uint64 number,
        uint40 readyAt,
        uint256 x,
        uint256 y,
        bytes settlement
    );
    /// @notice The guardian refused a settlement within its delay.
    /// @param keyVersion Version of the verification keys that the point was a sum for.
    /// @param fromGeneration Generation of the accounts that it was to settle.
    /// @param steps How many generations it was to take them on.
    event SettlementVetoed(uint16 indexed keyVersion, uint24 indexed fromGeneration, uint24 indexed steps);
    /// @notice The publishers signed what everything is worth should they be gone.
    /// @param keyVersion Version of the verification keys that the point is a sum for.
    /// @param generation Generation that it ends.
    /// @param number Number of the epoch at which it was signed.
    /// @param readyAt Live time from which it can no longer be vetoed.
    /// @param x The point.
    /// @param y Its other coordinate.
    /// @param settlement Canonical bytes of the settlement vector.
    event LastStepPublished(
        uint16 indexed keyVersion,
        uint24 indexed generation,
        uint64 number,
        uint40 readyAt,
        uint256 x,
        uint256 y,
        bytes settlement
    );
    /// @notice The guardian refused a last step within the delay of one of its points: no key version has it any more.
    /// @param keyVersion Version of the verification keys that the point was a sum for.
    event LastStepVetoed(uint16 indexed keyVersion);
    /// @notice Somebody noticed that the publishers are gone.
    /// @param latest Number of their latest epoch.
    /// @param endsAt Unix seconds from which the venue may be ended, unless they post another.
    event NoticeOfEnd(uint64 latest, uint40 endsAt);
    /// @notice The venue has ended: the last step serves, and nothing takes risk any more.
    /// @param generation Into which the last step leads.
    event VenueEnded(uint24 generation);
    /// @notice Epochs were declared bad.
    /// @param from Lowest number.
    /// @param upTo Highest number, the latest of that moment.
    event EpochsRevoked(uint64 from, uint64 upTo);
    /// @notice Epochs that had been declared bad were found good.
    /// @param from Lowest number.
    /// @param upTo Highest number.
    event EpochsRestored(uint64 from, uint64 upTo);
    /// @notice The publishers were replaced.
    /// @param signers The new ones, by increasing keccak256.
    /// @param threshold How many make a quorum.
    event SignersSet(bytes[] signers, uint8 threshold);
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
    /// @notice An epoch's number may exceed the last one's by a thousand at most, so that no single epoch uses up the
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
    /// @notice The generation is beyond what an account's record holds.
    /// @param generation The generation.
    /// @param limit Highest generation.
    error GenerationTooHigh(uint24 generation, uint24 limit);
    /// @notice The number was never posted, or has left the ring of the last epochs.
    /// @param number The number.
    /// @param latest The last one's.
    error EpochUnknown(uint64 number, uint64 latest);
    /// @notice The epoch was superseded: by a later one that is urgent, raises the generation or carries an urgent
    ///         one's number on, or because the publishers were replaced.
    /// @param number The number.
    /// @param minEpoch Lowest number that still serves.
    error EpochSuperseded(uint64 number, uint64 minEpoch);
    /// @notice The epoch was revoked by the guardian: it is bad, and so is a settlement that came with it.
    /// @param number The number.
    error EpochRevoked(uint64 number);
    /// @notice While paused no epoch and no settlement is posted.
    error EpochsPaused();
    /// @notice Epochs are revoked from one that was posted, or below it, to the latest.
    /// @param from Lowest number given.
    /// @param latest The latest number.
    error RevocationInvalid(uint64 from, uint64 latest);
    /// @notice No range of revoked epochs begins at the one number and reaches the other.
    /// @param from Lowest number given.
    /// @param upTo Highest number given.
    error RestorationInvalid(uint64 from, uint64 upTo);
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
    /// @notice An epoch without a generation step brings neither settlement point nor bytes.
    /// @param x Coordinate given.
    /// @param y Its other coordinate.
    /// @param length Bytes given.
    error SettlementUnexpected(uint256 x, uint256 y, uint256 length);
    /// @notice There is no settlement point of these steps under this key version, or it was vetoed; the publishers can
    ///         post it.
    /// @param keyVersion The key version.
    /// @param fromGeneration Generation of the accounts that it would settle.
    /// @param steps How many generations it would take them on.
    error SettlementUnset(uint16 keyVersion, uint24 fromGeneration, uint24 steps);
    /// @notice The settlement does not serve yet: the guardian may still veto it.
    /// @param readyAt Live time from which it serves.
    /// @param time The live time now.
    error SettlementPending(uint40 readyAt, uint40 time);
    /// @notice The publishers were replaced within the settlement's delay; the new ones can post another.
    /// @param keyVersion The key version.
    /// @param fromGeneration Generation of the accounts that it would settle.
    /// @param steps How many generations it would take them on.
    error SettlementSuperseded(uint16 keyVersion, uint24 fromGeneration, uint24 steps);
    /// @notice The settlement's delay is over: it cannot be vetoed any more.
    /// @param readyAt Live time from which it serves.
    /// @param time The live time now.
    error SettlementFinal(uint40 readyAt, uint40 time);
    /// @notice The settlement point of these steps is there, and good.
    /// @param keyVersion The key version.
    /// @param fromGeneration Generation of the accounts that it settles.
    /// @param steps How many generations it takes them on.
    error SettlementTaken(uint16 keyVersion, uint24 fromGeneration, uint24 steps);
    /// @notice A settlement begins at the first generation or later and ends at the current one or before.
    /// @param fromGeneration Generation given.
    /// @param steps Steps given.
    /// @param first The first generation.
    /// @param current The current one.
    error SettlementGenerationWrong(uint24 fromGeneration, uint24 steps, uint24 first, uint24 current);
    /// @notice A settlement is signed at an epoch that was posted and not revoked, after the veto or the revocation of
    ///         the one in whose place it comes.
    /// @param number The epoch's number.
    /// @param previous Number at which the one before was posted or vetoed; 0 for none.
    /// @param latest The latest number.
    error SettlementNumberWrong(uint64 number, uint64 previous, uint64 latest);
    /// @notice Settlements are of 1, 4 or 16 steps.
    /// @param steps Steps given.
    error StepsWrong(uint24 steps);
    /// @notice The venue has ended: nobody stops who leaves.
    error VenueIsEnded();
    /// @notice The publishers have posted too lately for a notice.
    /// @param latest Number of their latest epoch.
    /// @param until Unix seconds after which notice may be given.
    error QuorumPresent(uint64 latest, uint40 until);
    /// @notice Notice was given since the latest epoch.
    /// @param noticeAt Unix seconds.
    error NoticeGiven(uint40 noticeAt);
    /// @notice No notice was given since the latest epoch.
    /// @param latest Its number.
    error NoticeMissing(uint64 latest);
    /// @notice The notice is not over.
    /// @param time The block's time, unix seconds.
    /// @param earliest Earliest time of the end, unix seconds.
    error EndTooEarly(uint256 time, uint256 earliest);
    /// @notice There is no contract at the registry's address.
    /// @param registry The address.
    error RegistryMissing(address registry);
    /// @notice A settlement delay beyond the limit.
    /// @param delay Seconds given.
    /// @param limit Most seconds.
    error DelayTooLong(uint40 delay, uint40 limit);
    /// @notice An epoch cannot supersede itself.
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
    /// @notice A signature is no publisher's, or signers are not strictly increasing by keccak256 of their bytes.
    /// @param index Place of the signature.
    /// @param signer Whom it recovers to, or whom it names.
    error SignatureInvalid(uint256 index, bytes signer);
    /// @notice A publisher is an address or longer (ERC-7913), by strictly increasing keccak256.
    /// @param index Place of the signer.
    /// @param signer Its bytes.
    error SignerInvalid(uint256 index, bytes signer);
    /// @notice At least three signers, at most the limit, a threshold above half.
    /// @param count Number of signers.
    /// @param threshold Signatures that shall be needed.
    error SignersInvalid(uint256 count, uint256 threshold);
    /// @notice The guardian has stopped this action.
    /// @param kind The action.
    error ActionPaused(ActionKind kind);
    /// @notice Only the guardian or the owner may pause, revoke or veto.
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
    /// @dev `settlement` is given at a generation step and empty otherwise. The snapshot is signed by its hash: whoever
    ///      wants its bytes has them from the publishers, or from whoever publishes them. Relies on the publishers for
    ///      every number in it. Reverts with `EpochsPaused`, `EpochNumberTooLow`, `EpochNumberTooHigh`,
    ///      `EpochTimeOutOfRange`, `MinEpochTooHigh`, `EpochGenerationWrong`, `GenerationTooHigh`, `StepTooEarly`,
    ///      `PointCountOutOfRange`, `PointNameInvalid`, `PointInvalid`, `HashMismatch`, `SettlementUnexpected`,
    ///      `SignaturesMissing`, `SignatureInvalid`, the registry's errors unless the key is live, and at a step those
    ///      of `settlementFor` unless the step before serves.
    /// @param epoch The typed message that was signed.
    /// @param points The point of every policy, by strictly increasing name.
    /// @param settlement Canonical bytes of the settlement vector, or none.
    /// @param signatures Over the typed message Epoch, by strictly increasing keccak256 of the signer. 65 bytes are an
    ///        ECDSA signature; else abi.encode(bytes signer, bytes signature), checked by ERC-7913: a contract's by
    ///        ERC-1271, a key's of another kind (P-256, say) by its verifier's address in front of it. One that names a
    ///        signer and is not of that form reverts without a reason.
    function postEpoch(
        Epoch calldata epoch,
        Point[] calldata points,
        bytes calldata settlement,
        bytes[] calldata signatures
    ) external;

    /// @notice Posts a settlement point without an epoch. Anyone may carry it in; a quorum of publishers must have
    ///         signed.
    /// @dev For three uses. Points of 4 and of 16 steps at once, whose vectors are the steps' composed. The point of a
    ///      step under a key version that lacks it: points differ by key, the vector does not. A point in place of one
    ///      that was vetoed, whose epoch was revoked, or that was superseded. It serves after SETTLEMENT_DELAY. Relies
    ///      on the publishers for the vector and its point. Reverts with `EpochsPaused`, `StepsWrong`,
    ///      `SettlementGenerationWrong`, `SettlementTaken`, `SettlementNumberWrong`, `SignaturesMissing`,
    ///      `SignatureInvalid`, `PointInvalid`, `HashMismatch`, and the registry's errors unless the key is live.
    /// @param message The typed message that was signed.
    /// @param settlement Canonical bytes of the vector.
    /// @param signatures As in `postEpoch`, over the typed message Settlement.
    function postSettlement(
        Settlement calldata message,
        bytes calldata settlement,
        bytes[] calldata signatures
    ) external;

    /// @notice Refuses a settlement within its delay. Only the guardian or the owner.
    /// @dev The generation stays. Accounts that hold derivatives wait until another is posted by `postSettlement`.
    ///      Reverts with `CallerNotGuardian`, `VenueIsEnded`, `SettlementUnset`, `SettlementFinal`.
    /// @param keyVersion Version of the verification keys that the point is a sum for.
    /// @param fromGeneration Generation of the accounts that it would settle.
    /// @param steps How many generations it would take them on.
    function vetoSettlement(uint16 keyVersion, uint24 fromGeneration, uint24 steps) external;

    /// @notice Keeps the step that turns every position into cash at the prices of now, for the case that the
    ///         publishers are gone: it serves after `end` only. Anyone may carry it in; a quorum must have signed.
    /// @dev A Settlement of 0 steps from the current generation. It takes the place of what was signed at an earlier
    ///      epoch, in whatever order they are carried in. The venue has one vector. Each key version has its own point
    ///      of it, signed at the same epoch, with a delay of its own; a point of another vector, signed at a later
    ///      epoch, takes the place of all. Reverts like `postSettlement`, but is never taken.
    ///      Warning: while a new one waits for its delay, and after a step of the listing until one is posted, there is
    ///      none; so publishers post one at once after a step. A key version without a point of the vector is not
    ///      served; so they sign for every one that has accounts.
    /// @param message The typed message that was signed.
    /// @param settlement Canonical bytes of the vector.
    /// @param signatures As in `postEpoch`, over the typed message Settlement.
    function postLastStep(Settlement calldata message, bytes calldata settlement, bytes[] calldata signatures) external;

    /// @notice Refuses a last step under every key version, within the delay of its point under the one that is named.
    ///         Only the guardian or the owner.
    /// @dev What takes its place is signed at an epoch after the veto. Reverts with `CallerNotGuardian`,
    ///      `VenueIsEnded`, `SettlementUnset`, `SettlementFinal`.
    /// @param keyVersion Version of the verification keys that the point is a sum for.
    function vetoLastStep(uint16 keyVersion) external;

    /// @notice Says that the publishers are gone: no epoch for three days. Anyone may.
    /// @dev Counts for the present latest epoch: with another it is void. Time is the chain's: a halt of it, or a
    ///      pause, counts, and the publishers have the notice to end it. Reverts with `VenueIsEnded`, `QuorumPresent`,
    ///      `NoticeGiven`.
    function giveNotice() external;

    /// @notice Ends the venue three days after a notice, if no epoch came. Anyone may.
    /// @dev The last step becomes the settlement of a step of the listing: every account takes it by a roll, or skips
    ///      it without derivatives, and leaves flat. What takes risk is paused for good, and the clock of payments
    ///      runs. Called again it lets the same vector serve under a further key version. Reverts with
    ///      `NoticeMissing`, `EndTooEarly`, `GenerationTooHigh`, `SettlementUnset`, `SettlementSuperseded`,
    ///      `SettlementPending`, `SettlementTaken`, `EpochRevoked` while the latest epoch is revoked, `HashMismatch`;
    ///      the first time with the errors of `settlementFor` unless the step into the current generation serves,
    ///      which an account may still have to take.
    ///      Warning: cash that an account then owes is missing to whoever leaves last.
    ///      Warning: what is left to owners and guardians after the end. Here: `restoreEpochs`, which lets out whom a
    ///      revocation keeps in; `setMaxAge`, which nothing asks any more; `setPaymentTerms`, within its bounds;
    ///      `setGuardian`. In the vault: a veto, which delays a payment by fourteen days, and its return by the owner.
    ///      In the registry: suspension and revocation of a key, under which nobody proves anything. These two stand
    ///      against forged proofs, which only a faulty key lets pass, and whoever has them can keep somebody in. All
    ///      else of this contract that stops anything is refused: pausing, revoking epochs, vetoing settlements, and
    ///      replacing the publishers, which would supersede the last step.
    /// @param keyVersion Version of the verification keys that the point is a sum for.
    /// @param settlement Canonical bytes of the vector, as published.
    function end(uint16 keyVersion, bytes calldata settlement) external;

    /// @notice Whether the venue has ended.
    /// @return Whether it has.
    function isEnded() external view returns (bool);

    /// @notice Declares every epoch from `from` to the latest bad, and every settlement posted from then on. Only the
    ///         guardian or the owner.
    /// @dev Why to the latest: an account's state may depend on any epoch up to the last one at which it was written,
    ///      and what is written later is refused where the last one was bad. Pause first, or a dishonest quorum goes on
    ///      above the range. Reverts with `CallerNotGuardian`, `VenueIsEnded`, `RevocationInvalid`.
    /// @param from Lowest number.
    function revokeEpochs(uint64 from) external;

    /// @notice Finds the lower part of a revoked range good after all. Only the owner.
    /// @dev The range is named by its lowest number, which changes when a revocation extends it downwards: what was
    ///      announced for another range is then refused. Reverts with `OwnableUnauthorizedAccount` for anybody else and
    ///      with `RestorationInvalid`.
    /// @param from Lowest number of the range.
    /// @param upTo Highest number that is good; the range's own ends it.
    function restoreEpochs(uint64 from, uint64 upTo) external;

    /// @notice Publishes a snapshot by event, whenever somebody asks for one. Anyone may, for an epoch of any age.
    /// @dev The event has the hash of the bytes, and `EpochPosted` that which the quorum signed: nothing else is
    ///      checked. Never reverts.
    /// @param snapshot Canonical bytes of the snapshot.
    function publishSnapshot(bytes calldata snapshot) external;

    /// @notice Replaces the publishers, before the end of the venue. Only the owner.
    /// @dev Reverts with `OwnableUnauthorizedAccount` for anybody else, `VenueIsEnded`, `SignersInvalid`,
    ///      `SignerInvalid`.
    ///      Warning: whoever controls a quorum can empty the vault, so the owner must be a timelock. Every epoch
    ///      of the old publishers is superseded, and every settlement of theirs within its delay.
    /// @param signers The new ones, by strictly increasing keccak256: an address each, of a key or a contract, or a
    ///        verifier's address and a key (ERC-7913).
    /// @param threshold How many make a quorum.
    function setSigners(bytes[] calldata signers, uint8 threshold) external;

    /// @notice Sets for how many seconds an epoch serves an action, and every other of the same rule. Only the owner.
    /// @dev Reverts with `OwnableUnauthorizedAccount` for anybody else, `MaxAgeOutOfRange`, `EpochNotTaken`, and with
    ///      `ActionUnknown` of ActionRules.
    /// @param kind The action.
    /// @param seconds_ Seconds.
    function setMaxAge(ActionKind kind, uint16 seconds_) external;

    /// @notice Stops every action that the action table does not let go on: opening, trades, withdrawals, cures,
    ///         attestations.
    ///         Only the guardian or the owner.
    /// @dev Neither epochs nor settlements are posted then. Reverts with `CallerNotGuardian`, `VenueIsEnded`.
    function pause() external;

    /// @notice Ends a pause. Only the owner.
    /// @dev Reverts with `OwnableUnauthorizedAccount` for anybody else, `VenueIsEnded`.
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
    /// @dev Reverts with `ActionPaused`, `EpochUnknown`, `EpochSuperseded`, `EpochRevoked`, `EpochStale`,
    ///      `EpochNotTaken`, and with `ActionUnknown` of ActionRules.
    /// @param number Its number.
    /// @param kind The action.
    /// @return What the action needs of it.
    function requireFresh(uint64 number, ActionKind kind) external view returns (FreshEpoch memory);

    /// @notice Reverts with `ActionPaused` while paused.
    /// @param kind The action, which the error names.
    function requireUnpaused(ActionKind kind) external view;

    /// @notice Whether the guardian declared the epoch bad. Whoever keeps the highest number that a state depends on
    ///         asks this of it.
    /// @dev One cold read as long as the number lies above every revoked range.
    /// @param number Its number, posted or not.
    /// @return Whether it lies in a revoked range.
    function isRevoked(uint64 number) external view returns (bool);

    /// @notice The settlement point of `steps` generation steps from `fromGeneration` on under a key version.
    /// @dev Whoever takes it depends on the quorum's word of that moment, as on an epoch. Reverts with
    ///      `SettlementUnset`, `SettlementSuperseded`, `SettlementPending` within its delay, `EpochRevoked` if it was
    ///      posted at an epoch that was revoked.
    /// @param keyVersion The key version.
    /// @param fromGeneration Generation of the account.
    /// @param steps 1, 4 or 16.
    /// @return x Coordinate on BN254's G1.
    /// @return y Its other coordinate.
    /// @return number Number of the latest epoch when it was posted.
    function settlementFor(
        uint16 keyVersion,
        uint24 fromGeneration,
        uint24 steps
    ) external view returns (uint256 x, uint256 y, uint64 number);

    /// @notice Reverts unless a quorum of the present publishers signed a digest.
    /// @dev For contracts that ask the publishers for more than epochs. The digest must be of a typed message of the
    ///      asking contract's own domain. Reverts with `SignaturesMissing`, `SignatureInvalid`.
    /// @param digest What was signed.
    /// @param signatures As in `postEpoch`.
    function requireQuorum(bytes32 digest, bytes[] calldata signatures) external view;

    /// @notice Where the verification keys are.
    /// @return The key registry.
    function REGISTRY() external view returns (IKeyRegistry);

    /// @notice Generation that began without a step.
    /// @return The generation.
    function FIRST_GENERATION() external view returns (uint24);

    /// @notice Seconds from the posting of a settlement until it serves.
    /// @return Seconds, at most half an hour.
    function SETTLEMENT_DELAY() external view returns (uint40);

    /// @notice Block time of the latest generation step; 0 before the first.
    /// @return Unix seconds.
    function steppedAt() external view returns (uint40);

    /// @notice Who may pause, revoke and veto.
    /// @return The guardian.
    function guardian() external view returns (address);

    /// @notice How many publishers make a quorum.
    /// @return Their number.
    function threshold() external view returns (uint8);

    /// @notice Whether somebody is a publisher.
    /// @param signer An address's 20 bytes, or a verifier's address and a key.
    /// @return Whether it is.
    function isSigner(bytes calldata signer) external view returns (bool);

    /// @notice The publishers.
    /// @return Their bytes, by increasing keccak256.
    function getSigners() external view returns (bytes[] memory);

    /// @notice Lowest epoch number that is not superseded.
    /// @return The number.
    function minEpoch() external view returns (uint64);

    /// @notice Whether the guardian has paused.
    /// @return Whether a pause goes on.
    function isPaused() external view returns (bool);

    /// @notice Longest age at which an epoch serves `kind`.
    /// @dev Reverts with `EpochNotTaken` for an action that takes none.
    /// @param kind The action.
    /// @return Seconds.
    function maxAgeOf(ActionKind kind) external view returns (uint16);

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

    /// @notice EIP-712 digest of an epoch, which the publishers sign.
    /// @param epoch The typed message.
    /// @return The digest.
    function hashEpoch(Epoch calldata epoch) external view returns (bytes32);

    /// @notice EIP-712 digest of a settlement, which the publishers sign.
    /// @param message The typed message.
    /// @return The digest.
    function hashSettlement(Settlement calldata message) external view returns (bytes32);
}
