"""The measured points come back, and between and beyond them the lines hold."""

import pytest

from zkmargin.scripts.measure.comparison import estimate_derive_gas


@pytest.mark.parametrize("options, gas", [(1, 562_000), (64, 20_263_000), (127, 41_339_000), (3, 1_166_500)])
def test_estimates_follow_the_measured_points(options, gas):
    assert estimate_derive_gas(options) == gas


def test_the_last_slope_goes_on():
    slope = (41_339_000 - 20_263_000) / 63
    assert estimate_derive_gas(137) == round(41_339_000 + 10 * slope)
