"""Reading JSON files strictly: an unknown, missing or repeated key is refused, and so is a value of another type."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from zkmargin.engine.errors import DuplicateName, MalformedFile


class StrictModel(BaseModel):
    """Base of every file's model: frozen, no unknown keys, no conversions between types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


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

    try:
        document = json.loads(text, object_pairs_hook=refuse_repeated)
    except (json.JSONDecodeError, RecursionError) as error:
        raise MalformedFile(source, f"no JSON: {error}") from None
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "document"
        raise MalformedFile(source, f"{place}: {first['msg']}; found {first['input']!r:.80}") from None


def read_text(path: Path) -> str:
    """Content of a UTF-8 file; raises `MalformedFile` when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MalformedFile(path, f"cannot be read: {error}") from None


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
