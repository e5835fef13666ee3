"""The ledger of the simulated market, and what docs/cavb.md concludes from it."""

import json
from pathlib import Path

import pytest

from zkmargin.scripts.measure.cascade import CHANGES, SEEDS, measure_run

LEDGER = json.loads((Path(__file__).parents[2] / "costs" / "cascade.json").read_text())
RUNS = LEDGER["runs"]
ALL = RUNS["all"]["scenarios"]
CROWD = ("crowded", "whales", "split", "outside")
"""Scenarios in which the crowd decides whether a cascade starts."""


def get_difference(found, rule, figure="bad_debt_usd"):
    return found["differences"][f"buffer - {rule}"][figure]


def get_share(found, rule="base"):
    """Part of the bad debt without a buffer that the buffer takes away, against another rule."""
    return -get_difference(found, rule)["mean"] / found["rules"]["base"]["bad_debt_usd"]["mean"]


def is_measured(interval):
    return interval["low"] > 0 or interval["high"] < 0


def get_cost(found):
    """Margin per notional that the buffer requires besides, as a multiple of the base margin."""
    base, buffer = (found["rules"][rule]["margin_per_notional"]["mean"] for rule in ("base", "buffer"))
    return buffer / base - 1


def test_it_helps_where_the_crowd_decides_and_more_than_a_flat_surcharge():
    for name in CROWD:
        assert all(get_difference(ALL[name], rule)["high"] < 0 for rule in ("base", "flat")), name
        assert 0.2 <= get_share(ALL[name], "flat") / get_share(ALL[name]) <= 0.35, name
    october, positioned = ALL["october"], ALL["positioned"]
    assert get_share(october, "flat") / get_share(october) == pytest.approx(2 / 3, abs=0.05)
    assert not is_measured(get_difference(positioned, "flat"))


def test_where_the_news_closes_the_crowd_it_helps_little():
    assert get_share(ALL["october"]) == pytest.approx(0.2, abs=0.02)
    assert not is_measured(get_difference(ALL["october"], "base", "drawdown"))


def test_what_it_costs():
    inside = [get_cost(ALL[name]) for name in ("october", "crowded", "whales", "split", "calm")]
    assert 2 / 3 < min(inside) < max(inside) < 1.2
    assert all(get_cost(ALL[name]) < 0.4 for name in ("positioned", "outside"))
    for found in ALL.values():
        base, buffer = (found["rules"][rule]["notional_usd"]["mean"] for rule in ("base", "buffer"))
        assert buffer < base


def test_splitting_takes_away_a_fifth_of_the_protection():
    whales, split = ALL["whales"], ALL["split"]
    assert get_cost(split) < get_cost(whales)
    assert get_share(split) / get_share(whales) == pytest.approx(0.8, abs=0.04)


def test_what_one_parameter_changes():
    further, fragile, slow = (RUNS[name]["scenarios"]["october"] for name in list(RUNS)[1:])
    assert not is_measured(get_difference(further, "base"))
    assert get_difference(further, "base", "drawdown")["mean"] > 0
    assert get_share(fragile) == pytest.approx(2 / 3, abs=0.02) and get_cost(fragile) > get_cost(ALL["october"])
    debts = [found["rules"]["base"]["bad_debt_usd"]["mean"] for found in (slow, ALL["october"])]
    assert debts[0] < debts[1] / 2


def test_the_ledger_is_of_what_the_command_runs():
    assert list(RUNS) == ["all", *(f"{key}={value}" for change in CHANGES for key, value in change.items())]
    assert all(run["seeds"] == SEEDS for run in RUNS.values())
    met = {target["name"]: target["met"] for target in RUNS["all"]["targets"]}
    assert [name for name, good in met.items() if not good] == [
        "liquidated in 40 minutes",
        "long share of liquidations",
    ]


@pytest.mark.slow
def test_a_scenario_comes_out_as_recorded():
    """Up to what another machine's last digits may change."""
    found = measure_run(["crowded"], {}, lambda text: None)["scenarios"]["crowded"]
    for rule, figures in ALL["crowded"]["rules"].items():
        for name in ("bad_debt_usd", "drawdown", "margin_per_notional"):
            assert found["rules"][rule][name]["mean"] == pytest.approx(figures[name]["mean"], rel=0.02), (rule, name)
