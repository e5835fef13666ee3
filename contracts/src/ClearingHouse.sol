// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {CollateralVault} from "./CollateralVault.sol";
import {Action, Flow, Invalidate, Messages, Open} from "./generated/Messages.sol";
import {
    Account,
    AttestRequest,
    CureRequest,
    DepositRequest,
    EpochPoints,
    FlatRequest,
    IClearingHouse,
    OpenRequest,
    TradeRequest,
    TradeSide,
    WithdrawRequest
} from "./interfaces/IClearingHouse.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {IMarginVerifier, Opening, TradeHalf, TradePair, Transition} from "./interfaces/IMarginVerifier.sol";
import {EpochView, IRiskOracle, Point} from "./interfaces/IRiskOracle.sol";
import {AccountId} from "./libraries/AccountId.sol";
import {ActionKind, ActionRules, PolicySource, ProvenRule, Rule, Status} from "./libraries/ActionRules.sol";
import {Amounts} from "./libraries/Amounts.sol";
import {G1} from "./libraries/Bn254.sol";
import {Points} from "./libraries/Points.sol";

/// @title ClearingHouse
/// @notice What it does and what it relies on is written in IClearingHouse.
contract ClearingHouse is IClearingHouse, EIP712, ERC165, ReentrancyGuardTransient {
    /// @dev What an action is proved against.
    struct Terms {
        address key;
        uint16 slots;
        uint40 time; // of the epoch; 0 without one
        G1 policy;
        G1 settlement;
    }

    /// @dev An Account as it is stored; the first six fields share one word.
    struct Stored {
        address auth;
        uint8 state; // Status, and HAS_INVALIDATED
        uint8 level;
        uint16 keyVersion;
        uint24 generation;
        uint40 provenAt;
        uint256 commitment;
        bytes32 escrowHash;
    }

    /// @dev Set in `state` once auth has burned a digest: only then is the mapping of burned digests read, which saves a cold read otherwise.
    uint8 private constant HAS_INVALIDATED = 0x80;

    IKeyRegistry public immutable REGISTRY;
    IRiskOracle public immutable ORACLE;
    IMarginVerifier public immutable VERIFIER;
    CollateralVault public immutable VAULT;

    mapping(bytes32 account => Stored) private _accounts;
    /// @inheritdoc IClearingHouse
    mapping(bytes32 account => mapping(bytes32 digest => bool)) public isInvalidated;
    /// @inheritdoc IClearingHouse
    mapping(address submitter => uint256) public feesOf;
    mapping(bytes32 account => mapping(uint256 commitment => mapping(bytes32 policy => uint40))) private _attestedAt;

    constructor(IKeyRegistry registry, IRiskOracle oracle, IMarginVerifier verifier, CollateralVault vault)
        EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION)
    {
        (REGISTRY, ORACLE, VERIFIER, VAULT) = (registry, oracle, verifier, vault);
        if (vault.CLEARING_HOUSE() != address(this)) revert WiringWrong(address(vault), vault.CLEARING_HOUSE());
    }

    // ------------------------------------------------------------------ actions

    /// @inheritdoc IClearingHouse
    function open(OpenRequest calldata request) external nonReentrant returns (bytes32 account) {
        account = AccountId.compute(address(this), request.auth, request.index);
        Stored storage stored = _accounts[account];
        if (request.auth == address(0)) revert AuthZero();
        if (request.ephemeralX == 0 && request.ephemeralY == 1) revert EphemeralIdentity();
        Status status = _statusOf(stored);
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
        _requireSignature(account, stored.state, request.auth, digest, request.signature);
        _verifyOpen(request, digest);

        stored.auth = request.auth;
        stored.state |= uint8(Status.ACTIVE);
        stored.keyVersion = request.keyVersion;
        stored.generation = generation;
        stored.provenAt = uint40(block.timestamp);
        stored.commitment = request.commitment;
        stored.escrowHash = escrowHash;
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
    function deposit(DepositRequest calldata request) external nonReentrant {
        Rule memory rule = ActionRules.ruleOf(ActionKind.DEPOSIT);
        Action memory action;
        _draft(action, rule, ActionKind.DEPOSIT, request.account, request.commitmentNew, request.fee, request.deadline);
        Terms memory terms;
        _setConstantTerms(terms, rule, action);
        Amounts.set(action, rule.flows, request.cash, request.flows, terms.slots);
        if (request.flows.length != 0) VAULT.requireCollateral(request.flows);
        _transition(rule, action, terms, request.proof, request.signature);
        VAULT.absorb(request.account, request.cash, request.flows);
    }

    /// @inheritdoc IClearingHouse
    function cure(CureRequest calldata request) external nonReentrant {
        Rule memory rule = ActionRules.ruleOf(ActionKind.CURE);
        Action memory action;
        _draft(action, rule, ActionKind.CURE, request.account, request.commitmentNew, request.fee, request.deadline);
        Terms memory terms;
        _setEpochTerms(terms, rule, action, request.epoch);
        Amounts.set(action, rule.flows, request.cash, request.flows, terms.slots);
        if (request.flows.length != 0) VAULT.requireCollateral(request.flows);
        _transition(rule, action, terms, request.proof, request.signature);
        VAULT.absorb(request.account, request.cash, request.flows);
    }

    /// @inheritdoc IClearingHouse
    function withdraw(WithdrawRequest calldata request) external nonReentrant {
        Rule memory rule = ActionRules.ruleOf(ActionKind.WITHDRAW);
        Action memory action;
        _draft(action, rule, ActionKind.WITHDRAW, request.account, request.commitmentNew, request.fee, request.deadline);
        action.recipient = request.recipient;
        Terms memory terms;
        _setEpochTerms(terms, rule, action, request.epoch);
        Amounts.set(action, rule.flows, request.cash, request.flows, terms.slots);
        if (request.flows.length != 0) VAULT.requireCollateral(request.flows);
        _transition(rule, action, terms, request.proof, request.signature);
        VAULT.release(request.recipient, request.cash, request.flows);
    }

    /// @inheritdoc IClearingHouse
    function withdrawFlat(FlatRequest calldata request) external nonReentrant {
        _exitFlat(ActionKind.WITHDRAW_FLAT, request);
    }

    /// @inheritdoc IClearingHouse
    function close(FlatRequest calldata request) external nonReentrant {
        _exitFlat(ActionKind.CLOSE, request);
        Stored storage stored = _accounts[request.account];
        stored.state = (stored.state & HAS_INVALIDATED) | uint8(Status.CLOSED);
    }

    /// @inheritdoc IClearingHouse
    function attest(AttestRequest calldata request) external nonReentrant {
        Rule memory rule = ActionRules.ruleOf(ActionKind.ATTEST);
        Action memory action;
        _draft(action, rule, ActionKind.ATTEST, request.account, 0, 0, request.deadline);
        action.policy = request.policy;
        Terms memory terms;
        _setEpochTerms(terms, rule, action, request.epoch);
        _verify(action, terms, _digest(action), rule.writes, request.proof);

        Stored storage stored = _accounts[request.account];
        uint40 provenAt = stored.provenAt;
        if (request.policy == ActionRules.POLICY_MAINTENANCE) {
            if (terms.time > provenAt) stored.provenAt = provenAt = terms.time;
        } else if (terms.time > _attestedAt[request.account][action.commitmentOld][request.policy]) {
            _attestedAt[request.account][action.commitmentOld][request.policy] = terms.time;
        }
        emit Attested(request.account, request.policy, request.epoch.number, terms.time, provenAt);
    }

    /// @inheritdoc IClearingHouse
    function trade(TradeRequest calldata request) external nonReentrant {
        TradeSide calldata plusSide = request.plus;
        TradeSide calldata minusSide = request.minus;
        if (plusSide.account == minusSide.account) revert SelfTrade(plusSide.account);
        Rule memory rule = ActionRules.ruleOf(ActionKind.TRADE);
        Action memory plus;
        _draftSide(plus, rule, request.tradeTag, plusSide, minusSide.account, 1);
        Action memory minus;
        _draftSide(minus, rule, request.tradeTag, minusSide, plusSide.account, -1);
        if (plus.generationOld != minus.generationOld || plus.keyVersion != minus.keyVersion) {
            revert SidesDiffer(plus.generationOld, minus.generationOld, plus.keyVersion, minus.keyVersion);
        }
        Terms memory terms;
        _setEpochTerms(terms, rule, plus, request.epoch);
        _requireProvenAt(rule, minus.account, terms.time);
        (minus.epoch, minus.generationNew, minus.policy) = (plus.epoch, plus.generationNew, plus.policy);

        TradePair memory pair;
        pair.tradeTag = request.tradeTag;
        _authorizeHalf(pair.plus, plus, plusSide);
        _authorizeHalf(pair.minus, minus, minusSide);
        VERIFIER.verifyTwo(terms.key, pair, terms.policy, terms.settlement, plusSide.proof, minusSide.proof);

        _write(rule, plus, terms.time);
        _write(rule, minus, terms.time);
        uint256 fees = uint256(plus.fee) + minus.fee;
        if (fees != 0) feesOf[msg.sender] += fees;
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
        VAULT.release(to, amount, new Flow[](0));
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IClearingHouse
    function accountOf(bytes32 account) external view returns (Account memory) {
        Stored storage stored = _accounts[account];
        return Account({
            auth: stored.auth,
            status: _statusOf(stored),
            level: stored.level,
            keyVersion: stored.keyVersion,
            generation: stored.generation,
            provenAt: stored.provenAt,
            commitment: stored.commitment,
            escrowHash: stored.escrowHash
        });
    }

    /// @inheritdoc IClearingHouse
    function isCurrent(bytes32 account, uint256 maxAge) external view returns (bool) {
        Stored storage stored = _accounts[account];
        if (_statusOf(stored) != Status.ACTIVE || !REGISTRY.isLive(stored.keyVersion)) return false;
        // An epoch's time may lead the chain's by the oracle's skew; it then counts as of now.
        return block.timestamp <= stored.provenAt || block.timestamp - stored.provenAt <= maxAge;
    }

    /// @inheritdoc IClearingHouse
    function attested(bytes32 account, bytes32 policy) external view returns (uint40 time) {
        Stored storage stored = _accounts[account];
        if (_statusOf(stored) != Status.ACTIVE || !REGISTRY.isLive(stored.keyVersion)) return 0;
        return _attestedAt[account][stored.commitment][policy];
    }

    /// @inheritdoc IClearingHouse
    function accountId(address auth, uint64 index) external view returns (bytes32) {
        return AccountId.compute(address(this), auth, index);
    }

    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IClearingHouse).interfaceId || super.supportsInterface(interfaceId);
    }

    // ------------------------------------------------------------------ checks

    /// @dev The part of an Action that is the contract's to say: what is stored, and what the action's rule fixes. Fields that a rule leaves out stay zero: without
    ///      sides there is no trade tag, no ciphertext and no counterparty. `action` comes in empty: returning a struct would allocate it twice.
    function _draft(
        Action memory action,
        Rule memory rule,
        ActionKind kind,
        bytes32 account,
        uint256 commitmentNew,
        uint64 fee,
        uint40 deadline
    ) private view {
        Stored storage stored = _accounts[account];
        Status status = _statusOf(stored);
        if (status != Status.ACTIVE && !(status == Status.FROZEN && rule.whileFrozen)) {
            revert StatusWrong(account, status, kind);
        }
        _requireDeadline(deadline);
        action.kind = uint8(kind);
        action.account = account;
        action.keyVersion = stored.keyVersion;
        action.generationOld = stored.generation;
        action.generationNew = stored.generation;
        action.commitmentOld = stored.commitment;
        action.commitmentNew = commitmentNew;
        action.fee = fee;
        action.deadline = deadline;
        action.policy = rule.policyName;
    }

    function _draftSide(
        Action memory action,
        Rule memory rule,
        uint256 tradeTag,
        TradeSide calldata half,
        bytes32 counterparty,
        int8 side
    ) private view {
        _draft(action, rule, ActionKind.TRADE, half.account, half.commitmentNew, half.fee, half.deadline);
        action.counterparty = counterparty;
        action.tradeTag = tradeTag;
        action.ciphertext = half.ciphertext;
        action.side = side;
        Amounts.setFee(action, rule.flows);
    }

    /// @dev Key, policy and settlement of an action that needs no epoch: the zero policy or "flat", and the identity settlement.
    function _setConstantTerms(Terms memory terms, Rule memory rule, Action memory action) private view {
        (terms.key, terms.slots) = REGISTRY.transitionKey(action.keyVersion);
        if (rule.policySource == PolicySource.FLAT) {
            (terms.policy.x, terms.policy.y) = REGISTRY.flatPoint(action.keyVersion);
        }
    }

    /// @dev Key, policy and settlement of an action at an epoch; fills in the epoch, the generation after the action, and checks the points.
    function _setEpochTerms(Terms memory terms, Rule memory rule, Action memory action, EpochPoints calldata given)
        private
        view
    {
        EpochView memory epoch = ORACLE.requireFresh(given.number, ActionKind(action.kind));
        if (epoch.keyVersion != action.keyVersion) {
            revert KeyVersionWrong(action.account, action.keyVersion, epoch.keyVersion);
        }
        if (epoch.generation != action.generationOld) {
            if (epoch.generation != uint256(action.generationOld) + 1) {
                revert GenerationWrong(action.account, action.generationOld, epoch.generation);
            }
            (terms.settlement.x, terms.settlement.y) = ORACLE.settlementOf(action.keyVersion, epoch.generation);
        }
        _requireProvenAt(rule, action.account, epoch.time);
        action.epoch = given.number;
        action.generationNew = epoch.generation;
        terms.time = epoch.time;
        _setPolicy(terms.policy, given.points, epoch.pointsHash, action.policy);
        (terms.key, terms.slots) = REGISTRY.transitionKey(action.keyVersion);
    }

    function _setPolicy(G1 memory policy, Point[] calldata points, bytes32 signed, bytes32 name) private pure {
        bytes32 hash = Points.hash(points);
        if (hash != signed) revert PointsMismatch(hash, signed);
        for (uint256 i = 0; i < points.length; i++) {
            if (points[i].name == name) {
                (policy.x, policy.y) = (points[i].x, points[i].y);
                return;
            }
        }
        revert PolicyUnknown(name);
    }

    function _requireProvenAt(Rule memory rule, bytes32 account, uint40 epochTime) private view {
        uint40 provenAt = _accounts[account].provenAt;
        if (rule.proven == ProvenRule.SET && epochTime < provenAt) {
            revert EpochOlderThanProof(account, epochTime, provenAt);
        }
    }

    function _requireDeadline(uint40 deadline) private view {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline, block.timestamp);
    }

    /// @dev ECDSA first: it is cheaper than asking whether auth has code, and an address whose key signed needs no code to agree.
    function _requireSigned(bytes32 account, address auth, bytes32 digest, bytes calldata signature) private view {
        (address signer, ECDSA.RecoverError problem,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (problem == ECDSA.RecoverError.NoError && signer == auth) return;
        if (!SignatureChecker.isValidSignatureNowCalldata(auth, digest, signature)) {
            revert SignatureWrong(account, auth, digest);
        }
    }

    function _requireSignature(bytes32 account, uint8 state, address auth, bytes32 digest, bytes calldata signature)
        private
        view
    {
        if (state & HAS_INVALIDATED != 0 && isInvalidated[account][digest]) revert DigestInvalidated(account, digest);
        _requireSigned(account, auth, digest, signature);
    }

    function _requireAuth(bytes32 account, bytes32 digest, bytes calldata signature) private view {
        Stored storage stored = _accounts[account];
        _requireSignature(account, stored.state, stored.auth, digest, signature);
    }

    function _digest(Action memory action) private view returns (bytes32) {
        return _hashTypedDataV4(Messages.hash(action));
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

    function _verify(Action memory action, Terms memory terms, bytes32 digest, bool write, uint256[8] calldata proof)
        private
        view
    {
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
        VERIFIER.verify(terms.key, transition, terms.policy, terms.settlement, proof);
    }

    function _authorizeHalf(TradeHalf memory half, Action memory action, TradeSide calldata side) private view {
        bytes32 digest = _digest(action);
        _requireAuth(action.account, digest, side.signature);
        half.commitmentOld = action.commitmentOld;
        half.commitmentNew = action.commitmentNew;
        half.ciphertext = action.ciphertext;
        half.context = _context(digest);
        half.cashFlow = action.cashFlow;
    }

    /// @dev The top 248 bits of the digest: below the scalar field's order, and the same 248 bits that the signature covers.
    function _context(bytes32 digest) private pure returns (uint256) {
        return uint256(digest) >> 8;
    }

    // ------------------------------------------------------------------ state

    /// @dev Signature, proof, state, fee and event of an action on one account; tokens are the caller's, last.
    function _transition(
        Rule memory rule,
        Action memory action,
        Terms memory terms,
        uint256[8] calldata proof,
        bytes calldata signature
    ) private {
        bytes32 digest = _digest(action);
        _requireAuth(action.account, digest, signature);
        _verify(action, terms, digest, rule.writes, proof);

        _write(rule, action, terms.time);
        if (action.fee != 0) feesOf[msg.sender] += action.fee;
        emit Flowed(
            action.account,
            ActionKind(action.kind),
            action.commitmentNew,
            action.cashFlow,
            action.flows,
            action.epoch,
            action.generationNew,
            action.recipient,
            action.fee
        );
    }

    function _exitFlat(ActionKind kind, FlatRequest calldata request) private {
        Rule memory rule = ActionRules.ruleOf(kind);
        Action memory action;
        _draft(action, rule, kind, request.account, request.commitmentNew, request.fee, request.deadline);
        action.recipient = request.recipient;
        Terms memory terms;
        _setConstantTerms(terms, rule, action);
        Amounts.set(action, rule.flows, request.cash, request.flows, terms.slots);
        if (request.flows.length != 0) VAULT.requireCollateral(request.flows);
        _transition(rule, action, terms, request.proof, request.signature);
        VAULT.release(request.recipient, request.cash, request.flows);
    }

    function _write(Rule memory rule, Action memory action, uint40 epochTime) private {
        Stored storage stored = _accounts[action.account];
        stored.commitment = action.commitmentNew;
        if (action.generationNew != action.generationOld) stored.generation = action.generationNew;
        if (rule.proven == ProvenRule.SET) stored.provenAt = epochTime;
    }

    function _invalidate(address auth, uint64 index, bytes32 digest) private {
        bytes32 account = AccountId.compute(address(this), auth, index);
        _accounts[account].state |= HAS_INVALIDATED;
        isInvalidated[account][digest] = true;
        emit Invalidated(account, digest);
    }

    function _statusOf(Stored storage stored) private view returns (Status) {
        return Status(stored.state & ~HAS_INVALIDATED);
    }
}
