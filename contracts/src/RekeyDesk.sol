// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ServedDesk} from "./ServedDesk.sol";
import {Messages, Rekey} from "./generated/Messages.sol";
import {Status} from "./interfaces/IAccountBook.sol";
import {DeskParts} from "./interfaces/IClearingHouse.sol";
import {IRekeyDesk, RekeyRequest} from "./interfaces/IRekeyDesk.sol";
import {IRekeyVerifier, Rekeying} from "./interfaces/IRekeyVerifier.sol";
import {Bn254} from "./libraries/Bn254.sol";

/// @title RekeyDesk
/// @notice What it does and what it relies on is written in IRekeyDesk.
contract RekeyDesk is ServedDesk, IRekeyDesk {
    /// @inheritdoc IRekeyDesk
    IRekeyVerifier public immutable REKEYS;

    constructor(DeskParts memory parts, IRekeyVerifier rekeys) ServedDesk(parts) {
        if (rekeys.key() == address(0)) revert KeyMissing(address(rekeys));
        REKEYS = rekeys;
    }

    /// @inheritdoc IRekeyDesk
    function rekey(RekeyRequest calldata request) external onlyDelegated nonReentrant {
        AccountRecord storage record = _accounts[request.account];
        AccountHead memory head;
        _load(head, record);
        Status status = _statusOf(head.state);
        if (status != Status.ACTIVE) revert AccountNotOpen(request.account, status);
        _requireServed(request.account, head);
        (, uint16 slots) = REGISTRY.transitionKey(SERVED); // reverts while the key verifies nothing
        _requireDeadline(request.deadline);
        _requireSubmitter(request.account, request.submitter);
        uint256 commitment = record.commitment;
        if (commitment != request.commitmentOld) {
            revert CommitmentStale(request.account, request.commitmentOld, commitment);
        }
        if (request.ephemeralX == 0 && request.ephemeralY == 1) revert EphemeralIdentity();
        _requireCheckpoint(request.checkpoint, _countWords(slots) + 1);
        bytes32 digest = _digest(request);
        _requireSignature(request.account, head.state, head.auth, digest, request.signature);
        uint256 rho = _context(digest);
        REKEYS.verify(
            Rekeying({
                commitmentOld: commitment,
                commitmentNew: request.commitmentNew,
                ephemeralX: request.ephemeralX,
                ephemeralY: request.ephemeralY,
                escrowedKey: request.escrowedKey,
                rho: rho,
                evaluation: _evaluate(request.checkpoint, rho)
            }),
            request.proof
        );

        record.commitment = request.commitmentNew;
        if (head.state & MUST_REKEY != 0) {
            head.state &= ~MUST_REKEY;
            _store(record, head);
        }
        emit AccountRekeyed(
            request.account,
            SERVED,
            request.commitmentNew,
            request.ephemeralX,
            request.ephemeralY,
            request.escrowedKey,
            request.checkpoint
        );
    }

    function _digest(RekeyRequest calldata request) private view returns (bytes32) {
        bytes32 escrowHash = keccak256(abi.encode(request.ephemeralX, request.ephemeralY, request.escrowedKey, SERVED));
        Rekey memory message = Rekey({
            account: request.account,
            keyVersion: SERVED,
            commitmentOld: request.commitmentOld,
            commitmentNew: request.commitmentNew,
            escrowHash: escrowHash,
            checkpoint: request.checkpoint,
            submitter: request.submitter,
            deadline: request.deadline
        });
        return _hashTypedDataV4(Messages.hash(message));
    }

    /// @dev As many numbers as a state has, each of one reading: else the owner could not read them back.
    function _requireCheckpoint(uint256[] calldata checkpoint, uint256 count) private pure {
        if (checkpoint.length != count) revert CheckpointMalformed(checkpoint.length, count);
        for (uint256 i = 0; i < count; i++) {
            if (checkpoint[i] >= Bn254.R) revert CheckpointMalformed(i, count);
        }
    }
}
