// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {DefaultBook} from "./DefaultBook.sol";
import {ActionKind, ActionRules, Rule} from "./generated/ActionRules.sol";
import {Action, Flow, Messages, PartOffer, PartPurchase} from "./generated/Messages.sol";
import {DeskParts} from "./interfaces/IClearingHouse.sol";
import {DefaultCase} from "./interfaces/IDefaultBook.sol";
import {Transition} from "./interfaces/IMarginVerifier.sol";
import {ISaleDesk, PartSaleRequest} from "./interfaces/ISaleDesk.sol";
import {G1} from "./libraries/Bn254.sol";

/// @title SaleDesk
/// @notice What it does and what it relies on is written in ISaleDesk.
contract SaleDesk is DefaultBook, ISaleDesk {
    constructor(DeskParts memory parts, uint40 window) DefaultBook(parts, window) {}

    /// @inheritdoc ISaleDesk
    function sellPart(PartSaleRequest calldata request) external onlyDelegated nonReentrant {
        (AccountRecord storage bookRecord, AccountHead memory bookHead, DefaultCase storage case_) = _caseOf(
            request.book
        );
        uint256 bookCommitment = bookRecord.commitment;
        _requireOnSale(request, bookCommitment, case_);
        if (_isRedeemable(request.book, bookCommitment, bookHead, case_)) revert Redeemable(request.book);
        Rule rule = ActionRules.ruleOf(ActionKind.TRADE);
        Action memory action = _start(ActionKind.TRADE);
        AccountHead memory head;
        action.submitter = request.submitter;
        _draft(action, rule, head, request.account, request.commitmentOld, request.commitmentNew, 0, request.deadline);
        ProofInputs memory inputs;
        _prepareTaker(rule, action, head, inputs, request.book, bookHead, request.epoch);
        if (inputs.generation != bookHead.generation) revert StepInSale(bookHead.generation, inputs.generation);
        bytes32 bookHash = _bookHashAfter(request, inputs.slots);
        _requireOffered(request, bookCommitment);
        bytes32 digest = _purchaseDigest(request, action);
        _requireSignature(action.account, head.state, head.auth, digest, request.signature);
        _verify(request, action, inputs, bookCommitment, digest);

        _write(rule, action, head, inputs);
        _leave(request.bookCommitmentNew, bookHash, bookRecord, bookHead, case_, inputs.epoch);
        emit PartSold(
            request.book,
            action.account,
            request.bookCommitmentNew,
            action.commitmentNew,
            request.part,
            request.price,
            action.epoch,
            action.generationNew
        );
    }

    // ------------------------------------------------------------------ what is sold

    /// @dev The book is as it was revealed, its window is over, and the epoch not from before the revelation.
    function _requireOnSale(
        PartSaleRequest calldata request,
        uint256 commitment,
        DefaultCase storage case_
    ) private view {
        if (case_.revealedAt == 0 || commitment != case_.commitment) revert BookStale(request.book);
        if (keccak256(abi.encode(request.cash, request.words)) != case_.bookHash) revert BookStale(request.book);
        uint40 from = case_.revealedAt + WINDOW;
        if (_clock() < from) revert AppraisalTooEarly(request.book, from);
        if (request.epoch.number < case_.leastEpoch) {
            revert AppraisalOutdated(request.book, request.epoch.number, case_.leastEpoch);
        }
    }

    /// @dev The quorum's word for this part of this state of the book at this epoch, and its lowest price.
    function _requireOffered(PartSaleRequest calldata request, uint256 commitment) private view {
        if (request.price < request.floor) revert PriceBelowFloor(request.price, request.floor);
        PartOffer memory offer = PartOffer({
            account: request.book,
            commitment: commitment,
            epoch: request.epoch.number,
            part: request.part,
            floor: request.floor
        });
        ORACLE.requireQuorum(_hashTypedDataV4(Messages.hash(offer)), request.quorum);
    }

    /// @dev Hash of the book without the part, as `reveal` makes it. Every position comes nearer to zero.
    function _bookHashAfter(PartSaleRequest calldata request, uint256 slots) private pure returns (bytes32) {
        uint256[] memory words = request.words;
        Flow[] calldata part = request.part;
        if (part.length == 0) revert PartEmpty();
        uint256 least;
        for (uint256 i = 0; i < part.length; i++) {
            (uint16 slot, int64 lots) = (part[i].slot, part[i].lots);
            if (slot < least || slot >= slots) revert PartNotOfBook(slot, 0, lots);
            least = uint256(slot) + 1;
            uint256 word = words[slot / POSITIONS_PER_WORD];
            (uint256 shift, int256 held) = _positionOf(word, slot);
            bool isOfBook = lots > 0 ? held >= lots : (lots < 0 && held <= lots);
            if (!isOfBook) revert PartNotOfBook(slot, held, lots);
            // No lane borrows from the next: what is left is between zero and what was held.
            words[slot / POSITIONS_PER_WORD] =
                lots > 0 ? word - (uint256(uint64(lots)) << shift) : word + (uint256(uint64(-lots)) << shift);
        }
        int256 cash = int256(request.cash) + request.price;
        _requireCash(request.price);
        _requireCash(cash);
        return keccak256(abi.encode(int128(cash), words));
    }

    function _requireCash(int256 cash) private pure {
        if (cash <= -CASH_LIMIT || cash >= CASH_LIMIT) revert CashFlowTooLarge(cash);
    }

    // ------------------------------------------------------------------ proofs

    function _purchaseDigest(PartSaleRequest calldata request, Action memory action) private view returns (bytes32) {
        PartPurchase memory message = PartPurchase({
            book: request.book,
            account: action.account,
            keyVersion: action.keyVersion,
            epoch: action.epoch,
            generation: action.generationNew,
            commitmentOld: action.commitmentOld,
            commitmentNew: action.commitmentNew,
            bookCommitmentNew: request.bookCommitmentNew,
            part: request.part,
            price: request.price,
            submitter: request.submitter,
            deadline: request.deadline
        });
        return _hashTypedDataV4(Messages.hash(message));
    }

    /// @dev The buyer meets initial margin with the part in it. Of the book nothing is asked here but that it is the
    ///      same account without the part: it may take several sales until it meets maintenance.
    function _verify(
        PartSaleRequest calldata request,
        Action memory action,
        ProofInputs memory inputs,
        uint256 bookCommitment,
        bytes32 digest
    ) private view {
        Transition memory transition; // no side, no trade
        transition.write = true;
        transition.context = _context(digest);
        transition.commitmentOld = action.commitmentOld;
        transition.commitmentNew = action.commitmentNew;
        transition.cashFlow = -request.price;
        transition.flows = request.part;
        VERIFIER.verify(inputs.key, transition, inputs.policy, inputs.settlement, request.proof);
        transition.commitmentOld = bookCommitment;
        transition.commitmentNew = request.bookCommitmentNew;
        transition.cashFlow = request.price;
        for (uint256 i = 0; i < transition.flows.length; i++) {
            transition.flows[i].lots = -transition.flows[i].lots;
        }
        VERIFIER.verify(inputs.key, transition, G1(0, 0), G1(0, 0), request.bookProof);
    }

    // ------------------------------------------------------------------ what is left

    /// @dev The book goes on with what is left: no proof of margin speaks of it, and an auction that went on is over.
    function _leave(
        uint256 commitment,
        bytes32 bookHash,
        AccountRecord storage record,
        AccountHead memory head,
        DefaultCase storage case_,
        uint64 epoch
    ) private {
        head.provenEpoch = SafeCast.toUint32(epoch);
        head.state &= ~MARGIN;
        _store(record, head);
        record.commitment = commitment;
        (case_.commitment, case_.bookHash) = (commitment, bookHash);
        (case_.auctionAt, case_.leastEpoch) = (0, epoch);
    }
}
