// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Membership in the prime-order subgroup of BabyJubJub (EIP-2494)
/// @dev a x^2 + y^2 = 1 + d x^2 y^2 over BN254's scalar field; the group has order 8 * ORDER. Used once per registered
///      committee key, so the plain double-and-add with ORDER is cheap enough and there is nothing to get wrong about
///      cofactors.
library BabyJubJub {
    uint256 internal constant FIELD = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 internal constant ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041;
    uint256 private constant A = 168700;
    uint256 private constant D = 168696;

    /// @notice Whether (x, y) is on the curve, of prime order, and not the identity (0, 1).
    function isSubgroupPoint(uint256 x, uint256 y) internal pure returns (bool) {
        if (x >= FIELD || y >= FIELD || (x == 0 && y == 1)) return false;
        uint256 xx = mulmod(x, x, FIELD);
        uint256 yy = mulmod(y, y, FIELD);
        uint256 left = addmod(mulmod(A, xx, FIELD), yy, FIELD);
        if (left != addmod(1, mulmod(D, mulmod(xx, yy, FIELD), FIELD), FIELD)) return false;
        return _timesOrderIsIdentity(x, y);
    }

    /// @dev Projective coordinates (X : Y : Z), x = X / Z, y = Y / Z. The addition law is complete for this curve (a
    ///      square, d not), so no step divides by zero and none needs a special case. Identity: X = 0 and Y = Z.
    function _timesOrderIsIdentity(uint256 x, uint256 y) private pure returns (bool) {
        uint256[3] memory sum = [uint256(0), 1, 1];
        for (uint256 bit = 256; bit > 0; bit--) {
            _add(sum, sum[0], sum[1], sum[2]);
            if ((ORDER >> (bit - 1)) & 1 == 1) _add(sum, x, y, 1);
        }
        return sum[0] == 0 && sum[1] == sum[2];
    }

    /// @dev sum := sum + (x : y : z), in place, as a point returned would be allocated at every step. Bernstein,
    ///      Birkner, Joye, Lange, Peters, "Twisted Edwards Curves", section 6: projective addition.
    function _add(uint256[3] memory sum, uint256 x, uint256 y, uint256 z) private pure {
        uint256 a = mulmod(sum[2], z, FIELD);
        uint256 c = mulmod(sum[0], x, FIELD);
        uint256 d = mulmod(sum[1], y, FIELD);
        uint256 e = mulmod(D, mulmod(c, d, FIELD), FIELD);
        uint256 b = mulmod(a, a, FIELD);
        uint256 f = addmod(b, FIELD - e, FIELD);
        uint256 g = addmod(b, e, FIELD);
        uint256 cross = mulmod(addmod(sum[0], sum[1], FIELD), addmod(x, y, FIELD), FIELD);
        cross = addmod(cross, 2 * FIELD - c - d, FIELD);
        sum[0] = mulmod(a, mulmod(f, cross, FIELD), FIELD);
        sum[1] = mulmod(a, mulmod(g, addmod(d, FIELD - mulmod(A, c, FIELD), FIELD), FIELD), FIELD);
        sum[2] = mulmod(f, g, FIELD);
    }
}
