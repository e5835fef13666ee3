"""Shared by the prover's tests: an epoch of the mini market and the prover of its size."""

import pytest

from tests.support.proving import get_transition_prover, make_market_epoch
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.presets import get_preset
from zkmargin.prover.groth16.provers import TransitionProver


@pytest.fixture(scope="session")
def epoch() -> Epoch:
    return make_market_epoch()


@pytest.fixture(scope="session")
def prover() -> TransitionProver:
    return get_transition_prover(get_preset("mini"))
