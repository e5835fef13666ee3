// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Account numbers
library AccountId {
    /// @notice keccak256(abi.encode(chain id, clearing house, auth, index)): chosen before anything is signed, usable
    ///         once.
    /// @param chainId Id of the chain at deployment, so that the numbers stay what they are should a fork change it.
    function compute(
        uint256 chainId,
        address clearingHouse,
        address auth,
        uint64 index
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(chainId, clearingHouse, auth, index));
    }
}
