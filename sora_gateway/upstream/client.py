"""HTTP to the outside: one request, one answer or one of two failures, and never a second try.

The only module that imports httpx. :class:`NotSent` is a proof that nothing left this machine;
everything that is not such a proof is :class:`Lost`, because a connection that closes before the upstream
acted and one that closes after it look the same from here.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import zlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    MutableMapping,
)
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from sora_gateway.upstream.exchange import COMPRESSED, GZIP_OR_ZLIB, decoded
from sora_gateway.upstream.exchange import Part as Part
from sora_gateway.upstream.exchange import Reply as Reply
from sora_gateway.upstream.exchange import Request as Request
from sora_gateway.upstream.plain import NotPlain, PlainConnections

if TYPE_CHECKING:
    import ssl

    import httpx

MAX_JSON = 1 << 20
"""Largest answer that is read into memory, in bytes, before and after decompression."""

_POOL, _CONNECT, _WRITE = 5.0, 10.0, 30.0
"""Seconds at most for each of: a free connection; reaching the other side, and again TLS; each write."""
_STREAM_READ = 30.0
"""Seconds without a byte after which a download counts as broken."""
_HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
    "User-Agent": "sora-gateway",
}
_PIECE = 64 * 1024
"""Bytes that a decompressed stream comes in at most."""

ASGIApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


class NotSent(Exception):
    """Provably nothing left this machine. The text is one short sentence without addresses or secrets."""


class Lost(Exception):
    """Something may have been sent and no complete answer came. The text is as for :class:`NotSent`."""


class Stream:
    """An answer whose body is still to be read; whoever has it closes it."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes as they are on the wire.

        Raises:
            Lost: the transfer broke.
        """
        with _as_ours():
            # Beneath httpx's own iteration, which counts and guards what nobody here reads twice.
            stream = self._response.stream
            assert isinstance(stream, AsyncIterable)
            async for chunk in stream:
                yield chunk

    async def decoded(self) -> AsyncGenerator[bytes, None]:
        """The bytes as they are sent, without the compression that some servers apply unasked.

        Raises:
            Lost: the transfer broke, or its compression did.
        """
        async with aclosing(self.chunks()) as chunks:
            if self.headers.get("content-encoding", "").strip().lower() not in COMPRESSED:
                async for chunk in chunks:
                    yield chunk
                return
            decoder = zlib.decompressobj(GZIP_OR_ZLIB)
            async for chunk in chunks:
                full = True
                while full:
                    try:
                        piece = decoder.decompress(chunk, _PIECE)
                    except zlib.error:
                        raise Lost("the answer is damaged") from None
                    chunk = decoder.unconsumed_tail
                    full = bool(chunk) or len(piece) == _PIECE
                    yield piece

    async def read(self, deadline: float) -> Reply:
        """The whole body, up to :data:`MAX_JSON` bytes, within *deadline* seconds.

        Raises:
            Lost: the transfer broke, or took too long.
        """
        async with _total(deadline):
            return await self.read_all()

    async def read_all(self) -> Reply:
        """The same without a deadline.

        Raises:
            Lost: the transfer broke.
        """
        body = bytearray()
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > MAX_JSON:
                    break
        data, truncated = decoded(bytes(body), self.headers.get("content-encoding", ""), MAX_JSON)
        return Reply(self.status, self.headers, data, truncated)

    async def aclose(self) -> None:
        """Never raises: what cannot be closed is broken, and what was read of it counts all the same."""
        with contextlib.suppress(Lost, NotSent), _as_ours():
            await self._response.aclose()


class HttpClient:
    """One upstream's connections; given *app*, every request is answered by that ASGI application instead.

    Opened by the first call, because importing httpx is a third of what starting costs.
    """

    def __init__(self, app: ASGIApp | None = None) -> None:
        self._app = app
        self._transports: tuple[httpx.AsyncBaseTransport, httpx.AsyncBaseTransport] | None = None
        self._plain = PlainConnections(_tls) if app is None else None
        self._closed = False

    async def send(self, request: Request, *, deadline: float, fresh: bool = False) -> Reply:
        """Sends once and reads the answer, all within *deadline* seconds.

        *fresh* makes a connection of its own: a kept one may have been closed by the other side
        meanwhile, and then nobody knows whether the request arrived.

        Raises:
            NotSent, Lost: there is no answer.
        """
        reply: Reply | None = None
        try:
            async with _total(deadline):
                stream = await self._open(request, deadline, deadline, fresh)
                try:
                    reply = await stream.read_all()
                finally:
                    await stream.aclose()
        except Lost:
            if reply is None:
                raise
        # A deadline that passes while the connection is being closed takes no complete answer away.
        assert reply is not None
        return reply

    async def read(self, url: str, headers: Mapping[str, str], *, deadline: float) -> Reply:
        """What is there: a GET that is sent often, costs nothing, and may be sent twice.

        Raises:
            NotSent, Lost: there is no answer.
        """
        if self._plain is not None and not self._closed:
            try:
                async with _total(deadline):
                    answer = await self._plain.get(url, {**_HEADERS, **headers}, MAX_JSON)
                if "content-encoding" not in answer.headers:
                    return Reply(answer.status, answer.headers, answer.body, answer.truncated)
            except OSError:
                raise Lost("the connection broke, or could not be made") from None
            except NotPlain:
                pass
            # From now on without trying.
            self._plain.close()
            self._plain = None
        return await self.send(Request("GET", url, headers), deadline=deadline)

    async def open(
        self, request: Request, *, deadline: float, silence: float = _STREAM_READ, fresh: bool = False
    ) -> Stream:
        """Sends once; returns when the head of the answer is there, within *deadline* seconds.

        *silence* is how many seconds the body may then bring nothing; *fresh* as in :meth:`send`.

        Raises:
            NotSent, Lost: there is no answer.
        """
        async with _total(deadline):
            return await self._open(request, deadline, silence, fresh or request.address is not None)

    async def aclose(self) -> None:
        self._closed = True
        if self._plain is not None:
            self._plain.close()
        if self._transports is not None:
            for transport in self._transports:
                await transport.aclose()

    async def _open(self, request: Request, deadline: float, read_timeout: float, fresh: bool) -> Stream:
        try:
            never, kept = await self._opened()
            prepared = _prepare(request, deadline, read_timeout)
        except NotSent:
            raise
        except Exception:
            # Whatever is wrong with it, it was found before a connection was even asked for.
            raise NotSent("the request cannot be put on the wire") from None
        with _as_ours():
            # Without httpx's client, which adds cookies, redirects and proxies: nothing that we want, and a third of
            # what a request costs.
            return Stream(await (never if fresh else kept).handle_async_request(prepared))

    async def _opened(self) -> tuple[httpx.AsyncBaseTransport, httpx.AsyncBaseTransport]:
        if self._transports is None and not self._closed:
            # In a thread: the import takes long enough to be noticed by everybody else on the loop.
            transports = await asyncio.to_thread(_transports, self._app)
            # Another call may have been faster.
            if self._transports is None:
                self._transports = transports
        if self._closed or self._transports is None:
            raise NotSent("the connection to the upstream is closed")
        return self._transports


@functools.cache
def _tls() -> ssl.SSLContext:
    """One for all upstreams: reading the list of authorities is most of what a client costs."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


