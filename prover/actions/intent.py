"""What an owner wants, held against the action table (`prover.messages.action_table`; docs/protocol.md, section 9)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import BITS
from zkmargin.prover.account.account import Account
from zkmargin.prover.errors import ActionNotAllowed
from zkmargin.prover.messages.action_table import ActionKind, ActionRule, FlowRule, get_action_rule
from zkmargin.prover.messages.fields import ZERO_ADDRESS, ZERO_BYTES32
from zkmargin.prover.ranges import check_range
from zkmargin.prover.statement.commitment import Trade


class EpochData(Protocol):
    """What the builder needs of a risk epoch; `engine.epoch.record.Epoch` has it."""

    @property
    def number(self) -> int: ...
    @property
    def generation(self) -> int: ...
    @property
    def policies(self) -> Mapping[str, Policy]: ...
    @property
    def settlement(self) -> ExpiryStep:
        """Vector of the step from generation - 1 into `generation`, the same at every epoch of that generation; the
        identity only where the generation began without a step, as the first one does."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What the owner wants. Amounts are positive; the kind says in which direction they move.

    Raises
    ------
    OutOfRange
        If an amount, a slot, the side or the deadline is no whole number in its range.
    ActionNotAllowed
        If there is no such kind.
    """

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
    submitter: str = ZERO_ADDRESS
    """Who alone may carry the action in; the zero address lets anyone."""
    steps: tuple[ExpiryStep, ...] = ()
    """For a roll: vectors of the steps that it takes, in their order."""
    deadline: int = 0
    """Unix seconds until which the contract takes the action."""

    def __post_init__(self) -> None:
        amounts = {
            "kind": ActionKind(check_range("kind of the action", self.kind, 0, 1 << 8)),
            "cash_usd6": check_range("cash amount", self.cash_usd6, 0, 1 << BITS.typed_amount),
            "fee_usd6": check_range("fee", self.fee_usd6, 0, 1 << BITS.typed_amount),
            "lots": MappingProxyType(_check_lots(self.lots)),
            "side": check_range("side", self.side, -128, 128),
            "deadline": check_range("deadline", self.deadline, 0, 1 << 40),
        }
        for name, value in amounts.items():
            object.__setattr__(self, name, value)


def get_rule(intent: Intent) -> ActionRule:
    """The row of the action table for the intent's kind; raises `ActionNotAllowed` where they do not fit."""
    kind, rule = intent.kind, get_action_rule(intent.kind)
    if rule.has_sides:
        if intent.trade is None or intent.side not in (1, -1):
            raise ActionNotAllowed(kind.name, f"needs a trade and a side of +1 or -1, got side {intent.side}")
        if intent.counterparty == ZERO_BYTES32:
            raise ActionNotAllowed(kind.name, "needs the counterparty's account")
    elif intent.trade is not None or intent.side != 0 or intent.counterparty != ZERO_BYTES32:
        raise ActionNotAllowed(kind.name, f"takes no trade, side or counterparty, got side {intent.side}")
    if rule.takes_steps != bool(intent.steps):
        raise ActionNotAllowed(kind.name, "needs the steps to take" if rule.takes_steps else "takes no steps")
    if (intent.policy is None) != (rule.policy is not None):
        raise ActionNotAllowed(kind.name, f"policy {intent.policy!r} was named; the table gives {rule.policy!r}")
    return rule


def get_flows(account: Account, intent: Intent, rule: ActionRule) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Signed cash flow and slot flows, in the order and the ranges that the contract asks for."""
    kind = intent.kind.name
    amount, fee = intent.cash_usd6, intent.fee_usd6
    if rule.flow_sign == 0 and (amount or intent.lots):
        raise ActionNotAllowed(kind, "moves neither cash nor collateral")
    if fee and rule.flows is FlowRule.NOTHING:
        raise ActionNotAllowed(kind, f"pays no fee out of the account, got {fee}")
    if rule.flow_sign > 0 and fee > amount:
        raise ActionNotAllowed(kind, f"the fee {fee} exceeds the cash amount {amount} that comes in")
    if rule.flow_sign < 0 and (amount or intent.lots) and intent.recipient == ZERO_ADDRESS:
        raise ActionNotAllowed(kind, "needs a recipient of what is paid out")
    for slot in intent.lots:
        if slot not in account.preset.vault_slots:
            raise ActionNotAllowed(
                kind, f"the vault has no collateral for slot {slot}; allowed: {account.preset.vault_slots}"
            )
    flows = tuple((slot, rule.flow_sign * lots) for slot, lots in sorted(intent.lots.items()))
    return rule.flow_sign * amount - fee, flows


def _check_lots(lots: Mapping[int, int]) -> dict[int, int]:
    most = (1 << BITS.flow) + 1
    return {
        check_range("slot of a flow", slot, 0, 1 << 16): check_range(f"flow of slot {slot}", amount, 1, most)
        for slot, amount in lots.items()
    }
