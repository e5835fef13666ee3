"""Proving many jobs that have deadlines, on this machine or on a cluster.

A watchtower attests for the accounts that it holds, a keeper rolls, a maker trades: each is a `Job` with a witness, a
deadline, and how far its account is from maintenance. `Farm.run` proves them, nearest to maintenance first, and says of
each job what became of it. A job that is given up is an outcome like any other: nothing is dropped in silence.
"""

from zkmargin.prover.farm.farm import Farm
from zkmargin.prover.farm.jobs import Job, Outcome, Verdict
from zkmargin.prover.farm.proving import ProveWitness, VerifyResult
from zkmargin.prover.farm.workers import ClusterWorkers, ThreadWorkers, Workers

__all__ = [
    "ClusterWorkers", "Farm", "Job", "Outcome", "ProveWitness", "ThreadWorkers", "Verdict", "VerifyResult", "Workers",
]  # fmt: skip
