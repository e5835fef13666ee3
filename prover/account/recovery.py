"""Recovery: the full account state from chain events and the wallet (or key file) alone.

Every trade's ciphertext is decrypted with the viewing key, every event is applied, and every commitment is checked
on the way, so the first event that does not fit is the one that is named. The chain's side is given as typed
records; the contract bindings make them.
"""

from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from types import MappingProxyType

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.epoch.expiry import SKIPS, ExpiryStep, compose_expiry_steps
from zkmargin.engine.policy.errors import PolicyError
from zkmargin.engine.presets import BITS, Preset
from zkmargin.prover.account.account import Account, compute_account_id, derive_key
from zkmargin.prover.errors import OutOfRange, ProverError, RecoveryError, StatementError
from zkmargin.prover.messages.action_table import ActionKind, get_action_rule
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.messages.wallet import Signer
from zkmargin.prover.ranges import check_private, check_range
from zkmargin.prover.statement.checkpoint import decrypt_checkpoint
from zkmargin.prover.statement.commitment import decrypt_word
from zkmargin.prover.statement.secret import Secret

MOST_OUTCOMES = 1_000
"""Combinations of replaced settlement vectors that one event is tried with."""


class StepVectors(Mapping[int, ExpiryStep]):
    """Settlement vectors by the generation that each leads into, with those that others took the place of since: an
    account may have taken one before its epoch was revoked."""

    @abstractmethod
    def get_replaced(self, generation: int) -> Iterable[ExpiryStep]:
        """Vectors that stood in the place before, the latest first."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An account was opened."""

    account: bytes
    """32 bytes."""
    auth: str
    index: int
    generation: int
    """Generation that the account was opened at."""
    commitment: int
    """C_0."""


