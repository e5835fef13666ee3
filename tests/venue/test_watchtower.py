"""A watchtower: viewing keys alone keep accounts proved and at the listing in force."""

import pytest

from tests.chain.conftest import mini_venue, open_funded, venue  # noqa: F401
from tests.chain.test_roll import sleep
from zkmargin.prover.account.account import derive_key
from zkmargin.prover.statement.secret import Secret
from zkmargin.venue.watchtower import Watchtower


@pytest.mark.slow
@pytest.mark.property("P-292")
def test_a_watchtower_attests_for_those_that_are_due_and_for_nobody_twice(venue):  # noqa: F811
    alice, bob = (open_funded(venue, name, 50_000) for name in ("alice", "bob"))
    keys = {party.id: derive_key(party.client.wallet, venue.domain, party.id) for party in (alice, bob)}
    stranger, said = bytes(31) + b"\1", []
    tower = Watchtower(venue, keys | {stranger: Secret(7)}, renew=60)

    def report(account, outcome):
        said.append((account, outcome.split(":")[0]))

    venue.chain.travel(61)
    venue.post_epoch()
    assert set(tower.run_round(report)) == {alice.id, bob.id}
    names = {"0x" + party.id.hex() for party in (alice, bob)}
    assert set(said) == {(name, "attested") for name in names} | {("0x" + stranger.hex(), "AccountNotOpen")}
    number = venue.contracts.oracle.get_latest_number()
    assert venue.contracts.views.get_proved(alice.id).epoch == number
    again = Watchtower(venue, keys, renew=60)  # another process
    assert again.run_round(report) == []
    venue.post_epoch()
    assert again.run_round(report) == []  # younger than `renew`
    alice.withdraw(1_000_000)  # the account moves without the watchtower
    venue.chain.travel(61)
    venue.post_epoch()
    assert set(again.run_round(report)) == {alice.id, bob.id}


@pytest.mark.slow
@pytest.mark.property("P-292")
def test_a_wrong_key_or_a_missing_margin_keeps_no_other_account_from_being_attested_for(venue):  # noqa: F811
    alice, bob = (open_funded(venue, name, 50_000) for name in ("alice", "bob"))
    said = {}
    keys = {alice.id: Secret(5), bob.id: derive_key(bob.client.wallet, venue.domain, bob.id)}
    venue.chain.travel(61)
    venue.post_epoch()
    done = Watchtower(venue, keys, renew=60).run_round(lambda account, outcome: said.update({account: outcome}))
    assert done == [bob.id] and said["0x" + alice.id.hex()].startswith("RecoveryError")
    assert all("Secret" not in outcome and f"{5:064x}" not in outcome for outcome in said.values())


@pytest.mark.slow
@pytest.mark.property("P-292")
def test_a_watchtower_takes_a_late_account_to_the_listing_in_force_without_a_signature(venue):  # noqa: F811
    alice = open_funded(venue, "alice", 50_000)
    keys, said = {alice.id: derive_key(alice.client.wallet, venue.domain, alice.id)}, []
    sleep(venue, 2)
    Watchtower(venue, keys).run_round(lambda account, outcome: said.append(outcome))
    assert "taken to the listing in force" in said
    assert venue.contracts.house.get_account(alice.id).generation == venue.contracts.oracle.get_generation()
