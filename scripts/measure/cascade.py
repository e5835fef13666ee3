"""Measure the contagion buffer in the simulated market: every scenario, and October 2025 with one parameter changed.

`python -m zkmargin.scripts.measure.cascade --output costs/cascade.json` writes the ledger.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from zkmargin.engine.simulation.experiment import compare_with_october, run_scenario
from zkmargin.engine.simulation.position_sizing import RULES
from zkmargin.engine.simulation.scenarios import OCTOBER, SCENARIOS, get_scenarios, override
from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.simulate import to_document
from zkmargin.scripts.measure.output import add_output, put_out

SEEDS = 200
ALL = "all"
CHANGES = ({"withdrawal": "0.2"}, {"stress": "2"}, {"oracle_lag": "10"})
"""Of October's market: makers withdraw further, a fragile system, an oracle that lags by minutes."""
DIGITS = 6
"""Significant digits that the ledger keeps."""


def measure_run(names: list[str] | None, changes: dict[str, str], say: Callable[[str], None]) -> dict[str, Any]:
    """Figures and paired differences of scenarios (all if None) with a market's parameters changed."""
    results = [run_scenario(override(item, changes), SEEDS, say) for item in get_scenarios(names)]
    targets = [
        target
        for result in results
        if result.scenario.model == OCTOBER
        for target in compare_with_october(OCTOBER, result.outcome)
    ]
    return to_document(results, targets, SEEDS, changes)


def measure(say: Callable[[str], None]) -> dict[str, Any]:
    """The whole document: the default run, and October's by what was changed in it."""
    runs = {ALL: measure_run(None, {}, say)}
    for changes in CHANGES:
        (name,) = (f"{key}={value}" for key, value in changes.items())
        runs[name] = measure_run(["october"], changes, say)
    command = "python -m zkmargin.scripts.measure.cascade --output costs/cascade.json"
    return {"command": command, "runs": _round(runs)}


def _round(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _round(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_round(item) for item in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def main(arguments: list[str] | None = None) -> None:
    """Measure, and write the document where asked or print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_output(parser)
    options = parser.parse_args(arguments)
    with console.show_steps((len(SCENARIOS) + len(CHANGES)) * len(RULES)) as steps:

        def say(text: str) -> None:
            steps.start(text)
            steps.done()

        document = measure(say)
    put_out(document, options.output)


if __name__ == "__main__":
    main()
