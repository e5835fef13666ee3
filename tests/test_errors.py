"""One tree of errors: one root, and every class is drawn in its package below the class that it derives from."""

import importlib
import inspect
import pkgutil
import re

import pytest

import zkmargin
from zkmargin.engine.errors import ZkMarginError

PACKAGES = ("engine", "prover", "committee", "contracts", "audit", "venue")
BRANCH = re.compile(r"^(?P<indent>[ │]*)(?P<fork>[├└]── )?(?P<name>[A-Z]\w+)(?= |$)")


def find_errors(package: str) -> list[type[Exception]]:
    """Exceptions that the package's modules define."""
    root = importlib.import_module(f"zkmargin.{package}")
    names = [root.__name__, *(module.name for module in pkgutil.walk_packages(root.__path__, f"{root.__name__}."))]
    found = {}
    for name in names:
        for value in vars(importlib.import_module(name)).values():
            if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == name:
                found[value.__qualname__, name] = value
    return list(found.values())


def read_drawing(text: str) -> dict[str, str | None]:
    """Parent of each name in a tree that is drawn with box characters; None for the tree's root."""
    parents: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = BRANCH.match(line)
        if match is None or (match["fork"] is None and not re.match(r" *[A-Z]\w+Error( |$)", line)):
            continue
        column = len(match["indent"]) + len(match["fork"] or "")
        above = [entry for entry in above if entry[0] < column]
        parents[match["name"]] = above[-1][1] if above else None
        above.append((column, match["name"]))
    return parents


def read_drawings(package: str) -> dict[str, str | None]:
    modules = {"engine": ("errors", "policy.errors")}.get(package, ("errors",))
    drawings: dict[str, str | None] = {}
    for module in modules:
        drawing = read_drawing(importlib.import_module(f"zkmargin.{package}.{module}").__doc__ or "")
        drawings |= {name: parent for name, parent in drawing.items() if parent or name not in drawings}
    return drawings


@pytest.mark.parametrize("package", PACKAGES)
def test_every_error_hangs_below_the_one_root(package):
    errors = find_errors(package)
    assert errors
    assert [error for error in errors if not issubclass(error, ZkMarginError)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_error_is_drawn_below_the_class_it_derives_from(package):
    drawing, undrawn = read_drawings(package), set()
    listed = " ".join(importlib.import_module(f"zkmargin.{package}.errors").__doc__.split())
    if package == "engine":
        listed += importlib.import_module("zkmargin.engine.policy.errors").__doc__
    for error in find_errors(package):
        name, parent = error.__name__, error.__bases__[0].__name__
        if name in drawing:
            assert drawing[name] in (parent, None), name
        elif not re.search(rf"\b{name}\b", listed):
            undrawn.add(name)
    assert undrawn == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_of_a_drawing_exists(package):
    names = {error.__name__ for error in find_errors(package)} | {"ZkMarginError"}
    assert set(read_drawings(package)) - names == set()


def test_the_drawing_is_read():
    text = "RootError\n├── First    words\n│   └── Inner  more\n└── Last\n\nNot a name"
    assert read_drawing(text) == {"RootError": None, "First": "RootError", "Inner": "First", "Last": "RootError"}


def test_the_package_has_one_root():
    assert zkmargin.__doc__ and ZkMarginError.__bases__ == (Exception,)
