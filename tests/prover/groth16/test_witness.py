"""Witnesses: byte for byte circom's own, and an error that names what is wrong where there is none."""

import random
from dataclasses import replace

import pytest

from tests.support.native_cases import ACCEPTED, compile_small, make_small_key
from tests.support.oracles import compute_circom_wtns
from tests.support.scenes import DOMAIN, MARGIN, MINI, RECIPIENT, Scene, make_account, make_policy, make_settlement
from zkmargin.engine.account import AccountState
from zkmargin.engine.epoch.expiry import identity_expiry_step
from zkmargin.engine.presets import get_preset
from zkmargin.prover import _native
from zkmargin.prover.account.escrow import CommitteeKey, make_scalar
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.opening import build_opening
from zkmargin.prover.actions.transition import build_transition
from zkmargin.prover.errors import (
    FormatError,
    InputShape,
    MissingInput,
    NotInField,
    RangeCheckFailed,
    UnknownInput,
    UnsatisfiedConstraint,
)
from zkmargin.prover.groth16.compile import compile_circuit
from zkmargin.prover.groth16.keys import load_circuit
from zkmargin.prover.groth16.witness import (
    collect_transition_inputs,
    compute_stated_witness,
    compute_transition_witness,
    compute_witness,
    write_witness,
)
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.statement.commitment import make_trade
from zkmargin.prover.statement.packing import TradeTerms
from zkmargin.prover.statement.signals import FIELD_MODULUS as P

USD = 10**6


def make_transitions(preset):
    """One transition of each shape: name to transition."""
    policies = {name: make_policy(name, MARGIN, preset=preset) for name in ("initial", "maintenance", "withdraw")}
    scene = Scene(policies=policies, settlement=identity_expiry_step(preset))
    step = Scene(policies=policies, settlement=make_settlement({1: 7, preset.slots - 1: -5}, preset), generation=1)
    account = make_account(lots={1: 5, 9: -3, preset.slots - 1: 7}, cash=10**10, preset=preset)
    edge = make_account(lots={1: 2**30 - 1, 2: -(2**30) + 5, 3: -(2**30)}, cash=2**79, preset=preset)
    terms = TradeTerms(((2, 3), (3, -4), (2, 1), (preset.slots - 1, 2**28 - 1)), -5 * USD)
    trade = {
        "kind": ActionKind.TRADE,
        "trade": make_trade(terms),
        "counterparty": b"\1" * 32,
        "fee_usd6": 3,
        "deadline": 9,
    }
    rich = make_account(lots={preset.slots - 1: 2**28}, cash=10**16, preset=preset)
    out = {"recipient": RECIPIENT, "deadline": 9}
    paid_in = {"cash_usd6": 50, "lots": {preset.vault_slots[0]: 2**30 - 1}, "fee_usd6": 50, "deadline": 9}
    intents = {
        "buyer": (rich, Intent(side=1, **trade), scene),
        "seller": (rich, Intent(side=-1, **trade), scene),
        "withdraw": (account, Intent(ActionKind.WITHDRAW, cash_usd6=1000, fee_usd6=3, **out), scene),
        "attest": (account, Intent(ActionKind.ATTEST, policy="maintenance"), scene),
        "deposit": (edge, Intent(ActionKind.DEPOSIT, **paid_in), None),
        "step": (account, Intent(ActionKind.CURE, deadline=9), step),
    }
    return {
        name: build_transition(who, intent, domain=DOMAIN, key_version=1, epoch=epoch)
        for name, (who, intent, epoch) in intents.items()
    }


@pytest.fixture(scope="module")
def transitions():
    return make_transitions(MINI)


@pytest.fixture(scope="module")
def circuit():
    return load_circuit("transition", MINI)


@pytest.mark.property("P-31")
@pytest.mark.parametrize("name", ["buyer", "seller", "withdraw", "attest", "deposit", "step"])
def test_transition_is_circoms_byte_for_byte(name, transitions, circuit, tmp_path):
    transition = transitions[name]
    witness = compute_transition_witness(circuit, transition)
    plain = {**transition.name_public_signals(), **transition.name_private_inputs()}
    assert witness.to_wtns() == compute_circom_wtns(compile_circuit("transition", MINI), plain, tmp_path)
    assert circuit.first_unsatisfied(witness) is None
    assert witness.public_inputs().to_list() == transition.flatten_public_signals()
    assert compute_witness(circuit, plain).to_wtns() == witness.to_wtns()


@pytest.mark.property("P-31")
@pytest.mark.parametrize("name", ["seller", "withdraw"])
def test_transition_at_standard_is_circoms_byte_for_byte(name, tmp_path):
    preset = get_preset("standard")
    transition = make_transitions(preset)[name]
    witness = compute_transition_witness(load_circuit("transition", preset), transition)
    plain = {**transition.name_public_signals(), **transition.name_private_inputs()}
    assert witness.to_wtns() == compute_circom_wtns(compile_circuit("transition", preset), plain, tmp_path)


