"""llms.txt: every link leads to a file, and every document is linked."""

import re

import pytest

from zkmargin.scripts.generate.llms import FILE, ROOT, NoTitle, read_head, render


def test_links_exist_and_no_document_is_left_out():
    links = re.findall(r"^- \[[^]]+\]\(([^)]+)\)", render()[FILE], re.MULTILINE)
    assert [path for path in links if not (ROOT / path).is_file()] == []
    assert len(links) == len(set(links))
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")} < set(links)


def test_a_title_and_the_first_sentence_are_read():
    assert read_head("# A title\n\nOne [link](a.md)\nhere. Two.\n", "a.md") == ("A title", "One link here")
    assert read_head("# A table\n\n| a |\n", "a.md") == ("A table", "")
    with pytest.raises(NoTitle, match=r"b\.md: no title"):
        read_head("No title.\n", "b.md")
