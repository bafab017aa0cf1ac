"""An upstream inside this process, made when it is first asked for something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from sora_gateway.upstream.client import ASGIApp


class Closable(Protocol):
    async def aclose(self) -> None: ...


class Embedded:
    """An ASGI application that *make* builds at the first request, or at once if *now* is set.

    *make* returns the application and what is closed with it; what it raises, the first request raises, or
    the constructor.
    """

    def __init__(self, make: Callable[[], tuple[ASGIApp, Closable]], *, now: bool) -> None:
        self._make = make
        self._made = make() if now else None

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        if self._made is None:
            self._made = self._make()
        await self._made[0](scope, receive, send)

    async def aclose(self) -> None:
        if self._made is not None:
            await self._made[1].aclose()
