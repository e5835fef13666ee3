"""Python and Solidity hash every message alike; the generated sources are what the generator writes."""

import random
from pathlib import Path
from types import SimpleNamespace

import pytest
from eth_utils import keccak

from zkmargin.contracts.compile import CODE_LIMIT, compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.deploy import deploy_contract
from zkmargin.contracts.errors import CallInvalid, MessageInvalid
from zkmargin.contracts.messages import make_epoch_message, sort_points
from zkmargin.contracts.requests import ActionRequest, TradeSide, encode_proof
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.records import (
    Action,
    Appraisal,
    Attestation,
    Bid,
    Confirmation,
    EarlyCall,
    Epoch,
    Flow,
    Invalidate,
    Move,
    Open,
    PartOffer,
    PartPurchase,
    Rekey,
    Reveal,
    Settlement,
)
from zkmargin.prover.messages.typed_data import encode, load_table
from zkmargin.scripts.generate.solidity import ROOT, render

RANDOM = random.Random(3)


def make_action(flows: int, extreme: bool = False) -> Action:
    word = lambda: RANDOM.randbytes(32)  # noqa: E731
    number = lambda bits: (1 << bits) - 1 if extreme else RANDOM.randrange(1 << bits)  # noqa: E731
    return Action(
        kind=int(ActionKind.TRADE), account=word(), counterparty=word(), key_version=number(16), epoch=number(64),
        policy=word(),
        generation_old=number(24), generation_new=number(24), commitment_old=number(256), commitment_new=number(256),
        trade_tag=number(256), ciphertext=number(256), side=-1, cash_flow=-(1 << 127) if extreme else -number(60),
        flows=tuple(Flow(slot=number(16), lots=-(1 << 63) if extreme else -number(30)) for _ in range(flows)),
        recipient="0x" + RANDOM.randbytes(20).hex(), fee=number(64), deadline=number(40),
    )  # fmt: skip


@pytest.fixture(scope="module")
def hashes(chain):
    return deploy_contract(chain, "TestHashes")[0]


@pytest.mark.property("P-51")
@pytest.mark.parametrize("flows", [0, 1, 3])
@pytest.mark.parametrize("extreme", [False, True])
def test_action(hashes, deployed_world, flows, extreme):
    message = make_action(flows, extreme)
    assert hashes.call("hashAction", message.to_message()) == encode(deployed_world.domain, message).body


@pytest.mark.property("P-51")
def test_open(hashes, deployed_world):
    message = Open(
        account=RANDOM.randbytes(32), auth="0x" + "ab" * 20, index=2**64 - 1, key_version=3, generation=4,
        commitment=2**256 - 1,
        escrow_hash=RANDOM.randbytes(32), submitter="0x" + "cd" * 20, deadline=2**40 - 1,
    )  # fmt: skip
    assert hashes.call("hashOpen", message.to_message()) == encode(deployed_world.domain, message).body


@pytest.mark.property("P-51")
def test_attestation(hashes, deployed_world):
    message = Attestation(
        account=RANDOM.randbytes(32), recipient="0x" + "cd" * 20, challenge=RANDOM.randbytes(32),
        policy=RANDOM.randbytes(32), epoch=2**64 - 1, key_version=2**16 - 1, generation=2**24 - 1,
        commitment_old=2**256 - 1, valid_until=2**40 - 1,
    )  # fmt: skip
    assert hashes.call("hashAttestation", message.to_message()) == encode(deployed_world.domain, message).body


@pytest.mark.property("P-51")
def test_confirmation(hashes, deployed_world):
    message = Confirmation(account=RANDOM.randbytes(32), commitment=2**256 - 1, epoch=2**64 - 1)
    assert hashes.call("hashConfirmation", message.to_message()) == encode(deployed_world.domain, message).body


