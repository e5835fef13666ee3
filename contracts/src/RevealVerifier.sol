// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Statement} from "./generated/Statement.sol";
import {IMarginVerifier} from "./interfaces/IMarginVerifier.sol";
import {IRevealVerifier} from "./interfaces/IRevealVerifier.sol";
import {Bn254, G1, G1Place} from "./libraries/Bn254.sol";
import {KeyChecks} from "./libraries/KeyChecks.sol";
import {KeyData, KeyHead} from "./libraries/KeyData.sol";

/// @title RevealVerifier
/// @notice What it does and what it relies on is written in IRevealVerifier.
contract RevealVerifier is IRevealVerifier {
    using Bn254 for G1;
    using Bn254 for G1Place;
    using KeyData for KeyHead;

    /// @dev Bytes of one entry of the pairing precompile: a G1 and a G2 point.
    uint256 private constant PAIR = 192;

    /// @inheritdoc IRevealVerifier
    address public immutable DEPLOYER = msg.sender;
    /// @inheritdoc IRevealVerifier
    address public key;

    /// @inheritdoc IRevealVerifier
    function fix(bytes calldata verifyingKey) external {
        if (key != address(0) || msg.sender != DEPLOYER) revert KeyFixed();
        KeyChecks.requireSound(verifyingKey, Statement.REVEAL_POINTS);
        key = KeyChecks.store(verifyingKey);
    }

    /// @inheritdoc IRevealVerifier
    function verify(uint256 commitment, uint256 rho, uint256 evaluation, uint256[8] calldata proof) external view {
        KeyHead head = KeyData.load(key, Statement.REVEAL_POINTS);
        G1Place sum = head.ic(0);
        _addSignal(sum, head.ic(Statement.REVEAL_COMMITMENT), commitment);
        _addSignal(sum, head.ic(Statement.REVEAL_RHO), rho);
        _addSignal(sum, head.ic(Statement.REVEAL_EVALUATION), evaluation);

        // e(-A, B) e(alpha, beta) e(sum, gamma) e(C, delta) = 1.
        G1 memory a = G1(proof[0], proof[1]).negate();
        uint256 input;
        assembly ("memory-safe") {
            input := mload(0x40)
            mstore(0x40, add(input, 768))
            mcopy(input, a, 0x40)
            calldatacopy(add(input, 0x40), add(proof, 0x40), 0x80)
            let pair := add(input, PAIR)
            mcopy(pair, head, 0xc0) // alpha, beta stand side by side
            pair := add(pair, PAIR)
            mcopy(pair, sum, 0x40)
            mcopy(add(pair, 0x40), add(head, 192), 0x80) // KeyData.GAMMA
            pair := add(pair, PAIR)
            calldatacopy(pair, add(proof, 0xc0), 0x40)
            mcopy(add(pair, 0x40), add(head, 320), 0x80) // KeyData.DELTA
        }
        (bool answered, bool isOne) = Bn254.pairing(input, 4);
        if (!answered) revert IMarginVerifier.ProofMalformed();
        if (!isOne) revert RevelationRejected(rho);
    }

    /// @dev Adds value * point; a zero term is left out.
    function _addSignal(G1Place sum, G1Place point, uint256 value) private view {
        Bn254.requireSignal(value);
        if (value != 0) sum.addProduct(point, value);
    }
}
