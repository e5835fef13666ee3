"""Typed messages with their signatures, as they travel between parties in JSON."""

import json
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from zkmargin.engine.files import parse_json
from zkmargin.prover.errors import MessageInvalid, WrongSigner
from zkmargin.prover.messages.fields import HexBytes
from zkmargin.prover.messages.records import Record, TypedMessage
from zkmargin.prover.messages.typed_data import Domain, recover_signer
from zkmargin.prover.messages.wallet import Signer, is_signed_by_key, request_signature

MessageT = TypeVar("MessageT", bound=TypedMessage)
RecordT = TypeVar("RecordT", bound=Record)
MAX_JSON_BYTES = 1 << 16
"""A message is a few kilobytes; more is refused before it is parsed."""


class SignatureCheck(Protocol):
    """Says whether `signature` is `signer`'s over the message.

    `is_signed_by_key` knows wallets that are a key; for contract wallets (ERC-1271) the chain must be asked, as
    `Venue.signature_check` of the contracts' bindings does.
    """

    def __call__(self, domain: Domain, message: TypedMessage, signature: bytes, signer: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Signed(Generic[MessageT]):
    """A typed message with its signature, as it travels."""

    message: MessageT
    signature: bytes
    """Over the message's EIP-712 digest."""

    def to_json(self) -> str:
        """One line of JSON: type, message, signature."""
        content = {"type": type(self.message).__name__, "message": self.message.to_json_dict()}
        return json.dumps({**content, "signature": "0x" + self.signature.hex()})

    def check_signer(self, domain: Domain, signer: str, check: SignatureCheck = is_signed_by_key) -> None:
        """Refuse it unless `signer` signed.

        Raises
        ------
        WrongSigner
            If somebody else did, or nobody.
        """
        if not check(domain, self.message, self.signature, signer):
            raise WrongSigner(signer, recover_signer(domain, self.message, self.signature), type(self.message).__name__)


def sign_message(wallet: Signer, domain: Domain, message: MessageT) -> Signed[MessageT]:
    """The message with the wallet's signature; raises `SignatureRefused` like `request_signature`."""
    return Signed(message, request_signature(wallet, domain, message))


class Envelope(Record):
    """A message as it travels, before it is read."""

    type: str
    message: dict[str, Any]
    signature: HexBytes


def _read_object(name: str, text: str | bytes) -> Any:
    if len(text) > MAX_JSON_BYTES:
        raise MessageInvalid(name, "(message)", f"{len(text)} bytes; allowed: at most {MAX_JSON_BYTES}")
    try:
        return parse_json(text if isinstance(text, str) else text.decode())
    except ValueError:
        raise MessageInvalid(name, "(message)", "not JSON") from None


def read_signed(text: str | bytes, expected: type[MessageT]) -> Signed[MessageT]:
    """A signed message from JSON that somebody sent; the signature is not checked yet.

    Raises
    ------
    MessageInvalid
        If it is not JSON of the expected type with every field inside its type.
    """
    envelope = Envelope.parse(_read_object(expected.__name__, text))
    if envelope.type != expected.__name__:
        raise MessageInvalid(expected.__name__, "type", f"is {envelope.type!r}")
    return Signed(expected.parse(envelope.message), envelope.signature)


def write_record(record: Record) -> str:
    """One line of JSON of a record that is not signed by itself: a settlement proof, a receipt."""
    return json.dumps({"type": type(record).__name__, **record.to_json_dict()})


def read_record(text: str | bytes, expected: type[RecordT]) -> RecordT:
    """Inverse of `write_record`, from JSON that somebody sent.

    Raises
    ------
    MessageInvalid
        If it is not JSON of the expected type with every field inside its type.
    """
    content = _read_object(expected.__name__, text)
    if not isinstance(content, dict) or content.get("type") != expected.__name__:
        raise MessageInvalid(expected.__name__, "type", "is missing or another")
    return expected.parse({name: value for name, value in content.items() if name != "type"})
