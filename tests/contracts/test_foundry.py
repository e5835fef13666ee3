"""What a user of Foundry does with `contracts/`."""

import json
import tomllib

import pytest

from tests.support.forge import CONTRACTS, run_forge, run_suite
from zkmargin.contracts.compile import SETTINGS, compile_contracts, compile_sources, read_sources
from zkmargin.prover.paths import BUILD, PACKAGE

PROFILE = tomllib.loads((CONTRACTS / "foundry.toml").read_text())["profile"]["default"]


def test_foundry_has_the_settings_of_the_shipped_bytecode():
    manifest = json.loads((PACKAGE / "package.json").read_text())["dependencies"]
    assert PROFILE["solc_version"] == manifest["solc"]
    assert PROFILE["evm_version"] == SETTINGS["evmVersion"]
    assert PROFILE["via_ir"] is SETTINGS["viaIR"]
    assert {"enabled": PROFILE["optimizer"], "runs": PROFILE["optimizer_runs"]} == SETTINGS["optimizer"]
    metadata = {"bytecodeHash": PROFILE["bytecode_hash"], "appendCBOR": PROFILE["cbor_metadata"]}
    assert metadata == SETTINGS["metadata"]


@pytest.mark.slow
def test_a_plain_forge_build_makes_the_shipped_bytecode():
    done = run_forge("build")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in (
        "AccountDesk",
        "BatchDesk",
        "ClearingHouse",
        "CollateralVault",
        "KeyRegistry",
        "MarginVerifier",
        "RiskOracle",
    ):
        built = json.loads((BUILD / f"forge/out/{name}.sol/{name}.json").read_text())
        assert built["bytecode"]["object"] == compile_contracts()[name].bytecode, name


