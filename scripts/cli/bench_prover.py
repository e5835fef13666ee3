"""Figures of `zkmargin bench prover`: what proving costs on this machine, on one witness of each preset."""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from zkmargin.contracts.venue_keys import load_venue_keys, read_sizes
from zkmargin.engine.account import AccountState, load_portfolio
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.house import House
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.presets import Preset
from zkmargin.prover._native import VECTOR_UNIT, Witness
from zkmargin.prover.account.account import Account, compute_account_id, derive_key
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import AnyTransition, build_transition
from zkmargin.prover.groth16.keys import ProvingKey, load_proving_key
from zkmargin.prover.groth16.points import compute_policy_point
from zkmargin.prover.groth16.proof import prove, verify_native
from zkmargin.prover.groth16.witness import compute_transition_witness
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.prover.paths import BUILD, NODE_MODULES
from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.prove import make_domain

MARKET = "deribit_2026-08-22"
LEAST_SNARKJS = 3
ROUNDS_PER_PRESET = 11
"""Progress steps of `measure`."""


def measure(preset: str, runs: int, steps: console.Steps) -> dict[str, int | float]:
    """Figures of one preset: seconds, megabytes of a process that proves once, and exact sizes."""
    sizes = read_sizes(preset)

    def timed(name: str, work: Callable[[], object], count: int = runs) -> float:
        steps.start(f"{preset}: {name}")
        work()
        seconds = statistics.median(_time(work) for _ in range(count))
        steps.done()
        return round(seconds, 4)

    keys = load_venue_keys(preset)
    epoch, build = prepare_case(keys.preset)
    transition = build()
    key = keys.transition
    witness = compute_transition_witness(key.circuit, transition)
    proven = prove(key, witness)
    snapshot = epoch.snapshot
    figures: dict[str, int | float] = {
        "constraints": sizes["constraints"],
        "public_inputs": sizes["public_inputs"],
        "prove_s": timed("prove", lambda: prove(key, witness)),
        "witness_s": timed("witness", lambda: compute_transition_witness(key.circuit, transition)),
        "transition_s": timed("build the transition", build),
        "released_s": timed("from transition to released proof", lambda: keys.provers.transition.prove(transition)),
        "load_s": timed("load the key", lambda: load_proving_key("transition", keys.preset, allow_insecure=True)),
        "verify_s": timed("verify", lambda: verify_native(key.verifying_key, proven.proof, proven.public)),
        "policy_point_s": timed(
            "policy point", lambda: compute_policy_point(key.verifying_key, epoch.policies["initial"])
        ),
        "epoch_s": timed("epoch", lambda: House(snapshot).epoch(1).policy_hash),
    }
    steps.start(f"{preset}: stages of a proof")
    figures |= measure_stages(key, witness, runs)
    steps.done()
    steps.start(f"{preset}: snarkjs proves")
    figures["prove_snarkjs_s"] = round(statistics.median(run_snarkjs(preset, witness.to_wtns())), 4)
    steps.done()
    steps.start(f"{preset}: memory of one proof")
    figures["peak_mb"] = measure_memory(preset)
    steps.done()
    return figures


def measure_stages(key: ProvingKey, witness: Witness, runs: int) -> dict[str, float]:
    """Median milliseconds of each stage of a proof, in order, as `stage_<name>_ms`."""
    rounds = [dict(key.native.time_stages(witness)) for _ in range(runs)]
    medians = {stage: statistics.median(own[stage] for own in rounds) for stage in rounds[0]}
    return {f"stage_{stage}_ms": round(1e3 * seconds, 2) for stage, seconds in medians.items()}


def make_case(preset: Preset) -> tuple[Epoch, AnyTransition]:
    """The case that is proved: the shipped market maker (at mini its listed part) withdraws cash."""
    epoch, build = prepare_case(preset)
    return epoch, build()


def prepare_case(preset: Preset) -> tuple[Epoch, Callable[[], AnyTransition]]:
    """The epoch of `make_case`, and what builds its transition from the account."""
    snapshot = to_preset(load_snapshot(MARKET), preset)
    epoch, held = House(snapshot).epoch(1), load_portfolio("market_maker")
    listed = {name: lots for name, lots in held.positions.items() if name in snapshot.listing.by_name}
    state: AccountState = type(held)(name=held.name, positions=listed, cash=held.cash).to_state(snapshot.listing)
    wallet, domain = Wallet.create(), make_domain()
    key = derive_key(wallet, domain, compute_account_id(domain, wallet.address, 0))
    account = Account.create(domain, wallet.address, 0, key, preset, epoch.generation)
    intent = Intent(ActionKind.WITHDRAW, 10**6, recipient=wallet.address, deadline=1 << 32)
    account = account.advance(state, epoch.generation)
    return epoch, lambda: build_transition(account, intent, domain=domain, key_version=1, epoch=epoch)


def run_snarkjs(preset: str, wtns: bytes) -> list[float]:
    """Seconds of each run of snarkjs's prover on our key and witness."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "witness.wtns"
        path.write_bytes(wtns)
        script = Path(__file__).with_name("snarkjs_prove.mjs")
        command = ["node", str(script), str(BUILD / preset / "transition.zkey"), str(path), str(LEAST_SNARKJS)]
        done = subprocess.run(command, cwd=NODE_MODULES, capture_output=True, text=True, timeout=900, check=True)
    seconds: list[float] = json.loads(done.stdout)
    return seconds


def measure_memory(preset: str) -> int:
    """Peak resident megabytes of a fresh process that loads the key and proves once."""
    code = (
        "import resource\n"
        "from zkmargin.scripts.cli.bench_prover import make_case\n"
        "from zkmargin.contracts.venue_keys import load_venue_keys\n"
        f"keys = load_venue_keys({preset!r})\n"
        "keys.provers.transition.prove(make_case(keys.preset)[1])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)
    return round(int(done.stdout) / 1024)


def describe_machine() -> dict[str, object]:
    """Processor, cores and versions."""
    model = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    node = (
        subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
        if shutil.which("node")
        else None
    )
    package = json.loads((NODE_MODULES / "snarkjs/package.json").read_text())
    return {
        "cpu": model[0] if model else platform.processor(),
        "cores": os.cpu_count(),
        "threads": int(os.environ.get("RAYON_NUM_THREADS", os.cpu_count() or 1)),
        "ifma": VECTOR_UNIT,
        "python": platform.python_version(),
        "node": node,
        "snarkjs": package["version"],
    }


def _time(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
