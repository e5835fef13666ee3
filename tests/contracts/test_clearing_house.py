"""Attacks on accounts: replay, signatures and proofs of other accounts, chains and contracts, revoked and stale
epochs, amounts at their edges."""

import re
from dataclasses import replace

import pytest
from eth_abi import encode as abi_encode
from eth_utils import keccak
from eth_utils.abi import get_abi_input_types
from py_ecc.optimized_bn128 import curve_order

from tests.support.reverts import refused
from tests.support.simulator import to_point
from tests.support.world import HOUR, LOT, STEP, USDC, World, change_side, make_wallet, tamper
from zkmargin.contracts.chain import run_anvil
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.compile import compile_contracts, read_sources
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.deploy import deploy_contract
from zkmargin.contracts.messages import EpochPoint
from zkmargin.contracts.requests import ActionRequest, TradeRequest, TradeSide
from zkmargin.prover.account.recovery import Opened, Transitioned
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.fields import ZERO_ADDRESS
from zkmargin.prover.messages.records import Flow, Invalidate, Open
from zkmargin.prover.messages.typed_data import compute_digest

LIMIT = 2**63


# ------------------------------------------------------------------------------------------------------------- replay
@pytest.mark.property("P-37", "P-80")
def test_an_action_counts_once(world):
    request = world.make_deposit(world.alice, USDC)
    world.house.deposit(request)
    fields = refused("CommitmentStale", world.house.deposit, request)
    assert fields == {"account": world.alice.id, "expected": request.commitment_old, "stored": request.commitment_new}
    refused("SignatureWrong", world.house.deposit, replace(request, commitment_old=request.commitment_new))


@pytest.mark.property("P-37", "P-80")
def test_a_trade_counts_once(world):
    first, second, epoch = world.pair()
    request = world.make_trade(first, second, epoch)
    world.house.trade(request)
    assert refused("CommitmentStale", world.house.trade, request)["account"] == first.id
    request = change_side(request, "plus", commitment_old=request.plus.commitment_new)
    assert refused("CommitmentStale", world.house.trade, request)["account"] == second.id
    request = change_side(request, "minus", commitment_old=request.minus.commitment_new)
    refused("SignatureWrong", world.house.trade, request)


@pytest.mark.property("P-13")
def test_one_signature_allows_one_transition(world):
    """Another new commitment, with a proof of its own, does not pass under the signature of the first."""
    action = world.draft(ActionKind.DEPOSIT, world.alice, cash_flow=USDC)
    signature = world.sign(world.alice, action)
    other = action.model_copy(update={"commitment_new": world.number()})
    refused("SignatureWrong", world.house.deposit, ActionRequest.from_action(other, world.prove(other), signature))
    refused("ProofRejected", world.house.deposit, ActionRequest.from_action(action, world.prove(other), signature))
    world.house.deposit(ActionRequest.from_action(action, world.prove(action), signature))


@pytest.mark.property("P-43")
def test_an_old_attestation_counts_for_the_old_commitment_only(world):
    first, _, epoch = world.pair()
    request = world.make_attest(first, epoch)
    world.house.attest(request)
    world.house.attest(request)
    world.house.deposit(world.make_deposit(first, USDC))
    stored = refused("CommitmentStale", world.house.attest, request)["stored"]
    refused("ProofRejected", world.house.attest, replace(request, commitment_old=stored))


def test_a_named_attestation_ends_with_the_commitment(world):
    first, _, epoch = world.pair()
    world.house.attest(world.make_attest(first, epoch, "net_delta"))
    assert world.views.get_attested(first.id, world.point("net_delta"))[0] == epoch.message.time
    world.house.deposit(world.make_deposit(first, USDC))
    assert world.views.get_attested(first.id, world.point("net_delta")) == (0, 0)


@pytest.mark.parametrize("side", ["plus", "minus"])
def test_a_deadline_ends_either_sides_signature_of_a_trade(world, side):
    first, second, epoch = world.pair()
    late = world.chain.time + 50
    actions = dict(zip(("plus", "minus"), world.draft_sides(first, second, epoch), strict=True))
    actions[side] = actions[side].model_copy(update={"deadline": late})
    sides = {
        name: TradeSide.from_action(action, world.prove(action), world.sign(party, action))
        for (name, action), party in zip(actions.items(), (first, second), strict=True)
    }
    request = TradeRequest(actions["plus"].trade_tag, epoch.epoch_points.select("initial"), **sides)
    mark = world.chain.snapshot()
    world.chain.travel_to(late + 1)
    assert refused("DeadlinePassed", world.house.trade, request)["deadline"] == late
    world.chain.revert(mark)
    world.house.trade(request)


