"""Requests, counted and timed by the route that answers them."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sora_gateway.clock import Clock
from sora_gateway.core.tally import Histograms, Tally

log = logging.getLogger(__name__)

ROUTE = "sora_gateway.route"
"""Key of the request's :class:`Route` in the ASGI scope."""
OTHER = "other"
"""The route of what no route took: the page's files, and what is not there."""
SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NOTHING_SAID = "none"
"""The status of a request to which nothing was answered: whoever asked has gone."""


class Route:
    """Which row of the table takes a request. Whoever knows says so: what is between may hand on a copy of the scope."""

    __slots__ = ("template",)

    def __init__(self) -> None:
        self.template = OTHER


class Requests:
    """What was asked for since the start."""

    def __init__(self) -> None:
        self.answers = Tally()
        """By route, method and class of the status."""
        self.seconds = Histograms(SECONDS)
        """By route and method, until the answer began."""
        self.in_progress = 0


class Routed:
    """*app*, as the row of *template*: for what is in no table of endpoints."""

    def __init__(self, app: ASGIApp, template: str) -> None:
        self.app = app
        self.template = template

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ROUTE].template = self.template
        await self.app(scope, receive, send)


class Metered:
    """Around everything that answers, refusals included."""

    def __init__(self, app: ASGIApp, requests: Requests, clock: Clock) -> None:
        self.app = app
        self.requests = requests
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        route = scope[ROUTE] = Route()
        began = self.clock.monotonic()
        answered: tuple[float, str] | None = None

        async def noted_send(message: Message) -> None:
            nonlocal answered
            if answered is None and (status := _status(message)) is not None:
                answered = self.clock.monotonic() - began, status
            await send(message)

        self.requests.in_progress += 1
        try:
            await self.app(scope, receive, noted_send)
        finally:
            self.requests.in_progress -= 1
            seconds, status = answered or (self.clock.monotonic() - began, _NOTHING_SAID)
            self._count(scope, route.template, seconds, status)

    def _count(self, scope: Scope, route: str, seconds: float, status: str) -> None:
        method = scope.get("method", "WEBSOCKET")
        if method not in _METHODS and scope["type"] == "http":
            method = OTHER  # anybody may send any word
        self.requests.answers.add(route, method, status)
        self.requests.seconds.add(seconds, route, method)
        log.debug("%s %s: %s after %.1f ms", method, route, status, seconds * 1000)


def _status(message: Message) -> str | None:
    """The class of the status that *message* begins an answer with, as ``2xx``."""
    match message["type"]:
        case "http.response.start" | "websocket.http.response.start":
            return f"{message['status'] // 100}xx"
        case "websocket.accept":
            return "1xx"
        case "websocket.close":
            return "4xx"  # before it was accepted, that is a 403
        case _:
            return None
