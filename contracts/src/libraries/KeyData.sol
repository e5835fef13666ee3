// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {G1, G1Place} from "./Bn254.sol";

/// @dev Where the head of a verification key was loaded in memory.
type KeyHead is uint256;

/// @title A Groth16 verification key kept as the code of a contract
/// @dev The code is STOP (so that nobody can run it), then alpha, beta, gamma, delta, then the IC points by index: the
///      constant, the fixed signals and, for `transition`, cash flow and every slot's flow. G2 coordinates stand as the
///      pairing precompile reads them, imaginary part first. Points of policy and settlement signals are never stored:
///      each group arrives summed, as one point.
library KeyData {
    /// @dev Bytes from the start of the key, after STOP.
    uint256 internal constant ALPHA = 0;
    uint256 internal constant BETA = 64;
    uint256 internal constant GAMMA = 192;
    uint256 internal constant DELTA = 320;
    uint256 internal constant IC = 448;
    uint256 internal constant POINT = 64;

    /// @notice No key of at least that size is stored at the address.
    /// @param key The address.
    /// @param size Bytes of code there.
    /// @param needed Bytes of code needed.
    error KeyMissing(address key, uint256 size, uint256 needed);

    /// @notice Bytes of a key with that many IC points, STOP left out.
    /// @dev Unchecked here and below: an index is a constant, or a constant and a slot of 16 bits.
    function size(uint256 points) internal pure returns (uint256) {
        unchecked {
            return IC + POINT * points;
        }
    }

    /// @notice Loads the four group elements and the first IC points.
    function load(address key, uint256 points) internal view returns (KeyHead head) {
        requireSize(key, points);
        uint256 length = size(points);
        assembly ("memory-safe") {
            head := mload(0x40)
            mstore(0x40, add(head, length))
            extcodecopy(key, head, 1, length)
        }
    }

    /// @notice The IC point at `index`, straight from the code: for flows, of which an action uses few.
    function loadPoint(address key, uint256 index) internal view returns (G1 memory point) {
        requireSize(key, index + 1);
        uint256 offset = 1 + IC + POINT * index;
        assembly ("memory-safe") {
            extcodecopy(key, point, offset, 0x40)
        }
    }

    /// @dev Bytes beyond the end of code read as zero, and a zero IC point would make its signal free: hence every read
    ///      is checked.
    function requireSize(address key, uint256 points) private view {
        uint256 needed = size(points) + 1;
        if (key.code.length < needed) revert KeyMissing(key, key.code.length, needed);
    }

    /// @notice The loaded IC point at `index`; a view into the head, not a copy.
    function ic(KeyHead head, uint256 index) internal pure returns (G1Place) {
        unchecked {
            return G1Place.wrap(KeyHead.unwrap(head) + IC + POINT * index);
        }
    }

    /// @notice Alpha; a view into the head, not a copy.
    function alpha(KeyHead head) internal pure returns (G1Place) {
        return G1Place.wrap(KeyHead.unwrap(head));
    }
}
