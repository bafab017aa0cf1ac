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
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    MutableMapping,
)
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl

    import httpx

MAX_JSON = 1 << 20
"""Largest answer that is read into memory, in bytes, before and after decompression."""

_POOL, _CONNECT, _WRITE = 5.0, 10.0, 30.0
"""Seconds at most for each of: a free connection; reaching the other side, and again TLS; each write."""
_STREAM_READ = 30.0
"""Seconds without a byte after which a download counts as broken."""
_PIECE = 64 * 1024
"""Bytes that a decompressed stream comes in at most."""
_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB = 32 + 15

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


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body; a file when it has a *filename*."""

    name: str
    value: bytes
    filename: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """*body* or *parts*, not both. *address* is the checked IP address to connect to instead of resolving."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    parts: tuple[Part, ...] = ()
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False
    """Whether the body was longer than the bound; what was over it is gone."""


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
            async for chunk in self._response.aiter_raw():
                yield chunk

    async def decoded(self) -> AsyncGenerator[bytes, None]:
        """The bytes as they are sent, without the compression that some servers apply unasked.

        Raises:
            Lost: the transfer broke, or its compression did.
        """
        async with aclosing(self.chunks()) as chunks:
            if self.headers.get("content-encoding", "").strip().lower() not in _COMPRESSED:
                async for chunk in chunks:
                    yield chunk
                return
            decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
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
        body = bytearray()
        async with _total(deadline), aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > MAX_JSON:
                    break
        data, truncated = _decoded(bytes(body), self.headers.get("content-encoding", ""), MAX_JSON)
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
        self._clients: tuple[httpx.AsyncClient, httpx.AsyncClient] | None = None
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
                    reply = await stream.read(deadline)
                finally:
                    await stream.aclose()
        except Lost:
            if reply is None:
                raise
        # A deadline that passes while the connection is being closed takes no complete answer away.
        assert reply is not None
        return reply

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
        if self._clients is not None:
            for client in self._clients:
                await client.aclose()

    async def _open(self, request: Request, deadline: float, read_timeout: float, fresh: bool) -> Stream:
        try:
            fresh_client, kept_client = await self._opened()
            client = fresh_client if fresh else kept_client
            prepared = _prepare(client, request, deadline, read_timeout)
        except NotSent:
            raise
        except Exception:
            # Whatever is wrong with it, it was found before a connection was even asked for.
            raise NotSent("the request cannot be put on the wire") from None
        with _as_ours():
            return Stream(await client.send(prepared, stream=True))

    async def _opened(self) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
        if self._clients is None and not self._closed:
            # In a thread: the import takes long enough to be noticed by everybody else on the loop.
            transports = await asyncio.to_thread(_transports, self._app)
            # Another call may have been faster.
            if self._clients is None:
                self._clients = (_client(transports[0]), _client(transports[1]))
        if self._closed or self._clients is None:
            raise NotSent("the connection to the upstream is closed")
        return self._clients


@functools.cache
def _tls() -> ssl.SSLContext:
    """One for all upstreams: reading the list of authorities is most of what a client costs."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


def _transports(app: ASGIApp | None) -> tuple[httpx.AsyncBaseTransport, httpx.AsyncBaseTransport]:
    """One that never keeps a connection, and one that does."""
    import httpx

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


def _client(transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    from http.cookiejar import DefaultCookiePolicy

    import httpx

    # They log whole addresses, and result addresses are signed.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    client = httpx.AsyncClient(
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        headers={"User-Agent": "sora-gateway", "Accept-Encoding": "identity"},
    )
    # An upstream's cookie has no business in the next request.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client


def _prepare(
    client: httpx.AsyncClient, request: Request, deadline: float, read_timeout: float
) -> httpx.Request:
    """The request as it goes out.

    Raises:
        Exception: it cannot be sent.
    """
    import httpx

    url = httpx.URL(request.url)
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise httpx.UnsupportedProtocol("not an http address without credentials")
    headers = dict(request.headers)
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
    return client.build_request(
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


def _decoded(body: bytes, encoding: str, limit: int) -> tuple[bytes, bool]:
    """The body without its compression, at most *limit* bytes, and whether something is missing.

    We ask for none; some servers compress anyway. An encoding that we do not know is left as it is.
    """
    if encoding.strip().lower() not in _COMPRESSED:
        return body[:limit], len(body) > limit
    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        data = decoder.decompress(body, limit + 1)
    except zlib.error:
        return b"", True
    return data[:limit], len(data) > limit or not decoder.eof
