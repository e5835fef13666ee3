"""The run of a farm: gives jobs to workers, hears their results, and says what became of each job.

- Nearest to maintenance first. An account far from it has time even if its attestation is late; one near it may be
  liquidated.
- A job is *shed* when the backlog is full and every other job is more urgent, and when it could not end in time any
  more. Both are outcomes, with the reason.
- A worker that dies or stays silent for `patience` seconds: the job is given to another one, `attempts` times at most.
- The first result that is accepted counts. What comes after it (the silent worker's own result, or a message that is
  delivered twice) is counted in `ignored` and changes nothing.
- An error of the workers, or of what looks at results, is a failed attempt of one job; the run goes on. While nobody
  can say how many work, none are given a job, and deadlines pass.
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
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


@dataclass(frozen=True)
class Limits:
    """What a run allows; see the parameters of `Farm`."""

    capacity: int
    attempts: int
    patience: float
    expected: float


class Farm:
    """Proves jobs.

    Parameters
    ----------
    workers : Workers
    accept : Accept
        Looks at each result, so that a wrong one is never an outcome.
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
        attempts = check_range("attempts", attempts, 1, MAX_ATTEMPTS + 1)
        self._limits = Limits(Backlog(capacity).capacity, attempts, patience, expected)
        self.ignored = 0
        """Results that came after their job's outcome, of all runs."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """One outcome for each job, as they come. Runs share the workers and nothing else.

        Raises
        ------
        DuplicateName
            If two jobs have one name.
        """
        run = _Run(self._workers, self._accept, self._limits, self._clock)
        names: set[str] = set()
        for job in jobs:
            if job.name in names:
                raise DuplicateName("job", job.name)
            names.add(job.name)
            yield from run.take_in(job)
        while run.is_open:
            yield from run.give_up_silent()
            yield from run.start()
            if run.is_open and (completion := self._workers.wait(TICK)) is not None:
                yield from run.hear(*completion)
                self.ignored += run.take_ignored()


@dataclass
class _Attempt:
    job: Job
    started: float
    is_given_up: bool = False


class _Run:
    """The state of one run. A job is open until it has an outcome; only open jobs wait."""

    def __init__(self, workers: Workers, accept: Accept, limits: Limits, clock: Callable[[], float]):
        self._workers, self._accept, self._limits, self._clock = workers, accept, limits, clock
        self._backlog = Backlog(limits.capacity)
        self._running: dict[int, _Attempt] = {}
        self._attempts: dict[str, int] = {}
        """How often each open job was given to a worker."""
        self._ignored = 0

    @property
    def is_open(self) -> bool:
        """Whether a job has no outcome yet."""
        return bool(self._attempts)

    def take_ignored(self) -> int:
        """Results that were ignored since the last call."""
        count, self._ignored = self._ignored, 0
        return count

    def take_in(self, job: Job) -> Iterator[Outcome]:
        self._attempts[job.name] = 0
        yield from self._let_wait(job)

    def start(self) -> Iterator[Outcome]:
        """Gives jobs to the places that are free."""
        places = self._count_places()
        if places == 0:  # nothing else would look at deadlines
            yield from self._shed(self._backlog.remove_before(self._clock() + self._limits.expected))
        can_submit = True
        while can_submit and self._backlog and self._count_running() < places:
            now = self._clock()
            job, missed = self._backlog.take(now + self._limits.expected)
            yield from self._shed(missed)
            if job is not None:
                can_submit = yield from self._begin(job, now)

    def give_up_silent(self) -> Iterator[Outcome]:
        """Gives the jobs of silent workers to others."""
        now = self._clock()
        for attempt in list(self._running.values()):
            if not attempt.is_given_up and now - attempt.started > self._limits.patience:
                attempt.is_given_up = True
                if self._is_open(attempt.job):
                    yield from self._try_again(attempt.job, f"no result within {self._limits.patience:g} s")

    def hear(self, ticket: int, result: object) -> Iterator[Outcome]:
        """What a completion means for its job."""
        attempt = self._running.pop(ticket, None)
        if attempt is None or not self._is_open(attempt.job):
            self._ignored += 1
            return
        job, reason = attempt.job, self._find_fault(attempt.job, result)
        if not reason:
            in_time = self._clock() <= job.deadline
            yield self._close(job, Verdict.DONE if in_time else Verdict.LATE, result=result)
        elif not attempt.is_given_up:
            yield from self._try_again(job, reason)

    def _is_open(self, job: Job) -> bool:
        return job.name in self._attempts

    def _count_running(self) -> int:
        return sum(not attempt.is_given_up for attempt in self._running.values())

    def _count_places(self) -> int:
        try:
            return self._workers.places
        except Exception:  # a cluster that does not answer has no place now, and may have one later
            return 0

    def _shed(self, missed: Iterable[Job]) -> Iterator[Outcome]:
        end = self._clock() + self._limits.expected
        for job in missed:
            yield self._close(job, Verdict.SHED, reason=f"would end {end - job.deadline:.1f} s after its deadline")

    def _let_wait(self, job: Job) -> Iterator[Outcome]:
        crowded_out = self._backlog.add(job)
        if crowded_out is not None:
            reason = f"{self._limits.capacity} jobs wait, all at least as near to maintenance"
            yield self._close(crowded_out, Verdict.SHED, reason=reason)

    def _begin(self, job: Job, now: float) -> Generator[Outcome, None, bool]:
        """Gives a job to the workers; whether they take jobs now."""
        try:
            payload = job.make_payload()
        except ZkMarginError as error:  # no worker would do better
            yield self._close(job, Verdict.FAILED, reason=f"no payload: {type(error).__name__}")
            return True
        self._attempts[job.name] += 1
        try:
            ticket = self._workers.submit(payload)
        except Exception as error:
            yield from self._try_again(job, type(error).__name__)
            return False
        self._running[ticket] = _Attempt(job, now)
        return True

    def _find_fault(self, job: Job, result: object) -> str:
        """Why a result does not count; empty if it does."""
        if isinstance(result, BaseException):
            return type(result).__name__
        try:
            return "" if self._accept(job, result) else "the result was not accepted"
        except Exception as error:
            return f"the result was not accepted: {type(error).__name__}"

    def _try_again(self, job: Job, reason: str) -> Iterator[Outcome]:
        if self._attempts[job.name] < self._limits.attempts:
            yield from self._let_wait(job)
        else:
            yield self._close(job, Verdict.FAILED, reason=reason)

    def _close(self, job: Job, verdict: Verdict, *, result: object = None, reason: str = "") -> Outcome:
        attempts = self._attempts.pop(job.name)
        if attempts:  # one that waits again may have got a late result
            self._backlog.discard(job)
        return Outcome(job, verdict, result, reason, attempts)
