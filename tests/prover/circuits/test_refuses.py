"""What `transition` refuses, at mini: one wrong thing at a time, and the constraint that notices.

Each test starts from an accepted case. The forger ignores the witness generator's checks (`Circuit.force`), computes
everything downstream of the lie coherently, and publishes the commitment and ciphertext that fit it.
"""

import pytest

from tests.support.circuit_cases import ROLL, TRADE, at, fit
from tests.support.circuit_harness import Wires, WitnessRefused, get_circuit
from tests.support.circuit_reference import EXCESS, HELPERS, SLOTS, Case, Rule, commit, pack_trade

circuit = get_circuit("transition")
FOLLOWS = {"commitmentNew": "commitmentNew~next.commitment~write", "ciphertext": "ciphertext~hidden.ciphertext"}
"""Public signals that a forger computes to fit the rest, and the constraint that ties each to the rest."""


def forge(case: Case, keep: tuple[str, ...] = (), **lies) -> Wires:
    """Wires of `case` with other inputs. A lie `slack_3=5` is about one element of an array.

    The signals of FOLLOWS are made to fit, unless they are the lie or in `keep`.
    """
    inputs = case.compute()
    for name, value in lies.items():
        array, _, place = name.partition("_")
        if place:
            inputs[array] = [value if k == int(place) else old for k, old in enumerate(inputs[array])]
        else:
            inputs[name] = value
    wires = circuit.force(inputs)
    for name in FOLLOWS:
        if name not in lies and name not in keep:
            other = wires["write"] * wires["next.commitment"] if name == "commitmentNew" else wires["hidden.ciphertext"]
            inputs[name] = other
    return circuit.force(inputs)


def refuse(wires: Wires, *expected: str, signals: str | None = None) -> None:
    """Exactly the constraints labelled `expected` fail, `signals` is in one, and the proved constraints fail too."""
    failures = circuit.find_failures(wires)
    assert sorted({failure.label for failure in failures}) == sorted(expected)
    assert not circuit.is_provable(wires)
    if signals is not None:
        assert any(signals in failure.signals for failure in failures)


ACCEPTED = Case(positions=at(s0=3000, s2=-40, s9=7), cash=10**9)
TRADED = ACCEPTED.but(side=1, legs=[(2, 60), (9, -10), (2, 1), (0, 0)], trade_cash=-1_000)


def test_an_honest_forger_is_accepted():
    for case in (ACCEPTED, TRADED, TRADE, ROLL):
        wires = forge(case)
        assert circuit.find_failures(wires) == []
        assert circuit.is_provable(wires)


def test_the_generator_refuses_what_the_constraints_refuse():
    inputs = ACCEPTED.compute()
    inputs["slack"] = [1, *inputs["slack"][1:]]
    with pytest.raises(WitnessRefused, match="PolicyRows"):
        circuit.generate(inputs)


# ----------------------------------------------------------------------------------------- 1. commitments, write, side
@pytest.mark.parametrize("write", [2, -1])
def test_write_is_a_bit(write):
    refuse(forge(ACCEPTED, write=write), "write")


@pytest.mark.property("P-04")
@pytest.mark.parametrize("side", [2, -2, 3])
def test_side_is_one_of_three(side):
    refuse(forge(ACCEPTED.but(side=side, legs=[(2, 5)] * 4)), "sides")


@pytest.mark.property("P-01")
@pytest.mark.parametrize("lie", ["commitmentOld", "cash", "key", "nonce"])
def test_the_old_commitment_opens_to_what_is_used(lie):
    refuse(forge(TRADED, **{lie: TRADED.compute()[lie] + 1}), "commitmentOld~old.commitment")


@pytest.mark.property("P-01")
def test_an_old_position_is_the_committed_one():
    refuse(forge(TRADED, position_4=1), "commitmentOld~old.commitment")


@pytest.mark.property("P-02")
@pytest.mark.parametrize(
    ("nonce", "positions", "cash"), [(0, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1), (1, 0, -1)],
    ids=["nonce kept", "nonce skipped", "a lot more", "a cent more", "a cent less"],
)  # fmt: skip
def test_the_new_commitment_is_of_the_new_state(nonce, positions, cash):
    after = [TRADED.positions_after[0] + positions, *TRADED.positions_after[1:]]
    other = commit(TRADED.key, TRADED.nonce + nonce, after, TRADED.cash_after + cash)
    refuse(forge(TRADED, commitmentNew=other), FOLLOWS["commitmentNew"])


