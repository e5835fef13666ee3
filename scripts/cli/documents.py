"""What `--json` prints, command by command: the types from which `docs/schemas/` is generated.

Names of fields are stable: they change only with a line in CHANGELOG.md. Amounts are US dollars in floats unless a name
ends in `usd6`, which is whole micro-dollars.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from zkmargin.engine.desk.distance import DistanceReport
from zkmargin.engine.desk.explanation import Explanation, Leg
from zkmargin.engine.desk.hedge_result import Hedge
from zkmargin.engine.desk.sizing import Sizing
from zkmargin.engine.desk.whatif import WhatIf
from zkmargin.engine.margin.report import LevelReport, MarginReport
from zkmargin.engine.margin.stress import StressReport


class Point(TypedDict):
    """A value somewhere on a fit."""

    value: float
    """The value."""
    log_moneyness: float
    """Where."""


class Slice(TypedDict):
    """SVI of one expiry."""

    underlying: str
    """Coin."""
    expiry: int
    """Unix seconds."""
    days: float
    """To it."""
    quotes: int
    """Options fitted."""
    a: float
    """Parameter."""
    b: float
    """Parameter."""
    rho: float
    """Parameter."""
    m: float
    """Parameter."""
    sigma: float
    """Parameter."""
    rmse_points: float
    """Root mean square error, volatility points."""
    free_rmse_points: float
    """The same before the repair of butterflies."""
    butterfly_repaired: bool
    """Whether the fit was repaired."""
    least_density: Point | None
    """Where the density is least."""
    largest_calendar_fall: Point | None
    """Where total variance falls most against the expiry before; none for the first."""
    is_butterfly_free: bool
    """Whether the fit has no butterfly arbitrage."""
    is_calendar_free: bool
    """Whether it does not cross the expiry before."""


class Sparse(TypedDict):
    """An expiry with too few options for a fit."""

    underlying: str
    """Coin."""
    expiry: int
    """Unix seconds."""
    options: int
    """Listed."""


class ListedViolation(TypedDict):
    """A static arbitrage in listed prices."""

    kind: str
    """Which bound."""
    names: list[str]
    """Options."""
    size_of_forward: float
    """Share of the forward."""


class ListedPrices(TypedDict):
    """Arbitrage in listed prices."""

    tolerance_of_forward: float
    """What a market file may have."""
    violations: list[ListedViolation]
    """Largest first."""


class SurfaceDocument(TypedDict):
    """`zkmargin surface`."""

    format: str
    """zkmargin.surface/1."""
    market: str
    """As asked for."""
    time: int
    """Unix seconds."""
    slices: list[Slice]
    """Fitted expiries."""
    too_few_options: list[Sparse]
    """Expiries left out."""
    listed_prices: ListedPrices
    """Arbitrage in the prices themselves."""


class Estimate(TypedDict):
    """A mean over seeds."""

    mean: float
    """Mean."""
    low: float
    """Bootstrap interval, low end."""
    high: float
    """High end."""


class SimulatedScenario(TypedDict):
    """One scenario."""

    about: str
    """In words."""
    rules: dict[str, dict[str, Estimate]]
    """By rule and figure."""
    differences: dict[str, dict[str, Estimate]]
    """By pair of rules and figure, paired by seed."""


class CalibrationTarget(TypedDict):
    """A reported figure against the simulated one."""

    name: str
    """Which."""
    reported: list[float]
    """Lowest and highest report."""
    tolerance: float
    """How far outside the mean may lie."""
    simulated: Estimate
    """Without a buffer."""
    met: bool
    """Whether it does not lie further."""


class SimulationDocument(TypedDict):
    """`zkmargin simulate cascade`."""

    seeds: int
    """Markets per rule."""
    level: float
    """Of the intervals."""
    changed: dict[str, str]
    """Parameters as given by `--set`."""
    rules: list[str]
    """Compared."""
    pairs: list[str]
    """Of rules whose differences are shown."""
    scenarios: dict[str, SimulatedScenario]
    """By name."""
    targets: list[CalibrationTarget]
    """The calibration, where its scenario was run."""


class CoinCrowding(TypedDict):
    """Crowd and depth of one coin, as in a market file."""

    ladder_down: float
    """Delta notional that others would be forced to sell, US dollars."""
    ladder_up: float
    """The same, forced to buy."""
    depth_down: float
    """Notional that can be sold, US dollars."""
    depth_up: float
    """Notional that can be bought."""
    impact: float
    """Relative price move when the depth is used up once."""


class CrowdingDocument(TypedDict):
    """`zkmargin crowding`: what `scripts/derive/snapshot.py` takes as facts."""

    daily_volatility: dict[str, float]
    """By coin, the market's."""
    departures: list[str]
    """Figures of other days or coarser candles that `--replay` took, in words; none without it."""
    crowding: dict[str, CoinCrowding]
    """By coin."""
    contagion_multiplier: float
    """State multiplier, 1 to 4."""


class BacktestDocument(TypedDict):
    """`zkmargin backtest`; entries of its lists are described in docs/backtests.md."""

    format: str
    """Of this document."""
    coin: str
    """Of the books."""
    history: str
    """Record of prices."""
    parameters: str
    """Parameter file."""
    first: str
    """First day of striking, ISO."""
    last: str
    """Last day."""
    days: int
    """Struck."""
    days_with_quotes: int
    """Of them with quoted volatilities."""
    tail: float
    """Probability tested."""
    models: dict[str, dict[str, int]]
    """By model: days_held."""
    results: list[dict[str, Any]]
    """By model and archetype: exceptions, p-values, zone, worst ratio, procyclicality."""
    crashes: list[dict[str, Any]]
    """Loss and margin of the worst striking that meets a crash."""
    hours: list[dict[str, Any]]
    """The worst hour of a crash."""
    proxy: dict[str, Any]
    """Constants of the volatility proxy."""
    responses: dict[str, Any]
    """Response of volatility to returns."""
    notes: list[str]
    """What the data cannot tell."""


