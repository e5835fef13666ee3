"""`zkmargin bench backends`: the statement on Groth16 and on PLONK, whose set-up is universal, both by snarkjs.

The same statement `transition` at mini, on the same account, three times:

1. Groth16 with the development key, every public input handed to the verifier that snarkjs exports.
2. PLONK in the same way, from a powers-of-tau file. The circuit is compiled with O1 for it: simplified further, its
   linear combinations grow long, and each of their terms is a gate.
3. The statement with what publishers sign as one hash (`hashed_transition.mini.circom`), as a verifier needs it that
   cannot take a point for its public inputs. Its size is counted; it is set up where the powers suffice.

The exported verifiers run on Anvil. Their code is set there, since contracts beyond 24,576 bytes cannot be deployed.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from web3.types import RPCEndpoint

from zkmargin.contracts.chain import GAS_LIMIT, Chain, run_anvil
from zkmargin.contracts.compile import CODE_LIMIT, OUTPUTS, run_compiler
from zkmargin.engine.presets import get_preset
from zkmargin.prover.errors import ProverError
from zkmargin.prover.groth16.compile import CompiledCircuit, compile_circuit, compile_source
from zkmargin.prover.groth16.witness import collect_transition_inputs, to_fields
from zkmargin.prover.paths import BUILD, CIRCUITS, NODE_MODULES
from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.bench_prover import describe_machine, make_case

PRESET = "mini"
HASHED = Path(__file__).with_name("hashed_transition.mini.circom")
SCRIPT = Path(__file__).with_name("backends.mjs")
FOLDER = BUILD / "backends"
STEPS = 4
"""Progress steps of `measure`."""
SECONDS = 3_600
"""How long snarkjs may take for one system."""
VERIFIER = "0x00000000000000000000000000000000000f00d5"
"""Where the exported verifier's code is set."""


class BackendFailed(ProverError):
    """snarkjs could not do what was asked, or the exported verifier refuses its proof."""

    def __init__(self, system: str, reason: str):
        self.system, self.reason = system, reason
        super().__init__(f"{system}: {reason}")


def measure(powers: Path, runs: int, steps: console.Steps) -> dict[str, Any]:
    """Figures of each system; `powers` is a powers-of-tau file that is prepared for phase 2.

    Raises
    ------
    BackendFailed
        If a file is missing, snarkjs fails, or a verifier refuses its proof.
    """
    if not powers.is_file():
        raise BackendFailed("plonk", f"{powers} is missing; allowed: a powers-of-tau file, prepared for phase 2")
    steps.start("compiling for PLONK")
    mains = {"plonk": CIRCUITS / "generated" / f"transition.{PRESET}.circom", "plonk, hashed": HASHED}
    circuits = {
        name: compile_source(main, FOLDER / main.name.split(".")[0], optimization="O1") for name, main in mains.items()
    }
    steps.done()
    inputs = make_inputs()
    steps.start("Groth16")
    key = BUILD / PRESET / "transition.zkey"
    found = {"groth16": run_system("groth16", compile_circuit("transition", PRESET), inputs, runs, zkey=key)}
    steps.done()
    for name, circuit in circuits.items():
        steps.start(name)
        found[name] = run_system("plonk", circuit, inputs, runs, powers=powers)
        steps.done()
    return {"preset": PRESET, "runs": runs, "systems": found, "env": describe_machine()}


def make_inputs() -> dict[str, list[str]]:
    """Inputs of the transition that is proved, as snarkjs reads them: flat lists of decimal numbers by name."""
    transition = make_case(get_preset(PRESET))[1]
    return {
        name: [str(element) for element in to_fields(name, value).to_list()]
        for name, value in collect_transition_inputs(transition).items()
    }


def run_system(
    system: str,
    circuit: CompiledCircuit,
    inputs: Mapping[str, Sequence[str]],
    runs: int,
    *,
    zkey: Path | None = None,
    powers: Path | None = None,
) -> dict[str, Any]:
    """Figures of one system on one circuit.

    Parameters
    ----------
    system : str
        groth16 or plonk.
    zkey : Path, optional
        A key that is there; else one is made from `powers`. Powers that do not suffice are an answer, not an error.

    Raises
    ------
    BackendFailed
        If snarkjs fails, or the exported verifier refuses the proof.
    """
    with TemporaryDirectory() as folder:
        wanted = {
            "system": system,
            "r1cs": str(circuit.r1cs),
            "wasm": str(circuit.wasm),
            "inputs": dict(inputs),
            "powers": None if powers is None else str(powers.absolute()),
            "zkey": str(zkey or Path(folder) / "key.zkey"),
            "folder": folder,
            "runs": runs,
        }
        command = ["node", str(SCRIPT)]
        done = subprocess.run(
            command, cwd=NODE_MODULES, input=json.dumps(wanted), capture_output=True, text=True, timeout=SECONDS
        )
        if done.returncode != 0:
            raise BackendFailed(system, (done.stderr.strip() or f"node ended with {done.returncode}")[-500:])
        found: dict[str, Any] = json.loads(done.stdout)
        words: list[str] | None = found.pop("words", None)
        figures = {name: round(value, 2) if isinstance(value, float) else value for name, value in found.items()}
        if words is not None:
            figures |= measure_verifier(system, (Path(folder) / "verifier.sol").read_text(), words)
    return {"constraints": circuit.facts.constraints, **figures}


def measure_verifier(system: str, source: str, words: Sequence[str]) -> dict[str, int | bool]:
    """Code size and gas of an exported verifier on Anvil, gas of the whole transaction; raises `BackendFailed` if it
    does not accept the proof, or accepts one with another public input."""
    file = "verifier.sol"
    contracts = run_compiler({file: source}, {file: {"*": OUTPUTS}}, refused="error")["contracts"][file]
    [contract] = contracts.values()
    code = contract["evm"]["deployedBytecode"]["object"]
    [entry] = [item for item in contract["abi"] if item["type"] == "function"]
    with run_anvil() as chain:
        selector = bytes(chain.w3.keccak(text=f"verifyProof({','.join(item['type'] for item in entry['inputs'])})")[:4])
        set_code = RPCEndpoint("anvil_setCode")
        chain.w3.provider.make_request(set_code, [VERIFIER, "0x" + code])
        calldata = selector + b"".join(int(word, 16).to_bytes(32, "big") for word in words)
        other = calldata[:-32] + (int(words[-1], 16) ^ 1).to_bytes(32, "big")
        if not _accepts(chain, calldata) or _accepts(chain, other):
            raise BackendFailed(system, "the exported verifier refuses the proof, or accepts it for another statement")
        gas = _send(chain, calldata)
    size = len(code) // 2
    return {"verify_gas": gas, "calldata_bytes": len(calldata), "code_bytes": size, "deployable": size <= CODE_LIMIT}


def _accepts(chain: Chain, calldata: bytes) -> bool:
    answer = chain.w3.eth.call({"to": chain.w3.to_checksum_address(VERIFIER), "data": calldata, "gas": GAS_LIMIT})
    return int.from_bytes(bytes(answer), "big") == 1


def _send(chain: Chain, calldata: bytes) -> int:
    """Gas of a transaction with this calldata to the verifier."""
    sender, to = (chain.w3.to_checksum_address(address) for address in (chain.accounts[0], VERIFIER))
    sent = chain.w3.eth.send_transaction({"from": sender, "to": to, "data": calldata, "gas": GAS_LIMIT})
    return int(chain.w3.eth.wait_for_transaction_receipt(sent)["gasUsed"])
