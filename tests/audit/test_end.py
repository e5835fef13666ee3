"""A venue that ended by the last step of publishers who are gone audits clean; what is altered of it is found."""

import dataclasses

import pytest

from tests.audit.tampering import alter_calls, alter_events, alter_storage, insert_event, require_found
from zkmargin.contracts.messages import sign_unchecked
from zkmargin.engine.epoch.liquidation import liquidate
from zkmargin.prover.groth16.points import compute_settlement_point

DAY = 86_400
slow = pytest.mark.slow


def end(venue) -> None:
    """Three days without an epoch, notice, three more days."""
    oracle = venue.contracts.oracle
    venue.chain.travel(3 * DAY + 60)
    oracle.give_notice()
    venue.chain.travel(3 * DAY + 1)
    oracle.end()


def post_last_step(venue, **changes) -> None:
    """A last step of other prices, or one that keeps a slot, which the quorum signs without looking."""
    honest = venue.publisher.sign_last_step(venue.epoch.data)
    vector = dataclasses.replace(liquidate(venue.epoch.data.snapshot), **changes)
    x, y = compute_settlement_point(venue.publisher.verifying_key, vector, vector.preset)
    message = honest.message.model_copy(update={"settlement_hash": vector.hash, "x": x, "y": y})
    signatures = sign_unchecked(message, venue.publishers[:3], venue.domain)
    venue.contracts.oracle.post_last_step(type(honest)(message, vector.to_bytes(), signatures))


@pytest.mark.slow
@pytest.mark.property("P-118")
def test_a_venue_that_ended_agrees(venue, run):
    venue.post_last_step()
    end(venue)
    report = run()
    assert report.disagreements == []
    assert report.tallies["settlements"].checked and not report.tallies["settlements"].skipped, "prices too"


@slow
@pytest.mark.property("P-118")
def test_leaving_after_the_end_agrees(venue, run, tmp_path):
    """In a run that goes on from a checkpoint within the notice."""
    venue.post_last_step()
    venue.chain.travel(3 * DAY + 60)
    venue.contracts.oracle.give_notice()
    assert run(checkpoint=tmp_path / "ledger.json").disagreements == []
    venue.chain.travel(3 * DAY + 1)
    venue.contracts.oracle.end()
    for name in ("alice", "bob"):
        trader = venue.lived_traders[name]
        venue.catch_up(trader, least=1)
        trader.close()
    report = run(checkpoint=tmp_path / "ledger.json", sample=None)
    assert report.disagreements == [] and report.tallies["proofs"].checked == 4


@slow
@pytest.mark.property("P-118")
def test_the_last_step_of_a_later_epoch_takes_the_place_of_an_earlier_one(venue, run):
    venue.post_last_step()
    venue.chain.travel(60)
    venue.post_epoch()
    venue.post_last_step()
    end(venue)
    assert run().disagreements == []


@slow
@pytest.mark.property("P-118")
def test_an_end_by_a_last_step_that_was_vetoed_is_found(venue, run, monkeypatch):
    venue.post_last_step()
    end(venue)
    insert_event(monkeypatch, "oracle", "LastStepVetoed", {"keyVersion": 1}, before="NoticeOfEnd")
    require_found(run(), "history", "veto of a last step")  # it was final
    alter_events(monkeypatch, "LastStepPublished", lambda honest: honest | {"readyAt": 1 << 39})
    require_found(run(), "settlements", "that of a last step under this key version")


EVENTS = {
    "a vector of the last step": (
        "LastStepPublished", {"settlement": b"no vector"}, "settlements", "vector of the last step",
    ),
    "a point of the last step": ("LastStepPublished", {"x": 1}, "settlements", "point of the last step"),
    "a version of the last step": ("LastStepPublished", {"generation": 9}, "history", "listing version of the last"),
    "a vector of the end": ("SettlementPublished", {"settlement": b"other"}, "settlements", "settlement of the end"),
    "a point of the end": ("SettlementPublished", {"x": 1}, "settlements", "settlement of the end"),
    "a notice of another epoch": ("NoticeOfEnd", {"latest": 1}, "history", "latest epoch of the notice"),
    "a notice that was short": ("NoticeOfEnd", {"endsAt": 1}, "history", "time from which the venue may end"),
    "an end of another version": ("VenueEnded", {"generation": 9}, "history", "listing version of the end"),
    "a hidden last step": ("LastStepPublished", None, "settlements", "settlement of the end"),
    "a hidden notice": ("NoticeOfEnd", None, "history", "latest epoch at the end"),
    "a hidden end": ("VenueEnded", None, "storage", "end of the oracle"),
}  # fmt: skip
"""Event, what the node says of it instead (nothing for None), check, words of the disagreement."""


@slow
@pytest.mark.property("P-118")
@pytest.mark.parametrize("name", EVENTS)
def test_an_event_of_the_end_that_was_altered_is_found(venue, run, monkeypatch, name):
    event, fields, check, words = EVENTS[name]
    venue.post_last_step()
    end(venue)
    alter_events(monkeypatch, event, lambda honest: None if fields is None else honest | fields)
    require_found(run(), check, words)


@slow
@pytest.mark.property("P-118")
def test_a_last_step_that_too_few_signed_is_found(venue, run, monkeypatch):
    venue.post_last_step()
    alter_calls(monkeypatch, "postLastStep", lambda call: call.update(signatures=call["signatures"][:2]))
    require_found(run(), "quorum", "signatures of Settlement is 2")


@slow
@pytest.mark.property("P-118")
def test_a_last_step_of_other_prices_is_found(venue, run):
    honest = liquidate(venue.epoch.data.snapshot)
    payoff = honest.payoff.copy()
    payoff[honest.preset.derivative_slots[0]] += 1
    post_last_step(venue, payoff=payoff)
    require_found(run(), "settlements", "prices of the last step")


@slow
@pytest.mark.property("P-118")
def test_a_last_step_that_leaves_a_derivative_is_found(venue, run):
    honest = liquidate(venue.epoch.data.snapshot)
    drop, payoff, slot = honest.drop.copy(), honest.payoff.copy(), honest.preset.derivative_slots[0]
    drop[slot], payoff[slot] = 0, 0
    post_last_step(venue, drop=drop, payoff=payoff)
    require_found(run(), "settlements", "derivative slots that the last step")


@slow
@pytest.mark.property("P-118")
def test_an_end_that_no_event_tells_of_is_found(venue, run):
    alter_storage(venue.contracts.oracle.contract, "isEnded", change=lambda word: word ^ 1 << 104)
    require_found(run(), "storage", "end of the oracle")
