// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev Foundry's cheat codes, as far as they are used here; forge-std is not on npm.
interface Cheats {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function addr(uint256 key) external pure returns (address);

    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);

    function envOr(string calldata name, string calldata fallback_) external view returns (string memory);

    function getCode(string calldata artifact) external view returns (bytes memory);

    function getNonce(address account) external view returns (uint64);

    function getRecordedLogs() external returns (Log[] memory);

    function prank(address sender) external;

    function recordLogs() external;

    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);

    function warp(uint256 time) external;
}
