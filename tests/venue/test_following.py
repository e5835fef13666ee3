"""A follower of events reads on from where it was, and does not take a node's failure for a reorganisation."""

import pytest

from zkmargin.contracts.chain import Block, Chain
from zkmargin.contracts.errors import ChainUnavailable
from zkmargin.venue.following import Follower


class ListedChain(Chain):
    """A chain of blocks in a list, whose node fails to give those of some numbers."""

    def __init__(self, *hashes: bytes):
        self.url, self.hashes, self.failing = "http://listed", list(hashes), set()

    def get_block(self, identifier):
        number = len(self.hashes) - 1 if identifier == "latest" else identifier
        if number in self.failing or number >= len(self.hashes):
            raise ChainUnavailable(self.url, f"block {number}")
        return Block(number, self.hashes[number], 0, 0)


@pytest.fixture
def asked():
    return []


@pytest.fixture
def chain():
    return ListedChain(b"a", b"b", b"c")


@pytest.fixture
def follower(chain, asked):
    def read_on(summary, first, last):
        asked.append((first, last))
        return summary + tuple(chain.hashes[first : last + 1])

    return Follower(chain, 0, (), read_on)


def test_a_follower_reads_on_and_begins_again_where_its_block_was_replaced_or_is_gone(chain, follower, asked):
    assert follower.read() == (b"a", b"b", b"c")
    chain.hashes.append(b"d")
    assert follower.read() == (b"a", b"b", b"c", b"d")
    chain.hashes[3:] = [b"x", b"y"]
    assert follower.read() == (b"a", b"b", b"c", b"x", b"y")
    chain.hashes[3:] = []
    assert follower.read() == (b"a", b"b", b"c")
    assert asked == [(0, 2), (3, 3), (0, 4), (0, 2)]


@pytest.mark.property("P-290")
def test_a_node_that_fails_to_give_a_block_is_no_reorganisation(chain, follower, asked):
    follower.read()
    chain.hashes.append(b"d")
    chain.failing = {2}
    with pytest.raises(ChainUnavailable, match="block 2"):
        follower.read()
    chain.failing = set()
    assert follower.read() == (b"a", b"b", b"c", b"d")
    assert asked == [(0, 2), (3, 3)]


def test_a_node_that_fails_after_a_read_is_no_replaced_block(chain):
    """What was read is not read again, and the error is the node's."""
    blocks = []

    def read(block):
        blocks.append(block.number)
        chain.hashes.append(b"d")
        chain.failing = {2}

    with pytest.raises(ChainUnavailable, match="block 2"):
        chain.read_at_one_block(read)
    assert blocks == [2]
