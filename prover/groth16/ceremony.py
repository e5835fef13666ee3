"""Phase 2 of a Groth16 set-up with many hands, by snarkjs: whoever is honest among them makes the key sound.

::

    begin -> contribute -> contribute -> ... -> beacon -> verify -> export

It starts from a public powers-of-tau file (phase 1), which is given by its path, and from constraints that are the
pinned ones. Each contributor gets the last file, adds its own randomness and hands on the next one. A beacon that
nobody could know before ends it. Anybody verifies the whole transcript from the last file alone. What `export` writes
into `build/<preset>/` is marked secure in the manifest, with the transcript; development keys never are.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zkmargin.engine.presets import Preset
from zkmargin.prover import _native
from zkmargin.prover.errors import ProverError
from zkmargin.prover.groth16.compile import compile_circuit
from zkmargin.prover.groth16.contributions import (
    BEACON_NAME,
    BEACON_VALUE,
    LEAST_EXPONENT,
    MOST_EXPONENT,
    NAME,
    Contribution,
    read_contributions,
)
from zkmargin.prover.groth16.keys import ManifestEntry, VerifyingKey, load_circuit, write_ceremony_key
from zkmargin.prover.groth16.trial import try_key
from zkmargin.prover.paths import BUILD, NODE_MODULES, describe_setup
from zkmargin.prover.ranges import check_range

VERIFIED = "ZKey Ok!"
SECONDS = 24 * 3_600
"""How long one step of a ceremony may take."""


class CeremonyFailed(ProverError):
    """snarkjs is missing or refused a step, or an argument of it is not allowed."""

    def __init__(self, what: str, reason: str):
        self.what, self.reason = what, reason
        super().__init__(f"{what}: {reason}")


@dataclass(frozen=True)
class Transcript:
    """What was verified of a ceremony."""

    circuit: str
    preset: str
    circuit_hash: str
    """SHA-256 of the constraints, hex."""
    powers_hash: str
    """SHA-256 of the powers-of-tau file, hex."""
    zkey_hash: str
    """SHA-256 of the last file, hex."""
    key_hash: str
    """Hash of its verifying half, hex: what epochs are signed for."""
    contributions: tuple[Contribution, ...]
    """In order; the last one is the beacon's."""


def begin(circuit: str, preset: Preset, powers: Path, out: Path, *, build: Path = BUILD) -> None:
    """Writes the first file, to which nobody has contributed: a key that anybody forges with.

    Raises
    ------
    KeyMismatch
        If the constraints are not the pinned ones.
    CeremonyFailed
        If snarkjs refuses, for example as the powers-of-tau file is too small.
    """
    load_circuit(circuit, preset, build=build)  # compares the constraints with their pins
    run("groth16", "setup", _get_constraints(circuit, preset, build), _require(powers), out)


def contribute(before: Path, out: Path, name: str) -> None:
    """Adds this machine's randomness, which is gone with the process; raises `CeremonyFailed`.

    snarkjs draws from the operating system; what is passed to it here only comes on top.
    """
    if not NAME.fullmatch(name) or name == BEACON_NAME:
        raise CeremonyFailed("name of a contributor", f"{name!r}; allowed: 1 to 64 printable ASCII, not 'beacon'")
    run("zkey", "contribute", _require(before), out, f"--name={name}", f"-e={secrets.token_hex(64)}")


def add_beacon(before: Path, out: Path, beacon: str, exponent: int = LEAST_EXPONENT) -> None:
    """Ends the contributions with public randomness.

    Parameters
    ----------
    beacon : str
        16 to 64 bytes of hex that became known after the last contribution, such as a block's hash.
    exponent : int
        The beacon is hashed 2^exponent times, 10 to 63.
    """
    check_range("exponent of the beacon's iterations", exponent, LEAST_EXPONENT, MOST_EXPONENT + 1)
    if not BEACON_VALUE.fullmatch(beacon):
        raise CeremonyFailed("beacon", f"{beacon!r}; allowed: 16 to 64 bytes in lower-case hex")
    run("zkey", "beacon", _require(before), out, beacon, str(exponent), f"--name={BEACON_NAME}")


def verify(circuit: str, preset: Preset, powers: Path, zkey: Path, *, build: Path = BUILD) -> Transcript:
    """Verifies every contribution of a file, from the constraints and the powers of tau on.

    Raises
    ------
    KeyMismatch
        If the constraints are not the pinned ones.
    CeremonyFailed
        If the file is none of this circuit, or a contribution is not valid.
    KeyRefused
        If not one contributor or more and one beacon took part, in this order, or a name is none.
    """
    return _verify(circuit, preset, powers, _require(zkey).read_bytes(), build)


def export(circuit: str, preset: Preset, powers: Path, zkey: Path, *, build: Path = BUILD) -> ManifestEntry:
    """Verifies a ceremony's last file, tries it, and puts it into `build/<preset>/` with its manifest; raises as
    `verify`, and `KeyRefused` if the key fails a check of its own. The file is read once."""
    data = _require(zkey).read_bytes()
    transcript = _verify(circuit, preset, powers, data, build)
    constraints = load_circuit(circuit, preset, build=build)
    key = _native.ProvingKey.load(data, constraints)
    try_key(circuit, preset, constraints, key)
    record = {
        "powers_of_tau": transcript.powers_hash,
        "contributions": [vars(each) for each in transcript.contributions],
    }
    return write_ceremony_key(
        build, circuit, preset, transcript.circuit_hash, data, VerifyingKey(key.verifying_key()), record
    )


def _verify(circuit: str, preset: Preset, powers: Path, data: bytes, build: Path) -> Transcript:
    """The transcript of a file's bytes; snarkjs reads a copy of them in a folder of this process alone."""
    compiled = load_circuit(circuit, preset, build=build)
    constraints = _get_constraints(circuit, preset, build)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"{circuit}.zkey"
        copy.write_bytes(data)
        text = run("zkey", "verify", constraints, _require(powers), copy)
    if VERIFIED not in text:
        raise CeremonyFailed("transcript", _last_line(text))
    contributions = read_contributions(data)
    key = VerifyingKey(_native.ProvingKey.load(data, compiled).verifying_key())
    hashes = (_hash(constraints), _hash(powers), hashlib.sha256(data).hexdigest(), key.hash.hex())
    return Transcript(circuit, preset.name, *hashes, contributions)


def run(*arguments: str | Path) -> str:
    """What snarkjs prints; raises `CeremonyFailed` with its last line."""
    node, script = shutil.which("node"), NODE_MODULES / "snarkjs/build/cli.cjs"
    if node is None or not script.is_file():
        raise CeremonyFailed("snarkjs", f"node or {script} is missing: {describe_setup()}")
    command: Sequence[str] = [node, str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    if done.returncode != 0:
        raise CeremonyFailed(" ".join(map(str, arguments[:2])), _last_line(text))
    return text


def to_document(transcript: Transcript) -> dict[str, Any]:
    """A transcript as JSON has it."""
    return {**vars(transcript), "contributions": [vars(each) for each in transcript.contributions]}


def _get_constraints(circuit: str, preset: Preset, build: Path) -> Path:
    return compile_circuit(circuit, preset, build=build).r1cs


def _require(path: Path) -> Path:
    if not path.is_file():
        raise CeremonyFailed("file", f"{path} is missing")
    return path


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "nothing was printed"
