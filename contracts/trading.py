"""A venue for those who trade on it: accounts ask, quote and accept by signed messages; one transaction settles.

::

    alice.request -> bob.quote -> alice.accept -> venue.settle

A `Trader` keeps one hidden account and says every amount in instrument names, lots and micro-dollars. Its `Venue` knows
the deployment and the epochs, and submits what traders sign, which anybody may do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from zkmargin.contracts.attestation_verifier import Checked
from zkmargin.contracts.batches import Carried, carry_attestations
from zkmargin.contracts.chain import Chain, Receipt
from zkmargin.contracts.clearing_house import AccountView, Status
from zkmargin.contracts.deployment import Deployment
from zkmargin.contracts.desks import check_venue
from zkmargin.contracts.errors import CallInvalid, DeploymentMismatch, MessageInvalid, Reverted
from zkmargin.contracts.messages import EpochPoints, sort_points
from zkmargin.contracts.registration import RegisteredKey
from zkmargin.contracts.rekey_desk import RekeyDesk
from zkmargin.contracts.requests import ActionRequest, OpenRequest, TradeRequest, TradeSide
from zkmargin.contracts.sending import LocalSender, Sender
from zkmargin.contracts.signatures import ChainSignatureCheck
from zkmargin.contracts.vault import Payment, PaymentState
from zkmargin.contracts.venue import Contracts
from zkmargin.engine.account import AccountState, Portfolio
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.house import House
from zkmargin.engine.market.instruments import Listing
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import PRESETS, Preset
from zkmargin.engine.units import NO_CASH, Usd6
from zkmargin.prover.account.account import derive_key
from zkmargin.prover.account.recovery import recover_account
from zkmargin.prover.actions.rekeying import build_rekeying
from zkmargin.prover.attestation import AttestationRequest, ChainFacts, ProvenAttestation
from zkmargin.prover.client import AccountClient, Provers, SignedAction, SignedOpening
from zkmargin.prover.errors import KeyMissing
from zkmargin.prover.groth16.keys import load_verifying_key
from zkmargin.prover.groth16.points import compute_policy_point
from zkmargin.prover.groth16.provers import RekeyProver
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind
from zkmargin.prover.messages.records import Accept, Quote, RequestForQuote
from zkmargin.prover.messages.signed import Signed, sign_message
from zkmargin.prover.messages.typed_data import Domain, compute_digest
from zkmargin.prover.messages.wallet import Signer, Wallet, request_signature
from zkmargin.prover.negotiation import (
    ANY_MAKER,
    AgreedTrade,
    Maker,
    check_accept,
    check_quote,
    make_accept,
    make_quote,
    make_request,
)
from zkmargin.prover.paths import BUILD
from zkmargin.prover.ranges import check_range
from zkmargin.prover.session import Session, VenueFacts
from zkmargin.prover.statement.secret import Secret

LEFT_BEHIND = 2
"""Steps behind the oracle from which on no epoch reaches an account."""
PATIENCE = 3600
"""Seconds until what a trader signs here runs out."""
MAX_CLAIMS = 100
"""Payments that one transaction makes: about 2 M gas to one recipient, 6 M to as many as there are payments."""


@dataclass(frozen=True)
class AcceptedTrade:
    """A trade that the taker has accepted, with its own side proved and signed."""

    quote: Signed[Quote]
    """The maker's firm price."""
    accept: Signed[Accept]
    """What goes to the maker."""
    agreed: AgreedTrade = field(repr=False)
    """Terms, which only the two parties know."""
    side: SignedAction = field(repr=False)
    """The taker's."""


