"""What is to be proved, and what became of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from sys import float_info

from zkmargin.engine.errors import OutOfRange


@dataclass(frozen=True)
class Job:
    """One proof.

    Raises
    ------
    OutOfRange
        If deadline or distance is not a finite number.
    """

    name: str
    """Says which job it is; used once in a run."""
    make_payload: Callable[[], bytes] = field(repr=False)
    """Makes what a worker gets, such as a witness (2.1 MB at standard), when the job begins: it holds the account's
    secrets."""
    deadline: float
    """Unix seconds; a proof that ends later is late."""
    distance: float
    """(equity - maintenance requirement) / requirement: smaller is more urgent, and below zero margin is missing."""

    def __post_init__(self) -> None:
        for what in ("deadline", "distance"):
            value = getattr(self, what)
            if not math.isfinite(value):
                raise OutOfRange(f"{what} of job {self.name}", value, -float_info.max, float_info.max)


class Verdict(Enum):
    """What became of a job."""

    DONE = "done"
    """Its result came in time."""
    LATE = "late"
    """Its result came after the deadline; it is given, and whoever takes it decides whether it still counts."""
    SHED = "shed"
    """It was not begun again: the backlog was full, or it could no longer end in time."""
    FAILED = "failed"
    """Every attempt failed."""


@dataclass(frozen=True)
class Outcome:
    """The one outcome of a job."""

    job: Job
    verdict: Verdict
    result: object = field(repr=False)
    """None unless it was done, in time or late."""
    reason: str
    """Why it was shed or failed, in words; empty otherwise."""
    attempts: int
    """How often it was given to a worker."""
