"""A committee member's service: a share leaves for a final freeze alone, and sealed to whom the member trusts."""

import threading

import pytest
import typer
from fastapi.testclient import TestClient

from tests.support.committees import KEY, get_committee, make_request
from zkmargin.committee.decryption import give_share, open_escrow
from zkmargin.contracts.errors import ChainUnavailable, FreezeNotFinal
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.scripts.cli.services import _parse_recipient
from zkmargin.venue.committee_service import CommitteeService, make_committee_app, open_share
from zkmargin.venue.errors import BoxRefused
from zkmargin.venue.relay.boxes import KEY_SECONDS, RelayKey

COMMITTEE = get_committee(3, 2)
REQUEST = make_request(COMMITTEE.record)
ACCOUNT = "0x" + REQUEST.account.hex()
NOW = 1_800_000_000
SECRET_URL = "https://node.example/v2/secret"


class Desk:
    """Answers as a desk whose chain has one final freeze; `fault` is what it raises instead."""

    fault = None

    def release_share(self, account, share):
        if self.fault is not None:
            raise self.fault
        if account != REQUEST.account:
            raise FreezeNotFinal(account, "ACTIVE", 9)
        return give_share(share, REQUEST)


@pytest.fixture
def opener(tmp_path):
    return Wallet.create(), RelayKey.create(tmp_path / "opener.json")


def make_service(share, wallet, key=None, desk=None):
    return CommitteeService(desk or Desk(), share, {wallet.address: key}, clock=lambda: NOW)


def ask(share, opener, account=ACCOUNT, to=None, desk=None, service=None):
    wallet, key = opener
    with TestClient(make_committee_app(service or make_service(share, wallet, desk=desk))) as client:
        published = to or key.publish(wallet, NOW)
        return client.post("/share", json={"account": account, "to": published.model_dump()})


@pytest.mark.property("P-295")
def test_shares_of_a_final_freeze_open_the_account_for_a_trusted_recipient(opener):
    shares = []
    for share in COMMITTEE.pick(1, 3):
        answer = ask(share, opener)
        assert answer.status_code == 200 and answer.json()["member"] == share.member
        given = open_share(answer.json()["sealed"], opener[1], ACCOUNT)
        assert given.encode().hex() not in answer.text
        shares.append(given)
    assert open_escrow(COMMITTEE.record, REQUEST, shares).key.reveal() == KEY.reveal()
    with pytest.raises(BoxRefused, match="not for 0x00"):
        open_share(answer.json()["sealed"], opener[1], "0x" + "00" * 32)


@pytest.mark.property("P-295")
def test_no_share_leaves_otherwise(opener, tmp_path):
    (share,), stranger = COMMITTEE.pick(2), (Wallet.create(), RelayKey.create(tmp_path / "stranger.json"))
    forged = stranger[1].publish(stranger[0], NOW).model_copy(update={"address": opener[0].address})
    broken = Desk()
    broken.fault = ChainUnavailable(SECRET_URL, "no answer")
    for options, error in (
        ({"account": "0x" + "08" * 32}, "FreezeNotFinal"),
        ({"to": stranger[1].publish(stranger[0], NOW)}, "BoxRefused"),
        ({"to": forged}, "BoxRefused"),
        ({"desk": broken}, "ChainUnavailable"),
    ):
        answer = ask(share, opener, **options)
        assert (answer.status_code, answer.json()["error"]) == (409, error)
        assert "secret" not in answer.text and "sealed" not in answer.json()
    assert ask(share, opener, account="0x12").status_code == 422
    assert ask(share, opener, account="0x12" * 4096).status_code == 413


@pytest.mark.property("P-295")
def test_no_share_is_sealed_to_a_key_that_was_revoked(opener, tmp_path):
    """A key that was stolen and replaced may be handed in by anybody, with the signature of its day."""
    (share,), (wallet, key) = COMMITTEE.pick(2), opener
    stolen = RelayKey.create(tmp_path / "stolen.json")
    remembering, naming = make_service(share, wallet), make_service(share, wallet, key.public)
    for service, given, text in (
        (remembering, stolen.publish(wallet, NOW - 60), None),
        (remembering, key.publish(wallet, NOW), None),
        (remembering, key.publish(wallet, NOW), None),
        (remembering, stolen.publish(wallet, NOW - 60), f"allowed: {NOW} or later"),
        (naming, stolen.publish(wallet, NOW), "which this member was given"),
        (naming, key.publish(wallet, NOW), None),
        (make_service(share, wallet), key.publish(wallet, NOW - KEY_SECONDS - 1), "publish it again"),
    ):
        answer = ask(share, opener, to=given, service=service)
        assert answer.status_code == (409 if text else 200) and (text or "sealed") in answer.text


@pytest.mark.property("P-295")
def test_a_later_key_is_remembered_whichever_request_ends_first(opener):
    """An earlier key's request, as it is about to be written down, meets a later key's."""
    (share,), (wallet, key) = COMMITTEE.pick(2), opener
    service, later = make_service(share, wallet), key.publish(wallet, NOW)
    other = threading.Thread(target=service._check_recipient, args=(later,))

    class Issued(dict):
        def get(self, address, default):
            found = super().get(address, default)
            if not other.ident:
                other.start()
                other.join(timeout=0.2)  # it ends here where nothing makes it wait
            return found

    service._issued = Issued()
    service._check_recipient(key.publish(wallet, NOW - 60))
    other.join()
    assert service._issued == {wallet.address.lower(): NOW}


def test_a_recipient_is_an_address_or_one_with_its_key():
    address, key = "0x" + "aB" * 20, "0x" + "12" * 32
    assert _parse_recipient(address) == (address, None)
    assert _parse_recipient(f"{address}:{key}") == (address, key)
    for wrong in (address[:-1], f"{address}:", f"{address}:{key}0", f"{address}:{address}"):
        with pytest.raises(typer.BadParameter, match="0x and 40 digits"):
            _parse_recipient(wrong)
