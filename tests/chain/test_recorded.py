"""The record of real proofs that integrators get can be made again; `tests/contracts/test_foundry.py` plays it."""

import json

import pytest

from zkmargin.scripts.generate import recorded
from zkmargin.scripts.setup import set_up


@pytest.mark.slow
def test_a_record_is_made_by_the_command():
    """Of this machine's keys: the same transactions to the same contracts."""
    set_up(["mini"])
    made, shipped = recorded.record(), json.loads(recorded.PATH.read_text())
    for part in ("chain_id", "contracts"):
        assert made[part] == shipped[part]
    for part in ("set_up", "calls"):
        calls = [document[part] for document in (made, shipped)]
        listed = [list(item.values()) if isinstance(item, dict) else item for item in calls]
        named = [[(step["to"], step.get("name") or step["data"][:10]) for step in steps] for steps in listed]
        assert named[0] == named[1]
