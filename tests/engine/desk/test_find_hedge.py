"""A hedge is checked by the integer policy alone, costs no less than the linear bound, and stays within the caps."""

import dataclasses
import json
import math
import threading

import numpy as np
import pytest
import scipy.optimize

from tests.support.desks import MARKETS, SHIPPED, get_books, get_quotes, get_slot, spend
from tests.support.house import CALM, CRASH, get_house, make_state
from zkmargin.engine.account import MAX_LOTS, AccountState, load_portfolio
from zkmargin.engine.desk import hedge_programme
from zkmargin.engine.desk.deadline import Deadline
from zkmargin.engine.desk.find_hedge import find_hedge
from zkmargin.engine.desk.hedge_programme import Goal, HedgeProgramme
from zkmargin.engine.desk.hedge_result import Outcome, Target
from zkmargin.engine.desk.liquidity import make_liquidity
from zkmargin.engine.errors import OutOfRange, UnknownName
from zkmargin.engine.house import House
from zkmargin.engine.market.file import Observation, load_observations
from zkmargin.engine.market.instruments import KIND_CODES, InstrumentKind
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.linear_programme import LEAST_SECONDS, ProgrammeFailed

SOLVER = 1e-6
"""What a float optimum may be off by, US dollars."""


def apply(house, state, hedge):
    """The account after the trades as they are reported: names, lots and prices per coin."""
    lots, cash = np.array(state.positions), state.cash
    for trade in hedge.trades:
        item = house.snapshot.listing.get(trade.name)
        lots[item.slot] += trade.lots
        cash -= trade.lots * round(trade.price * item.lot_size * 10**6)
    return AccountState(lots, cash)


def passes(policy, state):
    try:
        find_certificate(policy, state)
    except RequirementNotMet:
        return False
    return True


def check_found(house, state, hedge):
    assert hedge.outcome is Outcome.FOUND
    check_numbers(house, state, hedge)
    for count in range(1, hedge.needed_trades + 1):  # after each trade
        made = dataclasses.replace(hedge, trades=tuple(leg for leg in hedge.trades if leg.trade <= count))
        assert all([leg.trade for leg in hedge.trades].count(count) <= 4 for _ in made.trades)
        assert passes(house.policies["initial"], apply(house, state, made))


def check_numbers(house, state, hedge):
    assert hedge.trades and hedge.verdict.passes
    assert passes(house.policies[hedge.policy], apply(house, state, hedge))
    assert hedge.rounding_loss >= -SOLVER
    assert all(0 < abs(trade.lots) <= trade.cap and trade.cost > 0 for trade in hedge.trades)
    assert hedge.cost == pytest.approx(sum(trade.cost for trade in hedge.trades))
    paid = sum(abs(trade.price - trade.mark) * abs(trade.lots) * house.snapshot.listing.get(trade.name).lot_size
               for trade in hedge.trades)  # fmt: skip
    assert hedge.cost == pytest.approx(paid, abs=1e-5 * sum(abs(trade.lots) for trade in hedge.trades))


@pytest.mark.property("P-71")
@pytest.mark.parametrize("size,market", MARKETS)
def test_it_restores_the_requirement(size, market):
    house, quotes = get_house(size, market), get_quotes(size, market)
    books = get_books(size, market)
    for name in set(books) - {"covered_call", "random 1"}:
        state = spend(house, books[name], "initial", 0.05)
        assert not passes(house.policies["initial"], state)
        hedge = find_hedge(house, name, state, quotes)
        assert hedge.margin_excess_before < 0 <= hedge.margin_excess_after
        if hedge.outcome is Outcome.CANNOT_BE_TRADED:
            assert name == "hedged_vol_book" and len(hedge.trades) > 4
            check_numbers(house, state, hedge)
            continue
        check_found(house, state, hedge)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.02, 0.1, 0.25, 0.5])
