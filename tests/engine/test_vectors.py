"""The margin vectors: what circuit and contract tests read is what the engine says."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.house import get_definition, get_policies, make_state
from zkmargin.engine.policy.arithmetic import evaluate_rows
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.scripts.generate.vectors import (
    FLOAT_TOLERANCE,
    POLICIES,
    find_differences,
    make_document,
    read_policies,
)

FOLDER = Path(__file__).parents[1] / "vectors"
DOCUMENTS = {size: json.loads((FOLDER / f"margin_{size}.json").read_text()) for size in POLICIES}
READ = {size: read_policies(document) for size, document in DOCUMENTS.items()}
CASES = [
    pytest.param(size, case, id=f"{size}, {case['name']}, {case['policy']}")
    for size, document in DOCUMENTS.items()
    for case in document["cases"]
]


@pytest.mark.parametrize("size", sorted(POLICIES))
def test_files(size):
    document = DOCUMENTS[size]
    assert (FOLDER / f"margin_{size}.json").stat().st_size < 350_000
    assert tuple(document["policies"]) == POLICIES[size] and document["preset"] == size
    assert len({case["name"] for case in document["cases"]}) >= 15
    for name, entry in document["policies"].items():
        assert READ[size][name].hash.hex() == entry["hash"]


@pytest.mark.property("P-87")
@pytest.mark.parametrize("size", sorted(POLICIES))
def test_policies_are_the_stored_ones_on_every_machine(size):
    for name, stored in READ[size].items():
        assert stored.to_bytes() == get_policies(size)[name].to_bytes()


@pytest.mark.parametrize("size", sorted(POLICIES))
def test_files_are_not_stale(size):
    assert find_differences(DOCUMENTS[size], make_document(size)) == []


def test_a_stale_file_is_found():
    stored = DOCUMENTS["mini"]
    place = next(number for number, case in enumerate(stored["cases"]) if "certificate" in case and case["positions"])
    case = stored["cases"][place]
    name = f"{case['name']}, {case['policy']}"
    size = max(abs(value) for value in case["float"].values())

    def with_case(**changes):
        return {**stored, "cases": [*stored["cases"][:place], {**case, **changes}, *stored["cases"][place + 1 :]]}

    def with_grid(change):
        return with_case(float={**case["float"], "grid": case["float"]["grid"] + change})

    assert find_differences(stored, with_grid(0.5 * FLOAT_TOLERANCE * size)) == []
    assert find_differences(stored, with_grid(2 * FLOAT_TOLERANCE * size)) == [f"{name}: float"]
    slacks = case["certificate"]["slacks"]
    moved = {**case["certificate"], "slacks": [str(int(slacks[0]) + 1), *slacks[1:]]}
    assert find_differences(stored, with_case(certificate=moved)) == [f"{name}: certificate"]
    assert find_differences(stored, {**stored, "snapshot_hash": "00"}) == ["snapshot_hash"]
    assert find_differences(stored, {**stored, "cases": stored["cases"][1:]}) == ["cases"]


@pytest.mark.property("P-24")
@pytest.mark.parametrize(("size", "case"), CASES)
def test_case(size, case):
    policy = READ[size][case["policy"]]
    state = make_state(
        policy.preset.slots, {int(slot): lots for slot, lots in case["positions"].items()}, int(case["cash"])
    )
    if "refused" in case:
        with pytest.raises(RequirementNotMet) as refusal:
            find_certificate(policy, state)
        assert list(refusal.value.rows) == case["refused"]["rows"]
        assert refusal.value.missing_usd6 == int(case["refused"]["missing_usd6"])
    else:
        stored = {key: tuple(int(value) for value in values) for key, values in case["certificate"].items()}
        assert evaluate_rows(policy, state, stored["helpers"], stored["excess"]) == stored["slacks"]
        assert min(stored["slacks"]) >= 0
        certificate = find_certificate(policy, state)
        assert {key: getattr(certificate, key) for key in stored} == stored
    if "float" in case:
        level = "maintenance" if case["policy"] == "maintenance" else "initial"
        needed = get_definition(size).compute_requirement(state, level)
        size_usd = 1e-9 * (1 + abs(needed.equity) + float(np.abs(state.positions).sum()) * 1e4)
        assert needed.margin_excess == pytest.approx(case["float"]["margin_excess"], rel=1e-9, abs=size_usd)
        if "certificate" in case:
            assert case["float"]["margin_excess"] >= 0
