"""The script that measures the presets, and the ledger that it writes."""

import io
import json

import pytest

from zkmargin.engine.policy.batch import KERNELS
from zkmargin.engine.presets import PRESETS
from zkmargin.prover.paths import PACKAGE as ROOT
from zkmargin.scripts.measure import ledger as measure_ledger
from zkmargin.scripts.measure import presets as measure_presets
from zkmargin.scripts.setup import set_up

SIZES = ("constraints", "public_inputs", "rows", "domain")


def test_the_ledgers_agree_on_the_sizes():
    exact = json.loads((ROOT / "costs/constraints.json").read_text())
    measured = json.loads(measure_ledger.LEDGER.read_text())["scaling"]
    for preset in PRESETS:
        assert {name: measured[preset][name] for name in SIZES} == {
            name: exact[preset]["transition"][name] for name in SIZES
        }
        assert min(value for name, value in measured[preset].items() if name.endswith("_s")) > 0
    scalar = json.loads(measure_ledger.LEDGER.read_text())["scaling_scalar"]["wide"]
    assert {name: scalar[name] for name in SIZES} == {name: exact["wide"]["transition"][name] for name in SIZES}


@pytest.mark.parametrize("preset", ["mini", "standard"])
def test_the_ledgers_of_both_paths_are_of_the_present_circuit(preset):
    exact = json.loads((ROOT / "costs/constraints.json").read_text())[preset]["transition"]
    document = json.loads(measure_ledger.LEDGER.read_text())
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


def test_the_path_without_vector_units_has_a_place_of_its_own(tmp_path, monkeypatch):
    ledger = tmp_path / "prover.json"
    ledger.write_text(json.dumps({"scaling": {"wide": {"prove_s": 1}}}))
    monkeypatch.setenv("ZKMARGIN_NATIVE", "scalar")
    measure_presets.write_ledger({"wide": {"prove_s": 2}}, ledger)
    document = json.loads(ledger.read_text())
    assert document["scaling"] == {"wide": {"prove_s": 1}} and document["scaling_scalar"]["wide"] == {"prove_s": 2}
    assert document["scaling_scalar"]["command"].startswith("ZKMARGIN_NATIVE=scalar python -m ")


@pytest.mark.parametrize("key", [None, "peers"])
def test_a_document_goes_under_its_key_or_by_its_own(key, tmp_path, monkeypatch):
    ledger = tmp_path / "prover.json"
    ledger.write_text(json.dumps({"standard": {"prove_s": 1}, "peers": {"runs": 1, "old": 2}}))
    document = {"runs": 5} if key else {"peers": {"runs": 5}}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(document)))
    measure_ledger.main([*([key] if key else []), "--ledger", str(ledger)])
    assert json.loads(ledger.read_text()) == {"standard": {"prove_s": 1}, "peers": {"runs": 5}}


def test_the_ledger_takes_no_empty_document(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", io.StringIO("{}"))
    with pytest.raises(SystemExit, match="not empty"):
        measure_ledger.main(["peers", "--ledger", str(tmp_path / "prover.json")])


def test_the_ledger_says_what_peers_farm_and_committee_were_measured_at():
    document = json.loads(measure_ledger.LEDGER.read_text())
    peers, farm, committee = document["peers"], document["farm"], document["committee"]
    assert peers["preset"] == farm["preset"] == "standard"
    for name, ratio in peers["ratio_to_ours"].items():
        assert ratio == pytest.approx(peers["seconds"][name] / peers["seconds"]["zkmargin"], rel=0.01)
    for workers in (farm["workers_1"], farm["workers_2"]):
        cpu = workers["workers_cpu_s_per_proof"] + workers["farm_cpu_s_per_proof"]
        cores = farm["accounts"] * cpu / farm["interval_s"] / farm["load"]
        assert workers["cores_for_accounts"] == pytest.approx(cores, rel=0.02)
    assert (committee["threshold"], committee["members"]) == (3, 5)


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
