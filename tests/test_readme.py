"""README and docs name commands, targets and files that exist."""

import re
from pathlib import Path

import pytest
import typer

from zkmargin.scripts.cli.app import app

ROOT = Path(__file__).parents[1]
DOCS = [ROOT / "README.md", ROOT / "PROPERTIES.md", *sorted((ROOT / "docs").glob("*.md"))]
TARGETS = set(re.findall(r"^([a-z-]+):.*?## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
COMMANDS = set(typer.main.get_command(app).commands)
BUILT = ("build/", ".venv", "node_modules")


def test_the_readme_has_exactly_two_commands():
    assert re.findall(r"^    make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE) == ["demo", "test"]


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_targets_and_commands_exist(document):
    text = document.read_text()
    assert set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)?)`", text)) <= TARGETS | {"setup"}
    assert set(re.findall(r"`zkmargin ([a-z]+)", text)) <= COMMANDS


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_files_exist(document):
    text = document.read_text()
    named = set(re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", text)) | set(
        re.findall(r"`([\w-]+\.(?:md|json|txt|toml|py))`", text)
    )
    linked = {target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target}
    missing = [
        path
        for path in named
        if not path.startswith(BUILT)
        and not any(
            (base / path).exists()
            for base in (ROOT, document.parent, ROOT / "docs", ROOT / "engine/venues", ROOT / "prover/native")
        )
        and not list(ROOT.glob(f"tests/**/{path}"))
    ]
    assert not missing
    assert all((document.parent / target).exists() for target in linked)


def test_there_is_something_to_check():
    assert {"demo", "test", "test-full", "check"} <= TARGETS and {"margin", "prove", "bench"} <= COMMANDS