class Trader:
    """One hidden account at a venue, with its wallet. Cash is micro-dollars, see `usd`; lots are whole and signed.

    What acts raises `PolicyNotMet` before anything is proved or sent, if the account would not meet its margin.
    """

    def __init__(self, venue: Venue, client: AccountClient, name: str = ""):
        self.venue, self.client, self.name = venue, client, name
        self.key_index = 0
        """Which of the wallet's viewing keys the account has: how often it moved to another one."""
        self.anticipated: set[tuple[int, int]] = set()
        """Commitments and generations that the account had before actions that are not on chain yet."""
        self._requests: dict[bytes, RequestForQuote] = {}

    def __repr__(self) -> str:
        return f"Trader({self.name or self.address})"

    @property
    def id(self) -> bytes:
        """Account number, 32 bytes."""
        return self.client.account.id

    @property
    def address(self) -> str:
        """The wallet's, the account's `auth`."""
        return self.client.wallet.address

    @property
    def state(self) -> AccountState:
        """Positions by slot and cash, which only the owner knows."""
        return self.client.account.state

    @property
    def portfolio(self) -> Portfolio:
        """Positions by instrument name and cash; raises `UnknownName` for lots of what is no longer listed."""
        return Portfolio.from_state(self.name or self.address, self.state, self.venue.listing)

    @property
    def positions(self) -> Mapping[str, int]:
        """Signed lots by instrument name."""
        return self.portfolio.positions

    @property
    def cash(self) -> Usd6:
        """Signed micro-dollars."""
        return Usd6(self.state.cash)

    # ------------------------------------------------------------------------------------------------------ negotiation
    def request(self, legs: Mapping[str, int], *, maker: bytes = ANY_MAKER) -> Signed[RequestForQuote]:
        """Asks for a price of `legs`, lots by instrument as this account would receive (+) or give (-) them.

        Parameters
        ----------
        maker : bytes
            Account that may answer; anyone by default.
        """
        self.venue.catch_up(self)
        generation = self.venue.current_epoch().generation
        slots = self.venue.read_lots(legs)
        request = make_request(self.id, maker, slots, self.venue.deadline, generation=generation)
        self._requests[compute_digest(self.venue.domain, request)] = request
        return sign_message(self.client.wallet, self.venue.domain, request)

    def resume(self, request: Signed[RequestForQuote]) -> None:
        """Takes up a request of this account that was signed in another process; raises `WrongSigner`."""
        request.check_signer(self.venue.domain, self.address)
        self._requests[compute_digest(self.venue.domain, request.message)] = request.message

    def quote(self, request: Signed[RequestForQuote], *, taker_pays: Usd6, side: int = -1) -> Signed[Quote]:
        """A firm price for a request: the taker pays so much for all legs, negative when it receives.

        Parameters
        ----------
        side : int
            +1 or -1; which side this account takes. It shows nothing about who buys.

        Raises
        ------
        WrongSigner
            If the request is not its taker's.
        TradeMessageRefused
            If it is malformed, to another maker, or of another listing.
        """
        self.venue.check_signer(request, request.message.taker)
        self._meet(request.message.taker)
        maker = Maker(self.id, self.client.account.commitment, side)
        quote = make_quote(self.venue.begin(self.venue.current_epoch()), request.message, maker, taker_pays)
        return sign_message(self.client.wallet, self.venue.domain, quote)

    def accept(self, quote: Signed[Quote], *, fee: Usd6 = NO_CASH) -> AcceptedTrade:
        """Takes a quote to a request of this account: checks it, and signs and proves this side of the trade.

        Raises
        ------
        TradeMessageRefused
            If it answers no request of this account, or says anything else than the request.
        WrongSigner
            If the quote is not its maker's.
        """
        message, venue = quote.message, self.venue
        if message.request not in self._requests:
            raise CallInvalid("quote", f"to request 0x{message.request.hex()}", "one to a request of this trader")
        venue.check_signer(quote, message.maker)
        self._meet(message.maker)
        epoch = venue.read_epoch(message.epoch)
        agreed = check_quote(venue.begin(epoch), self._requests[message.request], message, now=venue.time)
        accept = make_accept(venue.domain, message, self.client.account.commitment)
        side = self.client.trade(agreed, epoch, deadline=agreed.valid_until, fee_usd6=fee)
        return AcceptedTrade(quote, sign_message(self.client.wallet, venue.domain, accept), agreed, side)

    def answer(self, accepted: AcceptedTrade, *, fee: Usd6 = NO_CASH) -> SignedAction:
        """The maker's side of a trade that was accepted, signed and proved.

        Raises
        ------
        TradeMessageRefused
            If the acceptance is of another quote or too late.
        WrongSigner
            If it is not the taker's, or the quote is not this account's.
        """
        venue, agreed = self.venue, accepted.agreed
        accepted.quote.check_signer(venue.domain, self.address)
        venue.check_signer(accepted.accept, agreed.taker)
        check_accept(venue.domain, accepted.quote.message, accepted.accept.message, now=venue.time)
        epoch = venue.read_epoch(agreed.epoch)
        return self.client.trade(agreed, epoch, deadline=agreed.valid_until, fee_usd6=fee)

    def anticipate(self, action: SignedAction) -> None:
        """Goes on from the state that an action will leave, before it is on chain."""
        account = self.client.account
        self.client.confirm(action)
        self.anticipated.add((account.commitment, account.generation))

    def _meet(self, counterparty: bytes) -> None:
        """Catches up, by a single step too where the counterparty is at another listing: a trade takes two accounts at
        the same one."""
        self.venue.catch_up(self)
        other = self.venue.contracts.house.get_account(counterparty)
        if other.generation != self.client.account.generation:
            self.venue.catch_up(self, least=1)

    # ---------------------------------------------------------------------------------------------------- other actions
    def deposit(self, cash: Usd6 = NO_CASH, collateral: Mapping[str, int] | None = None) -> Receipt:
        """Pays tokens in and takes them into the hidden account; collateral is lots by instrument name."""
        lots = self.venue.read_lots(collateral or {})
        self.venue.catch_up(self)
        self.venue.fund(self, cash_usd6=cash, lots=lots)
        return self.venue.submit(self, self.client.deposit(cash, lots, deadline=self.venue.deadline))

    def withdraw(
        self, cash: Usd6 = NO_CASH, collateral: Mapping[str, int] | None = None, *, recipient: str | None = None
    ) -> Receipt:
        """Pays out to the recipient, by default the wallet, while the withdraw policy holds.

        The account is debited at once. The payment waits for the vault's delay; then anyone's `claim` makes it.
        """
        venue = self.venue
        venue.catch_up(self)
        action = self.client.withdraw(
            venue.current_epoch(),
            cash,
            venue.read_lots(collateral or {}),
            recipient=recipient or self.address,
            deadline=venue.deadline,
        )
        return venue.submit(self, action)

    @property
    def payments(self) -> list[Payment]:
        """Payments to the wallet that are not yet made."""
        return self.venue.contracts.vault.read_payments(recipient=self.address)

    def claim(self) -> Receipt:
        """Makes the payments to the wallet that are due; raises as `Venue.claim`."""
        return self.venue.claim(self.address)

    def attest(self, policy: str = "maintenance") -> Receipt:
        """Shows on chain that the account meets a policy."""
        self.venue.catch_up(self)
        action = self.client.attest(self.venue.current_epoch(), policy, deadline=self.venue.deadline)
        return self.venue.submit(self, action)

    def attest_to(self, asked: AttestationRequest) -> ProvenAttestation:
        """Shows it to one recipient, off chain; see `verify_attestation`."""
        venue = self.venue
        venue.catch_up(self)
        return self.client.attest_to(venue.current_epoch(), asked, valid_until=venue.deadline)

    def rekey(self, prover: RekeyProver, key: Secret | None = None) -> Receipt:
        """Moves the account to a new viewing key; arguments and errors as `Venue.rekey`."""
        return self.venue.rekey(self, prover, key)

    def close(self, *, recipient: str | None = None) -> Receipt:
        """Pays out everything, as `withdraw` does, and ends the account for good: it must hold no derivatives and owe
        nothing.

        It needs no epoch, so it works when the publishers are gone. Who holds derivatives and is behind is taken over
        the steps first, as they may have expired.
        """
        self.venue.refresh(self)
        if self.client.account.holds_derivatives:
            self.venue.catch_up(self, least=1)
        slots = self.venue.facts.preset.collateral_slots
        lots = {slot: int(self.state.positions[slot]) for slot in slots if self.state.positions[slot]}
        action = self.client.close(self.cash, lots, recipient=recipient or self.address, deadline=self.venue.deadline)
        return self.venue.submit(self, action)


