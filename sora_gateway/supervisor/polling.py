"""Watching an accepted job until the upstream says that it has ended.

When and how it is looked at is for the upstream's observer (:mod:`.observing`); here is what a look means.
"""

from __future__ import annotations

import logging

from sora_gateway.core import job as j
from sora_gateway.core.job import Job, State
from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.polling import estimated_progress
from sora_gateway.core.trend import NO_TREND, Trend
from sora_gateway.store.jobs import Change
from sora_gateway.supervisor.observing import Observer, late_receipt
from sora_gateway.supervisor.subject import Subject
from sora_gateway.supervisor.watcher import Watcher

log = logging.getLogger(__name__)

GUESSES = 20
"""Guesses at the progress that are told until the expected end, where the upstream tells nothing."""
VISIBILITY_GRACE = 120.0
"""A 404 this soon after the receipt is the upstream's own delay."""
LOST_AFTER = 300.0
"""An upstream that has denied a job this long, at least three times, has lost it."""
LOST_CONFIRMATIONS = 3


async def processing(watcher: Watcher) -> None:
    """Takes in whatever the observer sees until the state changes."""
    if watcher.job.cancel_requested:
        await watcher.insist(j.CancelRequested(watcher.now()))
        return
    upstream = watcher.upstream
    if upstream is None:
        await without_upstream(watcher)
        return
    await watcher.around.durations.load(watcher.job.upstream)
    observer = watcher.around.observers.of(upstream)
    follower = _Follower(watcher, observer)
    subject = follower.subject
    observer.follow(subject)
    watcher.observed = follower
    try:
        while (look := await watcher.news(subject)) is not None:
            await _take_in(watcher, subject, look)
            if watcher.job.state is State.PROCESSING:
                # Only now: the gateway may have been switched off for all of the time, and the video be ready.
                await limit_passed(watcher)
            if watcher.job.state is not State.PROCESSING:
                return
            observer.resume(subject, watcher.job, _wake_at(watcher, look.progress is None))
    finally:
        observer.leave(subject)
        watcher.observed = None


class _Follower:
    """The watcher as the observer has it: told of news, or lending its job to be stored together with others."""

    def __init__(self, watcher: Watcher, observer: Observer) -> None:
        self._watcher = watcher
        self._observer = observer
        assert watcher.job.external_id is not None
        wake_at = _wake_at(watcher, watcher.job.progress_estimated)
        self.subject = Subject(watcher.job, watcher.job.external_id, self, wake_at)

    def next_look(self) -> float:
        return self._observer.next_look(self.subject)

    def sooner(self) -> None:
        self._observer.sooner(self.subject)

    @property
    def trend(self) -> Trend:
        return self.subject.seen.trend

    def wake(self) -> None:
        self._watcher.wake()

    def change(self, look: Look) -> Change | None:
        """Only of plain progress; limits and whatever is wanted of the job are the watcher's business."""
        watcher = self._watcher
        event = None if watcher.now() >= _limit_at(watcher) else _progressed(watcher, look)
        if event is None:
            return None
        change = watcher.around.recorder.change(watcher.job, event)
        return change if watcher.lend() else None

    def stored(self, change: Change, *, kept: bool) -> None:
        watcher, subject = self._watcher, self.subject
        if not kept:
            # The news is still there, and the watcher insists.
            watcher.give_back(change.before)
            watcher.wake()
            return
        guessed = change.after.progress_estimated
        subject.news = None
        watcher.give_back(change.after)
        self._observer.resume(subject, watcher.job, _wake_at(watcher, guessed))


async def without_upstream(watcher: Watcher) -> None:
    """Waits for a person or the final limit; with its upstream back in the configuration the job goes on."""
    await watcher.wait(f"The upstream {watcher.job.upstream} is not in the configuration any more.")
    if not await limit_passed(watcher):
        await watcher.sleep(watcher.around.limits.final_limit - _age(watcher))


def _wake_at(watcher: Watcher, guessed: bool) -> float:
    """When something is to be done although the upstream says nothing new; *guessed* is whether it tells progress."""
    limit = _limit_at(watcher)
    if not guessed:
        return limit
    return min(limit, watcher.now() + watcher.around.durations.of(watcher.job).median / GUESSES)


def _limit_at(watcher: Watcher) -> float:
    """When the job is overdue, or past the final limit."""
    limits, job = watcher.around.limits, watcher.job
    accepted = job.accepted_at or watcher.now()
    return accepted + (limits.final_limit if job.overdue else min(limits.overdue_after, limits.final_limit))


def _age(watcher: Watcher) -> float:
    return watcher.now() - (watcher.job.accepted_at or watcher.now())


