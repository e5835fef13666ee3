"""A party's side of a relay."""

from __future__ import annotations

import time
from typing import Any

import httpx

from zkmargin.prover.messages.wallet import Wallet
from zkmargin.venue.errors import BoxRefused
from zkmargin.venue.relay.boxes import PublishedKey, RelayKey, seal

ANSWER_SECONDS = 20.0


class RelayClient:
    """Talks to one relay; `session` may be any of httpx's, whose base URL is the relay's."""

    def __init__(self, session: httpx.Client):
        self._session = session

    @classmethod
    def connect(cls, url: str) -> RelayClient:
        """A client of the relay at a URL."""
        return cls(httpx.Client(base_url=url, timeout=ANSWER_SECONDS))

    def publish(self, key: RelayKey, wallet: Wallet) -> None:
        """Lets others write to the wallet's address; raises `BoxRefused`."""
        self._ask("POST", "/keys", json=key.publish(wallet, int(time.time())).model_dump())

    def send(self, document: str, to: str) -> int:
        """Seals a document to the key of an address, after its signature was checked; gives the box's id.

        Raises
        ------
        BoxRefused
            If the address has no key, the relay gives a key that is not its own, or does not take the box.
        """
        given = self._ask("GET", f"/keys/{to}")
        try:
            key = PublishedKey(**given).check(to, time.time())
        except (TypeError, ValueError):
            raise BoxRefused("published key", "what the relay gives is none") from None
        return int(self._ask("POST", f"/boxes/{to}", json={"sealed": seal(document, key)})["id"])

    def receive(self, key: RelayKey, address: str, after: int = 0) -> tuple[list[str], int]:
        """Documents that were sent since the box of that id, and the last id. What is sealed to another key, as anybody
        may hand in, is passed over."""
        documents = []
        for box in self._ask("GET", f"/boxes/{address}", params={"after": after}):
            after = max(after, int(box["id"]))
            try:
                documents.append(key.open(str(box["sealed"])))
            except BoxRefused:
                continue
        return documents, after

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._session.request(method, path, **options)
            document = answer.json()
        except (httpx.HTTPError, ValueError) as fault:
            raise BoxRefused("relay", f"no answer ({type(fault).__name__})") from None
        if answer.status_code != 200:
            text = document.get("text", "") if isinstance(document, dict) else ""
            raise BoxRefused("relay", f"{answer.status_code}: {str(text)[:200]}")
        return document
