"""Typed bindings of a deployment: one method per entry point, typed records in, a receipt out, refusals as `Reverted`.

`Contracts` holds the five contracts and the two tokens of a deployment. A method that sends takes `sender`, an account
of the node (the first by default): whoever submits is not the owner, so any sender will do where the entry point asks
for a signature.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self

from zkmargin.contracts.chain import Block, Chain, Receipt
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.deploy import encode_registration
from zkmargin.contracts.deployment import Deployment, check_deployment
from zkmargin.contracts.errors import AccountStale, AnswerMalformed, CallInvalid, DeploymentMismatch, Reverted
from zkmargin.contracts.key_material import KeyMaterial
from zkmargin.contracts.messages import SignedEpoch
from zkmargin.contracts.requests import (
    ActionRequest,
    OpenRequest,
    TradeRequest,
)
from zkmargin.contracts.signatures import ChainSignatureCheck
from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.presets import Preset
from zkmargin.prover.account.recovery import Event, Opened, Transitioned
from zkmargin.prover.attestation import ChainFacts
from zkmargin.prover.errors import ActionNotAllowed
from zkmargin.prover.groth16.provers import TransitionVerifier
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.fields import ZERO_ADDRESS, encode_policy_name
from zkmargin.prover.messages.records import Invalidate
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.messages.wallet import normalise_signature, normalise_v

ENTRY_POINTS = {
    ActionKind.DEPOSIT: "deposit",
    ActionKind.WITHDRAW: "withdraw",
    ActionKind.CURE: "cure",
    ActionKind.ATTEST: "attest",
    ActionKind.WITHDRAW_FLAT: "withdrawFlat",
    ActionKind.CLOSE: "close",
}
"""Functions of the clearing house that take an action on one account."""


class Status(IntEnum):
    """Life of an account on chain."""

    NONE = 0
    ACTIVE = 1
    FROZEN = 2
    CLOSED = 3


@dataclass(frozen=True)
class AccountView:
    """What the chain knows of an account."""

    auth: str
    status: Status
    key_version: int
    generation: int
    proven_at: int
    """Unix seconds of the prices at which margin was last proved."""
    commitment: int
    escrow_hash: bytes


@dataclass(frozen=True)
class EpochView:
    """What the oracle keeps of an epoch."""

    number: int
    time: int
    generation: int
    key_version: int
    points_hash: bytes
    snapshot_hash: bytes


@dataclass(frozen=True)
class FreshEpoch:
    """What an action needs of its epoch."""

    time: int
    """Unix seconds of its prices."""
    generation: int
    key_version: int
    points_hash: bytes


class KeyRegistry:
    """Verification keys by version; see IKeyRegistry.sol."""

    def __init__(self, contract: Contract):
        self.contract = contract

    def register(self, keys: KeyMaterial, *, sender: str | None = None) -> Receipt:
        """Adds a version; only the owner."""
        return self.contract.send("register", encode_registration(keys), sender=sender)

    def revoke(self, version: int, *, sender: str | None = None) -> Receipt:
        """Revokes a version for good; only the owner."""
        return self.contract.send("revoke", version, sender=sender)

    def accept_ownership(self, *, sender: str) -> Receipt:
        """Second step of the hand-over: the owner that `deploy` named takes the registry."""
        return self.contract.send("acceptOwnership", sender=sender)

    def get_owners(self) -> tuple[str, str]:
        """The owner, and who is named to follow it (zero for nobody), at one block."""

        def read(block: Block) -> tuple[str, str]:
            owner, pending = (self.contract.call(name, block=block.number) for name in ("owner", "pendingOwner"))
            return owner, pending

        return self.contract.chain.read_at_one_block(read)

    def get_latest(self) -> int:
        """Highest version, 0 for none."""
        return int(self.contract.call("latest"))

    def is_live(self, version: int, *, block: int | None = None) -> bool:
        """Whether the version may be used now, or at the end of the block of that number."""
        return bool(self.contract.call("isLive", version, block=block))

    def get_version_of(self, transition_hash: bytes) -> int:
        """Version of the transition key with that declared hash."""
        return int(self.contract.call("versionOf", transition_hash))

    def get_transition_key(self, version: int) -> tuple[str, int]:
        """Address of the data contract of `transition`, and the number of slots."""
        address, slots = self.contract.call("transitionKey", version)
        return address, slots

    def get_open_key(self, version: int) -> tuple[str, int, int]:
        """Address of the data contract of `open`, and the committee's key."""
        address, x, y = self.contract.call("openKey", version)
        return address, x, y

    def get_flat_point(self, version: int) -> tuple[int, int]:
        """Point of the constant policy "flat"."""
        x, y = self.contract.call("flatPoint", version)
        return x, y


