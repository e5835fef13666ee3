"""One owner's account in use: keeps the state, and turns wishes into signed, proved actions that anybody may submit.

An action changes nothing here until `confirm` is called, once the chain has accepted it: a proof that is dropped or
refused on the way leaves the account as it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.presets import Preset
from zkmargin.prover.account.account import Account, compute_account_id, derive_key
from zkmargin.prover.actions.intent import EpochData, Intent
from zkmargin.prover.actions.opening import Opening, build_opening
from zkmargin.prover.actions.transition import Transition, build_transition
from zkmargin.prover.attestation import AttestationRequest, ProvenAttestation, build_attestation
from zkmargin.prover.errors import AccountError, ActionNotAllowed
from zkmargin.prover.groth16.keys import load_proving_key
from zkmargin.prover.groth16.proof import Proof
from zkmargin.prover.groth16.provers import OpenProver, TransitionProver
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind
from zkmargin.prover.messages.fields import ZERO_ADDRESS
from zkmargin.prover.messages.records import Action, Open
from zkmargin.prover.messages.wallet import Signer, request_signature
from zkmargin.prover.negotiation import AgreedTrade, SettlementProof
from zkmargin.prover.paths import BUILD
from zkmargin.prover.session import VenueFacts
from zkmargin.prover.statement.secret import Secret


@dataclass(frozen=True, slots=True)
class Provers:
    """Both circuits' provers, keys in memory."""

    transition: TransitionProver
    open: OpenProver

    @classmethod
    def load(cls, preset: Preset, *, build: Path = BUILD, allow_insecure: bool = False) -> Self:
        """Over the keys of a set-up; parameters and errors as `prover.groth16.keys.load_proving_key`."""
        transition, opening = (
            load_proving_key(name, preset, build=build, allow_insecure=allow_insecure)
            for name in ("transition", "open")
        )
        return cls(TransitionProver(transition, preset), OpenProver(opening, preset))


@dataclass(frozen=True, slots=True)
class _Signed:
    """A proof, with auth's signature over the message that it is bound to."""

    proof: Proof = field(repr=False)
    signature: bytes = field(repr=False)
    """Empty for an attestation, which takes none, and where it was left out."""

    @property
    def proof_words(self) -> tuple[int, ...]:
        """The proof as the contract takes it: eight words in the order of the pairing precompile."""
        return self.proof.words


@dataclass(frozen=True, slots=True)
class SignedOpening(_Signed):
    """Everything that the contract's open takes."""

    opening: Opening

    @property
    def message(self) -> Open:
        """What was signed."""
        return self.opening.message


@dataclass(frozen=True, slots=True)
class SignedAction(_Signed):
    """Everything that the contract takes of one account's action."""

    transition: Transition[Action]

    @property
    def message(self) -> Action:
        """What was signed and what the proof is bound to."""
        return self.transition.message

    def to_settlement_proof(self, *, with_signature: bool = True) -> SettlementProof:
        """A trade's side as it is sent to the counterparty; without the signature it is inert."""
        return SettlementProof(
            action=self.message, proof=self.proof.to_bytes(), signature=self.signature if with_signature else None
        )


