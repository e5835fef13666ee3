"""The transition builder: account + intent + epoch -> new account, the message to sign, public and private inputs.

Every range of the statement is checked here, before proving, and a policy that does not hold is refused with its
rows and what is missing. `ACTION_RULES` is the contract's action table as the prover needs it (docs/protocol.md,
section 5).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Protocol

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.epoch.expiry import ExpiryStep, identity_expiry_step
from zkmargin.engine.policy.certificate import Certificate, RequirementNotMet, find_certificate
from zkmargin.engine.policy.record import Policy, flat_policy, none_policy
from zkmargin.engine.presets import BITS
from zkmargin.prover.account.account import Account
from zkmargin.prover.errors import ActionNotAllowed, GenerationMismatch, PolicyNotMet
from zkmargin.prover.messages.records import ZERO_ADDRESS, ZERO_BYTES32, Action, Attestation, Flow, encode_policy_name
from zkmargin.prover.messages.typed_data import Domain, compute_context, compute_digest
from zkmargin.prover.statement.commitment import Trade, encrypt_word
from zkmargin.prover.statement.packing import check_private, check_range
from zkmargin.prover.statement.points import pack_policy_fields
from zkmargin.prover.statement.signals import get_public_signals, to_field


class ActionKind(IntEnum):
    """`Action.kind`."""

    OPEN = 1
    DEPOSIT = 2
    TRADE = 3
    WITHDRAW = 4
    CURE = 5
    ATTEST = 6
    ROLL = 7
    WITHDRAW_FLAT = 8
    CLOSE = 9


@dataclass(frozen=True, slots=True)
class ActionRule:
    """One row of the action table."""

    policy: str | None
    """Name of the policy that must hold; None lets the intent name one of the epoch's."""
    flow_sign: int
    """+1 amounts come in, -1 amounts go out, 0 none may move."""
    has_trade: bool
    """Whether a trade word and a side belong to it."""
    writes: bool
    """Whether it writes a new commitment."""
    needs_epoch: bool
    """Whether an epoch is named, whose generation is then the account's or the next; else the policy is a constant."""


ACTION_RULES: Mapping[ActionKind, ActionRule] = MappingProxyType(
    {
        ActionKind.DEPOSIT: ActionRule("none", +1, False, True, False),
        ActionKind.TRADE: ActionRule("initial", 0, True, True, True),
        ActionKind.WITHDRAW: ActionRule("withdraw", -1, False, True, True),
        ActionKind.CURE: ActionRule("maintenance", +1, False, True, True),
        ActionKind.ATTEST: ActionRule(None, 0, False, False, True),
        ActionKind.ROLL: ActionRule("none", 0, False, True, True),
        ActionKind.WITHDRAW_FLAT: ActionRule("flat", -1, False, True, False),
        ActionKind.CLOSE: ActionRule("flat", -1, False, True, False),
    }
)
"""What each kind may do. OPEN has a circuit of its own (`prover.actions.opening`)."""


class EpochData(Protocol):
    """What the builder needs of a risk epoch; `engine.epoch.record.Epoch` has it."""

    number: int
    generation: int
    policies: Mapping[str, Policy]
    settlement: ExpiryStep
    """Vector of the step from generation - 1 into `generation`, the same at every epoch of that generation; the
    identity only where the generation began without a step, as the first one does."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What the owner wants. Amounts are positive; the kind says in which direction they move."""

    kind: ActionKind
    cash_usd6: int = 0
    """Micro-dollars taken from the inbox (deposit, cure) or paid out (withdrawals, close)."""
    lots: Mapping[int, int] = field(default_factory=dict)
    """Lots of collateral by slot, likewise."""
    fee_usd6: int = 0
    """Micro-dollars to the submitter, out of the account's cash."""
    trade: Trade | None = None
    """Terms and salt of a trade."""
    side: int = 0
    """+1 to receive the terms' legs, -1 to give them; 0 without a trade."""
    counterparty: bytes = ZERO_BYTES32
    """The other account of a trade."""
    policy: str | None = None
    """For an attestation: which of the epoch's policies."""
    recipient: str = ZERO_ADDRESS
    """Who receives what is paid out."""
    deadline: int = 0
    """Unix seconds until which the contract takes the action."""


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
    """Generation of the epoch, hence of `new_state`: the account's or the next. Stored only by what writes."""
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


