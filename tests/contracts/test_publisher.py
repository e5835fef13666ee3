"""A publisher signs nothing that it has not computed again: each check is broken alone, from an epoch that passes."""

from dataclasses import replace

import numpy as np
import pytest
from eth_account import Account as EthAccount
from eth_utils import keccak

from zkmargin.contracts.deploy import WETH_LOT
from zkmargin.contracts.errors import MessageInvalid
from zkmargin.contracts.messages import IDENTITY, compute_points_root, make_epoch_message, signer_id, sort_points
from zkmargin.contracts.publisher import Proposal, PublishedEpoch, Publisher
from zkmargin.contracts.registration import RegisteredKey
from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.epoch.succession import RefusedSuccession
from zkmargin.engine.house import House
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.margin.rebuild import PolicyNotRebuilt
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import reduce_to_mini
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.errors import NotImplied, RefusedPolicy
from zkmargin.engine.presets import Split, get_preset
from zkmargin.prover.groth16.keys import load_verifying_key
from zkmargin.prover.groth16.points import compute_policy_point, compute_settlement_point
from zkmargin.prover.messages.typed_data import Domain, compute_digest
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.scripts.setup import set_up

MINI = get_preset("mini")
SNAPSHOT = reduce_to_mini(load_snapshot("deribit_2026-08-22"))
OPTION = 3
UNITS = {MINI.collateral_slots[-1]: WETH_LOT}
DOMAIN = Domain(chain_id=31337, clearing_house="0x" + "11" * 20, risk_oracle="0x" + "22" * 20)
WALLETS = [Wallet.from_key(keccak(text=f"publisher {number}")) for number in range(3)]


@pytest.fixture(scope="module")
def key():
    set_up(["mini"])
    return load_verifying_key("transition", MINI, allow_insecure=True)


@pytest.fixture(scope="module")
def first(key):
    """The first epoch of a venue, urgent, so that its number is carried on."""
    return publish(key, None, House(SNAPSHOT).epoch(5, urgent=True))


@pytest.fixture(scope="module")
def ordinary(key, first):
    return publish(key, first, House(SNAPSHOT).epoch(6))


@pytest.fixture(scope="module")
def step(key, ordinary):
    """An option is delisted: the slot is emptied and pays about its price, 30.6 dollars a lot."""
    return publish(key, ordinary, House(make_later()).epoch(7, settlement=make_settlement()), is_step=True)


def make_settlement() -> ExpiryStep:
    drop, payoff = (np.zeros(MINI.slots, dtype=np.int64) for _ in range(2))
    drop[OPTION], payoff[OPTION] = 1, 30_000_000
    return ExpiryStep(MINI, drop, payoff)


def make_later():
    """The snapshot of the next generation, in which the option's slot is empty."""
    listing = SNAPSHOT.listing
    remaining = tuple(None if item and item.slot == OPTION else item for item in listing.instruments)
    later = replace(listing, generation=listing.generation + 1, instruments=remaining)
    forward, volatility = SNAPSHOT.forward.copy(), SNAPSHOT.volatility.copy()
    forward[OPTION] = volatility[OPTION] = np.nan
    return replace(SNAPSHOT, listing=later, forward=forward, volatility=volatility)


def compute_points(key, epoch):
    return {name: compute_policy_point(key, policy) for name, policy in epoch.policies.items()}


def make_message(key, previous, epoch, *, is_step=False, points=None):
    return make_epoch_message(
        epoch,
        key_hash=key.hash,
        points=points or compute_points(key, epoch),
        is_step=is_step,
        settlement_point=compute_settlement_point(key, epoch.settlement, MINI) if is_step else IDENTITY,
        min_epoch=previous.message.min_epoch if previous else 0,
    )


def publish(key, previous, epoch, *, is_step=False) -> PublishedEpoch:
    """The epoch with its honest message, after the check."""
    message = make_message(key, previous, epoch, is_step=is_step)
    check(key, previous, epoch, message)
    return PublishedEpoch(epoch, message)


