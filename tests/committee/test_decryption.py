"""Opening an escrow: the key that the chain's commitment is of, shares bound to their context, and wrong ones named."""

from dataclasses import replace

import pytest

from tests.support.committees import KEY, get_committee, make_request, run_ceremony
from tests.support.scenes import DOMAIN, make_account
from zkmargin.committee.ceremony import Ceremony
from zkmargin.committee.decryption import (
    DecryptionShare,
    check_share,
    give_share,
    open_escrow,
)
from zkmargin.committee.errors import CommitteeInvalid, MessageRefused, ShareRefused, TooFewShares
from zkmargin.committee.group import BASE8, ORDER, combine, encode_point, hash_to_curve, make_scalar, multiply
from zkmargin.committee.polynomial import compute_weights
from zkmargin.prover.account.account import Account
from zkmargin.prover.account.recovery import Opened, recover_account
from zkmargin.prover.actions.opening import build_opening
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.statement.commitment import hash_chain
from zkmargin.prover.statement.signals import FIELD_MODULUS, TAGS

COMMITTEE = get_committee()
RECORD = COMMITTEE.record
REQUEST = make_request(RECORD)


def give(request, *members, committee=COMMITTEE):
    return [give_share(share, request) for share in committee.pick(*members)]


# ------------------------------------------------------------------------------------------------------------- opening
@pytest.mark.property("P-256")
@pytest.mark.parametrize("members", [(1, 2, 3), (5, 1, 4), (1, 2, 3, 4, 5)])
def test_any_threshold_of_members_opens(members):
    assert open_escrow(RECORD, REQUEST, give(REQUEST, *members)).key == KEY


@pytest.mark.property("P-256")
def test_what_the_committee_reads_is_what_the_chains_commitment_is_of():
    account = make_account()
    fresh = Account.create(DOMAIN, account.auth, account.index, account.key, account.preset, 0)
    opening = build_opening(fresh, DOMAIN, RECORD.public_key, 1, 9)
    request = make_request(RECORD, account=fresh.id, commitment=fresh.commitment, escrow=opening.escrow)
    key = open_escrow(RECORD, request, give(request, 2, 3, 5)).key
    event = Opened(fresh.id, fresh.auth, fresh.index, 0, opening.message.commitment)
    assert recover_account(fresh.id, [event], DOMAIN, fresh.preset, {}, key) == fresh


@pytest.mark.property("P-253")
def test_a_refreshed_committee_opens_what_was_escrowed_before():
    ceremony = Ceremony(b"\x09" * 32, RECORD.roster, RECORD, (1, 2, 3))
    new = run_ceremony(ceremony, COMMITTEE.identities, COMMITTEE)
    assert open_escrow(new.record, REQUEST, give(REQUEST, 3, 4, 5, committee=new)).key == KEY
    old_and_new = [*give(REQUEST, 1), *give(REQUEST, 2, 3, committee=new)]
    with pytest.raises(TooFewShares) as refused:
        open_escrow(new.record, REQUEST, old_and_new)
    assert [refusal.member for refusal in refused.value.refused] == [1]


@pytest.mark.property("P-257")
def test_too_few_shares_open_nothing():
    with pytest.raises(TooFewShares, match="2 good shares, needed: 3"):
        open_escrow(RECORD, REQUEST, give(REQUEST, 1, 4))
    with pytest.raises(TooFewShares, match="2 good shares, needed: 3"):
        open_escrow(RECORD, REQUEST, give(REQUEST, 1, 1, 4))


@pytest.mark.property("P-257")
def test_shares_below_the_threshold_fit_every_plaintext():
    """For any secret there is a polynomial on which members 1 and 2 hold what ours hold and whose constant it is; and
    their shares of this very decryption complete to any shared point. So they tell nothing about which it is.
    """
    held = [share.share.reveal() for share in COMMITTEE.pick(1, 2)]
    for secret in (1, ORDER - 1, make_scalar().reveal()):
        third = interpolate((0, 1, 2), (secret, *held), at=3)
        assert interpolate((1, 2, 3), (*held, third), at=0) == secret
    given = [share.point for share in give(REQUEST, 1, 2)]
    for number in range(3):
        shared = hash_to_curve("any shared point", bytes([number]))
        simulated = combine(compute_weights([0 - 3, 1 - 3, 2 - 3]), (shared, *given))
        assert combine(compute_weights([1, 2, 3]), (*given, simulated)) == shared


def interpolate(places, values, at):
    """Value at `at` of the polynomial through the points, modulo l."""
    weights = compute_weights([place - at for place in places])
    return sum(weight * value for weight, value in zip(weights, values, strict=True)) % ORDER


# ------------------------------------------------------------------------------------------------------------- context
CONTEXTS = {
    "chain": {"domain": Domain(1, DOMAIN.clearing_house, DOMAIN.risk_oracle)},
    "clearing house": {"domain": Domain(DOMAIN.chain_id, "0x" + "12" * 20, DOMAIN.risk_oracle)},
    "account": {"account": b"\7" * 32},
    "commitment": {"commitment": 78},
    "freeze": {"freeze_block": 1_235},
    "branch of the chain": {"freeze_block_hash": b"\7" * 32},
    "escrowed key": {"escrow": replace(REQUEST.escrow, escrowed_key=1)},
}


