// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What the owner hands over to register a key version.
/// @param transition Points of the `transition` key, laid out as KeyData says, STOP left out.
/// @param open Points of the `open` key, likewise.
/// @param slots N, instruments of the statement.
/// @param transitionHash Hash of the whole transition key, as the prover computes it.
/// @param openHash Hash of the whole open key.
/// @param flatX Policy point of the constant policy "flat".
/// @param flatY Its other coordinate.
/// @param committeeX The escrow committee's BabyJubJub key.
/// @param committeeY Its other coordinate.
struct KeyRegistration {
    bytes transition;
    bytes open;
    uint16 slots;
    bytes32 transitionHash;
    bytes32 openHash;
    uint256 flatX;
    uint256 flatY;
    uint256 committeeX;
    uint256 committeeY;
}

/// @title Verification keys, by version
/// @notice A version holds the `transition` and `open` keys and the point of the constant policy "flat". The
///         committee's public key is a public input of `open` that is the same in every opening of the version: the
///         registry adds its terms, committeeX * IC and committeeY * IC, to the point of the constant before it stores
///         the key, so that no opening names another. Versions are added, suspended, resumed and revoked, never
///         changed. A version in which somebody may have found a fault is *suspended* by the guardian, once, for 45
///         days at most: every action under it stops. Then the owner either resumes it, or registers a sound version
///         and revokes the faulty one with that successor, to which its accounts move (IAccountDesk.move).
/// @dev Checked at registration: sizes; every G1 point on the curve, coordinates below the field's order, none the
///      identity; every G2 point in its subgroup and not the identity; beta, gamma and delta different from each other
///      and from each other's negatives, and alpha, beta and delta no generator and no generator's negative (a key
///      exported before anyone contributed to its set-up has delta equal to gamma, and anyone can forge with it; gamma
///      itself is the generator in snarkjs's keys); the transition key's hash not registered before; the flat point on
///      the curve and not the identity; the committee key on BabyJubJub, of prime order, not the identity.
///      Safety assumptions
///      - At least one contributor to each key's set-up was honest. Nothing on chain can tell.
///      - The declared hashes and the flat point are the true ones. The hashes cover the IC of every policy signal,
///        which never goes on chain, so the contract cannot recompute them: whoever audits the venue does.
///      - The owner does not register a key whose set-up it knows: such a key empties the vault. Hence
///        ACTIVATION_DELAY, in which everyone can leave; the first version is live at once, as no account can exist
///        before it. The owner should be a timelock. The deployment script takes a delay below 14 days on development
///        chains only; ownership moves in two steps (Ownable2Step): the owner names a successor, who accepts.
///      - A committee member's share does not leak; the committee can read escrowed accounts, never move them.
///      Liveness assumptions
///      - The owner does not revoke a sound key, and the guardian suspends none. Warning: both stop every action of the
///        accounts under it, flat exits included, since a broken key proves anything. A guardian can suspend a version
///        once; it can do so again only after the owner has resumed it.
///      - Where no sound version can be registered, as the statement itself is faulty, no successor exists and the
///        accounts' money stays where it is: the contracts have no claim of a wind-down.
interface IKeyRegistry {
    /// @notice A version was added.
    /// @param version Its number.
    /// @param transitionHash Declared hash of the whole transition key.
    /// @param openHash Declared hash of the whole open key.
    /// @param transitionKey Data contract of the transition key's points.
    /// @param openKey Data contract of the open key's points.
    /// @param slots Instruments of the statement.
    /// @param liveFrom Unix seconds from which the version may be used.
    /// @param flatX Policy point of the constant policy "flat".
    /// @param flatY Its other coordinate.
    /// @param committeeX The committee's key.
    /// @param committeeY Its other coordinate.
    event KeyRegistered(
        uint16 indexed version,
        bytes32 indexed transitionHash,
        bytes32 openHash,
        address transitionKey,
        address openKey,
        uint16 slots,
        uint40 liveFrom,
        uint256 flatX,
        uint256 flatY,
        uint256 committeeX,
        uint256 committeeY
    );
    /// @notice A version was suspended.
    /// @param version Its number.
    /// @param until Unix seconds at which it is live again, unless the owner acts before.
    event KeySuspended(uint16 indexed version, uint40 until);
    /// @notice The owner ended a suspension, or allowed another one.
    /// @param version The version.
    event KeyResumed(uint16 indexed version);
    /// @notice A version was revoked.
    /// @param version Its number.
    /// @param successor The version to which its accounts move.
    event KeyRevoked(uint16 indexed version, uint16 indexed successor);
    /// @notice The guardian was named.
    /// @param guardian Who may suspend.
    event KeyGuardianSet(address guardian);

