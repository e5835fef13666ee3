"""The main job, from a recorded market to settled private trades, with every claim checked on the way."""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zkmargin.contracts.chain import Chain, Receipt, run_anvil
from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.contracts.trading import Trader
from zkmargin.contracts.venue_keys import VenueKeys
from zkmargin.engine.files import write_whole
from zkmargin.engine.house import House
from zkmargin.engine.margin.report import build_report
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.presets import get_preset
from zkmargin.engine.units import SECONDS_PER_HOUR, USD6
from zkmargin.prover.account.recovery import recover_accounts
from zkmargin.prover.attestation import AttestationRequest, verify_attestation
from zkmargin.prover.client import SignedAction
from zkmargin.prover.messages.wallet import request_signature
from zkmargin.prover.negotiation import Maker, check_accept, check_quote, make_accept, make_quote, make_request
from zkmargin.scripts.cli.console import Steps
from zkmargin.scripts.demo.book import get_target, price_legs, split_into_trades
from zkmargin.scripts.demo.refusals import Refusal, Refusals
from zkmargin.scripts.demo.verify import verify_three_ways

MARKET = "deribit_2026-08-22"


@dataclass
class Story:
    """What happened, for the report and the tables."""

    preset: str
    venue: LocalVenue
    gas: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    refusals: list[Refusal] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)

    def spent(self, action: str, receipt: Receipt) -> Receipt:
        """Note the gas of a transaction."""
        self.gas[action].append(receipt.gas_used)
        return receipt


@contextmanager
def use_chain(rpc_url: str | None, time: int) -> Iterator[Chain]:
    """The chain at `rpc_url`, which is put back to where it was, or an Anvil of our own whose clock starts at `time`.

    The demo lets hours pass. A node that goes on to be used gets back its clock, and loses the blocks that were mined
    meanwhile, the demo's and others.
    """
    if rpc_url:
        chain = Chain(rpc_url)
        mark = chain.snapshot()
        try:
            yield chain
        finally:
            chain.revert(mark)
    else:
        with run_anvil(timestamp=time) as chain:
            yield chain


STEPS = 11
"""Progress steps of `run_demo`, for the bar."""


def run_demo(keys: VenueKeys, steps: Steps, *, rpc_url: str | None = None) -> Story:
    """The whole demo at the keys' preset; raises if anything does not go as claimed."""
    snapshot = to_preset(load_snapshot(MARKET), keys.preset)
    with use_chain(rpc_url, snapshot.time) as chain:
        steps.start("deploying contracts, registering keys")
        story = Story(keys.preset.name, LocalVenue(snapshot, keys=keys, chain=chain))
        steps.done()
        _post_epochs(story, steps)
        parties = _open_accounts(story, steps)
        _build_book(story, steps, *parties[:2])
        settled = _trade_privately(story, steps, parties[0], parties[2])
        _show_refusals(story, steps, settled, *parties)
        _attest(story, steps, parties[0], parties[2])
        _withdraw(story, steps, parties[0])
        _recover(story, steps, parties)
        _leave(story, steps, parties[0], parties[2])
        steps.start("verifying a proof by native code, py_ecc and snarkjs")
        story.facts["verified_by"] = verify_three_ways(keys, settled[1].transition, settled[1].proof)
        steps.done()
        story.facts["seconds"] = {name: statistics.median(values) for name, values in keys.seconds.items()}
    return story


def _post_epochs(story: Story, steps: Steps) -> None:
    steps.start("building the risk epoch from the recorded market, signing and posting it")
    venue = story.venue
    if published := venue.post_epoch().snapshot_receipt:
        story.spent("epoch_snapshot", published)
    for _ in range(3):
        venue.chain.travel(1)
        live = venue.post_epoch(with_snapshot=False)
        story.spent("epoch", live.receipt)
        for name, seconds in live.seconds.items():
            venue.keys.seconds[name].append(seconds)
    steps.done()


def _open_accounts(story: Story, steps: Steps) -> tuple[Trader, Trader, Trader]:
    steps.start("opening three accounts, funding them, absorbing the deposits")
    venue = story.venue
    wealth = {"market maker": (3_000_000, 150_000), "alice": (4_000_000, 200_000), "bob": (60_000, 2_000)}

    def open_account(name: str) -> Trader:
        dollars, weth_lots = wealth[name]
        party, collateral = venue.make_trader(name), {venue.contracts.deployment.weth_slot: weth_lots}
        story.spent("open", venue.open_account(party))
        for receipt in venue.fund(party, cash_usd6=dollars * USD6, lots=collateral):
            story.spent("fund", receipt)
        story.spent("deposit", venue.deposit(party, cash_usd6=dollars * USD6))
        story.spent("deposit", venue.deposit(party, lots=collateral))
        return party

    parties = open_account("market maker"), open_account("alice"), open_account("bob")
    venue.post_epoch(with_snapshot=False)
    steps.done()
    return parties


