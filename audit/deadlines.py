"""The desk of deadlines: its clock, leases by attested level, early calls, and freezes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zkmargin.audit.desks import DeskAudit
from zkmargin.audit.ledger import Account, AccountLease, Case, PostedCall
from zkmargin.audit.source import Happened
from zkmargin.contracts.clearing_house import Status
from zkmargin.prover.messages.records import EarlyCall


class DeadlineAudit(DeskAudit):
    """Replays what the desk says of time."""

    # -------------------------------------------------------------------------------------------------------- deadlines
    def _take_Ticked(self, event: Happened, fields: Mapping[str, Any]) -> None:
        ledger, place, time = self.ledger, event.place, self._get_time(event)
        found = fields["checkpoint"], fields["time"], fields["clock"]
        expected = len(ledger.checkpoints) + 1, time, ledger.advance_deadline_clock(time)
        self.report.require("history", "checkpoint of the clock of deadlines", found, expected, place)
        for reason in self._find_hindrances(time):
            self._refuse("tick of the clock of deadlines", reason, "none while nobody can prove", place)
        ledger.checkpoints[int(fields["checkpoint"])] = int(fields["time"]), int(fields["clock"])

    def _find_hindrances(self, time: int) -> Iterator[str]:
        """Why nobody could attest maintenance under the desks' key at a block's time."""
        ledger, version = self.ledger, self.terms.version
        posted = ledger.epochs.get(ledger.latest)
        if posted is None or time - posted.time > ledger.max_age_proof:
            yield "at no fresh epoch"
        if ledger.is_paused:
            yield "during a pause"
        if ledger.latest < ledger.min_epoch or ledger.is_revoked(ledger.latest):
            yield f"at epoch {ledger.latest}, superseded or revoked"
        if posted is not None and posted.key_version != version:
            yield f"at an epoch of key version {posted.key_version}"
        if not ledger.is_usable(version, time):
            yield f"under key version {version}, which is not live"
        if ledger.generation > self.publishers.first_generation:
            step = ledger.settlements.get(f"{version} {ledger.generation - 1} 1")
            if step is None or ledger.to_live(time) < step.ready_at or step.is_superseded:
                yield "before the settlement of the latest step serves"
            elif ledger.is_revoked(step.number):
                yield "after a step whose settlement was revoked"

    # ------------------------------------------------------------------------------------------------- leases and calls
    def _take_LeaseExtended(self, event: Happened, fields: Mapping[str, Any]) -> None:
        number, level, place, time = bytes(fields["account"]), int(fields["level"]), event.place, self._get_time(event)
        account, what = self.accounts.get(number, place), f"lease of account 0x{number.hex()}"
        if account is None:
            return
        attested = account.levels.get(level, (0, 0, 0, 0, ""))
        found = fields["epoch"], account.commitment, account.key_version
        self.report.require("history", f"epoch, state and key of the {what}", found, attested[1:4], place)
        proven, passed = self._get_proven(account), time - attested[0]
        until = self.ledger.advance_deadline_clock(time) + self._get_length(level) - passed
        self.report.require("history", f"end of the {what}", fields["until"], until, place)
        for reason in self._find_faults(number, account, attested[0], proven, int(fields["epoch"]), until):
            self._refuse(what, reason, "an attestation that extends it", place)
        call = self._read_call(event, "extend", number)
        if call is not None:
            stated = bytes(call.arguments["pointHash"]).hex()
            self.report.require("history", f"policy of the {what}", stated, attested[4], place)
        self.ledger.leases[number.hex()] = AccountLease(
            level=level,
            epoch=int(fields["epoch"]),
            until=int(fields["until"]),
            commitment=account.commitment,
            key_version=account.key_version,
        )

    def _find_faults(
        self, number: bytes, account: Account, attested: int, proven: int, epoch: int, until: int
    ) -> Iterator[str]:
        """Why an attestation extends no lease."""
        ledger, last = self.ledger, self.ledger.leases.get(number.hex())
        if ledger.is_revoked(epoch):
            yield f"at epoch {epoch}, which was revoked"
        if proven < attested:
            yield f"after a proof of margin of {proven}, before the attested prices"
        if last is not None and last.is_of(account) and last.until >= until and not ledger.is_revoked(last.epoch):
            called = ledger.calls[len(ledger.calls)].epoch if ledger.calls else 0
            if last.epoch >= called or epoch < called:
                yield f"while one stands until {last.until}"

    def _take_LeaseShortened(self, event: Happened, fields: Mapping[str, Any]) -> None:
        number, place = bytes(fields["account"]), event.place
        lease, what = self.ledger.leases.get(number.hex()), f"shorter lease of account 0x{number.hex()}"
        clock = self.ledger.advance_deadline_clock(self._get_time(event))
        self.report.require("history", f"end of the {what}", fields["until"], clock, place)
        self.report.count("history")
        if lease is None or lease.until <= clock or not self.ledger.is_revoked(lease.epoch):
            self._refuse(what, "of one that stands", "of one whose epoch was revoked", place)
        if lease is not None:
            lease.until = int(fields["until"])

    def _take_CalledEarly(self, event: Happened, fields: Mapping[str, Any]) -> None:
        ledger, place, epoch, time = self.ledger, event.place, int(fields["epoch"]), self._get_time(event)
        number, level = int(fields["call"]), int(fields["level"])
        last = ledger.calls[len(ledger.calls)].epoch if ledger.calls else 0
        found = number, fields["clock"]
        expected = len(ledger.calls) + 1, ledger.advance_deadline_clock(time)
        self.report.require("history", "number and clock of an early call", found, expected, place)
        posted, level_is_known = ledger.epochs.get(epoch), 1 <= level <= len(self.terms.leases)
        is_fresh = posted is not None and time - posted.time <= ledger.max_age_proof and not ledger.is_paused
        self.report.count("history")
        if epoch <= max(last, ledger.min_epoch - 1) or not is_fresh or ledger.is_revoked(epoch) or not level_is_known:
            found_call = f"level {level} at epoch {epoch}"
            self._refuse("early call", found_call, f"level 1 to 3, a fresh epoch after {last}", place)
        call = self.source.read_call("house", place)
        if call.function == "callEarly":
            message = EarlyCall(level=level, epoch=epoch)
            self.publishers.check_quorum(message, call.arguments["signatures"], place)
        else:
            self.accounts.skip_call(call)
        ledger.calls[number] = PostedCall(
            time=posted.time if posted is not None else 0, clock=int(fields["clock"]), epoch=epoch, level=level
        )

    # ---------------------------------------------------------------------------------------------------------- freezes
    def _take_Frozen(self, event: Happened, fields: Mapping[str, Any]) -> None:
        number, place = bytes(fields["account"]), event.place
        account, what = self.accounts.get(number, place), f"freeze of account 0x{number.hex()}"
        if account is None:
            return
        found = account.status, account.key_version, fields["commitment"]
        expected = int(Status.ACTIVE), self.terms.version, account.commitment
        self.report.require("history", f"status, key version and commitment at the {what}", found, expected, place)
        call = self._read_call(event, "freeze", number)
        if call is not None:
            checkpoint, called = int(call.arguments["checkpoint"]), int(call.arguments["call"])
            self.report.count("history")
            if not self._is_overdue(number, account, checkpoint, called):
                shown = f"by checkpoint {checkpoint} and call {called}, with a proof of {self._get_proven(account)}"
                self._refuse(f"time of the {what}", shown, "after its deadline or the grace of a call", place)
        account.status = Status.FROZEN
        self.ledger.cases[number.hex()] = Case(frozen_at=self._get_time(event))

    def _is_overdue(self, number: bytes, account: Account, checkpoint: int, called: int) -> bool:
        """As the desk has it: without a lease, by an old proof or an unanswered call; with one, by a call of its level
        that is later."""
        ledger, clock, proven = self.ledger, self.ledger.get_deadline_clock(), self._get_proven(account)
        if proven == 0:
            return False
        time, since = ledger.checkpoints.get(checkpoint, (0, 0))
        is_old = time >= proven and clock - since > self.terms.deadline
        call, lease = ledger.calls.get(called), ledger.leases.get(number.hex())
        if call is not None and clock <= call.clock + self.terms.call_grace:
            call = None
        if lease is not None and lease.is_of(account) and clock <= lease.until + self.terms.grace:
            ends = call is not None and call.level > lease.level and lease.epoch < call.epoch
            return ends and call is not None and (is_old or proven < call.time)
        return is_old or (call is not None and proven < call.time)

    def _get_proven(self, account: Account) -> int:
        """Time of its last proof of margin; 0 if it needs none."""
        return max(account.proven_at, account.attested[0]) if account.may_hold_derivatives else 0

    def _get_length(self, level: int) -> int:
        return self.terms.leases[level - 1] if 1 <= level <= len(self.terms.leases) else 0