@pytest.mark.property("P-02")
def test_the_new_commitment_is_under_the_same_key():
    other = commit(TRADED.key + 1, TRADED.nonce + 1, TRADED.positions_after, TRADED.cash_after)
    refuse(forge(TRADED, commitmentNew=other), FOLLOWS["commitmentNew"])


@pytest.mark.property("P-02")
def test_the_nonce_grows_by_one():
    honest, other = forge(TRADED), forge(TRADED, nonce=TRADED.nonce - 1)
    kept = honest.graft(other, "next.").change({"commitmentNew": other["next.commitment"]})
    assert kept["next.nonce"] == kept["nonce"]
    refuse(kept, "next.nonce~nonce")


@pytest.mark.property("P-02")
def test_nothing_is_shown_unless_written():
    shown = TRADED.compute()["commitmentNew"]
    refuse(forge(TRADED.but(write=0), commitmentNew=shown), FOLLOWS["commitmentNew"])
    refuse(forge(TRADED, commitmentNew=0), FOLLOWS["commitmentNew"])


# --------------------------------------------------------------------------------------------------------- 2. the trade
def test_the_tag_is_of_the_word():
    refuse(forge(TRADED, tradeTag=TRADED.compute()["tradeTag"] + 1), "tag.tag~tradeTag")
    refuse(forge(TRADED, salt=TRADED.salt + 1), "tag.tag~tradeTag")


@pytest.mark.property("P-04")
def test_a_tag_needs_a_side():
    refuse(forge(ACCEPTED, tradeTag=TRADED.compute()["tradeTag"]), "tag.tag~tradeTag")
    refuse(forge(TRADED, tradeTag=0), "tag.tag~tradeTag")


def test_what_moves_is_what_the_tag_says():
    other = TRADED.but(legs=[(2, 60), (9, -10), (2, 2), (0, 0)])
    refuse(forge(other, tradeTag=TRADED.compute()["tradeTag"]), "tag.tag~tradeTag")
    other = TRADED.but(trade_cash=TRADED.trade_cash + 1)
    refuse(forge(other, tradeTag=TRADED.compute()["tradeTag"]), "tag.tag~tradeTag")


def test_legs_are_multiplied_by_the_side():
    for side in (0, -1):
        lie = TRADED.but(side=side)
        claimed = [q + leg for q, leg in zip(lie.positions, at(s2=61, s9=-10), strict=True)]
        refuse(forge(lie, position=claimed), "commitmentOld~old.commitment")


def test_a_sided_leg_is_the_product():
    wires = forge(TRADED)
    other = forge(TRADED.but(legs=[(2, 61), *TRADED.legs[1:]], positions=at(s0=3000, s2=-40, s9=7)))
    parts = (
        "legs.sided",
        "legs.leg[",
        "legs.lots",
        "movement",
        "position",
        "money",
        "digestNew",
        "next",
        "charges",
        "rows",
    )
    mixed = wires.graft(other, *parts)
    mixed = mixed.change({"commitmentNew": other["commitmentNew"]})
    refuse(mixed, "legs", signals="legs.sided[0]")


def test_cash_of_a_trade_is_multiplied_by_the_side():
    other = commit(TRADED.key, TRADED.nonce + 1, TRADED.positions_after, TRADED.cash - TRADED.trade_cash)
    refuse(forge(TRADED, commitmentNew=other), FOLLOWS["commitmentNew"])


@pytest.mark.property("P-03")
def test_one_of_two_legs_on_a_slot_cannot_be_left_out():
    assert TRADED.moved[2] == -40 + 60 + 1
    refuse(forge(TRADED, position_2=-40 + 60), "commitmentOld~old.commitment")
    refuse(forge(TRADED, position_2=-40 + 1), "commitmentOld~old.commitment")


