// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {AccountBook} from "./AccountBook.sol";
import {AccountDesk} from "./AccountDesk.sol";
import {AccountViews} from "./AccountViews.sol";
import {ActionPath} from "./ActionPath.sol";
import {BatchDesk} from "./BatchDesk.sol";
import {CollateralVault} from "./CollateralVault.sol";
import {ActionKind, ActionRules, Rule} from "./generated/ActionRules.sol";
import {Action, Flow} from "./generated/Messages.sol";
import {IAccountDesk, MoveRequest} from "./interfaces/IAccountDesk.sol";
import {IAccountViews} from "./interfaces/IAccountViews.sol";
import {AttestBatchRequest, IBatchDesk, TradeBatchRequest} from "./interfaces/IBatchDesk.sol";
import {
    ActionRequest,
    IClearingHouse,
    Margin,
    MarginAccount,
    OpenRequest,
    PolicyAttestation,
    RoutedDesk,
    TradeRequest,
    TradeSide
} from "./interfaces/IClearingHouse.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {IMarginVerifier, SideSignals, TradeSignals, Transition} from "./interfaces/IMarginVerifier.sol";
import {IRiskOracle} from "./interfaces/IRiskOracle.sol";
import {VaultDesk} from "./VaultDesk.sol";
import {Amounts} from "./libraries/Amounts.sol";
import {Attestations} from "./libraries/Attestations.sol";

