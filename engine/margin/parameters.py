"""The house model's parameters: the typed reader of the versioned files beside this module.

A file gives for each parameter its value, unit, allowed range and source; a value outside its range, a parameter too
many or too few, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from zkmargin.engine.errors import MalformedFile, OutOfRange, UnknownName
from zkmargin.engine.files import StrictModel, read_model, read_text
from zkmargin.engine.presets import Coin, require_coin

FORMAT = "zkmargin.parameters/1"
"""First field of a parameter file."""

FOLDER = Path(__file__).parent
DEFAULT = "house_v1"
"""Name of the parameter file that is used unless another is asked for."""

LEVELS = ("initial", "maintenance")
"""Requirements: initial for taking risk on, maintenance for keeping it."""

PROCYCLICALITY = ("none", "buffer", "stressed", "floor")
"""Measures against procyclicality: nothing, or options (a), (b), (c) of EMIR RTS 153/2013, article 28."""

MAX_OFFSET = 0.8
"""Largest share of the sum of both coins' losses that netting may take off (EMIR RTS 153/2013, article 27)."""

PERCENT, MILLE = 100, 1000
"""Factors are whole percent, transfer moves and charges whole thousandths: they become integer coefficients exactly."""

TENORS = ("near", "far")
"""Ranges of an option's tenor, within `short_option_tenor` and beyond."""

COINS = ("coins of price_range",)
"""Stands for the coins of a file, those of its `price_range`."""
_PER_COIN, _PER_LEVEL, _PER_LEVEL_AND_COIN = (COINS,), (LEVELS,), (LEVELS, COINS)
_SHAPES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "price_range": _PER_COIN,
    "volatility_up": _PER_COIN,
    "volatility_down": _PER_COIN,
    "volatility_floor_up": _PER_COIN,
    "delta_limit": _PER_COIN,
    "shortfall_volatility_floor": _PER_COIN,
    "vega_depth": _PER_COIN,
    "vega_limit": _PER_COIN,
    "short_option_limit": (COINS, TENORS),
    "factor": _PER_LEVEL,
    "shortfall_factor": _PER_LEVEL,
    "option_short": _PER_LEVEL,
    "option_long": _PER_LEVEL,
    "linear": _PER_LEVEL,
    "bond": _PER_LEVEL,
    "haircut": _PER_LEVEL_AND_COIN,
}
"""Keys of the parameters that are not single numbers, outermost first."""
_LENGTHS = {"tail_moves": 2, "between_moves": 4, "term_tenors": 3}
"""Length of the parameters that are lists."""


class ParameterEntry(StrictModel):
    """One parameter in a file."""

    value: Any
    unit: str
    range: list[Any]
    source: str


class ParameterFile(StrictModel):
    """A parameter file as it stands on disk."""

    format: str
    name: str
    about: str
    parameters: dict[str, ParameterEntry]


