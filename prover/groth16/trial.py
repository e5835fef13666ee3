"""A proving key is tried on synthetic accounts before it ever sees a real one.

A key with one foreign point has the true verifying half, passes every check of points, and makes proofs that verify for
just those accounts in which that point's wire is zero: whether a proof appears then tells whoever served the key one
chosen bit of the account (a sign, say). So a key that is new here first proves random statements that belong to nobody.
Their proofs must verify.

Statements come in pairs of which one mirrors the other: where one has the number v, the other has -1 - v, or
2^b - 1 - v for an unsigned number of b bits. So each bit of a range check is one in one of the two, each sign is both,
and each slot is dropped in one. Of wires that may be zero in all statements only these depend on an account: the choice
of a slot by a leg of a trade (a pair makes two of N choices a leg), bits of charges and of an escrow's scalar (random
in each statement), and bits of a slack beyond 2^79. A key that is foreign in two points that cancel for equal bits
passes a pair with probability one half, and all of them with 2^-`PAIRS`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from zkmargin.engine.account import MAX_CASH, AccountState
from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.policy.arithmetic import compute_charges, evaluate_rows
from zkmargin.engine.policy.bytes import get_shapes
from zkmargin.engine.policy.record import HelperKind, Policy
from zkmargin.engine.presets import BITS, Preset
from zkmargin.prover import _native
from zkmargin.prover.account.escrow import CommitteeKey, escrow_key, make_scalar
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
PAIRS = 4
"""Pairs of statements that a key proves."""
LEFT_FREE = {"position": 1 << 29, "cash": 1 << 79}
"""Of the ranges of positions and cash, what a trade, flows, a settlement and a row's other terms may move."""
SLACK = BITS.constant - 1
"""Bits of a synthetic slack, which a row's constant makes."""


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
    """Inputs of pairs of random transitions with a trade, flows and, in every other pair, a settlement."""
    for pair in range(PAIRS):
        numbers = _Numbers.draw(preset, pair)
        yield _make_transition(preset, numbers, 1)
        yield _make_transition(preset, numbers.mirror(preset), -1)


def make_openings(preset: Preset) -> Iterator[dict[str, Value]]:
    """Inputs of openings of accounts that nobody has, for committees that nobody is."""
    for _ in range(2 * PAIRS):
        key, rho = Secret(_native.random_element()), make_scalar()
        escrow = escrow_key(key, CommitteeKey(make_scalar()).public, rho)
        yield {
            "commitment": compute_commitment(key, 0, compute_state_digest(empty_state(preset), preset)),
            **escrow.name_public_signals(),
            "context": secrets.randbits(247) + 1,
            "key": key.reveal(),
            "ephemeralScalar": rho.reveal(),
        }


