"""The core as WebAssembly in node, measured: loading a key and proving, on one thread.

    python -m zkmargin.scripts.measure.wasm [--preset standard] [--runs 5] \\
        | python -m zkmargin.scripts.measure.ledger wasm

Builds the module first; Rust needs the target `wasm32-unknown-unknown` (`make wasm-target`). Every proof is verified.
"""

import argparse
import json
import statistics
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from zkmargin.contracts.venue_keys import load_venue_keys
from zkmargin.prover.groth16.proof import Proof, verify_native
from zkmargin.prover.groth16.witness import compute_transition_witness, write_witness
from zkmargin.prover.paths import BUILD, PACKAGE
from zkmargin.scripts.cli.bench_prover import make_case

TARGET = "wasm32-unknown-unknown"
PROVE = PACKAGE / "prover/wasm/prove.mjs"


@cache
def build_module(folder: Path) -> Path:
    """Path of the module, built with `folder` as cargo's target folder, once in a process.

    Raises
    ------
    RuntimeError
        With what cargo says, if it does not build.
    """
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--package", "zkmargin-wasm", "--target", TARGET]
    built = subprocess.run(
        [*command, "--target-dir", str(folder)],
        cwd=PACKAGE / "prover/native",
        timeout=900,
        capture_output=True,
        text=True,
    )
    if built.returncode != 0:
        raise RuntimeError(f"the module was not built; `make wasm-target` installs Rust's target: {built.stderr}")
    return folder / TARGET / "release/zkmargin_wasm.wasm"


def measure(preset: str, runs: int) -> dict[str, float | int | str]:
    """Seconds of loading the key, checked there or known by its hash, and of a proof, and the module's memory."""
    module, key = build_module(BUILD / "wasm"), load_venue_keys(preset).transition
    witness = compute_transition_witness(key.circuit, make_case(key.preset)[1])
    files = [str(BUILD / preset / f"transition.{kind}") for kind in ("r1cs", "zkey")]
    figures: dict[str, float | int | str] = {"preset": preset, "runs": runs}
    with TemporaryDirectory() as folder:
        wtns = Path(folder) / "witness.wtns"
        write_witness(witness, wtns)
        for name, digest in (("load_checked_s", "new"), ("load_known_s", key.manifest.zkey_hash)):
            command = ["node", str(PROVE), str(module), *files, digest, str(wtns), str(runs)]
            told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=900).stdout)
            for words in told["proofs"]:
                if not verify_native(
                    key.verifying_key, Proof.from_bytes(bytes.fromhex(words)), witness.public_inputs()
                ):
                    raise SystemExit("a proof of the module was refused")
            figures[name] = round(told["seconds"]["key"][0], 3)
    figures["prove_s"] = round(statistics.median(told["seconds"]["prove"]), 2)
    figures["memory_mb"] = round(told["memory_bytes"] / 1e6)
    return figures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print(json.dumps(measure(options.preset, options.runs), indent=2))


if __name__ == "__main__":
    main()
