"""Arrays that a thread uses again for its next block: fresh pages would cost more than the sums."""

import threading

import numpy as np

_local = threading.local()


def get_scratch(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array of this thread with that shape and any content; the next call with the same name overwrites it."""
    size = int(np.prod(shape))
    kept = _local.__dict__.get(name)
    if kept is None or kept.size < size:
        kept = _local.__dict__[name] = np.empty(size)
    return kept[:size].reshape(shape)
