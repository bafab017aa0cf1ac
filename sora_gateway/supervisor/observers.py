"""The observers of all upstreams, each made when its first job is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sora_gateway.core.job import ExternalId
from sora_gateway.supervisor.observing import Means, Observer

if TYPE_CHECKING:
    from sora_gateway.supervisor.watcher import Upstream


class Observers:
    """*upstreams* are those in use, which may change."""

    def __init__(self, upstreams: Mapping[str, Upstream], means: Means) -> None:
        self._upstreams = upstreams
        self._means = means
        self._observers: list[Observer] = []

    def of(self, upstream: Upstream) -> Observer:
        """The observer of *upstream*, which need not be in use any more."""
        for observer in self._observers:
            if observer.upstream is upstream:
                return observer
        self._observers.append(Observer(upstream, self._means))
        return self._observers[-1]

    def look_now(self, name: str, external_id: ExternalId) -> bool:
        """Looks at a job of the upstream *name* at once; False when nobody follows it."""
        upstream = self._upstreams.get(name)
        return upstream is not None and self.of(upstream).look_now(external_id)

    async def aclose(self) -> None:
        for observer in self._observers:
            await observer.aclose()
