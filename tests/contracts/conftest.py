"""One Anvil per test module, deployed once; each test starts from the same snapshot."""

import pytest

from tests.support.world import World
from zkmargin.contracts.chain import run_anvil


@pytest.fixture(scope="module")
def chain():
    with run_anvil() as running:
        yield running


@pytest.fixture(scope="module")
def deployed_world(chain):
    made = World(chain)
    made.prepare()
    return made


@pytest.fixture
def world(deployed_world):
    mark, indices = deployed_world.chain.snapshot(), dict(deployed_world._indices)
    yield deployed_world
    deployed_world.chain.revert(mark)
    deployed_world._indices = indices
