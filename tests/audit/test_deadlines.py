"""What an audit says of leases, early calls and freezes: of a ledger made by hand, and one thing wrong each."""

from types import SimpleNamespace

import pytest

from zkmargin.audit.accounts import AccountAudit
from zkmargin.audit.deadlines import DeadlineAudit
from zkmargin.audit.desks import DeskTerms
from zkmargin.audit.ledger import Account, AccountLease, Ledger, PostedCall, PostedEpoch
from zkmargin.audit.report import Place, Report
from zkmargin.audit.source import Call, Happened
from zkmargin.contracts.clearing_house import Status

TERMS = DeskTerms(
    version=1, deadline=1000, grace=100, call_grace=50, leases=(2000, 4000, 8000), window=None, auction=1, bounty=0,
    late_fee=0,
)  # fmt: skip
NUMBER = bytes(32)
COMMITMENT, POINT = 5, "ab" * 32
NOW, TICKED, CLOCK = 410, 400, 300
"""Block time, time of the last tick, and what the clock showed then."""
ATTESTED_AT, EPOCH = 390, 7
UNTIL = CLOCK + (NOW - TICKED) + TERMS.leases[0] - (NOW - ATTESTED_AT)


class Bench:
    """An account that attested level 1 and maintenance, and the audit."""

    def __init__(self):
        self.call = Call("", {}, "", "", "called from another contract")
        self.ledger, self.report = Ledger(house="", next_block=0), Report(1, 0, 1)
        self.account = Account(
            auth="", status=Status.ACTIVE, key_version=1, generation=1, commitment=COMMITMENT,
            may_hold_derivatives=True, proven_at=100, attested=(ATTESTED_AT, EPOCH, COMMITMENT, 1),
            levels={1: (ATTESTED_AT, EPOCH, COMMITMENT, 1, POINT)},
        )  # fmt: skip
        self.ledger.accounts[NUMBER.hex()] = self.account
        self.ledger.checkpoints = {1: (100, 0), 2: (TICKED, CLOCK)}
        self.ledger.max_age_proof = 300
        source = SimpleNamespace(read_call=lambda part, place: self.call, read_time=lambda block: block)
        accounts = AccountAudit(source, self.ledger, self.report, {}, {})
        self.audit = DeadlineAudit(accounts, SimpleNamespace(check_quorum=lambda *given: None), TERMS)

    def take(self, name: str, time: int = NOW, **fields) -> list[str]:
        """What the audit finds wrong with an event."""
        self.audit.take(Happened("deadlines", name, {"account": NUMBER, **fields}, Place(time)))
        return [item.what for item in self.report.disagreements]

    def extend(self, **changes) -> list[str]:
        return self.take("LeaseExtended", **{"level": 1, "epoch": EPOCH, "until": UNTIL, **changes})

    def lease(self, until: int, epoch: int = EPOCH, level: int = 1) -> None:
        self.ledger.leases[NUMBER.hex()] = AccountLease(
            level=level, epoch=epoch, until=until, commitment=COMMITMENT, key_version=1
        )

    def called(self, level: int, epoch: int, time: int, clock: int) -> None:
        self.ledger.calls[len(self.ledger.calls) + 1] = PostedCall(time=time, clock=clock, epoch=epoch, level=level)

    def freeze(self, checkpoint: int, call: int, clock: int) -> list[str]:
        self.ledger.checkpoints[3] = (TICKED + clock, clock)
        self.call = Call("freeze", {"account": NUMBER, "checkpoint": checkpoint, "call": call}, "", "")
        return self.take("Frozen", commitment=COMMITMENT, keeper="", bounty=0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_honest_lease_is_kept(bench):
    assert bench.extend() == []
    assert bench.ledger.leases[NUMBER.hex()].until == UNTIL


def set_levels(bench, **changes):
    names = ("time", "epoch", "commitment", "version", "point")
    known = dict(zip(names, bench.account.levels[1], strict=True)) | changes
    bench.account.levels[1] = tuple(known.values())


LEASES = {
    "too long": (lambda bench: None, {"until": UNTIL + 1}, "end of the lease"),
    "of another epoch": (lambda bench: None, {"epoch": 8}, "epoch, state and key"),
    "of another state": (lambda bench: set_levels(bench, commitment=6), {}, "epoch, state and key"),
    "of another key": (lambda bench: set_levels(bench, version=2), {}, "epoch, state and key"),
    "of a level not attested": (lambda bench: None, {"level": 2}, "epoch, state and key"),
    "of a revoked epoch": (lambda bench: bench.ledger.revoke(EPOCH, EPOCH), {}, "lease of account"),
    "without margin": (lambda bench: setattr(bench.account, "attested", (389, 6, COMMITMENT, 1)), {}, "lease of"),
    "while a longer one stands": (lambda bench: bench.lease(UNTIL), {}, "lease of account"),
}
"""What is changed before it, of it, and words of the disagreement."""


@pytest.mark.property("P-117")
@pytest.mark.parametrize("name", LEASES)
def test_a_lease_that_the_desk_would_refuse_is_found(bench, name):
    prepare, changes, words = LEASES[name]
    prepare(bench)
    assert any(words in what for what in bench.extend(**changes))


def test_a_lease_from_after_a_call_takes_the_place_of_a_longer_one(bench):
    bench.lease(UNTIL + 5, epoch=5)
    bench.called(2, 6, 380, 290)
    assert bench.extend() == []


@pytest.mark.property("P-117")
def test_a_policy_that_was_not_attested_is_found(bench):
    bench.call = Call("extend", {"account": NUMBER, "pointHash": bytes(32)}, "", "")
    assert any("policy of the lease" in what for what in bench.extend())
    bench.report.disagreements.clear()
    bench.call = Call("extend", {"account": NUMBER, "pointHash": bytes.fromhex(POINT)}, "", "")
    bench.ledger.leases.clear()
    assert bench.extend() == []


@pytest.mark.property("P-117")
def test_only_a_lease_of_a_revoked_epoch_is_shortened(bench):
    bench.lease(UNTIL)
    until = CLOCK + NOW - TICKED
    assert any("shorter lease" in what for what in bench.take("LeaseShortened", until=until))
    bench.report.disagreements.clear()
    bench.lease(UNTIL)
    bench.ledger.revoke(EPOCH, EPOCH)
    assert bench.take("LeaseShortened", until=until) == []
    assert bench.ledger.leases[NUMBER.hex()].until == until


CALLS = {
    "honest": ({}, None),
    "of no level": ({"level": 4}, "early call"),
    "at an epoch before the last": ({"epoch": 8}, "early call"),
    "at an old epoch": ({"time": NOW + 400}, "early call"),
    "of another number": ({"call": 3}, "number and clock"),
    "of another clock": ({"clock": 5}, "number and clock"),
}


@pytest.mark.property("P-117")
@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_the_desk_would_refuse_is_found(bench, name):
    changes, words = CALLS[name]
    bench.called(1, 8, 380, 290)
    for number in (8, 9):
        bench.ledger.epochs[number] = PostedEpoch(
            number=number, time=ATTESTED_AT, generation=1, key_version=1, min_epoch=0, snapshot_hash=bytes(32),
            policy_hash=bytes(32), settlement_hash=bytes(32), points=[],
        )  # fmt: skip
    found = bench.take(
        "CalledEarly", **{"call": 2, "level": 1, "epoch": 9, "clock": CLOCK + NOW - TICKED, "time": NOW, **changes}
    )
    assert found == [] if words is None else any(words in what for what in found)


FREEZES = {
    "after its deadline": ((), 2, 0, 1301, True),
    "before it": ((), 2, 0, 1300, False),
    "by a checkpoint before its proof": ((), 1, 0, 1301, False),
    "within a lease": ((1500,), 2, 0, 1600, False),
    "after a lease and its grace": ((1500,), 2, 0, 1601, True),
    "by a call": ((None, 2, 9, 395, 300), 0, 1, 351, True),
    "within the grace of a call": ((None, 2, 9, 395, 300), 0, 1, 350, False),
    "by a call that a proof answered": ((None, 2, 9, ATTESTED_AT, 300), 0, 1, 351, False),
    "by a call that ends a lease": ((1500, 2, 9, 395, 300), 0, 1, 351, True),
    "by a call that touches no such lease": ((1500, 1, 9, 395, 300), 0, 1, 351, False),
    "by a call that a lease answered": ((1500, 2, EPOCH, 395, 300), 0, 1, 351, False),
}
"""A lease's end; a call's level, epoch, time, clock; checkpoint, call and clock of the freeze, and whether it may."""


@pytest.mark.property("P-117")
@pytest.mark.parametrize("name", FREEZES)
def test_a_freeze_before_its_time_is_found(bench, name):
    made, checkpoint, call, clock, is_allowed = FREEZES[name]
    if made and made[0]:
        bench.lease(made[0])
    if len(made) > 1:
        bench.called(*made[1:])
    assert (bench.freeze(checkpoint, call, clock) == []) is is_allowed
