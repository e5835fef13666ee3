"""Alterations of chain, published bytes, keys and deployment record: each is found, and named for what it is."""

import dataclasses
import json
import shutil

import pytest

from tests.audit.conftest import KEYS
from tests.audit.tampering import (
    alter_calls,
    alter_code,
    alter_events,
    alter_storage,
    ask,
    insert_event,
    negate_c,
    require_found,
)
from zkmargin.audit.ledger import Ledger
from zkmargin.contracts.deploy import deploy, deploy_contract
from zkmargin.contracts.messages import SignedEpoch, make_epoch_message, sign_unchecked, sort_points
from zkmargin.contracts.publisher import PublishedEpoch
from zkmargin.contracts.venue import Contracts
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.house import House
from zkmargin.engine.policy.record import Policy, flat_policy
from zkmargin.prover.groth16.points import compute_policy_point

slow = pytest.mark.slow


def word(address):
    """An address as an immutable value of 32 bytes."""
    return bytes.fromhex(address[2:]).rjust(32, b"\0")


def alice(venue):
    return venue.lived_traders["alice"].id


# ------------------------------------------------------------------------------------------------------------ storage
STORAGE = {
    "commitment": ("house", "accountOf", "account 0x", lambda venue: [alice(venue)], 1),
    "held": ("vault", "held", "that the hidden accounts hold", lambda venue: [venue.contracts.cash.address], 1),
    "inbox": ("vault", "inbox", "inbox of", lambda venue: [alice(venue), venue.contracts.cash.address], 5),
    "fees": ("house", "feesOf", "fees of", lambda venue: [venue.submitter], 1),
    "points of an epoch": ("oracle", "getEpoch", "record of epoch 1", lambda venue: [1], 1 << 80),
    "latest number": ("oracle", "latestNumber", "latest number", lambda venue: [], 8),
    "flat point": ("registry", "flatPoint", "flat point of version 1", lambda venue: [1], 1),
    "threshold": ("oracle", "threshold", "threshold", lambda venue: [], 2),
    "publishers": ("oracle", "getSigners", "publishers", lambda venue: [], 1 << 100),
}
"""Contract, view, words of the disagreement, the view's arguments, and the bits that are turned in a word it reads."""


@pytest.mark.property("P-281")
@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name == "commitment" else slow) for name in STORAGE])
def test_storage_that_events_do_not_explain_is_found(venue, run, name):
    part, function, words, arguments, bits = STORAGE[name]
    contract = getattr(venue.contracts, part).contract
    alter_storage(contract, function, *arguments(venue), change=lambda word: word ^ bits)
    require_found(run(), "storage", words)


# ---------------------------------------------------------------------------------------------------------- contracts
@slow
@pytest.mark.property("P-281")
def test_a_verifier_with_other_code_is_found(venue, run):
    alter_code(venue.chain, venue.contracts.deployment.margin_verifier, lambda code: code[:-1] + b"\0")
    require_found(run(), "code", "code of KeyRegistry")


@pytest.mark.slow
@pytest.mark.property("P-334")
def test_a_desk_of_another_verifier_is_found(venue, run):
    """The sources' code with other immutables, as a house could name it whose constructor did not look."""
    foreign, _ = deploy_contract(venue.chain, "AcceptAllVerifier")
    honest = word(venue.contracts.deployment.margin_verifier)
    desk = venue.contracts.house.contract.call("BATCHES")
    alter_code(venue.chain, desk, lambda code: code.replace(honest, word(foreign.address)))
    report = run()
    require_found(report, "deployment", "VERIFIER of BatchDesk")
    require_found(report, "code", "immutable values of BatchDesk")


@slow
@pytest.mark.property("P-334")
@pytest.mark.parametrize("part", ["clearing_house", "attestation_verifier", "risk_oracle", "collateral_vault"])
def test_an_immutable_of_no_contract_of_the_deployment_is_found_where_no_getter_reads_it(venue, run, part):
    address, record = getattr(venue.contracts.deployment, part), venue.contracts.deployment
    honest = word(record.clearing_house if part == "attestation_verifier" else record.risk_oracle)
    if part == "risk_oracle":
        honest = word(record.key_registry)
    alter_code(venue.chain, address, lambda code: word("0x" + "11" * 20).join(code.rsplit(honest, 1)))
    require_found(run(), "code", "immutable values of")


