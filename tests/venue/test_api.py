"""The API over an index: typed answers, a stream, what the engine computes, metrics; no log says a portfolio."""

import json
import logging

import jsonschema
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.event import listen, remove
from sqlalchemy.orm import Session

from tests.chain.conftest import mini_venue, open_funded, venue  # noqa: F401
from zkmargin.engine.account import Portfolio
from zkmargin.engine.house import House
from zkmargin.venue.api import queries
from zkmargin.venue.api.app import LOG, _read_parts, make_app
from zkmargin.venue.errors import IndexUnusable
from zkmargin.venue.index.database import open_database
from zkmargin.venue.index.indexer import Indexer
from zkmargin.venue.index.rows import list_rows
from zkmargin.venue.index.tables import BlockRow, EventRow, PaymentRow, PaymentStepRow, VenueRow

ROUTES = (
    "/accounts",
    "/epochs",
    "/trades",
    "/flows",
    "/attestations",
    "/payments",
    "/defaults",
    "/events",
    "/rollbacks",
)


@pytest.fixture
def engine(tmp_path):
    made = open_database(f"sqlite:///{tmp_path / 'index.db'}")
    yield made
    made.dispose()


@pytest.fixture
def client(venue, engine):  # noqa: F811
    """An API over an index of a venue with one account that attested and withdrew."""
    party = open_funded(venue, "alice", 50_000)
    party.attest()
    party.withdraw(1_000_000)
    venue.post_epoch()
    venue.contracts.oracle.publish_snapshot(b"bytes of a stranger")
    Indexer(engine, venue.contracts).advance()
    with TestClient(make_app(engine)) as made:
        made.party = party
        yield made


def read_schema(client, path):
    """The JSON schema of a route's answer, with the document's definitions."""
    document = client.get("/openapi.json").json()
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    return {**schema, "components": document["components"]}


@pytest.mark.slow
@pytest.mark.property("P-291")
def test_answers_are_what_the_schema_says_and_what_the_chain_has(client, venue):  # noqa: F811
    account = "0x" + client.party.id.hex()
    for path in ROUTES:
        answer = client.get(path)
        assert answer.status_code == 200
        jsonschema.validate(answer.json(), read_schema(client, path))
    view = venue.contracts.house.get_account(client.party.id)
    (shown,) = client.get("/accounts").json()
    assert shown == client.get(f"/accounts/{account}").json()
    assert (shown["account"], shown["status"], int(shown["commitment"], 16)) == (account, "active", view.commitment)
    (payment,) = client.get("/payments", params={"account": account}).json()
    assert (payment["amount"], payment["state"]) == ("1000000", "queued")
    assert [flow["cash"] for flow in client.get("/flows").json()] == ["50000000000", "-1000000"]
    status = client.get("/status").json()
    assert status["block"] == venue.chain.get_block("latest").number
    assert status["latest_epoch"] == venue.contracts.oracle.get_latest_number()
    assert len(client.get("/epochs").json()) == status["latest_epoch"]
    events = client.get("/events").json()
    assert len(events) == status["events"] and client.get("/events", params={"after": events[-2]["id"]}).json() == [
        events[-1]
    ]
    assert client.get("/flows", params={"account": "0x" + "00" * 32}).json() == []
    for path, code in (
        ("/accounts/0x12", 422),
        (f"/accounts/0x{7:064x}", 404),
        ("/flows?account=x", 422),
        ("/events?limit=501", 422),
        (f"/events?after={2**63}", 422),
        (f"/events?after={2**63 - 1}", 200),
    ):
        assert client.get(path).status_code == code