def test_a_deadline_ends_a_signature(world):
    request = world.make_deposit(world.alice, USDC, deadline=world.chain.time + 50)
    world.chain.travel(51)
    assert refused("DeadlinePassed", world.house.deposit, request)["deadline"] == request.deadline


# --------------------------------------------------------------------------------------------- other account, chain,
# contract
@pytest.mark.property("P-37")
def test_a_proof_of_another_account_is_refused(world):
    first, second, epoch = world.pair()
    alien = world.prove(world.draft(ActionKind.DEPOSIT, second, cash_flow=USDC))
    refused("ProofRejected", world.house.deposit, replace(world.make_deposit(first, USDC), proof=alien))
    commitment = world.house.get_account(first.id).commitment
    request = replace(world.make_attest(second, epoch), account=first.id, commitment_old=commitment)
    refused("ProofRejected", world.house.attest, request)


def test_a_signature_of_another_account_is_refused(world):
    commitment = world.house.get_account(world.bob.id).commitment
    request = replace(world.make_deposit(world.alice, USDC), account=world.bob.id, commitment_old=commitment)
    assert refused("SignatureWrong", world.house.deposit, request)["account"] == world.bob.id


def test_an_unopened_account_does_nothing(world):
    request = replace(world.make_deposit(world.alice, USDC), account=b"\7" * 32)
    assert refused("StatusWrong", world.house.deposit, request)["status"] == Status.NONE


@pytest.mark.property("P-37")
@pytest.mark.parametrize("change", [{"chain_id": 1}, {"clearing_house": "0x" + "22" * 20}])
def test_a_signature_and_a_proof_for_another_chain_or_contract_are_refused(world, change):
    action = world.draft(ActionKind.DEPOSIT, world.alice, cash_flow=USDC)
    foreign = replace(world.domain, **change)
    signature = world.alice.wallet.sign(foreign, action)
    refused("SignatureWrong", world.house.deposit, ActionRequest.from_action(action, world.prove(action), signature))
    context = int.from_bytes(compute_digest(foreign, action), "big") >> 8
    proof = world.prove(action, context=context)
    refused(
        "ProofRejected", world.house.deposit, ActionRequest.from_action(action, proof, world.sign(world.alice, action))
    )


def test_the_same_deployment_on_another_chain_id_takes_no_request_from_here(world):
    """Same addresses, same account number's preimage but for the chain id: nothing carries over."""
    with run_anvil(chain_id=1337) as chain:
        twin = World(chain)
        twin.prepare()
        assert twin.deployment.clearing_house == world.deployment.clearing_house
        assert twin.alice.id != world.alice.id
        here, there = world.make_deposit(world.alice, USDC), twin.make_deposit(twin.alice, USDC)
        refused("StatusWrong", twin.house.deposit, here)
        refused(
            "SignatureWrong",
            twin.house.deposit,
            replace(there, signature=here.signature, commitment_new=here.commitment_new),
        )


# -------------------------------------------------------------------------------------------------------------- trades
@pytest.mark.property("P-38")
def test_a_self_trade_is_refused(world):
    first, _, epoch = world.pair()
    assert refused("SelfTrade", world.house.trade, world.make_trade(first, first, epoch)) == {"account": first.id}


@pytest.mark.property("P-05")
def test_both_sides_show_one_tag(world):
    first, second, epoch = world.pair()
    plus, _ = world.draft_sides(first, second, epoch)
    _, minus = world.draft_sides(first, second, epoch)
    request = world.make_trade(first, second, epoch)
    for tag in (plus.trade_tag, minus.trade_tag):
        mixed = replace(
            request,
            trade_tag=tag,
            plus=TradeSide.from_action(plus, world.prove(plus), world.sign(first, plus)),
            minus=TradeSide.from_action(minus, world.prove(minus), world.sign(second, minus)),
        )
        refused("SignatureWrong", world.house.trade, mixed)


def test_a_trade_names_its_counterparty(world):
    """Neither side can be settled against somebody else than it signed for."""
    first, second, epoch = world.pair()
    third = world.open("carol")
    epoch = world.post()
    request = world.make_trade(first, second, epoch)
    action = world.draft(
        ActionKind.TRADE,
        third,
        epoch,
        counterparty=first.id,
        trade_tag=request.trade_tag,
        ciphertext=world.number(),
        side=-1,
    )
    side = TradeSide.from_action(action, world.prove(action), world.sign(third, action))
    assert refused("SignatureWrong", world.house.trade, replace(request, minus=side))["account"] == first.id


def test_sides_cannot_be_swapped(world):
    first, second, epoch = world.pair()
    request = world.make_trade(first, second, epoch)
    refused("SignatureWrong", world.house.trade, replace(request, plus=request.minus, minus=request.plus))


