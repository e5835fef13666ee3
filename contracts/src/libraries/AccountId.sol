// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Account numbers
library AccountId {
    /// @notice keccak256(abi.encode(chain id, clearing house, auth, index)): chosen before anything is signed, usable
    ///         once.
    function compute(address clearingHouse, address auth, uint64 index) internal view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, clearingHouse, auth, index));
    }
}
