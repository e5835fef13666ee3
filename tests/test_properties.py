"""PROPERTIES.md and the tests hold each other: every property names tests that exist, every id is used once."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| (P-\d\d) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
PLACES = {"engine", "prover", "circuit", "contract", "auditor", "compiler"}


def get_rows() -> list[tuple[str, str, str, str]]:
    return ROW.findall((ROOT / "PROPERTIES.md").read_text())


@cache
def get_test_names(path: str) -> set[str]:
    return {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)}


def test_ids_are_unique_and_in_order():
    ids = [row[0] for row in get_rows()]
    assert ids == [f"P-{k:02d}" for k in range(1, len(ids) + 1)]
    assert len(ids) >= 30


def test_every_property_says_where_it_is_enforced():
    for identifier, _, where, _ in get_rows():
        assert set(where.split(", ")) <= PLACES, identifier


def test_every_property_names_tests_that_exist():
    for identifier, _, _, tests in get_rows():
        named = TEST.findall(tests)
        assert named, f"{identifier} names no test"
        for path, name in named:
            assert (ROOT / path).is_file(), f"{identifier}: no file {path}"
            assert name in get_test_names(path), f"{identifier}: {path} has no {name}"
