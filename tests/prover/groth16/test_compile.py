"""Compiling circuits: what is cached, what is said when it cannot be done."""

import os

import pytest

from zkmargin.prover.groth16 import compile as compiler
from zkmargin.prover.groth16.compile import (
    CompilationError,
    compile_circuit,
    compile_source,
    find_sources,
    read_r1cs_header,
)
from zkmargin.prover.paths import NODE_MODULES, PACKAGE

SOURCE = """pragma circom 2.1.6;
template Square() { signal input a; signal output b; b <== a * a; }
component main = Square();
"""


def test_a_circuit_is_compiled_once_per_text(tmp_path):
    main = tmp_path / "square.circom"
    main.write_text(SOURCE)
    first = compile_source(main, tmp_path / "out/square")
    assert (first.facts.constraints, first.facts.wires, first.facts.public_inputs, first.facts.rows) == (1, 3, 1, 3)
    stamp = os.stat(first.r1cs).st_mtime_ns
    assert compile_source(main, tmp_path / "out/square") == first
    assert os.stat(first.r1cs).st_mtime_ns == stamp
    main.write_text(SOURCE.replace("b <== a * a;", "signal c; c <== a * a; b <== c * a;"))
    second = compile_source(main, tmp_path / "out/square")
    assert second.facts.hash != first.facts.hash
    assert second.facts.constraints == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")) == [
        f"square.{suffix}" for suffix in ("js", "json", "r1cs", "sym", "wasm")
    ]


def test_a_damaged_record_is_made_again(tmp_path):
    main = tmp_path / "square.circom"
    main.write_text(SOURCE)
    first = compile_source(main, tmp_path / "square")
    (tmp_path / "square.json").write_text("{")
    assert compile_source(main, tmp_path / "square") == first


def test_an_included_file_counts(tmp_path):
    (tmp_path / "part.circom").write_text("pragma circom 2.1.6;\ntemplate Part() { signal input a; a * a === a; }\n")
    main = tmp_path / "whole.circom"
    main.write_text('pragma circom 2.1.6;\ninclude "part.circom";\ncomponent main = Part();\n')
    assert [path.name for path in find_sources(main)] == ["part.circom", "whole.circom"]
    (tmp_path / "part.circom").unlink()
    with pytest.raises(CompilationError, match=r"no circuit source .*part\.circom"):
        compile_source(main, tmp_path / "whole")


def test_what_circom_says_is_passed_on(tmp_path):
    main = tmp_path / "wrong.circom"
    main.write_text(SOURCE.replace("b <== a * a;", "b <== a * a * a;"))
    with pytest.raises(CompilationError, match="Non quadratic constraints are not allowed"):
        compile_source(main, tmp_path / "wrong")
    assert not (tmp_path / "wrong.r1cs").exists()


def test_an_unknown_circuit_is_named():
    with pytest.raises(CompilationError, match="no circuit 'close'; there are transition, open"):
        compile_circuit("close", "mini")


def test_a_missing_compiler_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(compiler, "NODE_MODULES", tmp_path)
    with pytest.raises(CompilationError, match="run `zkmargin setup`"):
        compile_circuit("transition", "mini")


def test_a_file_that_is_not_an_r1cs_file_is_named(tmp_path):
    other = tmp_path / "other.r1cs"
    other.write_bytes(b"not an r1cs file")
    with pytest.raises(CompilationError, match="not an r1cs file"):
        read_r1cs_header(other)


def test_sources_are_those_of_the_statement():
    sources = set(find_sources(PACKAGE / "prover/circuits/generated/transition.mini.circom"))
    circuits = PACKAGE / "prover/circuits"
    assert {circuits / "transition.circom", circuits / "generated/constants.circom"} <= sources
    assert NODE_MODULES / "circomlib/circuits/poseidon.circom" in sources
