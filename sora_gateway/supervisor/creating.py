"""The paid create: intent, call, receipt.

The intent is committed before anything leaves; the receipt is committed alone, at once, before anything
else happens with the answer. Whatever lies between the two is a doubt, and a doubt is never paid twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from sora_gateway.clock import Clock
from sora_gateway.core import job as j
from sora_gateway.core.asset import InputFile
from sora_gateway.core.job import Job, State
from sora_gateway.core.outcome import CreateAnswer, Outcome, OutcomeClass, classify
from sora_gateway.core.polling import backoff
from sora_gateway.errors import StorageFailed, StorageFull
from sora_gateway.store.jobs import Answered, ExternalIdTaken, Intent
from sora_gateway.supervisor.gate import LONGEST_PAUSE
from sora_gateway.supervisor.watcher import Upstream, Watcher
from sora_gateway.upstream.adapter import CreateOrder

log = logging.getLogger(__name__)

FIRST_BACKOFF = 2.0
LONGEST_BACKOFF = 60.0
STORAGE_PAUSE = 5.0
_COST_NOTHING = frozenset(
    {
        OutcomeClass.NOT_SENT,
        OutcomeClass.REFUSED_FOR_NOW,
        OutcomeClass.OUT_OF_ORDER,
        OutcomeClass.REFUSED,
    }
)


async def queued(watcher: Watcher) -> None:
    """Waits for its moment and a free place, then pays once."""
    if watcher.job.cancel_requested:
        await watcher.insist(j.CancelRequested(watcher.now()))
        return
    since = watcher.job.queued_again_at or watcher.job.created_at
    left = since + watcher.around.limits.final_limit - watcher.now()
    if left <= 0:
        await watcher.insist(j.FinalLimit(watcher.now()))
        return
    if await _rerouted(watcher):
        return
    upstream = watcher.upstream
    if upstream is None:
        await watcher.wait(f"The upstream {watcher.job.upstream} is not in the configuration any more.")
        await watcher.sleep(left)
        return
    # Nothing postpones for longer than a pause; a clock that was set back would.
    wait = min(LONGEST_PAUSE, max(0.0, watcher.job.not_before - watcher.now()))
    if await watcher.sleep(min(left, wait)) or left <= wait:
        return
    gate = upstream.gate
    if not _within_cap(upstream, watcher.job, watcher.now()):
        await watcher.wait(f"{watcher.job.upstream} has reached its spend cap for a day.")
        await watcher.sleep(min(left - wait, max(1.0, gate.spend.frees_at(watcher.now()) - watcher.now())))
        return
    if gate.paused:
        await watcher.wait(f"{watcher.job.upstream} is paused: {gate.reason}.")
    turn = gate.ask(watcher.job.id, watcher.job.owner, watcher.job.lane, since)
    try:
        granted = await watcher.meanwhile(_granted(turn, watcher.around.clock, left - wait))
        if granted and not watcher.around.stopping.is_set():
            await _pay(watcher, upstream)
    finally:
        turn.cancel()
        if watcher.job.state is not State.PROCESSING:
            gate.leave(watcher.job.id)


async def _rerouted(watcher: Watcher) -> bool:
    """Whether the job goes to another upstream, because its own is closed or has just postponed it.

    Before an attempt is accepted that costs nothing. Each upstream gets one try; then the job waits where it is.
    """
    job = watcher.job
    upstream = watcher.upstream
    postponed = job.not_before > watcher.now()
    if upstream is not None and not postponed and _can_take(upstream, job, watcher.now()):
        return False
    if postponed:
        watcher.tried.add(job.upstream)
    for route in watcher.around.routes(job):
        other = watcher.around.upstreams.get(route.upstream)
        if (
            other is not None
            and route.upstream != job.upstream
            and route.upstream not in watcher.tried
            and _can_take(other, job, watcher.now())
        ):
            log.info("%s goes from %s to %s", job.id, job.upstream, route.upstream)
            await watcher.insist(j.Rerouted(watcher.now(), route.upstream, route.upstream_model))
            return True
    watcher.tried.clear()
    return False


def _can_take(upstream: Upstream, job: Job, now: float) -> bool:
    return not upstream.gate.paused and _within_cap(upstream, job, now)


def _within_cap(upstream: Upstream, job: Job, now: float) -> bool:
    """Whether *job* fits into what the upstream may cost in a day; the operator is told when that begins to matter."""
    spend = upstream.gate.spend
    if spend.allows(now, _billed(job)):
        return True
    if spend.refuse(now, _billed(job)):
        log.warning(
            "%s has reached its spend cap: %.2f of %.2f in 24 hours; creates wait until that changes",
            upstream.adapter.name, spend.total(now), spend.tariff.cap,
        )  # fmt: skip
    return False


def _billed(job: Job) -> int:
    """Seconds of video that the create asks for."""
    return job.seconds if job.extended_by is None else job.extended_by


async def _granted(turn: asyncio.Future[bool], clock: Clock, seconds: float) -> bool:
    """Whether *turn* comes within *seconds*, and the gate has not closed meanwhile."""
    limit = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((turn, limit), return_when=asyncio.FIRST_COMPLETED)
    finally:
        limit.cancel()
    return turn.done() and turn.result()


async def _pay(watcher: Watcher, upstream: Upstream) -> None:
    if watcher.around.free_bytes() < watcher.around.limits.min_free_disk:
        # A video that cannot be stored is not worth paying for.
        await watcher.sleep(STORAGE_PAUSE)
        return
    job, adapter = watcher.job, upstream.adapter
    if job.operation not in adapter.operations or (job.characters and not adapter.characters):
        # It was offered when the job was accepted; the configuration has changed since.
        name = "characters" if job.operation in adapter.operations else f"such an operation ({job.operation})"
        await _refuse_unsent(
            watcher, "unsupported_by_upstream", f"{adapter.name} does not have {name} any more."
        )
        return
    try:
        inputs = await watcher.around.inputs(job)
    except FileNotFoundError:
        message = "The image or video that it was to be made from is not in the gateway's files any more."
        await _refuse_unsent(watcher, "input_lost", message)
        return
    watcher.paying = True
    try:
        intent = Intent(watcher.around.entropy.new_id("attempt"))
        spend = upstream.gate.spend
        if not spend.allows(watcher.now(), _billed(job)):
            # Somebody else's create took the rest of it while this one waited for its turn.
            return
        spend.count(intent.id, watcher.now(), _billed(job))
        try:
            watcher.job = await watcher.around.recorder.record(watcher.job, j.Claimed(watcher.now()), intent)
        except (StorageFull, StorageFailed):
            # Nothing was kept, so nothing may leave.
            spend.take_back(intent.id)
            await watcher.around.clock.sleep(STORAGE_PAUSE)
            return
        order = _order(watcher.job, intent.id, inputs)
        answer = await watcher.meanwhile(
            upstream.adapter.create(order, watcher.around.limits.create_timeout), keep=True
        )
        assert answer is not None
        await _conclude(watcher, upstream, intent.id, answer)
    finally:
        watcher.paying = False


async def send_again(
    watcher: Watcher, upstream: Upstream, attempt_id: str
) -> tuple[Outcome, CreateAnswer] | None:
    """Sends a doubtful create once more with its idempotency key: the same bytes, and by contract the same video.

    It is no new attempt, and runs to its end whatever people wish meanwhile. None when its files are gone: what is
    not the same must not go out under the key.
    """
    try:
        inputs = await watcher.around.inputs(watcher.job)
    except FileNotFoundError:
        return None
    order = _order(watcher.job, attempt_id, inputs)
    answer = await watcher.meanwhile(
        upstream.adapter.create(order, watcher.around.limits.create_timeout), keep=True
    )
    assert answer is not None
    return classify(answer, upstream.adapter.rules), answer


def _order(job: Job, attempt_id: str, inputs: Sequence[InputFile]) -> CreateOrder:
    files = {file.variant: file for file in inputs}
    image, source = files.get("reference"), files.get("source")
    return CreateOrder(
        attempt_id,
        job.prompt,
        job.upstream_model,
        _billed(job),
        job.size,
        image=image.data if image else None,
        image_type=image.media_type if image else "",
        operation=job.operation,
        source=job.source_external_id,
        source_file=source.data if source else None,
        source_type=source.media_type if source else "",
        characters=tuple(job.characters.split()),
        idempotency_key=f"{job.id}-{job.attempt}",
    )


async def _refuse_unsent(watcher: Watcher, code: str, message: str) -> None:
    """Ends a job that cannot be sent: nothing leaves, so nothing is paid."""
    await watcher.insist(j.Claimed(watcher.now()))
    await watcher.insist(j.Refused(watcher.now(), code, message))


async def _conclude(watcher: Watcher, upstream: Upstream, attempt_id: str, answer: CreateAnswer) -> None:
    """Stores what the answer means."""
    gate = upstream.gate
    outcome = classify(answer, upstream.adapter.rules)
    in_order = outcome.kind not in (OutcomeClass.NOT_SENT, OutcomeClass.OUT_OF_ORDER, OutcomeClass.UNKNOWN)
    if outcome.kind in (OutcomeClass.NOT_SENT, OutcomeClass.UNKNOWN):
        gate.failed()
    if outcome.kind is OutcomeClass.REFUSED_FOR_NOW and outcome.retry_after is not None:
        gate.budget.hold_back(watcher.around.clock.monotonic(), outcome.retry_after)
    if outcome.kind in _COST_NOTHING:
        gate.spend.take_back(attempt_id)
    if outcome.kind in (OutcomeClass.RECEIPT, OutcomeClass.KNOWN):
        assert outcome.external_id is not None
        receipt = Answered(outcome.kind.value, outcome.external_id, answer.status)
        try:
            await watcher.insist(j.Accepted(watcher.now(), outcome.external_id), receipt)
        except ExternalIdTaken:
            outcome = classify(answer, upstream.adapter.rules, id_is_new=False)
    if outcome.kind not in (OutcomeClass.RECEIPT, OutcomeClass.KNOWN):
        event = _consequence(watcher, upstream, outcome)
        await watcher.insist(event, Answered(outcome.kind.value, None, answer.status, answer.excerpt))
        if outcome.kind is OutcomeClass.UNKNOWN:
            log.warning(
                "%s: the outcome of a create at %s is unknown: %s",
                watcher.job.id,
                upstream.adapter.name,
                outcome.message,
            )
    if outcome.kind in (OutcomeClass.RECEIPT, OutcomeClass.KNOWN):
        watcher.tried.clear()
    gate.answered(watcher.job.id, in_order=in_order)


def _consequence(watcher: Watcher, upstream: Upstream, outcome: Outcome) -> j.Event:
    """The event that an outcome without a receipt leads to."""
    now, job, name = watcher.now(), watcher.job, upstream.adapter.name
    wait = backoff(
        job.attempt, base=FIRST_BACKOFF, cap=LONGEST_BACKOFF, fraction=watcher.around.entropy.fraction()
    )
    match outcome.kind:
        case OutcomeClass.NOT_SENT:
            return j.Postponed(
                now, now + wait, f"{name} cannot be reached: {outcome.message}.", refused=False
            )
        case OutcomeClass.REFUSED_FOR_NOW:
            if job.refusals + 1 >= watcher.around.limits.create_attempts:
                return j.Refused(
                    now, outcome.code, f"{name} refused it {job.refusals + 1} times: {outcome.message}"
                )
            pause = max(outcome.retry_after or 0.0, wait)
            return j.Postponed(now, now + pause, f"{name} is busy; trying again.", refused=True)
        case OutcomeClass.OUT_OF_ORDER:
            pause = upstream.gate.pause(outcome.message)
            log.error("%s is paused for %.0f s: %s", name, pause, outcome.message)
            return j.Postponed(now, now + pause, f"{name} is paused: {outcome.message}.", refused=False)
        case OutcomeClass.REFUSED:
            return j.Refused(now, outcome.code, outcome.message)
        case _:
            return j.AnswerLost(now, outcome.message)
