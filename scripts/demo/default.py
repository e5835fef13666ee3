"""Accounts that fall silent, and then the publishers: a book finds a new owner, a solvent sleeper pays the fee and
nothing else, the sale of a part saves an account that a crash left short, the surplus pays what another one's book
lacks, options expire in and out of the money and their slots list new ones, and the venue ends with everyone paid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.errors import Reverted
from zkmargin.contracts.trading import Trader
from zkmargin.contracts.venue_keys import VenueKeys
from zkmargin.engine.desk.partial_sale import choose_part
from zkmargin.engine.epoch.settling import settle_expiry
from zkmargin.engine.house import House
from zkmargin.engine.market.instruments import Instrument
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import SECONDS_PER_DAY, USD6, usd
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.scripts.cli.console import Steps
from zkmargin.scripts.demo.expiry import choose_options, list_successors
from zkmargin.scripts.demo.handling import appraise, rekey, reveal, sell_part, take_over
from zkmargin.scripts.demo.scene import MARKET, TERMS, TICK, Scene, require, set_scene

BOND_USD6 = 50 * USD6
PERPETUAL = "BTC-PERPETUAL"
WEALTH_USD = {
    "victim": 20_000, "sleeper": 40_000, "leveraged": 20_000, "drowned": 20_000, "other": 150_000, "bidder": 80_000
}  # fmt: skip
"""What each account opens with."""
LOTS = 95
"""That the two accounts which the crash leaves short have bought: a little less than their money carries."""
FALL, FURTHER_FALL = 0.23, 0.16
"""Share of every price that the crash takes, and of what is left afterwards."""
INSURANCE_USD6 = 5_000 * USD6
OPTION_LOTS = 2
"""Of the put and of the call that expire."""
AVERAGED, DRIFT = 6, 0.002
"""Epochs by whose mean prices an expiry is settled, one a tick, and the share by which prices rise in each."""
GAS_OF = ("freeze", "reveal", "bid", "sell_part", "rekey", "roll")
"""Steps whose gas the report gives."""
STEPS = 9
"""Progress steps of `run_default`, for the bar."""


def run_default(keys: VenueKeys, steps: Steps) -> dict[str, Any]:
    """The whole story; its report. Raises if anything does not go as claimed."""
    with set_scene(keys) as scene:
        steps.start("opening accounts, trading, posting bonds")
        victim, sleeper, leveraged, drowned, other, bidder = _open_accounts(scene)
        steps.done()
        _fall_silent(scene, steps, victim, sleeper, leveraged, drowned)
        _wake(scene, steps, sleeper)
        steps.start("three members open the second account privately; its positions are revealed")
        reveal(scene, victim)
        steps.done()
        _auction(scene, steps, victim, bidder)
        _save(scene, steps, leveraged, bidder)
        _insure(scene, steps, drowned, bidder)
        _expire(scene, steps, bidder, other)
        _end(scene, steps, [sleeper, leveraged, other, bidder])
        return make_report(scene)


def _open_accounts(scene: Scene) -> tuple[Trader, ...]:
    venue = scene.venue
    traders = [venue.open(Wallet.create(), cash=usd(dollars), name=name) for name, dollars in WEALTH_USD.items()]
    victim, sleeper, leveraged, drowned, other, bidder = traders
    mark = float(price_per_lot(venue.snapshot)[venue.snapshot.listing.get(PERPETUAL).slot])
    bought = round(LOTS * mark)
    for trader, lots, paid in ((victim, 3, 0), (sleeper, 3, 0), (leveraged, LOTS, bought), (drowned, LOTS, bought)):
        venue.settle(trader.accept(other.quote(trader.request({PERPETUAL: lots}), taker_pays=usd(paid))))
        scene.fund(scene.desk.get_bond(trader.id), BOND_USD6)
    _trade_options(scene, bidder, other, choose_options(venue.snapshot, Coin.BTC), OPTION_LOTS)
    return tuple(traders)


def _trade_options(scene: Scene, holder: Trader, writer: Trader, options: Sequence[Instrument], lots: int) -> None:
    """As many lots of each, at the marks."""
    prices = price_per_lot(scene.venue.snapshot)
    paid = usd(round(lots * sum(float(prices[option.slot]) for option in options)))
    request = holder.request({option.name: lots for option in options})
    scene.venue.settle(holder.accept(writer.quote(request, taker_pays=paid)))


def _fall_silent(scene: Scene, steps: Steps, *traders: Trader) -> None:
    steps.start("four accounts miss their deadline and are frozen")
    scene.wait(1)
    checkpoint = scene.desk.tick()
    scene.tick((TERMS.lease + TERMS.grace) // TICK + 1)
    for trader in traders:
        scene.note(f"freeze {trader.name}", scene.desk.freeze(trader.id, checkpoint, sender=scene.keeper))
        require(scene.get_status(trader) is Status.FROZEN, f"{trader.name} is frozen")
    steps.done()


def _wake(scene: Scene, steps: Steps, sleeper: Trader) -> None:
    steps.start("a solvent sleeper wakes, proves its margin and pays the fee")
    house, vault, cash = scene.venue.contracts.house, scene.venue.contracts.vault, scene.venue.contracts.cash
    before, bond = house.get_account(sleeper.id).commitment, scene.desk.get_bond(sleeper.id)
    scene.wait(1)
    scene.note("attest", sleeper.attest())
    scene.note("redeem", scene.desk.redeem(sleeper.id))
    is_same = house.get_account(sleeper.id).commitment == before
    paid = BOND_USD6 - vault.get_inbox(bond, cash.address) == TERMS.bounty_usd6 + TERMS.late_fee_usd6
    scene.facts["sleeper_paid_only_fee"] = is_same and paid and scene.get_status(sleeper) is Status.ACTIVE
    require(scene.facts["sleeper_paid_only_fee"], "the sleeper pays bounty and fee out of its bond, and nothing else")
    steps.done()


def _auction(scene: Scene, steps: Steps, victim: Trader, bidder: Trader) -> None:
    steps.start("the quorum appraises, the price falls, a bidder takes the book over")
    scene.tick(TERMS.window // TICK + 1)
    equity = appraise(scene, victim)
    scene.tick(TERMS.auction // TICK // 2)
    price = take_over(scene, victim, bidder)
    require(0 < price < equity, "the price falls")
    payments = scene.venue.contracts.vault.read_payments(recipient=victim.address)
    scene.facts["owner_changed"] = scene.is_stored(bidder) and scene.get_status(victim) is Status.CLOSED
    require(scene.facts["owner_changed"], "the bidder's hidden account holds the book")
    require(sum(payment.amount for payment in payments) == price, "the former owner is paid the price")
    steps.done()


def _save(scene: Scene, steps: Steps, leveraged: Trader, buyer: Trader) -> None:
    steps.start(f"prices fall by {FALL:.0%}; a part of the third account's book is sold, and it keeps the rest")
    venue, desk, client = scene.venue, scene.desk, leveraged.client
    scene.move_prices(-FALL)
    opened = reveal(scene, leveraged)
    scene.tick(TERMS.window // TICK + 1)
    sale = choose_part(House(venue.epoch.data.snapshot), opened.state)
    if sale is None:
        raise AssertionError("not so: the account fails maintenance, and a part of its book would redeem it")
    client.account = sell_part(scene, opened, buyer, sale)
    scene.wait(1)
    scene.note("attest", leveraged.attest())
    scene.note("redeem", desk.redeem(leveraged.id))
    rekey(scene, leveraged)
    keeps = bool(client.account.state.positions.any()) and scene.is_stored(leveraged)
    scene.facts["saved_by_partial"] = keeps and scene.get_status(leveraged) is Status.ACTIVE
    require(scene.facts["saved_by_partial"], "the owner keeps the rest of the book, under a new key")
    steps.done()


def _insure(scene: Scene, steps: Steps, drowned: Trader, bidder: Trader) -> None:
    steps.start(f"prices fall by another {FURTHER_FALL:.0%}; the surplus pays what the fourth account's book lacks")
    desk = scene.desk
    scene.fund(desk.get_insurance(), INSURANCE_USD6)
    desk.insure(INSURANCE_USD6)
    scene.move_prices(-FURTHER_FALL)
    reveal(scene, drowned)
    scene.tick(TERMS.window // TICK + 1)
    equity, surplus = appraise(scene, drowned, discount_usd6=INSURANCE_USD6 // 10), desk.get_surplus()
    scene.tick(TERMS.auction // TICK // 2)
    price = take_over(scene, drowned, bidder)
    require(price < equity < 0, "the book lacks money, and the price falls below that")
    is_over = scene.is_stored(bidder) and scene.get_status(drowned) is Status.CLOSED
    scene.facts["shortfall_paid_by_surplus"] = is_over and surplus - desk.get_surplus() == -price
    require(scene.facts["shortfall_paid_by_surplus"], "the surplus pays the bidder, and nobody else loses")
    steps.done()


def _expire(scene: Scene, steps: Steps, holder: Trader, writer: Trader) -> None:
    steps.start("a put expires in the money, a call out of it; the next expiry takes their slots")
    venue = scene.venue
    put, call = choose_options(venue.snapshot, Coin.BTC)
    expiry, before = put.expiry or 0, (holder.cash, writer.cash)
    settlement = settle_expiry(_average(scene, expiry), expiry)
    venue.chain.travel_to(expiry + 1)
    step = venue.post_epoch(settlement=settlement, snapshot=list_successors(venue.snapshot, expiry))
    scene.note("step", step.receipt)
    _wait_for_settlement(scene, holder)
    for trader in (holder, writer):
        for receipt in venue.catch_up(trader, least=1):
            scene.note(f"roll {trader.name}", receipt)
    pays, nothing = (int(settlement.payoff[option.slot]) for option in (put, call))
    due = OPTION_LOTS * pays
    are_paid = (holder.cash - before[0], writer.cash - before[1]) == (due, -due)
    are_gone = not any(trader.state.positions[[put.slot, call.slot]].any() for trader in (holder, writer))
    are_stored = scene.is_stored(holder) and scene.is_stored(writer)
    scene.facts["paid_at_expiry"] = pays > 0 and nothing == 0 and are_paid and are_gone and are_stored
    require(scene.facts["paid_at_expiry"], "the put's writer pays its holder, nobody pays for the call, both are gone")
    followers = [item for item in venue.snapshot.listing.instruments if item and item.slot in (put.slot, call.slot)]
    _trade_options(scene, holder, writer, followers, lots=1)
    are_new = all(item.expiry != expiry and holder.state.positions[item.slot] == 1 for item in followers)
    scene.facts["slots_reused"] = are_new and scene.is_stored(holder)
    require(scene.facts["slots_reused"], "the slots of what expired hold what was listed since, and no more")
    steps.done()


def _wait_for_settlement(scene: Scene, trader: Trader) -> None:
    """Until the guardian's time for a veto is over, before which nobody rolls."""
    refusal = ""
    try:
        scene.venue.catch_up(trader, least=1)
    except Reverted as error:
        refusal = str(error)
    scene.facts["settlement_waits"] = "SettlementPending" in refusal and scene.is_stored(trader)
    require(scene.facts["settlement_waits"], f"a roll waits while the step may be vetoed: {refusal or 'it was taken'}")
    for _ in range(scene.venue.contracts.oracle.get_settlement_delay() // TICK + 1):
        scene.wait(TICK)


def _average(scene: Scene, expiry: int) -> list[MarketSnapshot]:
    """The markets of the last half hour, by which the expiry is settled; prices rise a little."""
    venue, markets = scene.venue, []
    for left in range(AVERAGED, 0, -1):
        venue.chain.travel_to(expiry - left * TICK)
        scene.move_prices(DRIFT)
        markets.append(venue.post_epoch(with_snapshot=False).data.snapshot)
    return markets


def _end(scene: Scene, steps: Steps, traders: list[Trader]) -> None:
    """Publishers and committee are gone for good."""
    steps.start("publishers and committee are gone: the venue ends, everybody leaves")
    venue, oracle, contracts = scene.venue, scene.venue.contracts.oracle, scene.venue.contracts
    scene.note("last step", venue.post_last_step())
    venue.chain.travel(3 * SECONDS_PER_DAY + 60)
    oracle.give_notice()
    venue.chain.travel(3 * SECONDS_PER_DAY + 1)
    scene.note("end", oracle.end())
    venue.chain.travel(oracle.get_settlement_delay())
    for trader in traders:
        for receipt in venue.catch_up(trader, least=1):
            scene.note(f"roll {trader.name}", receipt)
        scene.note(f"close {trader.name}", trader.close())
        venue.chain.travel(7 * SECONDS_PER_DAY)
    contracts.house.collect_fees(scene.keeper, sender=scene.keeper)
    venue.chain.travel(7 * SECONDS_PER_DAY)
    for recipient in {payment.recipient for payment in contracts.vault.read_payments()}:
        venue.claim(recipient)
    left = contracts.vault.get_held(contracts.cash.address) - scene.desk.get_surplus()
    are_closed = all(scene.get_status(trader) is Status.CLOSED for trader in traders)
    is_paid = left == 0 and not contracts.vault.read_payments()
    scene.facts["all_exited_after_wind_down"] = are_closed and is_paid
    require(are_closed, "every account is closed")
    require(is_paid, f"owners, former owners and keeper have all but the surplus: {left} micro-dollars are left")
    steps.done()


def make_report(scene: Scene) -> dict[str, Any]:
    """What happened, for `build/demo/default.json`; null stands for what this demo does not show."""
    gas = {step["name"].split()[0]: step["gas"] for step in scene.happened}
    return {
        "market": MARKET,
        "preset": scene.venue.keys.preset.name,
        "steps": scene.happened,
        "gas": {name: gas[name] for name in GAS_OF},
        **scene.facts,
        "index_after_shortfall": None,
    }
