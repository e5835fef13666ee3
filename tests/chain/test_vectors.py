"""The margin vectors again, on chain: each case that the engine accepts has a proof that the verifier contract accepts
at the policy's own point, and none at another policy's."""

import json
from pathlib import Path

import pytest

from tests.support.house import make_state
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.errors import Reverted
from zkmargin.engine.presets import get_preset
from zkmargin.prover.account.account import Account, compute_account_id, derive_key
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import Transition, build_transition
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.scripts.generate.vectors import read_policies

DOCUMENT = json.loads((Path(__file__).parents[1] / "vectors/margin_mini.json").read_text())
PRESET = get_preset("mini")
POLICIES = read_policies(DOCUMENT)
ACCEPTED = [case for case in DOCUMENT["cases"] if "certificate" in case]


class VectorEpoch:
    """The vectors' policies as an epoch of generation 0."""

    number, generation, policies, settlement = 1, 0, POLICIES, None


def make_attestation(venue, case) -> Transition:
    """An attestation of the case's policy by an account that holds the case's state."""
    wallet = Wallet.from_key(bytes(31) + b"\x07")
    number = compute_account_id(venue.domain, wallet.address, 0)
    account = Account.create(venue.domain, wallet.address, 0, derive_key(wallet, venue.domain, number), PRESET, 0)
    held = {int(slot): lots for slot, lots in case["positions"].items()}
    account = account.advance(make_state(PRESET.slots, held, int(case["cash"])), 0)
    intent = Intent(ActionKind.ATTEST, policy=case["policy"], deadline=1 << 32)
    return build_transition(account, intent, domain=venue.domain, key_version=1, epoch=VectorEpoch)


def verify_on_chain(venue, transition: Transition, words, point) -> None:
    """A call of MarginVerifier.verify; raises `Reverted` unless it accepts."""
    artifact = compile_contracts()["MarginVerifier"]
    verifier = Contract(venue.chain, artifact, venue.contracts.deployment.margin_verifier)
    key, _ = venue.contracts.registry.get_transition_key(1)
    statement = {
        "commitmentOld": transition.before.commitment,
        "commitmentNew": 0,
        "tradeTag": 0,
        "ciphertext": 0,
        "side": 0,
        "write": False,
        "context": transition.context,
        "cashFlow": 0,
        "flows": [],
    }
    verifier.call("verify", key, statement, {"x": point[0], "y": point[1]}, {"x": 0, "y": 0}, list(words))


@pytest.mark.property("P-24")
@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: f"{case['name']}, {case['policy']}")
def test_the_contract_accepts_what_the_engine_accepts(venue, case):
    transition = make_attestation(venue, case)
    certificate = transition.certificate
    assert [str(value) for value in certificate.slacks] == case["certificate"]["slacks"]
    assert [str(value) for value in certificate.charges] == case["certificate"]["charges"]
    words = venue.provers.transition.prove(transition).words
    points = {name: venue.keys.compute_policy_point(policy) for name, policy in POLICIES.items()}
    verify_on_chain(venue, transition, words, points[case["policy"]])
    other = next(name for name, point in points.items() if point != points[case["policy"]])
    with pytest.raises(Reverted, match="ProofRejected"):
        verify_on_chain(venue, transition, words, points[other])


def test_there_are_cases_of_both_kinds():
    assert 10 <= len(ACCEPTED) < len(DOCUMENT["cases"])
