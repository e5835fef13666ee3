"""Peak to trough, steps, and the three options of EMIR, each against its words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkmargin.engine.backtest import procyclicality as apc
from zkmargin.engine.errors import OutOfRange, UnknownName

MARGINS = st.lists(st.floats(0.01, 1.0), min_size=2, max_size=40)


def test_peak_trough_and_steps():
    found = apc.compute_procyclicality([0.1, 0.1, 0.15, 0.3, 0.2, 0.05], steps=(1, 2, 30))
    assert found.peak_to_trough == pytest.approx(6.0)
    assert found.largest_steps == pytest.approx({1: 1.0, 2: 2.0})  # no step of 30 days in six


def test_a_margin_that_only_falls_has_no_step():
    assert apc.get_largest_step([0.3, 0.2, 0.1], 2) == 0.0


@given(MARGINS)
def test_no_option_asks_less_and_none_looks_ahead(margins):
    for option in apc.OPTIONS:
        treated = apc.apply_option(margins, option)
        assert (treated >= np.array(margins) - 1e-12).all()
        assert treated[:2] == pytest.approx(apc.apply_option(margins[:2], option))


def test_the_buffer_is_full_in_calm_and_used_up_in_stress():
    margins = [0.1] * 9 + [0.11, 0.125, 0.2]
    assert apc.apply_option(margins, "buffer") == pytest.approx([0.125] * 11 + [0.2])


def test_a_quarter_of_the_weight_is_stressed():
    assert apc.apply_option([0.1, 0.3, 0.1], "stressed") == pytest.approx([0.1, 0.3, 0.15])


def test_the_floor_is_the_lookbacks_level():
    assert apc.apply_option([0.1, 0.7, 0.1], "floor") == pytest.approx([0.1, 0.7, (0.51 / 3) ** 0.5])


@given(MARGINS)
def test_running_medians(margins):
    found = apc.get_running_medians(np.array(margins))
    assert found == pytest.approx([np.median(margins[: day + 1]) for day in range(len(margins))])


def test_bad_input_is_refused():
    for margins in ([0.1], [0.1, 0.0], [0.1, float("nan")], [[0.1, 0.2]]):
        with pytest.raises(OutOfRange):
            apc.compute_procyclicality(margins)
    with pytest.raises(OutOfRange):
        apc.get_largest_step([0.1, 0.2], 2)
    with pytest.raises(UnknownName):
        apc.apply_option([0.1, 0.2], "none of them")