@pytest.mark.property("P-03")
@pytest.mark.parametrize("slot", [SLOTS, SLOTS + 1, 255])
def test_a_slot_beyond_the_last_has_no_witness(slot):
    case = TRADED.but(legs=[(slot, 5), (0, 0), (0, 0), (0, 0)])
    refuse(forge(case), "legs.leg[0]", signals="legs.leg[0].pick[0]")
    picked = forge(case)
    picked = picked.change({"legs.leg[0].pick[3]": 1, "legs.leg[0].out[3]": 5, "legs.lots[3]": 5})
    picked = picked.change({"movement.legs[3]": 5, "position[3]": 5, "movement.position[3]": 5})
    failures = {failure.label: failure.signals for failure in circuit.find_failures(picked)}
    assert {"legs.leg[0].pick[3]", "legs.leg[0].slot"} <= failures["legs.leg[0]"]
    assert not circuit.is_provable(picked)


def test_a_slot_has_eight_bits():
    refuse(forge(TRADED.but(legs=[(256, 5), (0, 0), (0, 0), (0, 0)])), "legs.leg[0]", "word.slotRange.number[0]")


def test_a_leg_has_one_slot():
    wires = forge(TRADED.but(legs=[(2, 60), (0, 0), (0, 0), (0, 0)]))
    spread = wires.change({"legs.leg[1].pick[0]": 2, "legs.leg[1].pick[4]": -1})
    refuse(spread, "legs.leg[1]", signals="legs.leg[1].pick[4]")
    doubled = wires.change({"legs.leg[1].pick[0]": 2})
    refuse(doubled, "legs.leg[1]")


@pytest.mark.property("P-03")
@pytest.mark.parametrize("lots", [2**28, -(2**28) - 1])
def test_lots_have_their_range(lots):
    refuse(forge(ACCEPTED.but(side=1, legs=[(2, lots), (0, 0), (0, 0), (0, 0)])), "word.lotsRange[0].shifted")


@pytest.mark.property("P-03")
@pytest.mark.parametrize("cash", [2**63, -(2**63) - 1])
def test_trade_cash_has_its_range(cash):
    refuse(forge(ACCEPTED.but(side=1, trade_cash=cash)), "word.cashRange.shifted")


@pytest.mark.property("P-03")
def test_a_word_has_one_reading():
    """Lots 2^29 higher in one leg and one slot lower in the next give the same word, hence the same tag."""
    case = ACCEPTED.but(side=1, legs=[(2, 7), (5, 3), (0, 0), (0, 0)])
    other = case.but(legs=[(2, 7 + 2**29), (4, 3), (0, 0), (0, 0)], positions=at(s0=3000, s2=-40 - 2**29, s9=7))
    assert pack_trade(case.legs, 0) == pack_trade(other.legs, 0)
    refuse(forge(other), "word.lotsRange[0].shifted")


# ------------------------------------------------------------------------------------------- 3. and 4. positions, cash
@pytest.mark.parametrize(("position", "flow"), [(2**30 - 1, 1), (-(2**30), -1), (0, 2**30)])
def test_a_position_has_its_range_after_the_trade(position, flow):
    refuse(forge(ACCEPTED.but(positions=at(s9=position), flow=at(s9=flow))), "movement.range[9].shifted")


@pytest.mark.property("P-06")
def test_a_dropped_position_has_its_range_too():
    case = ACCEPTED.but(positions=at(s9=2**30 - 1), flow=at(s9=1), drop=at(s9=1))
    refuse(forge(case), "movement.range[9].shifted")


def test_a_flow_moves_the_position():
    refuse(forge(ACCEPTED, flow=at(s8=5)), "commitmentOld~old.commitment")


@pytest.mark.property("P-07")
def test_a_dropped_position_is_gone():
    other = commit(ROLL.key, ROLL.nonce + 1, ROLL.positions, ROLL.cash_after)
    refuse(forge(ROLL, commitmentNew=other), FOLLOWS["commitmentNew"])


def test_a_position_that_is_not_dropped_stays():
    other = commit(ACCEPTED.key, ACCEPTED.nonce + 1, [0, *ACCEPTED.positions[1:]], ACCEPTED.cash)
    refuse(forge(ACCEPTED, commitmentNew=other), FOLLOWS["commitmentNew"])


