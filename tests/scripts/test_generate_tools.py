"""Outputs in docs/tools.md are made by the commands above them."""

import pytest

from zkmargin.scripts.generate import tools

FENCE = "```"


def test_every_block_of_the_document_is_one_that_is_written():
    text = tools.PATH.read_text()
    assert len(tools.BLOCK.findall(text)) == text.count(f"{FENCE}console") >= 10


def test_a_block_gets_the_output_of_its_command_and_the_rest_stays():
    text = f"before\n{FENCE}console\n$ zkmargin list \\\n    markets\nold\n... more\n{FENCE}\nafter\n"
    written = tools.render(text)
    head, tail = f"before\n{FENCE}console\n$ zkmargin list \\\n    markets\n", f"\n... more\n{FENCE}\nafter\n"
    assert written.startswith(head) and written.endswith(tail) and "old" not in written
    assert written[len(head) : -len(tail)].count("\n") == 0


def test_an_output_to_a_file_is_left_as_it_is():
    text = f"{FENCE}console\n$ zkmargin bench engine --json > engine.json\n{FENCE}\n"
    assert tools.render(text) == text


def test_a_command_that_fails_is_named():
    with pytest.raises(tools.CommandFailed, match="zkmargin margin --market nowhere ended with"):
        tools.render(f"{FENCE}console\n$ zkmargin margin --market nowhere\nold\n{FENCE}\n")


@pytest.mark.parametrize(
    "before, shown",
    [
        (["x"], ["a", "b", "c", "d"]),
        (["x", "... more"], ["a", "... more"]),
        (["x", "  ... more", "y", "z"], ["a", "  ... more", "c", "d"]),
    ],
)
def test_what_is_left_out_keeps_its_place(before, shown):
    assert tools.shorten(["a", "b", "c", "d"], before) == shown
