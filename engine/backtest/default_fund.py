"""What a default fund must hold: losses of a crash beyond the margin of the accounts that fail in it.

Of one account the uncovered share of its notional is loss less margin in a named crash, of the book that is worst for
the fund. Cover 1 is that of the largest account, Cover 2 that of the two largest (EMIR article 42: the fund withstands
the default of the largest, or of the second and third, members). The initial policy limits an account's net delta in
each coin, so that limit bounds the notional of a book of one direction. It does not bound that of a hedged one, a short
straddle say, nor the number of accounts of one owner: a venue puts its own accounts' sizes in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zkmargin.engine.errors import UnknownName
from zkmargin.engine.units import require_in_range


@dataclass(frozen=True)
class Uncovered:
    """What a crash left uncovered in one coin under one model."""

    coin: str
    book: str
    """The worst book."""
    struck: str
    """Day at whose close it was struck."""
    loss: float
    """Share of the notional."""
    margin: float
    """Share of the notional."""

    @property
    def share(self) -> float:
        """Loss beyond the margin, share of the notional; 0 where the margin held."""
        return max(self.loss - self.margin, 0.0)


def find_uncovered(documents: Mapping[str, Mapping[str, Any]], crash: str, model: str) -> dict[str, Uncovered]:
    """By coin, the worst book of a crash under a model, from backtest documents by coin.

    Raises
    ------
    UnknownName
        If a document has no such crash or model.
    """
    worst = {}
    for coin, document in documents.items():
        entries = [entry for entry in document["crashes"] if entry["crash"] == crash and entry["model"] == model]
        if not entries:
            known = sorted({f"{entry['crash']} by {entry['model']}" for entry in document["crashes"]})
            raise UnknownName(f"crash and model in the backtest of {coin}", f"{crash} by {model}", known)
        entry = max(entries, key=lambda entry: entry["loss_of_notional"] - entry["margin_of_notional"])
        worst[coin] = Uncovered(
            coin, entry["archetype"], entry["struck"], entry["loss_of_notional"], entry["margin_of_notional"]
        )
    return worst


def compute_cover(uncovered: Mapping[str, Uncovered], accounts: Sequence[Mapping[str, float]], defaults: int) -> float:
    """US dollars that the `defaults` worst of the accounts leave uncovered.

    Parameters
    ----------
    uncovered : mapping of str to Uncovered
        By coin.
    accounts : sequence of mapping of str to float
        Notional of each account by coin, US dollars, at least 0.
    defaults : int
        How many fail: 1 and 2 are Cover 1 and Cover 2.

    Raises
    ------
    OutOfRange
        If a notional is none.
    """
    left = []
    for account in accounts:
        sizes = {coin: require_in_range(f"notional in {coin}", size, 0.0, 1e15) for coin, size in account.items()}
        left.append(sum(uncovered[coin].share * size for coin, size in sizes.items()))
    return float(sum(sorted(left, reverse=True)[:defaults]))
