// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccountBook} from "../interfaces/IAccountBook.sol";
import {Point} from "../interfaces/IRiskOracle.sol";
import {G1} from "./Bn254.sol";

/// @title An epoch's named points
library Points {
    /// @notice keccak256(abi.encode(points)).
    /// @dev A Point is three full words, so the array's calldata is its encoding already; only the leading offset and
    ///      the length are put before it.
    function hash(Point[] calldata points) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let words := mload(0x40)
            let length := mul(points.length, 0x60)
            mstore(words, 0x20)
            mstore(add(words, 0x20), points.length)
            calldatacopy(add(words, 0x40), points.offset, length)
            digest := keccak256(words, add(length, 0x40))
        }
    }

    /// @notice keccak256(abi.encode(name, x, y)): says which content of a policy is meant.
    function hash(bytes32 name, G1 memory point) internal pure returns (bytes32) {
        return keccak256(abi.encode(name, point.x, point.y));
    }

    /// @notice The point of that name, after checking that the points are those that were signed.
    function find(Point[] calldata points, bytes32 signed, bytes32 name) internal pure returns (G1 memory) {
        bytes32 given = hash(points);
        if (given != signed) revert IAccountBook.PointsMismatch(given, signed);
        for (uint256 i = 0; i < points.length; i++) {
            Point calldata point = points[i];
            if (point.name == name) return G1(point.x, point.y);
        }
        revert IAccountBook.PolicyUnknown(name);
    }
}
