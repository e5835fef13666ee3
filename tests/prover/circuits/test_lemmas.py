"""The circuits refuse to be compiled with a bit budget that does not carry their lemmas."""

import re
import shutil

import pytest

from zkmargin.prover.groth16.compile import CompilationError, compile_source
from zkmargin.prover.paths import CIRCUITS

TEMPLATES = {
    "transition": "Transition(16, 6, 4, 2)",
    "movement": "Movement(2)",
    "charges": "Charges(256)",
    "policy": "PolicyRows(256, 6, 4, 2, LANE_BITS(), SLACK_BITS())",
}


def compile_with(folder, source: str, **changes: int):
    """One template, with constants of the bit budget changed."""
    circuits = folder / "circuits"
    shutil.copytree(CIRCUITS, circuits)
    constants = circuits / "generated/constants.circom"
    text = constants.read_text()
    for name, value in changes.items():
        text, count = re.subn(rf"(function {name}\(\) {{ return )\d+", rf"\g<1>{value}", text)
        assert count == 1, name
    constants.write_text(text)
    main = circuits / "main.circom"
    main.write_text(
        f'pragma circom 2.1.6;\ninclude "generated/constants.circom";\ninclude "{source}.circom";\n'
        f"component main = {TEMPLATES[source]};\n"
    )
    return compile_source(main, folder / "compiled", optimization="O0")


@pytest.mark.parametrize("source", sorted(set(TEMPLATES) - {"transition"}))  # which every set-up compiles
def test_the_shipped_budget_is_compiled(tmp_path, source):
    assert compile_with(tmp_path, source).facts.constraints > 0


@pytest.mark.property("P-181")
@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("movement", {"FLOW_BITS": 31}),
        ("movement", {"LEGS": 5}),
        ("movement", {"POSITIONS_PER_WORD": 8}),
        ("charges", {"CHARGE_BITS": 73}),
        ("charges", {"CHARGE_BITS": 85}),
        ("charges", {"LANE_BITS": 177}),
        ("transition", {"SLACK_BITS": 84}),
        ("transition", {"LANE_BITS": 85}),
        ("transition", {"LEG_SLOT_BITS": 3}),
        ("policy", {"COEFFICIENT_BITS": 46}),
        ("policy", {"CHARGE_COEFFICIENT_MAX": 64}),
        ("policy", {"HELPER_COEFFICIENT_BITS": 22}),
        ("policy", {"CASH_BITS": 83}),
        ("policy", {"CONSTANT_BITS": 83}),
        ("policy", {"WEIGHT_BITS": 21}),
    ],
    ids=str,
)
def test_a_wider_number_is_refused(tmp_path, source, changes):
    with pytest.raises(CompilationError, match="assert"):
        compile_with(tmp_path, source, **changes)
