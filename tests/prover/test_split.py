"""Another split of the slots between the coins is data: the same circuit and keys prove accounts in it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.support.proving import get_transition_prover
from tests.support.scenes import DOMAIN, make_account
from zkmargin.engine import presets
from zkmargin.engine.errors import DuplicateName, OutOfRange
from zkmargin.engine.house import House
from zkmargin.engine.market.file import load_snapshot, parse_market, render_market
from zkmargin.engine.market.instruments import Listing
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.certificate import find_certificate
from zkmargin.engine.presets import Coin, CoinShare, Split, get_preset
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import build_transition
from zkmargin.prover.messages.action_table import ActionKind

MINI = get_preset("mini")
SHARES = (CoinShare(Coin.BTC, 10, 2, False), CoinShare(Coin.ETH, 6, 1, True))
UNEQUAL = replace(MINI, split=Split(SHARES, MINI.split.netting))
"""Ten slots of BTC with two futures and six options, six of ETH with one future and three options."""


@cache
def list_unequally() -> MarketSnapshot:
    """The shipped market's first instruments of each kind, at `UNEQUAL`."""
    full = load_snapshot("deribit_2026-08-22")
    chosen = [0, 1, 3, 5, *range(60, 66), 128, 129, 131, *range(200, 203)]
    items = [replace(full.listing.at(slot), slot=place) for place, slot in enumerate(chosen)]
    listing = Listing(UNEQUAL, 0, tuple(items))
    return replace(full, listing=listing, forward=full.forward[chosen], volatility=full.volatility[chosen])


def test_every_part_reads_the_split():
    assert UNEQUAL.coins == {Coin.BTC: range(10), Coin.ETH: range(10, 16)}
    assert UNEQUAL.collateral_slots == (0, 10) and UNEQUAL.vault_slots == (10,)
    assert UNEQUAL.linear_slots == (1, 2, 3, 11, 12)
    assert [UNEQUAL.coin_of(slot) for slot in (9, 10)] == [Coin.BTC, Coin.ETH]
    assert list_unequally().listing.underlying.tolist() == [0] * 10 + [1] * 6
    assert UNEQUAL != MINI and MINI.split == presets.SPLITS[16]


@pytest.mark.parametrize(
    "shares, error, message",
    [
        ([("BTC", 10, 2), ("ETH", 5, 1)], OutOfRange, "sum of the coins' slots in preset mini is 15; allowed: 16"),
        ([("BTC", 8, 1), ("BTC", 8, 1)], DuplicateName, "coin of a split 'BTC' appears more than once"),
        ([("BTC", 13, 1), ("ETH", 3, 2)], OutOfRange, "slots of ETH is 3; allowed: 4 to 256"),
        ([("BTC", 8, -1), ("ETH", 8, 1)], OutOfRange, "slots of BTC is 8"),
    ],
)
def test_a_split_that_cannot_be_laid_out_is_refused(shares, error, message):
    with pytest.raises(error, match=message):
        split = Split(tuple(CoinShare(Coin(coin), slots, futures, True) for coin, slots, futures in shares))
        replace(MINI, split=split)


def test_bytes_and_files_state_a_split_of_their_own():
    snapshot = list_unequally()
    assert parse_market(render_market(snapshot)) == snapshot
    again = MarketSnapshot.from_bytes(list_unequally().to_bytes())
    assert again == list_unequally() and again.listing == list_unequally().listing


def test_policies_require_what_the_definition_does():
    house = House(list_unequally())
    rng = np.random.default_rng(7)
    for _ in range(5):
        state = make_account(
            lots={slot: int(rng.integers(-50, 50)) for slot in (1, 2, 5, 9, 11, 13)}, cash=10**13
        ).state
        for level in ("initial", "maintenance"):
            needed = house.policy_requirement(house.policies[level], state) / 1e6
            assert needed == pytest.approx(house.definition_requirement(state, level).total, abs=1e-2)


def test_the_same_keys_prove_an_account_in_another_split():
    """An attestation of maintenance under the key of `mini`; ether is collateral in slot 10."""
    house = House(list_unequally())
    account = make_account(lots={10: 20_000, 1: 40, 3: -25, 14: -30}, cash=10**10, preset=UNEQUAL)
    assert find_certificate(house.policies["maintenance"], account.state)
    prover = get_transition_prover(MINI)
    transition = build_transition(
        account,
        Intent(ActionKind.ATTEST, policy="maintenance", deadline=99),
        epoch=house.epoch(9),
        domain=DOMAIN,
        key_version=1,
    )
    proof = prover.prove(transition)
    assert prover.verify_transition(proof, transition)
