"""A watchtower: attests and rolls for accounts whose viewing keys it holds. It can read them and move none.

Each round it takes over what became of its accounts, rolls those that no epoch reaches any more, and shows maintenance
margin of those whose last proof is older than `renew` seconds: proved by a farm, nearest to maintenance first, and
carried in by one transaction a key version and listing. Everything is decided by what the chain has, and nothing is
kept on disk, so it may be ended at any moment and run beside others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial

from zkmargin.contracts.batches import carry_attestations
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.requests import ActionRequest
from zkmargin.contracts.trading import Trader, Venue
from zkmargin.contracts.venue import Records
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.errors import ZkMarginError
from zkmargin.engine.house import House
from zkmargin.prover._native import FieldVector
from zkmargin.prover.account.recovery import recover_account
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import Transition, build_transition
from zkmargin.prover.client import AccountClient
from zkmargin.prover.farm import Farm, Job, ProveWitness, ThreadWorkers, VerifyResult
from zkmargin.prover.groth16.witness import compute_transition_witness
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.records import Action, TypedMessage
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.statement.secret import Secret
from zkmargin.venue.errors import AccountNotOpen

RENEW_SECONDS = 1800
"""Age of an account's last proof from which on it is renewed: well below the shortest lease of a proof, an hour, so
that a round, the epoch that it waits for and one failure fit between."""
ROUND_SECONDS = 300
"""What a round's proofs may take."""
Report = Callable[[str, str], None]
"""Takes an account's number, 0x-hex, and what became of it."""


class KeyHolder:
    """Who knows an account's viewing key and not its owner's: signs nothing."""

    def __init__(self, address: str):
        self.address = address

    def sign(self, domain: Domain, message: TypedMessage) -> bytes:
        """No signature; the contracts take late rolls and attestations without one."""
        return b""