@pytest.mark.property("P-51")
@pytest.mark.parametrize("words", [(), (2**256 - 1, 0, 5)])
def test_reveal_and_rekey(hashes, deployed_world, words):
    reveal = Reveal(
        account=RANDOM.randbytes(32), key_version=2**16 - 1, generation=2**24 - 1, commitment=2**256 - 1,
        cash=-(2**127), words=words,
    )  # fmt: skip
    rekey = Rekey(
        account=RANDOM.randbytes(32), key_version=2**16 - 1, commitment_old=2**256 - 1, commitment_new=1,
        escrow_hash=RANDOM.randbytes(32), checkpoint=words, submitter="0x" + "cd" * 20, deadline=2**40 - 1,
    )  # fmt: skip
    assert hashes.call("hashReveal", reveal.to_message()) == encode(deployed_world.domain, reveal).body
    assert hashes.call("hashRekey", rekey.to_message()) == encode(deployed_world.domain, rekey).body


@pytest.mark.property("P-51")
def test_move(hashes, deployed_world):
    message = Move(account=RANDOM.randbytes(32), key_version=2**16 - 1, commitment=2**256 - 1, deadline=2**40 - 1)
    assert hashes.call("hashMove", message.to_message()) == encode(deployed_world.domain, message).body


@pytest.mark.property("P-51")
def test_appraisal_and_bid(hashes, deployed_world):
    appraisal = Appraisal(
        account=RANDOM.randbytes(32), commitment=2**256 - 1, epoch=2**64 - 1, equity=-(2**127), floor=2**127 - 1
    )
    bid = Bid(
        book=RANDOM.randbytes(32), account=RANDOM.randbytes(32), key_version=2**16 - 1, epoch=2**64 - 1,
        generation_old=2**24 - 1, generation_new=5, commitment_old=2**256 - 1, commitment_new=7, price=-(2**127),
        cash_flow=2**127 - 1, submitter="0x" + "cd" * 20, deadline=2**40 - 1,
    )  # fmt: skip
    assert hashes.call("hashAppraisal", appraisal.to_message()) == encode(deployed_world.domain, appraisal).body
    assert hashes.call("hashBid", bid.to_message()) == encode(deployed_world.domain, bid).body


@pytest.mark.property("P-51")
@pytest.mark.parametrize("flows", [0, 1, 5])
def test_sale_of_a_part(hashes, deployed_world, flows):
    part = tuple(Flow(slot=2**16 - 1 - place, lots=(-1) ** place * (2**63 - 1)) for place in range(flows))
    offer = PartOffer(account=RANDOM.randbytes(32), commitment=2**256 - 1, epoch=2**64 - 1, part=part, floor=-(2**127))
    purchase = PartPurchase(
        book=RANDOM.randbytes(32), account=RANDOM.randbytes(32), key_version=2**16 - 1, epoch=2**64 - 1,
        generation=2**24 - 1, commitment_old=2**256 - 1, commitment_new=7, book_commitment_new=2**255, part=part,
        price=2**127 - 1, submitter="0x" + "cd" * 20, deadline=2**40 - 1,
    )  # fmt: skip
    assert hashes.call("hashPartOffer", offer.to_message()) == encode(deployed_world.domain, offer).body
    assert hashes.call("hashPartPurchase", purchase.to_message()) == encode(deployed_world.domain, purchase).body


@pytest.mark.property("P-51")
def test_early_call(hashes, deployed_world):
    message = EarlyCall(level=2**8 - 1, epoch=2**64 - 1)
    assert hashes.call("hashEarlyCall", message.to_message()) == encode(deployed_world.domain, message).body


def test_invalidate(hashes, deployed_world):
    message = Invalidate(account=RANDOM.randbytes(32), digest=RANDOM.randbytes(32))
    assert hashes.call("hashInvalidate", message.to_message()) == encode(deployed_world.domain, message).body


@pytest.mark.property("P-51")
@pytest.mark.parametrize("min_epoch", [0, 2**64 - 1])
def test_epoch_and_the_oracles_domain(hashes, deployed_world, min_epoch):
    message = Epoch(
        number=2**64 - 1, time=2**40 - 1, generation=2**24 - 1, min_epoch=min_epoch, settlement_x=2**256 - 1,
        settlement_y=1,
        **{name: RANDOM.randbytes(32) for name in ("snapshot_hash", "policy_hash", "settlement_hash", "key_hash",
        "points_root")},
    )  # fmt: skip
    signable = encode(deployed_world.domain, message)
    assert hashes.call("hashEpoch", message.to_message()) == signable.body
    digest = keccak(b"\x19" + signable.version + signable.header + signable.body)
    assert deployed_world.oracle.contract.call("hashEpoch", message.to_message()) == digest


