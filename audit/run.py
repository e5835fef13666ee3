"""An audit from beginning to end: read this first.

1. The deployment record is held against the chain: wiring, code, owners.
2. Every event of registry, oracle, clearing house, desks and vault is replayed in order, up to one block. On the way
   each epoch is recomputed from its snapshot and each action is put together again from calldata.
3. Proofs are verified over py_ecc.
4. What the contracts store at that block is held against the ledger that the replay made.

Nothing here knows a secret of anybody, and nothing is taken from the native prover.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zkmargin.audit.accounts import AccountAudit
from zkmargin.audit.curve import Key
from zkmargin.audit.deadlines import DeadlineAudit
from zkmargin.audit.desks import DeskAudit
from zkmargin.audit.errors import CheckpointRefused
from zkmargin.audit.ledger import Ledger
from zkmargin.audit.published import Published
from zkmargin.audit.publishers import PublisherAudit
from zkmargin.audit.report import Report
from zkmargin.audit.source import DESKS, Happened, Source
from zkmargin.audit.storage import RING, StorageAudit
from zkmargin.audit.tokens import TokenAudit
from zkmargin.audit.versions import DESK_CIRCUITS, VersionAudit, read_keys
from zkmargin.contracts.chain import Block
from zkmargin.contracts.errors import ChainUnavailable
from zkmargin.contracts.venue import Contracts
from zkmargin.engine.epoch.succession import MAX_LAG
from zkmargin.engine.files import read_text, write_whole
from zkmargin.prover.ranges import check_range

Progress = Callable[[str], None]


class Taker(Protocol):
    """A part of the audit that replays events."""

    def take(self, event: Happened) -> None:
        """Replays one event."""


@dataclass(frozen=True)
class Scope:
    """What an audit is given beside the chain."""

    keys: Sequence[Path]
    """Folders with the verification keys that the venue published."""
    published: Path | None = None
    """Folder with bytes that publishers serve: snapshots, policies."""
    checkpoint: Path | None = None
    """File from which an audit goes on, and into which it writes where it came to."""
    sample: int | None = None
    """How many of the latest proofs of each key are verified; all by default."""
    max_lag: int = MAX_LAG
    """Seconds by which an epoch may be later than its snapshot; more only for the replay of a recorded market."""


def audit(contracts: Contracts, scope: Scope, progress: Progress = lambda text: None) -> Report:
    """Audits a deployment up to the latest block, which is still the chain's when all is read.

    Raises
    ------
    ChainUnavailable, ChainReorganised
        If the node does not answer, or replaces the block while it is read.
    KeyFilesMissing, CheckpointRefused, OutOfRange
        If what the caller gave cannot be used; nothing was audited then.
    """
    check_range("number of proofs to verify", 0 if scope.sample is None else scope.sample, 0, 1 << 32)
    known = read_keys(list(scope.keys))
    return contracts.chain.read_at_one_block(lambda block: _audit(contracts, scope, known, block, progress))


def _audit(contracts: Contracts, scope: Scope, known: list[dict[str, Key]], block: Block, progress: Progress) -> Report:
    ledger = _load_ledger(contracts, scope.checkpoint)
    source = Source(contracts, ledger.next_block, block)
    report = Report(contracts.chain.id, ledger.next_block, block.number)
    report.skip_earlier(ledger.unchecked)

    storage = StorageAudit(source, ledger, report)
    progress("deployment record, code, owners")
    storage.check_deployment()
    storage.check_code()

    progress(f"events of blocks {source.first} to {block.number}")
    published = Published(scope.published)
    for event in source.happened:
        if event.name in ("SnapshotPublished", "SettlementPublished"):
            published.take_in([bytes(event.fields["snapshot" if event.name == "SnapshotPublished" else "settlement"])])
    published.take_in(ledger.steps.values())
    versions = VersionAudit(source, ledger, report, known, list(scope.keys))
    versions.resume()
    publishers = PublisherAudit(
        source=source,
        ledger=ledger,
        report=report,
        keys=versions.transitions,
        published=published,
        max_lag=scope.max_lag,
        first_generation=int(storage.ask("oracle", "FIRST_GENERATION") or 0),
        settlement_delay=int(storage.ask("oracle", "SETTLEMENT_DELAY") or 0),
    )
    publishers.resume()
    accounts = AccountAudit(source, ledger, report, versions.keys, versions.presets)
    deployment = contracts.deployment
    units = {slot: (deployment.weth, unit) for slot, unit in deployment.vault_units.items()}
    terms = storage.read_terms()
    desks = DeskAudit(accounts, publishers, terms)
    deadlines = DeadlineAudit(accounts, publishers, terms)
    tokens = TokenAudit(source, ledger, report, deployment.cash, units, terms)
    takers: Mapping[str, Sequence[Taker]] = {
        "registry": [versions],
        "oracle": [publishers],
        "house": [accounts, tokens],
        "vault": [tokens],
        **{name: [deadlines if name == "deadlines" else desks, tokens] for name in DESKS},
    }
    for event in source.happened:
        if event.name == "EpochPosted":
            progress(f"epoch {event.fields['number']}")
        for taker in takers[event.contract]:
            taker.take(event)
    versions.check_files()
    for circuit in DESK_CIRCUITS:
        versions.check_desk_key(circuit, terms.version, storage.get_desk_key(circuit))
    tokens.check_sums()
    accounts.verify(scope.sample, progress)

    progress("state at the last block")
    storage.describe_governance()
    storage.check()
    if scope.checkpoint is not None and report.agrees:
        ledger.next_block, ledger.last_hash = block.number + 1, block.hash
        ledger.unchecked = report.list_unchecked()
        ledger.epochs = {number: posted for number, posted in ledger.epochs.items() if number > ledger.latest - RING}
        write_whole(scope.checkpoint, ledger.model_dump_json(indent=1) + "\n")
    return report


def _load_ledger(contracts: Contracts, path: Path | None) -> Ledger:
    """The ledger of an earlier run, if there is one and the chain is still the same; else an empty one."""
    if path is None or not path.exists():
        return Ledger(next_block=contracts.deployment.first_block, house=contracts.deployment.clearing_house)
    try:
        ledger = Ledger.model_validate_json(read_text(path))
    except ValueError as error:
        raise CheckpointRefused(path, f"no checkpoint ({' '.join(str(error).split())[:200]})") from None
    if ledger.house != contracts.deployment.clearing_house:
        raise CheckpointRefused(path, f"is of {ledger.house}, the deployment is {contracts.deployment.clearing_house}")
    try:
        found = contracts.chain.get_block(ledger.next_block - 1).hash
    except ChainUnavailable:
        found = b""
    if found != ledger.last_hash:
        expected = f"hash 0x{ledger.last_hash.hex()}, the chain 0x{found.hex()}"
        raise CheckpointRefused(path, f"block {ledger.next_block - 1} has {expected}")
    return ledger
