// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Rate limit of a token's payments: a leaky bucket as a queue
/// @notice The bucket's level is what was paid out lately, in token units. It drains by a daily share of what the
///         hidden accounts hold, and holds as much without delay; what exceeds that waits until it would have drained
///         (the generic cell rate algorithm, ITU-T I.371, which delays where a policer refuses).
/// @dev The share is of `held + level`, what was held before those payments, so that many who leave one after the other
///      are not measured against less and less. Hence
///      - at most `share * (1 + d)` of the greatest `held + level` becomes due within d days, and
///      - nobody waits longer than `1 / share - 1` days, whatever others do, as level <= held + level.
library OutflowMeter {
    /// @notice Seconds in which a full bucket drains.
    uint256 internal constant PERIOD = 1 days;
    /// @notice A share of one, in basis points.
    uint256 internal constant WHOLE = 10_000;

    /// @notice Adds a payment to the bucket.
    /// @dev With amounts below 2^96, shares below 2^16 and times below 2^40 no product reaches 2^154.
    /// @param held Token units that the hidden accounts hold, with the payment still in; at least `amount`.
    /// @param level Level of the bucket when it was last looked at, token units.
    /// @param elapsed Seconds since then.
    /// @param amount The payment, token units.
    /// @param share Basis points of `held + level` that drain in a period; above 0.
    /// @return levelAfter Level of the bucket with the payment.
    /// @return wait Seconds until the level would have drained to one period's share; rounded up.
    function add(
        uint256 held,
        uint256 level,
        uint256 elapsed,
        uint256 amount,
        uint256 share
    ) internal pure returns (uint256 levelAfter, uint256 wait) {
        unchecked {
            uint256 drained = ((held + level) * share * elapsed) / (WHOLE * PERIOD);
            level = level > drained ? level - drained : 0;
            levelAfter = level + amount;
            uint256 capacity = (held + level) * share; // times WHOLE
            if (levelAfter * WHOLE > capacity) {
                wait = ((levelAfter * WHOLE - capacity) * PERIOD + capacity - 1) / capacity;
            }
        }
    }
}