class Venue:
    """A deployment, its epochs and the traders that this process opened on it.

    Parameters
    ----------
    contracts : Contracts
    facts : VenueFacts
    provers : Provers
    submitter : str
        Account that sends, and pays the gas for, what traders sign.
    """

    def __init__(self, contracts: Contracts, facts: VenueFacts, provers: Provers, submitter: str):
        self.contracts, self.facts, self.provers, self.submitter = contracts, facts, provers, submitter
        self.traders: dict[bytes, Trader] = {}
        self._epochs: dict[int, Epoch] = {}

    @classmethod
    def connect(
        cls, url: str, deployment: Deployment | Path | str, signer: Wallet | Sender, *, build: Path = BUILD
    ) -> Self:
        """The venue of a deployment on the chain behind `url`.

        Parameters
        ----------
        deployment : Deployment or path
            The record that `Deployment.save` wrote.
        signer : Wallet or Sender
            Signs and pays for transactions; its tokens are what deposits pay in.
        build : Path
            Folder of the proving keys.

        Raises
        ------
        ChainUnavailable, DeploymentMismatch
            If nothing answers, or the chain is another than the deployment's, or a proving key is not the published
            one; or as `contracts.desks.check_venue`.
        KeyMissing
            If no key in `build` is a live version of the registry's.
        RegistrationMismatch
            If the registry's key version is not what the keys and the record's committee give.
        """
        chain = Chain(url)
        chain.use_sender(LocalSender(signer.account, chain.id) if isinstance(signer, Wallet) else signer)
        record = deployment if isinstance(deployment, Deployment) else Deployment.load(Path(deployment))
        contracts = Contracts.connect(chain, record)
        preset = _find_preset(contracts, build)
        provers = Provers.load(preset, build=build, allow_insecure=chain.is_development)
        keys = (provers.transition.key.verifying_key, provers.open.key.verifying_key)
        registered = RegisteredKey.find(contracts.registry, *keys, record.committee_key, preset)
        _check_proving_keys(record, registered.version, provers)
        reveal, rekey = (
            load_verifying_key(name, preset, build=build, allow_insecure=chain.is_development)
            for name in ("reveal", "rekey")
        )
        check_venue(contracts, registered.version, reveal, rekey, preset)
        facts = VenueFacts(record.domain, preset, registered.version, record.committee_key)
        return cls(contracts, facts, provers, signer.address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives back what the venue holds; a connection holds nothing."""

    @property
    def chain(self) -> Chain:
        """The chain it lives on."""
        return self.contracts.chain

    @property
    def domain(self) -> Domain:
        """Where signatures count."""
        return self.facts.domain

    @property
    def time(self) -> int:
        """The chain's, unix seconds."""
        return self.chain.time

    @property
    def deadline(self) -> int:
        """Unix seconds; far enough for what is signed now."""
        return self.chain.time + PATIENCE

    # ----------------------------------------------------------------------------------------------------------- epochs
    @property
    def listing(self) -> Listing:
        """What the slots stand for at the latest epoch."""
        return self.current_epoch().snapshot.listing

    def current_epoch(self) -> Epoch:
        """The latest epoch; raises `CallInvalid` before the first."""
        return self.read_epoch(self.contracts.oracle.get_latest_number())

    def read_epoch(self, number: int) -> Epoch:
        """An epoch, built again from its snapshot, whose bytes somebody published.

        Raises
        ------
        CallInvalid
            If there is none of that number, or nobody published its snapshot.
        MessageInvalid
            If its policies are not those that this house builds: the publishers have other parameters.
        Reverted
            If the oracle no longer has it.
        """
        if number not in self._epochs:
            self._epochs[number] = self._rebuild_epoch(number)
        return self._epochs[number]

    def _rebuild_epoch(self, number: int) -> Epoch:
        oracle = self.contracts.oracle
        data = oracle.read_snapshot(number)
        if data is None:
            raise CallInvalid("number of the epoch", number, "one whose snapshot is published")
        posted = oracle.get_epoch(number)
        house = House(MarketSnapshot.from_bytes(data))
        settlement = oracle.read_settlements(self.facts.preset).get(posted.generation)
        epoch = house.epoch(number, time=posted.time, settlement=settlement)
        if epoch.policy_hash != oracle.read_policy_hash(number):
            raise MessageInvalid("Epoch", "policy_hash", "the publishers'", "that of the policies built here")
        return epoch

    def get_points(self, number: int) -> EpochPoints:
        """What an action at that epoch carries."""
        key, epoch = self.provers.transition.verifying_key, self.read_epoch(number)
        points = {name: compute_policy_point(key, policy) for name, policy in epoch.policies.items()}
        return EpochPoints(number, sort_points(points))

    def begin(self, epoch: Epoch) -> Session:
        """A session at an epoch, from now on."""
        return self.facts.begin(epoch, self.deadline)

    # --------------------------------------------------------------------------------------------------------- accounts
    def open(
        self,
        wallet: Signer,
        *,
        cash: Usd6 = NO_CASH,
        collateral: Mapping[str, int] | None = None,
        name: str = "",
        index: int = 0,
    ) -> Trader:
        """Opens an account of the wallet and pays into it: cash, and collateral in lots by instrument name."""
        trader = self.make_trader(name, wallet=wallet, index=index)
        self.open_account(trader)
        if cash or collateral:
            trader.deposit(cash, collateral)
        return trader

    def make_trader(
        self, name: str = "", *, wallet: Signer | None = None, index: int = 0, key: Secret | None = None
    ) -> Trader:
        """A trader whose account is not open yet, by default with a fresh wallet; `key` is a key file's."""
        generation, owner = self.contracts.oracle.get_generation(), wallet or Wallet.create()
        client = AccountClient.create(owner, self.facts, self.provers, index=index, generation=generation, key=key)
        trader = Trader(self, client, name)
        self.traders[trader.id] = trader
        return trader

    def open_account(self, trader: Trader) -> Receipt:
        """Opens the trader's account."""
        return self.submit_opening(trader.client.open(deadline=self.deadline))

    def submit_opening(self, signed: SignedOpening) -> Receipt:
        """Sends a signed opening."""
        request = OpenRequest.from_message(
            signed.message,
            signed.opening.escrow.ephemeral,
            signed.opening.escrow.escrowed_key,
            signed.proof_words,
            signed.signature,
        )
        return self.contracts.house.open(request, sender=self.submitter)

    def fund(self, trader: Trader, *, cash_usd6: int = 0, lots: Mapping[int, int] | None = None) -> list[Receipt]:
        """Pays the submitter's tokens into the trader's inbox: cash, and collateral in lots by slot."""
        contracts, units = self.contracts, self.contracts.deployment.vault_units
        amounts = {contracts.cash: check_range("cash to fund", cash_usd6, 0, 1 << 128)}
        for slot, count in (lots or {}).items():
            if slot not in units:
                raise CallInvalid("slot of the collateral", slot, f"one of {sorted(units)}, which the vault takes")
            amounts[contracts.weth] = check_range("lots to fund", count, 0, 1 << 64) * units[slot]
        receipts = []
        for token, amount in amounts.items():
            if amount:
                token.approve(contracts.vault.contract.address, amount, sender=self.submitter)
                receipts.append(contracts.vault.fund(trader.id, token.address, amount, sender=self.submitter))
        return receipts

    def submit(self, trader: Trader, action: SignedAction) -> Receipt:
        """Sends an action on one account, and takes over the new state once it is mined."""
        kind, request = ActionKind(action.message.kind), self.make_request(action)
        if ACTION_RULES[kind].takes_steps:
            steps = action.message.generation_new - action.message.generation_old
            receipt = self.contracts.house.roll(request, steps, sender=self.submitter)
        else:
            receipt = self.contracts.house.act(kind, request, sender=self.submitter)
        trader.client.confirm(action)
        return receipt

    def rekey(self, trader: Trader, prover: RekeyProver, key: Secret | None = None) -> Receipt:
        """Moves the trader's account to a new viewing key, escrowed to the committee. Who has the old one reads nothing
        that comes after; what came before stays readable under it.

        Parameters
        ----------
        prover : RekeyProver
            Over the proving key of the venue's `rekey`.
        key : Secret, optional
            A key file's; by default the wallet derives its next one.

        Raises
        ------
        SigningNotRepeatable, WrongSigner
            If the wallet cannot derive a key.
        Reverted
            If the account is not active, or the desk has another key than the prover.
        """
        self.refresh(trader)
        key = key or derive_key(trader.client.wallet, self.domain, trader.id, trader.key_index + 1)
        account, facts = trader.client.account, self.facts
        rekeying = build_rekeying(account, key, self.domain, facts.committee, facts.key_version, self.deadline)
        proof = prover.prove(rekeying).words
        signature = request_signature(trader.client.wallet, self.domain, rekeying.message)
        desk = RekeyDesk(self.chain, self.contracts.house.contract.address)
        receipt = desk.rekey(rekeying, proof, signature, sender=self.submitter)
        trader.client.account = rekeying.after
        trader.key_index += 1
        return receipt

    def make_request(self, action: SignedAction) -> ActionRequest:
        """The call that carries in an action on one account."""
        needs_epoch = ACTION_RULES[ActionKind(action.message.kind)].needs_epoch
        points = self.get_points(action.message.epoch) if needs_epoch else None
        return ActionRequest.from_action(action.message, action.proof_words, action.signature, points)

    def attest_all(self, traders: Sequence[Trader], policy: str = "maintenance") -> Carried:
        """Shows on chain, in one transaction, that many accounts meet a policy.

        Raises
        ------
        PolicyNotMet
            If one of them does not; nothing is sent.
        CallInvalid
            If there is none.
        """
        for trader in traders:
            self.catch_up(trader)
        epoch, deadline = self.current_epoch(), self.deadline
        actions = [trader.client.attest(epoch, policy, deadline=deadline) for trader in traders]
        return carry_attestations(self.contracts.house, list(map(self.make_request, actions)), sender=self.submitter)

    def claim(self, recipient: str) -> Receipt:
        """Makes the payments to an address that are due, the oldest `MAX_CLAIMS` of them; the submitter sends.

        Raises
        ------
        CallInvalid
            If none is due yet; says when the next will be, on the live clock.
        """
        vault, now = self.contracts.vault, self.contracts.oracle.get_live_time()
        waiting = [item for item in vault.read_payments(recipient=recipient) if item.state != PaymentState.RETURNED]
        due = [item for item in waiting if item.due_at <= now]
        if not due:
            coming = f"the next is due at {min(item.due_at for item in waiting)}" if waiting else "there is none"
            raise CallInvalid(f"payments to {recipient}", f"none due at {now}", f"one that is due; {coming}")
        return vault.claim_for(due[:MAX_CLAIMS], sender=self.submitter)

    def refresh(self, trader: Trader) -> AccountView:
        """Takes over what became of the account on chain without this process, and returns what the chain has of it.

        Anybody may skip an account that holds no derivatives and is two steps behind, and whoever has its viewing key
        may roll one that does. Where the chain has another state than the trader, it is rebuilt from the events.

        Raises
        ------
        RecoveryError
            If the events do not give the account's state: names the first that does not fit.
        """
        stored, known = self.contracts.house.get_account(trader.id), trader.client.account
        expected = {(known.commitment, known.generation), *trader.anticipated}
        if stored.status is not Status.NONE and (stored.commitment, stored.generation) not in expected:
            preset = self.facts.preset
            records = self.contracts.read_records(preset)
            trader.anticipated.clear()
            trader.client.account = recover_account(
                trader.id, records.history, self.domain, preset, records.settlements, known.key
            )
        return stored

    def catch_up(self, trader: Trader, *, least: int = LEFT_BEHIND) -> list[Receipt]:
        """Takes the trader's account, as `refresh` finds it, to the listing in force. It skips where nobody needs a
        proof of it (two steps behind, without derivatives), and else rolls, by the largest steps that have a point.

        Parameters
        ----------
        least : int
            Steps behind from which on it acts; by default where no epoch reaches the account any more.

        Raises
        ------
        Reverted
            If the publishers posted no point for a step.
        """
        house, oracle, client = self.contracts.house, self.contracts.oracle, trader.client
        stored, current = self.refresh(trader), oracle.get_generation()
        behind = current - client.account.generation
        if behind < least:
            return []
        if behind >= LEFT_BEHIND and not stored.may_hold_derivatives:
            receipt = house.skip(trader.id, sender=self.submitter)
            client.skip(house.find_skipped(receipt)[trader.id])
            return [receipt]
        vectors, receipts = oracle.read_settlements(self.facts.preset), []
        while client.account.generation < current:
            start = client.account.generation
            count = oracle.find_skip(self.facts.key_version, start, current)
            steps = [vectors[generation] for generation in range(start + 1, start + count + 1)]
            receipts.append(self.submit(trader, client.roll(steps, deadline=self.deadline)))
        return receipts

    def settle(self, accepted: AcceptedTrade, maker_side: SignedAction | None = None) -> Receipt:
        """Settles an accepted trade: both proofs, both signatures, one transaction.

        Parameters
        ----------
        maker_side : SignedAction, optional
            From `Trader.answer`; by default the maker is a trader that this venue opened, and is asked here.

        Raises
        ------
        CallInvalid
            If there is no side of the maker.
        """
        sides, agreed = self.complete(accepted, maker_side), accepted.agreed
        parties = [self.traders[account] for account in (agreed.taker, agreed.maker) if account in self.traders]
        return self.settle_sides(sides, *parties)

    def complete(self, accepted: AcceptedTrade, maker_side: SignedAction | None = None) -> dict[int, SignedAction]:
        """Both sides of an accepted trade, by side; parameters and errors as `settle`."""
        maker = accepted.agreed.maker
        if maker_side is None:
            if maker not in self.traders:
                raise CallInvalid("maker", f"0x{maker.hex()}", "a trader opened here, or its side of the trade")
            maker_side = self.traders[maker].answer(accepted)
        return {side.message.side: side for side in (accepted.side, maker_side)}

    def settle_sides(self, sides: Mapping[int, SignedAction], *parties: Trader) -> Receipt:
        """Sends both sides of a trade, by side, and takes over the parties' new states once it is mined."""
        receipt = self.contracts.house.trade(self.make_trade_request(sides), sender=self.submitter)
        for party in parties:
            party.client.confirm(next(side for side in sides.values() if side.message.account == party.id))
        return receipt

    def make_trade_request(self, sides: Mapping[int, SignedAction], points: EpochPoints | None = None) -> TradeRequest:
        """The call that settles both sides."""
        plus, minus = (
            TradeSide.from_action(sides[side].message, sides[side].proof_words, sides[side].signature)
            for side in (1, -1)
        )
        message = sides[1].message
        points = points or self.get_points(message.epoch)
        return TradeRequest(message.trade_tag, points.select(message.policy), plus, minus)

    # ------------------------------------------------------------------------------------------------------------ reads
    def is_current(self, trader: Trader, max_age: int) -> bool:
        """Whether the account's margin was proved at prices at most `max_age` seconds old."""
        return self.contracts.views.is_current(trader.id, max_age)

    def read_facts(self, account: bytes) -> ChainFacts:
        """What `verify_attestation` needs of the chain, at the latest epoch."""
        epoch = self.current_epoch()
        return self.contracts.read_facts(account, epoch.number, self.provers.transition, epoch.policy_bytes)

    def check_attestation(self, asked: AttestationRequest, shown: ProvenAttestation, *, max_age: int) -> Checked:
        """What the deployment's AttestationVerifier would tell a contract that asked for it; raises as
        `AttestationVerifier.check`."""
        points = self.get_points(shown.message.epoch)
        return self.contracts.attestations.check(asked, shown, points, max_age=max_age)

    def check_signer(self, message: Signed[RequestForQuote] | Signed[Quote] | Signed[Accept], account: bytes) -> None:
        """Refuses what the account's auth has not signed; auth, and a contract wallet at it, are asked at one block."""
        block = self.chain.get_block("latest").number
        auth = self.contracts.house.get_account(account, block=block).auth
        message.check_signer(self.domain, auth, ChainSignatureCheck(self.chain, block))

    def read_lots(self, lots: Mapping[str, int]) -> dict[int, int]:
        """Lots by slot of lots by instrument name; raises `UnknownName` for what is not listed."""
        if not lots:
            return {}
        listing = self.listing
        return {listing.get(name).slot: count for name, count in lots.items()}


def _find_preset(contracts: Contracts, build: Path) -> Preset:
    """The preset whose verification key in `build` is a live version of the registry's, whatever was registered
    since."""
    registry, found = contracts.registry, 0
    for preset in PRESETS.values():
        try:
            key = load_verifying_key("transition", preset, build=build, allow_insecure=contracts.chain.is_development)
            version = registry.get_version_of(key.hash)
        except (KeyMissing, Reverted):  # a preset without keys, or with keys of another venue
            continue
        if registry.is_live(version):
            return preset
        found = version
    what = f"only version {found}, which is not live" if found else "none"
    raise KeyMissing(f"of the transition keys in {build} the registry has {what}")


def _check_proving_keys(record: Deployment, version: int, provers: Provers) -> None:
    """A record publishes the hashes of version 1, if it knows them."""
    for key in (provers.transition.key, provers.open.key):
        published, found = getattr(record, f"{key.name}_zkey"), key.manifest.zkey_hash
        if version == 1 and published and found != published:
            raise DeploymentMismatch(f"SHA-256 of the proving key of {key.name}", found, f"{published}, as published")
