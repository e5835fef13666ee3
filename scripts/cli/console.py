"""What every command prints with: results on stdout, progress and errors on stderr, JSON beside each table.

What a user wrote is printed as it is: never read as rich's markup, its control characters shown as escapes, so that no
text moves a terminal; and no word of a table is cut or broken.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table

PLAIN_WIDTH = 120
"""Columns of a page where there is no terminal and no `COLUMNS`."""


def escape(text: str) -> str:
    """The text with every control character but line ends as Python writes it."""
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)


class PlainConsole(Console):
    """A console that prints texts by `escape`."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich's, with texts escaped."""
        super().print(*(escape(item) if isinstance(item, str) else item for item in objects), **options)


def _make_console(stream: TextIO, stderr: bool = False) -> Console:
    is_free = stream.isatty() or "COLUMNS" in os.environ
    return PlainConsole(stderr=stderr, width=None if is_free else PLAIN_WIDTH, markup=False, highlight=False)


out = _make_console(sys.stdout)
err = _make_console(sys.stderr, stderr=True)


def print_json(document: object) -> None:
    """`document` on stdout, alone, with integers as integers."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def print_error(name: str, text: str) -> None:
    """An error as one line on stderr; control characters and line breaks of its text are shown as escapes."""
    shown = escape(text).replace("\n", "\\n")
    err.print(Text.assemble(("error", "bold red"), f" {name}: {shown}"), soft_wrap=True)


def print_json_error(name: str, text: str, code: int) -> None:
    """An error as the one document on stdout of a command that was asked for JSON."""
    print_json({"error": {"name": name, "text": text, "exit_code": code}})


@dataclass(frozen=True)
class WholeTable:
    """A table whose words are never cut: where they do not fit side by side, each row is a block of lines."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Text, ...], ...]
    right: frozenset[int]
    """Columns that hold numbers."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        cells = [[str(cell) for cell in column] for column in zip(self.columns, *self.rows, strict=True)]
        least = [max(len(word) for cell in column for word in (*cell.split(), "")) for column in cells]
        most = [max(len(line) for cell in column for line in (*cell.splitlines(), "")) for column in cells]
        spare = options.max_width - sum(least) - 3 * len(least) - 1
        if spare >= 0:
            yield self._make_table(share_width(least, most, spare))
        else:
            yield Text(self.title, style="italic")
            for row in self.rows:
                yield from self._list_row(row)

    def _make_table(self, widths: Sequence[int]) -> "Table":
        from rich.table import Table

        table = Table(title=Text(self.title), title_justify="left", header_style="bold")
        for index, (column, width) in enumerate(zip(self.columns, widths, strict=True)):
            table.add_column(Text(column), justify="right" if index in self.right else "left", width=width)
        for row in self.rows:
            table.add_row(*row)
        return table

    def _list_row(self, row: Sequence[str | Text]) -> Iterator[Text]:
        head, *others = row
        yield Text(str(head), style="bold")
        for column, cell in zip(self.columns[1:], others, strict=True):
            if str(cell):
                yield Text(f"  {column}: {cell}" if column else f"  {cell}", overflow="fold")


def share_width(least: Sequence[int], most: Sequence[int], spare: int) -> list[int]:
    """Widths of columns that need `least`, would take `most`, and have `spare` characters between them."""
    wanted = sum(most) - sum(least)
    share = min(1.0, spare / wanted) if wanted else 0.0
    return [low + int(share * (high - low)) for low, high in zip(least, most, strict=True)]


def make_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[int] = ()
) -> WholeTable:
    """A table; `right` names the columns that hold numbers. A cell may be a rich `Text` with a style."""
    cells = tuple(tuple(cell if isinstance(cell, Text) else escape(str(cell)) for cell in row) for row in rows)
    return WholeTable(escape(title), tuple(columns), cells, frozenset(right))


def make_key_values(title: str, values: Mapping[str, object]) -> WholeTable:
    """A table of two columns."""
    return make_table(title, ("", ""), [(name, value) for name, value in values.items()])


def show_values(title: str, document: Mapping[str, object], as_json: bool) -> None:
    """A command's answer: as a document, or as a table of two columns."""
    if as_json:
        print_json(document)
    else:
        out.print(make_key_values(title, document))


class Steps:
    """One progress bar over named steps, on stderr; silent without a terminal but for one line a step."""

    def __init__(self, progress: "Progress", total: int):
        self.progress, self.live = progress, progress.console.is_terminal
        self.task = progress.add_task("", total=total)

    def start(self, text: str) -> None:
        """Say what begins now."""
        if self.live:
            self.progress.update(self.task, description=text)
        else:
            self.progress.console.print(f"  {text}")

    def done(self) -> None:
        """The step is over."""
        self.progress.advance(self.task)


@contextmanager
def show_steps(total: int) -> Iterator[Steps]:
    """A bar over `total` steps that takes longer than a moment."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield Steps(progress, total)


@contextmanager
def show_blocks() -> Iterator[Callable[[int, int], None]]:
    """A bar over a chain's blocks, on stderr, which takes the last block read and the chain's last; silent without a
    terminal."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("block {task.completed:,.0f} of {task.total:,.0f}"), BarColumn(24), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("", total=1)
        yield lambda reached, latest: progress.update(task, completed=reached, total=max(latest, 1))
