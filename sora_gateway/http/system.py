"""Whether the process is alive, whether it takes work, and what its API looks like."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import Field
from starlette.responses import Response

from sora_gateway.core.wire import View
from sora_gateway.errors import NotAuthenticated, NotFound, Unavailable
from sora_gateway.http.metrics import TEXT, metrics
from sora_gateway.http.routing import Access, Call, Endpoint


class Health(View):
    status: Literal["ok"] = "ok"
    phase: Literal["starting", "serving", "stopping"]
    uptime: float = Field(description="Seconds since the start.")


class Ready(View):
    ready: Literal[True] = True


class System:
    """The endpoints of the process itself. *table* gives the whole route table."""

    def __init__(self, started_at: float, table: Callable[[], Sequence[Endpoint]]) -> None:
        self._started_at = started_at
        self._table = table
        self._description: bytes | None = None
        self._live_description: bytes | None = None

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path="/health",
                handler=self.health,
                summary="Is the process alive?",
                access=Access.PUBLIC,
                tag="system",
                response=Health,
            ),
            Endpoint(
                method="GET",
                path="/ready",
                handler=self.ready,
                summary="Does it take work?",
                access=Access.PUBLIC,
                tag="system",
                response=Ready,
                errors=(Unavailable,),
            ),
            Endpoint(
                method="GET",
                path="/metrics",
                handler=metrics,
                summary="Numbers for Prometheus.",
                access=Access.PUBLIC,
                tag="system",
                produces=(TEXT,),
                errors=(NotAuthenticated, NotFound),
            ),
            Endpoint(
                method="GET",
                path="/openapi.json",
                handler=self.openapi,
                summary="This description.",
                access=Access.PUBLIC,
                tag="system",
            ),
            Endpoint(
                method="GET",
                path="/asyncapi.json",
                handler=self.asyncapi,
                summary="The description of the live protocol.",
                access=Access.PUBLIC,
                tag="system",
            ),
        ]

    async def health(self, call: Call) -> Health:
        """Answers as long as the process runs, also while it starts and stops."""
        services = call.services
        return Health(
            phase=services.readiness.phase.value,
            uptime=round(services.clock.monotonic() - self._started_at, 3),
        )

    async def ready(self, call: Call) -> Ready:
        """503 while the gateway starts or stops, or cannot store anything, so that a balancer sends nobody here."""
        call.services.readiness.check()
        if not await call.services.store.writable():
            raise Unavailable("The gateway's database cannot be written to.", retry_after=10)
        return Ready()

    async def openapi(self, call: Call) -> Response:
        """Made at the first look: most processes are never asked."""
        if self._description is None:
            from sora_gateway.http.openapi import document

            server = call.services.settings.server
            described = document(self._table(), server.public_url or server.root_path or "/")
            self._description = json.dumps(described).encode()
        return Response(self._description, media_type="application/json")

    async def asyncapi(self, call: Call) -> Response:
        """AsyncAPI 3.0: the messages of ``/ws`` and of the event streams. Made at the first look, too."""
        if self._live_description is None:
            from sora_gateway.http.asyncapi import document

            server = call.services.settings.server
            described = document(server.public_url, server.root_path)
            self._live_description = json.dumps(described).encode()
        return Response(self._live_description, media_type="application/json")


def whole_table(system: System) -> Sequence[Endpoint]:
    """Every endpoint there is; imported when it is asked for (:mod:`.lazily`)."""
    from sora_gateway.http.table import table

    return table(system)
