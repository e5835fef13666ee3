"""The command line's closed sets and defaults are the engine's, though it declares them without importing it."""

import inspect
import re

import pytest
import typer
from typer.testing import CliRunner

from zkmargin.engine.desk import find_hedge, hedge_result, liquidity
from zkmargin.engine.margin.house import NAMES
from zkmargin.engine.margin.parameters import LEVELS
from zkmargin.engine.presets import PRESETS, Coin
from zkmargin.scripts.cli import hedge
from zkmargin.scripts.cli.app import app
from zkmargin.scripts.cli.options import Level, PolicyName, PresetName


def test_closed_sets_are_the_engines():
    assert set(PresetName) == set(PRESETS)
    assert set(PolicyName) == set(NAMES)
    assert tuple(Level) == LEVELS
    assert [item.value for item in hedge.HedgeTarget] == [item.value for item in hedge_result.Target]


def test_defaults_are_the_engines():
    assert hedge.LIQUIDITY_SHARE == liquidity.LIQUIDITY_SHARE
    assert (hedge.SECONDS, hedge.MOST_SECONDS) == (find_hedge.SECONDS, find_hedge.MOST_SECONDS)


def list_commands(group, path=()):
    """Every command below `group`, with its path."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from list_commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(list_commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does_and_gives_an_example(path):
    text = inspect.cleandoc(COMMANDS[path].callback.__doc__)
    assert f"Example: zkmargin {' '.join(path)}" in text


@pytest.mark.parametrize("option", ["--market", "--portfolio", "--json"])
def test_a_shared_option_has_one_help_text(option):
    texts = {
        parameter.help
        for path, command in COMMANDS.items()
        for parameter in command.params
        if option in parameter.opts and path != ("verify",)
    }
    assert len(texts) == 1


CLOSED = {"--preset": PRESETS, "--policy": NAMES, "--level": LEVELS, "--coin": Coin, "--target": hedge_result.Target}


@pytest.mark.parametrize(
    "path, option",
    [
        (path, option)
        for path, command in COMMANDS.items()
        for item in command.params
        for option in item.opts
        if option in CLOSED
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_value_outside_a_closed_set_is_refused(path, option):
    """Never taken for the default, whichever command asks for it; the answer names every allowed value."""
    shown = CliRunner().invoke(app, [*path, option, "foo"], env={"COLUMNS": "300"})
    assert shown.exit_code == 2 and re.search(f"Invalid value for '{option}': .*'foo' is not one of", shown.output)
    assert all(f"'{name}'" in shown.output for name in CLOSED[option])
