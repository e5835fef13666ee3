"""A committee member's share, over HTTP, for an account whose freeze is final, to those whom the member trusts with it.

Any t shares open an account, so a share leaves sealed to a recipient's published key (`venue.relay.boxes`), and the
member's own list says which addresses those may be. Whether a freeze is final, and of which escrow, the member reads
from its own node each time (`DefaultDesk.release_share`): a caller names the account and nothing else.

::

    POST /share   {"account": "0x…", "to": {"address": …, "key": …, "signature": …}}
               -> {"member": 2, "sealed": "…"}
               -> 409 {"error": "FreezeNotFinal", "text": "…"}
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from zkmargin.committee.decryption import DecryptionShare
from zkmargin.committee.errors import CommitteeError
from zkmargin.committee.record import MemberShare
from zkmargin.contracts.default_desk import DefaultDesk
from zkmargin.contracts.errors import FreezeNotFinal
from zkmargin.engine.errors import ZkMarginError
from zkmargin.engine.files import StrictModel
from zkmargin.venue.errors import BoxRefused
from zkmargin.venue.relay.boxes import PublishedKey, RelayKey, seal

TOLD = (BoxRefused, FreezeNotFinal, CommitteeError)
"""Errors whose text the caller gets; others may name what is the member's own, as its node's URL."""


class ShareRequest(StrictModel):
    """Which account's share, and to whom."""

    account: str = Field(pattern="^0x[0-9a-f]{64}$")
    to: PublishedKey


class CommitteeService:
    """One member's."""

    def __init__(self, desk: DefaultDesk, share: MemberShare, recipients: Iterable[str]):
        """`recipients` are the addresses to whose keys a share may be sealed."""
        self._desk, self._share = desk, share
        self._recipients = {address.lower() for address in recipients}

    @property
    def member(self) -> int:
        """Which one."""
        return self._share.member

    def give(self, request: ShareRequest) -> str:
        """The sealed share.

        Raises
        ------
        BoxRefused
            If the recipient is none of the member's, or the key is not the recipient's.
        FreezeNotFinal
            If the account is not frozen, or its freeze is not in a final block.
        CommitteeInvalid
            If the account's escrow is of another committee.
        """
        if request.to.address.lower() not in self._recipients:
            raise BoxRefused("recipient", f"{request.to.address} is none that this member gives shares to")
        key = request.to.check(request.to.address)
        share = self._desk.release_share(bytes.fromhex(request.account[2:]), self._share)
        return seal(json.dumps({"account": request.account, "share": "0x" + share.encode().hex()}), key)


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

    @app.exception_handler(ZkMarginError)
    async def refuse(request: Request, fault: ZkMarginError) -> Response:
        name = type(fault).__name__
        return JSONResponse({"error": name, "text": str(fault)[:300] if isinstance(fault, TOLD) else name}, 409)

    @app.post("/share")
    def give(asked: ShareRequest) -> dict[str, int | str]:
        return {"member": service.member, "sealed": service.give(asked)}

    return app
