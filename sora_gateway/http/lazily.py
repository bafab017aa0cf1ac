"""The route table is a good part of what a start imports, and a process that is only asked whether it lives needs
none of it: it is made with the first request for anything else."""

from __future__ import annotations

from collections.abc import Callable, Collection

from starlette.types import ASGIApp, Receive, Scope, Send


class OnFirstRequest:
    """*first* answers *paths* until something else is asked for; then *make* is called, and answers everything."""

    def __init__(self, first: ASGIApp, paths: Collection[str], make: Callable[[], ASGIApp]) -> None:
        self._app = first
        self._paths = frozenset(paths)
        self._make: Callable[[], ASGIApp] | None = make

    def complete(self) -> None:
        """Makes the rest now."""
        if self._make is not None:
            self._app, self._make = self._make(), None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._make is not None and scope.get("path") not in self._paths:
            self.complete()
        await self._app(scope, receive, send)
