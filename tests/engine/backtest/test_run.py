"""The daily loop: nothing looks ahead, losses are what was lost, days that cannot be tested are not."""

import numpy as np
import pytest

from tests.support.histories import BOOKS, FIRST, LAST, MODELS, change_after, get_market, get_run
from zkmargin.engine.backtest import garch
from zkmargin.engine.backtest.books import ARCHETYPES
from zkmargin.engine.backtest.evaluate import evaluate, get_series
from zkmargin.engine.backtest.events import get_crash_losses, get_hour_losses
from zkmargin.engine.backtest.garch import REFIT, MonthlyGarch
from zkmargin.engine.backtest.history import load_history
from zkmargin.engine.backtest.models import DAYS_HELD, HAS_SHORTFALL
from zkmargin.engine.backtest.paths import build_market
from zkmargin.engine.backtest.report import build_document
from zkmargin.engine.backtest.run import LEAST_SAMPLE, run_backtest, select_days
from zkmargin.engine.calibration.filters import WARM_UP, filter_garch
from zkmargin.engine.errors import OutOfRange, UnknownName
from zkmargin.engine.margin.parameters import load_parameters

PARAMETERS = load_parameters()


@pytest.mark.property("P-69")
def test_no_margin_looks_ahead():
    seen = get_run()
    changed = build_market(change_after(load_history(), "2020-03-07", 0.5))
    other = run_backtest(changed, PARAMETERS, BOOKS, MODELS, "BTC", FIRST, LAST)
    known = seen.dates <= np.datetime64("2020-03-07")
    assert 5 < known.sum() < len(known) - 5
    for model in MODELS:
        for before, after in zip(seen.figures[model], other.figures[model], strict=True):
            if before is not None:
                assert np.array_equal(before[known], after[known]) and not np.array_equal(before, after)


def test_losses_of_a_perpetual_are_its_closes():
    run, segment = get_run(), load_history().segments[0]
    rows = np.searchsorted(segment.dates, run.dates)
    for days in (1, 2):
        expected = segment.closes[rows, 0] - segment.closes[rows + days, 0]
        assert run.losses[days][:, BOOKS.index("long")] == pytest.approx(expected)
        assert run.losses[days][:, BOOKS.index("short")] == pytest.approx(-expected)


def test_march_2020_breaks_the_margin_of_the_long_book():
    run = get_run()
    crash = {(found.model, found.book): found for found in get_crash_losses(run, MODELS) if found.crash == "March 2020"}
    found = crash["ewma", "long"]
    assert found.struck == "2020-03-11" and found.loss == pytest.approx(7911.43 - 4970.79) and found.ratio > 1
    assert crash["house_initial", "long"].ratio > 1 > crash["house_initial", "short"].ratio
    assert crash["house_initial", "long"].ratio < crash["ewma", "long"].ratio


def test_the_house_holds_on_10_october_2025_within_the_hour():
    first, last = np.datetime64("2025-10-05"), np.datetime64("2025-10-14")
    run = run_backtest(get_market(), PARAMETERS, ("long", "basis"), ("ewma", "house_initial"), "BTC", first, last)
    (found,) = [loss for loss in get_hour_losses(run, get_market(), load_history().events, PARAMETERS)]
    assert (found.crash, found.book, found.hour) == ("October 2025", "long", "2025-10-10T21")
    assert found.loss == pytest.approx(121579.3 - 101516.5)
    assert found.margins["ewma"] < found.loss < found.margins["house_initial"]


def test_books_without_their_prices_are_not_tested():
    first, last = np.datetime64("2025-12-20"), np.datetime64("2026-01-05")
    run = run_backtest(get_market(), PARAMETERS, ("basis", "carry"), ("ewma", "house_initial"), "BTC", first, last)
    basis, carry = (np.isfinite(run.losses[1][:, column]) for column in (0, 1))
    assert np.array_equal(basis, run.quoted) and basis.any() and not basis.all()
    assert carry.any() and not (carry & run.quoted).any()
    assert not np.isfinite(run.figures["ewma"].margin).any()
    assert np.array_equal(np.isfinite(run.figures["house_initial"].margin[:, 0]), basis)


def test_days_are_left_out_where_samples_are_short_or_quotes_begin():
    early, late = get_market().paths
    always = (np.datetime64("2000-01-01"), np.datetime64("2100-01-01"))
    assert (
        select_days(early, *always, 0)[0] == LEAST_SAMPLE
        and select_days(early, *always, 0)[-1] == len(early.states) - 3
    )
    begin = int(np.flatnonzero(late.quoted)[0])
    kept = select_days(late, *always, 1000)
    assert begin in kept and begin - 3 in kept and begin - 1 not in kept and begin - 2 not in kept


