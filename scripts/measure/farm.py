"""A farm's rate: proofs a second and CPU seconds a proof with one and two workers, and the cores that a venue needs.

    python -m zkmargin.scripts.measure.farm [--preset standard] [--proofs 20]

Each worker is a process of a local Dask cluster with one thread, also inside a proof (RAYON_NUM_THREADS=1): for many
proofs that is the least work, since no core waits for another.

The model is arithmetic: every account attests once per lease, at `LOAD` of the farm's rate, so that a burst of
attestations before the deadlines finds room.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Mapping
from typing import Any, cast

from zkmargin.contracts.venue_keys import load_venue_keys
from zkmargin.prover._native import Witness
from zkmargin.prover.farm import ClusterWorkers, Farm, Job, ProveWitness, Verdict, VerifyResult
from zkmargin.prover.groth16.witness import compute_transition_witness
from zkmargin.scripts.cli.bench_prover import make_case

ACCOUNTS = 100_000
LEASE_SECONDS = 4 * 3600
LOAD = 0.6
"""Share of the rate that is planned for."""
WORKERS = (1, 2)
HOUR = 3600.0


def model_cores(cpu_seconds_per_proof: float) -> float:
    """Cores that keep `ACCOUNTS` attested, each once per lease."""
    return ACCOUNTS * cpu_seconds_per_proof / LEASE_SECONDS / LOAD


def measure(preset: str, proofs: int) -> dict[str, object]:
    """Figures for each number of workers; every proof is verified by the farm, outside the workers' CPU time."""
    from distributed import LocalCluster

    keys = load_venue_keys(preset)
    _, transition = make_case(keys.preset)
    witness = compute_transition_witness(keys.transition.circuit, transition)
    public = witness.public_inputs()
    accept = VerifyResult(keys.transition.verifying_key, lambda _: public)
    figures: dict[str, object] = {"preset": preset, "proofs": proofs, "accounts": ACCOUNTS, "lease_s": LEASE_SECONDS}
    os.environ["RAYON_NUM_THREADS"] = "1"  # what the workers' processes inherit
    for count in WORKERS:
        with (
            cast(Any, LocalCluster)(
                n_workers=count, threads_per_worker=1, dashboard_address=None, processes=True
            ) as cluster,
            ClusterWorkers(ProveWitness(preset, allow_insecure=True), cluster.scheduler_address) as workers,
        ):
            _run(Farm(workers, accept), "warm", witness, count)
            before = _read_cpu(cluster)
            start = time.perf_counter()
            _run(Farm(workers, accept), "proof", witness, proofs)
            seconds = time.perf_counter() - start
            cpu = sum(_read_cpu(cluster).values()) - sum(before.values())
        figures[f"workers_{count}"] = {
            "proofs_per_s": round(proofs / seconds, 2),
            "cpu_s_per_proof": round(cpu / proofs, 3),
            "cores_for_accounts": round(model_cores(cpu / proofs), 1),
        }
    figures["load"] = LOAD
    return figures


def _run(farm: Farm, name: str, witness: Witness, count: int) -> None:
    jobs = [Job(f"{name} {number}", witness.to_wtns, time.time() + HOUR, float(number)) for number in range(count)]
    verdicts = {outcome.verdict for outcome in farm.run(jobs)}
    if verdicts != {Verdict.DONE}:
        raise RuntimeError(f"outcomes of a run are {verdicts}; allowed: done")


def _read_cpu(cluster: object) -> Mapping[str, float]:
    """CPU seconds of each worker's process so far."""
    from distributed import Client

    with cast(Any, Client)(cluster, set_as_default=False) as client:
        seconds: Mapping[str, float] = client.run(_read_own_cpu)
    return seconds


def _read_own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--proofs", type=int, default=20)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.preset, arguments.proofs), indent=2))


if __name__ == "__main__":
    main()
