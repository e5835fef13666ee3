"""Every typed message (EIP-712) of the protocol as a frozen, validated record.

The table of types is `messages.json` beside this file, read as data by `typed_data`; a test holds these records and
the table together. Python names are snake_case, the table's are camelCase.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from zkmargin.prover.errors import MessageInvalid
from zkmargin.prover.messages.fields import (
    ZERO_ADDRESS,
    ZERO_BYTES32,
    Address,
    Bytes32,
    Int8,
    Int64,
    Int128,
    Uint8,
    Uint16,
    Uint24,
    Uint32,
    Uint40,
    Uint64,
    Uint256,
    is_json,
)


class Record(BaseModel):
    """A frozen record with validated fields, from Python or from JSON that somebody sent."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )
    secret_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that repr and error texts never show."""

    def __init__(self, /, **values: Any):
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _translate(type(self).__name__, error, self.secret_fields) from None

    @classmethod
    def parse(cls, values: Any) -> Self:
        """A message from untrusted values of JSON, camelCase or snake_case.

        Raises
        ------
        MessageInvalid
            If a field is missing, unknown, or outside its type.
        """
        if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
            raise MessageInvalid(cls.__name__, "(message)", "an object with named fields is needed")
        token = is_json.set(True)
        try:
            return cls(**values)
        finally:
            is_json.reset(token)

    def to_json_dict(self) -> dict[str, Any]:
        """Values under camelCase names, as they travel in JSON."""
        return self.model_dump(by_alias=True, mode="json")

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, "(hidden)" if name in self.secret_fields else value


class TypedMessage(Record):
    """A message of the table; the class's name is the type's name."""

    def to_message(self) -> dict[str, Any]:
        """Values under the table's names, as eth-account takes them."""
        message: dict[str, Any] = _to_lists(self.model_dump(by_alias=True))
        return message


def _to_lists(value: Any) -> Any:
    """eth-account takes arrays as lists only."""
    if isinstance(value, dict):
        return {key: _to_lists(item) for key, item in value.items()}
    return [_to_lists(item) for item in value] if isinstance(value, tuple) else value


def _translate(name: str, error: ValidationError, secret_fields: frozenset[str]) -> MessageInvalid:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(to_camel(part) if isinstance(part, str) else str(part) for part in first["loc"]) or "(message)"
    hidden = field.split(".")[0] in {to_camel(secret) for secret in secret_fields}
    return MessageInvalid(name, field, "not of its type" if hidden else first["msg"].removeprefix("Value error, "))


class Epoch(TypedMessage):
    """Header of a risk epoch, signed by the quorum of risk publishers."""

    number: Uint64
    time: Uint40
    generation: Uint24
    min_epoch: Uint64
    """Lowest number still served: the last urgent epoch's. Its own number makes the epoch urgent."""
    snapshot_hash: Bytes32
    policy_hash: Bytes32
    settlement_hash: Bytes32
    key_hash: Bytes32
    points_root: Bytes32
    settlement_x: Uint256
    settlement_y: Uint256


class Settlement(TypedMessage):
    """A settlement point that comes without an epoch: of several steps at once, for a key version that lacks it, or in
    place of one that was refused."""

    key_hash: Bytes32
    from_generation: Uint24
    """Generation of the accounts that it settles."""
    steps: Uint24
    """How many generations it takes them on: 1, 4 or 16."""
    number: Uint64
    """Number of the oracle's latest epoch when it was signed."""
    settlement_hash: Bytes32
    """keccak256 of the canonical bytes of the vector, the steps' composed."""
    x: Uint256
    y: Uint256


class Flow(TypedMessage):
    """Lots that enter (+) or leave (-) a slot."""

    slot: Uint16
    lots: Int64


class Action(TypedMessage):
    """What auth signs and the proof binds: one signature, one transition."""

    kind: Uint8
    """`prover.actions.intent.ActionKind`."""
    account: Bytes32
    counterparty: Bytes32 = ZERO_BYTES32
    """The other account of a trade, else zero."""
    key_version: Uint16
    epoch: Uint64 = 0
    """Number of the epoch whose policy is proved, 0 where none is."""
    policy: Bytes32 = ZERO_BYTES32
    generation_old: Uint24
    generation_new: Uint24
    commitment_old: Uint256
    commitment_new: Uint256
    trade_tag: Uint256 = 0
    ciphertext: Uint256 = 0
    side: Int8 = 0
    cash_flow: Int128 = 0
    """Micro-dollars, fee included."""
    flows: tuple[Flow, ...] = ()
    """Strictly increasing slots."""
    recipient: Address = ZERO_ADDRESS
    submitter: Address = ZERO_ADDRESS
    """Who alone may carry it in; zero lets anyone."""
    fee: Uint64 = 0
    """Micro-dollars to the submitter."""
    deadline: Uint40
    """Unix seconds."""


class Open(TypedMessage):
    """What auth signs and the proof `open` binds."""

    account: Bytes32
    auth: Address
    index: Uint64
    key_version: Uint16
    generation: Uint24
    commitment: Uint256
    escrow_hash: Bytes32
    submitter: Address = ZERO_ADDRESS
    """Who alone may carry it in; zero lets anyone."""
    deadline: Uint40


class Invalidate(TypedMessage):
    """Revokes a signed action before it is used."""

    account: Bytes32
    digest: Bytes32


class Confirmation(TypedMessage):
    """What a quorum signs of an account whose state depends on a revoked epoch: nothing is wrong with it."""

    account: Bytes32
    commitment: Uint256
    """The account's present one."""
    epoch: Uint64
    """A good epoch up to which the account was looked at."""


