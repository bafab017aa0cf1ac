"""A request body as plain values, whether it came as JSON or as a form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from sora_gateway.errors import Unavailable, UnsupportedMediaType
from sora_gateway.http.arrival import Arrivals, Spool
from sora_gateway.http.form_fields import nested
from sora_gateway.http.forms import read_multipart, read_urlencoded
from sora_gateway.http.json_body import read_json

JSON = "application/json"
MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"
FORMS = (MULTIPART, URLENCODED)

AT_WORK = 8
"""Large bodies in memory that are worked on here; others wait in their files until one is done with."""
WAITING = 8
"""Large bodies in memory whose requests wait for an upstream; one too many is told to come back."""
READ_AT_ONCE = 2
"""How many are read at once: each keeps the event loop waiting for a few milliseconds, again and again."""
MAX_URLENCODED = 1 << 19
"""Bytes: what percent signs separate is many small values, and costs far more than its size."""
_AT_ONCE = 1 << 16
"""Bytes that are read in a few milliseconds; more are read in a thread."""


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Body:
    """What a body says, as plain values. Whoever is going to wait for an upstream with it does so inside of
    *waiting*, which raises Unavailable before anything is asked for if too many do."""

    value: Any
    waiting: Callable[[], AbstractAsyncContextManager[None]] = nullcontext


class RequestBodies:
    """Reads the bodies of all requests, few of the large ones at a time.

    A large body stays in memory until its request is answered. What is worked on here (read, checked, decoded,
    stored) is done with in seconds, and the next one waits for it. An upstream may take minutes: what waits for
    one moves to places of its own, and holds up nobody but its like. So at most 16 large bodies are in memory,
    two of them twice, while they are read: 18 times ``server.max_upload``.
    """

    def __init__(self, spool: Spool) -> None:
        # Where uploads are taken one has to be signed in; who is not cannot keep those out who are.
        self._uploads, self._others = Arrivals(spool), Arrivals(spool)
        self._at_work, self._waiting = asyncio.Semaphore(AT_WORK), asyncio.Semaphore(WAITING)
        self._reading = asyncio.Semaphore(READ_AT_ONCE)

    @asynccontextmanager
    async def body(self, request: Request, *, json: bool, forms: bool, uploads: bool) -> AsyncIterator[Body]:
        """What the body says, inside the block, which a large body keeps others out of. *json* and *forms* are
        what it may be; *uploads* whether its address takes files.

        JSON is any value; a form is an object whose values are texts,
        :class:`~sora_gateway.http.uploads.Upload`, objects and lists of these.

        Raises:
            UnsupportedMediaType: it is declared as something else, or compressed.
            InvalidRequest: it cannot be read, or in more than one way.
            TooLarge: it has more in it than its kind may have.
            Unavailable: too many large ones are here.
            StorageFull, StorageFailed: the disk cannot hold it while it arrives.
        """
        read = _reader(request, json, forms)
        arrivals = self._uploads if uploads else self._others
        async with AsyncExitStack() as place:
            yield await self._read(request, read, arrivals, place)

    async def _read(
        self, request: Request, read: Callable[[bytes], Any], arrivals: Arrivals, place: AsyncExitStack
    ) -> Body:
        limit = MAX_URLENCODED if media_type(request) == URLENCODED else None
        async with arrivals.body(request, limit) as body:
            if body.size <= _AT_ONCE:
                return Body(read(body.read()))
            if not body.large:
                return Body(await asyncio.to_thread(lambda: read(body.read())))
            await place.enter_async_context(self._at_work)
            async with self._reading:
                value = await asyncio.to_thread(lambda: read(body.read()))
            return Body(value, lambda: self._moved(place))

    @asynccontextmanager
    async def _moved(self, place: AsyncExitStack) -> AsyncIterator[None]:
        """Out of the *place* at work, to one among those that wait."""
        if self._waiting.locked():
            raise Unavailable(
                "Too many large requests are waiting for an upstream; try again in a moment.", retry_after=10
            )
        async with self._waiting:
            await place.aclose()
            yield


def _reader(request: Request, json: bool, forms: bool) -> Callable[[bytes], Any]:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body without Content-Encoding.")
    kind = media_type(request)
    if forms and kind == MULTIPART:
        content_type = request.headers["content-type"]
        return lambda body: nested(read_multipart(content_type, body))
    if forms and kind == URLENCODED:
        return lambda body: nested(read_urlencoded(body))
    if json and kind == JSON:
        return read_json
    wanted = f"JSON, with Content-Type: {JSON}" if json else f"a form, with Content-Type: {MULTIPART}"
    raise UnsupportedMediaType(f"Send the body as {wanted}.")
