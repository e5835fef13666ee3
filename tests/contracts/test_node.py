"""Nodes that are not Anvil: without keys, with limits, with other bytes in their blocks, behind a proxy, or broken."""

import dataclasses
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import requests
from web3 import HTTPProvider

from zkmargin.contracts.chain import READ_ATTEMPTS, Chain, is_loopback, run_anvil
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.deploy import deploy
from zkmargin.contracts.errors import (
    AccountsMissing,
    AccountStale,
    AnswerMalformed,
    CallInvalid,
    ChainReorganised,
    ChainUnavailable,
    DeploymentMismatch,
    Reverted,
    TransactionPending,
)
from zkmargin.contracts.local_venue import ACCOUNTS, LocalVenue
from zkmargin.contracts.venue import Contracts
from zkmargin.engine.presets import get_preset
from zkmargin.prover.messages.records import Invalidate


@pytest.fixture
def ask(chain, monkeypatch):
    """Puts a function between the client and the node: given the node's own answer, it gives another."""
    provider = chain.w3.provider
    plain = provider.make_request

    def install(change):
        monkeypatch.setattr(provider, "make_request", lambda method, params: change(method, params, plain))
        monkeypatch.setattr(provider, "_request_func_cache", (None, None))

    yield install
    monkeypatch.undo()
    provider._request_func_cache = (None, None)


def only(method, answer):
    """A change that concerns one method, by a function of its parameters and the node's own answer."""
    return lambda asked, params, plain: answer(params, plain) if asked == method else plain(asked, params)


def error(code, message):
    return {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}


# ---------------------------------------------------------------------------------------------------------- accounts
def test_reading_needs_no_account(world, monkeypatch):
    monkeypatch.setattr(world.chain, "accounts", ())
    assert world.house.get_account(world.alice.id).status is Status.ACTIVE
    assert world.house.read_history() and world.venue.read_records(get_preset("mini")).history
    with pytest.raises(AccountsMissing) as caught:
        world.cash.mint(world.alice.auth, 1)
    assert (caught.value.needed, caught.value.held) == (1, 0)


def test_a_node_that_does_not_know_the_question_for_accounts(chain, monkeypatch):
    plain = HTTPProvider.make_request

    def answer(self, method, params):
        return error(-32601, "no such method") if method == "eth_accounts" else plain(self, method, params)

    monkeypatch.setattr(HTTPProvider, "make_request", answer)
    assert Chain(chain.url).accounts == ()


@pytest.mark.parametrize("held", range(ACCOUNTS))
def test_a_local_venue_says_how_many_accounts_it_needs(chain, monkeypatch, held):
    monkeypatch.setattr(chain, "accounts", chain.accounts[:held])
    before = chain.get_block("latest")
    with pytest.raises(AccountsMissing, match=f"holds the keys of {held} accounts; needed: {ACCOUNTS}"):
        LocalVenue(None, keys=object(), chain=chain)
    assert chain.get_block("latest") == before


# ------------------------------------------------------------------------------------------------------------ blocks
def test_extra_data_of_proof_of_authority(world, ask):
    def signed(params, plain):
        answer = plain("eth_getBlockByNumber", params)
        answer["result"]["extraData"] = "0x" + "d6" * 97
        return answer

    time = world.chain.time
    ask(only("eth_getBlockByNumber", signed))
    assert world.chain.time == time and world.deadline() > time


def test_a_transaction_that_is_not_mined_in_time_is_named():
    with run_anvil() as running:
        running._request("evm_setAutomine", False)
        running.patience = 0.3
        with pytest.raises(TransactionPending) as caught:
            running.send(running.accounts[1], "0x")
        found = running.w3.eth.get_transaction(caught.value.transaction_hash)
        assert found["to"] == running.accounts[1] and caught.value.transaction_hash in str(caught.value)


def test_a_node_that_fails_while_it_is_waited_for_does_not_lose_the_hash(chain, ask):
    ask(only("eth_getTransactionReceipt", lambda params, plain: "<html>"))
    with pytest.raises(TransactionPending, match=r"0x[0-9a-f]{64}"):
        chain.send(chain.accounts[1], "0x")


def test_a_chain_of_small_blocks_is_offered_no_more_gas_than_they_have(world, ask):
    """Geth --dev has blocks of 11.5 million gas, and refuses a transaction that asks for more."""
    offered = []

    def note(params, plain):
        offered.append(int(params[0]["gas"], 16))
        return plain("eth_sendTransaction", params)

    def small(params, plain):
        answer = plain("eth_getBlockByNumber", params)
        answer["result"]["gasLimit"] = hex(11_500_000)
        return answer

    changes = {"eth_getBlockByNumber": small, "eth_sendTransaction": note}
    ask(lambda method, params, plain: changes[method](params, plain) if method in changes else plain(method, params))
    world.cash.mint(world.funder, 1)
    assert offered == [11_500_000]


