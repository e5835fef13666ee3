// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CollateralVault} from "../src/CollateralVault.sol";
import {ActionKind} from "../src/generated/ActionRules.sol";
import {Appraisal, Bid, EarlyCall, Messages} from "../src/generated/Messages.sol";
import {DeskParts, MarginAccount, PolicyAttestation, RoutedDesk} from "../src/interfaces/IClearingHouse.sol";
import {DefaultCase, DefaultTerms} from "../src/interfaces/IDefaultBook.sol";
import {IDeadlineDesk} from "../src/interfaces/IDeadlineDesk.sol";
import {BidRequest, IDefaultDesk} from "../src/interfaces/IDefaultDesk.sol";
import {Status} from "../src/interfaces/IAccountBook.sol";
import {IWalletSignatures} from "../src/interfaces/IWalletSignatures.sol";
import {Attestations} from "../src/libraries/Attestations.sol";
import {AcceptAllReveals} from "../src/mocks/AcceptAllReveals.sol";
import {VenueHandler} from "./VenueHandler.sol";

/// @title The same parties on a bad day: deadlines, defaults, auctions
/// @notice Books are revealed as they are by this contract's own books of cash, without positions.
contract DefaultHandler is VenueHandler {
    uint32 private constant LEASE = 1 hours;
    uint32 private constant GRACE = 10 minutes;
    uint32 private constant CALL_GRACE = 20 minutes;
    uint32 private constant WINDOW = 10 minutes;
    uint32 private constant AUCTION = 10 minutes;
    uint64 private constant BOUNTY = 25e6;
    uint64 private constant LATE_FEE = 20e6;
    uint256 private constant SLOTS = 16; // OneKeyRegistry's, seven to a word

    mapping(bytes32 account => Status) private _status;
    mapping(bytes32 account => uint256) private _commitment;
    uint256 private _checkpoints;
    uint256[] private _calledAt; // when each call came in
    uint256[] private _calledFrom; // time of the prices that answer it
    uint256 private _started = block.timestamp;

    function routedParts() internal pure override returns (uint256) {
        return 3;
    }

    function deployRouted(IWalletSignatures wallets) internal override returns (RoutedDesk[] memory routed) {
        AcceptAllReveals reveals = new AcceptAllReveals();
        DefaultTerms memory terms = DefaultTerms({
            lease: LEASE,
            grace: GRACE,
            window: WINDOW,
            auction: AUCTION,
            marginPeriod: 1 days,
            bounty: BOUNTY,
            lateFee: LATE_FEE,
            leases: [uint32(1 days), 7 days, 30 days],
            periods: [uint32(2 days), 8 days, 31 days],
            callGrace: CALL_GRACE
        });
        DeskParts memory parts = DeskParts(registry, oracle, verifier, wallets, CollateralVault(address(vault)), 1);
        routed = new RoutedDesk[](2);
        bytes4[4] memory deadlines = [
            IDeadlineDesk.tick.selector,
            IDeadlineDesk.freeze.selector,
            IDeadlineDesk.callEarly.selector,
            IDeadlineDesk.checkpointOf.selector
        ];
        routed[0].desk = deployCode("DeadlineDesk", "DeadlineDesk", abi.encode(parts, terms));
        routed[0].selectors = new bytes4[](deadlines.length);
        for (uint256 i = 0; i < deadlines.length; i++) routed[0].selectors[i] = deadlines[i];
        routed[1].desk = deployCode("DefaultDesk", "DefaultDesk", abi.encode(parts, reveals, terms));
        bytes4[12] memory selectors = [
            IDefaultDesk.redeem.selector,
            IDefaultDesk.reveal.selector,
            IDefaultDesk.appraise.selector,
            IDefaultDesk.bid.selector,
            IDefaultDesk.insure.selector,
            IDefaultDesk.takeBond.selector,
            IDefaultDesk.caseOf.selector,
            IDefaultDesk.priceOf.selector,
            IDefaultDesk.surplus.selector,
            IDefaultDesk.bondOf.selector,
            IDefaultDesk.INSURANCE.selector,
            IDefaultDesk.KEY_VERSION.selector
        ];
        routed[1].selectors = new bytes4[](selectors.length);
        for (uint256 i = 0; i < selectors.length; i++) routed[1].selectors[i] = selectors[i];
    }

    /// @notice Micro-dollars of the surplus.
    function surplus() external view returns (uint256) {
        return _desk().surplus();
    }

    /// @inheritdoc VenueHandler
    function inboxes() public view override returns (bytes32[] memory numbers) {
        uint256 count = accounts.length;
        numbers = new bytes32[](2 * count + 1);
        for (uint256 i = 0; i < count; i++) {
            (numbers[2 * i], numbers[2 * i + 1]) = (accounts[i], _desk().bondOf(accounts[i]));
        }
        numbers[2 * count] = _desk().INSURANCE();
    }

    // ------------------------------------------------------------------ time

    /// @dev Time passes as on a good day: epochs and ticks every five minutes.
    function sleep(uint8 rounds) external {
        for (uint256 i = 0; i < (rounds % 20) + 1; i++) {
            CHEATS.warp(block.timestamp + 300);
            _epochs.push(postEpoch(false, false));
            _tick();
        }
    }

    function tick() external {
        _tick();
    }

    // ------------------------------------------------------------------ defaults

    function fundBond(uint8 which, uint32 amount) external {
        vault.fund(_desk().bondOf(_pick(which)), address(usdc), (amount % 100e6) + 1);
        accepted["fund bond"]++;
    }

    function insure(uint64 amount) external {
        uint256 added = (amount % 1e9) + 1;
        vault.fund(_desk().INSURANCE(), address(usdc), added);
        if (_attempt("insure", abi.encodeCall(IDefaultDesk.insure, (added)))) absorbed[address(usdc)] += int256(added);
    }

    function callEarly(uint8 level, uint8 back) external {
        uint64 epoch = _pickEpoch(back);
        bytes[] memory signatures = signByQuorum(Messages.hash(EarlyCall(level % 5, epoch)));
        bytes memory call = abi.encodeCall(IDeadlineDesk.callEarly, (level % 5, epoch, signatures));
        if (!_attempt("call early", call)) return;
        if (level % 5 == 0 || level % 5 == 4) fault = "a call of no level";
        _calledAt.push(block.timestamp);
        _calledFrom.push(oracle.getEpoch(epoch).time);
    }

    /// @dev At any checkpoint and by any call. By the wall's clock, nobody may be frozen who proved margin within lease
    ///      and grace, and at prices from the call on or within its grace.
    function freeze(uint8 which, uint16 back, uint8 call) external {
        bytes32 account = _pick(which);
        uint256 checkpoint = _checkpoints == 0 ? 0 : _checkpoints - (back % _checkpoints);
        uint256 provenAt = _lastProof(account);
        uint256 number = call % (_calledAt.length + 1);
        uint256 bond = vault.inbox(_desk().bondOf(account), address(usdc));
        if (!_attempt("freeze", abi.encodeCall(IDeadlineDesk.freeze, (account, checkpoint, number)))) return;
        if (provenAt == 0) fault = "an account that needs no proof was frozen";
        bool isCalled =
            number != 0 && provenAt < _calledFrom[number - 1] && block.timestamp > _calledAt[number - 1] + CALL_GRACE;
        if (!isCalled && block.timestamp <= provenAt + LEASE + GRACE) fault = "frozen before its deadline";
        uint256 bounty = bond < BOUNTY ? bond : BOUNTY;
        absorbed[address(usdc)] += int256(bounty);
        fees += bounty;
        _note(account);
    }

    function redeem(uint8 which) external {
        bytes32 account = _pick(which);
        uint40 frozenAt = _desk().caseOf(account).frozenAt;
        uint256 bond = vault.inbox(_desk().bondOf(account), address(usdc));
        if (!_attempt("redeem", abi.encodeCall(IDefaultDesk.redeem, (account)))) return;
        if (house.accountOf(account).mayHoldDerivatives && _lastProof(account) < frozenAt)
            fault = "redeemed for nothing";
        absorbed[address(usdc)] += int256(bond < LATE_FEE ? bond : LATE_FEE);
        _note(account);
    }

    function reveal(uint8 which) external {
        bytes32 account = _pick(which);
        uint256[8] memory proof;
        bytes memory call = abi.encodeCall(IDefaultDesk.reveal, (account, int128(cashOf[account]), _words(), proof));
        if (_attempt("reveal", call) && _status[account] != Status.FROZEN) fault = "revealed without a freeze";
    }

    function appraise(uint8 which, int64 equity, int64 floor, uint8 back) external {
        bytes32 account = _pick(which);
        uint64 epoch = _pickEpoch(back);
        uint256 commitment = house.accountOf(account).commitment;
        bytes[] memory signatures = signByQuorum(
            Messages.hash(Appraisal(account, commitment, epoch, equity % 1e12, floor % 1e9))
        );
        bytes memory call = abi.encodeCall(
            IDefaultDesk.appraise,
            (account, epoch, equity % 1e12, floor % 1e9, signatures)
        );
        if (_attempt("appraise", call) && _desk().caseOf(account).revealedAt == 0)
            fault = "appraised before it was revealed";
    }

    /// @dev At the price of the moment, or up to a dollar above or below it.
    function bid(uint8 which, uint8 other, int32 more, uint8 back) external {
        (bytes32 book, bytes32 account) = (_pick(which), _pick(other));
        DefaultCase memory case_ = _desk().caseOf(book);
        if (case_.auctionAt == 0 || book == account) return;
        int256 most = int256(_desk().surplus());
        int128 price = _desk().priceOf(book);
        bool isRedeemable = _isRedeemable(book, case_.frozenAt);
        BidRequest memory request = _signBid(book, account, price + (more % 1e6), back);
        if (!_run("bid", abi.encodeCall(IDefaultDesk.bid, (request)))) return;
        _bookCash(book, -int256(request.cash));
        _bookCash(account, int256(request.cash) - request.price);
        if (request.price > 0) absorbed[address(usdc)] -= int256(request.price);
        if (request.price < price) fault = "sold below its price";
        if (request.price < case_.floor || request.price < -most) fault = "sold below its lowest price";
        if (isRedeemable) fault = "a book was sold that its owner may have back";
        if (house.accountOf(book).status != Status.CLOSED) fault = "a sold book is not closed";
        _note(book);
        _note(account);
        _look(account);
    }

    function takeBond(uint8 which) external {
        bytes32 account = _pick(which);
        CHEATS.recordLogs();
        CHEATS.prank(CHEATS.addr(_keyOf[account]));
        (bool passed, ) = address(house).call(abi.encodeCall(IDefaultDesk.takeBond, (account, address(0xB0D))));
        if (passed) _notePayments();
        if (passed && house.accountOf(account).status != Status.CLOSED) fault = "a bond left an account that lives";
        _count("take bond", passed);
    }

    // ------------------------------------------------------------------ what must never be

    /// @dev An account that is closed never moves, and one that is frozen becomes active by redemption alone.
    function checkAccounts() external {
        for (uint256 i = 0; i < accounts.length; i++) {
            MarginAccount memory stored = house.accountOf(accounts[i]);
            bool wasClosed = _status[accounts[i]] == Status.CLOSED;
            if (wasClosed && stored.commitment != _commitment[accounts[i]]) fault = "a closed account moved";
            if (wasClosed && stored.status != Status.CLOSED) fault = "a closed account came back";
            if (_status[accounts[i]] == Status.FROZEN && stored.status == Status.ACTIVE) fault = "thawed by itself";
            _note(accounts[i]);
        }
        (uint40 time, uint40 clock) = IDeadlineDesk(address(house)).checkpointOf(_checkpoints);
        if (time != 0 && clock > block.timestamp - _started) fault = "the clock of deadlines ran ahead";
    }

    // ------------------------------------------------------------------ how it is done

    function _tick() private {
        if (_attempt("tick", abi.encodeCall(IDeadlineDesk.tick, ()))) _checkpoints++;
    }

    function _desk() private view returns (IDefaultDesk) {
        return IDefaultDesk(address(house));
    }

    function _note(bytes32 account) private {
        MarginAccount memory stored = house.accountOf(account);
        (_status[account], _commitment[account]) = (stored.status, stored.commitment);
    }

    /// @dev Unix seconds of the last proof of margin, written or attested; 0 for an account that holds no derivatives.
    function _lastProof(bytes32 account) private view returns (uint256) {
        MarginAccount memory stored = house.accountOf(account);
        uint256 attestedAt = house.attestationOf(account, "maintenance").time;
        if (!stored.mayHoldDerivatives) return 0;
        return attestedAt > stored.provenAt ? attestedAt : stored.provenAt;
    }

    /// @dev Whether the account is flat, or attested maintenance since then, as it is now and not too long ago.
    function _isRedeemable(bytes32 account, uint40 since) private view returns (bool) {
        MarginAccount memory stored = house.accountOf(account);
        PolicyAttestation memory kept = house.attestationOf(account, "maintenance");
        bool isOfNow = kept.tag == Attestations.tag(stored.commitment, stored.keyVersion, "maintenance", 0);
        bool isFresh = kept.time >= since && kept.time + oracle.maxAgeOf(ActionKind.ATTEST) >= block.timestamp;
        return !stored.mayHoldDerivatives || (isOfNow && isFresh);
    }

    function _words() private pure returns (uint256[] memory words) {
        words = new uint256[]((SLOTS + 6) / 7);
        for (uint256 slot = 0; slot < SLOTS; slot++) words[slot / 7] |= uint256(2 ** 30) << (32 * (slot % 7));
    }

    function _signBid(
        bytes32 book,
        bytes32 account,
        int128 price,
        uint8 back
    ) private returns (BidRequest memory request) {
        MarginAccount memory stored = house.accountOf(account);
        (request.book, request.account, request.price) = (book, account, price);
        (request.commitmentOld, request.commitmentNew) = (stored.commitment, fresh());
        (request.cash, request.words, request.deadline) = (int128(cashOf[book]), _words(), NEVER);
        uint64 epoch = _pickEpoch(back);
        request.epoch = pointOf(epoch, "initial");
        Bid memory message = Bid({
            book: book,
            account: account,
            keyVersion: 1,
            epoch: epoch,
            generationOld: stored.generation,
            generationNew: oracle.getEpoch(epoch).generation,
            commitmentOld: request.commitmentOld,
            commitmentNew: request.commitmentNew,
            price: price,
            cashFlow: request.cash - price,
            submitter: address(0),
            deadline: NEVER
        });
        request.signature = signHash(_keyOf[account], Messages.hash(message));
    }
}