@pytest.mark.parametrize("level", ["initial", "maintenance"])
def test_it_restores_every_shipped_portfolio_or_says_that_it_cannot(share, level):
    house, quotes = get_house("standard", CALM), get_quotes("standard", CALM)
    for name in SHIPPED:
        state = spend(house, load_portfolio(name).to_state(house.snapshot.listing), level, share)
        hedge = find_hedge(house, name, state, quotes, level=level)
        if hedge.outcome is Outcome.NONE_WITHIN_CAPS:
            least = HedgeProgramme(house.policies[level], state, quotes, Deadline(60.0)).solve(Goal.REACH).missing
            assert least > 0.01 and hedge.verdict.missing_usd6 > 0
        elif hedge.outcome is Outcome.CANNOT_BE_TRADED:
            check_numbers(house, state, hedge)
            assert len(hedge.trades) > 4 or not passes(house.policies["initial"], apply(house, state, hedge))
        else:
            check_found(house, state, hedge)


def test_trades_that_a_failing_account_cannot_begin_are_not_called_found():
    """Fifteen instruments in four trades: after the first the account still fails, and no four do it alone."""
    house, quotes = get_house("standard", CALM), get_quotes("standard", CALM)
    state = spend(house, get_books("standard", CALM)["hedged_vol_book"], "initial", 0.25)
    hedge = find_hedge(house, "x", state, quotes)
    assert hedge.outcome is Outcome.CANNOT_BE_TRADED and hedge.needed_trades > 1
    check_numbers(house, state, hedge)
    first = dataclasses.replace(hedge, trades=tuple(leg for leg in hedge.trades if leg.trade == 1))
    assert len(first.trades) == 4 and not passes(house.policies["initial"], apply(house, state, first))


def test_a_failing_account_gets_one_trade_where_few_instruments_do_it():
    """The programme's optimum has more legs than a trade; four of them do it for a little more."""
    house, quotes = get_house("standard", CALM), get_quotes("standard", CALM)
    state = spend(house, get_books("standard", CALM)["hedged_vol_book"], "initial", 0.02)
    programme = HedgeProgramme(house.policies["initial"], state, quotes, Deadline(60.0))
    assert np.count_nonzero(np.rint(programme.solve(Goal.RESTORE).trades)) > 4
    hedge = find_hedge(house, "x", state, quotes)
    check_found(house, state, hedge)
    assert hedge.needed_trades == 1 and hedge.cost < 1.1 * hedge.bound


def test_maintenance_alone_permits_no_trade():
    """A trade needs initial margin: a hedge back to maintenance is said, and that it cannot be traded."""
    house, quotes = get_house("standard", CALM), get_quotes("standard", CALM)
    state = spend(house, get_books("standard", CALM)["short_strangle"], "maintenance", 0.02)
    hedge = find_hedge(house, "x", state, quotes, level="maintenance")
    assert hedge.outcome is Outcome.CANNOT_BE_TRADED
    after = apply(house, state, hedge)
    assert passes(house.policies["maintenance"], after) and not passes(house.policies["initial"], after)


def test_an_exposure_far_beyond_its_limit_needs_no_solver(monkeypatch):
    """A position at the end of its range: all liquidity together would leave it there."""
    house, quotes = get_house("standard", CALM), get_quotes("standard", CALM)
    monkeypatch.setattr(hedge_programme, "minimise", lambda *_, **__: pytest.fail("a programme was solved"))
    for lots in (MAX_LOTS, -MAX_LOTS):
        state = make_state(256, {get_slot(house, "BTC-PERPETUAL"): lots}, 2**79)
        for target in Target:
            hedge = find_hedge(house, "x", state, quotes, target=target)
            assert (hedge.outcome, hedge.trades, hedge.bound) == (Outcome.BEYOND_LIMIT, (), None)
            assert hedge.verdict.beyond_limit_usd6 > 10**17 and not hedge.verdict.passes
            assert "beyond its limit" in hedge.verdict.describe()


