// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IMarginVerifier} from "./interfaces/IMarginVerifier.sol";
import {Bn254, G1, G1Place} from "./libraries/Bn254.sol";
import {KeyHead} from "./libraries/KeyData.sol";

/// @title Groth16Checks
/// @notice The check of one proof, and its parts of which checks of several are made.
abstract contract Groth16Checks {
    using Bn254 for G1;
    using Bn254 for G1Place;

    /// @dev Bytes of one entry of the pairing precompile: a G1 and a G2 point.
    uint256 internal constant PAIR = 192;

    /// @dev Adds value * point; a zero term is left out.
    function _addSignal(G1Place sum, G1Place point, uint256 value) internal view {
        Bn254.requireSignal(value);
        if (value != 0) sum.addProduct(point, value);
    }

    /// @dev e(-A, B) e(alpha, beta) e(sum, gamma) e(C, delta) = 1.
    function _checkOne(KeyHead head, G1Place sum, uint256[8] calldata proof) internal view returns (bool) {
        uint256 input = _reserve(4);
        _putShared(input + PAIR, head, sum, _putFirst(input, proof));
        return _isOne(input, 4);
    }

    /// @dev Writes -A, B of a proof, of several the first (its weight is 1), as an entry of the pairing; returns a copy
    ///      of its C.
    function _putFirst(uint256 entry, uint256[8] calldata proof) internal pure returns (G1Place) {
        G1 memory a = G1(proof[0], proof[1]).negate();
        assembly ("memory-safe") {
            mcopy(entry, a, 0x40)
            calldatacopy(add(entry, 0x40), add(proof, 0x40), 0x80)
        }
        return G1(proof[6], proof[7]).place();
    }

    /// @dev Writes the last three entries of every pairing check: alpha and beta, the sum and gamma, C and delta.
    function _putShared(uint256 entry, KeyHead head, G1Place sum, G1Place c) internal pure {
        assembly ("memory-safe") {
            mcopy(entry, head, 0xc0) // alpha, which may have been scaled in place, and beta stand side by side
            entry := add(entry, PAIR)
            mcopy(entry, sum, 0x40)
            mcopy(add(entry, 0x40), add(head, 192), 0x80) // KeyData.GAMMA
            entry := add(entry, PAIR)
            mcopy(entry, c, 0x40)
            mcopy(add(entry, 0x40), add(head, 320), 0x80) // KeyData.DELTA
        }
    }

    /// @dev Memory for that many entries of a pairing check.
    function _reserve(uint256 pairs) internal pure returns (uint256 input) {
        assembly ("memory-safe") {
            input := mload(0x40)
            mstore(0x40, add(input, mul(pairs, PAIR)))
        }
    }

    function _isOne(uint256 input, uint256 pairs) internal view returns (bool isOne) {
        bool answered;
        (answered, isOne) = Bn254.pairing(input, pairs);
        if (!answered) revert IMarginVerifier.ProofMalformed();
    }
}
