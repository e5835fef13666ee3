// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EpochPoint} from "./IClearingHouse.sol";
import {DefaultCase, IDefaultBook} from "./IDefaultBook.sol";
import {IRevealVerifier} from "./IRevealVerifier.sol";

/// @notice A bid: the book merges into the bidder's account, whose initial margin is proved with it.
/// @param book The account in default.
/// @param account The bidder's.
/// @param commitmentOld Of the bidder's account.
/// @param commitmentNew Of the same with the book in it.
/// @param price Micro-dollars that the bidder pays, or with a minus receives.
/// @param cash Of the book, as revealed, micro-dollars.
/// @param words Positions of the book, as revealed.
/// @param submitter Who alone may carry it in; zero for anyone.
/// @param deadline Unix seconds.
/// @param epoch At which initial margin is proved.
/// @param signature Of the bidder's auth, over Bid.
/// @param proof Of `transition`.
struct BidRequest {
    bytes32 book;
    bytes32 account;
    uint256 commitmentOld;
    uint256 commitmentNew;
    int128 price;
    int128 cash;
    uint256[] words;
    address submitter;
    uint40 deadline;
    EpochPoint epoch;
    bytes signature;
    uint256[8] proof;
}

/// @title Accounts that miss their deadline, up to a new owner of their book
/// @notice An account that holds derivatives must prove margin again within `lease` of its last proof. When `grace` has
///         passed too, anyone may freeze it. Its committee opens it in private. Is it solvent, a proof of maintenance
///         redeems it; bounty and fee come out of its bond. Is it not, its positions are revealed, publishers appraise
///         them, and the first bid at a price that falls from their value takes them over; what was paid is the former
///         owner's to claim.
///         Deadlines, window and auction run on a clock of their own. It advances by `tick`, by at most five minutes at
///         a time, and only while an epoch of its key version serves proofs, that key verifies, and no step of the
///         listing is waiting for its settlement: a stale oracle, a pause or a halt of the chain makes nobody overdue
///         and lets no price fall while nobody can bid.
/// @dev Safety assumptions
///      - A quorum appraises a book at its value. Until the price has fallen to what the book is worth nobody bids, so
///        too high an appraisal costs time, too low a one costs the former owner. It also signs how far the price may
///        fall: whoever bids alone, as for a book too large for anybody else, gets no more of the surplus than that.
///      - Fewer than t members of the committee open accounts that are not in default; the contract cannot see it.
///      Liveness assumptions
///      - Somebody ticks, freezes and bids. t members of the committee open and reveal.
///      Warning: runs in the clearing house's storage, by delegated calls alone. Serves one key version: an account
///      that moves to another stays frozen until it redeems, but is not revealed here.
interface IDefaultDesk is IDefaultBook {
    /// @notice A frozen account is active again. Its owner should move to a new viewing key.
    /// @param account The account.
    /// @param lateFee Micro-dollars taken from its bond.
    event Redeemed(bytes32 indexed account, uint64 lateFee);
    /// @notice A frozen account's positions, proved to be what its commitment holds.
    /// @param account The account.
    /// @param commitment Its commitment.
    /// @param generation Version of the listing in which its slots are meant.
    /// @param cash Micro-dollars.
    /// @param words Positions, seven to a word.
    event Revealed(bytes32 indexed account, uint256 commitment, uint24 generation, int128 cash, uint256[] words);
    /// @notice The auction of a book began.
    /// @param account The account.
    /// @param epoch Number of the epoch at whose prices it was appraised.
    /// @param start First price, micro-dollars.
    /// @param floor Last price, micro-dollars.
    event AuctionBegun(bytes32 indexed account, uint64 epoch, int128 start, int128 floor);
    /// @notice A book has a new owner.
    /// @param book The account whose it was, closed now.
    /// @param account The account that holds it now.
    /// @param commitment New commitment of that account.
    /// @param price Micro-dollars that the former owner may claim, or with a minus that the surplus paid.
    /// @param cashFlow Micro-dollars into the account.
    /// @param epoch Number of the epoch whose initial margin was proved.
    /// @param generation Generation of the account after it.
    event TakenOver(
        bytes32 indexed book,
        bytes32 indexed account,
        uint256 commitment,
        int128 price,
        int128 cashFlow,
        uint64 epoch,
        uint24 generation
    );
    /// @notice The surplus, which pays what books lack, grew.
    /// @param amount Micro-dollars.
    event SurplusAdded(uint256 amount);

