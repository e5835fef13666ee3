"""Deribit, SPAN, OKX, Paradex, Aevo and Dederi against what they publish; SVI points and the remaining Greeks."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.venue_vectors import read_document
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.market.black76 import black76_greeks, black76_price
from zkmargin.engine.venues import aevo, dederi, deribit_pm, okx, paradex, span
from zkmargin.engine.venues.evaluation import compute_venue_margin
from zkmargin.engine.venues.grid import Book, LinearLeg, compute_worst_loss
from zkmargin.engine.venues.interface import OptionExpiry, OptionLeg, Scenario
from zkmargin.engine.venues.svi import compute_wing_clipped_volatility

VENUES = read_document("venues")
SVI = read_document("derive_svi_points")
DERIBIT = VENUES["deribit_pme"][0]
MCMILLAN = VENUES["span_mcmillan_covered_write"]
JUNE_SECONDS = 1_719_561_600 - 1_718_619_740
"""From the response's timestamp to 28 June 2024, 08:00 UTC."""


def dec(number) -> Decimal:
    return Decimal(repr(number))


def option(strike, is_call, quantity, volatility, seconds=30 * 86_400, forward=100):
    leg = OptionLeg(Decimal(strike), is_call, Decimal(quantity), volatility)
    return OptionExpiry(seconds, Decimal(forward), (leg,))


def test_every_svi_point():
    rows = np.array([row[:-1] for row in SVI["rows"]])
    assert len(rows) == 265 and len(SVI["rows"][0]) == len(SVI["columns"])
    for (a, b, rho, m, sigma, forward, tau, strike, volatility), row in zip(rows, SVI["rows"], strict=True):
        found = compute_wing_clipped_volatility(strike, forward, tau, a, b, rho, m, sigma)
        assert found == pytest.approx(volatility, rel=SVI["tolerance_relative"])
        edge = 4 * math.sqrt(a + b * sigma)
        assert (abs(math.log(strike / forward)) > edge) == row[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma": -0.1}, "SVI sigma is -0.1"),
        ({"rho": float("nan")}, "SVI rho is nan"),
        ({"years": 0.0}, "years is 0.0"),
        ({"strike": -5.0}, "strike is -5.0"),
        ({"a": -1.0}, "a \\+ b sigma is -0.99"),
        ({"a": -0.009, "rho": 1.0, "strike": 40.0}, "total variance is -0.0"),
    ],
)
def test_svi_refuses(change, message):
    good = {"strike": 90.0, "forward": 100.0, "years": 0.1, "a": 0.01, "b": 0.1, "rho": -0.3, "m": 0.0, "sigma": 0.1}
    assert compute_wing_clipped_volatility(**good) > 0
    with pytest.raises(OutOfRange, match=message):
        compute_wing_clipped_volatility(**(good | change))


def test_the_other_greeks_of_haug():
    """Elasticity, theta and both rhos on a spot, by the chain rule from the Greeks on a forward."""
    for greek, kind, strike, spot, carry, rate, years, volatility, value in VENUES["haug_other_greeks"]["rows"]:
        growth, discount = math.exp((rate - carry) * years), math.exp(-rate * years)
        forward, is_call = spot * growth, kind == "C"
        price = discount * black76_price(forward, strike, years, volatility, is_call)
        greeks = black76_greeks(forward, strike, years, volatility, is_call)
        delta = discount * growth * greeks.delta
        theta = rate * price - (rate - carry) * spot * delta + discount * greeks.theta
        found = {
            "elasticity": delta * spot / price,
            "theta": theta,
            "theta_per_day": theta / 365,
            "rho": years * (spot * delta - price),
            "dividend_rho": -years * spot * delta,
        }[greek]
        assert found == pytest.approx(value, abs=VENUES["haug_other_greeks"]["tolerance"]), greek
    assert len(VENUES["haug_other_greeks"]["rows"]) == 5


