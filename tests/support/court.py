"""The desks for defaults of a world with simulated keys, and what honest parties do at them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from eth_abi import encode as abi_encode
from eth_utils import function_abi_to_4byte_selector, keccak

from tests.support.simulator import make_rekey_key, make_reveal_key, name_committee
from tests.support.world import HOUR, POLICIES, USDC, Party, World
from zkmargin.contracts.chain import Receipt
from zkmargin.contracts.clearing_house import ClearingHouse, Status
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.default_desk import DefaultDesk
from zkmargin.contracts.default_terms import DefaultTerms
from zkmargin.contracts.messages import sign_unchecked
from zkmargin.contracts.rekey_desk import RekeyDesk
from zkmargin.contracts.requests import BidRequest, PartSaleRequest, RekeyRequest
from zkmargin.contracts.sale_desk import SaleDesk
from zkmargin.prover.messages.records import Appraisal, Bid, Flow, PartOffer, PartPurchase, Rekey, Reveal
from zkmargin.prover.messages.typed_data import compute_context, compute_digest
from zkmargin.prover.statement.checkpoint import compute_evaluation
from zkmargin.prover.statement.packing import pack_state_words

TERMS = DefaultTerms(lease=3600, grace=600, window=600, auction=1000, margin_period=10_000)
DEADLINE = TERMS.lease + TERMS.grace
TICK = 300
DEFAULTS = (
    int.from_bytes(
        keccak(abi_encode(["uint256"], [int.from_bytes(keccak(text="zkmargin.defaults"), "big") - 1])), "big"
    )
    & ~0xFF
)
"""Where the desk's part of the storage begins (ERC-7201)."""
CHECKPOINTS = 1
"""Place of the checkpoints in it."""
CASH = -50 * USDC
POSITIONS = [7, -(2**30), 0, 2**30 - 1, -3, *[0] * 10, 9]
EQUITY = 900 * USDC
FLOOR = -(2**100)
"""Lowest price of an appraisal that leaves it to the surplus."""

PART = {0: 4, 1: -(2**29), 15: 9}
"""A part of the book: lots by slot."""
PRICE, PART_FLOOR = 300 * USDC, 200 * USDC
"""Of the part."""


