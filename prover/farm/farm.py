"""The run of a farm: gives jobs to workers, hears their results, and says what became of each job.

- Nearest to maintenance first. An account far from it has time even if its attestation is late: it pays the late fee,
  where one near it may be liquidated.
- A job is *shed* when the backlog is full and every other job is more urgent, and when it could not end in time any
  more. Both are outcomes, with the reason.
- A worker that dies or stays silent for `patience` seconds: the job is given to another one, `attempts` times at most.
- The first result that is accepted counts. What comes after it (the silent worker's own result, or a message that is
  delivered twice) is counted in `ignored` and changes nothing.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from zkmargin.engine.errors import DuplicateName, ZkMarginError
from zkmargin.prover.farm.backlog import Backlog
from zkmargin.prover.farm.jobs import Job, Outcome, Verdict
from zkmargin.prover.farm.workers import Workers
from zkmargin.prover.ranges import check_range

Accept = Callable[[Job, object], bool]
"""Whether a result is what the job asked for."""

TICK = 0.5
"""Seconds after which silent workers are looked at."""

MAX_ATTEMPTS = 100


@dataclass
class _Attempt:
    job: Job
    started: float
    is_given_up: bool = False


class Farm:
    """Proves jobs.

    Parameters
    ----------
    workers : Workers
    accept : Accept
        Looks at each result: workers are not trusted with it.
    capacity : int
        Jobs that wait at most.
    attempts : int
        How often a job is given to a worker at most.
    patience : float
        Seconds without a result after which a worker counts as lost.
    expected : float
        Seconds that a job takes: one that cannot end before its deadline is not begun.
    clock : callable
        Unix seconds.

    Raises
    ------
    OutOfRange
        If capacity or attempts is out of range.
    """

    def __init__(
        self,
        workers: Workers,
        accept: Accept,
        *,
        capacity: int = 100_000,
        attempts: int = 3,
        patience: float = 30.0,
        expected: float = 0.2,
        clock: Callable[[], float] = time.time,
    ):
        self._workers, self._accept, self._clock = workers, accept, clock
        self._backlog = Backlog(capacity)
        self._limit = check_range("attempts", attempts, 1, MAX_ATTEMPTS + 1)
        self._patience, self._expected = patience, expected
        self._running: dict[int, _Attempt] = {}
        self._attempts: dict[str, int] = {}
        self._tickets = 0
        self.ignored = 0
        """Results that came after their job's outcome."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """One outcome for each job, as they come.

        Raises
        ------
        DuplicateName
            If two jobs have one name.
        """
        names: set[str] = set()
        for job in jobs:
            if job.name in names:
                raise DuplicateName("job", job.name)
            names.add(job.name)
            self._attempts[job.name] = 0
            yield from self._let_wait(job)
        while self._attempts:
            yield from self._start()
            yield from self._give_up_silent()
            completion = self._workers.wait(TICK) if self._count_running() else None
            if completion is not None:
                yield from self._hear(*completion)

    def _count_running(self) -> int:
        return sum(not attempt.is_given_up for attempt in self._running.values())

    def _is_open(self, job: Job) -> bool:
        """Whether the job has no outcome yet: one that waits again may have got a late result meanwhile."""
        return job.name in self._attempts

    def _let_wait(self, job: Job) -> Iterator[Outcome]:
        crowded_out = self._backlog.add(job)
        if crowded_out is not None and self._is_open(crowded_out):
            reason = f"{self._backlog.capacity} jobs wait, all at least as near to maintenance"
            yield self._close(crowded_out, Verdict.SHED, reason=reason)

    def _start(self) -> Iterator[Outcome]:
        """Gives jobs to the places that are free."""
        while self._backlog and self._count_running() < self._workers.places:
            now = self._clock()
            job, missed = self._backlog.take(now + self._expected)
            for other in filter(self._is_open, missed):
                late = now + self._expected - other.deadline
                yield self._close(other, Verdict.SHED, reason=f"would end {late:.1f} s after its deadline")
            if job is not None and self._is_open(job):
                yield from self._begin(job, now)

    def _begin(self, job: Job, now: float) -> Iterator[Outcome]:
        try:
            payload = job.make_payload()
        except ZkMarginError as error:  # no worker would do better
            yield self._close(job, Verdict.FAILED, reason=f"no payload: {type(error).__name__}")
            return
        self._tickets += 1
        self._attempts[job.name] += 1
        self._running[self._tickets] = _Attempt(job, now)
        self._workers.submit(self._tickets, payload)

    def _give_up_silent(self) -> Iterator[Outcome]:
        now = self._clock()
        for attempt in self._running.values():
            if not attempt.is_given_up and now - attempt.started > self._patience:
                attempt.is_given_up = True
                yield from self._try_again(attempt.job, f"no result within {self._patience:g} s")

    def _hear(self, ticket: int, result: object) -> Iterator[Outcome]:
        attempt = self._running.pop(ticket, None)
        if attempt is None or not self._is_open(attempt.job):
            self.ignored += 1
            return
        job = attempt.job
        failed = isinstance(result, BaseException)
        if not failed and self._accept(job, result):
            in_time = self._clock() <= job.deadline
            yield self._close(job, Verdict.DONE if in_time else Verdict.LATE, result=result)
        elif not attempt.is_given_up:
            yield from self._try_again(job, type(result).__name__ if failed else "the result was not accepted")

    def _try_again(self, job: Job, reason: str) -> Iterator[Outcome]:
        if self._attempts[job.name] < self._limit:
            yield from self._let_wait(job)
        else:
            yield self._close(job, Verdict.FAILED, reason=reason)

    def _close(self, job: Job, verdict: Verdict, *, result: object = None, reason: str = "") -> Outcome:
        return Outcome(job, verdict, result, reason, self._attempts.pop(job.name))
