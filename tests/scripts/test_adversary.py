"""The adversary's figure for a move that is a row of the policy is what the row says; for others it may be larger."""

import numpy as np
import pytest

from engine.compiler import build_policies
from engine.market import load_snapshot
from engine.pricing import price_per_lot
from scripts.adversary import find_worst_loss


@pytest.fixture(scope="module")
def snapshot():
    return load_snapshot("deribit_2026-08-22")


@pytest.fixture(scope="module")
def policies(snapshot):
    return build_policies(snapshot)


def revalue(snapshot, btc: float, eth: float = 0.0) -> np.ndarray:
    shift = np.where(snapshot.listing.underlying == 0, btc, 0.0) + np.where(snapshot.listing.underlying == 1, eth, 0.0)
    return price_per_lot(snapshot, forward_shift=shift) - price_per_lot(snapshot)


@pytest.mark.parametrize("step", [1.0, -1.0, 0.5])
def test_a_cell_of_the_grid_bounds_the_loss_by_the_factor(snapshot, policies, step):
    """Both coins at the same step: initial asks 1.25 times the worst cell, so at most 80 % of equity is lost there."""
    change = revalue(snapshot, 0.16 * step, 0.18 * step)
    assert 0.5 < find_worst_loss(policies["initial"], snapshot, change) <= 0.8 + 1e-6
    assert find_worst_loss(policies["maintenance"], snapshot, change) <= 1.0 + 1e-6


def test_beyond_the_grid_the_model_says_less(snapshot, policies):
    assert find_worst_loss(policies["initial"], snapshot, revalue(snapshot, -0.25)) > 1.0


def test_a_policy_without_margin_bounds_next_to_nothing(snapshot, policies):
    assert find_worst_loss(policies["net_delta"], snapshot, revalue(snapshot, -0.25)) > 1e6
