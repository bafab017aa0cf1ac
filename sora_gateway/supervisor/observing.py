"""Looking at many jobs with few requests: one observer per upstream, on whose schedule every accepted job is.

Watchers do not ask the upstream themselves. They put their job on the schedule and sleep until there is something
new for them, so a job that is as it was a moment ago costs a comparison and a new place in the schedule. What is due
together is looked up in the upstream's list where it has a live one, and asked for one by one otherwise:

- a list is believed while a job runs; that one has ended counts when a look at the job itself says so, until the
  list has been found true once, and always for failures;
- a job that no page has is asked for by itself: it is not lost because a list ends before it;
- now and then a job that the list has as running is looked at all the same, so a list that does not move is noticed;
- a list that fails or was not true is left alone for a while, and its jobs are asked for one by one.

Only a job's own watcher writes it: the observer hands over what it saw and goes on once that is stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sora_gateway.clock import Clock
from sora_gateway.core.budget import Budget
from sora_gateway.core.durations import Durations
from sora_gateway.core.job import ExternalId, Job
from sora_gateway.core.observation import Listed, Listing, Look, LookKind
from sora_gateway.core.sweep import NOT_LISTED, Sweep
from sora_gateway.entropy import Entropy
from sora_gateway.store.jobs import Change
from sora_gateway.supervisor.asking import AT_ONCE, Asking
from sora_gateway.supervisor.lists import UpstreamList
from sora_gateway.supervisor.planning import Planner
from sora_gateway.supervisor.subject import Subject
from sora_gateway.supervisor.telling import Teller
from sora_gateway.supervisor.wheel import TICK

if TYPE_CHECKING:
    from sora_gateway.supervisor.watcher import Upstream

log = logging.getLogger(__name__)

WINDOW = 0.25
"""Share of the shortest interval by which a job is looked at early to go along with others."""
KEPT = 0.05
"""Seconds for which progress is kept back to be stored together with that on the next page."""
UNLISTED = 60.0
"""Seconds for which a job is not looked for in a list that did not have it, or did not say how it is."""
JUST_ACCEPTED = 10.0
"""Seconds since the receipt for which nothing can have been missed."""
LATE_RECEIPT = 30.0
"""Seconds from a create to its receipt after which the job may have been found in a list, long at work."""


@dataclass(frozen=True, slots=True)
class Means:
    """What every observer works with."""

    clock: Clock
    entropy: Entropy
    durations: Callable[[Job], Durations]
    """How long jobs like one take."""
    watched: Callable[[Job], bool]
    """Whether somebody follows a job at this moment."""
    together: Callable[[Sequence[Change]], Awaitable[None]]
    """Stores changes of many jobs, or none of them."""


class Observer:
    """Belongs to one event loop; its tasks run from the first job on until :meth:`aclose`."""

    def __init__(self, upstream: Upstream, means: Means) -> None:
        self.upstream = upstream
        self._adapter = upstream.adapter
        self._budget = upstream.gate.budget if upstream.adapter.looks_are_requests else Budget()
        self._policy = upstream.polling
        self._means = means
        self._clock = clock = means.clock
        self._subjects: dict[ExternalId, Subject] = {}
        self._planner = Planner(self._policy, clock, means.entropy, means.durations, means.watched)
        self._wheel = self._planner.wheel
        self._next_round = 0.0
        self._next_sweep = 0.0
        self._asking = Asking(self._adapter, self._budget, clock, self._heard)
        self._list = UpstreamList(self._adapter, self._asking, self._budget, clock)
        self._teller = Teller(means.together)
        self._rounds: asyncio.Task[None] | None = None

    # --- for watchers ----------------------------------------------------------------------------

    def follow(self, subject: Subject) -> None:
        """Looks at the job from now on, until :meth:`leave`.

        Its follower is told what was not so at the last look, and from ``wake_at`` on of any look. The job is left
        alone then until :meth:`resume`.
        """
        job = subject.job
        if not job.note:
            # A look that says what is stored already is no news.
            progress = None if job.progress_estimated else int(job.progress)
            subject.said = (job.upstream_status, progress)
        self._subjects[subject.external_id] = subject
        if _age(job, self._clock.now()) <= JUST_ACCEPTED and not late_receipt(job):
            subject.not_yet = job.accepted_at
            self._planner.plan(subject)
        elif self._list.usable:
            # It may have ended long ago. After a restart there are many: together on a list.
            self._planner.at_once(subject)
        else:
            self._planner.one_by_one([subject])
        if self._rounds is None:
            self._rounds = asyncio.create_task(self._observe(), name=f"observe {self._adapter.name}")

    def resume(self, subject: Subject, job: Job, wake_at: float) -> None:
        """The news is stored and *job* is what came of it: looks again when that makes sense."""
        subject.job, subject.wake_at = job, wake_at
        subject.seen.progress, subject.seen.overdue = job.progress, job.overdue
        subject.busy = False
        self._planner.plan(subject)

    def leave(self, subject: Subject) -> None:
        """The job is not looked at any more."""
        subject.gone = True
        if self._subjects.get(subject.external_id) is subject:
            del self._subjects[subject.external_id]

    def next_look(self, subject: Subject) -> float:
        """The moment (wall time) of the next look; passed while it is being asked for."""
        self._planner.settle(subject)
        return self._clock.now() + subject.due - self._clock.monotonic()

    def sooner(self, subject: Subject) -> None:
        """Somebody has begun to watch the job: it may be worth another look before long."""
        if not subject.busy:
            self._planner.sooner(subject)

    async def look(self, external_id: ExternalId) -> Look:
        """One look out of turn, at a job that need not be on the schedule."""
        return await self._asking.look(external_id)

    def look_now(self, external_id: ExternalId) -> bool:
        """Looks at a job at once, alone; False when no such job is on the schedule."""
        subject = self._subjects.get(external_id)
        if subject is None:
            return False
        if subject.busy:
            # What is being answered may be from before.
            subject.again = True
        else:
            self._ask(subject, first=True)
        return True

    async def aclose(self) -> None:
        if self._rounds is not None:
            self._rounds.cancel("observer: closing")
            await asyncio.gather(self._rounds, return_exceptions=True)
        await self._asking.aclose()
        await self._teller.aclose()

    # --- rounds ----------------------------------------------------------------------------------

    async def _observe(self) -> None:
        while True:
            try:
                await self._until_due()
                await self._round()
            except Exception:
                # A bug in one round must not leave every job of this upstream unobserved.
                log.exception("observing %s broke; going on", self._adapter.name)
                self._next_round = self._clock.monotonic() + 1.0

    async def _until_due(self) -> None:
        """Waits for the first that is due, and for the budget: what it delays goes together."""
        while True:
            self._wheel.earlier.clear()
            due = self._wheel.next()
            if due is None:
                await self._wheel.earlier.wait()
                continue
            now = self._clock.monotonic()
            at = max(due, self._next_round, self._budget.ready_at(now))
            if at <= now:
                return
            await self._clock.sleep(at - now, self._wheel.earlier)

    async def _round(self) -> None:
        """Looks at everything that is due."""
        now = self._clock.monotonic()
        self._next_round = now + TICK
        early = WINDOW * self._policy.min_interval if self._list.usable else 0.0
        due = self._planner.due(now + early)
        try:
            rest = await self._swept(due) if self._list.usable else due
            for subject in rest:
                if subject.due <= now and not subject.busy and not subject.gone:
                    self._ask(subject)
        finally:
            self._wheel.put_back(due, self._next_round)

    # --- lists -----------------------------------------------------------------------------------

    async def _swept(self, due: list[Subject]) -> list[Subject]:
        """Looks for *due* in the list if that saves requests, and at whoever else is on its pages.

        Returns those that are still to be asked for.
        """
        now = self._clock.monotonic()
        pages = [NOT_LISTED if now < each.unlisted_until else each.page for each in due]
        sweep = Sweep(pages)
        if not sweep.worth_going_on():
            return due
        if now < self._next_sweep:
            # It would look at everybody again before the shortest interval has passed.
            self._wheel.put_back(due, self._next_sweep)
            return []
        self._next_sweep = now + self._policy.min_interval
        for subject, page in zip(due, pages, strict=True):
            subject.wanted = page
        try:
            whole = await self._read(sweep)
            rest = [subject for subject in due if subject.wanted is not None]
            for subject in rest:
                if whole or (sweep.in_vain and subject.page <= sweep.read):
                    subject.unlisted_until = now + UNLISTED
                else:
                    subject.page = max(subject.page, sweep.read + 1)
        finally:
            for subject in due:
                subject.wanted = None
        if not self._list.usable:
            self._planner.one_by_one(rest[AT_ONCE:])
            return rest[:AT_ONCE]
        doubtful = self._list.doubtful(due)
        if doubtful is not None:
            doubtful.listed, doubtful.listed_at = "running", self._clock.monotonic()
            self._ask(doubtful, first=True)
        return rest

    async def _read(self, sweep: Sweep) -> bool:
        """Reads pages as long as it is worth it; says whether that was all of the list."""
        after: ExternalId | None = None
        news: list[Subject] = []
        kept_since = self._clock.monotonic()
        try:
            while sweep.worth_going_on():
                listing = await self._list.page(after)
                if listing is None:
                    return False
                sweep.read += 1
                self._take_in(listing, sweep, news)
                if (now := self._clock.monotonic()) >= kept_since + KEPT:
                    kept_since = now
                    self._teller.tell(news)
                last = listing.rows[-1].external_id if listing.rows else after
                if not listing.more or last == after:
                    # The second: a server that does not turn pages, and sends the same one again.
                    return True
                after = last
            return False
        finally:
            self._teller.tell(news)

    def _take_in(self, listing: Listing, sweep: Sweep, news: list[Subject]) -> None:
        """Takes every job that is on the page as looked at; *news* gets those of which it says something new."""
        now, moment = self._clock.now(), self._clock.monotonic()
        subjects, page, found = self._subjects, sweep.read, []
        for row in listing.rows:
            subject = subjects.get(row.external_id)
            if subject is None:
                continue
            wanted = subject.wanted
            if wanted is not None:
                found.append(wanted)
                subject.wanted = None
            subject.page = page
            subject.unlisted_until = 0.0
            if subject.busy:
                continue
            if row is not subject.row or now >= subject.wake_at:
                self._take_row(subject, row, news, due=wanted is not None)
                continue
            # As it was, to the letter.
            subject.not_yet = now
            subject.seen.polls += 1
            if wanted is not None:
                self._wheel.put(subject, moment + self._planner.delay(subject, now))
            else:
                subject.looked = moment
        sweep.found(found)

    def _take_row(self, subject: Subject, row: Listed, news: list[Subject], *, due: bool) -> None:
        look = row.look
        if look.kind is LookKind.ALIVE:
            subject.row = row
            if self._alive(subject, look, due=due or self._means.watched(subject.job)):
                news.append(subject)
        elif look.kind is LookKind.COMPLETED and self._list.proven:
            self._hand_over(subject, look)
        elif look.kind is LookKind.TROUBLE:
            # The row does not say how the job is: only a look at it does.
            subject.unlisted_until = self._clock.monotonic() + UNLISTED
            self._ask(subject)
        else:
            subject.listed = "ended"
            self._ask(subject)

    # --- single looks ----------------------------------------------------------------------------

    def _ask(self, subject: Subject, *, first: bool = False) -> None:
        subject.busy = True
        self._asking.put(subject, first=first)

    def _heard(self, subject: Subject, look: Look | Exception) -> None:
        """What a look at the job itself said."""
        if isinstance(look, Exception):
            self._hand_over(subject, look)
            return
        subject.busy = False
        subject.row = None
        subject.seen.retry_after = look.retry_after
        self._list.compare(subject, look)
        if look.kind is LookKind.ALIVE:
            if self._alive(subject, look):
                subject.follower.wake()
        elif look.kind in (LookKind.TROUBLE, LookKind.OUT_OF_ORDER):
            self._trouble(subject, look)
        else:
            subject.seen.errors = 0
            subject.seen.polls += 1
            self._hand_over(subject, look)

    # --- what was seen ---------------------------------------------------------------------------

    def _alive(self, subject: Subject, look: Look, *, due: bool = True) -> bool:
        """Takes in that the job is at work; says whether that is news, which is still to be told.

        Of a job that is not *due*, and that nobody watches, another percentage is none: it would be stored ten
        times as often as it is asked for.
        """
        now, seen = self._clock.now(), subject.seen
        seen.polls += 1
        seen.errors = subject.missing = 0
        seen.trend = seen.trend.after(_age(subject.job, now), look.progress)
        subject.not_yet = now
        said = (look.status, None if look.progress is None else int(look.progress))
        if now < subject.wake_at and subject.said is not None:
            if said == subject.said:
                self._planner.plan(subject)
                return False
            if not due and said[0] == subject.said[0]:
                subject.row, subject.looked = None, self._clock.monotonic()
                return False
        subject.said = said
        subject.busy, subject.news = True, look
        return True

    def _trouble(self, subject: Subject, look: Look) -> None:
        """No usable answer: the job is as it was, but time passes."""
        subject.seen.errors += 1
        job_id = subject.job.id
        log.info(
            "%s: no usable answer from %s: %s",
            job_id,
            self._adapter.name,
            look.message,
            extra={"job": job_id},
        )
        if look.kind is LookKind.OUT_OF_ORDER:
            self.upstream.gate.pause(look.message)
        elif look.retry_after is not None:
            self._budget.hold_back(self._clock.monotonic(), look.retry_after)
        if self._clock.now() >= subject.wake_at:
            self._hand_over(subject, look)
        else:
            self._planner.plan(subject)

    def _hand_over(self, subject: Subject, news: Look | Exception) -> None:
        subject.busy, subject.news = True, news
        subject.follower.wake()


def late_receipt(job: Job) -> bool:
    """Whether the receipt says little about when the upstream began."""
    return job.accepted_at is not None and job.accepted_at - (job.submitted_at or 0.0) > LATE_RECEIPT


def _age(job: Job, now: float) -> float:
    return now - (job.accepted_at or now)
