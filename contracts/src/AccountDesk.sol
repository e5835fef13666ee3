// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {AccountBook} from "./AccountBook.sol";
import {Delegated} from "./Delegated.sol";
import {WalletSignatures} from "./WalletSignatures.sol";
import {Confirmation, Invalidate, Messages, Move, Open} from "./generated/Messages.sol";
import {IAccountDesk, MoveRequest} from "./interfaces/IAccountDesk.sol";
import {OpenRequest} from "./interfaces/IClearingHouse.sol";
import {Status} from "./interfaces/IAccountBook.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {IMarginVerifier, Opening, Transition} from "./interfaces/IMarginVerifier.sol";
import {IRiskOracle} from "./interfaces/IRiskOracle.sol";
import {G1} from "./libraries/Bn254.sol";

/// @title AccountDesk
/// @notice What it does and what it relies on is written in IAccountDesk and IClearingHouse.
contract AccountDesk is AccountBook, Delegated, IAccountDesk {
    constructor(
        IKeyRegistry registry,
        IRiskOracle oracle,
        IMarginVerifier verifier
    ) AccountBook(registry, oracle, verifier, new WalletSignatures()) {}

    /// @inheritdoc IAccountDesk
    function open(OpenRequest calldata request) external onlyDelegated nonReentrant returns (bytes32 account) {
        account = _accountId(request.auth, request.index);
        AccountRecord storage record = _accounts[account];
        AccountHead memory head;
        _load(head, record);
        if (request.auth == address(0)) revert AuthZero();
        if (request.ephemeralX == 0 && request.ephemeralY == 1) revert EphemeralIdentity();
        Status status = _statusOf(head.state);
        if (status != Status.NONE) revert AccountTaken(account, status);
        _requireDeadline(request.deadline);
        _requireSubmitter(account, request.submitter);
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
                    submitter: request.submitter,
                    deadline: request.deadline
                })
            )
        );
        _requireSignature(account, head.state, request.auth, digest, request.signature);
        _verifyOpen(request, digest);

        head.auth = request.auth;
        head.state |= uint8(Status.ACTIVE);
        head.keyVersion = SafeCast.toUint8(request.keyVersion);
        head.generation = SafeCast.toUint16(generation);
        _store(record, head);
        record.commitment = request.commitment;
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

    /// @inheritdoc IAccountDesk
    function skip(bytes32 account) external onlyDelegated nonReentrant {
        AccountRecord storage record = _accounts[account];
        AccountHead memory head;
        _load(head, record);
        (uint8 state, uint24 generation) = (head.state, head.generation);
        _requireOpen(account, state);
        if (state & MAY_HOLD_DERIVATIVES != 0) revert RollNeedsProof(account);
        uint24 current = ORACLE.generation();
        if (current < generation + LEFT_BEHIND && !(current > generation && msg.sender == head.auth)) {
            revert NotBehind(account, generation, current);
        }
        head.generation = SafeCast.toUint16(current);
        _store(record, head);
        emit Skipped(account, current);
    }

    /// @inheritdoc IAccountDesk
    function invalidate(uint64 index, bytes32 digest) external onlyDelegated nonReentrant {
        _invalidate(_accountId(msg.sender, index), digest);
    }

    /// @inheritdoc IAccountDesk
    function invalidateFor(
        address auth,
        uint64 index,
        bytes32 digest,
        bytes calldata signature
    ) external onlyDelegated nonReentrant {
        bytes32 account = _accountId(auth, index);
        _requireSigned(account, auth, _hashTypedDataV4(Messages.hash(Invalidate(account, digest))), signature);
        _invalidate(account, digest);
    }

    /// @inheritdoc IAccountDesk
    function confirm(bytes32 account, uint64 epoch, bytes[] calldata signatures) external onlyDelegated nonReentrant {
        AccountRecord storage record = _accounts[account];
        AccountHead memory head;
        _load(head, record);
        if (epoch <= head.provenEpoch || epoch > ORACLE.latestNumber() || ORACLE.isRevoked(epoch)) {
            revert ConfirmationInvalid(account, epoch, head.provenEpoch);
        }
        bytes32 digest = _hashTypedDataV4(Messages.hash(Confirmation(account, record.commitment, epoch)));
        ORACLE.requireQuorum(digest, signatures);
        head.provenEpoch = SafeCast.toUint32(epoch);
        head.state &= ~MARGIN;
        _store(record, head);
        emit Confirmed(account, record.commitment, epoch);
    }

    /// @inheritdoc IAccountDesk
    function move(MoveRequest calldata request) external onlyDelegated nonReentrant returns (uint16 keyVersion) {
        AccountRecord storage record = _accounts[request.account];
        AccountHead memory head;
        _load(head, record);
        _requireOpen(request.account, head.state);
        _requireDeadline(request.deadline);
        Transition memory transition; // nothing is written, moved or traded
        transition.commitmentOld = record.commitment;
        if (transition.commitmentOld != request.commitment) {
            revert CommitmentStale(request.account, request.commitment, transition.commitmentOld);
        }
        keyVersion = REGISTRY.successorOf(head.keyVersion);
        bytes32 digest = _hashTypedDataV4(
            Messages.hash(Move(request.account, keyVersion, request.commitment, request.deadline))
        );
        _requireSignature(request.account, head.state, head.auth, digest, request.signature);
        transition.context = _context(digest);
        (address key, ) = REGISTRY.transitionKey(keyVersion);
        VERIFIER.verify(key, transition, G1(0, 0), G1(0, 0), request.proof);

        head.keyVersion = SafeCast.toUint8(keyVersion);
        // Margin was proved under the revoked key, and no desk rekeys under the new one.
        head.state &= ~(MARGIN | MUST_REKEY);
        _store(record, head);
        emit Moved(request.account, keyVersion);
    }

    function _requireOpen(bytes32 account, uint8 state) private pure {
        Status status = _statusOf(state);
        if (status != Status.ACTIVE && status != Status.FROZEN) revert AccountNotOpen(account, status);
    }

    function _invalidate(bytes32 account, bytes32 digest) private {
        AccountRecord storage record = _accounts[account];
        AccountHead memory head;
        _load(head, record);
        head.state |= HAS_INVALIDATED;
        _store(record, head);
        _invalidated[account][digest] = true;
        emit Invalidated(account, digest);
    }

    function _verifyOpen(OpenRequest calldata request, bytes32 digest) private view {
        Opening memory opening = Opening({
            commitment: request.commitment,
            ephemeralX: request.ephemeralX,
            ephemeralY: request.ephemeralY,
            escrowedKey: request.escrowedKey,
            context: _context(digest)
        });
        VERIFIER.verifyOpen(REGISTRY.openKey(request.keyVersion), opening, request.proof);
    }
}
