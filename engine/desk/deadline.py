"""A time limit that several steps of one answer share."""

from __future__ import annotations

import time
from collections.abc import Callable

from zkmargin.engine.policy.linear_programme import LEAST_SECONDS


class Deadline:
    """So many seconds from now.

    Parameters
    ----------
    seconds : float
    clock : callable
        Seconds that only rise.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic):
        self._clock, self._end = clock, clock() + seconds

    @property
    def left(self) -> float:
        """Seconds that a step may still take; the least that a solver takes as a limit once it is over."""
        return max(self._end - self._clock(), LEAST_SECONDS)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self._clock() >= self._end