def _build_book(story: Story, steps: Steps, maker: Trader, alice: Trader) -> None:
    trades = list(split_into_trades(get_target(story.venue)))
    for number, legs in enumerate(trades, 1):
        steps.start(f"private trade {number} of {len(trades)}: the market maker builds its book")
        venue = story.venue
        venue.current_epoch()
        agreed = venue.agree(maker, alice, legs, price_legs(venue, legs, half_spread=0.0))
        receipt = venue.settle_sides(venue.prove_trade(agreed, maker, alice), maker, alice)
        if len(legs) > 1:
            story.spent("trade", receipt)
    steps.done()


def _trade_privately(story: Story, steps: Steps, maker: Trader, bob: Trader) -> dict[int, SignedAction]:
    """Request, quote, accept, both proofs, settlement; then what the chain saw beside what the parties know."""
    steps.start("a multi-leg private trade, agreed by signed messages")
    venue, listing = story.venue, story.venue.snapshot.listing
    venue.current_epoch()
    slots = [slot for slot in venue.facts.preset.derivative_slots if listing.is_listed[slot]]
    options = [slot for slot in slots if listing.is_option[slot]]
    perpetual = next(slot for slot in slots if not listing.is_option[slot])
    legs = {options[0]: 2, options[1]: -2, options[2]: 3, perpetual: -1}
    domain, now, until = venue.domain, venue.chain.time, venue.deadline

    session = venue.facts.begin(venue.epoch.data, until)
    request = make_request(bob.id, maker.id, legs, until, generation=session.epoch.generation)
    quote = make_quote(session, request, Maker(maker.id, maker.client.account.commitment), price_legs(venue, legs))
    quoted = request_signature(maker.client.wallet, domain, quote)
    agreed = check_quote(session, request, quote, now=now)
    accept = make_accept(domain, quote, bob.client.account.commitment)
    accepted = request_signature(bob.client.wallet, domain, accept)
    check_accept(domain, quote, accept, now=now)

    before = {party.name: party.state.cash for party in (maker, bob)}
    actions = venue.prove_trade(agreed, maker, bob, fee_usd6=20_000)
    receipt = story.spent("trade", venue.settle_sides(actions, maker, bob))
    [event] = venue.contracts.house.contract.decode_logs(receipt, "Traded")
    names = {item.slot: item.name for item in listing.by_name.values()}
    story.facts["trade"] = {
        "chain": {name: _show(event[name]) for name in event},
        "parties": {
            "bob receives": {names[slot]: lots for slot, lots in legs.items()},
            "bob pays": f"{-agreed.get_cash_usd6(bob.id) / USD6:,.2f} USDC",
            "bob's cash": f"{before['bob'] / USD6:,.2f} -> {bob.state.cash / USD6:,.2f} USDC",
            "market maker's cash": f"{before['market maker'] / USD6:,.2f} -> {maker.state.cash / USD6:,.2f} USDC",
            "signed messages": f"quote {quoted.hex()[:16]}…, accept {accepted.hex()[:16]}…",
        },
    }
    steps.done()
    return actions


def _show_refusals(
    story: Story, steps: Steps, settled: dict[int, SignedAction], maker: Trader, alice: Trader, bob: Trader
) -> None:
    steps.start("what is refused, and why")
    venue = story.venue
    venue.current_epoch()
    attempts = Refusals(venue, maker, bob, alice)
    story.refusals = [attempts.replay(settled), *attempts.run()]
    venue.post_epoch(with_snapshot=False)
    steps.done()


def _attest(story: Story, steps: Steps, maker: Trader, bob: Trader) -> None:
    """On chain to the maintenance policy; off-chain, to bob, that the maker's net delta is within its limit."""
    steps.start("attestations: maintenance on chain, net delta to a counterparty off-chain")
    venue = story.venue
    action = maker.client.attest(venue.epoch.data, deadline=venue.deadline)
    story.spent("attest", venue.submit(maker, action))
    asked = AttestationRequest.create(maker.id, "net_delta", bob.address)
    shown = maker.client.attest_to(venue.epoch.data, asked, valid_until=venue.deadline)
    chain = venue.contracts.read_facts(
        maker.id, venue.epoch.data.number, venue.provers.transition, venue.epoch.data.policy_bytes
    )
    verify_attestation(shown, asked, chain)
    story.facts["net_delta_attested"] = True
    steps.done()


