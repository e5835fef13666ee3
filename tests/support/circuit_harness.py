"""Circuits under test: wires from circom's generator, checked by a constraint checker of our own that names what fails.

A prover is not bound by a witness generator. `Circuit.force` computes the wires of an input that no honest generator
would accept, `Wires.change` alters single wires, and `Circuit.find_failures` says which constraints notice.
"""

import atexit
import base64
import json
import re
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from zkmargin.prover.groth16.compile import INCLUDE, CompiledCircuit, compile_circuit, compile_source, find_sources
from zkmargin.prover.paths import BUILD, CIRCUITS
from zkmargin.prover.statement.signals import STATEMENTS

P = 21888242871839275222246405745257275088548364400416034343698204186575808495617
ELEMENT = 32


class WitnessRefused(Exception):
    """The witness generator found a constraint that fails; the text is circom's."""


class WitnessServer:
    """One node process that runs witness generators."""

    def __init__(self):
        script = Path(__file__).with_name("witness_server.js")
        self._process = subprocess.Popen(
            [shutil.which("node") or "node", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._loaded: set[str] = set()

    def load(self, compiled: CompiledCircuit) -> None:
        """Make `compiled` known under the path of its wasm."""
        name = str(compiled.wasm)
        if name not in self._loaded:
            self._ask({"load": name, "wasm": name, "calculator": str(compiled.calculator)})
            self._loaded.add(name)

    def run(self, compiled: CompiledCircuit, inputs: Mapping) -> list[int]:
        """Wires of `inputs`; raises WitnessRefused."""
        self.load(compiled)
        reply = self._ask({"run": str(compiled.wasm), "input": _to_strings(inputs)})
        raw = base64.b64decode(reply["wires"])
        return [int.from_bytes(raw[start : start + ELEMENT], "little") for start in range(0, len(raw), ELEMENT)]

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.stdout.close()

    def _ask(self, request: dict) -> dict:
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the witness server ended")
        reply = json.loads(line)
        if not reply["ok"]:
            raise WitnessRefused(reply["error"])
        return reply


def _to_strings(value):
    if isinstance(value, Mapping):
        return {name: _to_strings(item) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [_to_strings(item) for item in value]
    return str(int(value) % P)


@dataclass(frozen=True)
class Failure:
    """One constraint that does not hold."""

    owner: str
    """Path of the component whose template states it, without the leading `main`; "" is the main template."""
    signals: frozenset[str]
    """Names of its signals, without the leading `main.`."""

    @property
    def label(self) -> str:
        """The component; for a constraint of the main template itself its signals, in order."""
        return self.owner or "~".join(sorted(self.signals))


@dataclass
class Wires:
    """A full witness by signal name."""

    values: list[int]
    index: Mapping[str, int]

    def __getitem__(self, name: str) -> int:
        return self.values[self.index[name]]

    def get_signed(self, name: str) -> int:
        """The value as the integer nearest to zero."""
        value = self[name]
        return value if value <= P // 2 else value - P

    def graft(self, other: "Wires", *prefixes: str) -> "Wires":
        """A copy in which every signal whose name starts with one of `prefixes` is as in `other`."""
        return self.change({name: other[name] for name in self.index if name.startswith(prefixes)})

    def change(self, changes: Mapping[str, int]) -> "Wires":
        """A copy in which the named signals have other values."""
        values = list(self.values)
        for name, value in changes.items():
            values[self.index[name]] = value % P
        return Wires(values, self.index)


Combination = list[tuple[int, int]]


class Constraints:
    """The constraints (a . w)(b . w) = c . w of an r1cs file, with the names of its sym file."""

    def __init__(self, compiled: CompiledCircuit):
        self.rows = _read_constraints(compiled.r1cs)
        self.names = self.read_names(compiled)
        self.index = {name: wire for wire, names in self.names.items() for name in names}

    @staticmethod
    def read_names(compiled: CompiledCircuit) -> dict[int, list[str]]:
        """Names of each wire that is kept, without the leading `main.`."""
        names: dict[int, list[str]] = {}
        for line in compiled.sym.read_text().splitlines():
            _, wire, _, name = line.split(",")
            if int(wire) >= 0:
                names.setdefault(int(wire), []).append(name.removeprefix("main."))
        return names

    def find_failing(self, values: Sequence[int]) -> list[int]:
        """Numbers of the constraints that `values` break."""
        return [
            number
            for number, (a, b, c) in enumerate(self.rows)
            if (_dot(a, values) * _dot(b, values) - _dot(c, values)) % P
        ]

    def describe(self, number: int) -> Failure:
        """Names for the constraint with that number."""
        wires = {wire for side in self.rows[number] for wire, _ in side if wire}
        names = frozenset(self.names[wire][0] for wire in wires)
        return Failure(_common_owner(names), names)

    def find_free_wires(self, values: Sequence[int]) -> list[str]:
        """Wires, by name, of which the value can be raised by one with no constraint noticing."""
        users: dict[int, set[int]] = {}
        for number, row in enumerate(self.rows):
            for side in row:
                for wire, _ in side:
                    users.setdefault(wire, set()).add(number)
        products = [[_dot(side, values) for side in row] for row in self.rows]
        free = []
        for wire in range(1, len(values)):
            for number in users.get(wire, ()):
                a, b, c = (
                    product + sum(factor for other, factor in side if other == wire)
                    for product, side in zip(products[number], self.rows[number], strict=True)
                )
                if (a * b - c) % P:
                    break
            else:
                free.append(self.names[wire][0])
        return free


@cache
def get_server() -> WitnessServer:
    """The one server of this test run."""
    server = WitnessServer()
    atexit.register(server.close)
    return server


@cache
def get_circuit(name: str) -> "Circuit":
    """A circuit of the statement at mini, or a main file of tests/prover/circuits by its stem."""
    main = CIRCUITS / f"generated/{name}.mini.circom"
    if name not in STATEMENTS:
        main = Path(__file__).parents[1] / "prover" / "circuits" / f"{name}.circom"
    return Circuit(main, name, get_server())


class Circuit:
    """A circuit as it is written (O0), and as it is proved (O2), over one witness server."""

    def __init__(self, main: Path, name: str, server: WitnessServer):
        self.server = server
        self._main, self._name = main, name
        self._target = BUILD / "tests" / name

    def _compile(self, main: Path, kind: str, optimization: str) -> CompiledCircuit:
        return compile_source(main, self._target.with_name(f"{self._target.name}.{kind}"), optimization=optimization)

    @cached_property
    def honest(self) -> CompiledCircuit:
        """As it is written."""
        return self._compile(self._main, "O0", "O0")

    @cached_property
    def unchecked(self) -> CompiledCircuit:
        """Without the checks: only its witness generator is of use."""
        stripped = write_without_checks(self._main, self._target.with_name(f"{self._target.name}.unchecked"))
        return self._compile(stripped, "O0.unchecked", "O0")

    @cached_property
    def proved(self) -> CompiledCircuit:
        """As it is proved; of the statement's circuits what the set-up compiled."""
        if self._name in STATEMENTS:
            return compile_circuit(self._name, "mini")
        return self._compile(self._main, "O2", "O2")

    @cached_property
    def written(self) -> Constraints:
        """Every constraint as it is written."""
        return Constraints(self.honest)

    @cached_property
    def simplified(self) -> Constraints:
        """The constraints of which a proof is made."""
        return Constraints(self.proved)

    def generate(self, inputs: Mapping) -> Wires:
        """Wires by the honest generator; raises WitnessRefused."""
        return Wires(self.server.run(self.honest, inputs), self.written.index)

    def force(self, inputs: Mapping) -> Wires:
        """Wires computed from `inputs` without any check."""
        return Wires(self.server.run(self.unchecked, inputs), self.written.index)

    def find_failures(self, wires: Wires) -> list[Failure]:
        """Constraints, as written, that do not hold."""
        return [self.written.describe(number) for number in self.written.find_failing(wires.values)]

    def simplify(self, wires: Wires) -> list[int]:
        """The wires that simplification keeps, in its order."""
        names = self.simplified.names
        return [1] + [wires[names[wire][0]] for wire in range(1, self.proved.facts.wires)]

    def is_provable(self, wires: Wires) -> bool:
        """Whether the constraints that are proved hold."""
        return not self.simplified.find_failing(self.simplify(wires))

    def get_labels(self, inputs: Mapping) -> list[str]:
        """Labels of the constraints that `inputs` break, of which none is left iff they can be proved."""
        wires = self.force(inputs)
        labels = sorted({failure.label for failure in self.find_failures(wires)})
        assert self.is_provable(wires) == (labels == [])
        return labels


COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
CHECK = re.compile(r"[^;{}]*===[^;]*;")


def write_without_checks(main: Path, folder: Path) -> Path:
    """The sources of `main` in `folder`, without any statement that only checks; returns the main file there.

    The generator made of them computes the wires of an input that the circuit must refuse.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = find_sources(main)
    names = [source.name for source in sources]
    if len(set(names)) != len(names):
        raise ValueError(f"two circuit sources share a name: {sorted(names)}")
    for source in sources:
        text = source.read_text()
        if "===" in text:  # the tables of constants have none, and a search would take minutes there
            text = CHECK.sub("\n", COMMENT.sub("", text))
        text = INCLUDE.sub(lambda found: f'include "{Path(found[1]).name}"', text)
        (folder / source.name).write_text(text)
    return folder / main.name


def _dot(combination: Combination, values: Sequence[int]) -> int:
    return sum(factor * values[wire] for wire, factor in combination) % P


def _common_owner(names: frozenset[str]) -> str:
    """The component that joins the signals: the longest path that all of their components share."""
    paths = [name.split(".")[:-1] for name in names]
    shared = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared)


def _read_constraints(path: Path) -> list[tuple[Combination, Combination, Combination]]:
    data = path.read_bytes()
    sections, position = {}, 12
    while position < len(data):
        kind, size = struct.unpack_from("<IQ", data, position)
        sections[kind] = position + 12
        position += 12 + size
    header = sections[1] + 4 + ELEMENT
    count = struct.unpack_from("<I", data, header + 24)[0]
    position, rows = sections[2], []
    for _ in range(count):
        sides = []
        for _ in range(3):
            terms = struct.unpack_from("<I", data, position)[0]
            position += 4
            side = []
            for _ in range(terms):
                wire = struct.unpack_from("<I", data, position)[0]
                factor = int.from_bytes(data[position + 4 : position + 4 + ELEMENT], "little")
                side.append((wire, factor))
                position += 4 + ELEMENT
            sides.append(side)
        rows.append(tuple(sides))
    return rows
