"""A publisher as a process: signs, over HTTP, the epochs that its own market source gives.

A proposal names number, time, urgency and the snapshot's bytes. The publisher builds everything else itself, from its
own keys, its own model and the chain's last epoch, and refuses a snapshot that its own source does not give. It signs
one message of a number: what it signed last is written to disk before the signature leaves.

::

    POST /sign   {"number": 7, "time": 1787412900, "urgent": false, "snapshot": "0x…"}
              -> {"signer": "0x…", "digest": "0x…", "signature": "0x…"}
              -> 409 {"error": "...", "text": "..."} where it refuses
    GET /health  -> {"signer": "0x…", "signed": 6}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from zkmargin.engine.errors import ZkMarginError
from zkmargin.engine.files import PRIVATE, parse_json, read_object, write_whole
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.prover.messages.typed_data import compute_digest
from zkmargin.prover.messages.wallet import Signer
from zkmargin.venue.errors import ProposalRefused
from zkmargin.venue.market_source import MarketSource
from zkmargin.venue.publishing import Draft, PublishingTerms, date_market, sign_draft

MAX_BODY = 1 << 22
"""Bytes of a request at most; a snapshot of 256 slots has about 14,000."""
CLOCK_SKEW = 60
"""Seconds by which a proposal's time may differ from the latest block's."""


class SigningService:
    """What one publisher signs, and what it signed last."""

    def __init__(self, terms: PublishingTerms, wallet: Signer, source: MarketSource, journal: Path, *, replay: bool):
        """Raises `WalletUnusable` if the oracle does not have the wallet as a publisher."""
        terms.make_publisher([wallet], 0)
        self._terms, self._wallet, self._source = terms, wallet, source
        self._journal, self._replay, self._lock = journal, replay, Lock()

    @property
    def health(self) -> dict[str, Any]:
        """Who signs, and the number of the last epoch that it signed."""
        return {"signer": self._wallet.address, "signed": self._read_journal().get("number", 0)}

    def sign(self, request: Mapping[str, Any]) -> dict[str, str]:
        """The signature of a proposal, after every check.

        Raises
        ------
        ProposalRefused
            If the proposal is malformed, of another time, of another market than this publisher's, or of a number that
            it has signed with another content.
        MessageInvalid, PolicyError, OutOfRange
            As `Publisher.check`.
        """
        with self._lock:
            draft, max_lag = self._read(request)
            _, signed = sign_draft(self._terms, draft, [self._wallet], max_lag)
            digest = "0x" + compute_digest(self._terms.contracts.domain, signed.message).hex()
            self._note(draft.number, digest)
            return {"signer": self._wallet.address, "digest": digest, "signature": "0x" + signed.signatures[0].hex()}

    def _read(self, request: Mapping[str, Any]) -> tuple[Draft, int]:
        number, time, urgent = (request.get(name) for name in ("number", "time", "urgent"))
        if type(number) is not int or type(time) is not int or type(urgent) is not bool:
            raise ProposalRefused(
                "number, time or urgent", (number, time, urgent), "two whole numbers and a truth value"
            )
        latest, now = self._terms.contracts.oracle.get_latest_number(), self._terms.contracts.chain.time
        if not latest < number <= latest + 1000:
            raise ProposalRefused("number", number, f"{latest + 1} to {latest + 1000}")
        if abs(time - now) > CLOCK_SKEW:
            raise ProposalRefused("time", time, f"{now - CLOCK_SKEW} to {now + CLOCK_SKEW}")
        own, max_lag = date_market(self._source.load(number), self._terms.contracts, replay=self._replay)
        try:
            given = MarketSnapshot.from_bytes(bytes.fromhex(str(request.get("snapshot")).removeprefix("0x")))
        except (ValueError, ZkMarginError) as error:
            raise ProposalRefused("snapshot", "bytes that are none", str(error)[:200]) from None
        if not is_same_market(given, own, replay=self._replay):
            raise ProposalRefused("snapshot", "of another market", "what this publisher's own source gives")
        return Draft(number, time, urgent, given), max_lag

    def _note(self, number: int, digest: str) -> None:
        """Writes what is about to be signed, unless the number was signed with another content."""
        last = self._read_journal()
        if number < last.get("number", 0) or (number == last.get("number") and digest != last["digest"]):
            raise ProposalRefused("number", number, f"above {last['number']}, which this publisher has signed")
        write_whole(self._journal, json.dumps({"number": number, "digest": digest}) + "\n", mode=PRIVATE)

    def _read_journal(self) -> dict[str, Any]:
        return read_object(self._journal) if self._journal.exists() else {}


def is_same_market(given: MarketSnapshot, own: MarketSnapshot, *, replay: bool) -> bool:
    """Whether two snapshots say the same; in a replay, where each is dated as it is read, but for their time."""
    return given.to_bytes() == (replace(own, time=given.time) if replay else own).to_bytes()


def make_server(service: SigningService, host: str, port: int) -> ThreadingHTTPServer:
    """The HTTP server of a publisher; port 0 takes a free one. It serves when `serve_forever` is called."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/health":
                self._answer(200, service.health)
            else:
                self._answer(404, {"error": "NotFound", "text": self.path[:100]})

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if self.path != "/sign" or not length.isdigit() or int(length) > MAX_BODY:
                self._answer(404, {"error": "NotFound", "text": f"POST /sign with at most {MAX_BODY} bytes"})
                return
            try:
                request = parse_json(self.rfile.read(int(length)).decode())
                if not isinstance(request, dict):
                    raise ProposalRefused("proposal", type(request).__name__, "a JSON object")
                self._answer(200, service.sign(request))
            except (ZkMarginError, ValueError) as error:
                self._answer(409, {"error": type(error).__name__, "text": str(error)[:500]})

        def _answer(self, status: int, document: Mapping[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: what was signed stands in the journal."""

    return ThreadingHTTPServer((host, port), Handler)
