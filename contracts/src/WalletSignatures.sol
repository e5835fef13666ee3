// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {IWalletSignatures} from "./interfaces/IWalletSignatures.sol";

/// @title WalletSignatures
/// @notice What it does and what it relies on is written in IWalletSignatures.
contract WalletSignatures is IWalletSignatures, ERC165 {
    /// @dev Last word of a signature of a wallet that is not deployed yet (ERC-6492).
    bytes32 private constant UNDEPLOYED = 0x6492649264926492649264926492649264926492649264926492649264926492;

    /// @inheritdoc IWalletSignatures
    uint256 public constant WALLET_GAS = 300_000;
    /// @inheritdoc IWalletSignatures
    uint256 public constant FACTORY_GAS = 3_000_000;

    /// @inheritdoc IWalletSignatures
    function isValid(address auth, bytes32 digest, bytes calldata signature) external returns (bool) {
        if (signature.length < 0x20 || bytes32(signature[signature.length - 0x20:]) != UNDEPLOYED) {
            return _agrees(auth, digest, signature);
        }
        (address factory, bytes memory making, bytes memory inner) = abi.decode(
            signature[:signature.length - 0x20],
            (address, bytes, bytes)
        );
        if (auth.code.length == 0) {
            _requireGas(FACTORY_GAS);
            // Whether it succeeded shows in the wallet's code; what it returned is not copied.
            assembly ("memory-safe") {
                pop(call(FACTORY_GAS, factory, 0, add(making, 0x20), mload(making), 0, 0))
            }
        }
        return _agrees(auth, digest, inner);
    }

    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IWalletSignatures).interfaceId || super.supportsInterface(interfaceId);
    }

    /// @dev Looks at the first word of the answer only: a long one is not copied.
    function _agrees(address auth, bytes32 digest, bytes memory signature) private view returns (bool agrees) {
        if (auth.code.length == 0) return false;
        bytes memory question = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        _requireGas(WALLET_GAS);
        bytes32 magic = IERC1271.isValidSignature.selector;
        assembly ("memory-safe") {
            mstore(0, 0)
            let answered := staticcall(WALLET_GAS, auth, add(question, 0x20), mload(question), 0, 0x20)
            agrees := and(and(answered, gt(returndatasize(), 0x1f)), eq(mload(0), magic))
        }
    }

    /// @dev Reverts unless a call can be given that much: it is given 63/64 of what is left at most (EIP-150).
    function _requireGas(uint256 given) private view {
        uint256 needed = given + given / 63 + 5_000;
        if (gasleft() < needed) revert GasTooLow(gasleft(), needed);
    }
}
