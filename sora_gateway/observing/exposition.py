"""The text of ``/metrics``, as Prometheus' own client library writes it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib.metadata import version
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from sora_gateway.core.tally import Histogram
from sora_gateway.observing import catalogue as m
from sora_gateway.observing.catalogue import Form, Metric
from sora_gateway.observing.readings import Reading, Readings
from sora_gateway.observing.sources import Sources


class Exposition:
    """One for each gateway: nothing of it is shared with another in the same process."""

    def __init__(self, sources: Sources) -> None:
        self._readings = Readings(sources)
        self._taken: list[Reading] = []
        self._turn = asyncio.Lock()
        self._version = version("sora-gateway")
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

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
        self._taken.insert(0, (m.BUILD, [((self._version,), 1.0)]))
        return generate_latest(self._registry)


def _family(metric: Metric, values: list[tuple[tuple[str, ...], float | Histogram]]) -> Family:
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
