"""What an audit knows of a venue after a block, from events alone: enough to go on from, and to compare storage with.

The ledger is the auditor's own copy of the books. It never reads storage, so what the contracts store can be held
against it.
"""

from __future__ import annotations

from typing import Annotated

from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak
from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator

from zkmargin.contracts.vault import Payment, PaymentState
from zkmargin.engine.units import SECONDS_PER_DAY


def _from_hex(value: object) -> bytes:
    return value if isinstance(value, bytes) else bytes.fromhex(str(value))


Hex = Annotated[bytes, PlainValidator(_from_hex), PlainSerializer(bytes.hex, when_used="json")]
"""Bytes, in JSON as hex."""


REVOKED = (1 << 40) - 1
"""When a revoked key may be used: never."""
PAUSE_LIMIT = 7 * SECONDS_PER_DAY
"""Seconds for which a pause stops the live clock at most."""
LONGEST_TICK = 300
"""Most seconds by which a tick advances the clock of deadlines."""
WHOLE = 10_000
"""Basis points of one."""


class Book(BaseModel):
    """Base of the ledger's records."""

    model_config = ConfigDict(extra="forbid")


class Account(Book):
    """An account, as `accountOf` has it."""

    auth: str
    status: int
    key_version: int
    generation: int
    may_hold_derivatives: bool = False
    margin: int = 0
    proven_at: int = 0
    proven_epoch: int = 0
    commitment: int
    must_rekey: bool = False
    """Whether it was redeemed from default, and has had no new viewing key since."""
    attested: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Of the maintenance that it attested at the latest epoch: the prices' time, the epoch's number, the commitment,
    the key version."""

    levels: dict[int, tuple[int, int, int, int, str]] = {}
    """By level of a lease: the same of its policy, and the hash of the policy's point, hex."""

    def has_attested(self, since: int) -> bool:
        """Whether it attested maintenance, as it is now, at prices of that time or later."""
        time, _, commitment, version = self.attested
        return time >= since and (commitment, version) == (self.commitment, self.key_version)


class AccountLease(Book):
    """How long a state of an account holds by the level that it attested."""

    level: int
    epoch: int
    """At which it was attested."""
    until: int
    """On the clock of deadlines."""
    commitment: int
    key_version: int

    def is_of(self, account: Account) -> bool:
        """Whether the account is still in that state."""
        return (self.commitment, self.key_version) == (account.commitment, account.key_version)


class PostedCall(Book):
    """An early call."""

    time: int
    """Of the prices from which on a proof answers it."""
    clock: int
    """Of deadlines, at which its grace begins."""
    epoch: int
    level: int
    """Accounts below it are called."""


class Case(Book):
    """An account in default, as `caseOf` has it, and its book."""

    frozen_at: int
    revealed_at: int = 0
    auction_at: int = 0
    least_epoch: int = 0
    commitment: int = 0
    start: int = 0
    floor: int = 0
    cash: int = 0
    """Of the book as it was revealed and as sales have left it, micro-dollars."""
    words: list[int] = []
    """Its positions, seven to a word."""

    @property
    def book_hash(self) -> bytes:
        """Of cash and words; zero before a revelation."""
        return keccak(abi_encode(["int256", "uint256[]"], [self.cash, self.words])) if self.words else bytes(32)


class PostedEpoch(Book):
    """An epoch, as its event has it."""

    number: int
    time: int
    generation: int
    key_version: int
    min_epoch: int
    snapshot_hash: Hex
    policy_hash: Hex
    settlement_hash: Hex
    points: list[tuple[Hex, int, int]]
    """Name of 32 bytes, x, y."""


class PostedSettlement(Book):
    """A settlement point that may serve."""

    number: int
    """Of the latest epoch when it was posted."""
    x: int
    y: int
    vector: Hex
    ready_at: int = 0
    """Seconds of the live clock from which it serves."""
    is_superseded: bool = False
    """Whether its publishers were replaced before that."""


