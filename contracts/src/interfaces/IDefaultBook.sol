// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Terms of defaults, fixed when the desk is made. Times are seconds, amounts micro-dollars.
/// @param lease How long a proof holds, on the clock of deadlines.
/// @param grace What follows the lease, on the same clock.
/// @param window From the revelation to the appraisal, on the same clock.
/// @param auction In which the price falls to its floor, likewise.
/// @param marginPeriod What the margin model covers, seconds of prices; at least the four together.
/// @param bounty To whoever freezes, out of the account's bond.
/// @param lateFee Of a redeemed account, out of its bond into the surplus.
/// @param leases How long an attestation of level 1, 2, 3 holds, on the clock of deadlines.
/// @param periods What the policy of level 1, 2, 3 covers, seconds of prices; at least lease, grace, window, auction.
/// @param callGrace What an early call leaves, on the clock of deadlines.
struct DefaultTerms {
    uint32 lease;
    uint32 grace;
    uint32 window;
    uint32 auction;
    uint32 marginPeriod;
    uint64 bounty;
    uint64 lateFee;
    uint32[3] leases;
    uint32[3] periods;
    uint32 callGrace;
}

/// @notice An account in default.
/// @param frozenAt Unix seconds; 0 without a case.
/// @param revealedAt Seconds of the clock of deadlines; 0 before.
/// @param auctionAt At which the price begins to fall, likewise; 0 before.
/// @param leastEpoch Number of the first epoch at which an appraisal is taken.
/// @param commitment Which was revealed.
/// @param bookHash keccak256(abi.encode(cash, words)) of what was revealed.
/// @param start Price at the beginning, micro-dollars.
/// @param floor Price at the end, micro-dollars: as publishers signed, but not below minus the surplus of that moment.
struct DefaultCase {
    uint40 frozenAt;
    uint40 revealedAt;
    uint40 auctionAt;
    uint64 leastEpoch;
    uint256 commitment;
    bytes32 bookHash;
    int128 start;
    int128 floor;
}

/// @title What the desks for accounts in default share
/// @notice Errors, and what all are made for.
/// @dev Safety assumptions and Liveness assumptions: those of IDefaultDesk.
interface IDefaultBook {
    /// @notice Terms that contradict each other, or a part that is missing.
    /// @param what Which of them.
    /// @param value Given.
    /// @param limit Allowed.
    error TermsInvalid(bytes32 what, uint256 value, uint256 limit);
    /// @notice The account is flat, or has proved maintenance since its freeze: it can be redeemed, and nothing of it
    ///         is sold.
    /// @param account The account.
    error Redeemable(bytes32 account);
    /// @notice The account is not in default.
    /// @param account The account.
    error NotInDefault(bytes32 account);
    /// @notice What the call states is not the book as it was revealed, or the account has moved since.
    /// @param account The account.
    error BookStale(bytes32 account);
    /// @notice The appraisal comes before the window's end, or before the end of an auction that goes on.
    /// @param account The account.
    /// @param from Seconds of the clock of deadlines from which it is taken.
    error AppraisalTooEarly(bytes32 account, uint40 from);
    /// @notice The appraisal is at prices from before the revelation, or not later than those of the last one.
    /// @param account The account.
    /// @param epoch Number of its epoch.
    /// @param least Number of the first epoch that is taken.
    error AppraisalOutdated(bytes32 account, uint64 epoch, uint64 least);
    /// @notice The cash that would move is too large for the statement.
    /// @param cashFlow Micro-dollars.
    error CashFlowTooLarge(int256 cashFlow);
}