@dataclass(frozen=True, slots=True)
class Transition:
    """A transition that is ready to be proved: effects, the message it is bound to, and the certificate."""

    effects: Effects
    message: Action | Attestation
    """What the context hashes; auth signs it where the table asks for a signature."""
    digest: bytes
    """EIP-712 digest of the message, 32 bytes."""
    certificate: Certificate = field(repr=False)
    """Helper variables under which the policy holds."""

    @property
    def before(self) -> Account:
        """The account as it is."""
        return self.effects.before

    @property
    def after(self) -> Account:
        """The account as it will be once the chain has accepted the transition."""
        return self.effects.after

    @property
    def context(self) -> int:
        """The digest as the proof binds it."""
        return compute_context(self.digest)

    def name_public_signals(self) -> dict[str, int | list]:
        """Public signals of `transition` by name: its own as signed integers, the policy's as flat field elements."""
        packed = pack_policy_fields(self.effects.policy)
        return {**self.name_own_signals(), **{name: vector.to_list() for name, vector in packed.items()}}

    def name_own_signals(self) -> dict[str, int | list]:
        """The public signals that are not the policy's, which all accounts share."""
        effects, flow = self.effects, [0] * self.before.preset.slots
        for slot, lots in effects.flows:
            flow[slot] = lots
        return {
            "commitmentOld": effects.before.commitment,
            "commitmentNew": effects.commitment_new,
            "tradeTag": effects.trade_tag,
            "ciphertext": effects.ciphertext,
            "side": effects.side,
            "write": int(effects.writes),
            "context": self.context,
            "cashFlow": effects.cash_flow,
            "flow": flow,
            "drop": effects.settlement.drop.tolist(),
            "payoff": effects.settlement.payoff.tolist(),
        }

    def flatten_public_signals(self) -> list[int]:
        """Public signals in the statement's order, as field elements."""
        return get_public_signals("transition", self.before.preset).flatten(self.name_public_signals())

    def name_private_inputs(self) -> dict[str, int | list[int]]:
        """Private inputs by circom name, as field elements. Secret: they go to the witness and nowhere else."""
        account, trade, certificate = self.before, self.effects.trade, self.certificate
        legs = trade.terms.get_padded_legs() if trade else ((0, 0),) * BITS.legs
        return {
            "position": [to_field(lots) for lots in self.effects.held],
            "cash": to_field(account.state.cash),
            "key": account.key.reveal(),
            "nonce": account.nonce,
            "legSlot": [slot for slot, _ in legs],
            "legLots": [to_field(lots) for _, lots in legs],
            "tradeCash": to_field(trade.terms.cash_usd6) if trade else 0,
            "salt": trade.salt.reveal() if trade else 0,
            "excess": [to_field(value) for value in certificate.excess],
            "helper": [to_field(value) for value in certificate.helpers],
            "charge": [to_field(value) for value in certificate.charges],
            "slack": [to_field(value) for value in certificate.slacks],
        }


