// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @dev A contract wallet with one owner: a signature is valid if it is the owner's (ERC-1271).
contract TestWallet is IERC1271 {
    address public immutable OWNER;

    constructor(address owner) {
        OWNER = owner;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (address signer, ECDSA.RecoverError problem, ) = ECDSA.tryRecoverCalldata(hash, signature);
        return
            problem == ECDSA.RecoverError.NoError && signer == OWNER ? IERC1271.isValidSignature.selector : bytes4(0);
    }

    /// @dev Runs a call for the owner, for example to take tokens back out of an inbox.
    function execute(address target, bytes calldata data) external returns (bytes memory) {
        require(msg.sender == OWNER, "only the owner");
        (bool success, bytes memory result) = target.call(data);
        require(success, "call failed");
        return result;
    }
}

/// @dev Deploys wallets at addresses that are known before (CREATE2), as ERC-6492 needs; refuses a zero owner.
contract TestWalletFactory {
    function deploy(address owner) external returns (TestWallet) {
        require(owner != address(0), "an owner");
        return new TestWallet{salt: 0}(owner);
    }

    function addressOf(address owner) external view returns (address) {
        bytes32 code = keccak256(abi.encodePacked(type(TestWallet).creationCode, abi.encode(owner)));
        return address(uint160(uint256(keccak256(abi.encodePacked(bytes1(0xff), address(this), bytes32(0), code)))));
    }
}

/// @dev A wallet that, when asked for a signature, burns all the gas that it is given.
contract TestHog is IERC1271 {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        while (true) {}
        return IERC1271.isValidSignature.selector;
    }
}
