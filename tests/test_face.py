"""The face: its names are what `__all__` says, they cost nothing until they are used, and the examples run."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import zkmargin
from zkmargin.scripts.setup import set_up

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SLOW = {"batch", "own_node"}
ARGUMENTS = {"batch": ["mini"], "own_node": ["mini"], "private_trade": ["mini"]}
"""Arguments of examples that choose a size: the small one is quick."""
SECONDS = 300


def run(*command: str) -> str:
    """What a fresh interpreter prints; fails with its errors."""
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=SECONDS, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def get_type_checking_names() -> set[str]:
    """Names that the module imports for type checkers alone."""
    tree = ast.parse(Path(zkmargin.__file__).read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    return {alias.asname or alias.name for line in block.body for alias in line.names}


@pytest.mark.parametrize("name", zkmargin.__all__)
def test_every_name_is_there(name):
    value = getattr(zkmargin, name)
    assert value is not None and vars(zkmargin)[name] is value


def test_all_is_what_is_exported_and_what_type_checkers_see():
    assert set(zkmargin.__all__) == set(zkmargin._HOMES) == get_type_checking_names()
    assert dir(zkmargin) == sorted(zkmargin.__all__)
    with pytest.raises(AttributeError, match="module 'zkmargin' has no attribute 'Desk'"):
        zkmargin.Desk  # noqa: B018


def test_type_checkers_see_the_same_objects():
    tree = ast.parse(Path(zkmargin.__file__).read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    for line in block.body:
        for alias in line.names:
            module = __import__(line.module, fromlist=[alias.name])
            assert getattr(module, alias.name) is getattr(zkmargin, alias.asname or alias.name)


def test_nothing_is_loaded_before_it_is_used():
    loaded = run("-c", "import sys, zkmargin; print(*(name for name in sys.modules if name.startswith('zkmargin.')))")
    assert loaded.split() == []
    assert "numpy" not in run("-c", "import sys, zkmargin; print(*sys.modules)").split()


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow if path.stem in SLOW else ()) for path in EXAMPLES],
    ids=lambda path: path.stem,
)
def test_the_example_runs(path):
    set_up(["mini"])
    assert run(str(path), *ARGUMENTS.get(path.stem, []))


def test_there_are_examples():
    assert {path.stem for path in EXAMPLES} >= {"batch", "margin", "what_if", "publish", "private_trade"}


def get_program() -> str:
    """The program that the documents show."""
    text = (ROOT / "docs/tools.md").read_text()
    return text.split("```python\n", 1)[1].split("```", 1)[0]


@pytest.mark.slow
def test_the_program_of_the_documents_runs_as_it_is_written():
    set_up(["standard"])
    lines = run("-c", get_program()).splitlines()
    book = zkmargin.Portfolio("desk", {"BTC-25DEC26-80000-C": 5}, cash=zkmargin.usd(100_000))
    largest = zkmargin.House(zkmargin.Market.load("deribit_2026-08-22")).largest(book, {"BTC-PERPETUAL": -1}).lots
    assert largest["BTC-PERPETUAL"] < 0 and lines[0].endswith(str(largest))
    assert lines[1].endswith("{'BTC-25DEC26-80000-C': 5}")
