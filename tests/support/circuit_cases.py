"""Accepted cases of the statement at mini, from which the tests start."""

import random

from tests.support.circuit_reference import EXCESS, HELPERS, ROWS, SLOTS, Case, Rule


def make_rule(seed: int) -> Rule:
    """A policy that uses every kind of coefficient, within the bit budget; each row holds for `fit`ted constants."""
    draw = random.Random(seed)
    signed = lambda bits: draw.randint(-(2**bits) + 1, 2**bits - 1)  # noqa: E731
    return Rule(
        positions=[[signed(39) for _ in range(SLOTS)] for _ in range(ROWS)],
        cash=[draw.randint(0, 1) for _ in range(ROWS)],
        charges=[[draw.randint(-4, 4), draw.randint(-4, 4)] for _ in range(ROWS)],
        excess=[draw.randint(-1, 0) for _ in range(ROWS)],
        helpers=[[signed(14) for _ in range(HELPERS)] for _ in range(ROWS)],
        soft=[draw.randint(0, 1) for _ in range(EXCESS)],
        weights=[draw.randint(0, 2**10 - 1) for _ in range(EXCESS)],
        rate_long=[[draw.randint(0, 2**36 - 1) for _ in range(SLOTS)] for _ in range(2)],
        rate_short=[[draw.randint(0, 2**36 - 1) for _ in range(SLOTS)] for _ in range(2)],
    )


def fit(case: Case, slack: int = 7) -> Case:
    """`case` with the constants at which every row holds with `slack` to spare."""
    rule = case.rule.with_rows(constants=dict.fromkeys(range(ROWS), 0))
    values = case.but(rule=rule).slacks
    return case.but(rule=rule.with_rows(constants={row: slack - value for row, value in enumerate(values)}))


def at(**entries: int) -> list[int]:
    """A list over slots that is zero but for the entries: at(s3=5)."""
    return [entries.get(f"s{slot}", 0) for slot in range(SLOTS)]


POSITIONS = at(s0=3000, s2=-40, s5=17, s9=-250, s15=8)
TRADE = fit(
    Case(
        positions=POSITIONS,
        cash=5_000_000_000,
        side=1,
        legs=[(2, 60), (9, -10), (15, -20), (0, 0)],
        trade_cash=-123_456_789,
        cash_flow=-50_000,
        rule=make_rule(1),
        helpers=[11 * j for j in range(HELPERS)],
        excess=[1000 + s for s in range(EXCESS)],
    )
)
OTHER_SIDE = fit(TRADE.but(side=-1, key=777, nonce=12, positions=at(s2=5), cash=-3))
DEPOSIT = fit(Case(positions=POSITIONS, cash=-100, cash_flow=10**12, flow=at(s0=2**30 - 3001, s8=5), rule=make_rule(2)))
WITHDRAWAL = fit(Case(positions=POSITIONS, cash=10**12, cash_flow=-(10**11), flow=at(s0=-3000), rule=make_rule(3)))
ATTESTATION = fit(Case(positions=POSITIONS, cash=10**12, write=0, rule=make_rule(4), helpers=[2**60 - 1] * HELPERS))
ROLL = Case(positions=POSITIONS, cash=10**9, drop=at(s2=1, s5=1), payoff=at(s2=2**36 - 1, s5=1_000))
ACCEPTED = {
    "trade": TRADE,
    "other side": OTHER_SIDE,
    "deposit": DEPOSIT,
    "withdrawal": WITHDRAWAL,
    "attestation": ATTESTATION,
    "roll": ROLL,
    "empty": Case(),
}
