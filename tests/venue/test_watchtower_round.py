"""A watchtower's round without a chain: an account that fails at any step keeps no other from the next one."""

import inspect
from types import SimpleNamespace

import pytest

from tests.support.proving import make_market_epoch
from tests.support.scenes import ALICE, BOB, DOMAIN, MINI, make_account
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.errors import ChainUnavailable
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.house import House
from zkmargin.scripts.cli import services
from zkmargin.venue import watchtower
from zkmargin.venue.watchtower import RENEW_SECONDS, Watchtower

NUMBER, NOW = 7, 10_000
POOR = make_account(ALICE, lots={1: 40}, cash=-(10**15))
RICH = make_account(BOB, lots={1: 40}, cash=10**15)


class Views:
    """Answers for all accounts but one that every account was proved at epoch 1, `age` seconds ago."""

    def __init__(self, age, broken=b""):
        self.age, self.broken = age, broken

    def get_proved(self, account):
        if account == self.broken:
            raise ChainUnavailable("http://node", "no answer")
        return SimpleNamespace(epoch=1, time=NOW - self.age)


def make_tower(views=None):
    facts = SimpleNamespace(domain=DOMAIN, key_version=1, preset=MINI)
    key = SimpleNamespace(circuit="transition")
    venue = SimpleNamespace(facts=facts, deadline=NOW + 600, time=NOW, contracts=SimpleNamespace(views=views))
    venue.provers = SimpleNamespace(transition=SimpleNamespace(key=key))
    return Watchtower(venue, {})


def make_traders():
    return [SimpleNamespace(id=account.id, client=SimpleNamespace(account=account)) for account in (POOR, RICH)]


@pytest.fixture
def said():
    return {}


@pytest.fixture
def report(said):
    return lambda account, outcome: said.update({account: outcome.split(":")[0]})


@pytest.mark.property("P-292")
def test_an_account_below_maintenance_is_reported_and_the_next_is_built(said, report):
    epoch = make_market_epoch(NUMBER)
    built = dict(make_tower()._build(make_traders(), epoch, report))
    assert set(built) == {RICH.id} and said == {"0x" + POOR.id.hex(): "PolicyNotMet"}


@pytest.mark.property("P-292")
def test_an_account_whose_proof_cannot_be_read_is_reported_and_the_next_is_due(said, report):
    tower = make_tower(Views(RENEW_SECONDS, broken=POOR.id))
    due = tower._list_due(make_traders(), SimpleNamespace(number=NUMBER), report)
    assert [trader.id for trader in due] == [RICH.id] and said == {"0x" + POOR.id.hex(): "ChainUnavailable"}


@pytest.mark.property("P-292")
def test_an_account_that_the_house_cannot_value_is_reported_and_the_next_is_proved(said, report):
    epoch, tower = make_market_epoch(NUMBER), make_tower()
    (rich,) = dict(tower._build(make_traders()[1:], epoch, report)).values()
    house, asked = House(epoch.snapshot), []

    def value(state):
        asked.append(state)
        if len(asked) == 1:
            raise UnknownName("instrument", "slot 1", ())
        return house.report(state)

    jobs = list(tower._list_jobs({"0x01": rich, "0x02": rich}, SimpleNamespace(report=value), report))
    assert [job.name for job in jobs] == ["0x02"] and said == {"0x01": "UnknownName"}


@pytest.mark.property("P-292")
def test_a_proof_is_renewed_while_an_hour_is_still_current(report):
    for age, count in ((RENEW_SECONDS - 1, 0), (RENEW_SECONDS, 2)):
        due = make_tower(Views(age))._list_due(make_traders(), SimpleNamespace(number=NUMBER), report)
        assert len(list(due)) == count
    assert RENEW_SECONDS + watchtower.ROUND_SECONDS < 3600
    assert inspect.signature(services.watchtower).parameters["renew"].default == RENEW_SECONDS


def test_records_are_read_once_a_round(report, monkeypatch):
    read, rebuilt = [], []
    tower = make_tower(Views(0))
    contracts = tower.venue.contracts
    contracts.house = SimpleNamespace(get_account=lambda account: SimpleNamespace(status=Status.ACTIVE))
    contracts.read_records = lambda preset: read.append(preset) or "records"
    tower.venue.current_epoch, tower.venue.catch_up = lambda: SimpleNamespace(number=NUMBER), lambda trader: []
    tower.venue.get_points = None
    tower.keys = {POOR.id: None, RICH.id: None}
    monkeypatch.setattr(tower, "_prove", lambda transitions, epoch, report: ())
    monkeypatch.setattr(
        tower, "_recover", lambda account, records: rebuilt.append(records) or SimpleNamespace(id=account)
    )
    assert tower.run_round(report) == [] and rebuilt == ["records", "records"] and read == [MINI]
    assert tower.run_round(report) == [] and read == [MINI]  # nothing to rebuild, nothing to read
