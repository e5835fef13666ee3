"""SVI fits: published parameters come back, the published arbitrage is repaired, real chains fit, weights count."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from tests.support.house import CALM, CRASH, get_snapshot
from zkmargin.engine.errors import ArbitrageableSurface, MalformedFile, OutOfRange
from zkmargin.engine.market import svi_fit
from zkmargin.engine.market.file import DATA, load_observations, load_snapshot
from zkmargin.engine.market.svi import SviSlice, svi_total_variance
from zkmargin.engine.market.svi_fit import (
    LEAST_DENSITY,
    LEAST_QUOTES,
    Quotes,
    SparseSurface,
    compute_density,
    find_butterfly,
    find_calendar,
    find_sparse,
    fit_coin,
    fit_slice,
    get_spread,
    is_free,
    read_quotes,
)
from zkmargin.engine.presets import Coin

POINTS = json.loads((Path(__file__).parents[2] / "vectors" / "pricing_svi.json").read_text())
PUBLISHED = sorted({(*row[:5], row[6]) for row in POINTS["rows"]})
VOGT = (-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)
"""A. Vogt's parameters, example 3.1 of Gatheral and Jacquier (2014): butterfly arbitrage near k = 0.8."""

VOGT_JUMP_WING = (0.01742625, -0.1752111, 0.6997381, 1.316798, 0.0116249)
"""The same in the paper's jump-wing form (v, psi, p, c, least v), at one year."""
REPAIRED_CALL_WING = 0.8564763
"""c of the arbitrage-free slice that the paper's example 5.1 finds, the other four unchanged."""


def to_raw(v, psi, p, c, least) -> tuple[float, ...]:
    """Raw SVI of jump-wing parameters at one year, lemma 3.2 of the paper."""
    root = math.sqrt(v)
    b = root / 2 * (c + p)
    rho = 1 - p * root / b
    beta = rho - 2 * psi * root / b
    alpha = math.copysign(math.sqrt(1 / beta**2 - 1), beta)
    m = (v - least) / (b * (-rho + math.copysign(math.sqrt(1 + alpha**2), alpha) - alpha * math.sqrt(1 - rho**2)))
    sigma = alpha * m
    return least - b * sigma * math.sqrt(1 - rho**2), b, rho, m, sigma


def make_quotes(parameters, years: float = 1.0, low: float = -1.0, high: float = 1.0, count: int = 25) -> Quotes:
    k = np.linspace(low, high, count)
    return Quotes(k, np.sqrt(svi_total_variance(k, *parameters) / years), np.ones(count), years)


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row[0]:.4g}")
def test_published_parameters_come_back(row):
    """From exact quotes within half a moneyness of their centre."""
    *parameters, years = row
    fit = fit_slice(make_quotes(parameters, years, parameters[3] - 0.5, parameters[3] + 0.5))
    assert fit.free_rmse_points < 1e-4
    if is_free(tuple(parameters)):
        assert not fit.was_repaired
        assert fit.parameters == pytest.approx(parameters, rel=1e-3, abs=1e-5)
    else:
        assert fit.was_repaired and fit.is_butterfly_free


def test_published_parameters_are_of_both_sorts():
    assert {is_free(row[:5]) for row in PUBLISHED} >= {True}


def test_the_published_arbitrage_is_found_and_repaired():
    worst = find_butterfly(VOGT)
    assert worst.value < -0.01 and 0.6 < worst.moneyness < 1.1
    fit = fit_slice(make_quotes(VOGT, low=-1.5, high=1.5))
    assert fit.free_rmse_points < 1e-3
    assert fit.was_repaired and fit.is_butterfly_free
    SviSlice(*fit.parameters)


def test_the_repair_is_as_near_as_the_published_one():
    """Example 5.1 of the paper repairs the same slice by one parameter; the fit moves all five."""
    assert to_raw(*VOGT_JUMP_WING) == pytest.approx(VOGT, rel=1e-3)
    published = to_raw(*VOGT_JUMP_WING[:3], REPAIRED_CALL_WING, VOGT_JUMP_WING[4])
    assert is_free(published)
    quotes = make_quotes(VOGT, low=-1.5, high=1.5)
    away = np.sqrt(svi_total_variance(quotes.moneyness, *published)) - quotes.volatility
    assert 0.1 < fit_slice(quotes).rmse_points <= 100 * np.sqrt(np.mean(away**2))


