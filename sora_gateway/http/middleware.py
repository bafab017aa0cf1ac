"""What holds for every request, whatever its route: plain ASGI, from the outside in.

:class:`CommonHeaders` > :mod:`.metering` > CORS > :class:`ErrorBoundary` > :mod:`.hosts` > :mod:`.edge` > :class:`SameOrigin` >
:class:`BodyLimit` > routes.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Collection
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sora_gateway.entropy import Entropy
from sora_gateway.errors import CrossOrigin, GatewayError, RequestTimeout, TooLarge, Unavailable
from sora_gateway.http.metering import REQUEST_ID as REQUEST_ID
from sora_gateway.http.origin import SAFE_METHODS, is_cross_origin
from sora_gateway.http.problems import from_starlette, problem
from sora_gateway.http.unanswered import Pending, Unanswered
from sora_gateway.logs.context import answering

logger = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
CAREFUL_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"cache-control", b"no-store"),
]
"""On every answer that does not say otherwise; what keeps a browser from guessing, framing, leaking and keeping."""
_OVER_HTTPS = [*CAREFUL_HEADERS, (b"strict-transport-security", b"max-age=31536000")]
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_STARTS = ("http.response.start", "websocket.http.response.start")


class CommonHeaders:
    """An id for every request, and on every response that id and the headers that keep browsers careful.

    A response's own headers win: files have another policy and may be cached.
    """

    def __init__(self, app: ASGIApp, entropy: Entropy) -> None:
        self.app = app
        self.entropy = entropy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request_id = Headers(scope=scope).get("x-request-id", "")
        if not _SANE_ID.fullmatch(request_id):
            request_id = self.entropy.new_id("req")
        scope[REQUEST_ID] = request_id
        id_header = (b"x-request-id", request_id.encode())
        common = _OVER_HTTPS if scope["scheme"] in ("https", "wss") else CAREFUL_HEADERS

        async def send_with_headers(message: Message) -> None:
            if message["type"] in _STARTS:
                headers = list(message.get("headers", ()))
                present = {name for name, _ in headers}
                headers += [header for header in common if header[0] not in present]
                message["headers"] = [*headers, id_header]
            elif message["type"] == "websocket.accept":
                message["headers"] = [*message.get("headers", ()), id_header]
            await send(message)

        with answering(request_id):
            await self.app(scope, receive, send_with_headers)


class ErrorBoundary:
    """Turns errors into the envelope. What is no :class:`GatewayError` is a bug: logged whole, told to nobody.

    A request that is broken off before its answer has begun, because the gateway ends, is told so.
    """

    def __init__(self, app: ASGIApp, unanswered: Unanswered) -> None:
        self.app = app
        self.unanswered = unanswered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.unanswered.counted() as pending:
            await self._guard(pending, scope, receive, send)

    async def _guard(self, pending: Pending, scope: Scope, receive: Receive, send: Send) -> None:
        async def observed_send(message: Message) -> None:
            opens = message["type"] == "websocket.accept"
            pending.answered = pending.answered or opens or message["type"] in _STARTS
            try:
                await send(message)
            except OSError as gone:
                # By ASGI that is how a server says that nobody is there. Starlette makes something of it only when a
                # WebSocket is open; one that leaves before, as after a restart that takes long, is no bug either.
                if not opens:
                    raise
                raise ClientDisconnect from gone

        try:
            await self.app(scope, receive, observed_send)
        except ClientDisconnect:
            return  # nobody is left to tell
        except asyncio.CancelledError:
            if not pending.takes_refusal():
                raise
            message = "The gateway is restarting and has not finished this; try again in a moment."
            await self._answer(Unavailable(message, retry_after=10), scope, receive, send)
        except GatewayError as error:
            if pending.answered:
                self._log(scope)
                return
            await self._answer(error, scope, receive, send)
        except Exception:  # the last place where a bug can be kept from the client
            self._log(scope)
            if not pending.answered:
                message = "Something went wrong here; the request id finds it in the log."
                await self._answer(GatewayError(message), scope, receive, send)
            elif scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1011})

    async def _answer(self, error: GatewayError, scope: Scope, receive: Receive, send: Send) -> None:
        await problem(error, scope[REQUEST_ID])(scope, receive, send)

    def _log(self, scope: Scope) -> None:
        path = scope["path"]
        if token := scope.get("path_params", {}).get("token"):
            path = path.replace(token, "{token}")  # whoever has it may see what it opens
        logger.exception(
            "Unexpected error in %s %s, request %s",
            scope.get("method", "WebSocket"),
            path,
            scope[REQUEST_ID],
        )


class SameOrigin:
    """Refuses what another site's page does with a signed-in person's cookie, handshakes included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        unsafe = scope["type"] == "websocket" or (
            scope["type"] == "http" and scope["method"] not in SAFE_METHODS
        )
        if unsafe and is_cross_origin(Headers(scope=scope)):
            raise CrossOrigin("This request comes from a page of another site, so it was refused.")
        await self.app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """What a request body may have: so many bytes, and so many seconds to arrive in."""

    size: int
    seconds: float


class BodyLimit:
    """Bounds a request body, whether or not it declares its length.

    *uploading* are the methods and paths for which the bounds of *uploads* hold; the paths have no parameters.
    """

    def __init__(
        self, app: ASGIApp, usual: BodyBounds, uploads: BodyBounds, uploading: Collection[tuple[str, str]]
    ) -> None:
        self.app = app
        self.usual = usual
        self.uploads = uploads
        self.uploading = frozenset(uploading)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        bounds = self.uploads if (scope["method"], scope["path"]) in self.uploading else self.usual
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > bounds.size:
            raise _too_large(bounds)
        ends = asyncio.get_running_loop().time() + bounds.seconds
        received = 0
        complete = False

        async def bounded_receive() -> Message:
            nonlocal received, complete
            if complete:  # what follows is only the client's leaving, which may take as long as it likes
                return await receive()
            try:
                async with asyncio.timeout_at(ends):
                    message = await receive()
            except TimeoutError:
                raise RequestTimeout("The request body took too long to arrive.") from None
            received += len(message.get("body", b""))
            if received > bounds.size:
                raise _too_large(bounds)
            complete = not message.get("more_body", False)
            return message

        await self.app(scope, bounded_receive, send)


def _too_large(bounds: BodyBounds) -> TooLarge:
    return TooLarge(f"The request body is larger than {bounds.size} bytes.")


async def starlette_error(request: Request, error: Exception) -> Response:
    """Exception handler for what Starlette itself refuses: no route, a wrong method, a bad form."""
    assert isinstance(error, HTTPException)
    return problem(from_starlette(error), request.scope[REQUEST_ID], error.headers)
