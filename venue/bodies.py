"""A bound on what a service reads of a request, however its length is announced."""

from __future__ import annotations

from collections import deque

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware: answers 413 to a request whose body is longer than `most` bytes, before the application sees it.

    The bytes are counted as they come, so that a body without a Content-Length, as chunked ones are, is bounded too. A
    body within the bound is held and handed on whole.
    """

    def __init__(self, app: ASGIApp, most: int):
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request on, or answers it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held = await self._read(receive)
        if held is None:
            answer = JSONResponse({"error": "TooLarge", "text": f"allowed: at most {self._most} bytes"}, 413)
            await answer(scope, receive, send)
            return

        async def replay() -> Message:
            return held.popleft() if held else await receive()

        await self._app(scope, replay, send)

    async def _read(self, receive: Receive) -> deque[Message] | None:
        """Messages to the end of the body, None where it is too long."""
        held: deque[Message] = deque()
        count, is_open = 0, True
        while is_open:
            message = await receive()
            held.append(message)
            count += len(message.get("body", b""))
            if count > self._most:
                return None
            is_open = message["type"] == "http.request" and message.get("more_body", False)
        return held
