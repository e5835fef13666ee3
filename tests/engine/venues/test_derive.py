"""Derive's three managers against every published case: scenario by scenario, and the contracts' intermediates."""

from decimal import Decimal

import pytest

from tests.support.venue_vectors import get_path, read_document
from zkmargin.engine.venues.cases import READERS, compute_margins
from zkmargin.engine.venues.decimals import render
from zkmargin.engine.venues.derive.files import compute_naked_shorts
from zkmargin.engine.venues.derive.pmrm2 import DerivePmrm2
from zkmargin.engine.venues.derive.pmrm2_cases import CaseScenario
from zkmargin.engine.venues.evaluation import compute_venue_margin, value_now
from zkmargin.engine.venues.svi import compute_wing_clipped_volatility

NOISE = Decimal("1e-8")
"""US dollars below which a relative error says nothing: published zeros are sums of large terms that cancel."""
ENABLED = 138


def is_close(found, expected, relative):
    return abs(found - Decimal(expected)) <= max(NOISE, Decimal(relative) * abs(Decimal(expected)))


@pytest.fixture(scope="module")
def pmrm2():
    """(published case, model, margin) of each case of PMRM_2."""
    path = get_path("derive_pmrm2_portfolios")
    models = READERS["derive-pmrm2"](path.read_text(), path)
    published = read_document("derive_pmrm2_portfolios")["cases"]
    return [(case, model, compute_venue_margin(model)) for case, (_, _, model) in zip(published, models, strict=True)]


def test_pmrm2_margins_and_every_scenario(pmrm2):
    wrong, enabled, cells = [], 0, 0
    for case, _, margin in pmrm2:
        if not case["enabled_upstream"]:
            continue
        enabled += 1
        for reference in (case["expected"], case["contract_output_wei_exact"]):
            found = (margin.maintenance, margin.initial, *margin.scenario_pnl)
            expected = (reference["MM"], reference["IM"], *reference["scenario_pnl"])
            cells += len(expected)
            wrong += [
                (case["id"], place, float(one), other)
                for place, (one, other) in enumerate(zip(found, expected, strict=True))
                if not is_close(one, other, case["tolerance"]["MM_IM_scenario_rel"])
            ]
    assert wrong == []
    assert enabled == ENABLED
    assert cells == 2 * 4546


def test_pmrm2_amounts_in_between(pmrm2):
    """Equity, basis and both contingencies to the contract's own accuracy."""
    names = {
        "equity": "mtm_incl_cash",
        "basis": "basis_contingency",
        "maintenance_contingency": "mm_contingency",
        "initial_contingency_extra": "im_contingency_extra",
    }
    for case, _, margin in pmrm2:
        if case["enabled_upstream"]:
            for name, key in names.items():
                expected = case["contract_output_wei_exact"][key]
                assert is_close(margin.parts[name], expected, "1e-10"), (case["id"], name)
            for name, key in {"oracle": "oracle_contingency", "im_loss_factor": "im_loss_factor"}.items():
                assert is_close(abs(margin.parts[name]), abs(Decimal(case["expected"][key])), "1e-10"), case["id"]


def test_pmrm2_published_parts(pmrm2):
    """What the file states beside the contract's output: values, each contingency and the static discounts."""
    for case, model, margin in pmrm2:
        if not case["enabled_upstream"]:
            continue
        p, published = model.parameters, case["expected"]
        perps, naked = (
            abs(model.portfolio.perps) * model.market.spot,
            model.market.spot * sum((compute_naked_shorts(expiry.legs) for expiry in model.expiries), Decimal(0)),
        )
        held = list(zip(model.collateral, model.portfolio.collaterals, strict=True))
        found = {
            "option_mtm": sum(value_now(expiry) for expiry in model.expiries),
            "collateral_mtm": sum(model.collateral),
            "forward_contingency": margin.parts["basis"],
            "mm_perp_contingency": -perps * p.mm_perp_pct,
            "im_perp_contingency_extra": -perps * p.im_perp_pct,
            "mm_option_contingency": -naked * p.mm_option_pct,
            "im_option_contingency_extra": -naked * p.im_option_pct,
            "mm_collateral_contingency": -sum(value * one.mm_haircut for value, one in held),
            "im_collateral_contingency_extra": -sum(value * one.im_haircut for value, one in held),
        }
        for key, amount in found.items():
            assert is_close(amount, published[key], "1e-9"), (case["id"], key)
        for expiry, mtm in zip(model.expiries, published["option_mtm_per_expiry"], strict=True):
            assert is_close(value_now(expiry), mtm, "1e-9"), case["id"]
        for expiry, pair in zip(model.expiries, published["discount_factors_pos_neg"] or [], strict=True):
            if expiry.seconds == 0:
                continue  # the list says 1 where the contract, which the next test but one follows, says 0.95
            assert model.compute_static_discounts(expiry) == pytest.approx([float(factor) for factor in pair], rel=1e-9)


def test_pmrm2_worst_cell_and_the_operators_shortcut(pmrm2):
    """The contract's worst cell is ours, and three cells (both basis moves, and none) give its shortcut's margin."""
    for case, model, margin in pmrm2:
        if not case["enabled_upstream"]:
            continue
        contract, p = case["contract_output_wei_exact"], model.parameters
        cells = (*margin.scenario_pnl, margin.parts["basis"])
        for key in ("worst_scenario_mm", "worst_scenario_im"):
            assert is_close(cells[contract[key]], margin.parts["worst"], "1e-12"), case["id"]
        is_basis = case["expected"]["worst_kind"] == "fwd_contingency"
        assert not is_basis or margin.parts["worst"] == margin.parts["basis"]
        shortcut = [
            CaseScenario(spot=spot, vol="none", dampening=Decimal(1)) for spot in (p.basis_up, p.basis_down, Decimal(1))
        ]
        trusted = compute_venue_margin(DerivePmrm2(model.case.model_copy(update={"scenarios": shortcut})))
        assert is_close(trusted.maintenance, contract["atm_MM_trusted_path"], "1e-10"), case["id"]


