"""Zero-knowledge portfolio margin: prove that a hidden derivatives portfolio meets a real margin requirement, and
settle its trades on an EVM chain.

The names below are the whole of what a user needs; `import zkmargin as zk`. They are loaded when they are first used.

- money: `usd`, `Usd6` (signed micro-dollars), `Lots`
- what is risked: `Market`, `Portfolio` (by instrument name), `AccountState` (by slot), `Parameters`
- the rule: `House`, which answers every question at one market, `MarginReport`, `RequirementNotMet`, `Policy`, `Epoch`
- on chain: `Wallet`, `Venue` (`connect`), `Node` (a venue whose accounts are kept in a folder), `LocalVenue`, `Trader`,
  `TradeQueue`, `Deployment`
- publishers and proofs: `Publisher`, `Prover`, `Verifier`, `AttestationRequest`, `verify_attestation`,
  `AttestationVerifier` (on chain, for another contract)
- `ZkMarginError`, the root of every error
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zkmargin.contracts.attestation_verifier import AttestationVerifier
    from zkmargin.contracts.deployment import Deployment
    from zkmargin.contracts.local_venue import LocalVenue
    from zkmargin.contracts.publisher import Publisher
    from zkmargin.contracts.trade_queue import TradeQueue
    from zkmargin.contracts.trading import Trader, Venue
    from zkmargin.engine.account import AccountState, Portfolio
    from zkmargin.engine.epoch.record import Epoch
    from zkmargin.engine.errors import ZkMarginError
    from zkmargin.engine.house import House
    from zkmargin.engine.margin.parameters import Parameters
    from zkmargin.engine.margin.report import MarginReport
    from zkmargin.engine.market.market import Market
    from zkmargin.engine.policy.certificate import RequirementNotMet
    from zkmargin.engine.policy.record import Policy
    from zkmargin.engine.units import Lots, Usd6, usd
    from zkmargin.prover.attestation import AttestationRequest, verify_attestation
    from zkmargin.prover.groth16.provers import TransitionProver as Prover
    from zkmargin.prover.groth16.provers import TransitionVerifier as Verifier
    from zkmargin.prover.messages.wallet import Wallet
    from zkmargin.venue.node import Node

_HOMES = {
    "AccountState": "engine.account",
    "AttestationRequest": "prover.attestation",
    "AttestationVerifier": "contracts.attestation_verifier",
    "Deployment": "contracts.deployment",
    "Epoch": "engine.epoch.record",
    "House": "engine.house",
    "LocalVenue": "contracts.local_venue",
    "Lots": "engine.units",
    "MarginReport": "engine.margin.report",
    "Market": "engine.market.market",
    "Node": "venue.node",
    "Parameters": "engine.margin.parameters",
    "Policy": "engine.policy.record",
    "Portfolio": "engine.account",
    "Prover": "prover.groth16.provers:TransitionProver",
    "Publisher": "contracts.publisher",
    "RequirementNotMet": "engine.policy.certificate",
    "TradeQueue": "contracts.trade_queue",
    "Trader": "contracts.trading",
    "Usd6": "engine.units",
    "Venue": "contracts.trading",
    "Verifier": "prover.groth16.provers:TransitionVerifier",
    "Wallet": "prover.messages.wallet",
    "ZkMarginError": "engine.errors",
    "usd": "engine.units",
    "verify_attestation": "prover.attestation",
}
"""Module of each name, below `zkmargin`, and after a colon its name there where it is another."""

__all__ = [
    "AccountState", "AttestationRequest", "AttestationVerifier", "Deployment", "Epoch", "House", "LocalVenue", "Lots",
    "MarginReport", "Market", "Node", "Parameters", "Policy", "Portfolio", "Prover", "Publisher", "RequirementNotMet",
    "TradeQueue", "Trader", "Usd6", "Venue", "Verifier", "Wallet", "ZkMarginError", "usd", "verify_attestation",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, original = _HOMES[name].partition(":")
    value = getattr(import_module(f"{__name__}.{module}"), original or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
