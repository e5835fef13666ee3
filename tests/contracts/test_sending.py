"""Transactions that are signed here: fees, nonces, replacements. And those that a signer elsewhere sends."""

import pytest

from zkmargin.contracts.chain import Chain, run_anvil
from zkmargin.contracts.errors import ChainUnavailable, TransactionPending
from zkmargin.contracts.sending import GAS_MARGIN, LEAST_TIP, ExternalSender, LocalSender, read_fees
from zkmargin.prover.messages.wallet import Wallet


@pytest.fixture(scope="module")
def node():
    with run_anvil() as chain:
        yield chain


@pytest.fixture
def funded(node):
    """A chain of its own connection, and the sender of a wallet with gas whose key the node does not hold."""
    wallet = Wallet.create()
    node._request("anvil_setBalance", wallet.address, hex(10**20))
    chain = Chain(node.url)
    return chain, LocalSender(wallet.account, chain.id), node.accounts[1]


def read(chain, transaction_hash):
    return chain.w3.eth.get_transaction(transaction_hash)


def test_a_local_transaction_has_eip_1559_fees_and_the_gas_that_it_needs(funded):
    chain, sender, other = funded
    chain.use_sender(sender)
    found = read(chain, chain.send(other, "0x", value=7).transaction_hash)
    assert (found["from"], found["type"], found["value"], found["nonce"]) == (sender.address, 2, 7, 0)
    assert found["gas"] == 21_000 * GAS_MARGIN[0] // GAS_MARGIN[1]
    assert found["maxFeePerGas"] > found["maxPriorityFeePerGas"] > 0


def test_a_chain_without_a_base_fee_is_paid_one_price(node, monkeypatch):
    monkeypatch.setattr(node.w3.eth, "get_block", lambda number: {})
    assert set(read_fees(node.w3)) == {"gasPrice"}


def test_a_node_that_knows_no_tip_is_paid_a_small_one(node, monkeypatch):
    from web3.exceptions import Web3RPCError

    class Unknown(type(node.w3.eth)):
        @property
        def max_priority_fee(self):
            raise Web3RPCError("no such method")

    monkeypatch.setattr(node.w3, "eth", Unknown(node.w3))
    assert read_fees(node.w3)["maxPriorityFeePerGas"] == LEAST_TIP


def test_nonces_follow_one_another_before_anything_is_mined(node, funded):
    chain, sender, other = funded
    node._request("evm_setAutomine", False)
    try:
        transaction = {"from": sender.address, "to": other, "gas": 100_000}
        nonces = [read(chain, sender.send(chain.w3, transaction))["nonce"] for _ in range(3)]
        monkey = LocalSender(sender._account, chain.id)  # a process that begins anew asks the node
        nonces.append(read(chain, monkey.send(chain.w3, transaction))["nonce"])
    finally:
        node._request("evm_mine")
        node._request("evm_setAutomine", True)
    assert nonces == [0, 1, 2, 3]


def test_what_is_not_mined_is_sent_again_with_higher_fees(node, funded):
    chain, sender, other = funded
    chain.patience, sent = 1.0, []

    class Mining(LocalSender):
        def send(self, w3, transaction):
            sent.append(super().send(w3, transaction))
            return sent[-1]

        def replace(self, w3):
            sent.append(super().replace(w3))
            node._request("evm_mine")
            return sent[-1]

    chain.use_sender(Mining(sender._account, chain.id))
    first = {}
    node._request("evm_setAutomine", False)
    try:
        chain._senders[sender.address].send = lambda w3, transaction: first.setdefault(
            "hash", Mining.send(chain._senders[sender.address], w3, transaction)
        )
        receipt = chain.send(other, "0x")
    finally:
        node._request("evm_setAutomine", True)
    assert receipt.transaction_hash == sent[1].to_0x_hex() != sent[0].to_0x_hex()
    replaced = read(chain, sent[1])
    assert replaced["nonce"] == 0 and replaced["maxFeePerGas"] > 0


def test_what_is_mined_is_not_replaced(funded):
    chain, sender, other = funded
    sender.send(chain.w3, {"from": sender.address, "to": other, "gas": 100_000})
    assert sender.replace(chain.w3) is None


def test_what_is_never_mined_is_named_with_its_hash(node, funded):
    chain, sender, other = funded
    chain.use_sender(sender)
    chain.patience = 0.3
    node._request("evm_setAutomine", False)
    try:
        with pytest.raises(TransactionPending, match=r"0x[0-9a-f]{64}.*sendings"):
            chain.send(other, "0x")
    finally:
        node._request("evm_mine")
        node._request("evm_setAutomine", True)


def test_a_sender_without_gas_is_an_error_of_the_node(node):
    chain, poor = Chain(node.url), Wallet.create()
    chain.use_signer(poor)
    with pytest.raises(ChainUnavailable, match="eth_sendTransaction"):
        chain.send(node.accounts[1], "0x")


def test_an_external_signer_sends_and_replaces_nothing(node):
    sender = ExternalSender(node.url, node.accounts[3].lower(), timeout=20)
    chain = Chain(node.url)
    chain.use_sender(sender)
    found = read(chain, chain.send(node.accounts[1], "0x").transaction_hash)
    assert found["from"] == sender.address == node.accounts[3]
    assert sender.replace(chain.w3) is None
