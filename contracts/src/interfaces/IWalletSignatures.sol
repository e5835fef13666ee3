// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Signatures of contract wallets
/// @notice Asks a wallet whether it signed (ERC-1271), after deploying it if the signature says how (ERC-6492).
/// @dev A contract of its own because deploying a wallet calls an address of the signature's choice: nothing trusts
///      this contract, it holds nothing and has no rights, so that such a call reaches no further than anybody's.
///      Safety assumptions: a wallet agrees only to what its owner wants.
///      Liveness assumptions: a wallet answers within `WALLET_GAS`, and its factory deploys within `FACTORY_GAS`.
interface IWalletSignatures {
    /// @notice Less gas is left than a wallet, or the factory that deploys it, may use: what comes of it would say
    ///         nothing about the signature.
    /// @param left Gas that is left.
    /// @param needed Gas that must be left.
    error GasTooLow(uint256 left, uint256 needed);

    /// @notice Whether the wallet at `auth` says that it signed. Anyone may ask.
    /// @dev Reverts with `GasTooLow`, or if an ERC-6492 signature is not of its form.
    ///      Warning: a wallet can change its mind about a signature until it is used.
    /// @param auth The wallet.
    /// @param digest EIP-712 digest of the message.
    /// @param signature What the wallet is asked about; with the suffix of ERC-6492, also who deploys the wallet and by
    ///     which call.
    /// @return Whether it agrees; false where there is no code.
    function isValid(address auth, bytes32 digest, bytes calldata signature) external returns (bool);

    /// @notice Gas that a wallet may use for its answer.
    /// @return Gas.
    function WALLET_GAS() external view returns (uint256);

    /// @notice Gas that a factory may use to deploy a wallet.
    /// @return Gas.
    function FACTORY_GAS() external view returns (uint256);
}
