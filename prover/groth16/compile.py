"""Compiles a circuit with circom into `build/<preset>/`, once per text of its sources and compiler version.

circom runs over node (npm package circom2); nothing here is needed at proving time.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from zkmargin.engine.files import write_whole
from zkmargin.engine.presets import Preset, get_preset
from zkmargin.prover.errors import ProverError
from zkmargin.prover.groth16.pins import check_compiler, write_pins
from zkmargin.prover.paths import BUILD, CIRCUITS, HOME, NODE_MODULES, PACKAGE, describe_setup
from zkmargin.prover.statement.signals import STATEMENTS

INCLUDE = re.compile(r'^\s*include\s+"([^"]+)"', re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class CompilationError(ProverError):
    """circom is missing, or refused a circuit; the text has its last lines."""


@dataclass(frozen=True)
class CircuitFacts:
    """What is known of a compiled circuit without reading its constraints."""

    hash: str
    """SHA-256 of every source text, the compiler's version and its options, in hex."""
    compiler: str
    """Version of circom2."""
    optimization: str
    """circom's simplification: O0, O1 or O2."""
    constraints: int
    """Constraints after simplification."""
    wires: int
    """Length of a witness, with the constant 1."""
    public_inputs: int
    """Public signals, without the constant 1."""
    private_inputs: int
    """Private input signals."""

    @property
    def rows(self) -> int:
        """Rows of the proof system: the set-up adds one per public input and one for the constant."""
        return self.constraints + self.public_inputs + 1

    @property
    def domain(self) -> int:
        """Smallest power of two that holds the rows."""
        return 1 << (self.rows - 1).bit_length()


@dataclass(frozen=True)
class CompiledCircuit:
    """Paths of what circom wrote, and its facts."""

    r1cs: Path
    """Constraints, in iden3's binary format."""
    sym: Path
    """Names: lines `label,wire,component,name`; wire -1 for a signal that was simplified away."""
    wasm: Path
    """Witness generator, for tests."""
    calculator: Path
    """circom's JavaScript that drives the wasm."""
    facts: CircuitFacts


def compile_circuit(circuit: str, preset: Preset | str, *, build: Path = BUILD) -> CompiledCircuit:
    """`circuit`, one of the statement's, at `preset`, compiled for proving (O2) into `build/<preset>/<circuit>.*`.

    A circuit whose sources, compiler and options did not change is not compiled again. Processes that ask at the same
    time wait for each other.

    Raises
    ------
    CompilationError
        If there is no such circuit, circom is not installed, or it refuses the sources.
    """
    if circuit not in STATEMENTS:
        raise CompilationError(f"no circuit {circuit!r}; there are {', '.join(STATEMENTS)}")
    name = preset.name if isinstance(preset, Preset) else get_preset(preset).name
    return compile_source(CIRCUITS / "generated" / f"{circuit}.{name}.circom", build / name / circuit)


def compile_source(main: Path, target: Path, *, optimization: str = "O2") -> CompiledCircuit:
    """The circuit whose main component is in `main`, compiled into `<target>.r1cs`, `.sym`, `.wasm`, `.js`, `.json`.

    Parameters
    ----------
    main
        A circom file. circom sees a copy of it and of what it includes, and nothing else: what is compiled is what is
        hashed.
    target
        Path without suffix; its folder is made.
    optimization
        O0 keeps every constraint as it is written, which tests need to name the one that fails; O2 is what is proved.

    Raises
    ------
    CompilationError
        If circom is not installed, or refuses the sources.
    """
    compiler = _get_compiler_version()
    digest = _hash_sources(main, [compiler, optimization])
    paths = [target.with_name(target.name + suffix) for suffix in (".r1cs", ".sym", ".wasm", ".js", ".json")]
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.with_name(f".{target.name}.lock")):
        facts = _read_facts(paths[-1])
        if facts is None or facts.hash != digest or not all(path.is_file() for path in paths):
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
                made = _run_circom(main, Path(folder), optimization)
                facts = CircuitFacts(digest, compiler, optimization, *read_r1cs_header(made[0]))
                for source, path in zip(made, paths[:-1], strict=True):
                    os.replace(source, path)
                write_whole(paths[-1], json.dumps(asdict(facts), indent=2) + "\n")
    r1cs, sym, wasm, calculator, _ = paths
    return CompiledCircuit(r1cs, sym, wasm, calculator, facts)


def read_r1cs_header(path: Path) -> tuple[int, int, int, int]:
    """Constraints, wires, public inputs and private inputs of a constraint file.

    Raises
    ------
    CompilationError
        If the file is not an r1cs file over BN254's scalar field.
    """
    with path.open("rb") as file:
        magic, version, sections = struct.unpack("<4sII", file.read(12))
        if magic != b"r1cs" or version != 1:
            raise CompilationError(f"{path}: not an r1cs file of version 1")
        for _ in range(sections):
            kind, size = struct.unpack("<IQ", file.read(12))
            if kind == 1:
                width = struct.unpack("<I", file.read(4))[0]
                file.seek(width, os.SEEK_CUR)
                wires, outputs, public, private, _, constraints = struct.unpack("<IIIIQI", file.read(28))
                return constraints, wires, outputs + public, private
            file.seek(size, os.SEEK_CUR)
    raise CompilationError(f"{path}: no header section")


