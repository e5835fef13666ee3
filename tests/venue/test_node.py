"""An owner's node: states that outlive the process, and a trade by files between two parties who trust nobody."""

import copy
import json
from dataclasses import replace

import pytest

from tests.chain.conftest import mini_venue, venue  # noqa: F401
from tests.support.proving import get_stated_prover
from tests.support.schemas import check_document
from zkmargin.contracts.sending import LocalSender
from zkmargin.engine.units import usd
from zkmargin.prover.errors import RecoveryError, TradeMessageRefused, WrongSigner
from zkmargin.prover.messages.signed import Signed, sign_message
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.prover.statement.signals import FIELD_MODULUS
from zkmargin.venue.errors import AccountNotOpen, TradeFileRefused
from zkmargin.venue.node import Node
from zkmargin.venue.trade_files import AcceptedFile, accept_quote, settle_accepted


def join(local, folder) -> Node:
    """A node over a local venue, with a payer whose key the chain's node does not hold."""
    payer = Wallet.create()
    local.chain._request("anvil_setBalance", payer.address, hex(10**20))
    local.contracts.cash.mint(payer.address, usd(500_000))
    local.post_epoch()
    return Node.join(local.chain.url, local.contracts.deployment, payer=payer, folder=folder)


@pytest.fixture
def node(venue, tmp_path):  # noqa: F811
    return join(venue, tmp_path / "state")


def join_again(node):
    """The same folder in a new process."""
    sender = next(iter(node.chain._senders.values()))
    assert isinstance(sender, LocalSender)
    return Node.join(node.chain.url, node.contracts.deployment, payer=sender, folder=node.book.folder)


# -------------------------------------------------------------------------------------------------------------- states
@pytest.mark.property("P-312")
def test_an_account_goes_on_in_another_process(node):
    wallet = Wallet.create()
    trader = node.open(wallet, cash=usd(1_000))
    resumed = join_again(node).resume(wallet)
    assert resumed.client.account == trader.client.account and resumed.cash == usd(1_000)
    resumed.withdraw(usd(10))
    assert node.resume(wallet).cash == usd(990)


@pytest.mark.property("P-312")
@pytest.mark.parametrize("lost", [pytest.param("the file", marks=pytest.mark.slow), "the last write"])
def test_a_state_that_is_not_the_chains_is_rebuilt(node, lost):
    wallet = Wallet.create()
    trader = node.open(wallet, cash=usd(1_000))
    path = node.book.get_path(trader.id)
    before = path.read_text()
    trader.withdraw(usd(10))
    after = path.read_text()
    if lost == "the file":
        path.unlink()
    else:
        path.write_text(before)
    assert join_again(node).resume(wallet).cash == usd(990)
    assert path.read_text() == after


@pytest.mark.property("P-382")
@pytest.mark.parametrize(
    "lost",
    [
        pytest.param("nothing", marks=pytest.mark.slow),
        "the last write",
        pytest.param("the file", marks=pytest.mark.slow),
    ],
)
def test_an_account_goes_on_under_its_new_key(node, lost):
    """Also where the process ended before it wrote which key it is, or another one moved the account."""
    wallet = Wallet.create()
    trader = node.open(wallet, cash=usd(1_000))
    path, old = node.book.get_path(trader.id), trader.client.account.key
    before = path.read_text()
    trader.rekey(get_stated_prover("rekey", node.facts.preset))
    after = path.read_text()
    assert trader.key_index == 1 and trader.client.account.key != old and trader.cash == usd(1_000)
    if lost == "the file":
        path.unlink()
    elif lost == "the last write":
        path.write_text(before)
    resumed = join_again(node).resume(wallet)
    assert resumed.client.account == trader.client.account and resumed.key_index == 1
    assert path.read_text() == after
    resumed.withdraw(usd(10))
    assert node.resume(wallet).cash == usd(990)
    with pytest.raises(RecoveryError, match="does not decrypt to a state"):
        path.unlink()
        node.resume(wallet, key=old)


def test_an_account_that_is_not_open_is_named(node):
    wallet = Wallet.create()
    with pytest.raises(AccountNotOpen, match="is none on chain; allowed: one that is open"):
        node.resume(wallet)
    trader = node.open(wallet)
    with pytest.raises(AccountNotOpen, match="is active on chain; allowed: a number that was never used"):
        node.open(wallet)
    trader.close()
    with pytest.raises(AccountNotOpen, match="closed"):
        node.resume(wallet)
    assert node.open(wallet, index=1).id != trader.id


# ------------------------------------------------------------------------------------------------------ trade by files
@pytest.fixture(scope="module")
def scene(mini_venue, tmp_path_factory):  # noqa: F811
    """A node, taker and maker, and what lies in their files: request, quote, acceptance."""
    own = join(mini_venue, tmp_path_factory.mktemp("state"))
    alice, bob = (own.open(Wallet.create(), cash=usd(100_000)) for _ in range(2))
    call = next(item.name for item in own.listing.by_name.values() if item.is_call)
    request = alice.request({call: 2})
    quote = bob.quote(request, taker_pays=usd(500))
    accepted = AcceptedFile.from_json(accept_quote(alice, request, quote, most=usd(500)).to_json())
    return own, (alice, bob), (request, quote, accepted)


