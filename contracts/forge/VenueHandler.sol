// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ActionKind} from "../src/generated/ActionRules.sol";
import {Action, Flow, Messages} from "../src/generated/Messages.sol";
import {IAccountDesk} from "../src/interfaces/IAccountDesk.sol";
import {AttestBatchRequest, AttestRow, IBatchDesk, TradeBatchRequest, TradeRow} from "../src/interfaces/IBatchDesk.sol";
import {
    ActionRequest,
    IClearingHouse,
    MarginAccount,
    OpenRequest,
    TradeRequest,
    TradeSide
} from "../src/interfaces/IClearingHouse.sol";
import {ICollateralVault, Payment, PaymentState} from "../src/interfaces/ICollateralVault.sol";
import {IPaymentClock} from "../src/interfaces/IPaymentClock.sol";
import {Cheats} from "./Cheats.sol";
import {Mintable, ZkMarginFixture} from "./ZkMarginFixture.sol";

/// @title What users, relayers and publishers may do, with books of its own
/// @notice Every call is made as an honest party would make it, at any epoch that it can still name; the house decides.
///         The books count what was accepted. No function reverts.
contract VenueHandler is ZkMarginFixture {
    address private constant RECIPIENT = address(0xBEEF);
    uint256 private constant USERS = 4;
    uint256 private constant ACCOUNTS = 6;
    uint64 private constant MOST_CASH = 1e12;
    uint64 private constant MOST_FEE = 1e6;

    /// @notice Accounts by number of opening.
    bytes32[] public accounts;
    /// @notice Tokens absorbed less tokens released, as signed.
    mapping(address token => int256) public absorbed;
    /// @notice Tokens released less tokens claimed.
    mapping(address token => uint256) public owed;
    /// @notice Cash that the accounts hold in secret, by what their owners signed, micro-dollars.
    int256 public hiddenCash;
    /// @notice The same of one account.
    mapping(bytes32 account => int256) public cashOf;
    /// @notice Fees earned and not collected, micro-dollars.
    uint256 public fees;
    /// @notice Calls that were accepted, by name.
    mapping(bytes32 name => uint256) public accepted;
    /// @notice Calls that were refused, by name.
    mapping(bytes32 name => uint256) public refused;
    /// @notice What was seen that must never be; empty if nothing was.
    string public fault;

    mapping(bytes32 account => uint256) internal _keyOf;
    mapping(bytes32 account => uint64) internal _indexOf;
    mapping(bytes32 account => uint40) private _provenAt;
    mapping(bytes32 account => uint24) private _generation;
    mapping(uint256 key => uint64) private _opened;
    uint64[] internal _epochs;
    bytes[] private _used;
    Payment[] private _payments;

    constructor() {
        CHEATS.warp(1_800_000_000);
        deployVenue();
        _epochs.push(oracle.latestNumber());
        for (uint256 user = 0; user < USERS; user++) open(user);
    }

    // ------------------------------------------------------------------ what invariants ask

    /// @notice Numbers of the inboxes that tokens may be in.
    function inboxes() public view virtual returns (bytes32[] memory) {
        return accounts;
    }

    function parts() external view returns (IClearingHouse, ICollateralVault, Mintable, Mintable) {
        return (house, vault, usdc, weth);
    }

    // ------------------------------------------------------------------ time, publishers, proofs

    function travel(uint16 seconds_) external {
        CHEATS.warp(block.timestamp + (seconds_ % 120));
    }

    function post(uint8 how) external {
        _epochs.push(postEpoch(how % 16 == 7, how % 16 == 9));
        accepted["post"]++;
    }

    /// @dev Once the verifier refuses, nothing that needs a proof may pass.
    function attestWithoutProof(uint8 which) external {
        verifier.setRejects(true);
        bytes32 account = _pick(which);
        (bool passed, ) = address(house).call(_encodeAttest(account, "maintenance", _epochs[_epochs.length - 1]));
        if (passed) fault = "accepted what the verifier refused";
        verifier.setRejects(false);
    }

    /// @dev In a pause nothing at an epoch passes, and the live clock stands.
    function pause(uint8 which, uint16 seconds_) external {
        oracle.pause();
        uint40 time = IPaymentClock(address(oracle)).liveTime();
        CHEATS.warp(block.timestamp + (seconds_ % 7_200));
        bytes memory call = _encodeAttest(_pick(which), "maintenance", _epochs[_epochs.length - 1]);
        (bool passed, ) = address(house).call(call);
        if (passed) fault = "accepted while paused";
        if (IPaymentClock(address(oracle)).liveTime() != time) fault = "the live clock ran in a pause";
        oracle.unpause();
        _epochs.push(postEpoch(false, false));
        accepted["pause"]++;
    }

    /// @dev Epochs are revoked, one account tries to leave, and they are restored: its state decides.
    function revoke(uint8 which, uint8 back, uint64 cash) external {
        uint64 from = _pickEpoch(back);
        bool isTainted = house.accountOf(_pick(which)).provenEpoch >= from;
        oracle.revokeEpochs(from);
        uint256 before = accepted["flat"];
        _takeOut(ActionKind.WITHDRAW_FLAT, 0, which, cash, 0, 0);
        if (isTainted && accepted["flat"] != before) fault = "what a revoked epoch made has left";
        oracle.restoreEpochs(from, oracle.latestNumber());
        accepted["revoke"]++;
    }

    // ------------------------------------------------------------------ accounts and the vault

    function open(uint256 user) public {
        if (accounts.length >= ACCOUNTS) return;
        uint256 key = uint256(keccak256(abi.encode("user", user % USERS)));
        uint64 index = _opened[key]++;
        (bytes32 account, OpenRequest memory request) = openAccount(key, index);
        accounts.push(account);
        _generation[account] = request.generation;
        (_keyOf[account], _indexOf[account]) = (key, index);
        _used.push(abi.encodeCall(IAccountDesk.open, (request)));
        accepted["open"]++;
    }

    function fund(uint8 which, uint64 cash, uint8 lots) external {
        bytes32 account = _pick(which);
        vault.fund(account, address(usdc), (cash % MOST_CASH) + 1);
        vault.fund(account, address(weth), uint256(lots) * WETH_LOT + 3);
        accepted["fund"]++;
    }

    function pullBack(uint8 which, uint64 amount) external {
        bytes32 account = _pick(which);
        uint256 available = vault.inbox(account, address(usdc));
        if (available == 0) return;
        CHEATS.prank(CHEATS.addr(_keyOf[account]));
        vault.pullBack(_indexOf[account], address(usdc), (amount % available) + 1, address(this));
        accepted["pull back"]++;
    }

    /// @dev Claims the payment that was queued last, once it is due; then the epochs are old, so one is posted.
    function claim() external {
        if (_payments.length == 0) return;
        Payment memory payment = _payments[_payments.length - 1];
        _payments.pop();
        uint40 time = IPaymentClock(address(oracle)).liveTime();
        if (time < payment.dueAt) CHEATS.warp(block.timestamp + payment.dueAt - time);
        Payment[] memory list = new Payment[](1);
        list[0] = payment;
        vault.claimFor(list);
        owed[payment.token] -= payment.amount;
        _epochs.push(postEpoch(false, false));
        accepted["claim"]++;
    }

    /// @dev The payment that was queued last is vetoed, sometimes returned, and reinstated: then it is what it was.
    function veto(bool isReturned) external {
        if (_payments.length == 0) return;
        Payment memory payment = _payments[_payments.length - 1];
        if (payment.state != PaymentState.QUEUED) return;
        if (IPaymentClock(address(oracle)).liveTime() >= payment.dueAt) return;
        Payment[] memory list = new Payment[](1);
        list[0] = payment;
        vault.veto(list);
        (payment.state, payment.dueAt) = (PaymentState.VETOED, payment.dueAt + 14 days);
        uint256 held = vault.held(payment.token);
        if (isReturned) {
            vault.returnVetoed(payment);
            payment.state = PaymentState.RETURNED;
            if (vault.held(payment.token) != held + payment.amount) fault = "a return is no return";
        }
        vault.reinstate(payment);
        if (vault.held(payment.token) != held) fault = "a reinstated payment is held";
        (payment.state, payment.dueAt) = (PaymentState.REINSTATED, payment.dueAt - 14 days);
        _payments[_payments.length - 1] = payment;
        accepted["veto"]++;
    }

    function collectFees() external {
        uint256 earned = house.feesOf(address(this));
        if (earned == 0 || earned > vault.held(address(usdc))) return;
        CHEATS.recordLogs();
        house.collectFees(RECIPIENT);
        _notePayments();
        absorbed[address(usdc)] -= int256(earned);
        fees -= earned;
        accepted["collect"]++;
    }

    function invalidate(uint8 which, bytes32 digest) external {
        bytes32 account = _pick(which);
        CHEATS.prank(CHEATS.addr(_keyOf[account]));
        IAccountDesk(address(house)).invalidate(_indexOf[account], digest);
        accepted["invalidate"]++;
    }

    // ------------------------------------------------------------------ actions

    function deposit(uint8 which, uint64 cash, uint8 lots, uint32 fee) external {
        _bringIn(ActionKind.DEPOSIT, 0, which, cash, lots, fee);
    }

    function cure(uint8 which, uint64 cash, uint8 lots, uint32 fee, uint8 back) external {
        _bringIn(ActionKind.CURE, _pickEpoch(back), which, cash, lots, fee);
    }

    function withdraw(uint8 which, uint64 cash, uint8 lots, uint32 fee, uint8 back) external {
        _takeOut(ActionKind.WITHDRAW, _pickEpoch(back), which, cash, lots, fee);
    }

    function withdrawFlat(uint8 which, uint64 cash, uint8 lots, uint32 fee) external {
        _takeOut(ActionKind.WITHDRAW_FLAT, 0, which, cash, lots, fee);
    }

    function close(uint8 which, uint64 cash, uint8 lots, uint32 fee, uint8 rarely) external {
        if (rarely % 8 == 0) _takeOut(ActionKind.CLOSE, 0, which, cash, lots, fee);
    }

    function attest(uint8 which, uint8 back, bool isNamed) external {
        bytes32 account = _pick(which);
        bytes32 policy = isNamed ? bytes32("net_delta") : bytes32("maintenance");
        (bool passed, ) = address(house).call(_encodeAttest(account, policy, _pickEpoch(back)));
        _count("attest", passed);
        _look(account);
    }

    function roll(uint8 which) external {
        bytes32 account = _pick(which);
        Action memory action = draftAction(ActionKind.ROLL, account, 0);
        action.generationNew += 1;
        ActionRequest memory request;
        request.account = account;
        (request.commitmentOld, request.commitmentNew) = (action.commitmentOld, action.commitmentNew);
        request.deadline = NEVER;
        request.signature = signHash(_keyOf[account], Messages.hash(action));
        _run("roll", abi.encodeCall(IClearingHouse.roll, (request, 1)));
        _look(account);
    }

    function skip(uint8 which) external {
        bytes32 account = _pick(which);
        (bool passed, ) = address(house).call(abi.encodeCall(IAccountDesk.skip, (account)));
        _count("skip", passed);
        if (passed) _generation[account] = house.accountOf(account).generation;
        _look(account);
    }

    function trade(uint8 first, uint8 second, uint32 plusFee, uint32 minusFee, uint8 back) external {
        (bytes32 plus, bytes32 minus) = (_pick(first), _pick(second));
        if (plus == minus) return;
        TradeRequest memory request = _signTrade(plus, minus, plusFee, minusFee, _pickEpoch(back));
        if (_run("trade", abi.encodeCall(IClearingHouse.trade, (request)))) _bookFees(request.plus, request.minus);
        _look(plus);
        _look(minus);
    }

    /// @dev A batch of one trade and of another that starts from where the accounts were: that one is skipped.
    function tradeBatch(uint8 first, uint8 second, uint32 plusFee, uint32 minusFee, uint8 back) external {
        (bytes32 plus, bytes32 minus) = (_pick(first), _pick(second));
        if (plus == minus) return;
        uint64 epoch = _pickEpoch(back);
        TradeBatchRequest memory batch;
        (batch.keyVersion, batch.generation) = (1, house.accountOf(plus).generation);
        batch.epoch = pointOf(epoch, "initial");
        batch.rows = new TradeRow[](2);
        for (uint256 i = 0; i < 2; i++) {
            TradeRequest memory request = _signTrade(plus, minus, plusFee, minusFee, epoch);
            batch.rows[i] = TradeRow(request.tradeTag, request.plus, request.minus);
        }
        if (_run("trade batch", abi.encodeCall(IBatchDesk.tradeBatch, (batch)))) {
            _bookFees(batch.rows[0].plus, batch.rows[0].minus);
            if (house.accountOf(plus).commitment != batch.rows[0].plus.commitmentNew) fault = "a stale row counted";
        }
        _look(plus);
        _look(minus);
    }

    function attestBatch(uint8 back) external {
        uint64 epoch = _pickEpoch(back);
        AttestBatchRequest memory batch;
        (batch.policy, batch.keyVersion, batch.deadline) = ("maintenance", 1, NEVER);
        batch.generation = house.accountOf(accounts[0]).generation;
        batch.epoch = pointOf(epoch, batch.policy);
        batch.rows = new AttestRow[](accounts.length);
        for (uint256 i = 0; i < accounts.length; i++) {
            (batch.rows[i].account, batch.rows[i].commitment) = (accounts[i], house.accountOf(accounts[i]).commitment);
        }
        (bool passed, ) = address(house).call(abi.encodeCall(IBatchDesk.attestBatch, (batch)));
        _count("attest batch", passed);
        for (uint256 i = 0; i < accounts.length; i++) _look(accounts[i]);
    }

    /// @dev Whatever was accepted once is never accepted again, whoever sends it.
    function replay(uint256 which, address sender) external {
        bytes memory call = _used[which % _used.length];
        CHEATS.prank(sender);
        (bool passed, ) = address(house).call(call);
        if (passed) fault = "a call was accepted twice";
        accepted["replay"]++;
    }

    // ------------------------------------------------------------------ steps

    function _bringIn(ActionKind kind, uint64 epoch, uint8 which, uint64 cash, uint8 lots, uint64 fee) private {
        ActionRequest memory request;
        request.account = _pick(which);
        request.cash = uint64(cash % (vault.inbox(request.account, address(usdc)) + 1));
        request.fee = request.cash == 0 ? 0 : fee % (request.cash < MOST_FEE ? request.cash : MOST_FEE);
        request.flows = _flowsOf(int64(uint64(lots % (vault.inbox(request.account, address(weth)) / WETH_LOT + 1))));
        _send(kind, epoch, request);
    }

    function _takeOut(ActionKind kind, uint64 epoch, uint8 which, uint64 cash, uint8 lots, uint64 fee) private {
        ActionRequest memory request;
        request.account = _pick(which);
        request.cash = uint64(cash % (vault.held(address(usdc)) / 2 + 1));
        request.fee = fee % MOST_FEE;
        request.recipient = RECIPIENT;
        request.flows = _flowsOf(-int64(uint64(lots % 4)));
        _send(kind, epoch, request);
    }

    /// @dev Signs and sends an action on one account, and books it if it was accepted.
    function _send(ActionKind kind, uint64 epoch, ActionRequest memory request) private {
        bool isOut = request.recipient != address(0);
        Action memory action = draftAction(kind, request.account, epoch);
        action.recipient = request.recipient;
        action.fee = request.fee;
        action.flows = request.flows;
        int256 cash = int256(uint256(request.cash));
        action.cashFlow = int128((isOut ? -cash : cash) - int256(uint256(request.fee)));
        action.policy = _policyOf(kind);
        request.commitmentOld = action.commitmentOld;
        request.commitmentNew = action.commitmentNew;
        request.deadline = NEVER;
        if (epoch != 0) request.epoch = pointOf(epoch, action.policy);
        request.signature = signHash(_keyOf[request.account], Messages.hash(action));
        if (_run(_nameOf(kind), abi.encodeWithSelector(_selectorOf(kind), request))) {
            _bookCash(request.account, action.cashFlow);
            fees += request.fee;
            absorbed[address(usdc)] += isOut ? -cash : cash;
            _bookFlows(request.flows);
        }
        _look(request.account);
    }

    function _bookFlows(Flow[] memory flows) private {
        for (uint256 i = 0; i < flows.length; i++) {
            absorbed[address(weth)] += int256(flows[i].lots) * int256(uint256(WETH_LOT));
        }
    }

    function _signTrade(
        bytes32 plus,
        bytes32 minus,
        uint32 plusFee,
        uint32 minusFee,
        uint64 epoch
    ) private returns (TradeRequest memory request) {
        request.tradeTag = fresh();
        request.epoch = pointOf(epoch, "initial");
        request.plus = _signSide(plus, minus, request.tradeTag, 1, uint64(plusFee % MOST_FEE), epoch);
        request.minus = _signSide(minus, plus, request.tradeTag, -1, uint64(minusFee % MOST_FEE), epoch);
    }

    function _bookFees(TradeSide memory plus, TradeSide memory minus) private {
        uint256 paid = uint256(plus.fee) + minus.fee;
        _bookCash(plus.account, -int256(uint256(plus.fee)));
        _bookCash(minus.account, -int256(uint256(minus.fee)));
        fees += paid;
    }

    function _bookCash(bytes32 account, int256 flow) internal {
        hiddenCash += flow;
        cashOf[account] += flow;
    }

    function _signSide(
        bytes32 account,
        bytes32 counterparty,
        uint256 tag,
        int8 side,
        uint64 fee,
        uint64 epoch
    ) private returns (TradeSide memory given) {
        Action memory action = draftAction(ActionKind.TRADE, account, epoch);
        (action.counterparty, action.tradeTag, action.side) = (counterparty, tag, side);
        action.ciphertext = fresh();
        action.fee = fee;
        action.cashFlow = -int128(uint128(fee));
        action.policy = _policyOf(ActionKind.TRADE);
        given.account = account;
        given.commitmentOld = action.commitmentOld;
        given.commitmentNew = action.commitmentNew;
        given.ciphertext = action.ciphertext;
        given.fee = fee;
        given.deadline = NEVER;
        given.signature = signHash(_keyOf[account], Messages.hash(action));
    }

    function _encodeAttest(bytes32 account, bytes32 policy, uint64 epoch) private view returns (bytes memory) {
        ActionRequest memory request;
        request.account = account;
        request.commitmentOld = house.accountOf(account).commitment;
        request.policy = policy;
        request.deadline = NEVER;
        request.epoch = pointOf(epoch, policy);
        return abi.encodeCall(IClearingHouse.attest, (request));
    }

    /// @dev A call that counts once: it is among those that are repeated later.
    function _run(bytes32 name, bytes memory call) internal returns (bool passed) {
        passed = _attempt(name, call);
        if (passed) _used.push(call);
    }

    function _attempt(bytes32 name, bytes memory call) internal returns (bool passed) {
        CHEATS.recordLogs();
        (passed, ) = address(house).call(call);
        if (passed) _notePayments();
        _count(name, passed);
    }

    /// @dev Takes the payments that were queued out of the logs: whoever claims gives them in full.
    function _notePayments() internal {
        Cheats.Log[] memory logs = CHEATS.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] != ICollateralVault.PaymentQueued.selector) continue;
            Payment memory payment;
            payment.account = logs[i].topics[1];
            payment.recipient = address(uint160(uint256(logs[i].topics[2])));
            (payment.token, payment.number, payment.amount, payment.dueAt) = abi.decode(
                logs[i].data,
                (address, uint32, uint256, uint40)
            );
            _payments.push(payment);
            owed[payment.token] += payment.amount;
        }
    }

    function _count(bytes32 name, bool passed) internal {
        if (passed) accepted[name]++;
        else refused[name]++;
    }

    /// @dev Time of the last proof and generation never fall, and the generation rises by one at most.
    function _look(bytes32 account) internal {
        MarginAccount memory stored = house.accountOf(account);
        if (stored.provenAt < _provenAt[account]) fault = "provenAt fell";
        if (stored.generation < _generation[account]) fault = "the generation fell";
        if (stored.generation > _generation[account] + 1) fault = "the generation leapt";
        (_provenAt[account], _generation[account]) = (stored.provenAt, stored.generation);
    }

    function _pick(uint8 which) internal view returns (bytes32) {
        return accounts[which % accounts.length];
    }

    /// @dev One of the last four epochs.
    function _pickEpoch(uint8 back) internal view returns (uint64) {
        uint256 count = _epochs.length;
        return _epochs[count - 1 - (back % (count < 4 ? count : 4))];
    }

    function _flowsOf(int64 lots) private pure returns (Flow[] memory flows) {
        flows = new Flow[](lots == 0 ? 0 : 1);
        if (lots != 0) flows[0] = Flow(WETH_SLOT, lots);
    }

    function _policyOf(ActionKind kind) private pure returns (bytes32) {
        if (kind == ActionKind.TRADE) return "initial";
        if (kind == ActionKind.WITHDRAW) return "withdraw";
        if (kind == ActionKind.CURE) return "maintenance";
        return kind == ActionKind.DEPOSIT ? bytes32(0) : bytes32("flat");
    }

    function _selectorOf(ActionKind kind) private pure returns (bytes4) {
        if (kind == ActionKind.DEPOSIT) return IClearingHouse.deposit.selector;
        if (kind == ActionKind.CURE) return IClearingHouse.cure.selector;
        if (kind == ActionKind.WITHDRAW) return IClearingHouse.withdraw.selector;
        return kind == ActionKind.CLOSE ? IClearingHouse.close.selector : IClearingHouse.withdrawFlat.selector;
    }

    function _nameOf(ActionKind kind) private pure returns (bytes32) {
        if (kind == ActionKind.DEPOSIT) return "deposit";
        if (kind == ActionKind.CURE) return "cure";
        if (kind == ActionKind.WITHDRAW) return "withdraw";
        return kind == ActionKind.CLOSE ? bytes32("close") : bytes32("flat");
    }
}