def test_rho_of_vollib():
    published = VENUES["black76_rho"]
    given_ = published["inputs"]
    inputs = (given_["F"], given_["K"], given_["t"], given_["sigma"])
    for letter, is_call in (("c", True), ("p", False)):
        price = math.exp(-given_["r"] * given_["t"]) * black76_price(*inputs, is_call)
        assert -given_["t"] * price / 100 == pytest.approx(published[f"rho_{letter}_per_1pct"], rel=1e-11)


def build_deribit(names):
    p = DERIBIT["params"]
    floats = {
        name: p[name]
        for name in (
            "volatility_range_up",
            "volatility_range_down",
            "min_volatility_for_shock_up",
            "short_term_vega_power",
            "long_term_vega_power",
            "min_annualised_move",
            "annualised_move_risk",
        )
    }
    exact = {name: dec(p[name]) for name in set(p) - set(floats) - {"buckets_each_side"}}
    parameters = deribit_pm.Parameters(**floats, **exact, buckets_each_side=p["buckets_each_side"])
    seconds = {"BTC-PERPETUAL": None, "BTC-28JUN24": JUNE_SECONDS}
    legs = [
        LinearLeg(name, dec(DERIBIT["positions_base_ccy_delta"][name]), dec(DERIBIT["marks"][name]), seconds[name])
        for name in names
    ]
    expected = DERIBIT["expected"]
    return deribit_pm.DeribitPm(
        Book(dec(DERIBIT["index"]), tuple(legs)),
        parameters,
        dec(expected["mmp_margin"]),
        dec(expected["open_orders_margin"]),
    )


def test_deribit_cells_of_each_instrument():
    assert [float(move) for move in deribit_pm.EXTENDED_MOVES] == VENUES["deribit_extended_moves"]
    for name, key in (("BTC-PERPETUAL", "pnl_perp_by_bucket"), ("BTC-28JUN24", "pnl_future_by_bucket")):
        pnl = compute_venue_margin(build_deribit([name])).scenario_pnl
        assert len(pnl) == 27 + 8
        for vol in range(3):
            assert [float(cell) for cell in pnl[vol:27:3]] == pytest.approx(DERIBIT["expected"][key], rel=1e-12)
        if name == "BTC-PERPETUAL":
            assert [float(cell) for cell in pnl[27:]] == pytest.approx(DERIBIT["expected"]["extended_perp"], rel=1e-12)


def test_deribit_margins():
    model = build_deribit(DERIBIT["marks"])
    margin, expected = compute_venue_margin(model), DERIBIT["expected"]
    adjusted = [model.adjust_cell(*cell) for cell in zip(model.scenarios, margin.scenario_pnl, strict=True)]
    assert [float(cell) for cell in adjusted[0:27:3]] == pytest.approx(expected["aggregated_by_bucket"], rel=1e-12)
    assert [float(cell) for cell in adjusted[27:]] == pytest.approx([0.0] * 8, abs=1e-20)
    for name, amount in margin.parts.items():
        # The published totals are written with nine to twelve decimals.
        assert float(amount) == pytest.approx(expected[name], abs=1e-9), name
    assert float(-margin.initial) == pytest.approx(expected["initial_margin"], abs=1e-9)


def test_deribit_roll_shock_grows_with_the_tenor_and_delta_shock_starts_at_its_threshold():
    model = build_deribit(["BTC-PERPETUAL"])
    roll = model.compute_roll_shock({None: Decimal(2), 2 * 365 * 86_400: Decimal(-1)})
    assert float(roll) == pytest.approx(2 * 0.01 + math.expm1(0.15), rel=1e-12)
    threshold = Decimal(20_000_000) / model.book.index
    assert model.compute_delta_shock(threshold) == 0
    assert model.compute_delta_shock(-threshold - 100) == (threshold + 100) * 100 * Decimal("5e-05")
    assert model.compute_delta_shock(Decimal(10**6)) == Decimal(10**5)


