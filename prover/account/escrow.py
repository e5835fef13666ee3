"""Escrow of the viewing key to the committee: hashed ElGamal on BabyJubJub (EIP-2494), proved by the circuit `open`.

R = rho Base8, S = rho PK, c = key + Poseidon(tag, S.x, S.y). The committee, and nobody else, can read escrowed
accounts; it cannot move them. Set-up makes one development key, marked insecure; `zkmargin.committee` shares such a key
among members.
"""

from dataclasses import dataclass
from pathlib import Path

from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from zkmargin.prover import _native
from zkmargin.prover.account.key_file import read_hex_secret, read_secret_file, write_secret_file
from zkmargin.prover.errors import EscrowError, FormatError, KeyFileError, NotInField, PointRefused
from zkmargin.prover.ranges import check_range, read_decimal, require_integer
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS, TAGS

Point = tuple[int, int]
"""Affine coordinates on BabyJubJub, each in [0, p)."""

DEVELOPMENT_MARK = "DEVELOPMENT KEY: whoever has this file reads every escrowed account. Local chains only."


def check_committee_key(point: Point) -> Point:
    """The point if it may be a committee's key: on the curve, in the prime-order subgroup, not the identity.

    Raises
    ------
    PointRefused
        If it may not.
    NotInField
        If a coordinate is not in [0, p).
    """
    return _check_point("committee key", point)


def _check_point(what: str, point: Point) -> Point:
    x, y = (require_integer(f"{what}.{name}", coordinate) for name, coordinate in zip("xy", point, strict=True))
    for name, coordinate in (("x", x), ("y", y)):
        if not 0 <= coordinate < FIELD_MODULUS:
            raise NotInField(f"{what}.{name}", coordinate)
    if not _native.babyjubjub_is_in_subgroup((x, y)):
        raise PointRefused(f"{what} ({x}, {y})", "is not a point of BabyJubJub's prime-order subgroup")
    if (x, y) == (0, 1):
        raise PointRefused(f"{what} ({x}, {y})", "is the identity")
    return x, y


@dataclass(frozen=True, slots=True)
class Escrow:
    """What the chain is told about the key of a new account."""

    ephemeral: Point
    """R."""
    escrowed_key: int
    """c."""
    committee: Point
    """PK."""

    def __post_init__(self) -> None:
        for number in (*self.ephemeral, self.escrowed_key, *self.committee):
            check_range("number of an escrow", number, 0, 1 << 256)

    def name_public_signals(self) -> dict[str, int]:
        """The public signals by which a circuit proves the escrow."""
        (ephemeral_x, ephemeral_y), (committee_x, committee_y) = self.ephemeral, self.committee
        return {
            "ephemeralX": ephemeral_x,
            "ephemeralY": ephemeral_y,
            "escrowedKey": self.escrowed_key,
            "committeeX": committee_x,
            "committeeY": committee_y,
        }

    def compute_hash(self, key_version: int) -> bytes:
        """keccak256(abi.encode(R.x, R.y, c, key version)), which the account stores.

        Raises
        ------
        OutOfRange
            If the key version is not below 2^16.
        """
        check_range("key version", key_version, 0, 1 << 16)
        return keccak(abi_encode(["uint256"] * 4, [*self.ephemeral, self.escrowed_key, key_version]))


def make_scalar() -> Secret:
    """A fresh scalar in [1, subgroup order), from the operating system."""
    return Secret(_native.random_scalar())


def escrow_key(key: Secret, committee: Point, rho: Secret) -> Escrow:
    """The key encrypted to the committee under the ephemeral scalar `rho`, which is used once.

    Raises
    ------
    PointRefused
        If the committee key is not acceptable.
    EscrowError
        If rho is not in [1, subgroup order).
    """
    if not 1 <= rho.reveal() < _native.BABYJUB_ORDER:
        raise EscrowError(f"the ephemeral scalar is outside [1, {_native.BABYJUB_ORDER})")
    committee = check_committee_key(committee)
    ephemeral, escrowed = _native.escrow_encrypt(TAGS["ESCROW"], key.reveal(), rho.reveal(), committee)
    return Escrow(ephemeral, escrowed, committee)


# --------------------------------------------------------------------------------------------------------- committee
@dataclass(frozen=True, slots=True)
class CommitteeKey:
    """The development committee: one secret scalar."""

    secret: Secret
    """In [1, subgroup order)."""

    @property
    def public(self) -> Point:
        """PK = secret * Base8."""
        return _native.babyjubjub_mul_base8(self.secret.reveal())

    def decrypt(self, ephemeral: Point, escrowed_key: int) -> Secret:
        """The viewing key of an escrow: c - Poseidon(tag, secret * R).

        The contract refuses an opening whose R is the identity, and the circuit proves R = rho Base8; whatever else an
        escrow that reaches this point holds was not made by `escrow_key`.

        Raises
        ------
        PointRefused
            If R is not a point of the subgroup: multiplying such a point would leak bits of the secret. If R is the
            identity: the shared point would not depend on the secret, and anybody could read the key.
        NotInField
            If a coordinate of R, or c, is not in [0, p).
        """
        point = _check_point("ephemeral point of the escrow", ephemeral)
        escrowed_key = require_integer("escrowed key", escrowed_key)
        return Secret(_native.escrow_decrypt(TAGS["ESCROW"], self.secret.reveal(), point, escrowed_key))


def create_committee_file(path: Path | str) -> CommitteeKey:
    """A fresh development key in a new file of mode 0600, marked insecure.

    Raises
    ------
    KeyFileError
        If the file exists.
    """
    key = CommitteeKey(make_scalar())
    x, y = key.public
    content = {"about": DEVELOPMENT_MARK, "insecure": True, "public": [str(x), str(y)]}
    write_secret_file(Path(path), {**content, "secret": f"0x{key.secret.reveal():064x}"})
    return key


def read_committee_file(path: Path | str) -> CommitteeKey:
    """The key that `create_committee_file` wrote.

    Raises
    ------
    KeyFileError
        If the file is missing, readable by others, malformed, or its public key is not the secret's.
    """
    content = read_secret_file(Path(path), {"public", "secret"})
    try:
        secret = read_hex_secret(content["secret"])
        public = tuple(read_decimal("committee key", coordinate) for coordinate in content["public"])
    except (TypeError, ValueError, FormatError):
        raise KeyFileError(f"{path}: secret or public key is malformed") from None
    key = CommitteeKey(secret)
    if not 1 <= secret.reveal() < _native.BABYJUB_ORDER or key.public != public:
        raise KeyFileError(f"{path}: the public key is not the secret's")
    return key
