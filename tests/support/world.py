"""A deployment with simulated keys, and short words for what tests do on it. Nothing here decides what is allowed: it
builds the
message, the signature and the proof that an honest party would, and a test then changes one thing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from random import Random

from eth_abi import encode as abi_encode
from eth_utils import function_abi_to_4byte_selector, keccak

from tests.support.simulator import SimulatedKey, make_material, name_committee, to_point
from zkmargin.contracts.chain import Chain, Receipt
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.deploy import deploy
from zkmargin.contracts.errors import Reverted
from zkmargin.contracts.messages import NamedPoint, SignedEpoch, SignedSettlement, compute_points_root, sign_unchecked
from zkmargin.contracts.requests import (
    ActionRequest,
    MoveRequest,
    OpenRequest,
    Proof,
    TradeRequest,
    TradeSide,
)
from zkmargin.contracts.venue import Contracts
from zkmargin.engine.presets import Preset, get_preset
from zkmargin.prover.account.account import compute_account_id
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind
from zkmargin.prover.messages.fields import ZERO_ADDRESS, encode_policy_name
from zkmargin.prover.messages.records import Action, Epoch, Flow, Move, Open, Settlement
from zkmargin.prover.messages.typed_data import compute_context, compute_digest
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.prover.statement.signals import FIELD_MODULUS

SEED = 20260822
HOUR = 3600
FLAT = 7_001
"""Discrete logarithm of the flat point."""
POLICIES = {"initial": 9_001, "maintenance": 9_002, "net_delta": 9_003, "withdraw": 9_004}
"""Discrete logarithm of each named policy's point."""
STEP = 5_001
"""Discrete logarithm of a settlement point; generation is added."""
ACCOUNTS_SLOT = 2
"""Where the mapping of accounts stands in the clearing house's storage, after the two words of EIP712."""
ELSEWHERE = "0x" + "e15e" * 10
"""Where nothing stands on a new chain."""
SETTLEMENT_DELAY = 900
"""Seconds until a settlement serves in a world that has such a delay."""
USDC = 10**6
LOT = 10**15


def make_wallet(name: str) -> Wallet:
    """The wallet of that name, the same in every run."""
    return Wallet.from_key(keccak(text=f"zkmargin test {name}"))


@cache
def make_keys(preset_name: str, seed: int = SEED) -> tuple[SimulatedKey, SimulatedKey]:
    """Keys of `transition` and `open`, the same in every run."""
    preset = get_preset(preset_name)
    return SimulatedKey("transition", preset, seed), SimulatedKey("open", preset, seed)


@cache
def make_cached_material(preset_name: str, seed: int = SEED):
    """The key version of `make_keys`; the points take a moment, so once per run."""
    return make_material(*make_keys(preset_name, seed), FLAT)


@dataclass(frozen=True)
class Party:
    """An account and who acts for it."""

    id: bytes
    wallet: Wallet
    index: int
    auth: str


