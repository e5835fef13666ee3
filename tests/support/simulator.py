"""Groth16 keys whose trapdoor is known, so that a proof can be made for any public signals: the contracts are then
tested without
circuits, on whatever a dishonest or an honest prover could show.

With alpha, beta, delta and the discrete logarithm of every IC point known (gamma is 1, as in snarkjs's keys), choose
A = a G1, B = b G2 and solve
e(A, B) = e(alpha, beta) e(X, gamma) e(C, delta) for C = ((a b - alpha beta - x) / delta) G1.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, reduce
from itertools import accumulate
from random import Random

from py_ecc.optimized_bn128 import G1, G2, Z1, add, curve_order, double, multiply, normalize

from zkmargin.contracts.key_material import KeyMaterial, count_stored_points
from zkmargin.contracts.requests import Proof
from zkmargin.engine.presets import Preset
from zkmargin.prover.statement.signals import get_public_signals

SUBGROUP_GENERATOR = (
    5299619240641551281634865583518297030282874472190772894086521144482721001553,
    16950150798460657717958625567821834550301663161624707787222815936182638968203,
)
"""Base8 of BabyJubJub (EIP-2494): stands for a committee's public key."""


@cache
def _doublings() -> list[tuple]:
    """G1 doubled 0 to 253 times."""
    return list(accumulate(range(curve_order.bit_length() - 1), lambda point, _: double(point), initial=G1))


@cache
def to_point(scalar: int) -> tuple[int, int]:
    """scalar * G1, affine; (0, 0) for the identity."""
    bits = f"{scalar % curve_order:b}"[::-1]
    x, y, z = reduce(add, (point for bit, point in zip(bits, _doublings(), strict=False) if bit == "1"), Z1)
    return (0, 0) if int(z) == 0 else tuple(int(part) for part in normalize((x, y, z)))


@cache
def _fixed_halves(seed: int) -> tuple[int, int, tuple[int, ...]]:
    """a, b and the words of A and B; the same for every proof of a test run, which proves nothing less."""
    random = Random(seed)
    a, b = random.randrange(1, curve_order), random.randrange(1, curve_order)
    x, y = normalize(multiply(G2, b))
    return a, b, (*to_point(a), *(int(part) for part in (x.coeffs[1], x.coeffs[0], y.coeffs[1], y.coeffs[0])))


class SimulatedKey:
    """A verification key of one circuit, with its trapdoor."""

    def __init__(self, circuit: str, preset: Preset, seed: int):
        random = Random(f"{circuit}/{preset.name}/{seed}")
        self.circuit, self.preset = circuit, preset
        self.signals = get_public_signals(circuit, preset)
        self.alpha, self.beta, self.delta = (random.randrange(2, curve_order) for _ in range(3))
        self.ic = [random.randrange(2, curve_order) for _ in range(count_stored_points(circuit, preset))]
        self.hash = random.randbytes(32)

    @property
    def vkey(self) -> dict:
        """snarkjs's form, IC cut after the points that go on chain."""
        return {
            "curve": "bn128",
            "vk_alpha_1": (*to_point(self.alpha), 1),
            "vk_beta_2": (*to_pairs(self.beta), (1, 0)),
            "vk_gamma_2": (*to_pairs(1), (1, 0)),
            "vk_delta_2": (*to_pairs(self.delta), (1, 0)),
            "IC": [(*to_point(scalar), 1) for scalar in self.ic],
        }

    def sum_public(self, values: Mapping[str, int | list[int]], policy: int = 0, settlement: int = 0) -> int:
        """Discrete logarithm of X: the IC of `values`, and the policy and settlement points."""
        total = self.ic[0] + policy + settlement
        for signal in self.signals:
            if signal.name in values:
                given = values[signal.name]
                elements = given if isinstance(given, list) else [given]
                assert len(elements) == signal.size
                total += sum(
                    element * self.ic[1 + signal.offset + place] for place, element in enumerate(elements) if element
                )
        return total % curve_order

    def prove(self, values: Mapping[str, int | list[int]], policy: int = 0, settlement: int = 0) -> Proof:
        """The eight words of a proof that this key accepts for exactly these signals."""
        return (*_fixed_halves(1)[2], *to_point(self.solve_c(values, policy, settlement)))

    def solve_c(self, values: Mapping[str, int | list[int]], policy: int = 0, settlement: int = 0) -> int:
        """Discrete logarithm of the proof's C."""
        a, b, _ = _fixed_halves(1)
        numerator = a * b - self.alpha * self.beta - self.sum_public(values, policy, settlement)
        return numerator * pow(self.delta, -1, curve_order) % curve_order


def make_material(transition: SimulatedKey, opening: SimulatedKey, flat: int, **changes: object) -> KeyMaterial:
    """A key version for the registry; `changes` replace fields."""
    fields = {
        "preset": transition.preset,
        "transition_vkey": transition.vkey,
        "open_vkey": opening.vkey,
        "transition_hash": transition.hash,
        "open_hash": opening.hash,
        "flat_point": to_point(flat),
        "committee": SUBGROUP_GENERATOR,
        "open_constant": to_point(opening.sum_public(name_committee(SUBGROUP_GENERATOR))),
        "insecure": True,
        "reveal_vkey": make_reveal_key(transition.preset).vkey,
        "rekey_vkey": make_rekey_key(transition.preset).vkey,
    }
    return KeyMaterial(**{**fields, **changes})


@cache
def make_reveal_key(preset: Preset) -> SimulatedKey:
    """The key of `reveal`, the same in every run."""
    return SimulatedKey("reveal", preset, 7)


@cache
def make_rekey_key(preset: Preset) -> SimulatedKey:
    """The key of `rekey`, likewise."""
    return SimulatedKey("rekey", preset, 8)


def name_committee(key: tuple[int, int]) -> dict[str, int]:
    """The committee's key as public signals of `open`."""
    return {"committeeX": key[0], "committeeY": key[1]}


def to_pairs(scalar: int) -> list[list[int]]:
    """scalar * G2 in snarkjs's form, real parts first."""
    x, y = normalize(multiply(G2, scalar))
    return [[int(part) for part in coordinate.coeffs] for coordinate in (x, y)]