@slow
@pytest.mark.property("P-281")
def test_stored_key_bytes_that_were_exchanged_are_found(venue, run):
    """IC of cash flow and of the first slot's flow exchanged: a unit of cash would count as a lot."""
    address = venue.contracts.registry.get_transition_key(1)[0]
    first = 1 + 448 + 64 * 8
    alter_code(
        venue.chain,
        address,
        lambda code: code[:first] + code[first + 64 : first + 128] + code[first : first + 64] + code[first + 128 :],
    )
    require_found(run(), "keys", "stored bytes of the transition key")


@slow
@pytest.mark.property("P-281")
def test_tokens_that_left_the_vault_are_found(venue, run):
    vault, cash = venue.contracts.deployment.collateral_vault, venue.contracts.cash
    ask(venue.chain, "anvil_impersonateAccount", vault)
    ask(venue.chain, "anvil_setBalance", vault, hex(10**18))
    cash.contract.send("transfer", venue.submitter, 1_000_000, sender=vault)
    require_found(run(), "vault", "balance of the vault")


# ------------------------------------------------------------------------------------------------------ answers: events
@pytest.mark.property("P-281")
def test_an_action_that_the_node_hides_is_found(run, monkeypatch):
    alter_events(monkeypatch, "Flowed", lambda fields: None)
    report = run()
    require_found(report, "history", "commitment that the trade")
    assert report.first.place == min(item.place for item in report.disagreements)


EVENTS = {
    "the amount of a payment": ("PaymentQueued", "vault", "payment of account", {"amount": 1}),
    "who receives it": ("PaymentQueued", "vault", "payment of account", {"recipient": "0x" + "11" * 20}),
    "a deposit's amount": ("Flowed", "history", "cash_flow of Flowed", {"cashFlow": 1}),
    "a trade's tag": ("Traded", "history", "trade_tag of Traded", {"tradeTag": 1}),
    "a policy's hash": ("EpochPosted", "header", "policyHash of epoch", {"policyHash": bytes(32)}),
    "the lowest epoch": ("EpochPosted", "header", "minEpoch of epoch", {"minEpoch": 1}),
    "a snapshot": ("SnapshotPublished", "snapshot", "hash of published", {"snapshot": b"nothing"}),
    "a funding": ("Funded", "vault", "inbox of account", {"amount": 1}),
    "an account's index": ("AccountOpened", "history", "number of the opening", {"index": 1 << 40}),
    "a threshold": ("SignersSet", "quorum", "signatures of Epoch", {"threshold": 4}),
    "a key's slots": ("KeyRegistered", "keys", "slots of version", {"slots": 15}),
    "a flat point": ("KeyRegistered", "keys", "flat point", {"flatX": 1}),
    "a committee": ("KeyRegistered", "keys", "committee key", {"committeeX": 0, "committeeY": 1}),
}
"""Event, check, words of the disagreement, and the fields that the node says instead."""


@pytest.mark.property("P-281")
@slow
@pytest.mark.parametrize("name", EVENTS)
def test_an_event_that_was_altered_is_found(run, monkeypatch, name):
    event, check, words, fields = EVENTS[name]
    alter_events(monkeypatch, event, lambda honest: honest | fields)
    require_found(run(), check, words)


INSERTED = {
    "an action under a revoked key": (
        *("registry", "KeyRevoked", {"version": 1, "successor": 2}, "Attested"),
        *("history", "key version of the attest"),
    ),
    "an action under a suspended key": (
        *("registry", "KeySuspended", {"version": 1, "until": 1 << 39}, "Flowed"),
        *("history", "key version of the deposit"),
    ),
    "an opening under a revoked key": (
        *("registry", "KeyRevoked", {"version": 1, "successor": 2}, "AccountOpened"),
        *("history", "key version of the opening"),
    ),
    "an epoch under a revoked key": (
        *("registry", "KeyRevoked", {"version": 1, "successor": 2}, "EpochPosted"),
        *("history", "key version of epoch"),
    ),
    "a trade during a pause": ("oracle", "PauseSet", {"paused": True}, "Traded", "history", "trade of account"),
    "an epoch during a pause": ("oracle", "PauseSet", {"paused": True}, "EpochPosted", "history", "epoch 1 is posted"),
    "a payment before it is due, by the pause": (
        *("oracle", "PauseSet", {"paused": True}, "PaymentQueued"),
        *("vault", "live time at which payment"),
    ),
}
"""Contract, event, fields, the event that it is put before, check, and words of the disagreement."""