@dataclass(frozen=True, slots=True)
class Transitioned:
    """An account's commitment was replaced. Events of actions that write nothing may be there too: they are skipped."""

    kind: ActionKind
    account: bytes
    """32 bytes."""
    generation: int
    """The account's generation after it."""
    commitment_new: int
    trade_tag: int = 0
    ciphertext: int = 0
    side: int = 0
    cash_flow: int = 0
    """Micro-dollars, signed, fee included."""
    flows: tuple[tuple[int, int], ...] = ()
    """(slot, signed lots)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", ActionKind(self.kind))
        check_range("side of an event", self.side, -1, 2)
        for slot, lots in self.flows:
            check_range("slot of a flow", slot, 0, 1 << 16)
            check_range(f"flow of slot {slot}", lots, -(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True)
class Skipped:
    """An account without derivatives went to a later listing; its commitment stayed."""

    account: bytes
    """32 bytes."""
    generation: int
    """Generation of the account after it."""


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """An account moved to a new viewing key, with its state unchanged."""

    account: bytes
    """32 bytes."""
    commitment_new: int
    checkpoint: tuple[int, ...]
    """Cash and state words, encrypted under the new key."""


Event = Opened | Transitioned | Skipped | Rekeyed


def find_openings(wallet: Signer, domain: Domain, events: Iterable[Event]) -> tuple[Opened, ...]:
    """Openings of the wallet's accounts: auth is the wallet's address, and the number follows from it and the index."""
    return tuple(
        event
        for event in events
        if isinstance(event, Opened)
        and event.auth.lower() == wallet.address.lower()
        and event.account == compute_account_id(domain, event.auth, event.index)
    )


@dataclass(frozen=True, slots=True)
class Unrecovered:
    """An account that could not be rebuilt, and why."""

    account: bytes
    """32 bytes."""
    error: ProverError

    @property
    def reason(self) -> str:
        """The error's kind and text; no secret is in it."""
        return f"{type(self.error).__name__}: {self.error}"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What came of each account, in the order of opening."""

    accounts: tuple[Account, ...]
    failures: tuple[Unrecovered, ...]


def recover_accounts(
    wallet: Signer | None,
    domain: Domain,
    preset: Preset,
    events: Iterable[Event],
    settlements: Mapping[int, ExpiryStep],
    keys: Mapping[bytes, Secret] = MappingProxyType({}),
) -> Recovery:
    """Every account of the wallet and of the key files; one that cannot be rebuilt does not keep the others back.

    Parameters
    ----------
    wallet : Signer, optional
        None recovers the accounts of `keys` alone.
    settlements : mapping of int to ExpiryStep
        As for `recover_account`.
    keys : mapping of bytes to Secret
        Viewing keys from key files by account number; these accounts' keys are not asked of the wallet.
    """
    history = list(events)
    openings = find_openings(wallet, domain, history) if wallet else ()
    accounts, failures = [], []
    for account_id in dict.fromkeys([*(opening.account for opening in openings), *keys]):
        try:
            key = keys.get(account_id)
            if key is None and wallet is not None:
                key = derive_key(wallet, domain, account_id, count_rekeys(account_id, history))
            if key is not None:
                accounts.append(recover_account(account_id, history, domain, preset, settlements, key))
        except ProverError as error:
            failures.append(Unrecovered(account_id, error))
    return Recovery(tuple(accounts), tuple(failures))


def count_rekeys(account_id: bytes, events: Iterable[Event]) -> int:
    """How often the account moved to a new key: the index of its present one, which a wallet derives it from."""
    return sum(isinstance(event, Rekeyed) and event.account == account_id for event in events)


def recover_account(
    account_id: bytes,
    events: Iterable[Event],
    domain: Domain,
    preset: Preset,
    settlements: Mapping[int, ExpiryStep],
    key: Secret,
) -> Account:
    """The account as it is after the last event.

    After a rekey the state is read from the checkpoint under the new key; trades before it are under the old one and
    are only counted.

    Parameters
    ----------
    events : iterable of Event
        In the order of the chain; those of other accounts are passed over.
    settlements : mapping of int to ExpiryStep
        By generation, the vector of the step that led to it. Asked only for the steps that the account took, so a
        mapping may parse each as it is asked for.
    key : Secret
        The account's present viewing key, from the wallet (`derive_key`) or a key file.

    Raises
    ------
    RecoveryError
        If an event does not fit; `index` counts the account's own events from 0. At 0 the key is not this
        account's: the wrong wallet, or the wrong key file.
    """
    history = [event for event in events if event.account == account_id]
    present = count_rekeys(account_id, history)
    traced = deque(trace_period(account_id, history, domain, preset, settlements, key, present), maxlen=1)
    if not traced:
        raise RecoveryError(0, "Opened", f"account 0x{account_id.hex()} was never opened in these events")
    return traced[0][1]


def trace_period(
    account_id: bytes,
    events: Iterable[Event],
    domain: Domain,
    preset: Preset,
    settlements: Mapping[int, ExpiryStep],
    key: Secret,
    number: int,
) -> Iterator[tuple[Event, Account]]:
    """What one viewing key opens: each event that changed the account in a period, and the account after it.

    A period begins with the opening (number 0) or with a rekey, whose checkpoint has the state, and ends before the
    next rekey. Every commitment is checked on the way.

    Parameters
    ----------
    key : Secret
        The viewing key of that period.
    number : int
        How many rekeys come before.

    Raises
    ------
    OutOfRange
        If the account has no such period.
    RecoveryError
        As `recover_account`.
    """
    own = [event for event in events if event.account == account_id]
    rekeys = [place for place, event in enumerate(own) if isinstance(event, Rekeyed)]
    check_range("period of the account", number, 0, len(rekeys) + 1)
    start, account = 0, None
    if number:
        start = rekeys[number - 1] + 1
        account = _start_at_checkpoint(start - 1, own, domain, preset, key)
        yield own[start - 1], account
    for index, event in enumerate(own[start : [*rekeys, len(own)][number]], start):
        if isinstance(event, Opened):
            account = _apply_opening(index, event, account, domain, preset, key)
        elif account is None:
            name = event.kind.name if isinstance(event, Transitioned) else type(event).__name__
            raise RecoveryError(index, name, "comes before the account was opened")
        elif isinstance(event, Skipped):
            account = _apply_skip(index, event, account)
        elif isinstance(event, Transitioned) and get_action_rule(event.kind).writes:
            account = _apply_transition(index, event, account, settlements)
        else:
            continue
        yield event, account


def _apply_opening(
    index: int, event: Opened, before: Account | None, domain: Domain, preset: Preset, key: Secret
) -> Account:
    if before is not None:
        raise RecoveryError(index, "Opened", "the account is open already; its number is used once")
    account = Account.create(domain, event.auth, event.index, key, preset, event.generation)
    if account.id != event.account:
        raise RecoveryError(
            index, "Opened", f"auth and index give account 0x{account.id.hex()}: another chain or contract?"
        )
    if account.commitment != event.commitment:
        raise RecoveryError(
            index, "Opened", "the key does not open the first commitment: wrong wallet, key file, chain or preset"
        )
    return account


def _start_at_checkpoint(place: int, events: Sequence[Event], domain: Domain, preset: Preset, key: Secret) -> Account:
    """The account after the rekey that is number `place` of its events."""
    opening, rekey = events[0], events[place]
    if not isinstance(opening, Opened) or not isinstance(rekey, Rekeyed):
        raise RecoveryError(0, type(opening).__name__, "comes before the account was opened")
    writes = sum(
        isinstance(event, Rekeyed) or (isinstance(event, Transitioned) and get_action_rule(event.kind).writes)
        for event in events[: place + 1]
    )
    generation = [event.generation for event in events[:place] if not isinstance(event, Rekeyed)][-1]
    empty = Account.create(domain, opening.auth, opening.index, key, preset, generation)
    try:
        state = decrypt_checkpoint(rekey.checkpoint, key, writes, preset)
    except OutOfRange:
        raise RecoveryError(place, "Rekeyed", "the checkpoint does not decrypt to a state under this key") from None
    account = replace(empty, state=state, nonce=writes)
    if account.id != rekey.account or account.commitment != rekey.commitment_new:
        raise RecoveryError(place, "Rekeyed", f"gives commitment {account.commitment}, the chain has another")
    return account


def _apply_skip(index: int, event: Skipped, account: Account) -> Account:
    if account.holds_derivatives:
        raise RecoveryError(index, "Skipped", "the account holds derivatives")
    if event.generation < account.generation:
        raise RecoveryError(index, "Skipped", f"leads from generation {account.generation} back to {event.generation}")
    return replace(account, generation=event.generation)


def _apply_transition(
    index: int, event: Transitioned, account: Account, settlements: Mapping[int, ExpiryStep]
) -> Account:
    name, preset = event.kind.name, account.preset
    held, cash = [int(lots) for lots in account.state.positions], account.state.cash + event.cash_flow
    for slot, lots in event.flows:
        if not 0 <= slot < preset.slots:
            raise RecoveryError(index, name, f"flow of slot {slot}, allowed: 0 to {preset.slots - 1}")
        held[slot] += lots
    if event.side:
        try:
            terms = decrypt_word(event.ciphertext, account.key, account.nonce, event.trade_tag, preset)
        except (OutOfRange, StatementError):
            raise RecoveryError(index, name, "the ciphertext does not decrypt to a trade word under this key") from None
        cash += event.side * terms.cash_usd6
        for slot, lots in terms.legs:
            held[slot] += event.side * lots
    try:
        for slot, lots in enumerate(held):
            check_private(f"position in slot {slot}", lots, BITS.position)
        is_step = event.generation != account.generation
        outcomes = _settle(index, event, account, held, cash, settlements) if is_step else iter([(held, cash)])
        return _find_outcome(index, event, account, outcomes)
    except OutOfRange as error:
        raise RecoveryError(index, name, str(error)) from None


def _find_outcome(
    index: int, event: Transitioned, account: Account, outcomes: Iterator[tuple[list[int], int]]
) -> Account:
    """The account after the first outcome whose commitment is the event's; the error is about the first of all."""
    given: list[int] = []
    for held, cash in islice(outcomes, MOST_OUTCOMES):
        check_private("cash", cash, BITS.cash)
        after = account.advance(AccountState(np.array(held, dtype=np.int64), cash), event.generation)
        if after.commitment == event.commitment_new:
            return after
        given.append(after.commitment)
    raise RecoveryError(index, event.kind.name, f"gives commitment {given[0]}, the chain has {event.commitment_new}")