@dataclass
class Court:
    """The desk, and what honest parties do at it."""

    world: World
    desk: DefaultDesk
    positions: Sequence[int] = tuple(POSITIONS)
    """Of alice's book, by slot."""

    @property
    def contract(self) -> Contract:
        return self.desk.contract

    def get_parts(self, **changes) -> tuple[object, ...]:
        """What a desk of this venue is made with (DeskParts of IClearingHouse.sol); `changes` names other parts."""
        names = ("REGISTRY", "ORACLE", "VERIFIER", "WALLETS", "VAULT", "KEY_VERSION")
        return tuple(changes[name] if name in changes else self.contract.call(name) for name in names)

    # ------------------------------------------------------------------ deadlines
    def tick(self, seconds: int = TICK) -> int:
        self.world.chain.travel(seconds)
        self.world.post()
        return self.desk.tick()

    def let_time_pass(self, seconds: int = DEADLINE + TICK) -> int:
        """A checkpoint, and a later one so many seconds of the clock after it."""
        first = self.tick(1)
        last = self.advance(seconds)
        assert self.desk.get_checkpoint(last)[1] - self.desk.get_checkpoint(first)[1] in range(seconds, seconds + 10)
        return first

    def advance(self, seconds: int) -> int:
        """A tick whose clock is put into storage, in place of one every five minutes; gives its checkpoint."""
        last = self.tick(1)
        time, clock = self.desk.get_checkpoint(last)
        place = keccak(abi_encode(["uint256", "uint256"], [last, DEFAULTS + CHECKPOINTS]))
        word = f"0x{time | (clock + seconds) << 40:064x}"
        self.world.chain._request("anvil_setStorageAt", self.contract.address, "0x" + place.hex(), word)
        return last

    def trade(self) -> None:
        alice, bob, epoch = self.world.pair()
        self.world.house.trade(self.world.make_trade(alice, bob, epoch))

    def freeze(self) -> None:
        """alice, after a trade and a missed deadline."""
        self.trade()
        self.desk.freeze(self.world.alice.id, self.let_time_pass())

    def attest(self) -> None:
        """alice proves maintenance, some seconds after what came before."""
        self.world.chain.travel(5)
        self.world.house.attest(self.world.make_attest(self.world.alice, self.world.post()))

    def redeem(self) -> None:
        """The same, and whoever asks for it makes her account active again."""
        self.attest()
        self.desk.redeem(self.world.alice.id)

    # ------------------------------------------------------------------ takers
    @contextmanager
    def under_successor(self) -> Iterator[int]:
        """bob has moved to the successor of a revoked key, under which the world proves; gives its version."""
        successor = self.world.revoke_key()
        with self.world.under_key(2):
            self.world.house.move(self.world.make_move(self.world.bob))
            yield successor

    def open_at_revoked_epoch(self) -> tuple[Party, int]:
        """carol, who has cash and wrote at an epoch that was then revoked, and its number."""
        world, carol = self.world, self.world.open_with("carol")
        epoch = world.post()
        world.house.cure(world.make_cure(carol, epoch))
        world.oracle.revoke_epochs(epoch.message.number)
        return carol, epoch.message.number

    # ------------------------------------------------------------------ revelation
    def make_reveal(self, **changes) -> Reveal:
        account = self.world.house.get_account(self.world.alice.id)
        fields = {
            "account": self.world.alice.id,
            "key_version": 1,
            "generation": account.generation,
            "commitment": account.commitment,
            "cash": CASH,
            "words": pack_state_words(self.positions, self.world.preset),
        }
        return Reveal(**{**fields, **changes})

    def prove_reveal(self, message: Reveal, **changes):
        rho = compute_context(compute_digest(self.world.domain, message))
        evaluation = compute_evaluation([message.cash, *message.words], rho)
        return make_reveal_key(self.world.preset).prove(
            {"commitment": message.commitment, "rho": rho, "evaluation": evaluation, **changes}
        )

    def send_reveal(self, message: Reveal, proof=None) -> Receipt:
        proof = proof or self.prove_reveal(message)
        return self.contract.send("reveal", message.account, message.cash, list(message.words), list(proof))

    # ------------------------------------------------------------------ auction
    def appraise(self, wait: int = TERMS.window, wallets=None, stated=None, **changes) -> None:
        """After so many seconds of the clock; `epoch` of the message is posted here unless given. `stated` changes the
        call and not what was signed."""
        self.advance(wait)
        epoch = changes.get("epoch") or self.world.post().message.number
        alice = self.world.alice.id
        fields = {
            "account": alice,
            "commitment": self.world.house.get_account(alice).commitment,
            "epoch": epoch,
            "equity": EQUITY,
            "floor": FLOOR,
        }
        message = Appraisal(**{**fields, **changes})
        signatures = sign_unchecked(message, wallets or self.world.publishers[:3], self.world.domain)
        self.desk.appraise(message.model_copy(update=stated or {}), signatures)

    def begin_auction(self, **changes) -> None:
        self.freeze()
        self.send_reveal(self.make_reveal())
        self.appraise(**changes)

    def make_bid(self, price: int = EQUITY, bidder: Party | None = None, **changes) -> BidRequest:
        """`signed_by`, `signals` and `stated` change signature, proof, calldata."""
        world, bidder = self.world, bidder or self.world.bob
        signed_by, signals = changes.pop("signed_by", bidder.wallet), changes.pop("signals", {})
        stated, epoch = changes.pop("stated", {}), world.post()
        account = world.house.get_account(bidder.id)
        fields = {
            "book": world.alice.id,
            "account": bidder.id,
            "key_version": 1,
            "epoch": epoch.message.number,
            "generation_old": account.generation,
            "generation_new": epoch.message.generation,
            "commitment_old": account.commitment,
            "commitment_new": world.number(),
            "price": price,
            "cash_flow": CASH - price,
            "deadline": world.deadline(),
        }
        message = Bid(**{**fields, **changes})
        context = compute_context(compute_digest(world.domain, message))
        states = message.commitment_old, message.commitment_new
        values = name_signals(states, context, message.cash_flow, self.positions)
        policy = signals.pop("policy", POLICIES["initial"])
        settlement = world.step + message.generation_new if message.generation_new > message.generation_old else 0
        request = BidRequest.from_message(
            message,
            [CASH, *pack_state_words(self.positions, world.preset)],
            replace(epoch.epoch_points.select("initial"), number=message.epoch),
            world.key.prove({**values, **signals}, policy, settlement),
            signed_by.sign(world.domain, message),
        )
        return replace(request, **stated)

    def bid(self, request: BidRequest) -> Receipt:
        return self.contract.send("bid", request.to_abi(), sender=self.world.submitter)

    def make_step(self) -> None:
        """The listing steps once."""
        self.world.chain.travel(HOUR + 1)
        self.world.post(generation=self.world.oracle.get_generation() + 1)

    def insure(self, amount: int) -> None:
        world = self.world
        world.vault.fund(self.desk.get_insurance(), world.cash.address, amount, sender=world.funder)
        self.desk.insure(amount)

    def post_bond(self, amount: int) -> None:
        world = self.world
        world.vault.fund(self.desk.get_bond(world.alice.id), world.cash.address, amount, sender=world.funder)

    def get_status(self) -> Status:
        return self.world.house.get_account(self.world.alice.id).status


