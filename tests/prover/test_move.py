"""From a revoked key version to its successor, with a real proof at `mini`: the commitment opens, and nothing moves."""

import pytest

from tests.support.scenes import DOMAIN, MINI, make_account
from zkmargin.engine.policy.record import none_policy
from zkmargin.prover.attestation import get_attestation_signals
from zkmargin.prover.errors import MessageInvalid
from zkmargin.prover.messages.records import Move
from zkmargin.prover.move import build_move

DEADLINE = 1_000


@pytest.mark.property("P-201")
@pytest.mark.parametrize("lots", [{}, {1: 40, 9: -5}])
def test_whatever_the_account_holds_moves(prover, lots):
    account = make_account(lots=lots, cash=-(10**12))
    transition = build_move(account, DOMAIN, 2, DEADLINE)
    assert transition.message == Move(
        account=account.id, key_version=2, commitment=account.commitment, deadline=DEADLINE
    )
    assert transition.after is account
    proof = prover.prove(transition)
    policy, context = none_policy(MINI), transition.context
    assert prover.verify(proof, get_attestation_signals(account.commitment, context, MINI), policy)
    for commitment, other in ((account.commitment + 1, context), (account.commitment, context + 1)):
        assert not prover.verify(proof, get_attestation_signals(commitment, other, MINI), policy)


def test_a_key_version_is_in_its_range():
    with pytest.raises(MessageInvalid, match="keyVersion"):
        build_move(make_account(lots={}, cash=0), DOMAIN, 2**16, DEADLINE)