def test_a_trade_needs_one_generation(world):
    first, second, _ = world.pair()
    epoch = world.post(generation=1)
    world.house.withdraw(world.make_withdraw(first, epoch, USDC))
    assert world.house.get_account(first.id).generation == 1
    fields = refused("SidesDiffer", world.house.trade, world.make_trade(first, second, epoch))
    assert (fields["generationPlus"], fields["generationMinus"]) == (1, 0)


def test_a_trade_needs_one_key_version(world):
    first = world.alice
    with world.under_key(2) as version:
        second = world.open("carol")
    fields = refused("SidesDiffer", world.house.trade, world.make_trade(first, second, world.post()))
    assert (fields["keyVersionPlus"], fields["keyVersionMinus"]) == (1, version)
    assert fields["generationPlus"] == fields["generationMinus"]


def test_neither_side_may_be_proved_later_than_the_epoch(world):
    first, second, old = world.pair()
    world.chain.travel(30)
    new = world.post()
    world.house.withdraw(world.make_withdraw(second, new, USDC))
    for plus, minus in ((first, second), (second, first)):
        fields = refused("EpochOlderThanProof", world.house.trade, world.make_trade(plus, minus, old))
        assert fields["account"] == second.id


@pytest.mark.parametrize("side", ["plus", "minus"])
def test_a_tampered_proof_on_either_side_is_refused(world, side):
    first, second, epoch = world.pair()
    request = world.make_trade(first, second, epoch)
    refused("ProofRejected", world.house.trade, change_side(request, side, proof=tamper(getattr(request, side).proof)))


@pytest.mark.property("P-32")
def test_aliases_of_field_elements_are_refused(world):
    """x + r opens the same proof; the verifier refuses it even when it was signed."""
    first, second, epoch = world.pair()
    plus, minus = world.draft_sides(first, second, epoch)
    for field in ("commitment_new", "ciphertext"):
        alias = plus.model_copy(update={field: getattr(plus, field) + curve_order})
        values = {"commitmentNew": plus.commitment_new, "ciphertext": plus.ciphertext}
        request = world.make_trade(first, second, epoch)
        sides = (
            TradeSide.from_action(alias, world.prove(alias, **values), world.sign(first, alias)),
            TradeSide.from_action(minus, world.prove(minus), world.sign(second, minus)),
        )
        request = replace(request, trade_tag=plus.trade_tag, plus=sides[0], minus=sides[1])
        assert refused("SignalTooLarge", world.house.trade, request)["value"] == getattr(alias, field)


# -------------------------------------------------------------------------------------------------------------- epochs
@pytest.mark.property("P-41")
@pytest.mark.parametrize("change", [{"urgent": True}, {"generation": 1}])
def test_a_superseded_epoch_serves_no_trade(world, change):
    first, second, epoch = world.pair()
    request = world.make_trade(first, second, epoch)
    world.post(**change)
    refused("EpochSuperseded", world.house.trade, request)


@pytest.mark.property("P-41")
def test_points_are_those_the_epoch_signed(world):
    first, second, epoch = world.pair()
    request = world.make_trade(first, second, epoch)
    signed, other = (epoch.epoch_points.select(name) for name in ("initial", "net_delta"))
    path = signed.path
    for given in (
        other,  # another policy's, as it was signed
        replace(signed, x=other.x, y=other.y),
        replace(signed, x=0, y=0),
        replace(signed, path=path[::-1]),
        replace(signed, path=path[1:]),
        replace(signed, path=path[:-1]),
        replace(signed, path=(*path, path[0])),
        replace(signed, path=()),
    ):
        fields = refused("PointsMismatch", world.house.trade, replace(request, epoch=given))
        assert fields["signed"] == epoch.message.points_root[:22] != fields["given"][:22]
    world.house.trade(request)


def test_points_of_one_epoch_do_not_serve_another(world):
    first, second, old = world.pair()
    others = tuple(replace(point, x=1, y=2) for point in old.points)
    new = world.post(points=others)
    request = world.make_trade(first, second, new)
    given = replace(old.epoch_points.select("initial"), number=new.message.number)
    refused("PointsMismatch", world.house.trade, replace(request, epoch=given))


@pytest.mark.property("P-42")
def test_a_proof_at_an_older_generation_is_refused(world):
    """After the step the account is at generation 1; an epoch of generation 0 does not serve it, fresh or not."""
    first, _, old = world.pair()
    stale = world.make_withdraw(first, old, USDC)
    step = world.post(generation=1)
    world.house.withdraw(world.make_withdraw(first, step, USDC))
    stored = refused("CommitmentStale", world.house.withdraw, stale)["stored"]
    refused("EpochSuperseded", world.house.withdraw, replace(stale, commitment_old=stored))
    action = world.draft(ActionKind.WITHDRAW, first, old, cash_flow=-USDC, generation_new=0)
    refused("EpochSuperseded", world.submit, first, action, old)


