"""Ceremonies that make a committee's key, or hand it on: key generation, refresh, resharing.

One protocol of three rounds over a public board, after Pedersen (1991) with Feldman's commitments. Each dealer pledges
a dealing, then publishes it: commitments to a polynomial f and to one g with g(0) = 0, a proof that it knows f(0), and
f(j), g(j) encrypted to each receiver j. Each receiver adds up what it got, or complains with a proof that lets
everybody decrypt the values in question. A ceremony succeeds without a fault, or aborts with the names of all who were
at fault.

- *Key generation*: every member deals a random f(0). Member j's share is the sum; the key is the sum of f(0) Base8.
- *Resharing*: t members of the old committee deal their shares, weighted by Lagrange's coefficients, to the new one.
  The key stays. A *refresh* is a resharing to the same members.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from zkmargin.committee.errors import CeremonyAborted, CommitteeInvalid, Fault, FaultKind, MessageRefused
from zkmargin.committee.group import (
    BASE8,
    ORDER,
    combine,
    compute_id,
    encode_point,
    hash_to_scalar,
    make_scalar,
    multiply,
)
from zkmargin.committee.messages import (
    Complaint,
    Dealing,
    Envelope,
    Round,
    Verdict,
    compute_pledge,
    seal,
)
from zkmargin.committee.polynomial import commit, compute_weights, evaluate, evaluate_commitment, make_polynomial
from zkmargin.committee.proof import Equation, is_proven, prove
from zkmargin.committee.record import CommitteeRecord, Identity, MemberShare, Roster
from zkmargin.prover.account.escrow import Point
from zkmargin.prover.statement.secret import Secret

NOTHING = Secret(0)
"""Constant of the polynomial that blinds."""


# ---------------------------------------------------------------------------------------------------------- ceremony
@dataclass(frozen=True)
class Ceremony:
    """Who deals what to whom. Everybody agrees on it before it begins."""

    label: bytes
    """32 bytes that no other ceremony of these members has, such as a hash of venue and count."""
    receivers: Roster
    """The committee that comes of it, with its threshold."""
    previous: CommitteeRecord | None = None
    """The committee whose key is handed on; None makes a new key."""
    dealers: tuple[int, ...] = ()
    """Members of the previous committee who deal, as many as its threshold; all receivers deal a new key."""

    def __post_init__(self) -> None:
        if len(self.label) != 32:
            raise CommitteeInvalid("label of the ceremony", f"of {len(self.label)} bytes", "32 bytes")
        if self.previous is None:
            object.__setattr__(self, "dealers", tuple(self.receivers.members))
            return
        allowed = f"{self.previous.roster.threshold} members of the previous committee, in order"
        in_order = list(self.dealers) == sorted(set(self.dealers) & set(self.previous.roster.members))
        if len(self.dealers) != self.previous.roster.threshold or not in_order:
            raise CommitteeInvalid("dealers", self.dealers, allowed)

    @cached_property
    def id(self) -> bytes:
        """Hash of all of it, 32 bytes: every message is bound to it."""
        previous = self.previous.setup_id if self.previous else b""
        return compute_id("ceremony", self.label, self.receivers.encode(), previous, bytes(self.dealers))

    @property
    def weights(self) -> dict[int, int]:
        """What each dealer's polynomial counts: 1 in a key generation, Lagrange's coefficient in a resharing."""
        counts = compute_weights(self.dealers) if self.previous else [1] * len(self.dealers)
        return dict(zip(self.dealers, counts, strict=True))

    def get_senders(self, round_: Round) -> dict[int, Point]:
        """Who sends in a round, with their identities."""
        if round_ is Round.VERDICT:
            return dict(zip(self.receivers.members, self.receivers.identities, strict=True))
        roster = self.previous.roster if self.previous else self.receivers
        return {dealer: roster.get_identity(dealer) for dealer in self.dealers}

    def bind_dealer(self, dealer: int) -> bytes:
        """What a dealer's proof is bound to."""
        return self.id + dealer.to_bytes(2, "big")


