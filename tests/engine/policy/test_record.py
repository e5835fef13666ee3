"""The policy record: shapes, canonical bytes, the two constant policies, the settlement vector."""

import numpy as np
import pytest

from tests.support.house import get_policies, make_state, to_fields
from zkmargin.engine.epoch.expiry import ExpiryStep, RefusedSettlement, identity_expiry_step
from zkmargin.engine.policy.bytes import MAGIC
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.checks import check_policy, read_policy
from zkmargin.engine.policy.errors import BoundExceeded, MalformedPolicy
from zkmargin.engine.policy.record import HelperKind, Policy, blank_policy_fields, flat_policy, none_policy
from zkmargin.engine.presets import NO_SPLIT, PRESETS, get_preset

MINI = get_preset("mini")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_constant_policies_are_admissible_and_survive_their_bytes(name):
    for policy in (flat_policy(PRESETS[name]), none_policy(PRESETS[name])):
        check_policy(policy)
        assert read_policy(policy.to_bytes(), NO_SPLIT) == policy


@pytest.mark.parametrize("size", ["mini", "standard"])
def test_house_policies_survive_their_bytes(size):
    for policy in get_policies(size).values():
        read = read_policy(policy.to_bytes(), NO_SPLIT)
        assert read == policy and read.hash == policy.hash and hash(read) == hash(policy)
        assert np.array_equal(read.positions, policy.positions) and read.constants == policy.constants
        assert read.helper_kinds == policy.helper_kinds


def test_one_bit_of_content_changes_the_hash():
    policy = get_policies("mini")["initial"]
    fields = to_fields(policy)
    fields["positions"][14, 1] += 1
    other = Policy(name=policy.name, preset=policy.preset, **fields)
    assert other != policy and other.hash != policy.hash
    renamed = Policy(name="other", preset=policy.preset, **to_fields(policy))
    assert renamed.hash != policy.hash


def test_arrays_cannot_be_written():
    policy = get_policies("mini")["initial"]
    with pytest.raises(ValueError, match="read-only"):
        policy.positions[0, 0] = 1


def test_the_record_does_not_alias_the_builder():
    fields = blank_policy_fields(MINI)
    policy = Policy(name="x", preset=MINI, **fields)
    fields["positions"][0, 0] = 7
    assert policy.positions[0, 0] == 0


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("positions", np.zeros((MINI.rows, MINI.slots + 1), dtype=np.int64)),
        ("positions", np.zeros((MINI.rows, MINI.slots))),
        ("cash", np.zeros(MINI.rows - 1, dtype=np.int64)),
        ("weights", np.full(MINI.excess_rows, 2**63, dtype=np.uint64)),
        ("constants", [0] * (MINI.rows - 1)),
        ("helper_kinds", [HelperKind.UNUSED] * (MINI.helpers + 1)),
        ("helper_kinds", [9] * MINI.helpers),
    ],
)
def test_wrong_shapes_and_types_are_refused(what, value):
    with pytest.raises(MalformedPolicy) as refusal:
        Policy(name="x", preset=MINI, **{**blank_policy_fields(MINI), what: value})
    assert refusal.value.what == what


@pytest.mark.parametrize("name", ["", "x" * 32, "größe", "line\n"])
def test_names_are_short_printable_ascii(name):
    with pytest.raises(MalformedPolicy):
        Policy(name=name, preset=MINI, **blank_policy_fields(MINI))


def test_the_longest_name_ends_with_a_zero_on_chain():
    policy = Policy(name="x" * 31, preset=MINI, **blank_policy_fields(MINI))
    assert policy.name_bytes32 == b"x" * 31 + b"\0" and read_policy(policy.to_bytes(), NO_SPLIT) == policy


def test_bytes_with_a_longer_name_are_refused():
    data = Policy(name="x" * 31, preset=MINI, **blank_policy_fields(MINI)).to_bytes()
    with pytest.raises(MalformedPolicy) as refusal:
        read_policy(_edit(data, len(MAGIC), b"x" * 32), NO_SPLIT)
    assert refusal.value.what == "name"


def test_name_on_chain():
    assert get_policies("mini")["net_delta"].name_bytes32 == b"net_delta" + bytes(23)


def _edit(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize(
    "break_it",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: _edit(data, len(MAGIC) - 1, b"\2"),
        lambda data: _edit(data, len(MAGIC), b"\xff"),
        lambda data: _edit(data, len(MAGIC) + 5, b"\0"),  # a zero inside the name
        lambda data: _edit(data, len(MAGIC) + 32, b"nini"),
        lambda data: _edit(data, len(MAGIC) + 64, b"\0\x11"),  # another number of slots
        lambda data: _edit(data, len(MAGIC) + 72, b"\x07"),  # an unknown helper kind
    ],
)
def test_bytes_that_are_not_canonical_are_refused(break_it):
    data = get_policies("mini")["initial"].to_bytes()
    with pytest.raises(MalformedPolicy):
        read_policy(break_it(data), NO_SPLIT)


