"""The index of a deployment: what it holds, and that nothing is lost or counted twice."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session
from web3.exceptions import Web3RPCError

from tests.chain.conftest import mini_venue, open_funded, venue  # noqa: F401
from zkmargin.contracts.chain import find_free_ports
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.errors import ChainReorganised, ChainUnavailable
from zkmargin.venue.api import queries
from zkmargin.venue.api.app import make_app
from zkmargin.venue.api.queries import read_position
from zkmargin.venue.errors import IndexUnusable
from zkmargin.venue.events import EventReader, list_extensions
from zkmargin.venue.index.database import MIGRATIONS, open_database
from zkmargin.venue.index.indexer import Indexer
from zkmargin.venue.index.rows import CHANGES, QUIET, ROWS, list_rows, list_states, read_state
from zkmargin.venue.index.tables import (
    AccountRow,
    AccountStateRow,
    BlockRow,
    DefaultRow,
    EventRow,
    FlowRow,
    PaymentStepRow,
    RollbackRow,
    SnapshotRow,
    Table,
    VenueRow,
)


@pytest.fixture
def engine(tmp_path):
    made = open_database(f"sqlite:///{tmp_path / 'index.db'}")
    yield made
    made.dispose()


def read_up(indexer):
    """Steps until the chain's end."""
    steps = []
    while not steps or not steps[-1].is_complete:
        steps.append(indexer.advance())
    return steps


def list_events(engine):
    """What the index holds of each event, in the order of its ids."""
    with Session(engine) as session:
        query = select(EventRow, BlockRow.hash).join(BlockRow, BlockRow.number == EventRow.block).order_by(EventRow.id)
        return [(row.block, hash_, row.log_index, row.contract, row.name, row.fields) for row, hash_ in
                session.execute(query)]  # fmt: skip


def list_on_chain(venue):  # noqa: F811
    latest = venue.chain.get_block("latest").number
    events = EventReader(venue.contracts).read(venue.contracts.deployment.first_block, latest)
    return [
        (item.block, item.block_hash, item.log_index, item.contract, item.name, dict(item.fields)) for item in events
    ]


def require_same(engine, venue):  # noqa: F811
    """The index holds exactly the chain's events, in order, and accounts are as the chain has them."""
    assert list_events(engine) == list_on_chain(venue)
    with Session(engine) as session:
        for account in session.scalars(select(AccountRow.account)):
            state, view = read_state(session, account), venue.contracts.house.get_account(bytes.fromhex(account[2:]))
            assert (state.status, state.generation, int(state.commitment, 16)) == (
                view.status.name.lower(), view.generation, view.commitment,
            )  # fmt: skip
        made = {event: session.scalars(select(table.event)).all() for event, table in (
            ("Flowed", FlowRow), ("AccountOpened", AccountRow))}  # fmt: skip
        for name, ids in made.items():
            assert sorted(ids) == sorted(session.scalars(select(EventRow.id).where(EventRow.name == name)))


