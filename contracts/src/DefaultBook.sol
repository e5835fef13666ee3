// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccountBook} from "./AccountBook.sol";
import {ActionPath} from "./ActionPath.sol";
import {CollateralVault} from "./CollateralVault.sol";
import {Delegated} from "./Delegated.sol";
import {VaultDesk} from "./VaultDesk.sol";
import {ActionKind, ActionRules} from "./generated/ActionRules.sol";
import {Status} from "./interfaces/IAccountBook.sol";
import {PolicyAttestation} from "./interfaces/IClearingHouse.sol";
import {DefaultCase, IDefaultBook} from "./interfaces/IDefaultBook.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {IMarginVerifier} from "./interfaces/IMarginVerifier.sol";
import {IRiskOracle} from "./interfaces/IRiskOracle.sol";
import {IWalletSignatures} from "./interfaces/IWalletSignatures.sol";
import {Attestations} from "./libraries/Attestations.sol";
import {Bn254} from "./libraries/Bn254.sol";

/// @title DefaultBook
/// @notice What the desks for accounts in default share: their storage, the clock of deadlines, and whose case is open.
abstract contract DefaultBook is ActionPath, Delegated, VaultDesk, IDefaultBook {
    struct Checkpoint {
        uint40 time; // unix seconds
        uint40 clock; // seconds of the clock of deadlines
    }

    /// @dev What this desk adds to the clearing house's storage.
    /// @custom:storage-location erc7201:zkmargin.defaults
    struct Defaults {
        mapping(bytes32 account => DefaultCase) cases;
        mapping(uint256 number => Checkpoint) checkpoints;
        uint256 latestCheckpoint;
        uint256 surplus; // micro-dollars that the vault holds beyond all hidden cash
    }

    /// @dev keccak256(abi.encode(uint256(keccak256("zkmargin.defaults")) - 1)) & ~bytes32(uint256(0xff)).
    bytes32 internal constant STORAGE =
        keccak256(abi.encode(uint256(keccak256("zkmargin.defaults")) - 1)) & ~bytes32(uint256(0xff));
    /// @dev Most seconds by which a tick advances the clock.
    uint40 internal constant LONGEST_TICK = 300;
    uint256 internal constant POSITIONS_PER_WORD = 7;
    uint256 internal constant LANE_BITS = 32;
    int256 internal constant POSITION_OFFSET = 2 ** 30;
    int256 internal constant CASH_LIMIT = 2 ** 80;

    /// @dev Version of the keys that the desk serves.
    uint16 internal immutable SERVED;
    /// @dev Seconds from a revelation to the first appraisal or sale, on the clock of deadlines.
    uint40 internal immutable WINDOW;

    constructor(
        IKeyRegistry registry,
        IRiskOracle oracle,
        IMarginVerifier verifier,
        IWalletSignatures wallets,
        CollateralVault vault,
        uint16 keyVersion,
        uint40 window
    ) AccountBook(registry, oracle, verifier, wallets) VaultDesk(vault) {
        registry.transitionKey(keyVersion); // reverts unless the key is live
        _requireBetween("window", window, 10 minutes, 1 days);
        (SERVED, WINDOW) = (keyVersion, window);
    }

    // ------------------------------------------------------------------ books and cases

    /// @dev Where a slot's position stands in a word, and the position.
    function _positionOf(uint256 word, uint256 slot) internal pure returns (uint256 shift, int256 lots) {
        shift = LANE_BITS * (slot % POSITIONS_PER_WORD);
        lots = int256((word >> shift) & (2 ** LANE_BITS - 1)) - POSITION_OFFSET;
    }

    /// @dev Sum of number_j rho^j, by Horner.
    function _evaluate(uint256[] calldata numbers, uint256 rho) internal pure returns (uint256 value) {
        for (uint256 j = numbers.length; j > 0; j--) {
            value = addmod(mulmod(value, rho, Bn254.R), numbers[j - 1], Bn254.R);
        }
    }

    /// @dev Words that positions of so many slots take.
    function _countWords(uint256 slots) internal pure returns (uint256) {
        return (slots + POSITIONS_PER_WORD - 1) / POSITIONS_PER_WORD;
    }

    function _caseOf(
        bytes32 account
    ) internal view returns (AccountRecord storage record, AccountHead memory head, DefaultCase storage case_) {
        record = _accounts[account];
        _load(head, record);
        case_ = _defaults().cases[account];
        if (_statusOf(head.state) != Status.FROZEN || case_.frozenAt == 0) revert NotInDefault(account);
    }

    /// @dev Reverts where the account could be redeemed: a solvent owner keeps its book, also before it says so.
    function _requireUnproved(
        bytes32 account,
        uint256 commitment,
        AccountHead memory head,
        DefaultCase storage case_
    ) internal view {
        if (_hasProved(account, commitment, head, case_.frozenAt)) revert Redeemable(account);
    }

    function _requireServed(bytes32 account, AccountHead memory head) internal view {
        if (head.keyVersion != SERVED) revert KeyVersionWrong(account, head.keyVersion, SERVED);
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
    ) internal view returns (bool) {
        uint256 oldest = block.timestamp - ORACLE.maxAgeOf(ActionKind.ATTEST);
        if (oldest < since) oldest = since;
        if (head.provenAt >= oldest && head.state & MARGIN != 0) return !ORACLE.isRevoked(head.provenEpoch);
        PolicyAttestation memory kept = Attestations.unpack(_attestations[account][ActionRules.NAME_MAINTENANCE]);
        return
            kept.time >= oldest &&
            kept.tag == Attestations.tag(commitment, head.keyVersion, ActionRules.NAME_MAINTENANCE, 0) &&
            !ORACLE.isRevoked(kept.epoch);
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

    function _defaults() internal pure returns (Defaults storage defaults) {
        bytes32 place = STORAGE;
        assembly ("memory-safe") {
            defaults.slot := place
        }
    }
}
