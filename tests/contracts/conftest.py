"""One Anvil per test module, deployed once; each test starts from the same snapshot."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.world import SETTLEMENT_DELAY, World
from zkmargin.contracts.chain import run_anvil


@pytest.fixture(scope="module")
def chain():
    with run_anvil() as running:
        yield running


@pytest.fixture(scope="module")
def deployed_world(chain, request):
    """As `deploy` makes it, with the options that the module states as WORLD_OPTIONS."""
    made = World(chain, **getattr(request.module, "WORLD_OPTIONS", {}))
    made.prepare()
    return made


@pytest.fixture
def world(deployed_world):
    with restoring(deployed_world):
        yield deployed_world


@pytest.fixture(scope="module")
def delayed_world(chain):
    made = World(chain, settlement_delay=SETTLEMENT_DELAY)
    made.prepare()
    return made


@pytest.fixture
def delayed(delayed_world):
    """A world whose settlements serve after a delay."""
    with restoring(delayed_world):
        yield delayed_world


@contextmanager
def restoring(world: World) -> Iterator[None]:
    """Afterwards the world is as before."""
    mark, indices = world.chain.snapshot(), dict(world._indices)
    try:
        yield
    finally:
        world.chain.revert(mark)
        world._indices = indices
