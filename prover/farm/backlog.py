"""Jobs that wait: nearest to maintenance first, then by deadline."""

from bisect import insort

from zkmargin.prover.farm.jobs import Job
from zkmargin.prover.ranges import check_range

MAX_WAITING = 1_000_000


class Backlog:
    """Waiting jobs.

    Parameters
    ----------
    capacity : int
        Jobs that wait at most, 1 to `MAX_WAITING`.

    Raises
    ------
    OutOfRange
        If the capacity is out of range.
    """

    def __init__(self, capacity: int):
        self.capacity = check_range("capacity of a backlog", capacity, 1, MAX_WAITING + 1)
        self._waiting: list[tuple[float, float, int, Job]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, job: Job) -> Job | None:
        """Lets a job wait; the one that has to go in its place, the farthest from maintenance, if there is no room."""
        self._count += 1
        insort(self._waiting, (job.distance, job.deadline, self._count, job))
        return self._waiting.pop()[-1] if len(self._waiting) > self.capacity else None

    def discard(self, job: Job) -> None:
        """Takes a job out, if it waits."""
        self._waiting = [entry for entry in self._waiting if entry[-1] is not job]

    def remove_before(self, least_deadline: float) -> list[Job]:
        """Takes out every job with an earlier deadline, and gives them."""
        missed = [entry[-1] for entry in self._waiting if entry[-1].deadline < least_deadline]
        self._waiting = [entry for entry in self._waiting if entry[-1].deadline >= least_deadline]
        return missed

    def take(self, least_deadline: float) -> tuple[Job | None, list[Job]]:
        """The next job with a deadline from `least_deadline` on, and the jobs before it, which have an earlier one."""
        missed: list[Job] = []
        while self._waiting:
            job = self._waiting.pop(0)[-1]
            if job.deadline >= least_deadline:
                return job, missed
            missed.append(job)
        return None, missed