def test_the_settlement_of_a_step_serves_every_later_epoch_of_its_generation(world):
    first, _, _ = world.pair()
    world.post(generation=1)
    later = world.post()
    assert later.message.settlement_x == 0
    world.house.withdraw(world.make_withdraw(first, later, USDC))
    assert world.house.get_account(first.id).generation == 1
    assert to_point(STEP + 1) == world.oracle.get_settlement_point(0)


@pytest.mark.property("P-44")
def test_a_step_serves_another_key_version_only_with_that_keys_own_point(world):
    """The step was posted under key 1. Its point is no point of the other key: an account there waits for its own."""
    with world.under_key(2) as version:
        party = world.open("carol")
        world.deposit(party, 10 * USDC)
    world.post(generation=1)
    with world.under_key(2):
        epoch = world.post()
        assert refused("SettlementUnset", world.house.withdraw, world.make_withdraw(party, epoch, USDC)) == {
            "keyVersion": version,
            "fromGeneration": 0,
            "steps": 1,
        }
        world.oracle.post_settlement(world.make_settlement(0))
        action = world.draft(ActionKind.WITHDRAW, party, epoch, cash_flow=-USDC)
        foreign = world.prove(action, settlement=STEP + 1)
        refused("ProofRejected", world.submit, party, action, epoch, foreign)
        world.submit(party, action, epoch)
    assert world.house.get_account(party.id).generation == 1


def test_an_epoch_of_another_key_version_is_refused(world):
    first, second, _ = world.pair()
    other = replace(world.material, transition_hash=keccak(b"second key"))
    world.venue.registry.register(other)
    epoch = world.post(key_hash=other.transition_hash)
    fields = refused("KeyVersionWrong", world.house.trade, world.make_trade(first, second, epoch))
    assert (fields["accountVersion"], fields["epochVersion"]) == (1, 2)


# ------------------------------------------------------------------------------------------------------------- amounts
@pytest.mark.property("P-39")
def test_a_fee_near_the_fields_order_or_beyond_the_limit_has_no_way_in(world):
    first, second, epoch = world.pair()
    request = world.make_trade(first, second, epoch)
    assert refused("AmountTooLarge", world.house.trade, change_side(request, "plus", fee=LIMIT)) == {
        "amount": LIMIT,
        "limit": LIMIT,
    }
    raw = request.to_abi()
    raw["plus"]["fee"] = curve_order - 1
    with pytest.raises(Exception, match=r"(?i)fee|encod|valid|argument"):
        world.house.contract.send("trade", raw)


@pytest.mark.property("P-90")
@pytest.mark.parametrize("side", ["plus", "minus"])
def test_a_trades_fee_is_at_most_five_dollars(world, side):
    """Else a fee takes cash out of an account that must not withdraw it; the largest one is paid, to the last unit."""
    first, second, epoch = world.pair()
    fees = (5 * USDC, 0) if side == "plus" else (0, 5 * USDC)
    request = world.make_trade(first, second, epoch, fees=fees)
    assert refused("FeeTooLarge", world.house.trade, change_side(request, side, fee=5 * USDC + 1)) == {
        "fee": 5 * USDC + 1,
        "limit": 5 * USDC,
    }
    before = world.house.get_fees(world.submitter)
    world.house.trade(request, sender=world.submitter)
    assert world.house.get_fees(world.submitter) == before + 5 * USDC


@pytest.mark.property("P-39")
@pytest.mark.parametrize("field", ["cash", "fee"])
def test_typed_amounts_stay_below_their_limit(world, field):
    request = replace(world.make_deposit(world.alice, USDC), **{field: LIMIT})
    assert refused("AmountTooLarge", world.house.deposit, request) == {"amount": LIMIT, "limit": LIMIT}


def test_the_largest_amount_is_still_accepted(world):
    world.fund(world.alice, LIMIT - 1)
    world.house.deposit(world.make_deposit(world.alice, LIMIT - 1))


def test_a_fee_above_the_amount_is_refused(world):
    request = replace(world.make_deposit(world.alice, USDC), fee=2 * USDC)
    assert refused("FeeAboveAmount", world.house.deposit, request) == {"fee": 2 * USDC, "cash": USDC}


