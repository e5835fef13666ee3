"""List zero-coupon bonds of the cash token in a market file, in place of its least traded options.

    python -m zkmargin.scripts.derive.bonds --market engine/data/deribit_2026-08-22.json --coin BTC \
        --expiries 25SEP26,25DEC26

No venue quotes such bonds: `engine.market.listings.list_bonds` prices them off the coin's futures. A bond takes the
slot of the option with the least open interest, volume counted five times, among the coin's expiries that keep at least
six options, those of the shipped portfolios left out; a tie goes to the lower slot. Run it on a file without bonds.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from zkmargin.engine.account import PORTFOLIOS, load_portfolio
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.files import list_shipped, read_model, read_text
from zkmargin.engine.market.file import MarketFile, dump_document, load_observations, parse_market, to_document
from zkmargin.engine.market.listings import list_bonds
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import Coin, require_coin
from zkmargin.scripts.derive.snapshot import MIN_PER_EXPIRY, VOLUME_WEIGHT

ABOUT = (
    " Bonds: no venue quotes them; the discount factor is the index over the forward of the future of the same expiry"
    " (scripts/derive/bonds.py)."
)


def choose_slots(snapshot: MarketSnapshot, scores: dict[str, float], coin: Coin, count: int) -> list[int]:
    """The slots of the coin's `count` least traded options, by the rule of the module, least first."""
    options = [item for item in snapshot.listing.by_name.values() if item.name in scores and item.underlying is coin]
    left = Counter(item.expiry for item in options)
    used = {name for portfolio in list_shipped(PORTFOLIOS) for name in load_portfolio(portfolio).positions}
    slots: list[int] = []
    for item in sorted(options, key=lambda item: (scores[item.name], item.slot)):
        if len(slots) < count and left[item.expiry] > MIN_PER_EXPIRY and item.name not in used:
            left[item.expiry] -= 1
            slots.append(item.slot)
    if len(slots) < count:
        raise UnknownName(f"option of {coin} whose place a bond may take, number", str(count), [str(len(slots))])
    return slots


def add_bonds(path: Path, coin: Coin, expiries: list[str]) -> dict[str, object]:
    """The market file with bonds, as plain dictionaries: observations of the options that made place are left out."""
    snapshot, observations = parse_market(read_text(path), source=path.name), load_observations(path)
    scores = {name: seen.open_interest + VOLUME_WEIGHT * seen.volume for name, seen in observations.items()}
    slots = choose_slots(snapshot, scores, coin, len(expiries))
    futures = [snapshot.listing.get(f"{coin}-{day}") for day in expiries]
    listed = list_bonds(snapshot, {slot: item.expiry for slot, item in zip(slots, futures, strict=True) if item.expiry})
    file = read_model(MarketFile, read_text(path), path.name)
    document = to_document(listed)
    kept = [seen.model_dump() for seen in file.observations if seen.name in listed.listing.by_name]
    return {"format": document.pop("format"), "about": file.about + ABOUT, **document, "observations": kept}


def main(arguments: list[str] | None = None) -> None:
    """Write the market file with bonds in its place; what was listed goes to stdout."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--market", type=Path, required=True, help="market file, changed in its place")
    parser.add_argument("--coin", default="BTC", help="in whose slots the bonds stand")
    parser.add_argument("--expiries", required=True, help="days of listed futures, as 25SEP26,25DEC26")
    options = parser.parse_args(arguments)
    document = add_bonds(options.market, require_coin("coin", options.coin, Coin), options.expiries.split(","))
    options.market.write_text(dump_document(document), encoding="utf-8")
    snapshot = parse_market(read_text(options.market), source=options.market.name)
    for item in snapshot.listing.by_name.values():
        if snapshot.listing.is_bond[item.slot]:
            print(f"slot {item.slot}: {item.name} at {snapshot.forward[item.slot]:.6f}")


if __name__ == "__main__":
    main()
