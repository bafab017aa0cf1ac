"""The live surfaces on a real port over a real store, with nothing else of the gateway around them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websockets
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from sora_gateway.accounts.authenticator import Authenticator
from sora_gateway.accounts.tickets import StreamTickets
from sora_gateway.clock import Clock, SystemClock
from sora_gateway.core.job import Job
from sora_gateway.core.messages import StoredEvent
from sora_gateway.core.principal import EVERYTHING, Principal
from sora_gateway.errors import NotAuthenticated
from sora_gateway.http.credentials import session_of
from sora_gateway.http.middleware import CommonHeaders, ErrorBoundary
from sora_gateway.http.unanswered import Unanswered
from sora_gateway.realtime import sse
from sora_gateway.realtime.hub import Hub
from sora_gateway.realtime.line import DIRECT
from sora_gateway.realtime.live import Live, RealtimeLimits
from sora_gateway.realtime.session import Looked
from sora_gateway.realtime.websocket import LiveSocket
from sora_gateway.store import Store
from tests.fakes import CountingEntropy
from tests.gateways import count_real_work
from tests.listening import listening
from tests.stores import ADA, EPOCH, open_store


def urls_of(job_id: str, variants: Sequence[str]) -> Mapping[str, str]:
    return {variant: f"/files/{job_id}/{variant}?signature=x" for variant in variants}


async def until(condition: Callable[[], bool]) -> None:
    """Waits for what happens at the other end of a socket."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.005)


@dataclass
class LiveGateway:
    """*committed* is every event so far, in order."""

    port: int
    store: Store
    hub: Hub
    accounts: Authenticator
    clock: Clock
    committed: list[StoredEvent] = field(default_factory=list)

    async def key(self, principal: Principal = ADA) -> str:
        """An API key of that person."""
        text, _ = await self.accounts.create_key(principal.user_id, "test", EVERYTHING)
        return text

    async def session(self, principal: Principal = ADA) -> str:
        """A browser's session token."""
        _, token = await self.accounts.redeem(await self.accounts.new_login_link(principal.email))
        return token

    @asynccontextmanager
    async def socket(self, principal: Principal = ADA) -> AsyncIterator[Watcher]:
        """An authenticated connection that was greeted."""
        async with self.handshake(authorization=f"Bearer {await self.key(principal)}") as connection:
            watcher = Watcher(connection)
            ready = await watcher.next()
            assert ready["type"] == "ready"
            yield watcher

    def handshake(self, **headers: str) -> Any:
        return websockets.connect(
            f"ws://127.0.0.1:{self.port}/ws",
            additional_headers=headers,
            proxy=None,
            ping_interval=None,
            max_queue=None,  # else a client that leaves with unread messages cannot read the farewell
        )


class Watcher:
    """A WebSocket client that speaks JSON."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            return dict(json.loads(await self.connection.recv()))

    async def ask(self, **message: Any) -> dict[str, Any]:
        """Says it and takes the next message as its answer."""
        await self.say(**message)
        return await self.next()

    async def until(self, step: str) -> list[dict[str, Any]]:
        """The updates up to the first with that step."""
        updates = [await self.next()]
        while updates[-1].get("step") != step:
            updates.append(await self.next())
        return updates

    async def silence(self) -> None:
        """Nothing was said: the answer to a ping is the next message."""
        assert await self.ask(type="ping") == {"type": "pong"}

    async def close_code(self) -> int | None:
        """Reads to the end and says how it ended."""
        with suppress(ConnectionClosed):
            async with asyncio.timeout(10):
                while True:
                    await self.connection.recv()
        return self.connection.close_code


@asynccontextmanager
async def live_gateway(
    tmp_path: Path,
    *,
    limits: RealtimeLimits | None = None,
    clock: Clock | None = None,
    allowed_origin: str = "https://gateway.test",
    plain: bool = False,
) -> AsyncIterator[LiveGateway]:
    """*plain*: on a server that does not offer its transports."""
    clock = clock or SystemClock()
    hub = Hub(EPOCH, urls_of)
    committed: list[StoredEvent] = []

    def on_commit(events: list[StoredEvent]) -> None:
        committed.extend(events)
        hub.publish(events)

    async with open_store(tmp_path, on_commit) as store, AsyncExitStack() as stack:
        count_real_work(stack, store)
        accounts = Authenticator(store, clock, CountingEntropy())
        in_force = limits or RealtimeLimits()
        live = Live(store, hub, accounts, clock, lambda: in_force)
        app: ASGIApp = _app(live, accounts, allowed_origin)
        async with listening(_without_lines(app) if plain else app) as port:
            yield LiveGateway(port, store, hub, accounts, clock, committed)
            await hub.close()
        await accounts.close()
        assert hub.statistics().connections == 0, "a connection was not ended"
        assert hub.statistics().subscriptions == 0


def _without_lines(app: ASGIApp) -> ASGIApp:
    """As another server would call it."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {name: each for name, each in scope["extensions"].items() if name != DIRECT}
        await app(scope, receive, send)

    return called


def _app(live: Live, accounts: Authenticator, allowed_origin: str) -> Starlette:
    def origin_allowed(headers: Headers) -> bool:
        return headers.get("origin") == allowed_origin

    async def caller(request: Request) -> Principal:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        principal = await accounts.by_bearer(token)
        if principal is None:
            raise NotAuthenticated("Sign in.")
        return principal

    tickets = StreamTickets(live.clock, CountingEntropy(), accounts.renewed)

    def looks_of(connection: HTTPConnection, principal: Principal) -> Looked:
        async def looked(job: Job | None) -> None:
            """Nobody writes it down here."""

        return looked

    async def of_job(request: Request) -> Response:
        principal = await caller(request)
        job = await live.store.find(request.path_params["id"], principal)
        return sse.stream(request, principal, job, live)

    async def of_all(request: Request) -> Response:
        return sse.stream(request, await caller(request), None, live)

    return Starlette(
        routes=[
            WebSocketRoute("/ws", LiveSocket(live, origin_allowed, session_of, tickets.redeem, looks_of)),
            Route("/api/video/tasks/{id}/stream", of_job),
            Route("/api/events/stream", of_all),
        ],
        middleware=[
            Middleware(CommonHeaders, entropy=CountingEntropy()),
            Middleware(ErrorBoundary, unanswered=Unanswered()),
        ],
    )
