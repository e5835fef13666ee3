// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Flow} from "../generated/Messages.sol";
import {IPaymentClock} from "./IPaymentClock.sol";

/// @notice A collateral slot and its token.
/// @param slot Slot of the statement.
/// @param token ERC-20 token that the slot stands for.
/// @param lot Token units of one lot.
struct Collateral {
    uint16 slot;
    address token;
    uint96 lot;
}

/// @notice Where a payment stands.
/// @param QUEUED Waits until it is due, then the recipient's.
/// @param VETOED The same, after a longer wait, unless the owner returns it before.
/// @param RETURNED Its tokens are back with the hidden accounts; the owner may still reinstate it.
/// @param REINSTATED Waits as if it had not been vetoed, and cannot be vetoed again.
enum PaymentState {
    QUEUED,
    VETOED,
    RETURNED,
    REINSTATED
}

/// @notice A payment out of the hidden accounts. The vault stores its hash; whoever claims gives it in full, as the
///         events say it.
/// @param account Account number that was debited; 0 where a submitter collects fees.
/// @param recipient Who is paid.
/// @param token The token.
/// @param number Number of the payment's record; used again once it is paid.
/// @param dueAt Time of the live clock from which it can be claimed; if VETOED, until which it can be returned, too.
/// @param state Where it stands.
/// @param amount Token units.
struct Payment {
    bytes32 account;
    address recipient;
    address token;
    uint32 number;
    uint40 dueAt;
    PaymentState state;
    uint256 amount;
}

