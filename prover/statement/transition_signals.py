"""The public signals of `transition` that are not the policy's, as one record: what one action shows."""

from dataclasses import dataclass, fields

from pydantic.alias_generators import to_camel


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionSignals:
    """Signed integers, in the statement's order; what an action does not move or write is zero."""

    commitment_old: int
    commitment_new: int = 0
    """0 where nothing is written."""
    trade_tag: int = 0
    ciphertext: int = 0
    side: int = 0
    """+1, -1, or 0 without a trade."""
    write: int = 0
    """1 where the account gets a new commitment, else 0."""
    context: int
    """The signed message's digest, as the proof binds it."""
    cash_flow: int = 0
    """Micro-dollars, fee included."""
    flow: tuple[int, ...]
    """Lots that enter (+) or leave (-) each slot; shape (N,)."""
    drop: tuple[int, ...]
    """1 for each slot that the step drops; shape (N,)."""
    payoff: tuple[int, ...]
    """Micro-dollars per lot of each slot that the step drops; shape (N,)."""

    def name(self) -> dict[str, int | tuple[int, ...]]:
        """Values by circom name."""
        return {to_camel(field.name): getattr(self, field.name) for field in fields(self)}