def test_a_span_with_a_zero_at_its_end_is_refused():
    """The same positions under a longer span would be a second encoding of one policy."""
    data = flat_policy(MINI).to_bytes()
    assert data[-4:] == bytes(4)
    with pytest.raises(MalformedPolicy):
        read_policy(data[:-4] + b"\0\0\0\1" + bytes(5), NO_SPLIT)
    with pytest.raises(MalformedPolicy):
        read_policy(data[:-4] + b"\0\x10\0\1" + bytes(5), NO_SPLIT)


def test_bytes_of_a_refused_policy_are_refused():
    fields = blank_policy_fields(MINI)
    fields["cash"][40] = -1
    policy = Policy(name="x", preset=MINI, **fields)
    with pytest.raises(BoundExceeded):
        read_policy(policy.to_bytes(), NO_SPLIT)


class TestFlat:
    policy = flat_policy(MINI)

    def test_collateral_and_cash_are_allowed(self):
        certificate = find_certificate(self.policy, make_state(16, {0: 5, 8: 2**30 - 1}, cash=1))
        assert certificate.charges == (0, 0) and min(certificate.slacks) >= 0

    @pytest.mark.parametrize("slot", [*range(1, 8), *range(9, 16)])
    @pytest.mark.parametrize("lots", [1, -1])
    def test_one_lot_of_any_derivative_is_refused(self, slot, lots):
        with pytest.raises(RequirementNotMet) as refusal:
            find_certificate(self.policy, make_state(16, {slot: lots}, cash=10**12))
        assert refusal.value.rows == (MINI.rows - 2,)

    @pytest.mark.parametrize("slot", [0, 8])
    def test_owed_collateral_is_refused(self, slot):
        with pytest.raises(RequirementNotMet):
            find_certificate(self.policy, make_state(16, {slot: -1}))

    def test_debt_is_refused(self):
        with pytest.raises(RequirementNotMet) as refusal:
            find_certificate(self.policy, make_state(16, {8: 10**6}, cash=-1))
        assert refusal.value.rows == (MINI.rows - 1,) and refusal.value.missing_usd6 == 1

    @pytest.mark.parametrize("name", sorted(PRESETS))
    def test_its_rows_are_hard(self, name):
        policy = flat_policy(PRESETS[name])
        used = np.flatnonzero(policy.cash | policy.charges.any(axis=1))
        assert used.size == 2 and used.min() >= policy.preset.excess_rows and not policy.soft.any()


def test_none_accepts_anything():
    certificate = find_certificate(none_policy(MINI), make_state(16, {3: -(2**30) + 1}, cash=-(2**80) + 1))
    assert set(certificate.slacks) == {0} and certificate.charges == (0, 0)


class TestSettlement:
    def test_identity(self):
        identity = identity_expiry_step(MINI)
        assert identity.is_identity and ExpiryStep.from_bytes(identity.to_bytes(), MINI) == identity

    def test_round_trip(self):
        drop, payoff = np.zeros(16, dtype=np.int64), np.zeros(16, dtype=np.int64)
        drop[3], payoff[3], drop[4] = 1, 2**36 - 1, 1
        settlement = ExpiryStep(MINI, drop, payoff)
        read = ExpiryStep.from_bytes(settlement.to_bytes(), MINI)
        assert read == settlement and read.hash == settlement.hash and not read.is_identity
        assert read != identity_expiry_step(MINI)

    @pytest.mark.parametrize(
        ("slot", "drop", "payoff", "what"),
        [
            (0, 1, 0, "drop or payoff"),
            (8, 0, 5, "drop or payoff"),
            (3, 2, 0, "drop"),
            (3, 0, 5, "payoff"),
            (3, 1, 2**36, "payoff"),
            (3, 1, -(2**36), "payoff"),
        ],
    )
    def test_refusals(self, slot, drop, payoff, what):
        drops, payoffs = np.zeros(16, dtype=np.int64), np.zeros(16, dtype=np.int64)
        drops[slot], payoffs[slot] = drop, payoff
        with pytest.raises(RefusedSettlement) as refusal:
            ExpiryStep(MINI, drops, payoffs)
        assert (refusal.value.slot, refusal.value.what) == (slot, what)

    @pytest.mark.parametrize("break_it", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b"x" + b[1:]])
    def test_bytes(self, break_it):
        with pytest.raises(MalformedPolicy):
            ExpiryStep.from_bytes(break_it(identity_expiry_step(MINI).to_bytes()), MINI)
