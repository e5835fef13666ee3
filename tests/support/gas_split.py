"""What each entry point's gas is spent on, opcode by opcode, from Anvil's trace of one transaction of each.

`python -m tests.support.gas_split` measures at the `standard` preset, with simulated keys, and writes
`costs/gas_split.json`, of which `make generate` makes the table of docs/gas.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.gas import measure_transactions
from zkmargin.contracts.chain import Chain, Receipt

LEDGER = Path(__file__).parents[2] / "costs" / "gas_split.json"
INTRINSIC = 21_000
CALLDATA = {True: 4, False: 16}
"""Gas of a zero byte and of any other (EIP-2028)."""
PRECOMPILES = {1: "signatures", 6: "curve", 7: "curve", 8: "pairing"}
"""What the precompiles that are called serve."""
CALLS = ("CALL", "STATICCALL", "DELEGATECALL")
KINDS = ("base", "calldata", "pairing", "curve", "signatures", "writes", "reads", "calls", "logs", "keys", "rest")
"""Columns of the table, in its order: base is the transaction's 21,000; curve are sums and products of G1; writes and
reads are of storage; calls are the access of contracts, without what runs in them; keys is the loading of verification
keys; rest is the code's own arithmetic, memory and hashing."""
OPCODES = {"SSTORE": "writes", "SLOAD": "reads", "EXTCODECOPY": "keys", "EXTCODESIZE": "keys"}


def split(chain: Chain, receipt: Receipt) -> Counter[str]:
    """Gas of a mined transaction by kind; the sum is what it used."""
    options = {"disableStorage": True, "disableMemory": True, "enableMemory": False}
    trace = chain._request("debug_traceTransaction", receipt.transaction_hash, options)
    data = bytes(chain.w3.eth.get_transaction(receipt.transaction_hash)["input"])
    spent = Counter(base=INTRINSIC, calldata=sum(CALLDATA[byte == 0] for byte in data))
    for kind, gas in _walk(trace["structLogs"]):
        spent[kind] += gas
    spent["writes"] += receipt.gas_used - sum(spent.values())  # what clearing a slot gives back
    return spent


def _walk(steps: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    """Kind and gas of each opcode; of a call what is its own, beside what runs in it."""
    after: list[int | None] = [None] * len(steps)  # gas left at the next step of the same frame
    last: dict[int, int] = {}
    for place, step in enumerate(steps):
        depth = step["depth"]
        if depth in last:
            after[last[depth]] = step["gas"]
        last = {known: at for known, at in last.items() if known < depth} | {depth: place}
    for place, step in enumerate(steps):
        left = after[place]
        whole = step["gasCost"] if left is None else step["gas"] - left
        if step["op"] in CALLS and left is not None:
            enters = place + 1 < len(steps) and steps[place + 1]["depth"] > step["depth"]
            precompile = int(step["stack"][-2], 16)
            if enters:
                yield "calls", whole - _used_inside(steps, place)
            else:
                yield PRECOMPILES.get(precompile, "calls"), whole
        elif step["op"].startswith("LOG"):
            yield "logs", whole
        else:
            yield OPCODES.get(step["op"], "rest"), whole


def _used_inside(steps: Sequence[Mapping[str, Any]], place: int) -> int:
    """Gas that the frame which a call enters uses, with all frames below it."""
    depth, first = steps[place]["depth"], steps[place + 1]
    end = place + 1
    while end < len(steps) and steps[end]["depth"] > depth:
        end += 1
    final = steps[end - 1]
    return int(first["gas"]) - int(final["gas"]) + int(final["gasCost"])


def main() -> None:
    """Measure, and write the ledger."""
    found = {name: split(chain, receipt) for name, chain, receipt in measure_transactions(keep_steps=True)}
    rows = {name: {kind: spent[kind] for kind in KINDS} for name, spent in found.items()}
    LEDGER.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
