"""BabyJubJub natively: EIP-2494's vectors, plain Python as a second opinion, and the points that must be refused."""

import random

import pytest

from tests.support.babyjub_reference import BASE8, IDENTITY, A, D, L, add, multiply
from zkmargin.prover import _native
from zkmargin.prover.errors import NotInField, OutOfRange, PointRefused
from zkmargin.prover.statement.signals import FIELD_MODULUS as P

P1 = (
    17777552123799933955779906779655732241715742912184938656739573121738514868268,
    2626589144620713026669568689430873010625803728049924121243784502389097019475,
)
P2 = (
    16540640123574156134436876038791482806971768689494387082833631921987005038935,
    20819045374670962167435360035096875258406992893633759881276124905556507972311,
)
ORDER_TWO = (0, P - 1)
TAG, KEY, SECRET, RHO = 1234, 5678, 91011, 121314


def test_vectors_of_eip_2494():
    assert _native.BASE8 == BASE8
    assert _native.BABYJUB_ORDER == L
    assert _native.babyjubjub_add(P1, P2) == (
        7916061937171219682591368294088513039687205273691143098332585753343424131937,
        14035240266687799601661095864649209771790948434046947201833777492504781204499,
    )
    assert _native.babyjubjub_add(P1, P1) == (
        6890855772600357754907169075114257697580319025794532037257385534741338397365,
        4338620300185947561074059802482547481416142213883829469920100239455078257889,
    )


def test_agrees_with_plain_python():
    rng = random.Random(7)
    for scalar in (0, 1, 2, 8, L - 1, L, L + 1, rng.randrange(L), rng.randrange(2**256)):
        assert _native.babyjubjub_mul(P1, scalar) == multiply(scalar, P1) if scalar else IDENTITY
        assert _native.babyjubjub_mul_base8(scalar) == (multiply(scalar, BASE8) if scalar else IDENTITY)
    q = _native.babyjubjub_mul_base8(5)
    assert _native.babyjubjub_add(q, P2) == add(q, P2)
    assert _native.babyjubjub_add(q, (P - q[0], q[1])) == IDENTITY


def test_curve_and_subgroup():
    assert _native.babyjubjub_is_on_curve(P1)
    assert not _native.babyjubjub_is_on_curve((P1[0], P1[1] + 1))
    assert _native.babyjubjub_is_in_subgroup(BASE8)
    assert _native.babyjubjub_is_in_subgroup(IDENTITY)
    assert _native.babyjubjub_is_on_curve(ORDER_TWO)
    assert not _native.babyjubjub_is_in_subgroup(ORDER_TWO)
    assert not _native.babyjubjub_is_in_subgroup(add(BASE8, ORDER_TWO))
    assert (A, D) == (168700, 168696)


def test_coordinates_are_field_elements():
    with pytest.raises(NotInField):
        _native.babyjubjub_is_on_curve((BASE8[0] + P, BASE8[1]))
    with pytest.raises(PointRefused):
        _native.babyjubjub_add(P1, (1, 1))
    with pytest.raises(PointRefused):
        _native.babyjubjub_mul((1, 1), 3)


def test_random_scalars_differ_and_are_in_range():
    scalars = {_native.random_scalar() for _ in range(50)}
    assert len(scalars) == 50
    assert all(0 < scalar < L for scalar in scalars)
    assert max(scalars) > L // 2 > min(scalars)


def test_escrow_round_trip():
    committee = _native.babyjubjub_mul_base8(SECRET)
    ephemeral, escrowed = _native.escrow_encrypt(TAG, KEY, RHO, committee)
    assert ephemeral == multiply(RHO, BASE8)
    shared = multiply(RHO, committee)
    assert escrowed == (KEY + _native.poseidon([TAG, *shared])) % P
    assert _native.escrow_decrypt(TAG, SECRET, ephemeral, escrowed) == KEY
    assert _native.escrow_decrypt(TAG, SECRET + 1, ephemeral, escrowed) != KEY


@pytest.mark.parametrize(
    ("point", "reason"),
    [(IDENTITY, "identity"), (ORDER_TWO, "subgroup"), (add(BASE8, ORDER_TWO), "subgroup"), ((1, 1), "not on")],
)
def test_keys_outside_the_subgroup_are_refused(point, reason):
    with pytest.raises(PointRefused, match=reason):
        _native.escrow_encrypt(TAG, KEY, RHO, point)
    with pytest.raises(PointRefused, match=reason):
        _native.escrow_decrypt(TAG, SECRET, point, 1)


@pytest.mark.parametrize("scalar", [0, L])
def test_scalars_outside_the_order_are_refused(scalar):
    with pytest.raises(OutOfRange):
        _native.escrow_encrypt(TAG, KEY, scalar, BASE8)
    with pytest.raises(OutOfRange):
        _native.escrow_decrypt(TAG, scalar, BASE8, 1)