@pytest.mark.property("P-11")
@pytest.mark.parametrize("cash", [2**80, -(2**80) - 1])
def test_new_cash_has_its_range(cash):
    step = 1 if cash > 0 else -1
    refuse(forge(Case(cash=cash - step, cash_flow=step)), "money.range.shifted")


@pytest.mark.property("P-07")
def test_cash_takes_flow_and_payoff():
    case = ROLL.but(cash_flow=77)
    for cash in (case.cash_after - 77, case.cash_after + 1, case.cash):
        other = commit(case.key, case.nonce + 1, case.positions_after, cash)
        refuse(forge(case, commitmentNew=other), FOLLOWS["commitmentNew"])


# --------------------------------------------------------------------------------------------- 5. charges and helpers
CHARGED = Case(
    positions=at(s0=5, s2=-7), rule=Rule(rate_long=[[3] * SLOTS, [2] * SLOTS], rate_short=[[4] * SLOTS, [1] * SLOTS])
)


@pytest.mark.property("P-10")
def test_charges_are_the_sums():
    first, second = CHARGED.charges
    assert (first, second) == (5 * 3 + 7 * 4, 5 * 2 + 7)
    for lie in ([first - 1, second], [first, second - 1], [0, 0], [second, first]):
        refuse(forge(CHARGED, charge=lie), "charges")


@pytest.mark.property("P-10")
def test_a_charge_cannot_hide_in_the_other():
    first, second = CHARGED.charges
    refuse(forge(CHARGED, charge=[first + 2**84, second - 1]), "charges.range.number[0]")
    refuse(forge(CHARGED, charge=[first - 2**84, second + 1]), "charges.range.number[0]")
    everything = first + 2**84 * second
    refuse(forge(CHARGED, charge=[everything, 0]), "charges.range.number[0]")


@pytest.mark.property("P-11")
def test_a_charge_is_below_its_bound():
    refuse(forge(Case(), charge=[2**76, 0]), "charges", "charges.range.number[0]")
    refuse(forge(Case(), charge=[0, 2**76]), "charges", "charges.range.number[1]")


@pytest.mark.property("P-10")
def test_a_short_is_not_charged_as_a_long():
    """The sign bit of slot 2 is turned, and everything after it follows."""
    wires = forge(CHARGED)
    rates = [2**84 * 2 + 3, 2**84 + 4]
    bits = {"movement.range[2].shifted.out[30]": 1, "movement.range[2].isNonNegative": 1, "movement.isLong[2]": 1}
    after = {
        "charges.isLong[2]": 1,
        "charges.short[2]": 0,
        "charges.shortCharge[2]": 0,
        "charges.longCharge[2]": -7 * rates[0],
    }
    total = 5 * rates[0] - 7 * rates[0]
    assert wires["charges.short[2]"] == 7
    turned = wires.change({**bits, **after})
    labels = {failure.label for failure in circuit.find_failures(turned)}
    assert labels == {"movement.range[2].shifted", "charges"}
    charges = [failure.signals for failure in circuit.find_failures(turned) if failure.label == "charges"]
    assert len(charges) == 1 and "charges.charge[0]" in charges[0] and total < 0
    assert not circuit.is_provable(turned)


@pytest.mark.property("P-11")
@pytest.mark.parametrize("value", [-1, 2**60])
def test_a_helper_has_its_range(value):
    refuse(forge(Case(helpers=[0] * 3 + [value] + [0] * (HELPERS - 4))), "helperRange.number[3]")


def test_a_negative_helper_cannot_pay_for_a_row():
    """Row 5 lacks 9; a loss of -9, counted against it, would make up for that."""
    rule = Rule().with_rows(constants={5: -9}, helpers={5: [-1] + [0] * (HELPERS - 1)})
    refuse(forge(Case(rule=rule, helpers=[-9] + [0] * (HELPERS - 1))), "helperRange.number[0]")


# ------------------------------------------------------------------------------------------------------- 6. the policy
@pytest.mark.property("P-11")
@pytest.mark.parametrize("value", [-1, 2**60])
def test_an_excess_has_its_range(value):
    refuse(forge(Case(excess=[value] + [0] * (EXCESS - 1))), "excesses.range.number[0]")


