"""Proofs: making one, its forms, and verifying it; a second verifier is `prover.groth16.py_ecc_verifier`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from zkmargin.prover._native import FieldVector, Witness
from zkmargin.prover._native import Proof as NativeProof
from zkmargin.prover.errors import FormatError, ProofRejected
from zkmargin.prover.groth16.keys import ProvingKey, VerifyingKey
from zkmargin.prover.groth16.points import Point
from zkmargin.prover.groth16.snarkjs_json import read_g1, read_g2
from zkmargin.prover.ranges import check_range, require_integer

WORDS = 8
ALARM = (
    "the key or this machine is at fault: prove nothing more with this key, tell nobody for which account it failed, "
    "and compare the file's SHA-256 with the published one"
)
"""What a proof that was made here and does not verify means: see `prover.groth16.trial`."""


@dataclass(frozen=True)
class Proof:
    """A Groth16 proof whose points are on their curves and in their subgroups."""

    words: tuple[int, ...]
    """A.x, A.y, B.x.c1, B.x.c0, B.y.c1, B.y.c0, C.x, C.y: eight uint256 in the order of the EVM's pairing precompile.

    Raises
    ------
    StatementError, NotInField, PointRefused, InputShape
        If the words are not a proof.
    """

    def __post_init__(self) -> None:
        words = tuple(require_integer(f"word {place} of the proof", word) for place, word in enumerate(self.words))
        object.__setattr__(self, "words", words)
        self.native  # noqa: B018 - checks the points

    @cached_property
    def native(self) -> NativeProof:
        """The same for the native module."""
        return NativeProof.from_words(list(self.words))

    def to_bytes(self) -> bytes:
        """256 bytes: the words, big-endian."""
        return b"".join(word.to_bytes(32, "big") for word in self.words)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Proof":
        """Inverse of `to_bytes`; raises `FormatError` for another length, else like the constructor."""
        if len(data) != 32 * WORDS:
            raise FormatError("proof", f"{len(data)} bytes, expected {32 * WORDS}")
        return cls(tuple(int.from_bytes(data[i : i + 32], "big") for i in range(0, len(data), 32)))

    def to_json(self) -> dict[str, Any]:
        """snarkjs's proof."""
        ax, ay, bx1, bx0, by1, by0, cx, cy = (str(word) for word in self.words)
        return {
            "pi_a": [ax, ay, "1"],
            "pi_b": [[bx0, bx1], [by0, by1], ["1", "0"]],
            "pi_c": [cx, cy, "1"],
            "protocol": "groth16",
            "curve": "bn128",
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Proof":
        """The proof of snarkjs's JSON.

        Raises
        ------
        FormatError
            If the document is not such a proof.
        NotInField, PointRefused
            If a coordinate is not reduced, or a point is off its curve or subgroup.
        """
        try:
            if (document["protocol"], document["curve"]) != ("groth16", "bn128"):
                raise FormatError("proof", "protocol or curve is not groth16 on bn128")
            a, b, c = document["pi_a"], document["pi_b"], document["pi_c"]
        except (KeyError, IndexError, TypeError) as error:
            raise FormatError("proof", f"{type(error).__name__}: {error}") from None
        return cls((*read_g1("proof", a), *read_g2("proof", b), *read_g1("proof", c)))


@dataclass(frozen=True)
class Proven:
    """A proof with the public inputs that it is for."""

    proof: Proof
    public: FieldVector
    """In the statement's order."""

    def public_json(self) -> list[str]:
        """snarkjs's public signals."""
        return [str(value) for value in self.public.to_list()]


def prove(key: ProvingKey, witness: Witness, *, check_constraints: bool = True) -> Proven:
    """A proof for the witness, verified before it is released. Blinding comes from the operating system's randomness.

    Parameters
    ----------
    check_constraints
        False leaves it to the final verification to find a bad witness. For tests.

    Raises
    ------
    UnsatisfiedConstraint
        With the first constraint that the witness breaks.
    InputShape, KeyMismatch
        If the witness is not one of this key's circuit.
    ProofRejected
        If the finished proof does not verify: an alarm, as the witness has met every constraint (`ALARM`).
    """
    try:
        native = key.native.prove(witness, check_constraints)
    except ProofRejected as rejected:
        raise ProofRejected(f"{rejected}; {ALARM}") from None
    return Proven(Proof(tuple(native.words())), witness.public_inputs())


def verify_native(key: VerifyingKey, proof: Proof, public: Sequence[int] | FieldVector) -> bool:
    """Whether the proof holds for the public inputs, with the full public sum.

    Raises
    ------
    NotInField
        If an input is not in 0 .. r - 1: an input and the same plus r would be one statement with two names.
    InputShape
        If it is not the key's number of inputs.
    """
    fields = public if isinstance(public, FieldVector) else _to_canonical(public)
    return key.native.verify(proof.native, fields)


def verify_with_points(
    key: VerifyingKey, proof: Proof, inputs: Mapping[int, int], points: Sequence[Point] = ()
) -> bool:
    """Verifies as the contract does: some inputs by index, all others through points that carry their sums.

    An input that is neither given nor in a point counts as zero.

    Raises
    ------
    NotInField, PointRefused, OutOfRange
        If an input is not in 0 .. r - 1, a point is not on the curve, or an index is not the key's.
    """
    given = {
        check_range("index of an input", index, 0, key.n_public): require_integer(f"public[{index}]", value)
        for index, value in inputs.items()
    }
    return key.native.verify_with_points(proof.native, sorted(given.items()), list(points))


def _to_canonical(public: Sequence[int]) -> FieldVector:
    return FieldVector.from_canonical([require_integer("public", value) for value in public], "public")
