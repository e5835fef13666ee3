"""Arrays that the next block uses again: fresh pages would cost more than the sums."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_local = threading.local()
_spare: deque[dict[str, np.ndarray]] = deque()


@contextmanager
def borrow_scratch() -> Iterator[None]:
    """Let this thread call `get_scratch`; the arrays go to whichever thread comes next."""
    try:
        _local.arrays = _spare.pop()
    except IndexError:
        _local.arrays = {}
    try:
        yield
    finally:
        _spare.append(_local.__dict__.pop("arrays"))


def get_scratch(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array with that shape and any content; the next call with the same name overwrites it."""
    arrays: dict[str, np.ndarray] = _local.__dict__.get("arrays", {})
    size = int(np.prod(shape))
    kept = arrays.get(name)
    if kept is None or kept.size < size:
        kept = arrays[name] = np.empty(size)
    return kept[:size].reshape(shape)
