// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Cheats} from "./Cheats.sol";

/// @title Deploys contracts from artifacts, so that a test compiles interfaces only
/// @notice By default the artifacts are the project's own, which imports `ZkMarginSystem.sol` for that;
///         ZKMARGIN_ARTIFACTS names a folder of others.
abstract contract Deployer {
    Cheats internal constant CHEATS = Cheats(address(uint160(uint256(keccak256("hevm cheat code")))));

    function deployCode(string memory file, string memory name, bytes memory arguments) internal returns (address) {
        return create(bytes.concat(getCode(file, name), arguments));
    }

    function getCode(string memory file, string memory name) internal view returns (bytes memory) {
        string memory folder = CHEATS.envOr("ZKMARGIN_ARTIFACTS", "");
        return
            CHEATS.getCode(
                bytes(folder).length == 0
                    ? string.concat(file, ".sol:", name)
                    : string.concat(folder, "/", name, ".json")
            );
    }

    /// @dev Reverts with the constructor's reason.
    function create(bytes memory code) internal returns (address made) {
        assembly ("memory-safe") {
            made := create(0, add(code, 0x20), mload(code))
            if iszero(made) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }
}
