// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev The cheat codes that are used here: Foundry's, and halmos's own.
interface SymbolicCheats {
    function assume(bool condition) external pure;

    function createAddress(string calldata name) external view returns (address);

    function createUint(uint256 bits, string calldata name) external view returns (uint256);

    function enableSymbolicStorage(address target) external;

    function getCode(string calldata artifact) external view returns (bytes memory);

    function load(address target, bytes32 slot) external view returns (bytes32);

    function prank(address sender) external;

    function warp(uint256 time) external;
}