def name_action_signals(action: Action, digest: bytes, settlement: ExpiryStep) -> dict[str, int | list]:
    """Public signals of an action but for the policy's, from its message alone: enough to verify a proof against.

    Parameters
    ----------
    digest : bytes
        EIP-712 digest of the action.
    settlement : ExpiryStep
        The identity, or the step's where the action's generations differ.

    Raises
    ------
    OutOfRange
        If a flow is not of one of the preset's slots.
    """
    flow = [0] * settlement.preset.slots
    for entry in action.flows:
        flow[check_range("slot of a flow", entry.slot, 0, len(flow))] += entry.lots
    return {
        "commitmentOld": action.commitment_old,
        "commitmentNew": action.commitment_new,
        "tradeTag": action.trade_tag,
        "ciphertext": action.ciphertext,
        "side": action.side,
        "write": int(ACTION_RULES[ActionKind(action.kind)].writes),
        "context": compute_context(digest),
        "cashFlow": action.cash_flow,
        "flow": flow,
        "drop": settlement.drop.tolist(),
        "payoff": settlement.payoff.tolist(),
    }


# ------------------------------------------------------------------------------------------------------------- steps
def build_transition(
    account: Account, intent: Intent, *, domain: Domain, key_version: int, epoch: EpochData | None = None
) -> Transition:
    """The transition of `account` that `intent` asks for, ready to be signed and proved.

    Parameters
    ----------
    epoch : EpochData, optional
        The epoch whose policy is proved; needed where the action table says so and refused elsewhere, as deposits
        and flat exits must not depend on one.

    Raises
    ------
    ActionNotAllowed
        If the action table does not allow the combination, if a trade's leg is on a slot that this very step drops, or
        if the epoch has no settlement vector for a step that the account has to take.
    GenerationMismatch
        If the epoch's generation is neither the account's nor the next.
    OutOfRange
        If a position, the cash, a flow or a fee leaves its range; names quantity and range, and of the public ones
        (flows, amounts, fees) the value.
    PolicyNotMet
        If the new state does not meet the policy; says which rows fail and how much is missing.
    """
    effects = compute_effects(account, intent, epoch)
    message = Action(
        kind=intent.kind,
        account=account.id,
        counterparty=intent.counterparty,
        key_version=key_version,
        epoch=epoch.number if epoch else 0,
        policy=encode_policy_name(effects.policy.name),
        generation_old=account.generation,
        generation_new=effects.generation,
        commitment_old=account.commitment,
        commitment_new=effects.commitment_new,
        trade_tag=effects.trade_tag,
        ciphertext=effects.ciphertext,
        side=effects.side,
        cash_flow=effects.cash_flow,
        flows=tuple(Flow(slot=slot, lots=lots) for slot, lots in effects.flows),
        recipient=intent.recipient,
        fee=intent.fee_usd6,
        deadline=intent.deadline,
    )
    return Transition(effects, message, compute_digest(domain, message), certify(effects))


def compute_effects(account: Account, intent: Intent, epoch: EpochData | None) -> Effects:
    """The new state and everything public about it; raises like `build_transition`, but for the policy."""
    kind, preset = intent.kind, account.preset
    rule = _get_rule(intent)
    generation, settlement = _get_settlement(account, kind, rule, epoch)
    policy = _get_policy(account, intent, rule, epoch)
    cash_flow, flows = _get_flows(account, intent, rule)

    held = [int(lots) for lots in account.state.positions]
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
    for slot, lots in enumerate(held):
        check_private(f"position in slot {slot} after the {kind.name.lower()}", lots, BITS.position)

    cash += sum(payoff * lots for payoff, lots in zip(settlement.payoff.tolist(), held, strict=True))
    check_private(f"cash after the {kind.name.lower()}", cash, BITS.cash)
    kept = [0 if drop else lots for drop, lots in zip(settlement.drop.tolist(), held, strict=True)]
    new_state = AccountState(np.array(kept, dtype=np.int64), cash)
    after = account.advance(new_state, generation) if rule.writes else account
    return Effects(
        account, after, kind, intent.trade, intent.side, trade_tag, ciphertext, cash_flow, flows, tuple(held),
        new_state, generation, policy, settlement,
    )  # fmt: skip


