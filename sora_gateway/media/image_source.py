"""Reference images that a request only names: the bytes inside a data URL, or behind an address on the internet."""

from __future__ import annotations

import asyncio
import binascii
import re
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from urllib.parse import unquote_to_bytes

from sora_gateway.errors import InvalidImage, Unavailable
from sora_gateway.media.images import require_image
from sora_gateway.media.sniff import HEAD
from sora_gateway.upstream.addresses import AddressGuard, AddressRefused, origin_of
from sora_gateway.upstream.client import HttpClient, Lost, NotSent, Request, Stream
from sora_gateway.upstream.hops import MAX_HOPS, next_hop, open_checked

MAX_DATA_URL = 20_971_520
"""Characters, as in OpenAI's description of the API."""

_MAX_HEAD = 256
_DATA_URL = re.compile(
    r"data:image/[^,;\s]+(?:;[^,;]*?)*?(?P<base64>;\s*base64\s*)?,", re.IGNORECASE | re.ASCII
)
_SLICE = 1 << 16
"""Characters that are decoded before others have their turn: a few milliseconds at most."""
_NOT_A_DATA_URL = "The data URL is not one of an image; it must begin with data:image/ and carry base64 data."
_BROKEN_DATA = "The data URL cannot be decoded; encode the image's bytes in base64 once more."
# One sentence for everything that can go wrong on the way: it must not tell who is there in our own network.
_UNREACHABLE = (
    "The image cannot be fetched from its address; check that it opens anywhere on the internet without signing in,"
    " or upload the file instead."
)


async def from_data_url(text: str) -> bytes:
    """The bytes that a ``data:image/...`` URL carries, in base64 or percent-encoded.

    Raises:
        InvalidImage: it is no such URL, is longer than :data:`MAX_DATA_URL`, or carries no JPEG, PNG or WebP image.
    """
    if len(text) > MAX_DATA_URL:
        raise InvalidImage(
            f"The data URL is longer than {MAX_DATA_URL} characters; upload the image as a file instead."
        )
    head = _DATA_URL.match(text, 0, _MAX_HEAD)
    if head is None:
        raise InvalidImage(_NOT_A_DATA_URL)
    made, escapes, base64 = bytearray(), _Escapes(), _Base64()
    try:
        for start in range(head.end(), len(text), _SLICE):
            data = escapes.decode(text[start : start + _SLICE].encode("ascii"))
            made += base64.decode(data) if head["base64"] else data
            await asyncio.sleep(0)
        data = escapes.rest()
        made += base64.decode(data) + base64.rest() if head["base64"] else data
    except (binascii.Error, UnicodeEncodeError):
        raise InvalidImage(_BROKEN_DATA) from None
    require_image(bytes(made[:HEAD]))
    return bytes(made)


class _Escapes:
    """Percent-encoding in pieces of any length."""

    def __init__(self) -> None:
        self._kept = b""

    def decode(self, piece: bytes) -> bytes:
        piece = self._kept + piece
        # An escape that is cut in two waits for its other half.
        cut = piece.rfind(b"%", max(0, len(piece) - 2))
        whole = len(piece) if cut < 0 else cut
        self._kept = piece[whole:]
        return unquote_to_bytes(piece[:whole])

    def rest(self) -> bytes:
        return self._kept


class _Base64:
    """Base64 in pieces of any length. White space between is ignored, and the padding may be missing."""

    def __init__(self) -> None:
        self._kept = b""
        self._ended = False

    def decode(self, piece: bytes) -> bytes:
        """The next bytes. Raises binascii.Error."""
        piece = self._kept + piece.translate(None, b" \t\r\n\f")
        if self._ended and piece:
            raise binascii.Error("more after the padding")
        whole = len(piece) - len(piece) % 4
        self._kept = piece[whole:]
        self._ended = self._ended or b"=" in piece[:whole]
        return binascii.a2b_base64(piece[:whole], strict_mode=True) if whole else b""

    def rest(self) -> bytes:
        """The last bytes. Raises binascii.Error."""
        if self._ended and self._kept:
            raise binascii.Error("more after the padding")
        return binascii.a2b_base64(self._kept + b"=" * (-len(self._kept) % 4), strict_mode=True)


