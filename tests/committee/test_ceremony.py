"""Ceremonies: what comes of them, and who is named when one goes wrong, round by round."""

from dataclasses import replace

import pytest

from tests.support.committees import (
    Committee,
    get_committee,
    make_identities,
    make_parts,
    make_roster,
    run_ceremony,
)
from zkmargin.committee.ceremony import Board, Ceremony, Dealer, Receiver, make_dealing
from zkmargin.committee.errors import CeremonyAborted, CommitteeInvalid, Fault, FaultKind, MessageRefused
from zkmargin.committee.group import BASE8, ORDER, compute_id, hash_to_curve, make_scalar, multiply
from zkmargin.committee.messages import Complaint, Dealing, Envelope, Round, Verdict, compute_pledge, seal
from zkmargin.committee.polynomial import compute_weights
from zkmargin.committee.proof import Equation, prove
from zkmargin.committee.record import CommitteeRecord, Identity, read_share_file, write_share_file
from zkmargin.prover.errors import KeyFileError

IDENTITIES = make_identities(3)
ROSTER = make_roster(IDENTITIES, 2)
CEREMONY = Ceremony(b"\1" * 32, ROSTER)
LIAR = 2


class Rehearsal:
    """A key generation among three, in which member 2 may send anything, signed."""

    def __init__(self, ceremony=CEREMONY, previous=None):
        self.ceremony = ceremony
        self.board = Board(ceremony)
        self.dealers, self.receivers = make_parts(ceremony, IDENTITIES, previous)
        self.liar_deals = Dealing.decode(self.dealers[LIAR]._dealing, 3, 2)

    def sign(self, round_, body, member=LIAR):
        self.board.post(seal(self.ceremony.id, round_, member, body, IDENTITIES[member - 1]))

    def pledge(self, body=None):
        for member, dealer in self.dealers.items():
            if member == LIAR and body is not None:
                self.sign(Round.PLEDGE, body)
            else:
                self.board.post(dealer.pledge())

    def deal(self, body=None):
        """Pledges and deals; the liar deals `body`, and pledged it."""
        self.pledge(None if body is None else compute_pledge(body))
        for member, dealer in self.dealers.items():
            if member == LIAR and body is not None:
                self.sign(Round.DEALING, body)
            else:
                self.board.post(dealer.deal(self.board))

    def judge(self, skip=()):
        for member, receiver in self.receivers.items():
            if member not in skip:
                self.board.post(receiver.judge(self.board))

    def get_faults(self, round_):
        with pytest.raises(CeremonyAborted) as aborted:
            self.board.require(round_)
        return aborted.value.faults


def blame(round_, kind, member=LIAR):
    return (Fault(round_.label, member, kind),)


def recover_secret(committee: Committee, members) -> int:
    weights = compute_weights(members)
    return sum(w * s.share.reveal() for w, s in zip(weights, committee.pick(*members), strict=True)) % ORDER


# ------------------------------------------------------------------------------------------------------------ outcome
@pytest.mark.property("P-252")
@pytest.mark.parametrize(("size", "threshold"), [(3, 2), (5, 3), (4, 4)])
def test_every_threshold_of_members_holds_the_key_and_a_share_of_zero(size, threshold):
    committee = get_committee(size, threshold)
    for members in (tuple(range(1, threshold + 1)), tuple(range(size - threshold + 1, size + 1))):
        assert multiply(BASE8, recover_secret(committee, members)) == committee.record.public_key
        weights = compute_weights(members)
        blinds = (share.blind.reveal() for share in committee.pick(*members))
        assert sum(weight * blind for weight, blind in zip(weights, blinds, strict=True)) % ORDER == 0
    assert all(share.blind.reveal() for share in committee.shares)


def test_everybody_computes_the_same_record():
    committee = get_committee()
    assert all(share.record == committee.record for share in committee.shares)
    assert CommitteeRecord.decode(committee.record.encode()) == committee.record


@pytest.mark.property("P-253")
def test_a_refresh_keeps_the_key_and_changes_every_share():
    old = get_committee()
    ceremony = Ceremony(b"\2" * 32, old.record.roster, old.record, (1, 3, 4))
    new = run_ceremony(ceremony, old.identities, old)
    assert new.record.public_key == old.record.public_key
    assert new.record.setup_id != old.record.setup_id
    assert recover_secret(new, (2, 3, 5)) == recover_secret(old, (1, 2, 3))
    assert not any(a.share == b.share or a.blind == b.blind for a, b in zip(old.shares, new.shares, strict=True))
    mixed = Committee(old.identities, (*old.pick(1), *new.pick(2, 3)))
    assert recover_secret(mixed, (1, 2, 3)) != recover_secret(old, (1, 2, 3))


