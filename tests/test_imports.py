"""Data goes one way: engine -> prover -> committee -> contracts -> audit -> venue -> scripts, and inside the first
three from the first floor down.

A folder imports itself and earlier ones; a room of engine, prover or committee imports rooms of earlier floors; no
module imports itself through others; and no module names a file of a later folder.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ["engine", "prover", "committee", "contracts", "audit", "venue", "scripts"]

FLOORS = {
    "engine": [
        {"_native", "elementary", "errors"},
        {"units"},
        {"files", "presets"},
        {"market"},
        {"account", "contagion", "venues"},
        {"policy", "simulation"},
        {"margin"},
        {"calibration"},
        {"backtest", "desk", "epoch"},
        {"house"},
    ],
    "prover": [
        {"_native", "errors", "paths"},
        {"ranges"},
        {"statement"},
        {"messages"},
        {"account"},
        {"actions"},
        {"groth16"},
        {"session"},
        {"attestation", "farm", "move", "negotiation"},
        {"disclosure"},
        {"client"},
    ],
    "committee": [
        {"errors"},
        {"group"},
        {"polynomial", "proof"},
        {"record"},
        {"messages"},
        {"ceremony", "decryption"},
        {"local"},
    ],
}
"""Rooms (folders and single modules) by floor; a room imports rooms of earlier floors. `__init__` may import any."""


# Reading the sources


@cache
def find_modules() -> dict[str, Path]:
    """File of each module of the package, by its dotted name; a package's name stands for its `__init__`."""
    files = [ROOT / "zkmargin/__init__.py"]
    for folder in ORDER:
        files += [*sorted((ROOT / folder).rglob("*.py")), *sorted((ROOT / folder).rglob("*.pyi"))]
    return {name_module(file): file for file in files if "native/target" not in str(file)}


def name_module(file: Path) -> str:
    parts = [part for part in file.relative_to(ROOT).with_suffix("").parts if part != "__init__"]
    return ".".join(parts if parts[0] == "zkmargin" else ["zkmargin", *parts])


def list_imports(source: str) -> Iterator[str]:
    """Dotted names that a source imports, wherever in it; of `from a import b` both `a` and `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def find_imported_folders(source: str) -> set[str]:
    """Folders of `zkmargin` that are imported; a bare or relative import counts as a folder that no order allows."""
    folders = set()
    for name in list_imports(source):
        parts = name.split(".")
        if parts[0] == "zkmargin" and len(parts) > 1 and parts[1] in ORDER:
            folders.add(parts[1])
        elif parts[0] in {*ORDER, "tests", ""}:
            folders.add(f"bare {parts[0]}".strip())
    return folders


@cache
def get_arrows() -> dict[str, set[str]]:
    """Modules of the package that each module imports."""
    modules = find_modules()
    return {
        name: {target for target in list_imports(file.read_text()) if target in modules and target != name}
        for name, file in modules.items()
    }


def get_room(module: str, folder: str) -> str | None:
    """Room of `folder` in which a module lies; None for modules elsewhere and for the folder's own face."""
    parts = module.split(".")
    return parts[2] if len(parts) > 2 and parts[1] == folder else None


def find_circles(arrows: dict[str, set[str]]) -> set[frozenset[str]]:
    """Sets of modules that reach each other."""
    reached = {name: reach(name, arrows) for name in arrows}
    return {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in arrows
        if name in reached[name]
    }


def reach(start: str, arrows: dict[str, set[str]]) -> set[str]:
    """Modules that `start` imports, itself or through others."""
    seen: set[str] = set()
    waiting = [*arrows[start]]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += arrows.get(name, ())
    return seen


def list_strings(source: str) -> Iterator[str]:
    """String constants of a source, documentation left out."""
    tree = ast.parse(source)
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def find_paths(source: str, folders: list[str]) -> set[str]:
    """Strings in which one of `folders` stands as a part of a path."""
    part = re.compile(rf"(?:^|[/ `'\"])(?:{'|'.join(folders)})(?:/|$)")
    return {text for text in list_strings(source) if part.search(text)}


# Between folders


@pytest.mark.parametrize("folder", ORDER)
def test_a_folder_imports_only_itself_and_earlier_ones(folder):
    allowed = set(ORDER[: ORDER.index(folder) + 1])
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files, f"no Python in {folder}"
    wrong = {
        str(file.relative_to(ROOT)): imported - allowed
        for file in files
        if (imported := find_imported_folders(file.read_text())) - allowed
    }
    assert not wrong


@pytest.mark.parametrize("folder", ORDER)
def test_a_folder_opens_no_file_of_a_later_one(folder):
    later = [*ORDER[ORDER.index(folder) + 1 :], "tests"] if folder != "scripts" else []
    wrong = {
        str(file.relative_to(ROOT)): paths
        for file in sorted((ROOT / folder).rglob("*.py"))
        if later and (paths := find_paths(file.read_text(), later))
    }
    assert not wrong


# Inside a folder


@pytest.mark.parametrize("folder", FLOORS)
def test_every_room_has_a_floor(folder):
    rooms = {room for module in find_modules() if (room := get_room(module, folder))}
    floors = [room for floor in FLOORS[folder] for room in floor]
    assert len(floors) == len(set(floors))
    assert rooms - set(floors) == set(), "give the room a floor"


@pytest.mark.parametrize("folder", FLOORS)
def test_arrows_between_rooms_go_down(folder):
    floor_of = {room: number for number, floor in enumerate(FLOORS[folder]) for room in floor}
    up = {
        (module, target)
        for module, targets in get_arrows().items()
        for target in targets
        if (room := get_room(module, folder))
        and (other := get_room(target, folder))
        and room != other
        and floor_of[other] >= floor_of[room]
    }
    assert up == set()


@pytest.mark.parametrize("folder", FLOORS)
def test_no_room_imports_the_face(folder):
    face = f"zkmargin.{folder}"
    wrong = {
        name
        for name, file in find_modules().items()
        if get_room(name, folder)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module in {face, "zkmargin"}
        if not all(f"{node.module}.{alias.name}" in find_modules() for alias in node.names)
    }
    assert not wrong


def test_no_module_imports_itself_through_others():
    assert find_circles(get_arrows()) == set()


# The walk itself


def test_the_walk_sees_a_forbidden_import():
    assert find_imported_folders("import numpy\nfrom zkmargin.scripts.cli import main") == {"scripts"}
    assert find_imported_folders("from zkmargin import contracts, usd") == {"contracts"}
    assert find_imported_folders("import engine.errors\nfrom tests.support import house") == {
        "bare engine",
        "bare tests",
    }
    assert find_imported_folders("from .errors import OutOfRange") == {"bare"}


def test_the_walk_sees_a_circle():
    arrows = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a", "c"}}
    assert find_circles(arrows) == {frozenset({"b", "c"})}


def test_the_walk_sees_a_path_but_no_documentation():
    source = (
        '"""Reads contracts/src."""\nx = ROOT / "../contracts/messages.json"\ny = ROOT / "contracts"\nz = "contracts"\n'
    )
    assert find_paths(source, ["contracts"]) == {"../contracts/messages.json", "contracts"}
    assert find_paths('x = "the contracts of a venue"', ["contracts"]) == set()


def test_the_walk_reads_the_package():
    arrows = get_arrows()
    assert "zkmargin.engine.market.snapshot" in arrows["zkmargin.engine.epoch.record"]
    assert len(arrows) > 150
