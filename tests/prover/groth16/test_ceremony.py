"""A ceremony at mini, of the smallest circuit, on powers of tau made here; each step checked against the one before."""

import json
import re
import shutil
import struct
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.stated_cases import make_reveal
from zkmargin.engine.presets import get_preset
from zkmargin.prover.errors import KeyMismatch, KeyRefused
from zkmargin.prover.groth16 import ceremony
from zkmargin.prover.groth16.ceremony import CeremonyFailed, run
from zkmargin.prover.groth16.contributions import read_contributions
from zkmargin.prover.groth16.keys import load_proving_key
from zkmargin.prover.groth16.pins import load_pins
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
    assert [each.beacon for each in transcript.contributions] == [None, None, BEACON]
    printed = run("zkey", "verify", BUILD / "mini/reveal.r1cs", powers, files[3])
    hashes = re.findall(r"contribution #\d .*:\s*\n((?:.*(?:[0-9a-f]{8}[ \n]*){4}\n?){4})", printed)
    assert ["".join(each.split()) for each in hashes] == [each.hash for each in reversed(transcript.contributions)]

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
    ("last", "reason"), [(0, r"no contributions|contributions are \[\]"), (2, "one beacon at the end")]
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
    document = json.loads(done.stdout)
    assert [each["name"] for each in document["contributions"]] == ["carol", "beacon"]
    assert document["circuit_hash"] == load_pins()["r1cs"]["mini"][CIRCUIT]
    assert 50 < document["peak_mb"] < 2_000, "circom and snarkjs are in it"


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


@pytest.mark.slow
@pytest.mark.property("P-288")
@pytest.mark.parametrize(
    ("name", "reason"), [("beacon", "name of contribution 3 is 'beacon'"), ("a\ncontribution #3 b:", "contribution 3")]
)
def test_who_signs_as_the_beacon_or_in_several_lines_is_refused(powers, files, tmp_path, name, reason):
    """By snarkjs itself, which takes any name: a last contributor called beacon knows what it added."""
    last = tmp_path / "last.zkey"
    run("zkey", "contribute", files[2], last, f"--name={name}", "-e=test")
    with pytest.raises(KeyRefused, match=reason):
        ceremony.verify(CIRCUIT, MINI, powers, last)


@pytest.mark.slow
@pytest.mark.property("P-288")
def test_what_is_exported_is_what_was_verified(powers, files, build, tmp_path, monkeypatch):
    """Though the file is exchanged meanwhile for one that anybody forges with."""
    last = Path(shutil.copy(files[3], tmp_path / "last.zkey"))
    verified = ceremony.verify(CIRCUIT, MINI, powers, last)

    def exchange(*arguments) -> str:
        shutil.copy(files[0], last)
        return run(*arguments)

    monkeypatch.setattr(ceremony, "run", exchange)
    assert ceremony.export(CIRCUIT, MINI, powers, last, build=build).zkey_hash == verified.zkey_hash


def make_part(
    name: bytes, kind: int = 0, beacon: bytes | None = None, *, points: bytes = bytes(320), exponent: int = 10
) -> bytes:
    """A contribution as a file has it."""
    parameters = b"\x01" + bytes([len(name)]) + name if name else b""
    if beacon is not None:
        parameters += bytes([2, exponent, 3, len(beacon)]) + beacon
    return points + bytes(64) + struct.pack("<II", kind, len(parameters)) + parameters


def make_file(*parts: bytes, count: int | None = None, sections: int = 1) -> bytes:
    content = bytes(64) + struct.pack("<I", len(parts) if count is None else count) + b"".join(parts)
    return struct.pack("<4sII", b"zkey", 1, sections) + sections * (struct.pack("<IQ", 10, len(content)) + content)


ALICE, END = make_part(b"alice"), make_part(b"beacon", 1, bytes(range(16)))


def test_contributions_are_read_from_the_file():
    found = read_contributions(make_file(ALICE, END))
    assert [(each.number, each.name, each.beacon) for each in found] == [
        (1, "alice", None),
        (2, "beacon", bytes(range(16)).hex()),
    ]
    other = read_contributions(make_file(make_part(b"alice", points=b"\x01" + bytes(319)), END))
    assert other[0].hash != found[0].hash


@pytest.mark.property("P-288")
@pytest.mark.parametrize(
    ("zkey", "reason"),
    [
        (make_file(ALICE, make_part(b"beacon")), "name of contribution 2 is 'beacon'"),
        (make_file(make_part(b"al\nice"), END), "name of contribution 1"),
        (make_file(make_part(b"\xd0\xb5ve"), END), "name of contribution 1"),
        (make_file(make_part(b""), END), "name of contribution 1"),
        (make_file(make_part(b"a" * 65), END), "name of contribution 1"),
        (make_file(ALICE), "one beacon at the end"),
        (make_file(END), "one contributor or more"),
        (make_file(), "one contributor or more"),
        (make_file(END, ALICE), "one beacon at the end"),
        (make_file(ALICE, END, END), "one beacon at the end"),
        (make_file(ALICE, make_part(b"late", 0, bytes(16))), "contribution 2 is of type 0"),
        (make_file(ALICE, make_part(b"late", 1)), "contribution 2 is of type 1"),
        (make_file(make_part(b"alice", 2), END), "contribution 1 is of type 2"),
        (make_file(ALICE, make_part(b"beacon", 1, b"")), "beacon of contribution 2 is ''"),
        (make_file(ALICE, make_part(b"beacon", 1, bytes(15))), "beacon of contribution 2"),
        (make_file(ALICE, make_part(b"beacon", 1, bytes(65))), "beacon of contribution 2"),
        (make_file(ALICE, make_part(b"beacon", 1, bytes(16), exponent=9)), r"2\^9 times"),
        (make_file(ALICE, make_part(b"beacon", 1, bytes(16), exponent=64)), r"2\^64 times"),
        (make_file(ALICE, END, count=3), "bytes early"),
        (make_file(ALICE, END, count=1), "bytes follow"),
        (make_file(ALICE, END)[:-1], "bytes early"),
        (make_file(ALICE, END, sections=2), "2 sections of contributions"),
        (make_file(ALICE, END, sections=0), "0 sections of contributions"),
        (b"r1cs", "no zkey"),
    ],
    ids=[
        "a contributor called beacon", "a line break", "not ASCII", "no name", "a long name", "no beacon",
        "only a beacon", "nobody", "a beacon first", "two beacons", "a contributor with a value",
        "a beacon without one", "an unknown type", "an empty beacon", "a short beacon", "a long beacon",
        "too few iterations", "too many iterations", "a part too few", "a part too many", "cut off", "two sections",
        "no section", "another file",
    ],
)  # fmt: skip
def test_a_file_of_another_form_is_no_transcript(zkey, reason):
    with pytest.raises(KeyRefused, match=reason):
        read_contributions(zkey)


@pytest.mark.property("P-288")
@pytest.mark.parametrize("parameters", [b"\x01\x01a\x01\x01b", b"\x03\x00\x01\x01a", b"\x04\x00", b"\x00\x00"])
def test_parameters_come_once_and_in_order(parameters):
    part = bytes(384) + struct.pack("<II", 0, len(parameters)) + parameters
    with pytest.raises(KeyRefused, match=r"parameter . of a contribution follows"):
        read_contributions(make_file(part, END))
