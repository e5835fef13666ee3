"""A whole backtest as one JSON document: verdicts, crashes by name, hours, and what to know when reading it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from zkmargin.engine.backtest.evaluate import TAIL, Treated, Verdict, evaluate
from zkmargin.engine.backtest.events import CrashLoss, HourLoss, get_crash_losses, get_hour_losses
from zkmargin.engine.backtest.history import History
from zkmargin.engine.backtest.models import DAYS_HELD
from zkmargin.engine.backtest.paths import FittedMarket
from zkmargin.engine.backtest.run import Run
from zkmargin.engine.margin.parameters import Parameters

FORMAT = "zkmargin.backtest/1"
"""First field of the document."""
NOTES = (
    "books are struck anew each day; samples grow and hold only days before the margin",
    "implied volatility before 2025-12-30 is a proxy: filtered volatility times a ratio fitted in 2026, with a fitted "
    "response to returns and no noise; constants of proxy and scenario responses look ahead, and books of volatility "
    "are really tested only on the days with quotes",
    "the samples of all models but ewma_residual move volatility only as returns do; books long of volatility lose "
    "by its own moves",
    "the house's shortfall is that of the full sample so far; the floor of its volatility is a constant of the "
    "parameters, from the whole record; crowds are not recorded, so the contagion buffer requires nothing",
    "funding, fees and liquidity are left out; perpetual and index are one price, so basis risk is tested only by the "
    "books `basis` and `carry`",
    "p-values of models of two days are of every second window; zones are of all windows, with their overlap",
)


def build_document(
    run: Run,
    market: FittedMarket,
    history: History,
    parameters: Parameters,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, object]:
    """The document; numbers are plain floats rounded to what they can mean, missing ones null."""
    pairs = [(model, book) for model in run.figures for book in run.books]
    verdicts = []
    for done, pair in enumerate(pairs, start=1):
        verdicts.append(evaluate(run, *pair))
        progress(done, len(pairs))
    return {
        "format": FORMAT,
        "coin": run.coin,
        "history": history.name,
        "parameters": parameters.name,
        "first": str(run.dates[0]),
        "last": str(run.dates[-1]),
        "days": len(run.dates),
        "days_with_quotes": int(run.quoted.sum()),
        "tail": round(TAIL, 6),
        "models": {model: {"days_held": DAYS_HELD[model]} for model in run.figures},
        "results": [_describe(verdict) for verdict in verdicts if verdict is not None],
        "crashes": [_describe_crash(loss) for loss in get_crash_losses(run, tuple(run.figures))],
        "hours": [_describe_hour(loss) for loss in get_hour_losses(run, market, history.events, parameters)],
        "proxy": {
            coin: {name: _round(value) for name, value in proxy._asdict().items()}
            for coin, proxy in market.proxies.items()
        },
        "responses": {
            str(days): {coin: _round(tuple(response)) for coin, response in by_coin.items()}
            for days, by_coin in market.responses.items()
        },
        "notes": list(NOTES),
    }


def select(results: Sequence[dict[str, Any]], **wanted: str) -> list[dict[str, Any]]:
    """The entries of a document's list whose fields are `wanted`."""
    return [entry for entry in results if all(entry[name] == value for name, value in wanted.items())]


def _round(value: Any, digits: int = 6) -> Any:
    if isinstance(value, tuple):
        return [_round(part, digits) for part in value]
    return round(float(value), digits) if math.isfinite(value) else None


def _describe(verdict: Verdict) -> dict[str, object]:
    size = verdict.size
    return {
        "model": verdict.model,
        "archetype": verdict.book,
        "observations": verdict.observations,
        "exceptions": verdict.exceptions,
        "expected": _round(verdict.observations * TAIL, 2),
        "observations_with_quotes": verdict.quoted_observations,
        "exceptions_with_quotes": verdict.quoted_exceptions,
        "mean_margin": _round(verdict.mean_margin),
        "kupiec_p": _round(verdict.kupiec),
        "christoffersen_p": _round(verdict.christoffersen),
        "conditional_p": _round(verdict.conditional),
        "z2": None if size is None else _round(size.statistic, 4),
        "z2_p_normal": None if size is None else _round(size.p_normal),
        "z2_p_heavy": None if size is None else _round(size.p_heavy),
        "green_to": verdict.lights.green,
        "amber_to": verdict.lights.amber,
        "zone": verdict.zone,
        "worst_250": verdict.worst_year,
        "worst_250_zone": verdict.worst_year_zone,
        "worst_ratio": _round(verdict.worst_ratio, 4),
        "worst_struck": verdict.worst_date,
        "procyclicality": {name: _describe_option(treated) for name, treated in verdict.options.items()},
    }


def _describe_option(treated: Treated) -> dict[str, object]:
    moves = treated.procyclicality
    steps = {f"step_{days}": _round(step, 4) for days, step in moves.largest_steps.items()}
    return {
        "peak_to_trough": _round(moves.peak_to_trough, 3),
        **steps,
        "mean_margin": _round(treated.mean),
        "exceptions": treated.exceptions,
    }


def _describe_crash(crash: CrashLoss) -> dict[str, object]:
    return {
        "crash": crash.crash,
        "model": crash.model,
        "archetype": crash.book,
        "struck": crash.struck,
        "loss": _round(crash.loss, 2),
        "margin": _round(crash.margin, 2),
        "ratio": _round(crash.ratio, 4),
        "loss_of_notional": _round(crash.loss / crash.notional),
        "margin_of_notional": _round(crash.margin / crash.notional),
    }


def _describe_hour(hour: HourLoss) -> dict[str, object]:
    return {
        "crash": hour.crash,
        "archetype": hour.book,
        "struck": hour.struck,
        "hour": hour.hour,
        "loss": _round(hour.loss, 2),
        "margins": {model: _round(margin, 2) for model, margin in hour.margins.items()},
    }
