"""Points, encodings and hashes of the committee, against the curve in plain Python."""

import pytest

from tests.support import babyjub_reference as reference
from zkmargin.committee.errors import MessageRefused
from zkmargin.committee.group import (
    BASE8,
    IDENTITY,
    ORDER,
    Reader,
    combine,
    compute_digest,
    decode_point,
    decode_scalar,
    encode_point,
    encode_scalar,
    hash_to_curve,
    multiply,
)
from zkmargin.prover.statement.signals import FIELD_MODULUS as P

OF_ORDER_TWO = (0, P - 1)
WHOLE_CURVE = (
    995203441582195749578291179787384436505546430278305826713579947235728471134,
    5472060717959818805561601436314318772137091100104008585924551046643952123905,
)
"""Generator of all 8 l points; EIP-2494."""


def test_sums_of_multiples_agree_with_the_curve_written_again():
    points = [reference.multiply(n, reference.BASE8) for n in (3, 5)]
    expected = reference.multiply((7 * 3 + 11 * 5), reference.BASE8)
    assert combine((7, 11), points) == expected
    assert combine((1, -1), (BASE8, BASE8)) == IDENTITY
    assert multiply(BASE8, -1) == ((P - BASE8[0]) % P, BASE8[1])


@pytest.mark.property("P-250")
@pytest.mark.parametrize(
    "point", [IDENTITY, OF_ORDER_TWO, WHOLE_CURVE, (1, 1), (BASE8[0] + P, BASE8[1]), (BASE8[0], BASE8[1] + P)]
)
def test_only_points_of_the_subgroup_in_canonical_form_are_read(point):
    assert decode_point("point", encode_point(BASE8)) == BASE8
    with pytest.raises(MessageRefused, match="prime-order subgroup"):
        decode_point("point", encode_point(point))


@pytest.mark.property("P-250")
def test_only_scalars_below_the_order_are_read():
    assert decode_scalar("scalar", encode_scalar(ORDER - 1)) == ORDER - 1
    with pytest.raises(MessageRefused, match="not below the subgroup's order"):
        decode_scalar("scalar", encode_scalar(ORDER))


@pytest.mark.parametrize("size", [31, 33])
def test_a_message_has_one_length(size):
    with pytest.raises(MessageRefused, match=f"has {size} bytes, allowed: 32"):
        Reader("message", bytes(size), 32)


def test_hashing_to_the_curve_gives_points_of_the_subgroup_that_differ():
    points = {hash_to_curve("test", bytes([n])) for n in range(40)}
    assert len(points) == 40
    for x, y in points:
        assert reference.is_on_curve((x, y))
        assert reference.multiply(reference.L, (x, y)) == reference.IDENTITY != (x, y)
    assert hash_to_curve("test", b"\1") == hash_to_curve("test", b"\1") != hash_to_curve("other", b"\1")


def test_both_signs_of_y_occur():
    """A sign that were always the root's would halve the hash's image."""
    assert {hash_to_curve("sign", bytes([n]))[1] > P // 2 for n in range(40)} == {True, False}


def test_no_two_lists_of_parts_have_one_digest():
    texts = [("tag", b"ab", b"c"), ("tag", b"a", b"bc"), ("tag", b"abc"), ("tagab", b"c"), ("tag", b"", b"abc")]
    assert len({compute_digest(*parts) for parts in texts}) == len(texts)
