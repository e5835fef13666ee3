"""Errors: one root for all packages, and the engine's tree. Every error says which value was refused and what is
allowed, in words and in fields.

ZkMarginError                     the root; `prover.errors` and `contracts.errors` hang their trees below it
└── EngineError
    ├── MarketError
    │   ├── OutOfRange            a number that is missing, not finite or outside its range  (what, value, low, high)
    │   ├── UnknownName           a name that is not in a closed set                         (what, name, allowed)
    │   ├── ExpiredInstrument     an expiry at or before the snapshot's time                 (name, expiry, time)
    │   ├── MixedExpiry           two times of expiry of one coin on one day    (name, expiry, other, other_expiry)
    │   ├── DuplicateName         a name that appears twice                                  (what, name)
    │   ├── WrongKind             a value, or an instrument in a slot, of a kind that is not allowed there
    │   ├── ArbitrageableSurface  volatility parameters with negative variance or arbitrage  (parameters, reason)
    │   ├── StaticArbitrage       listed prices with an arbitrage, in `market.arbitrage`     (worst, count, tolerance)
    │   ├── SparseSurface         a coin without a surface, in `market.svi_fit`              (coin, counts)
    │   ├── StaleDepth            no usable source of depth, in `contagion.depth`            (reasons)
    │   ├── StaleState            a state record of another time, in `contagion.estimate`    (what, value, allowed)
    │   └── MalformedFile         a file or byte string that is not in the stated format     (source, reason)
    ├── PolicyError               a policy that must not be used: the tree of `policy.errors`
    ├── StateOutOfRange           an account that the integers do not hold, in `policy.arithmetic`
    ├── RequirementNotMet         an account that fails a policy, in `policy.certificate`
    ├── ProgrammeFailed           a linear programme without an optimum, in `policy.linear_programme`
    ├── UnsupportedForm           a policy that the batch cannot evaluate, in `policy.batch.model`
    └── ClusterUnavailable        no cluster for a batch, in `policy.batch.parallel`
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ZkMarginError(Exception):
    """Root of everything that zkmargin raises on purpose."""


class EngineError(ZkMarginError):
    """Root of the engine's errors."""


class MarketError(EngineError, ValueError):
    """A market, instrument or portfolio record that cannot be accepted; also a `ValueError`, as pydantic expects."""


class OutOfRange(MarketError):
    """A number is not finite, or lies outside its closed range [low, high]."""

    def __init__(self, what: str, value: object, low: object, high: object):
        self.what, self.value, self.low, self.high = what, value, low, high
        super().__init__(f"{what} is {value!r}; allowed: {low} to {high}")


class UnknownName(MarketError):
    """A name is not one of the allowed ones; the message shows at most 12 of them, the nearest first."""

    def __init__(self, what: str, name: object, allowed: Iterable[object]):
        self.what, self.name, self.allowed = what, name, tuple(allowed)
        names = [str(item) for item in self.allowed]
        near = get_close_matches(str(name), names, n=12, cutoff=0.6) if len(names) > 12 else names
        shown = ", ".join((near or names)[:12]) + (f" ... ({len(names)} in all)" if len(names) > 12 else "")
        super().__init__(f"unknown {what} {name!r}; allowed: {shown}")


class ExpiredInstrument(MarketError):
    """An instrument expires at or before the market's time (a crossed expiry); carries both times, unix seconds."""

    def __init__(self, name: str, expiry: int, time: int):
        self.name, self.expiry, self.time = name, expiry, time
        super().__init__(f"{name} expires at {expiry}; allowed: later than the market's time {time} (unix seconds)")


class MixedExpiry(MarketError):
    """Two instruments of one coin expire at different times less than a day apart; carries both names and both times,
    unix seconds."""

    def __init__(self, name: str, expiry: int, other: str, other_expiry: int):
        self.name, self.expiry, self.other, self.other_expiry = name, expiry, other, other_expiry
        super().__init__(
            f"{name} expires at {expiry}; allowed: {other_expiry}, with {other}, or a day from it (unix seconds)"
        )


class DuplicateName(MarketError):
    """A name that must be unique appears twice."""

    def __init__(self, what: str, name: str):
        self.what, self.name = what, name
        super().__init__(f"{what} {name!r} appears more than once; allowed: once")


class WrongKind(MarketError):
    """An instrument has a field, or stands in a slot, that its kind does not allow."""

    def __init__(self, what: str, value: object, allowed: str):
        self.what, self.value, self.allowed = what, value, allowed
        super().__init__(f"{what} is {value!r}; allowed: {allowed}")


class ArbitrageableSurface(MarketError):
    """Volatility parameters with a negative variance or an arbitrage; carries parameters and reason."""

    def __init__(self, parameters: object, reason: str):
        self.parameters, self.reason = parameters, reason
        super().__init__(f"{parameters}: {reason}")


class MalformedFile(MarketError):
    """A file or byte string that does not follow its format; carries where it came from and what is wrong."""

    def __init__(self, source: object, reason: str):
        self.source, self.reason = source, reason
        super().__init__(f"{source}: {reason}")
