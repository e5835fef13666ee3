"""What every command prints with: results on stdout, progress and errors on stderr, JSON beside each table."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

out = Console()
err = Console(stderr=True)


def print_json(document: object) -> None:
    """`document` on stdout, alone, with integers as integers."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def make_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[int] = ()
) -> Table:
    """A table; `right` names the columns that hold numbers."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    return table


def make_key_values(title: str, values: Mapping[str, object]) -> Table:
    """A table of two columns."""
    return make_table(title, ("", ""), [(name, value) for name, value in values.items()])


class Steps:
    """One progress bar over named steps, on stderr; silent without a terminal but for one line a step."""

    def __init__(self, progress: Progress, total: int):
        self.progress, self.live = progress, progress.console.is_terminal
        self.task = progress.add_task("", total=total)

    def start(self, text: str) -> None:
        """Say what begins now."""
        if self.live:
            self.progress.update(self.task, description=text)
        else:
            self.progress.console.print(f"  {text}", highlight=False)

    def done(self) -> None:
        """The step is over."""
        self.progress.advance(self.task)


@contextmanager
def show_steps(total: int) -> Iterator[Steps]:
    """A bar over `total` steps that takes longer than a moment."""
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, TextColumn("{task.description}"), console=err, transient=True, disable=not err.is_terminal
    ) as progress:
        yield Steps(progress, total)