@pytest.mark.property("P-09")
def test_an_excess_row_that_is_not_soft_is_hard():
    """The row lacks 5. With a price the excess makes up for it; without one it does nothing."""
    hard = Case(rule=Rule().with_rows(constants={0: -5}), excess=[5] + [0] * (EXCESS - 1))
    soft = hard.but(rule=Rule(soft=[1] + [0] * (EXCESS - 1)).with_rows(constants={0: -5}))
    assert circuit.find_failures(forge(soft)) == []
    refuse(forge(hard, slack_0=0), "rows", signals="rows.rowConstant[0]")
    refuse(forge(hard), "rows.range.number[0]")


@pytest.mark.property("P-09")
def test_an_excess_cannot_count_in_its_row_alone():
    """X is taken without the excess of row 0, and row 20, which subtracts X, holds."""
    rule = Rule(soft=[1] * EXCESS, weights=[2] * EXCESS).with_rows(constants={0: -5, 20: 3}, excess={20: -1})
    case = Case(rule=rule, excess=[5] + [0] * (EXCESS - 1))
    refuse(forge(case), "rows.range.number[20]")
    smaller = forge(case.but(excess=[0] * EXCESS))
    wires = forge(case).graft(smaller, "excesses.total", "rows.excessTotal", "rows.excessTerm")
    wires = wires.graft(smaller, "slack[20]", "rows.slack[20]", "rows.range.in[20]", "rows.range.number[20]")
    refuse(wires, "excesses", signals="excesses.total")


@pytest.mark.property("P-09")
def test_weight_and_price_are_the_published_ones():
    rule = Rule(soft=[1] * EXCESS, weights=[2] * EXCESS).with_rows(excess={20: -1}, constants={20: 10})
    case = Case(rule=rule, excess=[5] + [0] * (EXCESS - 1))
    assert circuit.find_failures(forge(case)) == []
    refuse(forge(case, weight=[1] * EXCESS), "rows", signals="rows.rowConstant[6]")
    refuse(forge(case, soft=[0] * EXCESS), "rows", signals="rows.rowConstant[0]")


@pytest.mark.property("P-08")
@pytest.mark.parametrize("row", [0, 11, 12, 47])
def test_a_row_below_zero_has_no_witness(row):
    case = TRADE.but(rule=TRADE.rule.with_rows(constants={row: TRADE.rule.constants[row] - 8}))
    assert case.slacks[row] == -1
    refuse(forge(case), f"rows.range.number[{row}]")
    refuse(forge(case, **{f"slack_{row}": 0}), "rows", signals=f"rows.rowConstant[{row // 3}]")


@pytest.mark.property("P-11")
def test_a_slack_has_83_bits():
    refuse(forge(Case(rule=Rule().with_rows(constants={7: 2**83}))), "rows.range.number[7]")


def test_a_slack_is_that_of_its_row():
    refuse(forge(TRADE, slack_7=TRADE.slacks[7] + 1), "rows", signals="rows.rowConstant[2]")


@pytest.mark.property("P-08")
def test_a_deficit_cannot_move_to_the_next_lane():
    """-5 in lane 0 is -5 + 2^84 there and one less in lane 1: the lanes are wider than the slacks."""
    case = Case(rule=Rule().with_rows(constants={0: -5, 1: 100}))
    refuse(forge(case, slack_0=2**84 - 5, slack_1=99), "rows.range.number[0]")


@pytest.mark.property("P-08")
@pytest.mark.parametrize("column", ["position", "cash", "charge", "helper"])
def test_a_row_sees_the_new_state(column):
    """Each column in turn is all that makes row 30 hold; with the constant one lower it fails."""
    rules = {
        "position": Rule().with_rows(positions={30: [0, 0, 1] + [0] * (SLOTS - 3)}, constants={30: -21}),
        "cash": Rule().with_rows(cash={30: 1}, constants={30: -(10**9 - 1_000)}),
        "charge": Rule(rate_long=[[1] * SLOTS, [0] * SLOTS]).with_rows(
            charges={30: [-1, 0]}, constants={30: 3000 + 21}
        ),
        "helper": Rule().with_rows(helpers={30: [1] + [0] * (HELPERS - 1)}, constants={30: -4}),
    }
    case = TRADED.but(rule=rules[column], helpers=[4] + [0] * (HELPERS - 1))
    assert case.slacks[30] == 0
    assert circuit.find_failures(forge(case)) == []
    worse = case.but(rule=case.rule.with_rows(constants={30: case.rule.constants[30] - 1}))
    refuse(forge(worse), "rows.range.number[30]")


