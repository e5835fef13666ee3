"""Compiling circuits: what is cached, what is said when it cannot be done."""

import os
import tempfile
from pathlib import Path

import pytest

from zkmargin.prover.groth16 import compile as compiler
from zkmargin.prover.groth16.compile import (
    BUILD,
    ROOT,
    CompilationError,
    compile_circuit,
    compile_source,
    find_sources,
    read_r1cs_header,
)

SOURCE = """pragma circom 2.1.6;
template Square() { signal input a; signal output b; b <== a * a; }
component main = Square();
"""


@pytest.fixture
def folder():
    """A folder below the repository's root, which is all that circom over node sees."""
    (BUILD / "tests").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD / "tests") as name:
        yield Path(name)


def test_a_circuit_is_compiled_once_per_text(folder):
    main = folder / "square.circom"
    main.write_text(SOURCE)
    first = compile_source(main, folder / "out/square")
    assert (first.facts.constraints, first.facts.wires, first.facts.public_inputs, first.facts.rows) == (1, 3, 1, 3)
    stamp = os.stat(first.r1cs).st_mtime_ns
    assert compile_source(main, folder / "out/square") == first
    assert os.stat(first.r1cs).st_mtime_ns == stamp
    main.write_text(SOURCE.replace("b <== a * a;", "signal c; c <== a * a; b <== c * a;"))
    second = compile_source(main, folder / "out/square")
    assert second.facts.hash != first.facts.hash
    assert second.facts.constraints == 2
    assert sorted(path.name for path in (folder / "out").iterdir() if not path.name.startswith(".")) == [
        f"square.{suffix}" for suffix in ("js", "json", "r1cs", "sym", "wasm")
    ]


def test_a_damaged_record_is_made_again(folder):
    main = folder / "square.circom"
    main.write_text(SOURCE)
    first = compile_source(main, folder / "square")
    (folder / "square.json").write_text("{")
    assert compile_source(main, folder / "square") == first


def test_an_included_file_counts(folder):
    (folder / "part.circom").write_text("pragma circom 2.1.6;\ntemplate Part() { signal input a; a * a === a; }\n")
    main = folder / "whole.circom"
    main.write_text('pragma circom 2.1.6;\ninclude "part.circom";\ncomponent main = Part();\n')
    assert [path.name for path in find_sources(main)] == ["part.circom", "whole.circom"]
    (folder / "part.circom").unlink()
    with pytest.raises(CompilationError, match=r"no circuit source .*part\.circom"):
        compile_source(main, folder / "whole")


def test_what_circom_says_is_passed_on(folder):
    main = folder / "wrong.circom"
    main.write_text(SOURCE.replace("b <== a * a;", "b <== a * a * a;"))
    with pytest.raises(CompilationError, match="Non quadratic constraints are not allowed"):
        compile_source(main, folder / "wrong")
    assert not (folder / "wrong.r1cs").exists()


def test_an_unknown_circuit_is_named():
    with pytest.raises(CompilationError, match="no circuit 'close'; there are transition, open"):
        compile_circuit("close", "mini")


def test_a_missing_compiler_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(compiler, "LIBRARIES", tmp_path)
    with pytest.raises(CompilationError, match="make setup"):
        compile_circuit("transition", "mini")


def test_a_file_that_is_not_an_r1cs_file_is_named(tmp_path):
    other = tmp_path / "other.r1cs"
    other.write_bytes(b"not an r1cs file")
    with pytest.raises(CompilationError, match="not an r1cs file"):
        read_r1cs_header(other)


def test_sources_are_those_of_the_statement():
    names = {
        str(path.relative_to(ROOT)) for path in find_sources(ROOT / "prover/circuits/generated/transition.mini.circom")
    }
    assert {"prover/circuits/transition.circom", "prover/circuits/generated/constants.circom"} <= names
    assert "node_modules/circomlib/circuits/poseidon.circom" in names