    /// @notice No key has this version; versions run from 1 to `latest`.
    /// @param version The version.
    /// @param latest Highest version.
    error KeyUnknown(uint16 version, uint16 latest);
    /// @notice The version was revoked.
    /// @param version The version.
    error KeyIsRevoked(uint16 version);
    /// @notice The version was not revoked, so it has no successor.
    /// @param version The version.
    error KeyNotRevoked(uint16 version);
    /// @notice The version is suspended.
    /// @param version The version.
    /// @param until Unix seconds at which it is live again, unless the owner acts before.
    error KeyIsSuspended(uint16 version, uint40 until);
    /// @notice The version was suspended, and the owner has not resumed it since.
    /// @param version The version.
    /// @param until Unix seconds at which that suspension ends or ended.
    error KeySuspendedBefore(uint16 version, uint40 until);
    /// @notice A successor is another live version with as many slots.
    /// @param version The version to be revoked.
    /// @param successor The successor given.
    error SuccessorInvalid(uint16 version, uint16 successor);
    /// @notice Only the guardian or the owner may suspend.
    /// @param caller Who called.
    /// @param guardian The guardian.
    error CallerNotGuardian(address caller, address guardian);
    /// @notice The version is registered and not live yet.
    /// @param version The version.
    /// @param liveFrom Unix seconds from which it is.
    /// @param time The block's time, unix seconds.
    error KeyNotLive(uint16 version, uint40 liveFrom, uint256 time);
    /// @notice No registered key has this hash.
    /// @param transitionHash The hash.
    error KeyHashUnknown(bytes32 transitionHash);
    /// @notice A key with this hash is registered already.
    /// @param transitionHash The hash.
    /// @param version The version that has it.
    error KeyHashTaken(bytes32 transitionHash, uint16 version);
    /// @notice A key's bytes do not have the size that its slots ask for.
    /// @param size Bytes given.
    /// @param expected Bytes needed.
    error KeySizeWrong(uint256 size, uint256 expected);
    /// @notice No further version can be registered.
    /// @param limit Highest version.
    error VersionsUsedUp(uint16 limit);
    /// @notice A number of slots outside 1 to the limit.
    /// @param slots The number.
    /// @param limit Highest number.
    error SlotsOutOfRange(uint16 slots, uint16 limit);
    /// @notice A G1 point of the key is off the curve, the identity, or a coordinate is not below the field's order.
    /// @param offset Byte of the key at which it begins.
    /// @param x Its coordinate.
    /// @param y Its other coordinate.
    error KeyPointInvalid(uint256 offset, uint256 x, uint256 y);
    /// @notice A G2 point of the key is outside the subgroup, the identity, or a coordinate is not below the field's
    ///         order.
    /// @param offset Byte of the key at which it begins.
    error KeyGroupElementInvalid(uint256 offset);
    /// @notice Two of beta, gamma and delta are equal or opposite, and anyone can forge proofs; or alpha, beta or delta
    ///         is a generator or its negative, and the set-up had no contribution.
    /// @param xHash keccak256 of the element's x.
    error KeySetUpUnsafe(bytes32 xHash);
    /// @notice The flat point is off the curve or the identity.
    /// @param x Its coordinate.
    /// @param y Its other coordinate.
    error FlatPointInvalid(uint256 x, uint256 y);
    /// @notice The committee key is off the curve, outside the prime-order subgroup, or the identity.
    /// @param x Its coordinate.
    /// @param y Its other coordinate.
    error CommitteeKeyInvalid(uint256 x, uint256 y);
    /// @notice An activation delay beyond the limit.
    /// @param delay Seconds given.
    /// @param limit Most seconds.
    error DelayTooLong(uint40 delay, uint40 limit);

