// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Flow} from "../src/generated/Messages.sol";
import {Collateral, ICollateralVault, Payment, PaymentState} from "../src/interfaces/ICollateralVault.sol";
import {AccountId} from "../src/libraries/AccountId.sol";
import {AnyClock, PlainToken} from "./Doubles.sol";
import {SymbolicCheats} from "./SymbolicCheats.sol";

/// @title What each call does to the vault's books, from any state
/// @notice No call moves balance - inboxes - held - payments that wait, of any token. Each function below calls one
///         entry point of the shipped bytecode with any arguments, from any storage, and asserts by how much each part
///         moves: of the account, token and payment that the call names, and of any other. So
///         `balance >= inboxes + held + payments` holds by induction over the calls.
/// @dev Assumed of the state before: the parts are no more than the balance, which is below 2^96 units; the first free
///      record is not taken, and holds the number of the next one; no payment's hash is below 2^32. `_assertPaid` and
///      `check_release` show that the list of free records stays so. Arrays have one element.
contract VaultAccounting {
    SymbolicCheats private constant VM = SymbolicCheats(address(uint160(uint256(keccak256("hevm cheat code")))));
    SymbolicCheats private constant SVM = SymbolicCheats(address(uint160(uint256(keccak256("svm cheat code")))));
    uint16 private constant SLOT = 7;
    /// @dev A power of two, near 1e14: solvers multiply by it at no cost.
    uint96 private constant LOT = 2 ** 47;
    uint256 private constant UNIT_LIMIT = 2 ** 96;
    uint40 private constant VETO_TIME = 14 days;
    /// @dev Storage slots of the vault's books and records.
    uint256 private constant BOOKS = 3;
    uint256 private constant RECORDS = 4;

    /// @dev Of one token; `other` is an account that the call does not name.
    struct Totals {
        uint256 balance;
        uint256 held;
        uint256 inbox;
        uint256 otherInbox;
    }

    ICollateralVault private vault;
    PlainToken private cash;
    PlainToken private weth;
    AnyClock private clock;
    bytes32 private account;
    bytes32 private other;

    function setUp() public {
        (cash, weth, clock) = (new PlainToken(6), new PlainToken(18), new AnyClock());
        Collateral[] memory collaterals = new Collateral[](1);
        collaterals[0] = Collateral(SLOT, address(weth), LOT);
        bytes memory arguments = abi.encode(address(this), address(clock), address(cash), collaterals);
        bytes memory code = bytes.concat(VM.getCode("artifacts/CollateralVault.json"), arguments);
        address made;
        assembly {
            made := create(0, add(code, 0x20), mload(code))
        }
        vault = ICollateralVault(made);
        SVM.enableSymbolicStorage(made);
        SVM.enableSymbolicStorage(address(cash));
        SVM.enableSymbolicStorage(address(weth));
        _setClock();
        (account, other) = (bytes32(SVM.createUint(256, "account")), bytes32(SVM.createUint(256, "other")));
    }

    // ------------------------------------------------------------------ inboxes

    function check_fund(uint256 amount) public {
        (Totals memory before, Totals memory second) = (_sane(cash), _sane(weth));
        vault.fund(account, address(cash), amount);
        Totals memory later = _totals(cash);
        assert(later.balance == before.balance + amount && later.inbox == before.inbox + amount);
        assert(later.held == before.held);
        _assertOthers(before, later);
        _assertSame(second, _totals(weth));
    }

    function check_pull_back(uint64 index, uint256 amount, address to) public {
        account = AccountId.compute(vault.CHAIN_ID(), address(this), address(this), index);
        (Totals memory before, Totals memory second) = (_sane(weth), _sane(cash));
        uint256 balance = weth.balanceOf(to);
        vault.pullBack(index, address(weth), amount, to);
        Totals memory later = _totals(weth);
        assert(later.balance + amount == before.balance && later.inbox + amount == before.inbox);
        assert(weth.balanceOf(to) == balance + amount && later.held == before.held);
        _assertOthers(before, later);
        _assertSame(second, _totals(cash));
    }

    function check_absorb(uint64 amount, uint32 lots) public {
        (Totals memory before, Totals memory beforeWeth) = (_sane(cash), _sane(weth));
        VM.assume(lots <= 2 ** 30);
        vault.absorb(account, amount, _flow(int64(uint64(lots))));
        _assertAbsorbed(before, _totals(cash), amount);
        _assertAbsorbed(beforeWeth, _totals(weth), uint256(lots) * LOT);
    }

    function check_only_the_house_absorbs_and_releases(address caller, uint64 amount, address to) public {
        VM.assume(caller != address(this));
        VM.prank(caller);
        try vault.absorb(account, amount, new Flow[](0)) {
            assert(false);
        } catch {}
        VM.prank(caller);
        try vault.release(account, to, amount, new Flow[](0)) {
            assert(false);
        } catch {}
    }

    // ------------------------------------------------------------------ payments

    function check_release(uint64 amount, address recipient, Payment memory waiting) public {
        VM.assume(amount != 0);
        (Totals memory before, Totals memory second) = (_sane(cash), _sane(weth));
        uint32 number = _free() == 0 ? 1 : _free();
        uint256 next = _record(number);
        VM.assume(next < 2 ** 32);
        uint40 dueAt = vault.previewDue(address(cash), amount);
        bool isWaiting = _isAnother(waiting, number) && vault.isRecorded(waiting);
        vault.release(account, recipient, amount, new Flow[](0));
        assert(
            vault.isRecorded(Payment(account, recipient, address(cash), number, dueAt, PaymentState.QUEUED, amount))
        );
        Totals memory later = _totals(cash);
        assert(later.held + amount == before.held && later.balance == before.balance && later.inbox == before.inbox);
        _assertOthers(before, later);
        _assertSame(second, _totals(weth));
        assert(_free() == (next == 0 ? number + 1 : uint32(next)));
        assert(!isWaiting || vault.isRecorded(waiting));
    }

    function check_release_of_collateral(uint32 lots, address recipient) public {
        VM.assume(lots != 0 && lots <= 2 ** 30);
        (Totals memory before, Totals memory second) = (_sane(weth), _sane(cash));
        vault.release(account, recipient, 0, _flow(-int64(uint64(lots))));
        Totals memory later = _totals(weth);
        assert(later.held + uint256(lots) * LOT == before.held && later.balance == before.balance);
        assert(later.inbox == before.inbox);
        _assertOthers(before, later);
        _assertSame(second, _totals(cash));
    }

    function check_claim(Payment memory payment, address to, address caller, Payment memory waiting) public {
        Totals memory before = _assumePayment(payment);
        bool isWaiting = _isAnother(waiting, payment.number) && vault.isRecorded(waiting);
        uint256 balance = cash.balanceOf(to);
        uint32 free = _free();
        VM.prank(caller);
        vault.claim(payment, to);
        assert(caller == payment.recipient && clock.liveTime() >= payment.dueAt);
        assert(payment.state != PaymentState.RETURNED);
        assert(cash.balanceOf(to) == balance + payment.amount);
        _assertPaid(before, payment, free);
        assert(!isWaiting || vault.isRecorded(waiting));
    }

    function check_claim_for(Payment memory payment, address caller, Payment memory waiting) public {
        Totals memory before = _assumePayment(payment);
        bool isWaiting = _isAnother(waiting, payment.number) && vault.isRecorded(waiting);
        uint256 balance = cash.balanceOf(payment.recipient);
        uint32 free = _free();
        VM.prank(caller);
        vault.claimFor(_list(payment));
        assert(clock.liveTime() >= payment.dueAt && payment.state != PaymentState.RETURNED);
        assert(cash.balanceOf(payment.recipient) == balance + payment.amount);
        _assertPaid(before, payment, free);
        assert(!isWaiting || vault.isRecorded(waiting));
    }

    function check_a_payment_that_is_blocked_stays(Payment memory payment, address caller) public {
        Totals memory before = _assumePayment(payment);
        VM.assume(cash.isBlocked(payment.recipient));
        uint32 free = _free();
        VM.prank(caller);
        try vault.claimFor(_list(payment)) {
            assert(false);
        } catch {}
        _assertSame(before, _totals(cash));
        assert(vault.isRecorded(payment) && _free() == free);
    }

    function check_veto(Payment memory payment, address caller, Payment memory waiting) public {
        Totals memory before = _assumePayment(payment);
        bool isWaiting = _isAnother(waiting, payment.number) && vault.isRecorded(waiting);
        VM.prank(caller);
        vault.veto(_list(payment));
        assert(caller == clock.guardian() && payment.state == PaymentState.QUEUED);
        assert(clock.liveTime() < payment.dueAt);
        payment.state = PaymentState.VETOED;
        payment.dueAt += VETO_TIME;
        assert(vault.isRecorded(payment));
        _assertSame(before, _totals(cash));
        assert(!isWaiting || vault.isRecorded(waiting));
    }

    function check_return_vetoed(Payment memory payment, address caller) public {
        Totals memory before = _assumePayment(payment);
        VM.prank(caller);
        vault.returnVetoed(payment);
        assert(caller == clock.owner() && payment.state == PaymentState.VETOED);
        assert(clock.liveTime() < payment.dueAt);
        payment.state = PaymentState.RETURNED;
        assert(vault.isRecorded(payment));
        Totals memory later = _totals(cash);
        assert(later.held == before.held + payment.amount && later.balance == before.balance);
        assert(later.inbox == before.inbox);
        _assertOthers(before, later);
    }

    function check_reinstate(Payment memory payment, address caller) public {
        Totals memory before = _assumePayment(payment);
        VM.prank(caller);
        vault.reinstate(payment);
        assert(caller == clock.owner());
        bool isReturned = payment.state == PaymentState.RETURNED;
        assert(isReturned || payment.state == PaymentState.VETOED);
        payment.state = PaymentState.REINSTATED;
        payment.dueAt -= VETO_TIME;
        assert(vault.isRecorded(payment));
        Totals memory later = _totals(cash);
        assert(later.held + (isReturned ? payment.amount : 0) == before.held);
        assert(later.balance == before.balance && later.inbox == before.inbox);
        _assertOthers(before, later);
    }

    // ------------------------------------------------------------------ states before and after

    function _setClock() private {
        uint40 time = uint40(SVM.createUint(40, "live time"));
        uint24 delay = uint24(SVM.createUint(24, "delay"));
        uint16 share = uint16(SVM.createUint(16, "daily share"));
        VM.assume(time < 2 ** 39);
        VM.assume(delay <= 24 hours);
        VM.assume(share >= 500);
        VM.assume(share <= 10_000);
        clock.set(time, delay, share, SVM.createAddress("guardian"), SVM.createAddress("owner"));
    }

    /// @dev Of a state whose parts are no more than the balance.
    function _sane(PlainToken token) private view returns (Totals memory totals) {
        VM.assume(account != other);
        totals = _totals(token);
        VM.assume(totals.balance < UNIT_LIMIT);
        VM.assume(totals.inbox < UNIT_LIMIT);
        VM.assume(totals.otherInbox < UNIT_LIMIT);
        VM.assume(totals.held + totals.inbox + totals.otherInbox <= totals.balance);
    }

    /// @dev A payment of cash that waits, or was returned: then `held` has it.
    function _assumePayment(Payment memory payment) private view returns (Totals memory totals) {
        totals = _sane(cash);
        VM.assume(payment.token == address(cash));
        VM.assume(vault.isRecorded(payment));
        VM.assume(payment.amount < UNIT_LIMIT);
        VM.assume(payment.recipient != address(vault));
        VM.assume(_record(payment.number) >= 2 ** 32); // a hash below is not found
        bool isHeld = payment.state == PaymentState.RETURNED;
        VM.assume(isHeld || totals.held + totals.inbox + totals.otherInbox + payment.amount <= totals.balance);
    }

    function _totals(PlainToken token) private view returns (Totals memory) {
        address named = address(token);
        uint256 balance = token.balanceOf(address(vault));
        return Totals(balance, vault.held(named), vault.inbox(account, named), vault.inbox(other, named));
    }

    function _assertAbsorbed(Totals memory before, Totals memory later, uint256 amount) private pure {
        assert(later.balance == before.balance && later.held == before.held + amount);
        assert(later.inbox + amount == before.inbox);
        _assertOthers(before, later);
    }

    function _assertPaid(Totals memory before, Payment memory payment, uint32 free) private view {
        Totals memory later = _totals(cash);
        assert(!vault.isRecorded(payment));
        assert(later.balance + payment.amount == before.balance && later.held == before.held);
        assert(later.inbox == before.inbox);
        _assertOthers(before, later);
        assert(_free() == payment.number && _record(payment.number) == free);
    }

    function _assertOthers(Totals memory before, Totals memory later) private pure {
        assert(later.otherInbox == before.otherInbox);
    }

    function _assertSame(Totals memory before, Totals memory later) private pure {
        assert(later.balance == before.balance && later.held == before.held && later.inbox == before.inbox);
        _assertOthers(before, later);
    }

    // ------------------------------------------------------------------ records

    /// @dev Number of the first free record of cash, as it is stored: at the beginning 0, which stands for 1.
    function _free() private view returns (uint32) {
        return uint32(uint256(VM.load(address(vault), keccak256(abi.encode(address(cash), BOOKS)))) >> 224);
    }

    function _record(uint32 number) private view returns (uint256) {
        bytes32 inner = keccak256(abi.encode(address(cash), RECORDS));
        return uint256(VM.load(address(vault), keccak256(abi.encode(number, inner))));
    }

    function _isAnother(Payment memory waiting, uint32 number) private view returns (bool) {
        return waiting.token != address(cash) || waiting.number != number;
    }

    function _list(Payment memory payment) private pure returns (Payment[] memory payments) {
        payments = new Payment[](1);
        payments[0] = payment;
    }

    /// @dev None where there are no lots.
    function _flow(int64 lots) private pure returns (Flow[] memory flows) {
        flows = new Flow[](lots == 0 ? 0 : 1);
        if (lots != 0) flows[0] = Flow(SLOT, lots);
    }
}
