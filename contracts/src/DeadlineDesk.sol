// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {DefaultBook} from "./DefaultBook.sol";
import {ActionKind, ActionRules} from "./generated/ActionRules.sol";
import {EarlyCall, Messages} from "./generated/Messages.sol";
import {Status} from "./interfaces/IAccountBook.sol";
import {DeskParts, PolicyAttestation} from "./interfaces/IClearingHouse.sol";
import {IDeadlineDesk} from "./interfaces/IDeadlineDesk.sol";
import {DefaultTerms} from "./interfaces/IDefaultBook.sol";
import {FreshEpoch} from "./interfaces/IRiskOracle.sol";
import {Attestations} from "./libraries/Attestations.sol";

/// @title DeadlineDesk
/// @notice What it does and what it relies on is written in IDeadlineDesk.
contract DeadlineDesk is DefaultBook, IDeadlineDesk {
    /// @dev Levels of leases: 0, that of any proof of margin, and three longer ones.
    uint256 private constant LEVELS = 4;

    /// @notice Seconds from the last proof, on the clock of deadlines, after which an account may be frozen.
    uint40 public immutable DEADLINE;
    /// @notice Seconds of the grace that is the end of it, and that follows every lease of a level.
    uint40 public immutable GRACE;
    /// @notice Seconds of the grace of an early call, likewise.
    uint40 public immutable CALL_GRACE;
    /// @notice Micro-dollars to whoever freezes.
    uint64 public immutable BOUNTY;
    /// @notice Seconds of the lease of level 1, on the same clock.
    uint40 public immutable LEASE_1;
    /// @notice Of level 2.
    uint40 public immutable LEASE_2;
    /// @notice Of level 3.
    uint40 public immutable LEASE_3;

    constructor(DeskParts memory parts, DefaultTerms memory terms) DefaultBook(parts, terms.window) {
        _requireBetween("lease", terms.lease, 1 hours, 1 days);
        _requireBetween("grace", terms.grace, 10 minutes, 1 days);
        // Then what follows a call is covered by what maintenance covers.
        _requireBetween("callGrace", terms.callGrace, 10 minutes, Math.min(terms.lease + terms.grace, 4 hours));
        _requireBetween("bounty", terms.bounty, 0, 500e6);
        uint256 close = uint256(terms.grace) + terms.window + terms.auction;
        _requireBetween("marginPeriod", terms.marginPeriod, terms.lease + close, 2 days);
        uint256 lease = terms.lease;
        for (uint256 i = 0; i < LEVELS - 1; i++) {
            _requireBetween("leases", terms.leases[i], lease, 31 days);
            lease = terms.leases[i];
            _requireBetween("periods", terms.periods[i], lease + close, 32 days);
        }
        (GRACE, CALL_GRACE, BOUNTY) = (terms.grace, terms.callGrace, terms.bounty);
        DEADLINE = uint40(terms.lease) + terms.grace;
        (LEASE_1, LEASE_2, LEASE_3) = (terms.leases[0], terms.leases[1], terms.leases[2]);
    }

    // ------------------------------------------------------------------ the clock, freezes

    /// @inheritdoc IDeadlineDesk
    function tick() external onlyDelegated nonReentrant returns (uint256 checkpoint) {
        FreshEpoch memory epoch = ORACLE.requireFresh(ORACLE.latestNumber(), ActionKind.ATTEST);
        if (epoch.keyVersion != SERVED) revert EpochOfOtherKey(epoch.keyVersion, SERVED);
        REGISTRY.transitionKey(SERVED); // reverts while the key verifies nothing
        uint24 generation = ORACLE.generation();
        // While a step's settlement waits nobody can take the step, so nobody can prove.
        if (generation > ORACLE.FIRST_GENERATION()) ORACLE.settlementFor(SERVED, generation - 1, 1);
        Defaults storage defaults = _defaults();
        Checkpoint memory last = defaults.checkpoints[defaults.latestCheckpoint];
        uint40 time = uint40(block.timestamp);
        if (time <= last.time) revert TickTooEarly(last.time);
        uint40 clock = _advanced(last);
        checkpoint = ++defaults.latestCheckpoint;
        defaults.checkpoints[checkpoint] = Checkpoint(time, clock);
        emit Ticked(checkpoint, time, clock);
    }

    /// @inheritdoc IDeadlineDesk
    function freeze(bytes32 account, uint256 checkpoint, uint256 call) external onlyDelegated nonReentrant {
        AccountRecord storage record = _accounts[account];
        AccountHead memory head;
        _load(head, record);
        Status status = _statusOf(head.state);
        if (status != Status.ACTIVE) revert AccountNotOpen(account, status);
        _requireServed(account, head);
        (bool isLate, uint40 provenAt, uint40 from, uint40 elapsed) = _lateness(
            account,
            record.commitment,
            head,
            checkpoint,
            call
        );
        if (!isLate) revert NotOverdue(account, provenAt, from, elapsed);

        _setStatus(record, head, Status.FROZEN);
        _defaults().cases[account].frozenAt = uint40(block.timestamp);
        uint64 bounty = _takeFromBond(account, BOUNTY);
        _addFees(bounty);
        emit Frozen(account, record.commitment, msg.sender, bounty);
    }

    // ------------------------------------------------------------------ leases and calls

    /// @inheritdoc IDeadlineDesk
    function extend(bytes32 account, uint8 level, bytes32 pointHash) external onlyDelegated nonReentrant {
        uint40 length = _leaseOf(level);
        (uint256 commitment, AccountHead memory head) = _stateOf(account);
        bytes32 name = _policyOf(level);
        PolicyAttestation memory kept = Attestations.unpack(_attestations[account][name]);
        bool isOfState = kept.time != 0 && kept.tag == Attestations.tag(commitment, head.keyVersion, name, pointHash);
        if (!isOfState || ORACLE.isRevoked(kept.epoch)) revert LeaseNotAttested(account, level);
        uint40 provenAt = _provenAt(account, head);
        if (provenAt < kept.time) revert LeaseWithoutMargin(account, provenAt, kept.time);
        // What has passed since the attested prices is taken off; the clock may have advanced by less, never by more.
        // Prices may be some seconds ahead of the chain's clock.
        uint40 passed = uint40(Math.saturatingSub(block.timestamp, kept.time));
        if (passed >= length) revert LeaseNotAttested(account, level);
        uint40 until = _clockAfterTick() + length - passed;
        Defaults storage defaults = _defaults();
        Lease memory lease = defaults.leases[account];
        uint184 tag = _tagOf(commitment, head.keyVersion);
        if (lease.tag == tag && lease.until >= until && !ORACLE.isRevoked(lease.epoch)) {
            // A call takes a longer lease away, and a later attestation of a shorter one is an answer to it.
            uint64 called = defaults.calls[defaults.latestCall].epoch;
            if (lease.epoch >= called || kept.epoch < called) revert LeaseNotLonger(account, lease.until);
        }

        defaults.leases[account] = Lease(SafeCast.toUint32(until), SafeCast.toUint32(kept.epoch), level, tag);
        emit LeaseExtended(account, level, kept.epoch, until);
    }

    /// @inheritdoc IDeadlineDesk
    function shorten(bytes32 account) external onlyDelegated nonReentrant {
        Lease storage lease = _defaults().leases[account];
        uint40 clock = _clockAfterTick();
        if (lease.until <= clock || !ORACLE.isRevoked(lease.epoch)) {
            revert LeaseStands(account, lease.epoch, lease.until);
        }

        lease.until = SafeCast.toUint32(clock);
        emit LeaseShortened(account, clock);
    }

    /// @inheritdoc IDeadlineDesk
    function callEarly(
        uint8 level,
        uint64 epoch,
        bytes[] calldata signatures
    ) external onlyDelegated nonReentrant returns (uint256 call) {
        _leaseOf(level); // reverts for a level that is none
        Defaults storage defaults = _defaults();
        uint64 last = defaults.calls[defaults.latestCall].epoch;
        if (epoch <= last) revert CallOutdated(epoch, last);
        FreshEpoch memory fresh = ORACLE.requireFresh(epoch, ActionKind.ATTEST);
        ORACLE.requireQuorum(_hashTypedDataV4(Messages.hash(EarlyCall(level, epoch))), signatures);
        uint40 clock = _clockAfterTick();
        call = ++defaults.latestCall;
        defaults.calls[call] = Call(fresh.time, clock, epoch, level);
        emit CalledEarly(call, level, epoch, clock);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IDeadlineDesk
    function isOverdue(bytes32 account, uint256 checkpoint, uint256 call) external view returns (bool isLate) {
        (uint256 commitment, AccountHead memory head) = _stateOf(account);
        if (_statusOf(head.state) == Status.ACTIVE && head.keyVersion == SERVED) {
            (isLate, , , ) = _lateness(account, commitment, head, checkpoint, call);
        }
    }

    /// @inheritdoc IDeadlineDesk
    function leaseOf(bytes32 account) external view returns (uint8 level, uint64 epoch, uint40 until) {
        (uint256 commitment, AccountHead memory head) = _stateOf(account);
        Lease memory lease = _defaults().leases[account];
        if (_holds(lease, _tagOf(commitment, head.keyVersion))) return (lease.level, lease.epoch, lease.until);
    }

    /// @inheritdoc IDeadlineDesk
    function checkpointOf(uint256 number) external view returns (uint40 time, uint40 clock) {
        Checkpoint storage checkpoint = _defaults().checkpoints[number];
        return (checkpoint.time, checkpoint.clock);
    }

    /// @inheritdoc IDeadlineDesk
    function callOf(uint256 number) external view returns (uint8 level, uint64 epoch, uint40 time, uint40 clock) {
        Call memory call = _defaults().calls[number];
        return (call.level, call.epoch, call.time, call.clock);
    }

    // ------------------------------------------------------------------ parts of a deadline

    /// @dev Whether an account is overdue. Without a lease of a level it is when its last proof of margin is too old,
    ///      or from before a call whose grace is over. A lease stands against both, until a call of its level that came
    ///      after it, when its grace is over.
    /// @return isLate Whether it is.
    /// @return provenAt Unix seconds of its last proof of margin; 0 if it needs none.
    /// @return from Unix seconds of the checkpoint.
    /// @return elapsed Seconds of the clock of deadlines since the checkpoint.
    function _lateness(
        bytes32 account,
        uint256 commitment,
        AccountHead memory head,
        uint256 checkpoint,
        uint256 number
    ) private view returns (bool isLate, uint40 provenAt, uint40 from, uint40 elapsed) {
        Defaults storage defaults = _defaults();
        Checkpoint memory start = defaults.checkpoints[checkpoint];
        Call memory call;
        if (number != 0) call = defaults.calls[number];
        (from, elapsed) = (start.time, _clock() - start.clock);
        provenAt = _provenAt(account, head);
        if (provenAt == 0) return (false, provenAt, from, elapsed);
        Lease memory lease = defaults.leases[account];
        bool isLeased = _holds(lease, _tagOf(commitment, head.keyVersion));
        bool isCalled = call.level != 0 && _clock() > call.clock + CALL_GRACE;
        if (isLeased) isCalled = isCalled && call.level > lease.level && lease.epoch < call.epoch;
        if (isCalled || !isLeased) {
            isLate = (isCalled && provenAt < call.time) || (from >= provenAt && elapsed > DEADLINE);
        }
    }

    /// @dev Whether a lease is of that state, and its grace is not over.
    function _holds(Lease memory lease, uint184 tag) private view returns (bool) {
        return lease.level != 0 && lease.tag == tag && _clock() <= lease.until + GRACE;
    }

    /// @dev Unix seconds of the account's last proof of margin, written or attested; 0 for one that needs none: that
    ///      holds no derivatives, or has none.
    function _provenAt(bytes32 account, AccountHead memory head) private view returns (uint40) {
        if (head.state & MAY_HOLD_DERIVATIVES == 0) return 0;
        uint40 attestedAt = Attestations.unpack(_attestations[account][ActionRules.NAME_MAINTENANCE]).time;
        return attestedAt > head.provenAt ? attestedAt : head.provenAt;
    }

    function _stateOf(bytes32 account) private view returns (uint256 commitment, AccountHead memory head) {
        AccountRecord storage record = _accounts[account];
        _load(head, record);
        commitment = record.commitment;
    }

    /// @dev Two states of an account with one tag are found with 2^92 hashes.
    function _tagOf(uint256 commitment, uint8 keyVersion) private pure returns (uint184) {
        return uint184(uint256(keccak256(abi.encode(commitment, keyVersion))));
    }

    function _policyOf(uint8 level) private pure returns (bytes32) {
        if (level == 1) return "lease_1";
        return level == 2 ? bytes32("lease_2") : bytes32("lease_3");
    }

    function _leaseOf(uint8 level) private view returns (uint40) {
        if (level == 0 || level >= LEVELS) revert LevelUnknown(level);
        if (level == 1) return LEASE_1;
        return level == 2 ? LEASE_2 : LEASE_3;
    }
}