class ProofDocument(TypedDict):
    """`zkmargin prove`: the proof itself is in the file that was written."""

    policy: str
    """What is proved of the account."""
    commitment: str
    """Of the account's state, a decimal number below the field's order."""
    seconds: float
    """That the proof took."""
    written: str
    """Path of the file."""


class ProofVerdict(TypedDict):
    """`zkmargin verify`; the exit code is 1 where the proof is not valid."""

    valid: bool
    """Whether the committed account meets the policy at that market."""
    reason: str | None
    """Why not; null where it is valid."""
    checked: dict[str, str]
    """Hashes of what it was checked against: `key_hash` and `snapshot_hash`, 0x-hex."""
    claimed: ClaimedMarket
    """What the market file says of itself, which nothing here shows."""


class ClaimedMarket(TypedDict):
    """What is not checked of a proof's market."""

    source: str
    """Where its numbers come from, in words."""
    time: int
    """Unix seconds."""


class EpochDocument(TypedDict):
    """`zkmargin epoch`: the hashes are what publishers sign, 0x-hex."""

    number: int
    """Epoch number."""
    time: int
    """Unix seconds."""
    generation: int
    """Of the listing."""
    preset: str
    """Size of the statement."""
    bytes: dict[str, int]
    """Canonical bytes of `snapshot` and of `policy`."""
    hashes: dict[str, str]
    """Of `snapshot`, `policy` and `settlement`."""
    policies: dict[str, str]
    """Hash of each policy by name."""
    seconds: float
    """That the policies took."""
    key_hash: NotRequired[str]
    """Of the verification key, where points were asked for."""
    points: NotRequired[dict[str, list[str]]]
    """Each policy's point by name, two decimal coordinates."""


class AccountNumber(TypedDict):
    """`zkmargin account id`."""

    auth: str
    """Address that signs."""
    index: int
    """Of the address's accounts."""
    account: str
    """The number, 0x-hex of 32 bytes."""


class RecoveredAccount(TypedDict):
    """An account that was rebuilt from chain events."""

    account: str
    """Its number, 0x-hex."""
    nonce: int
    """Transitions so far."""
    cash_usd6: int
    """Micro-dollars."""
    positions: dict[str, int]
    """Lots by slot, as text, without zeros."""


class LostAccount(TypedDict):
    """An account that could not be rebuilt."""

    account: str
    """Its number, 0x-hex."""
    reason: str
    """Why."""


class RecoveryDocument(TypedDict):
    """`zkmargin account recover`; the exit code is 1 where an account failed."""

    recovered: list[RecoveredAccount]
    """In the order of their opening."""
    failed: list[LostAccount]
    """The others."""


class WaitingPayment(TypedDict):
    """A payment that the venue still owes."""

    recipient: str
    """Address."""
    token: str
    """Address of the token."""
    amount: str
    """In units of the token."""
    due_at: int
    """Seconds of the live clock."""
    state: str
    """Where it stands."""


class AccountDocument(TypedDict):
    """`zkmargin account show`: what the chain stores and, for the wallet's own, what only its owner knows."""

    account: str
    """Its number, 0x-hex."""
    auth: str
    """Address that signs."""
    status: str
    """Of the account."""
    key_version: int
    """Of the viewing key's statement."""
    generation: int
    """Of the listing that it was last written under."""
    may_hold_derivatives: bool
    """Whether it may; a flat one may not."""
    proven: str
    """The level that was proved last."""
    proven_at: int
    """Unix seconds of that proof's epoch."""
    proven_epoch: int
    """Number of that epoch."""
    commitment: str
    """A decimal number below the field's order."""
    cash_usd6: NotRequired[int]
    """Micro-dollars; of the wallet's own account."""
    positions: NotRequired[dict[str, int]]
    """Lots by instrument; of the wallet's own account."""
    payments: NotRequired[list[WaitingPayment]]
    """Withdrawals that wait; of the wallet's own account."""


ADDED: dict[type, dict[str, tuple[Any, str]]] = {
    Leg: {"contribution": (float, "lots times marginal.")},
    Explanation: {"total": (float, "Sum of the legs' contributions and the constants: the requirement.")},
    Hedge: {"rounding_loss": (float | None, "What whole lots cost more than real ones.")},
    WhatIf: {
        "change": (dict[str, float], "After less before, by field."),
        "passes": (dict[str, bool], "By level, whether the account after the orders could prove it."),
    },
    MarginReport: {"levels": (dict[str, LevelReport], "By level.")},
}
"""Fields that a document has beside its record's, with type and meaning."""

LEFT_OUT: dict[type, tuple[str, ...]] = {MarginReport: ("initial", "maintenance")}
"""Fields of a record that its document has elsewhere."""

DOCUMENTS: dict[str, Any] = {
    "margin": MarginReport,
    "whatif": WhatIf,
    "size": Sizing,
    "hedge": Hedge,
    "explain": Explanation,
    "stress": StressReport,
    "distance": DistanceReport,
    "surface": SurfaceDocument,
    "crowding": CrowdingDocument,
    "simulate_cascade": SimulationDocument,
    "backtest": BacktestDocument,
    "prove": ProofDocument,
    "verify": ProofVerdict,
    "epoch": EpochDocument,
    "account_id": AccountNumber,
    "account_show": AccountDocument,
    "account_recover": RecoveryDocument,
}
"""By command."""
