"""Documents against the shipped schemas."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).parents[2] / "docs/schemas"


def check_document(name: str, document: object) -> None:
    """Fails where `document` is not as `docs/schemas/{name}.json` says."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    errors = [error.message for error in Draft202012Validator(schema).iter_errors(document)]
    assert not errors, errors[:3]
