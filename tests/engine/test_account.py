"""Portfolios and account states: edges of their ranges, round trips, and files that are refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkmargin.engine.account import MAX_CASH, MAX_LOTS, PORTFOLIOS, AccountState, Portfolio, load_portfolio
from zkmargin.engine.errors import DuplicateName, MalformedFile, OutOfRange, UnknownName, WrongKind
from zkmargin.engine.files import list_shipped
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.instruments import InstrumentKind
from zkmargin.engine.market.listings import reduce_to_mini
from zkmargin.engine.market.valuation import delta_per_lot, price_per_lot

MARKET = load_snapshot("deribit_2026-08-22")
MINI = reduce_to_mini(MARKET).listing
PUT = "BTC-25SEP26-76000-P"

lots = st.integers(-MAX_LOTS, MAX_LOTS)
books = st.dictionaries(st.sampled_from(list(MINI.by_name)), lots)
portfolios = st.builds(Portfolio, st.text(max_size=10), books, st.integers(-MAX_CASH, MAX_CASH))


@given(portfolios)
def test_round_trips(portfolio):
    assert Portfolio.from_json(portfolio.to_json()) == portfolio
    state = portfolio.to_state(MINI)
    assert Portfolio.from_state(portfolio.name, state, MINI) == portfolio
    assert state.open_positions == len(portfolio.positions)


def test_slots_of_a_state():
    state = Portfolio("book", {PUT: -5, "WETH-SPOT": 7}, 10**24).to_state(MINI)
    assert state.positions.dtype == np.int64
    assert {slot: int(state.positions[slot]) for slot in np.flatnonzero(state.positions)} == {3: -5, 8: 7}
    assert state.cash == 10**24
    with pytest.raises(ValueError, match="read-only"):
        state.positions[0] = 1


def test_entries_of_zero_lots_are_dropped():
    assert Portfolio("book", {PUT: 0}, 0) == Portfolio("book", {}, 0)


@pytest.mark.parametrize("value", [MAX_LOTS, -MAX_LOTS])
def test_the_largest_positions_are_accepted(value):
    assert Portfolio("book", {PUT: value}, 0).to_state(MINI).positions[3] == value


@pytest.mark.parametrize("value", [2**30, -(2**30), 1.0, True, "1", None])
def test_lots_out_of_range_are_refused(value):
    with pytest.raises(OutOfRange, match=f"lots of {PUT} is .*; allowed: -1073741823 to 1073741823"):
        Portfolio("book", {PUT: value}, 0)


@pytest.mark.parametrize("value", [2**80, -(2**80), 0.0, False])
def test_cash_out_of_range_is_refused(value):
    with pytest.raises(OutOfRange, match=r"cash_usd6 is .*; allowed: -1208925819614629174706175 to"):
        Portfolio("book", {}, value)
    Portfolio("book", {}, 2**80 - 1)


def test_a_state_may_reach_the_edges_of_the_circuit():
    positions = np.zeros(16, dtype=np.int64)
    positions[:2] = -(2**30), 2**30 - 1
    state = AccountState(positions, -(2**80))
    assert state == AccountState(positions.copy(), -(2**80))
    assert hash(state) == hash(AccountState(positions.copy(), -(2**80)))
    assert state != AccountState(positions, 0)
    assert state != AccountState(np.roll(positions, 1), -(2**80))


@pytest.mark.parametrize(
    ("positions", "cash", "error", "message"),
    [
        ([2**30], 0, OutOfRange, "lots in slot 0 is 1073741824; allowed: -1073741824 to 1073741823"),
        ([0, -(2**30) - 1], 0, OutOfRange, "lots in slot 1 is -1073741825"),
        ([2**70], 0, OutOfRange, "lots in slot 0 is 1180591620717411303424"),
        ([0.0], 0, WrongKind, "positions is 'float64 of shape"),
        ([[0]], 0, WrongKind, "positions is 'int64 of shape"),
        ([True], 0, WrongKind, "positions is 'bool of shape"),
        ([0], 2**80, OutOfRange, "cash_usd6 is 1208925819614629174706176; allowed"),
        ([0], -(2**80) - 1, OutOfRange, "cash_usd6 is -1208925819614629174706177"),
        ([0], 0.5, OutOfRange, "cash_usd6 is 0.5"),
    ],
)
def test_a_state_out_of_range_is_refused(positions, cash, error, message):
    with pytest.raises(error, match=message):
        AccountState(np.array(positions), cash)


def test_an_instrument_that_is_not_listed_is_refused():
    with pytest.raises(UnknownName, match="unknown instrument 'BTC-25SEP26-77000-P'; allowed: BTC-25SEP26-76000-P"):
        Portfolio("book", {"BTC-25SEP26-77000-P": 1}, 0).to_state(MINI)


def test_a_state_of_another_size_is_refused():
    state = Portfolio("book", {PUT: 1}, 0).to_state(MINI)
    with pytest.raises(OutOfRange, match="number of slots is 16; allowed: 256 to 256"):
        Portfolio.from_state("book", state, MARKET.listing)


ACCEPTED = {"format": "zkmargin.portfolio/1", "name": "book", "cash_usd6": 5, "positions": {PUT: -5}}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"format": "other"}, MalformedFile, "book.json: format is 'other'; allowed: 'zkmargin.portfolio/1'"),
        ({"cash_usd6": 5.5}, MalformedFile, "book.json: cash_usd6: .*; found 5.5"),
        ({"cash_usd6": "5"}, MalformedFile, "cash_usd6: .*; found '5'"),
        ({"cash_usd6": 2**80}, OutOfRange, "cash_usd6 is"),
        ({"positions": {PUT: -5.0}}, MalformedFile, "positions.BTC-25SEP26-76000-P: .*; found -5.0"),
        ({"positions": {PUT: True}}, MalformedFile, "positions.BTC-25SEP26-76000-P: .*; found True"),
        ({"positions": {PUT: 2**30}}, OutOfRange, "lots of BTC-25SEP26-76000-P is 1073741824"),
        ({"leverage": 10}, MalformedFile, "leverage: Extra inputs are not permitted; found 10"),
        ({"name": None}, MalformedFile, "name: .*; found None"),
    ],
)
def test_a_file_with_one_wrong_thing_is_refused(change, error, message):
    assert Portfolio.from_json(json.dumps(ACCEPTED)).positions == {PUT: -5}
    with pytest.raises(error, match=message):
        Portfolio.from_json(json.dumps(ACCEPTED | change), source="book.json")


def test_an_instrument_named_twice_is_refused():
    text = json.dumps(ACCEPTED).replace(f'"{PUT}": -5', f'"{PUT}": -5, "{PUT}": 5')
    with pytest.raises(DuplicateName, match=f"'{PUT}' appears more than once"):
        Portfolio.from_json(text)


def test_an_unknown_portfolio_names_the_shipped_ones():
    with pytest.raises(UnknownName, match="allowed: covered_call, hedged_vol_book, market_maker, short_strangle"):
        load_portfolio("mine")


def test_a_portfolio_is_read_from_a_path(tmp_path):
    path = tmp_path / "book.json"
    path.write_text(json.dumps(ACCEPTED))
    assert load_portfolio(path) == load_portfolio(str(path)) == Portfolio("book", {PUT: -5}, 5)
    path.write_bytes(b"\xff")
    with pytest.raises(MalformedFile, match="cannot be read"):
        load_portfolio(path)


@pytest.mark.parametrize("name", list_shipped(PORTFOLIOS))
def test_the_examples_are_solvent_on_the_shipped_market(name):
    portfolio = load_portfolio(name)
    state = portfolio.to_state(MARKET.listing)
    assert portfolio.name == name
    assert state.cash + round(1e6 * float(price_per_lot(MARKET) @ state.positions)) > 0


def test_the_market_maker_is_what_the_demo_needs():
    portfolio = load_portfolio("market_maker")
    items = [MARKET.listing.get(name) for name in portfolio.positions]
    assert len(items) >= 60
    for underlying in ("BTC", "ETH"):
        kinds = {item.kind for item in items if item.underlying == underlying}
        assert kinds == {InstrumentKind.OPTION, InstrumentKind.FUTURE, InstrumentKind.PERPETUAL}
    # Its delta is flat, to within one lot a coin.
    deltas = delta_per_lot(MARKET) * portfolio.to_state(MARKET.listing).positions
    assert abs(deltas[:128].sum()) < 0.01
    assert abs(deltas[128:].sum()) < 0.1
