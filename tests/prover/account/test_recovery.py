"""Recovery rebuilds an account from events and wallet alone, and names the first event that does not fit."""

import json
import random
from dataclasses import replace

import pytest

from tests.support.scenes import ALICE, BOB, DOMAIN, MINI, RECIPIENT, Scene, get_key, make_policy, make_settlement
from zkmargin.contracts.risk_oracle import Settlements
from zkmargin.prover.account.account import Account, compute_account_id, derive_key
from zkmargin.prover.account.key_file import create_key_file, load_key_file, read_key_file
from zkmargin.prover.account.recovery import (
    Opened,
    Recovery,
    Transitioned,
    find_openings,
    recover_account,
    recover_accounts,
)
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import Transition, build_transition
from zkmargin.prover.errors import KeyFileError, RecoveryError, SigningNotRepeatable
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.prover.statement.commitment import make_trade
from zkmargin.prover.statement.packing import TradeTerms
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS

LOOSE = {name: make_policy(name, 0) for name in ("initial", "maintenance", "withdraw")}
RICH = 10**12


def to_event(transition: Transition) -> Transitioned:
    """What the chain would log: nothing that the message does not show."""
    message = transition.message
    return Transitioned(
        kind=ActionKind(message.kind),
        account=message.account,
        generation=message.generation_new,
        commitment_new=message.commitment_new,
        trade_tag=message.trade_tag,
        ciphertext=message.ciphertext,
        side=message.side,
        cash_flow=message.cash_flow,
        flows=tuple((flow.slot, flow.lots) for flow in message.flows),
    )


class Chain:
    """Accounts with their owners' states, and the log."""

    def __init__(self):
        self.accounts: dict[bytes, Account] = {}
        self.events: list = []
        self.generation = 0
        self.settlements = {}

    def open(self, wallet, index=0):
        account = Account.create(DOMAIN, wallet.address, index, get_key(wallet, index), MINI, self.generation)
        self.events.append(Opened(account.id, account.auth, index, account.generation, account.commitment))
        self.accounts[account.id] = account
        return account.id

    def step(self, drops):
        self.generation += 1
        self.settlements[self.generation] = make_settlement(drops)

    def find_expired(self, *account_ids):
        """Slots that the next step of one of these accounts drops: no leg may be on them."""
        steps = {self.accounts[account_id].generation + 1 for account_id in account_ids}
        return {
            slot
            for generation in steps & set(self.settlements)
            for slot, drop in enumerate(self.settlements[generation].drop)
            if drop
        }

    def act(self, account_id, intent, needs_epoch=True):
        epoch = None
        account = self.accounts[account_id]
        if needs_epoch:
            generation = min(self.generation, account.generation + 1)
            epoch = Scene(generation=generation, settlement=self.settlements.get(generation), policies=LOOSE)
        transition = build_transition(account, intent, domain=DOMAIN, key_version=1, epoch=epoch)
        self.events.append(to_event(transition))
        self.accounts[account_id] = transition.after

    def trade(self, first, second, legs, cash, fee=0):
        trade = make_trade(TradeTerms(tuple(legs), cash))
        for mine, other, side in ((first, second, 1), (second, first, -1)):
            self.act(mine, Intent(ActionKind.TRADE, trade=trade, side=side, counterparty=other, fee_usd6=fee))

    def deposit(self, account_id, cash, lots=None):
        self.act(account_id, Intent(ActionKind.DEPOSIT, cash_usd6=cash, lots=lots or {}), needs_epoch=False)


def recover(chain, account_id, wallet=ALICE, **changes):
    arguments = {"domain": DOMAIN, "preset": MINI, "settlements": chain.settlements, **changes}
    key = arguments.pop("key", None) or get_key(wallet)
    return recover_account(account_id, arguments.pop("events", chain.events), key=key, **arguments)


@pytest.fixture
def story():
    """A short history with one event of each sort; alice's own events are numbered 0 to 6."""
    chain = Chain()
    alice, bob = chain.open(ALICE), chain.open(BOB)
    chain.deposit(alice, RICH, {8: 50})
    chain.deposit(bob, RICH)
    chain.trade(alice, bob, [(1, 5), (9, -3)], -777, fee=2)
    chain.step({1: 13, 5: 4})
    chain.trade(alice, bob, [(2, 2), (9, 1), (9, 1)], 99)
    chain.act(alice, Intent(ActionKind.ATTEST, policy="maintenance"))
    chain.act(alice, Intent(ActionKind.WITHDRAW, cash_usd6=70, lots={8: 4}, fee_usd6=3, recipient=RECIPIENT))
    chain.act(alice, Intent(ActionKind.CURE, cash_usd6=10, lots={8: 1}))
    return chain, alice, bob


