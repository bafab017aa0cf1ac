"""What tests hand in where the gateway takes the outside world: time, chance and an upstream.

``ScriptedUpstream`` answers what a test tells it to, one call after the other; it has no behaviour of its own
that could differ from a real upstream's. The fakes that behave (``tests/fake_upstream.py``, the simulator)
are held to the same contract as each other in ``tests/upstream_contract.py``.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, ParamSpec, TypeVar

from sora_gateway.clock import SystemClock
from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Listing, Look, LookKind
from sora_gateway.core.operation import Operation
from sora_gateway.core.outcome import CreateAnswer, RejectRules
from sora_gateway.upstream.adapter import CancelAnswer, Content, ContentTrouble, CreateOrder, Variant
from tests.canaries import MARK

P = ParamSpec("P")
T = TypeVar("T")


class ManualClock:
    """Time that stands still until a test moves it."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start
        self.leap = 0.0
        """Seconds by which the wall clock is wrong."""
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now + self.leap

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float, wake: asyncio.Event | None = None) -> bool:
        due = asyncio.Event()
        entry = (self._now + max(0.001, seconds), next(self._order), due)
        heapq.heappush(self._sleepers, entry)
        waits = [asyncio.ensure_future(due.wait())]
        if wake is not None:
            waits.append(asyncio.ensure_future(wake.wait()))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return not due.is_set()
        finally:
            for wait in waits:
                wait.cancel()
            if entry in self._sleepers:
                self._sleepers.remove(entry)
                heapq.heapify(self._sleepers)

    async def advance(self, seconds: float) -> None:
        """Moves time, waking every sleeper at its moment and letting it come to rest before going on."""
        end = self._now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            moment, _, due = heapq.heappop(self._sleepers)
            self._now = max(self._now, moment)
            due.set()
            await settle()
        self._now = end
        await settle()


class FastClock:
    """Time that runs *speed* times as fast: for what waits long beside real sockets, which do not hurry."""

    def __init__(self, speed: float, start: float = 1_800_000_000.0) -> None:
        self._speed = speed
        self._start = start
        self._began = time.monotonic()

    def now(self) -> float:
        return self._start + self.monotonic()

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self._speed

    async def sleep(self, seconds: float, wake: asyncio.Event | None = None) -> bool:
        return await SystemClock().sleep(seconds / self._speed, wake)


class RealWork:
    """Counts what is under way in real threads, so that a test can wait for it instead of guessing how long."""

    def __init__(self) -> None:
        self.under_way = 0

    def counted(self, call: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        async def run(*args: P.args, **kwargs: P.kwargs) -> T:
            self.under_way += 1
            try:
                return await call(*args, **kwargs)
            finally:
                self.under_way -= 1

        return run


REAL_WORK = RealWork()
QUIET_ROUNDS = 40
"""Turns of the loop without any real work, after which every task waits for time or for the test."""


async def settle() -> None:
    """Lets every task run until it waits for time, for the test or for nothing at all."""
    quiet = 0
    while quiet < QUIET_ROUNDS:
        if REAL_WORK.under_way:
            quiet = 0
            await asyncio.sleep(0.0005)
        else:
            quiet += 1
            await asyncio.sleep(0)


class CountingEntropy:
    """Ids that count, so that a failing test can be read; jitter that stands still."""

    def __init__(self, fraction: float = 0.5) -> None:
        self._count = itertools.count(1)
        self._fraction = fraction

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._count):032x}"

    def token(self) -> str:
        return f"{(n := next(self._count)):031d}{MARK}{n:06d}"

    def fraction(self) -> float:
        return self._fraction


@dataclass
class ScriptedUpstream:
    """An upstream that does what the test says: each script is used up from the front, its last entry stays."""

    name: str = "lab"
    rules: RejectRules = field(default_factory=RejectRules)
    min_poll_interval: float = 0.0
    operations: frozenset[Operation] = frozenset(Operation)
    characters: bool = True
    listing: Literal["none", "stale", "live"] = "none"
    looks_are_requests: bool = True
    idempotent: bool = False
    stops_jobs: bool = False
    listings: list[Listing | Look] = field(default_factory=lambda: [Listing((), more=False)])
    creates: list[CreateAnswer] = field(default_factory=list)
    """Empty: every create is accepted under a new id."""
    looks: list[Look] = field(default_factory=lambda: [Look(LookKind.ALIVE, "in_progress", 10.0)])
    cancels: list[CancelAnswer] = field(default_factory=lambda: [CancelAnswer.UNSUPPORTED])
    file: bytes = b""
    content_trouble: list[ContentTrouble] = field(default_factory=list)
    orders: list[CreateOrder] = field(default_factory=list)
    """Every create that arrived."""
    new_characters: list[CreateAnswer] = field(default_factory=list)
    """As *creates*, for characters."""
    named: list[str] = field(default_factory=list)
    """The name of every character that was asked for."""
    looked: int = 0
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared by a test that wants a create to hang."""

    def __post_init__(self) -> None:
        self.answering.set()

    async def create(self, order: CreateOrder, timeout: float) -> CreateAnswer:
        self.orders.append(order)
        await self.answering.wait()
        if not self.creates:
            return CreateAnswer(status=200, external_id=f"ext-{len(self.orders)}")
        return self.creates.pop(0) if len(self.creates) > 1 else self.creates[0]

    async def create_character(
        self, name: str, video: bytes, media_type: str, timeout: float, attempt_id: str
    ) -> CreateAnswer:
        self.named.append(name)
        await self.answering.wait()
        if not self.new_characters:
            return CreateAnswer(status=200, external_id=f"char-{len(self.named)}")
        return self.new_characters.pop(0) if len(self.new_characters) > 1 else self.new_characters[0]

    async def look(self, external_id: ExternalId) -> Look:
        self.looked += 1
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    async def list_jobs(self, after: ExternalId | None = None) -> Listing | Look:
        return self.listings.pop(0) if len(self.listings) > 1 else self.listings[0]

    async def cancel(self, external_id: ExternalId) -> CancelAnswer:
        return self.cancels.pop(0) if len(self.cancels) > 1 else self.cancels[0]

    @asynccontextmanager
    async def open_content(
        self,
        external_id: ExternalId,
        result_url: str | None,
        variant: Variant,
        offset: int = 0,
        etag: str | None = None,
    ) -> AsyncIterator[Content]:
        if variant is not Variant.VIDEO:
            raise ContentTrouble(ContentTrouble.Kind.UNSUPPORTED, "only the video")
        if self.content_trouble:
            raise self.content_trouble.pop(0)

        async def chunks() -> AsyncIterator[bytes]:
            yield self.file[offset:]

        yield Content(offset, len(self.file), "video/mp4", None, chunks())

    async def probe(self) -> str:
        return "ok: scripted"

    async def aclose(self) -> None:
        return None