async def limit_passed(watcher: Watcher) -> bool:
    """Flags an overdue job; ends one that is past the final limit and says so."""
    limits, age = watcher.around.limits, _age(watcher)
    if age >= limits.final_limit:
        await watcher.insist(j.FinalLimit(watcher.now()))
        return True
    if age >= limits.overdue_after and not watcher.job.overdue:
        await watcher.insist(j.BecameOverdue(watcher.now()))
    return False


async def _take_in(watcher: Watcher, subject: Subject, look: Look) -> None:
    """Records what one look said; trouble leaves the job as it was."""
    if look.kind in (LookKind.TROUBLE, LookKind.OUT_OF_ORDER):
        return
    if look.kind is LookKind.LOST:
        await _lost(watcher, look.message)
        return
    if look.kind is LookKind.MISSING:
        await _missing(watcher, subject, look)
        return
    if look.kind is LookKind.ALIVE:
        event = _progressed(watcher, look)
        if event is not None:
            await watcher.insist(event)
        return
    took, seen_at = _took(watcher, subject, look), watcher.now()
    await record_end(watcher, look, took)
    if took is not None:
        watcher.around.durations.note(watcher.job, took, subject.seen.trend)
        watcher.around.recorder.course.noticed(watcher.job, seen_at - _began(watcher.job) - took)


def _progressed(watcher: Watcher, look: Look) -> j.Observed | None:
    """What a running job's look says that is worth storing; of what is only guessed, whole percents."""
    if look.progress is not None:
        # Most looks say nothing new, and nobody is told of them.
        new = look.progress != watcher.job.progress
        return j.Observed(
            watcher.now(),
            look.progress,
            upstream_status=look.status,
            remaining=remaining(watcher) if new else None,
        )
    expected = watcher.around.durations.of(watcher.job).median
    progress = estimated_progress(_age(watcher), expected)
    if int(progress) == int(watcher.job.progress):
        return None
    return j.Observed(watcher.now(), progress, True, look.status, remaining(watcher))


def remaining(watcher: Watcher) -> float:
    """Seconds to the end of a processing job, by what others took and by the progress that it has reported. The one
    estimate: the moment of completion in every answer, and what is left in every message, are made of it."""
    trend = NO_TREND if watcher.observed is None else watcher.observed.trend
    return watcher.around.durations.of(watcher.job).remaining(max(0.0, _age(watcher)), trend)


def _took(watcher: Watcher, subject: Subject, look: Look) -> float | None:
    """How long the upstream took, as closely as looking can tell; None if it cannot.

    It ended between the last look that said "not yet" and this one; what the upstream says itself counts within
    these bounds, else their middle.
    """
    began = _began(watcher.job)
    if not began:
        return None
    latest = max(0.0, watcher.now() - began)
    earliest = None if subject.not_yet is None else min(latest, max(0.0, subject.not_yet - began))
    if look.took is not None:
        return min(latest, max(look.took, earliest or 0.0))
    return None if earliest is None else (earliest + latest) / 2


def _began(job: Job) -> float:
    """When the upstream began, as closely as we can tell; 0 when nothing is known."""
    return (job.submitted_at if late_receipt(job) else job.accepted_at) or 0.0


async def record_end(watcher: Watcher, look: Look, took: float | None = None) -> bool:
    """Records that the upstream has ended the job, if *look* says so; it *took* so many seconds."""
    now = watcher.now()
    match look.kind:
        case LookKind.COMPLETED:
            watcher.result_url, watcher.result_known = look.result_url, True
            # What is past on arrival tells of the upstream's clock, not of the file.
            expires_at = look.expires_at if look.expires_at is not None and look.expires_at > now else None
            await watcher.insist(j.UpstreamCompleted(now, expires_at, took, look.cost))
        case LookKind.FAILED:
            await watcher.insist(
                j.UpstreamFailed(now, look.code or "failed", look.message or "The upstream failed.", took)
            )
        case LookKind.CANCELLED:
            await watcher.insist(
                j.UpstreamFailed(now, "cancelled_upstream", "The upstream cancelled the video.")
            )
        case _:
            return False
    return True


async def _missing(watcher: Watcher, subject: Subject, look: Look) -> None:
    """One 404 proves nothing; a steady one, past the grace, means that the upstream has lost the job."""
    now = watcher.now()
    if _age(watcher) < VISIBILITY_GRACE:
        return
    if subject.missing == 0:
        subject.missing_since = now
    subject.missing += 1
    if subject.missing >= LOST_CONFIRMATIONS and now - subject.missing_since >= LOST_AFTER:
        await _lost(watcher, look.message or "the upstream does not know the id any more")


async def _lost(watcher: Watcher, reason: str) -> None:
    """Nobody can say any more how the job ends, so a person has to: it may have been made, and paid for."""
    await watcher.insist(j.LostUpstream(watcher.now(), reason))
    log.warning("%s: %s lost it: %s", watcher.job.id, watcher.job.upstream, reason)
