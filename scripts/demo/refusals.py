"""What the demo shows refused: each attempt with the stage that stops it and the reason in its own words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from zkmargin.contracts.errors import ContractsError, Reverted
from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.contracts.messages import EpochPoints
from zkmargin.contracts.requests import ActionRequest, TradeRequest, TradeSide
from zkmargin.contracts.trading import Trader
from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.policy.record import Policy, none_policy
from zkmargin.prover._native import BASE_MODULUS
from zkmargin.prover.actions.effects import compute_effects
from zkmargin.prover.actions.intent import EpochData, Intent
from zkmargin.prover.actions.transition import Transition, build_transition
from zkmargin.prover.client import SignedAction
from zkmargin.prover.errors import ProverError
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.records import Action
from zkmargin.prover.messages.typed_data import compute_digest
from zkmargin.prover.messages.wallet import request_signature
from zkmargin.prover.negotiation import AgreedTrade


@dataclass(frozen=True)
class Refusal:
    """An attempt that was refused."""

    case: str
    stage: str
    """prover or contract."""
    reason: str
    """The error's name with its values."""


@dataclass(frozen=True)
class Toothless:
    """An epoch of a cheating prover, as `EpochData`."""

    number: int
    generation: int
    policies: Mapping[str, Policy]
    settlement: ExpiryStep


class NotRefused(AssertionError):
    """An attempt that must fail went through."""


REASONS = {
    ("under_margined", "prover"): "PolicyNotMet",
    ("under_margined", "contract"): "ProofRejected",
    ("withdraw_too_large", "prover"): "PolicyNotMet",
    ("withdraw_too_large", "contract"): "ProofRejected",
    ("tampered_proof", "contract"): "ProofRejected",
    ("other_account", "contract"): "ProofRejected",
    ("self_trade", "contract"): "SelfTrade",
    ("deposit_with_trade_word", "contract"): "ProofRejected",
    ("wrong_points", "contract"): "PointsMismatch",
    ("stale_epoch", "contract"): "EpochStale",
    ("replay", "contract"): "CommitmentStale",
}
"""The error that must stop each attempt. A replay is stopped by its signature: the digest holds the old commitment,
and the account has moved on."""


def expect_refusal(case: str, stage: str, attempt: Callable[[], object]) -> Refusal:
    """Make the attempt and return why it was refused.

    Raises
    ------
    NotRefused
        If it was accepted, or stopped for another reason than the one that the case is about.
    """
    try:
        attempt()
    except Reverted as error:
        found, name, reason = "contract", error.error, str(error)
    except (ProverError, ContractsError) as error:
        found = "prover" if isinstance(error, ProverError) else "contract"
        name, reason = type(error).__name__, f"{type(error).__name__}: {error}"
    else:
        raise NotRefused(f"{case} was accepted")
    if (found, name) != (stage, REASONS[case, stage]):
        raise NotRefused(f"{case} was to be stopped in the {stage} by {REASONS[case, stage]}, not by {reason}")
    return Refusal(case, stage, reason)


