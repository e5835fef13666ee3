"""Claims about one account that an owner shows a third party, each as a policy.

A claim is not an epoch's policy: nobody signs it. Whoever asks builds it from the claim's own numbers and the epoch's
signed snapshot, so both sides have the same policy, and a proof for it shows the claim and nothing besides.

| claim | rows |
|---|---|
| position | W (q - least) + m - K_2 >= 0 and W (most - q) + m - K_2 >= 0 on one slot; m is the most that K_2 can be |
| survival | cash + sum of price after the move times q - K_2 >= 0 |
| ratio | maintenance, with each loss of its scenarios counted as so many percent |

Named claims are shipped in `claims.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import chain
from math import gcd
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from zkmargin.engine.errors import OutOfRange, UnknownName
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.stress import move_market
from zkmargin.engine.policy.checks import check_policy
from zkmargin.engine.policy.draft import Draft
from zkmargin.engine.policy.record import ROUNDING, Policy, blank_policy_fields
from zkmargin.engine.presets import BITS
from zkmargin.engine.units import to_usd6

LARGEST_LOTS = (1 << BITS.position) - 1
"""Most lots that a slot holds."""
POSITION_WEIGHT = (1 << BITS.coefficient) - 1
"""W: above the room that is left for K_2, so that one lot beyond a bound outweighs it."""
CLAIMS = Path(__file__).with_name("claims.json")


@dataclass(frozen=True)
class PositionClaim:
    """The account holds between `least` and `most` lots of one instrument; equal bounds show the position itself.

    Raises
    ------
    OutOfRange
        If a bound is beyond what a slot holds, or `least` is above `most`.
    """

    kind: ClassVar[str] = "position"
    instrument: str
    """Canonical name."""
    least: int
    """Signed lots."""
    most: int
    """Signed lots."""

    def __post_init__(self) -> None:
        _require_whole("most lots", self.most, -LARGEST_LOTS, LARGEST_LOTS)
        _require_whole("least lots", self.least, -LARGEST_LOTS, self.most)

    def __str__(self) -> str:
        if self.least == self.most:
            return f"holds exactly {self.least} lots of {self.instrument}"
        return f"holds {self.least} to {self.most} lots of {self.instrument}"

    def build(self, house: HouseModel) -> Policy:
        """Two rows on one slot. K_2, one per lot of the account, is what every row with positions subtracts; the room
        for its largest value stands beside it, and a lot outweighs that. Raises `UnknownName` for what is not
        listed."""
        listing = house.snapshot.listing
        slots = {item.name: item.slot for item in listing.instruments if item is not None}
        if self.instrument not in slots:
            raise UnknownName("instrument", self.instrument, slots)
        slot, preset = slots[self.instrument], listing.preset
        fields = blank_policy_fields(preset)
        fields["rate_long"][ROUNDING] = fields["rate_short"][ROUNDING] = 1
        room = preset.slots << BITS.position
        for row, sign, bound in ((preset.excess_rows, 1, self.least), (preset.excess_rows + 1, -1, self.most)):
            fields["positions"][row, slot] = sign * POSITION_WEIGHT
            fields["charges"][row, ROUNDING] = -1
            fields["constants"][row] = -sign * POSITION_WEIGHT * bound + room
        return _finish(self.kind, house, fields)


@dataclass(frozen=True)
class SurvivalClaim:
    """After that move of every coin, volatilities as they are, the account's equity is not negative.

    Raises
    ------
    OutOfRange
        If the move is none of -95 to 500 percent, or zero.
    """

    kind: ClassVar[str] = "survival"
    move_percent: int
    """Relative move of every coin's price."""

    def __post_init__(self) -> None:
        _require_whole("move in percent", self.move_percent, -95, 500)

    def __str__(self) -> str:
        return f"has equity left after a move of {self.move_percent:+d} % in every coin"

    def build(self, house: HouseModel) -> Policy:
        """One row: prices after the move, rounded to nearest, and K_2 against the rounding."""
        snapshot, coins = house.snapshot, house.snapshot.listing.preset.coins
        moved = move_market(
            snapshot,
            house.shortfall.scenarios.decay,
            prices=dict.fromkeys(coins, self.move_percent / 100),
            volatilities=dict.fromkeys(coins, 1.0),
        )
        draft, row = Draft(snapshot.listing.preset), snapshot.listing.preset.excess_rows
        draft.add_rounding()
        draft.fields["positions"][row] = to_usd6(HouseModel(moved, house.parameters).prices)
        draft.fields["cash"][row] = 1
        draft.fields["charges"][row, ROUNDING] = -1
        return _finish(self.kind, house, draft.fields)


