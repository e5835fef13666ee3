"""Lines of every language are at most 120 characters; ruff sees to Python's, this to the others'."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WIDTH = 120
LANGUAGES = ("*.circom", "*.js", "*.md", "*.mjs", "*.rs", "*.sol", "*.toml", "*.ts", "Makefile")


def find_long_lines(file: Path) -> list[str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file.name
    return [f"{name}:{number} has {len(line)}" for number, line in enumerate(lines, 1) if len(line) > WIDTH]


def list_files(pattern: str) -> list[Path]:
    """Files in git that match."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


@pytest.mark.parametrize("pattern", LANGUAGES)
def test_lines_are_short(pattern):
    files = list_files(pattern)
    assert files, f"no file {pattern}"
    long = [line for file in files for line in find_long_lines(file)]
    assert not long


def test_a_long_line_is_found(tmp_path):
    file = tmp_path / "long.md"
    file.write_text("é" * WIDTH + "\n" + "x" * (WIDTH + 1) + "\n")
    assert find_long_lines(file) == ["long.md:2 has 121"]