def constraint_counts(preset: Preset | str) -> dict[str, dict[str, int]]:
    """Sizes of every circuit at `preset`, for the cost ledger: constraints, public inputs, rows, domain, wires."""
    counts = {}
    for circuit in STATEMENTS:
        facts = compile_circuit(circuit, preset).facts
        counts[circuit] = {
            "constraints": facts.constraints,
            "public_inputs": facts.public_inputs,
            "rows": facts.rows,
            "domain": facts.domain,
            "wires": facts.wires,
        }
    return counts


def find_sources(main: Path) -> list[Path]:
    """`main` and every file that it includes, directly or not, in the order of their names for circom.

    Raises
    ------
    CompilationError
        If an included file is neither beside its includer nor in node_modules.
    """
    found: set[Path] = set()
    pending = [Path(os.path.abspath(main))]
    while pending:
        file = pending.pop()
        if file in found:
            continue
        if not file.is_file():
            raise CompilationError(f"no circuit source {file}; run `make generate` for a file in generated/")
        found.add(file)
        for name in INCLUDE.findall(file.read_text()):
            options = [Path(os.path.abspath(folder / name)) for folder in (file.parent, NODE_MODULES)]
            pending.append(next((option for option in options if option.is_file()), options[-1]))
    return sorted(found, key=_get_name)


def _hash_sources(main: Path, extra: list[str]) -> str:
    digest = hashlib.sha256("\0".join(extra).encode())
    for file in find_sources(main):
        digest.update(hashlib.sha256(str(_get_name(file)).encode() + b"\0" + file.read_bytes()).digest())
    return digest.hexdigest()


def _get_name(file: Path) -> Path:
    """Where circom finds the file: the same in a checkout and in an installed package."""
    for folder in (PACKAGE, HOME):
        if file.is_relative_to(folder):
            return file.relative_to(folder)
    return file.relative_to(file.anchor)


def _get_compiler_version() -> str:
    try:
        return str(json.loads((NODE_MODULES / "circom2/package.json").read_text())["version"])
    except FileNotFoundError:
        raise CompilationError(f"no circom2 in {NODE_MODULES}: {describe_setup()}") from None


def _run_circom(main: Path, folder: Path, optimization: str) -> list[Path]:
    """Constraints, names, witness generator and its script, made in `folder`: circom over node sees nothing else."""
    node = shutil.which("node")
    if node is None:
        raise CompilationError("node is not on PATH; circom needs Node.js 20 or newer")
    check_compiler(_hash_file(NODE_MODULES / "circom2/circom.wasm"))
    for file in find_sources(main):
        copy = folder / _get_name(file)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    name = str(_get_name(Path(os.path.abspath(main))))
    command = [node, str(NODE_MODULES / "circom2/cli.js"), name, "-l", "node_modules"]
    command += ["--r1cs", "--wasm", "--sym", f"--{optimization}", "-o", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        text = COLOUR.sub("", done.stdout + done.stderr).strip().splitlines()
        raise CompilationError(f"circom refused {main.name}:\n" + "\n".join(text[-20:]))
    stem, script = main.stem, folder / f"{main.stem}_js"
    return [folder / f"{stem}.r1cs", folder / f"{stem}.sym", script / f"{stem}.wasm", script / "witness_calculator.js"]


def _read_facts(path: Path) -> CircuitFacts | None:
    """Facts of an earlier run; None where there are none that can be read, so that the circuit is compiled again."""
    try:
        return CircuitFacts(**json.loads(path.read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments: list[str] | None = None) -> None:
    """`python -m zkmargin.prover.groth16.compile [--pin] PRESET ...`: compiles the circuits and prints their sizes;
    with `--pin` also writes the hashes of their constraints into the repository."""
    given = sys.argv[1:] if arguments is None else arguments
    hashes: dict[str, dict[str, str]] = {}
    for preset in [name for name in given if name != "--pin"] or ["mini"]:
        hashes[preset] = {}
        for circuit in STATEMENTS:
            start = time.perf_counter()
            compiled = compile_circuit(circuit, preset)
            facts, hashes[preset][circuit] = compiled.facts, _hash_file(compiled.r1cs)
            seconds = time.perf_counter() - start
            print(
                f"{preset:8} {circuit:10} {facts.constraints:7,} constraints {facts.public_inputs:7,} public inputs "
                f"{facts.rows:7,} rows of {facts.domain:,}  {seconds:.1f} s"
            )
    if "--pin" in given:
        write_pins(hashes)


if __name__ == "__main__":
    main()