@dataclass
class SaleCourt(Court):
    """The same, with sales of parts of alice's book."""

    @property
    def sales(self) -> SaleDesk:
        return SaleDesk(self.world.chain, self.world.house.contract.address)

    def put_on_sale(self) -> None:
        """alice's book is revealed and its window over."""
        self.freeze()
        self.send_reveal(self.make_reveal())
        self.advance(TERMS.window)

    def make_sale(self, part: dict[int, int] | None = None, **changes) -> PartSaleRequest:
        """A sale to bob for `PRICE`. `offer` changes what the quorum signs and `wallets` who it is, `signals` and
        `book_signals` the proofs, `signed_by` the buyer's signature, `stated` the calldata."""
        world, part = self.world, PART if part is None else part
        offered, wallets = changes.pop("offer", {}), changes.pop("wallets", world.publishers[:3])
        signals, book_signals = dict(changes.pop("signals", {})), dict(changes.pop("book_signals", {}))
        stated, epoch = changes.pop("stated", {}), world.post()
        bidder, book = changes.pop("bidder", world.bob), world.house.get_account(world.alice.id)
        signed_by, account = changes.pop("signed_by", bidder.wallet), world.house.get_account(bidder.id)
        numbers = changes.pop("numbers", [CASH, *pack_state_words(self.positions, world.preset)])
        flows = tuple(Flow(slot=slot, lots=lots) for slot, lots in part.items())
        fields = {
            "book": world.alice.id,
            "account": bidder.id,
            "key_version": 1,
            "epoch": epoch.message.number,
            "generation": account.generation,
            "commitment_old": account.commitment,
            "commitment_new": world.number(),
            "book_commitment_new": world.number(),
            "part": flows,
            "price": PRICE,
            "deadline": world.deadline(),
        }
        message = PartPurchase(**{**fields, **changes})
        offer = {
            "account": message.book,
            "commitment": book.commitment,
            "epoch": message.epoch,
            "part": message.part,
            "floor": PART_FLOOR,
        }
        signed = PartOffer(**{**offer, **offered})
        context = compute_context(compute_digest(world.domain, message))
        flow = [0] * world.preset.slots
        for slot, lots in part.items():
            if slot < world.preset.slots:
                flow[slot] += lots
        states, rest = (message.commitment_old, message.commitment_new), (book.commitment, message.book_commitment_new)
        values = name_signals(states, context, -message.price, flow)
        book_values = name_signals(rest, context, message.price, [-lots for lots in flow])
        policy, book_policy = signals.pop("policy", POLICIES["initial"]), book_signals.pop("policy", 0)
        request = PartSaleRequest.from_message(
            message,
            numbers,
            PART_FLOOR,
            sign_unchecked(signed, wallets, world.domain),
            replace(epoch.epoch_points.select("initial"), number=message.epoch),
            (
                world.key.prove({**values, **signals}, policy),
                world.key.prove({**book_values, **book_signals}, book_policy),
            ),
            signed_by.sign(world.domain, message),
        )
        return replace(request, **stated)

    def sell(self, request: PartSaleRequest) -> Receipt:
        return self.sales.send(request, sender=self.world.submitter)


