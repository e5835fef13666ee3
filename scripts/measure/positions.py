"""How a proof's time depends on the number of positions held: what whoever times a prover learns.

    python -m zkmargin.scripts.measure.positions [--preset standard] [--runs 9] \\
        | python -m zkmargin.scripts.measure.ledger positions

Two books, one position and one in every listed slot, are proved in turn under one policy: by a key that knows of no
policy, and by one that has collected the policy's points. Collecting them is measured too: the second proof under a
policy less a later one, each time by a key that was just loaded. Times are CPU milliseconds, medians.
"""

import argparse
import json
import statistics
import time
from collections import defaultdict

import numpy as np

from zkmargin.contracts.venue_keys import load_venue_keys
from zkmargin.engine.account import AccountState
from zkmargin.engine.house import House
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.prover import _native
from zkmargin.prover.account.account import Account, compute_account_id, derive_key
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import build_transition
from zkmargin.prover.groth16.keys import ProvingKey, find_first_policy_input
from zkmargin.prover.groth16.witness import compute_transition_witness
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.prover.paths import BUILD
from zkmargin.scripts.cli.bench_prover import MARKET
from zkmargin.scripts.cli.prove import make_domain

CASH_USD6 = 10**14
WARM = 2
"""Proofs of each book before the first that counts: the second one collects the policy's points."""
COLLECTIONS = 5


def measure(preset: str, runs: int) -> dict[str, dict[str, float]]:
    """Milliseconds of a proof, and of the sum that holds the policy's products, by key and number of positions."""
    key = load_venue_keys(preset).transition
    natives = {
        "without points": _load(key, None),
        "with points": _load(key, find_first_policy_input("transition", key.preset)),
    }
    witnesses = make_witnesses(key)
    samples: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for number in range(WARM + runs):
        for held, witness in witnesses.items():
            for name, native in natives.items():
                start = time.process_time()
                stages = dict(native.time_stages(witness))
                if number >= WARM:
                    samples[f"{name}, positions: {held}"].append((time.process_time() - start, stages["sum_c"]))
    return {
        name: {
            "proof_cpu_ms": round(1e3 * statistics.median(proof for proof, _ in own), 1),
            "sum_c_ms": round(1e3 * statistics.median(part for _, part in own), 1),
        }
        for name, own in samples.items()
    }


def measure_collecting(preset: str) -> float:
    """Milliseconds that collecting a policy's points takes, by the second proof under it less a later one."""
    key = load_venue_keys(preset).transition
    witness = min(make_witnesses(key).items())[1]
    samples = []
    for _ in range(COLLECTIONS):
        native = _load(key, find_first_policy_input("transition", key.preset))
        _, second, *later = (_time_proof(native, witness) for _ in range(2 + WARM))
        samples.append(second - statistics.median(later))
    return round(1e3 * statistics.median(samples), 1)


def _time_proof(native: _native.ProvingKey, witness: _native.Witness) -> float:
    start = time.process_time()
    native.time_stages(witness)
    return time.process_time() - start


def _load(key: ProvingKey, first_policy_input: int | None) -> _native.ProvingKey:
    data, digest = (BUILD / key.preset.name / "transition.zkey").read_bytes(), bytes.fromhex(key.manifest.zkey_hash)
    return _native.ProvingKey.load_known(data, digest, key.circuit, first_policy_input)


def make_witnesses(key: ProvingKey) -> dict[int, _native.Witness]:
    """The same withdrawal from two books, by the number of their positions: a lot in one listed slot, and in each."""
    snapshot = to_preset(load_snapshot(MARKET), key.preset)
    epoch, wallet, domain = House(snapshot).epoch(1), Wallet.create(), make_domain()
    account_key = derive_key(wallet, domain, compute_account_id(domain, wallet.address, 0))
    fresh = Account.create(domain, wallet.address, 0, account_key, key.preset, epoch.generation)
    intent = Intent(ActionKind.WITHDRAW, 10**6, recipient=wallet.address, deadline=1 << 32)
    listed = np.flatnonzero(snapshot.listing.is_listed)
    witnesses = {}
    for held in (1, len(listed)):
        positions = np.zeros(key.preset.slots, dtype=np.int64)
        positions[listed[:held]] = np.resize([1, -1], held)
        account = fresh.advance(AccountState(positions, CASH_USD6), epoch.generation)
        transition = build_transition(account, intent, domain=domain, key_version=1, epoch=epoch)
        witnesses[held] = compute_transition_witness(key.circuit, transition)
    return witnesses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    preset, runs = arguments.preset, arguments.runs
    figures = {"preset": preset, "runs": runs, "collect_cpu_ms": measure_collecting(preset)}
    print(json.dumps(figures | {"books": measure(preset, runs)}, indent=2))


if __name__ == "__main__":
    main()