class World:
    """A venue on a chain, with its publishers, epochs and proofs."""

    def __init__(self, chain: Chain, preset_name: str = "mini", **options: object):
        self.chain = chain
        self.preset: Preset = get_preset(preset_name)
        self.key, self.open_key = make_keys(preset_name)
        self.material = make_cached_material(preset_name)
        self.key_version, self.step = 1, STEP
        self.publishers = [make_wallet(f"publisher {number}") for number in range(5)]
        self.deployment = deploy(chain, self.material, [wallet.address for wallet in self.publishers], **options)
        self.venue = Contracts(chain, self.deployment)
        self.house, self.vault, self.oracle = self.venue.house, self.venue.vault, self.venue.oracle
        self.views = self.venue.views
        self.cash, self.weth = self.venue.cash, self.venue.weth
        self.domain = self.venue.domain
        self.weth_slot = self.deployment.weth_slot
        self.submitter = chain.accounts[1]
        self.funder = chain.accounts[2]
        self._random = Random(SEED)
        self._indices: dict[str, int] = {}
        for token in (self.cash, self.weth):
            token.mint(self.funder, 10**30)
            token.approve(self.vault.contract.address, 2**256 - 1, sender=self.funder)

    def accept_all_proofs(self) -> None:
        """From now on each proof is accepted: the verifier's code stops at once where a proof is to be checked, and
        runs its own code, which stands elsewhere then, for the rest."""
        artifact, address = compile_contracts()["MarginVerifier"], self.deployment.margin_verifier
        self.chain._request("anvil_setCode", ELSEWHERE, "0x" + self.chain.get_code(address).hex())
        checks = [function_abi_to_4byte_selector(item) for item in artifact.abi if item["type"] == "function"]
        start = 5 + 11 * len(checks)  # of what runs for any other call
        returns, stops = f"{start + 42:04x}", f"{start + 46:04x}"
        code = (
            "5f3560e01c"  # selector
            + "".join(f"8063{selector.hex()}1461{stops}57" for selector in checks)
            + f"365f5f375f5f365f73{ELSEWHERE[2:]}5af43d5f5f3e61{returns}573d5ffd"  # delegatecall, or its refusal
            + "5b3d5ff3"  # its answer
            + "5b00"
        )
        self.chain._request("anvil_setCode", address, "0x" + code)

    # -------------------------------------------------------------- numbers
    def number(self) -> int:
        """A fresh field element: stands for a commitment, a tag or a ciphertext."""
        return self._random.randrange(1, FIELD_MODULUS)

    def deadline(self) -> int:
        return self.chain.time + HOUR

    # -------------------------------------------------------------- epochs
    def make_epoch(self, **changes) -> SignedEpoch:
        """The next epoch at the chain's time, signed by three publishers. `points`, `settlement` and `wallets` may be
        given too."""
        points = changes.pop("points", self.points())
        wallets = changes.pop("wallets", self.publishers[:3])
        snapshot = changes.pop("snapshot", b"snapshot " * 20)
        generation = changes.get("generation", self.oracle.get_generation())
        is_step = generation != self.oracle.get_generation()
        if changes.pop("urgent", False):
            changes["min_epoch"] = changes.get("number", self.oracle.get_latest_number() + 1)
        settlement = changes.pop("settlement", b"settlement" if is_step else b"")
        x, y = to_point(self.step + generation) if is_step else (0, 0)
        fields = {
            "number": self.oracle.get_latest_number() + 1,
            "time": self.chain.time,
            "generation": generation,
            "min_epoch": 0,
            "snapshot_hash": keccak(snapshot),
            "policy_hash": keccak(b"policy"),
            "settlement_hash": keccak(settlement),
            "key_hash": self.key.hash,
            "points_root": compute_points_root(points) if points else bytes(32),
            "settlement_x": x,
            "settlement_y": y,
        }
        message = Epoch(**{**fields, **changes})
        return SignedEpoch(message, points, snapshot, settlement, sign_unchecked(message, wallets, self.domain))

    @staticmethod
    def points() -> tuple[NamedPoint, ...]:
        return _make_points()

    def point(self, name: str) -> NamedPoint:
        """The point of a named policy."""
        return next(point for point in self.points() if point.name == encode_policy_name(name))

    def post(self, **changes) -> SignedEpoch:
        epoch = self.make_epoch(**changes)
        self.oracle.post_epoch(epoch)
        return epoch

    def make_settlement(self, from_generation: int, steps: int = 1, **changes) -> SignedSettlement:
        """A settlement point without an epoch, signed by three publishers. `vector` and `wallets` may be given too."""
        wallets = changes.pop("wallets", self.publishers[:3])
        vector = changes.pop("vector", b"settlement")
        x, y = to_point(self.skip_scalar(from_generation, steps))
        fields = {
            "key_hash": self.key.hash,
            "from_generation": from_generation,
            "steps": steps,
            "number": self.oracle.get_latest_number(),
            "settlement_hash": keccak(vector),
            "x": x,
            "y": y,
        }
        message = Settlement(**{**fields, **changes})
        return SignedSettlement(message, vector, sign_unchecked(message, wallets, self.domain))

    def skip_scalar(self, from_generation: int, steps: int) -> int:
        """Discrete logarithm of the settlement point of these steps; of one it is that of the epoch's step."""
        return self.step + from_generation + 1 + 100_000 * (steps - 1)

    # -------------------------------------------------------------- keys
    @contextmanager
    def under_key(self, seed: int) -> Iterator[int]:
        """Inside the block the world opens, proves and posts under another key, registered at the first use; gives its
        version."""
        before = self.key, self.open_key, self.material, self.key_version, self.step
        self.key, self.open_key = make_keys(self.preset.name, seed)
        self.material = make_cached_material(self.preset.name, seed)
        self.step = STEP + 1_000 * seed
        try:
            try:
                self.key_version = self.venue.registry.get_version_of(self.key.hash)
            except Reverted:
                self.venue.registry.register(self.material)
                self.key_version = self.venue.registry.get_latest()
            yield self.key_version
        finally:
            self.key, self.open_key, self.material, self.key_version, self.step = before

    def register_key(self, seed: int) -> int:
        """Registers another key, without anything under it; gives its version."""
        with self.under_key(seed) as version:
            return version

    def revoke_key(self) -> int:
        """Revokes version 1 in favour of another, whose number it gives."""
        successor = self.register_key(2)
        self.venue.registry.revoke(1, successor)
        return successor

    # -------------------------------------------------------------- accounts
    def set_status(self, party: Party, status: Status) -> None:
        """Writes an account's status straight into storage, without the default that would lead there."""
        place = "0x" + keccak(party.id + ACCOUNTS_SLOT.to_bytes(32, "big")).hex()
        address = self.house.contract.address
        word = bytearray(self.chain.w3.eth.get_storage_at(address, int(place, 16)))
        assert word[12:] == bytes.fromhex(party.auth[2:])
        word[11] = word[11] & 0xFC | int(status)
        self.chain._request("anvil_setStorageAt", address, place, "0x" + bytes(word).hex())
        assert self.house.get_account(party.id).status is status

    def make_open(self, name: str, auth: str | None = None, **changes) -> tuple[Party, OpenRequest]:
        """A request to open the next account of a wallet; `auth` may be a contract wallet owned by it."""
        wallet = make_wallet(name)
        auth = auth or wallet.address
        index = changes.pop("index", self._indices.setdefault(name, 0))
        account = compute_account_id(self.domain, auth, index)
        ephemeral, escrowed = changes.pop("ephemeral", (self.number(), self.number())), self.number()
        escrow_hash = keccak(abi_encode(["uint256"] * 4, [*ephemeral, escrowed, self.key_version]))
        fields = {
            "account": account,
            "auth": auth,
            "index": index,
            "key_version": self.key_version,
            "generation": self.oracle.get_generation(),
            "commitment": self.number(),
            "escrow_hash": escrow_hash,
            "deadline": self.deadline(),
        }
        message = Open(**{**fields, **changes})
        digest = compute_digest(self.domain, message)
        proof = self.open_key.prove(
            {
                "commitment": message.commitment,
                "ephemeralX": ephemeral[0],
                "ephemeralY": ephemeral[1],
                "escrowedKey": escrowed,
                **name_committee(self.material.committee),
                "context": compute_context(digest),
            }
        )
        request = OpenRequest.from_message(message, ephemeral, escrowed, proof, wallet.sign(self.domain, message))
        return Party(account, wallet, index, auth), request

    def open(self, name: str, **changes) -> Party:
        party, request = self.make_open(name, **changes)
        self.house.open(request, sender=self.submitter)
        self._indices[name] = party.index + 1
        return party

    def fund(self, party: Party, cash: int = 0, weth: int = 0) -> None:
        if cash:
            self.vault.fund(party.id, self.cash.address, cash, sender=self.funder)
        if weth:
            self.vault.fund(party.id, self.weth.address, weth, sender=self.funder)

    # -------------------------------------------------------------- actions
    def draft(self, kind: ActionKind, party: Party, epoch: SignedEpoch | None = None, **changes) -> Action:
        """The action as the contract will build it, from what the chain says of the account now."""
        stored = self.house.get_account(party.id)
        rule = ACTION_RULES[kind]
        message = epoch.message if epoch else None
        fields = {
            "kind": int(kind),
            "account": party.id,
            "key_version": stored.key_version,
            "epoch": message.number if message else 0,
            "policy": encode_policy_name(rule.policy or changes.pop("policy_name", "maintenance")),
            "generation_old": stored.generation,
            "generation_new": message.generation if message else stored.generation + (1 if rule.takes_steps else 0),
            "commitment_old": stored.commitment,
            "commitment_new": self.number() if rule.writes else 0,
            "recipient": self.chain.accounts[5] if rule.flow_sign < 0 else ZERO_ADDRESS,
            "deadline": self.deadline(),
        }
        return Action(**{**fields, **changes})

    def prove(self, action: Action, **changes) -> Proof:
        """A proof of exactly what the action says; `changes` set another signal, policy or settlement."""
        policy = changes.pop("policy") if "policy" in changes else self.policy_scalar(action.policy)
        stepped = action.generation_new != action.generation_old
        settlement = changes.pop("settlement", self.step + action.generation_new if stepped else 0)
        context = compute_context(compute_digest(self.domain, action))
        flow = [0] * self.preset.slots
        for item in action.flows:
            if item.slot < self.preset.slots:
                flow[item.slot] += item.lots
        values = {
            "commitmentOld": action.commitment_old,
            "commitmentNew": action.commitment_new,
            "tradeTag": action.trade_tag,
            "ciphertext": action.ciphertext,
            "side": action.side,
            "write": int(ACTION_RULES[ActionKind(action.kind)].writes),
            "context": context,
            "cashFlow": action.cash_flow,
            "flow": flow,
        }
        return self.key.prove({**values, **changes}, policy, settlement)

    @staticmethod
    def policy_scalar(name: bytes) -> int:
        text = name.rstrip(b"\0").decode()
        return {"": 0, "flat": FLAT, **POLICIES}[text]

    def sign(self, party: Party, action: Action) -> bytes:
        return party.wallet.sign(self.domain, action)

    def make_deposit(self, party: Party, cash: int = 0, lots: int = 0, fee: int = 0, **changes) -> ActionRequest:
        action = self.draft(ActionKind.DEPOSIT, party, cash_flow=cash - fee, fee=fee, flows=self.flows(lots), **changes)
        return ActionRequest.from_action(action, self.prove(action), self.sign(party, action))

    def make_cure(
        self, party: Party, epoch: SignedEpoch, cash: int = 0, lots: int = 0, fee: int = 0, **changes
    ) -> ActionRequest:
        action = self.draft(
            ActionKind.CURE, party, epoch, cash_flow=cash - fee, fee=fee, flows=self.flows(lots), **changes
        )
        return ActionRequest.from_action(action, self.prove(action), self.sign(party, action), epoch.epoch_points)

    def make_withdraw(
        self, party: Party, epoch: SignedEpoch, cash: int = 0, lots: int = 0, fee: int = 0, **changes
    ) -> ActionRequest:
        action = self.draft(
            ActionKind.WITHDRAW, party, epoch, cash_flow=-cash - fee, fee=fee, flows=self.flows(-lots), **changes
        )
        return ActionRequest.from_action(action, self.prove(action), self.sign(party, action), epoch.epoch_points)

    def make_flat(
        self, kind: ActionKind, party: Party, cash: int = 0, lots: int = 0, fee: int = 0, **changes
    ) -> ActionRequest:
        action = self.draft(kind, party, cash_flow=-cash - fee, fee=fee, flows=self.flows(-lots), **changes)
        return ActionRequest.from_action(action, self.prove(action), self.sign(party, action))

    def make_attest(
        self, party: Party, epoch: SignedEpoch, policy_name: str = "maintenance", **changes
    ) -> ActionRequest:
        action = self.draft(ActionKind.ATTEST, party, epoch, policy_name=policy_name, **changes)
        return ActionRequest.from_action(action, self.prove(action), epoch=epoch.epoch_points)

    def make_roll(self, party: Party, steps: int = 1, *, signed: bool = True, **changes) -> ActionRequest:
        """So many steps of the listing from where the account is."""
        start = self.house.get_account(party.id).generation
        action = self.draft(ActionKind.ROLL, party, **{"generation_new": start + steps, **changes})
        proof = self.prove(action, settlement=self.skip_scalar(start, steps))
        return ActionRequest.from_action(action, proof, self.sign(party, action) if signed else b"")

    def make_move(self, party: Party, **changes) -> MoveRequest:
        """To the key version that the world is under; `signals`, `policy` and `wallet` change the proof and who
        signs."""
        signals, policy = changes.pop("signals", {}), changes.pop("policy", 0)
        wallet = changes.pop("wallet", party.wallet)
        fields = {
            "account": party.id,
            "key_version": self.key_version,
            "commitment": self.house.get_account(party.id).commitment,
            "deadline": self.deadline(),
        }
        message = Move(**{**fields, **changes})
        context = compute_context(compute_digest(self.domain, message))
        values = {"commitmentOld": message.commitment, "context": context, **signals}
        proof = self.key.prove(values, policy)
        return MoveRequest.from_message(message, proof, wallet.sign(self.domain, message))

    def draft_sides(
        self, plus: Party, minus: Party, epoch: SignedEpoch, fees: tuple[int, int] = (0, 0), **changes
    ) -> tuple[Action, Action]:
        tag = changes.pop("trade_tag", self.number())
        sides = []
        for party, other, side, fee in ((plus, minus, 1, fees[0]), (minus, plus, -1, fees[1])):
            fields = {
                "counterparty": other.id,
                "trade_tag": tag,
                "ciphertext": self.number(),
                "side": side,
                "cash_flow": -fee,
                "fee": fee,
            }
            sides.append(self.draft(ActionKind.TRADE, party, epoch, **{**fields, **changes}))
        return sides[0], sides[1]

    def make_trade(
        self, plus: Party, minus: Party, epoch: SignedEpoch, fees: tuple[int, int] = (0, 0), **changes
    ) -> TradeRequest:
        first, second = self.draft_sides(plus, minus, epoch, fees, **changes)
        return TradeRequest(
            first.trade_tag,
            epoch.epoch_points.select("initial"),
            TradeSide.from_action(first, self.prove(first), self.sign(plus, first)),
            TradeSide.from_action(second, self.prove(second), self.sign(minus, second)),
        )

    def submit(
        self,
        party: Party,
        action: Action,
        epoch: SignedEpoch | None = None,
        proof: Proof | None = None,
        signature: bytes | None = None,
    ) -> Receipt:
        """Sends an action on one account; proof and signature are honest unless given."""
        rule = ACTION_RULES[ActionKind(action.kind)]
        if signature is None:
            signature = self.sign(party, action) if rule.needs_signature else b""
        points = epoch.epoch_points if rule.needs_epoch else None
        request = ActionRequest.from_action(action, proof or self.prove(action), signature, points)
        return self.send(ActionKind(action.kind), request, action.generation_new - action.generation_old)

    def send(self, kind: ActionKind, request: ActionRequest, steps: int = 1) -> Receipt:
        """Sends a request to the entry point of its kind; a roll takes that many steps."""
        if ACTION_RULES[kind].takes_steps:
            return self.house.roll(request, steps, sender=self.submitter)
        return self.house.act(kind, request, sender=self.submitter)

    def flows(self, lots: int) -> tuple[Flow, ...]:
        return (Flow(slot=self.weth_slot, lots=lots),) if lots else ()

    def deposit(self, party: Party, cash: int = 0, lots: int = 0, fee: int = 0) -> Receipt:
        """Funds and absorbs."""
        self.fund(party, cash, lots * LOT)
        return self.house.deposit(self.make_deposit(party, cash, lots, fee), sender=self.submitter)

    def open_with(self, name: str, cash: int = 100 * USDC) -> Party:
        """Opens an account with money absorbed."""
        party = self.open(name)
        self.deposit(party, cash)
        return party

    def prepare(self) -> None:
        """Opens two accounts with money absorbed and more in the inbox; done once per module, before the tests'
        snapshots."""
        self.alice, self.bob = self.open("alice"), self.open("bob")
        for party in (self.alice, self.bob):
            self.deposit(party, 1_000 * USDC, 10)
            self.fund(party, 1_000 * USDC, 10 * LOT)

    def pair(self) -> tuple[Party, Party, SignedEpoch]:
        """The two prepared accounts, and a fresh epoch."""
        return self.alice, self.bob, self.post()


def tamper(proof: Proof) -> Proof:
    """Another point in place of C: on the curve, so that only the equation can refuse."""
    return (*proof[:6], *to_point(12_345))


def change_side(request: TradeRequest, name: str, **changes) -> TradeRequest:
    """The trade with one side changed."""
    return replace(request, **{name: replace(getattr(request, name), **changes)})


@cache
def _make_points() -> tuple[NamedPoint, ...]:
    return tuple(sorted(NamedPoint(encode_policy_name(name), *to_point(scalar)) for name, scalar in POLICIES.items()))
