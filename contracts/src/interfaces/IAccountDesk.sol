// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {OpenRequest} from "./IClearingHouse.sol";

/// @notice Takes an account from a revoked key version to its successor.
/// @param account The account.
/// @param commitment Its commitment, which stays.
/// @param deadline Unix seconds until which it may be carried in.
/// @param proof Groth16 proof of `transition` under the successor's key, eight words as IMarginVerifier says.
/// @param signature auth's, over the typed message Move.
struct MoveRequest {
    bytes32 account;
    uint256 commitment;
    uint40 deadline;
    uint256[8] proof;
    bytes signature;
}

/// @title What is done for an account beside the actions on it
/// @notice Opens accounts, burns digests, takes accounts without derivatives over steps of the listing, takes accounts
///         from a revoked key version to its successor, and takes the quorum's word for an account whose state depends
///         on a revoked epoch. Call it at the clearing house, which
///         delegates to the contract of this interface: its code runs in the clearing house's storage.
/// @dev Safety assumptions: those of IClearingHouse. Liveness assumptions: likewise.
interface IAccountDesk {
    /// @notice Opens an account with an empty portfolio. Anyone may carry it in; auth must have signed.
    /// @dev Relies on the committee's key of that version for the escrow, and on the proof that the commitment is to
    ///      the empty state under the escrowed viewing key. Opening proves no margin. Reverts with `AuthZero`,
    ///      `EphemeralIdentity`, `AccountTaken`, `DeadlinePassed`, `SubmitterWrong`, `GenerationWrong` unless the
    ///      generation is the latest epoch's, `DigestInvalidated`, `SignatureWrong`, with the oracle's `ActionPaused`,
    ///      the registry's `KeyUnknown`, `KeyIsRevoked`, `KeyIsSuspended` or `KeyNotLive`, and the verifier's errors.
    ///      Warning: whoever knows the viewing key reads the account for ever; it cannot be changed.
    /// @param request What is opened.
    /// @return account The account's number.
    function open(OpenRequest calldata request) external returns (bytes32 account);

    /// @notice Takes an account without derivatives to the version of the listing in force, which changes nothing in
    ///         it. Anyone may, where it is two steps behind the oracle, or more; auth may where it is one.
    /// @dev No proof is needed: an account that has never traded, or has proved to be flat since, holds collateral and
    ///      cash only, and a step neither drops nor pays for those. Reverts with `AccountNotOpen`, `RollNeedsProof`,
    ///      `NotBehind`.
    ///      Warning: it voids a flat exit or a deposit that auth signed before, at most once in two steps.
    /// @param account The account.
    function skip(bytes32 account) external;

    /// @notice Burns a digest that the caller, as auth of its account number `index`, may have signed; before opening,
    ///         too.
    /// @dev Never reverts but in a call of the clearing house's own. An action with that digest reverts with
    ///      `DigestInvalidated` from then on. Warning: an action that is mined first has happened.
    /// @param index Which of the caller's accounts.
    /// @param digest EIP-712 digest of the message.
    function invalidate(uint64 index, bytes32 digest) external;

    /// @notice `invalidate` by auth's signature over the typed message Invalidate. Anyone may carry it in.
    /// @dev Reverts with `SignatureWrong`.
    /// @param auth Who signed.
    /// @param index Which of auth's accounts.
    /// @param digest EIP-712 digest of the message that is burned.
    /// @param signature auth's, over Invalidate.
    function invalidateFor(address auth, uint64 index, bytes32 digest, bytes calldata signature) external;

    /// @notice Takes the quorum's word that the account's state depends on nothing wrong, though it wrote at a revoked
    ///         epoch. Anyone may carry it in.
    /// @dev The quorum signs the typed message Confirmation: account, the commitment that it has now, and a good epoch
    ///      up to which it was looked at. It can check: proofs stand in the calldata of what was written, and points
    ///      can be computed again from published policies. Afterwards no margin counts as proved until one is proved
    ///      again. Reverts with `ConfirmationInvalid` and the oracle's `SignaturesMissing` or `SignatureInvalid`.
    ///      Warning: whoever controls a quorum can confirm anything; replace a bad one first.
    /// @param account The account.
    /// @param epoch Number of a good epoch after the latest that the state depends on.
    /// @param signatures The publishers', over Confirmation, as for an epoch.
    function confirm(bytes32 account, uint64 epoch, bytes[] calldata signatures) external;

    /// @notice Takes an account whose key version was revoked to the successor, with the commitment that it has. Anyone
    ///         may carry it in; auth must have signed.
    /// @dev Proves the statement under the successor's key with nothing written, moved or traded, and the policy
    ///      without any rule: the commitment opens there, within the ranges on which its having one opening rests
    ///      (docs/protocol.md, L3). Goes on while paused and for a frozen account. Lineage and generation stay; what
    ///      was proved or attested under the revoked key counts no more. The publishers post the points of the steps
    ///      that the account still has to take under the new version. Reverts with `AccountNotOpen`, `DeadlinePassed`,
    ///      `CommitmentStale`, the registry's `KeyNotRevoked`, or `KeyIsSuspended` or `KeyNotLive` of the successor,
    ///      `DigestInvalidated`, `SignatureWrong`, and the verifier's errors.
    ///      Warning: a state that was forged under the faulty key, and is within the ranges, moves like any other.
    ///      Against that stands what stood before: suspension, the payments' delay, and the guardian's veto.
    /// @param request What is moved.
    /// @return keyVersion The successor.
    function move(MoveRequest calldata request) external returns (uint16 keyVersion);
}
