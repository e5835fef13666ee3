"""The API's application: what the index holds, and what the engine computes of a portfolio that is posted.

A portfolio that is posted is read by whoever runs the API: run one of your own. Nothing of it is logged or stored.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel, Field
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from zkmargin.engine.account import Portfolio
from zkmargin.engine.desk.orders import parse_orders
from zkmargin.engine.errors import ZkMarginError
from zkmargin.engine.files import StrictModel
from zkmargin.engine.house import House
from zkmargin.engine.units import Usd6
from zkmargin.venue.api import answers, queries
from zkmargin.venue.bodies import BodyLimit
from zkmargin.venue.errors import IndexUnusable
from zkmargin.venue.index import tables
from zkmargin.venue.index.rows import read_state
from zkmargin.venue.publishing import make_house

MOST_ROWS = 500
MOST_ID = 2**63 - 1
"""Of a column of 64 bits."""
POLL_SECONDS = 0.25
"""Between two looks at the database for a follower."""
MAX_BODY = 1 << 20
"""Bytes of a request at most."""
LOG = logging.getLogger("zkmargin.api")
NUMBER = "^0x[0-9a-f]{64}$"

After = Annotated[int, Query(ge=0, le=MOST_ID, description="Event to go on from; 0 begins.")]
AfterEpoch = Annotated[int, Query(ge=0, le=MOST_ID, description="Number of the epoch to go on from; 0 begins.")]
LastEvent = Annotated[int, Query(ge=0, le=MOST_ID, description="The last event that was read; 0 for all rollbacks.")]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS)]
OfAccount = Annotated[str | None, Query(pattern=NUMBER)]


class PostedPortfolio(StrictModel):
    """A portfolio, with what is to be traded first."""

    cash_usd6: int
    positions: dict[str, int]
    """Signed lots by instrument name."""
    orders: list[str] = Field(default=[])
    """NAME:LOTS, as `zkmargin whatif --order`."""
    prices: list[str] = Field(default=[])
    """NAME:USD, as `zkmargin whatif --price`."""

    def to_portfolio(self) -> Portfolio:
        """The checked record."""
        return Portfolio("posted", self.positions, Usd6(self.cash_usd6))


class Metrics:
    """What Prometheus reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "zkmargin_api_requests", "Requests by path and status.", ("path", "status"), registry=self.registry
        )
        self.seconds = Histogram("zkmargin_api_seconds", "Seconds of a request.", ("path",), registry=self.registry)
        self.block = Gauge("zkmargin_index_block", "Last block that was read.", registry=self.registry)
        self.epoch = Gauge("zkmargin_index_epoch", "Latest epoch.", registry=self.registry)
        self.events = Gauge("zkmargin_index_events", "Events in the index.", registry=self.registry)

    def render(self, position: answers.Position) -> bytes:
        """The text, with the index as it stands."""
        self.block.set(position.block)
        self.epoch.set(position.latest_epoch)
        self.events.set(position.events)
        return generate_latest(self.registry)


def make_app(engine: Engine) -> FastAPI:
    """The application over an index."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")  # an answer is of one state of the index
    app, metrics = FastAPI(title="zkmargin", version="1", description=__doc__ or ""), Metrics()
    app.add_middleware(BodyLimit, most=MAX_BODY)
    app.middleware("http")(partial(_watch, metrics))
    app.exception_handler(ZkMarginError)(_refuse)
    app.exception_handler(SQLAlchemyError)(_admit)
    _add_index(app, engine)
    _add_engine(app, engine)

    @app.get("/metrics", response_class=Response)
    def show_metrics() -> Response:
        with Session(engine) as session:
            position = answers.Position(**queries.read_position(session))
        return Response(metrics.render(position), media_type=CONTENT_TYPE_LATEST)

    return app


async def _watch(metrics: Metrics, request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    """Counts and logs a request by its path's pattern: no account, no body, no query stands in a log."""
    start, status = time.monotonic(), 500  # where nothing is answered
    try:
        answer = await go_on(request)
        status = answer.status_code
        return answer
    finally:
        path = getattr(request.scope.get("route"), "path", "other")
        seconds = time.monotonic() - start
        metrics.requests.labels(path, status).inc()
        metrics.seconds.labels(path).observe(seconds)
        LOG.info(json.dumps({"path": path, "status": status, "seconds": round(seconds, 4)}))


async def _refuse(request: Request, fault: Exception) -> Response:
    status = 503 if isinstance(fault, IndexUnusable) else 422
    return JSONResponse({"error": type(fault).__name__, "text": str(fault)[:500]}, status)


async def _admit(request: Request, fault: Exception) -> Response:
    """The database failed; its words may hold what a request said, and are not shown."""
    return JSONResponse({"error": "IndexUnusable", "text": f"the database failed: {type(fault).__name__}"}, 503)


