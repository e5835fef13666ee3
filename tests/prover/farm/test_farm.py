"""The farm: order, shedding, lost workers, results that come twice or late; threads and a Dask cluster."""

import os
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.prover.groth16.test_proof import transition  # noqa: F401 - a fixture
from tests.prover.groth16.test_witness import compute_transition_witness
from tests.support.native_cases import load_key
from zkmargin.engine.errors import DuplicateName
from zkmargin.engine.errors import OutOfRange as FloatOutOfRange
from zkmargin.engine.policy.batch.parallel import ClusterUnavailable
from zkmargin.prover.errors import FormatError, OutOfRange
from zkmargin.prover.farm import (
    ClusterWorkers,
    Farm,
    Job,
    Outcome,
    ProveWitness,
    ThreadWorkers,
    Verdict,
    VerifyResult,
    proving,
)

FAR = 1e9
"""A deadline that no run reaches."""


class Script:
    """Workers that do what a test says: `answer` maps an attempt's (name, number of it) to completions to deliver.

    Time moves by one second with every wait.
    """

    def __init__(self, answer: Callable[[str, int], list[object]] = lambda name, attempt: [name], places: int = 1):
        self.answer, self.places, self.time = answer, places, 0.0
        self.order: list[str] = []
        self._tickets: dict[tuple[str, int], int] = {}
        self._completed: deque[tuple[int, object]] = deque()
        self._count = count()

    def clock(self) -> float:
        return self.time

    def submit(self, payload: bytes) -> int:
        name, ticket = payload.decode(), next(self._count)
        attempt = 1 + self.order.count(name)
        self.order.append(name)
        self._tickets[name, attempt] = ticket
        for result in self.answer(name, attempt):
            of, value = result if isinstance(result, tuple) else ((name, attempt), result)
            self._completed.append((self._tickets[of], value))
        return ticket

    def wait(self, seconds: float) -> tuple[int, object] | None:
        self.time += 1.0
        return self._completed.popleft() if self._completed else None


def make_job(name: str, distance: float = 1.0, deadline: float = FAR) -> Job:
    return Job(name, name.encode, deadline, distance)


def run(script: Script, jobs: list[Job], **options: object) -> tuple[Farm, dict[str, Outcome]]:
    """Outcomes by name; a job has exactly one."""
    options = {"clock": script.clock, "expected": 1.0, "patience": 10.0} | options
    farm = Farm(script, lambda job, result: result == job.name, **options)
    outcomes = list(farm.run(jobs))
    assert sorted(outcome.job.name for outcome in outcomes) == sorted(job.name for job in jobs)
    return farm, {outcome.job.name: outcome for outcome in outcomes}


def test_nearest_to_maintenance_first_then_by_deadline():
    script = Script()
    jobs = [make_job("far", 2.0), make_job("later", 0.1, 50), make_job("short", -0.2), make_job("sooner", 0.1, 40)]
    _, outcomes = run(script, jobs)
    assert script.order == ["short", "sooner", "later", "far"]
    assert all(outcome.verdict is Verdict.DONE and outcome.attempts == 1 for outcome in outcomes.values())


@pytest.mark.property("P-170")
def test_what_cannot_end_in_time_is_shed_and_said():
    _, outcomes = run(Script(), [make_job("near", 0.1, 1.0), make_job("far", 0.5, 1.5), make_job("patient", 0.9)])
    assert outcomes["near"].verdict is Verdict.DONE and outcomes["patient"].verdict is Verdict.DONE
    far = outcomes["far"]
    assert (far.verdict, far.result, far.attempts) == (Verdict.SHED, None, 0)
    assert far.reason == "would end 0.5 s after its deadline"


@pytest.mark.property("P-170")
def test_a_full_backlog_sheds_the_farthest_from_maintenance():
    script = Script()
    _, outcomes = run(
        script, [make_job("a", 0.3), make_job("b", 0.9), make_job("c", 0.1), make_job("d", 0.5)], capacity=2
    )
    assert script.order == ["c", "a"]
    for name in ("b", "d"):
        assert outcomes[name].verdict is Verdict.SHED
        assert outcomes[name].reason == "2 jobs wait, all at least as near to maintenance"


def test_a_worker_that_dies_is_replaced():
    dead = OSError("worker killed")
    script = Script(lambda name, attempt: [dead] if attempt < 3 else [name])
    _, outcomes = run(script, [make_job("a")])
    assert (outcomes["a"].verdict, outcomes["a"].attempts) == (Verdict.DONE, 3)
    _, outcomes = run(Script(lambda name, attempt: [dead]), [make_job("a"), make_job("b")])
    assert (outcomes["a"].verdict, outcomes["a"].attempts, outcomes["a"].reason) == (Verdict.FAILED, 3, "OSError")


