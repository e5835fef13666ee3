"""A farm's rate: proofs a second and CPU seconds a proof with one and two workers, and the cores that a venue needs.

    python -m zkmargin.scripts.measure.farm [--preset standard] [--proofs 20]

Each worker is a process of a local Dask cluster with one thread, also inside a proof (RAYON_NUM_THREADS=1): for many
proofs that is the least work, since no core waits for another.

The model is arithmetic: every account attests once per `INTERVAL_SECONDS`, at `LOAD` of the farm's rate, so that a
burst of attestations before the deadlines finds room. It counts the CPU seconds of the workers and those of the farm's
own process, which makes each witness and verifies each proof; building the transition and sending it are not in it.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from zkmargin.contracts.venue_keys import load_venue_keys
from zkmargin.prover._native import Circuit
from zkmargin.prover.actions.transition import AnyTransition
from zkmargin.prover.farm import ClusterWorkers, Farm, Job, ProveWitness, Verdict, VerifyResult
from zkmargin.prover.groth16.witness import compute_transition_witness
from zkmargin.scripts.cli.bench_prover import make_case

ACCOUNTS = 100_000
INTERVAL_SECONDS = 4 * 3600
LOAD = 0.6
"""Share of the rate that is planned for."""
WORKERS = (1, 2)
HOUR = 3600.0


def model_cores(cpu_seconds_per_proof: float) -> float:
    """Cores that keep `ACCOUNTS` attested, each once per interval."""
    return ACCOUNTS * cpu_seconds_per_proof / INTERVAL_SECONDS / LOAD


def measure(preset: str, proofs: int) -> dict[str, object]:
    """Figures for each number of workers."""
    from distributed import LocalCluster

    keys = load_venue_keys(preset)
    _, transition = make_case(keys.preset)
    make_payload = partial(_make_payload, keys.transition.circuit, transition)
    public = compute_transition_witness(keys.transition.circuit, transition).public_inputs()
    accept = VerifyResult(keys.transition.verifying_key, lambda _: public)
    figures: dict[str, object] = {
        "preset": preset,
        "proofs": proofs,
        "accounts": ACCOUNTS,
        "interval_s": INTERVAL_SECONDS,
        "load": LOAD,
    }
    os.environ["RAYON_NUM_THREADS"] = "1"  # what the workers' processes inherit
    for count in WORKERS:
        with (
            cast(Any, LocalCluster)(
                n_workers=count, threads_per_worker=1, dashboard_address=None, processes=True
            ) as cluster,
            ClusterWorkers(ProveWitness(preset, allow_insecure=True), cluster.scheduler_address) as workers,
        ):
            _run(Farm(workers, accept), "warm", make_payload, count)
            before = _read_cpu(cluster)
            start, own_start = time.perf_counter(), time.process_time()
            _run(Farm(workers, accept), "proof", make_payload, proofs)
            seconds, own_cpu = time.perf_counter() - start, time.process_time() - own_start
            cpu = sum(_read_cpu(cluster).values()) - sum(before.values())
        figures[f"workers_{count}"] = {
            "proofs_per_s": round(proofs / seconds, 2),
            "workers_cpu_s_per_proof": round(cpu / proofs, 3),
            "farm_cpu_s_per_proof": round(own_cpu / proofs, 3),
            "cores_for_accounts": round(model_cores((cpu + own_cpu) / proofs), 1),
        }
    return figures


def _make_payload(circuit: Circuit, transition: AnyTransition) -> bytes:
    return compute_transition_witness(circuit, transition).to_wtns()


def _run(farm: Farm, name: str, make_payload: Callable[[], bytes], count: int) -> None:
    jobs = [Job(f"{name} {number}", make_payload, time.time() + HOUR, float(number)) for number in range(count)]
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
