"""What jobs are made from: kept before the job is accepted, read when it is sent or made again."""

from __future__ import annotations

import errno
from typing import Literal

from sora_gateway.core.asset import InputFile, StoredFile
from sora_gateway.core.job import JobId
from sora_gateway.errors import StorageFailed, StorageFull
from sora_gateway.media.files import MediaFiles
from sora_gateway.store import Store

_VARIANTS: tuple[Literal["reference", "source"], ...] = ("reference", "source")


async def keep_input(files: MediaFiles, job_id: JobId, file: InputFile) -> StoredFile:
    """Stores one input of a job to come.

    Raises:
        StorageFull, StorageFailed: it was not kept.
    """
    try:
        return await files.put(job_id, file)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("The gateway's disk is full; free some space and try again.") from None
        raise StorageFailed("The file could not be stored; nothing was kept.") from error


async def stored_inputs(store: Store, files: MediaFiles, job_id: JobId) -> tuple[InputFile, ...]:
    """The inputs of a stored job.

    Raises:
        FileNotFoundError: one of them is not here any more, or the job has been deleted.
    """
    assets = await store.assets(job_id)
    inputs = tuple(
        [
            InputFile(variant, await files.read(assets[variant]), assets[variant].media_type)
            for variant in _VARIANTS
            if variant in assets
        ]
    )
    # A job that was deleted until here, or whose files were removed, may have had more: without its image it would be
    # another video.
    job = await store.get(job_id)
    if job is None or job.deleted_at is not None:
        raise FileNotFoundError("The job has been deleted.")
    if not (await store.upkeep.removed(job_id)).isdisjoint(_VARIANTS):
        raise FileNotFoundError("What it was made from is not kept any more.")
    return inputs