def test_opening_is_circoms_byte_for_byte(tmp_path):
    circuit = load_circuit("open", MINI)
    for _ in range(2):
        opening = make_opening()
        witness = compute_stated_witness(circuit, opening)
        plain = {**opening.name_public_signals(), **opening.name_private_inputs()}
        assert witness.to_wtns() == compute_circom_wtns(compile_circuit("open", MINI), plain, tmp_path)
        assert circuit.first_unsatisfied(witness) is None


def make_opening():
    account = replace(make_account(), nonce=0, state=AccountState([0] * MINI.slots, 0))
    return build_opening(account, DOMAIN, CommitteeKey(make_scalar()).public, 1, 100)


@pytest.mark.parametrize(
    "inputs",
    [
        ACCEPTED,
        {"total": 1, "index": 3, "amount": -8, "divisor": 4},
        {"total": 0, "index": 0, "amount": 0, "divisor": 4},
        {"total": 256, "index": 1, "amount": 255, "divisor": 1},
        {"total": -253, "index": 3, "amount": -256, "divisor": 1},
    ],
)
def test_every_kind_of_step_is_circoms(inputs, tmp_path):
    witness = compute_witness(make_small_key().circuit, inputs)
    assert witness.to_wtns() == compute_circom_wtns(compile_small(), inputs, tmp_path)


# ------------------------------------------------------------------------------------------------------------- errors
def test_inputs_must_be_the_circuits():
    circuit = make_small_key().circuit
    with pytest.raises(MissingInput) as caught:
        compute_witness(circuit, {k: v for k, v in ACCEPTED.items() if k != "index"})
    assert caught.value.name == "index"
    with pytest.raises(UnknownInput) as caught:
        compute_witness(circuit, {**ACCEPTED, "bits": 1})
    assert caught.value.name == "bits"
    with pytest.raises(InputShape) as caught:
        compute_witness(circuit, {**ACCEPTED, "index": [1, 2]})
    assert (caught.value.name, caught.value.given, caught.value.expected) == ("index", 2, 1)
    with pytest.raises(NotInField) as caught:
        compute_witness(circuit, {**ACCEPTED, "amount": P})
    assert caught.value.value == P


@pytest.mark.parametrize("amount", [256, -257])
def test_a_range_check_names_what_does_not_fit(amount):
    with pytest.raises(RangeCheckFailed) as caught:
        make_small_key().witness(amount=amount, divisor=1)
    assert caught.value.component.endswith("bits")
    assert (caught.value.value, caught.value.bits) == (amount + 256, 9)


def test_a_division_without_result_is_refused():
    with pytest.raises(UnsatisfiedConstraint):
        make_small_key().witness(divisor=0)


def test_a_transition_out_of_range_is_refused(transitions, circuit):
    inputs = collect_transition_inputs(transitions["withdraw"])
    slack = list(inputs["slack"])
    slack[5] = -1
    with pytest.raises(RangeCheckFailed) as caught:
        compute_witness(circuit, {**inputs, "slack": slack})
    assert (caught.value.value, caught.value.bits) == (-1, 83)
    assert "slack" in caught.value.component.lower() or "[5]" in caught.value.component


@pytest.mark.parametrize("changes", [{"amount": 256, "divisor": 1, "total": 258}, {"divisor": 0}, {"total": 6}])
def test_a_forced_witness_breaks_a_constraint(changes):
    key = make_small_key()
    witness = compute_witness(key.circuit, {**ACCEPTED, **changes}, force=True)
    assert key.circuit.first_unsatisfied(witness) is not None


def test_every_wire_matters(transitions, circuit):
    """A changed private wire breaks a constraint, whichever it is.

    (A policy's coefficient of an empty slot meets no constraint but its consistency row.)
    """
    witness = compute_transition_witness(circuit, transitions["seller"])
    rng = random.Random(3)
    for wire in rng.sample(range(1 + circuit.n_public, len(witness)), 60):
        changed = witness.with_wire(wire, (witness[wire] + 1) % P)
        assert circuit.first_unsatisfied(changed) is not None, wire


# -------------------------------------------------------------------------------------------------------------- files
def test_witness_files_round_trip(tmp_path):
    key = make_small_key()
    witness = key.witness()
    write_witness(witness, tmp_path / "w.wtns")
    again = _native.Witness.from_wtns((tmp_path / "w.wtns").read_bytes(), key.circuit)
    assert again.to_wtns() == witness.to_wtns()
    assert (len(again), again[0]) == (key.circuit.n_wires, 1)


def test_malformed_witness_files_are_refused(circuit):
    key = make_small_key()
    data = key.witness().to_wtns()
    other_field = data[:28] + b"\0" + data[29:]
    for bad in (b"", data[:-1], data + b"\0", b"wtnz" + data[4:], other_field, data[:-32] + b"\xff" * 32):
        with pytest.raises(FormatError):
            _native.Witness.from_wtns(bad, key.circuit)
    with pytest.raises(InputShape):
        _native.Witness.from_wtns(data, circuit)