class RiskOracle:
    """Signed risk epochs; see IRiskOracle.sol."""

    def __init__(self, contract: Contract, first_block: int = 0):
        self.contract, self._first_block = contract, first_block

    def post_epoch(self, epoch: SignedEpoch, *, with_snapshot: bool = True, sender: str | None = None) -> Receipt:
        """Posts a signed epoch; without its snapshot, anyone may publish that later."""
        message = epoch.message.to_message()
        points = [{"name": point.name, "x": point.x, "y": point.y} for point in epoch.points]
        snapshot = epoch.snapshot if with_snapshot else b""
        return self.contract.send(
            "postEpoch", message, points, snapshot, epoch.settlement, list(epoch.signatures), sender=sender
        )

    def publish_snapshot(self, number: int, snapshot: bytes, *, sender: str | None = None) -> Receipt:
        """Publishes the snapshot of an epoch that was posted without it."""
        return self.contract.send("publishSnapshot", number, snapshot, sender=sender)

    def set_signers(self, signers: Sequence[str], threshold: int, *, sender: str | None = None) -> Receipt:
        """Replaces the publishers; only the owner."""
        return self.contract.send(
            "setSigners", sorted(signers, key=lambda item: int(item, 16)), threshold, sender=sender
        )

    def set_max_age(self, kind: ActionKind, seconds: int, *, sender: str | None = None) -> Receipt:
        """Sets for how long an epoch serves an action (60 to 900 s; trade and withdraw share one, cure and attest the
        other)."""
        return self.contract.send("setMaxAge", int(kind), seconds, sender=sender)

    def pause(self, *, sender: str | None = None) -> Receipt:
        """Stops opening, trades, withdrawals and attestations; the guardian or the owner."""
        return self.contract.send("pause", sender=sender)

    def unpause(self, *, sender: str | None = None) -> Receipt:
        """Ends a pause; only the owner."""
        return self.contract.send("unpause", sender=sender)

    def get_max_age(self, kind: ActionKind) -> int:
        """Seconds for which an epoch serves an action."""
        return int(self.contract.call("maxAgeOf", int(kind)))

    def get_epoch(self, number: int, *, block: int | None = None) -> EpochView:
        """An epoch still in the ring, fresh or not; now, or at the end of the block of that number."""
        return EpochView(*self.contract.call("getEpoch", number, block=block))

    def require_fresh(self, number: int, kind: ActionKind) -> FreshEpoch:
        """The epoch, if it may serve `kind` now."""
        return FreshEpoch(*self.contract.call("requireFresh", number, int(kind)))

    def get_latest_number(self) -> int:
        """Number of the latest epoch, 0 before the first."""
        return int(self.contract.call("latestNumber"))

    def get_min_epoch(self) -> int:
        """Lowest number that no later epoch has revoked."""
        return int(self.contract.call("minEpoch"))

    def is_paused(self) -> bool:
        """Whether the guardian has paused."""
        return bool(self.contract.call("isPaused"))

    def get_generation(self) -> int:
        """Generation of the latest epoch."""
        return int(self.contract.call("generation"))

    def get_settlement_point(self, generation: int, key_version: int = 1) -> tuple[int, int]:
        """Point of the step into `generation` under a key version; refused if it is unset."""
        x, y = self.contract.call("settlementOf", key_version, generation)
        return x, y

    def get_settlement_hash(self, generation: int) -> bytes:
        """Hash of the settlement vector of the step into `generation`; zero if there was none."""
        return bytes(self.contract.call("settlementHashOf", generation))

    def get_step_time(self) -> int:
        """Block time of the latest generation step, 0 before the first."""
        return int(self.contract.call("steppedAt"))

    def read_settlements(self, preset: Preset, *, last_block: int | None = None) -> Mapping[int, ExpiryStep]:
        """The settlement vector of every step, by generation, from the events up to `last_block` (the latest by
        default); each is parsed when it is asked for."""
        events = self.contract.read_events("SettlementPublished", first_block=self._first_block, last_block=last_block)
        return Settlements(
            {int(event["args"]["generation"]): bytes(event["args"]["settlement"]) for event in events}, preset
        )

    def read_policy_hash(self, number: int, *, last_block: int | None = None) -> bytes:
        """Hash of the policies that an epoch's quorum signed, 32 bytes, from its event.

        Raises
        ------
        CallInvalid
            If no epoch of that number was posted up to `last_block`.
        """
        events = self.contract.read_events(
            "EpochPosted", first_block=self._first_block, last_block=last_block, key=number
        )
        if not events:
            raise CallInvalid("number of the epoch", number, "one that was posted")
        return bytes(events[-1]["args"]["policyHash"])

    def read_snapshots(self) -> dict[int, bytes]:
        """Canonical snapshot bytes by epoch, from the events."""
        events = self.contract.read_events("SnapshotPublished", first_block=self._first_block)
        return {int(event["args"]["number"]): bytes(event["args"]["snapshot"]) for event in events}


