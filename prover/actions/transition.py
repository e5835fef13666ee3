"""The transition builder: account + intent + epoch -> new account, the message to sign, public and private inputs.

Every range of the statement is checked here, before proving, and a policy that does not hold is refused with its
rows and what is missing. What each kind may do says the action table (`prover.messages.action_table`; docs/protocol.md,
section 9).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.policy.certificate import Certificate, RequirementNotMet, find_certificate
from zkmargin.engine.presets import BITS
from zkmargin.prover.account.account import Account
from zkmargin.prover.actions.effects import Effects, compute_effects
from zkmargin.prover.actions.intent import EpochData, Intent
from zkmargin.prover.errors import PolicyNotMet
from zkmargin.prover.messages.action_table import get_action_rule
from zkmargin.prover.messages.fields import encode_policy_name
from zkmargin.prover.messages.records import Action, Attestation, Bid, Flow, Move, PartPurchase
from zkmargin.prover.messages.typed_data import Domain, compute_context, compute_digest
from zkmargin.prover.ranges import check_range
from zkmargin.prover.statement.policy_fields import pack_policy_fields
from zkmargin.prover.statement.signals import get_public_signals, to_field
from zkmargin.prover.statement.transition_signals import TransitionSignals

MessageT = TypeVar("MessageT", Action, Attestation, Bid, Move, PartPurchase)


@dataclass(frozen=True, slots=True)
class Transition(Generic[MessageT]):
    """A transition that is ready to be proved: effects, the message it is bound to, and the certificate."""

    effects: Effects
    message: MessageT
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

    def name_public_signals(self) -> dict[str, int | Sequence[int]]:
        """Public signals of `transition` by name: its own as signed integers, the policy's as flat field elements."""
        packed = pack_policy_fields(self.effects.policy)
        return {**self.own_signals.name(), **{name: vector.to_list() for name, vector in packed.items()}}

    @property
    def own_signals(self) -> TransitionSignals:
        """The public signals that are not the policy's, which all accounts share."""
        effects, flow = self.effects, [0] * self.before.preset.slots
        for slot, lots in effects.flows:
            flow[slot] = lots
        return TransitionSignals(
            commitment_old=effects.before.commitment,
            commitment_new=effects.commitment_new,
            trade_tag=effects.trade_tag,
            ciphertext=effects.ciphertext,
            side=effects.side,
            write=int(effects.writes),
            context=self.context,
            cash_flow=effects.cash_flow,
            flow=tuple(flow),
            drop=tuple(effects.settlement.drop.tolist()),
            payoff=tuple(effects.settlement.payoff.tolist()),
        )

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


AnyTransition = (
    Transition[Action] | Transition[Attestation] | Transition[Bid] | Transition[Move] | Transition[PartPurchase]
)
"""What is proved."""


def get_action_signals(action: Action, digest: bytes, settlement: ExpiryStep) -> TransitionSignals:
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
    ActionNotAllowed
        If the action's kind is none of the table.
    """
    flow = [0] * settlement.preset.slots
    for entry in action.flows:
        flow[check_range("slot of a flow", entry.slot, 0, len(flow))] += entry.lots
    return TransitionSignals(
        commitment_old=action.commitment_old,
        commitment_new=action.commitment_new,
        trade_tag=action.trade_tag,
        ciphertext=action.ciphertext,
        side=action.side,
        write=int(get_action_rule(action.kind).writes),
        context=compute_context(digest),
        cash_flow=action.cash_flow,
        flow=tuple(flow),
        drop=tuple(settlement.drop.tolist()),
        payoff=tuple(settlement.payoff.tolist()),
    )


# ------------------------------------------------------------------------------------------------------------- steps
def build_transition(
    account: Account, intent: Intent, *, domain: Domain, key_version: int, epoch: EpochData | None = None
) -> Transition[Action]:
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
        submitter=intent.submitter,
        fee=intent.fee_usd6,
        deadline=intent.deadline,
    )
    return bind(effects, message, domain)


def bind(effects: Effects, message: MessageT, domain: Domain) -> Transition[MessageT]:
    """The transition that does this and is bound to that message, ready to be proved.

    Raises
    ------
    PolicyNotMet
        If the new state does not meet the policy.
    """
    return Transition(effects, message, compute_digest(domain, message), _certify(effects))


def _certify(effects: Effects) -> Certificate:
    try:
        return find_certificate(effects.policy, effects.new_state)
    except RequirementNotMet as error:
        raise PolicyNotMet(effects.kind.name.lower(), error.policy, error.row_missing, str(error)) from None
