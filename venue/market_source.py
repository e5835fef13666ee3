"""Where publishers take markets from: a file that changes, or the files of a recorded day, one after another."""

from __future__ import annotations

from pathlib import Path

from zkmargin.engine.files import find_shipped
from zkmargin.engine.market.file import DATA, load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import Preset
from zkmargin.venue.errors import ServiceFailed


class MarketSource:
    """A market file, read again whenever it changed, or a folder of them.

    Of a folder epoch 1 has the first file by name, epoch 2 the second and so on, and after the last the first again:
    every publisher that has the folder finds the same file for an epoch.
    """

    def __init__(self, place: str | Path, preset: Preset):
        """Raises `ServiceFailed` if `place` is neither a shipped name, nor a file, nor a folder with JSON files."""
        path = find_shipped(place, DATA) or Path(place)
        self._files = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not self._files or not self._files[0].is_file():
            raise ServiceFailed(f"market {place}", "neither a shipped name, nor a file, nor a folder of .json files")
        self._preset = preset
        self._read: dict[Path, tuple[int, MarketSnapshot]] = {}

    def load(self, number: int) -> MarketSnapshot:
        """The market of the epoch of that number, at the preset; raises as `load_snapshot`."""
        path = self._files[(number - 1) % len(self._files)]
        changed = path.stat().st_mtime_ns
        if path not in self._read or self._read[path][0] != changed:
            self._read[path] = changed, to_preset(load_snapshot(path), self._preset.name)
        return self._read[path][1]