def test_every_step_has_what_is_left_of_the_time(monkeypatch):
    house, quotes = get_house("mini", CALM), get_quotes("mini", CALM)
    state = spend(house, get_books("mini", CALM)["random 0"], "initial", 0.05)
    given, now, solve = [], [0.0], hedge_programme.minimise

    def minimise(*arguments, seconds, **others):
        given.append(seconds)
        now[0] += 3.0
        return solve(*arguments, seconds=60.0, **others)

    monkeypatch.setattr(hedge_programme, "minimise", minimise)
    find_hedge(house, "x", state, quotes, seconds=10.0, clock=lambda: now[0])
    assert given == [max(10.0 - 3.0 * step, LEAST_SECONDS) for step in range(len(given))] and len(given) > 1


def test_without_an_answer_in_time_nothing_is_claimed(monkeypatch):
    house, quotes = get_house("mini", CALM), get_quotes("mini", CALM)
    state = spend(house, get_books("mini", CALM)["random 0"], "initial", 0.05)

    def minimise(*_, **__):
        raise ProgrammeFailed(1, "time limit reached")

    monkeypatch.setattr(hedge_programme, "minimise", minimise)
    hedge = find_hedge(house, "x", state, quotes)
    assert (hedge.outcome, hedge.trades, hedge.bound) == (Outcome.UNDECIDED, (), None)
    assert hedge.verdict.missing_usd6 > 0


@pytest.mark.parametrize("size,market", MARKETS)
def test_it_frees_more_margin_than_it_costs(size, market):
    house, quotes = get_house(size, market), get_quotes(size, market)
    book = list(get_books(size, market).values())[-1]
    free = find_hedge(house, "x", book, quotes, target=Target.MINIMISE)
    check_found(house, book, free)
    assert free.requirement_after + free.cost < free.requirement_before
    tight = find_hedge(house, "x", book, quotes, target=Target.MINIMISE, max_cost=free.cost / 4)
    assert tight.cost <= free.cost / 4 and free.objective <= tight.objective + SOLVER
    assert passes(house.policies["initial"], apply(house, book, tight))
    measured = house.policy_requirement(house.policies["initial"], apply(house, book, free)) / 1e6
    assert free.objective == pytest.approx(measured + free.cost, abs=1e-6)


def test_a_dearer_requirement_needs_a_dearer_hedge():
    house, quotes = get_house("standard", CALM), get_quotes("standard", CALM)
    book = get_books("standard", CALM)["short_strangle"]
    bounds = [find_hedge(house, "x", spend(house, book, "initial", share), quotes).bound for share in (0.1, 0.3)]
    assert 0 < bounds[0] < bounds[1]


@pytest.mark.parametrize("market", [CALM, CRASH])
def test_a_search_over_whole_lots_is_no_worse(market):
    house, quotes = get_house("mini", market), get_quotes("mini", market)
    state = spend(house, get_books("mini", market)["random 0"], "initial", 0.05)
    rounded = find_hedge(house, "x", state, quotes)
    whole = find_hedge(house, "x", state, quotes, whole_lots=True, seconds=5.0)
    check_found(house, state, whole)
    assert rounded.bound - SOLVER <= whole.objective <= rounded.objective and rounded.gap is None
    assert whole.gap is not None


def test_an_account_that_passes_needs_no_hedge():
    house, quotes = get_house("mini", CALM), get_quotes("mini", CALM)
    rich = make_state(16, {1: 10}, 10**13)
    hedge = find_hedge(house, "rich", rich, quotes)
    assert (hedge.outcome, hedge.trades, hedge.cost) == (Outcome.NOT_NEEDED, (), 0.0)
    empty = find_hedge(house, "empty", make_state(16, {}, 0), quotes, target=Target.MINIMISE)
    assert (empty.outcome, empty.trades) == (Outcome.NOT_NEEDED, ())