    /// @notice Adds a version, live after ACTIVATION_DELAY. Only the owner.
    /// @dev Reverts with `OwnableUnauthorizedAccount` for anybody else, `SlotsOutOfRange`, `VersionsUsedUp`,
    ///      `KeyHashTaken`, `KeySizeWrong`, `KeyPointInvalid`, `KeyGroupElementInvalid`, `KeySetUpUnsafe`,
    ///      `FlatPointInvalid`, `CommitteeKeyInvalid`.
    ///      Warning: a key whose set-up somebody knows proves anything for that somebody.
    /// @param registration The key version.
    /// @return version Its number.
    function register(KeyRegistration calldata registration) external returns (uint16 version);

    /// @notice Stops a version for 45 days. Only the guardian or the owner.
    /// @dev It is live again after that, or once the owner resumes it. Reverts with `CallerNotGuardian`, `KeyUnknown`,
    ///      `KeyIsRevoked`, `KeySuspendedBefore`.
    /// @param version The version.
    function suspend(uint16 version) external;

    /// @notice Ends a suspension, and lets the guardian suspend the version again. Only the owner.
    /// @dev Reverts with `OwnableUnauthorizedAccount` for anybody else, `KeyUnknown`, `KeyIsRevoked`.
    /// @param version The version.
    function resume(uint16 version) external;

    /// @notice Revokes a version for good, in favour of a live one. Only the owner.
    /// @dev Reverts with `OwnableUnauthorizedAccount` for anybody else, `KeyUnknown`, `KeyIsRevoked`,
    ///      `SuccessorInvalid`, and with `KeyUnknown`, `KeyIsRevoked`, `KeyIsSuspended` or `KeyNotLive` of the
    ///      successor. Warning: the accounts under it can do nothing but move to the successor, flat exits included.
    /// @param version The version.
    /// @param successor The version to which its accounts move.
    function revoke(uint16 version, uint16 successor) external;

    /// @notice Names who may suspend. Only the owner.
    /// @dev Reverts with `OwnableUnauthorizedAccount` for anybody else.
    /// @param guardian The guardian.
    function setGuardian(address guardian) external;

    /// @notice The version to which the accounts of a revoked one move: the first in the row that is not revoked.
    /// @dev It may be suspended. Reverts with `KeyNotRevoked`.
    /// @param version The revoked version.
    /// @return successor The version.
    function successorOf(uint16 version) external view returns (uint16 successor);

    /// @notice Who may suspend.
    /// @return The guardian.
    function guardian() external view returns (address);

    /// @notice Seconds from registration until a version is live; none for version 1.
    /// @return Seconds.
    function ACTIVATION_DELAY() external view returns (uint40);

    /// @notice Highest version registered; 0 for none.
    /// @return The version.
    function latest() external view returns (uint16);

    /// @notice Data contract of the live `transition` key, and its number of slots.
    /// @dev Reverts with `KeyUnknown`, `KeyIsRevoked`, `KeyIsSuspended`, `KeyNotLive`.
    /// @param version The version.
    /// @return key The data contract.
    /// @return slots Instruments of the statement.
    function transitionKey(uint16 version) external view returns (address key, uint16 slots);

    /// @notice Data contract of the live `open` key, the committee's terms in its constant's point.
    /// @dev Reverts with `KeyUnknown`, `KeyIsRevoked`, `KeyIsSuspended`, `KeyNotLive`.
    /// @param version The version.
    /// @return The data contract.
    function openKey(uint16 version) external view returns (address);

    /// @notice Point of the constant policy "flat" under a live version.
    /// @dev Reverts with `KeyUnknown`, `KeyIsRevoked`, `KeyIsSuspended`, `KeyNotLive`.
    /// @param version The version.
    /// @return x Its coordinate.
    /// @return y Its other coordinate.
    function flatPoint(uint16 version) external view returns (uint256 x, uint256 y);

    /// @notice The version whose transition key has this declared hash, live or not.
    /// @dev Reverts with `KeyHashUnknown`.
    /// @param transitionHash The hash.
    /// @return The version.
    function versionOf(bytes32 transitionHash) external view returns (uint16);

    /// @notice Whether the version is registered, past its delay, and neither suspended nor revoked.
    /// @param version The version.
    /// @return Whether all of that holds now.
    function isLive(uint16 version) external view returns (bool);
}
