"""From orders to stored jobs that somebody watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sora_gateway.clock import Clock
from sora_gateway.core.claim import Claim
from sora_gateway.core.ids import time_ordered
from sora_gateway.core.job import Job, JobId
from sora_gateway.core.plans import Allowance
from sora_gateway.entropy import Entropy
from sora_gateway.errors import DailyCreditsUsed
from sora_gateway.media.files import MediaFiles
from sora_gateway.store import Store
from sora_gateway.store.accepting import NewJob
from sora_gateway.supervisor.caps import DailyCaps
from sora_gateway.supervisor.inputs import keep_input
from sora_gateway.supervisor.order import Order

Numbered = Sequence[tuple[Order, Job]]
"""Orders, and the jobs that they become."""


def numbered(orders: Sequence[Order], clock: Clock, entropy: Entropy, *, batch: bool) -> Numbered:
    """The jobs that *orders* become now; those of a *batch* share its id, and are listed in their order."""
    now = clock.now()
    batch_id = time_ordered("batch", now, entropy.new_id("batch")) if batch else None
    ids = sorted(JobId(time_ordered("video", now, entropy.new_id("video"))) for _ in orders)
    return [(order, order.job(job_id, now, batch_id)) for order, job_id in zip(orders, ids, strict=True)]


async def accept(
    store: Store,
    files: MediaFiles,
    new: Numbered,
    claim: Claim | None,
    allowance: Allowance | None,
    watch: Callable[[Job], None],
    caps: DailyCaps,
) -> list[Job]:
    """Stores all jobs of *new*, or none, and has each watched; or returns what an earlier sending of the same
    request made.

    Raises:
        InsufficientCredits: the owner cannot pay for all of them.
        PlanLimit: *allowance*, which their plan gives them, does not cover them now.
        IdempotencyMismatch: the key of *claim* was used for another request.
        StorageFull, StorageFailed: nothing was kept.
    """
    accepted: list[Job] = []
    try:
        # Files first: a row without its files could not be sent; files without a row are swept at start-up.
        ready = []
        for order, job in new:
            inputs = tuple([await keep_input(files, job.id, each) for each in order.inputs])
            ready.append(NewJob(job, inputs, order.price_version, order.tags))
        accepted = await store.accept_together(ready, claim, allowance)
    except DailyCreditsUsed as refusal:
        caps.note(new[0][0].owner, refusal)
        raise
    finally:
        kept = {job.id for job in accepted}
        for order, job in new:
            if order.inputs and job.id not in kept:
                await files.delete(job.id)
    made = {job.id for _, job in new}
    for job in accepted:
        if job.id in made:
            watch(job)
    return accepted
