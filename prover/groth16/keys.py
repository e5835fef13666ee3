"""Keys: the development set-up, and loading with every check.

A set-up writes into `build/<preset>/`::

    <circuit>.zkey          proving key in snarkjs's format
    <circuit>.vkey.json     verification key in snarkjs's format
    manifest.json           for each circuit: insecure, circuit hash, key hash, hashes of the two files, when made

The manifest is written last and names the files by hash, so an interrupted set-up leaves nothing that loads.

These keys come from one party's randomness: whoever had read the memory of the set-up could forge. They are marked
`insecure` and refused unless the caller allows them, which only a local development chain may do.

A proving key that passed every check leaves a record in `build/checked/`, named for the hashes of key and circuit and
for the version of the checks. Where there is one, the next load compares the bytes with the hash and leaves the checks
of single points out; what lets anybody forge is looked for every time. A record vouches for the manifest's hash, and
both lie in `build/`: whoever can write there can have a key taken unchecked. A wrong point then makes proofs that do
not verify, and those are not released.

The order in which a circuit's wires are computed is found once, too, and kept in `build/schedules/` under the hashes of
constraints and names, with a hash of its own. No schedule makes a false proof: every constraint is checked on what it
gives. One that is damaged is found again. Whoever can write there can have proofs fail, and learn of a secret by which
of them do, so `build/` is to be as private as the keys and secrets of an account.
"""

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from eth_hash.auto import keccak

from zkmargin.engine.files import parse_json, write_whole
from zkmargin.engine.presets import Preset, get_preset
from zkmargin.prover import _native
from zkmargin.prover.errors import FormatError, KeyMismatch, KeyMissing, KeyRefused
from zkmargin.prover.groth16.compile import compile_circuit
from zkmargin.prover.groth16.pins import check_constraints
from zkmargin.prover.groth16.snarkjs_json import read_g1, read_g2
from zkmargin.prover.groth16.trial import try_key
from zkmargin.prover.paths import BUILD, describe_setup
from zkmargin.prover.ranges import check_range, read_decimal
from zkmargin.prover.statement.signals import get_public_signals

MANIFEST, CHECKED, SCHEDULES = "manifest.json", "checked", "schedules"
TRIALS = 2
"""Version of the trial of a new key (`prover.groth16.trial`): part of what a record stands for."""
WORD = 32
"""Bytes of one number in a key's canonical bytes."""


@dataclass(frozen=True)
class ManifestEntry:
    """What the manifest says of one circuit's key."""

    insecure: bool
    """True for every key of a development set-up."""
    circuit_hash: str
    """SHA-256 of the constraint file, hex."""
    key_hash: str
    """keccak256 of the verifying key's canonical bytes, hex: what an epoch signs."""
    zkey_hash: str
    """SHA-256 of the proving key file, hex."""
    vkey_hash: str
    """SHA-256 of the verification key file, hex."""
    created: str
    """UTC, ISO 8601."""
    ceremony: Mapping[str, Any] | None = None
    """Powers of tau and contributions of the ceremony that made it; None for a development key."""