@pytest.mark.slow
def test_what_the_engine_computes_is_what_the_commands_print_and_no_log_says_it(client, venue, caplog):  # noqa: F811
    caplog.set_level(logging.INFO, logger=LOG.name)
    house, positions = House(venue.current_epoch().snapshot), {"BTC-PERPETUAL": 3}
    posted, portfolio = {"cash_usd6": 10**11, "positions": positions}, Portfolio("posted", positions, 10**11)
    expected = {
        "/margin": house.report(portfolio).to_document(),
        "/whatif": house.whatif(portfolio, {"BTC-PERPETUAL": -5}, with_distance=True).to_document(),
        "/distance": house.distance(portfolio).to_document(),
    }
    for path, document in expected.items():
        body = posted | ({"orders": ["BTC-PERPETUAL:-5"]} if path == "/whatif" else {})
        assert client.post(path, json=body).json() == json.loads(json.dumps(document))
    for body, error in (
        (posted | {"positions": {"NOTHING": 1}}, "UnknownName"),
        (posted | {"positions": {"BTC-PERPETUAL": 1 << 40}}, "OutOfRange"),
        (posted | {"secret": 1}, None),
    ):
        answer = client.post("/margin", json=body)
        assert answer.status_code == 422 and (error is None or answer.json()["error"] == error)
    for body in (b"[" * (1 << 20) + b"[", (b"[" * (1 << 19) for _ in range(3))):  # with a length, and chunked
        assert client.post("/margin", content=body).status_code == 413
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == LOG.name]
    assert {line["path"] for line in lines} >= set(expected) and "PERPETUAL" not in caplog.text
    shown = client.get("/metrics").text
    assert 'zkmargin_api_requests_total{path="/margin",status="200"} 1.0' in shown
    assert f"zkmargin_index_epoch {venue.contracts.oracle.get_latest_number()}.0" in shown


@pytest.mark.slow
@pytest.mark.property("P-291")
def test_a_follower_gets_each_event_once_and_is_told_of_a_rollback(client, venue, engine):  # noqa: F811
    parts, after, rollback = _read_parts(engine, 0, None)
    ids = [int(part.split("id: ")[1].split("\n")[0]) for part in parts]
    assert ids == [event["id"] for event in client.get("/events").json()] and after == ids[-1]
    assert _read_parts(engine, after, rollback) == ([], after, rollback)
    earlier, indexer = venue.chain.snapshot(), Indexer(engine, venue.contracts)
    venue.chain.travel(1)
    mark = venue.chain.snapshot()
    client.party.attest()
    indexer.advance()
    parts, after, rollback = _read_parts(engine, after, rollback)
    assert len(parts) == 1 and '"Attested"' in parts[0]
    venue.chain.revert(mark)
    venue.chain.travel(9)
    indexer.advance()
    (part,), again, rollback = _read_parts(engine, after, rollback)
    assert part.startswith("event: rollback\n") and json.loads(part.split("data: ")[1])["after_event"] == after
    assert again == after
    # Who connects again, with the event that was undone as the last one, is told too; who begins is not.
    assert _read_parts(engine, after, None) == ([part], after, rollback)
    assert _read_parts(engine, after + 1, None) == ([], after + 1, rollback)
    kept, *_ = _read_parts(engine, 0, None)
    assert len(kept) == len(ids) and not any(part.startswith("event: rollback") for part in kept)

    venue.chain.revert(earlier)  # deeper, with no event since: the event that was undone before is still above it
    venue.chain.travel(7)
    indexer.advance()
    (part,), *_ = _read_parts(engine, after, rollback)
    second = json.loads(part.split("data: ")[1])
    assert second["after_event"] == after
    assert client.get("/rollbacks", params={"after_event": after}).json()[1:] == [second]
    assert client.get("/rollbacks", params={"after_event": after + 1}).json() == []


def test_an_api_without_an_indexer_says_so(engine):
    with TestClient(make_app(engine)) as client:
        answer = client.get("/status")
        assert (answer.status_code, answer.json()["error"]) == (503, "IndexUnusable")


def test_a_failure_of_the_database_and_of_the_api_is_counted_and_shows_nothing(engine, monkeypatch):
    def fail(session):
        raise ZeroDivisionError

    with Session(engine) as session, session.begin():
        session.add(VenueRow(clearing_house="0x" + "11" * 20, chain_id=1, first_block=0, first_block_hash="0x"))
        session.execute(text("DROP TABLE defaults"))
    with TestClient(make_app(engine), raise_server_exceptions=False) as client:
        answer = client.get("/defaults", params={"account": "0x" + "07" * 32})
        assert (answer.status_code, answer.json()["error"]) == (503, "IndexUnusable")
        assert answer.json()["text"] == "the database failed: OperationalError"
        monkeypatch.setattr(queries, "read_position", fail)
        assert client.get("/status").status_code == 500
        monkeypatch.undo()
        counts = client.get("/metrics").text
    for path, status in (("/defaults", 503), ("/status", 500)):
        assert f'zkmargin_api_requests_total{{path="{path}",status="{status}"}} 1.0' in counts


EPOCHS = [("EpochPosted", {"number": 1}), ("EpochPosted", {"number": 2}), ("EpochPosted", {"number": 3})]
POSTED = {"generation": 1, "time": 5, "minEpoch": 1, "keyVersion": 1, "policyHash": "0x"}


