"""A committee whose members are all in one process, for tests, demos and measurements: no secret is anybody's own."""

from __future__ import annotations

from collections.abc import Iterable

from zkmargin.committee.ceremony import Board, Ceremony, Dealer, Receiver
from zkmargin.committee.record import Identity, MemberShare, Roster


def generate_key(members: int, threshold: int) -> list[MemberShare]:
    """A key generation, played by all members in turn; raises `CommitteeInvalid` as `Roster`."""
    identities = [Identity.create() for _ in range(members)]
    roster = Roster(tuple(identity.public for identity in identities), threshold)
    ceremony = Ceremony(bytes(32), roster)
    dealers = [Dealer(ceremony, member, identities[member - 1]) for member in ceremony.dealers]
    receivers = [Receiver(ceremony, member, identities[member - 1]) for member in roster.members]
    return play(ceremony, dealers, receivers)


def play(ceremony: Ceremony, dealers: Iterable[Dealer], receivers: Iterable[Receiver]) -> list[MemberShare]:
    """A ceremony in which everybody does its part; the receivers' shares."""
    dealers, receivers, board = list(dealers), list(receivers), Board(ceremony)
    for dealer in dealers:
        board.post(dealer.pledge())
    for dealer in dealers:
        board.post(dealer.deal(board))
    for receiver in receivers:
        board.post(receiver.judge(board))
    return [receiver.finish(board) for receiver in receivers]
