"""`zkmargin bench peers`: takes turns, verifies every proof, and says what is missing."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from zkmargin.contracts.venue_keys import load_venue_keys
from zkmargin.prover.errors import ProofRejected
from zkmargin.prover.groth16.compile import CompilationError
from zkmargin.prover.groth16.proof import prove
from zkmargin.prover.groth16.witness import compute_transition_witness
from zkmargin.scripts.cli import bench, bench_peers
from zkmargin.scripts.cli.bench_prover import make_case

SECONDS = 1000.0
"""What the peer of these tests says that a proof took it: far longer than any of ours."""


@pytest.fixture(scope="module")
def case():
    """mini's transition key, a transition, and the words of a proof of it."""
    keys = load_venue_keys("mini")
    made = make_case(keys.preset)
    return made, prove(keys.transition, compute_transition_witness(keys.transition.circuit, made[1])).proof.words


@pytest.fixture
def install(monkeypatch, tmp_path, case):
    """Puts a program in the peers' place that prints given words for each line that it reads."""

    def work(words) -> None:
        program = tmp_path / "peer"
        answer = " ".join(map(str, (SECONDS, *words)))
        program.write_text(
            f"#!/bin/sh\ntest -f $2 -a -f $3 || exit 1\necho ready\nwhile read _; do echo {answer}; done\n"
        )
        program.chmod(0o755)
        monkeypatch.setattr(bench_peers, "build_peers", lambda: program)
        monkeypatch.setattr(bench_peers, "make_case", lambda preset: case[0])
        monkeypatch.setattr(bench_peers, "run_snarkjs", lambda preset, wtns: [2 * SECONDS])

    return work


def run(*arguments: str):
    return CliRunner().invoke(bench.app, ["peers", "--preset", "mini", *arguments])


def test_every_prover_has_its_seconds_and_its_ratio(install, case):
    install(case[1])
    result = run("--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert list(document["seconds"]) == ["zkmargin", "ark-groth16", "taceo-groth16", "snarkjs"]
    assert document["seconds"]["ark-groth16"] == document["seconds"]["taceo-groth16"] == SECONDS
    assert document["ratio_to_ours"]["zkmargin"] == 1.0
    assert document["ratio_to_ours"]["snarkjs"] > 10
    assert document["env"]["cores"] == os.cpu_count() and document["runs"] == 5
    table = run().output
    assert "taceo-groth16" in table and "ratio" in table


def test_a_peers_proof_that_does_not_verify_ends_the_run(install, case):
    words = case[1]
    install((*words[6:], *words[2:6], *words[:2]))  # A and C exchanged: points, but no proof
    result = run()
    assert isinstance(result.exception, ProofRejected)
    assert str(result.exception) == "the proof of ark-groth16 does not verify"


def test_a_peer_that_ends_is_said_so(install, monkeypatch, case):
    install(case[1])
    monkeypatch.setattr(bench_peers, "BUILD", Path("/nowhere"))  # the peer finds no key
    result = run()
    assert isinstance(result.exception, ProofRejected) and "ended with code 1" in str(result.exception)


def test_without_cargo_it_says_what_is_missing(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CompilationError, match="no cargo on PATH"):
        bench_peers.build_peers()


@pytest.mark.slow
@pytest.mark.timeout(1_800)  # cargo builds two provers
def test_the_peers_prove():
    result = run("--json")
    assert result.exit_code == 0, result.output
    assert all(ratio > 0 for ratio in json.loads(result.stdout)["ratio_to_ours"].values())