@pytest.mark.property("P-253")
def test_resharing_to_others_with_another_threshold_keeps_the_key():
    old, identities = get_committee(), make_identities(7)
    ceremony = Ceremony(b"\3" * 32, make_roster(identities, 4), old.record, (2, 4, 5))
    new = run_ceremony(ceremony, identities, old)
    assert new.record.public_key == old.record.public_key
    assert recover_secret(new, (1, 4, 6, 7)) == recover_secret(old, (1, 2, 3))


# -------------------------------------------------------------------------------------------------------------- faults
@pytest.mark.property("P-254")
@pytest.mark.parametrize("round_", Round)
def test_a_member_that_crashes_is_named(round_):
    scene = Rehearsal()
    if round_ > Round.PLEDGE:
        scene.pledge()
    if round_ > Round.DEALING:
        for dealer in scene.dealers.values():
            scene.board.post(dealer.deal(scene.board))
    others = [m for m in (1, 2, 3) if m != LIAR]
    for member in others:
        if round_ is Round.VERDICT:
            scene.board.post(scene.receivers[member].judge(scene.board))
        else:
            dealer = scene.dealers[member]
            scene.board.post(dealer.pledge() if round_ is Round.PLEDGE else dealer.deal(scene.board))
    assert scene.get_faults(round_) == blame(round_, FaultKind.MISSING)


@pytest.mark.property("P-254")
@pytest.mark.parametrize("round_", Round)
def test_a_member_that_signs_two_messages_in_a_round_is_named(round_):
    scene = Rehearsal()
    scene.deal()
    scene.judge()
    scene.board.require(Round.VERDICT)
    scene.sign(round_, b"another")
    assert scene.get_faults(round_) == blame(round_, FaultKind.EQUIVOCATED)


def test_the_same_message_twice_is_one():
    scene = Rehearsal()
    scene.deal()
    scene.pledge()
    scene.judge()
    assert scene.receivers[1].finish(scene.board).member == 1


@pytest.mark.property("P-254")
def test_a_pledge_of_another_length_names_its_sender():
    scene = Rehearsal()
    scene.pledge(bytes(31))
    assert scene.get_faults(Round.PLEDGE) == blame(Round.PLEDGE, FaultKind.MALFORMED)


@pytest.mark.property("P-254")
def test_dealing_something_else_than_pledged_names_the_dealer():
    scene = Rehearsal()
    scene.pledge(compute_pledge(b"another"))
    for dealer in scene.dealers.values():
        scene.board.post(dealer.deal(scene.board))
    assert scene.get_faults(Round.DEALING) == blame(Round.DEALING, FaultKind.PLEDGE_BROKEN)


@pytest.mark.property("P-254")
@pytest.mark.parametrize("change", [lambda body: body[:-1], lambda body: body[:-32] + b"\xff" * 32])
def test_a_dealing_out_of_form_names_the_dealer(change):
    scene = Rehearsal()
    scene.deal(change(scene.liar_deals.encode()))
    assert scene.get_faults(Round.DEALING) == blame(Round.DEALING, FaultKind.MALFORMED)


@pytest.mark.property("P-255")
def test_a_constant_made_of_the_others_cannot_be_proved():
    """A rogue key: the last dealer subtracts what the others committed to, so that the sum is a key of its own."""
    scene = Rehearsal()
    chosen = multiply(BASE8, 5)
    rogue = replace(scene.liar_deals, coefficients=(chosen, scene.liar_deals.coefficients[1]))
    scene.deal(rogue.encode())
    assert scene.get_faults(Round.DEALING) == blame(Round.DEALING, FaultKind.PROOF_WRONG)


@pytest.mark.property("P-255")
def test_anothers_ephemeral_point_cannot_be_dealt_with():
    """Or a complaint about the copy would show the point under which the original hides its shares."""
    scene = Rehearsal()
    original = Dealing.decode(scene.dealers[1]._dealing, 3, 2)
    scene.deal(replace(scene.liar_deals, ephemeral=original.ephemeral).encode())
    assert scene.get_faults(Round.DEALING) == blame(Round.DEALING, FaultKind.PROOF_WRONG)