# ------------------------------------------------------------------------------------------------------------- board
@dataclass
class Board:
    """The messages of a ceremony, as one member or a spectator has them."""

    ceremony: Ceremony
    _bodies: dict[tuple[Round, int], bytes] = field(default_factory=dict)
    _equivocations: set[tuple[Round, int]] = field(default_factory=set)

    def post(self, data: bytes) -> None:
        """Take a message up. The same one twice is one; two different ones are a fault of their sender.

        Raises
        ------
        MessageRefused
            If it is no message of this ceremony, or its sender did not sign it: then it is nobody's.
        """
        envelope = Envelope.decode(data)
        if envelope.ceremony_id != self.ceremony.id:
            raise MessageRefused("envelope", "of another ceremony")
        senders = self.ceremony.get_senders(envelope.round)
        if envelope.sender not in senders:
            raise MessageRefused("envelope", f"from member {envelope.sender}, allowed: {sorted(senders)}")
        if not envelope.is_signed_by(senders[envelope.sender]):
            raise MessageRefused("envelope", f"not signed by member {envelope.sender}")
        place = envelope.round, envelope.sender
        if self._bodies.setdefault(place, envelope.body) != envelope.body:
            self._equivocations.add(place)

    def get_body(self, round_: Round, sender: int) -> bytes:
        """What a member sent in a round; only after `require` found the round complete."""
        return self._bodies[round_, sender]

    def get_dealings(self) -> dict[int, Dealing]:
        """All dealings, decoded; only after `require(Round.DEALING)`."""
        return {dealer: self._decode_dealing(dealer) for dealer in self.ceremony.dealers}

    def compute_transcript(self) -> bytes:
        """Hash of the first two rounds, 32 bytes."""
        rounds = (Round.PLEDGE, Round.DEALING)
        bodies = (self._bodies[round_, dealer] for round_ in rounds for dealer in self.ceremony.dealers)
        return compute_id("transcript", self.ceremony.id, *bodies)

    def require(self, round_: Round) -> None:
        """Return if a round is complete and without a fault.

        Raises
        ------
        CeremonyAborted
            If not; it names everybody who was at fault, of this round and of those before.
        """
        faults = {Fault(place[0].label, place[1], FaultKind.EQUIVOCATED) for place in self._equivocations}
        for earlier in Round:
            if earlier <= round_:
                faults |= self._find_missing(earlier)
                if not faults:
                    faults |= set(self._judge(earlier))
            if faults:
                raise CeremonyAborted(faults)

    def _find_missing(self, round_: Round) -> set[Fault]:
        senders = self.ceremony.get_senders(round_)
        return {
            Fault(round_.label, member, FaultKind.MISSING) for member in senders if (round_, member) not in self._bodies
        }

    def _judge(self, round_: Round) -> Iterator[Fault]:
        judges = {
            Round.PLEDGE: self._judge_pledge,
            Round.DEALING: self._judge_dealing,
            Round.VERDICT: self._judge_verdict,
        }
        for member in self.ceremony.get_senders(round_):
            for at_fault, kind in judges[round_](member):
                yield Fault((Round.DEALING if kind is FaultKind.SHARE_WRONG else round_).label, at_fault, kind)

    def _judge_pledge(self, dealer: int) -> Iterator[tuple[int, FaultKind]]:
        if len(self._bodies[Round.PLEDGE, dealer]) != len(compute_pledge(b"")):
            yield dealer, FaultKind.MALFORMED

    def _judge_dealing(self, dealer: int) -> Iterator[tuple[int, FaultKind]]:
        if self._bodies[Round.PLEDGE, dealer] != compute_pledge(self._bodies[Round.DEALING, dealer]):
            yield dealer, FaultKind.PLEDGE_BROKEN
            return
        try:
            dealing = self._decode_dealing(dealer)
        except MessageRefused:
            yield dealer, FaultKind.MALFORMED
            return
        if not is_proven("dealing", self.ceremony.bind_dealer(dealer), dealing.equations, dealing.proof):
            yield dealer, FaultKind.PROOF_WRONG
        previous = self.ceremony.previous
        if previous is not None and dealing.coefficients[0] != previous.share_keys[dealer - 1]:
            yield dealer, FaultKind.CONSTANT_WRONG

    def _judge_verdict(self, receiver: int) -> Iterator[tuple[int, FaultKind]]:
        try:
            verdict = Verdict.decode(self._bodies[Round.VERDICT, receiver], len(self.ceremony.dealers))
        except MessageRefused:
            yield receiver, FaultKind.MALFORMED
            return
        if verdict.transcript != self.compute_transcript():
            yield receiver, FaultKind.TRANSCRIPT_DIFFERS
            return
        for dealer, complaint in zip(self.ceremony.dealers, verdict.complaints, strict=True):
            if complaint is not None:
                dealing = self._decode_dealing(dealer)
                is_upheld = _is_upheld(self.ceremony, dealer, dealing, receiver, complaint)
                yield (dealer, FaultKind.SHARE_WRONG) if is_upheld else (receiver, FaultKind.COMPLAINT_FALSE)

    def _decode_dealing(self, dealer: int) -> Dealing:
        receivers = self.ceremony.receivers
        return Dealing.decode(self._bodies[Round.DEALING, dealer], receivers.size, receivers.threshold)

    def make_record(self) -> CommitteeRecord:
        """The committee that came of it: anybody computes the same.

        Raises
        ------
        CeremonyAborted
            If a round is not complete or somebody was at fault.
        """
        self.require(Round.VERDICT)
        ceremony, dealings = self.ceremony, self.get_dealings()
        weights = [ceremony.weights[dealer] for dealer in dealings]
        public_key = combine(weights, (dealing.coefficients[0] for dealing in dealings.values()))
        share_keys, blind_keys = zip(
            *(
                (
                    combine(weights, (evaluate_commitment(dealing.coefficients, j) for dealing in dealings.values())),
                    combine(weights, (_evaluate_blind(dealing, j) for dealing in dealings.values())),
                )
                for j in ceremony.receivers.members
            ),
            strict=True,
        )
        return CommitteeRecord(ceremony.id, ceremony.receivers, public_key, share_keys, blind_keys)


