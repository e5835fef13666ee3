"""Files, written whole or not at all, and JSON, read strictly: an unknown, missing or repeated key is refused, and so
are NaN, Infinity and a value of another type."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from zkmargin.engine.errors import DuplicateName, MalformedFile


class StrictModel(BaseModel):
    """Base of every file's model: frozen, no unknown keys, no conversions between types, no NaN and no infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


PRIVATE, PUBLIC, PROGRAM = 0o600, 0o666, 0o777
"""Modes of new files: a secret's, anything else's and a program's; the process's mask takes its bits away."""

MAX_DEPTH = 64
"""Brackets within brackets that a JSON text from outside may have."""
STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
BRACKET = re.compile(r"[\[\]{}]")

Model = TypeVar("Model", bound=StrictModel)


def read_model(model: type[Model], text: str, source: object) -> Model:
    """`text` as a `model`.

    Raises
    ------
    MalformedFile
        If it is no JSON or does not fit the model; carries `source`, the place and the refused value.
    DuplicateName
        If an object repeats a key, which JSON readers otherwise let pass silently.
    """

    def refuse_repeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
        for key, count in Counter(key for key, _ in pairs).items():
            if count > 1:
                raise DuplicateName(f"key in {source}", key)
        return dict(pairs)

    document = _parse(text, source, refuse_repeated)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "document"
        raise MalformedFile(source, f"{place}: {first['msg']}; found {first['input']!r:.80}") from None


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object whose fields the caller checks; raises `MalformedFile`."""
    document = _parse(read_text(path), path, dict)
    if not isinstance(document, dict):
        raise MalformedFile(path, f"a {type(document).__name__}; allowed: a JSON object")
    return document


def parse_json(text: str, make_object: Callable[[list[tuple[str, object]]], object] = dict) -> Any:
    """The value of a text from outside; raises `ValueError` if it is no JSON, or nested deeper than `MAX_DEPTH`.

    Python's own guard against deep nesting is the recursion limit, which py_ecc sets so high that the process would
    end in a segmentation fault.
    """
    depth = 0
    for bracket in BRACKET.findall(STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
    return json.loads(text, object_pairs_hook=make_object)


def _parse(text: str, source: object, make_object: Callable[[list[tuple[str, object]]], object]) -> object:
    try:
        return parse_json(text, make_object)
    except DuplicateName:
        raise
    except ValueError as error:
        raise MalformedFile(source, f"no JSON: {error}") from None


def read_text(path: Path) -> str:
    """Content of a UTF-8 file, with or without a byte order mark; raises `MalformedFile` when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise MalformedFile(path, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise MalformedFile(path, f"cannot be read: byte {error.start} is not UTF-8; allowed: UTF-8 text") from None


def write_whole(path: Path, content: bytes | str, *, mode: int = PUBLIC, may_replace: bool = True) -> None:
    """Write a file that is whole at every moment: beside `path`, synced, then put in its place.

    Parameters
    ----------
    path : Path
        Its folder is made.
    content : bytes or str
        Text is written as UTF-8.
    mode : int
        `PRIVATE`, `PUBLIC` or `PROGRAM`, from the first byte on.
    may_replace : bool
        False refuses a file that exists.

    Raises
    ------
    FileExistsError
        If the file exists and may not be replaced.
    OSError
        If it cannot be written; what stood at `path` stands there still.
    """
    data = content.encode() if isinstance(content, str) else bytes(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if may_replace:
            draft.replace(path)
        else:
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def find_shipped(name_or_path: str | Path, folder: Path) -> Path | None:
    """Path of `folder`/name.json if that exists, else the path given if that is a file, else None."""
    shipped = folder / f"{name_or_path}.json"
    if "/" not in str(name_or_path) and shipped.is_file():
        return shipped
    path = Path(name_or_path)
    return path if path.is_file() else None


def list_shipped(folder: Path) -> list[str]:
    """Names that `find_shipped` knows."""
    return sorted(path.stem for path in folder.glob("*.json"))