@pytest.mark.property("P-39")
@pytest.mark.parametrize(
    ("flows", "error"),
    [
        ([(8, 1), (8, 1)], "FlowSlotInvalid"),
        ([(8, 1), (0, 1)], "FlowSlotInvalid"),
        ([(16, 1)], "FlowSlotInvalid"),
        ([(8, 0)], "FlowLotsInvalid"),
        ([(8, -1)], "FlowLotsInvalid"),
        ([(8, 2**30 + 1)], "FlowLotsInvalid"),
        ([(0, 1)], "SlotUnknown"),
        ([(1, 1)], "SlotUnknown"),
    ],
)
def test_flows_are_rising_bounded_and_collateral(world, flows, error):
    given = tuple(Flow(slot=slot, lots=lots) for slot, lots in flows)
    action = world.draft(ActionKind.DEPOSIT, world.alice, flows=given)
    refused(error, world.submit, world.alice, action)


def test_the_largest_flow_is_still_accepted(world):
    world.fund(world.alice, weth=2**30 * LOT)
    world.house.deposit(world.make_deposit(world.alice, lots=2**30))


def test_a_withdrawal_names_a_recipient(world):
    first, _, epoch = world.pair()
    request = world.make_withdraw(first, epoch, USDC)
    refused("RecipientZero", world.house.withdraw, replace(request, recipient="0x" + "00" * 20))
    refused("SignatureWrong", world.house.withdraw, replace(request, recipient=world.chain.accounts[8]))
    refused("SignatureWrong", world.house.withdraw, replace(request, cash=2 * USDC))
    refused("SignatureWrong", world.house.withdraw, replace(request, fee=1))


@pytest.mark.parametrize("kind", [ActionKind.WITHDRAW_FLAT, ActionKind.CLOSE])
def test_a_flat_exit_names_a_recipient(world, kind):
    action = world.draft(kind, world.alice, cash_flow=-USDC, recipient="0x" + "00" * 20)
    refused("RecipientZero", world.submit, world.alice, action)
    world.submit(world.alice, action.model_copy(update={"recipient": world.chain.accounts[8]}))


# ------------------------------------------------------------------------------------------------------------- errors
def test_errors_come_in_the_order_that_the_interface_says(world):
    """A withdrawal with everything wrong at once: each fault that is mended shows the next one."""
    registry, party, old = world.venue.registry, world.alice, world.post()
    registry.register(replace(world.material, transition_hash=keccak(b"second key")))
    foreign = world.post(key_hash=keccak(b"second key"))
    world.chain.travel(30)
    epoch = world.post()
    world.house.cure(world.make_cure(party, epoch))
    held = world.vault.get_held(world.cash.address)
    action = world.draft(ActionKind.WITHDRAW, party, epoch, cash_flow=-held - 1)
    good = ActionRequest.from_action(action, world.prove(action), world.sign(party, action), epoch.epoch_points)
    faults = [
        ("StatusWrong", {"account": bytes(32)}),
        ("DeadlinePassed", {"deadline": 1}),
        ("SubmitterWrong", {"submitter": world.chain.accounts[7]}),
        ("CommitmentStale", {"commitment_old": 1}),
        ("AmountTooLarge", {"cash": LIMIT}),
        ("RecipientZero", {"recipient": ZERO_ADDRESS}),
        ("EpochUnknown", {"epoch": EpochPoint(epoch.message.number + 1, 0, 0, ())}),
        ("KeyVersionWrong", {"epoch": EpochPoint(foreign.message.number, 0, 0, ())}),
        ("PointsMismatch", {"epoch": EpochPoint(epoch.message.number, 0, 0, ())}),
        ("EpochOlderThanProof", {"epoch": old.epoch_points.select("withdraw")}),
        ("FlowSlotInvalid", {"flows": (Flow(slot=world.preset.slots, lots=1),)}),
        ("FlowLotsInvalid", {"flows": (Flow(slot=0, lots=1),)}),
        ("SignatureWrong", {"signature": b""}),
        ("ProofRejected", {"proof": tamper(good.proof)}),
        ("HeldTooLow", {}),
    ]
    for place, (error, _) in enumerate(faults):
        changes = {name: value for _, change in reversed(faults[place:]) for name, value in change.items()}
        refused(error, world.house.withdraw, replace(good, **changes))
    text = read_sources()["interfaces/IClearingHouse.sol"]
    listed = re.findall(r"`(\w+)`", text.partition("in this order:")[2].partition("`FieldNotTaken`")[0])
    names = [error for error, _ in faults]
    assert [name for name in listed if name in names] == names