@pytest.mark.parametrize("size,market", [MARKETS[1], ("mini", CALM)])
def test_no_hedge_within_the_caps_is_said_with_the_best_achievable(size, market):
    """Far more is missing than any trade frees: what is shown leaves as little missing as the programme's optimum."""
    house, quotes = get_house(size, market), get_quotes(size, market)
    state = spend(house, get_books(size, market)["random 0"], "initial", 2.0)
    hedge = find_hedge(house, "x", state, quotes)
    assert hedge.outcome is Outcome.NONE_WITHIN_CAPS and hedge.bound is None and hedge.objective is None
    with pytest.raises(RequirementNotMet) as refusal:
        find_certificate(house.policies["initial"], apply(house, state, hedge))
    assert hedge.verdict.missing_usd6 == refusal.value.missing_usd6
    least = HedgeProgramme(house.policies["initial"], state, quotes, Deadline(60.0)).solve(Goal.REACH).missing
    before = house.find_refusal(house.policies["initial"], state).missing_usd6 / 1e6
    assert least <= hedge.verdict.missing_usd6 / 1e6 + SOLVER and hedge.verdict.missing_usd6 / 1e6 < before
    assert hedge.verdict.missing_usd6 / 1e6 <= least + 0.01 * before
    poor = find_hedge(house, "x", state, quotes, max_cost=0.5)
    assert (
        poor.outcome is Outcome.NONE_WITHIN_CAPS
        and poor.cost <= 0.5
        and poor.verdict.missing_usd6 >= hedge.verdict.missing_usd6
    )


def test_a_budget_for_half_a_lot_buys_none():
    house, quotes = get_house("mini", CALM), get_quotes("mini", CALM)
    state = spend(house, make_state(16, {get_slot(house, "BTC-PERPETUAL"): 100}, 10**12), "initial", 0.0005)
    bound = find_hedge(house, "x", state, quotes).bound
    hedge = find_hedge(house, "x", state, quotes, max_cost=1.5 * bound, whole_lots=True, seconds=5.0)
    assert hedge.outcome is Outcome.NONE_IN_WHOLE_LOTS and hedge.bound == pytest.approx(bound)
    assert hedge.verdict.missing_usd6 > 0 and hedge.objective is None and hedge.cost <= 1.5 * bound


def test_an_exposure_beyond_its_limit_is_reduced():
    """More cash does not help there; only trades do."""
    house, quotes = get_house("standard", CALM), get_quotes("standard", CALM)
    slot, policy = get_slot(house, "BTC-PERPETUAL"), house.policies["initial"]
    lots, step = 0, 1 << 24
    while step:  # the most that the limit allows
        if passes(policy, make_state(256, {slot: lots + step}, 4 * 10**16)):
            lots += step
        step //= 2
    state = make_state(256, {slot: lots + 500}, 4 * 10**16)
    hedge = find_hedge(house, "large", state, quotes)
    check_found(house, state, hedge)


def test_without_quotes_only_perpetuals_and_futures_are_traded():
    house = get_house("standard", CALM)
    quotes = make_liquidity(house, {})
    kinds = {house.snapshot.listing.instruments[slot].kind.value for slot in quotes.tradable}
    assert kinds == {"perpetual", "future"}
    none = make_liquidity(house, load_observations(CALM), 0.0)
    assert not len(none.tradable)
    state = spend(house, get_books("standard", CALM)["short_strangle"], "initial", 0.2)
    hedge = find_hedge(house, "x", state, none)
    assert (hedge.outcome, hedge.trades) == (Outcome.NONE_WITHIN_CAPS, ())
    assert hedge.verdict.missing_usd6 == house.find_refusal(house.policies["initial"], state).missing_usd6


