"""`python -m scripts.setup`: compiles the circuits and makes development keys, once per text of the circuits.

Everything goes to build/, which git ignores. The keys come from this machine's randomness: for local chains only.
"""

import argparse
import time

from engine.presets import PRESETS
from prover.compile import NAMES
from prover.keys import setup_keys
from scripts import console
from scripts.keys import ensure_committee


def set_up(presets: list[str]) -> None:
    """Compile both circuits and make their keys for each preset, and the committee's key."""
    with console.show_steps(len(presets) * len(NAMES)) as steps:
        for preset in presets:
            for circuit in NAMES:
                steps.start(f"{circuit} at {preset}: circuit and development key")
                setup_keys(circuit, preset)
                steps.done()
    ensure_committee()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python -m scripts.setup --preset mini")
    parser.add_argument(
        "--preset", action="append", choices=sorted(PRESETS), required=True, help="may be given several times"
    )
    presets = parser.parse_args().preset
    start = time.perf_counter()
    set_up(presets)
    console.err.print(f"keys ready for {', '.join(presets)} ({time.perf_counter() - start:.1f} s)")


if __name__ == "__main__":
    main()