def make_publisher(key, wallets=WALLETS, **options) -> Publisher:
    return Publisher(RegisteredKey(1, key), **{"vault_units": UNITS, "domain": DOMAIN, "wallets": wallets, **options})


def check(key, previous, epoch, message, points=None, seen=(), **options):
    proposal = Proposal(epoch, message, points or compute_points(key, epoch))
    make_publisher(key, **options).check(proposal, previous, seen=seen)


# ---------------------------------------------------------------------------------------------------- what is signed
def test_a_quorum_signs_an_epoch_that_passes(key, first, ordinary):
    proposal = Proposal(ordinary.epoch, ordinary.message, compute_points(key, ordinary.epoch))
    signatures = make_publisher(key).sign(proposal, first).signatures
    digest = compute_digest(DOMAIN, ordinary.message)
    recovered = [EthAccount._recover_hash(digest, signature=signature) for signature in signatures]
    assert recovered == sorted((wallet.address for wallet in WALLETS), key=signer_id)


@pytest.mark.property("P-46")
def test_nothing_is_signed_that_fails(key, first, ordinary):
    class Untouched:
        address = WALLETS[0].address

        def sign(self, domain, message):
            raise AssertionError("a publisher signed")

    wrong = ordinary.message.model_copy(update={"policy_hash": bytes(32)})
    with pytest.raises(MessageInvalid, match="policy_hash"):
        make_publisher(key, [Untouched()]).sign(
            Proposal(ordinary.epoch, wrong, compute_points(key, ordinary.epoch)), first
        )


@pytest.mark.parametrize(
    "field",
    [
        "number", "time", "generation", "min_epoch", "snapshot_hash", "policy_hash", "settlement_hash", "key_hash",
        "points_root", "settlement_x", "settlement_y",
    ],
)  # fmt: skip
def test_every_field_is_what_the_data_say(key, ordinary, step, field):
    value = getattr(step.message, field)
    other = keccak(value) if isinstance(value, bytes) else value + (-1 if field == "min_epoch" else 1)
    wrong = step.message.model_copy(update={field: other})
    with pytest.raises(MessageInvalid) as refusal:
        check(key, ordinary, step.epoch, wrong)
    assert refusal.value.field == field


@pytest.mark.property("P-46")
def test_a_point_that_is_not_the_policys_is_not_signed(key, first, ordinary):
    """The forger signs the hash of its own points: only a recomputation notices."""
    points = compute_points(key, ordinary.epoch)
    points["initial"] = points["net_delta"]
    message = make_message(key, first, ordinary.epoch, points=points)
    assert message.points_root == compute_points_root(sort_points(points))
    with pytest.raises(MessageInvalid) as refusal:
        check(key, first, ordinary.epoch, message, points)
    assert refusal.value.field == "points"


def test_policies_pass_the_engines_checks(key, first, ordinary):
    """Ether may be owed for nothing: the data of one policy break a fact of the listing."""
    policy = ordinary.epoch.policies["maintenance"]
    rates = policy.rate_short.copy()
    rates[:, MINI.collateral_slots[-1]] = 1
    policies = {**ordinary.epoch.policies, "maintenance": replace(policy, rate_short=rates)}
    weak = replace(ordinary.epoch, policies=policies)
    with pytest.raises(RefusedPolicy, match="rate_short"):
        check(key, first, weak, make_message(key, first, weak))


def test_initial_margin_implies_maintenance_margin(key, first, ordinary):
    """Each under the name of the other, but for the debt row, whose limit its name decides."""
    policies = dict(ordinary.epoch.policies)
    initial, maintenance = policies["initial"], policies["maintenance"]
    policies["initial"] = replace(maintenance, name="initial", constants=initial.constants)
    policies["maintenance"] = replace(initial, name="maintenance", constants=maintenance.constants)
    swapped = replace(ordinary.epoch, policies=policies)
    with pytest.raises(NotImplied):
        check(key, first, swapped, make_message(key, first, swapped))


