"""Who works: threads of this process, or the workers of a Dask cluster. The same calls for both.

A result may never come, and it may come twice: `Farm` deals with that. Whoever works sees the payload, so a worker is
trusted with the secrets of the accounts that it proves for.
"""

import time
from asyncio import CancelledError
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count as count_up
from queue import Empty, SimpleQueue
from typing import Any, Protocol, cast

from zkmargin.engine.policy.batch.parallel import ClusterUnavailable
from zkmargin.prover.ranges import check_range

Work = Callable[[bytes], object]
"""payload -> result. On a cluster it is pickled and goes with each payload, since a worker that died may have been the
last one to know it; what it loads, such as keys, stays with the worker."""

Completion = tuple[int, object]
"""(ticket, result or the exception that ended the work)."""

MAX_WORKERS = 1_024
SECONDS = 3
"""How long a cluster's scheduler may take to answer."""
PLACES_SECONDS = 1.0
"""How long a cluster's number of places is taken as known."""


class Workers(Protocol):
    """Works on payloads."""

    @property
    def places(self) -> int:
        """How many work at once now; none while there is no worker."""

    def submit(self, payload: bytes) -> int:
        """Starts work; its completion carries the ticket that is returned, which no other work has."""

    def wait(self, seconds: float) -> Completion | None:
        """The next completion; None if there is none for that long."""


class ThreadWorkers:
    """Threads of this process; leaves at the end of `with`, after the work in hand.

    Parameters
    ----------
    work : Work
    count : int
        1 to `MAX_WORKERS`. A proof itself uses all cores (RAYON_NUM_THREADS): two hide what a proof does on one core.
    """

    def __init__(self, work: Work, count: int):
        self.places = check_range("workers", count, 1, MAX_WORKERS + 1)
        self._work, self._completed, self._tickets = work, SimpleQueue[Completion](), count_up()
        self._pool = ThreadPoolExecutor(count)

    def __enter__(self) -> "ThreadWorkers":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def submit(self, payload: bytes) -> int:
        ticket, future = next(self._tickets), self._pool.submit(self._work, payload)
        future.add_done_callback(lambda done: self._completed.put((ticket, _read(done))))
        return ticket

    def wait(self, seconds: float) -> Completion | None:
        return _get(self._completed, seconds)


class ClusterWorkers:
    """The workers of a Dask cluster, as many as there are at any time.

    Payloads travel as the cluster sends them: a witness holds an account's secrets, so use TLS outside one machine.
    Scheduler and workers are trusted with more than that: Dask unpickles what they send, which can run any code here.

    Raises
    ------
    ClusterUnavailable
        If the scheduler does not answer or Dask is not installed.
    """

    def __init__(self, work: Work, address: str):
        try:
            from distributed import Client
        except ImportError as error:
            raise ClusterUnavailable(address, str(error)) from None
        try:
            self._client = cast(Any, Client)(address, timeout=SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterUnavailable(address, str(error)) from None
        self._work, self._completed, self._tickets = work, SimpleQueue[Completion](), count_up()
        self._futures: dict[int, object] = {}
        self._places, self._places_until = 0, 0.0

    def __enter__(self) -> "ClusterWorkers":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def places(self) -> int:
        if time.monotonic() >= self._places_until:
            threads: dict[str, int] = self._client.nthreads()
            self._places, self._places_until = sum(threads.values()), time.monotonic() + PLACES_SECONDS
        return self._places

    def submit(self, payload: bytes) -> int:
        ticket, future = next(self._tickets), self._client.submit(self._work, payload, pure=False)
        self._futures[ticket] = future  # a future that nobody holds is cancelled
        future.add_done_callback(lambda done: self._completed.put((ticket, _read(done))))
        return ticket

    def wait(self, seconds: float) -> Completion | None:
        completion = _get(self._completed, seconds)
        if completion is not None:
            self._futures.pop(completion[0], None)
        return completion


def _read(done: Any) -> object:
    """Result of a finished future, or why there is none: also when it was cancelled or its worker died too often."""
    try:
        return done.result()
    except (Exception, CancelledError) as error:  # whatever a worker raised is the result of that attempt
        return error


def _get(completed: SimpleQueue[Completion], seconds: float) -> Completion | None:
    try:
        return completed.get(timeout=seconds)
    except Empty:
        return None
