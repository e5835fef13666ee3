"""The daily volatility of a user's closes, by the filter of the margin model."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import numpy as np

from zkmargin.engine.calibration.filters import DECAY, WARM_UP, filter_ewma
from zkmargin.engine.errors import DuplicateName, MalformedFile, UnknownName, WrongKind
from zkmargin.engine.presets import Coin, require_coin
from zkmargin.scripts.derive.tables import Row, read_table

COLUMNS = ["date", "close"]
"""Of a file of closes: a UTC day (YYYY-MM-DD), and US dollars."""
LEAST_CLOSES = WARM_UP + 2


def read_daily_volatility(files: Iterable[str]) -> dict[str, float]:
    """The forecast for the day after the last close, fraction, by coin, from COIN:FILE of every coin.

    Raises
    ------
    WrongKind
        If a text is not COIN:FILE.
    DuplicateName
        If a coin comes twice.
    UnknownName
        If a coin is none, or one is missing.
    MalformedFile
        If a file has a bad row, a day that does not follow the one before, or fewer than `LEAST_CLOSES` days.
    OutOfRange
        As `filter_ewma`: if a return is too large, or no price moves while the filter warms up.
    """
    found: dict[str, float] = {}
    for text in files:
        name, _, path = text.partition(":")
        if not path:
            raise WrongKind("closes", text, "COIN:FILE, such as BTC:btc.csv")
        coin = require_coin("coin of closes", name).value
        if coin in found:
            raise DuplicateName("coin of closes", coin)
        found[coin] = filter_closes(Path(path))
    missing = [coin.value for coin in Coin if coin.value not in found]
    if missing:
        raise UnknownName("closes of", ", ".join(missing), [f"{coin.value}:FILE" for coin in Coin])
    return found


def filter_closes(path: Path) -> float:
    """The filtered volatility after the last of a file's closes; raises as `read_daily_volatility`."""
    rows = read_table(path, COLUMNS)
    if len(rows) < LEAST_CLOSES:
        raise MalformedFile(path.name, f"has {len(rows)} closes; allowed: {LEAST_CLOSES} or more")
    days = [_read_day(row) for row in rows]
    for row, before, day in zip(rows[1:], days, days[1:], strict=False):
        if (day - before).days != 1:
            raise row.refuse("date", f"the day after {before}")
    returns = np.diff(np.log([row.price("close") for row in rows]))
    return round(float(filter_ewma(returns, DECAY).latest[0]), 6)


def _read_day(row: Row) -> date:
    try:
        return date.fromisoformat(row["date"])
    except ValueError:
        raise row.refuse("date", "YYYY-MM-DD") from None
