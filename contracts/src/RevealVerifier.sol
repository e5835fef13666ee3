// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {StoredKeyVerifier} from "./StoredKeyVerifier.sol";
import {Statement} from "./generated/Statement.sol";
import {IRevealVerifier} from "./interfaces/IRevealVerifier.sol";
import {G1Place} from "./libraries/Bn254.sol";
import {KeyChecks} from "./libraries/KeyChecks.sol";
import {KeyData, KeyHead} from "./libraries/KeyData.sol";

/// @title RevealVerifier
/// @notice What it does and what it relies on is written in IRevealVerifier.
contract RevealVerifier is StoredKeyVerifier, IRevealVerifier {
    using KeyData for KeyHead;

    /// @inheritdoc IRevealVerifier
    function fix(bytes calldata verifyingKey) external {
        _requireFixable(verifyingKey, Statement.REVEAL_POINTS);
        key = KeyChecks.store(verifyingKey);
    }

    /// @inheritdoc IRevealVerifier
    function verify(uint256 commitment, uint256 rho, uint256 evaluation, uint256[8] calldata proof) external view {
        KeyHead head = KeyData.load(key, Statement.REVEAL_POINTS);
        G1Place sum = head.ic(0);
        _addSignal(sum, head.ic(Statement.REVEAL_COMMITMENT), commitment);
        _addSignal(sum, head.ic(Statement.REVEAL_RHO), rho);
        _addSignal(sum, head.ic(Statement.REVEAL_EVALUATION), evaluation);
        if (!_checkOne(head, sum, proof)) revert RevelationRejected(rho);
    }
}
