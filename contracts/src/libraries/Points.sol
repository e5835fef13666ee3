// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IAccountBook} from "../interfaces/IAccountBook.sol";
import {EpochPoint} from "../interfaces/IClearingHouse.sol";
import {Point} from "../interfaces/IRiskOracle.sol";

/// @title The Merkle tree over an epoch's named points
/// @dev A leaf is keccak256(abi.encode(name, x, y)), of 96 bytes; a node is the hash of its two children in rising
///      order, of 64 bytes, so neither passes for the other. The leaves stand in the points' order, and each two nodes
///      that have no parent yet, from the first, get one behind the last: with 2^k points every path has k hashes.
///      The oracle keeps 22 bytes of the root, so that all it keeps of an epoch is one word. Two trees with one record
///      are found with 2^88 hashes, by a publisher who proposes what the quorum signs; a point with a path to a given
///      record with 2^176.
library Points {
    /// @notice The leaf of a point: says which content of a policy is meant.
    function hash(bytes32 name, uint256 x, uint256 y) internal pure returns (bytes32) {
        return keccak256(abi.encode(name, x, y));
    }

    /// @notice The nodes over the points, of which there is at least one: first the leaves, last the root.
    function tree(Point[] memory points) internal pure returns (bytes32[] memory nodes) {
        uint256 count = points.length;
        nodes = new bytes32[](2 * count - 1);
        for (uint256 i = 0; i < count; i++) nodes[i] = hash(points[i].name, points[i].x, points[i].y);
        for (uint256 i = count; i < nodes.length; i++) {
            uint256 child = 2 * (i - count);
            nodes[i] = Hashes.commutativeKeccak256(nodes[child], nodes[child + 1]);
        }
    }

    /// @notice The root over the points, of which there is at least one.
    function root(Point[] memory points) internal pure returns (bytes32) {
        return tree(points)[2 * points.length - 2];
    }

    /// @notice Reverts unless the point was signed under that name.
    /// @param point The point, with its path.
    /// @param name Name of the policy.
    /// @param signed First 22 bytes of the epoch's root.
    /// @return leaf The point's.
    function requireSigned(
        EpochPoint calldata point,
        bytes32 name,
        bytes22 signed
    ) internal pure returns (bytes32 leaf) {
        leaf = hash(name, point.x, point.y);
        bytes32 given = MerkleProof.processProofCalldata(point.path, leaf);
        if (bytes22(given) != signed) revert IAccountBook.PointsMismatch(given, signed);
    }
}
