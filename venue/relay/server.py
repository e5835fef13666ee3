"""The relay: holds published keys and sealed boxes for a while, and can read no box.

It learns who is written to, when, and how long a box is in steps of a kilobyte. It may lose or delay boxes and hand out
an old key of a wallet, and cannot make one: keys carry their wallet's signature, which everybody checks again.
Everything is in memory: who wrote to a relay that was ended writes again.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from zkmargin.engine.files import StrictModel
from zkmargin.venue.errors import BoxRefused
from zkmargin.venue.relay.boxes import MOST_SEALED, PublishedKey

KEPT_SECONDS = 3600
"""How long a box is held: as long as a quote can be good."""
MOST_BOXES = 256
"""That wait for one address; further ones are refused until some are old."""
MOST_ADDRESSES = 100_000


class SealedIn(StrictModel):
    """A box that is handed in."""

    sealed: str = Field(max_length=MOST_SEALED, pattern="^[A-Za-z0-9+/]+=*$")


class Box(StrictModel):
    """A box that waits."""

    id: int
    """Rises from box to box."""
    sealed: str
    time: float
    """Unix seconds at which it came."""


@dataclass
class Post:
    """What a relay holds."""

    clock: Callable[[], float] = time.time
    _keys: OrderedDict[str, PublishedKey] = field(default_factory=OrderedDict)
    _boxes: dict[str, deque[Box]] = field(default_factory=dict)
    _last: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def publish(self, key: PublishedKey) -> None:
        """Takes the place of the address's former key; raises `BoxRefused` if the signature is not the address's."""
        key.check(key.address)
        with self._lock:
            if key.address.lower() not in self._keys and len(self._keys) >= MOST_ADDRESSES:
                raise BoxRefused("published key", f"the relay holds {MOST_ADDRESSES} already")
            self._keys[key.address.lower()] = key

    def find(self, address: str) -> PublishedKey:
        """The key of an address; raises `BoxRefused` if it published none."""
        try:
            return self._keys[address.lower()]
        except KeyError:
            raise BoxRefused("address", f"{address[:42]} has published no key here") from None

    def put(self, address: str, sealed: str) -> int:
        """Holds a box for an address that published a key; raises `BoxRefused` if too many wait."""
        self.find(address)
        with self._lock:
            waiting = self._drop_old(address)
            if len(waiting) >= MOST_BOXES:
                raise BoxRefused("box", f"{MOST_BOXES} wait for this address; try again later")
            self._last += 1
            waiting.append(Box(id=self._last, sealed=sealed, time=self.clock()))
            return self._last

    def take(self, address: str, after: int) -> list[Box]:
        """Boxes of an address after the one of that id. They stay until they are old: who asks need not be its owner,
        and reads none."""
        with self._lock:
            return [box for box in self._drop_old(address) if box.id > after]

    def _drop_old(self, address: str) -> deque[Box]:
        waiting = self._boxes.setdefault(address.lower(), deque()) if address.lower() in self._keys else deque()
        while waiting and waiting[0].time < self.clock() - KEPT_SECONDS:
            waiting.popleft()
        return waiting


def make_relay(post: Post) -> FastAPI:
    """The relay's application."""
    app = FastAPI(title="zkmargin relay", version="1", description=__doc__ or "")

    @app.exception_handler(BoxRefused)
    async def refuse(request: Request, fault: BoxRefused) -> Response:
        return JSONResponse({"error": "BoxRefused", "text": str(fault)[:300]}, 409)

    @app.post("/keys")
    def publish(key: PublishedKey) -> dict[str, str]:
        post.publish(key)
        return {"address": key.address}

    @app.get("/keys/{address}")
    def find(address: str) -> PublishedKey:
        return post.find(address)

    @app.post("/boxes/{address}")
    def put(address: str, box: SealedIn) -> dict[str, int]:
        return {"id": post.put(address, box.sealed)}

    @app.get("/boxes/{address}")
    def take(address: str, after: Annotated[int, Query(ge=0)] = 0) -> list[Box]:
        return post.take(address, after)

    return app