@slow
@pytest.mark.property("P-335")
@pytest.mark.parametrize("name", INSERTED)
def test_what_a_pause_or_a_key_that_is_not_live_forbids_is_found(run, monkeypatch, name):
    part, event, fields, before, check, words = INSERTED[name]
    insert_event(monkeypatch, part, event, fields, before=before)
    require_found(run(), check, words)


@slow
@pytest.mark.property("P-335")
def test_a_claim_of_a_payment_that_was_returned_is_found(venue, run, monkeypatch):
    fields = {"account": alice(venue), "token": venue.contracts.cash.address, "number": 1}
    [queued] = venue.contracts.vault.contract.read_events("PaymentQueued", first_block=0)
    fields["number"] = queued["args"]["number"]
    insert_event(monkeypatch, "vault", "PaymentReturned", fields, before="Claimed")
    require_found(run(), "vault", "none, as it was returned")


@pytest.mark.slow
@pytest.mark.property("P-335")
def test_a_payment_that_was_claimed_too_early_is_found(run, monkeypatch):
    alter_events(monkeypatch, "PaymentQueued", lambda honest: honest | {"dueAt": honest["dueAt"] + 7_200})
    require_found(run(), "vault", "live time at which payment")


@pytest.mark.slow
@pytest.mark.property("P-335")
def test_a_payment_that_is_due_before_its_terms_say_is_found(run, monkeypatch):
    alter_events(monkeypatch, "PaymentQueued", lambda honest: honest | {"dueAt": honest["dueAt"] - 1})
    require_found(run(), "vault", "live time at which payment 1 of")


@slow
@pytest.mark.property("P-335")
def test_due_times_are_the_vaults_whatever_left_before(venue, run, tmp_path):
    """Payments of more than a day's share, one that came back, one that left again, and other terms meanwhile."""
    vault, cash, owner = venue.contracts.vault, venue.contracts.cash.address, venue.chain.accounts[0]
    trader = venue.lived_traders["alice"]
    trader.withdraw(20_000_000_000)
    trader.withdraw(1_000_000_000)
    first, second = vault.read_payments()
    assert second.due_at - first.due_at > 600, "the first one filled the day's share"
    vault.veto([first, second], sender=owner)
    for payment in vault.read_payments():
        vault.return_vetoed(payment, sender=owner)
    vault.reinstate(vault.read_payments()[0], sender=owner)
    venue.contracts.oracle.contract.send("setPaymentTerms", 3_600, 1_000, sender=owner)
    venue.chain.travel(600)
    venue.post_epoch()
    trader.withdraw(2_000_000_000)
    assert run(checkpoint=tmp_path / "ledger.json").disagreements == []
    ledger = Ledger.model_validate_json((tmp_path / "ledger.json").read_text())
    assert (ledger.payment_delay, ledger.daily_share) == (3_600, 1_000)
    asked = [1, ledger.held[cash] // 20, ledger.held[cash]]
    block = venue.chain.get_block("latest")
    told = [vault.contract.call("previewDue", cash, amount, block=block.number) for amount in asked]
    assert [ledger.model_copy(deep=True).meter(cash, amount, block.time) for amount in asked] == told
    assert told[0] < told[1] < told[2]


def test_the_live_clock_stands_in_a_pause_and_for_a_week_at_most():
    ledger = Ledger(house="", next_block=0)
    ledger.pause(100)
    ledger.pause(150)
    assert ledger.to_live(160) == 100
    ledger.unpause(160)
    assert ledger.to_live(200) == 140
    ledger.pause(300)
    assert ledger.to_live(300 + 8 * 86_400) == 240 + 86_400


# ---------------------------------------------------------------------------------------------------- answers: calldata
ALL = None
CALLS = {
    "a proof of a deposit": ("deposit", "proofs", "proof of the deposit", 1, negate_c),
    "a proof of an opening": ("open", "proofs", "proof of the opening", ALL, negate_c),
    "a point off the curve": ("attest", "proofs", "proof of the attest", 2, lambda proof: (1, 1, *proof[2:])),
}
"""Function, check, words of the disagreement, how many proofs are verified, and what becomes of the proof."""
REQUESTS = {
    "a recipient": ("withdraw", "signatures", "signature of the withdraw", {"recipient": "0x" + "11" * 20}),
    "a signature": ("deposit", "signatures", "signature of the deposit", {"signature": bytes(64) + b"\x1b"}),
    "a deadline": ("withdraw", "history", "block time of the withdraw", {"deadline": 1}),
    "an old commitment": ("withdraw", "history", "commitment that the withdraw", {"commitmentOld": 5}),
    "a fee": ("deposit", "history", "cash_flow of Flowed", {"fee": 7}),
}
"""Function, check, words of the disagreement, and the fields of the request that the node says instead."""


@slow
@pytest.mark.property("P-281")
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_was_altered_is_found(run, monkeypatch, name):
    function, check, words, fields = REQUESTS[name]
    alter_calls(monkeypatch, function, lambda arguments: arguments["request"].update(fields))
    require_found(run(), check, words)


@slow
@pytest.mark.property("P-281")
def test_the_proof_of_one_side_that_was_altered_is_found(run, monkeypatch):
    def change(arguments):
        side = arguments["request"]["minus"]
        side["proof"] = negate_c(side["proof"])

    alter_calls(monkeypatch, "trade", change)
    report = run(sample=ALL)
    require_found(report, "proofs", "proof of the trade")
    assert len(report.disagreements) == 1, "the other side's proof holds"


@pytest.mark.property("P-281")
@slow
@pytest.mark.parametrize("name", CALLS)
def test_a_proof_that_was_altered_is_found(run, monkeypatch, name):
    function, check, words, sample, change = CALLS[name]

    def alter(arguments):
        request = arguments["request"]
        request["proof"] = change(request["proof"])

    alter_calls(monkeypatch, function, alter)
    require_found(run(sample=sample), check, words)


@slow
@pytest.mark.property("P-281")
@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        (lambda a: a.update(signatures=a["signatures"][:2]), "quorum", "signatures of Epoch is 2"),
        (lambda a: a.update(signatures=(a["signatures"][0],) * 3), "quorum", "each publisher once"),
        (lambda a: a["epoch"].update(time=a["epoch"]["time"] - 1), "quorum", "signer 0 of Epoch"),
        (lambda a: a["epoch"].update(keyHash=bytes(32)), "header", "keyHash of epoch"),
    ],
)
def test_an_epoch_that_nobody_signed_so_is_found(run, monkeypatch, change, check, words):
    alter_calls(monkeypatch, "postEpoch", change)
    require_found(run(), check, words)


