"""The requests that looking sends to one upstream: few at a time, and within its budget."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from sora_gateway.clock import Clock
from sora_gateway.core.budget import Budget
from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Listing, Look, LookKind
from sora_gateway.supervisor.search import turn
from sora_gateway.supervisor.subject import Subject
from sora_gateway.upstream.adapter import Adapter

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Single looks on the wire; the HTTP client gets slower with every one more."""
PATIENCE = 10.0
"""Seconds that a page may take: other looks wait for it."""


class Asking:
    """Belongs to one event loop. *heard* is called with each answer, or with the exception of an adapter's bug."""

    def __init__(
        self,
        adapter: Adapter,
        budget: Budget,
        clock: Clock,
        heard: Callable[[Subject, Look | Exception], None],
    ) -> None:
        self._adapter = adapter
        self._budget = budget
        self._clock = clock
        self._heard = heard
        self._waiting: deque[Subject] = deque()
        self._lanes: set[asyncio.Task[None]] = set()

    def put(self, subject: Subject, *, first: bool = False) -> None:
        """Asks for one job, before those that wait if it is to be *first*."""
        if first:
            self._waiting.appendleft(subject)
        else:
            self._waiting.append(subject)
        if len(self._lanes) < AT_ONCE:
            lane = asyncio.create_task(self._lane(), name=f"look at {self._adapter.name}")
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)

    async def look(self, external_id: ExternalId) -> Look:
        """Asks for any job, at once."""
        await turn(self._clock, self._budget)
        return await self._adapter.look(external_id)

    async def page(self, after: ExternalId | None) -> Listing | Look:
        """One page of the list. Never raises."""
        await turn(self._clock, self._budget)
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._adapter.list_jobs(after)
        except TimeoutError:
            return Look(LookKind.TROUBLE, message=f"no list within {PATIENCE:g} seconds")
        except Exception:
            # A bug in reading lists; single looks are read by other code.
            log.exception("the list of %s could not be read", self._adapter.name)
            return Look(LookKind.TROUBLE, message="it could not be read")

    async def aclose(self) -> None:
        lanes = list(self._lanes)
        for lane in lanes:
            lane.cancel("asking: closing")
        await asyncio.gather(*lanes, return_exceptions=True)

    async def _lane(self) -> None:
        while self._waiting:
            await self._ready()
            # Another lane may have been faster.
            subject = self._waiting.popleft() if self._waiting else None
            if subject is None or subject.gone:
                continue
            self._budget.take(self._clock.monotonic())
            answer: Look | Exception
            try:
                answer = await self._adapter.look(subject.external_id)
            except Exception as error:
                # A bug in reading this answer is for the job's watcher to break at, and for nobody else.
                answer = error
            if not subject.gone:
                self._heard(subject, answer)

    async def _ready(self) -> None:
        """Waits until the budget lets one more request leave."""
        while (ready := self._budget.ready_at(now := self._clock.monotonic())) > now:
            await self._clock.sleep(ready - now)
