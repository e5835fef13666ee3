"""PROPERTIES.md: what must always hold, who enforces it, and the tests that fail when it does not.

Ids, sentences and enforcers stand in `tests/properties.toml`; which tests hold a property is said by the tests
themselves, `@pytest.mark.property("P-05")`, and read from their sources.
"""

from __future__ import annotations

import ast
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
SOURCE = TESTS / "properties.toml"
WIDTH = 120
INTRODUCTION = """\
# Properties

What must always hold, who enforces it, and the tests that fail when it does not. Written by `make generate` from
`tests/properties.toml` and from the marks of the tests, `@pytest.mark.property("P-05")`.
"""


class UnknownProperty(Exception):
    """A test carries the id of a property that `tests/properties.toml` does not have."""


def render() -> dict[str, str]:
    """Path, from the repository's root, to text of the document.

    Raises
    ------
    UnknownProperty
        If a test carries an id that is none.
    """
    return {"PROPERTIES.md": render_document(load_properties(), find_tests(TESTS))}


def load_properties(source: Path = SOURCE) -> dict[str, Any]:
    """`enforcers` by name, and `sections` with their properties, as the file has them."""
    return tomllib.loads(source.read_text())


def find_tests(folder: Path) -> dict[str, list[str]]:
    """Tests by the id that they carry, each as `path::name` from the repository's root, in the order of the files."""
    tests: dict[str, list[str]] = {}
    for file in sorted(folder.rglob("test_*.py")):
        for name, ids in read_marks(file.read_text()):
            for identifier in ids:
                tests.setdefault(identifier, []).append(f"{file.relative_to(folder.parent)}::{name}")
    return tests


def read_marks(source: str) -> Iterator[tuple[str, list[str]]]:
    """Names of the tests of a source, a method's with its class before it, with the ids that they carry."""
    if "mark.property" not in source:
        return
    for node in ast.parse(source).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        for function in inner:
            if isinstance(function, ast.FunctionDef) and (ids := list(_read_ids(function.decorator_list))):
                yield prefix + function.name, ids


def _read_ids(decorators: list[ast.expr]) -> Iterator[str]:
    for decorator in decorators:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.property":
            yield from (ast.literal_eval(argument) for argument in decorator.args)


def render_document(properties: dict[str, Any], tests: dict[str, list[str]]) -> str:
    """The Markdown text, lines at most `WIDTH`."""
    known = {identifier for section in properties["sections"] for identifier in section["properties"]}
    if unknown := sorted(tests.keys() - known):
        raise UnknownProperty(f"{unknown[0]} of {tests[unknown[0]][0]} is not in {SOURCE.relative_to(ROOT)}")
    parts = [INTRODUCTION]
    for name, enforcer in properties["enforcers"].items():
        parts.append(_wrap(f"- *{_title(name, properties)}*: {enforcer['how']}"))
    for section in properties["sections"]:
        parts.append(f"\n## {section['title']}\n")
        for identifier, entry in section["properties"].items():
            by = ", ".join(_title(name, properties) for name in entry["enforced_by"])
            parts.append(_wrap(f"- **{identifier}** {entry['says']} *{by}*"))
            parts += [_wrap(line, "  ") for line in _list_tests(tests.get(identifier, []))]
    return "\n".join(parts) + "\n"


def _title(name: str, properties: dict[str, Any]) -> str:
    return name if properties["enforcers"][name].get("built", True) else f"{name} (not built yet)"


def _list_tests(tests: list[str]) -> Iterator[str]:
    """A line for each file, with the names of its tests."""
    by_file: dict[str, list[str]] = {}
    for test in tests:
        file, name = test.split("::", 1)
        by_file.setdefault(file, []).append(f"`{name}`")
    for file, names in by_file.items():
        yield f"- `{file}`: {', '.join(names)}"


def _wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
