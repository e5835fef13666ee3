// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ActionRules, Rule} from "./generated/ActionRules.sol";
import {Action, Messages} from "./generated/Messages.sol";
import {Margin} from "./interfaces/IClearingHouse.sol";
import {IAccountBook, Status} from "./interfaces/IAccountBook.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {IMarginVerifier} from "./interfaces/IMarginVerifier.sol";
import {IRiskOracle} from "./interfaces/IRiskOracle.sol";
import {IWalletSignatures} from "./interfaces/IWalletSignatures.sol";
import {AccountId} from "./libraries/AccountId.sol";
import {Attestations} from "./libraries/Attestations.sol";

/// @title AccountBook
/// @notice The storage of the clearing house, and who may speak for an account in it.
/// @dev ClearingHouse and what it delegates to (AccountDesk, BatchDesk) inherit it first, so that all mean the same
///      storage.
abstract contract AccountBook is IAccountBook, EIP712, ReentrancyGuardTransient {
    /// @dev The word of an account that every action reads, taken apart.
    struct AccountHead {
        address auth;
        uint8 state; // Status, margin of the last proof that was written, and flags
        uint8 keyVersion;
        uint16 generation;
        uint32 provenAt; // unix seconds of the prices of the last proof that was written; 0 before the first
        uint32 provenEpoch; // lineage: number of the latest epoch that the state depends on, as MarginAccount says
    }

    /// @dev The first word is an AccountHead, packed by `_store`.
    struct AccountRecord {
        uint256 head;
        uint256 commitment;
    }

    /// @dev Bits of `state` that hold the Status.
    uint8 internal constant STATUS = 0x03;
    /// @dev Bits of `state` that hold the Margin that the last written proof showed.
    uint8 internal constant MARGIN = 0x0c;
    /// @dev Set in `state` when an account is redeemed from default, and taken away by `rekey`: others may have its
    ///      viewing key, so it takes no side of a trade until it has another.
    uint8 internal constant MUST_REKEY = 0x20;
    /// @dev Set in `state` by a trade, and taken away by a proof of the flat policy. An account without it holds no
    ///      derivatives: a step of the listing, which touches no collateral, changes nothing in it.
    uint8 internal constant MAY_HOLD_DERIVATIVES = 0x40;
    /// @dev Set in `state` once auth has burned a digest: only then is the mapping of burned digests read, which saves
    ///      a cold read otherwise.
    uint8 internal constant HAS_INVALIDATED = 0x80;
    /// @dev Steps behind the oracle from which on an account can only roll: no epoch is one step away any more.
    uint24 internal constant LEFT_BEHIND = 2;

    /// @inheritdoc IAccountBook
    IKeyRegistry public immutable REGISTRY;
    /// @inheritdoc IAccountBook
    IRiskOracle public immutable ORACLE;
    /// @inheritdoc IAccountBook
    IMarginVerifier public immutable VERIFIER;
    /// @inheritdoc IAccountBook
    IWalletSignatures public immutable WALLETS;
    /// @inheritdoc IAccountBook
    uint256 public immutable CHAIN_ID;

    mapping(bytes32 account => AccountRecord) internal _accounts;
    mapping(bytes32 account => mapping(bytes32 digest => bool)) internal _invalidated;
    /// @dev A PolicyAttestation each, packed by Attestations.
    mapping(bytes32 account => mapping(bytes32 policy => uint256)) internal _attestations;
    mapping(address submitter => uint256) internal _fees;

    constructor(
        IKeyRegistry registry,
        IRiskOracle oracle,
        IMarginVerifier verifier,
        IWalletSignatures wallets
    ) EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION) {
        (REGISTRY, ORACLE, VERIFIER, WALLETS, CHAIN_ID) = (registry, oracle, verifier, wallets, block.chainid);
    }

    // ------------------------------------------------------------------ what an action reads

    /// @dev Fills `head`. By hand, here and in `_store`: a struct in storage is written field by field.
    function _load(AccountHead memory head, AccountRecord storage record) internal view {
        uint256 word = record.head;
        head.auth = address(uint160(word));
        head.state = uint8(word >> 160);
        head.keyVersion = uint8(word >> 168);
        head.generation = uint16(word >> 176);
        head.provenAt = uint32(word >> 192);
        head.provenEpoch = uint32(word >> 224);
    }

    function _store(AccountRecord storage record, AccountHead memory head) internal {
        record.head =
            uint256(uint160(head.auth)) |
            (uint256(head.state) << 160) |
            (uint256(head.keyVersion) << 168) |
            (uint256(head.generation) << 176) |
            (uint256(head.provenAt) << 192) |
            (uint256(head.provenEpoch) << 224);
    }

    /// @dev Reverts if no epoch reaches the account any more: it must roll first.
    function _requireNotLeftBehind(bytes32 account, AccountHead memory head) internal view {
        if (head.state & MAY_HOLD_DERIVATIVES != 0 && _isLeftBehind(head.generation)) {
            revert AccountLeftBehind(account, head.generation, ORACLE.generation());
        }
    }

    /// @dev The number of the account that `auth` opens, or has opened, with `index`.
    function _accountId(address auth, uint64 index) internal view returns (bytes32) {
        return AccountId.compute(CHAIN_ID, address(this), auth, index);
    }

    function _isLeftBehind(uint24 generation) internal view returns (bool) {
        return ORACLE.generation() >= generation + LEFT_BEHIND;
    }

    function _requireDeadline(uint40 deadline) internal view {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline, block.timestamp);
    }

    function _requireSubmitter(bytes32 account, address submitter) internal view {
        if (submitter != address(0) && submitter != msg.sender) {
            revert SubmitterWrong(account, submitter, msg.sender);
        }
    }

    /// @dev Whether the row lets an account in that state act.
    function _allows(Rule rule, uint8 state) internal pure returns (bool) {
        Status status = _statusOf(state);
        if (status == Status.ACTIVE) return state & MUST_REKEY == 0 || !rule.has(ActionRules.SIDES);
        return status == Status.FROZEN && rule.has(ActionRules.FROZEN);
    }

    function _statusOf(uint8 state) internal pure returns (Status) {
        return Status(state & STATUS);
    }

    // ------------------------------------------------------------------ what an action writes

    /// @dev Takes over what the row of an action changes in an account's word; the caller stores it.
    /// @param lineage Number of the epoch that is proved, or at which the settlement of a roll was posted.
    function _apply(AccountHead memory head, Rule rule, uint24 generation, uint40 time, uint64 lineage) internal pure {
        uint8 state = head.state;
        if (rule.has(ActionRules.WRITES)) head.generation = SafeCast.toUint16(generation);
        if (rule.has(ActionRules.PROVEN_SET)) {
            (head.provenAt, head.provenEpoch) = (SafeCast.toUint32(time), SafeCast.toUint32(lineage));
            state = (state & ~MARGIN) | _marginOf(rule);
        }
        if (rule.has(ActionRules.EPOCH_STEPS)) {
            // A settlement is the quorum's word, as an epoch is; it proves no margin.
            if (lineage > head.provenEpoch) head.provenEpoch = SafeCast.toUint32(lineage);
            state &= ~MARGIN;
        }
        if (rule.has(ActionRules.SIDES)) state |= MAY_HOLD_DERIVATIVES;
        if (rule.has(ActionRules.POLICY_FLAT)) state &= ~MAY_HOLD_DERIVATIVES;
        if (rule.has(ActionRules.CLOSES)) state = (state & ~STATUS) | uint8(Status.CLOSED);
        head.state = state;
    }

    /// @dev Keeps an attestation unless one at a later epoch stands there.
    function _keepAttestation(Action memory action, bytes32 pointHash, uint40 time) internal {
        mapping(bytes32 policy => uint256) storage kept = _attestations[action.account];
        bytes32 policy = action.policy;
        if (action.epoch < Attestations.unpack(kept[policy]).epoch) return;
        kept[policy] = Attestations.pack(
            SafeCast.toUint32(time),
            SafeCast.toUint32(action.epoch),
            Attestations.tag(action.commitmentOld, action.keyVersion, policy, pointHash)
        );
    }

    // ------------------------------------------------------------------ signatures

    /// @dev What auth sends itself needs no signature. ECDSA comes before the wallet: it is cheaper than asking whether
    ///      auth has code, and an address whose key signed needs no code to agree.
    function _isSigned(address auth, bytes32 digest, bytes calldata signature) internal returns (bool) {
        if (signature.length == 0 && msg.sender == auth) return true;
        (address signer, ECDSA.RecoverError problem, ) = ECDSA.tryRecoverCalldata(digest, signature);
        return (problem == ECDSA.RecoverError.NoError && signer == auth) || WALLETS.isValid(auth, digest, signature);
    }

    function _requireSigned(bytes32 account, address auth, bytes32 digest, bytes calldata signature) internal {
        if (!_isSigned(auth, digest, signature)) revert SignatureWrong(account, auth, digest);
    }

    function _requireSignature(
        bytes32 account,
        uint8 state,
        address auth,
        bytes32 digest,
        bytes calldata signature
    ) internal {
        if (_isBurned(account, state, digest)) revert DigestInvalidated(account, digest);
        _requireSigned(account, auth, digest, signature);
    }

    /// @dev Whether auth has burned the digest.
    function _isBurned(bytes32 account, uint8 state, bytes32 digest) internal view returns (bool) {
        return state & HAS_INVALIDATED != 0 && _invalidated[account][digest];
    }

    function _marginOf(Rule rule) private pure returns (uint8) {
        if (rule.has(ActionRules.POLICY_INITIAL)) return uint8(Margin.INITIAL) << 2;
        return uint8(rule.has(ActionRules.POLICY_WITHDRAW) ? Margin.WITHDRAW : Margin.MAINTENANCE) << 2;
    }

    /// @dev The top 248 bits of the digest: below the scalar field's order, and the same 248 bits that the signature
    ///      covers.
    function _context(bytes32 digest) internal pure returns (uint256) {
        return uint256(digest) >> 8;
    }
}