def _add_index(app: FastAPI, engine: Engine) -> None:
    """What the index holds: one route a table, and everything as a stream."""

    @app.get("/status")
    def show_status() -> answers.Position:
        with Session(engine) as session:
            return answers.Position(**queries.read_position(session))

    @app.get("/accounts")
    def list_accounts(
        after: Annotated[str, Query(pattern="^(0x[0-9a-f]{64})?$")] = "", limit: Limit = 100
    ) -> list[answers.Account]:
        with Session(engine) as session:
            return [_to_account(row) for row in queries.list_accounts(session, after, limit)]

    @app.get("/accounts/{account}", responses={404: {"model": answers.Failure}})
    def show_account(account: Annotated[str, Path(pattern=NUMBER)]) -> answers.Account:
        with Session(engine) as session:
            row = read_state(session, account)
            if row is None:
                raise HTTPException(404, "no such account in the index")
            return _to_account(row)

    @app.get("/epochs")
    def list_epochs(after: AfterEpoch = 0, limit: Limit = 100) -> list[answers.Epoch]:
        with Session(engine) as session:
            query = tables.EpochRow.__table__.select().where(tables.EpochRow.number > after)
            rows = session.execute(query.order_by(tables.EpochRow.number).limit(limit)).mappings()
            return [answers.Epoch(**{name: row[name] for name in answers.Epoch.model_fields}) for row in rows]

    _add_listing(app, engine, "trades", tables.TradeRow, answers.Trade, ("plus", "minus"))
    _add_listing(app, engine, "flows", tables.FlowRow, answers.Flow)
    _add_listing(app, engine, "attestations", tables.AttestationRow, answers.Attestation)
    _add_listing(app, engine, "defaults", tables.DefaultRow, answers.Default)

    @app.get("/payments")
    def list_payments(after: After = 0, limit: Limit = 100, account: OfAccount = None) -> list[answers.Payment]:
        with Session(engine) as session:
            return [answers.Payment(**row) for row in queries.list_payments(session, after, limit, account)]

    @app.get("/events")
    def list_events(after: After = 0, limit: Limit = 100) -> list[answers.Event]:
        with Session(engine) as session:
            rows = queries.list_after(session, tables.EventRow, after, limit)
            return [answers.Event.model_validate(row) for row in rows]

    @app.get("/rollbacks")
    def list_rollbacks(after_event: LastEvent = 0) -> list[answers.Rollback]:
        """Those that may have undone the event `after_event`, or one before it."""
        with Session(engine) as session:
            rows = queries.list_rollbacks(session, after_event=after_event)
            return [answers.Rollback.model_validate(row) for row in rows]

    @app.get("/stream", response_class=StreamingResponse)
    async def stream(request: Request, after: After = 0) -> StreamingResponse:
        """Server-sent events: `event` for each new event, with its id, and `rollback` where blocks were replaced.
        `Last-Event-ID`, which browsers send when they connect again, goes before `after`."""
        last = request.headers.get("last-event-id", "")
        start = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else after
        return StreamingResponse(_follow(engine, start), media_type="text/event-stream")


def _add_listing(
    app: FastAPI,
    engine: Engine,
    name: str,
    table: type[tables.Table],
    answer: type[BaseModel],
    columns: Sequence[str] = ("account",),
) -> None:
    """Rows of a table of events; with `account` those that name it in one of the columns."""

    @app.get(f"/{name}", name=f"list_{name}", response_model=list[answer])  # type: ignore[valid-type]
    def list_events(after: After = 0, limit: Limit = 100, account: OfAccount = None) -> list[BaseModel]:
        with Session(engine) as session:
            rows = queries.list_after(session, table, after, limit, account, columns)
            return [answer.model_validate(row) for row in rows]


async def _follow(engine: Engine, after: int) -> AsyncIterator[str]:
    """New events and rollbacks, as they come; first the rollbacks since the event that a follower goes on from."""
    rollback: int | None = None
    while True:
        parts, after, rollback = await asyncio.to_thread(_read_parts, engine, after, rollback)
        for part in parts:
            yield part
        if not parts:
            yield ": waiting\n\n"  # so that a follower who is gone is noticed
            await asyncio.sleep(POLL_SECONDS)


def _read_parts(engine: Engine, after: int, rollback: int | None) -> tuple[list[str], int, int]:
    """Rollbacks and events of one state of the index, as a stream has them, and the event and the rollback to go on
    from. A stream begins with `rollback` None."""
    with Session(engine) as session:
        if rollback is None:
            undone = queries.list_rollbacks(session, after_event=after) if after else []
            last = queries.find_last_rollback(session)
        else:
            undone = queries.list_rollbacks(session, rollback)
            last = undone[-1].id if undone else rollback
        rows = queries.list_after(session, tables.EventRow, after, MOST_ROWS)
        parts = [
            f"event: rollback\ndata: {answers.Rollback.model_validate(row).model_dump_json()}\n\n" for row in undone
        ]
        events = [answers.Event.model_validate(row) for row in rows]
        parts += [f"event: event\nid: {item.id}\ndata: {item.model_dump_json()}\n\n" for item in events]
        return parts, events[-1].id if events else after, last


def _add_engine(app: FastAPI, engine: Engine) -> None:
    """What `zkmargin margin`, `whatif` and `distance` print, at the market of the latest epoch that counts."""

    def get_house() -> House:
        with Session(engine) as session:
            return make_house(queries.read_latest_snapshot(session))

    @app.post("/margin")
    def compute_margin(posted: PostedPortfolio) -> dict[str, Any]:
        return get_house().report(posted.to_portfolio()).to_document()

    @app.post("/whatif")
    def compute_whatif(posted: PostedPortfolio) -> dict[str, Any]:
        orders = parse_orders(posted.orders, posted.prices)
        return get_house().whatif(posted.to_portfolio(), orders, with_distance=True).to_document()

    @app.post("/distance")
    def compute_distance(posted: PostedPortfolio) -> dict[str, Any]:
        orders = parse_orders(posted.orders, posted.prices) if posted.orders or posted.prices else ()
        return get_house().distance(posted.to_portfolio(), orders).to_document()


def _to_account(row: tables.AccountStateRow) -> answers.Account:
    return answers.Account(**{name: getattr(row, name) for name in answers.Account.model_fields})
