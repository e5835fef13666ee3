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
import {IAccountDesk} from "./interfaces/IAccountDesk.sol";
import {IAccountViews} from "./interfaces/IAccountViews.sol";
import {AttestBatchRequest, IBatchDesk, TradeBatchRequest} from "./interfaces/IBatchDesk.sol";
import {
    ActionRequest,
    IClearingHouse,
    Margin,
    MarginAccount,
    OpenRequest,
    PolicyAttestation,
    TradeRequest,
    TradeSide
} from "./interfaces/IClearingHouse.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {IMarginVerifier, SideSignals, TradeSignals, Transition} from "./interfaces/IMarginVerifier.sol";
import {IRiskOracle} from "./interfaces/IRiskOracle.sol";
import {Amounts} from "./libraries/Amounts.sol";
import {Attestations} from "./libraries/Attestations.sol";

/// @title ClearingHouse
/// @notice What it does and what it relies on is written in IClearingHouse.
/// @dev Every action but open takes the same steps, and each column of its row is read in one of them:
///      1. entry point      one account, or two sides; sides
///      2. _draft           status, deadline, submitter, commitment, fields that it does not take; frozen, writes,
///      flows 3. _proofInputs     epoch, settlement, key, policy; epoch and paused (both with the oracle), policy
///         _bind            no epoch before the last proof's, and no state that a revoked one made; provenAt, flows
///      4. _authorize       auth's signature over the digest of the Action; signature, epoch
///      5. the verifier     writes
///      6. _write           the account; writes, provenAt, closes
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

    constructor(
        IKeyRegistry registry,
        IRiskOracle oracle,
        IMarginVerifier verifier,
        CollateralVault vault,
        AccountDesk desk,
        BatchDesk batches
    ) AccountBook(registry, oracle, verifier, desk.WALLETS()) {
        (VAULT, DESK, BATCHES) = (vault, desk, batches);
        VIEWS = new AccountViews(this, registry, oracle);
        _requireNamed(address(vault), vault.CLEARING_HOUSE(), address(this));
        _requireShared(desk);
        _requireShared(batches);
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
        Action memory action = _start(ActionKind.DEPOSIT);
        _act(action, request);
        return action.cashFlow;
    }

    /// @inheritdoc IClearingHouse
    function cure(ActionRequest calldata request) external nonReentrant returns (int128 cashFlow) {
        Action memory action = _start(ActionKind.CURE);
        _act(action, request);
        return action.cashFlow;
    }

    /// @inheritdoc IClearingHouse
    function withdraw(ActionRequest calldata request) external nonReentrant returns (int128 cashFlow) {
        Action memory action = _start(ActionKind.WITHDRAW);
        _act(action, request);
        return action.cashFlow;
    }

    /// @inheritdoc IClearingHouse
    function withdrawFlat(ActionRequest calldata request) external nonReentrant returns (int128 cashFlow) {
        Action memory action = _start(ActionKind.WITHDRAW_FLAT);
        _act(action, request);
        return action.cashFlow;
    }

    /// @inheritdoc IClearingHouse
    function close(ActionRequest calldata request) external nonReentrant returns (int128 cashFlow) {
        Action memory action = _start(ActionKind.CLOSE);
        _act(action, request);
        return action.cashFlow;
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
        Action memory plus = _start(ActionKind.TRADE);
        Action memory minus = _start(ActionKind.TRADE);
        Rule rule = ActionRules.ruleOf(ActionKind.TRADE);
        if (!rule.has(ActionRules.SIDES)) revert SidesWrong(ActionKind.TRADE, false);
        AccountHead memory plusHead;
        AccountHead memory minusHead;
        _draftSide(plus, rule, plusHead, plusSide, minusSide.account, request.tradeTag, 1);
        _draftSide(minus, rule, minusHead, minusSide, plusSide.account, request.tradeTag, -1);
        if (plus.generationOld != minus.generationOld || plus.keyVersion != minus.keyVersion) {
            revert SidesDiffer(plus.generationOld, minus.generationOld, plus.keyVersion, minus.keyVersion);
        }
        // No need to gather them for minus, because they depend on key version and generation only, which are equal.
        ProofInputs memory inputs = _proofInputs(rule, plus, plusHead, 0, request.epoch);
        _bind(rule, plus, plusHead, inputs);
        _bind(rule, minus, minusHead, inputs);
        TradeSignals memory signals = TradeSignals({
            tradeTag: request.tradeTag,
            plus: _sideSignals(plus, _authorize(rule, plus, plusHead, plusSide.signature)),
            minus: _sideSignals(minus, _authorize(rule, minus, minusHead, minusSide.signature))
        });
        VERIFIER.verifyTwo(inputs.key, signals, inputs.policy, inputs.settlement, plusSide.proof, minusSide.proof);

        _write(rule, plus, plusHead, inputs);
        _write(rule, minus, minusHead, inputs);
        unchecked {
            // No need to check the sums, because a fee is below 2^63: they do not reach 2^256.
            fees = uint256(plus.fee) + minus.fee;
            if (fees != 0) _fees[msg.sender] += fees;
        }
        emit Traded(
            plus.account,
            minus.account,
            plus.epoch,
            plus.generationNew,
            request.tradeTag,
            plus.commitmentNew,
            plus.ciphertext,
            plus.fee,
            minus.commitmentNew,
            minus.ciphertext,
            minus.fee,
            msg.sender
        );
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

    /// @dev What runs in this contract's storage means the same registry, oracle and verifier.
    function _requireShared(AccountBook part) private view {
        _requireNamed(address(part), address(part.REGISTRY()), address(REGISTRY));
        _requireNamed(address(part), address(part.ORACLE()), address(ORACLE));
        _requireNamed(address(part), address(part.VERIFIER()), address(VERIFIER));
    }

    function _requireNamed(address part, address named, address expected) private pure {
        if (named != expected) revert WiringWrong(part, named);
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
    function _act(Action memory action, ActionRequest calldata request) private {
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
        ProofInputs memory inputs = _proofInputs(rule, action, head, request.policy, request.epoch);
        _bind(rule, action, head, inputs);
        if (flows.length != 0) {
            Amounts.requireFlows(kind, rule, flows, inputs.slots);
            VAULT.requireCollateral(flows);
            action.flows = flows;
        }
        bytes32 digest = _authorize(rule, action, head, request.signature);
        _verify(action, inputs, digest, rule.has(ActionRules.WRITES), request.proof);

        _write(rule, action, head, inputs);
        if (action.fee != 0) _fees[msg.sender] += action.fee;
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
            emit Attested(action.account, action.policy, action.epoch, inputs.time, inputs.pointHash, msg.sender);
        }
        if (rule.has(ActionRules.FLOWS_IN)) VAULT.absorb(action.account, request.cash, flows);
        else if (rule.has(ActionRules.FLOWS_OUT)) {
            VAULT.release(action.account, action.recipient, request.cash, flows);
        }
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

    function _sideSignals(Action memory action, bytes32 digest) private pure returns (SideSignals memory) {
        return
            SideSignals({
                commitmentOld: action.commitmentOld,
                commitmentNew: action.commitmentNew,
                ciphertext: action.ciphertext,
                context: _context(digest),
                cashFlow: action.cashFlow
            });
    }
}
