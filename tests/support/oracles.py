"""What the native prover is compared with: circom's own witness generator and snarkjs, both over node."""

import json
import subprocess
from pathlib import Path

from zkmargin.prover.groth16.compile import CompiledCircuit

ROOT = Path(__file__).parents[2]
SNARKJS = ROOT / "node_modules/.bin/snarkjs"
GENERATE = """
const [calculator, wasm, input, output] = process.argv.slice(1);
const fs = require("fs");
require(calculator)(fs.readFileSync(wasm))
  .then((c) => c.calculateWTNSBin(JSON.parse(fs.readFileSync(input)), 0))
  .then((bytes) => fs.writeFileSync(output, bytes));
"""


def compute_circom_wtns(compiled: CompiledCircuit, inputs: dict, folder: Path) -> bytes:
    """The .wtns of circom's generator for signed integers by name."""
    source, target = folder / "input.json", folder / "circom.wtns"
    source.write_text(json.dumps(_to_strings(inputs)))
    command = ["node", "-e", GENERATE, "--", *map(str, (compiled.calculator, compiled.wasm, source, target))]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    return target.read_bytes()


def run_snarkjs(*arguments: str | Path) -> str:
    """Output of a snarkjs command; raises CalledProcessError when it fails."""
    done = subprocess.run(
        [str(SNARKJS), *map(str, arguments)], check=True, timeout=300, capture_output=True, text=True, cwd=ROOT
    )
    return done.stdout


def snarkjs_verifies(vkey: dict, public: list[str], proof: dict, folder: Path) -> bool:
    """Whether `snarkjs groth16 verify` says OK."""
    paths = [folder / name for name in ("vkey.json", "public.json", "proof.json")]
    for path, document in zip(paths, (vkey, public, proof), strict=True):
        path.write_text(json.dumps(document))
    try:
        return "OK!" in run_snarkjs("groth16", "verify", *paths)
    except subprocess.CalledProcessError:
        return False


def _to_strings(value):
    if isinstance(value, dict):
        return {name: _to_strings(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_strings(item) for item in value]
    from zkmargin.prover.statement.signals import FIELD_MODULUS

    return str(int(value) % FIELD_MODULUS)
