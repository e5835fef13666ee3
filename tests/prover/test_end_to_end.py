"""A life at `mini` with real proofs: open, deposit, quote, trade both sides, cure, withdraw, attest, leave, recover.

The policies are those of the shipped market, reduced to sixteen slots.
"""

from dataclasses import replace

import pytest

from tests.prover.account.test_recovery import to_event
from tests.support.proving import get_provers
from tests.support.scenes import ALICE, BOB, DOMAIN, MINI, RECIPIENT, Scene, make_account, make_facts, make_settlement
from zkmargin.engine.policy.arithmetic import compute_charges, evaluate_rows
from zkmargin.engine.policy.certificate import Certificate
from zkmargin.engine.presets import get_preset
from zkmargin.prover.account.account import derive_key
from zkmargin.prover.account.escrow import CommitteeKey, make_scalar
from zkmargin.prover.account.recovery import Opened, Recovery, recover_accounts
from zkmargin.prover.actions.effects import compute_effects
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import Transition, build_transition
from zkmargin.prover.attestation import AttestationRequest, verify_attestation
from zkmargin.prover.client import AccountClient
from zkmargin.prover.errors import (
    AccountError,
    ActionNotAllowed,
    KeyMismatch,
    PolicyNotMet,
    ProofRejected,
    StatementError,
    TradeMessageRefused,
    WitnessError,
)
from zkmargin.prover.groth16.proof import Proof
from zkmargin.prover.groth16.provers import OpenVerifier, TransitionVerifier
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.records import Quote, RequestForQuote
from zkmargin.prover.messages.signed import read_record, read_signed, sign_message, write_record
from zkmargin.prover.messages.typed_data import check_signature, compute_digest
from zkmargin.prover.negotiation import (
    AccountFacts,
    Maker,
    SettlementProof,
    check_quote,
    check_settlement_proof,
    make_quote,
    make_request,
    verify_settlement_proof,
)
from zkmargin.prover.session import VenueFacts
from zkmargin.prover.statement.commitment import make_trade
from zkmargin.prover.statement.packing import TradeTerms
from zkmargin.prover.statement.signals import FIELD_MODULUS

USD = 10**6
NOW, DEADLINE = 1000, 2000


class World:
    """Two traders, the committee, and the log that a chain would have."""

    def __init__(self, epoch):
        self.epoch, self.provers, self.committee = epoch, get_provers(MINI), CommitteeKey(make_scalar())
        self.venue = VenueFacts(DOMAIN, MINI, 1, self.committee.public)
        self.events = []
        self.traders = [AccountClient.create(wallet, self.venue, self.provers) for wallet in (ALICE, BOB)]

    def accept(self, trader, action):
        """What the contract does: the proof for the message's own signals, auth's signature, then the state."""
        assert self.provers.transition.verify_transition(action.proof, action.transition)
        if action.message.kind != ActionKind.ATTEST:
            check_signature(DOMAIN, action.message, action.signature, trader.wallet.address)
        assert action.message.commitment_old == trader.account.commitment
        self.events.append(to_event(action.transition))
        trader.confirm(action)


@pytest.fixture(scope="module")
def world(epoch):
    return World(epoch)


