"""A proving key is tried on synthetic accounts before it ever sees a real one.

A key with one foreign point has the true verifying half, passes every check of points, and makes proofs that verify for
just those accounts in which that point's wire is zero: whether a proof appears then tells whoever served the key one
chosen bit of the account (a sign, say). So a key that is new here first proves random transitions that belong to
nobody: every position, leg, flow, helper, excess and slack other than zero, and each slot long in one of two and short
in the other. Their proofs must verify.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.policy.arithmetic import compute_charges, evaluate_rows
from zkmargin.engine.policy.bytes import get_shapes
from zkmargin.engine.policy.record import HelperKind, Policy
from zkmargin.engine.presets import BITS, Preset
from zkmargin.prover import _native
from zkmargin.prover.account.escrow import CommitteeKey, Escrow, escrow_key, make_scalar
from zkmargin.prover.errors import KeyRefused, ProofRejected
from zkmargin.prover.groth16.witness import Value, compute_witness
from zkmargin.prover.statement.checkpoint import compute_evaluation, encrypt_checkpoint, list_numbers
from zkmargin.prover.statement.commitment import (
    compute_commitment,
    compute_state_digest,
    compute_trade_tag,
    empty_state,
    encrypt_word,
)
from zkmargin.prover.statement.packing import TradeTerms, pack_state_words, pack_trade
from zkmargin.prover.statement.policy_fields import pack_policy_fields, pack_settlement_fields
from zkmargin.prover.statement.secret import Secret

LARGEST = {"positions": 38, "charges": 2, "helpers": 13, "rate_long": 35, "rate_short": 35, "weights": 9}
"""Bits of the coefficients of a synthetic policy, within the bit budget."""
NONCE = 7


def try_key(circuit: str, preset: Preset, constraints: _native.Circuit, key: _native.ProvingKey) -> None:
    """Proves synthetic statements with the key.

    Raises
    ------
    KeyRefused
        If a proof does not verify: the key has a point that is not its circuit's.
    """
    for inputs in TRIALS[circuit](preset):
        try:
            key.prove(compute_witness(constraints, inputs))
        except ProofRejected:
            raise KeyRefused(
                f"the key of {circuit} at {preset.name} makes a proof of a synthetic statement that does not verify: "
                "it has a foreign point, and could tell whoever served it something about an account"
            ) from None


def make_transitions(preset: Preset) -> Iterator[dict[str, Value]]:
    """Inputs of two random transitions whose positions have opposite signs, with a trade, flows and a settlement."""
    signs = np.array([1 if secrets.randbits(1) else -1 for _ in range(preset.slots)], dtype=np.int64)
    for side in (1, -1):
        yield _make_transition(preset, side * signs, side)


def make_openings(preset: Preset) -> Iterator[dict[str, Value]]:
    """Inputs of one opening of an account that nobody has, for a committee that nobody is."""
    key, rho = Secret(_native.random_element()), make_scalar()
    escrow = escrow_key(key, CommitteeKey(make_scalar()).public, rho)
    yield {
        "commitment": compute_commitment(key, 0, compute_state_digest(empty_state(preset), preset)),
        **_name_escrow(escrow),
        "context": secrets.randbits(247) + 1,
        "key": key.reveal(),
        "ephemeralScalar": rho.reveal(),
    }


def make_revelations(preset: Preset) -> Iterator[dict[str, Value]]:
    """Inputs of the revelation of one random account."""
    state, key, rho = _make_state(preset), Secret(_native.random_element()), _native.random_element()
    yield {
        "commitment": compute_commitment(key, NONCE, compute_state_digest(state, preset)),
        "rho": rho,
        "evaluation": compute_evaluation(list_numbers(state, preset), rho),
        "key": key.reveal(),
        "nonce": NONCE,
        "cash": state.cash,
        "word": pack_state_words(state.positions, preset),
    }


def make_rekeyings(preset: Preset) -> Iterator[dict[str, Value]]:
    """Inputs of one random account that gets a new key, for a committee that nobody is."""
    state, scalar, rho = _make_state(preset), make_scalar(), _native.random_element()
    old, new = (Secret(_native.random_element()) for _ in range(2))
    digest = compute_state_digest(state, preset)
    yield {
        "commitmentOld": compute_commitment(old, NONCE, digest),
        "commitmentNew": compute_commitment(new, NONCE + 1, digest),
        **_name_escrow(escrow_key(new, CommitteeKey(make_scalar()).public, scalar)),
        "rho": rho,
        "evaluation": compute_evaluation(encrypt_checkpoint(state, new, NONCE + 1, preset), rho),
        "keyOld": old.reveal(),
        "keyNew": new.reveal(),
        "nonce": NONCE,
        "cash": state.cash,
        "word": pack_state_words(state.positions, preset),
        "ephemeralScalar": scalar.reveal(),
    }


TRIALS: Mapping[str, Callable[[Preset], Iterator[dict[str, Value]]]] = {
    "transition": make_transitions,
    "open": make_openings,
    "reveal": make_revelations,
    "rekey": make_rekeyings,
}
"""What makes the inputs of synthetic statements, by circuit."""


def _name_escrow(escrow: Escrow) -> dict[str, Value]:
    return {
        "ephemeralX": escrow.ephemeral[0],
        "ephemeralY": escrow.ephemeral[1],
        "escrowedKey": escrow.escrowed_key,
        "committeeX": escrow.committee[0],
        "committeeY": escrow.committee[1],
    }


def _make_state(preset: Preset) -> AccountState:
    return AccountState(_draw((preset.slots,), 29), secrets.randbits(79) + 1)


def _make_transition(preset: Preset, signs: np.ndarray, side: int) -> dict[str, Value]:
    slots = preset.slots
    moved = signs * np.abs(_draw((slots,), 20))
    flow = _draw((slots,), 10)
    legs = tuple((slot, int(value)) for slot, value in zip(_choose(slots), _draw((BITS.legs,), 20), strict=True))
    terms = TradeTerms(legs, secrets.randbits(40) + 1)
    held = moved - flow
    for slot, lots in terms.get_net_legs().items():
        held[slot] -= side * lots
    step = _make_step(preset)
    cash, cash_flow = secrets.randbits(50) + 1, secrets.randbits(40) + 1
    settled = sum(int(payoff) * int(lots) for payoff, lots in zip(step.payoff, moved, strict=True))
    after = AccountState(moved * (1 - step.drop), cash + side * terms.cash_usd6 + cash_flow + settled)

    helpers = [secrets.randbits(50) + 1 for _ in range(preset.helpers)]
    excess = [secrets.randbits(40) + 1 for _ in range(preset.excess_rows)]
    slacks = [secrets.randbits(70) + 1 for _ in range(preset.rows)]
    bare = _make_policy(preset, [0] * preset.rows)
    values = evaluate_rows(bare, after, helpers, excess)
    fields = {name: getattr(bare, name) for name in get_shapes(preset)}
    constants = [slack - value for slack, value in zip(slacks, values, strict=True)]
    policy = Policy(name="trial", preset=preset, constants=tuple(constants), helper_kinds=bare.helper_kinds, **fields)

    viewing, hiding = (Secret(_native.random_element()) for _ in range(2))
    word = pack_trade(terms, preset)
    tag = compute_trade_tag(word, hiding)
    before = AccountState(held, cash)
    padded = terms.get_padded_legs()
    return {
        "commitmentOld": compute_commitment(viewing, NONCE, compute_state_digest(before, preset)),
        "commitmentNew": compute_commitment(viewing, NONCE + 1, compute_state_digest(after, preset)),
        "tradeTag": tag,
        "ciphertext": encrypt_word(word, viewing, NONCE, tag),
        "side": side,
        "write": 1,
        "context": secrets.randbits(247) + 1,
        "cashFlow": cash_flow,
        "flow": flow,
        **pack_settlement_fields(step),
        **pack_policy_fields(policy),
        "position": moved,
        "cash": cash,
        "key": viewing.reveal(),
        "nonce": NONCE,
        "legSlot": [slot for slot, _ in padded],
        "legLots": [lots for _, lots in padded],
        "tradeCash": terms.cash_usd6,
        "salt": hiding.reveal(),
        "excess": excess,
        "helper": helpers,
        "charge": list(compute_charges(policy, after.positions)),
        "slack": slacks,
    }


def _make_step(preset: Preset) -> ExpiryStep:
    """Drops about one slot in eight that holds no collateral, and pays for it."""
    drop = np.array([secrets.randbits(3) == 0 for _ in range(preset.slots)], dtype=np.int64)
    drop[list(preset.collateral_slots)] = 0
    return ExpiryStep(preset, drop, drop * np.abs(_draw((preset.slots,), 20)))


def _make_policy(preset: Preset, constants: list[int]) -> Policy:
    """Random coefficients within the bit budget, none of them zero; it need have no form."""
    arrays = {name: _draw(shape, LARGEST[name]) for name, shape in get_shapes(preset).items() if name in LARGEST}
    for name in ("rate_long", "rate_short", "weights"):
        arrays[name] = np.abs(arrays[name])
    shapes = get_shapes(preset)
    return Policy(
        name="trial",
        preset=preset,
        constants=tuple(constants),
        cash=np.ones(shapes["cash"], dtype=np.int64),
        excess_total=-np.ones(shapes["excess_total"], dtype=np.int64),
        soft=np.ones(shapes["soft"], dtype=np.int64),
        helper_kinds=(HelperKind.UNUSED,) * preset.helpers,
        **arrays,
    )


def _draw(shape: tuple[int, ...], bits: int) -> np.ndarray:
    """Random numbers other than zero, below 2^bits in size, of either sign."""
    count = int(np.prod(shape, dtype=np.int64))
    values = [(1 + secrets.randbelow((1 << bits) - 1)) * (1 if secrets.randbits(1) else -1) for _ in range(count)]
    return np.array(values, dtype=np.int64).reshape(shape)


def _choose(slots: int) -> list[int]:
    """Distinct slots, one for each leg."""
    chosen: set[int] = set()
    while len(chosen) < BITS.legs:
        chosen.add(secrets.randbelow(slots))
    return sorted(chosen)
