"""Blocks of documents that are written anew: what stands between two markers that name the block."""

from __future__ import annotations

import textwrap

WIDTH = 120
"""Characters of a line at most."""
Row = tuple[str, ...]
"""Cells of a table."""


class MarkersMissing(Exception):
    """A document does not have a block's markers once each, in order."""


def make_markers(name: str) -> tuple[str, str]:
    """What begins and what ends the block `name`, as HTML comments."""
    return f"<!-- {name}, written by `make generate` -->", f"<!-- end of {name} -->"


def replace_block(text: str, name: str, body: str) -> str:
    """`text` with what stands between the markers of the block `name` replaced by `body`, an empty line around it.

    Raises
    ------
    MarkersMissing
        If a marker is missing or stands twice, or the end comes first.
    """
    start, finish = make_markers(name)
    before, begin, rest = text.partition(start)
    _, end, after = rest.partition(finish)
    if not begin or not end or start in rest or finish in before + after:
        raise MarkersMissing(f"allowed: {start} once, then {finish} once")
    return f"{before}{start}\n\n{body.strip()}\n\n{finish}{after}"


def render_paragraph(*sentences: str, indent: str = "") -> str:
    """Sentences in lines that are not too long; those after the first begin with `indent`."""
    lines = textwrap.TextWrapper(WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return lines.fill(" ".join(sentences))


def render_rows(*rows: Row) -> str:
    """A Markdown table; the first row is its head."""
    head, *others = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *others))
