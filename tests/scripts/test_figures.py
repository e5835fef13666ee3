"""The README's figures are those of the ledgers, and nothing else in it changes."""

import copy

import pytest

from zkmargin.scripts.generate.figures import (
    BEGIN,
    END,
    ROOT,
    MarkersMissing,
    load_ledgers,
    render_table,
    replace_figures,
)

LEDGERS = load_ledgers()
README = (ROOT / "README.md").read_text()


def test_the_readme_shows_the_ledgers():
    assert replace_figures(README, LEDGERS) == README


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        (("gas", "gas", "trade"), 401_999, "| 402k |"),
        (("prover", "standard", "prove_s"), 0.777, "0.78 s"),
        (("engine", "batch_ms"), 340.0, "0.34 s"),
        (("constraints", "standard", "transition", "constraints"), 51_234, "51,234 constraints"),
        (("held_out", "summary", "breaches"), 7_777, "7777 of "),
    ],
)
def test_a_ledger_that_moved_makes_the_readme_stale(path, value, shown):
    moved = copy.deepcopy(LEDGERS)
    place = moved
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert shown not in README and shown in render_table(moved)
    assert replace_figures(README, moved) != README


def test_what_stands_around_the_figures_stays():
    before, after = f"# Title\n{BEGIN}", f"{END}\nThe end.\n"
    text = replace_figures(f"{before}\nold\n{after}", LEDGERS)
    assert text == f"{before}\n{render_table(LEDGERS)}{after}"


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{END}{END}", f"{BEGIN}{BEGIN}{END}"])
def test_a_marker_that_is_missing_or_twice_is_an_error(text):
    with pytest.raises(MarkersMissing):
        replace_figures(text, LEDGERS)


def test_every_file_that_is_named_exists_and_lines_are_short():
    table = render_table(LEDGERS)
    assert max(map(len, table.splitlines())) <= 120
    assert all((ROOT / link.split(")")[0]).is_file() for link in table.split("](")[1:])