def _transports(app: ASGIApp | None) -> tuple[httpx.AsyncBaseTransport, httpx.AsyncBaseTransport]:
    """One that never keeps a connection, and one that does."""
    import httpx

    # It logs whole addresses, and result addresses are signed.
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    if app is not None:
        inside = httpx.ASGITransport(_as_a_broken_connection(app))
        return inside, inside
    never, kept = (
        httpx.AsyncHTTPTransport(
            verify=_tls(),
            trust_env=False,
            # httpcore looks at every kept connection on every request, so few are kept.
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=keep, keepalive_expiry=20),
        )
        for keep in (0, 8)
    )
    return never, kept


def _as_a_broken_connection(app: ASGIApp) -> ASGIApp:
    """*app*, any exception of which is one thing: on a socket it would have broken the connection."""

    async def called(
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        try:
            await app(scope, receive, send)
        except Exception:
            # Whatever it is, it may have come after the work was taken; it must not look like "not sent".
            raise ConnectionResetError from None

    return called


@functools.lru_cache(maxsize=512)
def _url(text: str) -> httpx.URL:
    """Kept, because the same few are asked for again and again, and reading one takes long."""
    import httpx

    return httpx.URL(text)


def _prepare(request: Request, deadline: float, read_timeout: float) -> httpx.Request:
    """The request as it goes out.

    Raises:
        Exception: it cannot be sent.
    """
    import httpx

    url = _url(request.url)
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise httpx.UnsupportedProtocol("not an http address without credentials")
    headers = {**_HEADERS, **request.headers}
    if any(not value.isprintable() for value in headers.values()):
        raise ValueError("a header with control characters")
    # What comes before the first byte, three phases, must time out before the whole call does: only their
    # own timeouts prove that nothing was sent.
    early = deadline / 4
    extensions: dict[str, Any] = {
        "timeout": {
            "pool": min(_POOL, early),
            "connect": min(_CONNECT, early),
            "write": _WRITE,
            "read": read_timeout,
        }
    }
    if request.address is not None:
        # The name is for the Host header and the certificate only: it is not resolved a second time.
        headers["Host"] = url.netloc.decode("ascii")
        extensions["sni_hostname"] = url.raw_host.decode("ascii")
        url = url.copy_with(host=request.address)
    files = [(part.name, (part.filename, part.value, part.content_type)) for part in request.parts]
    return httpx.Request(
        request.method,
        url,
        headers=headers,
        content=request.body,
        files=files or None,
        extensions=extensions,
    )


@contextlib.asynccontextmanager
async def _total(deadline: float) -> AsyncIterator[None]:
    """Bounds everything inside by *deadline* seconds: httpx's own limits are per read, and a drip passes them."""
    try:
        async with asyncio.timeout(deadline):
            yield
    except TimeoutError:
        raise Lost(f"no complete answer within {deadline:g} seconds") from None


@contextlib.contextmanager
def _as_ours() -> Iterator[None]:
    """Turns what httpx, and an application called in process, may raise into our two failures."""
    import httpx

    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout):
        raise NotSent("no connection could be made") from None
    except httpx.PoolTimeout:
        raise NotSent("all connections to the upstream are busy") from None
    except (httpx.UnsupportedProtocol, httpx.InvalidURL):
        raise NotSent("the upstream's address is not valid") from None
    except httpx.TimeoutException:
        raise Lost("the upstream fell silent") from None
    except httpx.NetworkError:
        raise Lost("the connection broke") from None
    except httpx.RemoteProtocolError:
        raise Lost("the connection ended in the middle of the answer") from None
    except Exception:
        # Any other fault of the client or of an application called in process: nothing is proved by it.
        raise Lost("the exchange with the upstream broke") from None
