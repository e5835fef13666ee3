"""Claims are policies: met exactly where they are true, and admissible under the checks of every other policy."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.proving import make_market_epoch
from zkmargin.engine.account import AccountState
from zkmargin.engine.errors import OutOfRange, UnknownName
from zkmargin.engine.margin.claims import (
    LARGEST_LOTS,
    POSITION_WEIGHT,
    PositionClaim,
    RatioClaim,
    SurvivalClaim,
    load_claims,
    read_claim,
    to_document,
)
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.policy.requirement import measure_requirement
from zkmargin.engine.presets import BITS, MAX_SLOTS

PERPETUAL = "BTC-PERPETUAL"


@pytest.fixture(scope="module")
def house():
    return HouseModel(make_market_epoch().snapshot)


def make_state(house, cash=0, **lots):
    positions = np.zeros(house.snapshot.listing.preset.slots, dtype=np.int64)
    for slot, count in lots.items():
        positions[int(slot[1:])] = count
    return AccountState(positions, cash)


def test_a_lot_outweighs_what_every_account_pays_for_rounding():
    assert MAX_SLOTS << BITS.position < POSITION_WEIGHT


@pytest.mark.property("P-319")
@pytest.mark.parametrize("held", [0, 1, -1, 40, -250, LARGEST_LOTS, -LARGEST_LOTS])
def test_a_position_is_shown_to_the_lot(house, held):
    """The claim holds for the lots that are held and for none beside them, whatever else the account has."""
    others = {"s2": -(2**29), "s5": 2**29, "s12": 7}
    state = make_state(house, -(2**70), s1=held, **others)
    for claimed in {held, held - 1, held + 1, -held, 0}:
        if abs(claimed) <= LARGEST_LOTS:
            policy = PositionClaim(PERPETUAL, claimed, claimed).build(house)
            assert house.meets(policy, state) is (claimed == held)


@pytest.mark.property("P-319")
def test_a_range_has_its_ends(house):
    policy = PositionClaim(PERPETUAL, -5, 30).build(house)
    met = [lots for lots in (-7, -6, -5, 0, 30, 31, 32) if house.meets(policy, make_state(house, s1=lots))]
    assert met == [-5, 0, 30]


@pytest.mark.property("P-319")
def test_a_position_claim_looks_at_one_slot(house):
    """What the rows do not weigh, the proof cannot show."""
    policy = PositionClaim(PERPETUAL, 3, 3).build(house)
    assert np.flatnonzero(policy.positions.any(axis=0)).tolist() == [1]
    full = make_state(house, 0, **{f"s{slot}": -LARGEST_LOTS for slot in range(house.snapshot.listing.preset.slots)})
    assert house.meets(PositionClaim(PERPETUAL, -LARGEST_LOTS, -LARGEST_LOTS).build(house), full), "K_2 decides nothing"
    assert not policy.cash.any() and not policy.helpers.any() and not policy.soft.any()


@pytest.mark.property("P-319")
def test_survival_is_equity_after_the_move(house):
    """One coin of perpetual long loses 20 % of its price; the cash between is decided within rounding."""
    policy = SurvivalClaim(-20).build(house)
    lot = house.marks[1] / 1e6
    moved = house.snapshot.forward[1] * house.snapshot.listing.lot_size[1] * -0.2
    least = -(lot + moved) * 1e6
    assert house.meets(policy, make_state(house, round(least) + 5, s1=1))
    assert not house.meets(policy, make_state(house, round(least) - 5, s1=1))
    assert house.meets(policy, make_state(house, round(-least), s1=-1)) is False, "K_2 is against the account"
    assert house.meets(policy, make_state(house, round(-least) + 5, s1=-1))


@pytest.mark.property("P-319")
@pytest.mark.parametrize(
    ("lots", "rel"),
    [({"s1": 40, "s5": -3}, 1e-6), ({"s1": 40, "s9": -600}, 1e-6), ({"s2": -15}, 2e-2)],
    ids=["grid", "netted", "shortfall"],
)
def test_a_ratio_of_one_is_maintenance_and_a_higher_one_takes_more(house, lots, rel):
    """Grid, netting charge and shortfall are scaled alike; the shortfall's weight is rounded down."""
    state = make_state(house, 10**12, **lots)
    asked = [measure_requirement(RatioClaim(percent).build(house), state) for percent in (100, 150, 200, 300)]
    base = measure_requirement(house.get_policy("maintenance"), state)
    assert asked[0] == pytest.approx(base, abs=2)
    scenarios = asked[2] - asked[0]
    assert scenarios > 0
    assert asked[1] - asked[0] == pytest.approx(scenarios / 2, rel=rel)
    assert asked[3] - asked[0] == pytest.approx(scenarios * 2, rel=rel)


@pytest.mark.property("P-319")
def test_every_shipped_claim_is_a_policy_and_survives_its_document(house):
    claims = load_claims()
    assert claims["survives_20"] == SurvivalClaim(-20)
    for claim in claims.values():
        assert claim.build(house).name.startswith("claim: ")
        assert read_claim(to_document(claim)) == claim


@pytest.mark.parametrize(
    ("document", "error", "reason"),
    [
        ({"kind": "wealth"}, UnknownName, "wealth"),
        ({"kind": "ratio"}, UnknownName, "percent"),
        ({"kind": "ratio", "percent": 150, "more": 1}, UnknownName, "more"),
        ({"kind": "ratio", "percent": 99}, OutOfRange, "99"),
        ({"kind": "ratio", "percent": True}, OutOfRange, "True"),
        ({"kind": "survival", "move_percent": -96}, OutOfRange, "-96"),
        ({"kind": "position", "instrument": PERPETUAL, "least": 4, "most": 3}, OutOfRange, "least"),
        ({"kind": "position", "instrument": PERPETUAL, "least": 0, "most": 2**30}, OutOfRange, "most"),
    ],
)
def test_a_document_that_is_no_claim_is_refused(document, error, reason):
    with pytest.raises(error, match=reason):
        read_claim(document)


def test_what_is_not_listed_is_named(house):
    with pytest.raises(UnknownName, match="DOGE"):
        replace(PositionClaim(PERPETUAL, 0, 0), instrument="DOGE").build(house)
