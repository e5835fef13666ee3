"""Gas of what happens to an account in default at the `standard` preset, with simulated keys."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.court import TERMS, Office, SaleCourt
from tests.support.world import USDC, World
from zkmargin.contracts.chain import Chain, Receipt, run_anvil
from zkmargin.contracts.default_desk import DefaultDesk

DEPOSIT = 1_000_000 * USDC
"""Of bob, who buys: what is paid out stays below the vault's daily share."""
BOND = 50 * USDC
HELD = 20
"""Slots in which the book holds lots."""
SOLD = 4
"""Slots of the part that is sold of one."""
STRIDE = 11
"""Slots from one of them to the next."""


def measure_defaults(repeats: int) -> Iterator[tuple[str, Chain, Receipt]]:
    """Every entry point of the desks for defaults so many times: its name, and the transaction on the chain, which
    lives until the next one. Each account defaults once, so slots of its case are new; a payment takes the place of a
    claimed one."""
    with run_anvil() as chain:
        world = World(chain, "standard", terms=TERMS)
        world.prepare()
        court = SaleCourt(world, DefaultDesk(chain, world.house.contract.address, world.domain), make_book(world))
        _use(court)
        for repeat in range(repeats):
            for name, receipt in _default(court, repeat):
                yield name, chain, receipt


def make_book(world: World) -> tuple[int, ...]:
    """Lots by slot, long and short by turns, from one to a hundred thousand."""
    lots = [0] * world.preset.slots
    for number in range(HELD):
        lots[1 + STRIDE * number] = (-1) ** number * 10 ** (number % 6) * (number % 9 + 1)
    return tuple(lots)


def _use(court: SaleCourt) -> None:
    """The submitter has earned a fee before, a payment was claimed, and there is a surplus."""
    world = court.world
    court.insure(USDC)
    world.deposit(world.bob, DEPOSIT, fee=USDC)
    world.house.withdraw(world.make_withdraw(world.bob, world.post(), USDC), sender=world.submitter)
    _claim(world)


def _claim(world: World) -> None:
    world.chain.travel(world.oracle.get_payment_terms()[0])
    world.vault.claim_for(world.vault.read_payments(), sender=world.submitter)


def _default(court: SaleCourt, repeat: int) -> Iterator[tuple[str, Receipt]]:
    """Three accounts default: one is redeemed and moves to a new viewing key, of one a part is sold, and one is taken
    over."""
    world, desk, office = court.world, court.desk, Office(court)

    def start(name: str) -> None:
        world.alice = world.open(f"{name} {repeat}")
        world.deposit(world.alice, 100 * USDC)
        court.post_bond(BOND)

    start("sleeping")
    court.trade()
    first = court.let_time_pass()
    yield "freeze", desk.freeze(world.alice.id, first, sender=world.submitter)
    court.attest()
    yield "redeem", desk.redeem(world.alice.id, sender=world.submitter)
    yield "rekey", office.send(office.make())

    start("selling")
    court.put_on_sale()
    part = {slot: lots for slot, lots in enumerate(court.positions) if lots}
    yield "sell_part_4_slots", court.sell(court.make_sale(dict(list(part.items())[:SOLD])))

    start("ending")
    court.freeze()
    yield "reveal", court.send_reveal(court.make_reveal())
    court.appraise()
    yield "bid_20_slots", court.bid(court.make_bid())
    _claim(world)
