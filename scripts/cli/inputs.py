"""What commands read and where they write: refused before the work begins, in one line that says what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from zkmargin.engine.errors import MarketError, UnknownName, WrongKind

if TYPE_CHECKING:
    from zkmargin.engine.account import AccountState, Portfolio
    from zkmargin.engine.market.snapshot import MarketSnapshot


class NotListedHere(MarketError):
    """A portfolio names an instrument that the reduced listing left out."""

    def __init__(self, portfolio: str, name: str, preset: str, full: str):
        self.portfolio, self.name, self.preset, self.full = portfolio, name, preset, full
        super().__init__(f"{portfolio} holds {name}, which {preset} does not list; {full} does: use --preset {full}")


class NotWritable(MarketError):
    """A file cannot be written where it was asked for."""

    def __init__(self, path: Path, reason: str):
        self.path, self.reason = path, reason
        super().__init__(f"{path} cannot be written: {reason}")


def load_market(market: str, preset: str | None) -> MarketSnapshot:
    """The market at `preset`: its own, the reduced one, or one with other policy rows.

    Raises
    ------
    WrongKind
        If the market's listing has another number of slots than the preset.
    """
    from zkmargin.engine.market.file import load_snapshot
    from zkmargin.engine.market.listings import to_preset
    from zkmargin.engine.presets import get_preset

    snapshot = load_snapshot(market)
    listed = snapshot.listing.preset
    if preset is None:
        return snapshot
    if preset != "mini" and get_preset(preset).slots != listed.slots:
        raise WrongKind("preset", str(preset), f"{listed.name}, at which {market} is listed")
    return to_preset(snapshot, str(preset))


def load_state(portfolio: Portfolio, snapshot: MarketSnapshot, market: str) -> AccountState:
    """The portfolio in slot order.

    Raises
    ------
    NotListedHere
        If it names an instrument that the market lists, but its reduced listing does not.
    UnknownName
        If the market does not list it either.
    """
    from zkmargin.engine.market.file import load_snapshot

    try:
        return portfolio.to_state(snapshot.listing)
    except UnknownName as error:
        full = load_snapshot(market).listing
        if error.name not in full.by_name:
            raise
        raise NotListedHere(portfolio.name, str(error.name), snapshot.listing.preset.name, full.preset.name) from None


def require_writable(path: Path | None, *inputs: str | Path | None, suffix: str | None = None) -> None:
    """Refuse an output before the work: its folder must exist, the file be writable, and be none of `inputs`.

    Raises
    ------
    NotWritable
        With the reason.
    """
    if path is None:
        return
    if suffix is not None and path.suffix.lower() != suffix:
        raise NotWritable(path, f"its name does not end in {suffix}")
    if path.is_dir():
        raise NotWritable(path, "it is a folder")
    if not path.parent.is_dir():
        raise NotWritable(path, f"there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise NotWritable(path, "permission denied")
    if path.exists() and any(item is not None and Path(item).exists() and path.samefile(item) for item in inputs):
        raise NotWritable(path, "it is what the command reads")


def make_folder(path: Path) -> Path:
    """A folder for outputs, made before the work; raises `NotWritable`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritable(path, error.strerror or str(error)) from None
    if not os.access(path, os.W_OK):
        raise NotWritable(path, "permission denied")
    return path