def make_revelations(preset: Preset) -> Iterator[dict[str, Value]]:
    """Inputs of the revelation of random accounts."""
    for state in _make_states(preset):
        key, rho = Secret(_native.random_element()), _native.random_element()
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
    """Inputs of random accounts that get new keys, for committees that nobody is."""
    for state in _make_states(preset):
        scalar, rho = make_scalar(), _native.random_element()
        old, new = (Secret(_native.random_element()) for _ in range(2))
        digest = compute_state_digest(state, preset)
        yield {
            "commitmentOld": compute_commitment(old, NONCE, digest),
            "commitmentNew": compute_commitment(new, NONCE + 1, digest),
            **escrow_key(new, CommitteeKey(make_scalar()).public, scalar).name_public_signals(),
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


@dataclass(frozen=True)
class _Numbers:
    """What a synthetic transition is made of: every number that its circuit checks bit by bit, and what is dropped."""

    moved: np.ndarray
    """(N,) lots after trade and flow."""
    legs: tuple[tuple[int, int], ...]
    """(slot, lots that side +1 receives)."""
    trade_cash: int
    cash: int
    """After the transition."""
    helpers: list[int]
    excess: list[int]
    slacks: list[int]
    drop: np.ndarray
    """(N,) 1 where a slot is dropped; nowhere without a settlement."""
    cash_rows: int
    """The rows of this place in each three count cash; those have the slack that is left for them."""

    @classmethod
    def draw(cls, preset: Preset, pair: int) -> _Numbers:
        """Random ones, whose old state is one, too: the rest of the transition moves less than what is left free."""
        return cls(
            moved=_draw_signed(preset.slots, (1 << BITS.position) - LEFT_FREE["position"]),
            legs=tuple((secrets.randbelow(preset.slots), int(lots)) for lots in _draw_signed(BITS.legs, 1 << BITS.leg)),
            trade_cash=_draw_below(1 << BITS.trade_cash),
            cash=_draw_below((1 << BITS.cash) - LEFT_FREE["cash"]),
            helpers=[secrets.randbits(BITS.helper) for _ in range(preset.helpers)],
            excess=[secrets.randbits(BITS.excess) for _ in range(preset.excess_rows)],
            slacks=[secrets.randbits(SLACK) for _ in range(preset.rows)],
            drop=np.array([secrets.randbits(1) for _ in range(preset.slots)]) * _find_droppable(preset) * (pair % 2),
            cash_rows=pair % 3,
        )

    def mirror(self, preset: Preset) -> _Numbers:
        """The ones whose every bit is the other."""
        return _Numbers(
            moved=-1 - self.moved,
            legs=tuple((preset.slots - 1 - slot, -1 - lots) for slot, lots in self.legs),
            trade_cash=-1 - self.trade_cash,
            cash=-1 - self.cash,
            helpers=[(1 << BITS.helper) - 1 - value for value in self.helpers],
            excess=[(1 << BITS.excess) - 1 - value for value in self.excess],
            slacks=[(1 << SLACK) - 1 - value for value in self.slacks],
            drop=(_find_droppable(preset) - self.drop) * self.drop.any(),
            cash_rows=self.cash_rows,
        )


def _find_droppable(preset: Preset) -> np.ndarray:
    """(N,) 1 for each slot that holds no collateral."""
    droppable = np.ones(preset.slots, dtype=np.int64)
    droppable[list(preset.collateral_slots)] = 0
    return droppable


def _make_states(preset: Preset) -> Iterator[AccountState]:
    """Pairs of random accounts of which one mirrors the other."""
    for _ in range(PAIRS):
        positions, cash = (
            _draw_signed(preset.slots, (1 << BITS.position) - LEFT_FREE["position"]),
            _draw_below(MAX_CASH),
        )
        yield AccountState(positions, cash)
        yield AccountState(-1 - positions, -1 - cash)


def _make_transition(preset: Preset, numbers: _Numbers, side: int) -> dict[str, Value]:
    moved, helpers, excess = numbers.moved, numbers.helpers, numbers.excess
    flow = _draw((preset.slots,), 10)
    terms = TradeTerms(numbers.legs, numbers.trade_cash)
    held = moved - flow
    for slot, lots in terms.get_net_legs().items():
        held[slot] -= side * lots
    step = ExpiryStep(preset, numbers.drop, numbers.drop * np.abs(_draw((preset.slots,), 20)))
    cash_flow = secrets.randbits(40) + 1
    settled = sum(int(payoff) * int(lots) for payoff, lots in zip(step.payoff, moved, strict=True))
    cash = numbers.cash - side * terms.cash_usd6 - cash_flow - settled
    after = AccountState(moved * (1 - step.drop), numbers.cash)

    bare = _make_policy(preset, [0] * preset.rows, numbers.cash_rows)
    values = evaluate_rows(bare, after, helpers, excess)
    fields = {name: getattr(bare, name) for name in get_shapes(preset)}
    limit = (1 << BITS.constant) - 1
    constants = [min(max(slack - value, -limit), limit) for slack, value in zip(numbers.slacks, values, strict=True)]
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
        "slack": [value + constant for value, constant in zip(values, constants, strict=True)],
    }


def _make_policy(preset: Preset, constants: list[int], cash_rows: int) -> Policy:
    """Random coefficients within the bit budget, none of them zero; it need have no form."""
    arrays = {name: _draw(shape, LARGEST[name]) for name, shape in get_shapes(preset).items() if name in LARGEST}
    for name in ("rate_long", "rate_short", "weights"):
        arrays[name] = np.abs(arrays[name])
    shapes = get_shapes(preset)
    return Policy(
        name="trial",
        preset=preset,
        constants=tuple(constants),
        cash=(np.arange(preset.rows) % 3 == cash_rows).astype(np.int64),
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


def _draw_signed(count: int, bound: int) -> np.ndarray:
    """(count,) random numbers in [-bound, bound)."""
    return np.array([_draw_below(bound) for _ in range(count)], dtype=np.int64)


def _draw_below(bound: int) -> int:
    """A random number in [-bound, bound), where also its mirror is."""
    return secrets.randbelow(2 * bound) - bound