/// @title Holds every token of the venue
/// @notice A token is in one of three places: the inbox of an account number (funded, not yet absorbed), the hidden
///         accounts together (`held`), or a payment that waits or can be claimed. For each token: balance >= sum of
///         inboxes + held + sum of payments (those returned count as held), and held = absorbed - released + returned.
///         Nothing pays out of an inbox or a payment of somebody else, whatever a proof says: releases are bounded by
///         `held`.
///
///         Payments have two steps. `release` debits at once. The payment is due after a delay (30 minutes, 0 to 24
///         hours) and, beyond a daily share of what is held (20 %, at least 5 %), after the wait that the OutflowMeter
///         gives: at most 1 / share - 1 days, 4 by default, whatever others do. So whoever is flat is always paid,
///         later where many leave. Both run on the live clock, which a pause stops for a bounded time. A payment that
///         is due is the recipient's: neither pause nor veto reach it.
///
///         Before that the guardian may veto a payment, once: it is due 14 days later. In that time the owner (a
///         timelock) may return its tokens to the hidden accounts, from where they came, or reinstate it; if he does
///         neither, it is due. Guardian and owner move no token to any address but the recipient's.
/// @dev Safety assumptions
///      - Tokens do what ERC-20 says: a transfer moves the stated amount, and balances change by nothing else. Received
///        amounts are measured and tokens that take a fee on transfer are refused at `fund`; tokens that rebase are not
///        supported: where one loses, whoever claims first is paid.
///      - CLEARING_HOUSE absorbs and releases only what proofs and signatures allow.
///      - CLOCK never goes back.
///      - The owner (of CLOCK) returns no payment of an honest account: its owner would have it no more until it is
///        reinstated.
///      Liveness assumptions
///      - Tokens can be transferred (no pause or block list of their own that hits the vault). A blocked recipient
///        blocks only itself, and may name another address.
///      - Hidden accounts may owe cash, as far as the policies let them, so `held` may be less than what the other
///        accounts have: a payment can fail with `HeldTooLow` until money comes back.
///      - A token's units that the hidden accounts hold stay below 2^96.
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
    /// @notice The hidden accounts were debited, and a payment waits. Its state is QUEUED.
    /// @param account Account number that was debited; 0 where a submitter collects fees.
    /// @param recipient Who will be paid.
    /// @param token The token.
    /// @param number Number of the payment's record.
    /// @param amount Token units.
    /// @param dueAt Time of the live clock from which it can be claimed.
    event PaymentQueued(
        bytes32 indexed account,
        address indexed recipient,
        address token,
        uint32 number,
        uint256 amount,
        uint40 dueAt
    );
    /// @notice A payment was made.
    /// @param recipient Whose payment it was.
    /// @param token The token.
    /// @param number Number of the payment's record, which is free again.
    /// @param to Who received the tokens.
    /// @param amount Token units.
    event Claimed(address indexed recipient, address indexed token, uint32 number, address to, uint256 amount);
    /// @notice The token refused the transfer of a payment that was due, which can still be claimed.
    /// @param recipient Whose payment it is.
    /// @param token The token.
    /// @param number Number of the payment's record.
    event PaymentBlocked(address indexed recipient, address indexed token, uint32 number);
    /// @notice The guardian vetoed a payment: its state is VETOED, and it is due later.
    /// @param account Account number that was debited.
    /// @param token The token.
    /// @param number Number of the payment's record.
    /// @param dueAt Time of the live clock from which it can be claimed, unless it is returned before.
    event PaymentVetoed(bytes32 indexed account, address indexed token, uint32 number, uint40 dueAt);
    /// @notice The owner returned a vetoed payment to the hidden accounts: its state is RETURNED.
    /// @param account Account number that was debited.
    /// @param token The token.
    /// @param number Number of the payment's record.
    event PaymentReturned(bytes32 indexed account, address indexed token, uint32 number);
    /// @notice The owner reinstated a payment: its state is REINSTATED.
    /// @param account Account number that was debited.
    /// @param token The token.
    /// @param number Number of the payment's record.
    /// @param dueAt Time of the live clock from which it can be claimed, as before the veto.
    event PaymentReinstated(bytes32 indexed account, address indexed token, uint32 number, uint40 dueAt);

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
    /// @notice Nothing to fund.
    /// @param token The token.
    error AmountZero(address token);
    /// @notice Tokens would be lost there: the zero address, the vault or the clearing house.
    /// @param recipient Who shall receive them.
    error RecipientRefused(address recipient);
    /// @notice No such payment is recorded: it is paid, stands otherwise by now, or never was.
    /// @param token The token.
    /// @param number Number of the payment's record.
    error PaymentUnknown(address token, uint32 number);
    /// @notice The payment cannot be claimed yet.
    /// @param dueAt Time of the live clock from which it can be.
    /// @param time Time of the live clock now.
    error PaymentNotDue(uint40 dueAt, uint40 time);
    /// @notice The payment is due, and nobody's but the recipient's.
    /// @param dueAt Time of the live clock from which it is.
    /// @param time Time of the live clock now.
    error PaymentDue(uint40 dueAt, uint40 time);
    /// @notice The call is not for a payment in this state.
    /// @param state The payment's.
    error PaymentStateWrong(PaymentState state);
    /// @notice The call applied to none of the payments given.
    /// @param given How many were given.
    error NothingDone(uint256 given);
    /// @notice Only the payment's recipient may say where it goes.
    /// @param caller Who called.
    /// @param recipient Who may.
    error CallerNotRecipient(address caller, address recipient);
    /// @notice Only the guardian may veto.
    /// @param caller Who called.
    /// @param guardian Who may.
    error CallerNotGuardian(address caller, address guardian);
    /// @notice Only the owner of the clock may call this.
    /// @param caller Who called.
    /// @param owner Who may.
    error CallerNotOwner(address caller, address owner);
    /// @notice The vault needs a clearing house and a live clock.
    /// @param clearingHouse Address given.
    /// @param clock Address given.
    error WiringInvalid(address clearingHouse, address clock);
    /// @notice The cash token counts in another unit than micro-dollars.
    /// @param token The token.
    /// @param decimals Its decimals.
    /// @param expected What they must be.
    error CashDecimalsWrong(address token, uint8 decimals, uint8 expected);
    /// @notice Only the clearing house may call this.
    /// @param caller Who called.
    /// @param clearingHouse Who may.
    error CallerNotClearingHouse(address caller, address clearingHouse);
    /// @notice Tokens given at construction must differ, be contracts and have a lot above zero and at most 2^66.
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
    ///      `RecipientRefused`, `InboxTooLow`, or what the token reverts with.
    ///      Warning: whoever relays a deposit of these tokens pays for a transaction that then fails.
    /// @param index Which of the caller's accounts.
    /// @param token The token.
    /// @param amount Token units.
    /// @param to Who receives them.
    function pullBack(uint64 index, address token, uint256 amount, address to) external;

    /// @notice Makes a payment that is due, to an address that its recipient chooses. Only the recipient.
    /// @dev Reverts with `CallerNotRecipient`, `RecipientRefused`, `PaymentUnknown`, `PaymentStateWrong`,
    ///      `PaymentNotDue`, or what the token reverts with.
    /// @param payment The payment.
    /// @param to Who receives the tokens.
    function claim(Payment calldata payment, address to) external;

    /// @notice Makes every payment of a list that is due, to its recipient. Anyone may.
    /// @dev What is not due, is paid already, or meets a token's refusal is skipped, and stays what it is: one row
    ///      cannot void the others. Reverts with `NothingDone` if none is paid.
    /// @param payments The payments.
    /// @return paid How many were made.
    function claimFor(Payment[] calldata payments) external returns (uint256 paid);

    /// @notice Vetoes every payment of a list that is queued and not yet due: it is due 14 days later. Only the
    ///         guardian.
    /// @dev Others are skipped. A payment is vetoed once at most. Reverts with `CallerNotGuardian`, and with
    ///      `NothingDone` if none is vetoed.
    /// @param payments The payments.
    /// @return vetoed How many were.
    function veto(Payment[] calldata payments) external returns (uint256 vetoed);

    /// @notice Moves the tokens of a vetoed payment back to the hidden accounts. Only the owner.
    /// @dev Not once it is due. What is returned leaves the rate's level too, as if it had not been paid: others may
    ///      then be due by as much sooner. Reverts with `CallerNotOwner`, `PaymentUnknown`, `PaymentStateWrong`,
    ///      `PaymentDue`.
    ///      Warning: the account stays debited. Of an account that came to its state honestly the owner takes back what
    ///      it did by `reinstate`.
    /// @param payment The payment.
    function returnVetoed(Payment calldata payment) external;

    /// @notice Makes a vetoed or returned payment due when it was before the veto. Only the owner.
    /// @dev Not earlier: veto and reinstatement do not take a payment past the rate limit. It cannot be vetoed again.
    ///      Takes the tokens of a returned one from the hidden accounts. Reverts with `CallerNotOwner`,
    ///      `PaymentUnknown`, `PaymentStateWrong`, `HeldTooLow`.
    /// @param payment The payment.
    function reinstate(Payment calldata payment) external;

    /// @notice Moves a stated part of the inbox to the hidden accounts. Only the clearing house, whose event says it.
    /// @dev Relies on the caller for what the account is credited. Reverts with `CallerNotClearingHouse`,
    ///      `SlotUnknown`, `InboxTooLow`.
    /// @param account Account number.
    /// @param cash Micro-dollars, which are units of the cash token.
    /// @param flows Lots above zero by collateral slot.
    function absorb(bytes32 account, uint256 cash, Flow[] calldata flows) external;

    /// @notice Moves tokens from the hidden accounts to payments, one a token. Only the clearing house.
    /// @dev Relies on the caller for what the account is debited. Reverts with `CallerNotClearingHouse`,
    ///      `RecipientRefused`, `SlotUnknown`, `HeldTooLow`.
    /// @param account Account number that is debited; 0 where a submitter collects fees.
    /// @param recipient Who will be paid.
    /// @param cash Micro-dollars, which are units of the cash token.
    /// @param flows Lots below zero by collateral slot.
    function release(bytes32 account, address recipient, uint256 cash, Flow[] calldata flows) external;

    /// @notice Tokens funded for an account number and not yet absorbed.
    /// @param account Account number.
    /// @param token The token.
    /// @return Token units.
    function inbox(bytes32 account, address token) external view returns (uint256);

    /// @notice Tokens that the hidden accounts hold together.
    /// @param token The token.
    /// @return Token units.
    function held(address token) external view returns (uint256);

    /// @notice Whether a payment is recorded as it is given: not yet paid, and in that state.
    /// @param payment The payment.
    /// @return Whether it is.
    function isRecorded(Payment calldata payment) external view returns (bool);

    /// @notice When a payment would be due if it were released now.
    /// @dev Reverts with `HeldTooLow`.
    /// @param token The token.
    /// @param amount Token units.
    /// @return dueAt Time of the live clock.
    function previewDue(address token, uint256 amount) external view returns (uint40 dueAt);

    /// @notice Who absorbs and releases.
    /// @return The clearing house.
    function CLEARING_HOUSE() external view returns (address);

    /// @notice The live clock, which names the guardian; its owner is the owner here.
    /// @return The clock.
    function CLOCK() external view returns (IPaymentClock);

    /// @notice The cash token, six decimals: one unit is one micro-dollar.
    /// @return The token.
    function CASH() external view returns (address);

    /// @notice Id of the chain at deployment, of which account numbers are made.
    /// @return The id.
    function CHAIN_ID() external view returns (uint256);

    /// @notice Whether a token is the cash token or a collateral.
    /// @param token The token.
    /// @return Whether it is.
    function isRegistered(address token) external view returns (bool);

    /// @notice Token and lot of a collateral slot; zeros if it has none.
    /// @param slot The slot.
    /// @return token The token.
    /// @return lot Token units of one lot.
    function collateralOf(uint16 slot) external view returns (address token, uint96 lot);
}
