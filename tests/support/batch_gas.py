"""Gas of batches at the `standard` preset, with simulated keys, as in `tests.support.gas`.

`python -m tests.support.batch_gas` measures and writes `costs/batches.json`: gas of the whole transaction by number of
rows, and the code size of the desk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.world import USDC, Party, World
from zkmargin.contracts.chain import run_anvil
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.requests import AttestBatch, TradeBatch

LEDGER = Path(__file__).parents[2] / "costs" / "batches.json"
ATTESTATIONS = (1, 8, 16, 32)
TRADES = (1, 4, 8, 16)


def measure(attestations: tuple[int, ...] = ATTESTATIONS, trades: tuple[int, ...] = TRADES) -> dict[str, Any]:
    """gasUsed by number of rows; every slot that is written was not zero before."""
    with run_anvil() as chain:
        world = World(chain, "standard")
        world.prepare()
        parties = [world.open(f"party {number}") for number in range(max(*attestations, 2 * max(trades)))]
        for party in parties:
            world.deposit(party, USDC)
        _attest(world, parties)
        _trade(world, parties)
        return {
            "attest": {str(count): _attest(world, parties[:count]) for count in attestations},
            "trade": {str(count): _trade(world, parties[: 2 * count]) for count in trades},
            "size": {"BatchDesk": compile_contracts()["BatchDesk"].deployed_size},
        }


def compute_each(entry: Mapping[str, int], count: int) -> float:
    """Gas for each row of a batch with that many."""
    return entry[str(count)] / count


def _attest(world: World, parties: list[Party]) -> int:
    world.chain.travel(15)
    epoch, deadline = world.post(), world.deadline()
    requests = [world.make_attest(party, epoch, deadline=deadline) for party in parties]
    batch = AttestBatch.from_requests(requests, 1, 0)
    return world.house.contract.send("attestBatch", batch.to_abi(), sender=world.submitter).gas_used


def _trade(world: World, parties: list[Party]) -> int:
    world.chain.travel(15)
    epoch = world.post()
    pairs = zip(parties[::2], parties[1::2], strict=True)
    batch = TradeBatch.from_requests([world.make_trade(plus, minus, epoch) for plus, minus in pairs], 1, 0)
    return world.house.contract.send("tradeBatch", batch.to_abi(), sender=world.submitter).gas_used


if __name__ == "__main__":
    LEDGER.write_text(json.dumps(measure(), indent=2) + "\n")
    print(LEDGER.read_text())
