"""Every relation between the sizes of `engine/presets.json` that the lemmas of docs/protocol.md rest on.

Bounds are of absolute values, exclusive where a lemma has "below". `find_broken` says which relations fail. The
circuits assert L1 to L4 too (`tests/prover/circuits/test_lemmas.py`).
"""

from dataclasses import replace

import pytest

from zkmargin.engine.presets import BITS, LANES, PRESETS, Bits, Preset
from zkmargin.prover.statement.policy_fields import CHARGES
from zkmargin.prover.statement.signals import FIELD_MODULUS


def find_broken(bits: Bits, preset: Preset) -> set[str]:
    """Names of the relations that do not hold."""

    def two(exponent: int) -> int:
        return 1 << exponent

    side = (two(bits.slack) - 1) * sum(two(bits.lane * lane) for lane in range(LANES))
    row = (
        preset.slots * two(bits.coefficient + bits.position)
        + two(bits.cash)
        + CHARGES * bits.charge_coefficient_max * two(bits.charge)
        + preset.excess_rows * two(bits.weight + bits.excess)
        + preset.helpers * two(bits.helper_coefficient + bits.helper)
        + two(bits.excess)
        + two(bits.constant)
    )
    between_openings = 2 * two(bits.position) + bits.legs * two(bits.leg) + two(bits.flow)
    word = sum(two(bits.position_lane * (lane + 1)) for lane in range(bits.positions_per_word))
    leg = bits.leg_slot + bits.leg + 1
    paid = preset.slots * two(bits.price + bits.position)
    cash = two(bits.cash) + two(bits.trade_cash) + two(bits.cash_flow) + paid
    relations = {
        "L1: a slack is narrower than its lane": bits.slack < bits.lane,
        "L1: both sides together stay below p": 2 * side < FIELD_MODULUS,
        "L2: a row stays below a slack": row < two(bits.slack),
        "L3: two openings differ by less than a lane": between_openings <= two(bits.position_lane),
        "L3: the difference of two words stays below p": word < FIELD_MODULUS,
        "L4: the true sums stay below a charge's range": (
            preset.slots * two(bits.charge_rate + bits.position) <= two(bits.charge)
        ),
        "L4: a charge fits its lane": bits.charge <= bits.lane,
        "L4: both charges stay below p": 2 * two(bits.charge + bits.lane) < FIELD_MODULUS,
        "a leg names every slot": preset.slots <= two(bits.leg_slot),
        "a trade's word stays below p": two(bits.legs * leg + bits.trade_cash + 1) < FIELD_MODULUS,
        "cash does not wrap before its check": 2 * cash < FIELD_MODULUS,
        "an amount with its fee is a cash flow": 2 * two(bits.typed_amount) <= two(bits.cash_flow),
        "a price is a coefficient": bits.price <= bits.coefficient,
    }
    return {name for name, holds in relations.items() if not holds}


@pytest.mark.property("P-181")
@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_the_budget_carries_the_lemmas(preset):
    assert find_broken(BITS, preset) == set()


WIDER = [
    ({"slack": 84}, "L1: a slack"),
    ({"lane": 85}, "L1: both"),
    ({"constant": 83}, "L2"),
    ({"coefficient": 46}, "L2"),
    ({"flow": 31}, "L3: two openings"),
    ({"leg": 29}, "L3: two openings"),
    ({"legs": 5}, "L3: two openings"),
    ({"position": 31}, "L3: two openings"),
    ({"positions_per_word": 8}, "L3: the difference"),
    ({"charge": 73}, "L4: the true"),
    ({"charge_rate": 39}, "L4: the true"),
    ({"charge": 85}, "L4: a charge"),
    ({"charge": 170}, "L4: both"),
    ({"leg_slot": 7}, "a leg"),
    ({"legs": 6}, "a trade"),
    ({"trade_cash": 253}, "cash"),
    ({"typed_amount": 80}, "an amount"),
    ({"price": 40}, "a price"),
]
"""A change of the budget, and the beginning of a relation that notices it."""


@pytest.mark.parametrize(("change", "relation"), WIDER)
def test_a_wider_number_is_noticed(change, relation):
    broken = find_broken(replace(BITS, **change), PRESETS["standard"])
    assert any(name.startswith(relation) for name in broken), broken


def test_every_relation_is_broken_by_some_change():
    standard = PRESETS["standard"]
    broken = set().union(*(find_broken(replace(BITS, **change), standard) for change, _ in WIDER))
    assert len(broken) == 13