def test_pmrm2_shocks_and_discounts(pmrm2):
    count = 0
    for case, model, _ in pmrm2:
        if not case["enabled_upstream"]:
            continue
        published = {row["sec_to_expiry"]: row for row in case["contract_output_wei_exact"]["expiries"]}
        for expiry in model.expiries:
            row = published[expiry.seconds]
            up, down = model.compute_shocks(expiry)
            asset, debt = model.compute_static_discounts(expiry)
            found = {
                "vol_shock_up": 1 + up,
                "vol_shock_down": max(0.0, 1 - down),
                "static_discount_pos": asset,
                "static_discount_neg": debt,
                "discount": expiry.discount,
                "mtm": float(value_now(expiry)),
            }
            for key, number in found.items():
                assert number == pytest.approx(float(row[key]), rel=1e-10, abs=1e-8), (case["id"], key)
            count += 1
    assert count == 573


def test_volatilities_of_the_feeds(pmrm2):
    """The contract's mark volatilities from its SVI parameters, and that the cases' are the same ones."""
    count = saturated = 0
    for case, _, _ in pmrm2:
        if not case["enabled_upstream"]:
            continue
        parameters = {expiry["sec_to_expiry"]: expiry["svi"] for expiry in case["market"]["expiries"]}
        volatilities = {
            (row["sec_to_expiry"], row["strike"], row["is_call"]): float(row["vol"])
            for row in case["contract_output_wei_exact"]["option_vols"]
        }
        for option in case["portfolio"]["options"]:
            contract = volatilities[option["sec_to_expiry"], option["strike"], option["is_call"]]
            svi = {key: float(number) for key, number in parameters[option["sec_to_expiry"]].items()}
            forward, years = svi.pop("fwd"), svi.pop("tau")
            found = compute_wing_clipped_volatility(float(option["strike"]), forward, years, **svi)
            assert found == pytest.approx(contract, rel=1e-9)
            if float(option["mark_vol"]) != pytest.approx(contract, rel=1e-9):
                # Volatilities at which a call is worth its forward, or the expiry is now: they move no price.
                assert min(contract, float(option["mark_vol"])) > 2000
                saturated += 1
            count += 1
    assert (count, saturated) == (2359, 3)


def test_pmrm1_exact_cases():
    path = get_path("derive_pmrm1_precise")
    models = READERS["derive-pmrm1"](path.read_text(), path)
    cases = read_document("derive_pmrm1_precise")["cases"]
    assert len(cases) == 21
    names = {"equity": "portfolio_mtm_incl_cash", "basis": "forward_contingency", "im_loss_factor": "im_loss_factor"}
    charges = {f"{name}": f"{name}_contingency" for name in ("perp", "base", "option", "oracle")}
    for case, (_, _, model) in zip(cases, models, strict=True):
        margin, expected = compute_venue_margin(model), case["expected"]
        found = {"MM": margin.maintenance, "IM": margin.initial, "min_span": min(margin.scenario_pnl)}
        found |= {key: margin.parts[name] for name, key in names.items()}
        found |= {key: -margin.parts[name] for name, key in charges.items()}
        assert set(found) == set(expected)
        for key, amount in found.items():
            assert abs(amount - Decimal(expected[key])) <= Decimal(case["tolerance"]["abs"]), (case["id"], key)


@pytest.mark.parametrize(
    ("manager", "name", "count"),
    [("derive-pmrm1", "derive_pmrm1_integer", 44), ("derive-srm", "derive_srm_integer", 42)],
)
def test_named_structures_in_whole_dollars(manager, name, count):
    cases = read_document(name)["cases"]
    found = compute_margins(manager, get_path(name))
    assert len(cases) == count
    for case, margin in zip(cases, found, strict=True):
        assert case["id"] == margin["id"]
        for key in ("MM", "IM"):
            assert int(Decimal(margin[key])) == int(case["expected"][key]), (case["id"], key)


def test_srm_exact_cases_far_below_the_published_tolerance():
    path = get_path("derive_srm_cases")
    models = READERS["derive-srm"](path.read_text(), path)
    cases = read_document("derive_srm_cases")["cases"]
    assert len(cases) == 28
    for case, (_, _, model) in zip(cases, models, strict=True):
        margin = compute_venue_margin(model)
        found = {"MM": margin.maintenance, "IM": margin.initial, "mtm": margin.parts["mtm"]}
        for key, amount in found.items():
            assert is_close(amount, case["expected"][key], "1e-12"), (case["id"], key)


def test_thresholds_are_compared_in_decimals():
    """A confidence of 0.399999999999999999 is below 0.4; as binary fractions the two are equal."""
    assert float("0.399999999999999999") == 0.4
    by_id = {margin["id"]: margin for margin in compute_margins("derive-srm", get_path("derive_srm_integer"))}
    below = Decimal(by_id["test_short_call_low_vol_and_fwd_confidence"]["IM"])
    plain = Decimal(by_id["test_short_call_low_vol_conf"]["MM"])
    assert below < plain


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.000000000000000000"),
        ("-0", "0.000000000000000000"),
        ("-1e-19", "0.000000000000000000"),
        ("19.99999999999999999999", "20.000000000000000000"),
        ("-123456789012345678.5", "-123456789012345678.500000000000000000"),
        ("1e-12", "0.000000000001000000"),
    ],
)
def test_amounts_are_rounded_and_plain(amount, text):
    assert render(Decimal(amount)) == text
