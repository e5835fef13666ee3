"""A venue as traders use it: by instrument name, by signed messages, and from another process."""

from dataclasses import replace

import pytest

from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.deploy import deploy
from zkmargin.contracts.errors import CallInvalid, DeploymentMismatch, MessageInvalid, RegistrationMismatch
from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.contracts.registration import RegisteredKey
from zkmargin.contracts.trading import Trader, Venue
from zkmargin.contracts.venue import Contracts
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.units import usd
from zkmargin.prover.attestation import AttestationRequest, verify_attestation
from zkmargin.prover.errors import AttestationRefused, KeyMissing, PolicyNotMet, TradeMessageRefused, WrongSigner
from zkmargin.prover.messages.signed import Signed
from zkmargin.prover.messages.wallet import Wallet

PERPETUAL = "BTC-PERPETUAL"


@pytest.fixture
def parties(venue: LocalVenue) -> tuple[Trader, Trader]:
    alice, bob = (venue.open(Wallet.create(), cash=usd(100_000), name=name) for name in ("alice", "bob"))
    return alice, bob


def test_a_trade_by_names(venue, parties):
    alice, bob = parties
    quote = bob.quote(alice.request({PERPETUAL: 5}), taker_pays=usd(-250))
    receipt = venue.settle(alice.accept(quote))
    assert receipt.gas_used <= 400_000
    assert (alice.positions, bob.positions) == ({PERPETUAL: 5}, {PERPETUAL: -5})
    assert (alice.cash, bob.cash) == (usd(100_250), usd(99_750))
    assert venue.is_current(alice, 600) and venue.is_current(bob, 600)


def test_the_venue_posts_an_epoch_before_it_is_too_old(venue, parties):
    first = venue.current_epoch()
    assert venue.current_epoch() is first
    venue.chain.travel(86_400)
    later = venue.current_epoch()
    assert later.number == first.number + 1 and later.time >= first.time + 86_400
    with pytest.raises(CallInvalid, match="number of the epoch"):
        venue.read_epoch(later.number + 1)


def test_a_quote_to_another_request_is_not_accepted(venue, parties):
    alice, bob = parties
    with pytest.raises(CallInvalid, match="request of this trader"):
        bob.accept(bob.quote(alice.request({PERPETUAL: 5}), taker_pays=usd(0)))


def test_messages_of_others_are_refused(venue, parties):
    alice, bob = parties
    request = alice.request({PERPETUAL: 5})
    quote = bob.quote(request, taker_pays=usd(0))
    with pytest.raises(WrongSigner):
        bob.quote(Signed(request.message, quote.signature), taker_pays=usd(0))
    with pytest.raises(WrongSigner):
        alice.accept(Signed(quote.message, request.signature))
    accepted = alice.accept(quote)
    with pytest.raises(WrongSigner):
        bob.answer(replace(accepted, accept=Signed(accepted.accept.message, quote.signature)))
    with pytest.raises(WrongSigner):
        alice.answer(accepted)


def test_a_request_to_one_maker_is_answered_by_no_other(venue, parties):
    alice, bob = parties
    with pytest.raises(TradeMessageRefused, match="another maker"):
        bob.quote(alice.request({PERPETUAL: 5}, maker=b"\5" * 32), taker_pays=usd(0))


def test_a_maker_elsewhere_sends_its_side(venue, parties):
    alice, bob = parties
    accepted = alice.accept(bob.quote(alice.request({PERPETUAL: 1}), taker_pays=usd(0)))
    del venue.traders[bob.id]
    with pytest.raises(CallInvalid, match="its side of the trade"):
        venue.settle(accepted)
    venue.settle(accepted, bob.answer(accepted))
    assert alice.positions == {PERPETUAL: 1}


def test_an_accepted_trade_shows_no_terms(parties):
    alice, bob = parties
    accepted = alice.accept(bob.quote(alice.request({PERPETUAL: 1}), taker_pays=usd(0)))
    assert str(accepted.quote.message.salt) not in repr(accepted) and "transition" not in repr(accepted)


def test_names_that_are_not_listed(venue, parties):
    alice, _ = parties
    with pytest.raises(UnknownName, match="BTC-PERP"):
        alice.request({"BTC-PERP": 1})


def test_cash_and_collateral_go_in_and_out(venue, parties):
    alice, _ = parties
    ether = venue.listing.instruments[venue.contracts.deployment.weth_slot].name
    bitcoin = venue.listing.instruments[venue.facts.preset.collateral_slots[0]].name
    alice.deposit(usd(1), {ether: 2_000})
    assert (alice.cash, alice.positions) == (usd(100_001), {ether: 2_000})
    with pytest.raises(CallInvalid, match="which the vault takes"):
        alice.deposit(collateral={bitcoin: 1})
    alice.withdraw(usd(100), {ether: 500})
    with pytest.raises(PolicyNotMet):
        alice.withdraw(usd(1_000_000))
    alice.close()
    contracts = venue.contracts
    assert contracts.house.get_account(alice.id).status is Status.CLOSED
    with pytest.raises(CallInvalid, match="the next is due at"):
        alice.claim()
    assert len(alice.payments) == 4
    venue.chain.travel_to(max(payment.due_at for payment in alice.payments))
    alice.claim()
    assert contracts.cash.get_balance(alice.address) == usd(100_001)
    assert contracts.weth.get_balance(alice.address) == 2_000 * 10**15 and not alice.payments
    with pytest.raises(CallInvalid, match="there is none"):
        alice.claim()


