"""The auditor's own arithmetic agrees with the native prover, py_ecc and the engine, and refuses keys that forge."""

import ast
import dataclasses
import random
from pathlib import Path

import pytest
from py_ecc.optimized_bn128 import FQ, G1, G2, multiply, neg, normalize

from tests.audit.conftest import KEYS
from zkmargin.audit.bounds import find_excess
from zkmargin.audit.curve import Claim, Key, compute_policy_point, compute_settlement_point, find_false
from zkmargin.audit.group import sum_products
from zkmargin.audit.versions import is_committee_key
from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.prover._native import BASE_MODULUS
from zkmargin.prover.groth16 import points
from zkmargin.prover.groth16.keys import load_verifying_key
from zkmargin.prover.groth16.py_ecc_verifier import sum_of_products
from zkmargin.scripts.setup import set_up

ROOT = Path(__file__).parents[2]
SNAPSHOT = to_preset(load_snapshot("deribit_2026-08-22"), "mini")


@pytest.fixture(scope="module")
def key():
    set_up(["mini"])
    return Key.read(KEYS / "transition.vkey.json")


@pytest.mark.property("P-283")
def test_points_are_those_of_the_native_prover(key):
    native = load_verifying_key("transition", "mini", allow_insecure=True)
    assert key.hash == native.hash and key.to_bytes() == native.to_bytes()
    policy = HouseModel(SNAPSHOT).policies["net_delta"]
    assert compute_policy_point(key, policy) == points.compute_policy_point(native, policy)
    drop, payoff = [0] * 16, [0] * 16
    drop[3], payoff[3], drop[5], payoff[5] = 1, 2**36 - 1, 1, -5
    step = ExpiryStep(SNAPSHOT.listing.preset, drop, payoff)
    assert compute_settlement_point(key, step) == points.compute_settlement_point(native, step, step.preset)


@pytest.mark.property("P-283")
def test_sums_are_those_of_py_ecc():
    draw = random.Random(5)
    bases = [normalize(multiply(G1, draw.getrandbits(200))) for _ in range(6)]
    affine = [(int(x), int(y)) for x, y in bases]
    affine += [affine[0], (affine[1][0], BASE_MODULUS - affine[1][1]), (0, 0)]  # equal, opposite, the identity
    scalars = [draw.getrandbits(bits) for bits in (254, 11, 12, 1, 90, 168)] + [7, 1 << 11, 9]
    theirs = [(FQ(x), FQ(y), FQ(1)) for x, y in affine[:-1]]
    x, y = normalize(sum_of_products(theirs, scalars[:-1]))
    assert sum_products(affine, scalars) == (int(x), int(y))
    assert sum_products(affine[:2], [0, 0]) == (0, 0) == sum_products([], [])
    assert sum_products([affine[1], affine[-2]], [5, 5]) == (0, 0)


def twist(point):
    x, y = normalize(point)
    return tuple(int(part) for part in (*x.coeffs[::-1], *y.coeffs[::-1]))


@pytest.mark.property("P-283")
@pytest.mark.parametrize(
    ("start", "words", "what"),
    [
        (2, lambda key: key.words[6:10], "beta and gamma"),
        (2, lambda key: twist(neg(key.twists[1])), "beta and gamma"),
        (10, lambda key: key.words[2:6], "beta and delta"),
        (10, lambda key: twist(neg(key.twists[0])), "beta and delta"),
        (10, lambda key: key.words[6:10], "gamma and delta"),
        (10, lambda key: twist(G2), "delta"),
        (2, lambda key: twist(G2), "beta"),
        (0, lambda key: (1, 2), "alpha"),
        (0, lambda key: (1, 3), "points"),
        (14, lambda key: (1, 3), "points"),
        (6, lambda key: (1, 2, 3, 4), "points"),
    ],
)
def test_a_key_that_forges_is_refused(key, start, words, what):
    assert list(key.find_faults()) == []
    changed = words(key)
    altered = Key((*key.words[:start], *changed, *key.words[start + len(changed) :]))
    assert what in [part for part, _ in altered.find_faults()]


