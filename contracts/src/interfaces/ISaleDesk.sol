// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Flow} from "../generated/Messages.sol";
import {EpochPoint} from "./IClearingHouse.sol";
import {IDefaultBook} from "./IDefaultBook.sol";

/// @notice A sale of a part of a book in default. Buyer and book change in one step.
/// @param book The account in default.
/// @param account The buyer's.
/// @param commitmentOld Of the buyer's account.
/// @param commitmentNew Of the same with the part in it, and the price paid.
/// @param bookCommitmentNew Of the account in default without the part, and with the price.
/// @param part Lots out of the book into the buyer's account, in strictly rising order of slots.
/// @param price Micro-dollars that the buyer pays, or with a minus receives.
/// @param floor Lowest price that the quorum signed for this part.
/// @param cash Of the book, as revealed, micro-dollars.
/// @param words Positions of the book, as revealed.
/// @param submitter Who alone may carry it in; zero for anyone.
/// @param deadline Unix seconds.
/// @param epoch At which initial margin of the buyer is proved, and at whose prices the quorum signed.
/// @param signature Of the buyer's auth, over PartPurchase.
/// @param quorum Signatures of publishers, over PartOffer, in the order of the oracle.
/// @param proof Of `transition`, the buyer's.
/// @param bookProof Of `transition`, the book's; whoever has its viewing key makes it.
struct PartSaleRequest {
    bytes32 book;
    bytes32 account;
    uint256 commitmentOld;
    uint256 commitmentNew;
    uint256 bookCommitmentNew;
    Flow[] part;
    int128 price;
    int128 floor;
    int128 cash;
    uint256[] words;
    address submitter;
    uint40 deadline;
    EpochPoint epoch;
    bytes signature;
    bytes[] quorum;
    uint256[8] proof;
    uint256[8] bookProof;
}

/// @title Sales of a part of a book in default
/// @notice Before all of a book is auctioned, a part of it may be sold: lots that relieve its requirement most. What
///         is left keeps its owner. A proof of maintenance of what is left redeems it, as any frozen account's does.
///         The part only brings positions nearer to zero. Its lowest price, signed by a quorum of publishers for that
///         very part, is what leaves the book's equity over its requirement no worse than it was.
/// @dev Safety assumptions
///      - A quorum signs only parts and lowest prices after which equity over requirement is no worse. The contract
///        knows neither prices nor requirement.
///      - Whoever has the viewing key of the book, its owner or t members of the committee, chooses among buyers: the
///        book's proof names one purchase. Both are free to ask several for a price; the lowest is the quorum's.
///      Liveness assumptions
///      - Somebody who has the viewing key proves. Without, the whole book is auctioned (IDefaultDesk).
///      Warning: runs in the clearing house's storage, by delegated calls alone. Book and buyer are of one generation,
///      and no step of the listing is taken in a sale.
interface ISaleDesk is IDefaultBook {
    /// @notice A part of a book has a new owner. The book is as it was, less the part, and its cash more by the price.
    /// @param book The account in default.
    /// @param account The buyer's account.
    /// @param bookCommitment New commitment of the account in default.
    /// @param commitment New commitment of the buyer's account.
    /// @param part Lots out of the one into the other.
    /// @param price Micro-dollars from the buyer's account into the book.
    /// @param epoch Number of the epoch whose initial margin the buyer proved.
    /// @param generation Generation of both.
    event PartSold(
        bytes32 indexed book,
        bytes32 indexed account,
        uint256 bookCommitment,
        uint256 commitment,
        Flow[] part,
        int128 price,
        uint64 epoch,
        uint24 generation
    );

    /// @notice The part has nothing in it.
    error PartEmpty();
    /// @notice A slot comes before its predecessor, twice, or does not exist; or its lots are none, or would not bring
    ///         the book's position nearer to zero.
    /// @param slot The slot.
    /// @param held Lots that the book holds.
    /// @param lots Lots that the part takes.
    error PartNotOfBook(uint16 slot, int256 held, int64 lots);
    /// @notice The price is below what the quorum signed.
    /// @param price Given, micro-dollars.
    /// @param floor Signed, micro-dollars.
    error PriceBelowFloor(int128 price, int128 floor);
    /// @notice A step of the listing lies between the epoch and the book.
    /// @param generation Of the book.
    /// @param next Of the epoch.
    error StepInSale(uint24 generation, uint24 next);

    /// @notice Sells a part of a revealed book. Anyone may call, or the named submitter.
    /// @dev Reverts with `NotInDefault`, `BookStale`, `AppraisalTooEarly`, `AppraisalOutdated`, `PartEmpty`,
    ///      `PartNotOfBook`, `PriceBelowFloor`, `CashFlowTooLarge`, `StepInSale`, and as a trade's side.
    /// @param request The sale.
    function sellPart(PartSaleRequest calldata request) external;
}