# ------------------------------------------------------------------------------------------------------- wallets,
# digests
@pytest.mark.property("P-50")
def test_a_contract_wallet_acts_by_erc_1271(world):
    owner = make_wallet("contract owner")
    wallet, _ = deploy_contract(world.chain, "TestWallet", owner.address)
    party = world.open("contract owner", auth=wallet.address)
    assert world.house.get_account(party.id).auth == wallet.address
    world.fund(party, 10 * USDC)
    request = world.make_deposit(party, 10 * USDC)
    refused(
        "SignatureWrong", world.house.deposit, replace(request, signature=world.make_deposit(world.alice, 1).signature)
    )
    world.house.deposit(request)


def test_a_key_signs_though_its_address_has_code(world):
    """As after a delegation (EIP-7702): the key's signature counts without asking the code, which here refuses all."""
    request = world.make_deposit(world.alice, USDC)
    world.chain._request("anvil_setCode", world.alice.auth, "0x5f5ffd")
    stranger = world.make_deposit(world.bob, USDC).signature
    refused("SignatureWrong", world.house.deposit, replace(request, signature=stranger))
    world.house.deposit(request)


def test_malformed_signatures_are_refused(world):
    request = world.make_deposit(world.alice, USDC)
    r, s, v = request.signature[:32], int.from_bytes(request.signature[32:64], "big"), request.signature[64]
    high = (
        r
        + (115792089237316195423570985008687907852837564279074904382605163141518161494337 - s).to_bytes(32, "big")
        + bytes([55 - v])
    )
    for signature in (b"", b"\0" * 65, request.signature[:64], request.signature + b"\0", high):
        refused("SignatureWrong", world.house.deposit, replace(request, signature=signature))


@pytest.mark.property("P-88")
def test_auth_burns_a_digest_before_use(world):
    action = world.draft(ActionKind.DEPOSIT, world.alice, cash_flow=USDC)
    digest = compute_digest(world.domain, action)
    signature = world.alice.wallet.sign(world.domain, Invalidate(account=world.alice.id, digest=digest))
    refused(
        "SignatureWrong",
        world.house.invalidate_for,
        world.alice.auth,
        0,
        digest,
        world.bob.wallet.sign(world.domain, Invalidate(account=world.alice.id, digest=digest)),
    )
    world.house.invalidate_for(world.alice.auth, world.alice.index, digest, signature)
    assert world.house.is_invalidated(world.alice.id, digest)
    assert refused("DigestInvalidated", world.submit, world.alice, action)["digest"] == digest
    assert world.house.get_account(world.alice.id).status is Status.ACTIVE
    world.house.deposit(world.make_deposit(world.alice, USDC))


@pytest.mark.property("P-88")
def test_a_digest_burned_before_opening_stays_burned(world):
    party, request = world.make_open("carol")
    fields = {"key_version": request.key_version, "commitment_old": request.commitment}
    action = world.draft(ActionKind.DEPOSIT, party, **fields)
    digest = compute_digest(world.domain, action)
    message = Invalidate(account=party.id, digest=digest)
    world.house.invalidate_for(party.auth, 0, digest, party.wallet.sign(world.domain, message))
    world.house.open(request)
    assert refused("DigestInvalidated", world.submit, party, action)["digest"] == digest
    world.submit(party, world.draft(ActionKind.DEPOSIT, party))


def test_nobody_burns_a_digest_of_somebody_else(world):
    action = world.draft(ActionKind.DEPOSIT, world.alice, cash_flow=USDC)
    digest = compute_digest(world.domain, action)
    world.house.invalidate(world.alice.index, digest, sender=world.chain.accounts[6])
    assert not world.house.is_invalidated(world.alice.id, digest)
    world.submit(world.alice, action)


def test_an_opening_can_be_burned(world):
    party, request = world.make_open("carol")
    world.chain._request("anvil_impersonateAccount", party.auth)
    world.chain._request("anvil_setBalance", party.auth, hex(10**19))
    message = Open(
        account=party.id, auth=party.auth, index=0, key_version=1, generation=0, commitment=request.commitment,
        escrow_hash=_escrow_hash(request), deadline=request.deadline,
    )  # fmt: skip
    world.house.invalidate(0, compute_digest(world.domain, message), sender=party.auth)
    refused("DigestInvalidated", world.house.open, request)
    _, again = world.make_open("carol")
    world.house.open(again)
    assert world.house.get_account(party.id).status is Status.ACTIVE


def _escrow_hash(request):
    return keccak(
        abi_encode(
            ["uint256"] * 4, [request.ephemeral_x, request.ephemeral_y, request.escrowed_key, request.key_version]
        )
    )


# ------------------------------------------------------------------------------------------------------------
# integrators
def test_is_current_follows_the_age_of_the_proof(world):
    first, _, epoch = world.pair()
    world.house.attest(world.make_attest(first, epoch))
    world.chain.travel_to(epoch.message.time + 100)
    assert world.views.is_current(first.id, 100)
    assert not world.views.is_current(first.id, 99)
    assert not world.views.is_current(b"\1" * 32, 10**9)


