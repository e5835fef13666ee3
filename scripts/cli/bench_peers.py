"""`zkmargin bench peers`: other Groth16 provers on our key and witness.

ark-groth16 and taceo-groth16 come from `prover/native/peers`, which cargo builds on first use; snarkjs comes from npm.
In each round every prover but snarkjs proves once, one after the other, and a ratio is taken within its round. Every
proof is verified here. Ours checks the constraints and verifies the proof within its time; the others check nothing.
"""

import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from zkmargin.contracts.venue_keys import load_venue_keys
from zkmargin.prover._native import FieldVector
from zkmargin.prover.errors import ProofRejected
from zkmargin.prover.groth16.compile import CompilationError
from zkmargin.prover.groth16.keys import VerifyingKey
from zkmargin.prover.groth16.proof import Proof, prove, verify_native
from zkmargin.prover.groth16.witness import compute_transition_witness
from zkmargin.prover.paths import BUILD, PACKAGE
from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.bench_prover import describe_machine, make_case, run_snarkjs

SOURCES = PACKAGE / "prover/native/peers"
TARGET = BUILD / "peers"
PEERS = {"ark": "ark-groth16", "taceo": "taceo-groth16"}
STEPS = 3
"""Progress steps of `measure`, one more for each run."""


def measure(preset: str, runs: int, steps: console.Steps) -> dict[str, Any]:
    """Median seconds of each prover, and medians of the ratios of its time to ours."""
    steps.start("building the peers")
    program = build_peers()
    steps.done()
    key = load_venue_keys(preset).transition
    witness = compute_transition_witness(key.circuit, make_case(key.preset)[1])
    public = witness.public_inputs()
    seconds: dict[str, list[float]] = {"zkmargin": [], **{name: [] for name in PEERS.values()}}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        wtns = Path(folder) / "witness.wtns"
        wtns.write_bytes(witness.to_wtns())
        zkey = BUILD / preset / "transition.zkey"
        peers = {
            name: stack.enter_context(_run_peer(program, argument, zkey, wtns)) for argument, name in PEERS.items()
        }
        for number in range(-1, runs):
            steps.start("warm-up" if number < 0 else f"run {number + 1}")
            start = time.perf_counter()
            prove(key, witness)
            found = {"zkmargin": time.perf_counter() - start}
            found |= {name: _time_proof(name, peer, key.verifying_key, public) for name, peer in peers.items()}
            if number >= 0:
                for name, own in found.items():
                    seconds[name].append(own)
            steps.done()
    steps.start("snarkjs proves")
    snarkjs = statistics.median(run_snarkjs(preset, witness.to_wtns()))
    steps.done()
    ours = statistics.median(seconds["zkmargin"])
    ratios = {
        name: statistics.median(a / b for a, b in zip(own, seconds["zkmargin"], strict=True))
        for name, own in seconds.items()
    }
    return {
        "preset": preset,
        "runs": runs,
        "seconds": {
            **{name: round(statistics.median(own), 4) for name, own in seconds.items()},
            "snarkjs": round(snarkjs, 4),
        },
        "ratio_to_ours": {
            **{name: round(ratio, 2) for name, ratio in ratios.items()},
            "snarkjs": round(snarkjs / ours, 2),
        },
        "env": {**describe_machine(), "load": round(os.getloadavg()[0], 2)},
    }


def build_peers() -> Path:
    """The program of the other provers, built by cargo into `build/peers`.

    Raises
    ------
    CompilationError
        If cargo is not installed, or the build fails.
    """
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", str(TARGET)]
    try:
        done = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, timeout=1_800)
    except FileNotFoundError:
        raise CompilationError("no cargo on PATH: the other provers are built from source") from None
    if done.returncode != 0:
        raise CompilationError(f"{SOURCES}: {done.stderr.strip()[-500:]}")
    return TARGET / "release/zkmargin-peers"


@contextmanager
def _run_peer(program: Path, prover: str, zkey: Path, wtns: Path) -> Iterator[subprocess.Popen[str]]:
    """A peer that has read its files and waits."""
    command = [str(program), prover, str(zkey), str(wtns)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
        try:
            _read_line(peer)
            yield peer
        finally:
            peer.kill()


def _read_line(peer: subprocess.Popen[str]) -> str:
    if peer.stdout is None or not (line := peer.stdout.readline()):
        raise ProofRejected(f"{peer.args!r} ended with code {peer.wait()}")
    return line


def _time_proof(name: str, peer: subprocess.Popen[str], key: VerifyingKey, public: FieldVector) -> float:
    """Seconds of a peer's next proof, which is verified."""
    if peer.stdin is not None:
        peer.stdin.write("\n")
        peer.stdin.flush()
    seconds, *words = _read_line(peer).split()
    if not verify_native(key, Proof(tuple(map(int, words))), public):
        raise ProofRejected(f"the proof of {name} does not verify")
    return float(seconds)
