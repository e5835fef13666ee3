// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Flow} from "../generated/Messages.sol";

/// @dev A collateral slot and its token.
struct Collateral {
    uint16 slot;
    address token;
    uint96 lot; // token units of one lot
}

/// @title Holds every token of the venue
/// @notice A token is in one of three places: the inbox of an account number (funded, not yet absorbed), the hidden accounts together (`held`), or
///         claimable by a recipient. For each token: balance >= sum of inboxes + held + sum of claimables, and held = absorbed - released.
///         No action pays out of an inbox or a claimable of somebody else, whatever a proof says: releases are bounded by `held`.
/// @dev Safety assumptions
///      - Tokens do what ERC-20 says: a transfer moves the stated amount, and balances change by nothing else. Received amounts are measured and tokens that take a fee
///        on transfer are refused at `fund`; tokens that rebase are not supported.
///      - CLEARING_HOUSE absorbs and releases only what proofs and signatures allow.
///      Liveness assumptions
///      - Tokens can be transferred (no pause or block list of their own that hits the vault). A blocked recipient blocks only itself: payments are pulled.
interface ICollateralVault {
    event Funded(bytes32 indexed account, address indexed token, address indexed from, uint256 amount);
    event PulledBack(bytes32 indexed account, address indexed token, address to, uint256 amount);
    event Claimed(address indexed recipient, address indexed token, address to, uint256 amount);

    /// @notice The token is neither the cash token nor a collateral.
    error TokenUnknown(address token);
    /// @notice The slot has no collateral token.
    error SlotUnknown(uint16 slot);
    /// @notice The vault received another amount than was sent.
    error ReceivedAmountDiffers(address token, uint256 received, uint256 expected);
    /// @notice The inbox holds less than what shall be taken.
    error InboxTooLow(bytes32 account, address token, uint256 wanted, uint256 available);
    /// @notice The hidden accounts together hold less than what shall be paid.
    error HeldTooLow(address token, uint256 wanted, uint256 available);
    /// @notice Nothing to fund or to claim.
    error AmountZero(address token);
    /// @notice Only the clearing house may call this.
    error CallerNotClearingHouse(address caller, address clearingHouse);
    /// @notice Tokens given at construction must differ, be contracts and have a lot above zero.
    error CollateralInvalid(uint16 slot, address token, uint96 lot);

    /// @notice Puts tokens in the inbox of an account number, by anyone, whether it is open or not; needs neither proof nor ownership.
    function fund(bytes32 account, address token, uint256 amount) external;

    /// @notice `fund` after an ERC-2612 permit of the caller. A permit that somebody else has already carried in is tolerated.
    function fundWithPermit(
        bytes32 account,
        address token,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Takes tokens back out of the inbox; the caller is the auth of the account number, which is recomputed. Works before opening and after close.
    function pullBack(uint64 index, address token, uint256 amount, address to) external;

    /// @notice Pays out everything that the caller may claim in `token`.
    function claim(address token, address to) external returns (uint256 amount);

    /// @notice Moves a stated part of the inbox to the hidden accounts; only the clearing house, whose event says it. Lots are positive.
    function absorb(bytes32 account, uint256 cash, Flow[] calldata flows) external;

    /// @notice Moves tokens from the hidden accounts to what `to` may claim; only the clearing house, whose event says it. Lots are negative.
    function release(address to, uint256 cash, Flow[] calldata flows) external;

    /// @notice Reverts unless every flow's slot has a collateral token.
    function requireCollateral(Flow[] calldata flows) external view;

    function inbox(bytes32 account, address token) external view returns (uint256);
    function held(address token) external view returns (uint256);
    function claimable(address recipient, address token) external view returns (uint256);
    function collateralOf(uint16 slot) external view returns (address token, uint96 lot);
}
