"""Fetches the files of a finished job: resumable, bounded, and judged by their bytes, never by a header.

One call is one try. How often and how long to go on is :func:`sora_gateway.core.retries.next_download`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sora_gateway.clock import Clock
from sora_gateway.core.asset import StoredFile
from sora_gateway.core.job import ExternalId, JobId
from sora_gateway.core.retries import DownloadTrouble
from sora_gateway.media.child import ChildFailed
from sora_gateway.media.files import MediaFiles
from sora_gateway.media.mp4 import BrokenFile, CutFile, inspect_mp4
from sora_gateway.media.part import Origin, PartFile, discard
from sora_gateway.media.sniff import HEAD, IMAGE_TYPES, VIDEO_TYPES, sniff
from sora_gateway.media.threads import finish_in_thread
from sora_gateway.media.webm import inspect_webm
from sora_gateway.upstream.adapter import Adapter, Content, ContentTrouble, Variant
from sora_gateway.upstream.text import clean

log = logging.getLogger(__name__)

RunChild = Callable[[str, dict[str, Any], float], Awaitable[dict[str, Any]]]
"""Task name, its keyword arguments, seconds: :func:`sora_gateway.media.child.run_in_child`."""

_BATCH = 1 << 20
"""Bytes written at once: a thread per network packet would cost more than the writing."""
_EXCERPT = 2048

_TROUBLE = {
    ContentTrouble.Kind.NOT_YET: DownloadTrouble.NOT_YET,
    ContentTrouble.Kind.EXPIRED: DownloadTrouble.EXPIRED,
    ContentTrouble.Kind.NOT_MEDIA: DownloadTrouble.NOT_MEDIA,
    ContentTrouble.Kind.TOO_LARGE: DownloadTrouble.TOO_LARGE,
    ContentTrouble.Kind.INTERRUPTED: DownloadTrouble.INTERRUPTED,
    # It names no address for the file: another look at the job may.
    ContentTrouble.Kind.UNSUPPORTED: DownloadTrouble.EXPIRED,
    ContentTrouble.Kind.GONE: DownloadTrouble.GONE,
}
_USELESS = frozenset(
    {
        DownloadTrouble.TRUNCATED,
        DownloadTrouble.BROKEN,
        DownloadTrouble.NOT_MEDIA,
        DownloadTrouble.TOO_LARGE,
    }
)
"""After these, no byte of the part is worth keeping."""


class DownloadFailed(Exception):
    """This try brought no file. *kind* says what to do, *retry_after* (seconds) what the upstream asks for;
    the message is one sentence for people."""

    def __init__(self, kind: DownloadTrouble, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """Sizes in bytes, times in seconds."""

    at_once: int = 4
    """Transfers in flight, over all upstreams."""
    max_file: int = 2 << 30
    deadline: float = 1800.0
    """For one try; what has arrived by then is kept."""
    max_still: int = 5 << 20
    still_deadline: float = 60.0
    child_timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class _Order:
    """One file wanted."""

    adapter: Adapter
    job_id: JobId
    external_id: ExternalId
    result_url: str | None
    variant: Variant
    max_bytes: int
    deadline: float


class Downloader:
    """Brings files of finished jobs into *files*. Without *run_child*, packets are not counted and stills
    come from the upstream or not at all."""

    def __init__(
        self,
        files: MediaFiles,
        run_child: RunChild | None,
        clock: Clock,
        limits: DownloadLimits | None = None,
    ) -> None:
        self._files = files
        self._run_child = run_child
        self._clock = clock
        self._limits = limits or DownloadLimits()
        self._transfers = asyncio.Semaphore(self._limits.at_once)

    async def fetch(
        self,
        adapter: Adapter,
        external_id: ExternalId,
        result_url: str | None,
        job_id: JobId,
        variant: Variant = Variant.VIDEO,
    ) -> StoredFile:
        """Tries once to bring a file to its place, going on where the last try ended. Cancelling keeps the part.

        A whole file that is in its place already is taken as it is: an earlier process died between placing it
        and saying so, and the upstream may not have it any more.

        Raises:
            DownloadFailed: not this time, or not at all.
        """
        limits = self._limits
        order = _Order(adapter, job_id, external_id, result_url, variant, limits.max_file, limits.deadline)
        return await self._fetch(order)

    async def stills(
        self, adapter: Adapter, external_id: ExternalId, job_id: JobId, video: StoredFile
    ) -> list[StoredFile]:
        """The thumbnail and the spritesheet of *video*: the upstream's own, else made here, else none.

        Raises nothing: a job is complete without them.
        """
        found = []
        for variant, task in ((Variant.THUMBNAIL, "poster"), (Variant.SPRITESHEET, "spritesheet")):
            try:
                still = await self._still(adapter, external_id, job_id, variant)
                still = still or await self._make(task, job_id, variant, video)
            except (ChildFailed, OSError) as error:
                log.debug("%s: no %s made here: %s", job_id, variant, error)
            else:
                found += [still] if still else []
        return found

    async def _still(
        self, adapter: Adapter, external_id: ExternalId, job_id: JobId, variant: Variant
    ) -> StoredFile | None:
        limits = self._limits
        order = _Order(adapter, job_id, external_id, None, variant, limits.max_still, limits.still_deadline)
        try:
            return await self._fetch(order)
        except DownloadFailed as failure:
            log.debug("%s: no %s from the upstream: %s", job_id, variant, failure)
        # One try is all that it gets, so nothing of it is kept.
        part = await finish_in_thread(self._files.part_path, job_id, variant.value)
        await finish_in_thread(discard, part)
        return None

    async def _make(self, task: str, job_id: JobId, variant: Variant, video: StoredFile) -> StoredFile | None:
        if self._run_child is None:
            return None
        part = await finish_in_thread(self._files.part_path, job_id, variant.value)
        try:
            arguments = {"path": str(self._files.resolve(video.path)), "target": str(part)}
            await self._run_child(task, arguments, self._limits.child_timeout)
            media_type = sniff((await finish_in_thread(part.read_bytes))[:HEAD])
            if media_type not in IMAGE_TYPES:
                return None
            return await self._files.place(part, job_id, variant.value, media_type)
        finally:
            await finish_in_thread(discard, part)

    async def _fetch(self, order: _Order) -> StoredFile:
        async with self._transfers:
            try:
                path = await finish_in_thread(self._files.part_path, order.job_id, order.variant.value)
                placed = await self._placed(order)
                if placed is not None:
                    await finish_in_thread(discard, path)
                    return placed
                part = PartFile(path)
                try:
                    return await self._try(order, part)
                finally:
                    part.close()
            except OSError as error:
                raise _storage(error) from error

    async def _placed(self, order: _Order) -> StoredFile | None:
        path = await finish_in_thread(self._files.placed, order.job_id, order.variant.value)
        if path is None:
            return None
        try:
            media_type = await self._verify(order, path)
        except DownloadFailed as failure:
            log.warning("%s: the %s in its place is fetched anew: %s", order.job_id, order.variant, failure)
            return None
        return await self._files.keep(path, order.variant.value, media_type)

    async def _try(self, order: _Order, part: PartFile) -> StoredFile:
        await finish_in_thread(part.open)
        try:
            if part.resumable == 0 or part.length != part.origin.total:
                await self._transfer(order, part)
            media_type = await self._verify(order, part.path)
        except DownloadFailed as failure:
            if failure.kind in _USELESS:
                await finish_in_thread(part.drop)
            raise
        sha256 = await finish_in_thread(part.sha256)
        stored = await self._files.place(part.path, order.job_id, order.variant.value, media_type, sha256)
        await finish_in_thread(part.forget)
        return stored

    async def _transfer(self, order: _Order, part: PartFile) -> None:
        """Fills *part*; returns when it may be the whole file."""
        offset, etag = part.resumable, part.origin.etag
        opening = order.adapter.open_content(
            order.external_id, order.result_url, order.variant, offset, etag if offset else None
        )
        try:
            async with opening as content:
                await self._receive(order, content, part)
            total = part.origin.total
            if total is not None and part.length < total:
                raise ContentTrouble(
                    ContentTrouble.Kind.INTERRUPTED, "The file ended before its declared length."
                )
        except ContentTrouble as trouble:
            kind = _TROUBLE[trouble.kind]
            # Only the declared length says that something is missing, and that may be wrong; the bytes are not.
            if kind is DownloadTrouble.INTERRUPTED and await finish_in_thread(_is_whole, part):
                return
            if part.origin.total is not None and part.length > part.origin.total:
                kind = DownloadTrouble.BROKEN
            raise DownloadFailed(kind, str(trouble), trouble.retry_after) from trouble

    async def _receive(self, order: _Order, content: Content, part: PartFile) -> None:
        if content.total is not None and content.total > order.max_bytes:
            raise _too_large(order)
        if _is_another_file(content, part):
            await finish_in_thread(part.drop)
            raise DownloadFailed(
                DownloadTrouble.INTERRUPTED, "The upstream's file has changed; it is fetched anew."
            )
        known = part.origin if content.offset else Origin()
        etag = content.etag or known.etag
        total = known.total if content.total is None else content.total
        await finish_in_thread(part.start, content.offset, Origin(etag, total))

        ends_at = self._clock.monotonic() + order.deadline
        buffer = bytearray()
        try:
            async for chunk in content.chunks:
                buffer += chunk
                if part.length + len(buffer) > order.max_bytes:
                    raise _too_large(order)
                if len(buffer) >= _BATCH:
                    if part.length == 0 and sniff(bytes(buffer[:HEAD])) is None:
                        # A page without end is not worth its megabytes.
                        raise _not_media(order, bytes(buffer[:_EXCERPT]))
                    # Taken out first: cancelled while it is written, it must not be written again below.
                    batch, buffer = buffer, bytearray()
                    await finish_in_thread(part.append, batch)
                if self._clock.monotonic() > ends_at:
                    raise ContentTrouble(
                        ContentTrouble.Kind.INTERRUPTED, "The download took too long for one try."
                    )
        except asyncio.CancelledError:
            # We are stopping: what has arrived is kept, if that is possible.
            with contextlib.suppress(OSError):
                await finish_in_thread(part.append, buffer)
            raise
        except ContentTrouble:
            await finish_in_thread(part.append, buffer)
            raise
        await finish_in_thread(part.append, buffer)

    async def _verify(self, order: _Order, path: Path) -> str:
        """The media type of the complete file at *path*."""
        head = await finish_in_thread(_head, path)
        media_type = sniff(head)
        wanted = VIDEO_TYPES if order.variant is Variant.VIDEO else IMAGE_TYPES
        if media_type not in wanted:
            raise _not_media(order, head)
        inspect = {"video/mp4": inspect_mp4, "video/webm": inspect_webm}.get(media_type)
        if inspect is not None:
            try:
                await finish_in_thread(inspect, path)
            except BrokenFile as broken:
                cut = isinstance(broken, CutFile)
                kind = DownloadTrouble.TRUNCATED if cut else DownloadTrouble.BROKEN
                raise DownloadFailed(kind, f"The video is not whole: {broken}.") from broken
            await self._count_packets(order.job_id, path)
        return media_type

    async def _count_packets(self, job_id: JobId, path: Path) -> None:
        if self._run_child is None:
            return
        try:
            seen = await self._run_child("probe", {"path": str(path)}, self._limits.child_timeout)
        except ChildFailed as failure:
            # A paid file is not thrown away because our own helper ran out of time or memory.
            log.warning("%s: its packets could not be counted: %s", job_id, failure)
            return
        if not seen["whole"]:
            missing = f"{seen['packets']} of {seen['declared_packets']} frames are there"
            raise DownloadFailed(DownloadTrouble.TRUNCATED, f"The video is not whole: {missing}.")


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(_EXCERPT)


def _is_another_file(content: Content, part: PartFile) -> bool:
    """Whether what the upstream goes on with cannot follow what is in *part*."""
    if content.offset == 0:
        return False
    if content.offset > part.length:
        return True
    known = part.origin
    # A file that ends where the part does is taken at its bytes: the length declared earlier was wrong.
    totals = (None, known.total, part.length)
    return content.total not in totals or bool(known.etag and content.etag and known.etag != content.etag)


def _is_whole(part: PartFile) -> bool:
    """Whether the container itself proves that nothing is missing."""
    if sniff(part.head(HEAD)) != "video/mp4":
        return False
    try:
        return not inspect_mp4(part.path).fragmented
    except BrokenFile:
        return False


def _not_media(order: _Order, head: bytes) -> DownloadFailed:
    excerpt = clean(head.decode("utf-8", "replace"), limit=_EXCERPT)
    log.warning("%s: not a %s, but: %s", order.job_id, order.variant, excerpt or "nothing")
    return DownloadFailed(
        DownloadTrouble.NOT_MEDIA, f"The upstream sent something that is no {order.variant}."
    )


def _too_large(order: _Order) -> DownloadFailed:
    return DownloadFailed(
        DownloadTrouble.TOO_LARGE, f"The file is larger than the {order.max_bytes} bytes that are allowed."
    )


def _storage(error: OSError) -> DownloadFailed:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    reason = "the disk is full" if full else error.strerror or "the disk does not answer"
    return DownloadFailed(DownloadTrouble.STORAGE, f"The file cannot be written here: {reason}.")
