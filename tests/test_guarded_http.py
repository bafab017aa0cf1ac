"""What the server does with peers that are slow, silent, oversized or ambiguous, on raw sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sora_gateway.errors import StartupError
from sora_gateway.http.guarded_h11 import MAX_HEAD, GuardedH11
from sora_gateway.http.server import USER_TIMEOUT, GatewayServer
from tests.listening import Peer, listening, peer_of

IMPATIENT = GuardedH11.with_limits(head_timeout=0.2)
GET = b"GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n"


class Echo:
    """Answers with the request it saw; keeps the list, so a test can say what never arrived."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.reading = asyncio.Event()
        self.gone = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.echo_messages(receive, send)
        elif scope["path"] == "/stream":
            await self.stream(receive, send)
        elif scope["path"] == "/deaf":
            await self.start(send, 200)
            try:
                await asyncio.sleep(3600)
            finally:
                self.gone.set()
        elif scope["path"] == "/unread":
            await self.answer(scope, send, 413, b"too large")
        else:
            await self.answer(scope, send, 200, await self.body(receive))

    async def body(self, receive: Receive) -> bytes:
        self.reading.set()
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        return body

    async def start(self, send: Send, status: int, *headers: tuple[bytes, bytes]) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})

    async def answer(self, scope: Scope, send: Send, status: int, body: bytes) -> None:
        self.seen.append(f"{scope['method']} {scope['path']} {body.decode()}".strip())
        await self.start(send, status, (b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.body", "body": body})

    async def stream(self, receive: Receive, send: Send) -> None:
        await self.start(send, 200, (b"content-type", b"text/event-stream"))
        await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()

    async def flood(self, send: Send) -> None:
        try:
            while True:
                await send({"type": "websocket.send", "text": "x" * 65536})
        finally:
            self.gone.set()

    async def echo_messages(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            if message["text"] == "flood":
                await self.flood(send)
            await send({"type": "websocket.send", "text": message["text"]})
        self.gone.set()


@pytest.fixture
def app() -> Echo:
    return Echo()


@pytest.fixture
async def port(app: Echo) -> AsyncIterator[int]:
    async with listening(app, IMPATIENT) as port:
        yield port


# --- what must go on working ---------------------------------------------------------------------------


async def test_requests_follow_each_other_on_one_connection(port: int, app: Echo) -> None:
    async with peer_of(port) as peer:
        for body in (b"one", b"two"):
            await peer.send(b"POST /said HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body), body)
            assert await peer.response() == (200, body)
    assert app.seen == ["POST /said one", "POST /said two"]


async def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    async with peer_of(port) as peer:
        await peer.send(GET + chunked + GET)
        assert [await peer.response() for _ in range(3)] == [(200, b""), (200, b"abc"), (200, b"")]


async def test_a_head_just_under_the_limit_is_served(port: int) -> None:
    filler = b"x" * (MAX_HEAD - 200)
    async with peer_of(port) as peer:
        await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Filler: " + filler + b"\r\n\r\n")
        assert (await peer.response())[0] == 200


async def test_a_body_may_take_longer_than_a_head(port: int) -> None:
    async with peer_of(port) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1")
        await asyncio.sleep(0.3)
        await peer.send(b"2")
        assert await peer.response() == (200, b"12")


async def test_an_event_stream_outlives_the_deadline_for_heads(port: int, app: Echo) -> None:
    async with peer_of(port) as peer:
        await peer.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b": hello" in await peer.reader.readuntil(b"hello\n\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await peer.reader.readuntil(b"the end of the stream")
        assert not app.gone.is_set()
    await app.gone.wait()


async def test_a_websocket_outlives_the_deadline_for_heads(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as socket:
        await asyncio.sleep(0.3)
        await socket.send("still here")
        assert await socket.recv() == "still here"


async def test_compression_is_not_negotiated_although_it_is_offered(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/ws", proxy=None, compression="deflate") as socket:
        assert socket.protocol.extensions == []


async def test_a_websocket_message_beyond_64_kib_is_refused_as_too_big(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as socket:
        await socket.send("x" * 65537)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_a_handshake_that_is_refused_over_http_is_no_error_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    server = GatewayServer()
    port = await server.start(refuse, "127.0.0.1", 0)
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{port}/ws", proxy=None):
            pass
    await server.stop(grace=1.0)
    assert (refused.value.response.status_code, refused.value.response.body) == (401, b"no")
    assert [record.message for record in caplog.records] == []


# --- too large -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(b"X-Big: " + b"x" * 65536 + b"\r\n", id="one header of 64 KiB"),
        pytest.param(b"".join(b"X-%d: y\r\n" % i for i in range(1000)), id="a thousand headers"),
    ],
)
async def test_a_head_that_is_too_large_is_refused_and_the_connection_closed(
    port: int, app: Echo, headers: bytes
) -> None:
    async with peer_of(port) as peer:
        await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n")
        answer = await peer.until_closed()
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"The request head is too large." in answer
    assert app.seen == []


async def test_a_header_without_end_is_refused_while_it_is_sent(port: int) -> None:
    async with peer_of(port) as peer:
        await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Big: ")
        for _ in range(64):
            await peer.send(b"x" * 1024)
        assert (await peer.until_closed()).startswith(b"HTTP/1.1 431 ")


async def test_a_long_target_counts_as_head(port: int) -> None:
    async with peer_of(port) as peer:
        await peer.send(b"GET /" + b"x" * 40000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await peer.until_closed()).startswith(b"HTTP/1.1 431 ")


@asynccontextmanager
async def trickling(peer: Peer) -> AsyncIterator[None]:
    """Sends a byte of a request again and again."""

    async def trickle() -> None:
        for byte in GET * 100:
            peer.writer.write(bytes([byte]))
            await asyncio.sleep(0.02)

    peer.goes_on_sending = True
    task = asyncio.create_task(trickle())
    try:
        yield
    finally:
        task.cancel()


# --- too slow ------------------------------------------------------------------------------------------


async def test_a_silent_peer_is_let_go(port: int) -> None:
    async with peer_of(port) as peer:
        assert await peer.until_closed() == b""


async def test_a_head_that_trickles_in_is_cut_at_the_deadline(port: int) -> None:
    async with peer_of(port) as peer, trickling(peer):
        answer = await peer.until_closed()
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_the_deadline_holds_for_later_heads_too(port: int) -> None:
    async with peer_of(port) as peer:
        await peer.send(GET)
        assert await peer.response() == (200, b"")
        await peer.send(b"GET / HT")
        assert (await peer.until_closed()).startswith(b"HTTP/1.1 408 ")


async def test_the_unread_rest_of_a_refused_body_is_not_waited_for(port: int) -> None:
    async with peer_of(port) as peer:
        await peer.send(b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nstart")
        assert await peer.response() == (413, b"too large")
        async with asyncio.timeout(2), trickling(peer):
            assert await peer.until_closed() == b""


async def test_a_peer_that_sends_all_of_a_refused_body_before_it_reads_is_told_why(port: int) -> None:
    """As proxies do, which ask for a connection of one request as well."""
    head = b"POST /unread HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    async with peer_of(port) as peer:
        await peer.send(head % (16 << 20), *[b" " * (1 << 20)] * 16)
        assert await peer.response() == (413, b"too large")
        assert await peer.until_closed() == b""
    async with peer_of(port) as peer:
        await peer.send(head % 1_000_000 + b"start")
        assert await peer.response() == (413, b"too large")
        async with asyncio.timeout(2):
            assert await peer.until_closed() == b""


# --- readable in two ways ------------------------------------------------------------------------------

CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n", id="two framings"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", id="two lengths"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", id="a negative length"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", id="an unknown coding"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\n" + CHUNKED + b"\r\nzz\r\nab\r\n", id="a bad chunk"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", id="two hosts"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a/?x=\r\n\r\n", id="a path in the host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", id="a user in the host"),
        pytest.param(b"GET http://evil.test/ HTTP/1.1\r\nHost: a\r\n\r\n", id="an absolute target"),
        pytest.param(b"GET @evil.test/ HTTP/1.1\r\nHost: a\r\n\r\n", id="an authority as target"),
        pytest.param(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", id="a tunnel"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", id="a space before the colon"),
        pytest.param(b"HEAD http://evil.test/ HTTP/1.1\r\nHost: a\r\n\r\n", id="an absolute target, HEAD"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="a TLS handshake"),
    ],
)  # fmt: skip
async def test_a_request_that_can_be_read_in_two_ways_is_refused(
    port: int, app: Echo, request_bytes: bytes
) -> None:
    async with peer_of(port) as peer:
        await peer.send(request_bytes)
        answer = await peer.until_closed()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert app.seen in ([], ["POST /"])  # a bad chunk may come when the handler already waits for it


async def test_a_request_behind_a_refused_one_is_never_run(port: int, app: Echo) -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    length = b"Content-Length: %d\r\n" % len(smuggled)
    async with peer_of(port) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + length + CHUNKED + b"\r\n0\r\n\r\n" + smuggled)
        await peer.until_closed()
    assert app.seen == []


# --- too many ------------------------------------------------------------------------------------------


async def test_a_connection_beyond_the_limit_is_told_and_closed_and_the_others_go_on(app: Echo) -> None:
    async with listening(app, GuardedH11.with_limits(max_connections=1)) as port, peer_of(port) as first:
        await first.send(GET)
        assert (await first.response())[0] == 200
        async with peer_of(port) as second:
            assert (await second.until_closed()).startswith(b"HTTP/1.1 503 ")
        await first.send(GET)
        assert (await first.response())[0] == 200


# --- starting and stopping -----------------------------------------------------------------------------


async def test_stopping_ends_idle_connections_event_streams_and_websockets(app: Echo) -> None:
    server = GatewayServer()
    port = await server.start(app, "127.0.0.1", 0)
    async with (
        peer_of(port) as idle,
        peer_of(port) as watching,
        connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as live,
    ):
        await watching.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        await watching.reader.readuntil(b"hello\n\n")
        async with asyncio.timeout(5):
            await server.stop(grace=0.2)
        assert await idle.until_closed() == b""
        with pytest.raises(ConnectionClosed) as closed:
            await live.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    assert app.gone.is_set()


async def test_stopping_ends_although_a_websocket_peer_never_reads(app: Echo) -> None:
    lost = asyncio.Event()

    class Watched(WebSocketsSansIOProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            lost.set()
            super().connection_lost(exc)

    server = GatewayServer(ws=Watched)
    port = await server.start(app, "127.0.0.1", 0)
    async with connect(f"ws://127.0.0.1:{port}/ws", proxy=None, max_queue=1) as deaf:
        await deaf.send("flood")
        await asyncio.sleep(0.1)
        async with asyncio.timeout(5):
            await server.stop(grace=0.2)
        assert lost.is_set()
        assert app.gone.is_set()
        deaf.transport.abort()


async def test_stopping_ends_although_a_handler_ignores_that_its_peer_has_gone(app: Echo) -> None:
    server = GatewayServer()
    port = await server.start(app, "127.0.0.1", 0)
    async with peer_of(port) as peer:
        await peer.send(b"GET /deaf HTTP/1.1\r\nHost: a\r\n\r\n")
        await peer.reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(5):
            await server.stop(grace=0.1)
            await peer.until_closed()
    assert app.gone.is_set()


async def test_a_request_in_flight_is_finished_within_the_grace(app: Echo) -> None:
    server = GatewayServer()
    port = await server.start(app, "127.0.0.1", 0)
    async with peer_of(port) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
        await app.reading.wait()
        stopping = asyncio.create_task(server.stop(grace=5))
        await asyncio.sleep(0.2)
        await peer.send(b"b")
        assert await peer.response() == (200, b"ab")
        assert await peer.until_closed() == b""
        await stopping


async def test_stopping_a_server_that_never_started_does_nothing() -> None:
    await GatewayServer().stop(grace=0)


async def test_a_port_in_use_is_said_in_one_sentence(port: int, app: Echo) -> None:
    with pytest.raises(StartupError, match=rf"127\.0\.0\.1 port {port}: another program already listens"):
        await GatewayServer().start(app, "127.0.0.1", port)


async def test_an_unknown_host_is_said_in_one_sentence(app: Echo) -> None:
    with pytest.raises(StartupError, match="no address and no known name"):
        await GatewayServer().start(app, "not an address", 0)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the option is Linux's")
async def test_the_kernel_gives_up_on_peers_that_never_read(app: Echo) -> None:
    seen: list[int] = []

    class Recording(GuardedH11):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            accepted = transport.get_extra_info("socket")
            seen.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
            super().connection_made(transport)

    async with listening(app, Recording) as port, peer_of(port) as peer:
        await peer.send(GET)
        await peer.response()
    assert seen == [USER_TIMEOUT]