class ImageFetcher:
    """Fetches images from the addresses that people give, which must not aim us at our own network."""

    def __init__(
        self,
        guard: AddressGuard,
        client: HttpClient,
        *,
        max_bytes: int = 25 << 20,
        timeout: float = 20.0,
        at_once: int = 4,
        patience: float = 20.0,
    ) -> None:
        """*guard* decides which hosts may be asked; *timeout* is seconds for everything, redirects included;
        *at_once* is how many images there may be, on their way or in use, *patience* how many seconds one waits
        for its turn. The caller closes *client*."""
        self._guard = guard
        self._client = client
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._turns = asyncio.Semaphore(at_once)
        self._patience = patience

    @asynccontextmanager
    async def fetched(self, url: str) -> AsyncIterator[bytes]:
        """The image at *url*, which is http or https; it keeps its place in memory until the block is left.

        Raises:
            InvalidImage: it cannot be had, is too large, or is no JPEG, PNG or WebP image.
            Unavailable: there are too many, or hosts cannot be looked up now.
        """
        try:
            origin_of(url)
        except ValueError:
            raise InvalidImage(
                "The image's address is not usable; it must begin with http:// or https:// and have no user name in it."
            ) from None
        async with self._turn():
            yield await self._fetch(url)

    async def _fetch(self, url: str) -> bytes:
        try:
            async with asyncio.timeout(self._timeout):
                stream = await self._follow(url)
                try:
                    return await self._read(stream)
                finally:
                    await stream.aclose()
        except (ValueError, AddressRefused, NotSent, Lost, TimeoutError):
            raise InvalidImage(_UNREACHABLE) from None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        # What another one's server takes is not this one's fault.
        try:
            async with asyncio.timeout(self._patience):
                await self._turns.acquire()
        except TimeoutError:
            raise Unavailable(
                "Too many images are being fetched; try again in a moment.", retry_after=10
            ) from None
        try:
            yield
        finally:
            self._turns.release()

    async def _follow(self, url: str) -> Stream:
        """The answer behind all redirects; the caller closes it.

        Raises:
            ValueError, AddressRefused: a redirect leads where we do not go, or there is no end of them.
            NotSent, Lost: there is no answer, or not the one that was hoped for.
        """
        for _ in range(MAX_HOPS + 1):
            request = Request("GET", url, {"Accept": "image/jpeg, image/png, image/webp"})
            stream = await open_checked(self._client, self._guard, request, self._timeout)
            if stream.status == 200:
                return stream
            onward = next_hop(stream, url)
            await stream.aclose()
            if onward is None:
                raise Lost("it is not there")
            url = onward
        raise Lost("it is sent from one address to the next")

    async def _read(self, stream: Stream) -> bytes:
        """The body as it is on the wire: what is compressed in transit is no image.

        Raises:
            InvalidImage: it is no image, or is too large.
            Lost: the transfer broke.
        """
        declared = stream.headers.get("content-length", "")
        data = bytearray()
        self._bound(int(declared) if declared.isdecimal() and len(declared) <= 18 else 0)
        async with aclosing(stream.chunks()) as chunks:
            async for chunk in chunks:
                data += chunk
                if len(data) - len(chunk) < HEAD <= len(data):
                    # What its headers say is not asked, and a page of HTML is not fetched to its end.
                    require_image(bytes(data[:HEAD]))
                self._bound(len(data))
        require_image(bytes(data[:HEAD]))
        return bytes(data)

    def _bound(self, length: int) -> None:
        if length > self._max_bytes:
            raise InvalidImage(
                f"The image is larger than {self._max_bytes / (1 << 20):.3g} MiB; make it smaller and try again."
            )
