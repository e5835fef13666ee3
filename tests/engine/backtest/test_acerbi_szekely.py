"""Acerbi and Szekely's Z2: critical values against published and independently simulated ones."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from zkmargin.engine.backtest import acerbi_szekely as z2
from zkmargin.engine.errors import OutOfRange

PUBLISHED = json.loads((Path(__file__).parents[2] / "vectors" / "risk_statistics.json").read_text())
Z2 = PUBLISHED["var_backtests"]["acerbi_szekely_Z2"]
DEGREES = {"normal": None, "t3": 3.0, "t5": 5.0, "t10": 10.0}


@pytest.mark.parametrize("law", DEGREES)
def test_critical_values_of_z2(law):
    published = Z2["T250_alpha2.5pct_sim"][law]
    drawn = z2.simulate_z2(250, 0.025, DEGREES[law], 50_000)
    for level, value in published.items():
        probability = float(level.rstrip("%")) / 100
        # Five standard errors of the simulated probability below the published value.
        below = np.searchsorted(drawn, value) / len(drawn)
        assert below == pytest.approx(probability, abs=5 * (probability / len(drawn)) ** 0.5)


def test_z2_of_a_long_backtest():
    published = Z2["T1966_alpha2.5pct_MathWorks"]
    for law, degrees in (("normal", None), ("t3", 3.0)):
        value, p_value = (published[f"{law}_crit_1pct"], 0.01), (-0.38265, published[f"p_of_-0.38265_{law}"])
        for statistic, expected in (value, p_value):
            found = z2.get_p_value_z2(statistic, 1966, 0.025, degrees, paths=20_000)
            assert found == pytest.approx(expected, abs=5 * (expected / 20_000) ** 0.5)


def test_z2_is_zero_on_average_and_falls_with_larger_losses():
    generator = np.random.default_rng(6)
    pnl = generator.standard_normal(200_000)
    at_risk, shortfall = (np.full(len(pnl), value) for value in (1.959964, 2.337803))
    assert z2.compute_z2(pnl, at_risk, shortfall, 0.025) == pytest.approx(0.0, abs=0.06)
    assert z2.compute_z2(1.5 * pnl, at_risk, shortfall, 0.025) < -1
    assert z2.compute_z2([1.0, 2.0], [1.0, 1.0], [2.0, 2.0], 0.025) == 1.0


def test_a_simulated_z2_is_what_the_statistic_of_simulated_days_is():
    generator = np.random.default_rng(7)
    quantile, mean = 1.959963984540054, 2.337802792201415
    pnl = generator.standard_normal((4000, 250))
    direct = [z2.compute_z2(row, np.full(250, quantile), np.full(250, mean), 0.025) for row in pnl]
    drawn = z2.simulate_z2(250, 0.025, None, 50_000)
    assert stats.ks_2samp(direct, drawn).pvalue > 0.001


@pytest.mark.parametrize(
    "call",
    [
        lambda: z2.compute_z2([1.0], [1.0, 2.0], [1.0], 0.025),
        lambda: z2.compute_z2([1.0], [1.0], [0.0], 0.025),
        lambda: z2.simulate_z2(100, 0.025, 1.0),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(OutOfRange):
        call()


@pytest.mark.parametrize("statistic", [math.nan, None, "-0.5"])
def test_no_number_has_no_p_value(statistic):
    with pytest.raises(OutOfRange, match="Z2 is"):
        z2.get_p_value_z2(statistic, 250, 0.025, paths=100)


def test_a_simulation_that_would_not_end_is_refused():
    with pytest.raises(OutOfRange, match="days in the tail, of all paths"):
        z2.simulate_z2(100_000, 0.5, paths=10_000_000)
