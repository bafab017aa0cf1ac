"""Requests, counted and timed by the route that answers them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sora_gateway.clock import Clock
from sora_gateway.core.tally import Histograms, Tally

log = logging.getLogger(__name__)

REQUEST_ID = "sora_gateway.request_id"
"""Key of the request's id in the ASGI scope."""
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


class Span(Protocol):
    """One request in a trace."""

    def answered(self, method: str, route: str, status: int | None, request_id: str) -> None: ...


class Spans(Protocol):
    def request(self, headers: Mapping[str, str]) -> AbstractContextManager[Span]:
        """Entered while a request is answered."""
        ...


class Requests:
    """What was asked for since the start."""

    def __init__(self, spans: Spans | None = None) -> None:
        """*spans* traces each."""
        self.spans = spans
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
        method = scope.get("method", "WEBSOCKET")
        if method not in _METHODS and scope["type"] == "http":
            method = OTHER  # anybody may send any word
        began = self.clock.monotonic()
        answered: tuple[float, int | None] | None = None

        async def noted_send(message: Message) -> None:
            nonlocal answered
            if answered is None and (status := _status(message)) is not None:
                answered = self.clock.monotonic() - began, status
            await send(message)

        self.requests.in_progress += 1
        # A WebSocket lives for days, and nobody waits for it to end.
        spans = self.requests.spans if scope["type"] == "http" else None
        with spans.request(Headers(scope=scope)) if spans is not None else nullcontext() as span:
            try:
                await self.app(scope, receive, noted_send)
            finally:
                self.requests.in_progress -= 1
                seconds, status = answered or (self.clock.monotonic() - began, None)
                self._count(route.template, method, seconds, status)
                if span is not None:
                    span.answered(method, route.template, status, scope[REQUEST_ID])

    def _count(self, route: str, method: str, seconds: float, status: int | None) -> None:
        told = _NOTHING_SAID if status is None else f"{status // 100}xx"
        self.requests.answers.add(route, method, told)
        self.requests.seconds.add(seconds, route, method)
        log.debug("%s %s: %s after %.1f ms", method, route, status or told, seconds * 1000)


def _status(message: Message) -> int | None:
    """The status that *message* begins an answer with."""
    match message["type"]:
        case "http.response.start" | "websocket.http.response.start":
            return int(message["status"])
        case "websocket.accept":
            return 101
        case "websocket.close":
            return 403  # before it was accepted, that is
        case _:
            return None