@pytest.mark.property("P-258")
@pytest.mark.parametrize("context", CONTEXTS)
def test_a_share_of_another_context_is_refused_and_named(context):
    other = replace(REQUEST, **CONTEXTS[context])
    with pytest.raises(ShareRefused, match="share of member 3: not proved"):
        check_share(RECORD, REQUEST, give(other, 3)[0])
    shares = [*give(REQUEST, 1, 2), *give(other, 3)]
    with pytest.raises(TooFewShares, match="share of member 3"):
        open_escrow(RECORD, REQUEST, shares)
    assert open_escrow(RECORD, REQUEST, [*shares, *give(REQUEST, 4)]).key == KEY


@pytest.mark.property("P-258")
@pytest.mark.parametrize("context", CONTEXTS)
def test_shares_of_different_contexts_do_not_combine_without_their_proofs_either(context):
    """Who ignores the proofs adds up a point that is not x R: the blinds cancel within one context only."""
    other = replace(REQUEST, **CONTEXTS[context])
    points = [share.point for share in (*give(REQUEST, 1, 2), *give(other, 3))]
    secret = sum(w * s.share.reveal() for w, s in zip(compute_weights([1, 2, 3]), COMMITTEE.pick(1, 2, 3), strict=True))
    right = multiply(REQUEST.escrow.ephemeral, secret)
    assert combine(compute_weights([1, 2, 3]), points) != right
    assert combine(compute_weights([1, 2, 3]), [share.point for share in give(REQUEST, 1, 2, 3)]) == right


@pytest.mark.property("P-258")
def test_a_plain_share_would_combine_with_those_of_any_context():
    """What the blinds are for: x_i R does not depend on the freeze, so an aborted freeze completes the next."""
    plain = [multiply(REQUEST.escrow.ephemeral, share.share.reveal()) for share in COMMITTEE.pick(1, 2, 3)]
    pad = hash_chain([TAGS["ESCROW"], *combine(compute_weights([1, 2, 3]), plain)])
    assert (REQUEST.escrow.escrowed_key - pad) % FIELD_MODULUS == KEY.reveal()
    assert not set(plain) & {share.point for share in give(REQUEST, 1, 2, 3)}


# -------------------------------------------------------------------------------------------------------- wrong shares
@pytest.mark.property("P-256")
def test_wrong_shares_are_named_and_left_out():
    shares = give(REQUEST, 1, 2, 3, 4, 5)
    shares[1] = replace(shares[1], point=multiply(shares[1].point, 2))
    shares[3] = replace(shares[3], member=1, point=shares[3].point)
    opened = open_escrow(RECORD, REQUEST, shares)
    assert opened.key == KEY
    assert [refusal.member for refusal in opened.refused] == [2, 1]


@pytest.mark.property("P-256")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"member": 6}, "no member; allowed: 1 to 5"),
        ({"member": 0}, "no member; allowed: 1 to 5"),
        ({"member": 2}, "not proved"),
        ({"point": (0, 1)}, "prime-order subgroup"),
        ({"point": BASE8}, "not proved"),
    ],
)
def test_a_share_that_is_not_the_members_is_refused(change, reason):
    share = give(REQUEST, 1)[0]
    check_share(RECORD, REQUEST, share)
    with pytest.raises(ShareRefused, match=reason):
        check_share(RECORD, REQUEST, replace(share, **change))


@pytest.mark.property("P-256")
def test_a_share_by_one_secret_alone_is_refused():
    """A member that leaves its blind out gives a context-free share; the proof does not let it."""
    share = COMMITTEE.shares[0]
    base = REQUEST.compute_base(RECORD)
    plain = multiply(REQUEST.escrow.ephemeral, share.share.reveal())
    assert combine((1, share.blind.reveal()), (plain, base)) == give(REQUEST, 1)[0].point
    with pytest.raises(ShareRefused, match="not proved"):
        check_share(RECORD, REQUEST, replace(give(REQUEST, 1)[0], point=plain))


@pytest.mark.property("P-250")
def test_a_share_has_one_length_and_one_reading():
    share = give(REQUEST, 4)[0]
    data = share.encode()
    assert len(data) == 162 and DecryptionShare.decode(data) == share
    with pytest.raises(MessageRefused, match="has 163 bytes"):
        DecryptionShare.decode(data + b"\0")
    with pytest.raises(MessageRefused, match="prime-order subgroup"):
        DecryptionShare.decode(data[:2] + encode_point((0, 1)) + data[66:])


@pytest.mark.property("P-256")
def test_an_escrow_to_another_committee_is_refused():
    other = get_committee(3, 2)
    for call in (
        lambda: give_share(other.shares[0], REQUEST),
        lambda: open_escrow(other.record, REQUEST, []),
        lambda: check_share(other.record, REQUEST, give(REQUEST, 1)[0]),
    ):
        with pytest.raises(CommitteeInvalid, match="committee key of the escrow"):
            call()


@pytest.mark.property("P-250")
@pytest.mark.parametrize("ephemeral", [(0, 1), (1, 1)])
def test_an_escrow_off_the_subgroup_is_refused(ephemeral):
    with pytest.raises(MessageRefused, match="prime-order subgroup"):
        make_request(RECORD, escrow=replace(REQUEST.escrow, ephemeral=ephemeral))


@pytest.mark.property("P-259")
def test_a_share_is_not_printed():
    share = give(REQUEST, 1)[0]
    assert repr(share) == "DecryptionShare(member 1, hidden)"
    assert str(share.point[0]) not in str([share])
    assert "hidden" in repr(open_escrow(RECORD, REQUEST, give(REQUEST, 1, 2, 3)))
