"""Traces for an operator's OpenTelemetry collector: a span for each request, and one for each call to an upstream that
costs something or takes long, below the request that the video was asked for with.

Nothing of a request but its method, the route that took it, its id and its status: addresses have signatures, tickets
and share links in them. Errors are not recorded either; the log has them, redacted, under the same id.

Imported only where it is set; nothing of it is global.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from sora_gateway.logs.context import current_job

EXPORT_TIMEOUT = 3.0
"""Seconds that the collector may take for a batch, and so the longest that the end of the process waits for it."""


class RequestSpan:
    """One request of somebody's."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def answered(self, method: str, route: str, status: int | None, request_id: str) -> None:
        self._span.update_name(f"{method} {route}")
        self._span.set_attributes(
            {"http.request.method": method, "http.route": route, "sora_gateway.request_id": request_id}
        )
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
            if status >= 500:
                self._span.set_status(Status(StatusCode.ERROR))


class CallSpan:
    """One request of ours to an upstream."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def outcome(self, word: str) -> None:
        self._span.set_attribute("sora_gateway.outcome", word)


class Traces:
    """Belongs to one gateway."""

    def __init__(
        self, endpoint: str, service: str, ratio: float, exporter: SpanExporter | None = None
    ) -> None:
        """*ratio* is the share of the traces that are kept, unless whoever sends a request has decided that already.
        *exporter* takes the place of the one that sends to *endpoint*."""
        self._provider = TracerProvider(
            sampler=ParentBasedTraceIdRatio(ratio),
            resource=Resource.create({"service.name": service}),
            shutdown_on_exit=False,
        )
        exporter = exporter or OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_TIMEOUT)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("sora_gateway")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def request(self, headers: Mapping[str, str]) -> Iterator[RequestSpan]:
        """Around the answering of a request, in whose *headers* the trace may be named that it is part of."""
        with self._tracer.start_as_current_span(
            "request",
            context=self._propagator.extract(headers),
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield RequestSpan(span)

    @contextmanager
    def call(self, upstream: str, operation: str) -> Iterator[CallSpan]:
        """Around a call. A job's watcher was begun by the request for it, so that is what its calls are below."""
        span = self._tracer.start_span(f"{operation} {upstream}", kind=SpanKind.CLIENT)
        span.set_attributes({"sora_gateway.upstream": upstream, "sora_gateway.operation": operation})
        if (job := current_job()) is not None:
            span.set_attribute("sora_gateway.job_id", job)
        try:
            yield CallSpan(span)
        finally:
            span.end()

    async def aclose(self) -> None:
        """Sends what is left."""
        await asyncio.to_thread(self._provider.shutdown)
