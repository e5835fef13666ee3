"""A committee member's share, over HTTP, for an account whose freeze is final, to those whom the member trusts with it.

Any t shares open an account, so a share leaves sealed to a recipient's published key (`venue.relay.boxes`), and the
member's own list says which addresses those may be. Whether a freeze is final, and of which escrow, the member reads
from its own node each time (`DefaultDesk.release_share`): a caller names the account and nothing else.

::

    POST /share   {"account": "0x…", "to": {"address": …, "key": …, "issued": …, "signature": …}}
               -> {"member": 2, "sealed": "…"}
               -> 409 {"error": "FreezeNotFinal", "text": "…"}
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from nacl.public import PublicKey
from pydantic import Field

from zkmargin.committee.decryption import DecryptionShare
from zkmargin.committee.errors import CommitteeError
from zkmargin.committee.record import MemberShare
from zkmargin.contracts.default_desk import DefaultDesk
from zkmargin.contracts.errors import FreezeNotFinal
from zkmargin.engine.errors import ZkMarginError
from zkmargin.engine.files import StrictModel
from zkmargin.venue.bodies import BodyLimit
from zkmargin.venue.errors import BoxRefused
from zkmargin.venue.relay.boxes import PublishedKey, RelayKey, seal

TOLD = (BoxRefused, FreezeNotFinal, CommitteeError)
"""Errors whose text the caller gets; others may name what is the member's own, as its node's URL."""


MOST_BODY = 4096
"""Bytes of a request."""


class ShareRequest(StrictModel):
    """Which account's share, and to whom."""

    account: str = Field(pattern="^0x[0-9a-f]{64}$")
    to: PublishedKey


class CommitteeService:
    """One member's."""

    def __init__(
        self,
        desk: DefaultDesk,
        share: MemberShare,
        recipients: Mapping[str, str | None],
        clock: Callable[[], float] = time.time,
    ):
        """`recipients` are the addresses to whose keys a share may be sealed, each with the one key that is taken
        (X25519, 0x-hex), or None for what its wallet published last."""
        self._desk, self._share, self._clock = desk, share, clock
        self._recipients = {address.lower(): key for address, key in recipients.items()}
        self._issued: dict[str, int] = {}
        self._order = threading.Lock()  # requests come on many threads

    @property
    def member(self) -> int:
        """Which one."""
        return self._share.member

    def give(self, request: ShareRequest) -> str:
        """The sealed share.

        Raises
        ------
        BoxRefused
            If the recipient is none of the member's, or the key is not the recipient's, too old, not the one that the
            member named, or issued before one that was shown here.
        FreezeNotFinal
            If the account is not frozen, or its freeze is not in a final block.
        CommitteeInvalid
            If the account's escrow is of another committee.
        """
        key = self._check_recipient(request.to)
        share = self._desk.release_share(bytes.fromhex(request.account[2:]), self._share)
        return seal(json.dumps({"account": request.account, "share": "0x" + share.encode().hex()}), key)

    def _check_recipient(self, published: PublishedKey) -> PublicKey:
        address = published.address.lower()
        if address not in self._recipients:
            raise BoxRefused("recipient", f"{published.address} is none that this member gives shares to")
        key, named = published.check(published.address, self._clock()), self._recipients[address]
        if named is not None and published.key != named:
            raise BoxRefused("published key", f"it is {published.key}, not {named}, which this member was given")
        with self._order:
            latest = self._issued.get(address, 0)
            if published.issued < latest:
                raise BoxRefused("published key", f"it was issued at {published.issued}; allowed: {latest} or later")
            self._issued[address] = published.issued
        return key


def open_share(sealed: str, key: RelayKey, account: str) -> DecryptionShare:
    """The recipient's side; raises `BoxRefused` if the box is not this key's, or of another account."""
    try:
        document = json.loads(key.open(sealed))
        if document["account"] != account:
            raise BoxRefused("share", f"it is for {document['account']}, not for {account}")
        return DecryptionShare.decode(bytes.fromhex(document["share"][2:]))
    except (ValueError, KeyError, TypeError):
        raise BoxRefused("share", "the box holds none") from None


def make_committee_app(service: CommitteeService) -> FastAPI:
    """The member's application."""
    app = FastAPI(title="zkmargin committee member", version="1", description=__doc__ or "")
    app.add_middleware(BodyLimit, most=MOST_BODY)

    @app.exception_handler(ZkMarginError)
    async def refuse(request: Request, fault: ZkMarginError) -> Response:
        name = type(fault).__name__
        return JSONResponse({"error": name, "text": str(fault)[:300] if isinstance(fault, TOLD) else name}, 409)

    @app.post("/share")
    def give(asked: ShareRequest) -> dict[str, int | str]:
        return {"member": service.member, "sealed": service.give(asked)}

    return app
