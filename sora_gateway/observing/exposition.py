"""The text of ``/metrics``. Imports the client library with the first question: a start needs none of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from sora_gateway.core.tally import Histogram
from sora_gateway.observing import catalogue as m
from sora_gateway.observing.catalogue import Form, Metric
from sora_gateway.observing.readings import Reading, Readings, Sources

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric as Family


class Exposition:
    """One for each gateway: nothing of it is shared with another in the same process."""

    def __init__(self, sources: Sources) -> None:
        self._readings = Readings(sources)
        self._taken: list[Reading] = []
        self._registry: CollectorRegistry | None = None
        self._turn = asyncio.Lock()

    async def text(self) -> bytes:
        """In Prometheus' text format; made in a thread, one at a time."""
        async with self._turn:
            self._taken = await self._readings.take()
            return await asyncio.to_thread(self._text)

    def collect(self) -> Iterator[Family]:
        """What the registry asks for; none of it says anything when it is registered."""
        for metric, values in self._taken:
            yield _family(metric, values)

    def _text(self) -> bytes:
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

        if self._registry is None:
            from importlib.metadata import version

            self._version = version("sora-gateway")
            registry = CollectorRegistry(auto_describe=False)
            registry.register(self)
            ProcessCollector(registry=registry)
            self._registry = registry
        self._taken.insert(0, (m.BUILD, [((self._version,), 1.0)]))
        return generate_latest(self._registry)


def _family(metric: Metric, values: list[tuple[tuple[str, ...], float | Histogram]]) -> Family:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    if metric.form is Form.HISTOGRAM:
        histograms = HistogramMetricFamily(metric.full_name, metric.help, labels=metric.labels)
        for labels, value in values:
            assert isinstance(value, Histogram)
            bounds = [*(f"{bound:g}" for bound in value.bounds), "+Inf"]
            histograms.add_metric(
                labels, list(zip(bounds, accumulate(value.counts), strict=True)), value.total
            )
        return histograms
    kind = CounterMetricFamily if metric.form is Form.COUNTER else GaugeMetricFamily
    family = kind(metric.full_name, metric.help, labels=metric.labels)
    for labels, value in values:
        assert not isinstance(value, Histogram)
        family.add_metric(labels, value)
    return family