def require_invariants(matching: str, runs: int, depth: int) -> None:
    """They hold after each of so many calls."""
    settings = {"FOUNDRY_INVARIANT_RUNS": str(runs), "FOUNDRY_INVARIANT_DEPTH": str(depth)}
    done = run_suite(BUILD / "forge/shipped", matching=matching, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"calls: {runs * depth}, reverts: 0" in done.stdout


MUTANTS = {
    "the new commitment is not written": (
        "ActionPath",
        "if (rule.has(ActionRules.WRITES)) record.commitment = action.commitmentNew;",
        "",
        "a call was accepted twice",
    ),
    "an older epoch lowers provenAt": (
        "ActionPath",
        "rule.has(ActionRules.PROVEN_SET) && inputs.epoch < head.provenEpoch;",
        "rule.has(ActionRules.PROVEN_SET) && inputs.epoch + 9 < head.provenEpoch;",
        "provenAt fell",
    ),
    "a revoked epoch's account leaves": (
        "ActionPath",
        "if (_isTainted(rule, head, inputs)) revert",
        "if (_isTainted(rule, head, inputs) && inputs.epoch != 0) revert",
        "what a revoked epoch made has left",
    ),
    "the live clock runs in a pause": (
        "PaymentClock",
        "return elapsed < PAUSE_LIMIT ? elapsed : PAUSE_LIMIT;",
        "return elapsed < 60 ? elapsed : 60;",
        "the live clock ran in a pause",
    ),
    "a fee counts twice": (
        "ActionPath",
        "if (fees != 0) _fees[msg.sender] += fees;",
        "if (fees != 0) _fees[msg.sender] += 2 * fees;",
        "fees",
    ),
    "a proof is not checked": (
        "ClearingHouse",
        "        _verify(action, inputs, digest, rule.has(ActionRules.WRITES), request.proof);",
        "        if (digest == 0) _verify(action, inputs, digest, rule.has(ActionRules.WRITES), request.proof);",
        "accepted what the verifier refused",
    ),
    "what was released stays in the books": (
        "CollateralVault",
        "        book.held -= uint96(amount);\n        uint32 number",
        "        uint32 number",
        "balance = inboxes + held + owed",
    ),
}
"""Name: file, text of it, what stands in its place, and what the suite then says."""


@pytest.mark.property("P-145")
@pytest.mark.parametrize(("runs", "depth"), [(25, 200), pytest.param(125, 400, marks=pytest.mark.slow)])
def test_books_and_states_hold_for_any_mix_of_calls(runs, depth):
    """The bytecode is the shipped one, and every proof is accepted."""
    require_invariants("VenueInvariants", runs, depth)


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_contract_without_a_check_fails_the_suite(name):
    stem, old, new, reason = MUTANTS[name]
    sources, file = read_sources(), f"{stem}.sol"
    contract = {"CollateralVault": "CollateralVault", "PaymentClock": "RiskOracle"}.get(stem, "ClearingHouse")
    assert sources[file].count(old) == 1, f"{file} is not as this test expects it: {old}"
    mutant = compile_sources({**sources, file: sources[file].replace(old, new)}, (f"{contract}.sol",))[contract]
    done = run_suite(BUILD / "forge/mutant", {contract: mutant})
    assert done.returncode != 0
    assert f"FAIL: {reason}" in done.stdout, done.stdout


DEFAULT_MUTANTS = {
    "an account is frozen before its deadline": (
        "DeadlineDesk",
        "elapsed > DEADLINE",
        "elapsed >= 300",
        "frozen before its deadline",
    ),
    "a call leaves no grace": (
        "DeadlineDesk",
        "_clock() > call.clock + CALL_GRACE",
        "_clock() >= call.clock",
        "frozen within the grace",
    ),
    "a proof does not answer a call": (
        "DeadlineDesk",
        "(isCalled && provenAt < call.time)",
        "isCalled",
        "freeze",
    ),
    "a frozen account is redeemed without a proof": (
        "DefaultDesk",
        "if (!_isRedeemable(account, record.commitment, head, case_)) revert",
        "if (_isRedeemable(account, record.commitment, head, case_)) revert",
        "redeemed for nothing",
    ),
    "a late fee is no surplus": ("DefaultDesk", "defaults.surplus += fee;", "", "held = hidden cash + fees + surplus"),
    "a book is sold and stays": (
        "DefaultDesk",
        "_setStatus(record, head, Status.CLOSED);",
        "_setStatus(record, head, Status.ACTIVE);",
        "a sold book is not closed",
    ),
    "a bid need not reach the price": (
        "DefaultDesk",
        "if (request.price < needed) revert",
        "if (request.price < needed - 1e6) revert",
        "sold below its price",
    ),
    "the price falls on after the auction": (
        "DefaultDesk",
        "if (elapsed > AUCTION) elapsed = AUCTION;",
        "",
        "sold below its lowest price",
    ),
    "a book is sold that its owner may have back": (
        "DefaultDesk",
        "if (_isRedeemable(request.book, bookRecord.commitment, bookHead, case_)) revert Redeemable(request.book);",
        "",
        "a book was sold that its owner may have back",
    ),
}
"""Name: contract, its text, what stands in the place of that, and what the suite then says."""


@pytest.mark.property("P-182")
@pytest.mark.parametrize(("runs", "depth"), [(10, 200), pytest.param(50, 400, marks=pytest.mark.slow)])
def test_books_and_deadlines_hold_for_any_mix_of_calls_and_defaults(runs, depth):
    """Every proof and every revelation is accepted."""
    require_invariants("DefaultInvariants", runs, depth)


@pytest.mark.slow
@pytest.mark.parametrize("name", DEFAULT_MUTANTS)
def test_a_desk_without_a_check_fails_the_suite_of_defaults(name):
    desk, old, new, reason = DEFAULT_MUTANTS[name]
    sources, file = read_sources(), f"{desk}.sol"
    assert sources[file].count(old) == 1, f"{file} is not as this test expects it: {old}"
    mutant = compile_sources({**sources, file: sources[file].replace(old, new)}, (file,))[desk]
    done = run_suite(BUILD / "forge/mutant", {desk: mutant}, matching="DefaultInvariants")
    assert done.returncode != 0
    assert f"FAIL: {reason}" in done.stdout, done.stdout


def test_recorded_proofs_pass_the_real_verifier():
    """For what they were made for, and for nothing else. If it fails after a change of a message, an interface or the
    circuits: `python -m zkmargin.scripts.generate.recorded`."""
    done = run_suite(BUILD / "forge/recorded", matching="RecordedTest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed; 0 failed" in done.stdout


def test_the_examples_do_what_they_say_and_refuse_the_rest():
    """Lender and trading contract of `contracts/src/examples`, over the shipped bytecode and a verifier that accepts
    everything."""
    done = run_suite(BUILD / "forge/shipped", matching="ExamplesTest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "16 passed; 0 failed" in done.stdout
