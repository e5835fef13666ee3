"""The statement in plain integers: what `transition` must accept, computed without circuit, prover or engine.

A `Case` holds the plain quantities; `compute` derives the rest by the sentences of docs/protocol.md, "The statement",
and returns every input signal of the circuit. Nothing is checked here: a case may be one that the circuit must refuse.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.poseidon_reference import P, poseidon

ROOT = Path(__file__).parents[2]
_SIZES = json.loads((ROOT / "engine/presets.json").read_text())
_TAGS = json.loads((ROOT / "prover/statement/statement.json").read_text())["tags"]
MINI = _SIZES["presets"]["mini"]
SLOTS, ROWS, EXCESS, HELPERS = MINI["slots"], MINI["rows"], MINI["excess_rows"], MINI["helpers"]
LEGS = 4
LANE = 1 << 84


def tag(name: str) -> int:
    """Domain tag as an integer: the ASCII bytes of its text, big-endian."""
    return int.from_bytes(_TAGS[name].encode("ascii"), "big")


def hash_chain(values: list[int]) -> int:
    """First 16 inputs, then the accumulator with the next 15, until none is left."""
    accumulator, rest = poseidon(values[:16]), values[16:]
    while rest:
        accumulator, rest = poseidon([accumulator, *rest[:15]]), rest[15:]
    return accumulator


def pack_positions(positions: list[int]) -> list[int]:
    """Seven 32-bit lanes to a word, each offset by 2^30."""
    return [
        sum((q + 2**30) * 2 ** (32 * k) for k, q in enumerate(positions[start : start + 7]))
        for start in range(0, len(positions), 7)
    ]


def commit(key: int, nonce: int, positions: list[int], cash: int) -> int:
    """C of a state."""
    digest = hash_chain([tag("STATE"), cash, *pack_positions(positions)])
    return poseidon([tag("COMMITMENT"), key, nonce, digest])


def pack_trade(legs: list[tuple[int, int]], cash: int) -> int:
    """The trade word of four legs (slot, lots) and a cash amount."""
    word = sum((slot + (lots + 2**28) * 2**8) * 2 ** (37 * k) for k, (slot, lots) in enumerate(legs))
    return word + (cash + 2**63) * 2**148


def pack_lanes(values: list[int]) -> int:
    """Three signed integers in 84-bit lanes."""
    return sum(value * LANE**k for k, value in enumerate(values))


def pack_rows(table: list) -> list:
    """Rows in threes: a list over rows of numbers or of equal lists, to a list over packed rows."""
    packed = []
    for start in range(0, len(table), 3):
        trio = table[start : start + 3]
        packed.append(
            [pack_lanes(list(c)) for c in zip(*trio, strict=True)] if isinstance(trio[0], list) else pack_lanes(trio)
        )
    return packed


@dataclass(frozen=True)
class Rule:
    """A policy as plain integers; every row of zeros with a constant of zero holds with slack 0."""

    positions: list = field(default_factory=lambda: [[0] * SLOTS for _ in range(ROWS)])
    cash: list = field(default_factory=lambda: [0] * ROWS)
    charges: list = field(default_factory=lambda: [[0, 0] for _ in range(ROWS)])
    excess: list = field(default_factory=lambda: [0] * ROWS)
    helpers: list = field(default_factory=lambda: [[0] * HELPERS for _ in range(ROWS)])
    constants: list = field(default_factory=lambda: [0] * ROWS)
    soft: list = field(default_factory=lambda: [0] * EXCESS)
    weights: list = field(default_factory=lambda: [0] * EXCESS)
    rate_long: list = field(default_factory=lambda: [[0] * SLOTS, [0] * SLOTS])
    rate_short: list = field(default_factory=lambda: [[0] * SLOTS, [0] * SLOTS])

    def with_rows(self, **columns: dict) -> "Rule":
        """A copy in which the given columns have other entries: with_rows(cash={3: 1}, positions={3: [...]})."""
        return replace(
            self,
            **{
                name: [entries.get(row, old) for row, old in enumerate(getattr(self, name))]
                for name, entries in columns.items()
            },
        )

    def but_weights(self, weight: int) -> "Rule":
        """A copy in which every excess row has that weight."""
        return replace(self, weights=[weight] * EXCESS)


@dataclass(frozen=True)
class Case:
    """One transition in plain quantities: lots, micro-dollars."""

    positions: list = field(default_factory=lambda: [0] * SLOTS)
    cash: int = 0
    key: int = 1234567890123456789012345678901234567890
    nonce: int = 3
    side: int = 0
    write: int = 1
    legs: list = field(default_factory=lambda: [(0, 0)] * LEGS)
    trade_cash: int = 0
    salt: int = 987654321
    cash_flow: int = 0
    flow: list = field(default_factory=lambda: [0] * SLOTS)
    drop: list = field(default_factory=lambda: [0] * SLOTS)
    payoff: list = field(default_factory=lambda: [0] * SLOTS)
    rule: Rule = field(default_factory=Rule)
    helpers: list = field(default_factory=lambda: [0] * HELPERS)
    excess: list = field(default_factory=lambda: [0] * EXCESS)
    context: int = 2**247 + 11

    def but(self, **changes) -> "Case":
        """A copy with other quantities."""
        return replace(self, **changes)

    @property
    def moved(self) -> list[int]:
        """r: positions after trade and flow, before the settlement drops any. Legs outside the slots do nothing."""
        legs = [sum(lots for slot, lots in self.legs if slot == i) for i in range(SLOTS)]
        return [q + self.side * leg + flow for q, leg, flow in zip(self.positions, legs, self.flow, strict=True)]

    @property
    def moved_without_trade(self) -> list[int]:
        """r as it would be with side 0."""
        return self.but(side=0).moved

    @property
    def positions_after(self) -> list[int]:
        """q'."""
        return [r - drop * r for r, drop in zip(self.moved, self.drop, strict=True)]

    @property
    def cash_after(self) -> int:
        """cash'."""
        paid = sum(payoff * r for payoff, r in zip(self.payoff, self.moved, strict=True))
        return self.cash + self.side * self.trade_cash + self.cash_flow + paid

    @property
    def charges(self) -> list[int]:
        """K_1, K_2."""
        return [
            sum(
                long * max(q, 0) + short * max(-q, 0)
                for long, short, q in zip(longs, shorts, self.positions_after, strict=True)
            )
            for longs, shorts in zip(self.rule.rate_long, self.rule.rate_short, strict=True)
        ]

    @property
    def excess_total(self) -> int:
        """X."""
        return sum(w * u * e for w, u, e in zip(self.rule.weights, self.rule.soft, self.excess, strict=True))

    @property
    def slacks(self) -> list[int]:
        """W_s . z + b_s + u_s e_s for each row; negative where a row fails."""
        rule, after, charges = self.rule, self.positions_after, self.charges
        counted = [u * e for u, e in zip(rule.soft, self.excess, strict=True)] + [0] * (ROWS - EXCESS)
        return [
            sum(w * q for w, q in zip(rule.positions[s], after, strict=True))
            + rule.cash[s] * self.cash_after
            + sum(w * k for w, k in zip(rule.charges[s], charges, strict=True))
            + rule.excess[s] * self.excess_total
            + sum(w * x for w, x in zip(rule.helpers[s], self.helpers, strict=True))
            + rule.constants[s]
            + counted[s]
            for s in range(ROWS)
        ]

    def compute(self) -> dict:
        """Every input signal of `transition` by name, as signed integers."""
        word = pack_trade(self.legs, self.trade_cash)
        tag_value = self.side**2 * poseidon([tag("TRADE"), word, self.salt]) % P
        pad = poseidon([tag("PAD"), self.key, self.nonce, tag_value])
        return {
            "commitmentOld": commit(self.key, self.nonce, self.positions, self.cash),
            "commitmentNew": self.write * commit(self.key, self.nonce + 1, self.positions_after, self.cash_after),
            "tradeTag": tag_value,
            "ciphertext": self.side**2 * (word + pad),
            "side": self.side,
            "write": self.write,
            "context": self.context,
            "cashFlow": self.cash_flow,
            "flow": self.flow,
            "drop": self.drop,
            "payoff": self.payoff,
            "rowPosition": pack_rows(self.rule.positions),
            "rowCash": pack_rows(self.rule.cash),
            "rowCharge": pack_rows(self.rule.charges),
            "rowExcess": pack_rows(self.rule.excess),
            "rowHelper": pack_rows(self.rule.helpers),
            "rowConstant": pack_rows(self.rule.constants),
            "soft": self.rule.soft,
            "weight": self.rule.weights,
            "rateLong": [pack_lanes(list(pair)) for pair in zip(*self.rule.rate_long, strict=True)],
            "rateShort": [pack_lanes(list(pair)) for pair in zip(*self.rule.rate_short, strict=True)],
            "position": self.moved,
            "cash": self.cash,
            "key": self.key,
            "nonce": self.nonce,
            "legSlot": [slot for slot, _ in self.legs],
            "legLots": [lots for _, lots in self.legs],
            "tradeCash": self.trade_cash,
            "salt": self.salt,
            "excess": self.excess,
            "helper": self.helpers,
            "charge": self.charges,
            "slack": self.slacks,
        }