@dataclass
class Watchtower:
    """What one watchtower does at one venue.

    Parameters
    ----------
    venue : Venue
    keys : mapping of bytes to Secret
        Viewing keys by account.
    renew : int
        Seconds of age from which on a proof is renewed.
    places : int
        Proofs at a time.
    """

    venue: Venue
    keys: Mapping[bytes, Secret]
    renew: int = RENEW_SECONDS
    places: int = 1
    _watched: dict[bytes, Trader] = field(default_factory=dict, init=False, repr=False)

    def run_round(self, report: Report) -> list[bytes]:
        """Everything once; one account that fails keeps no other from being done. Returns the accounts attested for."""
        records = cache(partial(self.venue.contracts.read_records, self.venue.facts.preset))
        live = [trader for account in self.keys if (trader := self._catch_up(account, records, report)) is not None]
        epoch = self.venue.current_epoch()
        transitions = dict(self._build(self._list_due(live, epoch, report), epoch, report))
        proved = dict(self._prove(transitions, epoch, report))
        if not proved:
            return []
        points = self.venue.get_points(epoch.number)
        requests = [
            ActionRequest.from_action(transitions[account].message, words, b"", points)
            for account, words in proved.items()
        ]
        carried = carry_attestations(self.venue.contracts.house, requests, sender=self.venue.submitter)
        done = []
        for place, account in enumerate(proved):
            refusal = carried.refused.get(place)
            outcome = str(refusal) if refusal else "moved meanwhile" if place in carried.skipped else "attested"
            report("0x" + account.hex(), outcome)
            if outcome == "attested":
                done.append(account)
        return done

    def _catch_up(self, account: bytes, records: Callable[[], Records], report: Report) -> Trader | None:
        """The account as the chain has it now, None where it is not open or cannot be rebuilt."""
        try:
            status = self.venue.contracts.house.get_account(account).status
            if status not in (Status.ACTIVE, Status.FROZEN):
                raise AccountNotOpen(account, status.name.lower(), "one that is open")
            trader = self._watched.get(account) or self._recover(account, records())
            self._watched[account] = trader
            if self.venue.catch_up(trader):
                report("0x" + account.hex(), "taken to the listing in force")
            return trader
        except ZkMarginError as fault:
            _report_fault(report, account, fault)
            return None

    def _recover(self, account: bytes, records: Records) -> Trader:
        venue = self.venue
        held = recover_account(
            account, records.history, venue.domain, venue.facts.preset, records.settlements, self.keys[account]
        )
        return Trader(venue, AccountClient(KeyHolder(held.auth), held, venue.facts, venue.provers))

    def _list_due(self, traders: Iterable[Trader], epoch: Epoch, report: Report) -> Iterator[Trader]:
        """Accounts whose last proof of margin is older than `renew`, and not of this epoch."""
        for trader in traders:
            try:
                proved = self.venue.contracts.views.get_proved(trader.id)
            except ZkMarginError as fault:
                _report_fault(report, trader.id, fault)
                continue
            if proved.epoch < epoch.number and self.venue.time - proved.time >= self.renew:
                yield trader

    def _build(
        self, traders: Iterable[Trader], epoch: Epoch, report: Report
    ) -> Iterator[tuple[bytes, Transition[Action]]]:
        facts, deadline = self.venue.facts, self.venue.deadline
        for trader in traders:
            intent = Intent(ActionKind.ATTEST, policy="maintenance", deadline=deadline)
            try:
                account = trader.client.account
                built = build_transition(
                    account, intent, domain=facts.domain, key_version=facts.key_version, epoch=epoch
                )
                yield trader.id, built
            except ZkMarginError as fault:
                _report_fault(report, trader.id, fault)

    def _prove(
        self, transitions: Mapping[bytes, Transition[Action]], epoch: Epoch, report: Report
    ) -> Iterator[tuple[bytes, tuple[int, ...]]]:
        """Words of the proofs, in the order in which they came: nearest to maintenance first."""
        prover, house = self.venue.provers.transition, House(epoch.snapshot)
        named = {"0x" + account.hex(): transition for account, transition in transitions.items()}

        def collect(job: Job) -> FieldVector:
            transition = named[job.name]
            return prover.collect(transition.own_signals, transition.effects.policy)

        work = ProveWitness(self.venue.facts.preset.name, allow_insecure=self.venue.contracts.chain.is_development)
        with ThreadWorkers(work, self.places) as workers:
            farm = Farm(workers, VerifyResult(prover.verifying_key, collect))
            for outcome in farm.run(self._list_jobs(named, house, report)):
                if isinstance(outcome.result, tuple):
                    yield bytes.fromhex(outcome.job.name[2:]), outcome.result
                else:
                    report(outcome.job.name, f"{outcome.verdict.value}: {outcome.reason}")

    def _list_jobs(self, named: Mapping[str, Transition[Action]], house: House, report: Report) -> Iterator[Job]:
        deadline, key = time.time() + ROUND_SECONDS, self.venue.provers.transition.key

        def make_payload(transition: Transition[Action]) -> bytes:
            return compute_transition_witness(key.circuit, transition).to_wtns()

        for name, transition in named.items():
            try:
                level = house.report(transition.after.state).levels["maintenance"]
            except ZkMarginError as fault:
                _report_fault(report, bytes.fromhex(name[2:]), fault)
                continue
            yield Job(
                name,
                partial(make_payload, transition),
                deadline,
                level.margin_excess / max(level.requirement, 1.0),
            )

    def run(
        self,
        report: Report,
        *,
        interval: float,
        rounds: int = 0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """A round each interval (seconds); one that fails as a whole is reported, and tried again at the next. Ends
        after so many rounds, where `rounds` is not 0."""
        done = 0
        while True:
            try:
                self.run_round(report)
            except ZkMarginError as fault:
                report("", f"{type(fault).__name__}: {fault}")
            done += 1
            if done == rounds:
                return
            sleep(interval)


def _report_fault(report: Report, account: bytes, fault: ZkMarginError) -> None:
    report("0x" + account.hex(), f"{type(fault).__name__}: {fault}")
