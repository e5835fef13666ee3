"""A keeper: what anybody may do for a venue, done at its time. It holds no key but the one that pays for gas.

Each interval it carries an epoch (proposes the market of its source to the publishers, gathers signatures over HTTP,
posts what a quorum signed), makes payments that are due, and takes sleepers without derivatives to the listing in
force. An epoch that failed is tried again after `RETRY_SECONDS`; what fails of the other duties waits for the next
interval and brings no epoch forward. Every step looks at the chain first, so a keeper that was killed anywhere begins
again without loss. Events are read once: a round goes on from the block that the last one reached, and with a
folder a later process does, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import requests

from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.errors import Reverted, hide_path
from zkmargin.contracts.messages import SignedEpoch, signer_id, sort_points
from zkmargin.contracts.trading import LEFT_BEHIND, MAX_CLAIMS
from zkmargin.contracts.vault import Payment, Payments, PaymentState
from zkmargin.engine.errors import ZkMarginError
from zkmargin.prover.messages.records import Epoch
from zkmargin.prover.messages.typed_data import compute_digest, recover_signer
from zkmargin.venue.errors import QuorumMissing
from zkmargin.venue.following import Checkpoint, Follower
from zkmargin.venue.market_source import MarketSource
from zkmargin.venue.publishing import (
    PROPOSAL_WINDOW,
    Draft,
    PublishingTerms,
    date_market,
    post,
    propose_draft,
    read_threshold,
)

ANSWER_SECONDS = 20
"""How long a publisher may take to check and sign."""
RETRY_SECONDS = 1.0
"""After an epoch that failed; the interval where that is shorter."""
DUTIES = ("epoch", "payments", "sleepers")
"""In the order in which they are done."""
T = TypeVar("T")
Report = Callable[[str, object], None]
"""Takes a duty's name and its outcome."""