@pytest.mark.property("P-255")
def test_a_proof_of_another_ceremony_is_none():
    other = make_dealing(Ceremony(b"\7" * 32, ROSTER), LIAR, make_scalar())
    scene = Rehearsal()
    scene.deal(other.encode())
    assert scene.get_faults(Round.DEALING) == blame(Round.DEALING, FaultKind.PROOF_WRONG)


@pytest.mark.property("P-254")
@pytest.mark.parametrize("value", [0, 1])
def test_shares_that_do_not_fit_name_the_dealer_and_abort(value):
    scene = Rehearsal()
    wrong = [list(pair) for pair in scene.liar_deals.shares]
    wrong[2][value] = (wrong[2][value] + 1) % ORDER
    scene.deal(replace(scene.liar_deals, shares=tuple(map(tuple, wrong))).encode())
    scene.judge()
    assert scene.get_faults(Round.VERDICT) == blame(Round.DEALING, FaultKind.SHARE_WRONG)
    with pytest.raises(CeremonyAborted):
        scene.receivers[1].finish(scene.board)


def make_complaint(scene, shared=None, secret=None):
    """Of the liar against dealer 1; the point or the secret may be another than its own."""
    dealing = Dealing.decode(scene.dealers[1]._dealing, 3, 2)
    identity = IDENTITIES[LIAR - 1]
    shared = shared or multiply(dealing.ephemeral, identity.secret.reveal())
    equations = (Equation(identity.public, ((0, BASE8),)), Equation(shared, ((0, dealing.ephemeral),)))
    return Complaint(shared, prove("complaint", CEREMONY.bind_dealer(1), equations, [secret or identity.secret]))


@pytest.mark.property("P-254")
@pytest.mark.parametrize("shared", [None, hash_to_curve("test", b"another")])
def test_a_false_complaint_names_its_sender(shared):
    scene = Rehearsal()
    scene.deal()
    scene.judge(skip=[LIAR])
    verdict = Verdict(scene.board.compute_transcript(), (make_complaint(scene, shared), None, None))
    scene.sign(Round.VERDICT, verdict.encode())
    assert scene.get_faults(Round.VERDICT) == blame(Round.VERDICT, FaultKind.COMPLAINT_FALSE)


@pytest.mark.property("P-254")
def test_a_verdict_on_other_messages_names_its_sender():
    scene = Rehearsal()
    scene.deal()
    scene.judge(skip=[LIAR])
    scene.sign(Round.VERDICT, Verdict(compute_id("other"), (None, None, None)).encode())
    assert scene.get_faults(Round.VERDICT) == blame(Round.VERDICT, FaultKind.TRANSCRIPT_DIFFERS)


@pytest.mark.property("P-250")
@pytest.mark.parametrize("flag", [0, 2])
def test_an_empty_place_of_a_verdict_has_one_form(flag):
    scene = Rehearsal()
    scene.deal()
    scene.judge(skip=[LIAR])
    body = Verdict(scene.board.compute_transcript(), (None, None, None)).encode()
    scene.sign(Round.VERDICT, body[:32] + bytes([flag]) + b"\1" + body[34:])
    assert scene.get_faults(Round.VERDICT) == blame(Round.VERDICT, FaultKind.MALFORMED)


@pytest.mark.property("P-253")
def test_resharing_another_secret_names_the_dealer():
    previous = run_ceremony(CEREMONY, IDENTITIES)
    ceremony = Ceremony(b"\4" * 32, ROSTER, previous.record, (1, LIAR))
    scene = Rehearsal(ceremony, previous)
    scene.deal(make_dealing(ceremony, LIAR, make_scalar()).encode())
    assert scene.get_faults(Round.DEALING) == blame(Round.DEALING, FaultKind.CONSTANT_WRONG)


# ----------------------------------------------------------------------------------------------------------- messages
@pytest.mark.property("P-250")
def test_messages_have_one_length_and_one_reading():
    scene = Rehearsal()
    scene.deal()
    sizes = {len(dealer._dealing) for dealer in scene.dealers.values()}
    sizes_of_verdicts = {len(receiver.judge(scene.board)) for receiver in scene.receivers.values()}
    assert len(sizes) == len(sizes_of_verdicts) == 1
    data = scene.receivers[1].judge(scene.board)
    assert Envelope.decode(data).encode() == data
    body = scene.liar_deals.encode()
    assert Dealing.decode(body, 3, 2).encode() == body
    verdict = Verdict(bytes(32), (make_complaint(scene), None, None))
    assert Verdict.decode(verdict.encode(), 3) == verdict
    assert len(verdict.encode()) == len(Verdict(bytes(32), (None, None, None)).encode())