# ------------------------------------------------------------------------------------------------------ broken answers
def result(value):
    return {"jsonrpc": "2.0", "id": 1, "result": value}


BROKEN = ["abc", None, [], {}, result(None), result([]), result({}), result("zz"), {"error": "no"}, {"error": []}]


@pytest.mark.parametrize("answer", BROKEN, ids=repr)
@pytest.mark.parametrize(
    "method", ["eth_getBlockByNumber", "eth_call", "eth_getLogs", "eth_getCode", "evm_snapshot", "eth_sendTransaction"]
)
def test_answers_of_another_type(world, ask, method, answer):
    attempts = {
        "eth_getBlockByNumber": lambda: world.chain.time,
        "eth_call": lambda: world.house.get_account(world.alice.id),
        "eth_getLogs": lambda: world.house.contract.read_events("AccountOpened"),
        "eth_getCode": lambda: world.chain.get_code(world.house.contract.address),
        "evm_snapshot": world.chain.snapshot,
        "eth_sendTransaction": lambda: world.chain.send(world.chain.accounts[1], "0x"),
    }
    ask(only(method, lambda params, plain: answer))
    allowed = (ChainUnavailable, TransactionPending, AnswerMalformed, Reverted, DeploymentMismatch)
    if method == "eth_getLogs" and answer == result([]):
        assert attempts[method]() == []
    elif method == "evm_snapshot" and isinstance(answer, dict) and "result" in answer:
        assert attempts[method]() == str(answer["result"])  # whatever names a snapshot
    else:
        with pytest.raises(allowed):
            attempts[method]()


@pytest.fixture
def page():
    """A server that answers every question with one page; the test sets body and status."""

    class Page(BaseHTTPRequestHandler):
        body, status = b"<html>Bad gateway</html>", 200

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(self.status)
            self.send_header("Content-Length", str(len(self.body)))
            self.end_headers()
            self.wfile.write(self.body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    Thread(target=server.serve_forever, daemon=True).start()
    yield Page, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


PAGES = [b"<html>Bad gateway</html>", b"", b"[]", b"null", b'{"jsonrpc": "2.0"', b"\xff\xfe{\0"]


@pytest.mark.parametrize("body", PAGES)
@pytest.mark.parametrize("status", [200, 403])
def test_a_page_instead_of_an_answer(page, body, status):
    handler, url = page
    handler.body, handler.status = body, status
    with pytest.raises(ChainUnavailable, match=url):
        Chain(url)


# -------------------------------------------------------------------------------------------------------------- proxy
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8545", True),
        ("http://127.1.2.3:8545/rpc", True),
        ("http://localhost:8545", True),
        ("http://node.localhost", True),
        ("http://[::1]:8545", True),
        ("http://0.0.0.0:8545", True),
        ("https://rpc.example.org", False),
        ("http://10.0.0.1:8545", False),
        ("http://localhost.example.org", False),
    ],
)
def test_which_urls_are_this_machine(url, expected):
    assert is_loopback(url) is expected


def test_a_node_on_this_machine_is_asked_without_the_proxy(chain, monkeypatch, closed_url):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, closed_url)
    assert Chain(chain.url).id == chain.id
    with pytest.raises(ChainUnavailable):  # any other is asked through it
        Chain("http://node.invalid:8545")


# --------------------------------------------------------------------------------------------------------------- logs
REFUSALS = [
    error(-32602, "range exceeds limit of 5"),
    error(-32005, "query returned more than 10000 results"),
    error(-32000, "block range is too wide"),
    error(-32600, "Log response size exceeded. You can make eth_getLogs requests with up to a 5 block range"),
    error(-32603, "exceed maximum block range: 5"),
    error(-32011, "no backend is currently healthy"),
    {"jsonrpc": "2.0", "id": 1, "error": "too many blocks"},
]


def limit_blocks(most, refusal):
    def limited(params, plain):
        first, last = (int(params[0][name], 16) for name in ("fromBlock", "toBlock"))
        return refusal if last - first >= most else plain("eth_getLogs", params)

    return only("eth_getLogs", limited)


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
@pytest.mark.parametrize("most", [1, 5, 17])
def test_a_node_that_limits_the_range_of_logs(world, ask, refusal, most):
    whole = world.house.read_history()
    ask(limit_blocks(most, refusal))
    assert len(whole) > 3 and world.house.read_history() == whole


