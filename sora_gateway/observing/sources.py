"""What the numbers of ``/metrics`` are taken from. What takes them is imported with the first question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sora_gateway.clock import Clock
    from sora_gateway.http.metering import Requests
    from sora_gateway.http.services import Readiness
    from sora_gateway.media.files import MediaFiles
    from sora_gateway.observing.exposition import Exposition
    from sora_gateway.observing.fan_out import FanOut
    from sora_gateway.realtime.hub import Hub
    from sora_gateway.store import Store
    from sora_gateway.supervisor import Supervisor
    from sora_gateway.webhooks.endpoints import Webhooks
    from sora_gateway.wiring import Upstreams


@dataclass(frozen=True, slots=True)
class Sources:
    """The parts that are read."""

    clock: Clock
    store: Store
    supervisor: Supervisor
    upstreams: Upstreams
    hub: Hub
    webhooks: Webhooks
    files: MediaFiles
    requests: Requests
    readiness: Readiness
    fan_out: FanOut
    disk_floor: Callable[[], int]


class Metrics:
    """The text of ``/metrics``."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._exposition: Exposition | None = None

    async def text(self) -> bytes:
        """As things are now."""
        if self._exposition is None:
            exposition = await asyncio.to_thread(_exposition)
            # Another question may have been faster.
            self._exposition = self._exposition or exposition(self._sources)
        return await self._exposition.text()


def _exposition() -> type[Exposition]:
    from sora_gateway.observing.exposition import Exposition

    return Exposition
