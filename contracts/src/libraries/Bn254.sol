// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev A point of BN254's G1; the identity is (0, 0), as the precompiles have it.
struct G1 {
    uint256 x;
    uint256 y;
}

/// @dev Where a G1 stands in memory. A function that returns `G1 memory` allocates a new one first; one that returns
///      its place does not.
type G1Place is uint256;

/// @title Arithmetic on BN254's G1 by the precompiles of EIP-196
/// @dev Every return value is checked, and the size of every answer: a chain without the precompile gives success and
///      no answer. (The arguments of `and` run from right to left, so the size is that of the call beside it.) The
///      precompiles refuse coordinates that are not below the base field's order and points off the curve, so each
///      point that passes through here is a point. G1 has prime order: there is no subgroup to leave.
///
///      A precompile that refuses burns all the gas it was given (EIP-196, EIP-197), so none is given more than about
///      three times its price (EIP-1108): without that bound a malformed proof would cost its submitter 63/64 of the
///      transaction's gas. Drafts for the next forks stay far within the factor (EIP-7904: 314 for a sum, 34,103 for a
///      pair).
library Bn254 {
    /// @dev Order of the base field: coordinates lie below it.
    uint256 internal constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;
    /// @dev Order of the group, and of the scalar field: public signals lie below it.
    uint256 internal constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// @dev Most gas that a sum may take: three times 150 (EIP-1108).
    uint256 internal constant ADD_GAS = 450;
    /// @dev Most gas that a product may take: three times 6,000 (EIP-1108).
    uint256 internal constant MULTIPLY_GAS = 18_000;
    /// @dev Most gas that a pairing check may take whatever its size: three times 45,000 (EIP-1108).
    uint256 internal constant PAIRING_GAS = 135_000;
    /// @dev Most gas that it may take for each pair: three times 34,000 (EIP-1108).
    uint256 internal constant PAIR_GAS = 102_000;

    /// @notice A precompile did not answer and had been given less than it may take: whether its input was at fault
    ///         cannot be told. Send more gas with the call.
    /// @param needed Gas that the precompile may take.
    error GasTooLow(uint256 needed);

    /// @notice A precompile refused its input (a coordinate is not below Q, or the point is off the curve), or gave no
    ///         answer.
    /// @param x Its coordinate.
    /// @param y Its other coordinate.
    error PointRefused(uint256 x, uint256 y);

    /// @notice A public signal is not below the order of the scalar field, so that another number would have the same
    ///         proof.
    /// @param value The signal.
    /// @param limit Largest value.
    error SignalTooLarge(uint256 value, uint256 limit);

    /// @notice The place of a point in memory.
    function place(G1 memory point) internal pure returns (G1Place found) {
        assembly ("memory-safe") {
            found := point
        }
    }

    /// @notice sum := sum + point.
    function add(G1Place sum, G1Place point) internal view {
        bool accepted;
        assembly ("memory-safe") {
            let input := mload(0x40)
            mcopy(input, sum, 0x40)
            mcopy(add(input, 0x40), point, 0x40)
            accepted := and(eq(returndatasize(), 0x40), staticcall(ADD_GAS, 0x06, input, 0x80, sum, 0x40))
        }
        if (!accepted) _refuse(point, ADD_GAS);
    }

    /// @notice sum := sum + scalar * point. The scalar may be any word; the precompile reduces it.
    function addProduct(G1Place sum, G1Place point, uint256 scalar) internal view {
        bool accepted;
        assembly ("memory-safe") {
            let input := mload(0x40)
            mcopy(input, point, 0x40)
            mstore(add(input, 0x40), scalar)
            accepted := and(eq(returndatasize(), 0x40), staticcall(MULTIPLY_GAS, 0x07, input, 0x60, input, 0x40))
            mcopy(add(input, 0x40), sum, 0x40)
            let isSum := and(eq(returndatasize(), 0x40), staticcall(ADD_GAS, 0x06, input, 0x80, sum, 0x40))
            accepted := and(accepted, isSum)
        }
        if (!accepted) _refuse(point, MULTIPLY_GAS);
    }

    /// @notice point := scalar * point.
    function scale(G1Place point, uint256 scalar) internal view {
        bool accepted;
        assembly ("memory-safe") {
            let input := mload(0x40)
            mcopy(input, point, 0x40)
            mstore(add(input, 0x40), scalar)
            accepted := and(eq(returndatasize(), 0x40), staticcall(MULTIPLY_GAS, 0x07, input, 0x60, point, 0x40))
        }
        if (!accepted) _refuse(point, MULTIPLY_GAS);
    }

    /// @notice Whether the product of e(A_i, B_i) over the pairs in memory is one.
    /// @param input Where they stand: a G1 and a G2 point each.
    /// @param pairs How many.
    /// @return answered Whether the precompile took every point; otherwise at least one is malformed.
    /// @return isOne Whether the product is one.
    function pairing(uint256 input, uint256 pairs) internal view returns (bool answered, bool isOne) {
        uint256 allowed = PAIRING_GAS + PAIR_GAS * pairs;
        assembly ("memory-safe") {
            // With the word cleared, no answer cannot pass for a one.
            mstore(0, 0)
            answered := and(eq(returndatasize(), 0x20), staticcall(allowed, 0x08, input, mul(pairs, 0xc0), 0, 0x20))
            isOne := and(answered, eq(mload(0), 1))
        }
        if (!answered) _requireGas(allowed);
    }

    /// @dev After a precompile that was allowed `allowed` gas gave no answer. A call is given at most 63/64 of what is
    ///      left (EIP-150); with less than `allowed` / 63 left now, it was given less than `allowed`.
    function _requireGas(uint256 allowed) private view {
        if (gasleft() < allowed / 63) revert GasTooLow(allowed);
    }

    function _refuse(G1Place point, uint256 allowed) private view {
        _requireGas(allowed);
        G1 memory refused;
        assembly ("memory-safe") {
            refused := point
        }
        revert PointRefused(refused.x, refused.y);
    }

    /// @notice -point. Refuses y >= Q, which would otherwise give a second spelling of a point.
    function negate(G1 memory point) internal pure returns (G1 memory) {
        if (point.y >= Q) revert PointRefused(point.x, point.y);
        return G1(point.x, point.y == 0 ? 0 : Q - point.y);
    }

    /// @notice Whether (x, y) is a point other than the identity, with both coordinates below Q.
    function isPoint(uint256 x, uint256 y) internal pure returns (bool) {
        if (x >= Q || y >= Q) return false;
        return mulmod(y, y, Q) == addmod(mulmod(x, mulmod(x, x, Q), Q), 3, Q);
    }

    /// @notice The field element of a signed integer: v modulo R. Unambiguous, as |v| < 2^127 < R / 2.
    function toField(int256 value) internal pure returns (uint256) {
        unchecked {
            return value >= 0 ? uint256(value) : R - uint256(-value);
        }
    }

    function requireSignal(uint256 value) internal pure {
        if (value >= R) revert SignalTooLarge(value, R - 1);
    }
}