class Settlements(Mapping[int, ExpiryStep]):
    """ExpiryStep vectors by generation, parsed one by one: bytes that are none spoil their own step alone.

    Getting an item raises `engine.policy.errors.PolicyError` where the published bytes are not canonical or not
    allowed.
    """

    def __init__(self, data: Mapping[int, bytes], preset: Preset):
        self._data, self._preset = data, preset

    def __getitem__(self, generation: int) -> ExpiryStep:
        return ExpiryStep.from_bytes(self._data[generation], self._preset)

    def __iter__(self) -> Iterator[int]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, generation: object) -> bool:
        return generation in self._data


class CollateralVault:
    """Holds the tokens; see ICollateralVault.sol."""

    def __init__(self, contract: Contract):
        self.contract = contract

    def fund(self, account: bytes, token: str, amount: int, *, sender: str | None = None) -> Receipt:
        """Puts tokens in an account number's inbox; `sender` must have approved the vault."""
        return self.contract.send("fund", account, token, amount, sender=sender)

    def fund_with_permit(
        self, account: bytes, token: str, amount: int, deadline: int, signature: bytes, *, sender: str | None = None
    ) -> Receipt:
        """`fund` with an ERC-2612 permit of `sender` (65 bytes r, s, v; a v of 0 or 1 becomes 27 or 28)."""
        signature = normalise_v(_require_ecdsa(signature))
        r, s, v = signature[:32], signature[32:64], signature[64]
        return self.contract.send("fundWithPermit", account, token, amount, deadline, v, r, s, sender=sender)

    def pull_back(self, index: int, token: str, amount: int, to: str, *, sender: str | None = None) -> Receipt:
        """Takes tokens back out of the inbox of `sender`'s account number `index`."""
        return self.contract.send("pullBack", index, token, amount, to, sender=sender)

    def claim(self, token: str, to: str, *, sender: str | None = None) -> Receipt:
        """Pays out everything that `sender` may claim."""
        return self.contract.send("claim", token, to, sender=sender)

    def get_inbox(self, account: bytes, token: str) -> int:
        """Units funded and not yet absorbed."""
        return int(self.contract.call("inbox", account, token))

    def get_held(self, token: str) -> int:
        """Units that the hidden accounts hold together."""
        return int(self.contract.call("held", token))

    def get_claimable(self, recipient: str, token: str) -> int:
        """Units that `recipient` may claim."""
        return int(self.contract.call("claimable", recipient, token))

    def get_unit(self, slot: int) -> tuple[str, int]:
        """Token of a collateral slot and its units per lot; zeros if the slot has none."""
        token, units = self.contract.call("collateralOf", slot)
        return token, units


