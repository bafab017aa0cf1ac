"""``/ws``: who is it, and then a :class:`~sora_gateway.realtime.connection.Connection` on the server's own line, or over
plain ASGI where the server offers none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from sora_gateway.core.messages import Auth, BadMessage, parse_client_message
from sora_gateway.core.principal import Principal
from sora_gateway.errors import CloseCode, CrossOrigin, InvalidApiKey, LiveLimit, ScopeMissing
from sora_gateway.realtime.connection import Connection, reason_of
from sora_gateway.realtime.doors import Pass
from sora_gateway.realtime.framing import bare_text, text_frame
from sora_gateway.realtime.line import DIRECT, Line
from sora_gateway.realtime.live import Live
from sora_gateway.realtime.plain import PlainLine
from sora_gateway.realtime.rights import may_follow
from sora_gateway.realtime.session import Looked

CLOSE_TIMEOUT = 1.0


class LiveSocket:
    """The ASGI application of ``/ws``. *origin_allowed* says whether a handshake may use a browser's cookie,
    *session_of* which session that cookie carries, *redeem* whose a ticket in the address is; *looks_of* gives who is
    told what somebody begins to follow: it must not keep the connection itself, which is large and may live for days.

    Raises:
        CrossOrigin, NotAuthenticated, ScopeMissing: before the handshake is accepted, to be answered over HTTP.
    """

    def __init__(
        self,
        live: Live,
        origin_allowed: Callable[[Headers], bool],
        session_of: Callable[[HTTPConnection], str | None],
        redeem: Callable[[str], Awaitable[Principal]],
        looks_of: Callable[[HTTPConnection, Principal], Looked],
    ) -> None:
        self._live = live
        self._origin_allowed = origin_allowed
        self._session_of = session_of
        self._redeem = redeem
        self._looks_of = looks_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        most = self._live.limits().most
        with suppress(WebSocketDisconnect):
            try:
                place = self._live.doors.enter(address_of(websocket), most)
            except LiveLimit as error:
                await websocket.accept()
                await _close(websocket, CloseCode.LIMIT_REACHED, error.message)
                return
            stays = False
            try:
                principal = await self._authenticate(websocket)
                if principal is not None:
                    place.known_as(principal.user_id, most)
                    stays = await self._connect(websocket, principal, place)
            except LiveLimit as error:
                await _close(websocket, CloseCode.LIMIT_REACHED, error.message)
            finally:
                if not stays:
                    place.leave()

    async def _connect(self, websocket: WebSocket, principal: Principal, place: Pass) -> bool:
        """Serves the connection; on the server's own line it goes on when this has returned, and True is returned."""
        looked = self._looks_of(websocket, principal)
        line: Line | None = websocket.scope.get("extensions", {}).get(DIRECT)
        mailbox = self._live.hub.enter(principal)
        if line is not None:
            await Connection(self._live, mailbox, place, line, text_frame, looked).begin()
            return True
        plain = PlainLine(lambda data: _sent(websocket, data))
        plain_connection = Connection(self._live, mailbox, place, plain, bare_text, looked)
        await _carried(websocket, plain, plain_connection)
        return False

    async def _authenticate(self, websocket: WebSocket) -> Principal | None:
        """Accepts the handshake and says who it is, or refuses or closes it."""
        ticket = websocket.query_params.get("ticket")
        if ticket is not None:
            principal = await self._redeem(ticket)
            await websocket.accept()
            return principal
        header = websocket.headers.get("authorization")
        if header is not None:
            # A program: it reads an HTTP status, and any cookie beside the header is ignored.
            program = await self._by_header(header)
            await websocket.accept()
            return program
        cookie = self._session_of(websocket)
        if cookie is None:
            await websocket.accept()
            return await self._by_first_message(websocket)
        if not self._origin_allowed(websocket.headers):
            raise CrossOrigin("This connection comes from a page of another site, so it was refused.")
        signed_in = await self._live.authenticator.by_session(cookie)
        await websocket.accept()
        if signed_in is None:
            # A page sees nothing of a refused handshake but that it failed, and would come back for ever.
            await _close(websocket, CloseCode.NOT_AUTHENTICATED)
        return signed_in

    async def _by_header(self, header: str) -> Principal:
        scheme, _, token = header.partition(" ")
        token = token.strip()
        principal = (
            await self._live.authenticator.by_bearer(token) if scheme.lower() == "bearer" and token else None
        )
        if principal is None:
            raise InvalidApiKey("The credential in the Authorization header is not good (any more).")
        if not may_follow(principal):
            raise ScopeMissing("This key is not for this; make one with the scope videos:read.")
        return principal

    async def _by_first_message(self, websocket: WebSocket) -> Principal | None:
        try:
            async with asyncio.timeout(self._live.limits().auth_timeout):
                text = _text_of(await websocket.receive())
            first = parse_client_message(text)
        except TimeoutError:
            await _close(websocket, CloseCode.NOT_AUTHENTICATED, "nothing came to authenticate with")
            return None
        except BadMessage as error:
            await _close(websocket, CloseCode.BAD_MESSAGE, str(error))
            return None
        principal = None
        if isinstance(first, Auth):
            principal = await self._live.authenticator.by_bearer(first.token)
        if principal is None:
            await _close(websocket, CloseCode.NOT_AUTHENTICATED)
        elif not may_follow(principal):
            await _close(websocket, CloseCode.FORBIDDEN, "this key lacks the scope videos:read")
            return None
        return principal


def _text_of(message: Message) -> str:
    """The text of an ASGI message.

    Raises:
        WebSocketDisconnect: it says that the peer is gone.
        BadMessage: it is binary.
    """
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"], message.get("reason"))
    text = message.get("text")
    if not isinstance(text, str):
        raise BadMessage("messages are JSON text, not binary")
    return text


def address_of(connection: HTTPConnection) -> str:
    """Where it comes from, by a trusted proxy's word if there is one."""
    return connection.client.host if connection.client is not None else ""


async def _sent(websocket: WebSocket, data: bytes) -> None:
    try:
        await websocket.send_text(data.decode())
    except (WebSocketDisconnect, RuntimeError):
        raise BrokenPipeError("the peer is gone") from None


async def _carried(websocket: WebSocket, line: PlainLine, connection: Connection) -> None:
    """Carries what is said in both directions until either side ends it."""

    async def hear() -> None:
        while True:
            await line.may_hear()
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            connection.received(message.get("text"))

    hearing = asyncio.create_task(hear(), name="live reader")
    carrying = asyncio.create_task(line.carry(), name="live writer")
    beginning = asyncio.create_task(connection.begin(), name="live question")
    try:
        await asyncio.wait({hearing, carrying}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        connection.lost()
        for task in (hearing, carrying, beginning):
            task.cancel()
        await asyncio.gather(hearing, carrying, beginning, return_exceptions=True)
    if line.ended is not None:
        await _close(websocket, *line.ended)


async def _close(websocket: WebSocket, code: int, reason: str = "") -> None:
    """Closes with *code*; a peer that does not even take that is left to the transport."""
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await websocket.close(code, reason_of(code, reason))
