// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccountDesk} from "./AccountDesk.sol";
import {BatchDesk} from "./BatchDesk.sol";
import {ClearingHouse} from "./ClearingHouse.sol";
import {CollateralVault} from "./CollateralVault.sol";
import {DefaultDesk} from "./DefaultDesk.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {IMarginVerifier} from "./interfaces/IMarginVerifier.sol";
import {IRiskOracle} from "./interfaces/IRiskOracle.sol";

/// @title DefaultHouse
/// @notice A clearing house with a desk for defaults: whatever it does not know itself goes there (IDefaultDesk).
contract DefaultHouse is ClearingHouse {
    /// @notice The desk for defaults.
    DefaultDesk public immutable DEFAULTS;

    constructor(
        IKeyRegistry registry,
        IRiskOracle oracle,
        IMarginVerifier verifier,
        CollateralVault vault,
        AccountDesk desk,
        BatchDesk batches,
        DefaultDesk defaults
    ) ClearingHouse(registry, oracle, verifier, vault, desk, batches) {
        _requireShared(defaults);
        _requireNamed(address(defaults), address(defaults.VAULT()), address(vault));
        DEFAULTS = defaults;
    }

    /// @notice Whatever the clearing house does not know itself goes to the desk, in this contract's storage.
    fallback() external {
        _delegate(address(DEFAULTS));
    }
}
