"""The relay: holds published keys and sealed boxes for a while, and can read no box.

It learns who is written to, when, and how long a box is in steps of a kilobyte. It may lose or delay boxes and hand out
a key of a wallet that is up to `KEY_SECONDS` old, and cannot make one: keys carry their wallet's signature, which
everybody checks again. Everything is in memory, and bounded: what does not fit takes the place of the oldest box, or of
the key that was unused for the longest. Who wrote to a relay that was ended writes again, and who published a key
publishes again: a relay that begins knows of none that it was replaced.
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
from zkmargin.venue.bodies import BodyLimit
from zkmargin.venue.errors import BoxRefused
from zkmargin.venue.relay.boxes import MOST_SEALED, PublishedKey

KEPT_SECONDS = 3600
"""How long a box is held: as long as a quote can be good."""
MOST_BOXES = 256
"""That wait for one address; further ones are refused until some are old."""
MOST_ADDRESSES = 100_000
"""Whose keys are held."""
MOST_CHARACTERS = 1 << 28
"""Of all boxes that wait."""
MOST_BODY = MOST_SEALED + 1024
"""Bytes of a request: a box and the JSON around it."""


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
    _order: deque[str] = field(default_factory=deque)
    """Address of each box that waits, in the order in which they came."""
    _characters: int = 0
    _last: int = 0
    _floor: int = 0
    """Unix seconds; the latest `issued` of a key that made room for another. What an address that is not held hands in
    was issued later: it may have replaced an earlier one here."""
    _lock: Lock = field(default_factory=Lock, repr=False)

    def publish(self, key: PublishedKey) -> None:
        """Takes the place of the address's former key.

        Raises
        ------
        BoxRefused
            If the signature is not the address's, the key is too old, or not issued after the one that is held, or
            after those that made room where none is held: anybody may hand in what a wallet once signed.
        """
        key.check(key.address, self.clock())
        address = key.address.lower()
        with self._lock:
            held = self._keys.get(address)
            least = self._floor if held is None else held.issued
            if held != key and key.issued <= least:
                raise BoxRefused("published key", f"it was issued at {key.issued}; allowed: after {least}")
            if held is None and len(self._keys) >= MOST_ADDRESSES:
                self._make_room()
            self._keys[address] = key
            self._keys.move_to_end(address)

    def _make_room(self) -> None:
        """Drops the key that was unused for the longest. One of a clock that is ahead bars nobody's present key."""
        _, gone = self._keys.popitem(last=False)
        self._floor = max(self._floor, min(gone.issued, int(self.clock())))

    def find(self, address: str) -> PublishedKey:
        """The key of an address; raises `BoxRefused` if it published none."""
        with self._lock:
            if address.lower() not in self._keys:
                raise BoxRefused("address", f"{address[:42]} has published no key here")
            self._keys.move_to_end(address.lower())
            return self._keys[address.lower()]

    def put(self, address: str, sealed: str) -> int:
        """Holds a box for an address that published a key; raises `BoxRefused` if too many wait."""
        self.find(address)
        with self._lock:
            self._drop_old()
            waiting = self._boxes.setdefault(address.lower(), deque())
            if len(waiting) >= MOST_BOXES:
                raise BoxRefused("box", f"{MOST_BOXES} wait for this address; try again later")
            self._last = max(self._last + 1, int(self.clock() * 1e6))  # rises over an end of the process, too
            waiting.append(Box(id=self._last, sealed=sealed, time=self.clock()))
            self._order.append(address.lower())
            self._characters += len(sealed)
            while self._characters > MOST_CHARACTERS:
                self._drop_first()
            return self._last

    def take(self, address: str, after: int) -> list[Box]:
        """Boxes of an address after the one of that id. They stay until they are old: who asks need not be its owner,
        and reads none."""
        with self._lock:
            self._drop_old()
            return [box for box in self._boxes.get(address.lower(), ()) if box.id > after]

    def _drop_old(self) -> None:
        while self._order and self._boxes[self._order[0]][0].time < self.clock() - KEPT_SECONDS:
            self._drop_first()

    def _drop_first(self) -> None:
        """Drops the box that came first of all."""
        address = self._order.popleft()
        self._characters -= len(self._boxes[address].popleft().sealed)
        if not self._boxes[address]:
            del self._boxes[address]


def make_relay(post: Post) -> FastAPI:
    """The relay's application."""
    app = FastAPI(title="zkmargin relay", version="1", description=__doc__ or "")
    app.add_middleware(BodyLimit, most=MOST_BODY)

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