class AccountClient:
    """An account with its wallet. Amounts are positive micro-dollars and lots, deadlines unix seconds.

    Every method that acts raises what `prover.actions.transition.build_transition` raises: in particular
    `PolicyNotMet`, before proving.
    """

    def __init__(self, wallet: Signer, account: Account, venue: VenueFacts, provers: Provers):
        if wallet.address.lower() != account.auth.lower():
            raise AccountError(f"account 0x{account.id.hex()} belongs to {account.auth}, not to {wallet.address}")
        self.wallet, self.account, self.venue, self._provers = wallet, account, venue, provers
        self.submitter = ZERO_ADDRESS
        """Who alone may carry in what is signed here; by default anyone, who then also takes the fee."""

    @classmethod
    def create(
        cls,
        wallet: Signer,
        venue: VenueFacts,
        provers: Provers,
        *,
        index: int = 0,
        generation: int = 0,
        key: Secret | None = None,
    ) -> Self:
        """A trader whose account is not open yet; the key comes from the wallet unless a key file's is given."""
        account_id = compute_account_id(venue.domain, wallet.address, index)
        key = key or derive_key(wallet, venue.domain, account_id)
        account = Account.create(venue.domain, wallet.address, index, key, venue.preset, generation)
        return cls(wallet, account, venue, provers)

    def __repr__(self) -> str:
        return f"AccountClient({self.account!r})"

    def open(self, *, deadline: int) -> SignedOpening:
        """The opening of the account, its key escrowed to the committee."""
        if self.account.nonce:
            raise AccountError(f"account 0x{self.account.id.hex()} is open already")
        venue = self.venue
        opening = build_opening(
            self.account, venue.domain, venue.committee, venue.key_version, deadline, submitter=self.submitter
        )
        proof = self._provers.open.prove(opening)
        return SignedOpening(proof, request_signature(self.wallet, venue.domain, opening.message), opening)

    def deposit(
        self, cash_usd6: int = 0, lots: Mapping[int, int] | None = None, *, deadline: int, fee_usd6: int = 0
    ) -> SignedAction:
        """Takes cash and collateral out of the inbox; the fee is paid from the cash."""
        return self.act(Intent(ActionKind.DEPOSIT, cash_usd6, lots or {}, fee_usd6, deadline=deadline))

    def cure(
        self,
        epoch: EpochData,
        cash_usd6: int = 0,
        lots: Mapping[int, int] | None = None,
        *,
        deadline: int,
        fee_usd6: int = 0,
    ) -> SignedAction:
        """A deposit that proves maintenance margin."""
        return self.act(Intent(ActionKind.CURE, cash_usd6, lots or {}, fee_usd6, deadline=deadline), epoch)

    def withdraw(
        self,
        epoch: EpochData,
        cash_usd6: int = 0,
        lots: Mapping[int, int] | None = None,
        *,
        recipient: str,
        deadline: int,
        fee_usd6: int = 0,
    ) -> SignedAction:
        """Pays out while the withdraw policy holds."""
        return self.act(
            Intent(ActionKind.WITHDRAW, cash_usd6, lots or {}, fee_usd6, recipient=recipient, deadline=deadline), epoch
        )

    def withdraw_flat(
        self,
        cash_usd6: int = 0,
        lots: Mapping[int, int] | None = None,
        *,
        recipient: str,
        deadline: int,
        fee_usd6: int = 0,
    ) -> SignedAction:
        """Pays out of an account without derivatives and debt; needs no epoch."""
        return self.act(
            Intent(ActionKind.WITHDRAW_FLAT, cash_usd6, lots or {}, fee_usd6, recipient=recipient, deadline=deadline)
        )

    def close(
        self,
        cash_usd6: int = 0,
        lots: Mapping[int, int] | None = None,
        *,
        recipient: str,
        deadline: int,
        fee_usd6: int = 0,
    ) -> SignedAction:
        """Pays out and ends the account for good; what is not paid out is forfeited."""
        return self.act(
            Intent(ActionKind.CLOSE, cash_usd6, lots or {}, fee_usd6, recipient=recipient, deadline=deadline)
        )

    def trade(self, agreed: AgreedTrade, epoch: EpochData, *, deadline: int, fee_usd6: int = 0) -> SignedAction:
        """This account's side of an agreed trade.

        Raises
        ------
        TradeMessageRefused
            If this account is no party of it.
        ActionNotAllowed
            If the epoch or its generation is not the agreed one, the deadline lies beyond the agreement's end, or this
            account is the maker and has moved since the quote.
        """
        mine = self.account.id
        intent = Intent(
            ActionKind.TRADE,
            fee_usd6=fee_usd6,
            trade=agreed.trade,
            side=agreed.get_side(mine),
            counterparty=agreed.get_counterparty(mine),
            deadline=deadline,
        )
        if epoch.number != agreed.epoch:
            raise ActionNotAllowed("TRADE", f"epoch {epoch.number} is not the agreed {agreed.epoch}")
        if epoch.generation != agreed.generation:
            raise ActionNotAllowed(
                "TRADE", f"the epoch is of generation {epoch.generation}, agreed: {agreed.generation}"
            )
        if deadline > agreed.valid_until:
            raise ActionNotAllowed("TRADE", f"deadline {deadline} is after the agreement's end {agreed.valid_until}")
        if mine == agreed.maker and agreed.maker_commitment != self.account.commitment:
            raise ActionNotAllowed("TRADE", "the account has moved since its quote")
        return self.act(intent, epoch)

    def attest(self, epoch: EpochData, policy: str = "maintenance", *, deadline: int) -> SignedAction:
        """An attestation on chain; it writes nothing, and takes no signature."""
        return self.act(Intent(ActionKind.ATTEST, policy=policy, deadline=deadline), epoch)

    def attest_to(self, epoch: EpochData, request: AttestationRequest, *, valid_until: int) -> ProvenAttestation:
        """An attestation off-chain, to the recipient that asked for it.

        It is transferable: the recipient can show it on, and whoever gets it can check it.
        """
        transition = build_attestation(self.venue.begin(epoch, valid_until), self.account, request)
        proof = self._provers.transition.prove(transition)
        return ProvenAttestation(message=transition.message, proof=proof.to_bytes())

    def roll(self, steps: Sequence[ExpiryStep], *, deadline: int, signed: bool = True) -> SignedAction:
        """Takes the account over steps of the listing at once; needs no epoch, and no margin.

        Parameters
        ----------
        steps : sequence of ExpiryStep
            Vectors of the steps from the account's generation on, in their order; as many as the publishers posted a
            point for.
        signed : bool
            False leaves the signature out, which the contract allows where the account is two steps behind, or more.
        """
        return self.act(Intent(ActionKind.ROLL, steps=tuple(steps), deadline=deadline), signed=signed)

    def skip(self, generation: int) -> None:
        """Takes over the listing that the chain moved the account to without a proof, as it holds no derivatives.

        Raises
        ------
        AccountError
            If it holds derivatives, or the listing is earlier than the account's.
        """
        account = self.account
        if account.holds_derivatives or generation < account.generation:
            raise AccountError(f"account 0x{account.id.hex()} cannot skip to generation {generation}")
        self.account = replace(account, generation=generation)

    def act(self, intent: Intent, epoch: EpochData | None = None, *, signed: bool = True) -> SignedAction:
        """Any intent: built, proved and, where the action table asks for it, signed.

        Parameters
        ----------
        signed : bool
            False leaves the signature out: for auth itself as sender, or a late roll.
        """
        venue = self.venue
        if intent.submitter == ZERO_ADDRESS:
            intent = replace(intent, submitter=self.submitter)
        transition = build_transition(
            self.account, intent, domain=venue.domain, key_version=venue.key_version, epoch=epoch
        )
        proof = self._provers.transition.prove(transition)
        signature = b""
        if signed and ACTION_RULES[intent.kind].needs_signature:
            signature = request_signature(self.wallet, venue.domain, transition.message)
        return SignedAction(proof, signature, transition)

    def confirm(self, action: SignedAction) -> None:
        """Takes over the new state, after the chain has accepted the action.

        Raises
        ------
        AccountError
            If the action does not start from the present state.
        """
        if action.transition.before.commitment != self.account.commitment:
            raise AccountError(f"the action does not start from account 0x{self.account.id.hex()} as it is")
        self.account = action.transition.after
