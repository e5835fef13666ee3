"""The batch margin against the definition, the integer certificate and independent minimisers; blocks and workers."""

import pickle
import subprocess
import sys
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.helpers import PAIR, Helper
from tests.support.house import (
    CALM,
    CRASH,
    get_definition,
    get_house,
    get_policies,
    get_quiet_policies,
    get_snapshot,
    states,
    to_fields,
)
from zkmargin.engine.account import PORTFOLIOS, AccountState, load_portfolio
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.files import list_shipped
from zkmargin.engine.margin.definition import compute_allowance, tail_mean
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.policy.batch import (
    BatchResult,
    Block,
    UnsupportedForm,
    compute_batch,
    iterate_blocks,
    net_groups,
    read_batch_model,
    stream_batch,
)
from zkmargin.engine.policy.batch.convex_minima import Envelope, minimise_transfer, raise_to_tail
from zkmargin.engine.policy.batch.parallel import ClusterUnavailable, map_blocks
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.checks import check_policy
from zkmargin.engine.policy.errors import HelperForm, TransferForm
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.policy.record import HelperKind, Policy
from zkmargin.engine.units import USD6

PARAMETERS = load_parameters()
CHARGE = get_house("standard").grid.transfer_charges[PAIR]
"""Of netting, the same at every size of the market."""
LEVELS = ("initial", "maintenance")


def evaluate(policy: Policy, state: AccountState) -> BatchResult:
    return compute_batch(read_batch_model(policy), state.positions[None], np.array([float(state.cash)]))


def get_rounding(state: AccountState, result: BatchResult) -> float:
    """Bound of the floating-point error of a slack, micro-dollars: sums of 256 products, each half a unit in the last
    place of a number that the policy's coefficients (below 2^39) and the cash bound."""
    size = float(np.abs(state.positions).sum()) * 2.0**39 + abs(float(state.cash))
    return 1e-3 + 1e-12 * size


def check_against_certificate(policy: Policy, state: AccountState) -> None:
    """Met by the integers within whole units of the transfer, and by the same amount of cash."""
    result = evaluate(policy, state)
    slack, room = float(result.slack[0]), float(result.room[0])
    whole_units = 1.25 * (1000 * max(PARAMETERS.price_range.values()) + 500 * CHARGE + 2) + 5
    margin = whole_units + get_rounding(state, result)
    try:
        find_certificate(policy, state)
    except RequirementNotMet as refused:
        if "range of" in str(refused):
            return
        assert min(slack, room) < margin, str(refused)
        if room > margin:
            assert refused.missing_usd6 == pytest.approx(-slack, abs=margin)
    else:
        assert min(slack, room) >= -get_rounding(state, result)


@pytest.mark.property("P-73")
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("market", [CALM, CRASH])
@given(state=states(16, largest=10**6))
@settings(max_examples=60, deadline=None)
def test_any_state_as_the_certificate(market, level, state):
    check_against_certificate(get_policies("mini", market)[level], state)


@pytest.mark.parametrize("name", ["initial", "withdraw"])
@given(state=states(256, largest=10**6))
@settings(max_examples=30, deadline=None)
def test_standard_size_as_the_certificate(name, state):
    check_against_certificate(get_policies("standard")[name], state)


@pytest.mark.property("P-73")
@pytest.mark.parametrize("size", ["mini", "standard"])
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_any_state_as_the_definition(size, data):
    """The requirement is at least the real one, and above it by no more than the policy's rounding."""
    definition = get_definition(size)
    state = data.draw(states(definition.preset.slots, largest=10**6))
    for level in LEVELS:
        result, exact = (
            evaluate(get_policies(size)[level], state),
            definition.compute_exact_requirement(state, level),
        )
        rounding = get_rounding(state, result)
        above = (float(result.requirement[0]) - float(result.equity[0])) - float(exact.total - exact.equity) * USD6
        assert -rounding <= above <= compute_allowance(definition, level, state) * USD6 + rounding


@pytest.mark.parametrize("book", list_shipped(PORTFOLIOS))
@pytest.mark.parametrize("level", LEVELS)
def test_shipped_books(book, level):
    snapshot = get_snapshot("standard")
    state = load_portfolio(book).to_state(snapshot.listing)
    check_against_certificate(get_policies("standard")[level], state)
    exact = get_definition("standard").compute_requirement(state, level)
    result = evaluate(get_policies("standard")[level], state)
    allowance = compute_allowance(get_definition("standard"), level, state)
    assert result.equity[0] / USD6 == pytest.approx(exact.equity, abs=allowance)
    for part, wanted in (("grid", exact.grid), ("buffer", exact.buffer), ("scenario", exact.scenario_margin)):
        assert 0 <= getattr(result, part)[0] / USD6 - wanted <= allowance, part