def test_a_silent_worker_is_replaced():
    script = Script(lambda name, attempt: [] if attempt == 1 else [name])
    _, outcomes = run(script, [make_job("a"), make_job("b")])
    assert {name: outcome.attempts for name, outcome in outcomes.items()} == {"a": 2, "b": 2}
    _, outcomes = run(Script(lambda name, attempt: []), [make_job("a")])
    assert (outcomes["a"].verdict, outcomes["a"].reason) == (Verdict.FAILED, "no result within 10 s")


@pytest.mark.property("P-170")
def test_a_result_that_comes_twice_counts_once():
    script = Script(lambda name, attempt: [name, name] if name == "a" else [name])
    farm, outcomes = run(script, [make_job("a", 0.1), make_job("b", 0.2)])
    assert outcomes["a"].attempts == 1 and farm.ignored == 1


def test_a_silent_workers_own_result_may_still_be_the_first():
    """The second attempt begins, then the first one's result comes: it counts, and the second one's does not."""
    script = Script(lambda name, attempt: [] if attempt == 1 else [((name, 1), name), ((name, 2), name)])
    farm, outcomes = run(script, [make_job("a", 0.1), make_job("b", 0.2)])
    assert all(outcome.verdict is Verdict.DONE for outcome in outcomes.values())
    assert farm.ignored == 1  # of "a"; the run ends before the last one's second result


def test_a_late_result_is_given_as_late():
    script = Script(lambda name, attempt: [] if attempt == 1 else [name])
    _, outcomes = run(script, [make_job("a", deadline=11.5)], expected=0.0)
    assert (outcomes["a"].verdict, outcomes["a"].result, outcomes["a"].attempts) == (Verdict.LATE, "a", 2)


def test_a_job_without_a_payload_fails_at_once():
    def refuse() -> bytes:
        raise FormatError("witness", "of a test")

    _, outcomes = run(Script(), [Job("a", refuse, FAR, 0.1), make_job("b")])
    assert (outcomes["a"].verdict, outcomes["a"].attempts) == (Verdict.FAILED, 0)
    assert outcomes["a"].reason == "no payload: FormatError" and outcomes["b"].verdict is Verdict.DONE


@pytest.mark.property("P-170")
def test_a_result_that_is_not_accepted_is_not_released():
    script = Script(lambda name, attempt: ["forged"])
    _, outcomes = run(script, [make_job("a")])
    assert (outcomes["a"].verdict, outcomes["a"].result) == (Verdict.FAILED, None)
    assert outcomes["a"].reason == "the result was not accepted"


def test_a_job_that_waits_again_and_got_its_result_meanwhile_is_not_begun():
    """Two places: "a" and "b" are silent at first; "a" begins again, and the first result of "b" comes with it."""

    def answer(name: str, attempt: int) -> list[object]:
        if name == "c":
            return ["c"]
        return [] if attempt == 1 else [(("b", 1), "b"), (("a", 1), "a")]

    script = Script(answer, places=2)
    submit = script.submit

    def submit_and_lose_a_place(payload: bytes) -> int:
        ticket = submit(payload)
        script.places = 2 if len(script.order) < 2 else 1
        return ticket

    script.submit = submit_and_lose_a_place
    _, outcomes = run(script, [make_job("a", 0.1), make_job("b", 0.2), make_job("c", 0.3)])
    assert script.order == ["a", "b", "a", "c"]
    assert {name: outcome.verdict for name, outcome in outcomes.items()} == dict.fromkeys("abc", Verdict.DONE)


def test_a_closed_jobs_silent_worker_is_given_up_quietly():
    """The first result of "a" comes while its second attempt runs; that one stays silent past the patience."""

    def answer(name: str, attempt: int) -> list[object]:
        return [(("a", 1), "a")] if (name, attempt) == ("a", 2) else []

    script = Script(answer, places=2)
    _, outcomes = run(script, [make_job("a", 0.1), make_job("b", 0.2)], patience=10.0)
    assert (outcomes["a"].verdict, outcomes["a"].attempts) == (Verdict.DONE, 2)
    assert (outcomes["b"].verdict, outcomes["b"].reason) == (Verdict.FAILED, "no result within 10 s")


