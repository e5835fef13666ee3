"""`zkmargin demo --default` at mini, on real proofs."""

import json

import pytest

from tests.support.cli import run_command
from zkmargin.scripts.setup import set_up


@pytest.mark.slow
def test_the_demo_of_a_default_tells_what_happened(tmp_path):
    set_up(["mini"])
    out = tmp_path / "default.json"
    run_command("demo", "--default", "--preset", "mini", "--out", str(out))
    told = json.loads(out.read_text())
    assert told["owner_changed"] and told["sleeper_paid_only_fee"] and told["all_exited_after_wind_down"]
    assert told["saved_by_partial"] is None and told["index_after_shortfall"] is None
    assert set(told["gas"]) == {"freeze", "reveal", "bid", "roll"}
    assert all(step["gas"] > 0 and step["seconds"] > 0 for step in told["steps"])
