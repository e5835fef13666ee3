"""A quorum on different machines signs one epoch: its bytes do not depend on vector units, the C library or threads.

Another machine is played by a process whose numpy, C library and BLAS are told to leave out what this one has.
"""

import json
import os
import subprocess
import sys
from functools import cache
from hashlib import sha256

import numpy as np
import pytest

from tests.support.house import CALM, CRASH, get_house


def find_vector_units() -> list[str]:
    """Vector units beyond the baseline that numpy uses."""
    return np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])


NO_VECTORS = {"NPY_DISABLE_CPU_FEATURES": " ".join(find_vector_units())}
OLD_PROCESSOR = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-AVX,-FMA,-FMA4"}
OTHER_BLAS = {"OPENBLAS_CORETYPE": "Prescott"}
ONE_THREAD, TWO_THREADS = ({"OPENBLAS_NUM_THREADS": count, "OMP_NUM_THREADS": count} for count in ("1", "2"))
MACHINES = {
    "numpy without vector units": NO_VECTORS,
    "C library of an old processor": OLD_PROCESSOR,
    "another BLAS, one thread": OTHER_BLAS | ONE_THREAD,
    "all of them, two threads": NO_VECTORS | OLD_PROCESSOR | OTHER_BLAS | TWO_THREADS,
}


def describe(size: str, market: str) -> dict[str, str]:
    """Hashes of an epoch's bytes, and of the sums before they are rounded to its coefficients, to the last bit."""
    house = get_house(size, market)
    epoch = house.epoch(1)
    columns = {
        "prices": house.prices,
        "exposures": house.exposures,
        "side exposures": house.side_exposures,
        "grid": house.grid.pnl,
        "shortfall": house.shortfall.pnl,
    }
    return {
        "snapshot": epoch.snapshot_hash.hex(),
        "policies": epoch.policy_hash.hex(),
        **{name: sha256(values.astype(">f8").tobytes()).hexdigest() for name, values in columns.items()},
    }


describe_here = cache(describe)


def run_elsewhere(program: str, machine: dict[str, str]) -> object:
    """What a program prints as JSON on another machine."""
    process = subprocess.run(
        [sys.executable, "-c", f"import json\n{program}"],
        env=os.environ | machine,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.property("P-87")
@pytest.mark.parametrize(
    ("size", "market"),
    [("mini", CALM)] + [pytest.param("standard", market, marks=pytest.mark.slow) for market in (CALM, CRASH)],
)
@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_an_epoch_has_the_same_bytes_on_another_machine(machine, size, market):
    program = (
        f"from tests.engine.epoch.test_machines import describe; print(json.dumps(describe({size!r}, {market!r})))"
    )
    assert run_elsewhere(program, machine) == describe_here(size, market)


def test_the_other_machine_is_another_one():
    program = "from tests.engine.epoch.test_machines import find_vector_units; print(json.dumps(find_vector_units()))"
    assert run_elsewhere(program, NO_VECTORS) == []