def test_the_story(story):
    chain, alice, bob = story
    assert recover(chain, alice) == chain.accounts[alice]
    assert recover(chain, bob, BOB) == chain.accounts[bob]
    account = recover(chain, alice)
    assert account.state.cash == RICH - 777 - 2 + 99 + 5 * 13 - 73 + 10
    assert {slot: int(q) for slot, q in enumerate(account.state.positions) if q} == {2: 2, 8: 47, 9: -1}
    assert (account.nonce, account.generation) == (5, 1)


@pytest.mark.property("P-52")
@pytest.mark.parametrize("seed", range(6))
def test_a_random_history(seed):
    rng = random.Random(seed)
    chain = Chain()
    ids = [chain.open(ALICE, 0), chain.open(BOB, 0), chain.open(ALICE, 1)]
    for account_id in ids:
        chain.deposit(account_id, RICH, {8: 100})
    for _ in range(30):
        first, second = rng.sample(ids, 2)
        choice = rng.randrange(6)
        if choice <= 2:
            expired = chain.find_expired(first, second)
            slots = [slot for slot in range(1, 8) if slot not in expired]
            legs = [(rng.choice(slots), rng.randrange(-50, 50)) for _ in range(rng.randrange(5))]
            if chain.accounts[first].generation == chain.accounts[second].generation:
                chain.trade(first, second, legs, rng.randrange(-(10**6), 10**6), fee=rng.randrange(3))
        elif choice == 3:
            chain.deposit(first, rng.randrange(10**6), {8: rng.randrange(1, 9)})
        elif choice == 4:
            chain.act(
                first, Intent(ActionKind.WITHDRAW, cash_usd6=rng.randrange(1, 9), lots={8: 1}, recipient=RECIPIENT)
            )
        elif all(account.generation == chain.generation for account in chain.accounts.values()):
            chain.step({slot: rng.randrange(-99, 99) for slot in rng.sample(range(1, 8), 3)})
    for wallet, indices in ((ALICE, 2), (BOB, 1)):
        found = recover_accounts(wallet, DOMAIN, MINI, chain.events, chain.settlements)
        assert len(found.accounts) == indices and not found.failures
        assert list(found.accounts) == [chain.accounts[account.id] for account in found.accounts]
    total = sum(account.state.positions for account in chain.accounts.values())
    if all(account.generation == chain.generation for account in chain.accounts.values()):
        assert not total[1:8].any()


def test_a_wrong_wallet_is_named_at_the_opening(story):
    chain, alice, _ = story
    with pytest.raises(RecoveryError) as caught:
        recover(chain, alice, BOB)
    assert caught.value.index == 0 and "wrong wallet" in str(caught.value)
    assert recover_accounts(Wallet(BOB.account), DOMAIN, MINI, chain.events[:1], {}) == Recovery((), ())


def test_a_key_file_recovers_too(tmp_path):
    account_id = compute_account_id(DOMAIN, ALICE.address, 5)
    key = create_key_file(tmp_path / "key.json", account_id)
    account = Account.create(DOMAIN, ALICE.address, 5, key, MINI, 0)
    events = [Opened(account_id, ALICE.address, 5, 0, account.commitment)]
    found = recover_account(account_id, events, DOMAIN, MINI, {}, read_key_file(tmp_path / "key.json", account_id))
    assert found == account
    with pytest.raises(RecoveryError):
        recover_account(account_id, events, DOMAIN, MINI, {}, derive_key(ALICE, DOMAIN, account_id))


