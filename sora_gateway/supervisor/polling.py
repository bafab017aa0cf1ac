"""Watching an accepted job until the upstream says that it has ended."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sora_gateway.core import job as j
from sora_gateway.core.job import State
from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.polling import PollPolicy, Seen, estimated_progress, next_delay
from sora_gateway.supervisor.watcher import Upstream, Watcher

log = logging.getLogger(__name__)

EXPECTED_DURATION = 120.0
"""Median seconds of a video on an upstream of which nothing is known (DESIGN's prior)."""
VISIBILITY_GRACE = 120.0
"""A 404 this soon after the receipt is the upstream's own delay."""
LOST_AFTER = 300.0
"""An upstream that has denied a job this long, at least three times, has lost it."""
LOST_CONFIRMATIONS = 3


@dataclass(slots=True)
class _Memory:
    """What this watcher has seen since it started; nothing here must survive a restart."""

    polls: int = 0
    errors: int = 0
    missing: int = 0
    missing_since: float = 0.0
    retry_after: float | None = None


async def processing(watcher: Watcher) -> None:
    """Looks again and again, as rarely as the policy allows, until the state changes."""
    if watcher.job.cancel_requested:
        await watcher.insist(j.CancelRequested(watcher.now()))
        return
    upstream = watcher.upstream
    if upstream is None:
        await without_upstream(watcher)
        return
    memory = _Memory()
    while watcher.job.state is State.PROCESSING:
        delay = _delay(watcher, upstream.polling, memory)
        watcher.next_look = watcher.now() + delay
        if await watcher.sleep(delay):
            return
        external_id = watcher.job.external_id
        assert external_id is not None
        look = await watcher.meanwhile(upstream.adapter.look(external_id))
        if look is None:
            return
        memory.retry_after = look.retry_after
        await _take_in(watcher, upstream, look, memory)
        if watcher.job.state is State.PROCESSING:
            # Only now: the gateway may have been switched off for all of the time, and the video be ready.
            await limit_passed(watcher)


async def without_upstream(watcher: Watcher) -> None:
    """Waits for a person or the final limit; with its upstream back in the configuration the job goes on."""
    await watcher.wait(f"The upstream {watcher.job.upstream} is not in the configuration any more.")
    if not await limit_passed(watcher):
        await watcher.sleep(watcher.around.limits.final_limit - _age(watcher))


def _delay(watcher: Watcher, policy: PollPolicy, memory: _Memory) -> float:
    seen = Seen(
        age=_age(watcher),
        progress=watcher.job.progress,
        polls=memory.polls,
        errors=memory.errors,
        overdue=watcher.job.overdue,
        retry_after=memory.retry_after,
    )
    return next_delay(policy, seen, watcher.around.entropy.fraction())


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


async def _take_in(watcher: Watcher, upstream: Upstream, look: Look, memory: _Memory) -> None:
    """Records what one look said; trouble leaves the job as it was."""
    if look.kind in (LookKind.TROUBLE, LookKind.OUT_OF_ORDER):
        memory.errors += 1
        if look.kind is LookKind.OUT_OF_ORDER:
            upstream.gate.pause(look.message)
        log.info("%s: no usable answer from %s: %s", watcher.job.id, upstream.adapter.name, look.message)
        return
    memory.errors = 0
    memory.polls += 1
    if look.kind is LookKind.LOST:
        await _lost(watcher, look.message)
        return
    if look.kind is LookKind.MISSING:
        await _missing(watcher, look, memory)
        return
    memory.missing = 0
    if not await record_end(watcher, look):
        estimated = look.progress is None
        progress = estimated_progress(_age(watcher), EXPECTED_DURATION) if estimated else look.progress
        if not estimated or int(progress or 0) != int(watcher.job.progress):
            await watcher.insist(j.Observed(watcher.now(), progress, estimated, look.status))


async def record_end(watcher: Watcher, look: Look) -> bool:
    """Records that the upstream has ended the job, if *look* says so."""
    now = watcher.now()
    match look.kind:
        case LookKind.COMPLETED:
            watcher.result_url = look.result_url
            # What is past on arrival tells of the upstream's clock, not of the file.
            expires_at = look.expires_at if look.expires_at is not None and look.expires_at > now else None
            await watcher.insist(j.UpstreamCompleted(now, expires_at))
        case LookKind.FAILED:
            await watcher.insist(
                j.UpstreamFailed(now, look.code or "failed", look.message or "The upstream failed.")
            )
        case LookKind.CANCELLED:
            await watcher.insist(
                j.UpstreamFailed(now, "cancelled_upstream", "The upstream cancelled the video.")
            )
        case _:
            return False
    return True


async def _missing(watcher: Watcher, look: Look, memory: _Memory) -> None:
    """One 404 proves nothing; a steady one, past the grace, means that the upstream has lost the job."""
    now = watcher.now()
    if _age(watcher) < VISIBILITY_GRACE:
        return
    if memory.missing == 0:
        memory.missing_since = now
    memory.missing += 1
    if memory.missing >= LOST_CONFIRMATIONS and now - memory.missing_since >= LOST_AFTER:
        await _lost(watcher, look.message or "the upstream does not know the id any more")


async def _lost(watcher: Watcher, reason: str) -> None:
    """Nobody can say any more how the job ends, so a person has to: it may have been made, and paid for."""
    await watcher.insist(j.LostUpstream(watcher.now(), reason))
    log.warning("%s: %s lost it: %s", watcher.job.id, watcher.job.upstream, reason)
