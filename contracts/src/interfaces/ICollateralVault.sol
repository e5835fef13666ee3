// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Flow} from "../generated/Messages.sol";

/// @notice A collateral slot and its token.
/// @param slot Slot of the statement.
/// @param token ERC-20 token that the slot stands for.
/// @param lot Token units of one lot.
struct Collateral {
    uint16 slot;
    address token;
    uint96 lot;
}

/// @title Holds every token of the venue
/// @notice A token is in one of three places: the inbox of an account number (funded, not yet absorbed), the hidden
///         accounts together (`held`), or claimable by a recipient. For each token: balance >= sum of inboxes + held +
///         sum of claimables, and held = absorbed - released. No action pays out of an inbox or a claimable of somebody
///         else, whatever a proof says: releases are bounded by `held`.
/// @dev Safety assumptions
///      - Tokens do what ERC-20 says: a transfer moves the stated amount, and balances change by nothing else. Received
///        amounts are measured and tokens that take a fee on transfer are refused at `fund`; tokens that rebase are not
///        supported: where one loses, whoever claims first is paid.
///      - CLEARING_HOUSE absorbs and releases only what proofs and signatures allow.
///      Liveness assumptions
///      - Tokens can be transferred (no pause or block list of their own that hits the vault). A blocked recipient
///        blocks only itself: payments are pulled.
///      - Hidden accounts may owe cash, as far as the policies let them, so `held` may be less than what the other
///        accounts have: a payment can fail with `HeldTooLow` until money comes back.
interface ICollateralVault {
    /// @notice Tokens were put into an inbox.
    /// @param account Account number whose inbox it is.
    /// @param token The token.
    /// @param from Who paid.
    /// @param amount Token units.
    event Funded(bytes32 indexed account, address indexed token, address indexed from, uint256 amount);
    /// @notice Tokens were taken back out of an inbox.
    /// @param account Account number whose inbox it is.
    /// @param token The token.
    /// @param to Who received them.
    /// @param amount Token units.
    event PulledBack(bytes32 indexed account, address indexed token, address to, uint256 amount);
    /// @notice A recipient took what it could claim.
    /// @param recipient Whose claim it was.
    /// @param token The token.
    /// @param to Who received the tokens.
    /// @param amount Token units.
    event Claimed(address indexed recipient, address indexed token, address to, uint256 amount);

    /// @notice The token is neither the cash token nor a collateral.
    /// @param token The token.
    error TokenUnknown(address token);
    /// @notice The slot has no collateral token.
    /// @param slot The slot.
    error SlotUnknown(uint16 slot);
    /// @notice The vault received another amount than was sent.
    /// @param token The token.
    /// @param received Token units that arrived.
    /// @param expected Token units that were sent.
    error ReceivedAmountDiffers(address token, uint256 received, uint256 expected);
    /// @notice The inbox holds less than what shall be taken.
    /// @param account Account number whose inbox it is.
    /// @param token The token.
    /// @param wanted Token units that shall be taken.
    /// @param available Token units in the inbox.
    error InboxTooLow(bytes32 account, address token, uint256 wanted, uint256 available);
    /// @notice The hidden accounts together hold less than what shall be paid.
    /// @param token The token.
    /// @param wanted Token units that shall be paid.
    /// @param available Token units that they hold.
    error HeldTooLow(address token, uint256 wanted, uint256 available);
    /// @notice Nothing to fund or to claim.
    /// @param token The token.
    error AmountZero(address token);
    /// @notice Only the clearing house may call this.
    /// @param caller Who called.
    /// @param clearingHouse Who may.
    error CallerNotClearingHouse(address caller, address clearingHouse);
    /// @notice Tokens given at construction must differ, be contracts and have a lot above zero.
    /// @param slot The collateral's slot; 0 for the cash token.
    /// @param token The token.
    /// @param lot Token units of one lot; 1 for the cash token.
    error CollateralInvalid(uint16 slot, address token, uint96 lot);

