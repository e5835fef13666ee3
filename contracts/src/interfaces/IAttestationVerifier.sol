// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EpochPoint, IClearingHouse} from "./IClearingHouse.sol";

/// @notice What a contract asks an account to show it.
/// @param account The account.
/// @param policy Name of the policy. Warning: only "maintenance", "initial" and "withdraw" speak of solvency.
/// @param pointHash keccak256(abi.encode(name, x, y)) of the policy's point, which stands for its whole content; 0
///     takes whatever the epoch's publishers signed under the name.
/// @param challenge Chosen by the asking contract for this attestation, and used once: what else keeps it from being
///     shown twice.
/// @param maxAge Greatest age of the epoch's prices, in seconds; the oracle's own bound for attestations holds beside
///     it.
struct AttestationTerms {
    bytes32 account;
    bytes32 policy;
    bytes32 pointHash;
    bytes32 challenge;
    uint40 maxAge;
}

/// @notice An attestation as its maker hands it over.
/// @param epoch Number of the epoch at whose prices it was made, and the policy's point with its path.
/// @param commitment The account's commitment when it was made.
/// @param validUntil Last second, unix, at which it counts, as its maker wants it.
/// @param proof Groth16 proof of `transition`, eight words as IMarginVerifier says.
struct ShownAttestation {
    EpochPoint epoch;
    uint256 commitment;
    uint40 validUntil;
    uint256[8] proof;
}

/// @title Checks for another contract that a hidden account meets a policy, now
/// @notice Nothing is written: a contract asks, the account's owner, or whoever has its viewing key, shows, and `check`
///         answers. The message that the proof is bound to is put together here, from what was asked, from the caller's
///         address and from what the chain has of the account; there is no field that the caller could forget to
///         compare.
/// @dev Safety assumptions
///      - Those of IMarginVerifier, IKeyRegistry and IRiskOracle.
///      - The asking contract uses a challenge once. It may be any 32 bytes, for example a count.
///      - It shows what holds in this block. Warning: an account may trade in the same block after the check, and
///        nothing can be seized from it. Whoever needs it to last asks again, or has the account's auth bound by other
///        means.
///      - Whoever has the viewing key can make it; it does not show that auth agreed.
///      Liveness assumptions
///      - The epoch is still fresh at the oracle, and the guardian has not paused.
interface IAttestationVerifier {
    /// @notice The account has moved since the attestation was made.
    /// @param account The account.
    /// @param shown Commitment that the attestation is of.
    /// @param stored The account's.
    error AttestationStale(bytes32 account, uint256 shown, uint256 stored);
    /// @notice The attestation is not valid any more.
    /// @param validUntil Last second, unix, at which it counted.
    /// @param time The block's time, unix seconds.
    error AttestationExpired(uint40 validUntil, uint256 time);
    /// @notice The epoch's prices are older than the asking contract takes.
    /// @param epoch Number of the epoch.
    /// @param age Seconds.
    /// @param maxAge Greatest age asked for, seconds.
    error AttestationTooOld(uint64 epoch, uint256 age, uint40 maxAge);
    /// @notice The policy of that name has another content than was asked for.
    /// @param policy Name of the policy.
    /// @param pointHash Hash of the epoch's point.
    /// @param asked Hash that was asked for.
    error PolicyContentDiffers(bytes32 policy, bytes32 pointHash, bytes32 asked);

    /// @notice The clearing house whose accounts it speaks of.
    /// @return Its address.
    function HOUSE() external view returns (IClearingHouse);

    /// @notice Returns if `asked.account`, as it is now, meets the policy at the epoch's prices; the caller is the
    ///         recipient that the attestation must have been made for.
    /// @dev Reverts with IAccountBook's `StatusWrong` unless the account is active, `AttestationStale`,
    ///      `AttestationExpired`, the oracle's `ActionPaused`, `EpochUnknown`, `EpochSuperseded`, `EpochRevoked` and
    ///      `EpochStale`, `AttestationTooOld`, IAccountBook's `KeyVersionWrong`, `GenerationWrong`,
    ///      `AccountOfRevokedEpoch`, `PointsMismatch`, `PolicyContentDiffers`, the registry's errors unless the
    ///      account's key is live, and the verifier's, `ProofRejected` if anything but the proof's own statement was
    ///      asked.
    ///      Warning: ask with a fresh challenge, and note it as used.
    /// @param asked What is asked for.
    /// @param shown What was handed over.
    /// @return time Unix seconds of the epoch's prices.
    /// @return pointHash keccak256(abi.encode(name, x, y)) of the policy's point: which content was met.
    function check(
        AttestationTerms calldata asked,
        ShownAttestation calldata shown
    ) external view returns (uint40 time, bytes32 pointHash);
}
