// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ActionPath} from "./ActionPath.sol";
import {ServedDesk} from "./ServedDesk.sol";
import {ActionKind, ActionRules, Rule} from "./generated/ActionRules.sol";
import {Action, Flow} from "./generated/Messages.sol";
import {Status} from "./interfaces/IAccountBook.sol";
import {DeskParts, EpochPoint, PolicyAttestation} from "./interfaces/IClearingHouse.sol";
import {DefaultCase, IDefaultBook} from "./interfaces/IDefaultBook.sol";
import {Attestations} from "./libraries/Attestations.sol";

/// @title DefaultBook
/// @notice What the desks for accounts in default share: their storage, the clock of deadlines, and whose case is open.
abstract contract DefaultBook is ActionPath, ServedDesk, IDefaultBook {
    struct Checkpoint {
        uint40 time; // unix seconds
        uint40 clock; // seconds of the clock of deadlines
    }

    /// @dev How long one state of an account holds, by an attestation of a level.
    struct Lease {
        uint32 until; // seconds of the clock of deadlines
        uint32 epoch; // whose prices were attested
        uint8 level;
        uint184 tag; // of the state, as an attestation's
    }

    /// @dev A quorum's word that accounts below a level have to prove margin again.
    struct Call {
        uint40 time; // unix seconds of the prices from which on a proof answers it
        uint40 clock; // seconds of the clock of deadlines at which its grace begins
        uint64 epoch; // of these prices
        uint8 level;
    }

    /// @dev What this desk adds to the clearing house's storage.
    /// @custom:storage-location erc7201:zkmargin.defaults
    struct Defaults {
        mapping(bytes32 account => DefaultCase) cases;
        mapping(uint256 number => Checkpoint) checkpoints;
        uint256 latestCheckpoint;
        uint256 surplus; // micro-dollars that the vault holds beyond all hidden cash
        mapping(bytes32 account => Lease) leases;
        mapping(uint256 number => Call) calls;
        uint256 latestCall;
    }

    /// @dev keccak256(abi.encode(uint256(keccak256("zkmargin.defaults")) - 1)) & ~bytes32(uint256(0xff)).
    bytes32 internal constant STORAGE =
        keccak256(abi.encode(uint256(keccak256("zkmargin.defaults")) - 1)) & ~bytes32(uint256(0xff));
    /// @dev Most seconds by which a tick advances the clock.
    uint40 internal constant LONGEST_TICK = 300;
    uint256 internal constant LANE_BITS = 32;
    int256 internal constant POSITION_OFFSET = 2 ** 30;
    int256 internal constant CASH_LIMIT = 2 ** 80;

    /// @dev Seconds from a revelation to the first appraisal or sale, on the clock of deadlines.
    uint40 internal immutable WINDOW;

    constructor(DeskParts memory parts, uint40 window) ServedDesk(parts) {
        _requireBetween("window", window, 10 minutes, 1 days);
        WINDOW = window;
    }

    // ------------------------------------------------------------------ books and cases

    /// @dev Where a slot's position stands in a word, and the position.
    function _positionOf(uint256 word, uint256 slot) internal pure returns (uint256 shift, int256 lots) {
        shift = LANE_BITS * (slot % POSITIONS_PER_WORD);
        lots = int256((word >> shift) & (2 ** LANE_BITS - 1)) - POSITION_OFFSET;
    }

    function _caseOf(
        bytes32 account
    ) internal view returns (AccountRecord storage record, AccountHead memory head, DefaultCase storage case_) {
        record = _accounts[account];
        _load(head, record);
        case_ = _defaults().cases[account];
        if (_statusOf(head.state) != Status.FROZEN || case_.frozenAt == 0) revert NotInDefault(account);
    }

    /// @dev Whether the account, as it is, may leave default: it holds no derivatives, or has proved margin since its
    ///      freeze. Then its owner keeps it, also before anybody redeems it.
    function _isRedeemable(
        bytes32 account,
        uint256 commitment,
        AccountHead memory head,
        DefaultCase storage case_
    ) internal view returns (bool) {
        return head.state & MAY_HOLD_DERIVATIVES == 0 || _hasProved(account, commitment, head, case_.frozenAt);
    }

    /// @dev Fills in what a drafted action that takes over a book or a part of it is proved against, at an epoch after
    ///      what either account depends on: the book's lineage becomes the taker's, as a trade's other side's does.
    function _prepareTaker(
        Rule rule,
        Action memory action,
        AccountHead memory head,
        ProofInputs memory inputs,
        bytes32 book,
        AccountHead memory bookHead,
        EpochPoint calldata epoch
    ) internal view {
        if (action.generationOld != bookHead.generation || action.keyVersion != bookHead.keyVersion) {
            revert SidesDiffer(action.generationOld, bookHead.generation, action.keyVersion, bookHead.keyVersion);
        }
        _gather(inputs, rule, action, head, 0, epoch);
        _requireLineage(rule, book, bookHead, inputs);
        _requireLineage(rule, action.account, head, inputs);
        _bind(action, inputs);
    }

    function _setStatus(AccountRecord storage record, AccountHead memory head, Status status) internal {
        head.state = (head.state & ~STATUS) | uint8(status);
        _store(record, head);
    }

    /// @dev Whether the account, as it is, has proved margin since then, at an epoch that still serves such proofs.
    function _hasProved(
        bytes32 account,
        uint256 commitment,
        AccountHead memory head,
        uint40 since
    ) private view returns (bool) {
        uint256 oldest = block.timestamp - ORACLE.maxAgeOf(ActionKind.ATTEST);
        if (oldest < since) oldest = since;
        if (head.provenAt >= oldest && head.state & MARGIN != 0) return !ORACLE.isRevoked(head.provenEpoch);
        PolicyAttestation memory kept = Attestations.unpack(_attestations[account][ActionRules.NAME_MAINTENANCE]);
        return
            kept.time >= oldest &&
            kept.tag == Attestations.tag(commitment, head.keyVersion, ActionRules.NAME_MAINTENANCE, 0) &&
            !ORACLE.isRevoked(kept.epoch);
    }

    /// @dev Takes up to that much of the bond out of its inbox; what is taken is in the vault and nobody's yet.
    function _takeFromBond(bytes32 account, uint64 most) internal returns (uint64 amount) {
        bytes32 bond = _bondOf(account);
        uint256 funded = VAULT.inbox(bond, VAULT.CASH());
        amount = funded < most ? uint64(funded) : most;
        if (amount != 0) VAULT.absorb(bond, amount, new Flow[](0));
    }

    /// @dev Seconds of the clock of deadlines, as the last tick left it.
    function _clock() internal view returns (uint40) {
        Defaults storage defaults = _defaults();
        return defaults.checkpoints[defaults.latestCheckpoint].clock;
    }

    /// @dev What the clock shows after a tick at this moment. What counts from here is not shortened by time that has
    ///      passed already and that the next tick adds.
    function _clockAfterTick() internal view returns (uint40) {
        Defaults storage defaults = _defaults();
        return _advanced(defaults.checkpoints[defaults.latestCheckpoint]);
    }

    function _advanced(Checkpoint memory last) internal view returns (uint40) {
        uint40 elapsed = last.time == 0 ? 0 : uint40(block.timestamp) - last.time;
        return last.clock + (elapsed < LONGEST_TICK ? elapsed : LONGEST_TICK);
    }

    function _requireBetween(bytes32 what, uint256 value, uint256 least, uint256 most) internal pure {
        if (value < least) revert TermsInvalid(what, value, least);
        if (value > most) revert TermsInvalid(what, value, most);
    }

    function _bondOf(bytes32 account) internal pure returns (bytes32) {
        return keccak256(abi.encode("zkmargin.bond", account));
    }

    function _defaults() internal pure returns (Defaults storage defaults) {
        bytes32 place = STORAGE;
        assembly ("memory-safe") {
            defaults.slot := place
        }
    }
}
