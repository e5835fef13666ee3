"""Calls that the clearing house does not know itself go to the desk that does, and nowhere else."""

import pytest
from eth_utils import function_abi_to_4byte_selector
from web3.exceptions import Web3Exception

from tests.support.reverts import refused
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.default_desk import DefaultDesk
from zkmargin.contracts.errors import Reverted

DESKS = ("DeadlineDesk", "DefaultDesk", "SaleDesk", "RekeyDesk")
"""Desks that every venue has, found by selector."""
NOBODY = "0x" + "00" * 20


def list_functions(name: str) -> dict[bytes, str]:
    functions = (item for item in compile_contracts()[name].abi if item["type"] == "function")
    return {function_abi_to_4byte_selector(item): item["name"] for item in functions}


@pytest.mark.property("P-202")
@pytest.mark.parametrize("name", DESKS)
def test_every_function_of_a_desk_is_reached_through_the_house(world, name):
    house = world.house.contract
    own = {selector: function for selector, function in list_functions(name).items()
           if selector not in list_functions("ClearingHouse")}  # fmt: skip
    (desk,) = {house.call("deskOf", selector) for selector in own}
    assert world.chain.get_code(desk)
    assert own and {"REGISTRY", "ORACLE"}.isdisjoint(own.values())


@pytest.mark.property("P-202")
def test_a_venue_as_deployed_has_the_desk_for_defaults(world):
    desk = DefaultDesk(world.chain, world.house.contract.address, world.domain)
    world.chain.travel(1)
    world.post()
    checkpoint = desk.tick()
    assert checkpoint == 1 and desk.get_checkpoint(1)[0] == world.chain.time
    assert desk.contract.call("VAULT") == world.vault.contract.address


@pytest.mark.property("P-202")
@pytest.mark.parametrize("data", ["0xdeadbeef", "0xdeadbeef" + "00" * 64, "0x", "0x12"])
def test_a_call_that_nobody_knows_is_refused(world, data):
    house = world.house.contract
    assert house.call("deskOf", bytes.fromhex(data[2:])[:4].ljust(4, b"\0")) == NOBODY
    fields = refused("EntryUnknown", world.chain.send, house.address, data, name="an unknown call")
    assert fields["selector"] == bytes.fromhex(data[2:])[:4].ljust(4, b"\0")


def test_the_house_takes_no_ether_by_its_fallback(world):
    with pytest.raises((Reverted, Web3Exception)):
        world.chain.send(world.house.contract.address, "0x", name="ether", value=1)


def test_a_desk_keeps_no_routes_of_its_own(world):
    """Its own address answers its functions only, and none that changes anything."""
    house = world.house.contract
    address = house.call("deskOf", function_abi_to_4byte_selector({"type": "function", "name": "tick", "inputs": []}))
    desk = Contract(world.chain, compile_contracts()["DeadlineDesk"], address)
    refused("OnlyDelegated", desk.send, "tick")
