"""The tools' commands: help with an example, JSON alone, tables with the same figures, refusals on one line."""

import json
import re
import sys
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from tests.support.schemas import check_document
from zkmargin.scripts.cli import app as cli
from zkmargin.scripts.cli import console

BOOK = ("--portfolio", "short_strangle")
COMMANDS = {
    "whatif": (*BOOK, "--order", "BTC-PERPETUAL:-5"),
    "size": (*BOOK, "--direction", "BTC-PERPETUAL:+1,ETH-PERPETUAL:-2"),
    "hedge": (*BOOK, "--withdraw", "400000"),
    "explain": BOOK,
    "distance": (*BOOK, "--order", "BTC-PERPETUAL:-5"),
}

DISTANCE = r"[0-9] units: BTC [+-][0-9.]+%"


def run(*arguments):
    with patch.object(console.out, "_width", 180):
        shown = CliRunner().invoke(cli.app, arguments)
    assert shown.exit_code == 0, shown.output
    return shown.stdout


@pytest.fixture(scope="module")
def documents():
    return {name: json.loads(run(name, *arguments, "--json")) for name, arguments in COMMANDS.items()}


def test_documents_are_as_their_schemas_say(documents):
    for command, document in documents.items():
        check_document(command, document)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command):
    assert f"Example: zkmargin {command} --portfolio" in re.sub(r"\s+", " ", run(command, "--help").replace("│", " "))


def test_whatif(documents):
    document, table = documents["whatif"], run("whatif", *COMMANDS["whatif"])
    assert document["passes"] == {"initial": True, "maintenance": True}
    change = document["after"]["initial"] - document["before"]["initial"]
    assert document["change"]["initial"] == change and f"{change:+,.2f}" in table
    assert document["orders"][0]["lots"] == -5 and "-0.05" in table
    assert re.search(DISTANCE, table)


def test_size(documents):
    document, table = documents["size"], run("size", *COMMANDS["size"])
    assert document["limit"] == "policy" and document["largest"] > 0
    assert f"{document['largest']:,}" in table and document["worst"]["BTC"] in table
    assert re.search(DISTANCE, table)


def test_hedge(documents):
    document, table = documents["hedge"], run("hedge", *COMMANDS["hedge"])
    assert document["outcome"] == "found" and document["verdict"]["passes"]
    assert document["rounding_loss"] == document["objective"] - document["bound"] >= -1e-6
    assert all(trade["name"] in table for trade in document["trades"])
    assert re.search(r"can be proved +│ yes", table)


def test_distance(documents):
    document, table = documents["distance"], run("distance", *COMMANDS["distance"])
    after = documents["whatif"]["after"]["distance"]  # the same order
    assert after["units"] >= document["levels"]["maintenance"]["worst"]["units"] > 0
    assert after != documents["whatif"]["before"]["distance"] == documents["explain"]["distance"]
    for level, measured in document["levels"].items():
        of_coin = measured["coins"]["BTC"]
        assert f"where {level} fails" in table and f"{of_coin['price_up']:+.1%}" in table
        assert f"{of_coin['price_down_usd']:,.2f}" in table and "ETH" not in measured["coins"]
        assert f"{measured['worst']['units']:.2f} units" in table


def test_hedge_says_when_there_is_none():
    arguments = ("hedge", *COMMANDS["hedge"], "--liquidity", "0")
    document = json.loads(run(*arguments, "--json"))
    assert document["outcome"] == "none within liquidity and budget" and document["verdict"]["missing_usd6"] > 0
    assert "missing" in run(*arguments)


@pytest.mark.slow
def test_hedge_over_whole_lots(documents):
    document = json.loads(run("hedge", *COMMANDS["hedge"], "--milp", "--seconds", "1", "--json"))
    assert document["objective"] <= documents["hedge"]["objective"]


def test_explain(documents):
    document, table = documents["explain"], run("explain", *BOOK)
    parts = sum(leg["contribution"] for leg in document["legs"]) + document["constants"]
    assert parts == pytest.approx(document["requirement"], rel=1e-9)
    assert f"{document['total']:,.2f}" in table and document["binding"][0]["label"] in table
    assert re.search(DISTANCE, table)


@pytest.mark.parametrize(
    "arguments,text",
    [
        (
            ("whatif", *BOOK, "--order", "BTC-PERPETUALL:1"),
            "unknown instrument 'BTC-PERPETUALL'; allowed: BTC-PERPETUAL",
        ),
        (("whatif", *BOOK, "--order", "BTC-PERPETUAL:0"), "lots of BTC-PERPETUAL is 0"),
        (("whatif", *BOOK, "--order", "BTC-PERPETUAL:1", "--price", "BTC-PERPETUAL:nan"), "is nan; allowed: 0.0 to"),
        (("size", *BOOK, "--direction", "BTC-PERPETUAL:999999999999"), "lots of BTC-PERPETUAL is 999999999999"),
        (("hedge", *BOOK, "--max-cost", "nan"), "largest cost is nan"),
    ],
)
def test_a_refusal_is_one_line_that_names_the_value(arguments, text, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["zkmargin", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.run()
    printed = capsys.readouterr()
    assert ended.value.code == 1 and printed.out == ""
    assert text in re.sub(r"\s+", " ", printed.err) and "Traceback" not in printed.err