def test_views_for_integrators_end_with_the_status_and_with_the_key(world):
    """A frozen account, and one under a revoked key, show neither solvency nor a named policy."""
    first, _, epoch = world.pair()
    for name in ("maintenance", "net_delta"):
        world.house.attest(world.make_attest(first, epoch, name))

    def shown():
        return world.views.is_current(first.id, HOUR), world.views.get_attested(first.id, world.point("net_delta"))[0]

    assert shown() == (True, epoch.message.time)
    world.set_status(first, Status.FROZEN)
    assert shown() == (False, 0)
    world.set_status(first, Status.ACTIVE)
    assert shown() == (True, epoch.message.time)
    world.revoke_key()
    assert shown() == (False, 0)


@pytest.mark.parametrize(
    ("name", "interface", "base"),
    [
        ("house", "IClearingHouse", "IAccountBook"),
        ("house", "IAccountDesk", None),
        ("house", "IBatchDesk", None),
        ("views", "IAccountViews", None),
        ("registry", "IKeyRegistry", None),
        ("registry", "IMarginVerifier", None),
        ("wallets", "IWalletSignatures", None),
    ],
)
def test_interfaces_are_announced(world, name, interface, base):
    """An interface's identifier is of its own functions, without those of the one that it extends (ERC-165)."""
    named = {
        "house": world.house.contract,
        "views": world.views.contract,
        "registry": world.venue.registry.contract,
        "wallets": Contract(world.chain, compile_contracts()["WalletSignatures"], world.house.contract.call("WALLETS")),
    }
    contract, identifier = named[name], 0
    for signature in _list_signatures(interface) - (_list_signatures(base) if base else set()):
        identifier ^= int.from_bytes(keccak(text=signature)[:4], "big")
    for selector in (identifier.to_bytes(4, "big"), bytes.fromhex("01ffc9a7")):
        assert contract.call("supportsInterface", selector)
    assert not contract.call("supportsInterface", b"\xff" * 4)


def _list_signatures(interface):
    return {
        f"{item['name']}({','.join(get_abi_input_types(item))})"
        for item in compile_contracts()[interface].abi
        if item["type"] == "function"
    }


def test_the_history_is_what_recovery_takes(world):
    first, second, epoch = world.pair()
    before = len(world.house.read_history())
    world.house.trade(world.make_trade(first, second, epoch, fees=(3, 4)))
    world.house.withdraw(world.make_withdraw(first, epoch, USDC, 2, 5))
    history = world.house.read_history()
    assert isinstance(history[0], Opened) and history[0].account == first.id
    plus, minus, out = history[before:]
    assert (plus.kind, plus.account, plus.side, plus.cash_flow) == (ActionKind.TRADE, first.id, 1, -3)
    assert (minus.account, minus.side, minus.cash_flow, minus.trade_tag) == (second.id, -1, -4, plus.trade_tag)
    assert isinstance(out, Transitioned) and (out.cash_flow, out.flows) == (-USDC - 5, ((world.weth_slot, -2),))
    assert out.commitment_new == world.house.get_account(first.id).commitment


def test_fees_are_pulled_by_the_submitter(world):
    first, second, epoch = world.pair()
    world.house.trade(world.make_trade(first, second, epoch, fees=(30, 40)), sender=world.submitter)
    target = world.chain.accounts[9]
    [payment] = world.vault.find_queued(world.house.collect_fees(target, sender=world.submitter))
    assert (payment.account, payment.recipient, payment.amount) == (bytes(32), target, 70)
    assert world.house.get_fees(world.submitter) == 0
    refused("FeesZero", world.house.collect_fees, target, sender=world.submitter)


def test_fees_are_not_collected_for_nobody(world):
    first, second, epoch = world.pair()
    world.house.trade(world.make_trade(first, second, epoch, fees=(30, 40)), sender=world.submitter)
    refused("RecipientZero", world.house.collect_fees, "0x" + "00" * 20, sender=world.submitter)
    assert world.house.get_fees(world.submitter) == 70


def test_close_ends_current_and_keeps_the_rest(world):
    held = world.vault.get_held(world.cash.address)
    world.submit(world.alice, world.draft(ActionKind.CLOSE, world.alice, cash_flow=-USDC))
    assert not world.views.is_current(world.alice.id, 10**9)
    assert world.vault.get_held(world.cash.address) == held - USDC


