"""`zkmargin disclose`: what a recipient refuses by the chain, and where an owner's file may not be written."""

import json
from types import SimpleNamespace

import pytest

from tests.prover.test_disclosure import ACCOUNT, CHALLENGE, EXACT, NOW, RECIPIENT
from tests.support.cli import run_command
from tests.support.proving import make_market_epoch
from tests.support.scenes import DOMAIN, make_session
from zkmargin.engine.margin.claims import to_document
from zkmargin.prover.account.recovery import Opened
from zkmargin.prover.attestation import AttestationRequest, ProvenAttestation
from zkmargin.prover.disclosure import build_claim
from zkmargin.prover.errors import AttestationRefused
from zkmargin.scripts.cli import disclose

NUMBER = "0x" + ACCOUNT.id.hex()


@pytest.fixture(scope="module")
def content():
    """A claim's file whose proof is none: every case here is decided before the proof is looked at."""
    epoch = make_market_epoch(7)
    message = build_claim(make_session(epoch, NOW + 60), ACCOUNT, epoch, EXACT, RECIPIENT, CHALLENGE).message
    shown = ProvenAttestation(message=message, proof=bytes(256))
    return {"claim": to_document(EXACT), "attestation": shown.to_json_dict()}


def make_venue(lowest, revoked):
    oracle = SimpleNamespace(get_min_epoch=lambda: lowest, is_revoked=lambda number: number in revoked)
    return SimpleNamespace(contracts=SimpleNamespace(oracle=oracle))


@pytest.mark.property("P-320")
def test_a_claim_at_an_epoch_that_serves_no_more_is_refused(content):
    asked = AttestationRequest(ACCOUNT.id, "", RECIPIENT, CHALLENGE)
    for venue, reason in (
        (make_venue(8, ()), "epoch 7 was superseded; the lowest that serves is 8"),
        (make_venue(7, (7,)), "epoch 7 was revoked"),
    ):
        with pytest.raises(AttestationRefused, match=reason):
            disclose._check_claim(venue, content, asked, 3600)
    with pytest.raises(AttributeError, match="read_epoch"):  # one that serves is read
        disclose._check_claim(make_venue(7, (6, 8)), content, asked, 3600)


@pytest.mark.property("P-320")
@pytest.mark.parametrize("given", [(), ("--recipient", RECIPIENT), ("--challenge", "0x" + CHALLENGE.hex())])
def test_a_claim_is_not_checked_without_a_recipient_and_a_challenge(content, tmp_path, given):
    (file := tmp_path / "disclosure.json").write_text(json.dumps(content))
    place = ("--deployment", "none.json", "--rpc-url", "http://127.0.0.1:1")
    shown = run_command("disclose", "check", str(file), *place, "--account", NUMBER, *given)
    assert shown.returncode == 2 and "--recipient and --challenge" in " ".join(shown.stderr.replace("│", "").split())


@pytest.mark.parametrize("command", ["state", "claim"])
@pytest.mark.parametrize("option", ["--keystore", "--password-file", "--key-file", "--deployment"])
def test_a_disclosure_takes_the_place_of_nothing_that_the_command_reads(tmp_path, command, option):
    (file := tmp_path / "wallet.json").write_text("{}")
    asked = () if command == "state" else ("--name", "survives_20", "--recipient", RECIPIENT, "--challenge", NUMBER)
    shown = run_command("disclose", command, *asked, option, str(file), "--out", str(file))
    assert shown.returncode == 1 and "it is what the command reads" in " ".join(shown.stderr.split())
    assert file.read_text() == "{}"


def test_a_disclosure_takes_not_the_place_of_the_claim_that_it_proves(tmp_path):
    (file := tmp_path / "claim.json").write_text("{}")
    asked = ("--document", str(file), "--recipient", RECIPIENT, "--challenge", NUMBER)
    shown = run_command("disclose", "claim", *asked, "--out", str(file))
    assert shown.returncode == 1 and "it is what the command reads" in " ".join(shown.stderr.split())
    assert file.read_text() == "{}"


def test_a_disclosure_is_readable_by_its_owner_alone(tmp_path, capsys):
    (file := tmp_path / "state.json").write_text("of a former one")
    file.chmod(0o644)
    disclose._write(file, {"state": {"cash": 1}}, "its whole state", True)
    assert json.loads(file.read_text()) == {"state": {"cash": 1}}
    assert file.stat().st_mode & 0o777 == 0o600 and [item.name for item in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"account": "0x" + "22" * 32, "number": 0, "key": "0x1"}, "of another account"),
        ({"account": NUMBER, "key": "0x1"}, "has no period"),
        ({"account": NUMBER, "number": True, "key": "0x1"}, "has no period"),
        ({"account": NUMBER, "number": 0, "key": "12"}, "the value given is not shown"),
        ({"account": NUMBER, "number": 3, "key": "0x1"}, "period of the account = 3, allowed 0"),
        ({"account": NUMBER, "number": 0, "key": "0x1"}, "does not open the first commitment"),
        ([], "has no period"),
    ],
)
@pytest.mark.property("P-381")
def test_a_period_that_the_file_does_not_show_is_refused(given, reason):
    opened = Opened(ACCOUNT.id, ACCOUNT.auth, ACCOUNT.index, 0, 5)
    records = SimpleNamespace(history=[opened], settlements={})
    contracts = SimpleNamespace(domain=DOMAIN, read_records=lambda preset: records)
    with pytest.raises(AttestationRefused, match=reason):
        disclose._check_period(contracts, ACCOUNT.preset, given, ACCOUNT.id)