class Move(TypedMessage):
    """What auth signs to take an account from a revoked key version to its successor."""

    account: Bytes32
    key_version: Uint16
    """The successor."""
    commitment: Uint256
    """The account's present one, which stays."""
    deadline: Uint40


class Reveal(TypedMessage):
    """What is published of an account in default. Nobody signs it; the proof `reveal` is bound to its digest."""

    account: Bytes32
    key_version: Uint16
    generation: Uint24
    commitment: Uint256
    cash: Int128
    """Micro-dollars."""
    words: tuple[Uint256, ...]
    """Positions, seven to a word."""


class Rekey(TypedMessage):
    """What auth signs and the proof `rekey` binds."""

    account: Bytes32
    key_version: Uint16
    commitment_old: Uint256
    commitment_new: Uint256
    escrow_hash: Bytes32
    """Of the new key."""
    checkpoint: tuple[Uint256, ...]
    """Cash and state words, encrypted under the new key."""
    submitter: Address = ZERO_ADDRESS
    """Who alone may carry it in; zero lets anyone."""
    deadline: Uint40
    """Unix seconds."""


class Appraisal(TypedMessage):
    """What a quorum signs of a book that was revealed: its equity at an epoch's prices, and how far its price falls."""

    account: Bytes32
    commitment: Uint256
    """That was revealed."""
    epoch: Uint64
    equity: Int128
    """Micro-dollars."""
    floor: Int128
    """Lowest price, micro-dollars; with a minus, what the surplus may pay at most."""


class Bid(TypedMessage):
    """What the bidder's auth signs and its transition binds: the book of another account comes into its own."""

    book: Bytes32
    """The account in default."""
    account: Bytes32
    """The bidder's."""
    key_version: Uint16
    epoch: Uint64
    generation_old: Uint24
    generation_new: Uint24
    commitment_old: Uint256
    commitment_new: Uint256
    price: Int128
    """Micro-dollars that the bidder pays, or with a minus receives."""
    cash_flow: Int128
    """Micro-dollars into the account: the book's cash less the price."""
    submitter: Address = ZERO_ADDRESS
    deadline: Uint40


class PartOffer(TypedMessage):
    """What a quorum signs of a part of a book that was revealed: it may be sold, and for how much at least."""

    account: Bytes32
    """The account in default."""
    commitment: Uint256
    """Of what was revealed."""
    epoch: Uint64
    part: tuple[Flow, ...]
    """Lots out of the book, strictly increasing slots."""
    floor: Int128
    """Lowest price, micro-dollars: equity over requirement is then no worse than before the sale."""


class PartPurchase(TypedMessage):
    """What the auth of a part's buyer signs, and what the transitions of buyer and book bind."""

    book: Bytes32
    """The account in default."""
    account: Bytes32
    """The buyer's."""
    key_version: Uint16
    epoch: Uint64
    generation: Uint24
    """Of both."""
    commitment_old: Uint256
    commitment_new: Uint256
    book_commitment_new: Uint256
    """Of the account in default without the part."""
    part: tuple[Flow, ...]
    """Lots into the account."""
    price: Int128
    """Micro-dollars that the buyer pays, or with a minus receives."""
    submitter: Address = ZERO_ADDRESS
    deadline: Uint40


class EarlyCall(TypedMessage):
    """What a quorum signs when the market has moved: accounts below a level prove margin at this epoch or later."""

    level: Uint8
    """1 to 3; accounts of lower levels are called."""
    epoch: Uint64


class KeyDerivation(TypedMessage):
    """The text whose signature is the viewing key's seed."""

    purpose: str
    account: Bytes32
    key_index: Uint32 = 0
    """0 at open; one more at each rekey."""


class Leg(TypedMessage):
    """Lots that the taker asks to receive (+) or give (-)."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"slot", "lots"})

    slot: Uint16
    lots: Int64


class RequestForQuote(TypedMessage):
    """The taker asks the maker for a price of these legs."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"legs"})

    taker: Bytes32
    maker: Bytes32
    generation: Uint24
    """Generation of the listing that the legs' slots refer to."""
    legs: tuple[Leg, ...]
    valid_until: Uint40
    id: Bytes32
    """Random, so that two requests for the same legs differ."""


class Quote(TypedMessage):
    """The maker's firm price: a whole trade word."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"word", "salt"})

    request: Bytes32
    """Digest of the request."""
    maker: Bytes32
    taker: Bytes32
    maker_side: Int8
    word: Uint256
    salt: Uint256
    maker_commitment_old: Uint256
    epoch: Uint64
    generation: Uint24
    """Generation of the epoch and of the word's slots; the request's."""
    valid_until: Uint40


class Accept(TypedMessage):
    """The taker takes the quote."""

    quote: Bytes32
    """Digest of the quote."""
    taker_commitment_old: Uint256


class Attestation(TypedMessage):
    """Context of an attestation that is shown off-chain to one recipient."""

    account: Bytes32
    recipient: Address
    challenge: Bytes32
    """Chosen by the recipient."""
    policy: Bytes32
    epoch: Uint64
    key_version: Uint16
    generation: Uint24
    commitment_old: Uint256
    valid_until: Uint40


MESSAGES: dict[str, type[TypedMessage]] = {
    cls.__name__: cls
    for cls in (
        Epoch,
        Settlement,
        Flow,
        Action,
        Open,
        Invalidate,
        Confirmation,
        Move,
        Reveal,
        Rekey,
        Appraisal,
        Bid,
        PartOffer,
        PartPurchase,
        EarlyCall,
        KeyDerivation,
        Leg,
        RequestForQuote,
        Quote,
        Accept,
        Attestation,
    )
}
"""Record class of each type of the table."""