def _settle(
    index: int, event: Transitioned, account: Account, held: list[int], cash: int, settlements: Mapping[int, ExpiryStep]
) -> Iterator[tuple[list[int], int]]:
    """Positions and cash after every step that the event takes: one inside another action, several in a roll. By the
    vectors that stand, then by those that stood in their places before."""
    name, start, end = event.kind.name, account.generation, event.generation
    allowed = SKIPS if get_action_rule(event.kind).takes_steps else SKIPS[:1]
    if end - start not in allowed:
        taken = ", ".join(map(str, allowed))
        raise RecoveryError(index, name, f"steps from generation {start} to {end}; allowed: {taken} at once")
    generations = range(start + 1, end + 1)
    vectors = [_get_step(index, name, generation, account.preset, settlements) for generation in generations]
    choices: list[tuple[ExpiryStep, ...]] = [(vector,) for vector in vectors]
    if isinstance(settlements, StepVectors):
        choices = [
            (vector, *settlements.get_replaced(generation))
            for vector, generation in zip(vectors, generations, strict=True)
        ]
    return (compose_expiry_steps(steps).settle(held, cash) for steps in product(*choices))


def _get_step(
    index: int, name: str, generation: int, preset: Preset, settlements: Mapping[int, ExpiryStep]
) -> ExpiryStep:
    if generation not in settlements:
        raise RecoveryError(index, name, f"the settlement vector of generation {generation} was not given")
    try:
        settlement = settlements[generation]
    except PolicyError as error:
        raise RecoveryError(
            index, name, f"the settlement vector of generation {generation} is malformed: {error}"
        ) from None
    if settlement.preset != preset:
        raise RecoveryError(index, name, f"the settlement vector is of preset {settlement.preset.name}")
    return settlement
