"""Backtest the books of both coins over all recorded days and keep the results in the ledger.

    python -m zkmargin.scripts.measure.backtest --output costs/backtest.json

The same documents as `zkmargin backtest --json` and `zkmargin backtest --coin ETH --json`, one result a line, with the
seconds of processor time that each took on one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from zkmargin.engine.backtest.history import load_history
from zkmargin.engine.backtest.paths import build_market
from zkmargin.engine.backtest.report import build_document
from zkmargin.engine.backtest.run import run_backtest
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.presets import Coin
from zkmargin.scripts.cli import console

COMMAND = "python -m zkmargin.scripts.measure.backtest --output costs/backtest.json"


def measure(coin: str) -> dict[str, object]:
    """The document of one coin's books, and its seconds."""
    began = time.process_time()
    history, parameters = load_history(), load_parameters()
    market = build_market(history)
    document = build_document(run_backtest(market, parameters, coin=coin), market, history, parameters)
    return {**document, "processor_seconds": round(time.process_time() - began, 1)}


def dump(document: dict[str, Any]) -> str:
    """JSON with one entry of a list of results a line."""
    parts = []
    for key, value in document.items():
        is_table = isinstance(value, list) and value and isinstance(value[0], dict)
        text = "[\n" + ",\n".join(json.dumps(entry) for entry in value) + "\n]" if is_table else json.dumps(value)
        parts.append(f"{json.dumps(key)}: {text}")
    return "{" + ",\n".join(parts) + "}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    output = parser.parse_args().output
    parts = [f'{{"command": {json.dumps(COMMAND)}']
    with console.show_steps(len(Coin)) as steps:
        for coin in Coin:
            steps.start(f"books of {coin}")
            parts.append(f"{json.dumps(coin)}: {dump(measure(coin))}")
            steps.done()
    output.write_text(",\n".join(parts) + "}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