@dataclass(frozen=True)
class Parameters:
    """The house model's numbers; unit, range and source of each stand in its file."""

    name: str
    """Name of the file without its ending."""
    price_range: Mapping[str, float]
    """By coin: the outermost standard price move."""
    volatility_up: Mapping[str, float]
    """By coin: relative rise of a 30-day volatility."""
    volatility_down: Mapping[str, float]
    """By coin: relative fall of a 30-day volatility."""
    volatility_floor_up: Mapping[str, float]
    """By coin: least volatility in the up state."""
    tenor_reference: float
    """Days at which a volatility shock is stated."""
    tenor_floor: float
    """Days below which a shock grows no more."""
    tenor_power_short: float
    """Exponent of (reference / tenor) up to the reference."""
    tenor_power_long: float
    """Exponent beyond it."""
    tail_moves: tuple[float, ...]
    """Far price moves, each dampened to the price range."""
    between_moves: tuple[float, ...]
    """Price moves between the price range and the far tails, dampened alike."""
    time_days: float
    """Days that pass in the cells in which time passes: the margin period, within which options may settle."""
    basis_rate: float
    """Move of a dated forward against spot, per year of its tenor."""
    basis_floor: float
    """Least such move."""
    futures_basis: float
    """Move of a dated future against the options of its expiry, in the cells that tilt the skew."""
    token_rise: float
    """Rise of the cash token's price in the same cells."""
    term_tenors: tuple[float, ...]
    """Days: the short end up to the first, neither at the second, the long end from the third."""
    term_short: float
    """Relative move of volatility at the short end."""
    term_long: float
    """Relative move of volatility at the long end."""
    skew_shift: float
    """Largest relative tilt of the volatilities at the wings."""
    skew_slope: float
    """Fall of that cap per square root of a year."""
    skew_width: float
    """Moneyness per square root of a year at which the cap is reached."""
    skew_width_floor: float
    """Least such moneyness."""
    transfer_charge_floor: float
    """Charge per unit of exposure netted between the coins."""
    factor: Mapping[str, float]
    """By level: multiple of the grid's loss."""
    option_short: Mapping[str, float]
    """By level: contingency per option owed, fraction of the index."""
    option_long: Mapping[str, float]
    """By level: contingency per option held."""
    linear: Mapping[str, float]
    """By level: contingency per perpetual or future."""
    bond_rate: float
    """Move of the rate at which bonds are discounted, per year."""
    bond: Mapping[str, float]
    """By level: contingency per bond beside that move, fraction of the face."""
    haircut: Mapping[str, Mapping[str, float]]
    """By level and coin: share of the spot collateral that counts for nothing."""
    debt_limit: float
    """At maintenance, what a loss may leave: how far cash plus the value of perpetuals and futures may lie below zero,
    US dollars."""
    delta_limit: Mapping[str, float]
    """By coin: net-delta limit, US dollars."""
    buffer_error: float
    """Largest error of the contagion buffer's chords, fraction of the initial margin of a linear position."""
    vega_depth: Mapping[str, float]
    """By coin: vega that the market trades in a day, US dollars per volatility point."""
    vega_impact: float
    """Volatility points by which trading that much moves volatilities."""
    vega_limit: Mapping[str, float]
    """By coin: net vega up to which the concentration charge follows its curve, US dollars per volatility point."""
    short_option_tenor: float
    """Days up to which an option's tenor is near."""
    short_option_limit: Mapping[str, Mapping[str, float]]
    """By coin and range of tenors: most options that an account may be net short, coins."""
    shortfall_factor: Mapping[str, float]
    """By level: share of kappa times the expected shortfall that is required."""
    shortfall_scenarios: str
    """Name of the scenario record."""
    shortfall_volatility_floor: Mapping[str, float]
    """By coin: least daily volatility to which the scenarios are scaled, where `procyclicality` says so."""
    procyclicality: str
    """Which measure against procyclicality the expected shortfall takes, one of `PROCYCLICALITY`."""

    @classmethod
    def load(cls, name: str = DEFAULT) -> Parameters:
        """The shipped parameter file `name`; raises `UnknownName` if there is none of that name."""
        return load_parameters(name)

    def get_debt_limit(self, level: str) -> float:
        """How far cash plus linear value may lie below zero at `level`, US dollars: nobody trades into debt or
        withdraws into it, so only a loss can lead there."""
        return self.debt_limit if level == "maintenance" else 0.0

    @property
    def coins(self) -> tuple[Coin, ...]:
        """Coins that the numbers are for; a market may list some of them."""
        return tuple(Coin(coin) for coin in self.price_range)

    @property
    def reference_range(self) -> float:
        """Price range of the first coin, in which transferred exposure is measured."""
        return next(iter(self.price_range.values()))

    @property
    def unaccepted_collateral(self) -> tuple[str, ...]:
        """Coins whose spot collateral is worth nothing at any level: their slots are reserved."""
        return tuple(coin for coin in self.coins if all(self.haircut[level][coin] == 1 for level in LEVELS))


def _leaves(name: str, value: Any, shape: tuple[tuple[str, ...], ...]) -> Iterator[tuple[str, Any]]:
    """Each single number of a parameter with its full name; refuses other keys than `shape` states."""
    if not shape:
        yield name, value
        return
    if not isinstance(value, dict) or tuple(value) != shape[0]:
        found = list(value) if isinstance(value, dict) else value
        raise MalformedFile(f"parameter {name}", f"keys are {found!r}; allowed: {list(shape[0])}")
    for key in shape[0]:
        yield from _leaves(f"{name}.{key}", value[key], shape[1:])


def _freeze(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _freeze(inner) for key, inner in value.items()})
    return tuple(value) if isinstance(value, list) else value


def _check_number(name: str, value: Any, entry: ParameterEntry) -> None:
    low, high = entry.range
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise OutOfRange(f"parameter {name} ({entry.unit})", value, low, high)


def _check_entry(name: str, entry: ParameterEntry, coins: tuple[Coin, ...]) -> None:
    for text in (entry.unit, entry.source):
        if not text.strip():
            raise MalformedFile(f"parameter {name}", "has no unit or no source")
    if name == "shortfall_scenarios":
        if not (isinstance(entry.value, str) and entry.value.replace("_", "").isalnum() and entry.value.isascii()):
            raise MalformedFile(
                f"parameter {name}", f"value is {entry.value!r}; allowed: a name of letters, digits and _"
            )
        return
    if name == "procyclicality":
        if entry.value not in PROCYCLICALITY or tuple(entry.range) != PROCYCLICALITY:
            raise UnknownName(f"parameter {name}", entry.value, PROCYCLICALITY)
        return
    if len(entry.range) != 2:
        raise MalformedFile(f"parameter {name}", f"range is {entry.range!r}; allowed: two numbers")
    if name in _LENGTHS:
        length = _LENGTHS[name]
        if not isinstance(entry.value, list) or len(entry.value) != length:
            raise MalformedFile(f"parameter {name}", f"value is {entry.value!r}; allowed: a list of {length} numbers")
        for index, move in enumerate(entry.value):
            _check_number(f"{name}.{index}", move, entry)
        return
    shape = tuple(coins if keys is COINS else keys for keys in _SHAPES.get(name, ()))
    for leaf, value in _leaves(name, entry.value, shape):
        _check_number(leaf, value, entry)


