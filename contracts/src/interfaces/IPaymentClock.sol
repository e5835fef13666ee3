// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The live clock, block time less paused time, and the terms of payments, which are counted on it
/// @notice What is due on this clock stays as far off during a pause as it was when the pause began. The clock never
///         goes back and never runs faster than the block's time. One pause stops it for `pauseLimit` at most: a
///         guardian, who cannot end a pause, cannot stop it for ever.
/// @dev Safety assumptions
///      - Block times do not decrease, and stay below 2^40.
///      Liveness assumptions
///      - Who may end a pause does not end pauses and begin new ones in turn.
interface IPaymentClock {
    /// @notice The terms of payments to come were set.
    /// @param delay Seconds of the live clock from release until a payment is due.
    /// @param dailyShare Basis points of what is held that become due a day without a further wait.
    event PaymentTermsSet(uint24 delay, uint16 dailyShare);

    /// @notice Terms of payments are outside their bounds.
    /// @param delay Seconds given.
    /// @param delayLimit Most seconds allowed.
    /// @param dailyShare Basis points given.
    /// @param shareLeast Least basis points allowed.
    /// @param shareLimit Most basis points allowed.
    error PaymentTermsOutOfRange(
        uint24 delay,
        uint24 delayLimit,
        uint16 dailyShare,
        uint16 shareLeast,
        uint16 shareLimit
    );

    /// @notice Sets the terms of payments to come. Only the owner.
    /// @dev What is released before keeps its time. Reverts with `OwnableUnauthorizedAccount` for anybody else, and
    ///      with `PaymentTermsOutOfRange`.
    /// @param delay Seconds of the live clock, at most 24 hours.
    /// @param dailyShare Basis points, 500 to 10,000.
    function setPaymentTerms(uint24 delay, uint16 dailyShare) external;

    /// @notice Time of the live clock, which began as the block's.
    /// @return Seconds.
    function liveTime() external view returns (uint40);

    /// @notice Time of the live clock, and the terms of a payment that is released now; one storage read.
    /// @return time Seconds.
    /// @return delay Seconds of the live clock from release until a payment is due.
    /// @return dailyShare Basis points of what is held that become due a day without a further wait.
    function paymentTerms() external view returns (uint40 time, uint24 delay, uint16 dailyShare);

    /// @notice Block time at which the pause that goes on began; 0 without one.
    /// @return Unix seconds.
    function pausedAt() external view returns (uint40);

    /// @notice Longest that one pause stops the clock.
    /// @return Seconds.
    function pauseLimit() external view returns (uint40);

    /// @notice Who may pause, and veto payments before they are due.
    /// @return The guardian.
    function guardian() external view returns (address);
}
