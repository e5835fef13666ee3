"""That a contract refuses a call, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from zkmargin.contracts.errors import Reverted


@contextmanager
def reverts(error: str, **fields: object) -> Iterator[None]:
    """The block ends in the custom error `error`, and each field that is named has that value."""
    with pytest.raises(Reverted) as refusal:
        yield
    assert refusal.value.error == error, refusal.value
    assert {name: refusal.value.fields[name] for name in fields} == fields


def refused(error: str, call: Callable[..., object], *arguments: object, **options: object) -> Mapping[str, object]:
    """The fields of the custom error `error`, with which the contract refuses the call."""
    with pytest.raises(Reverted) as refusal:
        call(*arguments, **options)
    assert refusal.value.error == error, refusal.value
    return refusal.value.fields