def test_a_false_claim_is_named_among_others(key):
    """Off the curve, and on it: a batch is taken apart to say which one does not hold."""
    nonsense = Claim(((0, 5),), (), (*(int(part) for part in normalize(G1)), *twist(G2), 1, 2))
    broken = dataclasses.replace(nonsense, proof=(1, 1, *nonsense.proof[2:]))
    assert find_false(key, [broken]) == [0]
    assert find_false(key, [nonsense, broken]) == [0, 1]


@pytest.mark.property("P-19")
def test_row_bounds_are_exact():
    policy = HouseModel(SNAPSHOT).policies["initial"]
    assert list(find_excess(policy)) == []
    positions = policy.positions.copy()
    positions[0, 1] = 1 << 39
    assert [what for what, _, _ in find_excess(dataclasses.replace(policy, positions=positions))] == ["W on positions"]

    positions[0] = (1 << 39) - 1
    constants = [*policy.constants]
    wide = dataclasses.replace(policy, positions=positions)
    largest = 16 * (1 << 30) * ((1 << 39) - 1)
    constants[0] = (1 << 83) - largest  # of a row without cash: one more than it may have
    bare = dataclasses.replace(
        wide,
        constants=constants,
        **{
            name: getattr(policy, name) * 0
            for name in ("cash", "charges", "excess_total", "helpers", "soft", "weights")
        },
    )
    found = {what: value for what, value, _ in find_excess(bare)}
    assert found["largest value of row 0"] == 1 << 83
    constants[0] -= 1
    assert "largest value of row 0" not in {
        what for what, _, _ in find_excess(dataclasses.replace(bare, constants=constants))
    }


def test_the_committee_key_is_of_the_subgroup():
    base8 = (
        5299619240641551281634865583518297030282874472190772894086521144482721001553,
        16950150798460657717958625567821834550301663161624707787222815936182638968203,
    )
    assert is_committee_key(base8)
    order = 21888242871839275222246405745257275088548364400416034343698204186575808495617
    wrong = [(0, 1), (0, order - 1), (base8[0] + order, base8[1]), (1, 1)]  # identity, order 2, not reduced, off
    assert not any(is_committee_key(point) for point in wrong)


PURE = ("errors", "ranges", "messages", "statement.signals", "groth16.pins", "groth16.snarkjs_json")
"""Modules and packages of `prover` that an auditor may import: neither what knows keys and states, nor native code."""


def find_refused(source):
    """What a module imports of `prover` beside `PURE`, each name as it is after `zkmargin.prover.`."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    parts = [name.removeprefix("zkmargin.prover").removeprefix(".") for name in names if "zkmargin.prover" in name]
    native = [name for name in names if "_native" in name]
    return native + [part for part in parts if not any(f"{part}.".startswith(f"{pure}.") for pure in PURE)]


@pytest.mark.property("P-283")
def test_the_auditor_imports_no_secrets_and_no_native_code():
    """By the imports of its own modules."""
    files = sorted((ROOT / "audit").glob("*.py"))
    assert files
    assert {file.name: refused for file in files if (refused := find_refused(file.read_text()))} == {}


@pytest.mark.property("P-283")
@pytest.mark.parametrize(
    "line",
    [
        "from zkmargin.prover import _native",
        "from zkmargin.prover._native import BASE_MODULUS",
        "import zkmargin.prover",
        "from zkmargin.prover.account import secret",
        "from zkmargin.engine import _native",
        "def f():\n    from zkmargin.prover.statement.secrets import x",
    ],
)
def test_an_import_that_an_auditor_may_not_have_is_seen(line):
    assert find_refused(line)


def test_imports_that_an_auditor_may_have_are_let_pass():
    assert not find_refused("from zkmargin.prover.messages.records import Epoch\nfrom zkmargin.prover import ranges")
