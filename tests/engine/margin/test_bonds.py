"""Zero-coupon bonds of the cash token: valuation, their charge, and what a borrower and a lender may do with them."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.engine.margin.test_debt import Venue, find_failing_rows
from tests.support.house import get_snapshot, make_state, to_fields
from zkmargin.engine.account import AccountState
from zkmargin.engine.house import House
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.margin.stress import Stress
from zkmargin.engine.market.listings import list_bonds
from zkmargin.engine.market.valuation import greeks_per_lot, price_per_lot
from zkmargin.engine.policy.checks import check_policy
from zkmargin.engine.policy.errors import DebtForm
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import get_preset
from zkmargin.engine.units import USD6

MINI = get_preset("mini")
WETH, BOND, FUTURE = MINI.collateral_slots[1], 7, 2
DEBT = Layout(MINI).debt
LEVELS = ("initial", "maintenance")
PARAMETERS = load_parameters()


@cache
def get_bond_house() -> House:
    """16 slots with a bond of the future's expiry in the last BTC slot, where an option stood."""
    snapshot = get_snapshot("mini")
    return House(list_bonds(snapshot, {BOND: snapshot.listing.at(FUTURE).expiry}))


SNAPSHOT = get_bond_house().snapshot
YEARS = float(SNAPSHOT.years[BOND])
FACTOR = SNAPSHOT.index["BTC"] / float(SNAPSHOT.forward[FUTURE])


def test_a_bond_is_worth_its_discount_factor():
    assert SNAPSHOT.listing.at(BOND).name == "USDC-25JUN27"
    assert FACTOR < 1 and SNAPSHOT.forward[BOND] == round(FACTOR, 6)
    assert price_per_lot(SNAPSHOT)[BOND] == 100 * SNAPSHOT.forward[BOND]


def test_a_bond_follows_no_coin():
    moved = price_per_lot(SNAPSHOT, forward_shift=np.array([[-0.5], [2.0]]), volatility=3.0)
    assert (moved[:, BOND] == price_per_lot(SNAPSHOT)[BOND]).all()
    assert all(part[BOND] == 0 for part in greeks_per_lot(SNAPSHOT))
    house = get_bond_house()
    after = Stress("crash", others=-0.3).apply(SNAPSHOT, house.shortfall.scenarios.decay)
    assert after.forward[BOND] == SNAPSHOT.forward[BOND]
    assert house.exposures[BOND] == 0
    still = [cell.days == 0 for cell in house.grid.cells["BTC"]]
    assert (house.grid_pnl[still, BOND] == 0).all()


def test_time_takes_a_bond_to_its_face():
    factor = float(SNAPSHOT.forward[BOND])
    half, end, beyond = (price_per_lot(SNAPSHOT, time_shift=share * YEARS)[BOND] for share in (0.5, 1.0, 3.0))
    assert half == pytest.approx(100 * math.sqrt(factor), rel=1e-14)
    assert [end, beyond] == pytest.approx([100, 100], rel=1e-14)


def test_a_rate_moves_what_is_left():
    factor = float(SNAPSHOT.forward[BOND])
    rates = np.array([[0.2], [-0.2]])
    up, down = price_per_lot(SNAPSHOT, rate_shift=rates)[:, BOND]
    assert [up, down] == pytest.approx([100 * factor * math.exp(-0.2 * YEARS), 100 * factor * math.exp(0.2 * YEARS)])
    at_end = price_per_lot(SNAPSHOT, rate_shift=rates, time_shift=YEARS)[:, BOND]
    assert at_end == pytest.approx([100, 100], rel=1e-14)
    others = np.arange(MINI.slots) != BOND
    assert (price_per_lot(SNAPSHOT, rate_shift=0.2)[others] == price_per_lot(SNAPSHOT)[others]).all()


@pytest.mark.parametrize("level, factor, share", [("initial", 1.25, 0.002), ("maintenance", 1.0, 0.001)])
def test_the_requirement_of_one_bond(level, factor, share):
    """f times the loss when the rate moves by 20 points, and a share of the face: 100 lots either way."""
    house, price = get_bond_house(), float(SNAPSHOT.forward[BOND])
    for lots in (100, -100):
        moved = price * abs(math.expm1(-math.copysign(0.2 * YEARS, lots)))
        state = make_state(MINI.slots, {BOND: lots}, 10**10)
        needed = house.policy_requirement(house.policies[level], state) / USD6
        charge = 100 * 100 * (factor * moved + share)
        assert house.definition_requirement(state, level).charges["bonds"] == pytest.approx(charge, rel=1e-12)
        assert charge <= needed < charge + 0.001 * 100 * 100, "beside it, two days at the bond's own rate at most"


