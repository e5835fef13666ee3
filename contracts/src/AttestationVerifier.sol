// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {ActionKind} from "./generated/ActionRules.sol";
import {Attestation, Messages} from "./generated/Messages.sol";
import {AttestationTerms, IAttestationVerifier, ShownAttestation} from "./interfaces/IAttestationVerifier.sol";
import {IAccountBook, Status} from "./interfaces/IAccountBook.sol";
import {IClearingHouse, MarginAccount} from "./interfaces/IClearingHouse.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {IMarginVerifier, Transition} from "./interfaces/IMarginVerifier.sol";
import {FreshEpoch, IRiskOracle} from "./interfaces/IRiskOracle.sol";
import {G1} from "./libraries/Bn254.sol";
import {Points} from "./libraries/Points.sol";

/// @title AttestationVerifier
/// @notice What it does and what it relies on is written in IAttestationVerifier.
contract AttestationVerifier is IAttestationVerifier, ERC165 {
    /// @dev Fields of the domain that the clearing house signs in (EIP-5267): name, version, chain id, contract.
    bytes1 private constant DOMAIN_FIELDS = 0x0f;

    /// @inheritdoc IAttestationVerifier
    IClearingHouse public immutable HOUSE;
    IKeyRegistry private immutable REGISTRY;
    IRiskOracle private immutable ORACLE;
    IMarginVerifier private immutable VERIFIER;

    constructor(IClearingHouse house) {
        (HOUSE, REGISTRY, ORACLE, VERIFIER) = (house, house.REGISTRY(), house.ORACLE(), house.VERIFIER());
    }

    /// @inheritdoc IAttestationVerifier
    function check(
        AttestationTerms calldata asked,
        ShownAttestation calldata shown
    ) external view returns (uint40 time, bytes32 pointHash) {
        MarginAccount memory account = HOUSE.accountOf(asked.account);
        _requireAccount(asked.account, account, shown);
        G1 memory policy;
        (time, pointHash, policy) = _findPolicy(asked, account, shown);
        (address key, ) = REGISTRY.transitionKey(account.keyVersion);
        Transition memory transition;
        transition.commitmentOld = account.commitment;
        transition.context = uint256(_digest(asked, account, shown)) >> 8;
        VERIFIER.verify(key, transition, policy, G1(0, 0), shown.proof);
    }

    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IAttestationVerifier).interfaceId || super.supportsInterface(interfaceId);
    }

    /// @dev The account is active, and as it was when the attestation was made.
    function _requireAccount(bytes32 id, MarginAccount memory account, ShownAttestation calldata shown) private view {
        if (account.status != Status.ACTIVE) {
            revert IAccountBook.StatusWrong(id, account.status, ActionKind.ATTEST);
        }
        if (account.commitment != shown.commitment) {
            revert AttestationStale(id, shown.commitment, account.commitment);
        }
        if (block.timestamp > shown.validUntil) revert AttestationExpired(shown.validUntil, block.timestamp);
    }

    /// @dev The policy's point among those that a fresh epoch of the account's generation and key version signed.
    function _findPolicy(
        AttestationTerms calldata asked,
        MarginAccount memory account,
        ShownAttestation calldata shown
    ) private view returns (uint40 time, bytes32 pointHash, G1 memory policy) {
        FreshEpoch memory epoch = ORACLE.requireFresh(shown.epoch.number, ActionKind.ATTEST);
        time = epoch.time;
        // An epoch's time may lead the chain's by the oracle's skew; it then counts as of now.
        uint256 age = block.timestamp > time ? block.timestamp - time : 0;
        if (age > asked.maxAge) revert AttestationTooOld(shown.epoch.number, age, asked.maxAge);
        if (epoch.keyVersion != account.keyVersion) {
            revert IAccountBook.KeyVersionWrong(asked.account, account.keyVersion, epoch.keyVersion);
        }
        if (epoch.generation != account.generation) {
            revert IAccountBook.GenerationWrong(asked.account, account.generation, epoch.generation);
        }
        uint64 proven = account.provenEpoch;
        if (proven != 0 && proven <= epoch.revokedUpTo && ORACLE.isRevoked(proven)) {
            revert IAccountBook.AccountOfRevokedEpoch(asked.account, proven);
        }
        policy = G1(shown.epoch.x, shown.epoch.y);
        pointHash = Points.requireSigned(shown.epoch, asked.policy, epoch.pointsRoot);
        if (asked.pointHash != 0 && asked.pointHash != pointHash) {
            revert PolicyContentDiffers(asked.policy, pointHash, asked.pointHash);
        }
    }

    /// @dev EIP-712 digest of the Attestation that answers exactly what was asked, to the caller.
    function _digest(
        AttestationTerms calldata asked,
        MarginAccount memory account,
        ShownAttestation calldata shown
    ) private view returns (bytes32) {
        Attestation memory message = Attestation({
            account: asked.account,
            recipient: msg.sender,
            challenge: asked.challenge,
            policy: asked.policy,
            epoch: shown.epoch.number,
            keyVersion: account.keyVersion,
            generation: account.generation,
            commitmentOld: account.commitment,
            validUntil: shown.validUntil
        });
        bytes32 separator = MessageHashUtils.toDomainSeparator(
            DOMAIN_FIELDS,
            Messages.DOMAIN_NAME,
            Messages.DOMAIN_VERSION,
            block.chainid,
            address(HOUSE),
            0
        );
        return MessageHashUtils.toTypedDataHash(separator, Messages.hash(message));
    }
}
