// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IStoredKeyVerifier} from "./IStoredKeyVerifier.sol";

/// @title Proofs of `reveal`, under one verification key
/// @notice Says whether published numbers are those of a commitment.
/// @dev Safety assumptions
///      - The key is of `reveal` at the preset of its key version, from an honest set-up. It is stored once, by the
///        deployer, after the checks that every key passes.
///      Liveness assumptions
///      - None.
interface IRevealVerifier is IStoredKeyVerifier {
    /// @notice The proof does not hold.
    /// @param rho Its random point.
    error RevelationRejected(uint256 rho);
    /// @notice Stores the key. Only the deployer, once.
    /// @dev Reverts with `KeyFixed`, and as the key registry for a key that is not sound.
    /// @param verifyingKey alpha, beta, gamma, delta and four IC points.
    function fix(bytes calldata verifyingKey) external;

    /// @notice Reverts unless the numbers of which `evaluation` is one at `rho` are those of the commitment.
    /// @dev Reverts with `RevelationRejected`. Warning: rho must be a hash of the commitment and of all those numbers.
    /// @param commitment Of the account.
    /// @param rho 248 bits of a digest.
    /// @param evaluation Sum of number_i rho^i.
    /// @param proof Of reveal.
    function verify(uint256 commitment, uint256 rho, uint256 evaluation, uint256[8] calldata proof) external view;
}