# --------------------------------------------------------------------------------------- 7. and 8. ciphertext, context
@pytest.mark.property("P-12")
def test_the_ciphertext_is_of_the_word():
    refuse(forge(TRADED, ciphertext=TRADED.compute()["ciphertext"] + 1), FOLLOWS["ciphertext"])
    other = TRADED.but(legs=[(2, 61), *TRADED.legs[1:]]).compute()["ciphertext"]
    refuse(forge(TRADED, ciphertext=other), FOLLOWS["ciphertext"])


@pytest.mark.property("P-04")
def test_a_ciphertext_needs_a_side():
    refuse(forge(ACCEPTED, ciphertext=TRADED.compute()["ciphertext"]), FOLLOWS["ciphertext"])
    refuse(forge(TRADED, ciphertext=0), FOLLOWS["ciphertext"])


@pytest.mark.property("P-12")
def test_the_pad_is_under_the_key_and_the_spent_nonce():
    for name in ("key", "nonce"):
        wires = forge(TRADED).graft(forge(TRADED, **{name: TRADED.compute()[name] + 1}), "hidden.")
        wires = wires.change({"ciphertext": wires["hidden.ciphertext"]})
        refuse(wires, f"hidden.{name}~{name}")


@pytest.mark.property("P-13")
def test_the_context_of_a_finished_proof_cannot_be_exchanged():
    wires = forge(TRADED)
    refuse(wires.change({"context": wires["context"] + 1}), "context~contextSquare")


# ---------------------------------------------------------------------------------------- bits are bits, products hold
NO_LEGS = [(0, 0)] * 3
BITS = {
    "rows.range.number[7]": (Case(rule=Rule().with_rows(constants={7: -5})), "out[0]", -5),
    "excesses.range.number[1]": (Case(excess=[0, -1] + [0] * (EXCESS - 2)), "out[0]", -1),
    "helperRange.number[2]": (Case(helpers=[0, 0, -1] + [0] * (HELPERS - 3)), "out[0]", -1),
    "movement.range[3].shifted": (Case(positions=at(s3=2**30 - 1), flow=at(s3=1)), "out[30]", 2),
    "money.range.shifted": (Case(cash=2**80 - 1, cash_flow=1), "out[80]", 2),
    "word.lotsRange[0].shifted": (Case(side=1, legs=[(1, 2**28), *NO_LEGS]), "out[28]", 2),
    "word.cashRange.shifted": (Case(side=1, trade_cash=2**63), "out[63]", 2),
}
"""Component of a range check -> a case beyond the range, and the value of one bit that makes the sum come out right."""


@pytest.mark.parametrize("component", BITS)
def test_a_number_beyond_its_range_has_no_bits(component):
    case, bit, value = BITS[component]
    wires = forge(case)
    others = {name: 0 for name in wires.index if name.startswith(f"{component}.out[")}
    written = wires.change(others | {f"{component}.{bit}": value})
    sign = component.removesuffix(".shifted") + ".isNonNegative"
    if sign in wires.index and component.endswith(".shifted"):
        written = written.change({sign: value})
    failures = circuit.find_failures(written)
    assert frozenset({f"{component}.{bit}"}) in {failure.signals for failure in failures}
    allowed = {
        component,
        "charges",
        "movement",
        "movement.isLong[3]~charges.isLong[3]",
        "charges.isLong[3]~movement.isLong[3]",
    }
    assert {failure.label for failure in failures} <= allowed
    assert not circuit.is_provable(written)