class Token:
    """An ERC-20 token; `mint` exists on the test tokens only."""

    def __init__(self, contract: Contract):
        self.contract, self.address = contract, contract.address

    def mint(self, to: str, amount: int, *, sender: str | None = None) -> Receipt:
        """Makes test tokens."""
        return self.contract.send("mint", to, amount, sender=sender)

    def approve(self, spender: str, amount: int, *, sender: str | None = None) -> Receipt:
        """Allows `spender` to take from `sender`."""
        return self.contract.send("approve", spender, amount, sender=sender)

    def get_balance(self, holder: str) -> int:
        """Units that `holder` has."""
        return int(self.contract.call("balanceOf", holder))


class ClearingHouse:
    """Accounts and actions; see IClearingHouse.sol."""

    def __init__(self, contract: Contract, first_block: int = 0):
        self.contract, self._first_block = contract, first_block

    def open(self, request: OpenRequest, *, sender: str | None = None) -> Receipt:
        """Opens an account."""
        return self.contract.send("open", request.to_abi(), sender=sender)

    def deposit(self, request: ActionRequest, *, sender: str | None = None) -> Receipt:
        """Absorbs a stated part of the inbox."""
        return self.act(ActionKind.DEPOSIT, request, sender=sender)

    def act(self, kind: ActionKind, request: ActionRequest, *, sender: str | None = None) -> Receipt:
        """Sends an action on one account to the entry point of its kind.

        Raises
        ------
        AccountStale
            If the account has moved since the action was proved; nothing is sent.
        Reverted
            If the contract refuses it for another reason.
        """
        with _naming_stale_accounts():
            return self.contract.send(ENTRY_POINTS[kind], request.to_abi(), sender=sender)

    def trade(self, request: TradeRequest, *, sender: str | None = None) -> Receipt:
        """Settles a trade between two accounts; raises like `act`."""
        with _naming_stale_accounts():
            return self.contract.send("trade", request.to_abi(), sender=sender)

    def withdraw(self, request: ActionRequest, *, sender: str | None = None) -> Receipt:
        """Pays out to what the recipient may claim."""
        return self.act(ActionKind.WITHDRAW, request, sender=sender)

    def cure(self, request: ActionRequest, *, sender: str | None = None) -> Receipt:
        """A deposit with a proof of maintenance margin."""
        return self.act(ActionKind.CURE, request, sender=sender)

    def attest(self, request: ActionRequest, *, sender: str | None = None) -> Receipt:
        """Shows that an account meets a policy."""
        return self.act(ActionKind.ATTEST, request, sender=sender)

    def withdraw_flat(self, request: ActionRequest, *, sender: str | None = None) -> Receipt:
        """Pays out of an account without derivatives and debt; needs no epoch."""
        return self.act(ActionKind.WITHDRAW_FLAT, request, sender=sender)

    def close(self, request: ActionRequest, *, sender: str | None = None) -> Receipt:
        """Pays out and ends a flat account for good."""
        return self.act(ActionKind.CLOSE, request, sender=sender)

    def invalidate(self, index: int, digest: bytes, *, sender: str | None = None) -> Receipt:
        """Burns a digest for `sender`'s account number `index`."""
        return self.contract.send("invalidate", index, digest, sender=sender)

    def invalidate_for(
        self, auth: str, index: int, digest: bytes, signature: bytes, *, sender: str | None = None
    ) -> Receipt:
        """Burns a digest by auth's signature over Invalidate, whose v may be 0 or 1; raises `SignatureRefused`."""
        chain, message = self.contract.chain, Invalidate(digest=digest)
        domain = Domain(chain_id=chain.id, clearing_house=self.contract.address, risk_oracle=ZERO_ADDRESS)
        signature = normalise_signature(auth, domain, message, signature)
        return self.contract.send("invalidateFor", auth, index, digest, signature, sender=sender)

    def collect_fees(self, to: str, *, sender: str | None = None) -> Receipt:
        """Moves `sender`'s fees to what `to` may claim from the vault."""
        return self.contract.send("collectFees", to, sender=sender)

    def get_account(self, account: bytes, *, block: int | None = None) -> AccountView:
        """What the chain knows of an account, now or at the end of the block of that number; status NONE if it never
        was opened."""
        auth, status, *rest = self.contract.call("accountOf", account, block=block)
        return AccountView(auth, Status(status), *rest)

    def require_commitment(self, account: bytes, commitment: int) -> None:
        """Raises `AccountStale` unless the chain stores that commitment: ask before proving, which takes longer."""
        stored = self.get_account(account).commitment
        if stored != commitment:
            raise AccountStale(account, commitment, stored, "ClearingHouse.accountOf")

    def is_current(self, account: bytes, max_age: int) -> bool:
        """Whether margin was proved at prices at most `max_age` seconds old."""
        return bool(self.contract.call("isCurrent", account, max_age))

    def get_attested(self, account: bytes, policy: str) -> int:
        """Time at which the account, as it is now, attested the policy of that name; 0 if never."""
        return int(self.contract.call("attested", account, encode_policy_name(policy)))

    def get_fees(self, submitter: str) -> int:
        """Micro-dollars that a submitter may collect."""
        return int(self.contract.call("feesOf", submitter))

    def is_invalidated(self, account: bytes, digest: bytes) -> bool:
        """Whether auth has burned the digest for this account."""
        return bool(self.contract.call("isInvalidated", account, digest))

    def read_history(self, *, last_block: int | None = None) -> list[Event]:
        """Every opening and every written transition up to `last_block`, in the chain's order, as
        `prover.account.recovery` takes them; by default up to the latest block, and all of one chain.

        Raises
        ------
        DeploymentMismatch
            If the chain ends before the deployment's first block.
        AnswerMalformed
            If a log is none of the clearing house.
        """
        if last_block is None:
            return self.contract.chain.read_at_one_block(lambda block: self.read_history(last_block=block.number))
        if last_block < self._first_block:
            raise DeploymentMismatch("last block to read", last_block, f"{self._first_block} or later, the first one")
        found: list[tuple[tuple[int, int], Event]] = []
        for name, convert in (("AccountOpened", _to_opened), ("Traded", _to_sides), ("Flowed", _to_flowed)):
            for event in self.contract.read_events(name, first_block=self._first_block, last_block=last_block):
                place = (int(event["blockNumber"]), int(event["logIndex"]))
                found += [(place, item) for item in convert(event["args"])]
        return [event for _, event in sorted(found, key=lambda pair: pair[0])]