def test_deribit_a_call_far_in_the_money_is_a_coin():
    """A call worth its forward is a constant in coin: no cell moves it."""
    call = option("0.001", True, "1", 0.5, forward=65_000)
    model = deribit_pm.DeribitPm(Book(Decimal(65_000), (), (call,)), build_deribit([]).parameters)
    assert max(abs(cell) for cell in compute_venue_margin(model).scenario_pnl) < 1e-6


def test_span_arrays_of_the_published_example():
    arrays = {key: [Decimal(cell) for cell in MCMILLAN[key]] for key in ("long_future", "long_dec410_call")}
    covered = span.combine_arrays([Decimal(1), Decimal(-1)], list(arrays.values()))
    assert list(covered) == MCMILLAN["covered_write"]
    expected = MCMILLAN["expected"]
    assert compute_worst_loss(arrays["long_future"]) == expected["long_future_scan_risk"]
    assert compute_worst_loss(arrays["long_dec410_call"]) == expected["long_call_scan_risk"]
    assert compute_worst_loss(covered) == expected["covered_write_scan_risk"]


def mcmillan_scan():
    """Ranges of the example; its extreme move of 14 points is two ranges of which 35 % counts."""
    return span.Parameters(Decimal(MCMILLAN["scan_range_points"]), 0.17, Decimal(2), Decimal("0.35"))


def test_span_future_of_the_published_example():
    future = LinearLeg("future", Decimal(MCMILLAN["multiplier"]), Decimal("413.75"))
    margin = compute_venue_margin(span.Span(Book(Decimal("413.75"), (future,)), mcmillan_scan()))
    # The book rounds thirds to 10 dollars.
    assert [round(cell, -1) for cell in margin.scenario_pnl] == MCMILLAN["long_future"]
    assert float(margin.parts["scan_risk"]) == pytest.approx(MCMILLAN["expected"]["long_future_scan_risk"])
    assert [f"F{s.cell}" for s in span.build_scenarios(mcmillan_scan(), Decimal(400))][::2][:3] == [
        "F+0/3",
        "F+1/3",
        "F-1/3",
    ]


def test_span_call_of_the_published_example():
    """Four inputs the book does not print (forward, tenor, volatility, its range) explain 15 of its 16 printed cells.

    The cell of +14 points is printed as 3,130; the rule gives 6,140. Its mirror, -1,500, agrees.
    """
    call = option(410, True, MCMILLAN["multiplier"], 0.1686, 21 * 86_400, "413.75")
    margin = compute_venue_margin(span.Span(Book(Decimal("413.75"), (), (call,)), mcmillan_scan()))
    printed = [float(cell) for cell in MCMILLAN["long_dec410_call"]]
    found = [float(cell) for cell in margin.scenario_pnl]
    assert found[:14] + found[15:] == pytest.approx(printed[:14] + printed[15:], abs=25)
    assert found[14] == pytest.approx(6_140, abs=25)
    assert float(margin.parts["scan_risk"]) == pytest.approx(MCMILLAN["expected"]["long_call_scan_risk"], abs=25)


def test_span_inputs_of_the_exchange():
    deck = VENUES["span_cme_2019_inputs"]
    assert deck["psr_points"] * deck["cvf"] == deck["psr_usd"]
    scan = span.Parameters(Decimal(deck["psr_points"]), deck["vsr"])
    future = LinearLeg("SP", Decimal(deck["cvf"]), Decimal(deck["future"]))
    call = option(deck["call_strike"], True, -deck["cvf"], deck["iv"], 30 * 86_400, deck["future"])
    margin = compute_venue_margin(span.Span(Book(Decimal(deck["future"]), (future,), (call,)), scan))
    alone = compute_venue_margin(span.Span(Book(Decimal(deck["future"]), (future,)), scan))
    assert float(alone.parts["scan_risk"]) == pytest.approx(deck["psr_usd"])
    assert [float(cell) for cell in alone.scenario_pnl[-2:]] == pytest.approx([29_700, -29_700])
    assert 0 < margin.parts["scan_risk"] < alone.parts["scan_risk"]


