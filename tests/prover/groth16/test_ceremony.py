"""A ceremony at mini, of the smallest circuit, on powers of tau made here; each step checked against the one before."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.stated_cases import make_reveal
from zkmargin.engine.presets import get_preset
from zkmargin.prover.errors import KeyMismatch, KeyRefused
from zkmargin.prover.groth16 import ceremony
from zkmargin.prover.groth16.ceremony import CeremonyFailed, read_contributions, run
from zkmargin.prover.groth16.keys import load_proving_key
from zkmargin.prover.groth16.witness import compute_witness
from zkmargin.prover.paths import BUILD
from zkmargin.scripts.cli.app import app

MINI, CIRCUIT = get_preset("mini"), "reveal"
BEACON = "0102030405060708090a0b0c0d0e0f10"


@pytest.fixture(scope="module")
def powers(tmp_path_factory) -> Path:
    """Powers of tau for 2^10 constraints, by one contributor."""
    folder = tmp_path_factory.mktemp("powers")
    first, second, prepared = (folder / f"{name}.ptau" for name in ("first", "second", "prepared"))
    run("powersoftau", "new", "bn128", "10", first)
    run("powersoftau", "contribute", first, second, "--name=test", "-e=test")
    run("powersoftau", "prepare", "phase2", second, prepared)
    return prepared


@pytest.fixture(scope="module")
def files(powers, tmp_path_factory) -> list[Path]:
    """The files of a ceremony of two contributors and a beacon, in order."""
    folder = tmp_path_factory.mktemp("ceremony")
    files = [folder / f"{number}.zkey" for number in range(4)]
    ceremony.begin(CIRCUIT, MINI, powers, files[0])
    ceremony.contribute(files[0], files[1], "alice")
    ceremony.contribute(files[1], files[2], "bob's laptop")
    ceremony.add_beacon(files[2], files[3], BEACON)
    return files


@pytest.fixture
def build(tmp_path) -> Path:
    """A build folder with the development keys of mini."""
    shutil.copytree(BUILD / "mini", tmp_path / "mini")
    return tmp_path


@pytest.mark.slow
@pytest.mark.property("P-288")
def test_a_ceremony_makes_a_key_that_is_not_for_development(powers, files, build):
    transcript = ceremony.verify(CIRCUIT, MINI, powers, files[3])
    assert [each.name for each in transcript.contributions] == ["alice", "bob's laptop", "beacon"]
    assert all(len(each.hash) == 128 for each in transcript.contributions)

    entry = ceremony.export(CIRCUIT, MINI, powers, files[3], build=build)
    assert entry.insecure is False
    assert (entry.zkey_hash, entry.key_hash) == (transcript.zkey_hash, transcript.key_hash)
    assert [each["name"] for each in entry.ceremony["contributions"]] == ["alice", "bob's laptop", "beacon"]
    key = load_proving_key(CIRCUIT, MINI, build=build)  # development keys are refused here
    key.native.prove(compute_witness(key.circuit, make_reveal()))
    with pytest.raises(KeyRefused, match="development key"):
        load_proving_key("open", MINI, build=build)
    manifest = json.loads((build / "mini/manifest.json").read_text())
    assert manifest["insecure"] is True, "the others are development keys still"


@pytest.mark.slow
@pytest.mark.property("P-288")
@pytest.mark.parametrize(
    ("last", "reason"), [(0, "no contributions|contributions to 0.zkey are"), (2, "a beacon at the end")]
)
def test_a_key_without_contributions_and_beacon_is_not_exported(powers, files, build, last, reason):
    """The first file's delta is the generator: whoever has it forges."""
    before = (build / "mini/manifest.json").read_text()
    with pytest.raises((KeyRefused, CeremonyFailed), match=reason):
        ceremony.export(CIRCUIT, MINI, powers, files[last], build=build)
    assert (build / "mini/manifest.json").read_text() == before


@pytest.mark.slow
@pytest.mark.property("P-288")
def test_a_file_that_was_altered_or_is_anothers_is_refused(powers, files, build, tmp_path):
    data = bytearray(files[3].read_bytes())
    data[-200] ^= 1
    altered = tmp_path / "altered.zkey"
    altered.write_bytes(data)
    with pytest.raises(CeremonyFailed):
        ceremony.verify(CIRCUIT, MINI, powers, altered)
    with pytest.raises(CeremonyFailed):
        ceremony.verify("open", MINI, powers, files[3])


@pytest.mark.slow
def test_the_commands_are_the_functions(powers, tmp_path):
    first, second, third = (str(tmp_path / f"{number}.zkey") for number in range(3))
    circuit = ["--circuit", CIRCUIT, "--powers", str(powers), "--preset", "mini"]
    for command in (
        ["begin", *circuit, first],
        ["contribute", first, second, "--name", "carol"],
        ["beacon", second, third, "--value", BEACON],
        ["verify", *circuit, third, "--rebuild", "--json"],
    ):
        done = CliRunner().invoke(app, ["ceremony", *command])
        assert done.exit_code == 0, done.output
    assert [each["name"] for each in json.loads(done.stdout)["contributions"]] == ["carol", "beacon"]


@pytest.mark.property("P-288")
def test_arguments_are_checked_before_anything_runs(tmp_path):
    missing, out = tmp_path / "missing.zkey", tmp_path / "out.zkey"
    with pytest.raises(CeremonyFailed, match=r"missing\.zkey is missing"):
        ceremony.contribute(missing, out, "alice")
    for name in ("", "a\nb", "x" * 65, "beacon", "b\u0435acon"):
        with pytest.raises(CeremonyFailed, match="name of a contributor"):
            ceremony.contribute(missing, out, name)
    for beacon in ("", "0102", "zz" * 16, "0X" + "11" * 16):
        with pytest.raises(CeremonyFailed, match="beacon"):
            ceremony.add_beacon(missing, out, beacon)
    with pytest.raises(KeyMismatch, match=r"pins\.json"):
        shutil.copytree(BUILD / "mini", tmp_path / "mini")
        file = tmp_path / "mini/reveal.r1cs"
        file.write_bytes(file.read_bytes()[:-1] + b"\1")
        ceremony.begin(CIRCUIT, MINI, missing, out, build=tmp_path)
    assert not out.exists()


def test_contributions_are_read_as_snarkjs_prints_them():
    words = "\n".join("\t\t" + " ".join(["01234567"] * 4) for _ in range(4))
    text = f"[INFO]  snarkJS: contribution #2 beacon:\n{words}\n[INFO]  snarkJS: contribution #1 alice:\n{words}\n"
    assert [(each.number, each.name, each.hash) for each in read_contributions(text)] == [
        (2, "beacon", "01234567" * 16),
        (1, "alice", "01234567" * 16),
    ]
