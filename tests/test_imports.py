"""Data goes one way: engine -> prover -> contracts -> scripts. A folder may import itself and those before it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ["engine", "prover", "contracts", "scripts"]


def imported_folders(source: str) -> set[str]:
    """Folders of `zkmargin` that are imported, and `tests`; a bare `engine` counts as a folder that no order allows."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "zkmargin":
            modules |= {f"zkmargin.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            modules.add(node.module)
    folders = {name.split(".")[1] for name in modules if name.startswith("zkmargin.")}
    return folders & set(ORDER) | {
        f"bare {top}" for name in modules if (top := name.split(".")[0]) in {*ORDER, "tests"}
    }


@pytest.mark.parametrize("folder", ORDER)
def test_a_folder_imports_only_itself_and_earlier_ones(folder):
    allowed = set(ORDER[: ORDER.index(folder) + 1])
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files, f"no Python in {folder}"
    wrong = {
        str(file.relative_to(ROOT)): found - allowed
        for file in files
        if (found := imported_folders(file.read_text())) - allowed
    }
    assert not wrong


def test_the_walk_sees_a_forbidden_import():
    assert imported_folders("import numpy\nfrom zkmargin.scripts.cli import main") == {"scripts"}
    assert imported_folders("from zkmargin import contracts, usd") == {"contracts"}
    assert imported_folders("import engine.errors\nfrom tests.support import house") == {"bare engine", "bare tests"}
