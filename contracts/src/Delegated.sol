// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Code that the clearing house runs in its own storage
abstract contract Delegated {
    /// @dev This contract's own address, which is not `address(this)` in a delegated call.
    address private immutable SELF = address(this);

    /// @notice This contract is called through the clearing house, never by itself.
    error OnlyDelegated();

    modifier onlyDelegated() {
        if (address(this) == SELF) revert OnlyDelegated();
        _;
    }
}
