"""`zkmargin stress`: help with an example, JSON alone, a table with the same figures, an own stress, refusals."""

import json
import re
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from tests.support.schemas import check_document
from zkmargin.engine.errors import DuplicateName, OutOfRange, UnknownName, WrongKind
from zkmargin.engine.margin.stress import STRESSES
from zkmargin.scripts.cli import app as cli
from zkmargin.scripts.cli import console

BOOK = ("stress", "--portfolio", "short_strangle")


def run(*arguments):
    with patch.object(console.out, "_width", 200):
        shown = CliRunner().invoke(cli.app, arguments)
    assert shown.exit_code == 0, shown.output
    return shown.stdout


def test_help_has_an_example():
    shown = re.sub(r"\s+", " ", run("stress", "--help").replace("│", " "))
    assert "Example: zkmargin stress --portfolio" in shown


def test_json_and_table_agree():
    """The shipped stresses and one of one's own."""
    arguments = (*BOOK, "--move", "BTC:-0.2,ETH:-0.25", "--volatility", "1.3")
    document, table = json.loads(run(*arguments, "--json")), run(*arguments)
    check_document("stress", document)
    names = [result["stress"]["name"] for result in document["results"]]
    assert names == [*(stress.name for stress in STRESSES), "yours"]
    for result in (document["before"], *document["results"]):
        assert f"{result['pnl']:,.2f}" in table and f"{result['requirement']['initial']:,.2f}" in table
    assert f"{document['joint']['correlation_zero']:,.2f}" in table
    assert "breaches maintenance" in table and re.search(r"│ met +│", table)
    assert (
        document["results"][-1]["stress"]["prices"] == {"BTC": -0.2, "ETH": -0.25}
        and document["results"][-1]["pnl"] < 0
    )
    assert "BTC -20%, ETH -25%, vol x1.3" in table


def test_a_move_below_nothing_is_refused():
    refused = CliRunner().invoke(cli.app, (*BOOK, "--move", "BTC:-1.5"))
    assert isinstance(refused.exception, OutOfRange) and refused.exception.value == -1.5


@pytest.mark.parametrize(
    ("move", "error", "words"),
    [
        ("BTC", WrongKind, "COIN:MOVE"),
        ("BTC:much", OutOfRange, "move of BTC"),
        ("BTC:0.1,BTC:0.2", DuplicateName, "BTC"),
        ("DOGE:0.1", UnknownName, "DOGE"),
        ("SOL:0.1", UnknownName, "SOL"),
    ],
)
def test_a_move_that_is_none_is_refused(move, error, words):
    refused = CliRunner().invoke(cli.app, (*BOOK, "--move", move))
    assert isinstance(refused.exception, error) and words in str(refused.exception)


def test_every_coin_moves_by_one_option():
    assert "every coin -10%" in run(*BOOK, "--others", "-0.1")