# ------------------------------------------------------------------------------------------------------ what one does
@dataclass(frozen=True)
class Dealer:
    """One dealer's part: a pledge, then the dealing that it is of."""

    ceremony: Ceremony
    member: int
    identity: Identity
    share: MemberShare | None = None
    """What is handed on, in a resharing."""

    def __post_init__(self) -> None:
        previous = self.ceremony.previous
        if (previous is None) != (self.share is None):
            raise CommitteeInvalid(
                "share of a dealer", "given" if self.share else "missing", "given in a resharing alone"
            )
        if self.share is not None and (self.share.record != previous or self.share.member != self.member):
            raise CommitteeInvalid("share of a dealer", "another's", "that of the dealer in the previous committee")
        if self.ceremony.get_senders(Round.DEALING).get(self.member) != self.identity.public:
            raise CommitteeInvalid(f"identity of dealer {self.member}", "another", "that of the roster")

    @cached_property
    def _dealing(self) -> bytes:
        return make_dealing(self.ceremony, self.member, self.share.share if self.share else make_scalar()).encode()

    def pledge(self) -> bytes:
        """Message of the first round."""
        return self._seal(Round.PLEDGE, compute_pledge(self._dealing))

    def deal(self, board: Board) -> bytes:
        """Message of the second round, once everybody has pledged; raises `CeremonyAborted` before."""
        board.require(Round.PLEDGE)
        return self._seal(Round.DEALING, self._dealing)

    def _seal(self, round_: Round, body: bytes) -> bytes:
        return seal(self.ceremony.id, round_, self.member, body, self.identity)


@dataclass(frozen=True)
class Receiver:
    """One receiver's part: a verdict, and the share at the end."""

    ceremony: Ceremony
    member: int
    identity: Identity

    def __post_init__(self) -> None:
        if self.ceremony.receivers.get_identity(self.member) != self.identity.public:
            raise CommitteeInvalid(f"identity of receiver {self.member}", "another", "that of the roster")

    def judge(self, board: Board) -> bytes:
        """Message of the third round; raises `CeremonyAborted` if a dealing is faulty for everybody to see."""
        board.require(Round.DEALING)
        complaints = (
            None if self._fits(dealer, dealing) else self._complain(dealer, dealing)
            for dealer, dealing in board.get_dealings().items()
        )
        body = Verdict(board.compute_transcript(), tuple(complaints)).encode()
        return seal(self.ceremony.id, Round.VERDICT, self.member, body, self.identity)

    def finish(self, board: Board) -> MemberShare:
        """Record and share, if nobody was at fault; raises `CeremonyAborted` otherwise."""
        record, weights = board.make_record(), self.ceremony.weights
        opened = {dealer: self._open(dealer, dealing) for dealer, dealing in board.get_dealings().items()}
        share, blind = (
            Secret(sum(weights[dealer] * pair[place].reveal() for dealer, pair in opened.items()) % ORDER)
            for place in range(2)
        )
        return MemberShare(record, self.member, share, blind)

    def _open(self, dealer: int, dealing: Dealing) -> tuple[Secret, Secret]:
        shared = multiply(dealing.ephemeral, self.identity.secret.reveal())
        return _decrypt(self.ceremony, dealer, dealing, self.member, shared)

    def _fits(self, dealer: int, dealing: Dealing) -> bool:
        return _fits_commitments(dealing, self.member, self._open(dealer, dealing))

    def _complain(self, dealer: int, dealing: Dealing) -> Complaint:
        shared = multiply(dealing.ephemeral, self.identity.secret.reveal())
        equations = _name_shared(self.identity.public, dealing, shared)
        proof = prove("complaint", self.ceremony.bind_dealer(dealer), equations, [self.identity.secret])
        return Complaint(shared, proof)