@pytest.mark.property("P-51")
def test_settlement(hashes, deployed_world):
    message = Settlement(
        key_hash=RANDOM.randbytes(32), from_generation=2**24 - 1, steps=16, number=2**64 - 1,
        settlement_hash=RANDOM.randbytes(32), x=2**256 - 1, y=1,
    )  # fmt: skip
    signable = encode(deployed_world.domain, message)
    assert hashes.call("hashSettlement", message.to_message()) == signable.body
    digest = keccak(b"\x19" + signable.version + signable.header + signable.body)
    assert deployed_world.oracle.contract.call("hashSettlement", message.to_message()) == digest


@pytest.mark.property("P-51")
def test_every_message_that_a_contract_reads_is_compared_here():
    names = (
        "Epoch Settlement Action Flow Open Invalidate Confirmation Move Reveal Rekey Appraisal Bid PartOffer "
        "PartPurchase EarlyCall Attestation"
    )
    assert load_table()["solidity"] == names.split()


def test_generated_sources_are_fresh():
    for path, text in render().items():
        assert Path(ROOT, path).read_text() == text, f"{path} is stale: make generate"


def test_every_contract_fits():
    sizes = {name: artifact.deployed_size for name, artifact in compile_contracts().items()}
    assert {name: size for name, size in sizes.items() if size > CODE_LIMIT} == {}
    assert sizes["ClearingHouse"] > 0


def test_a_request_is_made_from_its_own_kind():
    action = make_action(0)
    with pytest.raises(CallInvalid, match="kind of the action is 3; allowed: 2 DEPOSIT, 4 WITHDRAW, 5 CURE"):
        ActionRequest.from_action(action, (0,) * 8, b"")
    for kind in (ActionKind.DEPOSIT, ActionKind.OPEN, 0, 77):
        with pytest.raises(CallInvalid, match=f"kind of the action is {int(kind)}; allowed: 3 TRADE"):
            TradeSide.from_action(action.model_copy(update={"kind": int(kind)}), (0,) * 8, b"")
    with pytest.raises(CallInvalid, match=f"number of the epoch is 0; allowed: {action.epoch}"):
        ActionRequest.from_action(action.model_copy(update={"kind": int(ActionKind.CURE)}), (0,) * 8, b"")


def test_snarkjs_proofs_become_words():
    proof = {"pi_a": ["1", "2", "1"], "pi_b": [["3", "4"], ["5", "6"], ["1", "0"]], "pi_c": ["7", "8", "1"]}
    assert encode_proof(proof) == (1, 2, 4, 3, 6, 5, 7, 8)
    with pytest.raises(CallInvalid, match="affine"):
        encode_proof({**proof, "pi_c": ["7", "8", "2"]})
    with pytest.raises(CallInvalid, match="pi_a"):
        encode_proof({"pi_b": []})


def test_an_epochs_points_are_those_of_its_policies():
    data = SimpleNamespace(policies={"initial": None})
    with pytest.raises(MessageInvalid, match="points"):
        make_epoch_message(data, key_hash=bytes(32), points={"withdraw": (1, 2)}, is_step=False)
    assert [point.name.rstrip(b"\0") for point in sort_points({"withdraw": (1, 2), "initial": (1, 2)})] == [
        b"initial",
        b"withdraw",
    ]


def test_the_bindings_name_every_entry_point(deployed_world):
    assert isinstance(deployed_world.house.contract, Contract)
    written = {
        item["name"]
        for item in compile_contracts()["IClearingHouse"].abi
        if item["type"] == "function" and item["stateMutability"] == "nonpayable"
    }
    methods = {name.replace("_", "") for name in dir(deployed_world.house) if not name.startswith("_")}
    assert {name.lower() for name in written} <= methods