def test_each_part_binds_somewhere():
    """The random books of the other tests reach every branch: netting both ways, a binding tail, a buffer, a limit."""
    generator = np.random.default_rng(7)
    policy = get_policies("mini")["initial"]
    positions = generator.integers(-1000, 1001, (300, 16)) * (generator.random((300, 16)) < 0.4)
    positions[:, [0, 8]] = np.abs(positions[:, [0, 8]])
    result = compute_batch(read_batch_model(policy), positions, np.zeros(300))
    states = (AccountState(row, 0) for row in positions[:60])
    transfers = [get_definition("mini").compute_requirement(state, "initial").transfers[PAIR] for state in states]
    assert min(transfers) < 0 < max(transfers) and 0 in transfers
    assert 0 < (result.scenario > result.grid).sum() < 300
    assert (result.buffer > 0).any() and (result.room < np.inf).all()


# --------------------------------------------------------------------------------------------------------- minima
def make_lines(generator, count: int, accounts: int):
    slopes = np.unique(generator.integers(-160, 161, count)).astype(float)
    slopes = np.union1d(slopes, [-160.0, 0.0, 160.0])
    values = generator.integers(-(10**9), 10**9, (len(slopes), accounts)).astype(float)
    return Envelope(slopes, 1.25), values + generator.choice([0.0, 1e11], accounts)


