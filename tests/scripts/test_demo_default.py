"""`zkmargin demo --default` at mini, on real proofs."""

import json

import pytest

from tests.support.cli import run_command
from zkmargin.contracts import venue_keys
from zkmargin.scripts.demo import default
from zkmargin.scripts.demo.tables import DEFAULT_CLAIMS, render_default
from zkmargin.scripts.setup import set_up


@pytest.mark.slow
def test_the_demo_of_a_default_tells_what_happened(tmp_path):
    set_up(["mini"])
    out = tmp_path / "default.json"
    shown = run_command("demo", "--default", "--preset", "mini", "--out", str(out))
    assert shown.returncode == 0, shown.stderr
    told = json.loads(out.read_text())
    assert [told[claim] for claim in DEFAULT_CLAIMS] == [True] * 8 + [None]
    assert set(told["gas"]) == {"freeze", "reveal", "bid", "sell_part", "rekey", "roll"}
    assert all(step["gas"] > 0 for step in told["steps"])
    assert "saved_by_partial" in shown.stdout and "not shown by this demo" in shown.stdout


CLAIMS = dict(zip(DEFAULT_CLAIMS, (True, False, *[True] * 6, None), strict=True))
TOLD = {"market": "a crash", "steps": [{"name": "reveal", "gas": 712_345, "seconds": 1.25}], **CLAIMS}


def test_a_default_is_told_in_tables():
    steps, shown = render_default(TOLD)
    assert steps.rows == (("reveal", "712,345", "1.250"),)
    assert [row[1] for row in shown.rows] == ["yes", "no", *["yes"] * 6, "not shown by this demo"]


def test_a_default_is_told_as_json_where_that_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(venue_keys, "load_venue_keys", lambda preset: preset)
    monkeypatch.setattr(default, "run_default", lambda keys, steps: TOLD)
    command = ("demo", "--default", "--preset", "mini", "--out", str(tmp_path / "default.json"))
    told, shown = run_command(*command, "--json"), run_command(*command)
    assert json.loads(told.stdout) == json.loads((tmp_path / "default.json").read_text()) == TOLD
    assert "not shown by this demo" in shown.stdout and "{" not in shown.stdout
