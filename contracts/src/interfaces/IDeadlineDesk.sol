// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IDefaultBook} from "./IDefaultBook.sol";

/// @title By when accounts prove margin, and what freezes those that do not
/// @notice A proof of margin holds for a lease, level 0. An attestation of the policy "lease_1", "lease_2" or "lease_3"
///         may hold longer, for the state that it was made for: `extend`. These policies ask for what the account has
///         left after a move of the market. So a quorum that sees such a move calls early: every account below the
///         called level proves margin at prices from the call on, within a grace of its own.
///         Nobody calls, ticks or posts for an account to be overdue: `isOverdue` is computed.
/// @dev Safety assumptions
///      - The policy of a level covers its period: the lease, until a call, and then grace, window and auction. The
///        constructor holds the terms to that inequality; whether the policy does is the word of those who sign it.
///      - A quorum calls when the market has moved by what the level's policy covers.
///      Liveness assumptions
///      - Those of IDefaultDesk.
///      Warning: runs in the clearing house's storage, by delegated calls alone. The level that an account attests is
///      public, and hints at its leverage.
interface IDeadlineDesk is IDefaultBook {
    /// @notice The clock of deadlines advanced.
    /// @param checkpoint Number of the checkpoint.
    /// @param time Unix seconds.
    /// @param clock Seconds of the clock.
    event Ticked(uint256 indexed checkpoint, uint40 time, uint40 clock);
    /// @notice An account was frozen. Its committee may open it.
    /// @param account The account.
    /// @param commitment Its commitment.
    /// @param keeper Who froze it.
    /// @param bounty Micro-dollars that the keeper earned, as a submitter does its fees.
    event Frozen(bytes32 indexed account, uint256 commitment, address keeper, uint64 bounty);
    /// @notice A state of an account holds longer.
    /// @param account The account.
    /// @param level Which policy it met.
    /// @param epoch Number of the epoch at which it met it.
    /// @param until Seconds of the clock of deadlines.
    event LeaseExtended(bytes32 indexed account, uint8 level, uint64 epoch, uint40 until);
    /// @notice A lease ends, as the epoch of its attestation was revoked.
    /// @param account The account.
    /// @param until Seconds of the clock of deadlines, at which the grace begins.
    event LeaseShortened(bytes32 indexed account, uint40 until);
    /// @notice Accounts below a level have to prove margin at prices from this epoch on.
    /// @param call Number of the call.
    /// @param level The level.
    /// @param epoch Number of the epoch.
    /// @param clock Seconds of the clock of deadlines at which the grace of the call begins.
    event CalledEarly(uint256 indexed call, uint8 level, uint64 epoch, uint40 clock);

    /// @notice The clock ticks at most once a second.
    /// @param time Unix seconds of the last tick.
    error TickTooEarly(uint40 time);
    /// @notice The latest epoch is of a key version that this desk does not serve.
    /// @param keyVersion Of the epoch.
    /// @param served Of the desk.
    error EpochOfOtherKey(uint16 keyVersion, uint16 served);
    /// @notice The account is not overdue by this checkpoint and this call.
    /// @param account The account.
    /// @param provenAt Unix seconds of its last proof; 0 for one that needs none.
    /// @param time Unix seconds of the checkpoint, which must not be earlier.
    /// @param elapsed Seconds of the clock since the checkpoint, which must exceed lease and grace.
    error NotOverdue(bytes32 account, uint40 provenAt, uint40 time, uint40 elapsed);
    /// @notice There is no such level, or it cannot be called or extended.
    /// @param level Given.
    error LevelUnknown(uint8 level);
    /// @notice The account, as it is, has not attested that content of the level's policy, or at a revoked epoch.
    /// @param account The account.
    /// @param level The level.
    error LeaseNotAttested(bytes32 account, uint8 level);
    /// @notice The account's last proof of margin is from before the attestation of the level, whose policy need not
    ///         imply maintenance.
    /// @param account The account.
    /// @param provenAt Unix seconds of its last proof of margin; 0 if it needs none, and so no lease.
    /// @param time Unix seconds of the attested prices.
    error LeaseWithoutMargin(bytes32 account, uint40 provenAt, uint40 time);
    /// @notice The account's lease is not shorter already.
    /// @param account The account.
    /// @param until Seconds of the clock of deadlines, of the lease that stands.
    error LeaseNotLonger(bytes32 account, uint40 until);
    /// @notice The lease was attested at no revoked epoch, or is over.
    /// @param account The account.
    /// @param epoch Number of that epoch.
    /// @param until Seconds of the clock of deadlines.
    error LeaseStands(bytes32 account, uint64 epoch, uint40 until);
    /// @notice A call is at a later epoch than the last one.
    /// @param epoch Given.
    /// @param last Of the last call.
    error CallOutdated(uint64 epoch, uint64 last);

