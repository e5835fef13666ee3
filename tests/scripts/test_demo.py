"""The demo's whole way at mini, and the report that it writes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from zkmargin.contracts.chain import run_anvil
from zkmargin.contracts.errors import ChainUnavailable, Reverted
from zkmargin.engine.market.file import load_snapshot
from zkmargin.scripts.demo.refusals import REASONS, NotRefused, expect_refusal
from zkmargin.scripts.setup import set_up

ROOT = Path(__file__).parents[2]
CASES = {
    "under_margined", "tampered_proof", "replay", "stale_epoch", "withdraw_too_large", "other_account", "self_trade",
    "deposit_with_trade_word", "wrong_points",
}  # fmt: skip
BOTH_STAGES = {"under_margined", "withdraw_too_large"}


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> dict:
    set_up(["mini"])
    path = tmp_path_factory.mktemp("demo") / "report.json"
    with run_anvil(timestamp=load_snapshot("deribit_2026-08-22").time) as chain:
        command = [
            sys.executable,
            "-m",
            "zkmargin.scripts.cli.main",
            "demo",
            "--preset",
            "mini",
            "--rpc-url",
            chain.url,
        ]
        before = chain.get_block("latest")
        done = subprocess.run([*command, "--out", str(path)], cwd=ROOT, capture_output=True, text=True, timeout=400)
        assert chain.get_block("latest") == before, "the node is put back"
        chain._request("evm_mine")
        assert chain.time - before.time < 3600, "and its clock with it"
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text())


def test_the_report_has_every_key(report):
    assert {"preset", "slots", "rows", "constraints", "public_inputs", "gas", "seconds", "positions"} <= set(report)
    assert {"open", "fund", "deposit", "trade", "withdraw", "attest", "epoch", "epoch_snapshot"} <= set(report["gas"])
    assert {"policy", "policy_point", "witness", "prove", "verify"} <= set(report["seconds"])
    assert all(type(gas) is int and gas > 21_000 for gas in report["gas"].values())
    assert (report["preset"], report["slots"], report["rows"]) == ("mini", 16, 72)


def test_every_case_is_refused_at_its_stages(report):
    stages = {}
    for row in report["rejected"]:
        stages.setdefault(row["case"], set()).add(row["stage"])
        assert REASONS[row["case"], row["stage"]] in row["reason"]
    assert set(stages) == CASES
    for case, found in stages.items():
        assert found == ({"prover", "contract"} if case in BOTH_STAGES else {"contract"}), case


def test_the_claims_at_the_end(report):
    assert report["recovered"] is True
    assert report["verified_by"] == ["native", "py_ecc", "snarkjs"]
    assert report["net_delta_attested"] and report["closed_without_oracle"]


def test_an_attempt_that_goes_through_stops_the_demo():
    with pytest.raises(NotRefused, match="accepted"):
        expect_refusal("self_trade", "contract", lambda: None)


@pytest.mark.parametrize("error", [Reverted("EpochStale", {}, "trade"), ChainUnavailable("url", "gone")])
def test_an_attempt_that_is_stopped_for_another_reason_stops_the_demo(error):
    def attempt():
        raise error

    with pytest.raises(NotRefused, match="SelfTrade"):
        expect_refusal("self_trade", "contract", attempt)
