"""Gas of every entry point at the `standard` preset, with simulated keys: the same bytes on chain as real keys of
that size.

`python -m tests.support.gas` measures and writes `costs/gas.json`, the ledger that `test_gas.py` holds the
contracts to.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import chain as chain_of
from pathlib import Path
from statistics import median

from tests.support.gas_defaults import measure_defaults
from tests.support.repricing import reprice
from tests.support.world import HOUR, LOT, USDC, Party, World
from zkmargin.contracts.chain import Chain, Receipt, run_anvil
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.messages import SignedEpoch
from zkmargin.prover.messages.action_table import ActionKind

LEDGER = Path(__file__).parents[2] / "costs" / "gas.json"
REPEATS = 3
RING = 256
"""Epochs that the oracle keeps: one so much later takes the place of another."""
CONTRACTS = (
    "AccountDesk", "AccountViews", "BatchDesk", "ClearingHouse", "CollateralVault", "DeadlineDesk", "DefaultDesk",
    "KeyRegistry", "MarginVerifier", "RekeyDesk", "RekeyVerifier", "RevealVerifier", "RiskOracle", "SaleDesk",
    "WalletSignatures",
)  # fmt: skip


def measure(repeats: int = REPEATS) -> dict[str, dict[str, int]]:
    """Medians of gasUsed of whole transactions, by entry point; what the last of each would cost under the drafted
    repricing of the next fork ("next", see `tests.support.repricing`); and sizes of the deployed code in bytes.

    Every slot that an action writes is warm in the sense that it was not zero before, as on a venue in use; an epoch
    is new each time.
    """
    samples, later = defaultdict[str, list[int]](list), {}
    for name, chain, receipt in chain_of(measure_transactions(repeats), measure_defaults(repeats)):
        samples[name].append(receipt.gas_used)
        later[name] = reprice(chain, receipt)
    sizes = {name: compile_contracts()[name].deployed_size for name in CONTRACTS}
    return {"gas": {name: int(median(values)) for name, values in samples.items()}, "next": later, "size": sizes}


def measure_transactions(repeats: int = 1, *, keep_steps: bool = False) -> Iterator[tuple[str, Chain, Receipt]]:
    """Every entry point so many times: its name, and the transaction on the chain, which lives until the next one."""
    with run_anvil(keep_steps=keep_steps) as chain:
        world = World(chain, "standard")
        world.prepare()
        saver = world.open("saver")  # who never trades
        world.deposit(saver, 10 * USDC)
        world.fund(saver, 1_000 * USDC)
        for repeat in range(repeats + 1):
            for name, call in _entry_points(world, saver).items():
                chain.travel(15)
                receipt = call(world.post(), f"user {repeat}")
                if repeat:  # the first round makes the slots non-zero
                    yield name, chain, receipt
        for _ in range(repeats):
            for name, call in _over_steps(world).items():
                yield name, chain, call()


def _entry_points(world: World, saver: Party) -> dict[str, Callable[[SignedEpoch, str], Receipt]]:
    house, vault, alice, bob = world.house, world.vault, world.alice, world.bob
    sender = world.submitter

    def open_account(epoch: SignedEpoch, name: str) -> Receipt:
        return house.open(world.make_open(name)[1], sender=sender)

    def deposit(party: Party, lots: int, fee: int) -> Callable[[SignedEpoch, str], Receipt]:
        return lambda epoch, name: house.deposit(world.make_deposit(party, 10 * USDC, lots, fee), sender=sender)

    def trade(fee: int) -> Callable[[SignedEpoch, str], Receipt]:
        return lambda epoch, name: house.trade(world.make_trade(alice, bob, epoch, (fee, fee)), sender=sender)

    def withdraw(lots: int, fee: int) -> Callable[[SignedEpoch, str], Receipt]:
        return lambda epoch, name: house.withdraw(world.make_withdraw(alice, epoch, USDC, lots, fee), sender=sender)

    def close(epoch: SignedEpoch, name: str) -> Receipt:
        party: Party = world.open(f"closing {name}")
        world.deposit(party, 5 * USDC)
        return house.close(world.make_flat(ActionKind.CLOSE, party, USDC), sender=sender)

    def claim(count: int) -> Receipt:
        """The oldest payments to one recipient; of the four, one is of WETH."""
        world.chain.travel(world.oracle.get_payment_terms()[0])
        return vault.claim_for(vault.read_payments()[:count], sender=sender)

    return {
        "open": open_account,
        "fund": lambda epoch, name: vault.fund(alice.id, world.cash.address, 100 * USDC, sender=world.funder),
        "fund_weth": lambda epoch, name: vault.fund(alice.id, world.weth.address, 9 * LOT, sender=world.funder),
        "deposit": deposit(saver, 0, 0),
        "deposit_weth": deposit(alice, 1, 0),
        "deposit_fee": deposit(alice, 0, 50_000),
        "trade": trade(0),
        "trade_fee": trade(50_000),
        "withdraw": withdraw(0, 0),
        "withdraw_weth_fee": withdraw(1, 50_000),
        "cure": lambda epoch, name: house.cure(world.make_cure(alice, epoch, 10 * USDC), sender=sender),
        "attest": lambda epoch, name: house.attest(world.make_attest(alice, epoch), sender=sender),
        "attest_named": lambda epoch, name: house.attest(world.make_attest(alice, epoch, "net_delta"), sender=sender),
        "withdraw_flat": lambda epoch, name: house.withdraw_flat(
            world.make_flat(ActionKind.WITHDRAW_FLAT, alice, USDC), sender=sender
        ),
        "close": close,
        "claim": lambda epoch, name: claim(1),
        "claim_four": lambda epoch, name: claim(4),
        "epoch": lambda epoch, name: world.oracle.post_epoch(
            world.make_epoch(number=epoch.message.number + RING), sender=sender
        ),
    }


def _over_steps(world: World) -> dict[str, Callable[[], Receipt]]:
    """Measured last, since they move the listing on."""

    def step() -> None:
        world.chain.travel(HOUR + 1)
        world.post(generation=world.oracle.get_generation() + 1)

    def roll() -> Receipt:
        step()
        return world.house.roll(world.make_roll(world.alice), 1, sender=world.submitter)

    def skip() -> Receipt:
        party = world.open("sleeping")
        step()
        step()
        world.house.roll(world.make_roll(world.alice), 1)
        receipt = world.house.skip(party.id, sender=world.submitter)
        world.house.roll(world.make_roll(world.alice), 1)
        return receipt

    return {"roll": roll, "skip": skip}


if __name__ == "__main__":
    LEDGER.parent.mkdir(exist_ok=True)
    LEDGER.write_text(json.dumps(measure(), indent=2) + "\n")
    print(LEDGER.read_text())
