"""An audit of a clean venue finds nothing, says what it left out, goes on from a checkpoint, and has three forms."""

import json

import pytest
from typer.testing import CliRunner

from tests.audit.conftest import KEYS
from zkmargin.audit import source
from zkmargin.audit.accounts import AccountAudit
from zkmargin.audit.errors import CheckpointRefused, KeyFilesMissing
from zkmargin.audit.report import CHECKS, Place
from zkmargin.audit.run import Scope, audit
from zkmargin.audit.source import Happened, Source
from zkmargin.scripts.cli.app import app
from zkmargin.scripts.cli.audit import DISAGREES


@pytest.mark.property("P-280")
def test_a_clean_venue_agrees(run):
    report = run(sample=1)
    assert report.disagreements == []
    idle = {name for name, tally in report.tallies.items() if tally.checked == 0}
    assert idle == {"settlements"}, "checks that looked at nothing"  # there was no step
    assert report.tallies["proofs"].checked == 2
    assert sum(report.tallies["proofs"].skipped.values()) == 7


@pytest.mark.slow
@pytest.mark.property("P-280")
def test_every_proof_of_a_clean_venue_verifies(run):
    report = run(sample=None)
    assert report.agrees and report.tallies["proofs"].checked == 9 and not report.tallies["proofs"].skipped


@pytest.mark.slow
@pytest.mark.property("P-282")
def test_an_audit_goes_on_from_its_checkpoint(venue, run, tmp_path):
    file = tmp_path / "checkpoint.json"
    first = run(checkpoint=file)
    venue.lived_traders["bob"].deposit(2_000_000)
    second = run(checkpoint=file)
    assert second.agrees and second.first_block == first.last_block + 1
    assert second.tallies["signatures"].checked == 1, "only the new deposit"

    document = json.loads(file.read_text())
    account = next(iter(document["accounts"]))
    document["accounts"][account]["commitment"] += 1
    file.write_text(json.dumps(document))
    assert {item.check for item in run(checkpoint=file).disagreements} == {"storage"}


@pytest.mark.slow
@pytest.mark.property("P-333")
def test_what_an_earlier_run_left_out_is_told_by_every_later_one(venue, run, tmp_path):
    file = tmp_path / "checkpoint.json"
    left = sum(run(checkpoint=file, sample=0).tallies["proofs"].skipped.values())
    for _ in range(2):
        later = run(checkpoint=file, sample=None)
        reason = "left out, as only 0 of each key were asked for, in earlier runs"
        assert later.agrees and later.tallies["proofs"].skipped == {reason: left} and left > 0


CHECKPOINTS = {
    "has hash 0x1111": lambda document: document.update(last_hash="11" * 32),
    "the deployment is": lambda document: document.update(house="0x" + "11" * 20),
    "no checkpoint": lambda document: document.update(nonsense=1),
}


@pytest.mark.slow
@pytest.mark.property("P-282")
def test_a_checkpoint_of_another_chain_is_refused(run, tmp_path):
    file = tmp_path / "checkpoint.json"
    run(checkpoint=file)
    for reason, change in CHECKPOINTS.items():
        document = json.loads(file.read_text())
        change(document)
        altered = tmp_path / "altered.json"
        altered.write_text(json.dumps(document))
        with pytest.raises(CheckpointRefused, match=reason):
            run(checkpoint=altered)


def test_an_audit_without_keys_is_refused(venue, tmp_path):
    with pytest.raises(KeyFilesMissing, match=r"transition\.vkey\.json, open\.vkey\.json missing"):
        audit(venue.contracts, Scope([tmp_path]))


def test_the_command_prints_json_and_a_page_and_ends_with_the_verdict(venue, tmp_path):
    record, page = tmp_path / "deployment.json", tmp_path / "audit.html"
    venue.contracts.deployment.save(record)
    command = ["audit", "--deployment", str(record), "--rpc-url", venue.chain.url, "--keys", str(KEYS)]
    clean = CliRunner().invoke(app, [*command, "--proofs", "0", "--json", "--html", str(page)])
    assert clean.exit_code == 0, clean.output
    document = json.loads(clean.stdout)
    assert document["agrees"] and list(document["checks"]) == list(CHECKS)
    assert document["facts"]["key version 1"]["transition"]["verifier_hash"]
    assert "<script" not in page.read_text() and "Nothing disagrees." in page.read_text()

    text = record.read_text().replace(f'"chain_id": {venue.chain.id}', '"chain_id": 1')
    record.write_text(text)
    wrong = CliRunner().invoke(app, [*command, "--proofs", "0"])
    assert wrong.exit_code == DISAGREES and "first: block" in wrong.stdout


@pytest.mark.slow
def test_an_event_that_is_not_replayed_is_counted_and_claims_nothing(venue, run, monkeypatch):
    """Of a contract that knows more than this auditor: accounts with such events are left out, and said so."""
    monkeypatch.setitem(source.EVENTS, "house", tuple(name for name in source.EVENTS["house"] if name != "Skipped"))
    monkeypatch.delattr(AccountAudit, "_take_Skipped")
    alice = venue.lived_traders["alice"].id
    invented = Happened(
        "house", "Skipped", {"account": alice, "generation": 7}, Place(venue.chain.get_block("latest").number)
    )
    honest = Source.happened.func
    monkeypatch.setattr(Source, "happened", property(lambda self: [*honest(self), invented]))
    report = run()
    assert report.agrees
    assert report.tallies["history"].skipped == {"event Skipped, which this auditor does not replay": 1}
    assert report.tallies["storage"].skipped["an account with events that this auditor does not replay"] == 1
    assert report.tallies["vault"].skipped == {"sums of a venue with events that this auditor does not replay": 1}