def test_a_monthly_garch_goes_on_as_its_last_fit():
    returns = np.diff(np.log(load_history().segments[0].closes[: WARM_UP + 320]), axis=0)
    start = len(returns) - REFIT + 1
    filtered = MonthlyGarch()
    filtered.update(returns[:start])
    fitted = filter_garch(returns[:start])
    assert filtered.latest == pytest.approx(fitted.latest)
    filtered.update(returns)
    assert filtered.fitted_days == start and len(filtered.standardised) == len(returns)
    variance = fitted.latest**2
    for row in returns[start:]:
        variance = filtered.constants[0] + filtered.constants[1] * row**2 + filtered.constants[2] * variance
    assert filtered.latest == pytest.approx(np.sqrt(variance))
    assert filtered.standardised[start] == pytest.approx(returns[start] / fitted.latest)


def refuse_to_converge(returns):
    raise OutOfRange("convergence flag of the GARCH fit of asset 0", 4, 0, 0)


def test_a_garch_that_does_not_converge_keeps_no_other_model_back(monkeypatch):
    first, last = np.datetime64("2020-01-25"), np.datetime64("2020-03-20")
    fitted = run_backtest(get_market(), PARAMETERS, ("long",), ("garch", "ewma"), "BTC", first, last)
    monkeypatch.setattr(garch, "filter_garch", refuse_to_converge)
    run = run_backtest(get_market(), PARAMETERS, ("long",), ("garch", "ewma"), "BTC", first, last)
    assert np.isfinite(fitted.figures["garch"].margin).all() and np.isnan(run.figures["garch"].margin).all()
    assert np.array_equal(run.figures["ewma"].margin, fitted.figures["ewma"].margin)
    assert evaluate(run, "garch", "long") is None and evaluate(run, "ewma", "long") is not None


def test_a_garch_begins_with_its_first_fit_that_converges(monkeypatch):
    returns = np.diff(np.log(load_history().segments[0].closes[: WARM_UP + 320]), axis=0)
    filtered, days = MonthlyGarch(), len(returns) - REFIT
    with monkeypatch.context() as patch:
        patch.setattr(garch, "filter_garch", refuse_to_converge)
        filtered.update(returns[:days])
    assert not filtered.is_fitted and filtered.failures == 1
    filtered.update(returns[: days + 1])
    assert not filtered.is_fitted, "a month passes before the next fit"
    filtered.update(returns)
    assert filtered.is_fitted and filtered.latest == pytest.approx(filter_garch(returns).latest)
    with pytest.raises(OutOfRange, match="number of days of returns is 249"):
        MonthlyGarch().update(returns[:249])


def test_verdicts_count_what_the_series_show():
    first, last = np.datetime64("2020-01-25"), np.datetime64("2020-03-20")
    run = run_backtest(get_market(), PARAMETERS, ("long",), ("ewma", "two_day"), "BTC", first, last)
    for model in ("ewma", "two_day"):
        series, verdict = get_series(run, model, "long"), evaluate(run, model, "long")
        assert verdict.exceptions == (series.loss > series.margin).sum() >= 1
        assert verdict.worst_ratio == pytest.approx((series.loss / series.margin).max())
        assert verdict.days_held == DAYS_HELD[model] and verdict.observations == len(run.dates)
        assert verdict.options["none"].exceptions == verdict.exceptions >= verdict.options["buffer"].exceptions
    document = build_document(run, get_market(), load_history(), PARAMETERS)
    assert [entry["model"] for entry in document["results"]] == ["ewma", "two_day"]
    assert evaluate(get_run(), "ewma", "long") is None  # a month is too short for a verdict


def test_unknown_names_and_empty_spans_are_refused():
    for books, models in ((("long", "martingale"), ("ewma",)), (("long",), ("oracle",))):
        with pytest.raises(UnknownName):
            run_backtest(get_market(), PARAMETERS, books, models)
    with pytest.raises(OutOfRange):
        run_backtest(get_market(), PARAMETERS, first=np.datetime64("2022-01-01"), last=np.datetime64("2022-12-31"))
    assert set(HAS_SHORTFALL) < set(DAYS_HELD) and set(BOOKS) < set(ARCHETYPES)


def test_a_volatility_that_moves_alone_is_what_long_straddles_lose_by():
    first, last = np.datetime64("2026-03-01"), np.datetime64("2026-03-25")
    run = run_backtest(get_market(), PARAMETERS, ("long_straddle",), ("ewma", "ewma_residual"), "BTC", first, last)
    plain, wide = (run.figures[model].margin[:, 0] for model in ("ewma", "ewma_residual"))
    assert (wide > 1.5 * plain).all()
    assert (run.losses[1][:, 0] > plain).sum() > (run.losses[1][:, 0] > wide).sum()
