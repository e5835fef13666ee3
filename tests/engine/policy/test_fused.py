"""The native pass of the batch margin against numpy's, on every path of this processor."""

from dataclasses import fields, replace

import numpy as np
import pytest

from tests.support.house import CALM, CRASH, get_house, get_policies, get_quiet_policies
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.policy.batch import KERNELS, BatchModel, BatchResult, compute_batch, read_batch_model
from zkmargin.engine.policy.batch.fused import LOTS, PATHS
from zkmargin.engine.policy.batch.run import NUMPY
from zkmargin.scripts.cli.bench_engine import make_books as make_hedged_books

TAIL_ERROR_USD6 = 2e-5
"""Sums over scenarios in another order: what the last bits come to for positions up to 100 lots."""

TYPES = [str(kind) for kind in LOTS]


def make_books(slots: int, share: float, accounts: int = 203) -> tuple[np.ndarray, np.ndarray]:
    """Positions of which `share` is not zero, in lots, and cash; every second account holds the first coin's half only,
    and the first one nothing."""
    generator = np.random.default_rng(int(100 * share) + slots)
    positions = generator.integers(-100, 101, (accounts, slots)) * (generator.random((accounts, slots)) < share)
    positions[::2, slots // 2 :] = 0
    positions[0] = 0
    return positions, generator.uniform(-1e12, 1e13, accounts)


def check_same(model: BatchModel, positions: np.ndarray, cash: np.ndarray, path: str) -> BatchResult:
    wanted = compute_batch(model, positions, cash, kernel=NUMPY)
    got = compute_batch(model, positions, cash, kernel=path, block=100)
    for field in fields(BatchResult):
        own, other = getattr(got, field.name), getattr(wanted, field.name)
        if field.name == "scenario":
            assert np.abs(own - other).max() <= TAIL_ERROR_USD6
            assert (own == other)[wanted.scenario == wanted.grid].all()
        else:
            assert (own == other).all(), field.name
    return got


def test_numpy_is_always_there():
    assert (*PATHS, NUMPY) == KERNELS and PATHS[-1] == "portable"


@pytest.mark.property("P-73")
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", ["mini", "standard"])
def test_every_path_is_numpy_to_the_bit(size, path, share):
    """Sparse and dense tiles, whole ones and the last; the tail within its rounding."""
    positions, cash = make_books(get_policies(size)["initial"].preset.slots, share)
    for name in ("initial", "maintenance", "withdraw"):
        check_same(read_batch_model(get_policies(size)[name]), positions, cash, path)


@pytest.mark.property("P-73")
@pytest.mark.parametrize("level", ["initial", "maintenance"])
@pytest.mark.parametrize("path", PATHS)
def test_a_tail_that_binds(path, level):
    """Books hedged in delta, under a model that asks for twice the shortfall: it binds some of them."""
    positions, cash = make_hedged_books(get_house("standard"), 400)
    model = read_batch_model(get_policies("standard")[level])
    result = check_same(replace(model, tail_divisor=model.tail_divisor / 2), positions, cash, path)
    assert 0 < (result.scenario > result.grid).sum() < 400


POLICIES = {
    "quiet": get_quiet_policies("mini"),
    "calm": get_policies("mini", CALM),
    "crash": get_policies("mini", CRASH),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("market", POLICIES)
def test_other_markets_and_policies_without_a_tail(market, path):
    positions, cash = make_books(16, 0.5)
    for policy in (POLICIES[market]["initial"], POLICIES[market]["maintenance"]):
        check_same(read_batch_model(policy), positions, cash, path)
        check_same(read_batch_model(policy, without_shortfall=True), positions, cash, path)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("path", PATHS)
def test_types_of_lots(path, kind):
    """Also in another order in memory, and in types that are converted."""
    model = read_batch_model(get_policies("mini")["initial"])
    positions, cash = make_books(16, 0.5)
    check_same(model, positions.astype(kind), cash, path)
    check_same(model, np.asfortranarray(positions.astype(kind)), cash.astype(np.float32), path)
    check_same(model, positions.astype(np.int16), np.broadcast_to(1e9, len(cash)), path)


def shift_by_a_byte(array: np.ndarray) -> np.ndarray:
    """The same numbers at an odd address."""
    return np.frombuffer(b"x" + array.tobytes(), np.uint8)[1:].view(array.dtype).reshape(array.shape)


@pytest.mark.parametrize("path", PATHS)
def test_arrays_that_are_not_aligned(path):
    """As they come from a cluster's messages."""
    model = read_batch_model(get_policies("mini")["initial"])
    positions, cash = (shift_by_a_byte(own.astype(float)) for own in make_books(16, 0.5))
    assert not positions.flags.aligned
    parts = tuple(replace(part, matrix=shift_by_a_byte(part.matrix)) for part in model.parts)
    check_same(replace(model, parts=parts, weights=shift_by_a_byte(model.weights)), positions, cash, path)


@pytest.mark.parametrize("path", PATHS)
def test_a_transfer_moves_both_ways(path):
    """Books of one coin against the other, so that the search leaves zero on either side."""
    model = read_batch_model(get_policies("mini")["initial"])
    generator = np.random.default_rng(5)
    positions = np.zeros((400, 16), dtype=np.int64)
    positions[:, [1, 9]] = generator.integers(-100, 101, (400, 2))
    result = check_same(model, positions, np.zeros(400), path)
    alone = [compute_batch(model, positions * (np.arange(16) // 8 == coin), np.zeros(400)).grid for coin in (0, 1)]
    nets = result.grid < (alone[0] + alone[1]) * (1 - 1e-9)
    assert nets.any() and not nets.all()
    assert {tuple(np.sign(book)) for book in positions[nets][:, [1, 9]]} == {(-1, 1), (1, -1)}


@pytest.mark.parametrize("path", PATHS)
def test_what_is_not_finite_is_refused(path):
    model = read_batch_model(get_policies("mini")["initial"])
    positions, cash = make_books(16, 1.0)
    for value in (np.nan, np.inf, -np.inf):
        bad = positions.astype(float)
        bad[130, 3] = value
        with pytest.raises(OutOfRange, match="account 30 of a block"):
            compute_batch(model, bad, cash, block=100, kernel=path)
        with pytest.raises(OutOfRange, match="account 30 of a block"):
            compute_batch(model, positions, np.where(np.arange(len(cash)) == 130, value, cash), block=100, kernel=path)


def test_another_kernel_is_refused():
    with pytest.raises(OutOfRange, match="kernel is 'neon'"):
        compute_batch(read_batch_model(get_policies("mini")["initial"]), *make_books(16, 0.5), kernel="neon")


def test_a_model_that_does_not_hold_together_is_refused():
    """The native pass looks at every place that it will read."""
    model = read_batch_model(get_policies("mini")["initial"])
    books = make_books(16, 0.5)
    for change, reason in (
        ({"equity": model.size}, f"row {model.size} is in no part"),
        ({"scenarios": slice(0, model.size), "weights": np.ones(model.size)}, "are in two parts"),
        ({"weights": model.weights[:-1]}, "weights has"),
        ({"charges": np.ones(3)}, "a charge has 3 numbers"),
        ({"slots": 8}, "of a part, allowed is within 0..8"),
    ):
        with pytest.raises(ValueError, match=reason):
            compute_batch(replace(model, **change), books[0][:, : change.get("slots", 16)], books[1])
