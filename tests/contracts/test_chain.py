"""The chain fixture ends what it starts; insecure keys stay on development chains; refusals become Python errors with
fields."""

import socket
from dataclasses import replace

import pytest

from contracts.chain import Chain, decode_revert, find_anvil, require_development_chain, run_anvil
from contracts.deploy import Deployment, compute_create_address, deploy, deploy_contract
from contracts.errors import CallInvalid, ChainUnavailable, NotADevelopmentChain, Reverted
from tests.contracts.world import make_cached_material, make_wallet


def is_listening(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_anvil_ends_even_when_the_block_fails():
    with pytest.raises(ZeroDivisionError), run_anvil() as chain:
        assert is_listening(chain.url)
        raise ZeroDivisionError
    assert not is_listening(chain.url)


def test_insecure_keys_stay_on_development_chains():
    publishers = [make_wallet(f"publisher {number}").address for number in range(3)]
    with run_anvil(chain_id=1) as chain:
        with pytest.raises(NotADevelopmentChain) as refusal:
            require_development_chain(chain)
        assert (refusal.value.chain_id, refusal.value.allowed) == (1, (31337, 1337))
        with pytest.raises(NotADevelopmentChain):
            deploy(chain, make_cached_material("mini"), publishers)
        tokens = {"cash": chain.accounts[0], "weth": chain.accounts[1]}
        with pytest.raises(NotADevelopmentChain):
            deploy(chain, make_cached_material("mini"), publishers, tokens=tokens)
        with pytest.raises(NotADevelopmentChain):
            deploy(chain, replace(make_cached_material("mini"), insecure=False), publishers)
        assert chain.w3.eth.block_number == 0


def test_no_node_is_an_error():
    with pytest.raises(ChainUnavailable, match=r"127\.0\.0\.1:9"):
        Chain("http://127.0.0.1:9")


def test_a_named_binary_must_exist(monkeypatch):
    monkeypatch.setenv("ZKMARGIN_ANVIL", "/nowhere/anvil")
    with pytest.raises(ChainUnavailable, match="/nowhere/anvil"):
        find_anvil()


def test_snapshots_are_known_once(chain):
    mark = chain.snapshot()
    block = chain.w3.eth.block_number
    chain.travel(5)
    chain.revert(mark)
    assert chain.w3.eth.block_number == block
    with pytest.raises(ChainUnavailable, match=mark):
        chain.revert(mark)


def test_refusals_carry_name_and_values():
    data = "0x08c379a0" + "20".rjust(64, "0") + "2".rjust(64, "0") + "6e6f".ljust(64, "0")
    assert (decode_revert(data, "call").error, decode_revert(data, "call").fields) == ("Error", {"message": "no"})
    unknown = decode_revert("0xdeadbeef", "Somewhere.call")
    assert isinstance(unknown, Reverted) and unknown.fields["data"] == "0xdeadbeef"


def test_deployments_are_saved_and_read(tmp_path, deployed_world):
    path = tmp_path / "deployment.json"
    deployed_world.deployment.save(path)
    assert Deployment.load(path) == deployed_world.deployment


def test_addresses_are_known_before_deployment(chain):
    nonce = chain.w3.eth.get_transaction_count(chain.accounts[0])
    assert deploy_contract(chain, "TestWETH")[0].address == compute_create_address(chain.accounts[0], nonce)
    with pytest.raises(CallInvalid, match="Nowhere"):
        deploy_contract(chain, "Nowhere")