def test_the_withdraw_policy_implies_initial_margin(key, first, ordinary):
    """One contingency of withdraw is a micro-dollar lower than that of initial."""
    policy = ordinary.epoch.policies["withdraw"]
    rates = policy.rate_long.copy()
    rates[0, MINI.derivative_slots[0]] -= 1
    weak = replace(ordinary.epoch, policies={**ordinary.epoch.policies, "withdraw": replace(policy, rate_long=rates)})
    with pytest.raises(NotImplied, match="'withdraw'"):
        check(key, first, weak, make_message(key, first, weak))


@pytest.mark.parametrize("missing", ["initial", "maintenance", "withdraw"])
def test_no_solvency_policy_is_missing(key, first, ordinary, missing):
    policies = {name: policy for name, policy in ordinary.epoch.policies.items() if name != missing}
    fewer = replace(ordinary.epoch, policies=policies)
    with pytest.raises(MessageInvalid, match=missing):
        check(key, first, fewer, make_message(key, first, fewer))


@pytest.mark.property("P-46")
@pytest.mark.parametrize("units", [{8: 10 * WETH_LOT}, {8: WETH_LOT + 1}])
def test_lots_of_collateral_are_the_vaults(key, first, ordinary, units):
    with pytest.raises(MessageInvalid, match="lot size of collateral slot"):
        check(key, first, ordinary.epoch, ordinary.message, vault_units=units)


@pytest.mark.property("P-46")
@pytest.mark.parametrize("units", [{}, {9: WETH_LOT}, {0: WETH_LOT}, {0: WETH_LOT, 8: WETH_LOT}])
def test_the_vault_has_the_slots_of_its_tokens(key, first, ordinary, units):
    with pytest.raises(MessageInvalid, match="coins that the vault holds, by slot"):
        check(key, first, ordinary.epoch, ordinary.message, vault_units=units)


def swap_coins() -> MarketSnapshot:
    """Ether in bitcoin's slots and the reverse, with the vault's token in the slot where it always is."""
    btc, eth = MINI.split.shares
    split = Split((replace(eth, in_vault=False), replace(btc, in_vault=True)), MINI.split.netting)
    half, items = MINI.slots // 2, SNAPSHOT.listing.instruments
    moved = [replace(item, slot=slot) for slot, item in enumerate((*items[half:], *items[:half]))]
    moved[half] = replace(moved[half], lot_size=WETH_LOT / 10**18)
    return replace(
        SNAPSHOT,
        listing=replace(SNAPSHOT.listing, preset=replace(MINI, split=split), instruments=tuple(moved)),
        forward=np.roll(SNAPSHOT.forward, half),
        volatility=np.roll(SNAPSHOT.volatility, half),
    )


@pytest.mark.property("P-46")
def test_a_first_epoch_with_swapped_coins_is_not_signed(key):
    """The vault's ether would count as bitcoin; no epoch before it says which slot is whose."""
    refusal = r"coins that the vault holds, by slot is \{8: 'BTC'\}; allowed: \{8: 'ETH'\}"
    with pytest.raises(MessageInvalid, match=refusal):
        publish(key, None, House(swap_coins()).epoch(5, urgent=True))


def test_an_epoch_follows_its_predecessor(key, first):
    """A changed listing within a generation: lots of the old instrument would be lots of another."""
    other = replace(make_later(), listing=replace(make_later().listing, generation=SNAPSHOT.listing.generation))
    epoch = House(other).epoch(6)
    with pytest.raises(RefusedSuccession):
        check(key, first, epoch, make_message(key, first, epoch))


# ------------------------------------------------------------------------------------------------ policies, built again
def change(epoch, name, field, at, by):
    """The epoch with one number of a policy changed, and that number."""
    policy = epoch.policies[name]
    values = np.array(getattr(policy, field), dtype=object if field == "constants" else np.int64)
    values[at] += by
    given = tuple(values.tolist()) if field == "constants" else values
    return replace(epoch, policies={**epoch.policies, name: replace(policy, **{field: given})}), int(values[at])


def find_priced(policy) -> tuple[int, int]:
    """A row and a column with a coefficient on a position."""
    row, column = np.argwhere(policy.positions)[0].tolist()
    return row, column


