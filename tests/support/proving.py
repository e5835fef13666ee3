"""Provers at a preset under development keys, and an epoch of the shipped market reduced to `mini`."""

from functools import cache

from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.house import House
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import reduce_to_mini
from zkmargin.engine.presets import Preset
from zkmargin.prover.client import Provers
from zkmargin.prover.groth16.keys import ProvingKey, load_proving_key, setup_keys
from zkmargin.prover.groth16.provers import OpenProver, RekeyProver, RevealProver, StatedProver, TransitionProver

SNAPSHOT = "deribit_2026-08-22"


@cache
def get_transition_prover(preset: Preset) -> TransitionProver:
    """Under the development key of `build/`, made on first use."""
    return TransitionProver(_get_key("transition", preset), preset)


@cache
def get_provers(preset: Preset) -> Provers:
    """Both provers."""
    return Provers(get_transition_prover(preset), OpenProver(_get_key("open", preset), preset))


@cache
def get_stated_prover(circuit: str, preset: Preset) -> StatedProver:
    """Of `open`, `reveal` or `rekey`, under the development key."""
    kinds = {kind.circuit: kind for kind in (OpenProver, RevealProver, RekeyProver)}
    return kinds[circuit](_get_key(circuit, preset), preset)


def _get_key(circuit: str, preset: Preset) -> ProvingKey:
    setup_keys(circuit, preset)
    return load_proving_key(circuit, preset, allow_insecure=True)


@cache
def make_market_epoch(number: int = 9) -> Epoch:
    """All named policies from the real market, at sixteen slots."""
    return House(reduce_to_mini(load_snapshot(SNAPSHOT))).epoch(number)