@cache
def get_bond_policies() -> dict[str, Policy]:
    return dict(get_bond_house().policies)


def trade(lots: int, borrower: AccountState, lender: AccountState) -> tuple[AccountState, AccountState]:
    """The borrower sells so many bonds to the lender at their mark."""
    cash, change = lots * int(get_bond_house().marks[BOND]), np.zeros(MINI.slots, dtype=np.int64)
    change[BOND] = lots
    return (
        AccountState(borrower.positions - change, borrower.cash + cash),
        AccountState(lender.positions + change, lender.cash - cash),
    )


@pytest.mark.property("P-110")
def test_a_borrower_sells_bonds_to_a_willing_lender():
    """A holder of 100 ether and no dollar borrows 40,000 USDC until June 2027 and takes it out; without the lender it
    may take nothing."""
    policies = get_bond_policies()
    holder, lender = make_state(MINI.slots, {WETH: 100_000}), make_state(MINI.slots, {}, 200_000 * USD6)
    assert find_failing_rows(policies["withdraw"], AccountState(holder.positions, -40_000 * USD6)) == (DEBT,)
    borrower, creditor = trade(425, holder, lender)
    for state in (borrower, creditor):
        assert not find_failing_rows(policies["initial"], state)
    assert borrower.cash > 40_000 * USD6
    taken = AccountState(borrower.positions, borrower.cash - 40_000 * USD6)
    assert not find_failing_rows(policies["withdraw"], taken)
    face = 425 * 100 * USD6
    assert taken.cash + creditor.cash == 160_000 * USD6
    assert creditor.cash + face > lender.cash, "the lender is paid for it"


@pytest.mark.property("P-110")
def test_nobody_borrows_beyond_the_worth_of_its_collateral():
    """100 ether are worth 241,173 dollars, and 2,400 lots of bonds bring 230,000: who takes those out is refused, and
    not for its debt."""
    policies = get_bond_policies()
    holder, lender = make_state(MINI.slots, {WETH: 100_000}), make_state(MINI.slots, {}, 10**12)
    borrower, _ = trade(2_400, holder, lender)
    failing = find_failing_rows(policies["withdraw"], AccountState(borrower.positions, 10 * USD6))
    assert failing and DEBT not in failing


@pytest.mark.property("P-90")
@pytest.mark.parametrize("seed", range(4))
def test_whoever_is_flat_leaves_with_all_its_cash_where_bonds_are_listed(seed):
    """Cash plus perpetuals and futures sums to the vault's cash over random trades, bonds among them."""
    venue = Venue(get_bond_policies(), get_bond_house().marks, seed)
    venue.run(150)
    assert venue.done > 20 and venue.stopped_by_debt > 5
    assert any(state.positions[BOND] for state in venue.accounts)
    paid = [state.cash + 100 * USD6 * int(state.positions[BOND]) for state in venue.accounts]
    assert sum(paid) == venue.vault, "at the expiry one side is paid what the other pays"


@pytest.mark.property("P-91")
@pytest.mark.parametrize("name", ["initial", "maintenance", "withdraw"])
def test_a_bond_is_no_cash_in_the_debt_row(name):
    policy = get_bond_policies()[name]
    assert policy.positions[DEBT, BOND] == 0 and policy.positions[DEBT, FUTURE] > 0
    fields = to_fields(policy)
    fields["positions"][DEBT, BOND] = fields["positions"][Layout(MINI).equity, BOND]
    with pytest.raises(DebtForm, match="as it is no perpetual or future"):
        check_policy(Policy(name=name, preset=MINI, **fields), SNAPSHOT.listing.is_listed)


def test_the_definition_charges_bonds_alike():
    """K of a bond, written again, in the exact form and against the integer rates."""
    house = get_bond_house()
    for level in LEVELS:
        long, short = house.contingency(level)
        _, own_long, _, own_short = house.definition.get_charge_rates(SNAPSHOT.listing.at(BOND), BOND, level)
        assert [own_long, own_short] == pytest.approx([long[BOND], short[BOND]], rel=1e-12)


def test_initial_still_implies_maintenance_at_other_charges():
    """More rate at maintenance than at initial is a file that nobody may write."""
    assert PARAMETERS.bond["initial"] >= PARAMETERS.bond["maintenance"]
    house = House(SNAPSHOT, replace(PARAMETERS, bond={"initial": 0.0, "maintenance": 0.1}))
    with pytest.raises(Exception, match="rate"):
        _ = house.policies
