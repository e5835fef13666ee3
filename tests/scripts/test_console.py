"""Tables cut no word at any width, and text of a user is not read as markup."""

import io

import pytest
from rich.console import Console

from zkmargin.engine.account import Portfolio, load_portfolio
from zkmargin.engine.house import House
from zkmargin.engine.market.file import load_snapshot
from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.margin import render_report

HASH = "0x" + "ab" * 32
NAMES = ("BTC-25DEC26-80000-C", "ETH-PERPETUAL")


def draw(table: console.WholeTable, width: int) -> str:
    page = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    page.print(table)
    text = page.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    return text


@pytest.mark.parametrize("width", [70, 80, 120, 200])
def test_no_word_is_cut(width):
    rows = [(name, "12,345,678.90", "a scenario in many words that may wrap", HASH) for name in NAMES]
    text = draw(console.make_table("Names", ("instrument", "US dollars", "worst scenario", "hash"), rows, (1,)), width)
    for word in (*NAMES, "12,345,678.90", HASH, "scenario", "hash"):
        assert word in text


@pytest.mark.parametrize("width", [80, 120])
def test_the_margin_report_is_whole(width):
    report = House(load_snapshot("deribit_2026-08-22")).report(load_portfolio("market_maker"))
    text = "".join(draw(table, width) for table in render_report(report))
    for coin in report.coins.values():
        assert coin.worst_position in text and f"{coin.worst_loss:,.2f}" in text
        assert all(word in text for word in coin.worst_scenario.split())
    assert report.portfolio in text and f"{report.levels['initial'].requirement:,.2f}" in text and "…" not in text


def test_the_margin_report_of_an_empty_account():
    report = House(load_snapshot("deribit_2026-08-22")).report(Portfolio("empty", {}, 0))
    text = "".join(draw(table, 120) for table in render_report(report))
    assert "none loses" in text and "(0 positions)" in text


@pytest.mark.parametrize("name", ["[/foo]", "[bold]x[/bold]", "[link=x]"])
def test_markup_in_a_users_text_is_text(name):
    text = draw(console.make_table(f"Margin of {name}", (name, ""), [(name, "1")]), 120)
    assert text.count(name) == 3
    assert draw(console.make_table(name, (name, HASH), [(name, HASH)]), 70).count(name) >= 2


def test_an_error_is_one_line_of_plain_text(capsys, monkeypatch):
    monkeypatch.setattr(console, "err", Console(stderr=True, width=40, markup=False, highlight=False))
    console.print_error("MalformedFile", "[/foo]\nhas a \x1b[31m line that is much longer than the page is wide")
    shown = capsys.readouterr().err
    assert shown == ("error MalformedFile: [/foo]\\nhas a \\x1b[31m line that is much longer than the page is wide\n")


def test_without_a_terminal_a_page_has_120_columns(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert console._make_console(io.StringIO()).width == 120
    monkeypatch.setenv("COLUMNS", "80")
    assert console._make_console(io.StringIO()).width == 80
