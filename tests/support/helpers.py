"""The helper variables of policies with the shipped coins, by name; `Layout` numbers those of any coins."""

from enum import IntEnum

from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.presets import Coin, get_preset

PAIR = (Coin.BTC, Coin.ETH)
"""The shipped netting pair."""


class Helper(IntEnum):
    LOSS_BTC = 0
    LOSS_ETH = 1
    EQUITY = 2
    TRANSFER_PLUS = 3
    TRANSFER_MINUS = 4
    THRESHOLD_PLUS = 5
    THRESHOLD_MINUS = 6
    BUFFER_BTC = 7
    BUFFER_ETH = 8
    CONCENTRATION_BTC = 9
    CONCENTRATION_ETH = 10


def list_helpers(layout: Layout) -> list[int]:
    """Helpers of a layout with one pair of two coins, in the order of `Helper`."""
    return [
        *layout.losses.values(), layout.equity_helper, *layout.transfers[PAIR], *layout.threshold,
        *layout.buffers.values(), *layout.concentrations.values(),
    ]  # fmt: skip


assert list_helpers(Layout(get_preset("standard"))) == list(Helper)
