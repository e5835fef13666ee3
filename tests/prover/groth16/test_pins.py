"""Constraints and compiler are those of the repository, whatever stands in `build/`."""

import hashlib
import json
import shutil
import struct

import pytest

from tests.support.circuit_harness import Constraints
from zkmargin.engine.presets import PRESETS
from zkmargin.prover.errors import KeyMismatch
from zkmargin.prover.groth16 import compile as compiler
from zkmargin.prover.groth16 import pins
from zkmargin.prover.groth16.compile import compile_circuit, compile_source, read_r1cs_header
from zkmargin.prover.groth16.keys import load_circuit, load_proving_key, setup_keys
from zkmargin.prover.groth16.pins import load_pins
from zkmargin.prover.paths import BUILD, NODE_MODULES
from zkmargin.prover.statement.signals import STATEMENTS

SOURCE = "pragma circom 2.1.6;\ntemplate One() { signal input a; a * a === a; }\ncomponent main = One();\n"


def weaken(data: bytes) -> bytes:
    """The constraints with one of them doubled and another one gone: a b - c = 0 for each, and of the same size.

    The second constraint gets the bytes of the first where both have as many, so the file stays a valid one.
    """
    sections, position = {}, 12
    while position < len(data):
        kind, size = struct.unpack_from("<IQ", data, position)
        sections[kind] = (position + 12, size)
        position += 12 + size
    start, _ = sections[2]
    sizes, places = [], [start]
    while len(sizes) < 400:
        at = places[-1]
        for _ in range(3):
            at += 4 + 36 * struct.unpack_from("<I", data, at)[0]
        sizes.append(at - places[-1])
        places.append(at)
    for first in range(399):
        for second in range(first + 1, 400):
            one, two = (data[places[i] : places[i] + sizes[i]] for i in (first, second))
            if sizes[first] == sizes[second] and one != two:
                return data[: places[second]] + one + data[places[second] + sizes[second] :]
    raise AssertionError("no two constraints of one size")


@pytest.mark.property("P-284")
def test_a_weakened_circuit_of_the_same_size_is_refused(tmp_path):
    """It has keys of its own, and a manifest that names them: only the pin says that it is not ours."""
    shutil.copytree(BUILD / "mini", tmp_path / "mini")
    file = tmp_path / "mini/transition.r1cs"
    before, honest = read_r1cs_header(file), file.read_bytes()
    file.write_bytes(weaken(honest))
    assert read_r1cs_header(file) == before and len(file.read_bytes()) == len(honest)
    assert len(Constraints(compile_circuit("transition", "mini", build=tmp_path)).rows) == before[0]
    for refused in (load_circuit, setup_keys):
        with pytest.raises(KeyMismatch, match=r"transition at mini: the constraints have SHA-256 .* pins\.json says"):
            refused("transition", "mini", build=tmp_path)
    manifest = json.loads((tmp_path / "mini/manifest.json").read_text())
    manifest["keys"]["transition"]["circuit_hash"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (tmp_path / "mini/manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(KeyMismatch, match=r"pins\.json says"):
        load_proving_key("transition", "mini", build=tmp_path, allow_insecure=True)


@pytest.mark.property("P-284")
def test_a_foreign_compiler_does_not_run(tmp_path, monkeypatch):
    (tmp_path / "circom2").mkdir()
    for name in ("package.json", "cli.js"):
        shutil.copy(NODE_MODULES / "circom2" / name, tmp_path / "circom2")
    program = (NODE_MODULES / "circom2/circom.wasm").read_bytes()
    (tmp_path / "circom2/circom.wasm").write_bytes(program + b"\0")
    monkeypatch.setattr(compiler, "NODE_MODULES", tmp_path)
    main = tmp_path / "one.circom"
    main.write_text(SOURCE)
    with pytest.raises(KeyMismatch, match="circom has SHA-256"):
        compile_source(main, tmp_path / "out/one")


def test_every_preset_is_pinned():
    assert load_pins()["r1cs"].keys() == PRESETS.keys()
    assert all(hashes.keys() == {*STATEMENTS} for hashes in load_pins()["r1cs"].values())
    assert len({digest for hashes in load_pins()["r1cs"].values() for digest in hashes.values()}) >= len(PRESETS)


def test_pins_are_written_by_the_command(tmp_path, monkeypatch):
    file = tmp_path / "pins.json"
    file.write_text(json.dumps({"about": "", "compiler": load_pins()["compiler"], "r1cs": {"other": {"open": "11"}}}))
    monkeypatch.setattr(pins, "PINS", file)
    pins.load_pins.cache_clear()
    try:
        compiler.main(["mini"])
        assert "mini" not in json.loads(file.read_text())["r1cs"]
        compiler.main(["--pin", "mini"])
    finally:
        monkeypatch.undo()
        pins.load_pins.cache_clear()
    written = json.loads(file.read_text())["r1cs"]
    assert written == {"other": {"open": "11"}, "mini": load_pins()["r1cs"]["mini"]}
