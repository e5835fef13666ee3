"""The presets from circuit to proof, measured: how time and memory grow with the statement.

    python -m zkmargin.scripts.measure.presets --preset mini --preset standard --preset wide --preset xl --write

Compiler, set-up and prover each run in a process of their own, whose peak memory is its own. Circuits and keys are made
afresh in a folder below `build/` that is removed afterwards. With `--write` the figures go into the ledger
`costs/prover.json` under `scaling`, beside those of `zkmargin bench`, or with `ZKMARGIN_NATIVE=scalar` in the
environment under `scaling_scalar`: the path without vector units.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from zkmargin.engine.presets import PRESETS, Preset, get_preset
from zkmargin.prover.groth16.compile import compile_circuit
from zkmargin.prover.groth16.keys import load_proving_key, setup_keys
from zkmargin.prover.groth16.points import compute_policy_point
from zkmargin.prover.groth16.proof import prove, verify_native, verify_with_points
from zkmargin.prover.groth16.py_ecc_verifier import verify_py_ecc
from zkmargin.prover.groth16.witness import compute_transition_witness
from zkmargin.prover.paths import BUILD, PACKAGE
from zkmargin.prover.statement.signals import get_public_signals
from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.bench_prover import make_case
from zkmargin.scripts.measure.ledger import LEDGER, put

RUNS = 3
NATIVE, SCALAR = "ZKMARGIN_NATIVE", "scalar"
"""The variable that chooses a path, and the one without vector units."""
STAGES = ("compile", "set_up", "run")


T = TypeVar("T")


def compile_stage(preset: Preset, build: Path) -> dict[str, int | float]:
    """Sizes of the transition circuit, and what compiling took."""
    start = time.perf_counter()
    facts = compile_circuit("transition", preset, build=build).facts
    return {
        "constraints": facts.constraints,
        "public_inputs": facts.public_inputs,
        "rows": facts.rows,
        "domain": facts.domain,
        "compile_s": round(time.perf_counter() - start, 1),
    }


def set_up_stage(preset: Preset, build: Path) -> dict[str, int | float]:
    """What making the development key took, written and read back, and its size."""
    start = time.perf_counter()
    setup_keys("transition", preset, build=build)
    seconds = time.perf_counter() - start
    size = (build / preset.name / "transition.zkey").stat().st_size
    return {"set_up_s": round(seconds, 1), "key_mb": round(size / 1e6, 1)}


def run_stage(preset: Preset, build: Path) -> dict[str, int | float]:
    """Seconds of everything after the set-up, medians of a few runs; every proof is verified in three ways."""
    figures: dict[str, int | float] = {}

    def timed(name: str, work: Callable[[], T], runs: int = RUNS) -> T:
        timings = [_time(work) for _ in range(runs)]
        figures[name] = round(statistics.median(seconds for seconds, _ in timings), 4)
        return timings[-1][1]

    key = timed("load_s", lambda: load_proving_key("transition", preset, build=build, allow_insecure=True), 1)
    transition = timed("build_s", lambda: make_case(preset)[1], 1)
    witness = timed("witness_s", lambda: compute_transition_witness(key.circuit, transition))
    proven = timed("prove_s", lambda: prove(key, witness))
    vkey, policy = key.verifying_key, transition.effects.policy
    point = timed("policy_point_s", lambda: compute_policy_point(vkey, policy))
    last = get_public_signals("transition", preset).get_group("policy")[0].offset
    own = {index: value for index, value in enumerate(proven.public.slice(0, last).to_list()) if value}
    verdicts = [
        timed("verify_s", lambda: verify_native(vkey, proven.proof, proven.public)),
        timed("verify_with_point_s", lambda: verify_with_points(vkey, proven.proof, own, [point])),
        timed("verify_py_ecc_s", lambda: verify_py_ecc(vkey, proven.proof, proven.public), 1),
    ]
    if verdicts != [True, True, True]:
        raise SystemExit(f"the proof at {preset.name} was refused: native, with the point, py_ecc say {verdicts}")
    return figures


def _time(work: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def measure(preset: str, steps: console.Steps) -> dict[str, int | float]:
    """Figures of one preset: exact sizes, seconds, and the peak megabytes of each stage's process."""
    figures: dict[str, int | float] = {}
    BUILD.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=BUILD, prefix=f".measure.{preset}.") as folder:
        for stage in STAGES:
            steps.start(f"{preset}: {stage.replace('_', ' ')}")
            found, megabytes = _run_alone(stage, preset, folder)
            figures |= found | {f"{stage}_peak_mb": megabytes}
            steps.done()
    return figures


def _run_alone(stage: str, preset: str, folder: str) -> tuple[dict[str, int | float], int]:
    """A stage in a fresh process: its figures, and its peak resident megabytes with those of its children."""
    command = [
        sys.executable,
        "-m",
        "zkmargin.scripts.measure.presets",
        "--preset",
        preset,
        "--stage",
        stage,
        "--build",
        folder,
    ]
    with subprocess.Popen(command, cwd=PACKAGE, stdout=subprocess.PIPE, text=True) as process:
        text = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{stage} at {preset} ended with code {process.returncode}")
    return json.loads(text), round(usage.ru_maxrss / 1024)


def write_ledger(figures: dict[str, dict[str, int | float]], ledger: Path = LEDGER) -> None:
    """Puts the figures of one run into the ledger as its `scaling`, or `scaling_scalar`."""
    command = ["python -m zkmargin.scripts.measure.presets", *(f"--preset {name}" for name in figures), "--write"]
    key = "scaling"
    if os.environ.get(NATIVE) == SCALAR:
        key, command = "scaling_scalar", [f"{NATIVE}={SCALAR}", *command]
    put({key: {"command": " ".join(command), "cores": os.cpu_count(), **figures}}, ledger)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python -m zkmargin.scripts.measure.presets --preset wide --json"
    )
    parser.add_argument("--preset", action="append", choices=list(PRESETS), required=True, help="may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help=f"put the figures into {LEDGER.relative_to(PACKAGE)}")
    parser.add_argument("--stage", choices=STAGES, help="one stage in this process, its figures as JSON")
    parser.add_argument("--build", type=Path, default=BUILD, help="where a single stage finds circuits and keys")
    options = parser.parse_args(arguments)
    if options.stage:
        stage = {"compile": compile_stage, "set_up": set_up_stage, "run": run_stage}[options.stage]
        console.print_json(stage(get_preset(options.preset[0]), options.build))
        return
    with console.show_steps(len(STAGES) * len(options.preset)) as steps:
        figures = {preset: measure(preset, steps) for preset in options.preset}
    if options.write:
        write_ledger(figures)
    if options.json:
        console.print_json(figures)
        return
    rows = [(name, *(f"{figures[preset][name]:,}" for preset in figures)) for name in next(iter(figures.values()))]
    right = range(1, len(figures) + 1)
    console.out.print(console.make_table(f"Medians of {RUNS} runs", ("", *figures), rows, right=right))


if __name__ == "__main__":
    main()