@pytest.mark.parametrize("size,market", MARKETS)
def test_quotes_are_never_better_than_the_mark(size, market):
    quotes = get_quotes(size, market)
    traded = quotes.tradable
    assert (quotes.ask[traded] > quotes.mark[traded]).all() and (quotes.bid[traded] < quotes.mark[traded]).all()
    assert (quotes.bid >= 0).all() and not set(traded) & {0, len(quotes.mark) // 2}  # no collateral


def test_caps_follow_quotes_and_depth():
    house = get_house("standard", CALM)
    name = next(name for name, seen in load_observations(CALM).items() if seen.bid and seen.ask)
    item = house.snapshot.listing.get(name)
    seen = Observation(name=name, mark=0.01, delta=0.1, bid=None, ask=0.5, open_interest=7.0, volume=20.0)
    quotes = make_liquidity(house, {name: seen}, 0.5)
    assert quotes.can_buy[item.slot] == math.floor(3.5 / item.lot_size) and quotes.can_sell[item.slot] == 0
    assert quotes.ask[item.slot] >= 0.5 * house.snapshot.forward[item.slot] * item.lot_size * 1e6
    perpetual = get_slot(house, "BTC-PERPETUAL")
    worth = quotes.can_sell[perpetual] * house.marks[perpetual] / 1e6
    depth = 0.5 * house.snapshot.crowding["BTC"].depth_down
    assert depth - house.marks[perpetual] / 1e6 <= worth <= depth


@pytest.mark.parametrize("value", [math.nan, -0.1, 1.1, math.inf])
def test_a_share_that_is_none(value):
    with pytest.raises(OutOfRange, match="share of the liquidity"):
        make_liquidity(get_house("mini", CALM), {}, value)


@pytest.mark.parametrize(
    "what,value", [("bid", math.nan), ("ask", -1.0), ("volume", math.inf), ("open_interest", -1.0)]
)
def test_a_quote_that_is_none(what, value):
    house = get_house("mini", CALM)
    name, seen = next(
        (name, seen) for name, seen in load_observations(CALM).items() if name in house.snapshot.listing.by_name
    )
    with pytest.raises(OutOfRange, match=f"{what} of {name}"):
        make_liquidity(house, {name: seen.model_copy(update={what: value})})


def test_refusals():
    house, quotes = get_house("mini", CALM), get_quotes("mini", CALM)
    state = make_state(16, {1: 10}, 0)
    for cost in (math.nan, -1.0):
        with pytest.raises(OutOfRange, match="largest cost"):
            find_hedge(house, "x", state, quotes, max_cost=cost)
    for seconds in (math.nan, 0.0, 1e9):
        with pytest.raises(OutOfRange, match="seconds of the search"):
            find_hedge(house, "x", state, quotes, seconds=seconds)
    with pytest.raises(UnknownName, match="unknown level 'net_delta'; allowed: initial, maintenance"):
        find_hedge(house, "x", state, quotes, level="net_delta")


def test_the_record_is_json():
    house, quotes = get_house("mini", CALM), get_quotes("mini", CALM)
    hedge = find_hedge(house, "x", spend(house, get_books("mini", CALM)["random 1"], "initial", 0.05), quotes)
    document = json.loads(json.dumps(hedge.to_document(), allow_nan=False))
    assert document["outcome"] == "found" and document["rounding_loss"] == hedge.rounding_loss


def test_a_mark_that_rounds_to_nothing_is_not_traded():
    """A future at a thousandth of a cent: a lot is worth less than half a micro-dollar, and no price is a price."""
    snapshot = get_house("standard", CALM).snapshot
    is_future = snapshot.listing.kind == KIND_CODES[InstrumentKind.FUTURE]
    worthless = dataclasses.replace(snapshot, forward=np.where(is_future, 1e-6, snapshot.forward))
    quotes, before = (
        make_liquidity(house, load_observations(CALM)) for house in (House(worthless), get_house("standard", CALM))
    )
    for column in ("mark", "ask", "bid", "can_buy", "can_sell"):
        assert not getattr(quotes, column)[is_future].any(), column
        assert (getattr(quotes, column)[~is_future] == getattr(before, column)[~is_future]).all(), column
    assert before.can_buy[is_future].all()


def test_the_search_over_whole_lots_ends_with_its_time(monkeypatch):
    """A solver that overlooks its limit is left alone; what rounding found is the result."""
    house, quotes = get_house("mini", CALM), get_quotes("mini", CALM)
    state = spend(house, get_books("mini", CALM)["random 0"], "initial", 0.05)
    released = threading.Event()
    monkeypatch.setattr(scipy.optimize, "milp", lambda *_, **__: released.wait())
    monkeypatch.setattr(hedge_programme, "GRACE_SECONDS", 0.0)
    try:
        hedge = find_hedge(house, "x", state, quotes, whole_lots=True, seconds=2.0)
    finally:
        released.set()
    assert hedge == find_hedge(house, "x", state, quotes)
