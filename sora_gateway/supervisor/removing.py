"""Taking the files of ended jobs away: first the row says so, durable and told, then the files go. And, of those that
were only missed, having them back."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from sora_gateway.clock import Clock
from sora_gateway.core import job as j
from sora_gateway.core.asset import StoredFile
from sora_gateway.core.job import JobId
from sora_gateway.core.money import OnCancel
from sora_gateway.core.retention import Removal
from sora_gateway.errors import NotFound
from sora_gateway.media.files import MediaFiles
from sora_gateway.store import Store
from sora_gateway.supervisor.ended import record_ended
from sora_gateway.supervisor.recorder import Recorder

log = logging.getLogger(__name__)


class Remover:
    """Removes files for housekeeping. A crash between row and file leaves files without rows, which the sweep at
    start-up removes and ``storage check`` finds; the other way round there would be rows that promise what is gone."""

    def __init__(self, store: Store, files: MediaFiles, clock: Clock) -> None:
        self._store = store
        self._files = files
        self._clock = clock
        self._recorder = Recorder(store, clock, OnCancel.SETTLE)  # none of this is a cancel
        self._left: set[str] = set()

    async def remove(self, job_id: str, because: Removal) -> bool:
        """Takes all files of an ended job away; False if somebody deleted it before.

        Raises:
            StorageFull, StorageFailed: its row could not be written; the files are there.
            Unavailable: it has not ended.
        """
        if not await self._recorded(job_id, because, ()):
            return False
        await self._unlink(job_id)
        return True

    async def note_missing(self, job_id: str, variants: Collection[str]) -> bool:
        """Writes down that these files of an ended job are not there. Raises what :meth:`remove` does."""
        return await self._recorded(job_id, Removal.MISSING, tuple(sorted(variants)))

    async def note_found(self, job_id: str, files: Sequence[StoredFile]) -> bool:
        """Gives an ended job files back that were noted as missing and are there again; False if one of them is not
        missed any more. Raises what :meth:`remove` does."""
        event = j.FilesFound(self._clock.now(), tuple(sorted(file.variant for file in files)))
        return await self._record(job_id, event, tuple(files))

    async def retry(self) -> int:
        """Tries those files again that could not be removed before; how many jobs have none now."""
        before = len(self._left)
        for job_id in sorted(self._left):
            await self._unlink(job_id)
        return before - len(self._left)

    async def _recorded(self, job_id: str, because: Removal, variants: tuple[str, ...]) -> bool:
        return await self._record(job_id, j.FilesRemoved(self._clock.now(), because, variants))

    async def _record(self, job_id: str, event: j.Event, assets: tuple[StoredFile, ...] = ()) -> bool:
        try:
            await record_ended(self._store, self._recorder, JobId(job_id), event, assets=assets)
        except NotFound:
            return False
        return True

    async def _unlink(self, job_id: str) -> None:
        self._left.add(job_id)
        try:
            await self._files.delete(job_id)
        except OSError as error:
            log.error("%s: its files cannot be removed yet: %s", job_id, error)
        else:
            self._left.discard(job_id)
