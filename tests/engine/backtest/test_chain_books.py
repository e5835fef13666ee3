"""Books of a chain: which options they take, and what they are worth two days later, settled or at the marks."""

import numpy as np
import pytest

from zkmargin.engine.backtest.chain_books import (
    BOOKS,
    ChainMarks,
    Quote,
    choose_options,
    interpolate_settlements,
    strike_books,
)
from zkmargin.engine.market.black76 import black76_price
from zkmargin.engine.market.instruments import InstrumentKind, canonical_name
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import SECONDS_PER_DAY, SECONDS_PER_YEAR

START = 1_787_391_000  # 2026-08-22, 09:30 UTC
DAYS = (0.9375, 1.9375, 30.9375)
"""To expiries at 8:00."""
FORECAST = {Coin.BTC: 0.03, Coin.ETH: 0.04}
FORWARDS = {Coin.BTC: 77_000.0, Coin.ETH: 2_400.0}


def make_chain(days=0.0, move=1.0, volatility=0.4):
    """Three expiries of START's clock, those that are left, at three strikes; the price moved by a factor."""
    now, options = START + int(days * SECONDS_PER_DAY), {}
    for coin, start in FORWARDS.items():
        forward = start * move
        for left in DAYS:
            expiry = START + int(left * SECONDS_PER_DAY)
            for strike in (round(0.9 * start), start, round(1.1 * start)):
                for is_call in (True, False):
                    if expiry <= now:
                        continue
                    years = (expiry - now) / SECONDS_PER_YEAR
                    value = float(black76_price(forward, strike, years, volatility, is_call))
                    name = canonical_name(InstrumentKind.OPTION, coin, expiry, float(strike), is_call)
                    options[name] = Quote(coin, expiry, float(strike), is_call, forward, volatility, value)
    return ChainMarks(now, {coin: start * move for coin, start in FORWARDS.items()}, options)


@pytest.fixture(scope="module")
def chain():
    return make_chain()


def test_near_is_the_first_expiry_next_the_second_and_month_the_nearest_to_thirty_days(chain):
    chosen = choose_options(chain, Coin.BTC, 0.25)
    assert chosen == {
        f"{place} {side}": f"BTC-{day}-77000-{side[0].upper()}"
        for place, day in (("near", "23AUG26"), ("next", "24AUG26"), ("month", "22SEP26"))
        for side in ("call", "put")
    }
    assert choose_options(ChainMarks(START, chain.index, {}), Coin.BTC) == {}
    assert "23AUG26" not in " ".join(choose_options(chain, Coin.BTC).values())  # by the listing rule


def test_an_option_without_its_other_side_is_not_struck(chain):
    lone = {name: quote for name, quote in chain.options.items() if name != "BTC-23AUG26-77000-P"}
    strikes = {name for name in choose_options(ChainMarks(START, chain.index, lone), Coin.BTC, 0.25).values()}
    assert not any("23AUG26-77000" in name for name in strikes) and any("23AUG26" in name for name in strikes)


def test_books_are_of_one_coin(chain):
    struck = strike_books(chain, FORECAST, 0.25)
    for coin, lots in ((Coin.BTC, 100), (Coin.ETH, 10)):
        for book, legs in BOOKS.items():
            held = struck.get_state(book, coin).positions
            own = [int(value) for value in held[struck.snapshot.listing.preset.span(coin)] if value]
            assert sorted(own) == sorted(lots * int(coins) for name, coins in legs.items() if "other" not in name)
    pair = struck.get_state("pair", Coin.BTC).positions
    assert pair[struck.slots[Coin.ETH]["perpetual"]] == -round(77_000 / 2_400 / 0.1)
    assert strike_books(ChainMarks(START, chain.index, {}), FORECAST).get_state("near_calendar", Coin.BTC) is None


def test_what_settles_pays_its_payoff_at_its_own_hour_and_the_rest_has_its_mark(chain):
    """The near option settles half-way at the index between the chains; what outlives it moves on to the end."""
    later, struck = make_chain(2.0, move=1.2), strike_books(chain, FORECAST, 0.25)
    settlement = interpolate_settlements([chain, later])
    expiry = START + int(DAYS[0] * SECONDS_PER_DAY)
    halfway = 77_000 * (1 + 0.2 * DAYS[0] / 2.0)
    assert settlement[Coin.BTC, expiry] == pytest.approx(halfway)
    values = struck.value(later, settlement)
    slots = struck.slots[Coin.BTC]
    assert values[slots["near call"]] == pytest.approx(0.01 * (halfway - 77_000))
    assert values[slots["near put"]] == 0.0
    month = later.options["BTC-22SEP26-77000-C"]
    assert values[slots["month call"]] == pytest.approx(0.01 * month.value)
    assert values[slots["perpetual"]] == pytest.approx(0.01 * 1.2 * 77_000)


def test_without_a_later_quote_or_a_settlement_there_is_no_value(chain):
    struck, later = strike_books(chain, FORECAST, 0.25), make_chain(1.0)
    gone = ChainMarks(later.time, later.index, {})
    values = struck.value(gone, {})
    slots = struck.slots[Coin.BTC]
    assert np.isnan(values[[slots["month call"], slots["near call"]]]).all() and not np.isnan(
        values[slots["perpetual"]]
    )
