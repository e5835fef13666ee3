// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Flow} from "./generated/Messages.sol";
import {Collateral, ICollateralVault, Payment, PaymentState} from "./interfaces/ICollateralVault.sol";
import {IPaymentClock} from "./interfaces/IPaymentClock.sol";
import {AccountId} from "./libraries/AccountId.sol";
import {OutflowMeter} from "./libraries/OutflowMeter.sol";

/// @title CollateralVault
/// @notice What it does and what it relies on is written in ICollateralVault.
contract CollateralVault is ICollateralVault, ERC165, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct Unit {
        address token;
        uint96 lot;
    }

    /// @dev One word a token, which every absorption and payment reads and writes.
    struct Book {
        uint96 held; // token units that the hidden accounts hold together
        uint96 level; // of the OutflowMeter, token units
        uint32 levelAt; // live time of `level`, modulo 2^32
        uint32 free; // number of the first free record; 0 for 1
    }

    /// @dev Of a payment that is released now, as CLOCK says.
    struct Terms {
        uint40 time; // of the live clock
        uint24 delay; // seconds
        uint16 dailyShare; // basis points
    }

    uint40 private constant VETO_TIME = 14 days;
    /// @dev So that a flow of 2^30 lots is below 2^96 token units.
    uint96 private constant LOT_LIMIT = 2 ** 66;
    uint8 private constant CASH_DECIMALS = 6;

    /// @inheritdoc ICollateralVault
    address public immutable CLEARING_HOUSE;
    /// @inheritdoc ICollateralVault
    IPaymentClock public immutable CLOCK;
    /// @inheritdoc ICollateralVault
    address public immutable CASH;
    /// @inheritdoc ICollateralVault
    uint256 public immutable CHAIN_ID;

    /// @inheritdoc ICollateralVault
    mapping(bytes32 account => mapping(address token => uint256)) public inbox;
    /// @inheritdoc ICollateralVault
    mapping(uint16 slot => Unit) public collateralOf;
    /// @inheritdoc ICollateralVault
    mapping(address token => bool) public isRegistered;
    mapping(address token => Book) private _books;
    /// @dev Hash of a payment, or where none is recorded: the number of the next free record, 0 for the next number.
    ///      A record is never cleared, so a payment seldom writes a word that was zero.
    mapping(address token => mapping(uint32 number => uint256)) private _records;

    modifier onlyClearingHouse() {
        if (msg.sender != CLEARING_HOUSE) revert CallerNotClearingHouse(msg.sender, CLEARING_HOUSE);
        _;
    }

    modifier onlyOwner() {
        address owner = Ownable(address(CLOCK)).owner();
        if (msg.sender != owner) revert CallerNotOwner(msg.sender, owner);
        _;
    }

    constructor(address clearingHouse, IPaymentClock clock, address cash, Collateral[] memory collaterals) {
        if (clearingHouse == address(0) || address(clock).code.length == 0) {
            revert WiringInvalid(clearingHouse, address(clock));
        }
        (CLEARING_HOUSE, CLOCK, CASH, CHAIN_ID) = (clearingHouse, clock, cash, block.chainid);
        clock.liveTime();
        if (cash.code.length == 0) revert CollateralInvalid(0, cash, 1);
        uint8 decimals = IERC20Metadata(cash).decimals();
        if (decimals != CASH_DECIMALS) revert CashDecimalsWrong(cash, decimals, CASH_DECIMALS);
        isRegistered[cash] = true;
        for (uint256 i = 0; i < collaterals.length; i++) {
            Collateral memory collateral = collaterals[i];
            if (
                collateral.lot == 0 ||
                collateral.lot > LOT_LIMIT ||
                collateral.token.code.length == 0 ||
                isRegistered[collateral.token] ||
                collateralOf[collateral.slot].token != address(0)
            ) {
                revert CollateralInvalid(collateral.slot, collateral.token, collateral.lot);
            }
            isRegistered[collateral.token] = true;
            collateralOf[collateral.slot] = Unit(collateral.token, collateral.lot);
        }
    }

    // ------------------------------------------------------------------ inboxes

    /// @inheritdoc ICollateralVault
    function fund(bytes32 account, address token, uint256 amount) external nonReentrant {
        _fund(account, token, amount);
    }

    /// @inheritdoc ICollateralVault
    function fundWithPermit(
        bytes32 account,
        address token,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        if (!isRegistered[token]) revert TokenUnknown(token);
        // A permit can be carried in by anyone who sees it; then this call fails and the allowance is there all the
        // same. Without it the transfer fails.
        try IERC20Permit(token).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _fund(account, token, amount);
    }

    /// @inheritdoc ICollateralVault
    function pullBack(uint64 index, address token, uint256 amount, address to) external nonReentrant {
        _requireRecipient(to);
        bytes32 account = AccountId.compute(CHAIN_ID, CLEARING_HOUSE, msg.sender, index);
        _takeFromInbox(account, token, amount);
        emit PulledBack(account, token, to, amount);
        IERC20(token).safeTransfer(to, amount);
    }

    /// @inheritdoc ICollateralVault
    function absorb(bytes32 account, uint256 cash, Flow[] calldata flows) external onlyClearingHouse nonReentrant {
        if (cash != 0) _absorb(account, CASH, cash);
        for (uint256 i = 0; i < flows.length; i++) {
            (address token, uint256 lot) = _unit(flows[i].slot);
            _absorb(account, token, uint256(int256(flows[i].lots)) * lot);
        }
    }

    // ------------------------------------------------------------------ payments

    /// @inheritdoc ICollateralVault
    function release(
        bytes32 account,
        address recipient,
        uint256 cash,
        Flow[] calldata flows
    ) external onlyClearingHouse nonReentrant {
        _requireRecipient(recipient);
        Terms memory terms = _terms();
        if (cash != 0) _queue(account, recipient, CASH, cash, terms);
        for (uint256 i = 0; i < flows.length; i++) {
            (address token, uint256 lot) = _unit(flows[i].slot);
            _queue(account, recipient, token, uint256(-int256(flows[i].lots)) * lot, terms);
        }
    }

    /// @inheritdoc ICollateralVault
    function claim(Payment calldata payment, address to) external nonReentrant {
        if (msg.sender != payment.recipient) revert CallerNotRecipient(msg.sender, payment.recipient);
        _requireRecipient(to);
        _requireRecorded(payment);
        if (payment.state == PaymentState.RETURNED) revert PaymentStateWrong(payment.state);
        uint40 time = CLOCK.liveTime();
        if (time < payment.dueAt) revert PaymentNotDue(payment.dueAt, time);
        _free(payment);
        emit Claimed(payment.recipient, payment.token, payment.number, to, payment.amount);
        IERC20(payment.token).safeTransfer(to, payment.amount);
    }

    /// @inheritdoc ICollateralVault
    function claimFor(Payment[] calldata payments) external nonReentrant returns (uint256 paid) {
        uint40 time = CLOCK.liveTime();
        for (uint256 i = 0; i < payments.length; i++) {
            Payment calldata payment = payments[i];
            bool isDue = payment.state != PaymentState.RETURNED && time >= payment.dueAt;
            if (isDue && isRecorded(payment) && _tryPay(payment)) paid++;
        }
        if (paid == 0) revert NothingDone(payments.length);
    }

    /// @inheritdoc ICollateralVault
    function veto(Payment[] calldata payments) external nonReentrant returns (uint256 vetoed) {
        address guardian = CLOCK.guardian();
        if (msg.sender != guardian) revert CallerNotGuardian(msg.sender, guardian);
        uint40 time = CLOCK.liveTime();
        for (uint256 i = 0; i < payments.length; i++) {
            Payment memory payment = payments[i];
            bool isWaiting = payment.state == PaymentState.QUEUED && time < payment.dueAt;
            if (!isWaiting || !isRecorded(payments[i])) continue;
            payment.dueAt += VETO_TIME;
            payment.state = PaymentState.VETOED;
            _record(payment);
            emit PaymentVetoed(payment.account, payment.token, payment.number, payment.dueAt);
            vetoed++;
        }
        if (vetoed == 0) revert NothingDone(payments.length);
    }

    /// @inheritdoc ICollateralVault
    function returnVetoed(Payment memory payment) external onlyOwner nonReentrant {
        _requireRecorded(payment);
        if (payment.state != PaymentState.VETOED) revert PaymentStateWrong(payment.state);
        uint40 time = CLOCK.liveTime();
        if (time >= payment.dueAt) revert PaymentDue(payment.dueAt, time);
        Book storage book = _books[payment.token];
        uint96 amount = uint96(payment.amount);
        book.held += amount;
        book.level -= amount < book.level ? amount : book.level;
        payment.state = PaymentState.RETURNED;
        _record(payment);
        emit PaymentReturned(payment.account, payment.token, payment.number);
    }

    /// @inheritdoc ICollateralVault
    function reinstate(Payment memory payment) external onlyOwner nonReentrant {
        _requireRecorded(payment);
        if (payment.state == PaymentState.RETURNED) {
            Book storage book = _books[payment.token];
            if (payment.amount > book.held) revert HeldTooLow(payment.token, payment.amount, book.held);
            book.held -= uint96(payment.amount);
            book.level = _toLevel(book.level + payment.amount);
        } else if (payment.state != PaymentState.VETOED) {
            revert PaymentStateWrong(payment.state);
        }
        payment.state = PaymentState.REINSTATED;
        payment.dueAt -= VETO_TIME;
        _record(payment);
        emit PaymentReinstated(payment.account, payment.token, payment.number, payment.dueAt);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc ICollateralVault
    function held(address token) external view returns (uint256) {
        return _books[token].held;
    }

    /// @inheritdoc ICollateralVault
    function previewDue(address token, uint256 amount) external view returns (uint40 dueAt) {
        (, dueAt) = _meter(_books[token], token, amount, _terms());
    }

    /// @inheritdoc ICollateralVault
    function isRecorded(Payment memory payment) public view returns (bool) {
        return _records[payment.token][payment.number] == _hash(payment);
    }

    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(ICollateralVault).interfaceId || super.supportsInterface(interfaceId);
    }

    // ------------------------------------------------------------------ inboxes

    function _fund(bytes32 account, address token, uint256 amount) private {
        if (!isRegistered[token]) revert TokenUnknown(token);
        if (amount == 0) revert AmountZero(token);
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != amount) revert ReceivedAmountDiffers(token, received, amount);
        inbox[account][token] += amount;
        emit Funded(account, token, msg.sender, amount);
    }

    function _takeFromInbox(bytes32 account, address token, uint256 amount) private {
        uint256 available = inbox[account][token];
        if (amount > available) revert InboxTooLow(account, token, amount, available);
        inbox[account][token] = available - amount;
    }

    function _absorb(bytes32 account, address token, uint256 amount) private {
        _takeFromInbox(account, token, amount);
        _books[token].held += SafeCast.toUint96(amount);
    }

    function _unit(uint16 slot) private view returns (address token, uint256 lot) {
        Unit storage unit = collateralOf[slot];
        (token, lot) = (unit.token, unit.lot);
        if (token == address(0)) revert SlotUnknown(slot);
    }

    // ------------------------------------------------------------------ payments

    function _queue(bytes32 account, address recipient, address token, uint256 amount, Terms memory terms) private {
        Book memory book = _books[token];
        uint40 dueAt;
        (book.level, dueAt) = _meter(book, token, amount, terms);
        book.levelAt = uint32(terms.time);
        book.held -= uint96(amount);
        uint32 number = book.free == 0 ? 1 : book.free;
        uint256 next = _records[token][number];
        book.free = next == 0 ? number + 1 : uint32(next);
        _books[token] = book;
        _record(Payment(account, recipient, token, number, dueAt, PaymentState.QUEUED, amount));
        emit PaymentQueued(account, recipient, token, number, amount, dueAt);
    }

    /// @dev The level after a payment of `amount`, which `held` still contains, and the live time at which it is due.
    function _meter(
        Book memory book,
        address token,
        uint256 amount,
        Terms memory terms
    ) private pure returns (uint96 level, uint40 dueAt) {
        if (amount > book.held) revert HeldTooLow(token, amount, book.held);
        uint256 elapsed;
        unchecked {
            elapsed = uint32(terms.time) - book.levelAt;
        }
        (uint256 after_, uint256 wait) = OutflowMeter.add(book.held, book.level, elapsed, amount, terms.dailyShare);
        level = _toLevel(after_);
        dueAt = uint40(terms.time + terms.delay + wait);
    }

    function _toLevel(uint256 level) private pure returns (uint96) {
        return level < type(uint96).max ? uint96(level) : type(uint96).max;
    }

    function _terms() private view returns (Terms memory terms) {
        (terms.time, terms.delay, terms.dailyShare) = CLOCK.paymentTerms();
    }

    /// @dev The record is free before the tokens go, and recorded again where they do not.
    function _tryPay(Payment calldata payment) private returns (bool isPaid) {
        Book storage book = _books[payment.token];
        uint32 free = book.free;
        _free(payment);
        isPaid = IERC20(payment.token).trySafeTransfer(payment.recipient, payment.amount);
        if (isPaid) {
            emit Claimed(payment.recipient, payment.token, payment.number, payment.recipient, payment.amount);
        } else {
            book.free = free;
            _record(payment);
            emit PaymentBlocked(payment.recipient, payment.token, payment.number);
        }
    }

    function _free(Payment memory payment) private {
        Book storage book = _books[payment.token];
        _records[payment.token][payment.number] = book.free;
        book.free = payment.number;
    }

    function _record(Payment memory payment) private {
        _records[payment.token][payment.number] = _hash(payment);
    }

    /// @dev keccak256(abi.encode(payment)): in memory its seven fields stand as abi.encode would write them.
    function _hash(Payment memory payment) private pure returns (uint256 hash) {
        assembly ("memory-safe") {
            hash := keccak256(payment, 0xe0)
        }
    }

    function _requireRecorded(Payment memory payment) private view {
        if (!isRecorded(payment)) revert PaymentUnknown(payment.token, payment.number);
    }

    /// @dev What goes to the vault itself would belong to nobody; the clearing house cannot claim.
    function _requireRecipient(address recipient) private view {
        if (recipient == address(0) || recipient == address(this) || recipient == CLEARING_HOUSE) {
            revert RecipientRefused(recipient);
        }
    }
}
