"""The house computes once: however many questions are asked, one market makes one model of each kind."""

from collections import Counter

import pytest

from tests.support.house import CALM, get_snapshot
from zkmargin.engine.account import AccountState, Portfolio, load_portfolio
from zkmargin.engine.desk.distance import DistanceSearch
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.house import House
from zkmargin.engine.margin.buffer import BufferModel
from zkmargin.engine.margin.definition import Definition
from zkmargin.engine.margin.grid import GridModel
from zkmargin.engine.margin.shortfall import ShortfallModel
from zkmargin.engine.margin.stress import STRESSES
from zkmargin.engine.market.file import load_observations
from zkmargin.engine.policy.certificate import RequirementNotMet
from zkmargin.engine.policy.draft import Draft

BOOK = Portfolio("thin", {"BTC-PERPETUAL": 100, "ETH-PERPETUAL": -900}, 500_000 * 10**6)
ORDERS = {"BTC-PERPETUAL": -5}
MODELS = (BufferModel, Definition, GridModel, ShortfallModel, Draft)
ONCE = {"BufferModel": 1, "Definition": 1, "GridModel": 1, "ShortfallModel": 1, "Draft": 4}
"""Four drafts are the four policies."""


@pytest.fixture
def made(monkeypatch):
    """How many of each model are made."""
    counts = Counter()

    def count(kind):
        make = kind.__init__

        def counted(self, *arguments, **options):
            counts[kind.__name__] += 1
            make(self, *arguments, **options)

        monkeypatch.setattr(kind, "__init__", counted)

    for kind in MODELS:
        count(kind)
    return counts


def test_every_question_together_makes_each_model_once(made, monkeypatch):
    """A market that moved has models of its own; here none moves."""
    monkeypatch.setattr(DistanceSearch, "at", lambda search, move: search.house)
    house = House(get_snapshot("mini"))
    quotes = house.liquidity(load_observations(CALM))
    for _ in range(2):
        house.report(BOOK), house.whatif(BOOK, ORDERS), house.largest(BOOK, ORDERS), house.explain(BOOK)
        house.hedge(BOOK, quotes), house.batch([BOOK]), house.requirement(BOOK), house.check(BOOK), house.epoch(1)
    assert made == ONCE


def test_stresses_make_one_model_for_each_market_that_moved(made):
    House(get_snapshot("mini")).stress(BOOK)
    assert made == dict.fromkeys(("Definition", "GridModel", "ShortfallModel"), 1 + len(STRESSES))


def test_accounts_by_name_and_by_slot_are_one():
    house = House(get_snapshot("mini"))
    state = BOOK.to_state(house.snapshot.listing)
    assert house.requirement(BOOK) == house.requirement(state)
    assert house.report(BOOK).initial == house.report(state).initial
    assert (house.report(BOOK).portfolio, house.report(state).portfolio) == ("thin", "account")


def test_check_refuses_with_what_is_missing():
    house = House(get_snapshot("mini"))
    poor = AccountState(BOOK.to_state(house.snapshot.listing).positions, 0)
    with pytest.raises(RequirementNotMet) as refusal:
        house.check(poor)
    assert refusal.value.missing_usd6 > 0
    with pytest.raises(UnknownName, match="unknown policy 'final'"):
        house.check(BOOK, "final")


def test_batch_is_the_requirement_of_each():
    house = House(get_snapshot("mini"))
    books = [BOOK, Portfolio("other", {"ETH-PERPETUAL": 40}, 10**9)]
    result = house.batch(books)
    for book, requirement in zip(books, result.requirement, strict=True):
        assert requirement == pytest.approx(house.requirement(book), abs=10)
    assert len(house.batch([])) == 0


def test_lots_of_the_largest_order_carry_their_sign():
    found = House(get_snapshot("standard")).largest(load_portfolio("covered_call"), {"BTC-PERPETUAL": -1})
    assert found.lots == {"BTC-PERPETUAL": -found.largest} and found.largest > 0