@pytest.mark.property("P-54")
def test_one_account_that_cannot_be_recovered_does_not_keep_the_others_back(story):
    chain, alice, _ = story
    second = chain.open(ALICE, 1)
    chain.deposit(second, 5)
    events = list(chain.events)
    spoiled = next(n for n, event in enumerate(events) if event.account == alice and isinstance(event, Transitioned))
    events[spoiled] = replace(events[spoiled], cash_flow=events[spoiled].cash_flow + 1)
    found = recover_accounts(ALICE, DOMAIN, MINI, events, chain.settlements)
    assert found.accounts == (chain.accounts[second],)
    [failure] = found.failures
    assert failure.account == alice and failure.error.index == 1 and "gives commitment" in failure.reason


@pytest.mark.property("P-54")
def test_a_malformed_settlement_spoils_only_the_accounts_that_took_its_step(story):
    chain, alice, bob = story
    young = chain.open(ALICE, 1)  # opened after the step, so it needs no vector
    good = {generation: [vector.to_bytes()] for generation, vector in chain.settlements.items()}
    assert recover(chain, bob, BOB, settlements=Settlements(good, MINI)) == chain.accounts[bob]
    [whole] = good[1]
    for bad in (b"", whole[:-1], whole[:18] + b"\x02" * 16 + whole[34:]):
        found = recover_accounts(ALICE, DOMAIN, MINI, chain.events, Settlements({**good, 1: [bad]}, MINI))
        assert found.accounts == (chain.accounts[young],)
        [failure] = found.failures
        assert failure.account == alice and "vector of generation 1 is malformed" in failure.reason


@pytest.mark.property("P-54", "P-225")
def test_a_step_that_was_taken_by_a_vector_since_replaced_is_recovered(story):
    """Its epoch was revoked after the account had taken it; what fits no vector that ever stood is refused as ever."""
    chain, alice, _ = story
    [taken], other = [vector.to_bytes() for vector in chain.settlements.values()], make_settlement({1: 14, 5: 4})
    for published in ([taken, other.to_bytes()], [taken, b"", other.to_bytes()], [b"", other.to_bytes(), taken]):
        assert recover(chain, alice, settlements=Settlements({1: published}, MINI)) == chain.accounts[alice]
    with pytest.raises(RecoveryError, match="gives commitment"):
        recover(chain, alice, settlements=Settlements({1: [other.to_bytes(), other.to_bytes()]}, MINI))


def test_key_files_stand_in_for_a_wallet_that_cannot_derive(tmp_path):
    """One account by the file, one that has none: named, with the reason; and the file's alone without any wallet."""

    class Fickle(Wallet):
        def sign(self, domain, message):
            self.count = getattr(self, "count", 0) + 1
            return bytes(64) + bytes([27 + self.count % 2])

    wallet = Fickle(ALICE.account)
    ids = [compute_account_id(DOMAIN, ALICE.address, index) for index in (0, 1)]
    key = create_key_file(tmp_path / "key.json", ids[1])
    accounts = [Account.create(DOMAIN, ALICE.address, n, key, MINI, 0) for n in (0, 1)]
    events = [Opened(account.id, account.auth, account.index, 0, account.commitment) for account in accounts]
    keys = dict([load_key_file(tmp_path / "key.json")])
    found = recover_accounts(wallet, DOMAIN, MINI, events, {}, keys)
    assert found.accounts == (accounts[1],)
    [failure] = found.failures
    assert failure.account == ids[0] and isinstance(failure.error, SigningNotRepeatable)
    assert recover_accounts(None, DOMAIN, MINI, events, {}, keys) == Recovery((accounts[1],), ())
    assert recover_accounts(None, DOMAIN, MINI, [], {}, keys).failures[0].account == ids[1]


@pytest.mark.parametrize(
    "change", [{"account": "0x12"}, {"account": 5}, {"account": "zz"}, {"key": "0x"}, {"key": None}]
)
def test_a_key_file_that_is_malformed_is_refused(tmp_path, change):
    path = tmp_path / "key.json"
    create_key_file(path, bytes(32))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(KeyFileError):
        load_key_file(path)


def test_an_event_with_a_trade_tag_beyond_the_field_is_named(story):
    chain, alice, _ = story
    own = [place for place, event in enumerate(chain.events) if event.account == alice]
    events = list(chain.events)
    events[own[2]] = replace(events[own[2]], trade_tag=FIELD_MODULUS)
    with pytest.raises(RecoveryError) as caught:
        recover(chain, alice, events=events)
    assert caught.value.index == 2


