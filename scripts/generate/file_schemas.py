"""docs/schemas/files/: a JSON schema of each file that a user writes or keeps, from the models that read it.

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
from zkmargin.scripts.derive.snapshot import Facts
from zkmargin.scripts.generate.schemas import DIALECT, dump, read_texts
from zkmargin.venue import account_book
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


def render() -> dict[str, str]:
    """Path, from the repository's root, to text of each schema; raises `NoSchema` where a field has no text."""
    return {f"{FOLDER}/{name}.json": dump(describe_file(name)) for name in FILES}


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
