// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title A verifier of one circuit under one key
/// @notice Its deployer stores the key once, after the checks that every key passes.
/// @dev Safety assumptions
///      - The key is of the circuit, at the preset of its key version, from an honest set-up.
///      Liveness assumptions
///      - None.
interface IStoredKeyVerifier {
    /// @notice The key is stored already, or the caller is not the deployer.
    error KeyFixed();

    /// @notice Where the key is stored as code.
    /// @return The address; zero before `fix`.
    function key() external view returns (address);

    /// @notice Who may store the key.
    /// @return The deployer.
    function DEPLOYER() external view returns (address);
}
