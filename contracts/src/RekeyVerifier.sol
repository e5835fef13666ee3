// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {StoredKeyVerifier} from "./StoredKeyVerifier.sol";
import {Statement} from "./generated/Statement.sol";
import {IRekeyVerifier, Rekeying} from "./interfaces/IRekeyVerifier.sol";
import {BabyJubJub} from "./libraries/BabyJubJub.sol";
import {G1Place} from "./libraries/Bn254.sol";
import {KeyChecks} from "./libraries/KeyChecks.sol";
import {KeyData, KeyHead} from "./libraries/KeyData.sol";

/// @title RekeyVerifier
/// @notice What it does and what it relies on is written in IRekeyVerifier.
contract RekeyVerifier is StoredKeyVerifier, IRekeyVerifier {
    using KeyData for KeyHead;

    /// @inheritdoc IRekeyVerifier
    uint256 public committeeX;
    /// @inheritdoc IRekeyVerifier
    uint256 public committeeY;

    /// @inheritdoc IRekeyVerifier
    function fix(bytes calldata verifyingKey, uint256 x, uint256 y) external {
        _requireFixable(verifyingKey, Statement.REKEY_POINTS);
        if (!BabyJubJub.isSubgroupPoint(x, y)) revert CommitteeInvalid(x, y);
        (committeeX, committeeY) = (x, y);
        key = KeyChecks.store(KeyChecks.fold(verifyingKey, Statement.REKEY_COMMITTEE_X, x, y));
    }

    /// @inheritdoc IRekeyVerifier
    function verify(Rekeying calldata rekeying, uint256[8] calldata proof) external view {
        KeyHead head = KeyData.load(key, Statement.REKEY_POINTS);
        G1Place sum = head.ic(0);
        _addSignal(sum, head.ic(Statement.REKEY_COMMITMENT_OLD), rekeying.commitmentOld);
        _addSignal(sum, head.ic(Statement.REKEY_COMMITMENT_NEW), rekeying.commitmentNew);
        _addSignal(sum, head.ic(Statement.REKEY_EPHEMERAL_X), rekeying.ephemeralX);
        _addSignal(sum, head.ic(Statement.REKEY_EPHEMERAL_Y), rekeying.ephemeralY);
        _addSignal(sum, head.ic(Statement.REKEY_ESCROWED_KEY), rekeying.escrowedKey);
        _addSignal(sum, head.ic(Statement.REKEY_RHO), rekeying.rho);
        _addSignal(sum, head.ic(Statement.REKEY_EVALUATION), rekeying.evaluation);
        if (!_checkOne(head, sum, proof)) revert RekeyRejected(rekeying.rho);
    }
}
