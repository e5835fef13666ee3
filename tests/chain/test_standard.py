"""Full size: an open, a trade and a forced witness at `standard`, on chain."""

import dataclasses

import pytest

from tests.chain.conftest import open_funded
from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.engine.policy.certificate import Certificate
from zkmargin.engine.policy.record import none_policy
from zkmargin.prover.actions.effects import compute_effects
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import Transition, build_transition
from zkmargin.prover.errors import PolicyNotMet, UnsatisfiedConstraint
from zkmargin.prover.groth16.provers import compute_transition_witness
from zkmargin.prover.groth16.witness import collect_transition_inputs, compute_witness
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.typed_data import compute_digest

USD6 = 10**6


def test_a_multi_leg_trade_settles(standard_venue: LocalVenue):
    venue = standard_venue
    alice, bob = open_funded(venue, "alice", 100_000, 1_000), open_funded(venue, "bob", 200_000)
    preset = venue.facts.preset
    legs = {
        preset.option_slots("BTC")[0]: 3,
        preset.option_slots("ETH")[5]: -2,
        preset.future_slots("BTC")[0]: 1,
        129: -1,
    }
    agreed = venue.agree(alice, bob, legs, 100 * USD6)
    receipt = venue.settle_sides(venue.prove_trade(agreed, alice, bob), alice, bob)
    assert receipt.gas_used <= 400_000
    for party in (alice, bob):
        assert venue.contracts.house.get_account(party.id).commitment == party.client.account.commitment


@pytest.mark.property("P-30")
def test_a_forced_witness_is_refused(standard_venue: LocalVenue):
    """A withdrawal beyond the account's cash, with the slack of a row that is below zero shown as it is, or as zero."""
    venue = standard_venue
    alice = open_funded(venue, "alice again", 1_000)
    intent = Intent(ActionKind.WITHDRAW, 5_000 * USD6, recipient=alice.address, deadline=venue.deadline)
    terms = {"domain": venue.domain, "key_version": 1, "epoch": venue.epoch.data}
    with pytest.raises(PolicyNotMet):
        build_transition(alice.client.account, intent, **terms)

    effects = compute_effects(alice.client.account, intent, venue.epoch.data)
    small = build_transition(alice.client.account, dataclasses.replace(intent, cash_usd6=USD6), **terms)
    message = small.message.model_copy(
        update={"commitment_new": effects.commitment_new, "cash_flow": effects.cash_flow}
    )
    # The slacks of the small withdrawal, which met the policy, for the large one, which does not.
    forged = Transition(effects, message, compute_digest(venue.domain, message), small.certificate)
    key = venue.keys.transition
    with pytest.raises(UnsatisfiedConstraint):
        key.native.prove(compute_witness(key.circuit, collect_transition_inputs(forged), force=True), True)

    empty = dataclasses.replace(none_policy(venue.facts.preset), name="withdraw")
    zeros = Certificate((0,) * 12, (0,) * 51, (0, 0), (0,) * 165)
    under_none = dataclasses.replace(effects, policy=empty)
    allowed = Transition(under_none, message, compute_digest(venue.domain, message), zeros)
    assert compute_transition_witness(key.circuit, allowed) is not None
