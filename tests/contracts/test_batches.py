"""Batches of attestations and of trades: rows that moved are skipped, and one bad proof is enough to refuse all."""

import json
from dataclasses import replace

import pytest
from eth_utils import function_abi_to_4byte_selector

from tests.contracts.test_gas_limits import swap_coordinates
from tests.support import batch_gas
from tests.support.reverts import refused, reverts
from tests.support.world import Party, World, change_side, tamper
from zkmargin.contracts.batches import carry_attestations, carry_trades, find_refused
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.compile import CODE_LIMIT, compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.errors import CallInvalid, Reverted
from zkmargin.contracts.requests import AttestBatch, TradeBatch, TradeRequest, TradeSide
from zkmargin.prover.messages.fields import ZERO_ADDRESS
from zkmargin.prover.messages.records import Action


class Crowd:
    """Four funded accounts at one epoch."""

    def __init__(self, world: World):
        self.world = world
        self.parties = [world.alice, world.bob, world.open("carol"), world.open("dave")]
        for party in self.parties[2:]:
            world.deposit(party, 10**6)
        world.chain.travel(15)
        self.epoch = world.post()
        self.deadline = world.deadline()

    def attest(self, policy: str = "maintenance"):
        make = self.world.make_attest
        return [make(party, self.epoch, policy, deadline=self.deadline) for party in self.parties]

    def send_attestations(self, requests, key_version: int = 1, generation: int = 0):
        batch = AttestBatch.from_requests(requests, key_version, generation)
        return self.world.house.contract.send("attestBatch", batch.to_abi(), sender=self.world.submitter)

    def trade(self, plus: Party, minus: Party, commitments=None, fee: int = 3) -> TradeRequest:
        """A trade; `commitments` gives those that the sides start from, by account, and takes the new ones."""
        world, commitments = self.world, {} if commitments is None else commitments
        sides = []
        for action, party in zip(world.draft_sides(plus, minus, self.epoch, (fee, fee)), (plus, minus), strict=True):
            start = commitments.get(party.id, action.commitment_old)
            changed = Action(**{**dict(action), "commitment_old": start})
            commitments[party.id] = changed.commitment_new
            sides.append(TradeSide.from_action(changed, world.prove(changed), world.sign(party, changed)))
            tag = changed.trade_tag
        return TradeRequest(tag, self.epoch.epoch_points.select("initial"), *sides)

    def send_trades(self, requests, key_version: int = 1, generation: int = 0):
        batch = TradeBatch.from_requests(requests, key_version, generation)
        return self.world.house.contract.send("tradeBatch", batch.to_abi(), sender=self.world.submitter)

    def skipped(self, receipt) -> list[int]:
        return [event["row"] for event in self.world.house.contract.decode_logs(receipt, "RowSkipped")]

    def commitment(self, party: Party) -> int:
        return self.world.house.get_account(party.id).commitment


@pytest.fixture
def crowd(world):
    return Crowd(world)


# -------------------------------------------------------------------------------------------------------- attestations
@pytest.mark.parametrize("policy", ["maintenance", "net_delta"])
def test_each_row_counts_as_if_it_came_alone(crowd, policy):
    world, house = crowd.world, crowd.world.house
    receipt = crowd.send_attestations(crowd.attest(policy))
    together = house.contract.decode_logs(receipt, "Attested")
    assert crowd.skipped(receipt) == []
    name = crowd.attest(policy)[0].policy
    kept = [house.contract.call("attestationOf", party.id, name) for party in crowd.parties]
    for request, event, attestation in zip(crowd.attest(policy), together, kept, strict=True):
        [alone] = house.contract.decode_logs(house.attest(request, sender=world.submitter), "Attested")
        assert event == alone
        assert house.contract.call("attestationOf", request.account, name) == attestation
        assert attestation[:2] == (crowd.epoch.message.time, crowd.epoch.message.number)


@pytest.mark.property("P-146")
def test_an_account_that_moved_is_skipped_and_the_rest_goes_on(crowd):
    requests = crowd.attest()
    crowd.world.deposit(crowd.parties[1], 1)
    receipt = crowd.send_attestations(requests)
    assert crowd.skipped(receipt) == [1]
    done = [event["account"] for event in crowd.world.house.contract.decode_logs(receipt, "Attested")]
    assert done == [crowd.parties[place].id for place in (0, 2, 3)]