    /// @notice No proof of maintenance since the freeze is fresh.
    /// @param account The account.
    /// @param frozenAt Unix seconds.
    error NotRedeemable(bytes32 account, uint40 frozenAt);
    /// @notice A published number is out of its range, or the list has another length.
    /// @param place 0 for cash, then the words.
    /// @param count Numbers expected.
    error BookMalformed(uint256 place, uint256 count);
    /// @notice The book was revealed already, and the account has not moved since.
    /// @param account The account.
    error AlreadyRevealed(bytes32 account);
    /// @notice No auction of this account goes on.
    /// @param account The account.
    error NoAuction(bytes32 account);
    /// @notice The bid is below the price.
    /// @param price Bid, micro-dollars.
    /// @param needed Micro-dollars now.
    error PriceTooLow(int128 price, int128 needed);
    /// @notice Only auth takes what is left of a closed account's bond.
    /// @param account The account.
    error BondKept(bytes32 account);

    /// @notice Makes a frozen account active again that has proved maintenance since, or is flat. Anyone may call.
    /// @dev Reverts with `NotInDefault` and `NotRedeemable`.
    /// @param account The account.
    function redeem(bytes32 account) external;

    /// @notice Publishes a frozen account's positions, once for each state that it has. Anyone may who can prove them.
    /// @dev Reverts with `NotInDefault`, `KeyVersionWrong`, `BookMalformed`, `AlreadyRevealed`, and as REVEALS if the
    ///      proof does not hold.
    /// @param account The account.
    /// @param cash Micro-dollars.
    /// @param words Positions, seven to a word.
    /// @param proof Of reveal.
    function reveal(bytes32 account, int128 cash, uint256[] calldata words, uint256[8] calldata proof) external;

    /// @notice Begins the auction of a revealed book at the value that publishers signed, down to the price that they
    ///         signed; again once an auction is over. Anyone may call.
    /// @dev Reverts with `NotInDefault`, `AppraisalTooEarly`, `BookStale`, `AppraisalOutdated`, and as the oracle for a
    ///      stale epoch or no quorum.
    /// @param account The account.
    /// @param epoch Number of the epoch at whose prices it was appraised: at or after the latest at the revelation, and
    ///     after that of the last appraisal.
    /// @param equity Its equity, micro-dollars.
    /// @param floor Lowest price, micro-dollars; with a minus, what the surplus may pay at most.
    /// @param signatures Of publishers, over Appraisal, in the order of the oracle.
    function appraise(bytes32 account, uint64 epoch, int128 equity, int128 floor, bytes[] calldata signatures) external;

    /// @notice Takes a book over at a price not below the present one. Anyone may call, or the named submitter.
    /// @dev Reverts with `NotInDefault`, `BookStale`, `NoAuction`, `PriceTooLow`, `Redeemable`, `CashFlowTooLarge`, and
    ///      as a trade's side.
    /// @param request The bid.
    /// @return cashFlow Micro-dollars into the bidder's account.
    function bid(BidRequest calldata request) external returns (int128 cashFlow);

    /// @notice Turns what was funded for `INSURANCE` into surplus. Anyone may call.
    /// @dev Reverts as the vault, if less was funded.
    /// @param amount Micro-dollars.
    function insure(uint256 amount) external;

    /// @notice Pays what is left of a closed account's bond. Only its auth may call.
    /// @dev Reverts with `BondKept`, and as the vault for a recipient that it refuses.
    /// @param account The account.
    /// @param to Who may claim it.
    function takeBond(bytes32 account, address to) external;

    /// @notice The account's case.
    /// @param account The account.
    /// @return The case.
    function caseOf(bytes32 account) external view returns (DefaultCase memory);

    /// @notice Price of a book now.
    /// @param account The account.
    /// @return Micro-dollars; reverts with `NoAuction`.
    function priceOf(bytes32 account) external view returns (int128);

    /// @notice Micro-dollars that books may lack before anybody loses.
    /// @return The surplus.
    function surplus() external view returns (uint256);

    /// @notice Inbox into which an account's bond is funded.
    /// @param account The account.
    /// @return Number to fund.
    function bondOf(bytes32 account) external pure returns (bytes32);

    /// @notice Inbox into which the surplus is funded.
    /// @return Number to fund.
    function INSURANCE() external view returns (bytes32);

    /// @notice What checks revelations.
    /// @return The verifier.
    function REVEALS() external view returns (IRevealVerifier);

    /// @notice Version of the keys that the desk serves.
    /// @return The version.
    function KEY_VERSION() external view returns (uint16);
}
