"""Published cases of the venues, as files and as documents."""

import json
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "vectors" / "venues"


def get_path(name: str) -> Path:
    return FOLDER / f"{name}.json"


def read_document(name: str) -> dict:
    return json.loads(get_path(name).read_text())
