"""What the contracts accept of each action and what they refuse, column by column of contracts/actions.json.

A test marked with `cell` holds the contracts to one column in the rows of its kinds. `test_mutations` runs these tests
against contracts with another table, and asks for one that fails.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from tests.support.reverts import refused
from tests.support.simulator import to_point
from tests.support.world import FLAT, HOUR, LOT, POLICIES, STEP, USDC, Party, World, change_side, make_wallet
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.errors import CallInvalid
from zkmargin.contracts.messages import NamedPoint, SignedEpoch
from zkmargin.contracts.requests import NO_EPOCH, ActionRequest, AttestBatch, TradeBatch, TradeRequest
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind, ActionRule, EpochRule, FlowRule, ProvenRule
from zkmargin.prover.messages.fields import ZERO_ADDRESS, encode_policy_name
from zkmargin.prover.messages.records import Action

CASH = 100 * USDC
LOTS = 2
FLOW_LIMIT = 2**30
"""Lots of one slot in one action."""
MAX_AGE = {EpochRule.EXIT: 180, EpochRule.PROOF: 300}
"""Seconds, as a new deployment has them."""


def select(condition: Callable[[ActionRule], bool]) -> tuple[ActionKind, ...]:
    """Kinds whose row meets the condition."""
    return tuple(kind for kind, rule in ACTION_RULES.items() if condition(rule))


ALL = select(lambda rule: True)
SINGLE = select(lambda rule: not rule.has_sides)
INWARD = select(lambda rule: rule.flows is FlowRule.IN)
OUTWARD = select(lambda rule: rule.flows is FlowRule.OUT)
UNMOVING = select(lambda rule: rule.flows is FlowRule.NOTHING)
AT_EPOCH = select(lambda rule: rule.needs_epoch)
WITHOUT_EPOCH = select(lambda rule: not rule.needs_epoch)
STEPPING = select(lambda rule: rule.takes_steps)
RESTING = select(lambda rule: not rule.needs_epoch and not rule.takes_steps)
WRITING = select(lambda rule: rule.writes)
SIGNED = select(lambda rule: rule.needs_signature and not rule.has_sides)
CHOSEN = select(lambda rule: rule.policy is None)
SETTING = select(lambda rule: rule.proven_at is ProvenRule.SET)
KEEPING = select(lambda rule: rule.proven_at is ProvenRule.KEEP)
SCALARS = {"none": 0, "flat": 7_001, **POLICIES}


@dataclass
class Scene:
    """An account with money, and the honest action on it."""

    world: World
    kind: ActionKind
    party: Party
    other: Party
    epoch: SignedEpoch

    def draft(self, **changes) -> Action:
        sign = ACTION_RULES[self.kind].flow_sign
        fields = {"cash_flow": sign * CASH, "flows": self.world.flows(sign * LOTS)}
        return self.world.draft(
            self.kind, self.party, self.epoch if ACTION_RULES[self.kind].needs_epoch else None, **{**fields, **changes}
        )

    def run(self, **proof_changes):
        """Sends the honest action, with a proof of something else if asked."""
        if self.kind is ActionKind.TRADE:
            plus, minus = self.world.draft_sides(self.party, self.other, self.epoch)
            request = self.world.make_trade(self.party, self.other, self.epoch)
            if proof_changes:
                signed = self.world.sign(self.party, plus), self.world.sign(self.other, minus)
                request = replace(request, trade_tag=plus.trade_tag)
                request = change_side(
                    request,
                    "minus",
                    commitment_new=minus.commitment_new,
                    ciphertext=minus.ciphertext,
                    deadline=minus.deadline,
                    proof=self.world.prove(minus),
                    signature=signed[1],
                )
                request = change_side(
                    request,
                    "plus",
                    commitment_new=plus.commitment_new,
                    ciphertext=plus.ciphertext,
                    deadline=plus.deadline,
                    proof=self.world.prove(plus, **proof_changes),
                    signature=signed[0],
                )
            return self.world.house.trade(request, sender=self.world.submitter)
        action = self.draft()
        return self.world.submit(self.party, action, self.epoch, proof=self.world.prove(action, **proof_changes))

    def request(self, **changes) -> ActionRequest:
        """The honest action on one account as a request, with fields of it changed."""
        rule, action = ACTION_RULES[self.kind], self.draft()
        signature = self.world.sign(self.party, action) if rule.needs_signature else b""
        points = self.epoch.epoch_points if rule.needs_epoch else None
        return replace(ActionRequest.from_action(action, self.world.prove(action), signature, points), **changes)

    def act(self, **changes):
        """Sends the honest action on one account, with fields of its request changed."""
        return self.world.send(self.kind, self.request(**changes))

    @property
    def account(self):
        return self.world.house.get_account(self.party.id)


def make_scene(world: World, kind: ActionKind) -> Scene:
    """The prepared accounts of the world at a fresh epoch, which is a step ahead of them for what takes steps."""
    first, second, epoch = world.pair()
    if ACTION_RULES[kind].takes_steps:
        epoch = world.post(generation=1)
    return Scene(world, kind, first, second, epoch)


@pytest.fixture
def scene(world, request):
    return make_scene(world, request.param)


def rows(*kinds):
    """The test runs once for each of the kinds."""
    return pytest.mark.parametrize("scene", kinds, indirect=True, ids=[kind.name.lower() for kind in kinds])


def cell(column, *kinds):
    """`rows`, for a test of one column of the table, which takes nothing but the scene."""

    def mark(test):
        test.column, test.kinds = column, kinds
        return rows(*kinds)(test)

    return mark


def require_not_taken(scene, field, value):
    """A request with a field that the action does not take is refused, and the error names the field."""
    fields = refused("FieldNotTaken", scene.act, **{field: value})
    assert (fields["kind"], fields["field"].rstrip(b"\0").decode()) == (scene.kind, _to_camel(field))


def _to_camel(name):
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def send_batch(scene, changed: Callable[[TradeRequest], TradeRequest] = lambda request: request):
    """The honest action as a batch of one row; `changed` makes another trade of it."""
    world, house = scene.world, scene.world.house.contract
    if scene.kind is ActionKind.TRADE:
        request = changed(world.make_trade(scene.party, scene.other, scene.epoch))
        name, batch = "tradeBatch", TradeBatch.from_requests([request], 1, 0)
    else:
        name, batch = "attestBatch", AttestBatch.from_requests([scene.request()], 1, 0)
    return house.send(name, batch.to_abi(), sender=world.submitter)


# ------------------------------------------------------------------------------------------------------------ side
@pytest.mark.property("P-36")
@cell("sides", *SINGLE)
def test_side_is_zero_so_no_trade_word_enters(scene):
    refused("ProofRejected", scene.run, side=1, tradeTag=scene.world.number(), ciphertext=scene.world.number())
    scene.run()


@rows(*SINGLE)
def test_a_signed_trade_word_does_not_fit_an_action_without_sides(scene):
    if scene.kind is ActionKind.ATTEST:
        action = scene.draft(trade_tag=scene.world.number(), side=1)
        expected = "ProofRejected"
    else:
        action = scene.draft(trade_tag=scene.world.number(), ciphertext=scene.world.number(), side=1)
        expected = "SignatureWrong"
    refused(expected, scene.world.submit, scene.party, action, scene.epoch)


@cell("sides", ActionKind.TRADE)
def test_the_first_side_of_a_trade_is_plus_one(scene):
    for side in (0, -1):
        refused("ProofRejected", scene.run, side=side)
    scene.run()


@cell("sides", ActionKind.TRADE, ActionKind.ATTEST)
def test_a_batch_is_of_sides_where_the_action_is(scene):
    before = scene.account.commitment
    send_batch(scene)
    assert (scene.account.commitment != before) is (scene.kind is ActionKind.TRADE)


# ----------------------------------------------------------------------------------------------------------- flows
@pytest.mark.property("P-36")
@cell("flows", *INWARD)
def test_inward_flows_are_positive(scene):
    action = scene.draft(flows=scene.world.flows(-LOTS))
    assert refused("FlowLotsInvalid", scene.world.submit, scene.party, action, scene.epoch)["lots"] == -LOTS
    scene.run()


@cell("flows", *OUTWARD)
def test_outward_flows_are_negative(scene):
    action = scene.draft(flows=scene.world.flows(LOTS))
    assert refused("FlowLotsInvalid", scene.world.submit, scene.party, action, scene.epoch)["lots"] == LOTS
    scene.run()


@pytest.mark.property("P-39")
@rows(*INWARD, *OUTWARD)
def test_no_more_lots_flow_than_a_lane_leaves_room_for(scene):
    """L3 of docs/protocol.md rests on this bound, inward and outward; a proof of more would be accepted."""
    world, sign = scene.world, ACTION_RULES[scene.kind].flow_sign
    world.deposit(scene.other, lots=FLOW_LIMIT)
    world.fund(scene.party, weth=FLOW_LIMIT * LOT)
    action = scene.draft(flows=world.flows(sign * (FLOW_LIMIT + 1)))
    fields = refused("FlowLotsInvalid", world.submit, scene.party, action, scene.epoch)
    assert (fields["lots"], fields["limit"]) == (sign * (FLOW_LIMIT + 1), FLOW_LIMIT)
    world.submit(scene.party, scene.draft(flows=world.flows(sign * FLOW_LIMIT)), scene.epoch)


@rows(*INWARD, *OUTWARD)
def test_the_proof_is_bound_to_cash_and_lots(scene):
    for change in ({"cashFlow": CASH + 1}, {"flow": [0] * scene.world.preset.slots}):
        refused("ProofRejected", scene.run, **change)


@rows(ActionKind.TRADE, *UNMOVING)
def test_nothing_flows_but_the_fee(scene):
    flow = [0] * scene.world.preset.slots
    flow[scene.world.weth_slot] = 1
    for change in ({"cashFlow": 1}, {"flow": flow}):
        refused("ProofRejected", scene.run, **change)


@cell("flows", *UNMOVING)
def test_what_moves_nothing_pays_no_fee(scene):
    require_not_taken(scene, "cash", CASH)
    require_not_taken(scene, "fee", 1)
    require_not_taken(scene, "recipient", scene.world.submitter)
    for lots in (LOTS, -LOTS):
        assert refused("FlowLotsInvalid", scene.act, flows=scene.world.flows(lots))["kind"] == scene.kind
    scene.act()


@cell("flows", *INWARD)
def test_what_comes_in_has_no_recipient(scene):
    require_not_taken(scene, "recipient", scene.world.submitter)
    scene.act()


@cell("flows", *OUTWARD)
def test_what_goes_out_has_a_recipient(scene):
    refused("RecipientZero", scene.act, recipient=ZERO_ADDRESS)
    scene.act()


@cell("flows", ActionKind.TRADE)
def test_a_trade_takes_each_sides_fee_out_of_its_cash(scene):
    world = scene.world
    request = world.make_trade(scene.party, scene.other, scene.epoch, fees=(3, 4))
    world.house.trade(request, sender=world.submitter)
    assert world.house.get_fees(world.submitter) == 7


# ---------------------------------------------------------------------------------------------------------- policy
@pytest.mark.property("P-36")
@cell("policy", *ALL)
def test_only_the_actions_own_policy_is_taken(scene):
    own = ACTION_RULES[scene.kind].policy or "maintenance"
    for name, scalar in SCALARS.items():
        if name != own:
            refused("ProofRejected", scene.run, policy=scalar)
    scene.run(policy=SCALARS[own])


@rows(*(kind for kind in SINGLE if kind not in CHOSEN))
def test_a_policy_is_named_only_where_the_caller_chooses(scene):
    require_not_taken(scene, "policy", encode_policy_name("maintenance"))
    scene.act()


@rows(ActionKind.ATTEST)
def test_an_attestation_may_name_any_policy_of_the_epoch_and_no_other(scene):
    world = scene.world
    world.house.attest(world.make_attest(scene.party, scene.epoch, "net_delta"))
    with pytest.raises(CallInvalid, match="policy"):
        world.make_attest(scene.party, scene.epoch, "flat")
    flat = NamedPoint(encode_policy_name("flat"), *to_point(FLAT))
    forged = replace(scene.epoch, points=tuple(sorted((*scene.epoch.points, flat))))
    refused("PointsMismatch", world.house.attest, world.make_attest(scene.party, forged, "flat"))


# ------------------------------------------------------------------------------------------------------- signature
@pytest.mark.property("P-36", "P-57")
@cell("signature", *SIGNED)
def test_auth_signs(scene):
    action = scene.draft()
    stranger = make_wallet("stranger").sign(scene.world.domain, action)
    refused("SignatureWrong", scene.world.submit, scene.party, action, scene.epoch, signature=stranger)
    scene.run()


@cell("signature", ActionKind.TRADE)
def test_both_sides_of_a_trade_sign(scene):
    request = scene.world.make_trade(scene.party, scene.other, scene.epoch)
    for side, other in (("plus", "minus"), ("minus", "plus")):
        forged = change_side(request, side, signature=getattr(request, other).signature)
        assert refused("SignatureWrong", scene.world.house.trade, forged)["account"] == getattr(request, side).account


@cell("signature", ActionKind.TRADE)
def test_both_sides_of_a_batched_trade_sign(scene):
    for side, other in (("plus", "minus"), ("minus", "plus")):
        forge = lambda request: change_side(request, side, signature=getattr(request, other).signature)  # noqa: E731, B023
        refused("BatchEmpty", send_batch, scene, forge)
    send_batch(scene)


@cell("signature", ActionKind.ATTEST)
def test_a_batched_attestation_needs_no_signature(scene):
    send_batch(scene)
    assert scene.world.views.is_current(scene.party.id, HOUR)


@cell("signature", ActionKind.ATTEST)
def test_an_attestation_needs_no_signature(scene):
    require_not_taken(scene, "signature", scene.world.sign(scene.party, scene.draft()))
    assert scene.request().signature == b""
    scene.act()


# -------------------------------------------------------------------------------------------------------- writes C
@cell("writes", *WRITING)
def test_the_new_commitment_is_stored(scene):
    before = scene.account.commitment
    refused("ProofRejected", scene.run, write=0)
    scene.run()
    assert scene.account.commitment != before


@pytest.mark.property("P-36")
@cell("writes", ActionKind.ATTEST)
def test_an_attestation_writes_no_commitment(scene):
    before = scene.account
    for change in ({"write": 1}, {"commitmentNew": scene.world.number()}):
        refused("ProofRejected", scene.run, **change)
    require_not_taken(scene, "commitment_new", scene.world.number())
    scene.run()
    assert (scene.account.commitment, scene.account.generation) == (before.commitment, before.generation)


# -------------------------------------------------------------------------------------------------------- provenAt
@pytest.mark.property("P-36")
@cell("provenAt", *KEEPING)
def test_proven_at_stays(scene):
    world = scene.world
    world.submit(scene.party, world.draft(ActionKind.CURE, scene.party, scene.epoch), scene.epoch)
    world.chain.travel(HOUR)
    scene.epoch = world.post(**({"generation": 2} if scene.kind in STEPPING else {}))
    before = scene.account
    assert before.proven_at
    scene.run()
    lineage = scene.epoch.message.number if scene.kind in STEPPING else before.proven_epoch
    assert (scene.account.proven_at, scene.account.proven_epoch) == (before.proven_at, lineage)


@pytest.mark.property("P-43")
@cell("provenAt", *SETTING)
def test_proven_at_becomes_the_epochs_time_and_an_older_epoch_is_refused(scene):
    world = scene.world
    old = scene.epoch
    world.chain.travel(60)
    scene.epoch = world.post()
    scene.run()
    assert scene.account.proven_at == scene.epoch.message.time > old.message.time
    world.fund(scene.party, CASH, LOTS * LOT)
    scene.epoch = old
    refused("EpochOlderThanProof", scene.run)


@cell("provenAt", ActionKind.ATTEST)
def test_an_attestation_keeps_the_time_of_the_last_write_and_has_one_of_its_own(scene):
    world, old = scene.world, scene.epoch
    world.chain.travel(60)
    scene.epoch = world.post()
    scene.run()
    assert scene.account.proven_at == scene.account.proven_epoch == 0
    later, scene.epoch = scene.epoch, old
    scene.run()  # at an older epoch, which displaces nothing
    shown = world.views.get_proved(scene.party.id)
    assert (shown.margin, shown.time, shown.epoch) == ("maintenance", later.message.time, later.message.number)
    assert world.views.get_attested(scene.party.id, world.point("maintenance")) == (
        later.message.time,
        later.message.number,
    )


@rows(ActionKind.ATTEST)
def test_a_named_policy_at_an_older_epoch_does_not_lower_its_time(scene):
    world, old = scene.world, scene.epoch
    world.chain.travel(60)
    new = world.post()
    world.house.attest(world.make_attest(scene.party, new, "net_delta"))
    world.house.attest(world.make_attest(scene.party, old, "net_delta"))
    time, number = world.views.get_attested(scene.party.id, world.point("net_delta"))
    assert (time, number) == (new.message.time, new.message.number) and time > old.message.time


@rows(ActionKind.ATTEST)
def test_a_named_policy_is_no_solvency(scene):
    world, epoch = scene.world, scene.epoch
    world.house.attest(world.make_attest(scene.party, epoch, "net_delta"))
    assert not world.views.is_current(scene.party.id, HOUR) and world.views.get_proved(scene.party.id).margin == ""
    assert world.views.get_attested(scene.party.id, world.point("net_delta")) == (
        epoch.message.time,
        epoch.message.number,
    )
    assert world.views.get_attested(scene.party.id, world.point("initial")) == (0, 0)


# ----------------------------------------------------------------------------------------------- epoch, pause, status
@cell("epoch", *AT_EPOCH)
def test_a_stale_epoch_is_refused(scene):
    age = MAX_AGE[ACTION_RULES[scene.kind].epoch]
    scene.world.chain.travel_to(scene.epoch.message.time + age + 1)
    assert refused("EpochStale", scene.run)["maxAge"] == age


@pytest.mark.property("P-49")
@cell("epoch", *WITHOUT_EPOCH)
def test_no_epoch_is_needed(scene):
    scene.world.chain.travel(30 * 24 * 3600)
    scene.run()


@rows(*WITHOUT_EPOCH)
def test_no_epoch_is_taken_where_none_is_needed(scene):
    for given in (
        replace(NO_EPOCH, **change) for change in ({"number": 1}, {"x": 1}, {"y": 1}, {"path": (bytes(32),)})
    ):
        require_not_taken(scene, "epoch", given)
    scene.act()


@pytest.mark.property("P-49")
@cell("paused", *ALL)
def test_pause(scene):
    scene.world.oracle.pause()
    if ACTION_RULES[scene.kind].while_paused:
        scene.run()
    else:
        assert refused("ActionPaused", scene.run)["kind"] == int(scene.kind)
        scene.world.oracle.unpause()
        scene.run()


@pytest.mark.property("P-89")
@rows(*ALL)
def test_a_revoked_key_stops_every_action(scene):
    """Flat exits included: it is the brake for a broken circuit."""
    mark = scene.world.chain.snapshot()
    scene.world.revoke_key()
    assert refused("KeyIsRevoked", scene.run) == {"version": 1}
    scene.world.chain.revert(mark)
    scene.run()


@cell("closes", *ALL)
def test_an_account_is_closed_by_what_closes_it_and_by_nothing_else(scene):
    scene.run()
    assert scene.account.status is (Status.CLOSED if ACTION_RULES[scene.kind].closes else Status.ACTIVE)


@rows(*ALL)
def test_a_closed_account_does_nothing_more(scene):
    world = scene.world
    world.submit(scene.party, world.draft(ActionKind.CLOSE, scene.party))
    assert scene.account.status is Status.CLOSED
    assert refused("StatusWrong", scene.run)["status"] == Status.CLOSED


@cell("frozen", *ALL)
def test_frozen(scene):
    """Only what the table lets a frozen account do."""
    scene.world.set_status(scene.party, Status.FROZEN)
    if ACTION_RULES[scene.kind].while_frozen:
        scene.run()
    else:
        assert refused("StatusWrong", scene.run)["status"] == Status.FROZEN
        scene.world.set_status(scene.party, Status.ACTIVE)
        scene.run()


@cell("frozen", ActionKind.TRADE, ActionKind.ATTEST)
def test_frozen_in_a_batch(scene):
    scene.world.set_status(scene.party, Status.FROZEN)
    if ACTION_RULES[scene.kind].while_frozen:
        send_batch(scene)
    else:
        refused("BatchEmpty", send_batch, scene)


@rows(ActionKind.TRADE)
def test_a_frozen_counterparty_does_not_trade_either(scene):
    scene.world.set_status(scene.other, Status.FROZEN)
    assert refused("StatusWrong", scene.run)["account"] == scene.other.id


# -------------------------------------------------------------------------------------------------------- generation
@pytest.mark.property("P-42")
@rows(*SETTING)
def test_a_step_of_generation_uses_its_settlement_and_moves_the_account(scene):
    scene.epoch = scene.world.post(generation=1)
    refused("ProofRejected", scene.run, settlement=0)
    scene.run()
    assert scene.account.generation == 1


@rows(ActionKind.ATTEST)
def test_an_attestation_over_a_step_uses_its_settlement_and_does_not_move_the_account(scene):
    scene.epoch = scene.world.post(generation=1)
    refused("ProofRejected", scene.run, settlement=0)
    scene.run()
    assert scene.account.generation == 0


@cell("epoch", *STEPPING)
def test_a_roll_uses_the_point_of_its_steps_and_moves_the_account(scene):
    for settlement in (0, STEP + 2):
        refused("ProofRejected", scene.run, settlement=settlement)
    scene.run()
    assert scene.account.generation == 1


@pytest.mark.property("P-42")
@rows(*AT_EPOCH)
def test_two_steps_at_once_are_refused(scene):
    scene.world.post(generation=1)
    scene.world.chain.travel(HOUR)
    scene.epoch = scene.world.post(generation=2)
    assert refused("GenerationWrong", scene.run)["generation"] == 2


@cell("epoch", *RESTING)
def test_constant_policies_leave_the_generation(scene):
    scene.world.post(generation=1)
    scene.run()
    assert scene.account.generation == 0


# ------------------------------------------------------------------------------------------------------------ events
@rows(*INWARD, *OUTWARD)
def test_the_event_of_an_action_says_what_was_signed(scene):
    """At a step of generation where the action takes one, with a fee, which the submitter has earned."""
    world = scene.world
    scene.epoch = world.post(generation=1)
    action = scene.draft(cash_flow=ACTION_RULES[scene.kind].flow_sign * CASH - 5, fee=5)
    (event,) = world.house.contract.decode_logs(world.submit(scene.party, action, scene.epoch), "Flowed")
    assert {**event, "flows": [dict(flow) for flow in event["flows"]]} == {
        "account": scene.party.id,
        "kind": scene.kind,
        "commitment": action.commitment_new,
        "cashFlow": action.cash_flow,
        "flows": [{"slot": flow.slot, "lots": flow.lots} for flow in action.flows],
        "epoch": scene.epoch.message.number if scene.kind in AT_EPOCH else 0,
        "generation": int(scene.kind in AT_EPOCH),
        "recipient": action.recipient,
        "fee": 5,
        "submitter": world.submitter,
    }
    assert world.house.get_fees(world.submitter) == 5


@rows(ActionKind.ATTEST)
def test_the_event_of_an_attestation_says_what_was_shown_and_what_stands(scene):
    world, old = scene.world, scene.epoch
    world.chain.travel(60)
    new = world.post()
    for name, epoch in (("maintenance", new), ("maintenance", old), ("net_delta", old)):
        receipt = world.house.attest(world.make_attest(scene.party, epoch, name))
        (event,) = world.house.contract.decode_logs(receipt, "Attested")
        assert dict(event) == {
            "account": scene.party.id,
            "policy": encode_policy_name(name),
            "epoch": epoch.message.number,
            "time": epoch.message.time,
            "pointHash": world.point(name).hash,
            "submitter": world.chain.accounts[0],
        }


@rows(ActionKind.TRADE)
def test_a_trade_moves_both_accounts_and_its_event_says_so(scene):
    world, first, second = scene.world, scene.party, scene.other
    world.chain.travel(60)
    epoch = world.post(generation=1)
    request = world.make_trade(first, second, epoch, fees=(3, 4))
    (event,) = world.house.contract.decode_logs(world.house.trade(request), "Traded")
    for party, side in ((first, request.plus), (second, request.minus)):
        stored = world.house.get_account(party.id)
        assert (stored.commitment, stored.generation, stored.proven_at) == (side.commitment_new, 1, epoch.message.time)
    assert dict(event) == {
        "plus": first.id,
        "minus": second.id,
        "epoch": epoch.message.number,
        "generation": 1,
        "tradeTag": request.trade_tag,
        "commitmentPlus": request.plus.commitment_new,
        "ciphertextPlus": request.plus.ciphertext,
        "feePlus": 3,
        "commitmentMinus": request.minus.commitment_new,
        "ciphertextMinus": request.minus.ciphertext,
        "feeMinus": 4,
        "submitter": world.chain.accounts[0],
    }


# -------------------------------------------------------------------------------------------------------------- open
def test_open_stores_what_was_signed(world):
    party, request = world.make_open("carol")
    world.house.open(request, sender=world.submitter)
    stored = world.house.get_account(party.id)
    assert stored.auth.lower() == party.auth.lower()
    assert (stored.status, stored.key_version, stored.generation) == (Status.ACTIVE, 1, 0)
    assert (stored.commitment, stored.proven_at, stored.proven_epoch) == (request.commitment, 0, 0)
    assert not stored.may_hold_derivatives


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"commitment": 5}, "SignatureWrong"),
        ({"ephemeral_x": 5}, "SignatureWrong"),
        ({"escrowed_key": 5}, "SignatureWrong"),
        ({"index": 9}, "SignatureWrong"),
        ({"generation": 1}, "GenerationWrong"),
        ({"key_version": 2}, "SignatureWrong"),
        ({"deadline": 1}, "DeadlinePassed"),
        ({"auth": "0x" + "00" * 20}, "AuthZero"),
    ],
)
def test_open_refuses_what_was_not_signed(world, change, error):
    _, request = world.make_open("carol")
    refused(error, world.house.open, replace(request, **change))


def test_open_needs_the_proof(world):
    party, request = world.make_open("carol")
    _, other = world.make_open("dave")
    refused("ProofRejected", world.house.open, replace(request, proof=other.proof))
    assert world.house.get_account(party.id).status is Status.NONE


def test_open_refuses_the_identity_as_ephemeral_point(world):
    """rho = 0 would make the shared secret known, and with it the viewing key; signed and proved all the same."""
    _, request = world.make_open("carol", ephemeral=(0, 1))
    refused("EphemeralIdentity", world.house.open, request)
    for other in ((1, 1), (0, 2)):  # not on the curve, which only the circuit sees
        world.house.open(world.make_open(f"carol {other}", ephemeral=other)[1])


def test_open_stops_while_paused(world):
    _, request = world.make_open("carol")
    world.oracle.pause()
    refused("ActionPaused", world.house.open, request)


def test_an_account_number_is_used_once_even_after_close(world):
    party = world.open("carol")
    _, again = world.make_open("carol", index=party.index)
    refused("AccountTaken", world.house.open, again)
    world.submit(party, world.draft(ActionKind.CLOSE, party))
    assert refused("AccountTaken", world.house.open, again)["status"] == Status.CLOSED
