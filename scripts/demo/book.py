"""How the market maker comes by its book: four legs a trade, each agreed, proved on both sides and settled on chain."""

from collections.abc import Iterator

from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.engine.account import load_portfolio
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.presets import BITS
from zkmargin.engine.units import USD6

HALF_SPREAD = 0.0005
"""What the maker earns on each trade, as a share of the gross premium."""


def get_target(venue: LocalVenue) -> dict[int, int]:
    """Lots by slot that the maker ends with: the shipped market maker's derivatives, as far as the venue lists them."""
    listing = venue.snapshot.listing
    wanted = load_portfolio("market_maker").positions
    listed = {item.slot: wanted[name] for name, item in listing.by_name.items() if name in wanted}
    return {slot: lots for slot, lots in listed.items() if not listing.is_collateral[slot]}


def split_into_trades(target: dict[int, int]) -> Iterator[dict[int, int]]:
    """The target in trades of at most four legs, large and small positions mixed."""
    slots = sorted(target, key=lambda slot: abs(target[slot]))
    count = -(-len(slots) // BITS.legs)
    for first in range(count):
        yield {slot: target[slot] for slot in slots[first::count]}


def price_legs(venue: LocalVenue, legs: dict[int, int], *, half_spread: float = HALF_SPREAD) -> int:
    """Micro-dollars that the party receiving `legs` pays: the marks plus half a spread on the gross."""
    prices = price_per_lot(venue.snapshot)
    net = sum(float(prices[slot]) * lots for slot, lots in legs.items())
    gross = sum(float(prices[slot]) * abs(lots) for slot, lots in legs.items())
    return round(USD6 * (net + half_spread * gross))
