"""`zkmargin stress`: help with an example, JSON alone, a table with the same figures, an own stress, refusals."""

import json
import re
from unittest.mock import patch

from typer.testing import CliRunner

from tests.support.schemas import check_document
from zkmargin.engine.errors import OutOfRange
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
    arguments = (*BOOK, "--btc", "-0.2", "--eth", "-0.25", "--volatility", "1.3")
    document, table = json.loads(run(*arguments, "--json")), run(*arguments)
    check_document("stress", document)
    names = [result["stress"]["name"] for result in document["results"]]
    assert names == [*(stress.name for stress in STRESSES), "yours"]
    for result in (document["before"], *document["results"]):
        assert f"{result['pnl']:,.2f}" in table and f"{result['requirement']['initial']:,.2f}" in table
    assert f"{document['joint']['correlation_zero']:,.2f}" in table
    assert "breaches maintenance" in table and re.search(r"│ met +│", table)
    assert document["results"][-1]["stress"]["btc"] == -0.2 and document["results"][-1]["pnl"] < 0
    assert "BTC -20%, ETH -25%, vol x1.3" in table


def test_a_move_below_nothing_is_refused():
    refused = CliRunner().invoke(cli.app, (*BOOK, "--btc", "-1.5"))
    assert isinstance(refused.exception, OutOfRange) and refused.exception.value == -1.5
