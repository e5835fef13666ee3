"""The database of an index: SQLite in a file, or PostgreSQL by URL, brought to the latest version when it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from zkmargin.venue.errors import IndexUnusable

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30
"""How long SQLite waits for another process's writing."""
WRITES = "zkmargin_writes"
"""Option of a connection whose transactions keep SQLite's other writers out from their beginning."""
DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
"""Databases that are built for, by the scheme of their URL, and the driver of each."""


def open_database(url: str) -> Engine:
    """The database at a URL, such as `sqlite:///index.db` or `postgresql://user:word@host/name`, at the latest version.

    Raises
    ------
    IndexUnusable
        If the URL is none of these, nothing answers there, or its tables are of a later version; a password is never
        shown.
    """
    try:
        parsed = make_url(url)
        driver = DRIVERS[parsed.drivername.split("+")[0]]
    except (ArgumentError, KeyError):
        raise IndexUnusable("database URL", f"its scheme is none of {', '.join(DRIVERS)}") from None
    place = parsed.render_as_string(hide_password=True)
    engine = create_engine(parsed.set(drivername=driver), pool_pre_ping=True, hide_parameters=True)
    if driver == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(MIGRATIONS))
            command.upgrade(config, "head")
    except (SQLAlchemyError, CommandError) as fault:
        raise IndexUnusable(place, f"{type(fault).__name__}: {str(fault).splitlines()[0][:200]}") from None
    return engine


def _set_up_sqlite(connection: Any, _: object) -> None:
    """Rows go with their blocks, and readers see whole states while another process writes. The driver begins no
    transaction by itself: it would begin with the first change, so that reads were of no one state, and a change of
    tables of none."""
    connection.isolation_level = None
    for setting in ("foreign_keys = ON", "journal_mode = WAL", f"busy_timeout = {BUSY_SECONDS * 1000}"):
        connection.execute(f"PRAGMA {setting}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITES) else "BEGIN")
