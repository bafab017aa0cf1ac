"""An upstream's adapter, with every request that it sends counted and timed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Literal, Protocol

from sora_gateway.clock import Clock
from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Listing, Look
from sora_gateway.core.operation import Operation
from sora_gateway.core.outcome import CreateAnswer, RejectRules
from sora_gateway.core.tally import Histograms, Tally
from sora_gateway.upstream.adapter import Adapter, CancelAnswer, Content, ContentTrouble, CreateOrder, Variant

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Span(Protocol):
    """A stretch of time in a trace."""

    def outcome(self, word: str) -> None: ...


class Spans(Protocol):
    def call(self, upstream: str, operation: str) -> AbstractContextManager[Span]:
        """Entered while a request is on its way."""
        ...


class Calls:
    """Of all upstreams together."""

    def __init__(self, clock: Clock, spans: Spans | None = None) -> None:
        """*spans* traces what costs something, or takes long."""
        self.clock = clock
        self.spans = spans
        self.outcomes = Tally()
        """By upstream, operation and outcome."""
        self.seconds = Histograms(SECONDS)
        """By upstream and operation."""


class _Call:
    """One request, while this is entered; one that is left by an exception is counted as ``broken``."""

    __slots__ = ("_began", "_calls", "_operation", "_span", "_traced", "_upstream", "outcome")

    def __init__(self, calls: Calls, upstream: str, operation: str, *, traced: bool) -> None:
        self._calls = calls
        self._upstream = upstream
        self._operation = operation
        self._traced = calls.spans.call(upstream, operation) if traced and calls.spans is not None else None
        self._span: Span | None = None
        self.outcome = "broken"

    def __enter__(self) -> _Call:
        if self._traced is not None:
            self._span = self._traced.__enter__()
        self._began = self._calls.clock.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        calls, both = self._calls, (self._upstream, self._operation)
        calls.seconds.add(calls.clock.monotonic() - self._began, *both)
        calls.outcomes.add(*both, self.outcome)
        if self._traced is not None and self._span is not None:
            self._span.outcome(self.outcome)
            self._traced.__exit__(kind, error, trace)


class Measured:
    """*adapter*, and nothing else but *calls* counted."""

    def __init__(self, adapter: Adapter, calls: Calls) -> None:
        self._adapter = adapter
        self._calls = calls

    def _call(self, operation: str, *, traced: bool = False) -> _Call:
        return _Call(self._calls, self._adapter.name, operation, traced=traced)

    async def create(self, order: CreateOrder, timeout: float) -> CreateAnswer:
        with self._call("create", traced=True) as call:
            answer = await self._adapter.create(order, timeout)
            call.outcome = _answered(answer)
        return answer

    async def create_character(
        self, name: str, video: bytes, media_type: str, timeout: float, attempt_id: str
    ) -> CreateAnswer:
        with self._call("create_character", traced=True) as call:
            answer = await self._adapter.create_character(name, video, media_type, timeout, attempt_id)
            call.outcome = _answered(answer)
        return answer

    async def look(self, external_id: ExternalId) -> Look:
        if not self._adapter.looks_are_requests:
            return await self._adapter.look(external_id)
        with self._call("look") as call:
            look = await self._adapter.look(external_id)
            call.outcome = look.kind.value
        return look

    async def list_jobs(self, after: ExternalId | None = None) -> Listing | Look:
        with self._call("list") as call:
            answer = await self._adapter.list_jobs(after)
            call.outcome = "listed" if isinstance(answer, Listing) else answer.kind.value
        return answer

    async def cancel(self, external_id: ExternalId) -> CancelAnswer:
        if not self._adapter.stops_jobs:
            return await self._adapter.cancel(external_id)
        with self._call("cancel", traced=True) as call:
            answer = await self._adapter.cancel(external_id)
            call.outcome = answer.value
        return answer

    @asynccontextmanager
    async def open_content(
        self,
        external_id: ExternalId,
        result_url: str | None,
        variant: Variant,
        offset: int = 0,
        etag: str | None = None,
    ) -> AsyncIterator[Content]:
        opening = self._adapter.open_content(external_id, result_url, variant, offset, etag)
        async with AsyncExitStack() as stack:
            with self._call("download", traced=True) as call:
                try:
                    content = await stack.enter_async_context(opening)
                except ContentTrouble as trouble:
                    call.outcome = trouble.kind.value
                    raise
                call.outcome = "opened"
            yield content

    async def probe(self) -> str:
        with self._call("probe") as call:
            said = await self._adapter.probe()
            call.outcome = "ok" if said.startswith("ok") else "trouble"
        return said

    async def aclose(self) -> None:
        await self._adapter.aclose()

    @property
    def name(self) -> str:
        return self._adapter.name

    @property
    def rules(self) -> RejectRules:
        return self._adapter.rules

    @property
    def min_poll_interval(self) -> float:
        return self._adapter.min_poll_interval

    @property
    def operations(self) -> frozenset[Operation]:
        return self._adapter.operations

    @property
    def characters(self) -> bool:
        return self._adapter.characters

    @property
    def listing(self) -> Literal["none", "stale", "live"]:
        return self._adapter.listing

    @property
    def looks_are_requests(self) -> bool:
        return self._adapter.looks_are_requests

    @property
    def idempotent(self) -> bool:
        return self._adapter.idempotent

    @property
    def stops_jobs(self) -> bool:
        return self._adapter.stops_jobs


def _answered(answer: CreateAnswer) -> str:
    """What came back, without any judgement: that is the supervisor's."""
    if answer.not_sent is not None:
        return "not_sent"
    if answer.lost is not None or answer.status is None:
        return "lost"
    return f"{answer.status // 100}xx"
