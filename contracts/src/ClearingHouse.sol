// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {AccountBook} from "./AccountBook.sol";
import {AccountDesk} from "./AccountDesk.sol";
import {AccountViews} from "./AccountViews.sol";
import {CollateralVault} from "./CollateralVault.sol";
import {ActionKind, ActionRules, Rule} from "./generated/ActionRules.sol";
import {Action, Flow, Messages} from "./generated/Messages.sol";
import {Status} from "./interfaces/IAccountBook.sol";
import {IAccountDesk} from "./interfaces/IAccountDesk.sol";
import {IAccountViews} from "./interfaces/IAccountViews.sol";
import {
    ActionRequest,
    EpochPoints,
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
import {FreshEpoch, IRiskOracle} from "./interfaces/IRiskOracle.sol";
import {Amounts} from "./libraries/Amounts.sol";
import {Attestations} from "./libraries/Attestations.sol";
import {G1} from "./libraries/Bn254.sol";
import {Points} from "./libraries/Points.sol";

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
contract ClearingHouse is AccountBook, IClearingHouse, IAccountDesk, ERC165 {
    /// @dev What an action is proved against, beside its own signals.
    struct ProofInputs {
        address key; // data contract of the `transition` key
        uint16 slots; // of that key
        uint24 generation; // of the account after the action, if it writes
        uint64 epoch; // its number; 0 without one
        uint40 time; // unix seconds of the epoch's prices; 0 without one
        uint64 revokedUpTo; // upper end of the last range of revoked epochs; the largest number without an epoch
        bytes32 policyName;
        bytes32 pointHash; // of the named policy's point
        G1 policy;
        G1 settlement;
    }

    /// @dev Rows that change an account's head; a step of the listing does so too.
    uint256 private constant CHANGES_HEAD =
        ActionRules.PROVEN_SET | ActionRules.SIDES | ActionRules.POLICY_FLAT | ActionRules.CLOSES;
    /// @dev Rows whose policy is looked up among the points of the epoch.
    uint256 private constant NAMED_POLICY =
        ActionRules.POLICY_INITIAL |
            ActionRules.POLICY_MAINTENANCE |
            ActionRules.POLICY_WITHDRAW |
            ActionRules.POLICY_CHOSEN;

    /// @inheritdoc IClearingHouse
    CollateralVault public immutable VAULT;
    /// @inheritdoc IClearingHouse
    IAccountDesk public immutable DESK;
    /// @inheritdoc IClearingHouse
    IAccountViews public immutable VIEWS;

    constructor(
        IKeyRegistry registry,
        IRiskOracle oracle,
        IMarginVerifier verifier,
        CollateralVault vault,
        AccountDesk desk
    ) AccountBook(registry, oracle, verifier, desk.WALLETS()) {
        (VAULT, DESK, VIEWS) = (vault, desk, new AccountViews(this, registry, oracle));
        _requireNamed(address(vault), vault.CLEARING_HOUSE(), address(this));
        _requireNamed(address(desk), address(desk.REGISTRY()), address(registry));
        _requireNamed(address(desk), address(desk.ORACLE()), address(oracle));
        _requireNamed(address(desk), address(desk.VERIFIER()), address(verifier));
    }

    // ------------------------------------------------------------------ at the desk

    /// @inheritdoc IAccountDesk
    function open(OpenRequest calldata) external returns (bytes32) {
        _delegate();
    }

    /// @inheritdoc IAccountDesk
    function skip(bytes32) external {
        _delegate();
    }

    /// @inheritdoc IAccountDesk
    function invalidate(uint64, bytes32) external {
        _delegate();
    }

    /// @inheritdoc IAccountDesk
    function invalidateFor(address, uint64, bytes32, bytes calldata) external {
        _delegate();
    }

    /// @inheritdoc IAccountDesk
    function confirm(bytes32, uint64, bytes[] calldata) external {
        _delegate();
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
            super.supportsInterface(interfaceId);
    }

    function _requireNamed(address part, address named, address expected) private pure {
        if (named != expected) revert WiringWrong(part, named);
    }

    /// @dev Runs the desk's code in this contract's storage and returns what it returns; it takes the lock itself.
    function _delegate() private {
        address desk = address(DESK);
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

    /// @dev An empty Action of that kind. It is filled in from step to step, as an argument: a function that returned
    ///      it would allocate its eighteen words again. The kind comes to `_act` in it, not as a constant of its own:
    ///      of a function that is called with constants the compiler makes a copy for each, here beyond EIP-170.
    function _start(ActionKind kind) private pure returns (Action memory action) {
        action.kind = uint8(kind);
    }

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

    /// @dev Fills in what is stored, and what the request states if the row takes it; fee, recipient and submitter
    ///      stand there already. The rest of `action` stays zero: without sides there is no trade tag, ciphertext or
    ///      counterparty.
    /// @param head Is filled with the account's, as a function that returned it would allocate its words again.
    function _draft(
        Action memory action,
        Rule rule,
        AccountHead memory head,
        bytes32 account,
        uint256 commitmentOld,
        uint256 commitmentNew,
        uint64 cash,
        uint40 deadline
    ) private view {
        AccountRecord storage record = _accounts[account];
        _load(head, record);
        Status status = _statusOf(head.state);
        if (status != Status.ACTIVE && !(status == Status.FROZEN && rule.has(ActionRules.FROZEN))) {
            revert StatusWrong(account, status, ActionKind(action.kind));
        }
        _requireDeadline(deadline);
        _requireSubmitter(account, action.submitter);
        uint256 commitment = record.commitment;
        if (commitment != commitmentOld) revert CommitmentStale(account, commitmentOld, commitment);
        if (commitmentNew != 0 && !rule.has(ActionRules.WRITES)) {
            revert FieldNotTaken(ActionKind(action.kind), "commitmentNew");
        }
        action.account = account;
        action.keyVersion = head.keyVersion;
        action.generationOld = head.generation;
        action.commitmentOld = commitment;
        action.commitmentNew = commitmentNew;
        action.cashFlow = Amounts.toCashFlow(action, rule, cash);
        action.deadline = deadline;
    }

    /// @dev Of a trade's amounts there is only the fee: neither cash nor collateral moves, and nobody receives a
    ///      payment.
    function _draftSide(
        Action memory action,
        Rule rule,
        AccountHead memory head,
        TradeSide calldata given,
        bytes32 counterparty,
        uint256 tradeTag,
        int8 side
    ) private view {
        action.counterparty = counterparty;
        action.tradeTag = tradeTag;
        action.ciphertext = given.ciphertext;
        action.side = side;
        action.submitter = given.submitter;
        action.fee = given.fee;
        _draft(action, rule, head, given.account, given.commitmentOld, given.commitmentNew, 0, given.deadline);
    }

    /// @dev Without an epoch the policy is a constant, and the settlement the identity or that of the stated steps.
    /// @param chosen Name of the policy that the caller chose, 0 where the table leaves no choice.
    function _proofInputs(
        Rule rule,
        Action memory action,
        AccountHead memory head,
        bytes32 chosen,
        EpochPoints calldata given
    ) private view returns (ProofInputs memory inputs) {
        uint16 keyVersion = action.keyVersion;
        uint24 generation = action.generationOld;
        bytes32 pointsHash;
        if (rule.has(ActionRules.EPOCH_EXIT | ActionRules.EPOCH_PROOF)) {
            // No need to ask for the pause, because requireFresh refuses a paused action.
            FreshEpoch memory epoch = ORACLE.requireFresh(given.number, ActionKind(action.kind));
            if (epoch.keyVersion != keyVersion) revert KeyVersionWrong(action.account, keyVersion, epoch.keyVersion);
            if (epoch.generation != generation) {
                if (epoch.generation != uint256(generation) + 1) {
                    revert GenerationWrong(action.account, generation, epoch.generation);
                }
                (inputs.settlement.x, inputs.settlement.y) = ORACLE.settlementFor(keyVersion, generation, 1);
                generation = epoch.generation;
            }
            (inputs.epoch, inputs.time, pointsHash) = (given.number, epoch.time, epoch.pointsHash);
            inputs.revokedUpTo = epoch.revokedUpTo;
        } else {
            if (given.number != 0 || given.points.length != 0) {
                revert FieldNotTaken(ActionKind(action.kind), "epoch");
            }
            if (!rule.has(ActionRules.PAUSED)) ORACLE.requireUnpaused(ActionKind(action.kind));
            if (rule.has(ActionRules.EPOCH_STEPS)) {
                uint24 steps = action.generationNew;
                (inputs.settlement.x, inputs.settlement.y) = ORACLE.settlementFor(keyVersion, generation, steps);
                generation += steps;
            } else if (rule.has(ActionRules.FLOWS_IN)) {
                _requireNotLeftBehind(action.account, head);
            }
            inputs.revokedUpTo = type(uint64).max;
        }
        inputs.generation = generation;
        bool isChosen = rule.has(ActionRules.POLICY_CHOSEN);
        if (!isChosen && chosen != 0) revert FieldNotTaken(ActionKind(action.kind), "policy");
        inputs.policyName = isChosen ? chosen : rule.policyName();
        if (rule.has(ActionRules.POLICY_FLAT)) {
            (inputs.policy.x, inputs.policy.y) = REGISTRY.flatPoint(keyVersion);
        } else if (rule.has(NAMED_POLICY)) {
            inputs.policy = Points.find(given.points, pointsHash, inputs.policyName);
            if (isChosen) {
                inputs.pointHash = keccak256(abi.encode(inputs.policyName, inputs.policy.x, inputs.policy.y));
            }
        }
        (inputs.key, inputs.slots) = REGISTRY.transitionKey(keyVersion);
    }

    /// @dev Fills in what the proof is made at. Its epoch must not come before that of the last proof that was written,
    ///      so by induction that one is the latest of all epochs that the account's state depends on, trades' other
    ///      sides included. Of a state that a revoked epoch may have made nothing leaves, and it makes no other.
    function _bind(Rule rule, Action memory action, AccountHead memory head, ProofInputs memory inputs) private view {
        uint64 proven = head.provenEpoch;
        if (rule.has(ActionRules.PROVEN_SET) && inputs.epoch < proven) {
            revert EpochOlderThanProof(action.account, inputs.epoch, proven);
        }
        if (rule.has(ActionRules.PROVEN_SET | ActionRules.FLOWS_OUT) && proven != 0 && proven <= inputs.revokedUpTo) {
            if (ORACLE.isRevoked(proven)) revert AccountOfRevokedEpoch(action.account, proven);
        }
        action.epoch = inputs.epoch;
        action.policy = inputs.policyName;
        action.generationNew = inputs.generation;
    }

    /// @dev Digest of the action, after looking at auth's signature if the row asks for one. Steps that leave an
    ///      account no other way need none: what they make of it is determined, and all that auth may have signed for
    ///      its old commitment and that could still pass is a flat exit.
    function _authorize(
        Rule rule,
        Action memory action,
        AccountHead memory head,
        bytes calldata signature
    ) private returns (bytes32 digest) {
        digest = _hashTypedDataV4(Messages.hash(action));
        if (!rule.has(ActionRules.SIGNATURE)) {
            if (signature.length != 0) revert FieldNotTaken(ActionKind(action.kind), "signature");
        } else if (
            signature.length != 0 || !rule.has(ActionRules.EPOCH_STEPS) || !_isLeftBehind(action.generationOld)
        ) {
            _requireSignature(action.account, head.state, head.auth, digest, signature);
        }
    }

    function _write(Rule rule, Action memory action, AccountHead memory head, ProofInputs memory inputs) private {
        if (rule.has(ActionRules.PROVEN_RAISE)) {
            _keepAttestation(
                action.account,
                action.policy,
                inputs.pointHash,
                action.commitmentOld,
                inputs.time,
                inputs.epoch
            );
        }
        AccountRecord storage record = _accounts[action.account];
        if (rule.has(ActionRules.WRITES)) record.commitment = action.commitmentNew;
        // A deposit changes nothing in the other word.
        if (rule.has(CHANGES_HEAD) || (rule.has(ActionRules.WRITES) && action.generationNew != action.generationOld)) {
            _apply(head, rule, action.generationNew, inputs.time, inputs.epoch);
            _store(record, head);
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