def test_a_whole_life(world, epoch):
    alice, bob = world.traders
    for trader in world.traders:
        opened = trader.open(deadline=DEADLINE)
        signals = opened.opening.name_public_signals()
        assert world.provers.open.verify(opened.proof, signals)
        assert not world.provers.open.verify(opened.proof, {**signals, "context": signals["context"] ^ 1})
        check_signature(DOMAIN, opened.message, opened.signature, trader.wallet.address)
        escrow = opened.opening.escrow
        assert world.committee.decrypt(escrow.ephemeral, escrow.escrowed_key) == trader.account.key
        message = opened.message
        world.events.append(Opened(message.account, message.auth, 0, message.generation, message.commitment))
        world.accept(trader, trader.deposit(500_000 * USD, {8: 50}, deadline=DEADLINE, fee_usd6=USD))
    assert alice.account.state.cash == 499_999 * USD and alice.account.state.positions[8] == 50

    # alice asks bob for a perpetual, a short option in ether and a future, by signed messages in JSON
    asked = make_request(alice.account.id, bob.account.id, {1: 20, 12: -5, 2: 3}, DEADLINE + 60, generation=0)
    request = read_signed(sign_message(ALICE, DOMAIN, asked).to_json(), RequestForQuote).message
    session = world.venue.begin(epoch, DEADLINE)
    quote = make_quote(session, request, Maker(bob.account.id, bob.account.commitment), 17_000 * USD)
    quote = read_signed(sign_message(BOB, DOMAIN, quote).to_json(), Quote).message
    agreed = check_quote(session, request, quote, now=NOW)
    sides = [trader.trade(agreed, epoch, deadline=DEADLINE, fee_usd6=USD) for trader in world.traders]
    assert sides[0].message.trade_tag == sides[1].message.trade_tag
    assert sides[0].message.side == -sides[1].message.side
    for trader, side in zip(world.traders, sides, strict=True):
        inert = read_record(write_record(side.to_settlement_proof(with_signature=False)), SettlementProof)
        on_chain = AccountFacts(trader.wallet.address, trader.account.commitment, generation=0, key_version=1)
        assert check_settlement_proof(DOMAIN, agreed, inert, on_chain) is False
        assert check_settlement_proof(DOMAIN, agreed, side.to_settlement_proof(), on_chain) is True
        terms = (world.provers.transition, epoch.policies["initial"], epoch.settlement)
        assert verify_settlement_proof(DOMAIN, inert, *terms)
        larger = inert.model_copy(update={"action": inert.action.model_copy(update={"fee": 0, "cash_flow": 0})})
        assert not verify_settlement_proof(DOMAIN, larger, *terms)
    for trader, side in zip(world.traders, sides, strict=True):
        world.accept(trader, side)
    assert not (alice.account.state.positions + bob.account.state.positions)[[1, 12, 2]].any()
    assert alice.account.state.cash + bob.account.state.cash == (2 * 499_999 - 2) * USD

    world.accept(alice, alice.cure(epoch, 10 * USD, {8: 1}, deadline=DEADLINE))
    world.accept(alice, alice.withdraw(epoch, 100 * USD, {8: 1}, recipient=RECIPIENT, deadline=DEADLINE))
    before = alice.account
    world.accept(alice, alice.attest(epoch, deadline=DEADLINE))
    assert alice.account is before

    # an attestation off-chain, to one recipient
    asked = AttestationRequest.create(alice.account.id, "net_delta", RECIPIENT)
    shown = alice.attest_to(epoch, asked, valid_until=DEADLINE)
    verify_attestation(shown, asked, make_facts(alice.account, epoch, world.provers.transition, NOW))

    # back to flat, out, and closed
    with pytest.raises(PolicyNotMet):
        alice.withdraw_flat(1, recipient=RECIPIENT, deadline=DEADLINE)
    back = replace(agreed, trade=make_trade(agreed.trade.terms), maker_side=-agreed.maker_side)
    back = replace(
        back, trade_tag=back.trade.compute_tag(MINI), maker_commitment=bob.account.commitment, epoch=epoch.number
    )
    for trader, side in [(trader, trader.trade(back, epoch, deadline=DEADLINE)) for trader in world.traders]:
        world.accept(trader, side)
    world.accept(alice, alice.withdraw_flat(5 * USD, {8: 2}, recipient=RECIPIENT, deadline=DEADLINE))
    world.accept(bob, bob.close(bob.account.state.cash, {8: 50}, recipient=RECIPIENT, deadline=DEADLINE))
    assert bob.account.state.cash == 0 and not bob.account.state.positions.any()

    for trader in world.traders:
        assert recover_accounts(trader.wallet, DOMAIN, MINI, world.events, {}) == Recovery((trader.account,), ())


