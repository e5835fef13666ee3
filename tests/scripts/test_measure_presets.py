"""The script that measures the presets, and the ledger that it writes."""

import json

import pytest

from zkmargin.engine.policy.batch import KERNELS
from zkmargin.engine.presets import PRESETS
from zkmargin.prover.paths import PACKAGE as ROOT
from zkmargin.scripts.measure import presets as measure_presets
from zkmargin.scripts.setup import set_up

SIZES = ("constraints", "public_inputs", "rows", "domain")


def test_the_ledgers_agree_on_the_sizes():
    exact = json.loads((ROOT / "costs/constraints.json").read_text())
    measured = json.loads(measure_presets.LEDGER.read_text())["scaling"]
    for preset in PRESETS:
        assert {name: measured[preset][name] for name in SIZES} == {
            name: exact[preset]["transition"][name] for name in SIZES
        }
        assert min(value for name, value in measured[preset].items() if name.endswith("_s")) > 0


@pytest.mark.parametrize("preset", ["mini", "standard"])
def test_the_ledgers_of_both_paths_are_of_the_present_circuit(preset):
    exact = json.loads((ROOT / "costs/constraints.json").read_text())[preset]["transition"]
    document = json.loads(measure_presets.LEDGER.read_text())
    for measured in (document[preset], document["scalar"][preset]):
        assert {name: measured[name] for name in SIZES[:2]} == {name: exact[name] for name in SIZES[:2]}


def test_the_engines_ledger_is_of_the_present_rows():
    engine, standard = json.loads((ROOT / "costs/engine.json").read_text()), PRESETS["standard"]
    assert (engine["rows"], engine["slots"], engine["kernel"]) == (standard.rows, standard.slots, KERNELS[0])


def test_writing_keeps_what_others_wrote(tmp_path):
    ledger = tmp_path / "prover.json"
    ledger.write_text(json.dumps({"standard": {"prove_s": 1}, "scaling": {"xl": {"prove_s": 3}}}))
    measure_presets.write_ledger({"wide": {"prove_s": 2}}, ledger)
    document = json.loads(ledger.read_text())
    assert document["standard"] == {"prove_s": 1}
    scaling = document["scaling"]
    assert "xl" not in scaling and scaling["wide"] == {"prove_s": 2}, "figures of one run, not of two machines"
    assert scaling["command"] == "python -m zkmargin.scripts.measure.presets --preset wide --write"


def test_an_unknown_preset_is_refused(capsys):
    with pytest.raises(SystemExit):
        measure_presets.main(["--preset", "huge"])
    assert "choose from" in capsys.readouterr().err


@pytest.mark.slow
def test_standard_runs_through_the_same_stages(capsys):
    """What is measured at wide and xl, at a size whose keys are there: the proof passes all three verifiers."""
    set_up(["standard"])
    measure_presets.main(["--preset", "standard", "--stage", "run"])
    figures = json.loads(capsys.readouterr().out)
    assert 0 < figures["verify_with_point_s"] < figures["verify_s"] < figures["verify_py_ecc_s"]
