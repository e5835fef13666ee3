// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRekeyVerifier} from "./IRekeyVerifier.sol";

/// @notice An account moves to a new viewing key.
/// @param account The account.
/// @param commitmentOld Its commitment.
/// @param commitmentNew Of the same state under the new key.
/// @param ephemeralX Ephemeral point of the new key's escrow.
/// @param ephemeralY Its other coordinate.
/// @param escrowedKey The new key, encrypted to the committee.
/// @param checkpoint Cash and state words, encrypted under the new key.
/// @param submitter Who alone may carry it in; zero for anyone.
/// @param deadline Unix seconds.
/// @param signature Of auth, over Rekey.
/// @param proof Of `rekey`.
struct RekeyRequest {
    bytes32 account;
    uint256 commitmentOld;
    uint256 commitmentNew;
    uint256 ephemeralX;
    uint256 ephemeralY;
    uint256 escrowedKey;
    uint256[] checkpoint;
    address submitter;
    uint40 deadline;
    bytes signature;
    uint256[8] proof;
}

/// @title Accounts that move to a new viewing key
/// @notice Whoever has an account's viewing key reads all that it does under it. After an opening the owner moves to a
///         new key, which shuts the committee out again; it may do so at any time. An account that was redeemed from
///         default takes no part in a trade before it has (`RekeyFirst`).
///         State, deadline and the margin of the last written proof stay. Every attestation, of maintenance too, is of
///         the old commitment and has to be made again: until then the account may not be current. That the new key is
///         another one is the owner's business.
/// @dev Safety assumptions
///      - Those of IRekeyVerifier.
///      Liveness assumptions
///      - None: it goes on while the oracle is paused, and at no epoch.
///      Warning: runs in the clearing house's storage, by delegated calls alone. A frozen account keeps its key.
interface IRekeyDesk {
    /// @notice An account has a new viewing key.
    /// @param account The account.
    /// @param keyVersion Version of the committee's key.
    /// @param commitment New commitment, of the same state.
    /// @param ephemeralX Ephemeral point of the escrow, with `ephemeralY` and `escrowedKey` what the committee
    ///     decrypts.
    /// @param ephemeralY Its other coordinate.
    /// @param escrowedKey The encrypted viewing key.
    /// @param checkpoint Cash and state words, encrypted under the new key.
    event AccountRekeyed(
        bytes32 indexed account,
        uint16 keyVersion,
        uint256 commitment,
        uint256 ephemeralX,
        uint256 ephemeralY,
        uint256 escrowedKey,
        uint256[] checkpoint
    );

    /// @notice The verifier has no key yet.
    /// @param verifier Its address.
    error KeyMissing(address verifier);
    /// @notice The checkpoint is of another length, or a number in it is no field element.
    /// @param place Of the number, or how many there are.
    /// @param count Numbers expected.
    error CheckpointMalformed(uint256 place, uint256 count);

    /// @notice Moves an active account to a new viewing key. Anyone may call, or the named submitter.
    /// @dev Reverts with `AccountNotOpen`, `KeyVersionWrong`, `CommitmentStale`, `EphemeralIdentity`,
    ///      `CheckpointMalformed`, as an action for deadline, submitter and signature, and as REKEYS if the proof does
    ///      not hold.
    /// @param request The move.
    function rekey(RekeyRequest calldata request) external;

    /// @notice What checks rekeyings.
    /// @return The verifier.
    function REKEYS() external view returns (IRekeyVerifier);
}