def test_a_message_that_its_sender_did_not_sign_is_nobodys():
    scene = Rehearsal()
    data = scene.dealers[1].pledge()
    body = bytes([data[40] ^ 1])
    for changed, reason in (
        (data[:40] + body + data[41:], "not signed by member 1"),
        (data[:33] + b"\0\3" + data[35:], "not signed by member 3"),
        (data[:33] + b"\0\4" + data[35:], "from member 4"),
        (bytes(32) + data[32:], "of another ceremony"),
        (data[:32] + b"\4" + data[33:], "round 4, allowed: 1 to 3"),
        (data[:60], "has 60 bytes"),
    ):
        with pytest.raises(MessageRefused, match=reason):
            scene.board.post(changed)
    assert scene.get_faults(Round.PLEDGE) == tuple(Fault("pledge", member, FaultKind.MISSING) for member in (1, 2, 3))


def test_no_dealing_is_shown_before_every_pledge():
    scene = Rehearsal()
    scene.board.post(scene.dealers[1].pledge())
    with pytest.raises(CeremonyAborted):
        scene.dealers[1].deal(scene.board)


# ----------------------------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(("size", "threshold"), [(2, 2), (65, 33), (4, 2), (5, 6)])
def test_sizes_that_no_committee_has(size, threshold):
    identities = tuple(multiply(BASE8, n + 1) for n in range(size))
    with pytest.raises(CommitteeInvalid):
        replace(ROSTER, identities=identities, threshold=threshold)


def test_an_identity_has_one_place():
    with pytest.raises(CommitteeInvalid, match="of one identity twice"):
        replace(ROSTER, identities=(*ROSTER.identities[:2], ROSTER.identities[0]))


@pytest.mark.parametrize("dealers", [(1, 2), (3, 2, 1), (1, 2, 6), (1, 1, 2), (1, 2, 3, 4)])
def test_as_many_dealers_as_the_old_threshold_reshare(dealers):
    with pytest.raises(CommitteeInvalid, match="3 members of the previous committee, in order"):
        Ceremony(bytes(32), ROSTER, get_committee().record, dealers)


def test_parts_are_played_by_their_own():
    stranger = Identity.create()
    with pytest.raises(CommitteeInvalid, match="identity of dealer 1"):
        Dealer(CEREMONY, 1, stranger)
    with pytest.raises(CommitteeInvalid, match="identity of receiver 1"):
        Receiver(CEREMONY, 1, stranger)
    with pytest.raises(CommitteeInvalid, match="share of a dealer"):
        Dealer(CEREMONY, 1, IDENTITIES[0], get_committee().shares[0])


@pytest.mark.property("P-252")
@pytest.mark.parametrize("field", ["public_key", "share_keys", "blind_keys"])
def test_a_record_whose_keys_are_no_polynomials_is_refused(field):
    record = get_committee().record
    other = multiply(BASE8, 17)
    value = other if field == "public_key" else (*getattr(record, field)[:4], other)
    with pytest.raises(CommitteeInvalid, match="of no polynomial"):
        replace(record, **{field: value})


# --------------------------------------------------------------------------------------------------------------- files
def test_a_share_file_is_read_back_and_private(tmp_path):
    share = get_committee().shares[3]
    path = tmp_path / "share.json"
    write_share_file(path, share)
    assert read_share_file(path) == share
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text(path.read_text().replace('"member": 4', '"member": 2'))
    with pytest.raises(KeyFileError, match="malformed") as refused:
        read_share_file(path)
    assert f"{share.share.reveal():x}" not in str(refused.value)


@pytest.mark.property("P-259")
def test_nothing_that_is_printed_shows_a_secret():
    share = get_committee().shares[0]
    texts = (repr(share), str(share), repr(Identity.create()), f"{share.share}")
    secrets = (share.share.reveal(), share.blind.reveal())
    assert not any(str(secret) in text or f"{secret:x}" in text for secret in secrets for text in texts)
    with pytest.raises(CommitteeInvalid) as refused:
        replace(share, member=2)
    assert str(share.share.reveal()) not in str(refused.value)
