"""Types of the native module of the batch margin. Source: prover/native/engine and prover/native/margin."""

import numpy as np

PATHS: list[str]
"""What this processor can, the fastest first: "avx512", "avx2", "portable"."""
FIELDS: int
"""Numbers per account in a result, in the order of `BatchResult`."""

class MarginModel:
    """One policy, ready for blocks of accounts: the fields of a `BatchModel`."""

    def __init__(self, model: object) -> None: ...
    def evaluate(self, lots: np.ndarray, cash: np.ndarray, results: np.ndarray, path: str) -> None: ...
