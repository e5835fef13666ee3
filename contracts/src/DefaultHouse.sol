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
        if (
            address(defaults.REGISTRY()) != address(registry) ||
            address(defaults.ORACLE()) != address(oracle) ||
            address(defaults.VERIFIER()) != address(verifier) ||
            address(defaults.VAULT()) != address(vault)
        ) revert WiringWrong(address(defaults), address(defaults.VAULT()));
        DEFAULTS = defaults;
    }

    /// @notice Whatever the clearing house does not know itself goes to the desk, in this contract's storage.
    fallback() external {
        _delegateTo(address(DEFAULTS));
    }

    /// @dev Returns what the desk returns; it takes the lock itself.
    function _delegateTo(address desk) private {
        assembly ("memory-safe") {
            let words := mload(0x40)
            calldatacopy(words, 0, calldatasize())
            let done := delegatecall(gas(), desk, words, calldatasize(), 0, 0)
            returndatacopy(words, 0, returndatasize())
            if iszero(done) {
                revert(words, returndatasize())
            }
            return(words, returndatasize())
        }
    }
}
