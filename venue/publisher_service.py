"""A publisher as a process: signs, over HTTP, the epochs that its own market source gives.

A proposal names number, time and the snapshot's bytes. The publisher builds everything else itself, from its own keys,
its own model and the chain's last epoch, and refuses a snapshot that its own source does not give. An urgent epoch,
which ends every proof in flight, is never signed here: people publish it (`zkmargin publish --urgent`).

For `HOLD_SECONDS` it signs one message of a number, which it writes to disk before the signature leaves. Afterwards it
may sign another, so that neither a lost answer nor a stranger's proposal keeps a number from ever being posted. The
chain takes each number once, and no epoch that is earlier than its last.

::

    POST /sign   {"number": 7, "time": 1787412900, "snapshot": "0x…"}
              -> {"signer": "0x…", "digest": "0x…", "signature": "0x…"}
              -> 409 {"error": "...", "text": "..."} where it refuses; of its own troubles callers learn the class
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

from zkmargin.contracts.errors import MessageInvalid
from zkmargin.engine.errors import OutOfRange, ZkMarginError
from zkmargin.engine.files import PRIVATE, StrictModel, parse_json, read_model, read_text, write_whole
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.errors import PolicyError
from zkmargin.prover.messages.typed_data import compute_digest
from zkmargin.prover.messages.wallet import Signer
from zkmargin.venue.errors import ProposalRefused
from zkmargin.venue.market_source import MarketSource
from zkmargin.venue.publishing import PROPOSAL_WINDOW, Draft, PublishingTerms, date_market, sign_draft

MAX_BODY = 1 << 22
"""Bytes of a request at most; a snapshot of 256 slots has about 14,000."""
CLOCK_SKEW = 60
"""Seconds by which a proposal's time may differ from the latest block's."""
HOLD_SECONDS = 300
"""Seconds of the chain's clock during which a number that was signed is signed with no other content."""
REQUEST_SECONDS = 20
"""How long a caller may take over its request."""
PROPOSAL_FIELDS = {"number", "time", "snapshot"}
TOLD = (ProposalRefused, PolicyError, MessageInvalid, OutOfRange)
"""Errors about a proposal, whose text the caller gets. Others name what is the publisher's own, as its node's URL."""


class SignedNumber(StrictModel):
    """One message that was signed."""

    number: int
    digest: str
    """0x-hex, 32 bytes."""
    time: int
    """Of the latest block when it was first signed, unix seconds."""


class Journal(StrictModel):
    """What a publisher signed within `HOLD_SECONDS`, and what it signed last, which is the last item."""

    signed: list[SignedNumber]

    @classmethod
    def read(cls, path: Path) -> Journal:
        """A file's journal, an empty one where there is none; raises `MalformedFile`."""
        return read_model(cls, read_text(path), path) if path.exists() else cls(signed=[])

    def add(self, number: int, digest: str, now: int) -> Journal:
        """With one more message; what is no longer held is left out. Raises `ProposalRefused` if it is held back."""
        held = [item for item in self.signed if now - item.time <= HOLD_SECONDS]
        same = next((item for item in held if item.number == number), None)
        if same is not None and same.digest != digest:
            allowed = f"another one, or the content that was signed at {same.time}, until {same.time + HOLD_SECONDS}"
            raise ProposalRefused("number", number, allowed)
        last = same or SignedNumber(number=number, digest=digest, time=now)
        return Journal(signed=[*(item for item in held if item.number != number), last])


class SigningService:
    """What one publisher signs, and what it signed last."""

    def __init__(self, terms: PublishingTerms, wallet: Signer, source: MarketSource, journal: Path, *, replay: bool):
        """Raises `WalletUnusable` if the oracle does not have the wallet as a publisher, and `MalformedFile` if the
        journal is none."""
        terms.make_publisher([wallet], 0)
        Journal.read(journal)
        self._terms, self._wallet, self._source = terms, wallet, source
        self._journal, self._replay, self._lock = journal, replay, Lock()

    @property
    def health(self) -> dict[str, Any]:
        """Who signs, and the number of the epoch that it signed last, 0 before the first."""
        signed = Journal.read(self._journal).signed
        return {"signer": self._wallet.address, "signed": signed[-1].number if signed else 0}

    def sign(self, request: Mapping[str, Any]) -> dict[str, str]:
        """The signature of a proposal, after every check.

        Raises
        ------
        ProposalRefused
            If the proposal is malformed, of another time, of another market than this publisher's, or of a number that
            it signed with another content less than `HOLD_SECONDS` ago.
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
        if set(request) != PROPOSAL_FIELDS:
            raise ProposalRefused("fields", sorted(request)[:5], f"{sorted(PROPOSAL_FIELDS)}")
        number, time = request["number"], request["time"]
        if type(number) is not int or type(time) is not int:
            raise ProposalRefused("number or time", (number, time), "two whole numbers")
        latest, now = self._terms.contracts.oracle.get_latest_number(), self._terms.contracts.chain.time
        if not latest < number <= latest + PROPOSAL_WINDOW:
            raise ProposalRefused("number", number, f"{latest + 1} to {latest + PROPOSAL_WINDOW}")
        if abs(time - now) > CLOCK_SKEW:
            raise ProposalRefused("time", time, f"{now - CLOCK_SKEW} to {now + CLOCK_SKEW}")
        own, max_lag = date_market(self._source.load(number), self._terms.contracts, replay=self._replay)
        try:
            given = MarketSnapshot.from_bytes(bytes.fromhex(str(request["snapshot"]).removeprefix("0x")))
        except (ValueError, ZkMarginError) as error:
            raise ProposalRefused("snapshot", "bytes that are none", str(error)[:200]) from None
        if not is_same_market(given, own, replay=self._replay):
            raise ProposalRefused("snapshot", "of another market", "what this publisher's own source gives")
        return Draft(number, time, False, given), max_lag

    def _note(self, number: int, digest: str) -> None:
        """Writes what is about to be signed, unless the number is held for another content."""
        journal = Journal.read(self._journal).add(number, digest, self._terms.contracts.chain.time)
        write_whole(self._journal, journal.model_dump_json() + "\n", mode=PRIVATE)


def is_same_market(given: MarketSnapshot, own: MarketSnapshot, *, replay: bool) -> bool:
    """Whether two snapshots say the same; in a replay, where each is dated as it is read, but for their time."""
    return given.to_bytes() == (replace(own, time=given.time) if replay else own).to_bytes()


def make_server(service: SigningService, host: str, port: int) -> ThreadingHTTPServer:
    """The HTTP server of a publisher; port 0 takes a free one. It serves when `serve_forever` is called."""

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS

        def do_GET(self) -> None:
            if self.path == "/health":
                self._answer(200, service.health)
            else:
                self._answer(404, {"error": "NotFound", "text": self.path[:100]})

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            is_number = length.isascii() and length.isdigit() and len(length) <= len(str(MAX_BODY))
            if self.path != "/sign" or not is_number or int(length) > MAX_BODY:
                self._answer(404, {"error": "NotFound", "text": f"POST /sign with at most {MAX_BODY} bytes"})
                return
            try:
                request = parse_json(self.rfile.read(int(length)).decode())
                if not isinstance(request, dict):
                    raise ProposalRefused("proposal", type(request).__name__, "a JSON object")
                self._answer(200, service.sign(request))
            except (ZkMarginError, ValueError) as error:
                text = str(error)[:500] if isinstance(error, TOLD) else type(error).__name__
                self._answer(409, {"error": type(error).__name__, "text": text})

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
