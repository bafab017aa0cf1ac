"""Keeps a watcher on every unfinished job, from its acceptance to its end, over any number of restarts.

Watchers are named tasks held here, not in a ``TaskGroup``: one that breaks must not take the others along.
There is one place where any exception is caught, and the job is then taken up again from what is stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType

from sora_gateway.clock import Clock
from sora_gateway.core import job as j
from sora_gateway.core.actor import COMMAND_LINE, Actor
from sora_gateway.core.asset import InputFile
from sora_gateway.core.catalogue import Route
from sora_gateway.core.claim import Claim
from sora_gateway.core.durations import Percentiles
from sora_gateway.core.fair_queue import Turn
from sora_gateway.core.job import ExternalId, Job, JobId, State
from sora_gateway.core.money import OnCancel
from sora_gateway.core.plans import Allowance
from sora_gateway.core.polling import backoff
from sora_gateway.core.trend import NO_TREND
from sora_gateway.core.visibility import Visibility
from sora_gateway.entropy import Entropy
from sora_gateway.errors import AlreadyEnded, GatewayError, NotFinished, NotFound, StorageFull, Unavailable
from sora_gateway.logs.context import of_job
from sora_gateway.media.download import Downloader
from sora_gateway.media.files import MediaFiles
from sora_gateway.store import Store
from sora_gateway.supervisor.accepting import accept, numbered
from sora_gateway.supervisor.cancelling import cancelling
from sora_gateway.supervisor.caps import DailyCaps
from sora_gateway.supervisor.course import Statistics
from sora_gateway.supervisor.creating import queued
from sora_gateway.supervisor.decisions import Decision, LookAgain, answer_dropped, audited
from sora_gateway.supervisor.durations import Kind, LearnedDurations
from sora_gateway.supervisor.ended import record_ended
from sora_gateway.supervisor.inputs import stored_inputs
from sora_gateway.supervisor.observers import Observers
from sora_gateway.supervisor.observing import Means
from sora_gateway.supervisor.order import Order
from sora_gateway.supervisor.polling import processing, remaining
from sora_gateway.supervisor.reconciling import unknown
from sora_gateway.supervisor.recorder import Recorder
from sora_gateway.supervisor.search import Finding, Searches
from sora_gateway.supervisor.storing import storing
from sora_gateway.supervisor.watcher import (
    Cancel,
    Limits,
    Show,
    Surroundings,
    Upstream,
    Watcher,
    check_doubtful,
    decide,
    shown,
)

log = logging.getLogger(__name__)

CREATES_MAY_FINISH = 20.0
"""Seconds that shutdown waits for answers that have been paid for."""


async def submitting(watcher: Watcher) -> None:
    """A create that this process did not send, or whose answer it dropped: nobody knows."""
    await watcher.insist(*answer_dropped(watcher.now()))


_STEPS: Mapping[State, Callable[[Watcher], Awaitable[None]]] = {
    State.QUEUED: queued,
    State.SUBMITTING: submitting,
    State.PROCESSING: processing,
    State.STORING: storing,
    State.UNKNOWN: unknown,
    State.CANCELLING: cancelling,
}
_ACCEPTED = frozenset({State.PROCESSING, State.STORING, State.CANCELLING})


class Supervisor:
    """``async with Supervisor(...)``: entering takes up every unfinished job, leaving ends every watcher.

    Without being entered it can still :meth:`decide`, for the command line while no server runs.
    """

    def __init__(
        self,
        store: Store,
        upstreams: Mapping[str, Upstream],
        files: MediaFiles,
        downloader: Downloader,
        clock: Clock,
        entropy: Entropy,
        limits: Limits,
        *,
        on_cancel: OnCancel = OnCancel.SETTLE,
        routes: Callable[[Job], Sequence[Route]] = lambda _: (),
        watched: Callable[[Job], bool] = lambda _: False,
    ) -> None:
        """*routes*: where a job could be made. *watched*: whether somebody follows it at this moment."""
        self._store = store
        self._upstreams = upstreams
        self._files = files
        self._clock = clock
        self._entropy = entropy
        self._limits = limits
        self._stopping = asyncio.Event()
        self.caps = DailyCaps(clock)
        self._recorder = Recorder(store, clock, on_cancel)
        durations = LearnedDurations(store.durations)
        self._observers = Observers(
            upstreams, Means(clock, entropy, durations.of, watched, self._recorder.together)
        )
        self._around = Surroundings(
            self._recorder, clock, entropy, downloader, limits, files.free_bytes, self.inputs, upstreams, routes,
            Searches(store, clock, entropy, limits.create_timeout), self._observers, durations, self._stopping,
        )  # fmt: skip
        self._watchers: dict[JobId, Watcher] = {}
        self._tasks: dict[JobId, asyncio.Task[None]] = {}

    # --- lifecycle -------------------------------------------------------------------------------

    async def __aenter__(self) -> Supervisor:
        for job in await self._store.unfinished():
            upstream = self._upstreams.get(job.upstream)
            if upstream is not None and job.state in _ACCEPTED:
                upstream.gate.occupy(job.id, job.owner)
            self._watch(job)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def begin_stopping(self) -> None:
        """Takes no new job and sends no new create from here on."""
        self._stopping.set()

    async def stop(self, grace: float = CREATES_MAY_FINISH) -> None:
        """Ends every watcher; those that have paid get *grace* seconds to hear the answer and store it."""
        self.begin_stopping()
        paying = [self._tasks[job_id] for job_id, watcher in self._watchers.items() if watcher.paying]
        for job_id, task in list(self._tasks.items()):
            if not self._watchers[job_id].paying:
                task.cancel("supervisor: shutting down")
        if paying:
            await asyncio.wait(paying, timeout=grace)
        rest = list(self._tasks.values())
        for task in rest:
            task.cancel("supervisor: shutting down")
        await asyncio.gather(*rest, return_exceptions=True)
        await self._around.searches.aclose()
        await self._observers.aclose()
        for upstream in self._upstreams.values():
            await upstream.gate.aclose()

    # --- what people ask for -----------------------------------------------------------------------

    async def accept(
        self, order: Order, claim: Claim | None = None, allowance: Allowance | None = None
    ) -> Job:
        """A new job, durable when this returns; or the job that an earlier sending of the same request made.

        Raises what :meth:`accept_together` does.
        """
        return (await self.accept_together([order], claim, allowance, batch=False))[0]

    async def accept_together(
        self, orders: Sequence[Order], claim: Claim | None, allowance: Allowance | None, *, batch: bool
    ) -> list[Job]:
        """New jobs of one person, all of *orders* or none, a *batch* or not. Raises Unavailable while the gateway is
        stopping, and what :func:`~sora_gateway.supervisor.accepting.accept` does.
        """
        if self._stopping.is_set():
            raise Unavailable("The gateway is restarting; try again in a moment.", retry_after=10)
        if self._files.free_bytes() < self._limits.min_free_disk:
            raise StorageFull("The gateway's disk is nearly full; free some space and try again.")
        new = numbered(orders, self._clock, self._entropy, batch=batch)
        accepting = accept(self._store, self._files, new, claim, allowance, self._begin, self.caps)
        # A caller that goes away must not leave a stored job without a watcher.
        return await asyncio.shield(asyncio.ensure_future(accepting))

    async def inputs(self, job: Job) -> tuple[InputFile, ...]:
        """What *job* is made from, as it goes, or went, upstream.

        Raises:
            FileNotFoundError: a file of it is not here any more.
        """
        return await stored_inputs(self._store, self._files, job.id)

    async def cancel(self, job: Job) -> Job:
        """Asks for *job* to be stopped; returns it once the wish is stored.

        Raises:
            AlreadyEnded: there is nothing to stop.
            Unavailable: the gateway is stopping.
        """
        watcher = self._watchers.get(job.id)
        if watcher is None:
            raise _nobody_watches(await self._stored(job.id))
        return await watcher.request(Cancel())

    async def decide(self, job_id: JobId, decision: Decision, by: Actor = COMMAND_LINE) -> Job:
        """Carries out what the person *by* has decided on a job whose outcome is unknown.

        To look again takes as long as the upstream does; what comes back is the job after that.

        Raises:
            NotFound: there is no such job.
            Conflict: it is not in doubt, the adopted id is taken, or there is nothing to look at.
            InvalidRequest: what is to be adopted cannot be an id.
            Unavailable: nobody is there to look.
        """
        watcher = self._watchers.get(job_id)
        if watcher is None:
            return await decide(self._recorder, await self._stored(job_id), decision, self._clock.now(), by)
        if isinstance(decision, LookAgain):
            check_doubtful(watcher.job)
            await self._store.audit(audited(decision, job_id, by, self._clock.now()))
        return await watcher.request(decision, by)

    def finding(self, job: Job) -> Finding | None:
        """What the latest look for a doubtful job came to; None before the first one of this process."""
        return self._around.searches.of(job.upstream).findings.get(job.id)

    async def delete(self, job: Job) -> None:
        """Removes an ended job's files; its row stays for the books.

        Raises:
            NotFinished: it has not ended.
            NotFound: somebody else has just deleted it.
        """
        if not job.ended:
            raise NotFinished("The video is not finished; cancel it first.")
        await self._left(job.id)
        await record_ended(self._store, self._recorder, job.id, j.Deleted(self._clock.now()))
        # After the commit: a crash in between leaves files without a row, which the sweep at start-up removes.
        await self._files.delete(job.id)

    async def show(self, job_id: JobId, visibility: Visibility, by: Actor) -> Job:
        """Decides, on behalf of *by*, who may see a job; returns it once that is stored and told.

        Raises:
            NotFound: it is not there, or was deleted.
            Unavailable: the gateway is stopping.
        """
        watcher = self._watchers.get(job_id)
        if watcher is not None:
            try:
                return await watcher.request(Show(visibility), by)
            except AlreadyEnded:
                await self._left(job_id)
        event, decided = shown(visibility, job_id, by, self._clock.now())
        return await record_ended(self._store, self._recorder, job_id, event, decided)

    async def _left(self, job_id: JobId) -> None:
        """Waits for the watcher of a job that has been told that it ended, and is about to leave."""
        if job_id in self._tasks:
            await asyncio.wait({self._tasks[job_id]})

    def next_look(self, job_id: JobId) -> float | None:
        """The moment at which a job's upstream is asked about it next; None when none is planned."""
        watcher = self._watchers.get(job_id)
        if watcher is None:
            return None
        return watcher.observed.next_look() if watcher.observed is not None else watcher.next_look

    def watching(self, job_id: str | None, owner: str) -> None:
        """Somebody begins to watch a job, or everything of *owner*'s: what is due much later may be due now."""
        if job_id is not None:
            watchers = [self._watchers[JobId(job_id)]] if job_id in self._watchers else []
        else:
            watchers = [each for each in self._watchers.values() if each.job.owner == owner]
        for watcher in watchers:
            if watcher.observed is not None:
                watcher.observed.sooner()

    def expected(self, job: Job) -> float | None:
        """Seconds from the receipt to the end that are expected of a running *job*, None of any other."""
        watcher = self._watchers.get(job.id)
        if job.state is not State.PROCESSING or job.accepted_at is None or watcher is None:
            return None
        return max(0.0, self._clock.now() - job.accepted_at) + remaining(watcher)

    def turn(self, job: Job) -> Turn | None:
        """Where a queued *job* stands at its upstream; None when it does not wait for a place there.

        Whoever has a place keeps it for as long as a video takes, so with k places one is free every k-th part of
        that, the first of them half of it from now.
        """
        upstream = self._upstreams.get(job.upstream)
        position = upstream.gate.position(job.id) if upstream is not None else None
        if upstream is None or position is None:
            return None
        gate = upstream.gate
        if gate.paused:
            return Turn(position, None)
        typical = self._around.durations.of(job).remaining(0.0, NO_TREND)
        wait = typical * ((position - 1) / gate.max_concurrent + 0.5) if gate.max_concurrent else 0.0
        return Turn(position, self._clock.now() + wait)

    async def percentiles(self, upstream: str) -> Mapping[Kind, Percentiles]:
        """How long videos take at *upstream*, by kind."""
        await self._around.durations.load(upstream)
        return self._around.durations.percentiles(upstream)

    def look_now(self, upstream: str, external_id: ExternalId) -> bool:
        """Has a processing job looked at without delay; False when *upstream* has none by that id."""
        return self._observers.look_now(upstream, external_id)

    def rewired(self, name: str) -> None:
        """An upstream of that name was put into use, changed or taken away: whoever waits for it looks again."""
        upstream = self._upstreams.get(name)
        for watcher in self._watchers.values():
            if upstream is not None and watcher.job.upstream == name and watcher.job.state in _ACCEPTED:
                upstream.gate.occupy(watcher.job.id, watcher.job.owner)
            if watcher.job.upstream == name or watcher.job.state is State.QUEUED:
                watcher.nudge()

    def statistics(self) -> Statistics:
        watched = Counter((watcher.job.upstream, watcher.job.state) for watcher in self._watchers.values())
        overdue = sum(watcher.job.overdue for watcher in self._watchers.values())
        return Statistics(watched, overdue, self._recorder.course)

    # --- watchers ----------------------------------------------------------------------------------

    async def _stored(self, job_id: JobId) -> Job:
        job = await self._store.get(job_id)
        if job is None:
            raise NotFound("There is no video by that id.")
        return job

    def _begin(self, job: Job) -> None:
        self._recorder.course.came_to(job)
        self._watch(job)

    def _watch(self, job: Job) -> None:
        watcher = Watcher(job, self._around)
        task = asyncio.create_task(self._follow(watcher), name=f"watch {job.id}", context=of_job(job.id))
        self._watchers[job.id] = watcher
        self._tasks[job.id] = task
        # Here and not in the task: one that is cancelled before it began has no "finally".
        task.add_done_callback(lambda _: self._forget(watcher))

    async def _follow(self, watcher: Watcher) -> None:
        """Runs *watcher* to the job's end, and again from what is stored if it breaks."""
        broken, stale = 0, False
        while not watcher.job.ended and not self._stopping.is_set():
            try:
                if stale:
                    watcher.job, stale = await self._stored(watcher.job.id), False
                else:
                    await self._step(watcher)
            except Exception:
                # The one place: whatever is wrong with this job must not end the others, and what it
                # had not stored it learns again.
                broken, stale = broken + 1, True
                log.exception("the watcher of %s broke; taking the job up again", watcher.job.id)
                pause = backoff(broken, base=1.0, cap=300.0, fraction=self._entropy.fraction())
                await self._clock.sleep(max(1.0, pause), self._stopping)

    async def _step(self, watcher: Watcher) -> None:
        await _STEPS[watcher.job.state](watcher)
        if watcher.upstream is not None:
            if watcher.job.state in _ACCEPTED:
                watcher.upstream.gate.occupy(watcher.job.id, watcher.job.owner)
            else:
                watcher.upstream.gate.leave(watcher.job.id)
        if watcher.job.ended and watcher.job.state is not State.COMPLETED:
            await self._files.clear(watcher.job.id)

    def _forget(self, watcher: Watcher) -> None:
        self._watchers.pop(watcher.job.id, None)
        self._tasks.pop(watcher.job.id, None)
        if watcher.job.ended and watcher.upstream is not None:
            # Its last step may have broken after it was stored.
            watcher.upstream.gate.leave(watcher.job.id)
        watcher.refuse_requests(_nobody_watches(watcher.job))


def _nobody_watches(job: Job) -> GatewayError:
    """Why a wish cannot be served: only ended jobs are not watched, except while the gateway stops."""
    if job.ended:
        return AlreadyEnded(f"The video is already {job.state}.")
    return Unavailable("The gateway is restarting; try again in a moment.", retry_after=10)
