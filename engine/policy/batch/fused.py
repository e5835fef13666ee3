"""The batch margin in one native pass: `BatchModel.evaluate` without an array of all losses.

Both give the same to the bit, except where the expected shortfall binds: there the sums over scenarios differ in their
last bits. The native pass reads positions as they come in float64, int32 or int64.
"""

from __future__ import annotations

from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np

from zkmargin.engine import _native
from zkmargin.engine.policy.batch.model import BatchModel
from zkmargin.engine.policy.batch.result import BatchResult

PATHS = tuple(_native.PATHS)
"""What this processor can, the fastest first."""

LOTS = (np.dtype(np.float64), np.dtype(np.int32), np.dtype(np.int64))
"""Types of positions that are read without a copy."""

MEMORY: tuple[Literal["C_CONTIGUOUS", "ALIGNED"], ...] = ("C_CONTIGUOUS", "ALIGNED")
"""How an array has to lie; one that came over a network need not be aligned."""

_models: WeakKeyDictionary[BatchModel, _native.MarginModel] = WeakKeyDictionary()


def evaluate_fused(model: BatchModel, positions: np.ndarray, cash: np.ndarray, path: str = PATHS[0]) -> BatchResult:
    """Requirement of a block of accounts, on one thread that leaves the interpreter to others.

    Parameters
    ----------
    model : BatchModel
        Laid out for the native pass at its first use.
    positions : ndarray
        (A, N) lots. Nobody writes to it meanwhile.
    cash : ndarray
        (A,) micro-dollars.
    path : str
        One of `PATHS`.
    """
    native = _models.get(model)
    if native is None:
        native = _models[model] = _native.MarginModel(model)
    lots = np.require(positions, positions.dtype if positions.dtype in LOTS else np.float64, MEMORY)
    results = np.empty((_native.FIELDS, len(lots)))
    native.evaluate(lots, np.require(cash, np.float64, MEMORY), results, path)
    return BatchResult(*results)