    /// @notice Puts tokens in the inbox of an account number. Anyone may, whether the account is open or not.
    /// @dev Needs neither proof nor ownership; the caller must have approved the vault. Reverts with `TokenUnknown`,
    ///      `AmountZero`, `ReceivedAmountDiffers`, or what the token reverts with.
    ///      Warning: only auth of that account number gets the tokens out again; a mistyped number loses them.
    /// @param account Account number.
    /// @param token The cash token, or a collateral.
    /// @param amount Token units.
    function fund(bytes32 account, address token, uint256 amount) external;

    /// @notice `fund` after an ERC-2612 permit of the caller. Anyone may.
    /// @dev A permit that somebody else has already carried in is tolerated. Reverts like `fund`.
    ///      Warning: only auth of that account number gets the tokens out again; a mistyped number loses them.
    /// @param account Account number.
    /// @param token A token with permits.
    /// @param amount Token units, also of the permit.
    /// @param deadline Unix seconds until which the permit is good.
    /// @param v Of the permit's signature.
    /// @param r Of the permit's signature.
    /// @param s Of the permit's signature.
    function fundWithPermit(
        bytes32 account,
        address token,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Takes tokens back out of the inbox of the caller's own account number, before opening and after close,
    ///         too.
    /// @dev The number is made of the caller and the index, so nobody else reaches the inbox. Reverts with
    ///      `InboxTooLow`, or what the token reverts with.
    ///      Warning: whoever relays a deposit of these tokens pays for a transaction that then fails.
    /// @param index Which of the caller's accounts.
    /// @param token The token.
    /// @param amount Token units.
    /// @param to Who receives them.
    function pullBack(uint64 index, address token, uint256 amount, address to) external;

    /// @notice Pays out everything that the caller may claim in `token`.
    /// @dev Reverts with `AmountZero`, or what the token reverts with.
    ///      Warning: a recipient that cannot call this, as an exchange's address, never gets its payment.
    /// @param token The token.
    /// @param to Who receives the tokens.
    /// @return amount Token units.
    function claim(address token, address to) external returns (uint256 amount);

    /// @notice Moves a stated part of the inbox to the hidden accounts. Only the clearing house, whose event says it.
    /// @dev Relies on the caller for what the account is credited. Reverts with `CallerNotClearingHouse`,
    ///      `SlotUnknown`, `InboxTooLow`.
    /// @param account Account number.
    /// @param cash Micro-dollars, which are units of the cash token.
    /// @param flows Lots above zero by collateral slot.
    function absorb(bytes32 account, uint256 cash, Flow[] calldata flows) external;

    /// @notice Moves tokens from the hidden accounts to what `to` may claim. Only the clearing house, whose event says
    ///         it.
    /// @dev Relies on the caller for what the account is debited. Reverts with `CallerNotClearingHouse`, `SlotUnknown`,
    ///      `HeldTooLow`.
    /// @param to Who may claim them.
    /// @param cash Micro-dollars, which are units of the cash token.
    /// @param flows Lots below zero by collateral slot.
    function release(address to, uint256 cash, Flow[] calldata flows) external;

    /// @notice Reverts with `SlotUnknown` unless every flow's slot has a collateral token.
    /// @param flows Lots by slot.
    function requireCollateral(Flow[] calldata flows) external view;

    /// @notice Tokens funded for an account number and not yet absorbed.
    /// @param account Account number.
    /// @param token The token.
    /// @return Token units.
    function inbox(bytes32 account, address token) external view returns (uint256);

    /// @notice Tokens that the hidden accounts hold together.
    /// @param token The token.
    /// @return Token units.
    function held(address token) external view returns (uint256);

    /// @notice Tokens that a recipient may claim.
    /// @param recipient Whose claim.
    /// @param token The token.
    /// @return Token units.
    function claimable(address recipient, address token) external view returns (uint256);

    /// @notice Token and lot of a collateral slot; zeros if it has none.
    /// @param slot The slot.
    /// @return token The token.
    /// @return lot Token units of one lot.
    function collateralOf(uint16 slot) external view returns (address token, uint96 lot);
}
