"""What halmos shows of the contracts for every value, and that it shows it: a contract without the rule fails."""

import pytest

from tests.support import symbolic
from zkmargin.contracts.compile import read_sources
from zkmargin.prover.paths import BUILD

PROGRAM = BUILD / "halmos/bin/halmos"
"""Where `make halmos` and `make test-full` put it."""

MUTANTS = {
    "what is absorbed leaves the inbox twice": (
        "CollateralVault",
        "inbox[account][token] = available - amount;",
        "inbox[account][token] = available - amount / 2;",
        "check_absorb",
    ),
    "anybody absorbs and releases": (
        "CollateralVault",
        "if (msg.sender != CLEARING_HOUSE) revert",
        "if (msg.sender == address(0)) revert",
        "check_only_the_house",
    ),
    "what was released stays in the books": (
        "CollateralVault",
        "        book.held -= uint96(amount);\n        uint32 number",
        "        uint32 number",
        "check_release_of_collateral",
    ),
    "a payment is paid twice": (
        "CollateralVault",
        "_records[payment.token][payment.number] = book.free;",
        "",
        "check_claim_for",
    ),
    "a payment is claimed before it is due": (
        "CollateralVault",
        "if (time < payment.dueAt) revert",
        "if (time + 60 < payment.dueAt) revert",
        "check_claim",
    ),
    "a veto makes the payment another": (
        "CollateralVault",
        "payment.dueAt += VETO_TIME;",
        "payment.dueAt += VETO_TIME / 2;",
        "check_veto",
    ),
    "what is returned is not held": ("CollateralVault", "book.held += amount;", "", "check_return_vetoed"),
    "a returned payment is reinstated from nothing": (
        "CollateralVault",
        "            book.held -= uint96(payment.amount);\n",
        "",
        "check_reinstate",
    ),
    "a blocked payment is lost": (
        "CollateralVault",
        "            book.free = free;\n            _record(payment);\n",
        "            book.free = free;\n            isPaid = true;\n",
        "check_a_payment_that_is_blocked_stays",
    ),
    "a second pause begins the first one's limit anew": (
        "PaymentClock",
        "if (_clock.pausedAt == 0) _clock.pausedAt",
        "_clock.pausedAt",
        "check_the_live_clock",
    ),
    "a pause has no end": (
        "PaymentClock",
        "return elapsed < PAUSE_LIMIT ? elapsed : PAUSE_LIMIT;",
        "return elapsed;",
        "check_the_live_clock",
    ),
    "two fields of an account share bits": (
        "AccountBook",
        "(uint256(head.generation) << 176)",
        "(uint256(head.generation) << 175)",
        "check_an_account_is_read",
    ),
    "a roll lowers the lineage": (
        "AccountBook",
        "if (lineage > head.provenEpoch) head.provenEpoch",
        "head.provenEpoch",
        "check_a_row_changes",
    ),
    "a fee is not bounded": (
        "libraries/Amounts",
        "if (fee > MAX_TRADE_FEE) revert IAccountBook.FeeTooLarge(fee, MAX_TRADE_FEE);",
        "",
        "check_cash_flows",
    ),
    "a slot comes twice": (
        "libraries/Amounts",
        "next = uint256(slot) + 1;",
        "next = uint256(slot);",
        "check_flows",
    ),
}
"""Name: file, text of it, what stands in its place, and the check that fails."""


@pytest.fixture(scope="module", autouse=True)
def halmos():
    assert PROGRAM.is_file(), "`make halmos` installs it"


@pytest.mark.slow
@pytest.mark.property("P-380")
def test_every_check_passes(tmp_path):
    """Of the shipped vault from any storage, and of bounds and packed words."""
    symbolic.prepare(tmp_path / "symbolic")
    codes = symbolic.run_halmos(PROGRAM, tmp_path / "symbolic")
    assert set(codes.values()) == {symbolic.PASSED}, codes
    assert len(codes) == 19


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_contract_without_a_rule_has_a_counterexample(name, tmp_path):
    stem, old, new, check = MUTANTS[name]
    text = read_sources()[f"{stem}.sol"]
    assert text.count(old) == 1, f"{stem}.sol is not as this test expects it: {old}"
    symbolic.prepare(tmp_path / "symbolic", {f"{stem}.sol": text.replace(old, new)})
    codes = symbolic.run_halmos(PROGRAM, tmp_path / "symbolic", check)
    assert symbolic.COUNTEREXAMPLE in codes.values(), codes
