"""What a transaction would cost under the drafted repricing of the next fork, from its gas today and what it changed.

Counted: new and changed storage slots, and the floor of calldata. Not counted, since the drafts leave the values open
or they are small here: the lower intrinsic cost (EIP-2780), cold accounts and reads (EIP-8038), refunds.
"""

from __future__ import annotations

from zkmargin.contracts.chain import Chain, Receipt

STATE_BYTE = 1_530
"""Gas for each byte of new state, code included (EIP-8037, at the gas limit that the draft starts from)."""
NEW_SLOT_BYTES = 64
"""Bytes of state that a new slot counts for (EIP-8037)."""
COLD_SLOT = 2_100
"""Gas of a slot's first access (EIP-2929, kept)."""
SLOT_WRITE = 10_000
"""Gas of the first change of a slot (EIP-8038)."""
NEW_SLOT = COLD_SLOT + SLOT_WRITE + STATE_BYTE * NEW_SLOT_BYTES
CHANGED_SLOT = COLD_SLOT + SLOT_WRITE
CALLDATA_FLOOR = 64
"""Least gas for each byte of calldata (EIP-7976)."""
INTRINSIC = 21_000
NEW_SLOT_TODAY = 22_100
"""EIP-2200 and EIP-2929: 2,100 and 20,000."""
CHANGED_SLOT_TODAY = 5_000
"""EIP-2200 and EIP-2929: 2,100 and 2,900."""


def reprice(chain: Chain, receipt: Receipt) -> int:
    """Gas of a mined transaction under the drafts; the node must trace (Anvil does)."""
    created, changed = count_slots(chain, receipt)
    data = bytes(chain.w3.eth.get_transaction(receipt.transaction_hash)["input"])
    executed = receipt.gas_used + created * (NEW_SLOT - NEW_SLOT_TODAY) + changed * (CHANGED_SLOT - CHANGED_SLOT_TODAY)
    return max(executed, INTRINSIC + CALLDATA_FLOOR * len(data))


def count_slots(chain: Chain, receipt: Receipt) -> tuple[int, int]:
    """How many storage slots a mined transaction created, and how many it changed."""
    options = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
    answer = chain._request("debug_traceTransaction", receipt.transaction_hash, options)
    before = {(address, slot) for address, entry in answer["pre"].items() for slot in read_set(entry)}
    after = {(address, slot) for address, entry in answer["post"].items() for slot in read_set(entry)}
    return len(after - before), len(before)


def read_set(entry: dict) -> set[str]:
    """The slots of an account's entry that are not zero."""
    return {slot for slot, value in entry.get("storage", {}).items() if int(value, 16)}
