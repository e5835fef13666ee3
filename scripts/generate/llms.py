"""llms.txt: what a language model, or anybody in a hurry, reads first: documents by title and first sentence."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = "llms.txt"
SECTIONS = {
    "Begin here": ("README.md", "docs/integrate.md", "docs/protocol.md", "GLOSSARY.md"),
    "Documents": ("docs/*.md",),
    "For programs": ("docs/schemas/*.json", "docs/schemas/files/*.json", "prover/messages/messages.json"),
    "Examples": ("examples/*.py", "contracts/src/examples/*.sol", "clients/typescript/README.md"),
    "The rest": ("PROPERTIES.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"),
}
"""Patterns of files by section; a file stands in the first that it matches."""


class NoTitle(ValueError):
    """A document that does not begin with its title."""


def render() -> dict[str, str]:
    """Path, from the repository's root, to text of the list; raises `NoTitle`."""
    title, about = read_head((ROOT / "README.md").read_text(), "README.md")
    parts, listed = [f"# {title}\n\n> {about}\n"], set[str]()
    for section, patterns in SECTIONS.items():
        paths = [str(found.relative_to(ROOT)) for pattern in patterns for found in sorted(ROOT.glob(pattern))]
        lines = [_describe(path) for path in dict.fromkeys(paths) if path not in listed]
        listed.update(paths)
        parts.append(f"## {section}\n\n" + "".join(f"- {line}\n" for line in lines))
    return {FILE: "\n".join(parts)}


def read_head(text: str, name: str) -> tuple[str, str]:
    """Title of a Markdown document and the first sentence below it, which is empty where no prose follows.

    Raises
    ------
    NoTitle
        If it does not begin with a title.
    """
    if not text.startswith("# "):
        raise NoTitle(f"{name}: no title")
    title, paragraph, *_ = [*text.split("\n\n"), ""]
    prose = " ".join(paragraph.split()) if paragraph[:1].isalpha() or paragraph.startswith("`") else ""
    sentence = prose.split(". ")[0]
    return title[2:], re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", sentence).rstrip(".:")


def _describe(path: str) -> str:
    if not path.endswith(".md"):
        return f"[{path}]({path})"
    title, sentence = read_head((ROOT / path).read_text(), path)
    return f"[{title}]({path})" + (f": {sentence}" if sentence else "")