@pytest.mark.parametrize("kind", [ActionKind.TRADE, ActionKind.CURE, ActionKind.ATTEST])
def test_a_step_of_generation_settles_expired_slots(kind, prover):
    """Slots 3 and 11 are dropped, one pays and one costs; the proof holds for this settlement and no other."""
    step = Scene(generation=1, settlement=make_settlement({3: 30 * USD, 11: -2 * USD, 5: 7}))
    account = make_account(lots={3: 3, 11: 4, 13: -1}, cash=10**12)
    intent = {
        ActionKind.TRADE: TRADE,
        ActionKind.CURE: Intent(ActionKind.CURE),
        ActionKind.ATTEST: Intent(ActionKind.ATTEST, policy="maintenance"),
    }[kind]
    transition = build_transition(account, intent, domain=DOMAIN, key_version=1, epoch=step)
    proof = prover.prove(transition)
    own, policy = transition.own_signals, transition.effects.policy
    assert not prover.verify(proof, replace(own, payoff=(0,) * 16), policy)
    assert not prover.verify(proof, replace(own, drop=(0,) * 16), policy)
    settled = transition.effects.new_state
    traded = {1: 20, 12: -5} if kind is ActionKind.TRADE else {}
    assert settled.cash == 10**12 + 3 * 30 * USD - 4 * 2 * USD + (-30_000 * USD if traded else 0)
    assert {slot: int(q) for slot, q in enumerate(settled.positions) if q} == {13: -1, **traded}


# ------------------------------------------------------------------------------------------------- what is not accepted
RICH = make_account(lots={8: 40}, cash=10**12)
TRADE = Intent(
    ActionKind.TRADE, trade=make_trade(TradeTerms(((1, 20), (12, -5)), -30_000 * USD)), side=1, counterparty=b"\5" * 32
)


@pytest.fixture(scope="module")
def good(epoch, prover):
    transition = build_transition(RICH, TRADE, domain=DOMAIN, key_version=1, epoch=epoch)
    return transition, prover.prove(transition)


def test_a_proof_holds_for_its_own_signals_only(good, prover, epoch):
    transition, proof = good
    own = transition.own_signals
    assert prover.verify(proof, own, transition.effects.policy)
    for name in ("commitment_old", "commitment_new", "trade_tag", "ciphertext", "context"):
        other = replace(own, **{name: (getattr(own, name) + 1) % FIELD_MODULUS})
        assert not prover.verify(proof, other, transition.effects.policy)
    for name, value in (("side", -1), ("side", 0), ("write", 0), ("cash_flow", 1), ("flow", (1, *[0] * 15))):
        assert not prover.verify(proof, replace(own, **{name: value}), transition.effects.policy)
    for name, value in (("drop", (0, 1, *[0] * 14)), ("payoff", (0, 5, *[0] * 14))):
        assert not prover.verify(proof, replace(own, **{name: value}), transition.effects.policy)
    assert not prover.verify(proof, own, epoch.policies["maintenance"])
    assert Proof.from_bytes(proof.to_bytes()) == proof


def test_a_certificate_that_is_not_one_has_no_witness(epoch, prover):
    """The builder is bypassed: each lie about a state that does not meet the policy is refused by the circuit."""
    poor = make_account(lots={8: 1}, cash=1 * USD)
    with pytest.raises(PolicyNotMet) as caught:
        build_transition(poor, TRADE, domain=DOMAIN, key_version=1, epoch=epoch)
    assert caught.value.rows and caught.value.missing_usd6 > 0

    honest = build_transition(RICH, TRADE, domain=DOMAIN, key_version=1, epoch=epoch)
    effects = compute_effects(poor, TRADE, epoch)
    message = honest.message.model_copy(
        update={
            "account": poor.id, "commitment_old": poor.commitment, "commitment_new": effects.commitment_new,
            "ciphertext": effects.ciphertext,
        }
    )  # fmt: skip
    zeros = (0,) * 12
    rows = evaluate_rows(effects.policy, effects.new_state, zeros, zeros)
    charges = compute_charges(effects.policy, effects.new_state.positions)
    assert min(rows) < 0
    lies = {
        "a negative slack": Certificate(zeros, zeros, charges, rows),
        "slack shown as zero": Certificate(zeros, zeros, charges, tuple(max(0, row) for row in rows)),
        "slack wrapped by a lane": Certificate(zeros, zeros, charges, tuple(row % 2**84 for row in rows)),
        "the honest account's certificate": honest.certificate,
        "no charges": replace(honest.certificate, charges=(0, 0)),
    }
    for name, lie in lies.items():
        with pytest.raises(WitnessError):
            prover.prove(Transition(effects, message, compute_digest(DOMAIN, message), lie))
            pytest.fail(name)