/// @title ClearingHouse
/// @notice What it does and what it relies on is written in IClearingHouse.
/// @dev Every action but open takes the same steps, and each column of its row is read in one of them:
///      1. entry point      one account, or two sides; sides
///      2. _draft           status, deadline, submitter, commitment, fields not taken; frozen, writes, flows
///      3. _gather          epoch, settlement, key, policy; epoch and paused (both with the oracle), policy
///         _requireLineage  no epoch before its lineage, no state that a revoked one made; provenAt, flows, epoch
///         _bind            what the proof is made at
///      4. _authorize       auth's signature over the digest of the Action; signature, epoch
///      5. the verifier     writes
///      6. _write           the account; writes, provenAt, epoch, closes
///      7. event and tokens writes, flows
contract ClearingHouse is ActionPath, IClearingHouse, IAccountDesk, IBatchDesk, ERC165 {
    /// @inheritdoc IClearingHouse
    CollateralVault public immutable VAULT;
    /// @inheritdoc IClearingHouse
    IAccountDesk public immutable DESK;
    /// @inheritdoc IClearingHouse
    IBatchDesk public immutable BATCHES;
    /// @inheritdoc IClearingHouse
    IAccountViews public immutable VIEWS;

    /// @inheritdoc IClearingHouse
    mapping(bytes4 selector => address) public deskOf;

    constructor(
        IKeyRegistry registry,
        IRiskOracle oracle,
        IMarginVerifier verifier,
        CollateralVault vault,
        AccountDesk desk,
        BatchDesk batches,
        RoutedDesk[] memory routed
    ) AccountBook(registry, oracle, verifier, desk.WALLETS()) {
        (VAULT, DESK, BATCHES) = (vault, desk, batches);
        VIEWS = new AccountViews(this, registry, oracle);
        _requireNamed(address(vault), vault.CLEARING_HOUSE(), address(this));
        _requireNamed(address(vault), address(vault.CLOCK()), address(oracle));
        _requireShared(desk);
        _requireShared(batches);
        for (uint256 i = 0; i < routed.length; i++) {
            AccountBook code = AccountBook(routed[i].desk);
            _requireShared(code);
            _requireNamed(address(code), address(VaultDesk(address(code)).VAULT()), address(vault));
            for (uint256 j = 0; j < routed[i].selectors.length; j++) {
                bytes4 selector = routed[i].selectors[j];
                deskOf[selector] = address(code);
                emit DeskRouted(selector, address(code));
            }
        }
    }

    /// @notice Whatever the clearing house does not know itself goes to the desk that does, in this contract's storage.
    fallback() external {
        _delegate(_findDesk());
    }

    // ------------------------------------------------------------------ at the desk

    /// @inheritdoc IAccountDesk
    function open(OpenRequest calldata) external returns (bytes32) {
        _delegate(address(DESK));
    }

    /// @inheritdoc IAccountDesk
    function skip(bytes32) external {
        _delegate(address(DESK));
    }

    /// @inheritdoc IAccountDesk
    function invalidate(uint64, bytes32) external {
        _delegate(address(DESK));
    }

    /// @inheritdoc IAccountDesk
    function invalidateFor(address, uint64, bytes32, bytes calldata) external {
        _delegate(address(DESK));
    }

    /// @inheritdoc IAccountDesk
    function confirm(bytes32, uint64, bytes[] calldata) external {
        _delegate(address(DESK));
    }

    /// @inheritdoc IAccountDesk
    function move(MoveRequest calldata) external returns (uint16) {
        _delegate(address(DESK));
    }

    /// @inheritdoc IBatchDesk
    function attestBatch(AttestBatchRequest calldata) external returns (uint256) {
        _delegate(address(BATCHES));
    }

    /// @inheritdoc IBatchDesk
    function tradeBatch(TradeBatchRequest calldata) external returns (uint256) {
        _delegate(address(BATCHES));
    }

    // ------------------------------------------------------------------ actions

    /// @inheritdoc IClearingHouse
    function deposit(ActionRequest calldata request) external nonReentrant returns (int128 cashFlow) {
        return _act(_start(ActionKind.DEPOSIT), request);
    }

    /// @inheritdoc IClearingHouse
    function cure(ActionRequest calldata request) external nonReentrant returns (int128 cashFlow) {
        return _act(_start(ActionKind.CURE), request);
    }

    /// @inheritdoc IClearingHouse
    function withdraw(ActionRequest calldata request) external nonReentrant returns (int128 cashFlow) {
        return _act(_start(ActionKind.WITHDRAW), request);
    }

    /// @inheritdoc IClearingHouse
    function withdrawFlat(ActionRequest calldata request) external nonReentrant returns (int128 cashFlow) {
        return _act(_start(ActionKind.WITHDRAW_FLAT), request);
    }

    /// @inheritdoc IClearingHouse
    function close(ActionRequest calldata request) external nonReentrant returns (int128 cashFlow) {
        return _act(_start(ActionKind.CLOSE), request);
    }

    /// @inheritdoc IClearingHouse
    function attest(ActionRequest calldata request) external nonReentrant {
        _act(_start(ActionKind.ATTEST), request);
    }

    /// @inheritdoc IClearingHouse
    function roll(ActionRequest calldata request, uint24 steps) external nonReentrant returns (uint24 generation) {
        Action memory action = _start(ActionKind.ROLL);
        action.generationNew = steps;
        _act(action, request);
        return action.generationNew;
    }

    /// @inheritdoc IClearingHouse
    function trade(TradeRequest calldata request) external nonReentrant returns (uint256 fees) {
        TradeSide calldata plusSide = request.plus;
        TradeSide calldata minusSide = request.minus;
        if (plusSide.account == minusSide.account) revert SelfTrade(plusSide.account);
        Rule rule = ActionRules.ruleOf(ActionKind.TRADE);
        if (!rule.has(ActionRules.SIDES)) revert SidesWrong(ActionKind.TRADE, false);
        Action memory plus;
        Action memory minus;
        _startSide(plus, plusSide, minusSide.account, request.tradeTag, 1);
        _startSide(minus, minusSide, plusSide.account, request.tradeTag, -1);
        AccountHead memory plusHead;
        AccountHead memory minusHead;
        _draftSide(rule, plus, plusHead, plusSide);
        _draftSide(rule, minus, minusHead, minusSide);
        if (plus.generationOld != minus.generationOld || plus.keyVersion != minus.keyVersion) {
            revert SidesDiffer(plus.generationOld, minus.generationOld, plus.keyVersion, minus.keyVersion);
        }
        // No need to gather them for minus, because they depend on key version and generation only, which are equal.
        ProofInputs memory inputs;
        _gather(inputs, rule, plus, plusHead, 0, request.epoch);
        TradeSignals memory signals = TradeSignals({
            tradeTag: request.tradeTag,
            plus: _sideSignals(rule, plus, plusHead, inputs, plusSide.signature),
            minus: _sideSignals(rule, minus, minusHead, inputs, minusSide.signature)
        });
        VERIFIER.verifyTwo(inputs.key, signals, inputs.policy, inputs.settlement, plusSide.proof, minusSide.proof);

        fees = _writeTrade(rule, plus, minus, plusHead, minusHead, inputs);
        _addFees(fees);
    }

    /// @inheritdoc IClearingHouse
    function collectFees(address to) external nonReentrant returns (uint256 amount) {
        amount = _fees[msg.sender];
        if (amount == 0) revert FeesZero(msg.sender);
        if (to == address(0)) revert RecipientZero();
        _fees[msg.sender] = 0;
        emit FeesCollected(msg.sender, to, amount);
        VAULT.release(0, to, amount, new Flow[](0));
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IClearingHouse
    function accountOf(bytes32 account) external view returns (MarginAccount memory) {
        AccountRecord storage record = _accounts[account];
        AccountHead memory head;
        _load(head, record);
        return
            MarginAccount({
                auth: head.auth,
                status: _statusOf(head.state),
                keyVersion: head.keyVersion,
                generation: head.generation,
                mayHoldDerivatives: head.state & MAY_HOLD_DERIVATIVES != 0,
                margin: Margin((head.state & MARGIN) >> 2),
                provenAt: head.provenAt,
                provenEpoch: head.provenEpoch,
                commitment: record.commitment
            });
    }

    /// @inheritdoc IClearingHouse
    function attestationOf(bytes32 account, bytes32 policy) external view returns (PolicyAttestation memory) {
        return Attestations.unpack(_attestations[account][policy]);
    }

    /// @inheritdoc IClearingHouse
    function isInvalidated(bytes32 account, bytes32 digest) external view returns (bool) {
        return _invalidated[account][digest];
    }

    /// @inheritdoc IClearingHouse
    function feesOf(address submitter) external view returns (uint256) {
        return _fees[submitter];
    }

    /// @inheritdoc IClearingHouse
    function accountId(address auth, uint64 index) external view returns (bytes32) {
        return _accountId(auth, index);
    }

    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return
            interfaceId == type(IClearingHouse).interfaceId ||
            interfaceId == type(IAccountDesk).interfaceId ||
            interfaceId == type(IBatchDesk).interfaceId ||
            super.supportsInterface(interfaceId);
    }

    /// @dev What runs in this contract's storage means the same registry, oracle, verifier and wallets.
    function _requireShared(AccountBook part) private view {
        _requireNamed(address(part), address(part.REGISTRY()), address(REGISTRY));
        _requireNamed(address(part), address(part.ORACLE()), address(ORACLE));
        _requireNamed(address(part), address(part.VERIFIER()), address(VERIFIER));
        _requireNamed(address(part), address(part.WALLETS()), address(WALLETS));
    }

    function _requireNamed(address part, address named, address expected) private pure {
        if (named != expected) revert WiringWrong(part, named);
    }

    function _findDesk() private view returns (address desk) {
        desk = deskOf[msg.sig];
        if (desk == address(0)) revert EntryUnknown(msg.sig);
    }

    /// @dev Runs a desk's code in this contract's storage and returns what it returns; it takes the lock itself.
    function _delegate(address desk) private {
        assembly ("memory-safe") {
            let words := mload(0x40)
            calldatacopy(words, 0, calldatasize())
            let done := delegatecall(gas(), desk, words, calldatasize(), 0, 0)
            returndatacopy(words, 0, returndatasize())
            if iszero(done) {
                revert(words, returndatasize())
            }
            return(words, returndatasize())
        }
    }

    // ------------------------------------------------------------------ steps of an action

    /// @param action Has its kind and, for one that takes steps without an epoch, how many in place of `generationNew`.
    /// @return The account's cash flow, micro-dollars.
    function _act(Action memory action, ActionRequest calldata request) private returns (int128) {
        ActionKind kind = ActionKind(action.kind);
        Rule rule = ActionRules.ruleOf(kind);
        if (rule.has(ActionRules.SIDES)) revert SidesWrong(kind, true);
        Flow[] calldata flows = request.flows;
        action.recipient = request.recipient;
        action.submitter = request.submitter;
        action.fee = request.fee;
        AccountHead memory head;
        _draft(
            action,
            rule,
            head,
            request.account,
            request.commitmentOld,
            request.commitmentNew,
            request.cash,
            request.deadline
        );
        ProofInputs memory inputs;
        _gather(inputs, rule, action, head, request.policy, request.epoch);
        _requireLineage(rule, action.account, head, inputs);
        _bind(action, inputs);
        if (flows.length != 0) {
            Amounts.requireFlows(kind, rule, flows, inputs.slots);
            action.flows = flows;
        }
        bytes32 digest = _authorize(rule, action, head, request.signature);
        _verify(action, inputs, digest, rule.has(ActionRules.WRITES), request.proof);

        _write(rule, action, head, inputs);
        _addFees(action.fee);
        if (rule.has(ActionRules.WRITES)) {
            emit Flowed(
                action.account,
                kind,
                action.commitmentNew,
                action.cashFlow,
                action.flows,
                action.epoch,
                action.generationNew,
                action.recipient,
                action.fee,
                msg.sender
            );
        } else {
            _emitAttested(action, inputs);
        }
        if (rule.has(ActionRules.FLOWS_IN)) VAULT.absorb(action.account, request.cash, flows);
        else if (rule.has(ActionRules.FLOWS_OUT)) {
            VAULT.release(action.account, action.recipient, request.cash, flows);
        }
        return action.cashFlow;
    }

    function _draftSide(
        Rule rule,
        Action memory action,
        AccountHead memory head,
        TradeSide calldata side
    ) private view {
        _draft(action, rule, head, side.account, side.commitmentOld, side.commitmentNew, 0, side.deadline);
    }

    // ------------------------------------------------------------------ verification

    function _verify(
        Action memory action,
        ProofInputs memory inputs,
        bytes32 digest,
        bool write,
        uint256[8] calldata proof
    ) private view {
        Transition memory transition = Transition({
            commitmentOld: action.commitmentOld,
            commitmentNew: action.commitmentNew,
            tradeTag: action.tradeTag,
            ciphertext: action.ciphertext,
            side: action.side,
            write: write,
            context: _context(digest),
            cashFlow: action.cashFlow,
            flows: action.flows
        });
        VERIFIER.verify(inputs.key, transition, inputs.policy, inputs.settlement, proof);
    }

    function _sideSignals(
        Rule rule,
        Action memory action,
        AccountHead memory head,
        ProofInputs memory inputs,
        bytes calldata signature
    ) private returns (SideSignals memory) {
        _requireLineage(rule, action.account, head, inputs);
        _bind(action, inputs);
        return
            SideSignals({
                commitmentOld: action.commitmentOld,
                commitmentNew: action.commitmentNew,
                ciphertext: action.ciphertext,
                context: _context(_authorize(rule, action, head, signature)),
                cashFlow: action.cashFlow
            });
    }
}
