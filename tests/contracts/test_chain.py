"""The chain fixture ends what it starts; insecure keys stay on development chains; refusals become Python errors with
fields."""

import socket
from dataclasses import replace

import pytest

from tests.support.reverts import reverts
from tests.support.world import make_cached_material, make_wallet
from zkmargin.contracts.chain import (
    Chain,
    decode_revert,
    find_anvil,
    find_revert_data,
    require_development_chain,
    run_anvil,
)
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.deploy import (
    LEAST_DELAY,
    LEAST_SETTLEMENT_DELAY,
    LEAST_TIMELOCK,
    Deployment,
    compute_create_address,
    deploy,
    deploy_contract,
    deploy_timelock,
)
from zkmargin.contracts.errors import CallInvalid, ChainUnavailable, NotADevelopmentChain, Reverted
from zkmargin.contracts.venue import Contracts

TEST_TOKENS = {"cash": "TestUSDC", "weth": "TestWETH"}

LONGEST_TIMELOCK = 10 * 24 * 3600
"""Seconds: below what a suspended key and a vetoed payment wait for the owner."""


def is_listening(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_anvil_ends_even_when_the_block_fails():
    with pytest.raises(ZeroDivisionError), run_anvil() as chain:
        assert is_listening(chain.url)
        raise ZeroDivisionError
    assert not is_listening(chain.url)


@pytest.mark.property("P-29")
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


@pytest.fixture(scope="module")
def elsewhere():
    """A chain that is not for development."""
    with run_anvil(chain_id=1) as chain:
        yield chain


@pytest.fixture(scope="module")
def terms(elsewhere):
    """What `deploy` takes elsewhere."""
    accounts = elsewhere.accounts
    return {
        "tokens": {name: deploy_contract(elsewhere, kind)[0].address for name, kind in TEST_TOKENS.items()},
        "owner": deploy_timelock(elsewhere, [accounts[3]], [accounts[3]]),
        "guardian": accounts[4],
        "activation_delay": LEAST_DELAY,
        "settlement_delay": LEAST_SETTLEMENT_DELAY,
    }


def deploy_elsewhere(chain, **terms):
    publishers = [make_wallet(f"publisher {number}").address for number in range(3)]
    return deploy(chain, replace(make_cached_material("mini"), insecure=False), publishers, **terms)


@pytest.mark.property("P-125")
def test_elsewhere_the_owner_is_a_timelock_that_takes_the_registry(elsewhere, terms):
    made = deploy_elsewhere(elsewhere, **terms)
    venue, deployer, proposer = Contracts(elsewhere, made), elsewhere.accounts[0], elsewhere.accounts[3]
    timelock = Contract(elsewhere, compile_contracts()["VenueTimelock"], terms["owner"])
    assert venue.registry.contract.call("ACTIVATION_DELAY") == LEAST_DELAY == 14 * 24 * 3600
    assert venue.oracle.get_settlement_delay() == LEAST_SETTLEMENT_DELAY
    assert venue.oracle.contract.call("owner") == timelock.address
    assert venue.registry.get_owners() == (deployer, timelock.address)
    registry = venue.registry.contract
    call = (registry.address, 0, registry.encode("acceptOwnership"), bytes(32), bytes(32))
    with pytest.raises(Reverted, match="TimelockInsufficientDelay"):
        timelock.send("schedule", *call, LEAST_TIMELOCK - 1, sender=proposer)
    timelock.send("schedule", *call, LEAST_TIMELOCK, sender=proposer)
    elsewhere.travel(LEAST_TIMELOCK - 60)
    with pytest.raises(Reverted, match="TimelockUnexpectedOperationState"):
        timelock.send("execute", *call, sender=proposer)
    elsewhere.travel(60)
    timelock.send("execute", *call, sender=proposer)
    assert venue.registry.get_owners() == (timelock.address, "0x" + "00" * 20)
    with pytest.raises(Reverted, match="OwnableUnauthorizedAccount"):
        venue.registry.resume(1, sender=deployer)


@pytest.mark.property("P-125")
@pytest.mark.parametrize("what", ["owner", "guardian"])
def test_elsewhere_neither_owner_nor_guardian_is_the_deployer(elsewhere, terms, what):
    wrong = {"owner": elsewhere.accounts[3], "guardian": terms["owner"]}[what]
    with pytest.raises(CallInvalid, match=rf"^{what} is '{wrong}'"):
        deploy_elsewhere(elsewhere, **{**terms, what: wrong})
    with pytest.raises(CallInvalid, match=r"^owner is"):
        deploy_elsewhere(elsewhere, **{**terms, "owner": None})


@pytest.mark.property("P-125")
@pytest.mark.parametrize("who", ["nobody named", "the deployer", "the owner in lower case", "nobody"])
def test_elsewhere_the_guardian_is_a_third(elsewhere, terms, who):
    """Before, the deployer was the guardian where none was named, on any chain."""
    deployer = elsewhere.accounts[0]
    given = {"nobody named": None, "the deployer": deployer, "the owner in lower case": terms["owner"].lower()}
    before = elsewhere.get_block("latest").number
    with pytest.raises(CallInvalid, match=r"^guardian is '0x.*not the owner, the deployer or nobody"):
        deploy_elsewhere(elsewhere, **{**terms, "guardian": given.get(who, "0x" + "00" * 20)})
    assert elsewhere.get_block("latest").number == before


@pytest.mark.property("P-125")
def test_elsewhere_the_owner_has_a_delay(elsewhere, terms):
    with pytest.raises(CallInvalid, match="getMinDelay"):
        deploy_elsewhere(elsewhere, **{**terms, "owner": terms["tokens"]["cash"]})
    for delay in (LEAST_TIMELOCK - 1, LONGEST_TIMELOCK + 1):
        with reverts("TimelockDelayOutOfRange", delay=delay, least=LEAST_TIMELOCK, limit=LONGEST_TIMELOCK):
            deploy_timelock(elsewhere, [], [], delay=delay)


@pytest.mark.property("P-125")
@pytest.mark.parametrize(("delay", "counts"), [(0, LEAST_TIMELOCK), (LONGEST_TIMELOCK + 1, LONGEST_TIMELOCK)])
def test_a_timelock_that_sets_its_delay_beyond_the_bounds_keeps_within_them(elsewhere, terms, delay, counts):
    timelock = Contract(elsewhere, compile_contracts()["VenueTimelock"], terms["owner"])
    proposer, data = elsewhere.accounts[3], bytes.fromhex(timelock.encode("updateDelay", delay)[2:])
    call = (timelock.address, 0, data, bytes(32), bytes(32))
    timelock.send("schedule", *call, LEAST_TIMELOCK, sender=proposer)
    elsewhere.travel(LEAST_TIMELOCK)
    timelock.send("execute", *call, sender=proposer)
    assert timelock.call("getMinDelay") == counts
    again = (*call[:-1], b"\1" * 32)  # with another salt it is another operation
    with pytest.raises(Reverted, match="TimelockInsufficientDelay"):
        timelock.send("schedule", *again, counts - 1, sender=proposer)
    timelock.send("schedule", *again, counts, sender=proposer)


@pytest.mark.property("P-125")
@pytest.mark.parametrize(("name", "least"), [("activation", LEAST_DELAY), ("settlement", LEAST_SETTLEMENT_DELAY)])
def test_elsewhere_a_later_key_and_a_settlement_wait(elsewhere, terms, name, least):
    with pytest.raises(NotADevelopmentChain, match=f"{name} delay of {least - 1} s, below {least}"):
        deploy_elsewhere(elsewhere, **{**terms, f"{name}_delay": least - 1})


@pytest.mark.property("P-125")
@pytest.mark.parametrize(("name", "decimals"), [("cash", 18), ("weth", 6)])
def test_tokens_have_the_decimals_that_amounts_and_lots_count_in(elsewhere, terms, name, decimals):
    tokens = dict(zip(terms["tokens"], reversed(terms["tokens"].values()), strict=True))
    wrong = {**terms["tokens"], name: tokens[name]}
    with pytest.raises(CallInvalid, match=f"decimals of {name} is {decimals}; allowed"):
        deploy_elsewhere(elsewhere, **{**terms, "tokens": wrong})


def test_no_node_is_an_error(closed_url):
    with pytest.raises(ChainUnavailable, match=closed_url):
        Chain(closed_url)


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


@pytest.mark.parametrize(
    "data",
    [
        "",
        "0x",
        "0x08c379",
        "0x08c379a0",  # Error(string) without its argument
        "0x4e487b71",  # Panic(uint256) without its argument
        "0x08c379a0" + "ff" * 64,  # an offset beyond every memory
        "0x08c379a0" + "20".rjust(64, "0") + "ff" * 32,  # a length beyond the data
        "0x08c379a0" + "20".rjust(64, "0") + "2".rjust(64, "0") + "fffe".ljust(64, "0"),  # no UTF-8
        "0x4e487b7",  # half a byte
        "reverted without data",
    ],
)
def test_revert_data_that_no_contract_here_makes_is_unknown(data):
    refusal = decode_revert(data, "Somewhere.call", "what the node said")
    assert (refusal.error, refusal.call) == ("Unknown", "Somewhere.call")
    assert refusal.fields == {"data": data or "0x", "reason": "what the node said"}


def test_deployments_are_saved_and_read(tmp_path, deployed_world):
    path = tmp_path / "deployment.json"
    deployed_world.deployment.save(path)
    assert Deployment.load(path) == deployed_world.deployment


def test_addresses_are_known_before_deployment(chain):
    nonce = chain.w3.eth.get_transaction_count(chain.accounts[0])
    assert deploy_contract(chain, "TestWETH")[0].address == compute_create_address(chain.accounts[0], nonce)
    with pytest.raises(CallInvalid, match="Nowhere"):
        deploy_contract(chain, "Nowhere")


@pytest.mark.parametrize(
    ("answer", "data"),
    [
        ("0x1234", "0x1234"),
        ({"message": "reverted", "data": "0x1234"}, "0x1234"),
        ({"message": "reverted"}, ""),
        (None, ""),
    ],
)
def test_revert_data_is_found_in_either_nodes_answer(answer, data):
    assert find_revert_data(answer) == data
