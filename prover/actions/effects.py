"""What an intent does to an account, before any policy is looked at."""

from dataclasses import dataclass, field

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.epoch.expiry import ExpiryStep, compose_expiry_steps, identity_expiry_step
from zkmargin.engine.policy.record import Policy, flat_policy, none_policy
from zkmargin.engine.presets import BITS
from zkmargin.prover.account.account import Account
from zkmargin.prover.actions.intent import EpochData, Intent, get_flows, get_rule
from zkmargin.prover.errors import ActionNotAllowed, GenerationMismatch
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind, ActionRule
from zkmargin.prover.ranges import check_all_private, check_private
from zkmargin.prover.statement.commitment import Trade, encrypt_word


@dataclass(frozen=True, slots=True)
class Effects:
    """What an intent does to an account, before any policy is looked at."""

    before: Account
    after: Account
    """The same object as `before` where nothing is written."""
    kind: ActionKind
    trade: Trade | None
    side: int
    trade_tag: int
    ciphertext: int
    cash_flow: int
    """Micro-dollars, signed, fee included."""
    flows: tuple[tuple[int, int], ...]
    """(slot, signed lots) in rising order of slots."""
    held: tuple[int, ...] = field(repr=False)
    """r: positions after trade and flows, before the settlement; shape (N,)."""
    new_state: AccountState = field(repr=False)
    """State that the policy is asked of."""
    generation: int
    """Generation of `new_state`: the epoch's, which is the account's or the next, or after the steps of a roll. Stored
    only by what writes."""
    policy: Policy = field(repr=False)
    settlement: ExpiryStep = field(repr=False)

    @property
    def commitment_new(self) -> int:
        """Commitment of the new account, 0 where nothing is written."""
        return self.after.commitment if self.writes else 0

    @property
    def writes(self) -> bool:
        """The statement's `write`."""
        return ACTION_RULES[self.kind].writes


def compute_effects(account: Account, intent: Intent, epoch: EpochData | None) -> Effects:
    """The new state and everything public about it; raises like `build_transition`, but for the policy."""
    kind, preset = intent.kind, account.preset
    rule = get_rule(intent)
    generation, settlement = _get_settlement(account, intent, rule, epoch)
    policy = _get_policy(account, intent, rule, epoch)
    cash_flow, flows = get_flows(account, intent, rule)

    held = account.state.positions.tolist()
    cash = account.state.cash + cash_flow
    for slot, lots in flows:
        held[slot] += lots
    trade_tag = ciphertext = 0
    if intent.trade is not None:
        word = intent.trade.compute_word(preset)
        trade_tag = intent.trade.compute_tag(preset)
        ciphertext = encrypt_word(word, account.key, account.nonce, trade_tag)
        cash += intent.side * intent.trade.terms.cash_usd6
        _check_legs(account, intent.trade, generation, settlement)
        for slot, lots in intent.trade.terms.get_net_legs().items():
            held[slot] += intent.side * lots
    step = generation, settlement
    new_state, after = _settle(account, held, cash, step, kind.name.lower(), writes=rule.writes)
    return Effects(
        account, after, kind, intent.trade, intent.side, trade_tag, ciphertext, cash_flow, flows, tuple(held),
        new_state, generation, policy, settlement,
    )  # fmt: skip


def compute_flow_effects(
    account: Account,
    flows: tuple[tuple[int, int], ...],
    cash_flow: int,
    policy: Policy,
    step: tuple[int, ExpiryStep],
    what: str,
) -> Effects:
    """Public lots and cash that come into an account, or leave it, without a trade: a book that is taken over, or part
    of one.

    Parameters
    ----------
    flows : tuple of (int, int)
        (slot, signed lots) in rising order of slots.
    cash_flow : int
        Micro-dollars, signed.
    step : tuple of int and ExpiryStep
        Generation after it, and what settles on the way there.
    what : str
        Names it in errors.

    Raises
    ------
    OutOfRange
        If a position or the cash leaves its range.
    """
    generation, settlement = step
    check_private("cash that moves", cash_flow, BITS.cash)
    held = account.state.positions.tolist()
    for slot, lots in flows:
        held[slot] += lots
    state, after = _settle(account, held, account.state.cash + cash_flow, step, what)
    return Effects(
        before=account,
        after=after,
        kind=ActionKind.TRADE,
        trade=None,
        side=0,
        trade_tag=0,
        ciphertext=0,
        cash_flow=cash_flow,
        flows=flows,
        held=tuple(held),
        new_state=state,
        generation=generation,
        policy=policy,
        settlement=settlement,
    )


