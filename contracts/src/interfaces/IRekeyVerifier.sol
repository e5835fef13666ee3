// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IStoredKeyVerifier} from "./IStoredKeyVerifier.sol";

/// @notice Public signals of `rekey` but for the committee's key.
/// @param commitmentOld Of the account under its present viewing key.
/// @param commitmentNew Of the same state under the new one.
/// @param ephemeralX Ephemeral point of the new key's escrow.
/// @param ephemeralY Its other coordinate.
/// @param escrowedKey The encrypted new key.
/// @param rho 248 bits of a digest, which covers the checkpoint.
/// @param evaluation Sum of number_i rho^i over the checkpoint.
struct Rekeying {
    uint256 commitmentOld;
    uint256 commitmentNew;
    uint256 ephemeralX;
    uint256 ephemeralY;
    uint256 escrowedKey;
    uint256 rho;
    uint256 evaluation;
}

/// @title Proofs of `rekey`, under one verification key and for one committee
/// @notice Says whether a commitment holds the same state under a new viewing key, which is escrowed to the committee,
///         and whether the checkpoint is that state under the new key.
/// @dev Safety assumptions
///      - Those of IStoredKeyVerifier; and the committee's key is the one that its deployer names, which anybody can
///        compare with the key registry's.
///      Liveness assumptions
///      - None.
interface IRekeyVerifier is IStoredKeyVerifier {
    /// @notice The proof does not hold.
    /// @param rho Its random point.
    error RekeyRejected(uint256 rho);
    /// @notice The committee's key is no point of the subgroup, or the identity.
    /// @param x Of the key.
    /// @param y Its other coordinate.
    error CommitteeInvalid(uint256 x, uint256 y);

    /// @notice Stores the key, with the committee's terms in its constant. Only the deployer, once.
    /// @dev Reverts with `KeyFixed`, `CommitteeInvalid`, and as the key registry for a key that is not sound.
    /// @param verifyingKey alpha, beta, gamma, delta and ten IC points.
    /// @param x The committee's key.
    /// @param y Its other coordinate.
    function fix(bytes calldata verifyingKey, uint256 x, uint256 y) external;

    /// @notice Reverts unless the proof holds.
    /// @dev Reverts with `RekeyRejected`. Warning: rho must be a hash of both commitments and of the whole checkpoint.
    /// @param rekeying The signals.
    /// @param proof Of rekey.
    function verify(Rekeying calldata rekeying, uint256[8] calldata proof) external view;

    /// @notice The committee's key to which new viewing keys are escrowed.
    /// @return A coordinate.
    function committeeX() external view returns (uint256);

    /// @notice The other coordinate of the committee's key.
    /// @return It.
    function committeeY() external view returns (uint256);
}