@dataclass(frozen=True)
class RatioClaim:
    """Equity after charges is at least that share of the margin that maintenance requires for its scenarios.

    Raises
    ------
    OutOfRange
        If the share is none of 100 to 1,000 percent.
    """

    kind: ClassVar[str] = "ratio"
    percent: int
    """100 is the maintenance requirement itself."""

    def __post_init__(self) -> None:
        _require_whole("ratio in percent", self.percent, 100, 1_000)

    def __str__(self) -> str:
        return f"has equity after charges of at least {self.percent} % of its maintenance scenario margin"

    def build(self, house: HouseModel) -> Policy:
        """Maintenance, in which the row that sums the losses, and that of the shortfall, ask for more equity; the
        shortfall's weight is rounded down, against the owner."""
        base = house.get_policy("maintenance")
        helpers, layout = base.helpers.copy(), Draft(base.preset).layout
        losses, equity = [*layout.losses.values(), *chain(*layout.transfers.values())], layout.equity_helper
        total = helpers[layout.total]
        total[losses], total[equity] = total[losses] * self.percent, total[equity] * 100
        total //= gcd(*(int(weight) for weight in total if weight))
        helpers[layout.tail, equity] = helpers[layout.tail, equity] * 100 // self.percent
        policy = replace(base, name=_name(self.kind), helpers=helpers)
        check_policy(policy, house.snapshot.listing.is_listed)
        return policy


Claim = PositionClaim | SurvivalClaim | RatioClaim
KINDS: Mapping[str, type[Claim]] = {claim.kind: claim for claim in (PositionClaim, SurvivalClaim, RatioClaim)}


def to_document(claim: Claim) -> dict[str, object]:
    """The claim as JSON has it."""
    return {"kind": claim.kind, **asdict(claim)}


def read_claim(document: Mapping[str, object]) -> Claim:
    """The claim of a document.

    Raises
    ------
    UnknownName
        If the kind or a field is none of a claim's, or one is missing.
    OutOfRange
        If a number is outside its range.
    """
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UnknownName("kind of claim", str(kind), KINDS)
    allowed = ["kind", *KINDS[kind].__dataclass_fields__]
    for name in {*document} ^ {*allowed}:
        raise UnknownName(f"field of a {kind} claim", name, allowed)
    return KINDS[kind](**{name: value for name, value in document.items() if name != "kind"})  # type: ignore[arg-type]


@cache
def load_claims() -> Mapping[str, Claim]:
    """The claims that are shipped, by name."""
    documents = json.loads(CLAIMS.read_text(encoding="utf-8"))
    return MappingProxyType({name: read_claim(document) for name, document in documents.items()})


def _name(kind: str) -> str:
    """No epoch's policy is named like this."""
    return f"claim: {kind}"


def _finish(kind: str, house: HouseModel, fields: Mapping[str, object]) -> Policy:
    listing = house.snapshot.listing
    policy = Policy(name=_name(kind), preset=listing.preset, **fields)  # type: ignore[arg-type]
    check_policy(policy, np.asarray(listing.is_listed))
    return policy


def _require_whole(what: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise OutOfRange(what, value, low, high)
