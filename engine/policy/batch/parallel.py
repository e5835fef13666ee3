"""One function over many blocks: by threads here, or by a Dask cluster elsewhere.

Results come in the blocks' order, and the blocks are read only as fast as they are worked off, so they may come from a
generator that does not end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from zkmargin.engine.errors import EngineError, OutOfRange

In = TypeVar("In")
Out = TypeVar("Out")

AHEAD = 2
"""Blocks in flight per worker: one in work, one waiting."""

MAX_WORKERS = 1_024

SECONDS = 3
"""How long a scheduler may take to answer."""


class ClusterUnavailable(EngineError):
    """No cluster answers, or its client is not installed; carries the address and the reason."""

    def __init__(self, address: str, reason: str):
        self.address, self.reason = address, reason
        super().__init__(
            f"cluster at {address!r}: {reason}; allowed: a Dask scheduler, with zkmargin[cluster] installed"
        )


def map_blocks(
    function: Callable[[In], Out], blocks: Iterable[In], *, workers: int = 2, scheduler: str | None = None
) -> Iterator[Out]:
    """`function` of each block, in order; numerical libraries get one thread per worker.

    Parameters
    ----------
    function : callable
        Releases the interpreter lock for most of its time; can be pickled if there is a scheduler.
    blocks : iterable
    workers : int
        Threads on this machine, 1 to `MAX_WORKERS`; without meaning if there is a scheduler.
    scheduler : str, optional
        Address of a Dask scheduler, such as "tcp://127.0.0.1:8786".

    Raises
    ------
    OutOfRange
        If `workers` is out of range.
    ClusterUnavailable
        If the scheduler does not answer or Dask is not installed.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise OutOfRange("workers", workers, 1, MAX_WORKERS)
    if scheduler is None:
        return _map_by_threads(function, blocks, workers)
    return _map_by_dask(function, blocks, scheduler)


def _map_by_threads(function: Callable[[In], Out], blocks: Iterable[In], workers: int) -> Iterator[Out]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), ThreadPoolExecutor(workers) as pool:
        yield from _keep_order(lambda block: pool.submit(function, block), blocks, AHEAD * workers)


def _map_by_dask(function: Callable[[In], Out], blocks: Iterable[In], address: str) -> Iterator[Out]:
    try:
        from distributed import Client
    except ImportError as error:
        raise ClusterUnavailable(address, str(error)) from None
    try:
        client = cast(Any, Client)(address, timeout=SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterUnavailable(address, str(error)) from None
    with client:
        shared = client.scatter(function, broadcast=True)
        places = max(1, sum(client.nthreads().values()))
        yield from _keep_order(lambda block: client.submit(_apply, shared, block, pure=False), blocks, AHEAD * places)


def _apply(function: Callable[[In], Out], block: In) -> Out:
    """One block on a worker of a cluster."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return function(block)


def _keep_order(submit: Callable[[In], object], blocks: Iterable[In], ahead: int) -> Iterator[Out]:
    """Results of submitted blocks in order, with at most `ahead` of them unfinished; a failed block ends it all."""
    waiting: deque[Any] = deque()
    try:
        for block in blocks:
            waiting.append(submit(block))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