def test_a_bad_result_of_a_worker_that_was_given_up_takes_no_attempt():
    """The second attempt runs when the first one's error comes: the job is not begun a third time."""
    script = Script(lambda name, attempt: [] if attempt == 1 else [(("a", 1), OSError()), (("a", 2), "a")], places=2)
    _, outcomes = run(script, [make_job("a")])
    assert (outcomes["a"].verdict, outcomes["a"].attempts, script.order) == (Verdict.DONE, 2, ["a", "a"])


def test_runs_of_one_farm_share_nothing():
    """A result of the first run comes in the second one, which has a job of the same name and waits for its own."""
    script = Script(lambda name, attempt: [name, name] if attempt == 1 else ["second"])
    farm = Farm(script, lambda job, result: True, clock=script.clock, expected=1.0)
    first, second = (list(farm.run([make_job("a")])) for _ in range(2))
    assert [outcome.result for outcome in (*first, *second)] == ["a", "second"]
    assert farm.ignored == 1
    abandoned = farm.run([make_job("b", 0.1), make_job("c", 0.2)])
    assert next(abandoned).job.name == "b"
    assert [outcome.job.name for outcome in farm.run([make_job("c")])] == ["c"]


@pytest.mark.property("P-170")
def test_an_error_of_what_looks_at_results_is_that_jobs():
    def accept(job: Job, result: object) -> bool:
        if job.name == "a":
            raise KeyError("of a test")
        return True

    script = Script()
    farm = Farm(script, accept, clock=script.clock, expected=1.0)
    outcomes = {outcome.job.name: outcome for outcome in farm.run([make_job("a", 0.1), make_job("b", 0.2)])}
    assert (outcomes["a"].verdict, outcomes["a"].attempts) == (Verdict.FAILED, 3)
    assert outcomes["a"].reason == "the result was not accepted: KeyError"
    assert outcomes["b"].verdict is Verdict.DONE


@pytest.mark.property("P-170")
def test_workers_that_take_nothing_for_a_while_end_no_run():
    script, refusals = Script(), [OSError(), OSError()]
    submit = script.submit

    def refuse_at_first(payload: bytes) -> int:
        if refusals:
            raise refusals.pop()
        return submit(payload)

    script.submit = refuse_at_first
    _, outcomes = run(script, [make_job("a", 0.1), make_job("b", 0.2)])
    assert {name: outcome.attempts for name, outcome in outcomes.items()} == {"a": 3, "b": 1}
    assert script.time == 4.0  # one wait for each refusal, one for each result

    def refuse(payload: bytes) -> int:
        raise OSError

    script.submit = refuse
    _, outcomes = run(script, [make_job("a", 0.1), make_job("b", 0.2)])
    for outcome in outcomes.values():
        assert (outcome.verdict, outcome.attempts, outcome.reason) == (Verdict.FAILED, 3, "OSError")


@pytest.mark.property("P-170")
@pytest.mark.parametrize("is_known", [True, False])
def test_without_workers_deadlines_pass(is_known):
    class Deserted(Script):
        @property
        def places(self) -> int:
            if self.time < 3.0 or is_known:
                return 0 if self.time < 3.0 else 1
            raise OSError

        @places.setter
        def places(self, _: int) -> None:
            pass

    script = Deserted()
    _, outcomes = run(script, [make_job("soon", 0.1, 2.5), make_job("later", 0.2, 9.0)])
    assert outcomes["soon"].verdict is Verdict.SHED and outcomes["soon"].reason == "would end 0.5 s after its deadline"
    assert outcomes["later"].verdict is (Verdict.DONE if is_known else Verdict.SHED)


def test_bad_jobs_are_refused():
    with pytest.raises(FloatOutOfRange, match="distance of job a is nan"):
        make_job("a", float("nan"))
    with pytest.raises(FloatOutOfRange, match="deadline of job a is inf"):
        make_job("a", deadline=float("inf"))
    with pytest.raises(DuplicateName, match="'a'"):
        run(Script(), [make_job("a"), make_job("a")])
    with pytest.raises(OutOfRange, match="capacity of a backlog = 0"):
        Farm(Script(), lambda *_: True, capacity=0)
    with pytest.raises(OutOfRange, match="attempts = 0"):
        Farm(Script(), lambda *_: True, attempts=0)
    with pytest.raises(OutOfRange, match="workers = 0"):
        ThreadWorkers(len, 0)


def test_an_outcome_shows_no_payload():
    assert "secret" not in repr(Outcome(Job("a", partial(bytes, b"secret"), FAR, 0.0), Verdict.DONE, "secret", "", 1))