@pytest.mark.property("P-146")
def test_rows_of_another_status_generation_or_key_are_skipped(crowd):
    world = crowd.world
    with world.under_key(2):
        crowd.parties.append(world.open("under another key"))
    requests = crowd.attest()
    world.set_status(crowd.parties[0], Status.CLOSED)
    assert crowd.skipped(crowd.send_attestations(requests)) == [0, 4]
    assert refused("BatchEmpty", crowd.send_attestations, [requests[0], requests[4]]) == {"rows": 2}
    crowd.epoch = world.post(generation=1)
    moved, stayed = crowd.parties[1:3]
    requests = crowd.attest()[1:3]
    world.house.cure(world.make_cure(moved, crowd.epoch))
    assert crowd.skipped(crowd.send_attestations(requests)) == [0]
    assert world.house.get_account(stayed.id).generation == 0


def test_what_all_rows_share_is_of_the_epoch(crowd):
    requests = crowd.attest()
    fields = refused("KeyVersionWrong", crowd.send_attestations, requests, 2, 0)
    assert fields == {"account": bytes(32), "accountVersion": 2, "epochVersion": 1}
    assert refused("GenerationWrong", crowd.send_attestations, requests, 1, 1)["account"] == bytes(32)


def test_a_batch_of_attestations_is_its_submitters_alone(crowd):
    """P-132 for batches: the proofs are bound to the name, too."""
    world = crowd.world
    requests = [
        world.make_attest(party, crowd.epoch, deadline=crowd.deadline, submitter=world.submitter)
        for party in crowd.parties
    ]
    batch = AttestBatch.from_requests(requests, 1, 0)
    stranger = world.chain.accounts[7]
    assert refused("SubmitterWrong", world.house.contract.send, "attestBatch", batch.to_abi(), sender=stranger) == {
        "account": bytes(32),
        "submitter": world.submitter,
        "sender": stranger,
    }
    anyone = replace(batch, submitter=ZERO_ADDRESS)
    refused("ProofRejected", world.house.contract.send, "attestBatch", anyone.to_abi(), sender=stranger)
    assert crowd.skipped(crowd.send_attestations(requests)) == []


def test_a_frozen_account_attests_in_a_batch_and_does_not_trade_in_one(crowd):
    alice, bob, carol, dave = crowd.parties
    trades = [crowd.trade(alice, bob), crowd.trade(carol, dave)]
    requests = crowd.attest()
    crowd.world.set_status(bob, Status.FROZEN)
    assert crowd.skipped(crowd.send_attestations(requests)) == []
    assert crowd.skipped(crowd.send_trades(trades)) == [0]


@pytest.mark.property("P-146")
@pytest.mark.parametrize("place", range(4))
def test_one_wrong_proof_refuses_all_attestations(crowd, place):
    requests = crowd.attest()
    requests[place] = replace(requests[place], proof=tamper(requests[place].proof))
    refused("ProofRejected", crowd.send_attestations, requests)
    requests[place] = replace(requests[place], proof=swap_coordinates(requests[place].proof))
    refused("ProofMalformed", crowd.send_attestations, requests)


@pytest.mark.property("P-146")
def test_proofs_accounts_and_terms_belong_together(crowd):
    first, second, *rest = crowd.attest()
    swapped = [replace(first, proof=second.proof), replace(second, proof=first.proof), *rest]
    refused("ProofRejected", crowd.send_attestations, swapped)
    moved = [replace(first, account=second.account, commitment_old=second.commitment_old), second]
    refused("ProofRejected", crowd.send_attestations, moved)
    other = crowd.attest("net_delta")[0]
    for changes in ({"deadline": crowd.deadline + 1}, {"policy": other.policy, "epoch": other.epoch}):
        refused("ProofRejected", crowd.send_attestations, [replace(item, **changes) for item in (first, second)])


