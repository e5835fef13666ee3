"""Every part of every interface is documented: what it is, each field and result, who may call, what reverts. So is
whatever else the contracts show.

Read from the compiler's syntax tree, so that a comment counts only where the compiler attaches it.
"""

import re
from functools import cache

import pytest

from zkmargin.contracts.compile import read_sources, run_compiler

TAG = re.compile(r"^ ?@(\w+) ?", re.MULTILINE)
CALLERS = ("Anyone", "Only", "caller")
INTERFACES = sorted(path for path in read_sources() if path.startswith("interfaces/"))
OTHERS = sorted(path for path in read_sources() if not path.startswith(("interfaces/", "test/")))


@cache
def parse_sources() -> dict:
    return {path: unit["ast"] for path, unit in run_compiler(read_sources(), {"*": {"": ["ast"]}})["sources"].items()}


def list_parts(path):
    """Every struct, event, error and function of the file, with its place for the message."""
    for node in parse_sources()[path]["nodes"]:
        for part in [node, *node.get("nodes", [])]:
            if part["nodeType"] in ("StructDefinition", "EventDefinition", "ErrorDefinition", "FunctionDefinition"):
                yield part, f"{path}: {part['nodeType'].removesuffix('Definition').lower()} {part['name']}"


def read_tags(part) -> list[tuple[str, str]]:
    """(tag, text) of the comment that the compiler attaches to the part, in order."""
    text = (part.get("documentation") or {"text": ""})["text"]
    pieces = TAG.split(text)
    return list(zip(pieces[1::2], (" ".join(piece.split()) for piece in pieces[2::2]), strict=True))


def read_names(part, tag) -> list[str]:
    return [text.split(" ", 1)[0] for name, text in read_tags(part) if name == tag and " " in text]


def list_names(part, field) -> list[str]:
    if part["nodeType"] == "StructDefinition":
        return [member["name"] for member in part["members"]] if field == "parameters" else []
    return [parameter["name"] for parameter in part.get(field, {"parameters": []})["parameters"]]


@pytest.mark.parametrize("path", INTERFACES)
def test_every_part_says_what_it_is(path):
    parts = list(list_parts(path))
    assert len(parts) > 2, "the smallest interface has two members"
    for part, place in parts:
        assert dict(read_tags(part)).get("notice"), f"{place} has no @notice"
        assert read_names(part, "param") == list_names(part, "parameters"), f"{place}: @param, one each and in order"


@pytest.mark.parametrize("path", INTERFACES)
def test_every_result_is_described(path):
    for part, place in list_parts(path):
        results = list_names(part, "returnParameters")
        described = [text for tag, text in read_tags(part) if tag == "return"]
        assert len(described) == len(results), f"{place}: one @return for each result"
        for name, text in zip(results, described, strict=True):
            assert text.removeprefix(f"{name} " if name else ""), f"{place}: @return of {name!r}"
            assert text.startswith(name), f"{place}: @return of {name!r}"


@pytest.mark.parametrize("path", INTERFACES)
def test_what_writes_says_who_may_call_and_what_reverts(path):
    for part, place in list_parts(path):
        if part["nodeType"] == "FunctionDefinition" and part["stateMutability"] == "nonpayable":
            tags = dict(read_tags(part))
            assert any(word in tags["notice"] for word in CALLERS), f"{place}: @notice names none of {CALLERS}"
            assert re.search(r"\b(Reverts|Never reverts)\b|\bLike `\w+` otherwise", tags["dev"]), (
                f"{place}: what reverts?"
            )


@pytest.mark.parametrize("path", OTHERS)
def test_what_else_a_contract_shows_is_documented(path):
    for node in parse_sources()[path]["nodes"]:
        for part in node.get("nodes", []):
            place, tags = f"{path}: {part.get('name')}", read_tags(part)
            if part["nodeType"] in ("ErrorDefinition", "EventDefinition"):
                assert dict(tags).get("notice"), f"{place} has no @notice"
                assert read_names(part, "param") == list_names(part, "parameters"), f"{place}: @param"
            elif part["nodeType"] == "StructDefinition" or part.get("kind") == "constructor":
                continue
            elif part.get("visibility") in ("public", "external"):
                assert {"notice", "inheritdoc"} & set(dict(tags)), f"{place} has neither @notice nor @inheritdoc"


def test_every_interface_states_its_assumptions():
    for path in INTERFACES:
        for node in parse_sources()[path]["nodes"]:
            if node["nodeType"] == "ContractDefinition":
                tags = dict(read_tags(node))
                assert {"title", "notice", "dev"} <= set(tags), path
                assert "Safety assumptions" in tags["dev"] and "Liveness assumptions" in tags["dev"], path


def test_an_undocumented_part_is_found():
    part = {"nodeType": "ErrorDefinition", "name": "E", "parameters": {"parameters": [{"name": "a"}, {"name": "b"}]}}
    text = "@notice What it is.\n @param a The first,\n         over two lines.\n @param b"
    assert read_tags(part) == []
    assert read_names({**part, "documentation": {"text": text}}, "param") == ["a"] != list_names(part, "parameters")
