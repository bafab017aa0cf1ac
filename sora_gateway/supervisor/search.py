"""Looking for lost creates in an upstream's list: one look serves everybody who has asked by then.

Several doubts are judged together, because a video that could be two jobs' is nobody's until that is settled. What
counts is read in this order: the list, then the creates without an id, then whose the listed ids are. An answer that
is stored meanwhile is then seen as one or the other, and its video never looks like nobody's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sora_gateway.clock import Clock
from sora_gateway.core import reconcile
from sora_gateway.core.budget import Budget
from sora_gateway.core.job import ExternalId, JobId
from sora_gateway.core.observation import Listed, Look
from sora_gateway.core.reconcile import Kind, Seen, Verdict
from sora_gateway.entropy import Entropy
from sora_gateway.store import Store
from sora_gateway.store.attempts import AttemptRecord

if TYPE_CHECKING:
    from sora_gateway.supervisor.watcher import Upstream

GATHERING = 1.0
"""Seconds, and up to as many more, for which a look waits for others who are about to ask."""
BETWEEN = 5.0
"""Seconds from one look at a list to the next."""
FULL_PAGE = 100
"""Rows that an adapter asks for."""
MAX_PAGES = 20
"""Pages that are read back at most; a create that lies deeper is for a person."""
SMOOTHING = 0.3
"""Weight of the newest measurement of an upstream's clock."""


_NOTHING = Verdict(Kind.NOT_SEEN)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look came to. *at* is when the list was asked for."""

    at: float
    verdict: Verdict = _NOTHING
    trouble: str = ""
    """Why the list could not be had; empty when it was."""
    seen: Seen | None = None


class Search:
    """Belongs to one upstream and one event loop. *timeout* is how long a create may take, in seconds."""

    def __init__(self, store: Store, clock: Clock, entropy: Entropy, timeout: float) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._timeout = timeout
        self._asking: dict[JobId, float] = {}
        self._next: asyncio.Task[dict[JobId, Finding]] | None = None
        self._under_way: set[asyncio.Task[dict[JobId, Finding]]] = set()
        self._one_at_a_time = asyncio.Lock()
        self._looked = float("-inf")
        self._skew: float | None = None
        self.findings: dict[JobId, Finding] = {}
        """What the latest look said of each job that is still in doubt."""
        self.resending = asyncio.Lock()
        """Held while a create is sent again: one at a time."""

    async def ask(self, upstream: Upstream, names: tuple[str, ...], job_id: JobId, sent_at: float) -> Finding:
        """What the list of *upstream* says of the create of *job_id*; *names* are those of the account's upstreams."""
        self._asking[job_id] = sent_at
        if self._next is None:
            task = asyncio.create_task(
                self._look(upstream, names), name=f"look for lost creates at {names[0]}"
            )
            self._next = task
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        # Whoever does not need it any more must not take it from the others.
        return (await asyncio.shield(self._next))[job_id]

    @property
    def restored_at(self) -> float:
        """When the database was restored from a backup, 0 if it never was."""
        return self._store.restored_at

    def forget(self, job_id: JobId) -> None:
        """The job is not in doubt any more."""
        self.findings.pop(job_id, None)

    async def attempts(self, job_id: JobId) -> list[AttemptRecord]:
        """Every create of the job, the doubtful one last."""
        return await self._store.attempts(job_id)

    async def aclose(self) -> None:
        for task in self._under_way:
            task.cancel("search: closing")
        await asyncio.gather(*self._under_way, return_exceptions=True)

    # --- one look ----------------------------------------------------------------------------------

    async def _look(self, upstream: Upstream, names: tuple[str, ...]) -> dict[JobId, Finding]:
        now = self._clock.monotonic()
        gathering = GATHERING * (1 + self._entropy.fraction())
        await self._clock.sleep(max(gathering, self._looked + BETWEEN - now))
        async with self._one_at_a_time:
            # From here on a newcomer needs the next look: this list may have been made before its create.
            asking, self._asking, self._next = self._asking, {}, None
            found = await self._judged(upstream, names, asking)
            self._looked = self._clock.monotonic()
        self.findings |= found
        return found

    async def _judged(
        self, upstream: Upstream, names: tuple[str, ...], asking: dict[JobId, float]
    ) -> dict[JobId, Finding]:
        at, first = self._clock.now(), min(asking.values())
        seen = await self._listed(upstream, first)
        if isinstance(seen, Look):
            return {job_id: Finding(at, trouble=seen.message or "no usable answer") for job_id in asking}
        # Whoever may have a claim on the same videos, or on those of one who may.
        span = made_within(upstream, self._timeout)
        reach = 2 * (span + reconcile.LATE + reconcile.EARLY) + abs(seen.skew or 0.0)
        creates = await self._store.unanswered(names, first - reach)
        linked = await self._store.linked(names, [row.external_id for row in seen.rows])
        seen = Seen(seen.rows, linked, seen.since, seen.skew)
        verdicts = reconcile.judge(creates, seen, span)
        return {job_id: Finding(at, verdicts.get(job_id, _NOTHING), seen=seen) for job_id in asking}

    async def _listed(self, upstream: Upstream, sent_at: float) -> Seen | Look:
        """The pages back to the time of *sent_at*; trouble with the first one is told as a Look is."""
        pages: list[tuple[Listed, ...]] = []
        known: set[ExternalId] = set()
        since, after = reconcile.NEVER, None
        for _ in range(MAX_PAGES):
            await turn(self._clock, upstream.gate.budget)
            page = await upstream.adapter.list_jobs(after)
            if isinstance(page, Look):
                if not pages:
                    return page
                break
            if page.date is not None:
                self._learn(page.date - self._clock.now())
            pages.append(page.rows)
            # Not every server says that there is more; a page that is full is not believed to be the last.
            if not page.more and len(page.rows) < FULL_PAGE:
                since = -reconcile.NEVER
                break
            since = reconcile.covered_since(pages)
            news = {row.external_id for row in page.rows} - known
            if since <= reconcile.begin(sent_at, self._skew) or not news:
                break
            known |= news
            after = page.rows[-1].external_id
        return Seen(tuple(row for page in pages for row in page), since=since, skew=self._skew)

    def _learn(self, ahead: float) -> None:
        """*ahead* is by how many seconds the upstream's clock was ahead of ours."""
        self._skew = ahead if self._skew is None else self._skew + SMOOTHING * (ahead - self._skew)


class Searches:
    """One search per upstream, made when it is first needed."""

    def __init__(self, store: Store, clock: Clock, entropy: Entropy, timeout: float) -> None:
        self._shared = (store, clock, entropy, timeout)
        self._by_name: dict[str, Search] = {}

    def of(self, name: str) -> Search:
        if name not in self._by_name:
            self._by_name[name] = Search(*self._shared)
        return self._by_name[name]

    async def aclose(self) -> None:
        for search in self._by_name.values():
            await search.aclose()


def made_within(upstream: Upstream, timeout: float) -> float:
    """Seconds after its sending within which a create may have been taken, if one may take *timeout*."""
    return timeout + (reconcile.KEY_LIFETIME if upstream.adapter.idempotent else 0.0)


async def turn(clock: Clock, budget: Budget) -> None:
    """Waits until the upstream may get another request, and counts it."""
    while (ready := budget.ready_at(now := clock.monotonic())) > now:
        await clock.sleep(ready - now)
    budget.take(now)