def test_span_total():
    assert span.compute_span_total(Decimal(100), Decimal(10), Decimal(5), Decimal(30)) == 85
    assert span.compute_span_total(Decimal(0), short_option_minimum=Decimal(50)) == 50
    assert span.compute_span_total(Decimal(10), net_option_value=Decimal(40)) == 0
    assert span.compute_span_total(Decimal(10), net_option_value=Decimal(-40)) == 50


def test_okx_minimum_charge_by_tiers():
    published = VENUES["okx_mr7"]
    tiers = [
        (Decimal(low), None if high is None else Decimal(high), Decimal(x)) for low, high, x in published["tiers_usd"]
    ]
    example = published["example"]
    assert okx.scale_by_tiers(Decimal(example["MR7_raw"]), tiers) == example["MR7_adj"]
    measures = okx.Measures(spot=Decimal(example["MR"]), minimum=Decimal(example["MR7_raw"]))
    assert okx.compute_risk(measures) == example["MR"]
    assert okx.compute_maintenance(measures, tiers) == example["MMR"]
    assert (
        okx.scale_by_tiers(Decimal(800_000), tiers)
        == 10_000 + 120_000 + 400_000 + 780_000 + 1_360_000 + 2_300_000 + 1_200_000
    )
    measures = okx.Measures(*(Decimal(n) for n in (1, 2, 10, 20, 40, 3, 0)))
    assert okx.compute_risk(measures) == 3 + 10 + 20 + 40
    with pytest.raises(OutOfRange, match="start of a tier"):
        okx.scale_by_tiers(Decimal(1), tiers[1:])
    with pytest.raises(OutOfRange, match="amount is"):
        okx.scale_by_tiers(Decimal(-1), tiers)


def test_okx_volatility_moves_are_absolute_and_interpolated():
    model = okx.OkxSpotShock(Book(Decimal(100)))
    for days, points in ((0, 0.30), (15, 0.275), (45, 0.225), (90, 0.20)):
        expiry = option(100, True, 1, 0.5, days * 86_400)
        assert model.shock_volatility(expiry, Scenario(Decimal(1), "up"))[0] == pytest.approx(0.5 + points)
        assert model.shock_volatility(expiry, Scenario(Decimal(1), "down"))[0] == pytest.approx(0.5 - points)


def test_paradex_scenarios_are_the_published_table():
    published = VENUES["paradex_pm"]
    up, down = paradex.VOLATILITY_UP, -paradex.VOLATILITY_DOWN
    found = [
        [float(cell.spot - 1), up if cell.vol == "up" else down, float(cell.weight)]
        for cell in paradex.build_scenarios()
    ]
    assert found == published["scenarios"]
    assert published["vega_power"] == {"<30d": paradex.SHORT_POWER, ">=30d": paradex.LONG_POWER}


def test_paradex_margin_of_a_perpetual_and_of_a_hedge():
    alone = compute_venue_margin(paradex.Paradex(Book(Decimal(100), (LinearLeg("P", Decimal(3), Decimal(100)),))))
    assert alone.parts["scan"] == 48  # 16 % of 300
    assert alone.parts["minimum"] == 6
    assert (alone.initial, alone.maintenance) == (-48, -24)
    legs = (LinearLeg("P", Decimal(3), Decimal(100)), LinearLeg("F", Decimal(-3), Decimal(100), 86_400))
    hedged = compute_venue_margin(paradex.Paradex(Book(Decimal(100), legs), fees=Decimal(1), funding=Decimal(2)))
    assert (hedged.parts["scan"], hedged.parts["minimum"]) == (0, 6)
    assert (hedged.initial, hedged.maintenance) == (-9, -6)