def _read_coins(price_range: object) -> tuple[Coin, ...]:
    """The coins of a file, in order: the keys of its price ranges."""
    if not isinstance(price_range, dict) or not price_range:
        raise MalformedFile("parameter price_range", f"is {price_range!r}; allowed: a number per coin")
    return tuple(require_coin("coin of parameter price_range", name) for name in price_range)


def read_parameters(text: str, source: str) -> Parameters:
    """Parameters of a file's text; `source` names it in errors.

    Raises
    ------
    MalformedFile
        If a parameter is missing, unknown, without unit or source, or of the wrong shape; or if the initial requirement
        is lower than the maintenance requirement in some number, so that initial would not imply maintenance.
    OutOfRange
        If a number is outside the range that the file itself states.
    """
    file = read_model(ParameterFile, text, source)
    if file.format != FORMAT:
        raise MalformedFile(source, f"format is {file.format!r}; allowed: {FORMAT!r}")
    names = [field.name for field in fields(Parameters) if field.name != "name"]
    if set(names) != set(file.parameters):
        raise MalformedFile(source, f"parameters {sorted(set(names) ^ set(file.parameters))} are missing or unknown")
    coins = _read_coins(file.parameters["price_range"].value)
    for name, entry in file.parameters.items():
        _check_entry(name, entry, coins)
    values = {name: _freeze(entry.value) for name, entry in file.parameters.items()}
    parameters = Parameters(name=file.name, **values)
    _check_together(parameters, source)
    return parameters


def _check_together(parameters: Parameters, source: str) -> None:
    for name in ("factor", "shortfall_factor", "option_short", "option_long", "linear", "bond"):
        by_level = getattr(parameters, name)
        if by_level["initial"] < by_level["maintenance"]:
            raise MalformedFile(
                source, f"{name}: initial {by_level['initial']} is below maintenance {by_level['maintenance']}"
            )
    for coin in parameters.coins:
        if parameters.haircut["initial"][coin] < parameters.haircut["maintenance"][coin]:
            raise MalformedFile(source, f"haircut of {coin}: initial is below maintenance")
    # With n moved, each group's loss falls by at most n M, M the first coin's price range, and none below zero. So with
    # losses x and y alone the netted sum is at least max(x + y - 2 M n, 0) + c n, which is least at 2 M n = x + y:
    # c (x + y) / (2 M).
    least = 2.0 * parameters.reference_range * (1.0 - MAX_OFFSET)
    if parameters.transfer_charge_floor < least - 1e-12:
        allowed = f"{least:.3f} or more, or netting takes off more than {MAX_OFFSET:.0%}"
        raise MalformedFile(source, f"transfer_charge_floor is {parameters.transfer_charge_floor}; allowed: {allowed}")
    for name, value, scale in (
        *((f"factor.{level}", parameters.factor[level], PERCENT) for level in LEVELS),
        *((f"shortfall_factor.{level}", parameters.shortfall_factor[level], PERCENT) for level in LEVELS),
        ("transfer_charge_floor", parameters.transfer_charge_floor, MILLE),
    ):
        if abs(value * scale - round(value * scale)) > 1e-9:
            raise MalformedFile(source, f"{name} is {value}; allowed: multiples of {1 / scale}")
    for name in ("tail_moves", "between_moves"):
        if 0.0 in getattr(parameters, name):
            raise MalformedFile(source, f"{name} has a move of 0; allowed: other numbers")
    tenors = parameters.term_tenors
    if not tenors[0] < tenors[1] < tenors[2]:
        raise MalformedFile(source, f"term_tenors are {list(tenors)}; allowed: rising")


@lru_cache(maxsize=16)
def load_parameters(name: str = DEFAULT) -> Parameters:
    """The shipped parameter file `name`.

    Raises
    ------
    UnknownName
        If there is none of that name.
    MalformedFile, OutOfRange
        As `read_parameters`.
    """
    path = FOLDER / f"{name}.json"
    shipped = sorted(found.stem for found in FOLDER.glob("*.json"))
    if name not in shipped:
        raise UnknownName("parameter file", name, shipped)
    parameters = read_parameters(read_text(path), path.name)
    if parameters.name != name:
        raise MalformedFile(path.name, f"name is {parameters.name!r}; allowed: {name!r}")
    return parameters
