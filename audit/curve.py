"""Keys, points of policies and settlements, and proofs, on BN254 in Python: curves and pairings are py_ecc's, and no
code is shared with the native prover.

Points of G1 are (x, y) of integers, the identity is (0, 0), as in the EVM's precompiles.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from eth_hash.auto import keccak
from py_ecc.fields import optimized_bn128_FQ as FQ
from py_ecc.fields import optimized_bn128_FQ2 as FQ2
from py_ecc.fields import optimized_bn128_FQ12 as FQ12
from py_ecc.optimized_bn128.optimized_curve import (
    G1,
    G2,
    Z1,
    add,
    b,
    b2,
    curve_order,
    field_modulus,
    is_inf,
    is_on_curve,
    multiply,
    neg,
)
from py_ecc.optimized_bn128.optimized_pairing import final_exponentiate, pairing

from zkmargin.audit.errors import PointInvalid
from zkmargin.audit.group import Affine, negate, sum_products
from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import BITS, LANES, Preset
from zkmargin.prover.errors import FormatError
from zkmargin.prover.groth16.snarkjs_json import read_g1, read_g2
from zkmargin.prover.statement.signals import get_public_signals

Point = Affine
IDENTITY: Point = (0, 0)
PointG1 = tuple[FQ, FQ, FQ]
"""Projective, py_ecc's."""
PointG2 = tuple[FQ2, FQ2, FQ2]
WORD = 32
"""Bytes of one number in a key's canonical bytes."""
WEIGHT_BITS = 128
"""Bits of a proof's random weight: a batch with a false proof passes with probability 2^-127 at most."""


# ------------------------------------------------------------------------------------------------------------ groups
def read_point(x: int, y: int) -> PointG1:
    """A point of G1, projective; raises `PointInvalid` unless it is reduced and on the curve."""
    if (x, y) == IDENTITY:
        return Z1
    point = (FQ(x), FQ(y), FQ(1))
    if not (0 <= x < field_modulus and 0 <= y < field_modulus and is_on_curve(point, b)):
        raise PointInvalid(f"({x}, {y}) is not on the curve")
    return point


def read_twist(words: Sequence[int]) -> PointG2:
    """A point of G2 from x.c1, x.c0, y.c1, y.c0; raises `PointInvalid` unless it is in the subgroup, no identity."""
    x1, x0, y1, y0 = words
    point = (FQ2([x0, x1]), FQ2([y0, y1]), FQ2.one())
    if not all(0 <= word < field_modulus for word in words) or not is_on_curve(point, b2):
        raise PointInvalid(f"{tuple(words)} is not on the twist")
    if not is_inf(multiply(point, curve_order)):
        raise PointInvalid(f"{tuple(words)} is not in the subgroup")
    return point


# -------------------------------------------------------------------------------------------------------------- keys
@dataclass(frozen=True)
class Key:
    """A verification key as numbers, read from snarkjs's JSON; nothing is checked before `find_faults`."""

    words: tuple[int, ...]
    """alpha (2), beta, gamma, delta (4 each), IC (2 each)."""

    @classmethod
    def read(cls, path: Path) -> Key:
        """The key of a file of snarkjs's.

        Raises
        ------
        FormatError
            If the file is no such key.
        """
        what = f"verification key {path.name}"
        try:
            document: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if (document["protocol"], document["curve"]) != ("groth16", "bn128"):
                raise FormatError(what, "protocol or curve is not groth16 on bn128")
            words = [*read_g1(what, document["vk_alpha_1"])]
            for name in ("vk_beta_2", "vk_gamma_2", "vk_delta_2"):
                words += read_g2(what, document[name])
            for point in document["IC"]:
                words += read_g1(what, point)
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(what, f"{type(error).__name__}: {error}") from None
        return cls(tuple(words))

    def to_bytes(self, points: int | None = None) -> bytes:
        """Canonical bytes, with all or only the first `points` of IC; raises `OverflowError` for no 256-bit word."""
        end = len(self.words) if points is None else 14 + 2 * points
        return b"".join(word.to_bytes(WORD, "big") for word in self.words[:end])

    @cached_property
    def hash(self) -> bytes:
        """keccak256 of the canonical bytes: what an epoch is signed for."""
        return keccak(self.to_bytes())

    @property
    def n_public(self) -> int:
        """Number of public inputs."""
        return (len(self.words) - 14) // 2 - 1

    @cached_property
    def alpha(self) -> PointG1:
        return read_point(*self.words[:2])

    @cached_property
    def twists(self) -> tuple[PointG2, PointG2, PointG2]:
        """beta, gamma, delta."""
        beta, gamma, delta = (read_twist(self.words[start : start + 4]) for start in (2, 6, 10))
        return beta, gamma, delta

    def get_ic(self, index: int) -> Point:
        """IC_0, or the point of public input `index` - 1."""
        return self.words[14 + 2 * index], self.words[15 + 2 * index]

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """(what, why) of everything for which a key must be refused: what is no point, and what lets anybody forge."""
        names = ("alpha", "beta", "gamma", "delta")
        try:
            self.alpha, self.twists  # noqa: B018 - each checks its points
            for index in range(self.n_public + 1):
                read_point(*self.get_ic(index))
        except PointInvalid as fault:
            yield "points", str(fault)
            return
        starts = dict(zip(names, (0, 2, 6, 10), strict=True))
        x = {name: self.words[start : start + (1 if name == "alpha" else 2)] for name, start in starts.items()}
        for one, two in (("beta", "gamma"), ("beta", "delta"), ("gamma", "delta")):
            if x[one] == x[two]:
                yield f"{one} and {two}", "are equal or opposite: whoever sees one proof makes any"
        generator = tuple(int(part) for part in (*G2[0].coeffs[::-1],))
        for name in ("beta", "delta"):
            if x[name] == generator:
                yield name, "is the generator: nobody contributed to the set-up"
        if x["alpha"] == (int(G1[0]),):
            yield "alpha", "is the generator: nobody contributed to the set-up"


