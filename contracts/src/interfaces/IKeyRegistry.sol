// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev What the owner hands over to register a key version.
struct KeyRegistration {
    bytes transition; // points of the `transition` key, laid out as KeyData says, STOP left out
    bytes open; // points of the `open` key, likewise
    uint16 slots; // N, instruments of the statement
    bytes32 transitionHash; // hash of the whole transition key, as the prover computes it
    bytes32 openHash; // hash of the whole open key
    uint256 flatX; // policy point of the constant policy "flat"
    uint256 flatY;
    uint256 committeeX; // the escrow committee's BabyJubJub key
    uint256 committeeY;
}

/// @title Verification keys, by version
/// @notice A version holds the `transition` and `open` keys, the point of the constant policy "flat" and the committee's public key. Versions are only added and revoked,
///         never changed.
/// @dev Checked at registration: sizes; every G1 point on the curve, coordinates below the field's order, none the identity; every G2 point in its subgroup and
///      not the identity; delta different from gamma, from the generator and from their negatives (a key exported before anyone contributed to its set-up has them equal, and
///      anyone can forge with it; gamma itself is the generator in snarkjs's keys); the flat point on the curve; the committee key on BabyJubJub, of prime order, not the identity.
///      Safety assumptions
///      - At least one contributor to each key's set-up was honest. Nothing on chain can tell.
///      - The declared hashes and the flat point are the true ones. The hashes cover the IC of every policy signal, which never goes on chain, so the
///        contract cannot recompute them: the auditor does, and recomputes the flat point.
///      - The owner does not register a key whose set-up it knows: such a key empties the vault. Hence ACTIVATION_DELAY, in which everyone can leave; the first
///        version is live at once, as no account can exist before it. The owner should be a timelock. The deployment script takes a delay below 14 days
///        on development chains only; ownership moves in two steps (Ownable2Step): the owner names a successor, who accepts.
///      - A committee member's share does not leak; the committee can read escrowed accounts, never move them.
///      Liveness assumptions
///      - The owner does not revoke a sound key. Warning: revocation stops every action of the accounts under it, flat exits included, since a broken key
///        proves anything; it is meant for that case alone.
interface IKeyRegistry {
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
    event KeyRevoked(uint16 indexed version);

    /// @notice No key has this version; versions run from 1 to `latest`.
    error KeyUnknown(uint16 version, uint16 latest);
    /// @notice The version was revoked.
    error KeyIsRevoked(uint16 version);
    /// @notice The version is registered and not live yet.
    error KeyNotLive(uint16 version, uint40 liveFrom, uint256 time);
    /// @notice No registered key has this hash.
    error KeyHashUnknown(bytes32 transitionHash);
    /// @notice A key with this hash is registered already.
    error KeyHashTaken(bytes32 transitionHash, uint16 version);
    /// @notice A key's bytes do not have the size that its slots ask for.
    error KeySizeWrong(uint256 size, uint256 expected);
    /// @notice A number of slots outside 1 to 256.
    error SlotsOutOfRange(uint16 slots, uint16 limit);
    /// @notice The G1 point at this byte of the key is off the curve, the identity, or a coordinate is not below the field's order.
    error KeyPointInvalid(uint256 offset, uint256 x, uint256 y);
    /// @notice The G2 point at this byte of the key is outside the subgroup, the identity, or a coordinate is not below the field's order.
    error KeyGroupElementInvalid(uint256 offset);
    /// @notice delta is gamma, the generator, or the negative of one: the set-up had no contribution and anyone can forge proofs.
    error KeySetUpUnsafe(bytes32 deltaXHash);
    /// @notice The flat point is off the curve or the identity.
    error FlatPointInvalid(uint256 x, uint256 y);
    /// @notice The committee key is off the curve, outside the prime-order subgroup, or the identity.
    error CommitteeKeyInvalid(uint256 x, uint256 y);
    /// @notice An activation delay beyond the limit.
    error DelayTooLong(uint40 delay, uint40 limit);

    /// @notice Adds a version; only the owner.
    function register(KeyRegistration calldata registration) external returns (uint16 version);

    /// @notice Revokes a version for good; only the owner.
    function revoke(uint16 version) external;

    /// @notice Highest version registered; 0 for none.
    function latest() external view returns (uint16);

    /// @notice Data contract of the live `transition` key and its number of slots; reverts if the version is not live.
    function transitionKey(uint16 version) external view returns (address key, uint16 slots);

    /// @notice Data contract of the live `open` key and the committee's public key; reverts if the version is not live.
    function openKey(uint16 version) external view returns (address key, uint256 committeeX, uint256 committeeY);

    /// @notice Point of the constant policy "flat".
    function flatPoint(uint16 version) external view returns (uint256 x, uint256 y);

    /// @notice The version whose transition key has this declared hash.
    function versionOf(bytes32 transitionHash) external view returns (uint16);

    /// @notice Whether the version is registered, past its delay and not revoked.
    function isLive(uint16 version) external view returns (bool);
}