# --------------------------------------------------------------------------------------------------------- dealings
def make_dealing(ceremony: Ceremony, dealer: int, constant: Secret) -> Dealing:
    """A fresh dealing of `constant` to the ceremony's receivers."""
    receivers, ephemeral = ceremony.receivers, make_scalar()
    polynomial = make_polynomial(constant, receivers.threshold)
    blinds = make_polynomial(NOTHING, receivers.threshold)
    equations = (
        Equation(multiply(BASE8, ephemeral.reveal()), ((0, BASE8),)),
        Equation(multiply(BASE8, constant.reveal()), ((1, BASE8),)),
    )
    shares = []
    for member in receivers.members:
        shared = multiply(receivers.get_identity(member), ephemeral.reveal())
        pads = _compute_pads(ceremony, dealer, member, shared)
        values = (evaluate(polynomial, member), evaluate(blinds, member))
        shares.append(tuple((value.reveal() + pad) % ORDER for value, pad in zip(values, pads, strict=True)))
    return Dealing(
        ephemeral=equations[0].image,
        coefficients=commit(polynomial),
        blind_coefficients=commit(blinds[1:]),
        proof=prove("dealing", ceremony.bind_dealer(dealer), equations, [ephemeral, constant]),
        shares=tuple((share, blind) for share, blind in shares),
    )


def _compute_pads(ceremony: Ceremony, dealer: int, receiver: int, shared: Point) -> tuple[int, int]:
    place = ceremony.bind_dealer(dealer) + receiver.to_bytes(2, "big")
    first, second = (hash_to_scalar("pad", place, bytes([number]), encode_point(shared)) for number in range(2))
    return first, second


def _decrypt(ceremony: Ceremony, dealer: int, dealing: Dealing, receiver: int, shared: Point) -> tuple[Secret, Secret]:
    pads = _compute_pads(ceremony, dealer, receiver, shared)
    share, blind = (
        Secret((value - pad) % ORDER) for value, pad in zip(dealing.shares[receiver - 1], pads, strict=True)
    )
    return share, blind


def _fits_commitments(dealing: Dealing, receiver: int, values: tuple[Secret, Secret]) -> bool:
    """Whether the values are those of the polynomials that the dealing commits to."""
    expected = (evaluate_commitment(dealing.coefficients, receiver), _evaluate_blind(dealing, receiver))
    return tuple(multiply(BASE8, value.reveal()) for value in values) == expected


def _evaluate_blind(dealing: Dealing, point: int) -> Point:
    return multiply(evaluate_commitment(dealing.blind_coefficients, point), point)


def _name_shared(identity: Point, dealing: Dealing, shared: Point) -> tuple[Equation, ...]:
    return Equation(identity, ((0, BASE8),)), Equation(shared, ((0, dealing.ephemeral),))


def _is_upheld(ceremony: Ceremony, dealer: int, dealing: Dealing, receiver: int, complaint: Complaint) -> bool:
    """Whether the complaint shows, to anybody, that the dealer sent values that do not fit."""
    equations = _name_shared(ceremony.receivers.get_identity(receiver), dealing, complaint.shared)
    if not is_proven("complaint", ceremony.bind_dealer(dealer), equations, complaint.proof):
        return False
    values = _decrypt(ceremony, dealer, dealing, receiver, complaint.shared)
    return not _fits_commitments(dealing, receiver, values)
