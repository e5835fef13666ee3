// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IKeyRegistry, KeyRegistration} from "../interfaces/IKeyRegistry.sol";

/// @title For tests alone: a registry whose version 1 is live from the start, and has no key behind it
/// @notice Goes with AcceptAllVerifier. A test may suspend the version, and resume it; nothing can be registered, so
///         there is no successor in whose favour to revoke it.
contract OneKeyRegistry is IKeyRegistry {
    uint16 private constant SLOTS = 16;
    uint40 private constant SUSPENSION = 45 days;
    /// @inheritdoc IKeyRegistry
    uint40 public constant ACTIVATION_DELAY = 0;
    /// @inheritdoc IKeyRegistry
    address public guardian;
    uint40 private _suspendedUntil;

    /// @inheritdoc IKeyRegistry
    function register(KeyRegistration calldata) external pure returns (uint16) {
        revert KeyUnknown(2, 1);
    }

    /// @inheritdoc IKeyRegistry
    function suspend(uint16 version) external {
        _requireLive(version);
        _suspendedUntil = uint40(block.timestamp) + SUSPENSION;
        emit KeySuspended(version, _suspendedUntil);
    }

    /// @inheritdoc IKeyRegistry
    function resume(uint16 version) external {
        _suspendedUntil = 0;
        emit KeyResumed(version);
    }

    /// @inheritdoc IKeyRegistry
    function revoke(uint16 version, uint16 successor) external pure {
        revert SuccessorInvalid(version, successor);
    }

    /// @inheritdoc IKeyRegistry
    function setGuardian(address guardian_) external {
        guardian = guardian_;
        emit KeyGuardianSet(guardian_);
    }

    /// @inheritdoc IKeyRegistry
    function successorOf(uint16 version) external pure returns (uint16) {
        revert KeyNotRevoked(version);
    }

    /// @inheritdoc IKeyRegistry
    function latest() external pure returns (uint16) {
        return 1;
    }

    /// @inheritdoc IKeyRegistry
    function transitionKey(uint16 version) external view returns (address key, uint16 slots) {
        _requireLive(version);
        return (address(this), SLOTS);
    }

    /// @inheritdoc IKeyRegistry
    function openKey(uint16 version) external view returns (address) {
        _requireLive(version);
        return address(this);
    }

    /// @inheritdoc IKeyRegistry
    function flatPoint(uint16 version) external view returns (uint256 x, uint256 y) {
        _requireLive(version);
        return (1, 2);
    }

    /// @inheritdoc IKeyRegistry
    function versionOf(bytes32) external pure returns (uint16) {
        return 1;
    }

    /// @inheritdoc IKeyRegistry
    function isLive(uint16 version) external view returns (bool) {
        return version == 1 && block.timestamp >= _suspendedUntil;
    }

    function _requireLive(uint16 version) private view {
        if (version != 1) revert KeyUnknown(version, 1);
        if (block.timestamp < _suspendedUntil) revert KeyIsSuspended(version, _suspendedUntil);
    }
}
