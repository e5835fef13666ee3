"""Every entrance of a wallet's signature takes v as 0/1 or 27/28 and gives on one form; others are refused by name."""

import pytest
from eth_account import Account as EthAccount

from tests.support.scenes import DOMAIN, MINI
from zkmargin.contracts.messages import sign_unchecked
from zkmargin.prover.account.account import compute_account_id, derive_key
from zkmargin.prover.account.escrow import CommitteeKey
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.client import AccountClient, Provers
from zkmargin.prover.errors import SignatureRefused
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.records import Epoch, Invalidate
from zkmargin.prover.messages.signed import sign_message
from zkmargin.prover.messages.typed_data import HALF_ORDER, recover_signer
from zkmargin.prover.messages.wallet import Wallet, normalise_v, request_signature
from zkmargin.prover.session import VenueFacts
from zkmargin.prover.statement.secret import Secret

MESSAGE = Invalidate(account=b"\6" * 32, digest=b"\7" * 32)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Writer(Wallet):
    """A wallet that writes its signatures in a form of its own."""

    def __init__(self, form, number=1):
        super().__init__(EthAccount.from_key(number.to_bytes(32, "big")))
        self.form = form

    def sign(self, domain, message):
        return self.form(super().sign(domain, message))


def plain(signature):
    return signature


def as_parity(signature):
    return signature[:64] + bytes([signature[64] - 27])


def as_compact(signature):
    """EIP-2098: the parity in the top bit of s."""
    top = (signature[64] - 27) << 255 | int.from_bytes(signature[32:64], "big")
    return signature[:32] + top.to_bytes(32, "big")


def as_high_s(signature):
    s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


def as_chain(signature):
    """EIP-155's v, for chain id 1."""
    return signature[:64] + bytes([signature[64] + 10])


class StubProver:
    def prove(self, made):
        return None


def make_trader(wallet):
    venue = VenueFacts(DOMAIN, MINI, 1, CommitteeKey(Secret(7)).public)
    return AccountClient.create(wallet, venue, Provers(StubProver(), StubProver()), key=Secret(5))


ENTRANCES = {
    "asked for": lambda wallet: request_signature(wallet, DOMAIN, MESSAGE),
    "a typed message": lambda wallet: sign_message(wallet, DOMAIN, MESSAGE).signature,
    "an opening": lambda wallet: make_trader(wallet).open(deadline=9).signature,
    "an action": lambda wallet: make_trader(wallet).act(Intent(ActionKind.DEPOSIT, cash_usd6=5)).signature,
    "an epoch": lambda wallet: sign_unchecked(make_epoch(), [wallet], DOMAIN)[0],
    "a viewing key": lambda wallet: derive_key(wallet, DOMAIN, compute_account_id(DOMAIN, wallet.address, 0)),
}


def make_epoch():
    hashes = ("snapshot_hash", "policy_hash", "settlement_hash", "key_hash", "points_root")
    return Epoch(
        number=1, time=1, generation=0, min_epoch=0, settlement_x=0, settlement_y=0, **dict.fromkeys(hashes, bytes(32))
    )


@pytest.fixture(autouse=True)
def fixed_scalar(monkeypatch):
    """An opening has a random part, which two wallets would not share."""
    monkeypatch.setattr("zkmargin.prover.actions.opening.make_scalar", lambda: Secret(11))


@pytest.mark.property("P-84")
@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("entrance", ENTRANCES)
def test_both_forms_of_v_leave_as_one(entrance, number):
    enter = ENTRANCES[entrance]
    assert enter(Writer(as_parity, number)) == enter(Writer(plain, number))


def test_what_leaves_is_what_the_contracts_take():
    for number in range(1, 9):
        wallet = Writer(as_parity, number)
        signature = request_signature(wallet, DOMAIN, MESSAGE)
        assert recover_signer(DOMAIN, MESSAGE, signature) == wallet.address and signature[64] in (27, 28)
        assert int.from_bytes(signature[32:64], "big") <= HALF_ORDER


@pytest.mark.property("P-84")
@pytest.mark.parametrize(
    ("form", "reason"),
    [(as_compact, "EIP-2098"), (as_high_s, "upper half"), (as_chain, r"v is 3[78]")],
)
@pytest.mark.parametrize("entrance", ENTRANCES)
def test_other_forms_are_refused_by_name(entrance, form, reason):
    for number in (1, 2, 3):
        wallet = Writer(form, number)
        with pytest.raises(SignatureRefused, match=reason) as caught:
            ENTRANCES[entrance](wallet)
        assert caught.value.address == wallet.address


@pytest.mark.parametrize("signature", [b"", b"\1" * 64, bytes(64) + b"\1", b"\5" * 65, b"\7" * 130])
def test_a_contract_wallets_signature_is_left_alone(signature):
    """v = 1 of 65 bytes is Safe's "approved hash": it must not become 28."""
    assert request_signature(Writer(lambda _: signature), DOMAIN, MESSAGE) == signature


def test_only_a_v_of_0_or_1_is_rewritten():
    body = bytes(range(64))
    assert [normalise_v(body + bytes([v]))[64] for v in (0, 1, 2, 26, 27, 28, 255)] == [27, 28, 2, 26, 27, 28, 255]
    assert normalise_v(body) == body  # 64 bytes have no v
