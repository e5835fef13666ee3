"""What the check of types takes for an error; `make check` runs it over the package."""

import pytest

from tests.support import types

OUTPUT = """\
build/types/zkmargin/engine/account.py:7: error: Returning Any from function declared to return "int"  [no-any-return]
build/types/zkmargin/engine/account.py:9: note: See the documentation
build/types/zkmargin/__init__.py:3: error: Missing type arguments for generic type "dict"  [type-arg]
"""


def test_errors_are_found_and_notes_are_none():
    assert types.read_errors(OUTPUT) == [
        'engine/account.py:7: error: Returning Any from function declared to return "int"  [no-any-return]',
        '__init__.py:3: error: Missing type arguments for generic type "dict"  [type-arg]',
    ]


@pytest.mark.parametrize(("output", "status"), [(OUTPUT, 1), ("", 0)])
def test_one_error_is_one_too_many(monkeypatch, output, status):
    monkeypatch.setattr(types, "run_mypy", lambda: output)
    assert types.main() == status


@pytest.mark.parametrize("answer", [("", "no such file", 2), ("", "a warning", 0)])
def test_a_check_that_did_not_run_passes_nothing(monkeypatch, answer):
    monkeypatch.setattr(types.api, "run", lambda arguments: answer)
    with pytest.raises(SystemExit, match=answer[1]):
        types.run_mypy()
