"""`zkmargin crowding` as a user runs it, on made-up files of the venue's formats."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import typer
from typer.testing import CliRunner

from tests.support.schemas import check_document
from zkmargin.engine.contagion.estimate import StaleState
from zkmargin.engine.market.file import load_snapshot
from zkmargin.scripts.cli.crowding import crowding
from zkmargin.scripts.derive.snapshot import Facts

MARKET = "deribit_2026-08-22"
app = typer.Typer()
app.command()(crowding)


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def write_data(tmp_path):
    """Writes hourly candles up to the market's hour, every tenth of which moves by 2 %, and open interest of `age`
    hours."""

    def write(age: float):
        hour = datetime.fromtimestamp(load_snapshot(MARKET).time, UTC).replace(minute=0, second=0)
        stamp = lambda time: int(time.timestamp() * 1000)  # noqa: E731
        for coin in ("BTC", "ETH"):
            rows = [
                f"{stamp(hour - timedelta(hours=back + 1))},100,102,99,{102 if back % 10 == 0 else 100}"
                for back in range(800, -1, -1)
            ]
            name = tmp_path / f"binance_um_perp_{coin}USDT_1h_silertrades.csv"
            name.write_text("\n".join(["timestamp,open,high,low,close", *rows]) + "\n")
        read = stamp(hour - timedelta(hours=age))
        interest = "\n".join(["timestamp,symbol,sum_open_interest", f"{read},BTCUSDT,90000", f"{read},ETHUSDT,2000000"])
        (tmp_path / "binance_um_oi_4h_2026Q1_silertrades.csv").write_text(interest + "\n")
        return str(tmp_path)

    return write


@pytest.mark.property("P-114")
def test_it_makes_the_facts_of_a_market_file(write_data):
    result = run("--data", write_data(1.0), "--market", MARKET, "--json")
    assert result.exit_code == 0, result.output
    facts = Facts.model_validate_json(result.stdout)
    assert facts.daily_volatility == {"BTC": 0.02364, "ETH": 0.037051}
    assert 1.0 <= facts.contagion_multiplier <= 2.0
    assert facts.crowding["BTC"].ladder_down == pytest.approx(4.78e8 * 90_000 / 86_874.4, rel=0.01)
    check_document("crowding", json.loads(result.stdout))
    assert json.loads(result.stdout)["crowding"]["ETH"]["impact"] == 0.0393


@pytest.mark.property("P-114")
def test_old_figures_need_a_stated_replay(write_data):
    folder = write_data(30.0)
    refused = run("--data", folder, "--market", MARKET)
    assert isinstance(refused.exception, StaleState) and "30.6 hours old" in str(refused.exception)
    replayed = run("--data", folder, "--market", MARKET, "--replay")
    assert replayed.exit_code == 0 and "replay: time of BTC's open interest" in replayed.output
    assert "ladder down" in replayed.output
    facts = json.loads(run("--data", folder, "--market", MARKET, "--replay", "--json").stdout)
    check_document("crowding", facts)
    assert any("time of BTC's open interest" in each for each in facts["departures"])
    assert Facts.model_validate(facts).departures == facts["departures"]
    fresh = json.loads(run("--data", write_data(1.0), "--market", MARKET, "--json").stdout)
    assert fresh["departures"] == []
