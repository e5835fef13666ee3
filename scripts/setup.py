"""Compiles circuits and contracts and makes development keys, once per text of the sources.

    python -m zkmargin.scripts.setup --preset mini

Everything goes to build/, which git ignores. The keys come from this machine's randomness: for local chains only.
"""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor

from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.venue_keys import ensure_committee
from zkmargin.engine.presets import PRESETS
from zkmargin.prover.groth16.compile import NAMES, compile_circuit
from zkmargin.prover.groth16.keys import setup_keys
from zkmargin.scripts.cli import console


def set_up(presets: list[str]) -> None:
    """Compile both circuits and make their keys for each preset, and the committee's key.

    Compilers run beside each other, one process each; the set-up of a key uses every core.
    """
    circuits = [(circuit, preset) for preset in presets for circuit in NAMES]
    with console.show_steps(2 * len(circuits) + 1) as steps, ThreadPoolExecutor(os.cpu_count()) as pool:
        steps.start("compiling circuits and contracts")
        jobs = [pool.submit(compile_contracts), *(pool.submit(compile_circuit, *named) for named in reversed(circuits))]
        for job in jobs:
            job.result()
            steps.done()
        for circuit, preset in circuits:
            steps.start(f"development key of {circuit} at {preset}")
            setup_keys(circuit, preset)
            steps.done()
    ensure_committee()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python -m zkmargin.scripts.setup --preset mini"
    )
    parser.add_argument("--preset", action="append", choices=sorted(PRESETS), required=True, help="may be repeated")
    presets = parser.parse_args().preset
    start = time.perf_counter()
    set_up(presets)
    console.err.print(f"keys ready for {', '.join(presets)} ({time.perf_counter() - start:.1f} s)")


if __name__ == "__main__":
    main()