@pytest.mark.property("P-157")
@pytest.mark.parametrize("skipped", [0, 1])
def test_the_verifier_is_called_as_the_compiler_would_call_it(crowd, skipped):
    """The desk puts the call together itself: decoded and encoded again, as its ABI says, it is the same."""
    world = crowd.world
    alice, bob, carol, dave = crowd.parties
    requests = crowd.attest()
    trades = [crowd.trade(alice, bob), crowd.trade(carol, dave)]
    for party in crowd.parties[:skipped]:
        world.deposit(party, 1)
    verifier = Contract(world.chain, compile_contracts()["MarginVerifier"], world.deployment.margin_verifier)
    abi = world.chain.w3.eth.contract(abi=compile_contracts()["MarginVerifier"].abi)
    selector = "0x" + function_abi_to_4byte_selector(abi.get_function_by_name("verifyMany").abi).hex()
    for name, batch, rows in (
        ("attestBatch", AttestBatch.from_requests(requests, 1, 0), 4 - skipped),
        ("tradeBatch", TradeBatch.from_requests(trades, 1, 0), 4 - 2 * skipped),
    ):
        receipt = world.house.contract.send(name, batch.to_abi(), sender=world.submitter)
        traced = world.chain._request("debug_traceTransaction", receipt.transaction_hash, {"tracer": "callTracer"})
        [data] = [call["input"] for call in _list_calls(traced) if call["input"].startswith(selector)]
        _, arguments = abi.decode_function_input(data)
        assert verifier.encode("verifyMany", *arguments.values()) == data
        assert len(arguments["rows"]) == len(arguments["proofs"]) == rows


def _list_calls(call):
    """A traced call and all below it."""
    return [call, *(inner for part in call.get("calls", []) for inner in _list_calls(part))]


def test_a_row_may_stand_twice(crowd):
    requests = crowd.attest()
    receipt = crowd.send_attestations([requests[0], requests[0], requests[1]])
    assert len(crowd.world.house.contract.decode_logs(receipt, "Attested")) == 3
    refused("ProofRejected", crowd.send_attestations, [requests[0], replace(requests[0], proof=requests[1].proof)])


def test_a_deadline_that_passed_and_a_stale_epoch_stop_all(crowd):
    requests = crowd.attest()
    crowd.world.chain.travel(400)
    refused("EpochStale", crowd.send_attestations, requests)
    crowd.world.chain.travel(3_600)
    refused("DeadlinePassed", crowd.send_attestations, requests)


# -------------------------------------------------------------------------------------------------------------- trades
@pytest.mark.property("P-147")
def test_an_account_trades_several_times_in_one_batch(crowd):
    alice, bob, carol, dave = crowd.parties
    commitments: dict[bytes, int] = {}
    pairs = [(alice, bob), (carol, alice), (alice, dave)]
    requests = [crowd.trade(plus, minus, commitments) for plus, minus in pairs]
    receipt = crowd.send_trades(requests)
    assert crowd.skipped(receipt) == []
    assert {party.id: crowd.commitment(party) for party in crowd.parties} == commitments
    events = crowd.world.house.contract.decode_logs(receipt, "Traded")
    assert [event["tradeTag"] for event in events] == [request.trade_tag for request in requests]
    assert crowd.world.house.get_fees(crowd.world.submitter) == 6 * 3
    stored = crowd.world.house.get_account(alice.id)
    assert stored.proven_at == crowd.epoch.message.time


@pytest.mark.property("P-147")
def test_what_builds_on_a_skipped_trade_is_skipped_and_the_rest_goes_on(crowd):
    alice, bob, carol, dave = crowd.parties
    commitments: dict[bytes, int] = {}
    requests = [crowd.trade(alice, bob, commitments), crowd.trade(bob, carol, commitments)]
    requests.append(crowd.trade(carol, dave))  # from carol's state as it stands
    crowd.world.deposit(alice, 1)
    receipt = crowd.send_trades(requests)
    assert crowd.skipped(receipt) == [0, 1]
    [event] = crowd.world.house.contract.decode_logs(receipt, "Traded")
    assert event["plus"] == carol.id
    assert crowd.world.house.get_fees(crowd.world.submitter) == 2 * 3


