"""Writes the generated sources, or says which are stale: `python -m zkmargin.scripts.generate [--check]`.

The modules in `GENERATORS` take part.
"""

import argparse
import sys
from pathlib import Path

from zkmargin.scripts.generate import (
    actions,
    circom,
    documents,
    file_schemas,
    llms,
    properties,
    schemas,
    solidity,
    typescript,
)

ROOT = Path(__file__).parents[2]
GENERATORS = (actions, circom, documents, file_schemas, llms, properties, schemas, solidity, typescript)
"""Modules with `render() -> {path from the repository's root: text}`."""


class DuplicateOutput(Exception):
    """Two generators write the same file."""


def render_all() -> dict[str, str]:
    """Path, from the repository's root, to text of every generated file.

    Raises
    ------
    DuplicateOutput
        If two generators name the same path.
    """
    files: dict[str, str] = {}
    for generator in GENERATORS:
        for path, text in generator.render().items():
            if path in files:
                raise DuplicateOutput(f"{path} is generated twice, the second time by {generator.__name__}")
            files[path] = text
    return files


def find_stale(files: dict[str, str], root: Path = ROOT) -> list[str]:
    """Paths whose file under `root` is missing or has another text, sorted."""
    return sorted(path for path, text in files.items() if not _has_text(root / path, text))


def write(files: dict[str, str], root: Path = ROOT) -> list[str]:
    """Writes what is stale; returns those paths."""
    stale = find_stale(files, root)
    for path in stale:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(files[path])
    return stale


def _has_text(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text() == text


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 1 if `--check` finds a stale file, else 0."""
    parser = argparse.ArgumentParser(
        prog="zkmargin.scripts.generate", description="Generate sources from the single ones."
    )
    parser.add_argument("--check", action="store_true", help="only say which files are stale")
    check = parser.parse_args(arguments).check
    files = render_all()
    stale = find_stale(files) if check else write(files)
    for path in stale:
        print(f"{'stale: ' if check else 'wrote '}{path}", file=sys.stderr if check else sys.stdout)
    if check and stale:
        print("run `make generate` and commit the result", file=sys.stderr)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