class LastStep(Book):
    """The step that publishers signed in advance, for the day on which they are gone: one vector for all keys."""

    number: int
    """Of the epoch at which it was signed, or of the latest one when it was vetoed."""
    generation: int
    """Version of the listing that it ends."""
    vector: Hex
    points: dict[int, PostedSettlement] = {}
    """By key version; none after a veto."""


class RegisteredKey(Book):
    """A key version, as its event has it."""

    transition_hash: Hex
    open_hash: Hex
    transition_contract: str
    open_contract: str
    slots: int
    flat: tuple[int, int]
    committee: tuple[int, int]
    live_from: int = 0
    """End of the activation delay, unix seconds."""
    usable_from: int = 0
    """The same, unless it is suspended or revoked: then the suspension's end, or `REVOKED`."""


class QueuedPayment(Book):
    """A payment that was not yet made."""

    account: Hex
    recipient: str
    due_at: int
    state: int
    amount: int

    def to_payment(self, token: str, number: int) -> Payment:
        """As the vault takes it."""
        return Payment(self.account, self.recipient, token, number, self.due_at, PaymentState(self.state), self.amount)


class Ledger(Book):
    """The venue, replayed up to a block."""

    house: str
    """Address of the clearing house."""
    next_block: int
    """First block that was not replayed."""
    last_hash: Hex = b""
    """Hash of the block before it."""

    unchecked: dict[str, dict[str, int]] = {}
    """What the runs up to here could not check, by check and reason; the contracts' state is looked at by every run."""

    keys: dict[int, RegisteredKey] = {}
    signers: list[Hex] = []
    threshold: int = 0
    max_age_exit: int = 180
    """Seconds for which an epoch serves what takes risk."""
    max_age_proof: int = 300
    """Seconds for which it serves what only shows or adds margin."""

    latest: int = 0
    """Number of the latest epoch."""
    min_epoch: int = 0
    """Lowest number that is not superseded."""
    generation: int = 0
    epochs: dict[int, PostedEpoch] = {}
    """By number."""
    revoked: list[tuple[int, int]] = []
    """Ranges, both ends included, as the oracle keeps them."""
    is_paused: bool = False
    paused_at: int = 0
    """When the clock of payments and settlements stopped, unix seconds; 0 while it runs."""
    lost: int = 0
    """Seconds that it stood, in pauses that ended."""
    payment_delay: int = 1_800
    """Seconds that a payment waits at least."""
    daily_share: int = 2_000
    """Basis points of a token that leave in a day without a longer wait."""
    settlements: dict[str, PostedSettlement] = {}
    """By "version from steps"."""
    steps: dict[int, Hex] = {}
    """Vector of each single step, by the generation that it leads into."""
    latest_bytes: list[Hex] = []
    """Of the latest epoch: its snapshot, policies and settlement, if they were found."""

    last_step: LastStep | None = None
    notice: tuple[int, int] | None = None
    """Number of the latest epoch when notice of the end was given, and unix seconds from which the venue may end."""
    is_ended: bool = False
    """Whether the last step leads into `generation`, and nothing takes risk any more."""

    accounts: dict[str, Account] = {}
    """By number, hex."""
    unfollowed: set[str] = set()
    """Numbers, hex, of accounts with an event that the auditor does not replay."""
    is_vault_followed: bool = True
    """Whether every event of the vault was replayed."""
    burned: set[str] = set()
    """Account and digest, hex, that auth invalidated."""
    fees: dict[str, int] = {}
    """Micro-dollars that a submitter may collect."""
    cases: dict[str, Case] = {}
    """Accounts in default by number, hex."""
    checkpoints: dict[int, tuple[int, int]] = {}
    """By number, from 1: unix seconds, and what the clock of deadlines shows."""
    leases: dict[str, AccountLease] = {}
    """By account, hex."""
    calls: dict[int, PostedCall] = {}
    """Early calls by number, from 1."""
    surplus: int = 0
    """Micro-dollars that the vault holds beyond all hidden cash."""
    hidden_cash: int = 0
    """Micro-dollars that all hidden accounts hold together."""
    hidden_lots: dict[int, int] = {}
    """Lots of collateral that they hold together, by slot."""

    held: dict[str, int] = {}
    """Token units that the vault's books say the hidden accounts hold, by token."""
    inbox: dict[str, int] = {}
    """Token units by "account token"."""
    payments: dict[str, QueuedPayment] = {}
    """By "token number"."""
    outflows: dict[str, tuple[int, int]] = {}
    """By token: units that left lately, and the live time at which they were counted."""

    def is_revoked(self, number: int) -> bool:
        """Whether an epoch was declared bad."""
        return any(first <= number <= last for first, last in self.revoked)

    def revoke(self, first: int, last: int) -> None:
        """Takes a range into the others, as the oracle does."""
        self.revoked = [(low, high) for low, high in self.revoked if high < first] + [(first, last)]

    def restore(self, first: int, last: int) -> None:
        """Takes the lower part of a range out."""
        self.revoked = [(last + 1 if low == first else low, high) for low, high in self.revoked]

    def pause(self, time: int) -> None:
        """Stops the clock, unless it stands already."""
        self.is_paused, self.paused_at = True, self.paused_at or time

    def unpause(self, time: int) -> None:
        """Lets it go on."""
        self.lost = time - self.to_live(time)
        self.is_paused, self.paused_at = False, 0

    def to_live(self, time: int) -> int:
        """The live clock, by which payments fall due and settlements serve, at a block's time."""
        return time - self.lost - (min(time - self.paused_at, PAUSE_LIMIT) if self.paused_at else 0)

    def get_deadline_clock(self) -> int:
        """The clock of deadlines, as the last tick left it."""
        return self.checkpoints.get(len(self.checkpoints), (0, 0))[1]

    def advance_deadline_clock(self, time: int) -> int:
        """What it shows after a tick at that time."""
        last, clock = self.checkpoints.get(len(self.checkpoints), (0, 0))
        return clock + (min(time - last, LONGEST_TICK) if last else 0)

    def meter(self, token: str, amount: int, time: int) -> int:
        """Counts a payment, which `held` still contains, as queued at a block's time; live time at which it is due.

        What left lately drains at the daily share of what was held before. What is beyond one day's share waits until
        it would have drained.
        """
        held, live = self.held.get(token, 0), self.to_live(time)
        level, since = self.outflows.get(token, (0, 0))
        level -= min(level, (held + level) * self.daily_share * (live - since) // (WHOLE * SECONDS_PER_DAY))
        capacity = (held + level) * self.daily_share
        level += amount
        self.outflows[token] = level, live
        over = max(level * WHOLE - capacity, 0)
        wait = -(-over * SECONDS_PER_DAY // capacity) if capacity > 0 else 0
        return live + self.payment_delay + wait

    def add_outflow(self, token: str, amount: int) -> None:
        """Counts a payment that comes back (below 0), or leaves again, without letting time pass."""
        level, since = self.outflows.get(token, (0, 0))
        self.outflows[token] = max(level + amount, 0), since

    def sum_returned(self, token: str) -> int:
        """Units of payments that were vetoed and came back, and that no account has."""
        payments = (item for place, item in self.payments.items() if place.split()[0] == token)
        return sum(item.amount for item in payments if item.state == PaymentState.RETURNED)

    def is_usable(self, version: int, time: int) -> bool:
        """Whether a key version is live, and neither suspended nor revoked, at a block's time."""
        return version in self.keys and time >= self.keys[version].usable_from

    def move(self, books: dict[str, int], key: str, amount: int) -> int:
        """Adds to an entry of one of its books; returns what stands there then."""
        books[key] = books.get(key, 0) + amount
        return books[key]
