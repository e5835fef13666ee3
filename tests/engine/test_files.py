"""Files: what a strict reader refuses."""

import pytest

from zkmargin.engine.errors import DuplicateName, MalformedFile
from zkmargin.engine.files import StrictModel, read_model


class Quote(StrictModel):
    """A file of one number."""

    ask: float | None


def test_a_number_is_read():
    assert read_model(Quote, '{"ask": 1.5}', "quotes").ask == 1.5
    assert read_model(Quote, '{"ask": null}', "quotes").ask is None


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_finite_number_is_refused(number):
    with pytest.raises(MalformedFile, match=r"quotes: ask: Input should be a finite number; found (nan|inf|-inf)"):
        read_model(Quote, f'{{"ask": {number}}}', "quotes")


def test_a_model_takes_no_missing_number_from_memory_either():
    with pytest.raises(ValueError, match="finite number"):
        Quote(ask=float("nan"))


def test_a_key_that_is_repeated_is_refused():
    with pytest.raises(DuplicateName, match="key in quotes 'ask' appears more than once"):
        read_model(Quote, '{"ask": 1.0, "ask": 2.0}', "quotes")
