"""The market as a user holds it: the snapshot, with its files and its sizes."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Self

from zkmargin.engine.market.file import load_snapshot, parse_market, render_market
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import Preset


class Market(MarketSnapshot):
    """Prices and volatilities of everything that is listed, at one time.

    `load` and `from_json` read it, `to_json` and `to_bytes` write it; `at` gives it at another size of the circuit.
    """

    @classmethod
    def load(cls, name_or_path: str | Path) -> Self:
        """A shipped market by name (`deribit_2026-08-22`, `deribit_2026-02-05`), or one from a file by path.

        Raises
        ------
        UnknownName
            If it is neither.
        MalformedFile, MarketError
            If the file is not one, or its numbers make no market.
        """
        return cls.of(load_snapshot(name_or_path))

    @classmethod
    def from_json(cls, text: str, *, source: str = "market file") -> Self:
        """The market of a JSON document; `source` names it in errors, which are those of `load`."""
        return cls.of(parse_market(text, source=source))

    def to_json(self) -> str:
        """The market as a JSON document that `from_json` reads back to an equal one."""
        return render_market(self)

    @classmethod
    def of(cls, snapshot: MarketSnapshot) -> Self:
        """A snapshot as a market."""
        return cls(**{item.name: getattr(snapshot, item.name) for item in fields(MarketSnapshot)})

    @property
    def preset(self) -> Preset:
        """Size of the listing and of the circuit that proves accounts in it."""
        return self.listing.preset

    def at(self, preset: str) -> Self:
        """The same market at another preset: "mini" lists 16 instruments by rule, others keep the listing.

        Raises
        ------
        UnknownName
            If there is no such preset.
        OutOfRange
            If it has other slots.
        WrongKind
            If it is "mini", and the market splits its slots otherwise than the shipped presets.
        """
        return self.of(to_preset(self, preset))
