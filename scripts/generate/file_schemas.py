"""docs/schemas/files/: a JSON schema of each file that a user writes, keeps or sends, from the models that read it.

A schema says what a field is and of which type; what a value may be besides is checked by the reader, which names value
and range.
"""

from __future__ import annotations

from typing import Any

from zkmargin.contracts.deployment import DeploymentFile
from zkmargin.engine import account
from zkmargin.engine.account import PortfolioFile
from zkmargin.engine.files import StrictModel
from zkmargin.engine.market import file
from zkmargin.engine.market.file import MarketFile
from zkmargin.prover.attestation import ProvenAttestation
from zkmargin.prover.messages.records import Accept, Quote, Record, RequestForQuote, TypedMessage
from zkmargin.prover.messages.signed import Envelope
from zkmargin.prover.negotiation import SettlementProof
from zkmargin.scripts.cli.prove import ProofFile
from zkmargin.scripts.derive.snapshot import Facts
from zkmargin.scripts.generate.schemas import DIALECT, describe, dump, read_texts
from zkmargin.venue import account_book, trade_files
from zkmargin.venue.account_book import AccountFile

FOLDER = "docs/schemas/files"
FILES: dict[str, tuple[type[StrictModel], str | None]] = {
    "account_state": (AccountFile, account_book.FORMAT),
    "deployment": (DeploymentFile, None),
    "facts": (Facts, None),
    "market": (MarketFile, file.FORMAT),
    "portfolio": (PortfolioFile, account.FORMAT),
}
"""Model and format by name of the file."""
MESSAGES: dict[str, type[TypedMessage]] = {"request": RequestForQuote, "quote": Quote}
"""Type of the message by name of a file that has it with its signature."""
REFERENCE = "#/$defs/{model}"


def render() -> dict[str, str]:
    """Path, from the repository's root, to text of each schema; raises `NoSchema` where a file's field has no text."""
    schemas = {name: describe_file(name) for name in FILES} | {name: describe_signed(name) for name in MESSAGES}
    schemas |= {"accepted": describe_accepted(), "proof": describe_proof()}
    return {f"{FOLDER}/{name}.json": dump(schema) for name, schema in schemas.items()}


def describe_signed(name: str) -> dict[str, Any]:
    """The schema of a message with its signature."""
    records = _describe_record(MESSAGES[name])
    return _finish(name, _describe_envelope(MESSAGES[name]), records)


def describe_accepted() -> dict[str, Any]:
    """The schema of what a taker sends when it accepts: its acceptance, signed, and its side."""
    records = _describe_record(Accept) | _describe_record(SettlementProof)
    side = records.pop(SettlementProof.__name__)
    side["properties"] = {"type": {"const": SettlementProof.__name__}} | side["properties"]
    side["required"] = ["type", *side["required"]]
    parts = {"format": {"const": trade_files.FORMAT}, "accept": _describe_envelope(Accept), "side": side}
    return _finish("accepted", _require_all(parts), records)


def describe_proof() -> dict[str, Any]:
    """The schema of what `zkmargin prove` writes."""
    found: dict[str, dict[str, Any]] = {}
    describe(ProofFile, found)
    schema, records = found["ProofFile"], _describe_record(ProvenAttestation)
    schema["properties"]["attestation"]["$ref"] = REFERENCE.format(model=ProvenAttestation.__name__)
    del schema["properties"]["attestation"]["type"], schema["properties"]["attestation"]["additionalProperties"]
    return _finish("proof", schema, records)


def _describe_envelope(model: type[TypedMessage]) -> dict[str, Any]:
    """Type, message and signature, as they travel."""
    signature = _describe_record(Envelope)[Envelope.__name__]["properties"]["signature"]
    message = {"$ref": REFERENCE.format(model=model.__name__)}
    return _require_all({"type": {"const": model.__name__}, "message": message, "signature": signature})


def _describe_record(model: type[Record]) -> dict[str, Any]:
    """The schemas of a record and of those in it, by name; their fields have the texts that the source has."""
    schema = model.model_json_schema()
    records: dict[str, Any] = {**schema.pop("$defs", {}), model.__name__: schema}
    for record in records.values():
        for field in record["properties"].values():
            for word in ("title", "default"):
                field.pop(word, None)
    return records


def _require_all(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": [*fields], "additionalProperties": False}


def _finish(name: str, schema: dict[str, Any], records: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": DIALECT, "title": f"zkmargin {name} file", **schema, "$defs": records}


def describe_file(name: str) -> dict[str, Any]:
    """The schema of one kind of file; raises `NoSchema` where a field has no text."""
    model, form = FILES[name]
    schema = model.model_json_schema()
    models = {found.__name__: found for found in StrictModel.__subclasses__()}
    for record in (schema, *schema.get("$defs", {}).values()):
        texts = read_texts(models[record["title"]])
        record["properties"] = {
            field: {key: value for key, value in found.items() if key != "title"} | {"description": texts[field]}
            for field, found in record["properties"].items()
        }
    if form is not None:
        schema["properties"]["format"]["const"] = form
    return {"$schema": DIALECT} | schema | {"title": f"zkmargin {name.replace('_', ' ')} file"}
