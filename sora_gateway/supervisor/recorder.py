"""The one way in which a job changes: table, money, commit, and only then telling."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sora_gateway.clock import Clock
from sora_gateway.core.asset import StoredFile
from sora_gateway.core.job import Event, Job, advance
from sora_gateway.core.money import OnCancel, movement
from sora_gateway.errors import StorageFailed, StorageFull
from sora_gateway.store import Store
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.jobs import Answered, Change, Intent
from sora_gateway.supervisor.course import Course

log = logging.getLogger(__name__)
RETRY_STORAGE = 2.0


class Recorder:
    """Takes jobs from one stored state to the next."""

    def __init__(self, store: Store, clock: Clock, on_cancel: OnCancel) -> None:
        self._store = store
        self._clock = clock
        self._on_cancel = on_cancel
        self.course = Course()

    async def record(
        self,
        job: Job,
        event: Event,
        attempt: Intent | Answered | None = None,
        assets: tuple[StoredFile, ...] = (),
        decided: AuditEntry | None = None,
    ) -> Job:
        """The job after *event*, durable and told; *job* itself when nothing changed.

        *decided* is written down with it: which person had it happen.

        Raises:
            IllegalTransition: the table has no such pair.
            StorageFull, StorageFailed: nothing was kept; the job is as it was.
            ExternalIdTaken: the receipt's id belongs to another job.
        """
        changed = advance(job, event)
        if changed is not job:
            money = movement(job, event, changed, self._on_cancel)
            # Stored before told: the writer publishes after its commit, so nobody learns what a crash could undo.
            await self._store.save(job, changed, event, money, attempt, assets, decided)
            if changed.state is not job.state:
                self.course.came_to(changed)
        return changed

    def change(self, job: Job, event: Event) -> Change:
        """What *event* would make of *job*, to be stored :meth:`together` with others.

        Raises:
            IllegalTransition: the table has no such pair.
        """
        changed = advance(job, event)
        return Change(job, changed, event, movement(job, event, changed, self._on_cancel))

    async def together(self, changes: Sequence[Change]) -> None:
        """Makes *changes* durable and told, all of them or none.

        Raises:
            StorageFull, StorageFailed: nothing was kept.
        """
        await self._store.save_together(changes)

    async def insist(
        self,
        job: Job,
        event: Event,
        attempt: Intent | Answered | None = None,
        assets: tuple[StoredFile, ...] = (),
    ) -> Job:
        """Like :meth:`record`, but outlasts a full or failing disk: what was learned, and may have been paid
        for, is kept until it is stored."""
        while True:
            try:
                return await self.record(job, event, attempt, assets)
            except (StorageFull, StorageFailed) as error:
                log.error("%s: %s could not be stored yet: %s", job.id, type(event).__name__, error.message)
                await self._clock.sleep(RETRY_STORAGE)
