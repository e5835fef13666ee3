"""CSV files from outside, row by row: a number is finite and a time in UTC, or the row is refused by its line."""

from __future__ import annotations

import csv
import math
from datetime import datetime
from pathlib import Path

from zkmargin.engine.errors import MalformedFile
from zkmargin.engine.units import read_utc


class Row(dict[str, str]):
    """Cells by column, and where the row stands: a line of a table, or an entry of a list."""

    def __init__(self, cells: dict[str, str], source: str, line: int, unit: str = "line"):
        super().__init__(cells)
        self.source, self.line, self.unit = source, line, unit

    def refuse(self, column: str, allowed: str) -> MalformedFile:
        """The error for a cell that is not as allowed."""
        return MalformedFile(
            self.source, f"{self.unit} {self.line}, {column} is {self.get(column)!r}; allowed: {allowed}"
        )

    def number(self, column: str, *, low: float = -math.inf, above: float = -math.inf) -> float:
        """A finite number that is at least `low` and greater than `above`; raises `MalformedFile`."""
        try:
            value = float(self[column])
        except (KeyError, TypeError, ValueError):
            value = math.nan
        if math.isfinite(value) and value >= low and value > above:
            return value
        bounds = [f"at least {low:g}"] * (low > -math.inf) + [f"above {above:g}"] * (above > -math.inf)
        raise self.refuse(column, " ".join(["a finite number", *bounds]))

    def price(self, column: str) -> float:
        """A number above 0."""
        return self.number(column, above=0.0)

    def moment(self, column: str) -> datetime:
        """A time in UTC, as `read_utc`."""
        return read_utc(self.get(column), f"{self.source}, {self.unit} {self.line}, {column}")

    def milliseconds(self, column: str) -> float:
        """Unix seconds of a column of unix milliseconds."""
        return self.number(column, low=0.0) / 1e3


def read_table(path: Path, columns: list[str] | None = None) -> list[Row]:
    """Rows of a CSV file with a header; raises `MalformedFile` if it cannot be read or one of `columns` is missing."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns or () if column not in (reader.fieldnames or [])]
            if missing:
                raise MalformedFile(path.name, f"columns {missing} are missing; allowed: all of {columns}")
            return [_read_row(cells, path.name, reader.line_num) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MalformedFile(path, f"cannot be read: {error}") from None


def _read_row(cells: dict[str, str], source: str, line: int) -> Row:
    if None in cells or None in cells.values():  # the reader's way to say that a row is longer or shorter
        raise MalformedFile(source, f"line {line} has more or fewer cells than the header; allowed: as many")
    return Row(cells, source, line)
