"""The record of a hedge: its target, what came of it, its trades, and the account before and after."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from zkmargin.engine.margin.verdict import Verdict


class Target(StrEnum):
    """What a hedge is for."""

    REQUIREMENT = "requirement"
    """The cheapest trades after which the policy is met."""
    MINIMISE = "minimise"
    """Trades that minimise requirement plus cost, the policy met."""


class Outcome(StrEnum):
    """What came of it."""

    NOT_NEEDED = "not needed"
    """The requirement is met as it is, or no trade frees more margin than it costs."""
    FOUND = "found"
    """Trades after which the policy is met, each of which the account can make."""
    CANNOT_BE_TRADED = "found, but cannot be traded"
    """After all trades the policy is met, but a trade on the way leaves the account without its initial margin."""
    NONE_WITHIN_CAPS = "none within liquidity and budget"
    """No trades within liquidity and budget meet it; the trades shown leave least missing."""
    NONE_IN_WHOLE_LOTS = "none in whole lots found"
    """Real lots would meet it, and no rounding was found that does."""
    BEYOND_LIMIT = "none: the exposure stays beyond its limit"
    """All that liquidity allows would leave a net delta beyond the largest; no programme was solved."""
    UNDECIDED = "undecided"
    """The solver gave no answer in time."""


@dataclass(frozen=True)
class HedgeTrade:
    """One instrument of a hedge. US dollars."""

    name: str
    """Instrument."""
    lots: int
    """Positive buys at the ask, negative sells at the bid."""
    price: float
    """Per coin."""
    mark: float
    """Per coin."""
    cost: float
    """Against the mark."""
    cap: int
    """Most lots that the liquidity allows on that side."""
    trade: int
    """Number of the trade that it belongs to, from 1."""


@dataclass(frozen=True)
class Hedge:
    """A hedge of an account. US dollars."""

    portfolio: str
    """Whose."""
    policy: str
    """What must be met."""
    target: Target
    """What for."""
    outcome: Outcome
    """What came of it."""
    trades: tuple[HedgeTrade, ...]
    """In the order in which they can be made; the account after them is what the fields below describe."""
    needed_trades: int
    """Trades of four legs that they need; a failing account can begin with one only that leaves it passing."""
    method: str
    """"rounded" or "whole lots", whichever is better."""
    cost: float
    """Of all trades against the mark."""
    bound: float | None
    """Least objective of the programme with real lots; none where it has no solution."""
    objective: float | None
    """The same of the whole lots: cost, or requirement (as the integer policy asks it) plus cost; none where the policy
    is not met after the trades."""
    requirement_before: float
    """At the policy's level."""
    requirement_after: float
    """After the trades."""
    margin_excess_before: float
    """Equity less requirement."""
    margin_excess_after: float
    """After the trades."""
    verdict: Verdict
    """What the integer policy says after the trades."""
    gap: float | None
    """Relative gap of the search over whole lots; none if it was not made or found nothing."""

    @property
    def rounding_loss(self) -> float | None:
        """What whole lots cost more than real ones, US dollars; none without a bound or without a result."""
        return None if self.bound is None or self.objective is None else self.objective - self.bound

    def to_document(self) -> dict[str, object]:
        """Plain dictionaries and numbers."""
        return {**asdict(self), "rounding_loss": self.rounding_loss}
