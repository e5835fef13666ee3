// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {MarginVerifier} from "./MarginVerifier.sol";
import {Owned} from "./Owned.sol";
import {Statement} from "./generated/Statement.sol";
import {IKeyRegistry, KeyRegistration} from "./interfaces/IKeyRegistry.sol";
import {BabyJubJub} from "./libraries/BabyJubJub.sol";
import {KeyChecks} from "./libraries/KeyChecks.sol";

/// @title KeyRegistry
/// @notice What it does and what it relies on is written in IKeyRegistry and IMarginVerifier.
/// @dev It checks proofs too, so that an action, which asks for a key and has a proof checked, touches one account
///      fewer (2,600 gas, EIP-2929). Of the checks nothing reads its storage.
contract KeyRegistry is IKeyRegistry, MarginVerifier, Owned {
    struct Key {
        address transition;
        uint16 slots;
        uint40 liveFrom; // end of the activation delay
        uint40 usableFrom; // the same, unless suspended: then that suspension's end; REVOKED for good
        address open;
        uint40 openUsableFrom; // usableFrom again: an opening reads this word alone
        uint256 flatX;
        uint256 flatY;
    }

    uint16 private constant SLOTS_LIMIT = 256;
    /// @dev An account's record has eight bits for the version of its keys.
    uint16 private constant VERSIONS_LIMIT = type(uint8).max;
    uint40 private constant DELAY_LIMIT = 30 days;
    /// @dev In it a successor can be registered and become live.
    uint40 private constant SUSPENSION = 45 days;
    uint40 private constant REVOKED = type(uint40).max;

    /// @inheritdoc IKeyRegistry
    uint40 public immutable ACTIVATION_DELAY;

    /// @inheritdoc IKeyRegistry
    uint16 public latest;
    mapping(uint16 version => Key) private _keys;
    mapping(bytes32 transitionHash => uint16 version) private _versions;
    mapping(uint16 version => uint16) private _successors;
    /// @inheritdoc IKeyRegistry
    address public guardian;

    constructor(address owner, address guardian_, uint40 activationDelay) Ownable(owner) {
        if (activationDelay > DELAY_LIMIT) revert DelayTooLong(activationDelay, DELAY_LIMIT);
        ACTIVATION_DELAY = activationDelay;
        _setGuardian(guardian_);
    }

    /// @inheritdoc IKeyRegistry
    function register(KeyRegistration calldata registration) external onlyOwner returns (uint16 version) {
        uint16 slots = registration.slots;
        if (slots == 0 || slots > SLOTS_LIMIT) revert SlotsOutOfRange(slots, SLOTS_LIMIT);
        if (latest == VERSIONS_LIMIT) revert VersionsUsedUp(VERSIONS_LIMIT);
        version = _versions[registration.transitionHash];
        if (version != 0) revert KeyHashTaken(registration.transitionHash, version);
        KeyChecks.requireSound(registration.transition, Statement.FLOW + slots);
        KeyChecks.requireSound(registration.open, Statement.OPEN_POINTS);
        if (!KeyChecks.isPoint(registration.flatX, registration.flatY)) {
            revert FlatPointInvalid(registration.flatX, registration.flatY);
        }
        if (!BabyJubJub.isSubgroupPoint(registration.committeeX, registration.committeeY)) {
            revert CommitteeKeyInvalid(registration.committeeX, registration.committeeY);
        }

        version = ++latest;
        _versions[registration.transitionHash] = version;
        Key storage key = _keys[version];
        key.transition = KeyChecks.store(registration.transition);
        key.open = KeyChecks.store(
            KeyChecks.fold(
                registration.open,
                Statement.OPEN_COMMITTEE_X,
                registration.committeeX,
                registration.committeeY
            )
        );
        key.slots = slots;
        key.liveFrom = uint40(block.timestamp) + (version == 1 ? 0 : ACTIVATION_DELAY);
        _setUsableFrom(key, key.liveFrom);
        (key.flatX, key.flatY) = (registration.flatX, registration.flatY);
        emit KeyRegistered(
            version,
            registration.transitionHash,
            registration.openHash,
            key.transition,
            key.open,
            slots,
            key.liveFrom,
            registration.flatX,
            registration.flatY,
            registration.committeeX,
            registration.committeeY
        );
    }

    /// @inheritdoc IKeyRegistry
    function suspend(uint16 version) external {
        if (msg.sender != guardian && msg.sender != owner()) revert CallerNotGuardian(msg.sender, guardian);
        Key storage key = _known(version);
        if (key.usableFrom == REVOKED) revert KeyIsRevoked(version);
        if (key.usableFrom != key.liveFrom) revert KeySuspendedBefore(version, key.usableFrom);
        _setUsableFrom(key, uint40(block.timestamp) + SUSPENSION);
        emit KeySuspended(version, key.usableFrom);
    }

    /// @inheritdoc IKeyRegistry
    function resume(uint16 version) external onlyOwner {
        Key storage key = _known(version);
        if (key.usableFrom == REVOKED) revert KeyIsRevoked(version);
        _setUsableFrom(key, key.liveFrom);
        emit KeyResumed(version);
    }

    /// @inheritdoc IKeyRegistry
    function revoke(uint16 version, uint16 successor) external onlyOwner {
        Key storage key = _known(version);
        if (key.usableFrom == REVOKED) revert KeyIsRevoked(version);
        uint16 slots = _live(successor).slots;
        if (successor == version || slots != key.slots) revert SuccessorInvalid(version, successor);
        _setUsableFrom(key, REVOKED);
        _successors[version] = successor;
        emit KeyRevoked(version, successor);
    }

    /// @inheritdoc IKeyRegistry
    function setGuardian(address guardian_) external onlyOwner {
        _setGuardian(guardian_);
    }

    /// @inheritdoc IKeyRegistry
    function successorOf(uint16 version) external view returns (uint16 successor) {
        successor = version;
        while (_keys[successor].usableFrom == REVOKED) successor = _successors[successor];
        if (successor == version) revert KeyNotRevoked(version);
    }

    /// @inheritdoc IKeyRegistry
    function transitionKey(uint16 version) external view returns (address key, uint16 slots) {
        Key storage stored = _keys[version];
        uint40 usableFrom;
        (key, slots, usableFrom) = (stored.transition, stored.slots, stored.usableFrom); // one word
        if (key == address(0) || block.timestamp < usableFrom) _live(version); // which says why
    }

    /// @inheritdoc IKeyRegistry
    function openKey(uint16 version) external view returns (address) {
        Key storage key = _keys[version];
        if (key.open == address(0) || block.timestamp < key.openUsableFrom) _live(version); // which says why
        return key.open;
    }

    /// @inheritdoc IKeyRegistry
    function flatPoint(uint16 version) external view returns (uint256 x, uint256 y) {
        Key storage stored = _live(version);
        return (stored.flatX, stored.flatY);
    }

    /// @inheritdoc IKeyRegistry
    function versionOf(bytes32 transitionHash) external view returns (uint16 version) {
        version = _versions[transitionHash];
        if (version == 0) revert KeyHashUnknown(transitionHash);
    }

    /// @inheritdoc IKeyRegistry
    function isLive(uint16 version) external view returns (bool) {
        Key storage key = _keys[version];
        return key.transition != address(0) && block.timestamp >= key.usableFrom;
    }

    /// @inheritdoc MarginVerifier
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IKeyRegistry).interfaceId || super.supportsInterface(interfaceId);
    }

    function _setGuardian(address guardian_) private {
        guardian = guardian_;
        emit KeyGuardianSet(guardian_);
    }

    function _setUsableFrom(Key storage key, uint40 usableFrom) private {
        (key.usableFrom, key.openUsableFrom) = (usableFrom, usableFrom);
    }

    function _live(uint16 version) private view returns (Key storage key) {
        key = _known(version);
        if (block.timestamp < key.usableFrom) {
            if (key.usableFrom == REVOKED) revert KeyIsRevoked(version);
            if (key.usableFrom != key.liveFrom) revert KeyIsSuspended(version, key.usableFrom);
            revert KeyNotLive(version, key.liveFrom, block.timestamp);
        }
    }

    function _known(uint16 version) private view returns (Key storage key) {
        key = _keys[version];
        if (key.transition == address(0)) revert KeyUnknown(version, latest);
    }
}