@pytest.mark.slow
@pytest.mark.property("P-289")
def test_an_index_holds_the_chains_events_after_a_restart_at_every_step(venue, engine):  # noqa: F811
    party = open_funded(venue, "alice", 50_000)
    party.attest()
    party.withdraw(1_000_000)
    total = venue.chain.get_block("latest").number - venue.contracts.deployment.first_block + 1
    steps = []
    while not steps or not steps[-1].is_complete:
        steps.append(Indexer(engine, venue.contracts, step_blocks=7).advance())  # a new process each time
    assert len(steps) == -(-total // 7) and not any(step.rolled_back for step in steps)
    require_same(engine, venue)
    with Session(engine) as session:
        state = read_state(session, "0x" + party.id.hex())
        assert state.status == "active" and state.attested_epoch == venue.contracts.oracle.get_latest_number()
        assert session.scalars(select(PaymentStepRow.state)).all() == ["queued"]
        assert [row.kind for row in session.scalars(select(FlowRow))] == ["deposit", "withdraw"]
        assert [row.cash for row in session.scalars(select(FlowRow))] == [50_000_000_000, -1_000_000]
    assert Indexer(engine, venue.contracts).advance().events == 0


@pytest.mark.property("P-290")
def test_a_reorganisation_of_depth_12_is_undone_without_loss_or_double_count(venue, engine):  # noqa: F811
    first = open_funded(venue, "alice", 50_000)
    indexer = Indexer(engine, venue.contracts)
    read_up(indexer)
    mark, height = venue.chain.snapshot(), venue.chain.get_block("latest").number
    first.attest()
    gone = open_funded(venue, "bob", 10_000)
    while venue.chain.get_block("latest").number < height + 12:
        venue.chain.travel(1)
    read_up(indexer)
    require_same(engine, venue)

    venue.chain.revert(mark)
    venue.chain.travel(5)  # another block at the same height
    step = indexer.advance()
    assert step.rolled_back and step.reached == height + 1
    require_same(engine, venue)
    with Session(engine) as session:
        assert read_state(session, "0x" + gone.id.hex()) is None
        (rollback,) = session.scalars(select(RollbackRow))
        assert rollback.block == height
        last = rollback.after_event
    for _ in range(14):  # beyond the old height
        venue.chain.travel(1)
    read_up(indexer)
    require_same(engine, venue)
    with Session(engine) as session:
        ids = session.scalars(select(EventRow.id)).all()
        assert len(ids) == len(set(ids)) and last not in ids


@pytest.mark.slow
@pytest.mark.property("P-290")
def test_a_chain_that_is_shorter_now_is_followed_back(venue, engine):  # noqa: F811
    mark, indexer = venue.chain.snapshot(), Indexer(engine, venue.contracts)
    for _ in range(12):
        venue.chain.travel(1)
    read_up(indexer)
    venue.chain.revert(mark)
    step = indexer.advance()
    assert step.rolled_back and step.is_complete and step.reached == venue.chain.get_block("latest").number
    require_same(engine, venue)


@pytest.mark.slow
@pytest.mark.property("P-290")
def test_a_node_that_fails_to_give_one_block_undoes_nothing(venue, engine, monkeypatch):  # noqa: F811
    indexer, get_block = Indexer(engine, venue.contracts), venue.chain.get_block
    read_up(indexer)
    held, reached = list_events(engine), get_block("latest").number
    venue.chain.travel(1)

    def fail(identifier):
        if identifier == reached:
            raise ChainUnavailable(venue.chain.url, f"block {identifier}")
        return get_block(identifier)

    monkeypatch.setattr(venue.chain, "get_block", fail)
    with pytest.raises(ChainUnavailable, match=f"block {reached}"):
        indexer.advance()
    monkeypatch.undo()
    assert list_events(engine) == held
    assert not indexer.advance().rolled_back
    require_same(engine, venue)


@pytest.mark.slow
@pytest.mark.property("P-290")
def test_a_block_that_is_replaced_while_it_is_read_is_not_written(venue, engine, monkeypatch):  # noqa: F811
    indexer, read = Indexer(engine, venue.contracts), EventReader.read
    mark = venue.chain.snapshot()
    venue.chain.travel(1)

    def replace(self, first, last):
        found = read(self, first, last)
        venue.chain.revert(mark)
        venue.chain.travel(7)
        return found

    monkeypatch.setattr(EventReader, "read", replace)
    with pytest.raises(ChainReorganised):
        indexer.advance()
    assert list_events(engine) == []
    monkeypatch.undo()
    read_up(indexer)
    require_same(engine, venue)


@pytest.mark.property("P-290")
def test_events_of_two_blocks_of_one_number_are_not_written(venue, engine, monkeypatch):  # noqa: F811
    """The last one's is the chain's, when it is looked up."""
    read = EventReader.read

    def mix(self, first, last):
        found = read(self, first, last)
        return [replace(found[-1], block_hash="0x" + "ee" * 32), *found]

    monkeypatch.setattr(EventReader, "read", mix)
    with pytest.raises(ChainReorganised):
        Indexer(engine, venue.contracts).advance()
    assert list_events(engine) == []


@pytest.mark.slow
@pytest.mark.property("P-289")
def test_a_step_that_the_database_ends_is_taken_again_as_a_whole(venue, engine, monkeypatch):  # noqa: F811
    indexer, said, fails = Indexer(engine, venue.contracts), [], [True, True]
    forget = Indexer._forget

    def fail(self, session, last):
        if fails and fails.pop():
            raise OperationalError("DELETE", {}, ConnectionError("the database was ended"))
        forget(self, session, last)

    monkeypatch.setattr(Indexer, "_forget", fail)

    def report(outcome):
        said.append(type(outcome).__name__)
        if said[-1] == "Progress":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        indexer.run(report, sleep=lambda seconds: None)
    assert said == ["OperationalError", "OperationalError", "Progress"]
    require_same(engine, venue)
    fails.append(True)
    venue.chain.travel(1)
    with pytest.raises(OperationalError):
        indexer.run(report, follow=False)


@pytest.mark.slow
def test_a_node_that_limits_ranges_is_asked_for_what_it_answers(venue, engine, monkeypatch):  # noqa: F811
    """At most 5 blocks a question; what was learnt of one range serves the next."""
    asked, get_logs = [], venue.chain.w3.eth.get_logs

    def limited(question):
        count = question["toBlock"] - question["fromBlock"] + 1
        asked.append(count)
        if count > 5:
            raise Web3RPCError("query returned more than 10000 results")
        return get_logs(question)

    monkeypatch.setattr(venue.chain.w3.eth, "get_logs", limited)
    total = venue.chain.get_block("latest").number - venue.contracts.deployment.first_block + 1
    indexer = Indexer(engine, venue.contracts)
    read_up(indexer)
    require_same(engine, venue)
    refused = [count for count in asked[: len(asked) // 2] if count > 5]
    assert len(refused) < total / 2 and max(asked) >= total
    asked.clear()
    venue.chain.travel(1)
    indexer.advance()
    assert asked == [1]


@pytest.mark.slow
def test_an_index_is_of_one_deployment(venue, engine, tmp_path):  # noqa: F811
    Indexer(engine, venue.contracts)
    with Session(engine) as session, session.begin():
        session.scalars(select(VenueRow)).one().chain_id = 1
    with pytest.raises(IndexUnusable, match=r"on chain 1, not of 0x"):
        Indexer(engine, venue.contracts)
    for url, words in (
        ("mysql://user:secret@host/x", "sqlite, postgresql"),
        ("nothing", "sqlite, postgresql"),
        (f"sqlite:///{tmp_path}/none/index.db", "unable to open"),
    ):
        with pytest.raises(IndexUnusable, match=words) as refusal:
            open_database(url)
        assert "secret" not in str(refusal.value)


def test_the_versions_make_the_tables(engine):
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_an_index_of_the_first_version_knows_the_snapshots_that_were_published(engine):
    """Its events come with it."""
    config = Config(attributes={"connection": None})
    config.set_main_option("script_location", str(MIGRATIONS))
    said = [("SnapshotPublished", {"snapshotHash": "0x" + "ab" * 32, "snapshot": "0x01"}), ("SignersSet", {})]
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        session = Session(connection)
        session.add(BlockRow(number=1, hash="0x" + "11" * 32, time=9))
        session.flush()
        for place, (name, fields) in enumerate(said):
            session.add(
                EventRow(block=1, log_index=place, transaction="", contract="RiskOracle", name=name, fields=fields)
            )
        session.flush()
    with Session(open_database(str(engine.url))) as session:
        assert session.execute(select(SnapshotRow.snapshot_hash, EventRow.name).join(EventRow)).all() == [
            ("0x" + "ab" * 32, "SnapshotPublished")
        ]


@pytest.mark.property("P-289")
def test_a_reader_sees_one_state_while_another_process_writes(engine):
    writer = open_database(str(engine.url))
    with Session(engine) as session:
        assert session.scalars(select(BlockRow.number)).all() == []
        with Session(writer) as other, other.begin():
            other.add(BlockRow(number=1, hash="0x" + "11" * 32, time=9))
        assert session.scalars(select(BlockRow.number)).all() == []
    with Session(engine) as session:
        assert session.scalars(select(BlockRow.number)).all() == [1]
    writer.dispose()


def test_an_error_of_the_database_shows_no_values(engine):
    with Session(engine) as session, pytest.raises(IntegrityError) as refusal:
        session.add_all([BlockRow(number=1, hash="words of a request"), BlockRow(number=1, hash="more", time=3)])
        session.commit()
    assert "blocks" in str(refusal.value) and "words of a request" not in str(refusal.value)


def test_a_making_of_the_tables_that_was_ended_is_begun_again(tmp_path, monkeypatch):
    def end(*arguments, **options):
        raise KeyboardInterrupt

    url = f"sqlite:///{tmp_path / 'index.db'}"
    monkeypatch.setattr("alembic.op.create_index", end)  # after the first tables
    with pytest.raises(KeyboardInterrupt):
        open_database(url)
    monkeypatch.undo()
    with open_database(url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_every_event_of_the_desks_and_contracts_is_read():
    """A desk that is added later comes along: its events have a decoder and, with an account, a row."""
    names = list_extensions("ClearingHouse")
    assert {"AccountDesk", "BatchDesk", "DefaultDesk"} <= set(names)
    events = {item["name"] for name in names for item in compile_contracts()[name].abi if item["type"] == "event"}
    assert {"Frozen", "Redeemed", "Revealed"} <= events - set(ROWS) - set(QUIET)
    assert all(name[0] != "I" for name in names)


def test_every_event_that_changes_a_commitment_leaves_a_state():
    """An event that names a commitment says that an account has it from then on, unless it only shows the one that it
    had."""
    artifacts = compile_contracts()
    named = {
        item["name"]
        for name in (*list_extensions("ClearingHouse"), "ClearingHouse")
        for item in artifacts[name].abi
        if item["type"] == "event" and any("commitment" in field["name"].lower() for field in item["inputs"])
    }
    assert named - set(CHANGES) == {"Revealed"}


BOOK, BUYER = "0x" + "0b" * 32, "0x" + "0c" * 32
OPENED = {"auth": "0x" + "11" * 20, "index": 1, "keyVersion": 1, "generation": 1, "commitment": "7"}
BOUGHT = {"book": BOOK, "account": BUYER, "commitment": "9", "price": 5, "epoch": 4, "generation": 2}


def read_after(engine, name, fields):
    """The states of the book and of the buyer after one event of two accounts that were opened before, and the
    default's steps: (status, key version, generation, commitment, attested epoch), and (account, step)."""
    with Session(engine) as session, session.begin():
        session.add(BlockRow(number=1, hash="0x" + "11" * 32, time=9))
        session.flush()
        said = [("AccountOpened", OPENED | {"account": account}) for account in (BOOK, BUYER)] + [(name, fields)]
        for place, (said_name, said_fields) in enumerate(said):
            row = EventRow(
                block=1, log_index=place, transaction="", contract="ClearingHouse", name=said_name, fields=said_fields
            )
            session.add(row)
            session.flush()
            session.add_all([*list_rows(row), *list_states(session, row)])
            session.flush()
        states = [read_state(session, account) for account in (BOOK, BUYER)]
        steps = session.execute(select(DefaultRow.account, DefaultRow.step)).all()
        return [
            (row.status, row.key_version, row.generation, int(row.commitment, 16), row.attested_epoch) for row in states
        ], [tuple(step) for step in steps]


@pytest.mark.property("P-289")
@pytest.mark.parametrize(
    ("name", "fields", "book", "buyer", "steps"),
    [
        ("PartSold", BOUGHT | {"bookCommitment": "8", "part": []}, ("active", 1, 1, 8, 0), ("active", 1, 2, 9, 4),
         [(BOOK, "PartSold")]),
        ("TakenOver", BOUGHT | {"cashFlow": -5}, ("closed", 1, 1, 7, 0), ("active", 1, 2, 9, 4),
         [(BOOK, "TakenOver")]),
        ("AccountRekeyed", {"account": BUYER, "keyVersion": 2, "commitment": "9", "checkpoint": []},
         ("active", 1, 1, 7, 0), ("active", 2, 1, 9, 0), []),
    ],
)  # fmt: skip
def test_a_sale_is_filed_under_the_book_and_changes_both_sides(engine, name, fields, book, buyer, steps):
    """A rekeying changes an account as well, and is no step of a default."""
    assert read_after(engine, name, fields) == ([book, buyer], steps)


@contextmanager
def run_postgres(folder):
    """A PostgreSQL server of the test's own, its URL and what controls it; skips where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(found[-1]) if found else shutil.which("initdb")
    is_root = os.geteuid() == 0
    if initdb is None or (is_root and shutil.which("runuser") is None):
        pytest.skip("no PostgreSQL")
    prefix = ["runuser", "-u", "postgres", "--"] if is_root else []
    if is_root:
        shutil.chown(folder, "postgres")
    data, (port,) = folder / "data", find_free_ports(1)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    control = [*prefix, str(Path(initdb).with_name("pg_ctl")), "-D", str(data), "-o", options, "-l", f"{folder}/log"]

    def run(*command):
        subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=60)

    run(*prefix, initdb, "-D", str(data), "-A", "trust", "-U", "postgres")
    run(*control, "-w", "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres", lambda *action: run(*control, "-w", *action)
    finally:
        run(*control, "-m", "immediate", "stop")


@pytest.mark.slow
@pytest.mark.property("P-289", "P-290")
def test_postgresql_holds_the_same_through_a_reorganisation_and_a_kill(venue):  # noqa: F811
    with TemporaryDirectory() as folder, run_postgres(Path(folder)) as (url, control):
        engine = open_database(url)
        indexer = Indexer(engine, venue.contracts, step_blocks=9)
        open_funded(venue, "alice", 50_000)
        read_up(indexer)
        mark = venue.chain.snapshot()
        for _ in range(12):
            venue.chain.travel(1)
        open_funded(venue, "bob", 50_000)
        read_up(indexer)
        require_same(engine, venue)
        control("-m", "immediate", "stop")
        with pytest.raises(OperationalError):
            indexer.advance()
        control("start")
        venue.chain.revert(mark)
        venue.chain.travel(3)
        read_up(indexer)
        require_same(engine, venue)
        with Session(engine) as session:
            assert session.scalars(select(AccountStateRow.account).distinct()).all()
        require_one_state(engine)
        engine.dispose()


def require_one_state(engine):
    """An answer of the API is of one state of the index, whatever an indexer writes between two of its queries."""
    seen = []

    def read_twice(session):
        for number in (10**9, 10**9 + 1):
            seen.append(session.scalar(select(func.count()).select_from(BlockRow)))
            with Session(engine) as other, other.begin():
                other.add(BlockRow(number=number, hash="0x" + "11" * 32, time=9))
        return read_position(session)

    with pytest.MonkeyPatch.context() as patch, TestClient(make_app(engine)) as client:
        patch.setattr(queries, "read_position", read_twice)
        assert client.get("/status").json()["block"] < 10**9
    assert seen[0] == seen[1] > 0
