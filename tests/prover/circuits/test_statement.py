"""Order and number of the circuits' public signals are those of the statement; so are the generated mains."""

import re

import pytest

from tests.support.circuit_harness import Constraints, get_circuit
from tests.support.circuit_reference import Case
from tests.support.poseidon_reference import P
from zkmargin.engine.presets import PRESETS, get_preset
from zkmargin.prover.groth16.compile import compile_circuit, find_sources
from zkmargin.prover.paths import CIRCUITS
from zkmargin.prover.statement.signals import STATEMENTS, get_public_signals

PRIVATE = {
    "transition": [
        "position", "cash", "key", "nonce", "legSlot", "legLots",
        "tradeCash", "salt", "excess", "helper", "charge", "slack",
    ],
    "open": ["key", "ephemeralScalar"],
    "reveal": ["key", "nonce", "cash", "word"],
    "rekey": ["keyOld", "keyNew", "nonce", "cash", "word", "ephemeralScalar"],
}  # fmt: skip


def spell(name: str, shape: tuple[int, ...]) -> list[str]:
    """circom's names of the elements of a signal, row-major."""
    names = [name]
    for size in shape:
        names = [f"{prefix}[{k}]" for prefix in names for k in range(size)]
    return names


def get_input_names(circuit: str, preset: str) -> tuple[list[str], list[str]]:
    """Names of public inputs and of private inputs, in the order of their wires."""
    compiled = compile_circuit(circuit, preset)
    names = Constraints.read_names(compiled)
    public = compiled.facts.public_inputs
    ordered = [
        next(name for name in names[wire] if "." not in name)
        for wire in range(1, public + compiled.facts.private_inputs + 1)
    ]
    return ordered[:public], ordered[public:]


def check_order(circuit: str, preset: str) -> None:
    signals = get_public_signals(circuit, get_preset(preset))
    public, private = get_input_names(circuit, preset)
    assert public == [name for signal in signals for name in spell(signal.name, signal.shape)]
    assert list(dict.fromkeys(name.partition("[")[0] for name in private)) == PRIVATE[circuit]
    assert compile_circuit(circuit, preset).facts.public_inputs == signals.size


@pytest.mark.property("P-15")
@pytest.mark.parametrize("circuit", STATEMENTS)
def test_public_signals_come_in_the_order_of_the_statement(circuit):
    check_order(circuit, "mini")


@pytest.mark.property("P-15")
@pytest.mark.parametrize("circuit", STATEMENTS)
def test_public_signals_come_in_order_at_standard_too(circuit):
    check_order(circuit, "standard")


def test_public_wires_hold_the_public_values():
    case = Case(positions=[3] * 16, cash=-7, side=1, legs=[(1, -2)] * 4)
    inputs = case.compute()
    public = get_public_signals("transition", get_preset("mini"))
    flat = public.flatten({signal.name: inputs[signal.name] for signal in public})
    circuit = get_circuit("transition")
    wires = circuit.generate(inputs)
    assert circuit.simplify(wires)[1 : public.size + 1] == flat
    assert public.name(flat)["side"] == 1 and public.name(flat)["tradeTag"] == wires["tradeTag"]
    assert all(0 <= value < P for value in flat)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_a_main_of_its_size(preset):
    size = get_preset(preset)
    text = (CIRCUITS / f"generated/transition.{preset}.circom").read_text()
    parameters = [int(number) for number in re.search(r"Transition\(([^)]*)\)", text)[1].split(",")]
    assert parameters == [size.slots, size.rows, size.excess_rows, size.helpers]


@pytest.mark.property("P-14")
def test_every_unconstrained_assignment_is_known():
    """`<--` computes without constraining; our templates have one, and circomlib's are those named here."""
    found = {}
    for circuit in STATEMENTS:
        for source in find_sources(CIRCUITS / f"generated/{circuit}.mini.circom"):
            text = re.sub(r"//[^\n]*|/\*.*?\*/", "", source.read_text(), flags=re.DOTALL)
            if count := len(re.findall(r"<--|-->", text)):
                found[source.name] = count
    assert found.pop("trade.circom") == 1
    assert set(found) == {"bitify.circom", "comparators.circom", "montgomery.circom", "babyjub.circom", "binsum.circom"}
