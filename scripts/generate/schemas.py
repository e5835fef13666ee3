"""docs/schemas/: a JSON schema of what each command prints with `--json`, from the types of the documents.

Fields, their types and the texts under them stand once, in the records (`scripts/cli/documents.py` names them).
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import textwrap
import types
import typing
from enum import StrEnum
from typing import Any, NotRequired, Union, get_args, get_origin, get_type_hints

from zkmargin.scripts.cli.documents import ADDED, DOCUMENTS, LEFT_OUT

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = "docs/schemas"

_PLAIN: dict[Any, dict[str, object]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    type(None): {"type": "null"},
    Any: {},
}


class NoSchema(TypeError):
    """A field's type has no JSON form; carries it."""

    def __init__(self, kind: object):
        self.kind = kind
        super().__init__(f"{kind!r} has no JSON form; allowed: records, lists, dictionaries by text, numbers, texts")


def render() -> dict[str, str]:
    """Path, from the repository's root, to text of each schema."""
    return {f"{FOLDER}/{name}.json": dump(describe_document(name)) for name in DOCUMENTS}


def dump(schema: dict[str, Any]) -> str:
    """As it stands in the file."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def describe_document(name: str) -> dict[str, Any]:
    """The schema of one command's document; records stand once, under `$defs`."""
    records: dict[str, dict[str, Any]] = {}
    kind = DOCUMENTS[name]
    describe(kind, records)
    root = records.pop(kind.__name__)
    return {"$schema": DIALECT, "title": f"zkmargin {name.replace('_', ' ')} --json", **root, "$defs": records}


def describe(kind: Any, records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The schema of a type; records on the way are put into `records`.

    Raises
    ------
    NoSchema
        If it has none.
    """
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [describe(part, records) for part in arguments]}
    if origin in (list, tuple):
        return {"type": "array", "items": describe(arguments[0], records)}
    if origin is dict:
        return {"type": "object", "additionalProperties": describe(arguments[1], records)}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return {"enum": [member.value for member in kind]}
    if dataclasses.is_dataclass(kind) or typing.is_typeddict(kind):
        return _refer(kind, records)
    raise NoSchema(kind)


def _refer(kind: Any, records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if kind.__name__ not in records:
        records[kind.__name__] = {}
        records[kind.__name__] = _describe_record(kind, records)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _describe_record(kind: Any, records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    texts, left_out, optional = read_texts(kind), LEFT_OUT.get(kind, ()), set[str]()
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        fields = {field.name: hints[field.name] for field in dataclasses.fields(kind)}
    else:
        fields = get_type_hints(kind)
        stated = get_type_hints(kind, include_extras=True)
        optional = {name for name in fields if get_origin(stated[name]) is NotRequired}
    properties = {
        name: describe(of_field, records) | {"description": texts[name]}
        for name, of_field in fields.items()
        if name not in left_out
    }
    for name, (of_field, text) in ADDED.get(kind, {}).items():
        properties[name] = describe(of_field, records) | {"description": text}
    return {
        "description": inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " "),
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def read_texts(kind: Any) -> dict[str, str]:
    """The text under each field of a class, on one line.

    Raises
    ------
    NoSchema
        If a field has none.
    """
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    texts: dict[str, str] = {}
    for field, text in zip(body.body, [*body.body[1:], None], strict=True):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if not isinstance(text, ast.Expr) or not isinstance(text.value, ast.Constant):
            raise NoSchema(f"{kind.__name__}.{field.target.id}, which has no text under it,")
        texts[field.target.id] = " ".join(str(text.value.value).split())
    return texts
