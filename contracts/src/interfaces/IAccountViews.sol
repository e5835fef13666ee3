// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ActionKind} from "../generated/ActionRules.sol";
import {ActionRequest, IClearingHouse, TradeRequest} from "./IClearingHouse.sol";

/// @notice What an account proved last, at an epoch that still counts.
/// @param margin Name of the policy: "initial" by a trade, "withdraw" by a withdrawal, "maintenance" by a cure or an
///     attestation; 0 if nothing counts.
/// @param time Unix seconds of the epoch's prices.
/// @param epoch Number of the epoch.
struct Proved {
    bytes32 margin;
    uint40 time;
    uint64 epoch;
}

/// @title What a clearing house's accounts have proved, for other contracts
/// @notice Reads the clearing house, its registry and its oracle, and stores nothing. What was proved at an epoch that
///         was superseded or revoked does not count.
/// @dev Safety assumptions: those of IClearingHouse. Liveness assumptions: none; publishers that are gone post no
///      epoch, so that what was proved grows old.
///      Warning: an account can change in the same block, right after it was looked at, and nothing can be seized from
///      it.
interface IAccountViews {
    /// @notice Whether the account is active, its key live, its state made by no revoked epoch, and its margin was
    ///         proved at prices at most `maxAge` seconds old, at an epoch that is neither superseded nor revoked.
    /// @dev `provedOf` says which margin, since when and at which epoch. A step of the listing supersedes every epoch
    ///      before it, so an account that stayed behind is not current; one that attested over the step is. Opening,
    ///      deposits, rolls and flat exits prove no margin.
    ///      Warning: it says nothing about the next block; an account may trade right after the check, and nothing can
    ///      be seized from it.
    /// @param account The account.
    /// @param maxAge Seconds.
    /// @return Whether all of that holds now.
    function isCurrent(bytes32 account, uint256 maxAge) external view returns (bool);

    /// @notice What `isCurrent` rests on: the latest margin that the account, as it is now, proved at an epoch that
    ///         still counts; all zero if there is none, and while its state depends on a revoked epoch.
    /// @param account The account.
    /// @return Which margin, since when, and at which epoch.
    function provedOf(bytes32 account) external view returns (Proved memory);

    /// @notice When, and at which epoch, the account as it is now attested `policy` with the content of `pointHash`; 0
    ///         if never, at an epoch that no longer counts, or while the account's state depends on a revoked one. Any
    ///         change of the account ends it.
    /// @dev The content of a name may change with every epoch: the hash says which one was met.
    ///      Warning: a named policy says what it says and is no solvency; use `isCurrent` for that.
    /// @param account The account.
    /// @param policy Name of the policy.
    /// @param pointHash keccak256(abi.encode(name, x, y)) of the policy's point; not looked at for "maintenance".
    /// @return time Unix seconds of the epoch's prices.
    /// @return epoch Number of the epoch.
    function attested(
        bytes32 account,
        bytes32 policy,
        bytes32 pointHash
    ) external view returns (uint40 time, uint64 epoch);

    /// @notice How many steps of the listing the account is behind the oracle: at 1 it takes the step in its next
    ///         trade, withdrawal or cure, from 2 on it must roll, or skip if it does not hold derivatives.
    /// @param account The account.
    /// @return Steps.
    function stepsBehind(bytes32 account) external view returns (uint24);

    /// @notice EIP-712 digest that auth signs for a request, as the clearing house makes it now: for a contract wallet
    ///         that approves digests. Proof and signature are not looked at.
    /// @dev Reverts with `SidesWrong` for a trade, whose digests `digestsOf` gives, `FieldNotTaken`, `AmountTooLarge`,
    ///      `RecipientZero`, `FeeAboveAmount`, `FeeTooLarge` as the action would, and with the oracle's `EpochUnknown`;
    ///      other refusals come with the action only.
    /// @param kind Which action.
    /// @param request The request.
    /// @param steps How many steps of the listing, for a roll.
    /// @return The digest.
    function digestOf(ActionKind kind, ActionRequest calldata request, uint24 steps) external view returns (bytes32);

    /// @notice EIP-712 digests that both sides of a trade sign, as the clearing house makes them now.
    /// @dev Reverts like `digestOf`.
    /// @param request The trade.
    /// @return plus What the auth of the first side signs.
    /// @return minus What the auth of the second side signs.
    function digestsOf(TradeRequest calldata request) external view returns (bytes32 plus, bytes32 minus);

    /// @notice The clearing house whose accounts are shown.
    /// @return The clearing house.
    function HOUSE() external view returns (IClearingHouse);
}