# ------------------------------------------------------------------------------------------------------------ points
def fold_committee(circuit: str, key: Key, committee: tuple[int, int], preset: Preset) -> Key:
    """The key of `open` or `rekey` with the committee's terms, the same in every proof, in IC_0: as it is stored."""
    signals = get_public_signals(circuit, preset)
    places = (0, *(signals[name].offset + 1 for name in ("committeeX", "committeeY")))
    constant = sum_products([key.get_ic(place) for place in places], [1, *committee])
    return Key((*key.words[:14], *constant, *key.words[16:]))


@lru_cache(512)
def compute_policy_point(key: Key, policy: Policy) -> Point:
    """The policy's share of the verifier's sum, from its integers."""
    return _sum(key, policy.preset, pack_policy(policy))


@lru_cache(512)
def compute_settlement_point(key: Key, step: ExpiryStep) -> Point:
    """The share of a settlement vector."""
    return _sum(key, step.preset, {"drop": step.drop.tolist(), "payoff": step.payoff.tolist()})


def pack_policy(policy: Policy) -> dict[str, list[int]]:
    """The policy's public signals as signed integers, by name: three rows to a number, 84 bits apart."""
    lanes = range(0, policy.preset.rows, LANES)

    def pack(rows: Sequence[Sequence[int]]) -> list[int]:
        return [
            sum(value << BITS.lane * lane for lane, value in enumerate(column))
            for start in lanes
            for column in zip(*rows[start : start + LANES], strict=True)
        ]

    def alone(values: Iterable[int]) -> list[list[int]]:
        return [[int(value)] for value in values]

    return {
        "rowPosition": pack(policy.positions.tolist()),
        "rowCash": pack(alone(policy.cash)),
        "rowCharge": pack(policy.charges.tolist()),
        "rowExcess": pack(alone(policy.excess_total)),
        "rowHelper": pack(policy.helpers.tolist()),
        "rowConstant": pack(alone(policy.constants)),
        "soft": policy.soft.tolist(),
        "weight": policy.weights.tolist(),
        "rateLong": _pack_rates(policy.rate_long.tolist()),
        "rateShort": _pack_rates(policy.rate_short.tolist()),
    }


def _pack_rates(rates: Sequence[Sequence[int]]) -> list[int]:
    return [first + (second << BITS.lane) for first, second in zip(*rates, strict=True)]


def _sum(key: Key, preset: Preset, values: Mapping[str, Sequence[int]]) -> Point:
    signals = get_public_signals("transition", preset)
    points: list[Point] = []
    scalars: list[int] = []
    for name, numbers in values.items():
        for place, number in enumerate(numbers, start=signals[name].offset + 1):
            if number:
                points.append(key.get_ic(place) if number > 0 else negate(key.get_ic(place)))
                scalars.append(abs(number))
    return sum_products(points, scalars)


# ------------------------------------------------------------------------------------------------------------ proofs
@dataclass(frozen=True)
class Claim:
    """A proof with what it is for: some public inputs by index, all others by points that carry their sums."""

    inputs: tuple[tuple[int, int], ...]
    """(index, signed value); an input that is not here and in no point is zero."""
    points: tuple[Point, ...]
    """Of policy and settlement."""
    proof: tuple[int, ...]
    """Eight words: A (x, y), B (x.c1, x.c0, y.c1, y.c0), C (x, y)."""


@dataclass(frozen=True)
class _Read:
    a: PointG1
    b: PointG2
    c: PointG1
    total: PointG1
    """IC_0 + sum a_i IC_i."""


def find_false(key: Key, claims: Sequence[Claim]) -> list[int]:
    """Places of the claims that do not hold: all at once by random weights, and one by one where that fails."""
    read: dict[int, _Read] = {}
    for place, claim in enumerate(claims):
        try:
            read[place] = _read(key, claim)
        except PointInvalid:
            continue
    if not read or _hold(key, list(read.values())):
        return [place for place in range(len(claims)) if place not in read]
    return [place for place in range(len(claims)) if place not in read or not _hold(key, [read[place]])]


def _read(key: Key, claim: Claim) -> _Read:
    total = read_point(*key.get_ic(0))
    for index, value in claim.inputs:
        total = add(total, multiply(read_point(*key.get_ic(index + 1)), value % curve_order))
    for point in claim.points:
        total = add(total, read_point(*point))
    words = claim.proof
    return _Read(read_point(*words[:2]), read_twist(words[2:6]), read_point(*words[6:]), total)


def _hold(key: Key, claims: Sequence[_Read]) -> bool:
    """prod e(w A, B) = e(sum w alpha, beta) e(sum w X, gamma) e(sum w C, delta), w random; the first weight is 1."""
    weights = [1, *(secrets.randbits(WEIGHT_BITS) or 1 for _ in claims[1:])]
    alpha = multiply(key.alpha, sum(weights) % curve_order)
    inputs, c, product = Z1, Z1, FQ12.one()
    for claim, weight in zip(claims, weights, strict=True):
        inputs, c = add(inputs, multiply(claim.total, weight)), add(c, multiply(claim.c, weight))
        product *= pairing(claim.b, multiply(claim.a, weight), final_exponentiate=False)
    for point, twist in zip((alpha, inputs, c), key.twists, strict=True):
        product *= pairing(twist, neg(point), final_exponentiate=False)
    return bool(final_exponentiate(product) == FQ12.one())
