// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ActionRules} from "../generated/ActionRules.sol";
import {PolicyAttestation} from "../interfaces/IClearingHouse.sol";

/// @title What an attestation speaks of, and how it is stored
library Attestations {
    /// @notice 192 bits of keccak256(commitment, key version, content): of which state of an account, under which key,
    ///         and of which content of the policy. Content is the hash of the policy's point, which may change with
    ///         every epoch; of maintenance it is left out, since that is whatever the epoch says it is.
    /// @dev Two states of an account with one tag are found with 2^96 hashes.
    function tag(
        uint256 commitment,
        uint16 keyVersion,
        bytes32 policy,
        bytes32 pointHash
    ) internal pure returns (uint192) {
        bytes32 content = policy == ActionRules.NAME_MAINTENANCE ? bytes32(0) : pointHash;
        return uint192(uint256(keccak256(abi.encode(commitment, keyVersion, content))));
    }

    /// @notice The word that is stored of an attestation.
    function pack(uint32 time, uint32 epoch, uint192 tag_) internal pure returns (uint256) {
        return uint256(time) | (uint256(epoch) << 32) | (uint256(tag_) << 64);
    }

    /// @notice What `pack` made a word of.
    function unpack(uint256 word) internal pure returns (PolicyAttestation memory) {
        return PolicyAttestation({time: uint32(word), epoch: uint32(word >> 32), tag: uint192(word >> 64)});
    }
}