def test_density_is_that_of_an_accepted_slice():
    good = SviSlice(a=0.01, b=0.08, rho=-0.3, m=0.02, sigma=0.15)
    k = np.linspace(-3, 3, 61)
    assert compute_density(k, good.a, good.b, good.rho, good.m, good.sigma) == pytest.approx(good.durrleman(k))


def test_calendar_breach_is_the_largest_fall():
    early, late = (0.02, 0.1, -0.3, 0.0, 0.2), (0.02, 0.05, -0.3, 0.0, 0.2)
    found = find_calendar(early, late, -1.0, 0.5)
    assert found.moneyness == -1.0
    assert found.value == pytest.approx(float(svi_total_variance(-1.0, *early) - svi_total_variance(-1.0, *late)))
    assert find_calendar(late, early, -1.0, 0.5).value < 0


def test_noise_is_averaged():
    generator = np.random.default_rng(5)
    truth = (0.01, 0.08, -0.3, 0.02, 0.15)
    clean = make_quotes(truth, 0.1, -0.4, 0.4, 60)
    noisy = Quotes(clean.moneyness, clean.volatility + generator.normal(0, 0.005, 60), clean.weight, 0.1)
    fit = fit_slice(noisy)
    fitted = np.sqrt(svi_total_variance(clean.moneyness, *fit.parameters) / 0.1)
    assert 0.3 < fit.rmse_points < 0.7
    assert np.sqrt(np.mean((fitted - clean.volatility) ** 2)) < 0.0025


def test_a_sure_quote_counts_more():
    clean = make_quotes((0.01, 0.08, -0.3, 0.02, 0.15), 0.1, -0.4, 0.4, 9)
    shifted = clean.volatility + np.where(np.arange(9) == 4, 0.05, 0.0)
    errors = []
    for weight in (0.2, 1.0, 5.0):
        weights = np.where(np.arange(9) == 4, weight, 1.0)
        fit = fit_slice(Quotes(clean.moneyness, shifted, weights, 0.1))
        errors.append(abs(np.sqrt(svi_total_variance(clean.moneyness[4], *fit.parameters) / 0.1) - shifted[4]))
    assert errors[0] > errors[1] > errors[2]


def test_too_few_quotes_are_refused():
    with pytest.raises(OutOfRange, match="number of quotes of an expiry is 4; allowed: 5"):
        make_quotes((0.01, 0.08, -0.3, 0.02, 0.15), count=4)


@pytest.mark.parametrize(("bid", "ask", "spread"), [(0.01, 0.012, 0.002), (None, 0.012, 0.012), (0.01, None, 0.012)])
def test_spread(bid, ask, spread):
    item = next(iter(load_observations(CALM).values())).model_copy(update={"bid": bid, "ask": ask, "mark": 0.011})
    assert get_spread(item) == pytest.approx(spread)


def test_weights_of_a_chain_are_vega_over_spread():
    """Near the money weighs more than the far wing; without observations only vega counts."""
    snapshot = get_snapshot("standard")
    with_spread = read_quotes(snapshot, load_observations(CALM), Coin.BTC)
    without = read_quotes(snapshot, {}, Coin.BTC)
    expiry = max(with_spread, key=lambda expiry: len(with_spread[expiry].moneyness))
    quotes, bare = with_spread[expiry], without[expiry]
    near, far = np.argmin(np.abs(quotes.moneyness)), np.argmax(np.abs(quotes.moneyness))
    assert quotes.weight[near] > quotes.weight[far] and bare.weight[near] > bare.weight[far]
    assert not np.allclose(quotes.scaled_weight, bare.scaled_weight)