def _withdraw(story: Story, steps: Steps, maker: Trader) -> None:
    """Three times: out of the account at once, to the wallet when the vault's delay has passed on the live clock."""
    steps.start("withdrawals under the withdraw policy, claimed after the vault's delay")
    venue, paid = story.venue, 1_000 * USD6
    vault, cash = venue.contracts.vault, venue.contracts.cash
    delay, _ = venue.contracts.oracle.get_payment_terms()
    for number in range(1, 4):
        action = maker.client.withdraw(venue.current_epoch(), paid, recipient=maker.address, deadline=venue.deadline)
        receipt = venue.submit(maker, action)
        story.spent("withdraw", receipt)
        [payment] = vault.find_queued(receipt)
        if (payment.recipient, payment.token, payment.amount) != (maker.address, cash.address, paid):
            raise AssertionError(f"the payment that waits is {payment}")
        venue.chain.travel(delay)
        story.spent("claim", maker.claim())
        if cash.get_balance(maker.address) != number * paid:
            raise AssertionError(f"the maker has {cash.get_balance(maker.address)} micro-dollars")
    steps.done()


def _recover(story: Story, steps: Steps, parties: tuple[Trader, ...]) -> None:
    """Every account again, from events and wallet alone; commitments decide."""
    steps.start("rebuilding the accounts from chain events and wallets alone")
    venue, size = story.venue, story.venue.facts.preset
    records = venue.contracts.read_records(size)
    for party in parties:
        found = recover_accounts(party.client.wallet, venue.domain, size, records.history, records.settlements)
        [account] = found.accounts
        on_chain = venue.contracts.house.get_account(party.id).commitment
        if not account.commitment == on_chain == party.client.account.commitment:
            raise AssertionError(f"{party.name}'s recovered account does not open the commitment on chain")
    story.facts["recovered"] = True
    story.facts["positions"] = {party.name.replace(" ", "_"): party.state.open_positions for party in parties}
    maker = parties[0]
    story.facts["margin"] = build_report(House(venue.snapshot), maker.name, maker.state).to_document()
    story.facts["options"] = int(
        sum(1 for slot, lots in enumerate(maker.state.positions) if lots and venue.snapshot.listing.is_option[slot])
    )
    steps.done()


def _leave(story: Story, steps: Steps, maker: Trader, bob: Trader) -> None:
    """Bob trades back to flat and closes an hour after the last epoch: without the oracle, he still gets out."""
    steps.start("the oracle stops; a flat account closes without it")
    venue = story.venue
    held = {
        slot: -int(lots)
        for slot, lots in enumerate(bob.state.positions)
        if lots and slot not in venue.facts.preset.collateral_slots
    }
    agreed = venue.agree(bob, maker, held, price_legs(venue, held))
    story.spent("trade", venue.settle_sides(venue.prove_trade(agreed, maker, bob), maker, bob))
    venue.chain.travel(SECONDS_PER_HOUR)
    slot = venue.contracts.deployment.weth_slot
    action = bob.client.close(
        bob.state.cash, {slot: int(bob.state.positions[slot])}, recipient=bob.address, deadline=venue.deadline
    )
    story.spent("close", venue.submit(bob, action))
    story.facts["closed_without_oracle"] = True
    steps.done()


def _show(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def make_report(story: Story, sizes: dict[str, int]) -> dict[str, Any]:
    """The demo's report as JSON."""
    preset = get_preset(story.preset)
    return {
        "preset": story.preset,
        "slots": preset.slots,
        "rows": preset.rows,
        "constraints": sizes["constraints"],
        "public_inputs": sizes["public_inputs"],
        "gas": {name: int(statistics.median(values)) for name, values in sorted(story.gas.items())},
        "seconds": story.facts["seconds"],
        "positions": story.facts["positions"],
        "rejected": [asdict(refusal) for refusal in story.refusals],
        "recovered": story.facts["recovered"],
        "verified_by": story.facts["verified_by"],
        "net_delta_attested": story.facts["net_delta_attested"],
        "closed_without_oracle": story.facts["closed_without_oracle"],
        "margin": story.facts["margin"],
        "trade": story.facts["trade"],
        "options": story.facts["options"],
        "circuit": f"{sizes['constraints']:,} constraints and {sizes['public_inputs']:,} public inputs",
    }


def write_report(report: dict[str, Any], path: Path) -> None:
    """JSON at `path`, whole or not at all."""
    write_whole(path, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
