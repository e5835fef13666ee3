"""What tests share: one thread a process, since `make test` has a process for each core, and the shipped market."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # read when numpy and scikit-learn load, so before any test module

if TYPE_CHECKING:
    from zkmargin.engine.market.snapshot import MarketSnapshot


@pytest.fixture(scope="session")
def snapshot() -> MarketSnapshot:
    """The calm market at `standard`."""
    from tests.support.house import get_snapshot

    return get_snapshot("standard")


@pytest.fixture(scope="session")
def mini() -> MarketSnapshot:
    """The same market at `mini`."""
    from tests.support.house import get_snapshot

    return get_snapshot("mini")


@pytest.fixture
def closed_url() -> Iterator[str]:
    """A URL of this machine that refuses connections: its port is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
