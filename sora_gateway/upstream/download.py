"""Result files: where they are, from which byte on, and how far to trust the answer.

The upstream's key goes to the upstream's own origin only. Every other host is one that the upstream named,
so its address is checked, on each hop.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace

from sora_gateway.clock import Clock
from sora_gateway.core.observation import LookKind
from sora_gateway.upstream.adapter import Content, ContentTrouble, Variant
from sora_gateway.upstream.addresses import AddressGuard, AddressRefused, origin_of
from sora_gateway.upstream.client import HttpClient, Lost, NotSent, Reply, Request, Stream
from sora_gateway.upstream.hops import MAX_HOPS, next_hop, open_checked
from sora_gateway.upstream.moments import retry_after
from sora_gateway.upstream.parsing import STATUSES, load_object, result_url, status_of

MIN_RATE = 16 * 1024
"""Bytes per second below which, over a window, a transfer counts as broken."""
WINDOW = 30.0
"""Seconds."""
_HEAD_DEADLINE = 60.0

_FOR_A_WHILE = frozenset({408, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_UNSATISFIED = re.compile(r"bytes \*/([0-9]{1,18})")
_Kind = ContentTrouble.Kind


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is said to be. *endpoint*: the API's own content route, not an address in an answer."""

    url: str
    endpoint: bool = False
    found_in_json: bool = False


@dataclass(frozen=True, slots=True)
class Resume:
    """The first byte wanted, and the validator of those before it."""

    offset: int = 0
    etag: str | None = None

    def headers(self) -> dict[str, str]:
        if self.offset == 0:
            return {}
        wanted = {"Range": f"bytes={self.offset}-"}
        # A weak validator may not be used here: two files that differ may share it.
        if self.etag and not self.etag.startswith("W/"):
            wanted["If-Range"] = self.etag
        return wanted


@dataclass(frozen=True, slots=True)
class _Found:
    """An answer that is the file from *offset* on; *complete* when there is nothing after it."""

    offset: int
    total: int | None
    kind: str = ""
    complete: bool = False