@pytest.mark.property("P-147")
@pytest.mark.parametrize("side", ["plus", "minus"])
@pytest.mark.parametrize("cause", ["signature", "burned", "deadline"])
def test_a_side_that_no_longer_counts_skips_its_row(crowd, side, cause):
    alice, bob, carol, dave = crowd.parties
    good, bad = crowd.trade(carol, dave), crowd.trade(alice, bob)
    given = getattr(bad, side)
    if cause == "signature":
        bad = change_side(bad, side, signature=bytes(64) + b"\x1b")
    elif cause == "deadline":
        bad = change_side(bad, side, deadline=crowd.world.chain.time - 1)
    else:
        party = alice if side == "plus" else bob
        digest = crowd.world.house.contract.call  # burned through the digest that the house itself computes
        views = Contract(crowd.world.chain, compile_contracts()["AccountViews"], digest("VIEWS"))
        request = {"tradeTag": bad.trade_tag, **bad.to_abi()}
        burned = dict(zip(("plus", "minus"), views.call("digestsOf", request), strict=True))[side]
        crowd.world.house.contract.send("invalidate", party.index, burned, sender=fund_wallet(crowd, party))
    receipt = crowd.send_trades([bad, good])
    assert crowd.skipped(receipt) == [0]
    assert crowd.commitment(alice) == bad.plus.commitment_old != given.commitment_new
    assert crowd.commitment(carol) == good.plus.commitment_new


@pytest.mark.property("P-138", "P-147")
@pytest.mark.parametrize("side", ["plus", "minus"])
def test_a_side_whose_state_a_revoked_epoch_made_skips_its_row(crowd, side):
    alice, bob, carol, dave = crowd.parties
    bad = crowd.epoch.message.number
    crowd.world.house.cure(crowd.world.make_cure(alice, crowd.epoch))
    crowd.world.oracle.revoke_epochs(bad)
    crowd.epoch = crowd.world.post()
    requests = [crowd.trade(*((alice, bob) if side == "plus" else (bob, alice))), crowd.trade(carol, dave)]
    assert crowd.skipped(crowd.send_trades(requests)) == [0]
    crowd.world.oracle.restore_epochs(bad, bad)
    assert crowd.skipped(crowd.send_trades(requests[:1])) == []


@pytest.mark.property("P-147")
@pytest.mark.parametrize("side", ["plus", "minus"])
def test_a_side_that_proved_at_a_later_epoch_skips_its_row(crowd, side):
    alice, bob, carol, dave = crowd.parties
    later = crowd.world.post()
    crowd.world.house.cure(crowd.world.make_cure(alice, later))
    pair = (alice, bob) if side == "plus" else (bob, alice)
    receipt = crowd.send_trades([crowd.trade(*pair), crowd.trade(carol, dave)])
    assert crowd.skipped(receipt) == [0]
    crowd.epoch = later
    assert crowd.skipped(crowd.send_trades([crowd.trade(*pair)])) == []


@pytest.mark.property("P-147")
def test_over_a_step_each_account_trades_once(crowd):
    """Its first trade takes the step; what comes after it in the batch is of the listing before."""
    alice, bob, carol, dave = crowd.parties
    crowd.epoch = crowd.world.post(generation=1)
    commitments: dict[bytes, int] = {}
    pairs = [(alice, bob), (carol, alice), (carol, dave)]
    requests = [crowd.trade(*pairs[0], commitments), crowd.trade(*pairs[1], commitments), crowd.trade(*pairs[2])]
    assert crowd.skipped(crowd.send_trades(requests)) == [1]
    assert [crowd.world.house.get_account(party.id).generation for party in crowd.parties] == [1] * 4
    assert crowd.commitment(alice) == requests[0].plus.commitment_new


def test_over_a_step_all_attest_and_none_moves(crowd):
    crowd.epoch = crowd.world.post(generation=1)
    assert crowd.skipped(crowd.send_attestations(crowd.attest())) == []
    assert [crowd.world.house.get_account(party.id).generation for party in crowd.parties] == [0] * 4
    assert all(crowd.world.views.is_current(party.id, 600) for party in crowd.parties)


@pytest.mark.property("P-132")
@pytest.mark.parametrize("side", ["plus", "minus"])
def test_a_side_that_names_its_submitter_is_carried_in_by_nobody_else(crowd, side):
    alice, bob, _, _ = crowd.parties
    world = crowd.world
    first, second = world.draft_sides(alice, bob, crowd.epoch, submitter=world.submitter)
    sides = [
        TradeSide.from_action(action, world.prove(action), world.sign(party, action))
        for action, party in ((first, alice), (second, bob))
    ]
    request = TradeRequest(first.trade_tag, crowd.epoch.epoch_points.select("initial"), *sides)
    stranger = world.chain.accounts[7]
    other = change_side(request, "minus" if side == "plus" else "plus", submitter=ZERO_ADDRESS)
    batch = TradeBatch.from_requests([other], 1, 0)
    fields = refused("SubmitterWrong", world.house.contract.send, "tradeBatch", batch.to_abi(), sender=stranger)
    assert fields["account"] == getattr(request, side).account
    assert crowd.skipped(crowd.send_trades([request])) == []


