// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CollateralVault} from "./CollateralVault.sol";

/// @title A desk that the clearing house finds by the selector of a call, and that moves money in its vault
abstract contract VaultDesk {
    /// @notice The vault of the clearing house.
    CollateralVault public immutable VAULT;

    constructor(CollateralVault vault) {
        VAULT = vault;
    }
}
