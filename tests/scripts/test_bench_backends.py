"""`zkmargin bench backends`: what it needs, that its hashed statement is ours, and both systems on a small circuit."""

import re

import pytest
from typer.testing import CliRunner

from tests.support.circuit_harness import P
from zkmargin.engine.presets import get_preset
from zkmargin.prover.groth16.ceremony import run
from zkmargin.prover.groth16.compile import compile_source
from zkmargin.prover.statement.signals import get_public_signals
from zkmargin.scripts.cli import bench
from zkmargin.scripts.cli.bench_backends import HASHED, BackendFailed, run_system

MAIN = """pragma circom 2.1.6;
template Product() {
    signal input a;
    signal input b;
    signal input c;
    signal between <== a * a;
    between + 3 * a === b * c;
}
component main {public [a, b]} = Product();
"""


def test_powers_that_are_missing_are_named(tmp_path):
    missing = tmp_path / "none.ptau"
    result = CliRunner().invoke(bench.app, ["backends", "--powers", str(missing)])
    assert isinstance(result.exception, BackendFailed) and str(missing) in str(result.exception)


def test_the_hashed_statement_is_ours():
    """Same sizes; what is public per action stays so, and all else that is public goes into the hash."""
    text, preset = HASHED.read_text(), get_preset("mini")
    sizes = (preset.slots, preset.rows, preset.excess_rows, preset.helpers)
    assert f"HashedTransition({', '.join(map(str, sizes))});" in text
    signals = [(signal.name, signal.group) for signal in get_public_signals("transition", preset)]
    [public] = re.findall(r"\{public \[([^]]*)\]\}", text)
    per_action = [name for name, group in signals if group in ("fixed", "flow")]
    assert public.split(", ") == per_action
    hashed = text[text.index("// 2. The hash") :]
    assert [name for name, _ in signals if name not in per_action and f"<== {name}[" not in hashed] == []


@pytest.fixture(scope="module")
def powers(tmp_path_factory):
    """Powers of tau by their exponent: 8, which is enough here, and 2, which is not."""
    folder, made = tmp_path_factory.mktemp("powers"), {}
    for power in (8, 2):
        first, second, prepared = (folder / f"{power}.{name}.ptau" for name in ("first", "second", "prepared"))
        run("powersoftau", "new", "bn128", str(power), first)
        run("powersoftau", "contribute", first, second, "--name=test", "-e=test")  # without it tau is 1
        run("powersoftau", "prepare", "phase2", second, prepared)
        made[power] = prepared
    return made


@pytest.mark.slow
def test_both_systems_prove_and_their_verifiers_accept_that_alone(powers, tmp_path):
    main = tmp_path / "product.circom"
    main.write_text(MAIN)
    circuit = compile_source(main, tmp_path / "product", optimization="O1")
    inputs = {"a": ["2"], "b": ["5"], "c": ["2"]}
    found = run_system("plonk", circuit, inputs, 1, powers=powers[8])
    assert (found["public_inputs"], found["products"], found["proof_bytes"]) == (2, 2, 768)
    assert found["gates"] > found["constraints"] and found["domain"] >= found["gates"]
    assert 200_000 < found["verify_gas"] < 500_000 and found["deployable"]
    zkey = tmp_path / "groth16.zkey"
    run("groth16", "setup", circuit.r1cs, powers[8], zkey)
    found = run_system("groth16", circuit, inputs, 1, zkey=zkey)
    assert found["proof_bytes"] == 256 and 180_000 < found["verify_gas"] < 300_000
    small = run_system("plonk", circuit, inputs, 1, powers=powers[2])
    assert "too big" in small["refused"] and "verify_gas" not in small
    with pytest.raises(BackendFailed, match="groth16"):
        run_system("groth16", circuit, {**inputs, "b": [str(P - 1)]}, 1, zkey=zkey)
