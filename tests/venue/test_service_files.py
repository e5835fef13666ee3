"""The compose file and the systemd units name commands and options that there are."""

import shlex
from pathlib import Path

import click
import pytest
import typer
import yaml

from zkmargin.scripts.cli.app import app

FOLDER = Path(__file__).parents[2] / "docs/services"
UNITS = sorted(FOLDER.glob("*.service"))


def list_commands():
    """Arguments of each command in the files, by its place."""
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    found = {name: service["command"] for name, service in services.items() if service["image"] == "zkmargin"
             and "command" in service}  # fmt: skip
    for unit in UNITS:
        text = unit.read_text().replace("\\\n", " ")
        (line,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
        found[unit.name] = shlex.split(line)[1:]
    return found


COMMANDS = list_commands()


@pytest.mark.parametrize("place", COMMANDS)
def test_a_command_takes_its_arguments(place):
    command, arguments = typer.main.get_command(app), list(COMMANDS[place])
    while isinstance(command, click.Group) or hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    context = command.make_context(place, arguments, resilient_parsing=False)
    assert not context.args


def test_every_service_has_a_unit():
    names = {unit.stem.removeprefix("zkmargin-") for unit in UNITS}
    assert names == {"publisher", "keeper", "watchtower", "indexer", "api", "relay"}
    assert all("ProtectSystem=strict" in unit.read_text() for unit in UNITS)
