// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title VenueTimelock
/// @notice Owner of the oracle and the registry: what it does was announced at least LEAST_DELAY before, so that
///         everyone who disagrees can leave. Nobody but itself administers it.
contract VenueTimelock is TimelockController {
    /// @notice Seconds from an announcement until it can be carried out, at least: a delay set below counts as this
    ///         one.
    uint256 public constant LEAST_DELAY = 2 days;
    /// @notice Longest delay, which counts for any that is set above it. What the guardian stopped waits for the owner,
    ///         for a bounded time: a suspended key for 45 days, of which a successor's activation takes 30 at most, and
    ///         a vetoed payment for 14.
    uint256 public constant DELAY_LIMIT = 10 days;

    /// @notice A delay outside its bounds.
    /// @param delay Seconds given.
    /// @param least Least seconds.
    /// @param limit Most seconds.
    error TimelockDelayOutOfRange(uint256 delay, uint256 least, uint256 limit);

    constructor(
        uint256 delay,
        address[] memory proposers,
        address[] memory executors
    ) TimelockController(delay, proposers, executors, address(0)) {
        if (delay < LEAST_DELAY || delay > DELAY_LIMIT) {
            revert TimelockDelayOutOfRange(delay, LEAST_DELAY, DELAY_LIMIT);
        }
    }

    /// @inheritdoc TimelockController
    function getMinDelay() public view override returns (uint256) {
        uint256 delay = super.getMinDelay();
        if (delay < LEAST_DELAY) return LEAST_DELAY;
        return delay > DELAY_LIMIT ? DELAY_LIMIT : delay;
    }
}