# ------------------------------------------------------------------------------------------- what was proved, and when
@pytest.mark.property("P-136")
@pytest.mark.parametrize("kind", [ActionKind.TRADE, ActionKind.WITHDRAW])
def test_an_attestation_at_a_newer_epoch_voids_nothing_that_auth_signed(world, kind):
    """Whoever knows the viewing key can attest, once per epoch; the signed action is at the epoch before."""
    first, second, old = world.pair()
    if kind is ActionKind.TRADE:
        send, request = world.house.trade, world.make_trade(first, second, old)
    else:
        send, request = world.house.withdraw, world.make_withdraw(first, old, USDC)
    world.chain.travel(30)
    new = world.post()
    world.house.attest(world.make_attest(first, new))
    assert world.views.get_proved(first.id).epoch == new.message.number
    send(request)
    proved = world.views.get_proved(first.id)
    assert (proved.epoch, proved.time) == (old.message.number, old.message.time), "of the new state, nothing newer"


@pytest.mark.property("P-43")
def test_no_write_goes_back_to_an_earlier_epoch_though_its_time_be_the_same(world):
    first, _second, old = world.pair()
    new = world.post(time=old.message.time)
    world.house.withdraw(world.make_withdraw(first, new, USDC))
    assert refused("EpochOlderThanProof", world.house.withdraw, world.make_withdraw(first, old, USDC)) == {
        "account": first.id,
        "epoch": old.message.number,
        "provenEpoch": new.message.number,
    }
    world.house.withdraw(world.make_withdraw(first, new, USDC))


@pytest.mark.property("P-131")
def test_what_was_proved_says_which_margin_since_when_and_at_which_epoch(world):
    first, second, epoch = world.pair()
    shown = lambda: world.views.get_proved(first.id)  # noqa: E731
    assert (shown().margin, shown().time, shown().epoch) == ("", 0, 0) and not world.views.is_current(first.id, 10**9)
    for margin, act in (
        ("withdraw", lambda: world.house.withdraw(world.make_withdraw(first, epoch, USDC))),
        ("initial", lambda: world.house.trade(world.make_trade(first, second, epoch))),
        ("maintenance", lambda: world.house.cure(world.make_cure(first, epoch))),
    ):
        act()
        assert (shown().margin, shown().time, shown().epoch) == (margin, epoch.message.time, epoch.message.number)
    before = shown()
    world.house.deposit(world.make_deposit(first, USDC))
    world.submit(first, world.draft(ActionKind.WITHDRAW_FLAT, first, cash_flow=-USDC))
    assert shown() == before, "neither proves margin nor ends a proof that was written"


@pytest.mark.property("P-131")
@pytest.mark.parametrize("change", [{"urgent": True}, {"generation": 1}])
def test_what_was_proved_at_an_epoch_that_was_superseded_does_not_count(world, change):
    first, second, epoch = world.pair()
    world.house.trade(world.make_trade(first, second, epoch))
    for name in ("maintenance", "net_delta"):
        world.house.attest(world.make_attest(first, epoch, name))
    assert world.views.is_current(first.id, HOUR) and world.views.get_attested(first.id, world.point("net_delta"))[0]
    new = world.post(**change)
    assert not world.views.is_current(first.id, HOUR) and world.views.get_proved(first.id).margin == ""
    for name in ("maintenance", "net_delta"):
        assert world.views.get_attested(first.id, world.point(name)) == (0, 0)
    world.house.attest(world.make_attest(first, new))
    assert world.views.is_current(first.id, HOUR)


@pytest.mark.property("P-137")
def test_a_policy_that_changes_its_content_under_its_name_is_seen(world):
    """Another point under the same name at the same time: an attestation of the one is none of the other."""
    first, _, epoch = world.pair()
    lax = replace(world.point("net_delta"), x=to_point(77)[0], y=to_point(77)[1])
    points = tuple(lax if point.name == lax.name else point for point in epoch.points)
    other = world.post(points=points, time=epoch.message.time)
    action = world.draft(ActionKind.ATTEST, first, other, policy_name="net_delta")
    request = ActionRequest.from_action(action, world.prove(action, policy=77), b"", other.epoch_points)
    world.house.attest(request)
    assert world.views.get_attested(first.id, lax) == (other.message.time, other.message.number)
    assert world.views.get_attested(first.id, world.point("net_delta")) == (0, 0)


def test_an_attestation_is_kept_in_one_word(world):
    """Of the same policy again, of another state and another content: the word is written over, and no other is."""
    first, _, _ = world.pair()
    used = []
    for name in ("net_delta", "maintenance", "net_delta", "maintenance"):
        world.chain.travel(30)
        epoch = world.post()
        used.append(world.house.attest(world.make_attest(first, epoch, name)).gas_used)
        world.house.deposit(world.make_deposit(first, 1))
    assert min(used[:2]) - max(used[2:]) > 15_000, "the first time costs a new word"
