// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Owned} from "./Owned.sol";
import {IPaymentClock} from "./interfaces/IPaymentClock.sol";

/// @title PaymentClock
/// @notice What it does and what it relies on is written in IPaymentClock.
abstract contract PaymentClock is IPaymentClock, Owned {
    /// @dev One word, which every payment reads.
    struct Clock {
        uint40 pausedAt; // block time; 0 while it runs
        uint40 lost; // seconds that it stood in all pauses that have ended
        uint24 delay; // seconds
        uint16 dailyShare; // basis points
    }

    uint24 private constant DELAY_LIMIT = 24 hours;
    uint16 private constant SHARE_LEAST = 500;
    uint16 private constant SHARE_LIMIT = 10_000;
    uint40 private constant PAUSE_LIMIT = 7 days;

    Clock private _clock = Clock({pausedAt: 0, lost: 0, delay: 30 minutes, dailyShare: 2_000});

    /// @inheritdoc IPaymentClock
    function setPaymentTerms(uint24 delay, uint16 dailyShare) external onlyOwner {
        if (delay > DELAY_LIMIT || dailyShare < SHARE_LEAST || dailyShare > SHARE_LIMIT) {
            revert PaymentTermsOutOfRange(delay, DELAY_LIMIT, dailyShare, SHARE_LEAST, SHARE_LIMIT);
        }
        (_clock.delay, _clock.dailyShare) = (delay, dailyShare);
        emit PaymentTermsSet(delay, dailyShare);
    }

    /// @inheritdoc IPaymentClock
    function liveTime() public view returns (uint40) {
        return _toLive(_clock);
    }

    /// @inheritdoc IPaymentClock
    function paymentTerms() external view returns (uint40 time, uint24 delay, uint16 dailyShare) {
        Clock memory clock = _clock;
        return (_toLive(clock), clock.delay, clock.dailyShare);
    }

    /// @inheritdoc IPaymentClock
    function pausedAt() external view returns (uint40) {
        return _clock.pausedAt;
    }

    /// @inheritdoc IPaymentClock
    function pauseLimit() external pure returns (uint40) {
        return PAUSE_LIMIT;
    }

    /// @dev Nothing where it stands already: a second pause must not begin the first one's limit anew.
    function _stopClock() internal {
        if (_clock.pausedAt == 0) _clock.pausedAt = uint40(block.timestamp);
    }

    /// @dev Nothing where it runs.
    function _startClock() internal {
        Clock memory clock = _clock;
        clock.lost += _stoppedFor(clock.pausedAt);
        clock.pausedAt = 0;
        _clock = clock;
    }

    function _toLive(Clock memory clock) private view returns (uint40) {
        return uint40(block.timestamp) - clock.lost - _stoppedFor(clock.pausedAt);
    }

    function _stoppedFor(uint40 since) private view returns (uint40) {
        if (since == 0) return 0;
        uint40 elapsed = uint40(block.timestamp) - since;
        return elapsed < PAUSE_LIMIT ? elapsed : PAUSE_LIMIT;
    }
}