@pytest.mark.property("P-01")
def test_a_state_that_is_not_the_committed_one_has_no_witness(good, prover):
    transition, _ = good
    richer = make_account(lots={8: 40}, cash=10**12 + 1)
    other_key = make_account(BOB, lots={8: 40}, cash=10**12)
    for account in (richer, other_key, RICH.advance(RICH.state, 0)):
        lie = replace(transition, effects=replace(transition.effects, before=account))
        signals = replace(lie.own_signals, commitment_old=RICH.commitment)
        with pytest.raises(WitnessError):
            _prove_signals(prover, lie, signals)


@pytest.mark.property("P-30")
def test_a_proof_of_other_signals_is_not_released(good, prover, epoch, monkeypatch):
    transition, _ = good
    other = prover.compute(
        build_transition(RICH, replace(TRADE, fee_usd6=1), domain=DOMAIN, key_version=1, epoch=epoch)
    )
    monkeypatch.setattr(prover, "compute", lambda transition: other)
    with pytest.raises(ProofRejected) as caught:
        prover.prove(transition)
    assert "other public signals" in str(caught.value)


def test_keys_and_signals_of_another_size_are_refused(good, prover):
    transition, proof = good
    for make, preset in ((TransitionVerifier, get_preset("standard")), (OpenVerifier, MINI)):
        with pytest.raises(KeyMismatch):
            make(prover.verifying_key, preset)
    own = transition.own_signals
    for wrong in (replace(own, flow=(0,) * 15), replace(own, side=(1, 0)), replace(own, payoff=())):
        with pytest.raises(StatementError):
            prover.verify(proof, wrong, transition.effects.policy)


def _prove_signals(prover, transition, signals):
    """The private inputs of `transition` under other public signals."""

    class Shown(Transition):
        @property
        def own_signals(self):
            return signals

    return prover.prove(Shown(transition.effects, transition.message, transition.digest, transition.certificate))


def test_a_trader_refuses_what_is_not_its_own(world, epoch, prover):
    stranger = make_account(BOB, cash=10**12)
    with pytest.raises(AccountError):
        AccountClient(ALICE, stranger, world.venue, world.provers)
    trader = AccountClient(BOB, stranger, world.venue, world.provers)
    with pytest.raises(AccountError):
        trader.open(deadline=DEADLINE)
    elsewhere = AccountClient(ALICE, RICH, world.venue, world.provers).attest(epoch, deadline=DEADLINE)
    with pytest.raises(AccountError):
        trader.confirm(elsewhere)
    assert str(derive_key(BOB, DOMAIN, stranger.id).reveal()) not in repr(trader)
    request = make_request(RICH.id, stranger.id, {1: 1}, DEADLINE, generation=0)
    session = world.venue.begin(epoch, DEADLINE)
    quote = make_quote(session, request, Maker(stranger.id, 5), 1)
    agreed = check_quote(session, request, quote, now=NOW)
    with pytest.raises(ActionNotAllowed) as caught:
        trader.trade(agreed, epoch, deadline=DEADLINE)
    assert "moved" in str(caught.value)
    for change, deadline, reason in (
        ({"epoch": 1}, DEADLINE, "is not the agreed 1"),
        ({"generation": 1}, DEADLINE, "agreed: 1"),
        ({}, DEADLINE + 1, "after the agreement's end"),
    ):
        with pytest.raises(ActionNotAllowed) as caught:
            trader.trade(replace(agreed, **change), epoch, deadline=deadline)
        assert reason in str(caught.value)
    with pytest.raises(TradeMessageRefused):
        AccountClient(BOB, make_account(BOB, index=3), world.venue, world.provers).trade(
            agreed, epoch, deadline=DEADLINE
        )


def test_what_a_client_signs_names_its_submitter(world, epoch):
    """Openings and actions; an intent's own submitter goes before the client's."""
    other = "0x" + "44" * 20
    trader = AccountClient(ALICE, RICH, world.venue, world.provers)
    fresh = AccountClient.create(ALICE, world.venue, world.provers, index=7)
    for client in (trader, fresh):
        client.submitter = RECIPIENT
    assert fresh.open(deadline=DEADLINE).message.submitter == RECIPIENT
    assert trader.attest(epoch, deadline=DEADLINE).message.submitter == RECIPIENT
    named = Intent(ActionKind.DEPOSIT, 5, submitter=other, deadline=DEADLINE)
    assert trader.act(named).message.submitter == other
