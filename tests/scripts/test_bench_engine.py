"""`zkmargin bench engine` as a user runs it, and that `zkmargin bench` still measures the prover."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.support.house import get_house
from zkmargin.scripts.cli import bench, bench_prover
from zkmargin.scripts.cli.bench_engine import LARGEST, make_books


def test_figures():
    result = CliRunner().invoke(bench.app, ["engine", "--accounts", "1000", "--runs", "5", "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["accounts"], document["slots"], document["rows"], document["threads"]) == (1000, 256, 165, 2)
    assert document["ratio_to_matmul"] > 0 and document["ratio_without_shortfall"] > 0
    assert document["pricing_ms"] > 0 and document["certificate_ms"] > 0
    assert document["batch_ms"] > 0 and document["matmul_ms"] > 0


def test_books_are_hedged_half_and_listed():
    house = get_house("standard")
    positions, cash = make_books(house, 400)
    again, _ = make_books(house, 400)
    assert (positions == again).all() and len(cash) == 400
    assert (positions[:, ~house.snapshot.listing.is_listed] == 0).all()
    assert np.abs(positions[1::2]).max() == LARGEST
    delta = np.abs(positions[:, :128] @ house.exposures[:128])
    assert delta[::2].max() <= house.exposures[1] / 2 < np.median(delta[1::2])


def test_bench_without_a_subcommand_is_the_prover(monkeypatch):
    called = []
    monkeypatch.setattr(
        bench_prover, "measure", lambda preset, runs, steps: called.append((preset, runs)) or {"prove_s": 1.0}
    )
    monkeypatch.setattr(bench_prover, "describe_machine", lambda: {"cpu": "x"})
    for arguments in ([], ["--runs", "6"], ["prover", "--runs", "7"]):
        result = CliRunner().invoke(bench.app, [*arguments, "--json"])
        assert result.exit_code == 0, result.output
        assert set(json.loads(result.stdout)) == {"mini", "standard", "env"}
    assert [runs for _, runs in called[::2]] == [5, 6, 7]


@pytest.mark.parametrize("arguments", [["engine", "--runs", "4"], ["engine", "--accounts", "10"]])
def test_too_little_is_refused(arguments):
    assert CliRunner().invoke(bench.app, arguments).exit_code == 2
