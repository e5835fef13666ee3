// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Groth16Checks} from "./Groth16Checks.sol";
import {IStoredKeyVerifier} from "./interfaces/IStoredKeyVerifier.sol";
import {KeyChecks} from "./libraries/KeyChecks.sol";

/// @title StoredKeyVerifier
/// @notice What it does and what it relies on is written in IStoredKeyVerifier.
abstract contract StoredKeyVerifier is Groth16Checks, IStoredKeyVerifier {
    /// @inheritdoc IStoredKeyVerifier
    address public immutable DEPLOYER = msg.sender;
    /// @inheritdoc IStoredKeyVerifier
    address public key;

    /// @dev Looks at a key of so many IC points; the caller stores it, or what it made of it.
    function _requireFixable(bytes calldata verifyingKey, uint256 points) internal view {
        if (key != address(0) || msg.sender != DEPLOYER) revert KeyFixed();
        KeyChecks.requireSound(verifyingKey, points);
    }
}
