// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {PaymentClock} from "./PaymentClock.sol";
import {ActionKind, ActionRules, Rule} from "./generated/ActionRules.sol";
import {Epoch, Messages, Settlement} from "./generated/Messages.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {IPaymentClock} from "./interfaces/IPaymentClock.sol";
import {EpochView, FreshEpoch, IRiskOracle, Point} from "./interfaces/IRiskOracle.sol";
import {Bn254} from "./libraries/Bn254.sol";
import {Points} from "./libraries/Points.sol";

/// @title RiskOracle
/// @notice What it does and what it relies on is written in IRiskOracle.
contract RiskOracle is IRiskOracle, EIP712, ERC165, PaymentClock {
    /// @dev One word: everything about freshness that does not belong to a single epoch. Numbers leap by a thousand
    ///      at most, so they do not use up 48 bits.
    struct State {
        uint48 latest;
        uint48 minEpoch;
        uint48 revokedUpTo; // upper end of the last range that was revoked; 0 if none was
        uint40 time;
        uint24 generation;
        uint16 maxAgeExit; // seconds, EPOCH_EXIT: for what takes risk
        uint16 maxAgeProof; // seconds, EPOCH_PROOF: for what only shows or adds margin
        bool paused;
    }

    /// @dev One word of the ring. The epoch's number is `turn` times RING, and its place in the ring.
    struct Slot {
        uint24 turn;
        uint32 time; // 0 if there is none
        uint16 generation;
        uint8 keyVersion;
        bytes22 pointsRoot; // its first bytes; see Points
    }

    /// @dev A settlement point. Without one, x and y are 0, and `number` is that of the veto if there was one.
    struct SettlementPoint {
        uint256 x;
        uint256 y;
        uint64 number; // of the latest epoch when it was posted
        uint40 readyAt; // live time from which it serves
        uint32 term; // of the publishers that signed it
    }

    /// @dev The step that turns everything into cash, signed in advance. One vector for all key versions, as their
    ///      accounts have traded with each other; each has its own point.
    struct LastStep {
        bytes32 settlementHash; // 0 without one
        uint64 number; // of the epoch at which it was signed, or of the latest one when it was vetoed
        uint24 generation; // which it ends
    }

    /// @dev How far the venue is on the way to its end.
    struct Ending {
        uint64 latest; // number of the latest epoch when notice was given
        uint40 noticeAt; // unix seconds; 0 before
        bool isOver;
    }

    /// @dev Epochs that were revoked, both ends included.
    struct Range {
        uint64 from;
        uint64 upTo;
    }

    /// @dev Epochs kept: at the shortest interval (10 s) and the longest age (15 min) 90 may be fresh at once.
    uint64 private constant RING = 256;
    /// @dev Highest number, which is where the clearing house's records end; four million hostile epochs reach it.
    uint64 private constant NUMBER_LIMIT = type(uint32).max;
    /// @dev Seconds by which a publisher's clock may run ahead of the chain's.
    uint40 private constant SKEW = 15;
    /// @dev Farthest that a number may lie above the last one's: the greatest number would be the last epoch of all.
    uint64 private constant NUMBER_LEAP = 1_000;
    uint256 private constant POINTS_LIMIT = 32;
    uint256 private constant SIGNERS_LEAST = 3;
    uint256 private constant SIGNERS_LIMIT = 32;
    uint256 private constant ADDRESS_LENGTH = 20;
    uint256 private constant ECDSA_LENGTH = 65;
    /// @dev Fewest bytes of abi.encode(signer, signature): two offsets, two lengths.
    uint256 private constant NAMED_LENGTH = 128;
    /// @dev Bounds of a maximal age, in seconds.
    uint16 private constant AGE_LOW = 60;
    uint16 private constant AGE_HIGH = 900;
    /// @dev Least seconds between two generation steps on the chain's clock: an account takes part in a step within
    ///      that generation, so each must last.
    uint40 private constant STEP_INTERVAL = 1 hours;
    /// @dev Highest generation, since an account's record has 16 bits for its own; in hours, more than seven years.
    uint24 private constant GENERATION_LIMIT = type(uint16).max;
    /// @dev Longest delay of a settlement: half of what a generation lasts at least.
    uint40 private constant DELAY_LIMIT = STEP_INTERVAL / 2;

    /// @dev Seconds without an epoch after which notice may be given, and seconds from there to the end: more than a
    ///      timelock's owner needs to lift a pause or to name other publishers, and more than a halt of the chain.
    uint40 private constant SILENCE = 3 days;
    uint40 private constant NOTICE = 3 days;

    /// @inheritdoc IRiskOracle
    IKeyRegistry public immutable REGISTRY;
    /// @inheritdoc IRiskOracle
    uint24 public immutable FIRST_GENERATION;
    /// @inheritdoc IRiskOracle
    uint40 public immutable SETTLEMENT_DELAY;

    State private _state;
    Slot[RING] private _ring;
    /// @dev By key version too: a point is a sum over one key's IC.
    mapping(uint16 keyVersion => mapping(uint24 fromGeneration => mapping(uint24 steps => SettlementPoint)))
        private _settlements;
    /// @dev By rising upper end: what is revoked is revoked up to the latest epoch of that moment.
    Range[] private _revoked;
    bytes[] private _signers;
    /// @dev By keccak256 of the signer's bytes.
    mapping(bytes32 id => bool) private _isSigner;
    /// @inheritdoc IRiskOracle
    uint8 public threshold;
    /// @inheritdoc IRiskOracle
    address public override(IRiskOracle, IPaymentClock) guardian;
    /// @inheritdoc IRiskOracle
    uint40 public steppedAt;
    /// @dev Counts the replacements of the publishers.
    uint32 private _term;
    /// @dev Live time at which the publishers of a term were replaced; 0 for the present ones.
    mapping(uint32 term => uint40) private _replacedAt;
    LastStep private _last;
    /// @dev Points of last steps, by the number of the epoch at which the vector was signed.
    mapping(uint64 number => mapping(uint16 keyVersion => SettlementPoint)) private _lastPoints;
    Ending private _ending;

    modifier onlyGuardian() {
        if (msg.sender != guardian && msg.sender != owner()) revert CallerNotGuardian(msg.sender, guardian);
        _;
    }

    modifier whenUnpaused() {
        if (_state.paused) revert EpochsPaused();
        _;
    }

    /// @dev After the end nobody stops what is left to do, which is to leave.
    modifier whenOpen() {
        if (isEnded()) revert VenueIsEnded();
        _;
    }

    constructor(
        address owner,
        address guardian_,
        IKeyRegistry registry,
        uint24 firstGeneration,
        uint40 settlementDelay,
        bytes[] memory signers,
        uint8 threshold_
    ) EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION) Ownable(owner) {
        if (address(registry).code.length == 0) revert RegistryMissing(address(registry));
        if (settlementDelay > DELAY_LIMIT) revert DelayTooLong(settlementDelay, DELAY_LIMIT);
        _requireGeneration(firstGeneration);
        (REGISTRY, FIRST_GENERATION, SETTLEMENT_DELAY) = (registry, firstGeneration, settlementDelay);
        _state.generation = firstGeneration;
        _state.maxAgeExit = 180;
        _state.maxAgeProof = 300;
        _setSigners(signers, threshold_);
        _setGuardian(guardian_);
    }

    /// @inheritdoc IRiskOracle
    function postEpoch(
        Epoch calldata epoch,
        Point[] calldata points,
        bytes calldata settlement,
        bytes[] calldata signatures
    ) external whenUnpaused {
        uint16 keyVersion = REGISTRY.versionOf(epoch.keyHash);
        REGISTRY.transitionKey(keyVersion); // reverts unless the key is live
        bool isStep = _advance(epoch, keyVersion);
        _requirePoints(epoch, points);
        _requireQuorum(hashEpoch(epoch), signatures);

        _ring[epoch.number % RING] = Slot({
            turn: uint24(epoch.number / RING),
            time: SafeCast.toUint32(epoch.time),
            generation: uint16(epoch.generation), // at most GENERATION_LIMIT
            keyVersion: SafeCast.toUint8(keyVersion),
            pointsRoot: bytes22(epoch.pointsRoot)
        });
        emit EpochPosted(
            epoch.number,
            epoch.generation,
            epoch.time,
            epoch.minEpoch,
            epoch.snapshotHash,
            epoch.policyHash,
            epoch.settlementHash,
            keyVersion,
            points
        );
        if (isStep) {
            steppedAt = uint40(block.timestamp);
            _settle(
                keyVersion,
                Settlement({
                    keyHash: epoch.keyHash,
                    fromGeneration: epoch.generation - 1,
                    steps: 1,
                    number: epoch.number,
                    settlementHash: epoch.settlementHash,
                    x: epoch.settlementX,
                    y: epoch.settlementY
                }),
                settlement
            );
        } else if (epoch.settlementX != 0 || epoch.settlementY != 0 || settlement.length != 0) {
            revert SettlementUnexpected(epoch.settlementX, epoch.settlementY, settlement.length);
        }
    }

    /// @inheritdoc IRiskOracle
    function postSettlement(
        Settlement calldata message,
        bytes calldata settlement,
        bytes[] calldata signatures
    ) external whenUnpaused {
        (uint24 from, uint24 steps) = (message.fromGeneration, message.steps);
        if (steps != 1 && steps != 4 && steps != 16) revert StepsWrong(steps);
        uint16 keyVersion = REGISTRY.versionOf(message.keyHash);
        REGISTRY.transitionKey(keyVersion); // reverts unless the key is live
        if (from < FIRST_GENERATION || uint256(from) + steps > _state.generation) {
            revert SettlementGenerationWrong(from, steps, FIRST_GENERATION, _state.generation);
        }
        SettlementPoint storage stored = _settlements[keyVersion][from][steps];
        if ((stored.x != 0 || stored.y != 0) && !isRevoked(stored.number) && !_isSuperseded(stored)) {
            revert SettlementTaken(keyVersion, from, steps);
        }
        _requireLater(message.number, stored.number);
        _requireQuorum(hashSettlement(message), signatures);
        _settle(keyVersion, message, settlement);
    }

    /// @inheritdoc IRiskOracle
    function vetoSettlement(uint16 keyVersion, uint24 fromGeneration, uint24 steps) external onlyGuardian whenOpen {
        SettlementPoint storage stored = _settlements[keyVersion][fromGeneration][steps];
        if (stored.x == 0 && stored.y == 0) revert SettlementUnset(keyVersion, fromGeneration, steps);
        _requireNotFinal(stored);
        (stored.x, stored.y, stored.number) = (0, 0, _state.latest);
        emit SettlementVetoed(keyVersion, fromGeneration, steps);
    }

    /// @inheritdoc IRiskOracle
    function postLastStep(
        Settlement calldata message,
        bytes calldata settlement,
        bytes[] calldata signatures
    ) external whenUnpaused {
        uint24 current = _state.generation;
        if (message.steps != 0) revert StepsWrong(message.steps);
        if (message.fromGeneration != current) {
            revert SettlementGenerationWrong(message.fromGeneration, 0, current, current);
        }
        uint16 keyVersion = REGISTRY.versionOf(message.keyHash);
        REGISTRY.transitionKey(keyVersion); // reverts unless the key is live
        LastStep memory last = _last;
        SettlementPoint storage stored = _lastPoints[message.number][keyVersion];
        bool isOfLast =
            message.number == last.number &&
                message.settlementHash == last.settlementHash &&
                current == last.generation &&
                stored.readyAt == 0;
        _requireLater(message.number, isOfLast ? 0 : last.number);
        _requireQuorum(hashSettlement(message), signatures);
        uint40 readyAt = _keep(stored, message, settlement);
        if (!isOfLast) _last = LastStep(message.settlementHash, message.number, current);
        emit LastStepPublished(keyVersion, current, message.number, readyAt, message.x, message.y, settlement);
    }

    /// @inheritdoc IRiskOracle
    function vetoLastStep(uint16 keyVersion) external onlyGuardian whenOpen {
        LastStep storage last = _last;
        SettlementPoint storage stored = _lastPoints[last.number][keyVersion];
        if (last.settlementHash == 0 || stored.readyAt == 0) revert SettlementUnset(keyVersion, last.generation, 0);
        _requireNotFinal(stored);
        (last.settlementHash, last.number) = (0, _state.latest);
        emit LastStepVetoed(keyVersion);
    }

    /// @inheritdoc IRiskOracle
    function giveNotice() external whenOpen {
        (uint64 latest, uint40 time) = (_state.latest, uint40(block.timestamp));
        if (time <= _state.time + SILENCE) revert QuorumPresent(latest, _state.time + SILENCE);
        if (_ending.noticeAt != 0 && _ending.latest == latest) revert NoticeGiven(_ending.noticeAt);
        (_ending.latest, _ending.noticeAt) = (latest, time);
        emit NoticeOfEnd(latest, time + NOTICE);
    }

    /// @inheritdoc IRiskOracle
    function end(uint16 keyVersion, bytes calldata settlement) external {
        LastStep memory last = _last;
        uint24 from = _state.generation;
        bool isFirst = !isEnded();
        if (isFirst) {
            _requireNotice();
            _requireGeneration(from + 1);
            // Whoever is a step behind takes that step first, and after the end nobody posts another settlement.
            if (from != FIRST_GENERATION) settlementFor(keyVersion, from - 1, 1);
        } else {
            from -= 1; // under a further key version, by the same vector
        }
        if (last.settlementHash == 0 || last.generation != from) revert SettlementUnset(keyVersion, from, 0);
        Settlement memory message;
        (message.fromGeneration, message.steps, message.settlementHash) = (from, 1, last.settlementHash);
        (message.x, message.y, ) = _serving(_lastPoints[last.number][keyVersion], keyVersion, from, 0);
        if (isRevoked(_state.latest)) revert EpochRevoked(_state.latest);
        SettlementPoint storage stored = _settlements[keyVersion][from][1];
        if (stored.x != 0 || stored.y != 0) revert SettlementTaken(keyVersion, from, 1);
        if (isFirst) {
            _ending.isOver = true;
            _state.generation = from + 1;
            // What takes risk is paused for good; the clock of payments runs.
            _state.paused = true;
            _startClock();
            emit VenueEnded(from + 1);
        }
        _settle(keyVersion, message, settlement);
    }

    /// @inheritdoc IRiskOracle
    function publishSnapshot(bytes calldata snapshot) external {
        emit SnapshotPublished(keccak256(snapshot), snapshot);
    }

    /// @inheritdoc IRiskOracle
    function setSigners(bytes[] calldata signers, uint8 threshold_) external onlyOwner whenOpen {
        _setSigners(signers, threshold_);
        _state.minEpoch = _state.latest + 1;
        _replacedAt[_term++] = liveTime();
    }

    /// @inheritdoc IRiskOracle
    function revokeEpochs(uint64 from) external onlyGuardian whenOpen {
        uint48 latest = _state.latest;
        if (from == 0 || from > latest) revert RevocationInvalid(from, latest);
        uint256 last = _revoked.length;
        while (last != 0 && from <= _revoked[last - 1].upTo) {
            if (_revoked[last - 1].from < from) from = _revoked[last - 1].from;
            _revoked.pop();
            last--;
        }
        _revoked.push(Range(from, latest));
        _state.revokedUpTo = latest;
        emit EpochsRevoked(from, latest);
    }

    /// @inheritdoc IRiskOracle
    function restoreEpochs(uint64 from, uint64 upTo) external onlyOwner {
        for (uint256 i = 0; i < _revoked.length; i++) {
            Range storage range = _revoked[i];
            if (range.from == from && from <= upTo && upTo <= range.upTo) {
                range.from = upTo + 1;
                emit EpochsRestored(from, upTo);
                return;
            }
        }
        revert RestorationInvalid(from, upTo);
    }

    /// @inheritdoc IRiskOracle
    function setMaxAge(ActionKind kind, uint16 seconds_) external onlyOwner {
        if (seconds_ < AGE_LOW || seconds_ > AGE_HIGH) revert MaxAgeOutOfRange(kind, seconds_, AGE_LOW, AGE_HIGH);
        if (_isExit(ActionRules.ruleOf(kind), kind)) _state.maxAgeExit = seconds_;
        else _state.maxAgeProof = seconds_;
        emit MaxAgeSet(kind, seconds_);
    }

    /// @inheritdoc IRiskOracle
    function pause() external onlyGuardian whenOpen {
        _state.paused = true;
        _stopClock();
        emit PauseSet(true);
    }

    /// @inheritdoc IRiskOracle
    function unpause() external onlyOwner whenOpen {
        _state.paused = false;
        _startClock();
        emit PauseSet(false);
    }

    /// @inheritdoc IRiskOracle
    function setGuardian(address guardian_) external onlyOwner {
        _setGuardian(guardian_);
    }

    /// @inheritdoc IRiskOracle
    function getEpoch(uint64 number) public view returns (EpochView memory) {
        Slot memory slot = _ring[number % RING];
        if (!_isOf(slot, number)) revert EpochUnknown(number, _state.latest);
        return EpochView(number, slot.time, slot.generation, slot.keyVersion, slot.pointsRoot);
    }

    /// @inheritdoc IRiskOracle
    function requireFresh(uint64 number, ActionKind kind) external view returns (FreshEpoch memory) {
        State storage state = _state;
        Slot memory slot = _ring[number % RING];
        Rule rule = ActionRules.ruleOf(kind);
        if (state.paused && !rule.has(ActionRules.PAUSED)) revert ActionPaused(kind);
        if (!_isOf(slot, number)) revert EpochUnknown(number, state.latest);
        if (number < state.minEpoch) revert EpochSuperseded(number, state.minEpoch);
        if (number <= state.revokedUpTo && _inRevokedRange(number)) revert EpochRevoked(number);
        uint16 maxAge = _isExit(rule, kind) ? state.maxAgeExit : state.maxAgeProof;
        uint256 time = slot.time;
        unchecked {
            // No need to check the sum, because both are far below 2^255.
            if (block.timestamp > time + maxAge) revert EpochStale(number, block.timestamp - time, maxAge);
        }
        return FreshEpoch(uint40(time), slot.generation, slot.keyVersion, state.revokedUpTo, slot.pointsRoot);
    }

    /// @inheritdoc IRiskOracle
    function requireUnpaused(ActionKind kind) external view {
        if (_state.paused) revert ActionPaused(kind);
    }

    /// @inheritdoc IRiskOracle
    function maxAgeOf(ActionKind kind) external view returns (uint16) {
        return _isExit(ActionRules.ruleOf(kind), kind) ? _state.maxAgeExit : _state.maxAgeProof;
    }

    /// @inheritdoc IRiskOracle
    function settlementFor(
        uint16 keyVersion,
        uint24 fromGeneration,
        uint24 steps
    ) public view returns (uint256 x, uint256 y, uint64 number) {
        return _serving(_settlements[keyVersion][fromGeneration][steps], keyVersion, fromGeneration, steps);
    }

    /// @inheritdoc IRiskOracle
    function isRevoked(uint64 number) public view returns (bool) {
        return number <= _state.revokedUpTo && _inRevokedRange(number);
    }

    /// @inheritdoc IRiskOracle
    function isEnded() public view returns (bool) {
        return _ending.isOver;
    }

    /// @inheritdoc IRiskOracle
    function requireQuorum(bytes32 digest, bytes[] calldata signatures) external view {
        _requireQuorum(digest, signatures);
    }

    /// @inheritdoc IRiskOracle
    function generation() external view returns (uint24) {
        return _state.generation;
    }

    /// @inheritdoc IRiskOracle
    function openingGeneration() external view returns (uint24) {
        if (_state.paused) revert ActionPaused(ActionKind.OPEN);
        return _state.generation;
    }

    /// @inheritdoc IRiskOracle
    function latestNumber() external view returns (uint64) {
        return _state.latest;
    }

    /// @inheritdoc IRiskOracle
    function minEpoch() external view returns (uint64) {
        return _state.minEpoch;
    }

    /// @inheritdoc IRiskOracle
    function isPaused() external view returns (bool) {
        return _state.paused;
    }

    /// @inheritdoc IRiskOracle
    function getSigners() external view returns (bytes[] memory) {
        return _signers;
    }

    /// @inheritdoc IRiskOracle
    function isSigner(bytes calldata signer) external view returns (bool) {
        return _isSigner[keccak256(signer)];
    }

    /// @inheritdoc IRiskOracle
    function hashEpoch(Epoch calldata epoch) public view returns (bytes32) {
        return _hashTypedDataV4(Messages.hash(epoch));
    }

    /// @inheritdoc IRiskOracle
    function hashSettlement(Settlement calldata message) public view returns (bytes32) {
        return _hashTypedDataV4(Messages.hash(message));
    }

    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IRiskOracle).interfaceId || super.supportsInterface(interfaceId);
    }

    function _setGuardian(address guardian_) private {
        guardian = guardian_;
        emit GuardianSet(guardian_);
    }

    /// @dev Which of the two greatest ages counts: maxAgeExit, or else maxAgeProof.
    function _isExit(Rule rule, ActionKind kind) private pure returns (bool) {
        if (rule.has(ActionRules.EPOCH_EXIT)) return true;
        if (!rule.has(ActionRules.EPOCH_PROOF)) revert EpochNotTaken(kind);
        return false;
    }

    /// @dev Whether the slot at its place holds the epoch of that number.
    function _isOf(Slot memory slot, uint64 number) private pure returns (bool) {
        return slot.time != 0 && slot.turn == number / RING;
    }

    /// @dev A policy point is never the identity: that is the policy without any rule.
    function _requirePoints(Epoch calldata epoch, Point[] calldata points) private pure {
        if (points.length == 0 || points.length > POINTS_LIMIT) {
            revert PointCountOutOfRange(points.length, POINTS_LIMIT);
        }
        bytes32 previous = 0;
        for (uint256 i = 0; i < points.length; i++) {
            Point calldata point = points[i];
            if (point.name <= previous || point.name == ActionRules.NAME_FLAT) {
                revert PointNameInvalid(point.name, previous);
            }
            if (!Bn254.isPoint(point.x, point.y)) revert PointInvalid(point.name, point.x, point.y);
            previous = point.name;
        }
        _requireHash(Points.root(points), epoch.pointsRoot);
    }

    /// @dev Checks what belongs to the sequence of epochs, and moves it on.
    /// @return isStep Whether the generation rises.
    function _advance(Epoch calldata epoch, uint16 keyVersion) private returns (bool isStep) {
        State memory state = _state;
        if (epoch.number <= state.latest) revert EpochNumberTooLow(epoch.number, state.latest);
        uint64 limit = state.latest + NUMBER_LEAP;
        if (limit > NUMBER_LIMIT) limit = NUMBER_LIMIT;
        if (epoch.number > limit) revert EpochNumberTooHigh(epoch.number, limit);
        if (epoch.time < state.time || epoch.time > block.timestamp + SKEW) {
            revert EpochTimeOutOfRange(epoch.time, state.time, block.timestamp + SKEW);
        }
        if (epoch.minEpoch > epoch.number) revert MinEpochTooHigh(epoch.minEpoch, epoch.number);
        isStep = epoch.generation != state.generation;
        if (isStep) _requireStep(epoch.generation, state.generation, keyVersion);
        state.latest = SafeCast.toUint48(epoch.number);
        state.time = epoch.time;
        state.generation = epoch.generation;
        uint64 lowest = isStep ? epoch.number : epoch.minEpoch;
        if (lowest > state.minEpoch) state.minEpoch = uint48(lowest);
        _state = state;
    }

    /// @dev The step before must serve: no generation begins on a settlement that may yet be refused.
    function _requireStep(uint24 next, uint24 current, uint16 keyVersion) private view {
        if (next != current + 1) revert EpochGenerationWrong(next, current);
        _requireGeneration(next);
        uint256 earliest = uint256(steppedAt) + STEP_INTERVAL;
        if (block.timestamp < earliest) revert StepTooEarly(block.timestamp, earliest);
        if (current != FIRST_GENERATION) settlementFor(keyVersion, current - 1, 1);
    }

    /// @dev Signed at an epoch that serves, after the settlement in whose place it comes.
    function _requireLater(uint64 number, uint64 previous) private view {
        if (number <= previous || number > _state.latest || isRevoked(number)) {
            revert SettlementNumberWrong(number, previous, _state.latest);
        }
    }

    function _requireNotice() private view {
        Ending memory ending = _ending;
        if (ending.noticeAt == 0 || ending.latest != _state.latest) revert NoticeMissing(_state.latest);
        uint256 earliest = uint256(ending.noticeAt) + NOTICE;
        if (block.timestamp < earliest) revert EndTooEarly(block.timestamp, earliest);
    }

    function _requireGeneration(uint24 generation_) private pure {
        if (generation_ > GENERATION_LIMIT) revert GenerationTooHigh(generation_, GENERATION_LIMIT);
    }

    function _settle(uint16 keyVersion, Settlement memory message, bytes calldata settlement) private {
        uint40 readyAt = _keep(_settlements[keyVersion][message.fromGeneration][message.steps], message, settlement);
        emit SettlementPublished(
            keyVersion,
            message.fromGeneration,
            message.steps,
            _state.latest,
            readyAt,
            message.x,
            message.y,
            settlement
        );
    }

    /// @dev Takes a point in. It is never the identity: a step that drops no slot lists nothing, and unset storage
    ///      reads as the identity.
    function _keep(
        SettlementPoint storage stored,
        Settlement memory message,
        bytes calldata settlement
    ) private returns (uint40 readyAt) {
        if (!Bn254.isPoint(message.x, message.y)) revert PointInvalid("settlement", message.x, message.y);
        _requireHash(keccak256(settlement), message.settlementHash);
        readyAt = liveTime() + SETTLEMENT_DELAY;
        (stored.x, stored.y) = (message.x, message.y);
        (stored.number, stored.readyAt, stored.term) = (_state.latest, readyAt, _term);
    }

    /// @dev The point, which is there, that nobody may refuse any more, and that depends on no revoked epoch.
    function _serving(
        SettlementPoint storage stored,
        uint16 keyVersion,
        uint24 fromGeneration,
        uint24 steps
    ) private view returns (uint256 x, uint256 y, uint64 number) {
        (x, y, number) = (stored.x, stored.y, stored.number);
        if (x == 0 && y == 0) revert SettlementUnset(keyVersion, fromGeneration, steps);
        (uint40 time, uint40 readyAt) = (liveTime(), stored.readyAt);
        if (_isSuperseded(stored)) revert SettlementSuperseded(keyVersion, fromGeneration, steps);
        if (time < readyAt) revert SettlementPending(readyAt, time);
        if (isRevoked(number)) revert EpochRevoked(number);
    }

    function _requireNotFinal(SettlementPoint storage stored) private view {
        uint40 time = liveTime();
        if (time >= stored.readyAt) revert SettlementFinal(stored.readyAt, time);
    }

    /// @dev Whether its publishers were replaced within its delay: it serves no more than their epochs.
    function _isSuperseded(SettlementPoint storage stored) private view returns (bool) {
        uint40 replacedAt = _replacedAt[stored.term];
        return replacedAt != 0 && replacedAt < stored.readyAt;
    }

    /// @dev From the newest range down, because what is asked about is recent.
    function _inRevokedRange(uint64 number) private view returns (bool) {
        for (uint256 i = _revoked.length; i != 0; i--) {
            Range storage range = _revoked[i - 1];
            if (number > range.upTo) return false;
            if (number >= range.from) return true;
        }
        return false;
    }

    function _requireHash(bytes32 given, bytes32 signed) private pure {
        if (given != signed) revert HashMismatch(given, signed);
    }

    function _requireQuorum(bytes32 digest, bytes[] calldata signatures) private view {
        if (signatures.length < threshold) revert SignaturesMissing(signatures.length, threshold);
        bytes32 previous = 0;
        for (uint256 i = 0; i < signatures.length; i++) {
            (bytes memory signer, bool isValid) = _checkSignature(digest, signatures[i]);
            bytes32 id = keccak256(signer);
            if (!isValid || id <= previous || !_isSigner[id]) revert SignatureInvalid(i, signer);
            previous = id;
        }
    }

    /// @dev 65 bytes are an ECDSA signature, whose signer is recovered: that asks for no code, so it is the cheaper way
    ///      for a key. Longer ones name the signer (ERC-7913).
    function _checkSignature(
        bytes32 digest,
        bytes calldata signature
    ) private view returns (bytes memory signer, bool isValid) {
        if (signature.length == ECDSA_LENGTH) {
            (address recovered, ECDSA.RecoverError problem, ) = ECDSA.tryRecoverCalldata(digest, signature);
            return (abi.encodePacked(recovered), problem == ECDSA.RecoverError.NoError);
        }
        bytes memory proof;
        if (signature.length < NAMED_LENGTH) return ("", false);
        (signer, proof) = abi.decode(signature, (bytes, bytes));
        isValid = SignatureChecker.isValidSignatureNow(signer, digest, proof);
    }

    function _setSigners(bytes[] memory signers, uint8 threshold_) private {
        uint256 count = signers.length;
        if (count < SIGNERS_LEAST || count > SIGNERS_LIMIT || threshold_ > count || 2 * uint256(threshold_) <= count) {
            revert SignersInvalid(count, threshold_);
        }
        for (uint256 i = 0; i < _signers.length; i++) _isSigner[keccak256(_signers[i])] = false;
        bytes32 previous = 0;
        for (uint256 i = 0; i < count; i++) {
            bytes32 id = keccak256(signers[i]);
            if (id <= previous || signers[i].length < ADDRESS_LENGTH) revert SignerInvalid(i, signers[i]);
            previous = id;
            _isSigner[id] = true;
        }
        _signers = signers;
        threshold = threshold_;
        emit SignersSet(signers, threshold_);
    }
}
