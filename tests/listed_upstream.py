"""An upstream that lists its jobs, newest first, and whose every job is as the test has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sora_gateway.core.budget import Budget
from sora_gateway.core.job import ExternalId, Job, State
from sora_gateway.core.observation import Listed, Listing, Look, LookKind
from sora_gateway.core.polling import PolicyName, PollPolicy
from sora_gateway.supervisor.gate import Gate
from sora_gateway.supervisor.watcher import Upstream
from tests.fakes import CountingEntropy, ManualClock, ScriptedUpstream, settle
from tests.gateways import Workshop, workshop

PAGE = 100
EVERY = 10.0
"""Seconds between two looks at a job."""
MISSING = Look(LookKind.MISSING, message="no such video")


def running(progress: float | None = 10.0) -> Look:
    return Look(LookKind.ALIVE, "in_progress", progress)


@dataclass
class ListedUpstream(ScriptedUpstream):
    jobs: dict[ExternalId, Look] = field(default_factory=dict)
    """In the order of their making; one that a test takes out is not known any more."""
    hidden: set[ExternalId] = field(default_factory=set)
    """Known, and on no page."""
    says: dict[ExternalId, Look] = field(default_factory=dict)
    """What the list says instead of the truth."""
    instead: Listing | Look | None = None
    """What the list is answered with, whatever there is."""
    turns_pages: bool = True
    asked: Counter[str] = field(default_factory=Counter)
    """Requests: ``pages``, and ``looks``."""
    looked_at: list[ExternalId] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def look(self, external_id: ExternalId) -> Look:
        self.asked["looks"] += 1
        self.looked_at.append(external_id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await settle_a_little()
        self.at_once -= 1
        return self.jobs.get(external_id, MISSING)

    async def list_jobs(self, after: ExternalId | None = None) -> Listing | Look:
        self.asked["pages"] += 1
        if self.instead is not None:
            return self.instead
        newest_first = [each for each in reversed(self.jobs) if each not in self.hidden]
        start = newest_first.index(after) + 1 if after is not None and self.turns_pages else 0
        page = newest_first[start : start + PAGE]
        rows = tuple(Listed(each, self.says.get(each, self.jobs[each])) for each in page)
        return Listing(rows, start + PAGE < len(newest_first))


async def settle_a_little() -> None:
    """As long as an answer takes, in which others can be asked for."""
    import asyncio

    for _ in range(3):
        await asyncio.sleep(0)


@dataclass
class Lab:
    shop: Workshop
    upstream: ListedUpstream
    clock: ManualClock

    async def accept(self, count: int = 1, look: Look | None = None) -> list[Job]:
        """So many jobs, accepted by the upstream one after the other; at this moment, unless a budget delays them."""
        jobs = []
        for _ in range(count):
            made = len(self.upstream.orders)
            job = await self.shop.accept(credits=0)
            await settle()
            while len(self.upstream.orders) == made:
                await self.clock.advance(1)
            self.upstream.jobs[ExternalId(f"ext-{made + 1}")] = look or running()
            jobs.append(job)
        await settle()
        return [await self.shop.job(job.id) for job in jobs]

    def all_say(self, look: Look) -> None:
        for external_id in self.upstream.jobs:
            self.upstream.jobs[external_id] = look

    async def round(self, rounds: int = 1) -> Counter[str]:
        """What was asked for in so many intervals, in each of which every job is due once."""
        before = self.upstream.asked.copy()
        await self.clock.advance(rounds * EVERY)
        return self.upstream.asked - before

    async def states(self, jobs: list[Job]) -> list[State]:
        return [(await self.shop.job(job.id)).state for job in jobs]


@asynccontextmanager
async def lab(
    directory: Path,
    upstream: ListedUpstream | None = None,
    *,
    clock: ManualClock | None = None,
    policy: Mapping[str, Any] | None = None,
    requests_per_minute: int = 0,
    entropy: CountingEntropy | None = None,
    **options: Any,
) -> AsyncIterator[Lab]:
    """A supervisor before *upstream*, whose list is live; without jitter each job is due every :data:`EVERY` seconds."""
    clock = clock or ManualClock()
    upstream = upstream or ListedUpstream(listing="live")
    gate = Gate(clock, 0, 2, Budget(requests_per_minute))
    wired = {
        upstream.name: Upstream(
            upstream, gate, replace(PollPolicy(PolicyName.FIXED, EVERY), **dict(policy or {}))
        )
    }
    async with workshop(
        directory, upstream, clock=clock, upstreams=wired, entropy=entropy or CountingEntropy(0.0), **options
    ) as shop:
        yield Lab(shop, upstream, clock)