def certify(effects: Effects) -> Certificate:
    """The certificate of the new state under the policy.

    Raises
    ------
    PolicyNotMet
        If there is none.
    """
    try:
        return find_certificate(effects.policy, effects.new_state)
    except RequirementNotMet as error:
        raise PolicyNotMet(effects.kind.name.lower(), error.policy, error.row_missing, str(error)) from None


def _get_rule(intent: Intent) -> ActionRule:
    kind = ActionKind(intent.kind)
    if kind not in ACTION_RULES:
        raise ActionNotAllowed(kind.name, "has a circuit of its own: prover.actions.opening")
    rule = ACTION_RULES[kind]
    if rule.has_trade:
        if intent.trade is None or intent.side not in (1, -1):
            raise ActionNotAllowed(kind.name, f"needs a trade and a side of +1 or -1, got side {intent.side}")
        if intent.counterparty == ZERO_BYTES32:
            raise ActionNotAllowed(kind.name, "needs the counterparty's account")
    elif intent.trade is not None or intent.side != 0 or intent.counterparty != ZERO_BYTES32:
        raise ActionNotAllowed(kind.name, f"takes no trade, side or counterparty, got side {intent.side}")
    if (intent.policy is None) != (rule.policy is not None):
        raise ActionNotAllowed(kind.name, f"policy {intent.policy!r} was named; the table gives {rule.policy!r}")
    return rule


def _get_settlement(
    account: Account, kind: ActionKind, rule: ActionRule, epoch: EpochData | None
) -> tuple[int, ExpiryStep]:
    if rule.needs_epoch != (epoch is not None):
        raise ActionNotAllowed(kind.name, "needs an epoch" if rule.needs_epoch else "takes no epoch")
    if epoch is None or epoch.generation == account.generation:
        if kind is ActionKind.ROLL:
            raise GenerationMismatch(account.generation, account.generation, f"{account.generation + 1} for a roll")
        return account.generation, identity_expiry_step(account.preset)
    if epoch.generation != account.generation + 1:
        raise GenerationMismatch(
            account.generation, epoch.generation, f"{account.generation} or {account.generation + 1}"
        )
    if epoch.settlement.is_identity:
        # The step into a generation drops what expired; an epoch that lost the vector would freeze it in its slots.
        raise ActionNotAllowed(
            kind.name,
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
    name = rule.policy or intent.policy
    if name == "none" and rule.policy == "none":
        return none_policy(account.preset)
    if name == "flat" and rule.policy == "flat":
        return flat_policy(account.preset)
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


def _get_flows(account: Account, intent: Intent, rule: ActionRule) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Signed cash flow and slot flows, in the order and the ranges that the contract asks for."""
    kind = intent.kind.name
    amount = check_range("cash amount", intent.cash_usd6, 0, 1 << BITS.typed_amount)
    fee = check_range("fee", intent.fee_usd6, 0, 1 << BITS.typed_amount)
    if rule.flow_sign == 0 and (amount or intent.lots):
        raise ActionNotAllowed(kind, "moves neither cash nor collateral")
    if fee and not (rule.flow_sign or rule.has_trade):
        raise ActionNotAllowed(kind, f"pays no fee out of the account, got {fee}")
    if rule.flow_sign > 0 and fee > amount:
        raise ActionNotAllowed(kind, f"the fee {fee} exceeds the cash amount {amount} that comes in")
    if rule.flow_sign < 0 and (amount or intent.lots) and intent.recipient == ZERO_ADDRESS:
        raise ActionNotAllowed(kind, "needs a recipient of what is paid out")
    flows = []
    for slot, lots in sorted(intent.lots.items()):
        if slot not in account.preset.collateral_slots:
            raise ActionNotAllowed(
                kind, f"slot {slot} is no collateral slot; allowed: {account.preset.collateral_slots}"
            )
        flows.append((int(slot), rule.flow_sign * check_range(f"flow of slot {slot}", lots, 1, (1 << BITS.flow) + 1)))
    return rule.flow_sign * amount - fee, tuple(flows)