# ------------------------------------------------------------------------------------------------------- real workers
def prove_jobs(workers, witness, key, jobs: list[Job]) -> list[Outcome]:
    return list(Farm(workers, VerifyResult(key.verifying_key, lambda job: witness.public_inputs())).run(jobs))


def test_threads_prove(transition):  # noqa: F811
    key = load_key("transition")
    witness = compute_transition_witness(key.circuit, transition)
    good, bad = witness.to_wtns, witness.with_wire(1, 7).to_wtns
    jobs = [Job("good", good, 1e12, 0.1), Job("again", good, 1e12, 0.2), Job("bad", bad, 1e12, 0.3)]
    with ThreadWorkers(ProveWitness("mini", allow_insecure=True), 2) as workers:
        outcomes = {outcome.job.name: outcome for outcome in prove_jobs(workers, witness, key, jobs)}
    assert outcomes["good"].verdict is outcomes["again"].verdict is Verdict.DONE
    assert outcomes["good"].result != outcomes["again"].result
    assert (outcomes["bad"].verdict, outcomes["bad"].reason) == (Verdict.FAILED, "UnsatisfiedConstraint")


@pytest.mark.parametrize("result", [None, (1, 2), (0,) * 8, ("x",) * 8])
def test_what_is_no_proof_is_not_accepted(result):
    key = load_key("transition")
    assert not VerifyResult(key.verifying_key, lambda job: pytest.fail("not asked"))(make_job("a"), result)


def test_threads_that_are_left_early_tell_no_lies():
    """Work that had not begun when `with` ends completes as cancelled; nothing is left in the log."""
    begun, go_on = Event(), Event()

    def work(payload: bytes) -> bytes:
        begun.set()
        go_on.wait(60)
        return payload

    with ThreadWorkers(work, 1) as workers:
        tickets = [workers.submit(payload) for payload in (b"first", b"second")]
        begun.wait(60)
        Thread(target=lambda: (workers._pool.shutdown(wait=False, cancel_futures=True), go_on.set())).start()
    completions = dict(workers.wait(60) for _ in tickets)
    assert completions[tickets[0]] == b"first"
    assert type(completions[tickets[1]]).__name__ == "CancelledError"


def test_one_thread_loads_a_key_while_others_wait(monkeypatch):
    loads, is_loading = [], Event()

    def load(*names: object, **_: object) -> str:
        assert not is_loading.is_set()
        is_loading.set()
        loads.append(names)
        Event().wait(0.05)  # time for another thread to come
        is_loading.clear()
        return "key"

    monkeypatch.setattr(proving, "load_proving_key", load)
    proving._load_key.cache_clear()
    try:
        with ThreadWorkers(lambda _: proving._get_key("open", "mini", Path(), False), 2) as workers:
            tickets = [workers.submit(b"") for _ in range(4)]
            assert dict(workers.wait(60) for _ in tickets) == dict.fromkeys(tickets, "key")
    finally:
        proving._load_key.cache_clear()
    assert loads == [("open", "mini")]


def test_no_cluster_is_said_so():
    with pytest.raises(ClusterUnavailable, match="127"):
        ClusterWorkers(len, "tcp://127.0.0.1:1")


def die_once(payload: bytes) -> int:
    """Ends its process the first time that it sees a payload, a file's name."""
    marker = Path(payload.decode())
    if not marker.exists():
        marker.touch()
        os._exit(1)
    return len(payload)


@pytest.mark.slow
def test_a_cluster_proves_and_outlives_a_killed_worker(transition, tmp_path):  # noqa: F811
    """Two worker processes; one of them is killed by its first job, and its job is done all the same."""
    from distributed import LocalCluster

    key = load_key("transition")
    witness = compute_transition_witness(key.circuit, transition)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True) as cluster:
        with ClusterWorkers(ProveWitness("mini", allow_insecure=True), cluster.scheduler_address) as workers:
            jobs = [Job(f"proof {number}", witness.to_wtns, 1e12, number) for number in range(4)]
            outcomes = prove_jobs(workers, witness, key, jobs)
        assert [outcome.verdict for outcome in outcomes] == [Verdict.DONE] * 4
        with ClusterWorkers(die_once, cluster.scheduler_address) as workers:
            names = [str(tmp_path / str(number)) for number in range(3)]
            jobs = [Job(name, name.encode, 1e12, number) for number, name in enumerate(names)]
            outcomes = list(Farm(workers, lambda job, result: result == len(job.name)).run(jobs))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.DONE] * 3
