"""What may still happen to a job that has ended, and so has no watcher: people show, hide and delete it."""

from __future__ import annotations

from sora_gateway.core.asset import StoredFile
from sora_gateway.core.job import Event, Job, JobId
from sora_gateway.errors import NotFound, Unavailable
from sora_gateway.store import Store
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.jobs import Stale
from sora_gateway.supervisor.recorder import Recorder


async def record_ended(
    store: Store,
    recorder: Recorder,
    job_id: JobId,
    event: Event,
    decided: AuditEntry | None = None,
    *,
    assets: tuple[StoredFile, ...] = (),
    deleted_too: bool = False,
) -> Job:
    """The ended job after *event*. Two people may want something at the same moment: then it is recorded on what the
    first has left. *assets* are files that it has from now on.

    Raises:
        NotFound: it is not there, or was deleted, which with *deleted_too* does not matter.
        Unavailable: it has not ended, and its watcher is not there (yet, or any more).
    """
    while True:
        job = await store.get(job_id)
        if job is None or (job.deleted_at is not None and not deleted_too):
            raise NotFound("There is no video by that id.")
        if not job.ended:
            raise Unavailable("The gateway is busy with this video; try again in a moment.", retry_after=1)
        try:
            return await recorder.record(job, event, assets=assets, decided=decided)
        except Stale:
            continue
