"""The report of all attacks says nothing of tamperings that were not tried."""

import argparse
import json
import subprocess

import pytest

from tests.support.soundness import __main__ as runner

PASSED = "PASSED tests/audit/test_tampering.py::test_one\n"


def make_run(monkeypatch, returncode, stdout):
    done = subprocess.CompletedProcess([], returncode, stdout, "why")
    monkeypatch.setattr(runner.subprocess, "run", lambda *_, **__: done)


@pytest.mark.parametrize(("returncode", "stdout"), [(5, ""), (0, PASSED), (1, PASSED * 30), (2, "")])
def test_tamperings_that_did_not_run_end_it(monkeypatch, returncode, stdout):
    make_run(monkeypatch, returncode, stdout)
    with pytest.raises(SystemExit, match="why"):
        runner.run_audit(argparse.Namespace())


def test_a_tampering_that_was_left_out_counts_as_missed(monkeypatch):
    make_run(monkeypatch, 0, PASSED * 30 + "SKIPPED [1] tests/audit/test_tampering.py:3: no node\n")
    assert runner.run_audit(argparse.Namespace()) == {"audit_tamperings": 31, "audit_found": 30}


def test_counts_are_put_into_the_ledger_beside_the_others(monkeypatch, tmp_path):
    ledger = tmp_path / "soundness.json"
    ledger.write_text('{"malicious": {"accepted": 1}, "policies": {"policies": 2}}')
    monkeypatch.setattr(runner, "LEDGER", ledger)
    monkeypatch.setattr(runner, "read_commit", lambda: "abc")
    monkeypatch.setitem(runner.ATTACKS, "policies", lambda given: {"policies": given.policies, "policies_cheated": 0})
    runner.main(["policies", "--policies", "7"])
    assert "abc" not in ledger.read_text()
    runner.main(["policies", "--policies", "7", "--write"])
    assert json.loads(ledger.read_text()) == {
        "malicious": {"accepted": 1},
        "policies": {"commit": "abc", "policies": 7, "policies_cheated": 0},
    }


def test_the_commit_is_the_one_that_is_checked_out():
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=runner.PACKAGE, capture_output=True, text=True, check=True)
    assert head.stdout.startswith(runner.read_commit().removesuffix("-dirty"))