def test_an_opening_that_names_another_account_is_not_the_wallets(story):
    chain, alice, _ = story
    forged = replace(chain.events[0], index=1)
    assert find_openings(ALICE, DOMAIN, chain.events) == (chain.events[0],)
    assert find_openings(ALICE, DOMAIN, [forged]) == ()
    assert find_openings(ALICE, Domain(1, DOMAIN.clearing_house, DOMAIN.risk_oracle), chain.events) == ()
    with pytest.raises(RecoveryError) as caught:
        recover(chain, alice, events=[forged])
    assert "another chain" in str(caught.value)


CHANGES = {
    "cash flow": (1, {"cash_flow": RICH + 1}, "gives commitment"),
    "flow": (1, {"flows": ((8, 51),)}, "gives commitment"),
    "flow beyond the slots": (1, {"flows": ((16, 1),)}, "slot 16"),
    "ciphertext": (2, {"ciphertext": 5}, "does not decrypt"),
    "ciphertext by one": (2, {}, "gives commitment"),
    "trade tag": (2, {"trade_tag": 5}, "does not decrypt"),
    "side": (2, {"side": -1}, "gives commitment"),
    "side left out": (2, {"side": 0}, "gives commitment"),
    "two generations": (3, {"generation": 2}, "from generation 0 to 2; allowed: 1 at once"),
    "a roll over two": (3, {"kind": ActionKind.ROLL, "generation": 2}, "allowed: 1, 4, 16 at once"),
    "no generation": (3, {"generation": 0}, "gives commitment"),
    "commitment": (5, {"commitment_new": 7}, "the chain has 7"),
    "cash beyond its range": (1, {"cash_flow": 2**80}, "cash"),
    "position beyond its range": (1, {"flows": ((8, 2**30),)}, "position in slot 8"),
}


@pytest.mark.property("P-52")
@pytest.mark.parametrize("name", CHANGES)
def test_the_first_event_that_does_not_fit_is_named(story, name):
    chain, alice, _ = story
    number, change, reason = CHANGES[name]
    own = [place for place, event in enumerate(chain.events) if event.account == alice]
    events = list(chain.events)
    if not change:
        change = {"ciphertext": (events[own[number]].ciphertext + 1) % FIELD_MODULUS}
    events[own[number]] = replace(events[own[number]], **change)
    with pytest.raises(RecoveryError) as caught:
        recover(chain, alice, events=events)
    assert (caught.value.index, caught.value.event) == (number, events[own[number]].kind.name)
    assert reason in caught.value.reason


def test_lost_and_repeated_events_are_noticed(story):
    chain, alice, _ = story
    own = [event for event in chain.events if event.account == alice]
    for number in (1, 2, 3, 5):
        with pytest.raises(RecoveryError) as caught:
            recover(chain, alice, events=own[:number] + own[number + 1 :])
        assert caught.value.index == number + (1 if number == 3 else 0)
    with pytest.raises(RecoveryError) as caught:
        recover(chain, alice, events=own[1:])
    assert (caught.value.index, caught.value.event) == (0, "DEPOSIT") and "before" in caught.value.reason
    with pytest.raises(RecoveryError) as caught:
        recover(chain, alice, events=[own[0], own[0]])
    assert caught.value.index == 1 and "used once" in caught.value.reason
    with pytest.raises(RecoveryError) as caught:
        recover(chain, alice, events=[*own[:2], own[1]])
    assert caught.value.index == 2
    with pytest.raises(RecoveryError) as caught:
        recover(chain, alice, events=[])
    assert "never opened" in caught.value.reason


def test_settlement_vectors_must_be_the_right_ones(story):
    chain, alice, _ = story
    with pytest.raises(RecoveryError) as caught:
        recover(chain, alice, settlements={})
    assert caught.value.index == 3 and "generation 1" in caught.value.reason
    with pytest.raises(RecoveryError) as caught:
        recover(chain, alice, settlements={1: make_settlement({1: 14, 5: 4})})
    assert caught.value.index == 3


def test_errors_show_no_secret(story):
    chain, alice, _ = story
    key = derive_key(ALICE, DOMAIN, alice)
    for arguments in ({"settlements": {}}, {"key": Secret(1)}, {"events": chain.events[1:]}):
        with pytest.raises(RecoveryError) as caught:
            recover(chain, alice, **arguments)
        assert str(key.reveal()) not in str(caught.value)