def test_attestations(venue, parties):
    alice, bob = parties
    alice.attest("net_delta")
    points = {point.name.rstrip(b"\0"): point for point in venue.get_points(venue.current_epoch().number).points}
    assert venue.contracts.views.get_attested(alice.id, points[b"net_delta"])[0] == venue.current_epoch().time
    asked = AttestationRequest.create(alice.id, "initial", bob.address)
    shown = alice.attest_to(asked)
    verify_attestation(shown, asked, venue.read_facts(alice.id))
    with pytest.raises(AttestationRefused, match="challenge"):
        verify_attestation(
            shown, AttestationRequest.create(alice.id, "initial", bob.address), venue.read_facts(alice.id)
        )


# ------------------------------------------------------------------------------------------------- from another process
@pytest.fixture
def connected(venue: LocalVenue, tmp_path) -> Venue:
    """The same deployment, reached by URL and file, with a signer whose key the node does not hold."""
    signer, path = Wallet.create(), tmp_path / "deployment.json"
    venue.contracts.deployment.save(path)
    venue.chain.w3.provider.make_request("anvil_setBalance", [signer.address, hex(10**20)])
    venue.contracts.cash.mint(signer.address, usd(500_000))
    venue.post_epoch()
    return Venue.connect(venue.chain.url, path, signer)


def test_a_connected_venue_builds_the_epoch_again(venue, connected):
    epoch, built = venue.epoch.data, connected.current_epoch()
    assert (built.number, built.time, built.generation) == (epoch.number, epoch.time, epoch.generation)
    published = venue.epoch.snapshot_receipt
    assert published is not None
    assert epoch.snapshot_bytes in bytes(published.logs[0]["data"])
    assert built.policy_hash == epoch.policy_hash and connected.get_points(built.number) == venue.epoch.points
    assert connected.read_epoch(built.number) is built
    assert (connected.facts, connected.submitter) == (venue.facts, connected.chain.accounts[0])
    venue.chain.travel(60)  # an epoch of the same second has the same snapshot, which is published
    assert venue.post_epoch(with_snapshot=False).snapshot_receipt is None
    with pytest.raises(CallInvalid, match="snapshot is published"):
        connected.current_epoch()


def test_a_later_key_version_is_not_taken_for_the_one_of_the_keys_here(venue, connected):
    """A version whose keys are not here, pending or live, keeps nobody from a venue under the earlier one."""
    later = replace(venue.keys.material, transition_hash=bytes(31) + b"\1")
    venue.contracts.registry.register(later)
    record = venue.contracts.deployment
    assert Venue.connect(venue.chain.url, record, Wallet.create()).facts == connected.facts
    venue.contracts.registry.suspend(1)
    with pytest.raises(KeyMissing, match="version 1, which is not live"):
        Venue.connect(venue.chain.url, record, Wallet.create())


def test_a_connected_trader_pays_in_with_the_signers_tokens(venue, connected):
    with connected:
        carol = connected.open(Wallet.create(), cash=usd(1_000))
        assert carol.cash == usd(1_000)
        assert connected.contracts.cash.get_balance(connected.submitter) == usd(499_000)
        assert connected.contracts.house.get_account(carol.id).status is Status.ACTIVE


@pytest.mark.property("P-180")
def test_a_venue_whose_registry_calls_another_policy_flat_is_not_joined(venue):
    """With maintenance for "flat", a flat exit would take out what positions are margined with."""
    maintenance = venue.keys.compute_policy_point(venue.epoch.data.policies["maintenance"])
    publishers = [wallet.address for wallet in venue.publishers]
    record = deploy(venue.chain, replace(venue.keys.material, flat_point=maintenance), publishers)
    with pytest.raises(RegistrationMismatch, match="flatX of key version 1"):
        Venue.connect(venue.chain.url, record, Wallet.create())
    transition, opening = (key.verifying_key for key in (venue.keys.transition, venue.keys.open))
    known = (transition, opening, venue.keys.material.committee, venue.keys.preset)
    with pytest.raises(RegistrationMismatch, match="flatX of key version 1"):
        RegisteredKey.find(Contracts(venue.chain, record).registry, *known)
    assert RegisteredKey.find(venue.contracts.registry, *known) == venue.publisher.key


@pytest.mark.property("P-180")
def test_a_venue_with_another_committee_than_its_record_is_not_joined(venue):
    record = replace(venue.contracts.deployment, committee="0x" + "11" * 64)
    with pytest.raises(RegistrationMismatch, match="committeeX of key version 1"):
        Venue.connect(venue.chain.url, record, Wallet.create())


@pytest.mark.property("P-287")
@pytest.mark.parametrize("circuit", ["transition", "open"])
def test_a_proving_key_that_is_not_the_published_one_is_not_used(venue, circuit):
    record = venue.contracts.deployment
    assert getattr(record, f"{circuit}_zkey") == getattr(venue.keys, circuit).manifest.zkey_hash
    other = replace(record, **{f"{circuit}_zkey": "11" * 32})
    with pytest.raises(DeploymentMismatch, match=f"SHA-256 of the proving key of {circuit}"):
        Venue.connect(venue.chain.url, other, Wallet.create())


def test_policies_of_other_publishers_are_not_taken_for_this_house(venue, connected, monkeypatch):
    monkeypatch.setattr(type(connected.contracts.oracle), "read_policy_hash", lambda oracle, number: bytes(32))
    with pytest.raises(MessageInvalid, match="policy_hash"):
        connected.current_epoch()
