// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ActionKind, ActionRules, Rule} from "./generated/ActionRules.sol";
import {Epoch, Messages} from "./generated/Messages.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {EpochView, FreshEpoch, IRiskOracle, Point} from "./interfaces/IRiskOracle.sol";
import {Bn254} from "./libraries/Bn254.sol";
import {Points} from "./libraries/Points.sol";

/// @title RiskOracle
/// @notice What it does and what it relies on is written in IRiskOracle.
contract RiskOracle is IRiskOracle, EIP712, Ownable2Step {
    /// @dev One word: everything about freshness that does not belong to a single epoch.
    struct State {
        uint64 latest;
        uint64 minEpoch;
        uint40 time;
        uint24 generation;
        uint16 maxAgeExit; // seconds, EPOCH_EXIT: for what takes risk
        uint16 maxAgeProof; // seconds, EPOCH_PROOF: for what only shows or adds margin
        bool paused;
    }

    /// @dev Three words of the ring; the first holds everything but hashes.
    struct Slot {
        uint64 number;
        uint40 time;
        uint24 generation;
        uint16 keyVersion;
        bytes32 pointsHash;
        bytes32 snapshotHash;
    }

    struct Settlement {
        uint256 x;
        uint256 y;
    }

    /// @dev Epochs kept: at the shortest interval (10 s) and the longest age (15 min) 90 may be fresh at once.
    uint64 private constant RING = 128;
    /// @dev Seconds by which a publisher's clock may run ahead of the chain's.
    uint40 private constant SKEW = 15;
    /// @dev Farthest that a number may lie above the last one's: the greatest number would be the last epoch of all.
    uint64 private constant NUMBER_LEAP = 1_000_000;
    uint256 private constant POINTS_LIMIT = 32;
    uint256 private constant SIGNERS_LEAST = 3;
    uint256 private constant SIGNERS_LIMIT = 32;
    /// @dev Bounds of a maximal age, in seconds.
    uint16 private constant AGE_LOW = 60;
    uint16 private constant AGE_HIGH = 900;
    /// @dev Least seconds between two generation steps on the chain's clock: an account takes part in a step within
    ///      that generation, so each must last.
    uint40 private constant STEP_INTERVAL = 1 hours;

    /// @notice Where the verification keys are.
    IKeyRegistry public immutable REGISTRY;

    State private _state;
    Slot[RING] private _ring;
    /// @dev By key version too: a point is a sum over one key's IC.
    mapping(uint16 keyVersion => mapping(uint24 generation => Settlement)) private _settlements;
    /// @inheritdoc IRiskOracle
    mapping(uint24 generation => bytes32) public settlementHashOf;
    address[] private _signers;
    /// @notice Whether an address is a publisher.
    mapping(address signer => bool) public isSigner;
    /// @notice How many publishers make a quorum.
    uint8 public threshold;
    /// @notice May pause, not unpause.
    address public guardian;
    /// @notice Block time of the latest generation step; 0 before the first.
    uint40 public steppedAt;

    constructor(
        address owner,
        address guardian_,
        IKeyRegistry registry,
        uint24 firstGeneration,
        address[] memory signers,
        uint8 threshold_
    ) EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION) Ownable(owner) {
        REGISTRY = registry;
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
        bytes calldata snapshot,
        bytes calldata settlement,
        bytes[] calldata signatures
    ) external {
        State memory state = _state;
        if (epoch.number <= state.latest) revert EpochNumberTooLow(epoch.number, state.latest);
        if (epoch.number - state.latest > NUMBER_LEAP) {
            revert EpochNumberTooHigh(epoch.number, state.latest + NUMBER_LEAP);
        }
        if (epoch.time < state.time || epoch.time > block.timestamp + SKEW) {
            revert EpochTimeOutOfRange(epoch.time, state.time, block.timestamp + SKEW);
        }
        if (epoch.minEpoch > epoch.number) revert MinEpochTooHigh(epoch.minEpoch, epoch.number);
        bool isStep = epoch.generation != state.generation;
        if (isStep) _requireStep(epoch.generation, state.generation);
        uint16 keyVersion = REGISTRY.versionOf(epoch.keyHash);
        REGISTRY.transitionKey(keyVersion); // reverts unless the key is live
        _requirePoints(epoch, points);
        bool hasSettlement = isStep || epoch.settlementX != 0 || epoch.settlementY != 0 || settlement.length != 0;
        if (hasSettlement) _requireSettlement(epoch, settlement, isStep, keyVersion);
        if (snapshot.length != 0) _requireHash(keccak256(snapshot), epoch.snapshotHash);
        _requireQuorum(hashEpoch(epoch), signatures);

        state.latest = epoch.number;
        state.time = epoch.time;
        state.generation = epoch.generation;
        uint64 lowest = isStep ? epoch.number : epoch.minEpoch;
        if (lowest > state.minEpoch) state.minEpoch = lowest;
        _state = state;
        _ring[epoch.number % RING] = Slot({
            number: epoch.number,
            time: epoch.time,
            generation: epoch.generation,
            keyVersion: keyVersion,
            pointsHash: epoch.pointsHash,
            snapshotHash: epoch.snapshotHash
        });
        if (isStep) {
            steppedAt = uint40(block.timestamp);
            settlementHashOf[epoch.generation] = epoch.settlementHash;
        }
        if (hasSettlement) {
            _settlements[keyVersion][epoch.generation] = Settlement(epoch.settlementX, epoch.settlementY);
        }

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
        if (snapshot.length != 0) emit SnapshotPublished(epoch.number, snapshot);
        if (hasSettlement) {
            emit SettlementPublished(
                epoch.generation,
                epoch.number,
                keyVersion,
                epoch.settlementX,
                epoch.settlementY,
                settlement
            );
        }
    }

    /// @inheritdoc IRiskOracle
    function publishSnapshot(uint64 number, bytes calldata snapshot) external {
        _requireHash(keccak256(snapshot), getEpoch(number).snapshotHash);
        emit SnapshotPublished(number, snapshot);
    }

    /// @inheritdoc IRiskOracle
    function setSigners(address[] calldata signers, uint8 threshold_) external onlyOwner {
        _setSigners(signers, threshold_);
    }

    /// @inheritdoc IRiskOracle
    function setMaxAge(ActionKind kind, uint16 seconds_) external onlyOwner {
        if (seconds_ < AGE_LOW || seconds_ > AGE_HIGH) revert MaxAgeOutOfRange(kind, seconds_, AGE_LOW, AGE_HIGH);
        if (_isExit(ActionRules.ruleOf(kind), kind)) _state.maxAgeExit = seconds_;
        else _state.maxAgeProof = seconds_;
        emit MaxAgeSet(kind, seconds_);
    }

    /// @inheritdoc IRiskOracle
    function pause() external {
        if (msg.sender != guardian && msg.sender != owner()) revert CallerNotGuardian(msg.sender, guardian);
        _state.paused = true;
        emit PauseSet(true);
    }

    /// @inheritdoc IRiskOracle
    function unpause() external onlyOwner {
        _state.paused = false;
        emit PauseSet(false);
    }

    /// @inheritdoc IRiskOracle
    function setGuardian(address guardian_) external onlyOwner {
        _setGuardian(guardian_);
    }

    /// @inheritdoc IRiskOracle
    function getEpoch(uint64 number) public view returns (EpochView memory) {
        Slot memory slot = _ring[number % RING];
        if (number == 0 || slot.number != number) revert EpochUnknown(number, _state.latest);
        return _toView(slot);
    }

    /// @inheritdoc IRiskOracle
    function requireFresh(uint64 number, ActionKind kind) external view returns (FreshEpoch memory epoch) {
        State storage state = _state;
        Slot storage slot = _ring[number % RING];
        Rule rule = ActionRules.ruleOf(kind);
        if (state.paused && !rule.has(ActionRules.PAUSED)) revert ActionPaused(kind);
        if (number == 0 || slot.number != number) revert EpochUnknown(number, state.latest);
        if (number < state.minEpoch) revert EpochRevoked(number, state.minEpoch);
        uint16 maxAge = _isExit(rule, kind) ? state.maxAgeExit : state.maxAgeProof;
        epoch = FreshEpoch(slot.time, slot.generation, slot.keyVersion, slot.pointsHash);
        if (block.timestamp > uint256(epoch.time) + maxAge) {
            revert EpochStale(number, block.timestamp - epoch.time, maxAge);
        }
    }

    /// @inheritdoc IRiskOracle
    function requireUnpaused(ActionKind kind) external view {
        if (_state.paused) revert ActionPaused(kind);
    }

    /// @notice Longest age at which an epoch serves `kind`. Reverts with `EpochNotTaken` for an action that takes none.
    /// @param kind The action.
    /// @return Seconds.
    function maxAgeOf(ActionKind kind) external view returns (uint16) {
        return _isExit(ActionRules.ruleOf(kind), kind) ? _state.maxAgeExit : _state.maxAgeProof;
    }

    /// @inheritdoc IRiskOracle
    function settlementOf(uint16 keyVersion, uint24 generation_) external view returns (uint256 x, uint256 y) {
        Settlement storage settlement = _settlements[keyVersion][generation_];
        (x, y) = (settlement.x, settlement.y);
        if (x == 0 && y == 0) revert SettlementUnset(keyVersion, generation_);
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

    /// @notice Lowest epoch number that no later epoch has revoked.
    /// @return The number.
    function minEpoch() external view returns (uint64) {
        return _state.minEpoch;
    }

    /// @notice Whether the guardian has paused.
    /// @return Whether a pause goes on.
    function isPaused() external view returns (bool) {
        return _state.paused;
    }

    /// @notice The publishers.
    /// @return Their addresses, increasing.
    function getSigners() external view returns (address[] memory) {
        return _signers;
    }

    /// @inheritdoc IRiskOracle
    function hashEpoch(Epoch calldata epoch) public view returns (bytes32) {
        return _hashTypedDataV4(Messages.hash(epoch));
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

    function _toView(Slot memory slot) private pure returns (EpochView memory) {
        return EpochView(slot.number, slot.time, slot.generation, slot.keyVersion, slot.pointsHash, slot.snapshotHash);
    }

    /// @dev A policy point is never the identity: that is the policy without any rule.
    function _requirePoints(Epoch calldata epoch, Point[] calldata points) private pure {
        if (points.length == 0 || points.length > POINTS_LIMIT)
            revert PointCountOutOfRange(points.length, POINTS_LIMIT);
        bytes32 previous = 0;
        for (uint256 i = 0; i < points.length; i++) {
            Point calldata point = points[i];
            if (point.name <= previous || point.name == ActionRules.NAME_FLAT) {
                revert PointNameInvalid(point.name, previous);
            }
            if (!Bn254.isPoint(point.x, point.y)) revert PointInvalid(point.name, point.x, point.y);
            previous = point.name;
        }
        _requireHash(Points.hash(points), epoch.pointsHash);
    }

    function _requireStep(uint24 next, uint24 current) private view {
        if (next != current + 1) revert EpochGenerationWrong(next, current);
        uint256 earliest = uint256(steppedAt) + STEP_INTERVAL;
        if (block.timestamp < earliest) revert StepTooEarly(block.timestamp, earliest);
    }

    /// @dev A step's point is never the identity: a step that drops no slot lists nothing, and unset storage reads as
    ///      the identity. An ordinary epoch may bring the point of the step into the current generation, once, for a
    ///      key version that has none, and of the same vector.
    function _requireSettlement(
        Epoch calldata epoch,
        bytes calldata settlement,
        bool isStep,
        uint16 keyVersion
    ) private view {
        if (!isStep) {
            Settlement storage stored = _settlements[keyVersion][epoch.generation];
            if (settlementHashOf[epoch.generation] == 0 || stored.x != 0 || stored.y != 0) {
                revert SettlementUnexpected(epoch.settlementX, epoch.settlementY, settlement.length);
            }
            _requireHash(epoch.settlementHash, settlementHashOf[epoch.generation]);
        }
        if (!Bn254.isPoint(epoch.settlementX, epoch.settlementY)) {
            revert PointInvalid("settlement", epoch.settlementX, epoch.settlementY);
        }
        _requireHash(keccak256(settlement), epoch.settlementHash);
    }

    function _requireHash(bytes32 given, bytes32 signed) private pure {
        if (given != signed) revert HashMismatch(given, signed);
    }

    function _requireQuorum(bytes32 digest, bytes[] calldata signatures) private view {
        if (signatures.length < threshold) revert SignaturesMissing(signatures.length, threshold);
        address previous = address(0);
        for (uint256 i = 0; i < signatures.length; i++) {
            (address signer, ECDSA.RecoverError problem, ) = ECDSA.tryRecoverCalldata(digest, signatures[i]);
            if (problem != ECDSA.RecoverError.NoError || signer <= previous || !isSigner[signer]) {
                revert SignatureInvalid(i, signer);
            }
            previous = signer;
        }
    }

    function _setSigners(address[] memory signers, uint8 threshold_) private {
        uint256 count = signers.length;
        if (count < SIGNERS_LEAST || count > SIGNERS_LIMIT || threshold_ > count || 2 * uint256(threshold_) <= count) {
            revert SignersInvalid(count, threshold_);
        }
        for (uint256 i = 0; i < _signers.length; i++) isSigner[_signers[i]] = false;
        address previous = address(0);
        for (uint256 i = 0; i < count; i++) {
            if (signers[i] <= previous) revert SignersInvalid(count, threshold_);
            previous = signers[i];
            isSigner[previous] = true;
        }
        _signers = signers;
        threshold = threshold_;
        emit SignersSet(signers, threshold_);
    }
}
