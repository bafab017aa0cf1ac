"""One try at a receiver: its address is checked and connected to as checked, and nothing of it is kept but its status.

What the body of its answer says is not shown to anybody: whoever names an address could read with it what a host of
our own network answers, and for a webhook the status says it all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import aclosing
from urllib.parse import urlsplit

from sora_gateway.clock import Clock
from sora_gateway.core.webhooks import Answer
from sora_gateway.errors import InvalidRequest, Unavailable
from sora_gateway.upstream.addresses import AddressGuard, AddressRefused, origin_of
from sora_gateway.upstream.client import HttpClient, Lost, NotSent, Request, Stream
from sora_gateway.upstream.hops import open_checked
from sora_gateway.upstream.moments import retry_after

MAX_URL = 2048
MAX_ANSWER = 16 * 1024
"""Bytes of an answer's body that are read, so that a receiver which writes one is not cut off; they go nowhere."""

_NOT_REACHED = "No connection could be made."
_REFUSED = "The address leads nowhere that may be connected to."
_FORM = (
    "A webhook's address begins with https://, has a host of the open internet, port 443 or 80 if any, and neither a "
    "user name nor a #fragment."
)
# One sentence for every host that is refused: it must not tell who is there in our own network.
_UNUSABLE = "The host of the address is none that can be reached on the open internet."


class Receivers:
    """Sends to the addresses that people name, which must not aim us at our own network."""

    def __init__(
        self,
        guard: AddressGuard,
        client: HttpClient,
        clock: Clock,
        *,
        timeout: float = 15.0,
        allow_http: bool = False,
        hosts: Collection[str] = (),
    ) -> None:
        """*guard* decides which hosts are connected to, *hosts* are those that it lets through wherever they are;
        *timeout* is seconds for all of a try. The caller closes *client*."""
        self._guard = guard
        self._client = client
        self._clock = clock
        self._timeout = timeout
        self._allow_http = allow_http
        self._hosts = frozenset(host.lower() for host in hosts)

    async def check(self, url: str) -> None:
        """Raises InvalidRequest unless *url* may be sent to; Unavailable when hosts cannot be looked up now."""
        try:
            host, port = self._named(url)
        except ValueError:
            raise InvalidRequest(_FORM, param="url") from None
        try:
            await self._guard(host, port)
        except AddressRefused:
            raise InvalidRequest(_UNUSABLE, param="url") from None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Sends once. Whatever comes of it is in the answer, in words for the person whose address it is."""
        began, status, wait = self._clock.monotonic(), None, None
        try:
            self._named(url)
            async with asyncio.timeout(self._timeout):
                stream = await self._sent(Request("POST", url, headers, body))
                try:
                    status, wait = stream.status, retry_after(stream.headers, self._clock.now())
                    await _drain(stream)
                finally:
                    await stream.aclose()
            error = _words(status)
        except (ValueError, AddressRefused):
            error = _REFUSED
        except NotSent:
            error = _NOT_REACHED
        except Unavailable as busy:
            error = busy.message
        except TimeoutError:
            # Whoever has said its status has said enough.
            error = f"No answer came within {self._timeout:g} seconds." if status is None else _words(status)
        except Lost:
            error = "The connection ended before an answer came." if status is None else _words(status)
        return Answer(status, error, self._clock.monotonic() - began, wait)

    async def _sent(self, request: Request) -> Stream:
        # The client's own limits would come before ours, and be told as something else.
        return await open_checked(self._client, self._guard, request, self._timeout * 2)

    def _named(self, url: str) -> tuple[str, int]:
        """Host and port. Raises ValueError for an address that is none to send to, whoever is there."""
        scheme, host, port = origin_of(url)
        name = f"[{host}]" if ":" in host else host
        trusted = bool({name.lower(), f"{name.lower()}:{port}"} & self._hosts)
        plain = scheme == "http" and not (self._allow_http or trusted)
        if plain or urlsplit(url).fragment or "#" in url or len(url) > MAX_URL or not _printable(url):
            raise ValueError("not an address to send to")
        return host, port


def _printable(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


async def _drain(stream: Stream) -> None:
    read = 0
    async with aclosing(stream.chunks()) as chunks:
        async for chunk in chunks:
            read += len(chunk)
            if read > MAX_ANSWER:
                return


def _words(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"The receiver redirects (status {status}), which is not followed."
    return f"The receiver answered with status {status}."
