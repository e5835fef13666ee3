"""Accounts, policies and epochs for tests: small, written out, and not the engine's models."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.epoch.expiry import ExpiryStep, identity_expiry_step
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.policy.record import blank_policy_fields as blank
from zkmargin.engine.presets import Preset, get_preset
from zkmargin.prover.account.account import Account, compute_account_id, derive_key
from zkmargin.prover.attestation import ChainFacts
from zkmargin.prover.groth16.provers import TransitionVerifier
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.prover.session import Session
from zkmargin.prover.statement.secret import Secret

MINI = get_preset("mini")
DOMAIN = Domain(31337, "0x" + "11" * 20, "0x" + "22" * 20)
ALICE = Wallet.from_key("0x" + "0a" * 32)
BOB = Wallet.from_key("0x" + "0b" * 32)
RECIPIENT = "0x" + "33" * 20
PRICE = 1_000_000
"""Micro-dollars per lot of every slot."""
MARGIN = 400_000
"""Micro-dollars asked per lot of a derivative, long or short, by `initial`; half of it by `maintenance`."""


def make_policy(name: str, margin: int, *, cash_not_negative: bool = False, preset: Preset = MINI) -> Policy:
    """cash + price q - margin |q| (derivatives) - |q| >= 0 in the first hard row; the last row may ask cash >= 0."""
    fields = blank(preset)
    equity, debt = preset.excess_rows, preset.rows - 1
    fields["positions"][equity, :] = PRICE
    fields["cash"][equity] = 1
    fields["charges"][equity] = (-1, -1)
    fields["rate_long"][0, list(preset.derivative_slots)] = margin
    fields["rate_short"][0, list(preset.derivative_slots)] = margin
    fields["rate_long"][1, :] = fields["rate_short"][1, :] = 1
    if cash_not_negative:
        fields["cash"][debt] = 1
    return Policy(name=name, preset=preset, **fields)


def make_delta_limit(limit: int, preset: Preset = MINI) -> Policy:
    """limit - sum q >= 0 and limit + sum q >= 0, in lots, with a little room for the rounding charge of one per lot."""
    fields = blank(preset)
    row = preset.excess_rows
    fields["positions"][row, :], fields["positions"][row + 1, :] = -PRICE, PRICE
    fields["constants"][row] = fields["constants"][row + 1] = limit * PRICE + PRICE // 2
    fields["charges"][row, 1] = fields["charges"][row + 1, 1] = -1
    fields["rate_long"][1, :] = fields["rate_short"][1, :] = 1
    return Policy(name="net_delta", preset=preset, **fields)


@dataclass
class Scene:
    """An epoch as the builder sees it."""

    number: int = 9
    generation: int = 0
    settlement: ExpiryStep = field(default_factory=lambda: identity_expiry_step(MINI))
    policies: dict = field(
        default_factory=lambda: {
            "initial": make_policy("initial", MARGIN),
            "maintenance": make_policy("maintenance", MARGIN // 2),
            "withdraw": make_policy("withdraw", MARGIN, cash_not_negative=True),
            "net_delta": make_delta_limit(5),
        }
    )


def make_session(epoch: Scene | None = None, valid_until: int = 9, domain: Domain = DOMAIN) -> Session:
    """A session at `mini`, by default at the epoch of a `Scene`."""
    return Session(domain, MINI, 1, epoch or Scene(), valid_until)


def make_settlement(drops: dict[int, int], preset: Preset = MINI) -> ExpiryStep:
    """Drop these slots, each with its payoff per lot."""
    drop, payoff = (np.zeros(preset.slots, dtype=np.int64) for _ in range(2))
    for slot, paid in drops.items():
        drop[slot], payoff[slot] = 1, paid
    return ExpiryStep(preset, drop, payoff)


@cache
def get_key(wallet: Wallet, index: int = 0) -> Secret:
    """Viewing key of the wallet's account; derived once, as signing is slow."""
    return derive_key(wallet, DOMAIN, compute_account_id(DOMAIN, wallet.address, index))


def make_account(
    wallet: Wallet = ALICE,
    lots: dict[int, int] | None = None,
    cash: int = 0,
    index: int = 0,
    generation: int = 0,
    preset: Preset = MINI,
) -> Account:
    """An account of the wallet with these lots by slot and this cash, after one transition."""
    account = Account.create(DOMAIN, wallet.address, index, get_key(wallet, index), preset, generation)
    positions = np.zeros(preset.slots, dtype=np.int64)
    for slot, count in (lots or {}).items():
        positions[slot] = count
    return account.advance(AccountState(positions, cash), generation)


def make_facts(account: Account, epoch: Epoch, verifier: TransitionVerifier, time: int) -> ChainFacts:
    """What the chain says of an active account of generation 0 at an epoch."""
    return ChainFacts(
        domain=DOMAIN,
        verifier=verifier,
        is_active=True,
        is_key_live=True,
        commitment=account.commitment,
        generation=0,
        key_version=1,
        epoch=epoch.number,
        epoch_generation=epoch.generation,
        policy_hash=epoch.policy_hash,
        policy_bytes=epoch.policy_bytes,
        time=time,
    )