    /// @notice Advances the clock of deadlines. Anyone may call.
    /// @dev Reverts with `TickTooEarly` and `EpochOfOtherKey`, as the oracle while its latest epoch serves no
    ///      attestation or the latest step has no settlement that serves, and as the registry while the key verifies
    ///      nothing.
    /// @return checkpoint Number of the checkpoint that it made.
    function tick() external returns (uint256 checkpoint);

    /// @notice Freezes an account that is overdue. Anyone may; the bounty is the caller's to collect (`collectFees`).
    /// @dev Reverts with `AccountNotOpen`, `KeyVersionWrong` and `NotOverdue`.
    /// @param account The account.
    /// @param checkpoint Number of a checkpoint at or after its last proof, lease and grace ago; 0 if it is overdue by
    ///     a call alone.
    /// @param call Number of a call of its level that no proof has answered, its grace ago; 0 for none. Whoever had a
    ///     lease that a call ended, and has proved margin since, is overdue by both.
    function freeze(bytes32 account, uint256 checkpoint, uint256 call) external;

    /// @notice A checkpoint of the clock of deadlines.
    /// @param number Its number, from 1.
    /// @return time Unix seconds; 0 if there is none.
    /// @return clock Seconds of the clock.
    function checkpointOf(uint256 number) external view returns (uint40 time, uint40 clock);

    /// @notice Lets an attestation of a level hold for that level's lease. Anyone may call.
    /// @dev Reverts with `LevelUnknown`, `LeaseNotAttested`, `LeaseWithoutMargin` and `LeaseNotLonger`. A lease that is
    ///      no shorter stays, unless its epoch was revoked or the last call is later than it and not later than the
    ///      attestation.
    ///      Warning: the lease ends with the state. A deposit, a roll, a step skipped or a rekey prove no margin: whose
    ///      last proof is older than a lease of level 0 attests maintenance before them, or cures, or is overdue.
    /// @param account The account.
    /// @param level 1, 2 or 3.
    /// @param pointHash Of the attested policy's point, as the event Attested has it.
    function extend(bytes32 account, uint8 level, bytes32 pointHash) external;

    /// @notice Ends a lease whose epoch was revoked: its grace begins. Anyone may call.
    /// @dev Reverts with `LeaseStands`.
    /// @param account The account.
    function shorten(bytes32 account) external;

    /// @notice Calls every account below a level. Anyone may carry it in.
    /// @dev Reverts with `LevelUnknown`, `CallOutdated`, and as the oracle for a stale epoch or no quorum.
    /// @param level 1, 2 or 3; accounts of lower levels are called.
    /// @param epoch Number of the epoch from whose prices on a proof answers the call.
    /// @param signatures Of publishers, over EarlyCall, in the order of the oracle.
    /// @return call Its number, from 1.
    function callEarly(uint8 level, uint64 epoch, bytes[] calldata signatures) external returns (uint256 call);

    /// @notice Whether an account may be frozen.
    /// @param account The account.
    /// @param checkpoint As `freeze` takes it.
    /// @param call As `freeze` takes it.
    /// @return Whether it is active, and overdue by these.
    function isOverdue(bytes32 account, uint256 checkpoint, uint256 call) external view returns (bool);

    /// @notice The lease of the account's present state.
    /// @param account The account.
    /// @return level Its level; 0 if it has none, or its grace is over.
    /// @return epoch Number of the epoch of its attestation; a later call of a higher level ends it.
    /// @return until Seconds of the clock of deadlines, at which its grace begins.
    function leaseOf(bytes32 account) external view returns (uint8 level, uint64 epoch, uint40 until);

    /// @notice An early call.
    /// @param number Its number, from 1.
    /// @return level Accounts below it are called; 0 if there is no such call.
    /// @return epoch Number of the epoch from whose prices on a proof answers it.
    /// @return time Unix seconds of these prices.
    /// @return clock Seconds of the clock of deadlines at which its grace begins.
    function callOf(uint256 number) external view returns (uint8 level, uint64 epoch, uint40 time, uint40 clock);
}