class Refusals:
    """The attempts, over a venue with three parties: a maker, a trader with little cash, and another trader."""

    def __init__(self, venue: LocalVenue, maker: Trader, poor: Trader, other: Trader):
        self.venue, self.maker, self.poor, self.other = venue, maker, poor, other
        self.house = venue.contracts.house
        settled_slots = [s for s in venue.facts.preset.derivative_slots if venue.snapshot.listing.is_option[s]]
        self.option = settled_slots[0]

    def run(self) -> list[Refusal]:
        """Every case, the ones that let time pass last."""
        attempts = (
            self.under_margined,
            self.withdraw_too_large,
            self.tampered_proof,
            self.other_account,
            self.self_trade,
            self.deposit_with_trade_word,
            self.wrong_points,
            self.stale_epoch,
        )
        found: list[Refusal] = []
        for attempt in attempts:
            self.venue.current_epoch()  # prices must not be what stops the others
            result = attempt()
            found += result if isinstance(result, list) else [result]
        return found

    def under_margined(self) -> list[Refusal]:
        """A trader with little cash sells options naked, first honestly, then with a proof of the empty policy."""
        agreed = self.venue.agree(self.poor, self.maker, {self.option: -20_000}, -1_000_000)

        def settle_without_margin() -> None:
            actions = {
                a.message.side: a
                for a in (self._trade(self.poor, agreed, self._toothless()), self._trade(self.maker, agreed))
            }
            self.house.trade(self.venue.make_trade_request(actions))

        return [
            expect_refusal("under_margined", "prover", lambda: self._trade(self.poor, agreed)),
            expect_refusal("under_margined", "contract", settle_without_margin),
        ]

    def withdraw_too_large(self) -> list[Refusal]:
        """More cash than the account has."""
        amount = self.poor.state.cash + 1_000_000
        intent = Intent(ActionKind.WITHDRAW, amount, recipient=self.poor.address, deadline=self.venue.deadline)

        def withdraw_without_margin() -> None:
            self._submit_withdrawal(self.poor.client.act(intent, self._toothless()))

        return [
            expect_refusal("withdraw_too_large", "prover", lambda: self.poor.client.act(intent, self.venue.epoch.data)),
            expect_refusal("withdraw_too_large", "contract", withdraw_without_margin),
        ]

    def tampered_proof(self) -> Refusal:
        """A point of a good proof replaced by its negative: still on the curve, but no proof."""
        action = self._withdrawal(self.other)
        *rest, y = action.proof_words
        return expect_refusal(
            "tampered_proof", "contract", lambda: self._submit_withdrawal(action, (*rest, BASE_MODULUS - y))
        )

    def other_account(self) -> Refusal:
        """One account's proof under another account's signature."""
        mine, theirs = self._withdrawal(self.poor), self._withdrawal(self.other)
        return expect_refusal("other_account", "contract", lambda: self._submit_withdrawal(mine, theirs.proof_words))

    def self_trade(self) -> Refusal:
        """Both sides of a trade from one account."""
        agreed = self.venue.agree(self.other, self.maker, {self.option: 1}, 0)
        action = self._trade(self.maker, agreed)
        side = TradeSide.from_action(action.message, action.proof_words, action.signature)
        point = self.venue.epoch.points.select(action.message.policy)
        request = TradeRequest(action.message.trade_tag, point, side, side)
        return expect_refusal("self_trade", "contract", lambda: self.house.trade(request))

    def deposit_with_trade_word(self) -> Refusal:
        """A deposit of nothing whose proof receives a trade's lots that nobody gives."""
        agreed = self.venue.agree(self.poor, self.maker, {self.option: 5}, 0)
        trader, venue = self.poor.client, self.venue
        wish = Intent(
            ActionKind.TRADE,
            trade=agreed.trade,
            side=agreed.get_side(self.poor.id),
            counterparty=self.maker.id,
            deadline=venue.deadline,
        )
        effects = compute_effects(trader.account, wish, self._toothless())
        honest = build_transition(
            trader.account, Intent(ActionKind.DEPOSIT, deadline=venue.deadline), domain=venue.domain, key_version=1
        )
        message: Action = honest.message.model_copy(update={"commitment_new": effects.commitment_new})
        forged = Transition(effects, message, compute_digest(venue.domain, message), honest.certificate)
        proof = venue.provers.transition.prove(forged).words
        signature = request_signature(trader.wallet, venue.domain, message)
        request = ActionRequest.from_action(message, proof, signature)
        return expect_refusal("deposit_with_trade_word", "contract", lambda: self.house.deposit(request))

    def wrong_points(self) -> Refusal:
        """The zero policy's point in the place of the withdraw policy's."""
        intent = Intent(
            ActionKind.WITHDRAW, self.poor.state.cash + 1, recipient=self.poor.address, deadline=self.venue.deadline
        )
        action = self.poor.client.act(intent, self._toothless())
        points = tuple(replace(point, x=0, y=0) for point in self.venue.epoch.points.points)
        forged = EpochPoints(self.venue.epoch.points.number, points)
        return expect_refusal("wrong_points", "contract", lambda: self._submit_withdrawal(action, points=forged))

    def stale_epoch(self) -> Refusal:
        """A good withdrawal at prices that are too old."""
        action = self._withdrawal(self.other)
        self.venue.chain.travel(self.venue.contracts.oracle.get_max_age(ActionKind.WITHDRAW) + 1)
        return expect_refusal("stale_epoch", "contract", lambda: self._submit_withdrawal(action))

    def replay(self, actions: dict[int, SignedAction]) -> Refusal:
        """A trade that has been settled, once more."""
        return expect_refusal("replay", "contract", lambda: self.house.trade(self.venue.make_trade_request(actions)))

    def _toothless(self) -> EpochData:
        """The epoch with every policy replaced by one that asks for nothing: what a cheating prover would prove."""
        data = self.venue.epoch.data
        empty = none_policy(self.venue.facts.preset)
        policies = {name: replace(empty, name=name) for name in data.policies}
        return Toothless(data.number, data.generation, policies, data.settlement)

    def _trade(self, party: Trader, agreed: AgreedTrade, epoch: EpochData | None = None) -> SignedAction:
        return party.client.trade(agreed, epoch or self.venue.epoch.data, deadline=agreed.valid_until)

    def _withdrawal(self, party: Trader) -> SignedAction:
        return party.client.withdraw(
            self.venue.epoch.data, 1_000_000, recipient=party.address, deadline=self.venue.deadline
        )

    def _submit_withdrawal(
        self, action: SignedAction, proof: tuple[int, ...] | None = None, *, points: EpochPoints | None = None
    ) -> None:
        request = ActionRequest.from_action(
            action.message, proof or action.proof_words, action.signature, points or self.venue.epoch.points
        )
        self.house.withdraw(request)
