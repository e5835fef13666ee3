// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {DefaultBook} from "./DefaultBook.sol";
import {ActionKind, ActionRules, Rule} from "./generated/ActionRules.sol";
import {Action, Appraisal, Bid, Flow, Messages, Reveal} from "./generated/Messages.sol";
import {Status} from "./interfaces/IAccountBook.sol";
import {DeskParts} from "./interfaces/IClearingHouse.sol";
import {DefaultCase, DefaultTerms} from "./interfaces/IDefaultBook.sol";
import {BidRequest, IDefaultDesk} from "./interfaces/IDefaultDesk.sol";
import {Transition} from "./interfaces/IMarginVerifier.sol";
import {IRevealVerifier} from "./interfaces/IRevealVerifier.sol";
import {Bn254} from "./libraries/Bn254.sol";

/// @title DefaultDesk
/// @notice What it does and what it relies on is written in IDefaultDesk.
contract DefaultDesk is DefaultBook, IDefaultDesk {
    /// @inheritdoc IDefaultDesk
    bytes32 public constant INSURANCE = keccak256("zkmargin.insurance");
    /// @inheritdoc IDefaultDesk
    IRevealVerifier public immutable REVEALS;
    /// @notice Seconds in which the price falls, on the same clock.
    uint40 public immutable AUCTION;
    /// @notice Micro-dollars of a redeemed account.
    uint64 public immutable LATE_FEE;

    constructor(
        DeskParts memory parts,
        IRevealVerifier reveals,
        DefaultTerms memory terms
    ) DefaultBook(parts, terms.window) {
        _requireBetween("auction", terms.auction, 10 minutes, 1 days);
        _requireBetween("lateFee", terms.lateFee, 0, 100e6);
        if (reveals.key() == address(0)) revert TermsInvalid("reveals", 0, 1);
        REVEALS = reveals;
        (AUCTION, LATE_FEE) = (terms.auction, terms.lateFee);
    }

    // ------------------------------------------------------------------ redemption

    /// @inheritdoc IDefaultDesk
    function redeem(bytes32 account) external onlyDelegated nonReentrant {
        (AccountRecord storage record, AccountHead memory head, DefaultCase storage case_) = _caseOf(account);
        if (!_isRedeemable(account, record.commitment, head, case_)) revert NotRedeemable(account, case_.frozenAt);

        Defaults storage defaults = _defaults();
        delete defaults.cases[account];
        // Its committee may have opened it. Under another key version there is no desk that would rekey it.
        if (head.keyVersion == SERVED) head.state |= MUST_REKEY;
        _setStatus(record, head, Status.ACTIVE);
        uint64 fee = _takeFromBond(account, LATE_FEE);
        defaults.surplus += fee;
        emit Redeemed(account, fee);
    }

    // ------------------------------------------------------------------ revelation, auction

    /// @inheritdoc IDefaultDesk
    function reveal(
        bytes32 account,
        int128 cash,
        uint256[] calldata words,
        uint256[8] calldata proof
    ) external onlyDelegated nonReentrant {
        (AccountRecord storage record, AccountHead memory head, DefaultCase storage case_) = _caseOf(account);
        _requireServed(account, head);
        _requireBook(cash, words);
        uint256 commitment = record.commitment;
        // Whoever repeats a revelation must not begin the window anew, nor end an auction.
        if (case_.commitment == commitment) revert AlreadyRevealed(account);
        Reveal memory message = Reveal(account, head.keyVersion, head.generation, commitment, cash, words);
        uint256 rho = _context(_hashTypedDataV4(Messages.hash(message)));
        REVEALS.verify(
            commitment,
            rho,
            addmod(Bn254.toField(cash), mulmod(_evaluate(words, rho), rho, Bn254.R), Bn254.R),
            proof
        );

        (case_.revealedAt, case_.auctionAt) = (_clockAfterTick(), 0);
        case_.leastEpoch = ORACLE.latestNumber();
        case_.commitment = commitment;
        case_.bookHash = keccak256(abi.encode(cash, words));
        emit Revealed(account, commitment, head.generation, cash, words);
    }

    /// @inheritdoc IDefaultDesk
    function appraise(
        bytes32 account,
        uint64 epoch,
        int128 equity,
        int128 floor,
        bytes[] calldata signatures
    ) external onlyDelegated nonReentrant {
        (AccountRecord storage record, , DefaultCase storage case_) = _caseOf(account);
        _requireAppraisable(account, case_);
        if (record.commitment != case_.commitment) revert BookStale(account);
        if (epoch < case_.leastEpoch) revert AppraisalOutdated(account, epoch, case_.leastEpoch);
        ORACLE.requireFresh(epoch, ActionKind.TRADE);
        bytes32 digest = _hashTypedDataV4(Messages.hash(Appraisal(account, case_.commitment, epoch, equity, floor)));
        ORACLE.requireQuorum(digest, signatures);

        int128 least = _leastPrice();
        if (floor < least) floor = least;
        (case_.auctionAt, case_.leastEpoch) = (_clockAfterTick(), epoch + 1);
        case_.floor = floor;
        case_.start = equity > floor ? equity : floor;
        emit AuctionBegun(account, epoch, case_.start, floor);
    }

    /// @inheritdoc IDefaultDesk
    function bid(BidRequest calldata request) external onlyDelegated nonReentrant returns (int128 cashFlow) {
        (AccountRecord storage bookRecord, AccountHead memory bookHead, DefaultCase storage case_) = _caseOf(
            request.book
        );
        _requirePrice(request, bookRecord, case_);
        if (_isRedeemable(request.book, bookRecord.commitment, bookHead, case_)) revert Redeemable(request.book);
        cashFlow = _cashFlow(request);
        Rule rule = ActionRules.ruleOf(ActionKind.TRADE);
        Action memory action = _start(ActionKind.TRADE);
        AccountHead memory head;
        action.submitter = request.submitter;
        _draft(action, rule, head, request.account, request.commitmentOld, request.commitmentNew, 0, request.deadline);
        ProofInputs memory inputs;
        _prepareTaker(rule, action, head, inputs, request.book, bookHead, request.epoch);
        action.cashFlow = cashFlow;
        bytes32 digest = _bidDigest(request, action);
        _requireSignature(action.account, head.state, head.auth, digest, request.signature);
        VERIFIER.verify(
            inputs.key,
            _transition(action, digest, request.words, inputs.slots),
            inputs.policy,
            inputs.settlement,
            request.proof
        );

        _write(rule, action, head, inputs);
        _close(request.book, bookRecord, bookHead, request.price);
        emit TakenOver(
            request.book,
            action.account,
            action.commitmentNew,
            request.price,
            cashFlow,
            action.epoch,
            action.generationNew
        );
    }

    // ------------------------------------------------------------------ money

    /// @inheritdoc IDefaultDesk
    function insure(uint256 amount) external onlyDelegated nonReentrant {
        _defaults().surplus += amount;
        emit SurplusAdded(amount);
        VAULT.absorb(INSURANCE, amount, new Flow[](0));
    }

    /// @inheritdoc IDefaultDesk
    function takeBond(bytes32 account, address to) external onlyDelegated nonReentrant {
        AccountHead memory head;
        _load(head, _accounts[account]);
        if (_statusOf(head.state) != Status.CLOSED || msg.sender != head.auth) revert BondKept(account);
        uint64 amount = _takeFromBond(account, type(uint64).max);
        if (amount != 0) VAULT.release(account, to, amount, new Flow[](0));
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IDefaultDesk
    function caseOf(bytes32 account) external view returns (DefaultCase memory) {
        return _defaults().cases[account];
    }

    /// @inheritdoc IDefaultDesk
    function priceOf(bytes32 account) external view returns (int128) {
        return _price(account, _defaults().cases[account]);
    }

    /// @inheritdoc IDefaultDesk
    function surplus() external view returns (uint256) {
        return _defaults().surplus;
    }

    /// @inheritdoc IDefaultDesk
    // solhint-disable-next-line func-name-mixedcase
    function KEY_VERSION() external view returns (uint16) {
        return SERVED;
    }

    /// @inheritdoc IDefaultDesk
    function bondOf(bytes32 account) external pure returns (bytes32) {
        return _bondOf(account);
    }

    // ------------------------------------------------------------------ parts of a revelation and an appraisal

    /// @dev Once the window is over; and again once an auction is, as a book that nobody took may be worth less now.
    function _requireAppraisable(bytes32 account, DefaultCase storage case_) private view {
        uint40 auctionAt = case_.auctionAt;
        uint40 from = auctionAt == 0 ? case_.revealedAt + WINDOW : auctionAt + AUCTION;
        if (case_.revealedAt == 0 || _clock() < from) revert AppraisalTooEarly(account, from);
    }

    // ------------------------------------------------------------------ parts of a bid

    function _requirePrice(
        BidRequest calldata request,
        AccountRecord storage bookRecord,
        DefaultCase storage case_
    ) private view {
        if (bookRecord.commitment != case_.commitment) revert BookStale(request.book);
        if (keccak256(abi.encode(request.cash, request.words)) != case_.bookHash) revert BookStale(request.book);
        int128 needed = _price(request.book, case_);
        if (request.price < needed) revert PriceTooLow(request.price, needed);
    }

    /// @dev The book's cash, less what is paid for it.
    function _cashFlow(BidRequest calldata request) private pure returns (int128) {
        int256 flow = int256(request.cash) - request.price;
        if (flow <= -CASH_LIMIT || flow >= CASH_LIMIT) revert CashFlowTooLarge(flow);
        return int128(flow);
    }

    function _bidDigest(BidRequest calldata request, Action memory action) private view returns (bytes32) {
        Bid memory message = Bid({
            book: request.book,
            account: action.account,
            keyVersion: action.keyVersion,
            epoch: action.epoch,
            generationOld: action.generationOld,
            generationNew: action.generationNew,
            commitmentOld: action.commitmentOld,
            commitmentNew: action.commitmentNew,
            price: request.price,
            cashFlow: action.cashFlow,
            submitter: request.submitter,
            deadline: request.deadline
        });
        return _hashTypedDataV4(Messages.hash(message));
    }

    function _transition(
        Action memory action,
        bytes32 digest,
        uint256[] calldata words,
        uint256 slots
    ) private pure returns (Transition memory) {
        return
            Transition({
                commitmentOld: action.commitmentOld,
                commitmentNew: action.commitmentNew,
                tradeTag: 0,
                ciphertext: 0,
                side: 0,
                write: true,
                context: _context(digest),
                cashFlow: action.cashFlow,
                flows: _flows(words, slots)
            });
    }

    /// @dev The book's positions as flows into another account, in rising order of slots.
    function _flows(uint256[] calldata words, uint256 slots) private pure returns (Flow[] memory flows) {
        flows = new Flow[](slots);
        uint256 count;
        for (uint256 slot = 0; slot < slots; slot++) {
            (, int256 lots) = _positionOf(words[slot / POSITIONS_PER_WORD], slot);
            if (lots != 0) flows[count++] = Flow(uint16(slot), int64(lots));
        }
        assembly ("memory-safe") {
            mstore(flows, count) // the list ends after what was put in
        }
    }

    /// @dev The former owner's account ends; it is paid, or the surplus pays.
    function _close(bytes32 book, AccountRecord storage record, AccountHead memory head, int128 price) private {
        Defaults storage defaults = _defaults();
        delete defaults.cases[book];
        head.state &= ~MAY_HOLD_DERIVATIVES;
        _setStatus(record, head, Status.CLOSED);
        if (price > 0) VAULT.release(book, head.auth, uint256(int256(price)), new Flow[](0));
        else if (price < 0) defaults.surplus -= uint256(-int256(price));
    }

    /// @dev Falls in a line from `start` to `floor`, where it stays; never below what the surplus can pay now, since
    ///      other books may have used it meanwhile.
    function _price(bytes32 account, DefaultCase storage case_) private view returns (int128 price) {
        uint40 began = case_.auctionAt;
        if (began == 0) revert NoAuction(account);
        uint40 clock = _clock();
        uint40 elapsed = clock > began ? clock - began : 0;
        if (elapsed > AUCTION) elapsed = AUCTION;
        int256 fall = (int256(case_.start) - case_.floor) * int256(uint256(elapsed));
        price = int128(int256(case_.start) - fall / int256(uint256(AUCTION)));
        int128 least = _leastPrice();
        if (price < least) price = least;
    }

    /// @dev Minus what the surplus can pay.
    function _leastPrice() private view returns (int128) {
        return -SafeCast.toInt128(SafeCast.toInt256(_defaults().surplus));
    }

    // ------------------------------------------------------------------ what was published

    /// @dev Cash within 80 bits, and words that read one way: as many as slots need, and no lane beyond the last slot.
    function _requireBook(int128 cash, uint256[] calldata words) private view {
        (, uint16 slots) = REGISTRY.transitionKey(SERVED);
        uint256 count = _countWords(slots);
        if (cash < -CASH_LIMIT || cash >= CASH_LIMIT) revert BookMalformed(0, count + 1);
        if (words.length != count) revert BookMalformed(words.length, count + 1);
        for (uint256 j = 0; j < count; j++) {
            uint256 left = slots - POSITIONS_PER_WORD * j;
            uint256 lanes = left < POSITIONS_PER_WORD ? left : POSITIONS_PER_WORD;
            if (words[j] >> (LANE_BITS * lanes) != 0) revert BookMalformed(j + 1, count + 1);
        }
    }
}
