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
library Bn254 {
    /// @dev Order of the base field: coordinates lie below it.
    uint256 internal constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;
    /// @dev Order of the group, and of the scalar field: public signals lie below it.
    uint256 internal constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

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
            accepted := and(eq(returndatasize(), 0x40), staticcall(gas(), 0x06, input, 0x80, sum, 0x40))
        }
        if (!accepted) _refuse(point);
    }

    /// @notice sum := sum + scalar * point. The scalar may be any word; the precompile reduces it.
    function addProduct(G1Place sum, G1Place point, uint256 scalar) internal view {
        bool accepted;
        assembly ("memory-safe") {
            let input := mload(0x40)
            mcopy(input, point, 0x40)
            mstore(add(input, 0x40), scalar)
            accepted := and(eq(returndatasize(), 0x40), staticcall(gas(), 0x07, input, 0x60, input, 0x40))
            mcopy(add(input, 0x40), sum, 0x40)
            accepted := and(accepted, and(eq(returndatasize(), 0x40), staticcall(gas(), 0x06, input, 0x80, sum, 0x40)))
        }
        if (!accepted) _refuse(point);
    }

    /// @notice point := scalar * point.
    function scale(G1Place point, uint256 scalar) internal view {
        bool accepted;
        assembly ("memory-safe") {
            let input := mload(0x40)
            mcopy(input, point, 0x40)
            mstore(add(input, 0x40), scalar)
            accepted := and(eq(returndatasize(), 0x40), staticcall(gas(), 0x07, input, 0x60, point, 0x40))
        }
        if (!accepted) _refuse(point);
    }

    function _refuse(G1Place point) private pure {
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
