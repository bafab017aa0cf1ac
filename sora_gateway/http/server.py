"""uvicorn inside our own event loop: our sockets, our signals, and an end that comes.

Seams of uvicorn 0.54 that this relies on. Documented: ``Config`` and ``Server.serve(sockets=...)``. Pinned by
tests/test_guarded_http.py: ``Server.startup`` (ends when the server accepts connections),
``Server.capture_signals`` (replaced: signals belong to ``serving.py``), ``Server.main_loop`` and ``Server.on_tick``
(the first replaced: one wake-up a second, which renews the Date header, instead of ten, and an end without
delay), ``Server.force_exit``, and ``server_state.connections`` / ``server_state.tasks``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from sora_gateway.errors import StartupError
from sora_gateway.http.guarded_h11 import GuardedH11
from sora_gateway.http.keepalive import Keepalive

USER_TIMEOUT = 30_000
"""Milliseconds after which the kernel gives up on a peer that acknowledges nothing or never reads; nothing
above the kernel can free such a connection while data for it is waiting."""

PING_INTERVAL = 20.0
"""Seconds between two looks whether a WebSocket's peer is still there; one that has said nothing in between is not."""

_REASONS = {
    errno.EADDRINUSE: "another program already listens there; choose another port with --port",
    errno.EACCES: "ports below 1024 need privileges; choose another port with --port",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
}


class GatewayServer:
    """The listening side of the process. Start it once and stop it once."""

    def __init__(
        self,
        *,
        http: type[asyncio.Protocol] = GuardedH11,
        ws: Callable[..., asyncio.Protocol] | None = None,
        refuse: Callable[[float], Awaitable[None]] | None = None,
        trusted_proxies: Sequence[str] = (),
        max_message: int = 65536,
    ) -> None:
        """*refuse* answers the requests that have no answer when their time is up; it is given its own, in seconds.

        *trusted_proxies* are addresses and networks whose X-Forwarded-For and X-Forwarded-Proto become the
        connection's client and scheme; what anybody else says there counts for nothing. *max_message* is what a
        WebSocket's client may send in one message, in bytes.
        """
        self._refuse = refuse
        self._http = http
        self._ws = ws or functools.partial(_websocket, Keepalive(PING_INTERVAL))
        self._max_message = max_message
        self._trusted_proxies = [each for proxy in trusted_proxies for each in (proxy, *_mapped(proxy))]
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self, app: ASGIApp, host: str, port: int) -> int:
        """Listens and returns the port, which differs from *port* only when that is 0.

        Raises:
            StartupError: the address cannot be had.
        """
        if self._trusted_proxies:
            app = ProxyHeadersMiddleware(app, self._trusted_proxies)  # type: ignore[assignment,arg-type]  # its own types for ASGI
        listener = await _listen(host, port)
        bound: int = listener.getsockname()[1]
        config = uvicorn.Config(
            app,
            http=self._http,
            ws=self._ws,  # type: ignore[arg-type]  # uvicorn calls it and asks for no more
            ws_per_message_deflate=False,
            ws_max_size=self._max_message,
            ws_ping_interval=None,  # uvicorn's; ours is one for all
            timeout_keep_alive=5,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            log_config=None,
            access_log=False,
            # At warning it logs a line for whatever a stranger sends that is no HTTP; below that, each WebSocket's
            # address with its query, where a ticket may be.
            log_level="error",
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="http-server")
        ready = asyncio.create_task(self._server.ready.wait())
        try:
            await asyncio.wait({self._serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if self._serving.done():
            listener.close()
            self._serving.result()
        return bound

    async def stop(self, grace: float) -> None:
        """Stops listening at once, gives open requests *grace* seconds, then ends whatever is left.

        uvicorn alone would wait for ever for an event stream, or for a WebSocket whose peer never reads. Ends
        within about three seconds more than *grace*.
        """
        server, serving = self._server, self._serving
        if server is None or serving is None:
            return
        server.leave.set()
        if not await _ended(serving, grace):
            if self._refuse is not None:
                await self._refuse(1.0)
            # Next the sockets: a handler that sees its peer gone ends by itself and in order.
            for connection in list(server.server_state.connections):
                connection.transport.abort()
            if not await _ended(serving, 1.0):
                for task in list(server.server_state.tasks):
                    task.cancel()
                server.force_exit = True
        await serving


def _websocket(keepalive: Keepalive, **offered: Any) -> asyncio.Protocol:
    """The protocol for one WebSocket; imported with the first, because a start has none."""
    from sora_gateway.http.websocket_protocol import WebSocketProtocol

    return WebSocketProtocol(keepalive, **offered)


def _mapped(proxy: str) -> list[str]:
    """How an IPv4 address or network appears to a listener on ``::``, which serves both kinds."""
    network = ipaddress.ip_network(proxy)
    return [f"::ffff:{network.network_address}/{96 + network.prefixlen}"] if network.version == 4 else []


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.leave = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        while not self.leave.is_set():
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.leave.wait()


async def _ended(task: asyncio.Task[None], seconds: float) -> bool:
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return bool(done)


async def _listen(host: str, port: int) -> socket.socket:
    """One bound socket; a name that has both kinds of address is served on IPv4, ``::`` on both."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError:
        raise StartupError(f"Cannot listen on {host}: it is no address and no known name.") from None
    family, kind, proto, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    listener = socket.socket(family, kind, proto)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit these two from their listener.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        reason = _REASONS.get(error.errno or 0, error.strerror or "the system refused")
        raise StartupError(f"Cannot listen on {host} port {port}: {reason}.") from None
    return listener
