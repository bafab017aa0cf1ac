"""A store with real files beside it, and the housekeeping over both, on a clock and a disk that the test moves."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sora_gateway.accounts.plans import Plans
from sora_gateway.core import job as j
from sora_gateway.core.actor import COMMAND_LINE
from sora_gateway.core.asset import StoredFile
from sora_gateway.core.job import Job, JobId
from sora_gateway.core.messages import StoredEvent
from sora_gateway.core.money import movement
from sora_gateway.core.plans import plan_of
from sora_gateway.credit_settings import Plan
from sora_gateway.media.files import MediaFiles
from sora_gateway.retention.housekeeping import Housekeeping, housekeeping, reconciler
from sora_gateway.retention.reconciler import Finding, Wanted
from sora_gateway.retention_settings import Retention
from sora_gateway.store import Store, audit
from tests.fakes import ManualClock
from tests.jobs import accepted, to_processing, walk
from tests.stores import ADA, NOW, open_store

HOUR, DAY = 3600.0, 86_400.0


class SmallDisk(MediaFiles):
    """Has *room* bytes free when nothing of ours is on it."""

    def __init__(self, root: Path, room: int) -> None:
        super().__init__(root)
        self.root = root
        self.room = room

    def free_bytes(self) -> int:
        return self.room - sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())


@dataclass
class Archive:
    """Everything that a test of housekeeping touches."""

    store: Store
    files: SmallDisk
    clock: ManualClock
    plans: Plans
    keeping: Housekeeping
    told: list[StoredEvent] = field(default_factory=list)
    made: int = 0

    async def finished(
        self,
        *,
        ago: float = 0.0,
        owner: str = ADA.user_id,
        size: int = 1000,
        tags: Sequence[str] = (),
        variants: Sequence[str] = ("video", "thumbnail"),
    ) -> Job:
        """A video that was ready so many seconds *ago*; its files have *size* bytes together."""
        at = self.clock.now() - ago
        job = await self.running(ago=ago, owner=owner, variants=())
        event = j.Stored(at)
        job = await walk(self.store, job, j.UpstreamCompleted(at))
        shares = [size - size // len(variants) * (len(variants) - 1)] + [size // len(variants)] * len(
            variants
        )
        stored = tuple(self.file(job, name, share) for name, share in zip(variants, shares, strict=False))
        after = j.advance(job, event)
        await self.store.save(job, after, event, movement(job, event, after), None, stored)
        if tags:
            await self.store.tag(job.id, tags)
        return after

    async def running(
        self, *, ago: float = 0.0, owner: str = ADA.user_id, variants: Sequence[str] = ("reference",)
    ) -> Job:
        """One that its upstream has, made from files of *variants*."""
        job = await self._accepted(ago, owner, variants)
        return await walk(self.store, job, *to_processing(f"ext-{self.made}", self.clock.now() - ago))

    async def in_doubt(self, *, ago: float) -> Job:
        """One of which nobody knows whether it was paid for."""
        at = self.clock.now() - ago
        job = await self._accepted(ago, ADA.user_id, ("reference",))
        return await walk(self.store, job, j.Claimed(at), j.AnswerLost(at, "the connection broke"))

    async def failed(self, *, ago: float, disputed: bool = False) -> Job:
        """One that ended without a video; *disputed*: it may be owed. What it was made from is there."""
        at = self.clock.now() - ago
        job = await self.running(ago=ago)
        ends = j.FinalLimit(at) if disputed else j.UpstreamFailed(at, "failed", "It failed.")
        return await walk(self.store, job, ends)

    async def _accepted(self, ago: float, owner: str, variants: Sequence[str]) -> Job:
        self.made += 1
        at = self.clock.now() - ago
        job = await accepted(self.store, owner=owner, created_at=at, credits=1, id=self._id())
        rows = [self.file(job, variant, 10) for variant in variants]
        await self.store.run(
            lambda tx: [
                tx.execute(
                    "INSERT INTO assets (job_id, variant, path, media_type, size, sha256) VALUES (?, ?, ?, ?, ?, ?)",
                    (job.id, row.variant, row.path, row.media_type, row.size, row.sha256),
                )
                for row in rows
            ]
        )
        return job

    def _id(self) -> JobId:
        return JobId(f"video_{self.made:030x}{self.made % 256:02x}")

    def file(self, job: Job, variant: str, size: int) -> StoredFile:
        """A file in its place, and old enough that its row should be there."""
        data = os.urandom(8).hex().encode().ljust(size, b".")[:size]
        path = self.files.part_path(job.id, variant).with_suffix(".mp4")
        path.write_bytes(data)
        os.utime(path, (self.clock.now() - 2 * HOUR,) * 2)
        relative = path.relative_to(self.files.root).as_posix()
        return StoredFile(variant, relative, "video/mp4", size, hashlib.sha256(data).hexdigest())

    def here(self, job: Job) -> set[str]:
        """The files of a job that are on the disk."""
        return {path.name for path in self.files.root.glob(f"*/{job.id}/*")}

    def size(self, job: Job) -> int:
        """Bytes of those."""
        return sum(path.stat().st_size for path in self.files.root.glob(f"*/{job.id}/*"))

    async def now(self, job: Job) -> Job:
        found = await self.store.get(job.id)
        assert found is not None
        return found

    async def kept(self, job: Job) -> bool:
        """Whether a job has its files: on the disk and in its rows, or in neither."""
        rows = set(await self.store.assets(job.id))
        assert {name.partition(".")[0] for name in self.here(job)} == rows
        assert bool(rows) == ((await self.now(job)).files_removed_at is None)
        return bool(rows)

    async def tidy(self) -> None:
        """One pass of the janitor, in which every chore gets through."""
        await self.keeping.janitor.run_once()
        assert self.keeping.janitor.failed == {}

    async def give(self, owner: str, plan: str) -> None:
        entry = audit.entry(COMMAND_LINE, self.clock.now(), "plan.give", owner, plan)
        await self.plans.give(owner, plan, None, entry)

    async def check(self, **options: Any) -> list[Finding]:
        """The whole walk over rows and files at once."""
        walker = reconciler(self.store, self.files, self.files.root, self.clock)
        found: list[Finding] = []
        after: str | None = ""
        while after is not None:
            step = await walker.step(after, Wanted(**options))
            found += step.findings
            after = step.after
        return found


@asynccontextmanager
async def archive(
    tmp_path: Path,
    *,
    room: int = 1 << 40,
    deliveries_days: int = 30,
    last_written: float | None = None,
    plans: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Any,
) -> AsyncIterator[Archive]:
    """*settings* are those of ``[retention]``, in which all may go at once for the sake of the disk unless they say
    otherwise; the books are checked at the end."""
    settings.setdefault("free_share", 1.0)
    clock, told = ManualClock(NOW), list[StoredEvent]()
    os.makedirs(tmp_path, exist_ok=True)
    async with open_store(tmp_path, told.extend) as store:
        files = SmallDisk(tmp_path / "media", room)
        configured = {name: plan_of(name, Plan(**each).model_dump()) for name, each in (plans or {}).items()}
        known = Plans(store, clock, configured)
        await known.load()
        keeping = housekeeping(
            Retention(**settings), deliveries_days, store, known, files, files.root, clock, last_written
        )
        yield Archive(store, files, clock, known, keeping, told)
        assert await store.credits.check() == []


def lived(coroutine: Any) -> None:
    """Runs one example of a property to its end."""
    asyncio.run(coroutine)