@dataclass
class Office:
    """The desk where accounts move to a new viewing key, and alice who does."""

    court: SaleCourt

    @property
    def world(self) -> World:
        return self.court.world

    @property
    def desk(self) -> RekeyDesk:
        return RekeyDesk(self.world.chain, self.world.house.contract.address)

    def make(self, **changes) -> RekeyRequest:
        """`signals` changes the proof, `signed_by` the signature, `stated` the calldata, `escrow` what is escrowed."""
        world = self.world
        signals, stated = changes.pop("signals", {}), changes.pop("stated", {})
        signed_by = changes.pop("signed_by", world.alice.wallet)
        ephemeral, escrowed = changes.pop("ephemeral", (world.number(), world.number())), world.number()
        count = 1 + len(pack_state_words(self.court.positions, world.preset))
        fields = {
            "account": world.alice.id,
            "key_version": 1,
            "commitment_old": world.house.get_account(world.alice.id).commitment,
            "commitment_new": world.number(),
            "escrow_hash": keccak(abi_encode(["uint256"] * 4, [*ephemeral, escrowed, 1])),
            "checkpoint": tuple(world.number() for _ in range(count)),
            "deadline": world.deadline(),
        }
        message = Rekey(**{**fields, **changes})
        rho = compute_context(compute_digest(world.domain, message))
        values = {
            "commitmentOld": message.commitment_old,
            "commitmentNew": message.commitment_new,
            "ephemeralX": ephemeral[0],
            "ephemeralY": ephemeral[1],
            "escrowedKey": escrowed,
            **name_committee(world.material.committee),
            "rho": rho,
            "evaluation": compute_evaluation(message.checkpoint, rho),
        }
        proof = make_rekey_key(world.preset).prove({**values, **signals})
        signature = signed_by.sign(world.domain, message)
        return replace(RekeyRequest.from_message(message, ephemeral, escrowed, proof, signature), **stated)

    def send(self, request: RekeyRequest) -> Receipt:
        return self.desk.send(request, sender=self.world.submitter)

    def redeem(self) -> None:
        """alice was frozen, and proved maintenance."""
        self.court.freeze()
        self.court.redeem()


def name_signals(
    commitments: tuple[int, int], context: int, cash_flow: int, flow: Sequence[int]
) -> Mapping[str, int | list[int]]:
    """Public signals of a write that is no side of a trade: from one commitment to the other, with these flows by
    slot."""
    old, new = commitments
    return {
        "commitmentOld": old,
        "commitmentNew": new,
        "tradeTag": 0,
        "ciphertext": 0,
        "side": 0,
        "write": 1,
        "context": context,
        "cashFlow": cash_flow,
        "flow": list(flow),
    }


def find_desk(house: ClearingHouse, function: str) -> str:
    """Address of the desk that has the function of that name."""
    (selector,) = {
        function_abi_to_4byte_selector(item)
        for artifact in compile_contracts().values()
        for item in artifact.abi
        if item["type"] == "function" and item["name"] == function
    }
    return house.contract.call("deskOf", selector)