class Downloader:
    """Opens files of one upstream, whose API lives under *base_url*."""

    def __init__(
        self,
        client: HttpClient,
        base_url: str,
        auth: Mapping[str, str],
        *,
        guard: AddressGuard,
        clock: Clock,
        max_file: int,
        not_yet: frozenset[int],
    ) -> None:
        """*auth* are the headers with our key; *not_yet* as in the profile; *max_file* in bytes."""
        self._client = client
        self._origin = origin_of(base_url)
        self._auth = dict(auth)
        self._guard = guard
        self._clock = clock
        self._max_file = max_file
        self._not_yet = not_yet

    @asynccontextmanager
    async def open(self, place: Place, variant: Variant, resume: Resume) -> AsyncIterator[Content]:
        """The file at *place*.

        Raises:
            ContentTrouble: it cannot be had now.
        """
        found, stream = await self._follow(place, variant, resume)
        try:
            async with aclosing(self._chunks(stream, found)) as chunks:
                yield Content(found.offset, found.total, found.kind, stream.headers.get("etag"), chunks)
        finally:
            await stream.aclose()

    async def _follow(self, place: Place, variant: Variant, resume: Resume) -> tuple[_Found, Stream]:
        """The answer that is the file; the caller closes the stream."""
        for _ in range(MAX_HOPS + 1):
            stream = await self._get(place, resume)
            try:
                answer = await self._judge(stream, place, variant, resume)
            except BaseException:
                await stream.aclose()
                raise
            if isinstance(answer, _Found):
                return answer, stream
            await stream.aclose()
            place, resume = answer
        raise ContentTrouble(_Kind.NOT_MEDIA, "The upstream sends from one address to the next.")

    async def _get(self, place: Place, resume: Resume) -> Stream:
        request = Request("GET", place.url, {"Accept": "*/*", **resume.headers()})
        try:
            if origin_of(place.url) == self._origin:
                request = replace(request, headers={**request.headers, **self._auth})
                return await self._client.open(request, deadline=_HEAD_DEADLINE)
            return await open_checked(self._client, self._guard, request, _HEAD_DEADLINE)
        except ValueError:
            raise ContentTrouble(_Kind.NOT_MEDIA, "The result has no usable address.") from None
        except AddressRefused as refused:
            raise ContentTrouble(_Kind.NOT_MEDIA, str(refused)) from None
        except (NotSent, Lost) as error:
            raise ContentTrouble(_Kind.INTERRUPTED, f"The file cannot be fetched: {error}.") from None

    async def _judge(
        self, stream: Stream, place: Place, variant: Variant, resume: Resume
    ) -> _Found | tuple[Place, Resume]:
        """The file, or where to go on."""
        status, headers = stream.status, stream.headers
        if (onward := next_hop(stream, place.url)) is not None:
            return Place(onward, found_in_json=place.found_in_json), resume
        if status == 416 and resume.offset:
            match = _UNSATISFIED.fullmatch(headers.get("content-range", ""))
            if match and int(match[1]) == resume.offset:
                return _Found(resume.offset, resume.offset, complete=True)
            return place, Resume()
        if status not in (200, 206):
            raise self._refusal(status, await _read(stream), place, variant)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json" or kind.endswith("+json"):
            return await self._address_in(stream, place, variant), resume
        _require_media(kind, headers.get("content-encoding", ""), variant)
        if status == 200:
            return self._bounded(_Found(0, _length(headers.get("content-length")), kind))
        match = _RANGE.fullmatch(headers.get("content-range", "").strip())
        if match is None or int(match[1]) != resume.offset:
            if resume.offset:
                # It answered another range than the one asked for: the whole file, then.
                return place, Resume()
            raise ContentTrouble(
                _Kind.INTERRUPTED, "The upstream answered with a range that nobody asked for."
            )
        end = int(match[2]) + 1
        total = end if match[3] == "*" else int(match[3])
        return self._bounded(_Found(resume.offset, total, kind))

    def _bounded(self, found: _Found) -> _Found:
        if found.total is not None and found.total > self._max_file:
            raise ContentTrouble(_Kind.TOO_LARGE, f"The file is larger than {self._max_file} bytes.")
        return found

    async def _chunks(self, stream: Stream, found: _Found) -> AsyncGenerator[bytes, None]:
        if found.complete:
            return
        async with aclosing(stream.chunks()) as source:
            async for chunk in self._watched(source, found):
                yield chunk

    async def _watched(self, source: AsyncIterator[bytes], found: _Found) -> AsyncGenerator[bytes, None]:
        """*source* as long as it is fast enough, not too long, and not too short."""
        position, in_window, waited = found.offset, 0, 0.0
        while True:
            # Only waiting for the upstream counts, not a slow disk at our end.
            began = self._clock.monotonic()
            try:
                chunk = await anext(source, None)
            except Lost as error:
                raise ContentTrouble(_Kind.INTERRUPTED, f"The download broke: {error}.") from None
            if chunk is None:
                break
            waited += self._clock.monotonic() - began
            position += len(chunk)
            in_window += len(chunk)
            if position > self._max_file:
                raise ContentTrouble(_Kind.TOO_LARGE, f"The file is larger than {self._max_file} bytes.")
            yield chunk
            if waited >= WINDOW:
                if in_window < MIN_RATE * waited:
                    raise ContentTrouble(_Kind.INTERRUPTED, "The download became too slow.")
                in_window, waited = 0, 0.0
        if found.total is not None and position != found.total:
            raise ContentTrouble(_Kind.INTERRUPTED, "The file ended before its declared length.")

    async def _address_in(self, stream: Stream, place: Place, variant: Variant) -> Place:
        """The place that a JSON answer names; some servers answer the content route with one."""
        reply = await _read(stream)
        body = load_object(reply) or {}
        url = result_url(body)
        if url is not None and not place.found_in_json and variant is Variant.VIDEO:
            return Place(url, found_in_json=True)
        if STATUSES.get(status_of(body)) is LookKind.ALIVE:
            raise ContentTrouble(_Kind.NOT_YET, "The upstream is still at it.", self._wait(reply))
        raise ContentTrouble(_Kind.NOT_MEDIA, "The upstream answered with JSON instead of a file.")

    def _refusal(self, status: int, reply: Reply, place: Place, variant: Variant) -> ContentTrouble:
        wait = self._wait(reply)
        if status in _FOR_A_WHILE or status >= 500:
            return ContentTrouble(_Kind.INTERRUPTED, f"The file is not served now: HTTP {status}.", wait)
        if place.endpoint and variant is not Variant.VIDEO and status not in (401, 402, 403):
            return ContentTrouble(_Kind.UNSUPPORTED, f"The upstream has no {variant}.")
        if place.endpoint and status in self._not_yet:
            return ContentTrouble(_Kind.NOT_YET, "The upstream does not have the file ready yet.", wait)
        if place.endpoint and status == 400:
            # SGLang: "Please use the cloud URL".
            return ContentTrouble(_Kind.EXPIRED, "The upstream says that the file is elsewhere.", wait)
        if status in (401, 402, 403, 404, 410):
            return ContentTrouble(_Kind.EXPIRED, f"The file's address is refused: HTTP {status}.", wait)
        return ContentTrouble(_Kind.NOT_MEDIA, f"The upstream does not give the file: HTTP {status}.", wait)

    def _wait(self, reply: Reply) -> float | None:
        return retry_after(reply.headers, self._clock.now())


def _require_media(kind: str, encoding: str, variant: Variant) -> None:
    """A type that cannot be *variant* is refused here; what says it is one is checked by its bytes later."""
    wrong = ("text/", "image/") if variant is Variant.VIDEO else ("text/", "video/")
    if kind.startswith((*wrong, "multipart/")) or kind.endswith(("xml", "html")):
        if kind.startswith("video/"):
            raise ContentTrouble(_Kind.UNSUPPORTED, f"The upstream has no {variant}.")
        raise ContentTrouble(_Kind.NOT_MEDIA, "The upstream answered with something that is no media.")
    if encoding.strip().lower() not in ("", "identity"):
        raise ContentTrouble(
            _Kind.NOT_MEDIA, "The upstream sent the file compressed, which nobody asked for."
        )


def _length(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) <= 18 else None


async def _read(stream: Stream) -> Reply:
    try:
        return await stream.read(_HEAD_DEADLINE)
    except Lost as error:
        raise ContentTrouble(_Kind.INTERRUPTED, f"The answer broke: {error}.") from None