@pytest.mark.property("P-147")
@pytest.mark.parametrize("row", range(2))
@pytest.mark.parametrize("side", ["plus", "minus"])
def test_one_wrong_proof_refuses_all_trades(crowd, row, side):
    alice, bob, carol, dave = crowd.parties
    requests = [crowd.trade(alice, bob), crowd.trade(carol, dave)]
    wrong = tamper(getattr(requests[row], side).proof)
    requests[row] = change_side(requests[row], side, proof=wrong)
    refused("ProofRejected", crowd.send_trades, requests)
    assert crowd.commitment(alice) == requests[0].plus.commitment_old


@pytest.mark.property("P-147")
def test_tags_and_sides_belong_together(crowd):
    alice, bob, carol, dave = crowd.parties
    first, second = crowd.trade(alice, bob), crowd.trade(carol, dave)
    exchanged = [replace(first, trade_tag=second.trade_tag), replace(second, trade_tag=first.trade_tag)]
    refused("BatchEmpty", crowd.send_trades, exchanged)  # auth signed another tag
    refused("BatchEmpty", crowd.send_trades, [replace(first, plus=first.minus, minus=first.plus)])
    refused("SelfTrade", crowd.send_trades, [replace(first, minus=first.plus)])
    crossed = [
        change_side(first, "plus", proof=second.plus.proof),
        change_side(second, "plus", proof=first.plus.proof),
    ]
    refused("ProofRejected", crowd.send_trades, crossed)


def test_the_same_trade_counts_once(crowd):
    request = crowd.trade(*crowd.parties[:2])
    assert crowd.skipped(crowd.send_trades([request, request])) == [1]
    refused("BatchEmpty", crowd.send_trades, [request])


@pytest.mark.parametrize(("function", "fill"), [("attestBatch", "attest"), ("tradeBatch", "trade")])
def test_the_desk_acts_in_the_house_alone(crowd, function, fill):
    world = crowd.world
    desk = Contract(world.chain, compile_contracts()["BatchDesk"], world.house.contract.call("BATCHES"))
    if fill == "attest":
        batch = AttestBatch.from_requests(crowd.attest(), 1, 0)
    else:
        batch = TradeBatch.from_requests([crowd.trade(*crowd.parties[:2])], 1, 0)
    with reverts("OnlyDelegated"):
        desk.send(function, batch.to_abi())


# ------------------------------------------------------------------------------------------------------ the Python face
def test_a_malformed_proof_is_left_out_before_anything_is_sent(crowd):
    requests = crowd.attest()
    requests[2] = replace(requests[2], proof=swap_coordinates(requests[2].proof))
    crowd.world.deposit(crowd.parties[0], 1)
    carried = carry_attestations(crowd.world.house, requests, sender=crowd.world.submitter)
    assert {place: reason.error for place, reason in carried.refused.items()} == {2: "ProofMalformed"}
    assert (len(carried.receipts), carried.skipped) == (1, (0,))
    assert carry_attestations(crowd.world.house, requests[2:3]).receipts == ()


def test_trades_are_carried_and_bad_ones_left_out(crowd):
    alice, bob, carol, dave = crowd.parties
    requests = [crowd.trade(alice, bob), crowd.trade(carol, dave)]
    bad = change_side(requests[0], "minus", proof=tamper(requests[0].minus.proof))
    carried = carry_trades(crowd.world.house, [bad, requests[1]], sender=crowd.world.submitter)
    assert ({place: reason.error for place, reason in carried.refused.items()}, carried.skipped) == (
        {0: "ProofRejected"},
        (),
    )
    assert crowd.commitment(carol) == requests[1].plus.commitment_new


def test_requests_that_do_not_go_together_are_not_sent(crowd):
    requests = crowd.attest()
    with pytest.raises(CallInvalid, match="deadline of a request"):
        carry_attestations(crowd.world.house, [requests[0], replace(requests[1], deadline=1)])
    with pytest.raises(CallInvalid, match="number of requests"):
        carry_trades(crowd.world.house, [])