# -------------------------------------------------------------------------------------------------- a malicious quorum
def post(venue, epoch, *, points=None, min_epoch=None):
    """An epoch that the quorum signs without looking."""
    key = venue.publisher.verifying_key
    points = points or {name: compute_policy_point(key, policy) for name, policy in epoch.policies.items()}
    before = PublishedEpoch(venue.latest.data, venue.latest.signed.message)
    lowest = before.message.min_epoch if min_epoch is None else min_epoch
    message = make_epoch_message(epoch, key_hash=key.hash, points=points, is_step=False, min_epoch=lowest)
    signatures = sign_unchecked(message, venue.publishers[:3], venue.domain)
    signed = SignedEpoch(message, sort_points(points), epoch.snapshot_bytes, b"", signatures)
    venue.contracts.oracle.post_epoch(signed)
    venue.contracts.oracle.publish_snapshot(epoch.snapshot_bytes)


def with_policy(epoch: Epoch, name: str, policy: Policy) -> Epoch:
    return dataclasses.replace(epoch, policies={**epoch.policies, name: policy})


@pytest.mark.property("P-280")
def test_a_point_that_does_not_come_from_its_policy_is_found(venue, run):
    """The quorum's strongest attack: honest bytes, and a point that lets the verifier accept anything."""
    epoch = venue.make_epoch()
    key = venue.publisher.verifying_key
    points = {name: compute_policy_point(key, policy) for name, policy in epoch.policies.items()}
    post(venue, epoch, points={**points, "withdraw": points["maintenance"]})
    require_found(run(), "points", f"point of withdraw, epoch {epoch.number}")


@slow
@pytest.mark.property("P-280")
def test_a_policy_that_the_snapshot_does_not_give_is_found(venue, run, tmp_path):
    epoch = venue.make_epoch()
    policy = epoch.policies["initial"]
    positions = policy.positions.copy()
    row = int(positions.any(axis=1).argmax())
    column = int(positions[row].argmax())
    positions[row, column] += 2
    evil = with_policy(epoch, "initial", dataclasses.replace(policy, positions=positions))
    post(venue, evil)
    assert "policies" in {item.check for item in run().disagreements}  # by its hash, as its bytes are not served
    (tmp_path / "any name").write_bytes(evil.policy_bytes)
    require_found(run(published=tmp_path), "policies", f"positions, row {row}, column {column}")


