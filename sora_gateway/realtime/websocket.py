"""``/ws``: one reader task and one writer task per connection, both ended and awaited when it is over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from sora_gateway.core.job import Job
from sora_gateway.core.messages import (
    Auth,
    BadMessage,
    ErrorMessage,
    Ping,
    Pong,
    Subscribe,
    Unsubscribe,
    Unsubscribed,
    parse_client_message,
)
from sora_gateway.core.principal import Principal
from sora_gateway.errors import CloseCode, CrossOrigin, InvalidApiKey, NotFound, ScopeMissing
from sora_gateway.realtime.hub import Subscription
from sora_gateway.realtime.mailbox import Mailbox
from sora_gateway.realtime.session import Live, Session, may_follow

CLOSE_TIMEOUT = 1.0
MAX_REASON = 120
"""Bytes; the protocol has room for 123."""

_REASONS = {
    CloseCode.RESTARTING: "the gateway restarts; come back with your cursor",
    CloseCode.TOO_SLOW: "too slow; come back with your cursor",
    CloseCode.EXPIRED: "the credential has expired; renew it and come back with your cursor",
    CloseCode.RESYNC: "come back without a cursor",
    CloseCode.NOT_AUTHENTICATED: "not authenticated",
    CloseCode.FORBIDDEN: "the credential is no longer good",
}


class LiveSocket:
    """The ASGI application of ``/ws``. *origin_allowed* says whether a handshake may use a browser's cookie,
    *session_of* which session that cookie carries, *redeem* whose a ticket in the address is; *looked* is told who
    begins to follow a single job.

    Raises:
        CrossOrigin, NotAuthenticated, ScopeMissing: before the handshake is accepted, to be answered over HTTP.
    """

    def __init__(
        self,
        live: Live,
        origin_allowed: Callable[[Headers], bool],
        session_of: Callable[[HTTPConnection], str | None],
        redeem: Callable[[str], Awaitable[Principal]],
        looked: Callable[[HTTPConnection, Principal, Job | None], Awaitable[None]],
    ) -> None:
        self._live = live
        self._origin_allowed = origin_allowed
        self._session_of = session_of
        self._redeem = redeem
        self._looked = looked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        with suppress(WebSocketDisconnect):
            principal = await self._authenticate(websocket)
            if principal is not None:
                with self._live.hub.connect(principal) as mailbox:
                    await _Connection(websocket, self._live, mailbox, self._looked).run()

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
            async with asyncio.timeout(self._live.limits.auth_timeout):
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


class _Connection:
    """An authenticated connection, until either side ends it."""

    def __init__(
        self,
        websocket: WebSocket,
        live: Live,
        mailbox: Mailbox,
        looked: Callable[[HTTPConnection, Principal, Job | None], Awaitable[None]],
    ) -> None:
        self._websocket = websocket
        self._live = live
        self._mailbox = mailbox
        self._session = Session(live, mailbox, lambda job: looked(websocket, mailbox.principal, job))
        self._reason = ""
        self._came: deque[float] = deque(maxlen=live.limits.messages_per_second)
        self._turn = asyncio.Lock()
        """Held while a subscription is attached or a letter is sent: the mailbox rests meanwhile."""

    async def run(self) -> None:
        await self._send(await self._session.ready())
        reader = asyncio.create_task(self._read(), name="live reader")
        writer = asyncio.create_task(self._write(), name="live writer")
        guard = asyncio.create_task(self._session.guard(), name="live rights")
        try:
            ends = {reader, writer, guard, self._session.closed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reader, writer, guard):
                task.cancel()
            results = await asyncio.gather(reader, writer, guard, return_exceptions=True)
        if self._mailbox.closed.done():
            await _close(self._websocket, self._mailbox.closed.result(), self._reason)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
                raise result

    def _end(self, code: CloseCode, reason: str) -> None:
        self._reason = reason
        self._mailbox.close(code)

    async def _send(self, text: str) -> None:
        """Raises WebSocketDisconnect when the peer is gone, or takes nothing."""
        try:
            async with asyncio.timeout(self._live.limits.send_timeout):
                await self._websocket.send_text(text)
        except TimeoutError:
            self._mailbox.close(CloseCode.TOO_SLOW)
            raise WebSocketDisconnect(CloseCode.TOO_SLOW) from None

    async def _tell(self, message: BaseModel) -> None:
        await self._send(message.model_dump_json(by_alias=True))

    # --- the writer ------------------------------------------------------------------------------

    async def _write(self) -> None:
        while True:
            async with self._turn:
                while self._mailbox.bound:
                    await self._attach(self._mailbox.bound[0])
                letter = self._mailbox.take()
                if letter is not None:
                    await self._send(letter.text)
            if letter is None:
                await self._mailbox.arrived.wait()

    async def _attach(self, subscription: Subscription) -> None:
        """Sends what a subscription begins with. Only in turn."""
        try:
            attached = await self._session.attach(subscription)
        except NotFound as error:
            await self._tell(ErrorMessage(code=error.code, message=error.message, topic=subscription.topic))
            return
        for message in attached.messages:
            if self._mailbox.closed.done():
                return  # what was read before may not be told any more
            await self._send(message.text)

    # --- the reader ------------------------------------------------------------------------------

    async def _read(self) -> None:
        while not self._mailbox.closed.done():
            message = await self._websocket.receive()
            if self._too_many():
                self._end(CloseCode.TOO_MANY_MESSAGES, "too many messages; slow down")
                return
            try:
                wanted = parse_client_message(_text_of(message))
            except BadMessage as error:
                self._end(CloseCode.BAD_MESSAGE, str(error))
                return
            match wanted:
                case Subscribe():
                    await self._subscribe(wanted)
                case Unsubscribe():
                    await self._unsubscribe(wanted)
                case Auth():
                    await self._authenticate_again(wanted)
                case Ping():
                    await self._tell(Pong())

    def _too_many(self) -> bool:
        """Whether this message is one too many within a second."""
        now = self._live.clock.monotonic()
        full = len(self._came) == self._came.maxlen and now - self._came[0] < 1.0
        self._came.append(now)
        return full

    async def _subscribe(self, wanted: Subscribe) -> None:
        async with self._turn:
            self._forget(wanted.name)
            limit = self._live.limits.topics
            if limit and len(self._mailbox.subscriptions) >= limit:
                full = f"One connection follows at most {limit} topics; unsubscribe from one, or use all."
                await self._tell(ErrorMessage(code="too_many_topics", message=full, topic=wanted.name))
                return
            try:
                subscription = await self._session.follow(wanted)
            except NotFound as error:
                await self._tell(ErrorMessage(code=error.code, message=error.message, topic=wanted.name))
                return
            await self._attach(subscription)

    async def _unsubscribe(self, wanted: Unsubscribe) -> None:
        async with self._turn:
            self._forget(wanted.name)
            await self._tell(Unsubscribed(topic=wanted.name))

    def _forget(self, topic: str) -> None:
        for subscription in [s for s in self._mailbox.subscriptions if s.topic == topic]:
            self._live.hub.unfollow(subscription)

    async def _authenticate_again(self, wanted: Auth) -> None:
        principal = await self._live.authenticator.by_bearer(wanted.token)
        self._session.renew(principal, CloseCode.NOT_AUTHENTICATED)
        if not self._mailbox.closed.done():
            await self._send(await self._session.ready())


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


async def _close(websocket: WebSocket, code: CloseCode, reason: str = "") -> None:
    """Closes with *code*; a peer that does not even take that is left to the transport."""
    text = (reason or _REASONS.get(code, "")).encode()[:MAX_REASON].decode(errors="ignore")
    with suppress(WebSocketDisconnect, TimeoutError):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await websocket.close(code, text)
