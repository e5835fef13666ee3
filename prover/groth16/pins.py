"""The circuits and the compiler by their hashes: `prover/circuits/pins.json`, a file of the repository.

`build/` is not in the repository, and whoever can write there can put a weakened circuit of the same size in the place
of ours: keys made for it would pass every check of keys. So constraints are held against their pinned SHA-256 wherever
they are read, and circom's own program before it runs. A change of the circuits, or of circom, is committed with its
pins: `python -m zkmargin.prover.groth16.compile --pin PRESET ...` compiles and writes them.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from zkmargin.engine.files import write_whole
from zkmargin.prover.errors import KeyMismatch
from zkmargin.prover.paths import CIRCUITS

PINS = CIRCUITS / "pins.json"
REMEDY = "pins are written again after a change of the circuits or of circom; else the file was altered"


@cache
def load_pins() -> Mapping[str, Any]:
    """Hash of circom's program, and by preset and circuit those of the constraints; SHA-256 in hex."""
    pins: Mapping[str, Any] = json.loads(PINS.read_text(encoding="utf-8"))
    return pins


def check_constraints(circuit: str, preset: str, digest: str) -> None:
    """Whether constraints of that SHA-256, hex, are the repository's.

    Raises
    ------
    KeyMismatch
        If they have another hash, or there is none for this circuit and preset.
    """
    pinned = load_pins()["r1cs"].get(preset, {}).get(circuit, "none")
    if digest != pinned:
        raise KeyMismatch(
            f"{circuit} at {preset}: the constraints have SHA-256 {digest}, {PINS.name} says {pinned}; {REMEDY}"
        )


def check_compiler(digest: str) -> None:
    """Whether a program of that SHA-256, hex, is the circom that the pins were made with; raises `KeyMismatch`."""
    if digest != load_pins()["compiler"]:
        raise KeyMismatch(f"circom has SHA-256 {digest}, {PINS.name} says {load_pins()['compiler']}; {REMEDY}")


def write_pins(hashes: Mapping[str, Mapping[str, str]]) -> None:
    """Writes the hashes of some presets' constraints; those of others stay."""
    pins = load_pins()
    write_whole(PINS, json.dumps({**pins, "r1cs": {**pins["r1cs"], **hashes}}, indent=2) + "\n")
    load_pins.cache_clear()
