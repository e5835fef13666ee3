"""`zkmargin surface` as a user runs it."""

import json

import pytest
import typer
from typer.testing import CliRunner

from tests.support.schemas import check_document
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.market.file import load_snapshot, to_document
from zkmargin.engine.market.svi_fit import Breach, SliceFit
from zkmargin.scripts.cli import surface as command
from zkmargin.scripts.cli.inputs import NotWritable
from zkmargin.scripts.cli.surface import surface

app = typer.Typer()
app.command()(surface)


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def one_coin(tmp_path_factory):
    """The calm market with two of BTC's expiries, so that the command is quick."""
    document = to_document(load_snapshot("deribit_2026-08-22"))
    options = [row for row in document["instruments"] if row["kind"] == "option" and row["underlying"] == "BTC"]
    expiries = sorted({row["expiry"] for row in options})[3:6:2]
    kept = [row for row in document["instruments"] if row["kind"] != "option" or row in options]
    document["instruments"] = [row for row in kept if row["kind"] != "option" or row["expiry"] in expiries]
    path = tmp_path_factory.mktemp("market") / "two.json"
    path.write_text(json.dumps(document))
    return path


def test_json_stands_alone(one_coin, tmp_path):
    plot = tmp_path / "surface.png"
    result = run("--market", str(one_coin), "--json", "--plot", str(plot))
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    check_document("surface", document)
    assert document["format"] == "zkmargin.surface/1"
    first, second = document["slices"]
    assert (first["underlying"], first["quotes"], second["quotes"]) == ("BTC", 25, 6)
    assert first["largest_calendar_fall"] is None and second["largest_calendar_fall"]["value"] < 0
    assert first["is_butterfly_free"] and first["rmse_points"] < 1.0
    assert document["listed_prices"]["violations"][0]["kind"] == "butterfly"
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_tables(one_coin):
    result = run("--market", str(one_coin))
    assert result.exit_code == 0
    assert "SVI of" in result.stdout and "BTC-28AUG26-53000-P" in result.stdout


def test_an_arbitrage_that_is_left_is_said():
    fit = SliceFit("BTC", 1, 0.1, 6, (0.1,) * 5, 0.5, 0.4, Breach(-0.02, 0.8), Breach(0.003, -0.4), True)
    shown = command._make_fit_table("made", [fit])
    assert shown.rows[0][-2:] == ("-0.02 at 0.80", "0.003 at -0.40")
    described = command.describe(fit)
    assert not described["is_butterfly_free"] and not described["is_calendar_free"]


def test_refusals(tmp_path):
    assert isinstance(run("--market", "nowhere").exception, UnknownName)
    for name in ("no/file.png", "file.pdf"):
        assert isinstance(run("--plot", str(tmp_path / name)).exception, NotWritable)