@dataclass(frozen=True)
class VerifyingKey:
    """A verifying key that has passed every check."""

    native: _native.VerifyingKey

    @cached_property
    def hash(self) -> bytes:
        """keccak256 over alpha, beta, gamma, delta, IC as 32-byte big-endian words.

        A point of G1 is x, y; a point of G2 is x.c1, x.c0, y.c1, y.c0, as the EVM's pairing precompile takes it.
        """
        return keccak(self.to_bytes())

    @property
    def n_public(self) -> int:
        """Number of public inputs."""
        return self.native.n_public

    def get_ic(self, index: int) -> tuple[int, int]:
        """IC[index]: 0 is the constant's, 1 + i belongs to public input i; raises `OutOfRange` for another index."""
        return self.native.ic(check_range("index of IC", index, 0, self.n_public + 1))

    def to_bytes(self) -> bytes:
        """Canonical bytes, see `hash`."""
        return self.native.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "VerifyingKey":
        """The key of its canonical bytes.

        Raises
        ------
        FormatError, PointRefused, KeyRefused
            If the bytes are no key, a point is not valid, or the key would let anybody forge.
        """
        return cls(_native.VerifyingKey.from_bytes(data))

    def to_json(self) -> dict[str, Any]:
        """snarkjs's verification key (without `vk_alphabeta_12`, which its verifier does not read)."""
        words = _to_words(self.to_bytes())
        points = [_g1_json(words[i : i + 2]) for i in range(14, len(words), 2)]
        return {
            "protocol": "groth16",
            "curve": "bn128",
            "nPublic": self.n_public,
            "vk_alpha_1": _g1_json(words[0:2]),
            "vk_beta_2": _g2_json(words[2:6]),
            "vk_gamma_2": _g2_json(words[6:10]),
            "vk_delta_2": _g2_json(words[10:14]),
            "IC": points,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "VerifyingKey":
        """The key of snarkjs's JSON.

        Raises
        ------
        FormatError, PointRefused, KeyRefused
            If the document is no key, a point is not valid, or the key would let anybody forge.
        """
        what = "verification key"
        try:
            if document["protocol"] != "groth16" or document["curve"] != "bn128":
                raise FormatError("verification key", "protocol or curve is not groth16 on bn128")
            words = [*read_g1(what, document["vk_alpha_1"])]
            for name in ("vk_beta_2", "vk_gamma_2", "vk_delta_2"):
                words += read_g2(what, document[name])
            for point in document["IC"]:
                words += read_g1(what, point)
            if len(document["IC"]) != read_decimal(what, document["nPublic"]) + 1:
                raise FormatError("verification key", f"{len(document['IC'])} IC for {document['nPublic']} inputs")
            return cls.from_bytes(b"".join(word.to_bytes(WORD, "big") for word in words))
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise FormatError("verification key", f"{type(error).__name__}: {error}") from None


@dataclass(frozen=True)
class ProvingKey:
    """A proving key in memory, with its circuit."""

    name: str
    """transition or open."""
    preset: Preset
    circuit: _native.Circuit
    native: _native.ProvingKey
    manifest: ManifestEntry

    @cached_property
    def verifying_key(self) -> VerifyingKey:
        """Its verifying half."""
        return VerifyingKey(self.native.verifying_key())


def load_circuit(circuit: str, preset: Preset | str, *, build: Path = BUILD) -> _native.Circuit:
    """Constraints of `circuit` and the schedule that computes its wires, compiled first where that is needed.

    Raises
    ------
    CompilationError
        If circom is needed and not there.
    KeyMismatch
        If the constraints are not the pinned ones, or do not have the public inputs of the statement.
    """
    return _CircuitFile.read(circuit, _get_preset(preset), build).parse(build / SCHEDULES)


@dataclass(frozen=True)
class _CircuitFile:
    """A compiled circuit as it was read: what is hashed is what is parsed."""

    name: str
    preset: Preset
    r1cs: bytes
    sym: str

    @classmethod
    def read(cls, circuit: str, preset: Preset, build: Path) -> "_CircuitFile":
        """Raises `KeyMismatch` unless the constraints are the pinned ones."""
        compiled = compile_circuit(circuit, preset, build=build)
        file = cls(circuit, preset, compiled.r1cs.read_bytes(), compiled.sym.read_text())
        check_constraints(circuit, preset.name, file.hash)
        return file

    @cached_property
    def hash(self) -> str:
        return hashlib.sha256(self.r1cs).hexdigest()

    def parse(self, schedules: Path) -> _native.Circuit:
        native = self._parse_by(schedules)
        expected = get_public_signals(self.name, self.preset).size
        if native.n_public != expected:
            raise KeyMismatch(
                f"{self.name}: the constraints have {native.n_public} public inputs, the statement {expected}"
            )
        return native

    def _parse_by(self, schedules: Path) -> _native.Circuit:
        """The circuit with the schedule that was kept for it; a schedule that is missing or damaged is found again."""
        version, names = _native.SCHEDULE_VERSION, hashlib.sha256(self.sym.encode()).hexdigest()
        path = schedules / hashlib.sha256(f"{version} {self.hash} {names}".encode()).hexdigest()
        with suppress(OSError, FormatError):
            return _native.Circuit.with_schedule(self.r1cs, self.sym, path.read_bytes())
        native = _native.Circuit(self.r1cs, self.sym)
        with suppress(OSError):  # where nothing can be written, the next load searches again
            schedules.mkdir(parents=True, exist_ok=True)
            write_whole(path, native.schedule())
        return native


def setup_keys(circuit: str, preset: Preset | str, *, build: Path = BUILD) -> ManifestEntry:
    """A development key of `circuit`, made once per circuit hash.

    Raises
    ------
    CompilationError
        If circom is needed and not there.
    KeyMismatch
        If the constraints are not the pinned ones.
    """
    preset = _get_preset(preset)
    file = _CircuitFile.read(circuit, preset, build)
    folder = build / preset.name
    with _locked(folder / ".keys.lock"):
        known = _read_manifest(folder).get(circuit)
        if known and known.circuit_hash == file.hash and _files_match(folder, circuit, known):
            return known
        return _write_keys(build, file)


def load_proving_key(
    circuit: str, preset: Preset | str, *, build: Path = BUILD, allow_insecure: bool = False
) -> ProvingKey:
    """The proving key of `circuit`, whose bytes are those that the manifest names.

    The first load checks it against circuit and curve, point by point, tries it on synthetic accounts, and leaves a
    record; later ones rely on that.

    Parameters
    ----------
    allow_insecure
        Take a development key. Only a local development chain may.

    Raises
    ------
    KeyMissing
        If no set-up was made, or its files are gone.
    KeyMismatch
        If a file is not the one that the manifest names, or the key was made for other constraints.
    KeyRefused
        If the key is a development key and that is not allowed, or fails a check.
    FormatError
        If the file is not a zkey.
    """
    preset = _get_preset(preset)
    folder = build / preset.name
    entry = _get_entry(folder, circuit, allow_insecure)
    file = _CircuitFile.read(circuit, preset, build)
    if file.hash != entry.circuit_hash:
        raise KeyMismatch(f"{circuit}: the circuit has changed since its key was made; {describe_setup(preset.name)}")
    native_circuit = file.parse(build / SCHEDULES)
    native = _load_native(folder / f"{circuit}.zkey", entry, file, native_circuit, build / CHECKED)
    key = ProvingKey(circuit, preset, native_circuit, native, entry)
    if key.verifying_key.hash.hex() != entry.key_hash:
        raise KeyMismatch(f"{circuit}: the key's hash is {key.verifying_key.hash.hex()}, manifest {entry.key_hash}")
    return key


def find_first_policy_input(circuit: str, preset: Preset) -> int | None:
    """Where the public inputs of a policy begin, which are the last ones; none where the statement has no policy."""
    return next((signal.offset for signal in get_public_signals(circuit, preset) if signal.group == "policy"), None)


def load_verifying_key(
    circuit: str, preset: Preset | str, *, build: Path = BUILD, allow_insecure: bool = False
) -> VerifyingKey:
    """The verifying key of `circuit`; parameters and errors as `load_proving_key`, but no circuit is needed."""
    preset = _get_preset(preset)
    folder = build / preset.name
    entry = _get_entry(folder, circuit, allow_insecure)
    data = _read_checked(folder / f"{circuit}.vkey.json", entry.vkey_hash)
    try:
        document = parse_json(data.decode())
    except ValueError as error:
        raise FormatError("verification key", f"no JSON: {error}") from None
    key = VerifyingKey.from_json(document)
    if key.hash.hex() != entry.key_hash:
        raise KeyMismatch(f"{circuit}: the key's hash is {key.hash.hex()}, the manifest says {entry.key_hash}")
    expected = get_public_signals(circuit, preset).size
    if key.n_public != expected:
        raise KeyMismatch(f"{circuit}: the key has {key.n_public} public inputs, the statement {expected}")
    return key


# ---------------------------------------------------------------------------------------------------------- manifest
def write_ceremony_key(
    build: Path,
    circuit: str,
    preset: Preset,
    circuit_hash: str,
    zkey: bytes,
    verifying: VerifyingKey,
    record: Mapping[str, Any],
) -> ManifestEntry:
    """Puts a ceremony's key, which was verified, in the place of a development key."""
    folder = build / preset.name
    with _locked(folder / ".keys.lock"):
        return _put(folder, circuit, circuit_hash, zkey, verifying, record)


def _write_keys(build: Path, file: _CircuitFile) -> ManifestEntry:
    native = file.parse(build / SCHEDULES)
    zkey = native.set_up()
    loaded = _native.ProvingKey.load(zkey, native)
    try_key(file.name, file.preset, native, loaded)
    verifying = VerifyingKey(loaded.verifying_key())
    entry = _put(build / file.preset.name, file.name, file.hash, zkey, verifying, None)
    _leave_record(build / CHECKED, entry)
    return entry


def _put(
    folder: Path,
    circuit: str,
    circuit_hash: str,
    zkey: bytes,
    verifying: VerifyingKey,
    ceremony: Mapping[str, Any] | None,
) -> ManifestEntry:
    vkey = (json.dumps(verifying.to_json(), indent=1) + "\n").encode()
    entry = ManifestEntry(
        insecure=ceremony is None,
        circuit_hash=circuit_hash,
        key_hash=verifying.hash.hex(),
        zkey_hash=hashlib.sha256(zkey).hexdigest(),
        vkey_hash=hashlib.sha256(vkey).hexdigest(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        ceremony=ceremony,
    )
    entries = {name: known for name, known in _read_manifest(folder).items() if name != circuit}
    _write_manifest(folder, entries)  # the old key is gone before its files are
    write_whole(folder / f"{circuit}.zkey", zkey)
    write_whole(folder / f"{circuit}.vkey.json", vkey)
    _write_manifest(folder, {**entries, circuit: entry})
    return entry


def _read_manifest(folder: Path) -> dict[str, ManifestEntry]:
    """Entries by circuit; what cannot be read counts as absent, so that a set-up makes it again."""
    try:
        document = parse_json((folder / MANIFEST).read_text(encoding="utf-8"))
        return {name: ManifestEntry(**entry) for name, entry in document["keys"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _write_manifest(folder: Path, entries: Mapping[str, ManifestEntry]) -> None:
    insecure = sorted(name for name, entry in entries.items() if entry.insecure)
    about = "Keys of a ceremony, whose transcript anybody can verify: zkmargin ceremony verify."
    if insecure or not entries:
        about = "Keys of a development set-up: one party, no ceremony. For local chains only."
    document = {
        "about": about,
        "insecure": bool(insecure) or not entries,
        "keys": {name: asdict(entry) for name, entry in sorted(entries.items())},
    }
    write_whole(folder / MANIFEST, json.dumps(document, indent=2) + "\n")


def _get_entry(folder: Path, circuit: str, allow_insecure: bool) -> ManifestEntry:
    entry = _read_manifest(folder).get(circuit)
    if entry is None:
        raise KeyMissing(f"no key of {circuit} in {folder}: {describe_setup(folder.name)}")
    if entry.insecure is not False and not allow_insecure:
        raise KeyRefused(f"the key of {circuit} in {folder} is a development key, allowed on local chains only")
    return entry


def _files_match(folder: Path, circuit: str, entry: ManifestEntry) -> bool:
    try:
        _read_checked(folder / f"{circuit}.zkey", entry.zkey_hash)
        _read_checked(folder / f"{circuit}.vkey.json", entry.vkey_hash)
    except (KeyMissing, KeyMismatch):
        return False
    return True


def _load_native(
    path: Path, entry: ManifestEntry, file: _CircuitFile, circuit: _native.Circuit, records: Path
) -> _native.ProvingKey:
    """The key of bytes that have the manifest's hash; checked and tried, unless there is a record of that."""
    policy = find_first_policy_input(file.name, file.preset)
    if (records / _name_record(entry)).is_file():
        return _native.ProvingKey.load_known(_read(path), bytes.fromhex(entry.zkey_hash), circuit, policy)
    native = _native.ProvingKey.load(_read_checked(path, entry.zkey_hash), circuit, policy)
    try_key(file.name, file.preset, circuit, native)
    _leave_record(records, entry)
    return native


def _name_record(entry: ManifestEntry) -> str:
    checks = f"{_native.KEY_CHECKS}.{TRIALS}"
    return hashlib.sha256(f"{checks} {entry.zkey_hash} {entry.circuit_hash}".encode()).hexdigest()


def _leave_record(records: Path, entry: ManifestEntry) -> None:
    with suppress(OSError):  # where nothing can be written, the next load checks again
        records.mkdir(parents=True, exist_ok=True)
        write_whole(records / _name_record(entry), b"")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise KeyMissing(f"{path} is missing: {describe_setup(path.parent.name)}") from None
    except OSError as error:
        raise KeyMissing(f"{path} cannot be read: {error.strerror}") from None


def _read_checked(path: Path, expected: str) -> bytes:
    data = _read(path)
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise KeyMismatch(f"{path} has SHA-256 {found}, the manifest says {expected}")
    return data


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _get_preset(preset: Preset | str) -> Preset:
    return preset if isinstance(preset, Preset) else get_preset(preset)


# -------------------------------------------------------------------------------------------------------------- json
def _to_words(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + WORD], "big") for i in range(0, len(data), WORD)]


def _g1_json(words: list[int]) -> list[str]:
    x, y = words
    return [str(x), str(y), "1"] if (x, y) != (0, 0) else ["0", "1", "0"]


def _g2_json(words: list[int]) -> list[list[str]]:
    x1, x0, y1, y0 = (str(word) for word in words)
    return [[x0, x1], [y0, y1], ["1", "0"]]
