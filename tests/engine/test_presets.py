"""The presets file is read whole, and every size that another part derives from it comes out as the design states."""

import dataclasses

import pytest

from zkmargin.engine.errors import OutOfRange, UnknownName
from zkmargin.engine.presets import BITS, PRESETS, Preset, get_preset


def test_the_standard_size_is_the_one_the_design_states():
    preset = get_preset("standard")
    assert (preset.slots, preset.rows, preset.excess_rows, preset.helpers) == (256, 165, 51, 12)
    assert preset.packed_rows == 55
    assert preset.coin_slots("BTC") == range(0, 128)
    assert preset.coin_slots("ETH") == range(128, 256)
    assert preset.collateral_slots == (0, 128)
    assert preset.future_slots("ETH") == range(130, 136)
    assert preset.option_slots("ETH") == range(136, 256)


def test_the_mini_size():
    preset = get_preset("mini")
    assert (preset.slots, preset.packed_rows, preset.collateral_slots) == (16, 24, (0, 8))
    assert preset.future_slots("BTC") == range(2, 3)
    assert preset.option_slots("BTC") == range(3, 8)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_collateral_and_derivative_slots_partition_the_slots(preset):
    assert sorted(preset.collateral_slots + preset.derivative_slots) == list(range(preset.slots))


def test_an_unknown_preset_names_the_allowed_ones():
    with pytest.raises(UnknownName, match="unknown preset 'big'; allowed: mini, standard, wide, xl"):
        get_preset("big")


def test_an_unknown_coin_names_the_allowed_ones():
    with pytest.raises(UnknownName, match="'SOL'; allowed: BTC, ETH"):
        get_preset("mini").coin_slots("SOL")


@pytest.mark.parametrize(
    ("sizes", "field"),
    [
        ({"slots": 18}, "slots"),
        ({"rows": 166}, "rows"),
        ({"rows": 0}, "rows"),
        ({"excess_rows": 166}, "excess_rows"),
        ({"excess_rows": -1}, "excess_rows"),
        ({"helpers": 0}, "helpers"),
    ],
)
def test_sizes_that_cannot_be_laid_out_are_refused(sizes, field):
    accepted = {"slots": 256, "rows": 165, "excess_rows": 51, "helpers": 12}
    Preset("tried", **accepted)
    with pytest.raises(OutOfRange, match=f"^{field} of preset tried is {sizes[field]}"):
        Preset("tried", **accepted | sizes)


def test_records_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_preset("mini").slots = 32
    with pytest.raises(dataclasses.FrozenInstanceError):
        BITS.lane = 85


def test_three_lanes_fit_a_field_element_with_the_margin_the_packing_lemma_needs():
    # Each side is at most (2^slack - 1)(1 + 2^lane + 2^(2 lane)); their difference stays below BN254's scalar field.
    side = (2**BITS.slack - 1) * (1 + 2**BITS.lane + 2 ** (2 * BITS.lane))
    assert 2 * side < 21888242871839275222246405745257275088548364400416034343698204186575808495617
    assert BITS.slack < BITS.lane