CASH = (
    "money.after",
    "money.range",
    "digestNew",
    "next",
    "rows.cash",
    "commitmentNew",
    "slack",
    "rows.slack",
    "rows.range",
)
KEPT = ("movement.after", "digestNew", "next", "charges", "charge", "rows", "slack", "commitmentNew")
COUNTED = ("rows.excess", "excesses.total", "slack", "rows.slack", "rows.range")
CHARGE = ("charge[", "charges.charge[", "charges.range", "rows.charge", "slack", "rows.slack", "rows.range")
DROPPED = CHARGED.but(drop=at(s2=1), payoff=at(s2=9))
EXCUSED = Case(rule=Rule(soft=[1] * EXCESS, weights=[3] * EXCESS).with_rows(excess={20: -1}, constants={20: 99, 0: 9}))
PRODUCTS = {
    "movement.dropped[2]": (DROPPED, DROPPED.but(drop=at()), ("movement.dropped", *KEPT)),
    "money.paid[2]": (DROPPED, DROPPED.but(payoff=at(s2=8)), ("money.paid", *CASH)),
    "money.traded": (TRADED, TRADED.but(trade_cash=-999), ("money.traded", *CASH)),
    "charges.longCharge[0]": (
        CHARGED, CHARGED.but(rule=Rule(rate_long=[[1] * SLOTS] * 2, rate_short=CHARGED.rule.rate_short)),
        ("charges.longCharge", *CHARGE),
    ),
    "charges.shortCharge[2]": (
        CHARGED, CHARGED.but(rule=Rule(rate_long=CHARGED.rule.rate_long, rate_short=[[1] * SLOTS] * 2)),
        ("charges.shortCharge", *CHARGE),
    ),
    "excesses.counted[0]": (
        EXCUSED, EXCUSED.but(excess=[5] + [0] * (EXCESS - 1)), ("excesses.counted", "excesses.weighted", *COUNTED)
    ),
    "excesses.weighted[0]": (
        EXCUSED.but(excess=[5] + [0] * (EXCESS - 1)),
        EXCUSED.but(excess=[5] + [0] * (EXCESS - 1), rule=EXCUSED.rule.but_weights(1)), ("excesses.weighted", *COUNTED),
    ),
}  # fmt: skip
"""A product -> the accepted case, a case in which it has another value, and what follows from it."""


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_product_is_that_of_its_factors(product):
    honest, other, follows = PRODUCTS[product]
    wires, source = forge(honest), forge(other)
    assert circuit.find_failures(wires) == []
    assert wires[product] != source[product]
    refuse(wires.graft(source, *follows), product.rpartition(".")[0], signals=product)


@pytest.mark.parametrize(
    "term", ["positionTerm[2][5]", "cashTerm[2]", "chargeTerm[2][1]", "excessTerm[2]", "helperTerm[2][3]"]
)
def test_a_term_of_a_row_is_coefficient_times_value(term):
    """The term gives row 6, the first of packed row 2, one more than it has, and its slack shows it."""
    wires, slacker = forge(TRADE), forge(TRADE, slack_6=TRADE.slacks[6] + 1)
    wires = wires.graft(slacker, "slack[6]", "rows.slack[6]", "rows.range.in[6]", "rows.range.number[6]")
    refuse(wires.change({f"rows.{term}": wires[f"rows.{term}"] + 1}), "rows", signals=f"rows.{term}")


# ---------------------------------------------------------------------------------------------------- every single wire
@pytest.mark.property("P-14")
def test_no_wire_is_free():
    """Raising any one wire breaks a constraint, as written and as proved. Books of one sign leave a rate idle."""
    rates = [[2] * SLOTS] * 2
    rule = Rule(soft=[1] * EXCESS, weights=[1] * EXCESS, rate_long=rates, rate_short=rates)
    dense = TRADE.but(excess=[9] * EXCESS, helpers=[8] * HELPERS, rule=rule)
    free: set[str] | None = None
    for sign in (1, -1):
        wires = forge(fit(dense.but(positions=[sign * (100 + slot) for slot in range(SLOTS)])))
        assert circuit.written.find_free_wires(wires.values) == []
        found = set(circuit.simplified.find_free_wires(circuit.simplify(wires)))
        free = found if free is None else free & found
    assert free == set()


def test_the_search_for_free_wires_sees_an_idle_one():
    wires = forge(Case())
    assert "rowPosition[0][0]" in circuit.simplified.find_free_wires(circuit.simplify(wires))