@pytest.mark.parametrize("seed", range(8))
def test_transfer_is_the_exact_minimum(seed):
    """Against all crossings of all lines, in rational numbers."""
    generator = np.random.default_rng(seed)
    pairs = [make_lines(generator, count, 12) for count in (9, 5)]
    charge = float(generator.choice([0.0, 50.0, 160.0]))
    got = minimise_transfer([pair[0] for pair in pairs], [pair[1] for pair in pairs], charge)
    for account in range(12):
        lines = [
            [
                (Fraction(slope) * Fraction(5, 4), Fraction(value) * Fraction(5, 4))
                for slope, value in zip(envelope.slopes, values[:, account], strict=True)
            ]
            for envelope, values in pairs
        ]
        points = {Fraction(0)}
        for own in lines:
            points |= {(b - a) / (slope_a - slope_b) for (slope_a, a), (slope_b, b) in combinations(own, 2)}
        least = min(
            sum(max(slope * n + value for slope, value in own) for own in lines) + Fraction(charge) * abs(n)
            for n in points
        )
        assert got[account] == pytest.approx(float(least), rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_netted_groups_are_least_at_one_of_their_kinks(seed):
    """Two groups with several losses per move and without a scenario in which nothing moves; a gain counts nothing."""
    generator = np.random.default_rng(seed)
    moves = [np.array([-2.0, -1.0, 1.0, 2.0, 2.0]), np.array([2.0, -2.0, 1.0])]
    losses = [generator.integers(-50, 100, (len(move), 20)).astype(float) for move in moves]
    got = net_groups(losses, moves, 0.25)
    for account in range(20):
        lines = [
            [(0.0, 0.0), *zip(move, loss[:, account], strict=True)] for move, loss in zip(moves, losses, strict=True)
        ]
        kinks = [(b - a) / (up - down) for own in lines for (up, a), (down, b) in combinations(own, 2) if up != down]
        least = min(
            sum(max(slope * n + loss for slope, loss in own) for own in lines) + 0.25 * abs(n) for n in (0.0, *kinks)
        )
        assert got[account] == pytest.approx(least, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_tail_is_the_exact_mean(seed):
    """Against sorting, ties and a tail that splits a weight included."""
    generator = np.random.default_rng(seed)
    weights = generator.integers(1, 400, 64)
    tail = int(generator.integers(1, weights.sum() + 1))
    losses = generator.integers(-(10**6), 10**6, (64, 40)).astype(float)
    losses[:, :10] = np.rint(losses[:, :10] / 10**5)
    losses[:, 10] = 3.0
    wanted = np.array([tail * tail_mean(losses[:, a].tolist(), weights.tolist(), tail) for a in range(40)])
    least = wanted + generator.choice([-1e5, 1e5, -1e12], 40)
    got = raise_to_tail(losses, weights.astype(float), float(tail), least)
    assert got == pytest.approx(np.maximum(wanted, least), rel=1e-11, abs=1e-4)


# --------------------------------------------------------------------------------------------------------- blocks
@pytest.fixture(scope="module")
def books():
    generator = np.random.default_rng(11)
    positions = generator.integers(-50, 51, (257, 16))
    return positions, generator.integers(-(10**9), 10**12, 257)


@pytest.mark.property("P-73")
@pytest.mark.parametrize("block", [1, 100, 256, 257, 1000])
@pytest.mark.parametrize("workers", [1, 2])
def test_blocks_and_workers_change_nothing(books, block, workers):
    model = read_batch_model(get_policies("mini")["initial"])
    whole, split = compute_batch(model, *books), compute_batch(model, *books, block=block, workers=workers)
    assert split.requirement == pytest.approx(whole.requirement, rel=1e-12)
    assert (split.equity == whole.equity).all()


def test_no_accounts():
    result = compute_batch(read_batch_model(get_policies("mini")["initial"]), np.zeros((0, 16)), np.zeros(0))
    assert len(result) == 0


def test_without_shortfall_is_the_grid(books):
    model = read_batch_model(get_policies("mini")["initial"], without_shortfall=True)
    result = compute_batch(model, *books)
    assert (result.scenario == result.grid).all()
    assert (compute_batch(read_batch_model(get_policies("mini")["initial"]), *books).scenario >= result.grid).all()


def test_blocks_are_read_as_they_are_needed(books):
    """A generator without end: the first results come although the rest is never read."""
    read = 0

    def produce():
        nonlocal read
        while True:
            read += 1
            yield Block(*books)

    stream = stream_batch(read_batch_model(get_policies("mini")["initial"]), produce(), workers=2)
    results = [next(stream) for _ in range(6)]
    stream.close()
    assert read <= 6 + 4
    assert all((result.slack == results[0].slack).all() for result in results)


@pytest.mark.property("P-73")
def test_beyond_memory(tmp_path):
    """512 MB of positions in a memory-mapped file, under a cap of 300 MB on what a process may allocate."""
    code = f"""
import resource
import numpy as np
from zkmargin.engine.policy.batch import iterate_blocks, read_batch_model, stream_batch
from zkmargin.engine.policy.checks import read_policy
from zkmargin.engine.presets import NO_SPLIT
model = read_batch_model(read_policy(open({str(tmp_path / "policy")!r}, "rb").read(), NO_SPLIT))
positions = np.memmap({str(tmp_path / "positions")!r}, dtype=np.float64, mode="r", shape=(250_000, 256))
slack = np.memmap({str(tmp_path / "slack")!r}, dtype=np.float64, mode="w+", shape=(250_000,))
resource.setrlimit(resource.RLIMIT_DATA, (300 << 20, 300 << 20))
cash, at = np.broadcast_to(1e12, 250_000), 0
for result in stream_batch(model, iterate_blocks(positions, cash, 5_000)):
    slack[at : at + len(result)], at = result.slack, at + len(result)
assert at == 250_000 and (slack == 1e12).all()
"""
    (tmp_path / "policy").write_bytes(get_policies("standard")["maintenance"].to_bytes())
    with open(tmp_path / "positions", "wb") as file:
        file.truncate(250_000 * 256 * 8)  # a sparse file: all accounts are empty
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_one_bad_block_ends_the_stream(books):
    model = read_batch_model(get_policies("mini")["initial"])
    positions = books[0].astype(float)
    positions[130, 3] = np.nan
    with pytest.raises(OutOfRange, match="account 30 of a block"):
        compute_batch(model, positions, books[1], block=100)
    with pytest.raises(OutOfRange, match="slots of a block is 15"):
        compute_batch(model, positions[:, :15], books[1])
    with pytest.raises(OutOfRange, match="shapes"):
        list(iterate_blocks(positions, books[1][:-1]))


def test_workers_are_bounded():
    with pytest.raises(OutOfRange, match="workers is 0"):
        map_blocks(len, [], workers=0)


def test_no_cluster_is_said_so():
    with pytest.raises(ClusterUnavailable, match="127"):
        list(map_blocks(len, [[1]], scheduler="tcp://127.0.0.1:1"))


def test_model_travels(books):
    model = read_batch_model(get_policies("mini")["initial"])
    copied = pickle.loads(pickle.dumps(model))
    assert (compute_batch(copied, *books).slack == compute_batch(model, *books).slack).all()


@pytest.mark.slow
def test_local_cluster_gives_the_same(books):
    """Two worker processes of a Dask cluster."""
    from distributed import LocalCluster

    model = read_batch_model(get_policies("mini")["initial"])
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True) as cluster:
        away = compute_batch(model, *books, block=40, scheduler=cluster.scheduler_address)
    assert (away.slack == compute_batch(model, *books, block=40).slack).all()


# ---------------------------------------------------------------------------------------------------- other forms
MINI = get_policies("mini")["initial"].preset
LAYOUT = Layout(MINI)
GRID, SPARE, SPARE_HELPER = LAYOUT.grid(0)[0], LAYOUT.buffer(0)[0], MINI.helpers - 1


def change(policy: Policy, *edits: tuple[str, object, int]) -> Policy:
    fields = to_fields(policy)
    for field, place, value in edits:
        fields[field][place] = value
    return Policy(name="edited", preset=policy.preset, **fields)


NO_FORM = {
    "loss counted twice": (("helpers", (GRID, Helper.LOSS_BTC), 2), HelperForm),
    "one side of the transfer": (("helpers", (GRID, Helper.TRANSFER_PLUS), 7), TransferForm),
    "equity subtracted twice": (("helpers", (LAYOUT.equity, Helper.EQUITY), -2), HelperForm),
    "threshold counted twice": (("helpers", (0, Helper.THRESHOLD_PLUS), 2), TransferForm),
    "group beside the debt limit": (("helpers", (LAYOUT.debt, Helper.LOSS_BTC), -1), TransferForm),
    "transfer that pays": (("helpers", (LAYOUT.total, Helper.TRANSFER_PLUS), 5), TransferForm),
}


@pytest.mark.parametrize("case", sorted(NO_FORM))
def test_a_policy_that_does_not_parse_is_refused(case):
    edit, error = NO_FORM[case]
    with pytest.raises(error):
        read_batch_model(change(get_policies("mini")["initial"], edit))


NOT_LIKE_THE_HOUSE = {
    "another charge": ([("charges", (GRID, 1), -2)], "row 12: counts other charges than its group"),
    "a constant in equity": ([("constants", LAYOUT.equity, -1)], f"row {LAYOUT.equity}: has a constant in equity"),
    "a buffer taken twice": (
        [("helpers", (LAYOUT.equity, Helper.BUFFER_BTC), -2)],
        f"row {LAYOUT.equity}: counts charge {int(Helper.BUFFER_BTC)} 2 times",
    ),
    "a buffer in the sum as well": (
        [("helpers", (LAYOUT.total, Helper.BUFFER_BTC), -1)],
        f"row {SPARE}: is a scenario of a group that counts outside the sum",
    ),
    "a charge in the sum": ([("charges", (LAYOUT.total, 0), -1)], f"row {LAYOUT.total}: has a charge per contract"),
}


@pytest.mark.parametrize("case", sorted(NOT_LIKE_THE_HOUSE))
def test_a_policy_unlike_the_house_is_refused(case):
    edits, reason = NOT_LIKE_THE_HOUSE[case]
    policy = change(get_policies("mini")["initial"], *edits)
    check_policy(policy)
    with pytest.raises(UnsupportedForm, match=reason):
        read_batch_model(policy)


LIMITED_LOSS = [
    ("helper_kinds", SPARE_HELPER, HelperKind.LOSS),
    ("helpers", (SPARE, SPARE_HELPER), 1),
    ("helpers", (SPARE + 1, SPARE_HELPER), -1),
]
SECOND_SUM = [("helpers", (SPARE, Helper.EQUITY), 1)]
SECOND_TAIL = [("helpers", SPARE, get_policies("mini")["initial"].helpers[LAYOUT.tail]), ("excess_total", SPARE, -1)]


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        (LIMITED_LOSS, f"row {SPARE + 1}: limits a loss outside the sum"),
        (SECOND_SUM, "has 2 rows that add up the groups"),
        (SECOND_TAIL, "has 2 groups, 1 transfers, 2 expected shortfalls"),
    ],
)
def test_a_row_too_many_is_refused(edits, reason):
    policy = change(get_quiet_policies("mini")["initial"], *edits)
    check_policy(policy)
    with pytest.raises(UnsupportedForm, match=reason):
        read_batch_model(policy)


def test_policy_without_solvency_is_refused():
    with pytest.raises(UnsupportedForm, match="no single row of equity"):
        read_batch_model(get_policies("mini")["net_delta"])


def test_a_scaled_tail_scales_the_shortfall(books):
    """m' below m: the mean of the tail is multiplied by m / m', here two and four."""
    house = get_policies("mini")["initial"]
    row = int(np.flatnonzero(house.excess_total)[0])
    policy = change(house, ("helpers", (row, Helper.EQUITY), int(house.helpers[row, Helper.THRESHOLD_MINUS]) // 2))
    smaller = int(policy.helpers[row, Helper.EQUITY]) // 2
    scaled = read_batch_model(change(policy, ("helpers", (row, Helper.EQUITY), smaller)))
    plain = read_batch_model(policy)
    before, after = compute_batch(plain, *books), compute_batch(scaled, *books)
    binds = before.scenario > before.grid
    assert binds.any()
    ratio = int(policy.helpers[row, Helper.EQUITY]) / smaller
    assert after.scenario[binds] == pytest.approx(ratio * before.scenario[binds], rel=1e-12)
