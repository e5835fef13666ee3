"""Properties and tests hold each other: every property has tests that carry its id, and an enforcer that exists."""

import copy
import re

import pytest

from zkmargin.scripts.generate import properties
from zkmargin.scripts.generate.properties import (
    TESTS,
    WIDTH,
    UnknownProperty,
    find_tests,
    load_properties,
    read_marks,
    render_document,
)

DOCUMENT = load_properties()
MARKED = find_tests(TESTS)
PROPERTIES = {
    identifier: entry for section in DOCUMENT["sections"] for identifier, entry in section["properties"].items()
}


def test_ids_are_unique():
    """An id is a name, given once: a property that goes leaves a gap."""
    ids = [identifier for section in DOCUMENT["sections"] for identifier in section["properties"]]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"P-\d{2,3}", identifier) for identifier in ids)
    assert len(ids) >= 80


@pytest.mark.parametrize("identifier", PROPERTIES)
def test_a_property_has_tests_and_an_enforcer_that_exists(identifier):
    assert MARKED.get(identifier), f"no test is marked {identifier}"
    enforcers = DOCUMENT["enforcers"]
    assert any(enforcers[name].get("built", True) for name in PROPERTIES[identifier]["enforced_by"])


def test_marks_of_functions_and_methods_are_read():
    source = """
import pytest

@pytest.mark.property("P-01", "P-02")
def test_one(): ...

@pytest.mark.slow
@pytest.mark.parametrize("n", [1])
@pytest.mark.property("P-02")
def test_two(n): ...

class TestGroup:
    @pytest.mark.property("P-03")
    def test_three(self): ...

@pytest.mark.slow
def test_four(): ...
"""
    assert dict(read_marks(source)) == {
        "test_one": ["P-01", "P-02"],
        "test_two": ["P-02"],
        "TestGroup::test_three": ["P-03"],
    }


def test_an_id_that_is_no_propertys_is_an_error():
    with pytest.raises(UnknownProperty, match=r"P-999 of tests/test_x\.py::test_y"):
        render_document(DOCUMENT, {**MARKED, "P-999": ["tests/test_x.py::test_y"]})


def test_a_sentence_or_a_mark_that_changed_makes_the_document_stale():
    text = properties.render()["PROPERTIES.md"]
    assert max(map(len, text.splitlines())) <= WIDTH
    fewer = {identifier: tests[1:] for identifier, tests in MARKED.items()}
    assert render_document(DOCUMENT, fewer) != text
    other = copy.deepcopy(DOCUMENT)
    other["sections"][0]["properties"]["P-01"]["says"] = "Otherwise."
    assert "**P-01** Otherwise. *circuit*" in render_document(other, MARKED)
