// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {CollateralVault} from "./CollateralVault.sol";
import {ActionKind, ActionRules, Rule} from "./generated/ActionRules.sol";
import {Action, Flow, Invalidate, Messages, Open} from "./generated/Messages.sol";
import {
    ActionRequest,
    EpochPoints,
    IClearingHouse,
    MarginAccount,
    OpenRequest,
    Status,
    TradeRequest,
    TradeSide
} from "./interfaces/IClearingHouse.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {IMarginVerifier, Opening, SideSignals, TradeSignals, Transition} from "./interfaces/IMarginVerifier.sol";
import {FreshEpoch, IRiskOracle, Point} from "./interfaces/IRiskOracle.sol";
import {AccountId} from "./libraries/AccountId.sol";
import {Amounts} from "./libraries/Amounts.sol";
import {G1} from "./libraries/Bn254.sol";
import {Points} from "./libraries/Points.sol";

/// @title ClearingHouse
/// @notice What it does and what it relies on is written in IClearingHouse.
/// @dev Every action but open takes the same steps, and each column of its row is read in one of them:
///      1. entry point      one account, or two sides; sides
///      2. _draft           status, deadline, commitment, fields that it does not take; frozen, writes, flows
///      3. _proofInputs     epoch, settlement, key, policy; epoch and paused (both with the oracle), policy
///         _bind            no prices older than the last proof's; provenAt
///      4. _authorize       digest of the Action and auth's signature; signature
///      5. the verifier     writes
///      6. _write           the account; writes, provenAt, closes
///      7. event and tokens writes, flows
contract ClearingHouse is IClearingHouse, EIP712, ERC165, ReentrancyGuardTransient {
    /// @dev What an action is proved against, beside its own signals.
    struct ProofInputs {
        address key; // data contract of the `transition` key
        uint16 slots; // of that key
        uint24 generation; // of the account after the action, if it writes
        uint64 epoch; // its number; 0 without one
        uint40 time; // unix seconds of the epoch's prices; 0 without one
        bytes32 policyName;
        G1 policy;
        G1 settlement;
    }

    /// @dev A MarginAccount as it is stored; the first five fields share one word.
    struct AccountRecord {
        address auth;
        uint8 state; // Status, and HAS_INVALIDATED
        uint16 keyVersion;
        uint24 generation;
        uint40 provenAt;
        uint256 commitment;
        bytes32 escrowHash;
    }

    /// @dev Set in `state` once auth has burned a digest: only then is the mapping of burned digests read, which saves
    ///      a cold read otherwise.
    uint8 private constant HAS_INVALIDATED = 0x80;
    /// @dev Rows whose policy is looked up among the points of the epoch.
    uint256 private constant NAMED_POLICY =
        ActionRules.POLICY_INITIAL |
            ActionRules.POLICY_MAINTENANCE |
            ActionRules.POLICY_WITHDRAW |
            ActionRules.POLICY_CHOSEN;

    /// @notice Where the verification keys are.
    IKeyRegistry public immutable REGISTRY;
    /// @notice Where the epochs are.
    IRiskOracle public immutable ORACLE;
    /// @notice What checks the proofs.
    IMarginVerifier public immutable VERIFIER;
    /// @notice Where the tokens are.
    CollateralVault public immutable VAULT;
    /// @dev Of the chain at deployment, of which account numbers are made.
    uint256 private immutable CHAIN_ID = block.chainid;

    mapping(bytes32 account => AccountRecord) private _accounts;
    /// @inheritdoc IClearingHouse
    mapping(bytes32 account => mapping(bytes32 digest => bool)) public isInvalidated;
    /// @inheritdoc IClearingHouse
    mapping(address submitter => uint256) public feesOf;
    mapping(bytes32 account => mapping(uint256 commitment => mapping(bytes32 policy => uint40))) private _attestedAt;

    constructor(
        IKeyRegistry registry,
        IRiskOracle oracle,
        IMarginVerifier verifier,
        CollateralVault vault
    ) EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION) {
        (REGISTRY, ORACLE, VERIFIER, VAULT) = (registry, oracle, verifier, vault);
        if (vault.CLEARING_HOUSE() != address(this)) revert WiringWrong(address(vault), vault.CLEARING_HOUSE());
    }

    // ------------------------------------------------------------------ actions

    /// @inheritdoc IClearingHouse
    function open(OpenRequest calldata request) external nonReentrant returns (bytes32 account) {
        account = AccountId.compute(CHAIN_ID, address(this), request.auth, request.index);
        AccountRecord storage record = _accounts[account];
        if (request.auth == address(0)) revert AuthZero();
        if (request.ephemeralX == 0 && request.ephemeralY == 1) revert EphemeralIdentity();
        Status status = _statusOf(record);
        if (status != Status.NONE) revert AccountTaken(account, status);
        _requireDeadline(request.deadline);
        uint24 generation = ORACLE.openingGeneration();
        if (request.generation != generation) revert GenerationWrong(account, request.generation, generation);
        bytes32 escrowHash = keccak256(
            abi.encode(request.ephemeralX, request.ephemeralY, request.escrowedKey, request.keyVersion)
        );
        bytes32 digest = _hashTypedDataV4(
            Messages.hash(
                Open({
                    account: account,
                    auth: request.auth,
                    index: request.index,
                    keyVersion: request.keyVersion,
                    generation: generation,
                    commitment: request.commitment,
                    escrowHash: escrowHash,
                    deadline: request.deadline
                })
            )
        );
        _requireSignature(account, record.state, request.auth, digest, request.signature);
        _verifyOpen(request, digest);

        record.auth = request.auth;
        record.state |= uint8(Status.ACTIVE);
        record.keyVersion = request.keyVersion;
        record.generation = generation;
        record.provenAt = uint40(block.timestamp);
        record.commitment = request.commitment;
        record.escrowHash = escrowHash;
        emit AccountOpened(
            account,
            request.auth,
            request.index,
            request.keyVersion,
            generation,
            request.commitment,
            request.ephemeralX,
            request.ephemeralY,
            request.escrowedKey
        );
    }

    /// @inheritdoc IClearingHouse
    function deposit(ActionRequest calldata request) external nonReentrant {
        _act(_start(ActionKind.DEPOSIT), request);
    }

    /// @inheritdoc IClearingHouse
    function cure(ActionRequest calldata request) external nonReentrant {
        _act(_start(ActionKind.CURE), request);
    }

    /// @inheritdoc IClearingHouse
    function withdraw(ActionRequest calldata request) external nonReentrant {
        _act(_start(ActionKind.WITHDRAW), request);
    }

    /// @inheritdoc IClearingHouse
    function withdrawFlat(ActionRequest calldata request) external nonReentrant {
        _act(_start(ActionKind.WITHDRAW_FLAT), request);
    }

    /// @inheritdoc IClearingHouse
    function close(ActionRequest calldata request) external nonReentrant {
        _act(_start(ActionKind.CLOSE), request);
    }

    /// @inheritdoc IClearingHouse
    function attest(ActionRequest calldata request) external nonReentrant {
        _act(_start(ActionKind.ATTEST), request);
    }

    /// @inheritdoc IClearingHouse
    function trade(TradeRequest calldata request) external nonReentrant {
        TradeSide calldata plusSide = request.plus;
        TradeSide calldata minusSide = request.minus;
        if (plusSide.account == minusSide.account) revert SelfTrade(plusSide.account);
        Action memory plus = _start(ActionKind.TRADE);
        Action memory minus = _start(ActionKind.TRADE);
        Rule rule = ActionRules.ruleOf(ActionKind.TRADE);
        if (!rule.has(ActionRules.SIDES)) revert SidesWrong(ActionKind.TRADE, false);
        AccountRecord storage plusRecord = _accounts[plusSide.account];
        AccountRecord storage minusRecord = _accounts[minusSide.account];
        uint40 plusProvenAt = _draftSide(plus, rule, plusRecord, plusSide, minusSide.account, request.tradeTag, 1);
        uint40 minusProvenAt = _draftSide(minus, rule, minusRecord, minusSide, plusSide.account, request.tradeTag, -1);
        if (plus.generationOld != minus.generationOld || plus.keyVersion != minus.keyVersion) {
            revert SidesDiffer(plus.generationOld, minus.generationOld, plus.keyVersion, minus.keyVersion);
        }
        // No need to gather them for minus, because they depend on key version and generation only, which are equal.
        ProofInputs memory inputs = _proofInputs(rule, plus, 0, request.epoch);
        _bind(rule, plus, inputs, plusProvenAt);
        _bind(rule, minus, inputs, minusProvenAt);
        TradeSignals memory signals = TradeSignals({
            tradeTag: request.tradeTag,
            plus: _sideSignals(plus, _authorize(rule, plus, plusRecord, plusSide.signature)),
            minus: _sideSignals(minus, _authorize(rule, minus, minusRecord, minusSide.signature))
        });
        VERIFIER.verifyTwo(inputs.key, signals, inputs.policy, inputs.settlement, plusSide.proof, minusSide.proof);

        _write(rule, plus, plusRecord, inputs.time);
        _write(rule, minus, minusRecord, inputs.time);
        unchecked {
            // No need to check the sums, because a fee is below 2^63: they do not reach 2^256.
            uint256 fees = uint256(plus.fee) + minus.fee;
            if (fees != 0) feesOf[msg.sender] += fees;
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
            minus.fee
        );
    }

    /// @inheritdoc IClearingHouse
    function invalidate(uint64 index, bytes32 digest) external {
        _invalidate(msg.sender, index, digest);
    }

    /// @inheritdoc IClearingHouse
    function invalidateFor(address auth, uint64 index, bytes32 digest, bytes calldata signature) external {
        _requireSigned(bytes32(0), auth, _hashTypedDataV4(Messages.hash(Invalidate(digest))), signature);
        _invalidate(auth, index, digest);
    }

    /// @inheritdoc IClearingHouse
    function collectFees(address to) external nonReentrant returns (uint256 amount) {
        amount = feesOf[msg.sender];
        if (amount == 0) revert FeesZero(msg.sender);
        if (to == address(0)) revert RecipientZero();
        feesOf[msg.sender] = 0;
        emit FeesCollected(msg.sender, to, amount);
        VAULT.release(0, to, amount, new Flow[](0));
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IClearingHouse
    function accountOf(bytes32 account) external view returns (MarginAccount memory) {
        AccountRecord storage record = _accounts[account];
        return
            MarginAccount({
                auth: record.auth,
                status: _statusOf(record),
                keyVersion: record.keyVersion,
                generation: record.generation,
                provenAt: record.provenAt,
                commitment: record.commitment,
                escrowHash: record.escrowHash
            });
    }

    /// @inheritdoc IClearingHouse
    function isCurrent(bytes32 account, uint256 maxAge) external view returns (bool) {
        AccountRecord storage record = _accounts[account];
        if (_statusOf(record) != Status.ACTIVE || !REGISTRY.isLive(record.keyVersion)) return false;
        // An epoch's time may lead the chain's by the oracle's skew; it then counts as of now.
        return block.timestamp <= record.provenAt || block.timestamp - record.provenAt <= maxAge;
    }

    /// @inheritdoc IClearingHouse
    function attested(bytes32 account, bytes32 policy) external view returns (uint40 time) {
        AccountRecord storage record = _accounts[account];
        if (_statusOf(record) != Status.ACTIVE || !REGISTRY.isLive(record.keyVersion)) return 0;
        return _attestedAt[account][record.commitment][policy];
    }

    /// @inheritdoc IClearingHouse
    function accountId(address auth, uint64 index) external view returns (bytes32) {
        return AccountId.compute(CHAIN_ID, address(this), auth, index);
    }

    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IClearingHouse).interfaceId || super.supportsInterface(interfaceId);
    }

    // ------------------------------------------------------------------ steps of an action

    /// @dev An empty Action of that kind. It is filled in from step to step, as an argument: a function that returned
    ///      it would allocate its eighteen words again. The kind comes to `_act` in it, not as a constant of its own:
    ///      of a function that is called with constants the compiler makes a copy for each, here beyond EIP-170.
    function _start(ActionKind kind) private pure returns (Action memory action) {
        action.kind = uint8(kind);
    }

    function _act(Action memory action, ActionRequest calldata request) private {
        ActionKind kind = ActionKind(action.kind);
        Rule rule = ActionRules.ruleOf(kind);
        if (rule.has(ActionRules.SIDES)) revert SidesWrong(kind, true);
        AccountRecord storage record = _accounts[request.account];
        Flow[] calldata flows = request.flows;
        action.recipient = request.recipient;
        action.fee = request.fee;
        uint40 provenAt = _draft(
            action,
            rule,
            record,
            request.account,
            request.commitmentOld,
            request.commitmentNew,
            request.cash,
            request.deadline
        );
        ProofInputs memory inputs = _proofInputs(rule, action, request.policy, request.epoch);
        _bind(rule, action, inputs, provenAt);
        if (flows.length != 0) {
            Amounts.requireFlows(kind, rule, flows, inputs.slots);
            VAULT.requireCollateral(flows);
            action.flows = flows;
        }
        bytes32 digest = _authorize(rule, action, record, request.signature);
        _verify(action, inputs, digest, rule.has(ActionRules.WRITES), request.proof);

        _write(rule, action, record, inputs.time);
        if (action.fee != 0) feesOf[msg.sender] += action.fee;
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
                action.fee
            );
        } else {
            emit Attested(action.account, action.policy, action.epoch, inputs.time, record.provenAt);
        }
        if (rule.has(ActionRules.FLOWS_IN)) VAULT.absorb(action.account, request.cash, flows);
        else if (rule.has(ActionRules.FLOWS_OUT)) {
            VAULT.release(action.account, action.recipient, request.cash, flows);
        }
    }

    /// @dev Fills in what is stored, and what the request states if the row takes it; fee and recipient stand there
    ///      already. The rest of `action` stays zero: without sides there is no trade tag, ciphertext or counterparty.
    /// @return provenAt The account's.
    function _draft(
        Action memory action,
        Rule rule,
        AccountRecord storage record,
        bytes32 account,
        uint256 commitmentOld,
        uint256 commitmentNew,
        uint64 cash,
        uint40 deadline
    ) private view returns (uint40 provenAt) {
        uint8 status = record.state & ~HAS_INVALIDATED;
        if (status != uint8(Status.ACTIVE) && !(status == uint8(Status.FROZEN) && rule.has(ActionRules.FROZEN))) {
            revert StatusWrong(account, Status(status), ActionKind(action.kind));
        }
        _requireDeadline(deadline);
        uint256 commitment = record.commitment;
        if (commitment != commitmentOld) revert CommitmentStale(account, commitmentOld, commitment);
        if (commitmentNew != 0 && !rule.has(ActionRules.WRITES)) {
            revert FieldNotTaken(ActionKind(action.kind), "commitmentNew");
        }
        action.account = account;
        action.keyVersion = record.keyVersion;
        action.generationOld = record.generation;
        action.commitmentOld = commitment;
        action.commitmentNew = commitmentNew;
        action.cashFlow = Amounts.toCashFlow(action, rule, cash);
        action.deadline = deadline;
        return record.provenAt;
    }

    /// @dev Of a trade's amounts there is only the fee: neither cash nor collateral moves, and nobody receives a
    ///      payment.
    function _draftSide(
        Action memory action,
        Rule rule,
        AccountRecord storage record,
        TradeSide calldata given,
        bytes32 counterparty,
        uint256 tradeTag,
        int8 side
    ) private view returns (uint40 provenAt) {
        action.counterparty = counterparty;
        action.tradeTag = tradeTag;
        action.ciphertext = given.ciphertext;
        action.side = side;
        action.fee = given.fee;
        return _draft(action, rule, record, given.account, given.commitmentOld, given.commitmentNew, 0, given.deadline);
    }

    /// @dev Without an epoch the settlement is the identity, and the policy a constant.
    /// @param chosen Name of the policy that the caller chose, 0 where the table leaves no choice.
    function _proofInputs(
        Rule rule,
        Action memory action,
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
        } else {
            if (given.number != 0 || given.points.length != 0) {
                revert FieldNotTaken(ActionKind(action.kind), "epoch");
            }
            if (!rule.has(ActionRules.PAUSED)) ORACLE.requireUnpaused(ActionKind(action.kind));
        }
        inputs.generation = generation;
        bool isChosen = rule.has(ActionRules.POLICY_CHOSEN);
        if (!isChosen && chosen != 0) revert FieldNotTaken(ActionKind(action.kind), "policy");
        inputs.policyName = isChosen ? chosen : rule.policyName();
        if (rule.has(ActionRules.POLICY_FLAT)) {
            (inputs.policy.x, inputs.policy.y) = REGISTRY.flatPoint(keyVersion);
        } else if (rule.has(NAMED_POLICY)) {
            (inputs.policy.x, inputs.policy.y) = _findPoint(given.points, pointsHash, inputs.policyName);
        }
        (inputs.key, inputs.slots) = REGISTRY.transitionKey(keyVersion);
    }

    function _findPoint(
        Point[] calldata points,
        bytes32 signed,
        bytes32 name
    ) private pure returns (uint256 x, uint256 y) {
        bytes32 hash = Points.hash(points);
        if (hash != signed) revert PointsMismatch(hash, signed);
        for (uint256 i = 0; i < points.length; i++) {
            Point calldata point = points[i];
            if (point.name == name) return (point.x, point.y);
        }
        revert PolicyUnknown(name);
    }

    /// @dev Fills in what the proof is made at, which must not be older than the prices of the account's last proof.
    function _bind(Rule rule, Action memory action, ProofInputs memory inputs, uint40 provenAt) private pure {
        if (rule.has(ActionRules.PROVEN_SET) && inputs.time < provenAt) {
            revert EpochOlderThanProof(action.account, inputs.time, provenAt);
        }
        action.epoch = inputs.epoch;
        action.policy = inputs.policyName;
        action.generationNew = inputs.generation;
    }

    /// @dev Digest of the action, after looking at auth's signature if the row asks for one.
    function _authorize(
        Rule rule,
        Action memory action,
        AccountRecord storage record,
        bytes calldata signature
    ) private view returns (bytes32 digest) {
        digest = _hashTypedDataV4(Messages.hash(action));
        if (rule.has(ActionRules.SIGNATURE)) {
            _requireSignature(action.account, record.state, record.auth, digest, signature);
        } else if (signature.length != 0) {
            revert FieldNotTaken(ActionKind(action.kind), "signature");
        }
    }

    function _write(Rule rule, Action memory action, AccountRecord storage record, uint40 time) private {
        if (rule.has(ActionRules.WRITES)) {
            record.commitment = action.commitmentNew;
            if (action.generationNew != action.generationOld) record.generation = action.generationNew;
        }
        if (rule.has(ActionRules.PROVEN_SET)) record.provenAt = time;
        else if (rule.has(ActionRules.PROVEN_RAISE)) _raise(action, record, time);
        if (rule.has(ActionRules.CLOSES)) record.state = (record.state & HAS_INVALIDATED) | uint8(Status.CLOSED);
    }

    function _raise(Action memory action, AccountRecord storage record, uint40 time) private {
        if (action.policy == ActionRules.NAME_MAINTENANCE) {
            if (time > record.provenAt) record.provenAt = time;
        } else {
            mapping(bytes32 policy => uint40) storage times = _attestedAt[action.account][record.commitment];
            if (time > times[action.policy]) times[action.policy] = time;
        }
    }

    // ------------------------------------------------------------------ checks

    function _requireDeadline(uint40 deadline) private view {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline, block.timestamp);
    }

    /// @dev ECDSA first: it is cheaper than asking whether auth has code, and an address whose key signed needs no code
    ///      to agree.
    function _requireSigned(bytes32 account, address auth, bytes32 digest, bytes calldata signature) private view {
        (address signer, ECDSA.RecoverError problem, ) = ECDSA.tryRecoverCalldata(digest, signature);
        if (problem == ECDSA.RecoverError.NoError && signer == auth) return;
        if (!SignatureChecker.isValidSignatureNowCalldata(auth, digest, signature)) {
            revert SignatureWrong(account, auth, digest);
        }
    }

    function _requireSignature(
        bytes32 account,
        uint8 state,
        address auth,
        bytes32 digest,
        bytes calldata signature
    ) private view {
        if (state & HAS_INVALIDATED != 0 && isInvalidated[account][digest]) revert DigestInvalidated(account, digest);
        _requireSigned(account, auth, digest, signature);
    }

    // ------------------------------------------------------------------ verification

    function _verifyOpen(OpenRequest calldata request, bytes32 digest) private view {
        (address key, uint256 committeeX, uint256 committeeY) = REGISTRY.openKey(request.keyVersion);
        Opening memory opening = Opening({
            commitment: request.commitment,
            ephemeralX: request.ephemeralX,
            ephemeralY: request.ephemeralY,
            escrowedKey: request.escrowedKey,
            committeeX: committeeX,
            committeeY: committeeY,
            context: _context(digest)
        });
        VERIFIER.verifyOpen(key, opening, request.proof);
    }

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

    /// @dev The top 248 bits of the digest: below the scalar field's order, and the same 248 bits that the signature
    ///      covers.
    function _context(bytes32 digest) private pure returns (uint256) {
        return uint256(digest) >> 8;
    }

    // ------------------------------------------------------------------ state

    function _invalidate(address auth, uint64 index, bytes32 digest) private {
        bytes32 account = AccountId.compute(CHAIN_ID, address(this), auth, index);
        _accounts[account].state |= HAS_INVALIDATED;
        isInvalidated[account][digest] = true;
        emit Invalidated(account, digest);
    }

    function _statusOf(AccountRecord storage record) private view returns (Status) {
        return Status(record.state & ~HAS_INVALIDATED);
    }
}
