"""What a proof covers is what the contracts settle: no public input is free, in any action.

From an accepted request of each action, one public input is changed at a time: in the proof (it shows more, or
other, than the request says) and in the request (the contract would settle more, or other, than was proved). Either
is refused. Where proof, signature and request agree on another amount, the ledger moves by exactly that amount.
"""

from dataclasses import replace

import pytest

from tests.support.reverts import refused
from tests.support.world import LOT, USDC, World, to_point
from zkmargin.contracts.clearing_house import ENTRY_POINTS
from zkmargin.contracts.errors import AccountStale, Reverted
from zkmargin.contracts.requests import ActionRequest
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind
from zkmargin.prover.messages.records import Action

KINDS = [kind for kind in ENTRY_POINTS if kind is not ActionKind.ROLL]
"""Actions on one account; a roll has tests of its own, in test_roll and test_action_table."""
SIGNALS = ("commitmentOld", "commitmentNew", "tradeTag", "ciphertext", "side", "write", "context", "cashFlow")


def draft(world: World, kind: ActionKind, cash: int = 5 * USDC, lots: int = 2, fee: int = 7):
    """The action, at a fresh epoch if it needs one, with amounts where it takes them."""
    rule = ACTION_RULES[kind]
    epoch = world.post() if rule.needs_epoch else None
    amounts = {}
    if rule.flow_sign:
        flow = rule.flow_sign * cash - fee
        amounts = {"cash_flow": flow, "fee": fee, "flows": world.flows(rule.flow_sign * lots)}
    return world.draft(kind, world.alice, epoch, **amounts), epoch


def make_request(world: World, action: Action, epoch, proof=None) -> ActionRequest:
    rule = ACTION_RULES[ActionKind(action.kind)]
    signature = world.sign(world.alice, action) if rule.needs_signature else b""
    points = epoch.epoch_points if epoch else None
    return ActionRequest.from_action(action, proof or world.prove(action), signature, points)


def send(world: World, action: Action, request: ActionRequest):
    return world.house.act(ActionKind(action.kind), request, sender=world.submitter)


@pytest.mark.property("P-148")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_proof_that_shows_anything_else_is_refused(world, kind):
    action, epoch = draft(world, kind)
    rule = ACTION_RULES[kind]
    now = {"side": 0, "tradeTag": 0, "ciphertext": 0, "write": int(rule.writes)}
    for name in SIGNALS:
        other = {"write": 1 - now["write"], "side": 1}.get(name, 12_345)
        request = make_request(world, action, epoch, world.prove(action, **{name: other}))
        refused("ProofRejected", send, world, action, request)
    for shown in ({"policy": 4_321}, {"settlement": 4_321}):
        refused("ProofRejected", send, world, action, make_request(world, action, epoch, world.prove(action, **shown)))
    send(world, action, make_request(world, action, epoch))


@pytest.mark.property("P-148")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_flow_on_any_slot_that_is_not_settled_is_refused(world, kind):
    """The proof moves one lot more on one slot than the request has the vault move."""
    action, epoch = draft(world, kind)
    for slot in range(world.preset.slots):
        flow = [0] * world.preset.slots
        for item in action.flows:
            flow[item.slot] += item.lots
        flow[slot] += 1
        refused(
            "ProofRejected", send, world, action, make_request(world, action, epoch, world.prove(action, flow=flow))
        )


@pytest.mark.property("P-148")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_request_that_settles_anything_else_is_refused(world, kind):
    action, epoch = draft(world, kind)
    request, rule = make_request(world, action, epoch), ACTION_RULES[kind]
    changes: dict[str, object] = {
        "commitment_new": 777,
        "cash": request.cash + 1,
        "fee": request.fee + 1,
        "deadline": request.deadline + 1,
        "recipient": world.chain.accounts[6],
        "submitter": world.submitter,
        "flows": world.flows((rule.flow_sign or 1) * 3),
        "policy": b"net_delta".ljust(32, b"\0"),
        "account": world.bob.id,
        "commitment_old": 778,
        "proof": (*request.proof[:6], *to_point(99)),
    }
    if rule.needs_signature:
        changes["signature"] = world.sign(world.bob, action)
    for name, value in changes.items():
        assert getattr(request, name) != value, name
        with pytest.raises((Reverted, AccountStale)):
            send(world, action, replace(request, **{name: value}))
    send(world, action, request)


@pytest.mark.property("P-148")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if ACTION_RULES[kind].flow_sign], ids=lambda kind: kind.name)
@pytest.mark.parametrize(("cash", "lots", "fee"), [(5 * USDC, 2, 7), (5 * USDC + 1, 2, 7), (5 * USDC, 3, 7)])
def test_the_ledger_moves_by_exactly_what_was_proved(world, kind, cash, lots, fee):
    vault, house, sign = world.vault, world.house, ACTION_RULES[kind].flow_sign
    tokens = world.cash.address, world.weth.address
    read = lambda: [vault.get_held(token) for token in tokens]  # noqa: E731
    before, earned = read(), house.get_fees(world.submitter)
    action, epoch = draft(world, kind, cash, lots, fee)
    send(world, action, make_request(world, action, epoch))
    moved = [after - start for after, start in zip(read(), before, strict=True)]
    assert moved == [sign * cash, sign * lots * LOT]
    assert house.get_fees(world.submitter) - earned == fee
    assert house.get_account(world.alice.id).commitment == action.commitment_new


@pytest.mark.property("P-148")
@pytest.mark.parametrize("side", [0, 1])
def test_a_side_of_a_trade_that_shows_anything_else_is_refused(world, side):
    alice, bob, epoch = world.pair()
    sides = world.draft_sides(alice, bob, epoch)
    honest = world.make_trade(alice, bob, epoch)
    for name in (*SIGNALS, "flow"):
        other = {"write": 0, "side": -sides[side].side, "flow": [1] + [0] * (world.preset.slots - 1)}.get(name, 12_345)
        proofs = [world.prove(action, **({name: other} if place == side else {})) for place, action in enumerate(sides)]
        request = replace(
            honest,
            trade_tag=sides[0].trade_tag,
            plus=type(honest.plus).from_action(sides[0], proofs[0], world.sign(alice, sides[0])),
            minus=type(honest.minus).from_action(sides[1], proofs[1], world.sign(bob, sides[1])),
        )
        refused("ProofRejected", world.house.trade, request, sender=world.submitter)
    world.house.trade(honest, sender=world.submitter)