@dataclass
class Keeper:
    """What one keeper carries for one deployment."""

    terms: PublishingTerms
    source: MarketSource
    publishers: Sequence[str]
    """URLs of the publishers' services."""
    replay: bool = False
    folder: Path | None = None
    """Where it keeps how far it has read; without one it reads from the deployment's first block when it starts."""
    _tried_up_to: int = field(default=0, init=False)
    """Number of the last proposal without a quorum. Some publishers may have signed it, and for a while sign no other
    message of it, so the next proposal is above."""

    def carry_epoch(self) -> int:
        """Posts the next epoch, and returns its number.

        Raises
        ------
        QuorumMissing
            If fewer publishers than the threshold signed; says what each answered.
        ReplayRefused, MessageInvalid, PolicyError, OutOfRange
            If the market makes no epoch after the last one.
        """
        contracts = self.terms.contracts
        number = self._find_next_number(contracts.oracle.get_latest_number())
        market, max_lag = date_market(self.source.load(number), contracts, replay=self.replay)
        draft = Draft(number, contracts.chain.time, False, market)
        proposal, _ = propose_draft(self.terms, draft, max_lag)
        digest = compute_digest(contracts.domain, proposal.message)
        signatures = self._gather(draft, proposal.message, digest)
        signed = SignedEpoch(
            message=proposal.message,
            points=sort_points(proposal.points),
            snapshot=proposal.epoch.snapshot_bytes,
            settlement=proposal.epoch.settlement_bytes if proposal.is_step else b"",
            signatures=signatures,
        )
        post(contracts, signed)
        return number

    def _find_next_number(self, latest: int) -> int:
        """Above what was tried in vain; again from the first one above the chain's after the last that publishers
        sign."""
        number = max(latest, self._tried_up_to) + 1
        return number if number <= latest + PROPOSAL_WINDOW else latest + 1

    def _gather(self, draft: Draft, message: Epoch, digest: bytes) -> tuple[bytes, ...]:
        """Signatures of a quorum, by increasing `signer_id`; an answer that is not its signer's does not count."""
        found: dict[str, bytes] = {}
        answers, threshold = [], read_threshold(self.terms)
        body = {
            "number": draft.number,
            "time": draft.time,
            "snapshot": "0x" + draft.market.to_bytes().hex(),
        }
        for url in self.publishers:
            answer = self._ask(url, body)
            signature = _read_hex(answer.get("signature"))
            signer = recover_signer(self.terms.contracts.domain, message, signature)
            if signer is not None and answer.get("digest") == "0x" + digest.hex() and self._is_publisher(signer):
                found[signer] = signature
            else:
                answers.append(f"{hide_path(url)}: {answer.get('text') or 'no signature of this epoch'}")
        if len(found) < threshold:
            self._tried_up_to = draft.number
            raise QuorumMissing(draft.number, len(found), threshold, answers)
        return tuple(found[signer] for signer in sorted(found, key=signer_id)[:threshold])

    def _ask(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.post(f"{url}/sign", json=body, timeout=ANSWER_SECONDS).json()
            return answer if isinstance(answer, dict) else {}
        except (requests.RequestException, ValueError) as error:
            return {"text": type(error).__name__}

    def _is_publisher(self, address: str) -> bool:
        oracle = self.terms.contracts.oracle.contract
        return bool(oracle.call("isSigner", bytes.fromhex(address.removeprefix("0x"))))

    def make_payments(self) -> int:
        """Makes every payment that is due, `MAX_CLAIMS` at a time; returns how many were made. One that its token
        refuses keeps no other from being made."""
        contracts, made = self.terms.contracts, 0
        now = contracts.oracle.get_live_time()
        waiting = self._payments.read().values()
        due = [item for item in waiting if item.state != PaymentState.RETURNED and item.due_at <= now]
        for start in range(0, len(due), MAX_CLAIMS):
            try:
                receipt = contracts.vault.claim_for(due[start : start + MAX_CLAIMS])
            except Reverted as refusal:
                if refusal.error != "NothingDone":
                    raise
            else:
                made += len(contracts.vault.contract.decode_logs(receipt, "Claimed"))
        return made

    def skip_sleepers(self) -> list[bytes]:
        """Takes every account that is two steps behind and holds no derivatives to the listing in force. One that the
        contract refuses, as it has moved meanwhile, keeps no other from being taken."""
        contracts, skipped = self.terms.contracts, []
        current = contracts.oracle.get_generation()
        if current - int(contracts.oracle.contract.call("FIRST_GENERATION")) < LEFT_BEHIND:
            return []
        for account in self._opened.read():
            view = contracts.house.get_account(account)
            behind = current - view.generation >= LEFT_BEHIND
            if behind and view.status is Status.ACTIVE and not view.may_hold_derivatives:
                with suppress(Reverted):
                    contracts.house.skip(account)
                    skipped.append(account)
        return skipped

    @cached_property
    def _payments(self) -> Follower[Payments]:
        vault = self.terms.contracts.vault
        checkpoint = self._make_checkpoint("payments", _encode_payments, _decode_payments)
        return Follower(vault.contract.chain, vault.first_block, {}, vault.read_on, checkpoint)

    @cached_property
    def _opened(self) -> Follower[tuple[bytes, ...]]:
        """Numbers of every account that was ever opened."""
        house = self.terms.contracts.house

        def read_on(before: tuple[bytes, ...], first_block: int, last_block: int) -> tuple[bytes, ...]:
            return (*before, *house.read_opened(first_block, last_block))

        checkpoint = self._make_checkpoint("opened", _encode_numbers, _decode_numbers)
        return Follower(house.contract.chain, house.first_block, (), read_on, checkpoint)

    def _make_checkpoint(
        self, name: str, encode: Callable[[T], Any], decode: Callable[[Any], T]
    ) -> Checkpoint[T] | None:
        if self.folder is None:
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        house = self.terms.contracts.deployment.clearing_house
        return Checkpoint(self.folder / f"keeper-{name}.json", house, encode, decode)

    def run_round(self, report: Report, names: Iterable[str] = DUTIES) -> set[str]:
        """Duties once, each reported; one that fails keeps no other from being done. Returns those that failed."""
        duties = {"epoch": self.carry_epoch, "payments": self.make_payments, "sleepers": self.skip_sleepers}
        failed = set()
        for name in names:
            try:
                report(name, duties[name]())
            except ZkMarginError as error:
                report(name, f"{type(error).__name__}: {error}")
                failed.add(name)
        return failed

    def run(
        self,
        report: Report,
        *,
        interval: float,
        rounds: int = 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Every duty each interval (seconds), each with a clock of its own; an epoch that failed after `RETRY_SECONDS`.
        Ends after so many rounds, where `rounds` is not 0."""
        due_at = dict.fromkeys(DUTIES, clock())
        done = 0
        while True:
            start = clock()
            names = [name for name in DUTIES if due_at[name] <= start]
            failed = self.run_round(report, names)
            for name in names:
                is_retry = name == "epoch" and name in failed
                due_at[name] = start + (min(interval, RETRY_SECONDS) if is_retry else interval)
            done += 1
            if done == rounds:
                return
            sleep(max(0.0, min(due_at.values()) - clock()))


def _encode_payments(payments: Payments) -> list[dict[str, Any]]:
    return [{**asdict(item), "account": item.account.hex(), "state": int(item.state)} for item in payments.values()]


def _decode_payments(rows: list[dict[str, Any]]) -> Payments:
    found = [
        Payment(**{**row, "account": bytes.fromhex(row["account"]), "state": PaymentState(row["state"])})
        for row in rows
    ]
    return {(item.token, item.number): item for item in found}


def _encode_numbers(numbers: tuple[bytes, ...]) -> list[str]:
    return [number.hex() for number in numbers]


def _decode_numbers(texts: list[str]) -> tuple[bytes, ...]:
    return tuple(map(bytes.fromhex, texts))


def _read_hex(value: object) -> bytes:
    try:
        return bytes.fromhex(str(value).removeprefix("0x"))
    except ValueError:
        return b""
