"""`zkmargin backtest` as a user runs it: JSON alone on stdout, tables, a plot, refusals that name the value."""

import json

import pytest
import typer
from typer.testing import CliRunner

from tests.support.schemas import check_document
from zkmargin.engine.errors import OutOfRange, UnknownName
from zkmargin.scripts.cli.backtest import backtest
from zkmargin.scripts.cli.inputs import NotWritable

app = typer.Typer()
app.command()(backtest)
SPAN = ("--from", "2020-01-25", "--to", "2020-03-20", "--archetype", "long", "--model", "ewma")


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    path = tmp_path_factory.mktemp("plot") / "margin.png"
    return run(*SPAN, "--json", "--plot", str(path)), path


def test_json_stands_alone_and_names_the_crash(shown):
    result, _ = shown
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    check_document("backtest", document)
    assert (document["format"], document["first"], document["coin"]) == ("zkmargin.backtest/1", "2020-01-25", "BTC")
    (found,) = document["results"]
    assert found["observations"] == document["days"] and found["exceptions"] >= 1
    assert set(found["procyclicality"]) == {"none", "buffer", "stressed", "floor"}
    (crash,) = document["crashes"]
    assert (crash["crash"], crash["struck"]) == ("March 2020", "2020-03-11") and crash["ratio"] > 1
    assert document["notes"]


def test_a_plot_is_a_png(shown):
    _, path = shown
    assert path.read_bytes().startswith(b"\x89PNG")


def test_tables_show_what_the_json_has(shown):
    document = json.loads(shown[0].stdout)
    result = run(*SPAN)
    (found,) = document["results"]
    assert result.exit_code == 0 and "March 2020" in result.stdout
    assert f"{found['exceptions']}/{found['observations']}" in result.stdout


@pytest.mark.parametrize(
    "arguments, error",
    [
        (("--archetype", "martingale"), UnknownName),
        (("--model", "oracle"), UnknownName),
        (("--from", "2021-06-01", "--to", "2021-06-30"), OutOfRange),
    ],
)
def test_the_engine_refuses_by_name(arguments, error):
    assert isinstance(run(*arguments).exception, error)


@pytest.mark.parametrize("path", ["margin.pdf", "no/such/folder/m.png"])
def test_a_plot_that_cannot_be_written_is_refused_before_any_work(path):
    result = run("--plot", path)
    assert isinstance(result.exception, NotWritable) and result.stdout == ""


def test_a_date_that_is_none_is_refused():
    assert run("--from", "soon").exit_code == 2


def test_help_has_an_example():
    assert "Example: zkmargin backtest" in run("--help").stdout
