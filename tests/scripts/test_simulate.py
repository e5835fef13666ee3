"""`zkmargin simulate cascade`: the same numbers twice, JSON alone on stdout, a plot where it is asked for, refusals."""

import json

import pytest
from typer.testing import CliRunner

from tests.support.schemas import check_document
from zkmargin.engine.errors import UnknownName, WrongKind
from zkmargin.engine.simulation.scenarios import SCENARIOS
from zkmargin.scripts.cli.inputs import NotWritable
from zkmargin.scripts.cli.simulate import app

QUICK = ("cascade", "--seeds", "3", "--set", "agents=60", "--set", "minutes=100")


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_a_run_is_reproducible_and_holds_every_scenario(tmp_path):
    picture = tmp_path / "cascade.png"
    first = json.loads(run(*QUICK, "--json", "--plot", str(picture)).stdout)
    second = json.loads(run(*QUICK, "--scenario", "whales", "--json").stdout)
    assert list(first["scenarios"]) == list(SCENARIOS)
    assert first["scenarios"]["whales"] == second["scenarios"]["whales"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    for found in first["scenarios"].values():
        assert set(found["rules"]) == {"base", "buffer", "flat"}
        cost = [found["rules"][rule]["margin_per_notional"]["mean"] for rule in ("base", "buffer")]
        assert cost[1] > cost[0]


def test_targets_are_compared_only_for_the_calibrated_market():
    calibrated = json.loads(run("cascade", "--seeds", "3", "--scenario", "october", "--json").stdout)
    check_document("simulate_cascade", calibrated)
    assert [target["name"] for target in calibrated["targets"]] == [
        "lowest price", "price at 22:00", "liquidated in 40 minutes", "long share of liquidations",
        "fall of open interest",
    ]  # fmt: skip
    assert json.loads(run(*QUICK, "--scenario", "october", "--json").stdout)["targets"] == []


def test_tables_show_every_rule_and_difference():
    shown = run(*QUICK, "--scenario", "calm")
    assert shown.exit_code == 0
    assert all(word in shown.stdout for word in ("base", "buffer", "flat", "calm"))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("--scenario", "octobre"), UnknownName, "octobre"),
        (("--set", "agents=x"), WrongKind, "agents"),
        (("--set", "nothing=1"), UnknownName, "nothing"),
    ],
)
def test_unknown_names_and_values_are_refused(arguments, error, words):
    shown = run(*QUICK[:3], *arguments)
    assert isinstance(shown.exception, error) and words in str(shown.exception) and shown.stdout == ""


def test_a_plot_needs_a_png_in_a_folder_that_exists(tmp_path):
    for name in ("cascade.svg", "nowhere/cascade.png"):
        shown = run(*QUICK, "--plot", str(tmp_path / name))
        assert isinstance(shown.exception, NotWritable) and not list(tmp_path.iterdir())


def test_help_has_an_example():
    assert "Example: zkmargin simulate cascade" in run("cascade", "--help").stdout
