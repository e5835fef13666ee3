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