@pytest.mark.property("P-46")
@pytest.mark.parametrize(("field", "row"), [("positions", None), ("rate_long", 0), ("rate_short", 0)])
def test_a_policy_is_what_the_snapshot_gives(key, first, ordinary, field, row):
    """Rules that pass every check of form, but not the house model's at these prices: one unit is a last bit, two are
    another policy."""
    policy = ordinary.epoch.policies["net_delta"]
    at = find_priced(policy) if row is None else (row, MINI.derivative_slots[0])
    near, _ = change(ordinary.epoch, "net_delta", field, at, 1)
    check(key, first, near, make_message(key, first, near))
    far, value = change(ordinary.epoch, "net_delta", field, at, 2)
    with pytest.raises(PolicyNotRebuilt) as refusal:
        check(key, first, far, make_message(key, first, far))
    error = refusal.value
    assert (error.policy, error.what, (error.row, error.column)) == ("net_delta", field, at)
    assert (error.value, error.expected) == (value, value - 2)
    assert all(str(part) in str(error) for part in ("net_delta", *at, value, value - 2))


def test_what_no_rounding_touches_is_exact(key, first, ordinary):
    row, _ = find_priced(ordinary.epoch.policies["net_delta"])
    wrong, value = change(ordinary.epoch, "net_delta", "constants", row, 1)
    with pytest.raises(PolicyNotRebuilt) as refusal:
        check(key, first, wrong, make_message(key, first, wrong))
    assert (refusal.value.what, refusal.value.row, refusal.value.column) == ("constants", row, None)
    assert (refusal.value.value, refusal.value.expected) == (value, value - 1)


@pytest.mark.property("P-46")
def test_policies_of_another_market_are_not_signed(key, first):
    """Every policy passes and implies the next, but of prices half as high: margin for half the risk."""
    halved = replace(
        SNAPSHOT,
        index={coin: price / 2 for coin, price in SNAPSHOT.index.items()},
        forward=SNAPSHOT.forward / 2,
    )
    wrong = replace(House(SNAPSHOT).epoch(6), policies=House(halved).epoch(6).policies)
    with pytest.raises(PolicyNotRebuilt):
        check(key, first, wrong, make_message(key, first, wrong))


def test_parameters_are_pinned(key, first):
    shipped = load_parameters()
    looser = replace(shipped, delta_limit={coin: 2 * limit for coin, limit in shipped.delta_limit.items()})
    epoch = House(SNAPSHOT, looser).epoch(6)
    with pytest.raises(PolicyNotRebuilt, match="net_delta"):
        check(key, first, epoch, make_message(key, first, epoch))
    check(key, first, epoch, make_message(key, first, epoch), parameters=looser)


def test_no_policy_is_missing_or_added(key, first, ordinary):
    fewer = {name: policy for name, policy in ordinary.epoch.policies.items() if name != "net_delta"}
    more = {**ordinary.epoch.policies, "second": replace(ordinary.epoch.policies["net_delta"], name="second")}
    for policies, name in ((fewer, "net_delta"), (more, "second")):
        wrong = replace(ordinary.epoch, policies=policies)
        with pytest.raises(PolicyNotRebuilt) as refusal:
            check(key, first, wrong, make_message(key, first, wrong))
        assert (refusal.value.policy, refusal.value.what) == (name, "policy")


@pytest.mark.property("P-46")
def test_old_prices_are_not_dated_as_new(key, first):
    late = House(SNAPSHOT).epoch(6, time=SNAPSHOT.time + 61)
    with pytest.raises(RefusedSuccession, match="time"):
        check(key, first, late, make_message(key, first, late))
    check(key, first, late, make_message(key, first, late), max_lag=61)


# ---------------------------------------------------------------------------------------------- urgency and settlement
@pytest.mark.property("P-45")
def test_a_higher_min_epoch_is_signed_unseen(key, first, ordinary):
    """An urgent epoch that this publisher has missed: its number is carried on by a proposal, which is right."""
    epoch = House(SNAPSHOT).epoch(9)
    for lowest in (5, 8, 9):
        check(key, ordinary, epoch, make_message(key, ordinary, epoch).model_copy(update={"min_epoch": lowest}))
    for wrong in (4, 10):
        with pytest.raises(MessageInvalid, match="min_epoch"):
            check(key, ordinary, epoch, make_message(key, ordinary, epoch).model_copy(update={"min_epoch": wrong}))