def _settle(
    account: Account, held: list[int], cash: int, step: tuple[int, ExpiryStep], what: str, *, writes: bool = True
) -> tuple[AccountState, Account]:
    """State and account after what settles on the way to the step's generation; `what` names it in errors."""
    generation, settlement = step
    check_all_private(f"position in slot {{}} after the {what}".format, held, BITS.position)
    kept, cash = settlement.settle(held, cash)
    check_private(f"cash after the {what}", cash, BITS.cash)
    state = AccountState(np.array(kept, dtype=np.int64), cash)
    return state, account.advance(state, generation) if writes else account


def _get_settlement(
    account: Account, intent: Intent, rule: ActionRule, epoch: EpochData | None
) -> tuple[int, ExpiryStep]:
    kind = intent.kind
    if rule.needs_epoch != (epoch is not None):
        raise ActionNotAllowed(kind.name, "needs an epoch" if rule.needs_epoch else "takes no epoch")
    if rule.takes_steps:
        return account.generation + len(intent.steps), compose_expiry_steps(intent.steps)
    if epoch is None:
        return account.generation, identity_expiry_step(account.preset)
    return get_epoch_step(account, kind.name, epoch)


def get_epoch_step(account: Account, kind: str, epoch: EpochData) -> tuple[int, ExpiryStep]:
    """Generation after an action at the epoch, and what settles on the way there.

    Raises
    ------
    GenerationMismatch
        If the epoch's generation is neither the account's nor the next.
    ActionNotAllowed
        If the epoch has no settlement vector for a step that the account has to take.
    """
    if epoch.generation == account.generation:
        return account.generation, identity_expiry_step(account.preset)
    if epoch.generation != account.generation + 1:
        raise GenerationMismatch(
            account.generation, epoch.generation, f"{account.generation} or {account.generation + 1}"
        )
    if epoch.settlement.is_identity:
        # The step into a generation drops what expired; an epoch that lost the vector would freeze it in its slots.
        raise ActionNotAllowed(
            kind,
            f"epoch {epoch.number} has no settlement vector for the step from generation {account.generation} "
            f"to {epoch.generation}",
        )
    return epoch.generation, epoch.settlement


def _check_legs(account: Account, trade: Trade, generation: int, settlement: ExpiryStep) -> None:
    """Legs are added before the step settles, so on a dropped slot they would be lots of what expired."""
    for slot, _ in trade.terms.legs:
        if settlement.drop[slot]:
            raise ActionNotAllowed(
                "TRADE",
                f"slot {slot} is dropped by the step from generation {account.generation} to {generation}, so a leg on "
                "it would trade what expired; take the step with another action (cure, withdraw) first",
            )


def _get_policy(account: Account, intent: Intent, rule: ActionRule, epoch: EpochData | None) -> Policy:
    name = rule.policy or intent.policy or ""
    if name == "none" and rule.policy == "none":
        return none_policy(account.preset)
    if name == "flat" and rule.policy == "flat":
        return flat_policy(account.preset)
    if epoch is None:
        raise ActionNotAllowed(intent.kind.name, f"needs an epoch for policy {name!r}")
    policy = epoch.policies.get(name)
    if policy is None:
        raise ActionNotAllowed(
            intent.kind.name, f"epoch {epoch.number} has no policy {name!r}: {sorted(epoch.policies)}"
        )
    if policy.preset != account.preset or policy.name != name:
        raise ActionNotAllowed(
            intent.kind.name,
            f"policy {policy.name!r} of preset {policy.preset.name} is not {name!r} of {account.preset.name}",
        )
    return policy