@pytest.mark.property("P-313")
def test_a_quote_above_the_takers_limit_is_not_signed(scene):
    _, (alice, _), (request, quote, _) = scene
    with pytest.raises(TradeFileRefused, match="asks for 500000000 micro-dollars; allowed: at most 499999999"):
        accept_quote(alice, request, quote, most=usd(500) - 1)


def change_action(side, **changes):
    return side.model_copy(update={"action": side.action.model_copy(update=changes)})


CHANGES = {
    "no signature": (lambda side: side.model_copy(update={"signature": None}), TradeFileRefused, "no signature"),
    "nobody's signature": (lambda side: side.model_copy(update={"signature": bytes(65)}), WrongSigner, "Action"),
    "another proof": (
        lambda side: side.model_copy(update={"proof": side.proof[:192] + side.proof[:64]}),
        TradeFileRefused,
        "does not verify",
    ),
    "another trade": (
        lambda side: change_action(side, trade_tag=side.action.trade_tag + 1),
        TradeMessageRefused,
        "another trade tag",
    ),
    "another state": (
        lambda side: change_action(side, commitment_old=side.action.commitment_old + 1),
        TradeMessageRefused,
        "commitment on chain",
    ),
}


@pytest.mark.property("P-313")
@pytest.mark.parametrize("name", CHANGES)
def test_a_takers_side_that_would_fail_is_refused_before_the_maker_signs(scene, name):
    own, (_, bob), (request, quote, accepted) = scene
    change, error, words = CHANGES[name]
    block = own.chain.get_block("latest").number
    with pytest.raises(error, match=words):
        settle_accepted(own, bob, request, quote, replace(accepted, side=change(accepted.side)))
    assert own.chain.get_block("latest").number == block


@pytest.mark.property("P-313")
def test_files_that_others_signed_are_refused(scene):
    own, (alice, bob), (request, quote, accepted) = scene
    with pytest.raises(WrongSigner):
        settle_accepted(own, alice, request, quote, accepted)
    forged = Signed(accepted.accept.message, bytes(65))
    with pytest.raises(WrongSigner):
        settle_accepted(own, bob, request, quote, replace(accepted, accept=forged))
    with pytest.raises(WrongSigner):
        accept_quote(alice, Signed(request.message, quote.signature), quote)


@pytest.mark.property("P-313")
def test_an_acceptance_of_another_quote_is_refused_though_the_taker_signed_it(scene):
    own, (alice, bob), (request, quote, accepted) = scene
    message = accepted.accept.message.model_copy(update={"quote": bytes(32)})
    other = sign_message(alice.client.wallet, own.domain, message)
    with pytest.raises(TradeMessageRefused, match="accepts another quote"):
        settle_accepted(own, bob, request, quote, replace(accepted, accept=other))


@pytest.mark.property("P-313")
def test_an_acceptance_that_comes_too_late_or_names_no_state_is_refused(scene):
    """The time is the quote's as well: `check_quote` refuses it before `check_accept` would."""
    own, (alice, bob), (request, quote, accepted) = scene
    message = accepted.accept.message.model_copy(update={"taker_commitment_old": FIELD_MODULUS})
    nowhere = sign_message(alice.client.wallet, own.domain, message)
    with pytest.raises(TradeMessageRefused, match="commitment is not a field element"):
        settle_accepted(own, bob, request, quote, replace(accepted, accept=nowhere))
    mark = own.chain.snapshot()
    own.chain.travel_to(quote.message.valid_until + 1)
    with pytest.raises(TradeMessageRefused, match=r"was valid until .*, now is"):
        settle_accepted(own, bob, request, quote, accepted)
    own.chain.revert(mark)


def test_what_is_no_acceptance_is_refused():
    for text in ("[]", "{", "{}", '{"format": "zkmargin.accepted/2", "accept": {}, "side": {}}'):
        with pytest.raises(TradeFileRefused):
            AcceptedFile.from_json(text)
    with pytest.raises(TradeFileRefused, match="allowed: at most 65536"):
        AcceptedFile.from_json(" " * (1 << 17))


@pytest.mark.property("P-313")
def test_files_of_a_trade_are_as_their_schemas_say(scene):
    for name, file in zip(("request", "quote", "accepted"), scene[2], strict=True):
        document = json.loads(file.to_json())
        check_document(f"files/{name}", document)
        part = document["side"]["action"] if name == "accepted" else document["message"]
        for field in part:
            with pytest.raises(AssertionError, match="None is not of type"):
                wrong = copy.deepcopy(document)
                (wrong["side"]["action"] if name == "accepted" else wrong["message"])[field] = None
                check_document(f"files/{name}", wrong)


def test_a_trade_by_files_settles(scene):
    own, (alice, bob), files = scene
    settle_accepted(own, bob, *files)
    assert own.resume(alice.client.wallet).cash == usd(99_500)
    assert own.resume(bob.client.wallet).cash == usd(100_500)
