// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IAccountViews} from "../interfaces/IAccountViews.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";

/// @notice What an account's owner owes.
/// @param amount Units of the token.
/// @param due Unix seconds.
struct Loan {
    uint128 amount;
    uint40 due;
}

/// @title An example: a lender that grants credit to owners of hidden accounts
/// @notice An owner draws on its credit while its account is current, and meets a policy that the lender names.
/// @dev Warning: it is an unsecured loan, and the limit is for each account: one owner opens as many as it likes, and
///      may move one book from account to account. Lend to owners whom you know. Nothing can be seized from an account,
///      its owner may trade or leave right after drawing, and an empty account is current: the policy has to say what
///      repays the loan, as "worth at least the limit after a fall of 20 %" does. Publishers decide by quorum what the
///      policy of that name contains.
contract MarginLender {
    using SafeERC20 for IERC20;

    /// @notice Greatest age of the prices at which margin and policy were proved, seconds.
    uint256 public constant MAX_AGE = 5 minutes;
    /// @notice Seconds until a loan is due.
    uint40 public constant TERM = 7 days;
    /// @notice Most that may be owed for one account, units of the token.
    uint128 public immutable LIMIT;
    /// @notice Name of the policy that it asks for.
    bytes32 public immutable POLICY;
    /// @notice What is lent.
    IERC20 public immutable TOKEN;
    /// @notice What accounts have proved.
    IAccountViews public immutable VIEWS;
    /// @notice Whose accounts they are.
    IClearingHouse public immutable HOUSE;

    /// @notice What the owner of each account owes.
    mapping(bytes32 account => Loan) public loanOf;

    /// @notice An owner drew on its credit.
    /// @param account The account.
    /// @param amount Units of the token.
    /// @param due Unix seconds.
    event Drawn(bytes32 indexed account, uint256 amount, uint40 due);
    /// @notice A loan was paid back, or a part of it.
    /// @param account The account.
    /// @param amount Units of the token.
    event Repaid(bytes32 indexed account, uint256 amount);

    /// @notice Only an account's owner draws on it.
    /// @param auth The owner.
    error OwnerOnly(address auth);
    /// @notice The account has not proved its margin at prices that are fresh enough.
    /// @param account The account.
    error NotCurrent(bytes32 account);
    /// @notice The account as it is now has not shown the policy at prices that are fresh enough.
    /// @param account The account.
    /// @param time Unix seconds of the prices at which it did; 0 if it did not.
    error NotAttested(bytes32 account, uint40 time);
    /// @notice The loan was due before.
    /// @param account The account.
    /// @param due Unix seconds.
    error Overdue(bytes32 account, uint40 due);
    /// @notice More than the limit.
    /// @param amount Would be owed.
    /// @param limit Allowed.
    error AboveLimit(uint256 amount, uint256 limit);

    constructor(IAccountViews views, IERC20 token, bytes32 policy, uint128 limit) {
        (VIEWS, HOUSE, TOKEN, POLICY, LIMIT) = (views, views.HOUSE(), token, policy, limit);
    }

    /// @notice Lends to the owner of an account.
    /// @param account The account.
    /// @param amount Units of the token.
    /// @param pointHash Of the policy's point that the account attested; it names the policy, so that an attestation of
    ///        another one does not count.
    function draw(bytes32 account, uint128 amount, bytes32 pointHash) external {
        address auth = HOUSE.accountOf(account).auth;
        if (msg.sender != auth) revert OwnerOnly(auth);
        if (!VIEWS.isCurrent(account, MAX_AGE)) revert NotCurrent(account);
        (uint40 time, ) = VIEWS.attested(account, POLICY, pointHash);
        if (time == 0 || time + MAX_AGE < block.timestamp) revert NotAttested(account, time);

        Loan storage loan = loanOf[account];
        if (loan.amount != 0 && block.timestamp > loan.due) revert Overdue(account, loan.due);
        uint256 owed = uint256(loan.amount) + amount;
        if (owed > LIMIT) revert AboveLimit(owed, LIMIT);
        if (loan.amount == 0) loan.due = uint40(block.timestamp) + TERM;
        loan.amount = uint128(owed);
        emit Drawn(account, amount, loan.due);
        TOKEN.safeTransfer(msg.sender, amount);
    }

    /// @notice Pays a loan back, or a part of it; anyone may.
    /// @param account The account whose owner owes it.
    /// @param amount Units of the token, at most what is owed.
    function repay(bytes32 account, uint128 amount) external {
        Loan storage loan = loanOf[account];
        if (amount > loan.amount) revert AboveLimit(amount, loan.amount);
        loan.amount -= amount;
        emit Repaid(account, amount);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
    }
}