def fund_wallet(crowd: Crowd, party: Party) -> str:
    """The party's address, as one that the node sends from."""
    crowd.world.chain._request("anvil_setBalance", party.auth, hex(10**18))
    crowd.world.chain._request("anvil_impersonateAccount", party.auth)
    return party.auth


def test_nothing_is_sent_where_all_have_moved(crowd):
    requests = crowd.attest()[:1]
    crowd.world.deposit(crowd.parties[0], 1)
    carried = carry_attestations(crowd.world.house, requests)
    assert (carried.receipts, carried.refused, carried.skipped) == ((), {}, (0,))


def test_accounts_of_several_listings_are_carried_by_listing(crowd):
    """Whatever the first account's listing is; each batch holds accounts of one."""
    world = crowd.world
    world.chain.travel(3_700)
    world.post(generation=1)
    world.house.roll(world.make_roll(crowd.parties[0]), 1)
    crowd.epoch, crowd.deadline = world.post(), world.deadline()
    carried = carry_attestations(world.house, crowd.attest(), sender=world.submitter)
    assert (len(carried.receipts), carried.refused, carried.skipped) == (2, {}, ())
    done = [event for receipt in carried.receipts for event in world.house.contract.decode_logs(receipt, "Attested")]
    assert {event["account"] for event in done} == {party.id for party in crowd.parties}


@pytest.mark.parametrize("fault", ["EpochStale", "SubmitterWrong"])
def test_what_all_rows_share_is_no_rows_fault(crowd, fault):
    """A stale epoch, or another's batch, is asked about once, not once for each row, and is named."""
    requests, calls = crowd.attest(), []
    if fault == "EpochStale":
        crowd.world.chain.travel(400)
    else:
        requests = [replace(request, submitter=crowd.world.funder) for request in requests]
    house = crowd.world.house
    plain = house.contract.call
    house.contract.call = lambda name, *arguments, **more: (calls.append(name), plain(name, *arguments, **more))[1]
    carried = carry_attestations(house, requests)
    assert [reason.error for reason in carried.refused.values()] == [fault] * 4 and carried.receipts == ()
    assert calls.count("attestBatch") == 1


@pytest.mark.parametrize("faults", [set(), {0}, {31}, {3, 4, 17}, set(range(32))], ids=str)
def test_rows_at_fault_are_found_by_halves(faults):
    """Each builds on the ones before it, so that the order is kept; one fault costs few simulations."""
    tried: list[list[int]] = []

    def simulate(chosen):
        tried.append(list(chosen))
        if faults.intersection(chosen):
            raise Reverted("ProofRejected", {}, "tradeBatch")

    assert find_refused(range(32), simulate).keys() == faults
    assert all(chosen == sorted(chosen) for chosen in tried)
    assert len(tried) <= 1 + 2 * 5 * len(faults)


# ---------------------------------------------------------------------------------------------------------------- costs
HELD = {("attest", 32): 76_500, ("trade", 8): 190_000}
"""Gas of each row of a batch with that many."""
MISSED = {("attest", 32): 75_000}
"""What was asked for and is not reached: whoever reaches one lowers what is held."""


@pytest.mark.parametrize(("name", "count"), HELD)
def test_batches_cost_what_they_may(name, count):
    each = batch_gas.compute_each(json.loads(batch_gas.LEDGER.read_text())[name], count)
    assert MISSED.get((name, count), 0) < each <= HELD[name, count]


def test_the_desk_of_batches_fits():
    size = compile_contracts()["BatchDesk"].deployed_size
    assert json.loads(batch_gas.LEDGER.read_text())["size"]["BatchDesk"] == size < CODE_LIMIT


@pytest.mark.slow
def test_gas_of_batches_is_what_the_ledger_says():
    """At the numbers of rows that are held, so that no figure of the ledger is only read."""
    counts = {name: tuple(number for kind, number in HELD if kind == name) for name in ("attest", "trade")}
    ledger, measured = json.loads(batch_gas.LEDGER.read_text()), batch_gas.measure(counts["attest"], counts["trade"])
    for name in ("attest", "trade"):
        for count, gas in measured[name].items():
            assert abs(gas - ledger[name][count]) <= ledger[name][count] // 100