@pytest.mark.property("P-45")
def test_an_urgent_proposal_seen_is_carried_on(key, ordinary):
    """It was signed and not posted: who has seen it signs nothing that forgets it."""
    urgent = publish(key, ordinary, House(SNAPSHOT).epoch(8, urgent=True))
    epoch = House(SNAPSHOT).epoch(9)
    forgetful = make_message(key, ordinary, epoch)
    check(key, ordinary, epoch, forgetful)
    with pytest.raises(MessageInvalid, match="min_epoch is 5; allowed: 8, the highest seen, to 9"):
        check(key, ordinary, epoch, forgetful, seen=[urgent])
    check(key, ordinary, epoch, forgetful.model_copy(update={"min_epoch": 8}), seen=iter([urgent]))
    assert make_publisher(key).propose(epoch, ordinary, seen=iter([urgent])).message.min_epoch == 8


@pytest.mark.property("P-45")
def test_the_number_of_the_last_urgent_epoch_is_carried_on(key, first, ordinary, step):
    assert [item.message.min_epoch for item in (first, ordinary, step)] == [5, 5, 5]
    dropped = ordinary.message.model_copy(update={"min_epoch": 0})
    with pytest.raises(MessageInvalid, match="min_epoch"):
        check(key, first, ordinary.epoch, dropped)
    with pytest.raises(MessageInvalid, match="min_epoch"):
        make_epoch_message(
            ordinary.epoch, key_hash=key.hash, points=compute_points(key, ordinary.epoch), is_step=False, min_epoch=7
        )


def test_a_step_shows_its_point_and_later_epochs_keep_its_hash(key, ordinary, step):
    point = compute_settlement_point(key, make_settlement(), MINI)
    assert (step.message.settlement_x, step.message.settlement_y) == point != IDENTITY
    later = publish(key, step, House(make_later()).epoch(8, settlement=make_settlement()))
    assert (later.message.settlement_x, later.message.settlement_y) == IDENTITY
    assert later.message.settlement_hash == step.message.settlement_hash != ordinary.message.settlement_hash
    silent = step.message.model_copy(update={"settlement_x": 0, "settlement_y": 0})
    with pytest.raises(MessageInvalid, match="settlement_x"):
        check(key, ordinary, step.epoch, silent)
    with pytest.raises(MessageInvalid, match="settlement_point"):
        make_epoch_message(step.epoch, key_hash=key.hash, points=compute_points(key, step.epoch), is_step=True)


def test_only_a_step_shows_a_point(key, step):
    later = House(make_later()).epoch(8, settlement=make_settlement())
    brought = make_message(key, step, later, is_step=True)
    with pytest.raises(MessageInvalid, match="settlement_x"):
        check(key, step, later, brought)


# ----------------------------------------------------------------------------------------- settlements without an epoch
def drop_slots(generation: int, drop: list[int], payoff: dict[int, int]):
    """An epoch of that generation whose settlement drops the slots; the rest of it does not matter here."""
    arrays = np.zeros(MINI.slots, dtype=np.int64), np.zeros(MINI.slots, dtype=np.int64)
    arrays[0][drop] = 1
    for slot, usd6 in payoff.items():
        arrays[1][slot] = usd6
    snapshot = replace(SNAPSHOT, listing=replace(SNAPSHOT.listing, generation=generation))
    return replace(House(snapshot).epoch(9 + generation), settlement=ExpiryStep(MINI, *arrays))


@pytest.fixture(scope="module")
def four_steps():
    return [
        drop_slots(1, [3], {3: 10}),
        drop_slots(2, [4], {4: 20}),
        drop_slots(3, [3, 5], {3: 7, 5: 30}),
        drop_slots(4, [4], {4: 5}),
    ]