@pytest.mark.slow
@pytest.mark.parametrize("market", [CALM, CRASH])
@pytest.mark.parametrize("coin", list(Coin))
def test_real_chains(market, coin):
    """Every expiry free of butterflies, and of calendars where both neighbours quote; the median error is small."""
    fits = fit_coin(get_snapshot("standard", market), load_observations(market), coin)
    assert len(fits) >= 10
    assert all(fit.is_butterfly_free and fit.is_calendar_free for fit in fits)
    assert np.median([fit.rmse_points for fit in fits]) < 1.0
    for fit in fits:
        try:
            fit.to_slice()
        except ArbitrageableSurface as error:  # pragma: no cover
            pytest.fail(f"{fit.coin} {fit.expiry}: {error}")
    repaired = [fit for fit in fits if fit.was_repaired]
    assert repaired and all(fit.butterfly.value < 10 * LEAST_DENSITY for fit in repaired)


def thin_out(snapshot, coin: Coin, kept: int):
    """The snapshot with `kept` options of the coin's first expiry, and that expiry."""
    listing = snapshot.listing
    slots = np.flatnonzero(listing.is_option & (listing.underlying == coin.ordinal))
    first = listing.expiry[slots].min()
    gone = [slot for slot in slots if listing.expiry[slot] == first][kept:]
    instruments = tuple(None if slot in gone else item for slot, item in enumerate(listing.instruments))
    columns = {name: np.array(getattr(snapshot, name)) for name in ("forward", "volatility")}
    for column in columns.values():
        column[gone] = np.nan
    return dataclasses.replace(
        snapshot, listing=dataclasses.replace(listing, instruments=instruments), **columns
    ), first


def test_a_sparse_expiry_keeps_no_other_back():
    snapshot = get_snapshot("standard")
    chain = read_quotes(snapshot, {}, Coin.BTC)
    thinned, first = thin_out(snapshot, Coin.BTC, LEAST_QUOTES - 1)
    assert list(read_quotes(thinned, {}, Coin.BTC)) == [expiry for expiry in chain if expiry != first]
    assert find_sparse(thinned, Coin.BTC) == {first: LEAST_QUOTES - 1} and find_sparse(snapshot, Coin.BTC) == {}


def test_a_coin_without_a_surface_is_named_with_its_expiries():
    snapshot = get_snapshot("mini")
    sparse = find_sparse(snapshot, Coin.ETH)
    with pytest.raises(SparseSurface, match="ETH has no surface") as refusal:
        fit_coin(snapshot, {}, Coin.ETH)
    assert refusal.value.coin is Coin.ETH and refusal.value.counts == sparse and sorted(sparse.values()) == [1, 4]
    assert all(str(expiry) in str(refusal.value) for expiry in sparse)


def test_a_repair_that_fails_leaves_the_free_fit(monkeypatch):
    """A penalty too light to move anything: the fit without it is reported, with its arbitrage."""
    quotes = make_quotes(VOGT, low=-1.5, high=1.5)
    monkeypatch.setattr(svi_fit, "PENALTIES", (1e-9,))
    fit = fit_slice(quotes)
    assert not fit.was_repaired and not fit.is_butterfly_free
    assert fit.rmse_points == fit.free_rmse_points
    monkeypatch.setattr(svi_fit, "_repair", lambda quotes, free: None)
    assert fit_slice(quotes).parameters == fit.parameters


@pytest.mark.parametrize(
    ("field", "place", "value"),
    [("moneyness", 3, math.nan), ("volatility", 3, math.nan), ("volatility", 0, 0.0), ("weight", 1, math.nan)],
)
def test_a_quote_that_is_no_number_is_refused(field, place, value):
    quotes = make_quotes((0.01, 0.08, -0.3, 0.02, 0.15))
    column = np.array(getattr(quotes, field))
    column[place] = value
    with pytest.raises(OutOfRange, match=rf"{field} of a quote is {value}"):
        dataclasses.replace(quotes, **{field: column})
    with pytest.raises(OutOfRange, match="years of an expiry is nan"):
        dataclasses.replace(quotes, years=math.nan)


@pytest.mark.parametrize("field", ["mark", "delta", "bid", "ask", "open_interest", "volume"])
def test_an_observation_without_its_number_is_refused(field, tmp_path):
    document = json.loads((DATA / f"{CALM}.json").read_text())
    document["observations"][0][field] = math.nan
    path = tmp_path / "market.json"
    path.write_text(json.dumps(document))
    for load in (load_observations, load_snapshot):
        with pytest.raises(MalformedFile, match=rf"market\.json: observations\.0\.{field}: Input should be a finite"):
            load(path)
