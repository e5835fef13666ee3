"""What a malformed proof may cost whoever carries it in, and what is said where there was too little gas."""

import pytest
from eth_utils import keccak

from tests.support.world import World
from zkmargin.contracts.deploy import deploy_contract
from zkmargin.contracts.requests import ActionRequest, Proof

LIMIT = 16_000_000
"""Gas offered with the transaction; below the 2^24 that one may use since Osaka."""
BOUND = 1_000_000
PARTIES = 6


def swap_coordinates(proof: Proof) -> Proof:
    """B with its coordinates' parts swapped: off the curve, which only the pairing finds out."""
    return (*proof[:2], proof[3], proof[2], *proof[4:])


def send(world: World, data: str, to: str, gas: int = LIMIT):
    """The receipt of a transaction that is sent as it is, without a call before."""
    sent = world.chain.w3.eth.send_transaction({"from": world.submitter, "to": to, "data": data, "gas": gas})
    return world.chain.w3.eth.wait_for_transaction_receipt(sent)


def encode_attest(world: World, request: ActionRequest) -> str:
    return world.house.contract.encode("attest", request.to_abi())


def malform(request: ActionRequest) -> ActionRequest:
    return ActionRequest(**{**vars(request), "proof": swap_coordinates(request.proof)})


@pytest.mark.property("P-92")
def test_a_malformed_proof_costs_a_bounded_part_of_the_gas(world):
    request = malform(world.make_attest(world.alice, world.post()))
    receipt = send(world, encode_attest(world, request), world.house.contract.address)
    assert receipt["status"] == 0
    assert 500_000 < receipt["gasUsed"] < BOUND


@pytest.mark.property("P-92")
def test_a_malformed_half_of_a_trade_costs_a_bounded_part_of_the_gas(world):
    alice, bob, epoch = world.pair()
    request = world.make_trade(alice, bob, epoch).to_abi()
    request["minus"] = {**request["minus"], "proof": swap_coordinates(request["minus"]["proof"])}
    receipt = send(world, world.house.contract.encode("trade", request), world.house.contract.address)
    assert receipt["status"] == 0
    assert 500_000 < receipt["gasUsed"] < BOUND


@pytest.mark.property("P-92")
def test_a_relayers_batch_survives_a_malformed_proof(world):
    parties = [world.open(f"party {number}") for number in range(PARTIES)]
    world.chain.travel(15)
    epoch = world.post()
    requests = [world.make_attest(party, epoch) for party in parties]
    requests[1] = malform(requests[1])
    relayer, _ = deploy_contract(world.chain, "TestRelayer")
    calls = [encode_attest(world, request) for request in requests]
    receipt = send(
        world, relayer.encode("carry", world.house.contract.address, calls), relayer.address, PARTIES * BOUND
    )
    assert receipt["status"] == 1
    assert int(receipt["logs"][-1]["data"].hex(), 16) == PARTIES - 1
    point = world.point("maintenance")
    proven = [world.views.get_attested(party.id, point)[0] == epoch.message.time for party in parties]
    assert proven == [number != 1 for number in range(PARTIES)]


@pytest.mark.property("P-93")
@pytest.mark.parametrize("gas", range(90_000, 272_000, 6_000))
def test_too_little_gas_is_not_the_proofs_fault(world, gas):
    request = world.make_attest(world.alice, world.post())
    world.house.contract.call("attest", request.to_abi())
    assert find_fault(world, encode_attest(world, request), gas) in ("GasTooLow", "out of gas", "none")


def test_with_enough_gas_a_malformed_proof_is_malformed(world):
    data = encode_attest(world, malform(world.make_attest(world.alice, world.post())))
    assert find_fault(world, data, BOUND) == "ProofMalformed"
    assert find_fault(world, data, 300_000) == "GasTooLow"


def find_fault(world: World, data: str, gas: int) -> str:
    """Name of the verifier's error in a call with that much gas; "out of gas" where nothing was said."""
    question = {"from": world.submitter, "to": world.house.contract.address, "data": data, "gas": hex(gas)}
    answer = world.chain.w3.provider.make_request("eth_call", [question, "latest"])
    if "error" not in answer:
        return "none"
    names = {
        keccak(text=signature)[:4].hex(): signature.split("(")[0]
        for signature in ("GasTooLow(uint256)", "ProofMalformed()", "PointRefused(uint256,uint256)")
    }
    data = (answer["error"].get("data") or "0x").removeprefix("0x")
    return names[data[:8]] if data else "out of gas"
