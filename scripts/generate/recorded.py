"""Record a venue with real keys and real proofs for tests of Foundry: contracts/forge/recorded.json.

    python -m zkmargin.scripts.generate.recorded

The venue lives on an Anvil of its own, at `mini`, where proofs take milliseconds. The record holds its transactions as
they were sent. Contracts stand in it by name and constructor arguments, so that whoever plays it deploys the contracts
as they are now; they get the recorded addresses, which the proofs are bound to. Record again when that fails: after a
change of the circuits, of a message or of an interface. `RecordedVenue.sol` plays it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zkmargin.contracts.chain import Chain
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.contracts.trading import Trader
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.units import usd
from zkmargin.prover.attestation import AttestationRequest
from zkmargin.prover.messages.wallet import Wallet

PATH = Path(__file__).resolve().parents[2] / "contracts" / "forge" / "recorded.json"
MARKET, PRESET, PERPETUAL = "deribit_2026-08-22", "mini", "BTC-PERPETUAL"
FILES = {"TestUSDC": "TestTokens", "TestWETH": "TestTokens"}
"""Source file of a contract where it has another name."""
ABOUT = (
    "Real keys and proofs at preset mini, by python -m zkmargin.scripts.generate.recorded; RecordedVenue.sol plays it."
)
Recorded = dict[str, Any]


def record() -> Recorded:
    """A venue up to two funded accounts and an epoch (`set_up`), then what they do (`calls`, by name, in order)."""
    with LocalVenue(to_preset(load_snapshot(MARKET), PRESET)) as venue:
        venue.post_epoch()
        alice, bob = (venue.open(Wallet.create(), cash=usd(100_000)) for _ in range(2))
        venue.chain.travel(15)
        venue.post_epoch(with_snapshot=False)
        set_up = [_describe(venue.chain, item) for item in _read_transactions(venue.chain)]
        return {
            "about": ABOUT,
            "chain_id": venue.chain.id,
            "contracts": _name_contracts(set_up),
            "set_up": set_up,
            "accounts": {"alice": f"0x{alice.id.hex()}", "bob": f"0x{bob.id.hex()}"},
            "calls": dict(_act(venue, alice, bob)),
        }


def _act(venue: LocalVenue, alice: Trader, bob: Trader) -> Iterator[tuple[str, Recorded]]:
    quote = bob.quote(alice.request({PERPETUAL: 5}), taker_pays=usd(10))
    venue.settle(alice.accept(quote))
    yield "trade", _describe_last(venue.chain)
    alice.attest()
    yield "attest", _describe_last(venue.chain)
    recipient = venue.chain.accounts[7]
    asked = AttestationRequest.create(alice.id, "net_delta", recipient)
    verifier = venue.contracts.attestations
    shown = verifier.encode_check(asked, alice.attest_to(asked), venue.epoch.points, max_age=300)
    yield "check", {"from": recipient, "to": verifier.contract.address, "time": venue.chain.time, "data": shown}
    alice.withdraw(usd(100))
    yield "withdraw", _describe_last(venue.chain)


def _read_transactions(chain: Chain) -> Iterator[Mapping[str, Any]]:
    for number in range(1, chain.get_block("latest").number + 1):
        block: Mapping[str, Any] = chain.w3.eth.get_block(number, full_transactions=True)
        yield from block["transactions"]


def _describe_last(chain: Chain) -> Recorded:
    *_, last = _read_transactions(chain)
    return _describe(chain, last)


def _describe(chain: Chain, transaction: Mapping[str, Any]) -> Recorded:
    """Sender, its number of transactions before, unix seconds, and what was called or created."""
    data = "0x" + bytes(transaction["input"]).hex()
    common = {
        "from": transaction["from"],
        "nonce": transaction["nonce"],
        "time": chain.get_block(transaction["blockNumber"]).time,
    }
    if transaction["to"] is not None:
        return {**common, "to": transaction["to"], "data": data}
    created = chain.w3.eth.get_transaction_receipt(transaction["hash"])["contractAddress"]
    codes = {name: artifact.bytecode for name, artifact in compile_contracts().items() if artifact.bytecode != "0x"}
    [name] = [name for name, code in codes.items() if data.startswith(code)]
    return {
        **common,
        "file": FILES.get(name, name),
        "name": name,
        "to": created,
        "data": "0x" + data.removeprefix(codes[name]),
    }


def _name_contracts(set_up: list[Recorded]) -> dict[str, str]:
    return {step["name"]: step["to"] for step in set_up if "name" in step}


if __name__ == "__main__":
    PATH.write_text(json.dumps(record(), indent=1) + "\n")
    print(f"wrote {PATH.name}, {PATH.stat().st_size:,} bytes")