@pytest.mark.property("P-123")
def test_several_steps_are_signed_as_one_vector(key, four_steps):
    """What the first step drops pays what the first step says, whatever a later one pays on that slot."""
    publisher = make_publisher(key)
    message = publisher.propose_settlement(four_steps, number=40)
    drop, payoff = (np.zeros(MINI.slots, dtype=np.int64) for _ in range(2))
    drop[[3, 4, 5]] = 1
    payoff[[3, 4, 5]] = 10, 20, 30
    vector = ExpiryStep(MINI, drop, payoff)
    assert (message.x, message.y) == compute_settlement_point(key, vector, MINI)
    assert (message.from_generation, message.steps, message.number) == (0, 4, 40)
    serving = [compute_settlement_point(key, epoch.settlement, MINI) for epoch in four_steps]
    for wrong in ([], serving[::-1], [*serving[:3], serving[0]]):
        with pytest.raises(MessageInvalid, match="points of the single steps"):
            publisher.sign_settlement(message, four_steps, 40, serving=wrong)
    signed = publisher.sign_settlement(message, four_steps, 40, serving=serving)
    assert signed.vector == vector.to_bytes() and message.settlement_hash == vector.hash
    digest = compute_digest(DOMAIN, message)
    recovered = {EthAccount._recover_hash(digest, signature=signature) for signature in signed.signatures}
    assert recovered == {wallet.address for wallet in WALLETS}


@pytest.mark.property("P-46", "P-123")
@pytest.mark.parametrize("field", ["key_hash", "from_generation", "steps", "number", "settlement_hash", "x", "y"])
def test_a_settlement_that_the_steps_do_not_give_is_not_signed(key, four_steps, field):
    publisher = make_publisher(key)
    message = publisher.propose_settlement(four_steps, number=40)
    serving = [compute_settlement_point(key, epoch.settlement, MINI) for epoch in four_steps]
    value = getattr(message, field)
    wrong = message.model_copy(update={field: keccak(value) if isinstance(value, bytes) else value + 1})
    with pytest.raises(MessageInvalid) as refusal:
        publisher.sign_settlement(wrong, four_steps, 40, serving=serving)
    assert (refusal.value.message, refusal.value.field) == ("Settlement", field)


def test_steps_follow_one_another(key, four_steps):
    publisher = make_publisher(key)
    for steps, what in ((four_steps[:3], "steps"), ([], "steps"), (four_steps[::-1], "generations of the steps")):
        with pytest.raises(MessageInvalid) as refusal:
            publisher.propose_settlement(steps, number=40)
        assert refusal.value.field == what


@pytest.mark.property("P-46")
def test_a_settlement_in_place_of_a_refused_one_is_held_against_the_prices_before(key, ordinary, step):
    publisher = make_publisher(key)
    dear = replace(step.epoch, settlement=replace(make_settlement(), payoff=make_settlement().payoff * 2))
    message = publisher.propose_settlement([dear], number=40)
    with pytest.raises(RefusedSuccession, match="payoff"):
        publisher.sign_settlement(message, [dear], 40, before=ordinary.epoch)
    near = replace(
        step.epoch, settlement=replace(make_settlement(), payoff=make_settlement().payoff + make_settlement().drop)
    )
    publisher.sign_settlement(publisher.propose_settlement([near], number=40), [near], 40, before=ordinary.epoch)
    with pytest.raises(RefusedSuccession, match="generation"):
        publisher.sign_settlement(publisher.propose_settlement([near], number=40), [near], 40, before=step.epoch)


@pytest.mark.parametrize("is_step", [False, True])
def test_settlement_bytes_travel_with_the_point(key, ordinary, step, is_step):
    previous = ordinary if is_step else step
    epoch = step.epoch if is_step else House(make_later()).epoch(8, settlement=make_settlement())
    publisher = make_publisher(key)
    signed = publisher.sign(publisher.propose(epoch, previous, is_step=is_step), previous)
    assert signed.settlement == (epoch.settlement_bytes if is_step else b"")
    assert (signed.message.settlement_x != 0) is is_step
    assert signed.message.settlement_hash == epoch.settlement_hash and len(signed.signatures) == 3