@pytest.mark.property("P-291")
@pytest.mark.parametrize(
    ("said", "priced"),
    [
        ([], 3),
        ([("EpochsRevoked", {"from": 2, "upTo": 3})], 1),
        ([("EpochsRevoked", {"from": 2, "upTo": 3}), ("EpochsRestored", {"from": 2, "upTo": 2})], 2),
        ([("EpochsRevoked", {"from": 1, "upTo": 3}), ("EpochsRestored", {"from": 1, "upTo": 3})], 3),
        ([("EpochPosted", {"number": 4, "minEpoch": 3}), ("EpochsRevoked", {"from": 4, "upTo": 4})], 3),
        ([("EpochPosted", {"number": 4, "minEpoch": 4}), ("EpochsRevoked", {"from": 4, "upTo": 4})], None),
        ([("EpochPosted", {"number": 4, "generation": 2}), ("EpochsRevoked", {"from": 4, "upTo": 4})], None),
        ([("SignersSet", {})], None),
        ([("SignersSet", {}), ("EpochPosted", {"number": 4})], 4),
        ([("EpochPosted", {"number": 4, "snapshotHash": "0xunpublished"})], 3),
    ],
)  # fmt: skip
def test_a_portfolio_is_priced_at_the_latest_epoch_that_counts(engine, said, priced):
    """Not at one that was revoked, or that an epoch, a step of the listing or another quorum superseded."""
    write_epochs(engine, said)
    with Session(engine) as session:
        if priced is None:
            with pytest.raises(IndexUnusable, match="no epoch that counts"):
                queries.read_latest_snapshot(session)
        else:
            assert queries.read_latest_snapshot(session) == bytes([priced])


def write_epochs(engine, said):
    """An index of four published snapshots, three epochs, and what was said after them."""
    published = [
        ("SnapshotPublished", {"snapshotHash": f"0x{number:064x}", "snapshot": f"0x{number:02x}"})
        for number in range(1, 5)
    ]
    with Session(engine) as session, session.begin():
        session.add(BlockRow(number=1, hash="0x" + "11" * 32, time=9))
        session.flush()
        for place, (name, fields) in enumerate([("SignersSet", {}), *published, *EPOCHS, *said]):
            if name == "EpochPosted":
                fields = POSTED | {"snapshotHash": f"0x{fields['number']:064x}"} | fields
            row = EventRow(block=1, log_index=place, transaction="", contract="RiskOracle", name=name, fields=fields)
            session.add(row)
            session.flush()
            session.add_all(list_rows(row))


def test_the_snapshot_that_is_priced_is_found_without_reading_the_history(engine):
    """Every step of every query takes rows by an index, in its order: nothing is scanned or sorted."""
    write_epochs(engine, [])
    asked = []

    def note(connection, cursor, statement, parameters, context, many):
        asked.append((statement, parameters))

    listen(engine, "before_cursor_execute", note)
    with Session(engine) as session:
        queries.read_latest_snapshot(session)
    remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        plans = [
            step
            for statement, parameters in asked
            for *_, step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    assert any("ix_snapshots_snapshot_hash" in step for step in plans)
    assert [step for step in plans if step.startswith(("SCAN", "USE TEMP")) or "AUTOMATIC" in step] == []


@pytest.mark.property("P-291")
def test_a_payment_is_as_its_own_steps_left_it_where_its_number_is_used_again(engine):
    """A record's number is taken by the next payment once it is paid."""
    place = {"token": "0x" + "22" * 20, "number": 3}
    with Session(engine) as session, session.begin():
        session.add(BlockRow(number=1, hash="0x" + "11" * 32, time=9))
        session.flush()
        for event, state in enumerate(("queued", "claimed", "queued", "vetoed"), 1):
            session.add(EventRow(id=event, block=1, log_index=event, transaction="", contract="", name="", fields={}))
            session.flush()
            if state == "queued":
                fields = {"account": "0x" + "07" * 32, "recipient": "0x" + "33" * 20, "amount": 1 << 100}
                session.add(PaymentRow(event=event, **fields, **place))
            session.add(PaymentStepRow(event=event, state=state, due_at=5, **place))
    with TestClient(make_app(engine)) as client:
        shown = client.get("/payments").json()
    assert [(item["event"], item["state"]) for item in shown] == [(1, "claimed"), (3, "vetoed")]
    assert {item["amount"] for item in shown} == {str(1 << 100)}