def test_aevo_scenarios_and_parameters():
    published = VENUES["aevo_pm"]
    assert "= 15" in published["scenarios"]
    names = ("max_spot", "iv_up_points", "iv_down_points")
    assert [float(getattr(aevo.Parameters(), name)) for name in names] == [published[name] for name in names]
    expiry = option(100, False, -1, 0.2)
    model = aevo.Aevo(Book(Decimal(100), (), (expiry,)))
    assert len(set(model.scenarios)) == 15
    moved = [model.shock_volatility(expiry, Scenario(Decimal(1), vol))[0] for vol in ("up", "none", "down")]
    assert moved == pytest.approx([0.7, 0.2, 0.0])
    margin = compute_venue_margin(model)
    assert margin.parts["margin"] + margin.scenario_pnl[12] == 0  # a put owed loses most at -20 %, volatility up


def test_dederi_worked_example():
    example = VENUES["dederi_futures"]
    index = dec(example["index"])
    forward = dederi.compute_forward(index, example["annual_basis"], example["days"])
    assert float(forward) == pytest.approx(example["expected"]["forward"], abs=0.1)
    mark = round(forward, 1)
    leg = LinearLeg("F", Decimal(example["qty"]), mark, example["days"] * 86_400)
    margin = compute_venue_margin(dederi.Dederi(Book(index, (leg,))))
    published = example["expected"]["pnl_by_shock"]
    assert [str(float(move)).rstrip("0").rstrip(".") for move in dederi.MOVES] == list(published)
    assert [float(cell) for cell in margin.scenario_pnl] == pytest.approx(list(published.values()), abs=1)
    contingency = float(margin.parts["future_contingency"])
    assert contingency == pytest.approx(example["expected"]["future_contingency_0p6pct"], abs=0.05)


positions = st.lists(
    st.tuples(st.integers(50, 200), st.booleans(), st.integers(-20, 20), st.floats(0.1, 2.0)), min_size=1, max_size=6
)


@given(positions)
def test_a_venue_scan_is_subadditive(legs):
    """The scan of two books together is at most the sum of theirs, on any grid: one model, one evaluation."""
    legs = [OptionLeg(Decimal(strike), is_call, Decimal(lots), vol) for strike, is_call, lots, vol in legs]

    def scan(chosen):
        expiry = OptionExpiry(20 * 86_400, Decimal(100), tuple(chosen))
        return compute_venue_margin(paradex.Paradex(Book(Decimal(100), (), (expiry,)))).parts["scan"]

    half = len(legs) // 2
    assert scan(legs) <= scan(legs[:half]) + scan(legs[half:]) + Decimal("1e-9")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: option(100, True, 1, float("nan")), "volatility at strike 100 is nan"),
        (lambda: option(100, True, 1, -0.5), "volatility at strike 100 is -0.5"),
        (lambda: option(-1, True, 1, 0.5), "strike is Decimal\\('-1'\\)"),
        (lambda: option(100, True, 1, 0.5, seconds=-1), "seconds to expiry -1 is -1.*no expiry before now"),
        (lambda: option(100, True, 1, 0.5, forward="-3"), "forward of expiry"),
        (lambda: Scenario(Decimal("-0.1")), "scenario's spot"),
        (lambda: Scenario(Decimal(1), weight=Decimal(-1)), "scenario's weight"),
        (lambda: LinearLeg("P", Decimal(1), Decimal(0)), "mark of P"),
        (lambda: LinearLeg("F", Decimal(1), Decimal(1), -5), "seconds to expiry of F is -5"),
        (lambda: Book(Decimal(0)), "index is"),
        (lambda: span.Parameters(Decimal(0), 0.3), "price_scan_range is"),
        (lambda: span.Parameters(Decimal(1), 1.5), "volatility_scan_range is 1.5"),
        (lambda: aevo.Parameters(iv_up_points=float("nan")), "iv_up_points is nan"),
    ],
)
def test_bad_input_is_refused_by_name_and_value(build, message):
    with pytest.raises(OutOfRange, match=message):
        build()