def test_a_gateway_that_refuses_a_range_by_its_status(world, ask):
    whole = world.house.read_history()

    def limited(params, plain):
        first, last = (int(params[0][name], 16) for name in ("fromBlock", "toBlock"))
        if last - first >= 5:
            response = requests.Response()
            response.status_code = 413
            raise requests.HTTPError("Request Entity Too Large", response=response)
        return plain("eth_getLogs", params)

    ask(only("eth_getLogs", limited))
    assert world.house.read_history() == whole


@pytest.mark.parametrize("answer", [error(-32000, "pruned"), error(-32601, "no such method")])
def test_a_refusal_that_is_not_about_the_range_comes_out(world, ask, answer):
    ask(only("eth_getLogs", lambda params, plain: answer))
    with pytest.raises(ChainUnavailable, match=answer["error"]["message"]):
        world.house.read_history()


def test_logs_that_are_not_the_events_own(world, ask):
    def spoil(change):
        def answer(params, plain):
            answered = plain("eth_getLogs", params)
            for log in answered["result"]:
                log.update(change)
            return answered

        return only("eth_getLogs", answer)

    other = {"address": world.cash.address}
    for change in ({"data": "0x"}, {"data": "0x1234"}, {"topics": []}, other, {"blockNumber": "0xffff"}):
        ask(spoil(change))
        with pytest.raises((AnswerMalformed, ChainUnavailable), match=r"AccountOpened|eth_getLogs"):
            world.house.read_history()


# ------------------------------------------------------------------------------------------------------- one block
@pytest.mark.property("P-85")
def test_history_is_the_chains_as_of_one_block(world, monkeypatch):
    plain = world.house.contract.read_events

    def slow(event, **options):
        found = plain(event, **options)
        if event == "AccountOpened":  # the chain goes on before the next question
            world.deposit(world.open("carol"), 5)
        return found

    monkeypatch.setattr(world.house.contract, "read_events", slow)
    torn = world.house.read_history()
    monkeypatch.undo()
    whole = world.house.read_history()
    assert torn == whole[: len(torn)] and len(torn) < len(whole)


@pytest.mark.property("P-85")
def test_a_block_that_is_replaced_is_read_again(world):
    chain = world.chain
    mark, seen = chain.snapshot(), []
    chain.travel(1)

    def read(block):
        seen.append(block)
        if len(seen) == 1:  # another block of the same number takes its place
            chain.revert(mark)
            chain.travel(2)
        return block

    found = chain.read_at_one_block(read)
    assert [block.number for block in seen] == [seen[0].number] * 2 and found == seen[1]
    assert seen[0].hash != seen[1].hash


def test_a_chain_that_never_stands_still(world):
    chain = world.chain
    marks = [chain.snapshot()]
    chain.travel(1)

    def read(block):
        chain.revert(marks[-1])
        marks.append(chain.snapshot())
        chain.travel(1 + len(marks))

    with pytest.raises(ChainReorganised) as caught:
        chain.read_at_one_block(read)
    assert caught.value.attempts == READ_ATTEMPTS == len(marks) - 1


def test_facts_of_an_attestation_are_read_at_one_block(world):
    alice, _, epoch = world.pair()
    facts = world.venue.read_facts(alice.id, epoch.message.number, None, b"policies")
    stored = world.house.get_account(alice.id)
    assert facts.is_active and facts.is_key_live
    assert (facts.commitment, facts.generation) == (stored.commitment, stored.generation)
    assert (facts.epoch, facts.policy_hash) == (epoch.message.number, epoch.message.policy_hash)
    with pytest.raises(CallInvalid, match="one that was posted"):
        world.oracle.read_policy_hash(10**6)


# ----------------------------------------------------------------------------------------------------- deployment
@pytest.mark.property("P-86")
def test_a_venue_of_another_chain_is_refused_before_anything_is_read(world):
    Contracts.connect(world.chain, world.deployment)
    block = world.chain.get_block("latest").number
    bare = "0x" + "00" * 18 + "beef"
    wrong = {
        "chain id": {"chain_id": 1},
        "latest block": {"first_block": block + 5},
        "hash of block": {"first_block_hash": "0x" + "11" * 32},
        **{f"code of {name}": {name: bare} for name in ("key_registry", "risk_oracle", "margin_verifier")},
        **{f"code of {name} ": {name: bare} for name in ("collateral_vault", "clearing_house", "cash", "weth")},
    }
    for what, change in wrong.items():
        with pytest.raises(DeploymentMismatch, match=what):
            Contracts.connect(world.chain, dataclasses.replace(world.deployment, **change))