@slow
@pytest.mark.property("P-280")
def test_a_difference_of_one_unit_is_told_and_no_disagreement(venue, run, tmp_path):
    epoch = venue.make_epoch()
    policy = epoch.policies["initial"]
    rates = policy.rate_long.copy()
    rates[0, 3] += 1
    other = with_policy(epoch, policy.name, dataclasses.replace(policy, rate_long=rates))
    post(venue, other)
    (tmp_path / "policies.bin").write_bytes(other.policy_bytes)
    report = run(published=tmp_path)
    assert [item for item in report.disagreements if item.check == "policies"] == []
    assert report.facts["policies_within_one_unit"] == [epoch.number]


@slow
@pytest.mark.property("P-280")
def test_an_epoch_that_may_not_follow_is_found(venue, run):
    epoch = venue.make_epoch()
    market = epoch.snapshot
    eased = dataclasses.replace(market, daily_volatility={c: v * 0.5 for c, v in market.daily_volatility.items()})
    post(venue, House(eased).epoch(epoch.number, time=epoch.time, settlement=epoch.settlement))
    require_found(run(), "succession", "daily volatility")


@slow
@pytest.mark.property("P-280")
def test_a_lowest_epoch_that_falls_is_found(venue, run):
    urgent = venue.post_epoch(urgent=True)
    assert urgent.signed.message.min_epoch == urgent.data.number
    venue.chain.travel(1)
    post(venue, venue.make_epoch(), min_epoch=0)
    require_found(run(), "succession", "lowest number that epoch")


# ---------------------------------------------------------------------------------------------------- keys, deployment
@slow
@pytest.mark.property("P-281")
def test_a_key_file_that_was_altered_is_found(run, tmp_path):
    for name in ("transition", "open"):
        shutil.copy(KEYS / f"{name}.vkey.json", tmp_path)
    document = json.loads((tmp_path / "transition.vkey.json").read_text())
    document["IC"][8], document["IC"][9] = document["IC"][9], document["IC"][8]
    (tmp_path / "transition.vkey.json").write_text(json.dumps(document))
    require_found(run(keys=tmp_path), "keys", "hash of the transition key in")


@slow
@pytest.mark.property("P-281")
def test_a_key_that_was_made_for_other_constraints_is_found(run, tmp_path):
    for name in ("transition.vkey.json", "open.vkey.json", "manifest.json"):
        shutil.copy(KEYS / name, tmp_path)
    document = json.loads((tmp_path / "manifest.json").read_text())
    document["keys"]["transition"]["circuit_hash"] = "11" * 32
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    require_found(run(keys=tmp_path), "keys", "circuit hash of the transition key")


@slow
@pytest.mark.property("P-281")
def test_a_registry_with_another_flat_point_is_found(venue, run):
    """Honest keys and hashes, and a flat point that lets any account leave with what it likes."""
    key, flat = venue.publisher.verifying_key, flat_policy(venue.keys.preset)
    evil = dataclasses.replace(flat, constants=[*flat.constants[:-1], 200_000_000_000])
    material = dataclasses.replace(venue.keys.material, flat_point=compute_policy_point(key, evil))
    deployment = deploy(venue.chain, material, [wallet.address for wallet in venue.publishers])
    require_found(run(contracts=Contracts(venue.chain, deployment)), "keys", "flat point of version 1")


@slow
@pytest.mark.property("P-281")
@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("first_block_hash", "0x" + "11" * 32, "hash of block"),
        ("chain_id", 1, "chain id of the node"),
        ("committee", "0x" + f"{0:064x}{1:064x}", "committee key of the record"),
        ("margin_verifier", "0x" + "22" * 20, "VERIFIER of the house"),
        ("weth", "0x" + "22" * 20, "token and lot of collateral"),
        ("key_registry", "0x" + "22" * 20, "REGISTRY of the house"),
    ],
)
def test_a_deployment_record_that_was_altered_is_found(venue, run, field, value, words):
    record = dataclasses.replace(venue.contracts.deployment, **{field: value})
    require_found(run(contracts=Contracts(venue.chain, record)), "deployment", words)
