"""A supervisor over a real store, a manual clock and scripted upstreams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.core.asset import InputFile
from sora_gateway.core.catalogue import Route
from sora_gateway.core.claim import Claim
from sora_gateway.core.job import Job, JobId, State
from sora_gateway.core.messages import StoredEvent
from sora_gateway.core.money import OnCancel
from sora_gateway.core.polling import PolicyName, PollPolicy
from sora_gateway.media.download import Downloader
from sora_gateway.media.files import MediaFiles
from sora_gateway.store import Store, schema
from sora_gateway.supervisor import Order, Supervisor
from sora_gateway.supervisor.gate import Gate
from sora_gateway.supervisor.watcher import Limits, Upstream
from tests.fakes import REAL_WORK, CountingEntropy, ManualClock, ScriptedUpstream

MIGRATIONS = Path(__file__).parent.parent / "migrations"
OWNER = "user_owner"


@dataclass
class Workshop:
    """Everything that a test of the supervisor touches."""

    store: Store
    supervisor: Supervisor
    clock: ManualClock
    upstream: ScriptedUpstream
    told: list[StoredEvent] = field(default_factory=list)

    async def accept(
        self,
        prompt: str = "a paper boat",
        credits: int = 10,
        inputs: tuple[InputFile, ...] = (),
        claim: Claim | None = None,
    ) -> Job:
        return await self.supervisor.accept(self.order(prompt, credits=credits, inputs=inputs), claim)

    def order(self, prompt: str, owner: str = OWNER, upstream: str = "", **other: Any) -> Order:
        """What *owner* asks for."""
        name = upstream or self.upstream.name
        return Order(owner, prompt, "sora-2", name, "sora-2", 4, "1280x720", **other)

    async def job(self, job_id: JobId) -> Job:
        job = await self.store.get(job_id)
        assert job is not None
        return job

    async def reaches(self, job_id: JobId, state: State, within: float = 3600.0, step: float = 1.0) -> Job:
        """The job once it is in *state*; moves time in steps, at most *within* seconds."""
        waited = 0.0
        while (job := await self.job(job_id)).state is not state:
            assert waited < within, f"{job_id} is {job.state} ({job.note}) after {waited:.0f} s, not {state}"
            assert not job.ended, f"{job_id} ended as {job.state} ({job.error_code}: {job.error_message})"
            await self.clock.advance(step)
            waited += step
        return job

    async def balance(self) -> tuple[int, int]:
        """Available and held credits of the owner."""
        user = next(user for user in await self.store.people.users() if user.id == OWNER)
        return user.available, user.held


def count_real_work(stack: ExitStack | AsyncExitStack, store: Store) -> None:
    """Lets :func:`tests.fakes.settle` see what the store and the media files do in their threads."""
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setattr(store._writer, "run", REAL_WORK.counted(store._writer.run))
    patch.setattr(store._readers, "all", REAL_WORK.counted(store._readers.all))
    patch.setattr(Downloader, "fetch", REAL_WORK.counted(Downloader.fetch))
    patch.setattr(Downloader, "stills", REAL_WORK.counted(Downloader.stills))
    for name in ("put", "read", "keep", "clear", "delete"):
        patch.setattr(MediaFiles, name, REAL_WORK.counted(getattr(MediaFiles, name)))


@asynccontextmanager
async def workshop(
    directory: Path,
    upstream: ScriptedUpstream,
    *,
    clock: ManualClock | None = None,
    limits: Limits | None = None,
    max_concurrent: int = 0,
    max_creating: int = 2,
    on_cancel: OnCancel = OnCancel.SETTLE,
    balance: int = 100,
    entered: bool = True,
    upstreams: Mapping[str, Upstream] | None = None,
    entropy: CountingEntropy | None = None,
    routes: Callable[[Job], Sequence[Route]] = lambda _: (),
    watched: Callable[[Job], bool] = lambda _: False,
) -> AsyncIterator[Workshop]:
    """Opens *directory*, new or left behind by an earlier workshop; the books are checked at the end."""
    clock = clock or ManualClock()
    database = directory / "gateway.db"
    schema.prepare(database, MIGRATIONS, clock.now(), "0123456789abcdef")
    told: list[StoredEvent] = []
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store(database, told.extend))
        count_real_work(stack, store)
        if not await store.people.users():
            await store.people.create_user(OWNER, "owner@example.org", "member", None, balance, clock.now())
        files = MediaFiles(directory / "media")
        wired = upstreams or {
            upstream.name: Upstream(
                upstream, Gate(clock, max_concurrent, max_creating), PollPolicy(PolicyName.STEPPED)
            )
        }
        # Ids go on counting over restarts, as real ones never repeat.
        supervisor = Supervisor(
            store, wired, files, Downloader(files, None, clock), clock, entropy or CountingEntropy(),
            limits or Limits(), on_cancel=on_cancel, routes=routes, watched=watched,
        )  # fmt: skip
        if entered:
            await stack.enter_async_context(supervisor)
        yield Workshop(store, supervisor, clock, upstream, told)
        assert await store.credits.check() == []
