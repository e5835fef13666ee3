"""Write the outputs in docs/tools.md again: `python -m zkmargin.scripts.generate.tools`.

Each console block of the document holds a command and what it prints. The commands run here, at 120 columns, and their
outputs take the blocks' places. A line of the document that begins with `...` stands for lines left out: as many lines
as stand before it in the block are the output's first, and as many as stand after it are the output's last. A command
whose output goes to a file is left as it is. No test compares the outputs, as fits and simulations end in other last
digits on other machines.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

from typer.testing import CliRunner

from zkmargin.scripts.cli.app import app

PATH = Path(__file__).resolve().parents[2] / "docs" / "tools.md"
BLOCK = re.compile(r"```console\n\$ zkmargin (?P<command>(?:.*\\\n)*.*)\n(?P<output>(?:.*\n)*?)```")
LEFT_OUT = "..."
COLUMNS = 120


class CommandFailed(Exception):
    """A command of the document ended with an error."""


def render(text: str) -> str:
    """The document with every block's output made anew.

    Raises
    ------
    CommandFailed
        If a command ends with another status than 0.
    """
    return BLOCK.sub(lambda block: _write_block(block.group(0), block["command"], block["output"]), text)


def _write_block(block: str, command: str, output: str) -> str:
    words = shlex.split(command.replace("\\\n", " "))
    if ">" in words:
        return block
    print(f"  {' '.join(words[:2])}", file=sys.stderr)
    result = CliRunner().invoke(app, words, env={"COLUMNS": str(COLUMNS)})
    if result.exit_code:
        raise CommandFailed(f"zkmargin {shlex.join(words)} ended with {result.exit_code}: {result.output[-500:]}")
    printed = [line.rstrip() for line in result.stdout.rstrip("\n").split("\n")]
    shown = shorten(printed, output.rstrip("\n").split("\n"))
    return block.removesuffix(f"{output}```") + "\n".join(shown) + "\n```"


def shorten(printed: list[str], before: list[str]) -> list[str]:
    """What a block shows of an output, by the place of its `...` line; all of it where there is none.

    Examples
    --------
    >>> shorten(["a", "b", "c", "d"], ["x", "... more", "y"])
    ['a', '... more', 'd']
    """
    places = [index for index, line in enumerate(before) if line.lstrip().startswith(LEFT_OUT)]
    if not places:
        return printed
    (place,) = places
    last = len(before) - place - 1
    return [*printed[:place], before[place], *printed[len(printed) - last :]]


if __name__ == "__main__":
    PATH.write_text(render(PATH.read_text()))