@pytest.mark.property("P-86")
def test_a_record_that_mixes_two_deployments(world):
    other = deploy(world.chain, world.material, [wallet.address for wallet in world.publishers])
    for name in ("risk_oracle", "collateral_vault", "key_registry", "margin_verifier", "cash"):
        mixed = dataclasses.replace(world.deployment, **{name: getattr(other, name)})
        with pytest.raises(DeploymentMismatch, match=f"{name} of the record"):
            Contracts.connect(world.chain, mixed)


def test_a_call_where_no_contract_stands(world):
    nowhere = Contracts(world.chain, dataclasses.replace(world.deployment, clearing_house="0x" + "00" * 18 + "beef"))
    with pytest.raises(DeploymentMismatch, match="bEEF"):
        nowhere.house.get_account(bytes(32))


def test_an_answer_of_another_contract(world):
    wrong = dataclasses.replace(world.deployment, risk_oracle=world.deployment.cash)
    with pytest.raises((AnswerMalformed, Reverted)):
        Contracts(world.chain, wrong).oracle.get_epoch(1)


def test_a_first_block_that_the_chain_has_not_reached(world):
    late = dataclasses.replace(world.deployment, first_block=world.chain.get_block("latest").number + 5)
    with pytest.raises(DeploymentMismatch, match="first one"):
        Contracts(world.chain, late).house.read_history()


# ---------------------------------------------------------------------------------------------------------- arguments
@pytest.mark.property("P-83")
@pytest.mark.parametrize("amount", [2.01 * 10**6, 1.0, "7", True, None, -1, 2**256, float("nan")], ids=repr)
def test_what_is_no_amount_is_not_sent(world, amount):
    calls = (
        lambda: world.cash.mint(world.alice.auth, amount),
        lambda: world.vault.fund(world.alice.id, world.cash.address, amount, sender=world.funder),
        lambda: world.vault.pull_back(0, world.cash.address, amount, world.alice.auth),
        lambda: world.views.is_current(world.alice.id, amount),
        lambda: world.oracle.revoke_epochs(amount),
        lambda: world.house.invalidate(amount, bytes(32)),
    )
    block = world.chain.get_block("latest")
    for call in calls:
        with pytest.raises(CallInvalid, match="arguments of"):
            call()
    assert world.chain.get_block("latest") == block


def test_addresses_and_bytes_that_are_none(world):
    for call in (
        lambda: world.cash.get_balance("bob.eth"),
        lambda: world.cash.get_balance("0x123"),
        lambda: world.house.get_account(b"\1" * 33),
        lambda: world.house.get_account("abc"),
        lambda: world.cash.contract.call("nothing"),
    ):
        with pytest.raises(CallInvalid):
            call()


# -------------------------------------------------------------------------------------------------------- stale state
def test_an_action_from_an_old_state_is_named(world):
    first, second = (world.make_deposit(world.alice, 5) for _ in range(2))
    world.house.deposit(first)
    stored = world.house.get_account(world.alice.id).commitment
    with pytest.raises(AccountStale) as caught:
        world.house.deposit(second)
    stale = caught.value
    assert (stale.account, stale.expected, stale.stored) == (world.alice.id, second.commitment_old, stored)
    assert isinstance(stale, Reverted) and stale.error == "CommitmentStale"
    with pytest.raises(AccountStale):
        world.house.require_commitment(world.alice.id, second.commitment_old)
    world.house.require_commitment(world.alice.id, stored)


def test_a_trade_from_an_old_state_is_named(world):
    alice, bob, epoch = world.pair()
    request = world.make_trade(alice, bob, epoch)
    world.house.deposit(world.make_deposit(bob, 5))
    with pytest.raises(AccountStale) as caught:
        world.house.trade(request)
    assert caught.value.account == bob.id
    assert caught.value.expected == request.minus.commitment_old


# ---------------------------------------------------------------------------------------------------------- signatures
def test_a_wallets_signature_enters_with_either_v(world):
    """Signed by a wallet that writes 0 or 1; without normalising the contract refuses it."""
    party, digest = world.alice, b"\7" * 32
    signed = party.wallet.sign(world.domain, Invalidate(account=party.id, digest=digest))
    world.house.invalidate_for(party.auth, party.index, digest, signed[:64] + bytes([signed[64] - 27]))
    assert world.house.is_invalidated(party.id, digest)
