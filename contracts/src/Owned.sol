// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

/// @title An owner that hands over in two steps and cannot leave the place empty
/// @dev Without an owner a guardian's pause would never end.
abstract contract Owned is Ownable2Step {
    /// @notice The owner names a successor instead.
    error OwnerNeeded();

    /// @notice Refused, with `OwnerNeeded`: what the guardian stops, only an owner sets going again.
    function renounceOwnership() public pure override {
        revert OwnerNeeded();
    }
}