@dataclass(frozen=True)
class Records:
    """What an owner needs of the chain to rebuild accounts, all as of one block."""

    block: Block
    history: list[Event]
    settlements: Mapping[int, ExpiryStep]
    """By generation, parsed when asked for."""


class Contracts:
    """A deployment's contracts and tokens, ready to call."""

    def __init__(self, chain: Chain, deployment: Deployment):
        artifacts, first = compile_contracts(), deployment.first_block

        def at(name: str, address: str) -> Contract:
            return Contract(chain, artifacts[name], address)

        self.chain, self.deployment, self.domain = chain, deployment, deployment.domain
        self.registry = KeyRegistry(at("KeyRegistry", deployment.key_registry))
        self.oracle = RiskOracle(at("RiskOracle", deployment.risk_oracle), first)
        self.vault = CollateralVault(at("CollateralVault", deployment.collateral_vault))
        self.house = ClearingHouse(at("ClearingHouse", deployment.clearing_house), first)
        self.cash = Token(at("TestUSDC", deployment.cash))
        self.weth = Token(at("TestWETH", deployment.weth))
        self.signature_check = ChainSignatureCheck(chain)
        """For counterparties whose auth may be a contract wallet."""

    @classmethod
    def connect(cls, chain: Chain, deployment: Deployment) -> Self:
        """The contracts, after `check_deployment`: the way to them before anything is read or signed.

        Raises
        ------
        DeploymentMismatch
            If the node's chain is not the deployment's, or the record mixes the contracts of several deployments.
        """
        check_deployment(chain, deployment)
        contracts = cls(chain, deployment)
        house, vault = contracts.house.contract, contracts.vault.contract
        for name, contract, getter in (
            ("key_registry", house, "REGISTRY"),
            ("risk_oracle", house, "ORACLE"),
            ("margin_verifier", house, "VERIFIER"),
            ("collateral_vault", house, "VAULT"),
            ("clearing_house", vault, "CLEARING_HOUSE"),
            ("cash", vault, "CASH"),
        ):
            found, recorded = contract.call(getter), getattr(deployment, name)
            if found != recorded:
                raise DeploymentMismatch(f"{contract.name}.{getter}", found, f"{recorded}, {name} of the record")
        return contracts

    def read_records(self, preset: Preset) -> Records:
        """History and settlement vectors of one block, which is still the chain's when all is read.

        Raises
        ------
        ChainReorganised
            If the block was replaced meanwhile, several times in a row.
        """

        def read(block: Block) -> Records:
            history = self.house.read_history(last_block=block.number)
            return Records(block, history, self.oracle.read_settlements(preset, last_block=block.number))

        return self.chain.read_at_one_block(read)

    def read_facts(self, account: bytes, epoch: int, verifier: TransitionVerifier, policy_bytes: bytes) -> ChainFacts:
        """What the recipient of an attestation knows when it checks; what is the chain's is read at one block.

        Parameters
        ----------
        epoch : int
            Number of the epoch that the recipient accepts.
        verifier : TransitionVerifier
            Over the `transition` key of the account's key version.
        policy_bytes : bytes
            Canonical bytes of the epoch's policies, from whoever serves them.

        Raises
        ------
        Reverted
            If the oracle no longer has the epoch.
        ChainReorganised
            If the block was replaced meanwhile, several times in a row.
        """

        def read(block: Block) -> ChainFacts:
            stored = self.house.get_account(account, block=block.number)
            posted = self.oracle.get_epoch(epoch, block=block.number)
            return ChainFacts(
                domain=self.domain,
                verifier=verifier,
                is_active=stored.status is Status.ACTIVE,
                is_key_live=self.registry.is_live(stored.key_version, block=block.number),
                commitment=stored.commitment,
                generation=stored.generation,
                key_version=stored.key_version,
                epoch=posted.number,
                epoch_generation=posted.generation,
                policy_hash=self.oracle.read_policy_hash(epoch, last_block=block.number),
                policy_bytes=policy_bytes,
                time=block.time,
            )

        return self.chain.read_at_one_block(read)


