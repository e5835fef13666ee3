"""Schemas of what commands print: made of the records, and each field of a document is one of them."""

import copy
import dataclasses
import json
from enum import StrEnum
from typing import Any, TypedDict

import pytest
from jsonschema import Draft202012Validator

from tests.support.schemas import SCHEMAS, check_document
from zkmargin.engine.account import load_portfolio
from zkmargin.engine.house import House
from zkmargin.engine.market.file import load_snapshot
from zkmargin.scripts.cli.documents import DOCUMENTS
from zkmargin.scripts.generate.schemas import NoSchema, describe, read_texts


class Colour(StrEnum):
    """Of a thing."""

    RED = "red"


@dataclasses.dataclass(frozen=True)
class Part:
    """A part."""

    size: float | None
    """How large."""
    colour: Colour
    """Which."""


class Whole(TypedDict):
    """A whole."""

    parts: tuple[Part, ...]
    """All of
    them."""
    counts: dict[str, int]
    """By name."""


def test_types_and_texts_become_a_schema():
    records = {}
    assert describe(Whole, records) == {"$ref": "#/$defs/Whole"}
    assert records["Whole"]["properties"]["parts"] == {
        "type": "array", "items": {"$ref": "#/$defs/Part"}, "description": "All of them.",
    }  # fmt: skip
    assert records["Part"]["properties"] == {
        "size": {"anyOf": [{"type": "number"}, {"type": "null"}], "description": "How large."},
        "colour": {"enum": ["red"], "description": "Which."},
    }
    validator = Draft202012Validator({**records["Whole"], "$defs": records})
    whole = {"parts": [{"size": None, "colour": "red"}], "counts": {"a": 1}}
    assert validator.is_valid(whole)
    for wrong in (
        {"parts": []},
        whole | {"more": 1},
        whole | {"counts": {"a": 1.5}},
        whole | {"parts": [{"size": None, "colour": "blue"}]},
        whole | {"parts": [{"size": "1", "colour": "red"}]},
    ):
        assert not validator.is_valid(wrong), wrong


def test_a_type_without_a_json_form_or_a_field_without_a_text_is_refused():
    class Bare(TypedDict):
        """Bare."""

        field: int

    with pytest.raises(NoSchema, match=r"Bare\.field, which has no text"):
        read_texts(Bare)
    with pytest.raises(NoSchema, match="set"):
        describe(set[int], {})
    assert describe(Any, {}) == {}


def test_a_margin_report_is_as_its_schema_says_and_nothing_else():
    house = House(load_snapshot("deribit_2026-08-22"))
    document = json.loads(json.dumps(house.report(load_portfolio("short_strangle")).to_document()))
    check_document("margin", document)
    for change in (
        lambda of: of.pop("netting"),
        lambda of: of.update(margin=1.0),
        lambda of: of["levels"]["initial"].update(missing_usd6=0),
        lambda of: of["levels"]["initial"]["verdict"].update(passes="yes"),
        lambda of: of["coins"]["BTC"].pop("net_delta"),
    ):
        changed = copy.deepcopy(document)
        change(changed)
        with pytest.raises(AssertionError):
            check_document("margin", changed)


def test_every_schema_is_shipped_and_of_a_command():
    assert {path.stem for path in SCHEMAS.glob("*.json")} == set(DOCUMENTS)
