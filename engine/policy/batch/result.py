"""What the batch gives back: one number per account and part of the requirement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True, eq=False)
class BatchResult:
    """Requirement of A accounts under one policy; arrays (A,) of float64, micro-dollars."""

    equity: np.ndarray
    """cash + sum of price times lots."""
    charge: np.ndarray
    """K_1 + K_2."""
    buffer: np.ndarray
    """Charges that lower equity, contagion buffers and concentration; 0 where the policy has none."""
    grid: np.ndarray
    """factor * (worst losses + transfer charge), with the transfer that is best for the account."""
    scenario: np.ndarray
    """max(grid, expected shortfall)."""
    room: np.ndarray
    """Least value of the hard rows (debt limit, largest exposures); infinite where there is none."""

    @property
    def requirement(self) -> np.ndarray:
        """What the account must have."""
        return np.asarray(self.charge + self.buffer + self.scenario)

    @property
    def slack(self) -> np.ndarray:
        """equity - requirement; negative when margin is missing."""
        return np.asarray(self.equity - self.requirement)

    @property
    def is_met(self) -> np.ndarray:
        """(A,) bool: whether the account meets the policy."""
        return (self.slack >= 0) & (self.room >= 0)

    def __len__(self) -> int:
        return len(self.equity)

    @classmethod
    def join(cls, parts: Iterable[BatchResult]) -> BatchResult:
        """The results of consecutive blocks as one."""
        parts, names = list(parts), [field.name for field in fields(cls)]
        if not parts:
            return cls(**{name: np.empty(0) for name in names})
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