@contextmanager
def _naming_stale_accounts() -> Iterator[None]:
    try:
        yield
    except Reverted as refusal:
        if refusal.error == "CommitmentStale":
            fields: dict[str, Any] = refusal.fields
            raise AccountStale(fields["account"], fields["expected"], fields["stored"], refusal.call) from None
        raise


def _require_ecdsa(signature: bytes) -> bytes:
    if len(signature) != 65:
        raise CallInvalid("length of the permit's signature", len(signature), "65 bytes r, s, v")
    return signature


def _to_opened(event: Mapping[str, Any]) -> list[Event]:
    return [Opened(bytes(event["account"]), event["auth"], event["index"], event["generation"], event["commitment"])]


def _to_flowed(event: Mapping[str, Any]) -> list[Event]:
    flows = tuple((int(flow["slot"]), int(flow["lots"])) for flow in event["flows"])
    try:
        kind = ActionKind(event["kind"])
    except ActionNotAllowed as error:
        raise AnswerMalformed("log of ClearingHouse.Flowed", str(error)) from None
    return [
        Transitioned(
            kind=kind,
            account=bytes(event["account"]),
            generation=event["generation"],
            commitment_new=event["commitment"],
            cash_flow=event["cashFlow"],
            flows=flows,
        )
    ]


def _to_sides(event: Mapping[str, Any]) -> list[Event]:
    return [
        Transitioned(
            kind=ActionKind.TRADE,
            account=bytes(event[name.lower()]),
            generation=event["generation"],
            commitment_new=event[f"commitment{name}"],
            trade_tag=event["tradeTag"],
            ciphertext=event[f"ciphertext{name}"],
            side=side,
            cash_flow=-event[f"fee{name}"],
        )
        for name, side in (("Plus", 1), ("Minus", -1))
    ]
