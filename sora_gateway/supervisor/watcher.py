"""What a watcher has at hand: its job, its inbox, its upstream, and how to wait.

Three promises, kept by every step of a watcher (``creating``, ``polling``, ``storing``, ``cancelling``):

- nobody else writes the job: people's wishes arrive in the inbox and are served between two waits;
- it may be cancelled at any await: what is stored stays true, what is not stored is asked for again,
  except a paid create, which runs to its end in a lane that no cancellation reaches;
- a broken watcher hurts only its own job: the supervisor starts it again from what is stored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from sora_gateway.clock import Clock
from sora_gateway.core import job as j
from sora_gateway.core.actor import COMMAND_LINE, Actor
from sora_gateway.core.asset import InputFile, StoredFile
from sora_gateway.core.catalogue import Route
from sora_gateway.core.job import Event, ExternalId, Job, JobId, State
from sora_gateway.core.observation import Look
from sora_gateway.core.polling import PollPolicy
from sora_gateway.core.reconcile import OnAmbiguous
from sora_gateway.core.trend import Trend
from sora_gateway.core.visibility import Visibility
from sora_gateway.entropy import Entropy
from sora_gateway.errors import AlreadyEnded, Conflict, GatewayError, Unavailable
from sora_gateway.media.download import Downloader
from sora_gateway.store import audit
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.jobs import Answered, ExternalIdTaken, Intent
from sora_gateway.supervisor.decisions import Decision, LookAgain, audited, consequence
from sora_gateway.supervisor.durations import LearnedDurations
from sora_gateway.supervisor.gate import Gate
from sora_gateway.supervisor.observers import Observers
from sora_gateway.supervisor.recorder import Recorder
from sora_gateway.supervisor.search import Searches
from sora_gateway.supervisor.subject import Subject
from sora_gateway.upstream.adapter import Adapter

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Upstream:
    """One configured upstream as the supervisor holds it."""

    adapter: Adapter
    gate: Gate
    polling: PollPolicy
    on_ambiguous: OnAmbiguous = OnAmbiguous.HOLD
    free: bool = False
    """Whether its creates cost nothing: what it has certainly taken and lost may be sent again."""
    account: str = ""
    """The same for every upstream that is the same account: one lists what was made through the other."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The supervisor's own limits; times in seconds."""

    create_attempts: int = 5
    create_timeout: float = 60.0
    overdue_after: float = 1800.0
    final_limit: float = 172800.0
    min_free_disk: int = 0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything that watchers share."""

    recorder: Recorder
    clock: Clock
    entropy: Entropy
    downloader: Downloader
    limits: Limits
    free_bytes: Callable[[], int]
    inputs: Callable[[Job], Awaitable[tuple[InputFile, ...]]]
    upstreams: Mapping[str, Upstream]
    routes: Callable[[Job], Sequence[Route]]
    """Where a job could be made, best first."""
    searches: Searches
    observers: Observers
    durations: LearnedDurations
    stopping: asyncio.Event


class Cancel:
    """A person wants the job stopped."""


@dataclass(frozen=True, slots=True)
class Show:
    """A person decides who may see the job."""

    visibility: Visibility


@dataclass(slots=True)
class Request:
    wish: Cancel | Show | Decision
    by: Actor = COMMAND_LINE
    """Who decides, for the audit log."""
    answer: asyncio.Future[Job] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def refuse(self, error: GatewayError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Observed(Protocol):
    """A job that an observer looks at."""

    def next_look(self) -> float:
        """The moment (wall time) of the next look; passed while it is being asked for."""
        ...

    def sooner(self) -> None:
        """Plans the next look anew, if that makes it earlier."""
        ...

    @property
    def trend(self) -> Trend:
        """The progress that it has reported since it is looked at."""
        ...


class Watcher:
    """Follows one unfinished job to its end."""

    def __init__(self, job: Job, around: Surroundings) -> None:
        self.job = job
        self.around = around
        self.tried: set[str] = set()
        """Upstreams that have postponed the job since one last took it, or since all were tried."""
        self.paying = False
        """True from just before the intent is stored until the answer is: shutdown waits for it."""
        self.next_look: float | None = None
        """When the upstream is asked next; passed while it is being asked."""
        self.observed: Observed | None = None
        """The job with its upstream's observer, while that plans the looks."""
        self.result_url: str | None = None
        self.result_known = False
        """Whether that is what the upstream has said at the end; a restart forgets it."""
        self.lookers: list[Request] = []
        """Who wants a doubtful job looked for now, and is answered when that was done."""
        self._inbox: deque[Request] = deque()
        self._wake = asyncio.Event()
        self._nudged = False
        self._idle = False
        """Waiting for news, and nothing else."""
        self._lent = False
        """Its job's next change is being stored together with those of others."""

    @property
    def upstream(self) -> Upstream | None:
        """None when the configuration does not have the job's upstream any more."""
        return self.around.upstreams.get(self.job.upstream)

    # --- people's wishes -------------------------------------------------------------------------

    def request(self, wish: Cancel | Show | Decision, by: Actor = COMMAND_LINE) -> asyncio.Future[Job]:
        """Puts a wish of *by* into the inbox; the future is the job once the wish is stored."""
        request = Request(wish, by)
        self._inbox.append(request)
        self._wake.set()
        return request.answer

    def nudge(self) -> None:
        """What the job waits for may have come: the next wait ends, and its step begins anew."""
        self._nudged = True
        self._wake.set()

    def wake(self) -> None:
        """There is news of the job."""
        self._wake.set()

    def refuse_requests(self, error: GatewayError) -> None:
        """Answers whatever is still in the inbox when the watcher ends."""
        while self._inbox:
            self._inbox.popleft().refuse(error)
        while self.lookers:
            self.lookers.pop().refuse(error)

    def answer(self, requests: list[Request]) -> None:
        """Tells those who asked for something that is done how the job is now."""
        while requests:
            request = requests.pop()
            if not request.answer.done():
                request.answer.set_result(self.job)

    async def _serve(self) -> bool:
        """Serves the inbox; says whether the job's state changed, or somebody nudged."""
        state = self.job.state
        nudged, self._nudged = self._nudged, False
        while self._inbox:
            request = self._inbox.popleft()
            try:
                if isinstance(request.wish, Cancel):
                    await self._cancel()
                elif isinstance(request.wish, Show):
                    await self._show(request.wish, request.by)
                elif isinstance(request.wish, LookAgain):
                    check_doubtful(self.job)
                    self.lookers.append(request)
                    continue
                else:
                    self.job = await decide(
                        self.around.recorder, self.job, request.wish, self.now(), request.by
                    )
            except GatewayError as error:
                request.refuse(error)
            except BaseException:
                # Cancelled or broken: whoever waits must not wait for ever.
                request.refuse(
                    Unavailable("It is not known whether this was done; look at the video.", retry_after=10)
                )
                raise
            else:
                self.answer([request])
        # Not before: what came meanwhile is served as well, and would keep every later wait awake.
        self._wake.clear()
        return nudged or self.job.state is not state

    async def _cancel(self) -> None:
        if self.job.ended:
            raise AlreadyEnded(f"The video is already {self.job.state}.")
        if self.job.state is State.CANCELLING:
            return
        finished_upstream = self.job.state is State.STORING
        self.job = await self.around.recorder.record(self.job, j.CancelRequested(self.now()))
        if finished_upstream:
            # Nothing is left to be stopped there; what was made is owed.
            await self.insist(j.CancelUnconfirmed(self.now()))

    async def _show(self, wish: Show, by: Actor) -> None:
        event, decided = shown(wish.visibility, self.job.id, by, self.now())
        self.job = await self.around.recorder.record(self.job, event, decided=decided)

    # --- for the steps ---------------------------------------------------------------------------

    def now(self) -> float:
        return self.around.clock.now()

    async def insist(
        self, event: Event, attempt: Intent | Answered | None = None, assets: tuple[StoredFile, ...] = ()
    ) -> None:
        """Records what was learned, however long the disk takes."""
        self.job = await self.around.recorder.insist(self.job, event, attempt, assets)

    async def wait(self, reason: str) -> None:
        """Says what the job waits for, once."""
        if self.job.note != reason:
            await self.insist(j.Waiting(self.now(), reason))

    async def sleep(self, seconds: float) -> bool:
        """Waits, serving wishes meanwhile; says whether one changed the job's state. Ends early for a looker."""
        clock = self.around.clock
        until = clock.monotonic() + seconds
        while True:
            if self._wake.is_set() and await self._serve():
                return True
            rest = until - clock.monotonic()
            if rest <= 0 or self.lookers:
                return False
            await clock.sleep(rest, self._wake)

    async def news(self, subject: Subject) -> Look | None:
        """What the observer saw; wishes are served meanwhile. None when one changed the job's state.

        Raises:
            Exception: the adapter broke at looking.
        """
        while True:
            if self._lent:
                # Whatever is wanted of the job, it comes after the change that is being stored.
                self._wake.clear()
            else:
                if self._wake.is_set() and await self._serve():
                    return None
                news, subject.news = subject.news, None
                if isinstance(news, Exception):
                    raise news
                if news is not None:
                    return news
            self._idle = True
            try:
                await self._wake.wait()
            finally:
                self._idle = False

    def lend(self) -> bool:
        """Whether somebody else may store the job's next change: only while the watcher waits for news."""
        self._lent = self._idle and not self._wake.is_set()
        return self._lent

    def give_back(self, job: Job) -> None:
        """The change was stored and *job* is what came of it, or it was not and is the job as it was."""
        self.job, self._lent = job, False
        if self._inbox or self._nudged:
            self._wake.set()

    async def look(self, upstream: Upstream, external_id: ExternalId) -> Look:
        """One look out of turn."""
        return await self.around.observers.of(upstream).look(external_id)

    async def meanwhile(self, call: Awaitable[T], *, keep: bool = False) -> T | None:
        """The result of *call*; wishes are served while it runs.

        Returns None when a wish changed the job's state: *call* was cancelled then, unless *keep* is set,
        in which case it always runs to its end.
        """
        task = asyncio.ensure_future(call)
        try:
            while not task.done():
                woken = asyncio.ensure_future(self._wake.wait())
                try:
                    await asyncio.wait({task, woken}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    woken.cancel()
                if self._wake.is_set() and await self._serve() and not keep:
                    return None
            return task.result()
        finally:
            if not task.done():
                task.cancel("watcher: not needed any more")
                await asyncio.gather(task, return_exceptions=True)


def shown(visibility: Visibility, job_id: JobId, by: Actor, now: float) -> tuple[Event, AuditEntry]:
    """That *by* lets others see a job, or takes that back: what happens, and what the audit log says of it."""
    return j.VisibilityChanged(now, visibility), audit.entry(by, now, "job.visibility", job_id, visibility)


def check_doubtful(job: Job) -> None:
    """Raises Conflict unless it is not known whether an upstream has *job*."""
    if job.state is not State.UNKNOWN:
        raise Conflict(f"The video is {job.state}; only a video whose outcome is unknown can be decided on.")


async def decide(recorder: Recorder, job: Job, decision: Decision, now: float, by: Actor) -> Job:
    """Carries out a *decision* that the person *by* has taken on a doubtful job.

    Raises:
        Conflict: the job is not in doubt, or the adopted id belongs to another job.
        InvalidRequest: what is to be adopted cannot be an id.
        Unavailable: nobody is there to look again.
    """
    check_doubtful(job)
    event, attempt = consequence(decision, now)
    try:
        return await recorder.record(job, event, attempt, decided=audited(decision, job.id, by, now))
    except ExternalIdTaken:
        raise Conflict("Another video of this upstream already has that id.") from None
