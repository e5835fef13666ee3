"""A venue at the `wide` preset on Anvil: what a finer model costs there, and what its circuit refuses."""

import dataclasses
from collections.abc import Iterator

import pytest

from tests.chain.conftest import MARKET, open_funded
from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import relist
from zkmargin.engine.policy.certificate import Certificate
from zkmargin.engine.policy.record import none_policy
from zkmargin.engine.presets import get_preset
from zkmargin.prover.actions.effects import compute_effects
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import Transition, build_transition
from zkmargin.prover.errors import PolicyNotMet, UnsatisfiedConstraint
from zkmargin.prover.groth16.witness import collect_transition_inputs, compute_transition_witness, compute_witness
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.typed_data import compute_digest
from zkmargin.scripts.setup import set_up

pytestmark = pytest.mark.slow

WIDE = get_preset("wide")
USD6 = 10**6


@pytest.fixture(scope="module")
def venue() -> Iterator[LocalVenue]:
    set_up(["wide"])
    snapshot = relist(load_snapshot(MARKET), WIDE)
    with LocalVenue(snapshot) as venue:
        venue.post_epoch()
        yield venue


def spend(venue: LocalVenue) -> dict[str, int]:
    """Gas of a withdrawal and of an attestation of a new account that holds cash and collateral."""
    alice = open_funded(venue, "alice", 100_000, 1_000)
    withdrawal = alice.client.withdraw(venue.epoch.data, 10 * USD6, recipient=alice.address, deadline=venue.deadline)
    used = {"withdraw": venue.submit(alice, withdrawal).gas_used}
    attestation = alice.client.attest(venue.epoch.data, deadline=venue.deadline)
    used["attest"] = venue.submit(alice, attestation).gas_used
    assert venue.contracts.house.get_account(alice.id).commitment == alice.client.account.commitment
    return used


@pytest.mark.property("P-75")
def test_a_wide_proof_costs_on_chain_what_a_standard_one_costs(venue, standard_venue):
    """The model's size is in the policy's point, and the point is one addition; calldata differs by its zero bytes."""
    wide, standard = spend(venue), spend(standard_venue)
    assert wide == pytest.approx(standard, rel=0.005)


@pytest.mark.property("P-76")
def test_a_forced_witness_is_refused(venue):
    """A withdrawal beyond the account's cash, with the slacks and scenario losses of one that was allowed."""
    alice = open_funded(venue, "alice again", 1_000)
    intent = Intent(ActionKind.WITHDRAW, 5_000 * USD6, recipient=alice.address, deadline=venue.deadline)
    terms = {"domain": venue.domain, "key_version": 1, "epoch": venue.epoch.data}
    with pytest.raises(PolicyNotMet):
        build_transition(alice.client.account, intent, **terms)
    effects = compute_effects(alice.client.account, intent, venue.epoch.data)
    small = build_transition(alice.client.account, dataclasses.replace(intent, cash_usd6=USD6), **terms)
    changes = {"commitment_new": effects.commitment_new, "cash_flow": effects.cash_flow}
    message = small.message.model_copy(update=changes)
    forged = Transition(effects, message, compute_digest(venue.domain, message), small.certificate)
    key = venue.keys.transition
    with pytest.raises(UnsatisfiedConstraint):
        key.native.prove(compute_witness(key.circuit, collect_transition_inputs(forged), force=True), True)

    empty = dataclasses.replace(none_policy(WIDE), name="withdraw")
    zeros = Certificate((0,) * WIDE.helpers, (0,) * WIDE.excess_rows, (0, 0), (0,) * WIDE.rows)
    allowed = Transition(
        dataclasses.replace(effects, policy=empty), message, compute_digest(venue.domain, message), zeros
    )
    assert compute_transition_witness(key.circuit, allowed) is not None
