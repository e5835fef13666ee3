"""What a step pays for what has expired: which markets count, and which do not."""

from dataclasses import replace

import numpy as np
import pytest

from zkmargin.engine.epoch.settling import AVERAGED_SECONDS, list_expiries, settle_expired, settle_expiry
from zkmargin.engine.errors import WrongKind
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset


@pytest.fixture(scope="module")
def market():
    return to_preset(load_snapshot("deribit_2026-08-22"), "mini")


@pytest.fixture(scope="module")
def expiry(market):
    return list_expiries(market, 1 << 40)[0]


def at(market, time, share=1.0):
    return replace(market, time=time, forward=market.forward * np.where(market.listing.is_option, share, 1.0))


def test_the_last_half_hour_counts_and_nothing_else(market, expiry):
    early = at(market, expiry - AVERAGED_SECONDS - 1, 2.0)
    counted = [at(market, expiry - AVERAGED_SECONDS, 0.9), at(market, expiry - 1, 0.7)]
    assert settle_expired([early, *counted], expiry) == settle_expiry(counted, expiry)


def test_without_a_price_in_the_last_half_hour_the_one_before_counts(market, expiry):
    old = [at(market, expiry - 9_000, 0.5), at(market, expiry - 8_000, 0.8)]
    assert settle_expired(old, expiry + 60) == settle_expiry(old[1:], expiry)


def test_two_expiries_are_settled_by_their_own_prices(market, expiry):
    later = list_expiries(market, 1 << 40)[1]
    markets = [at(market, expiry - 60, 0.8)]
    step = settle_expired(markets, later)
    apart = [settle_expiry(markets, moment) for moment in (expiry, later)]
    assert step.drop.tolist() == (apart[0].drop + apart[1].drop).tolist()
    assert step.payoff.tolist() == (apart[0].payoff + apart[1].payoff).tolist()


def test_where_nothing_has_expired_there_is_no_step(market, expiry):
    with pytest.raises(WrongKind, match="nothing"):
        settle_expired([at(market, expiry - 60)], expiry - 1)
