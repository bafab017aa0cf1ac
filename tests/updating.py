"""Updates jobs as fast as the real store takes it and prints every update that was acknowledged; killed by its parent.

Run as ``python -m tests.updating DIRECTORY``. One line per acknowledgement: job id and version. With ``early``
as a second argument it acknowledges what is not committed yet, which its parent must notice.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from sora_gateway.core.job import (
    ENDED,
    Accepted,
    Claimed,
    Event,
    ExternalId,
    Job,
    JobId,
    Observed,
    Stored,
    UpstreamCompleted,
)
from sora_gateway.core.money import OnCancel
from sora_gateway.entropy import SystemEntropy
from sora_gateway.store import Store
from sora_gateway.store.jobs import Answered, Intent
from sora_gateway.supervisor.recorder import Recorder
from tests.fakes import ManualClock
from tests.jobs import make_job, stored_file
from tests.stores import ADA, open_store

CALLERS = 12
LOOKS = 20


def acknowledge(job_id: JobId, version: int) -> None:
    """Out of this process in one system call: what a pipe has, a kill does not take back."""
    os.write(sys.stdout.fileno(), f"{job_id} {version}\n".encode())


async def lead(store: Store, recorder: Recorder, job: Job | None, new_id: JobId, early: bool) -> None:
    """Takes a job, a new one or one that an earlier process left, to its end."""
    if job is None:
        job = make_job(id=new_id)
        await store.accept(job)
        acknowledge(job.id, job.version)
    now = job.created_at
    events: list[tuple[Event, Intent | Answered | None]] = [
        (Claimed(now), Intent(f"attempt-{job.id}")),
        (Accepted(now, ExternalId(f"ext-{job.id}")), Answered("receipt", f"ext-{job.id}")),
        *((Observed(now, 4.0 * look), None) for look in range(1, LOOKS)),
        (UpstreamCompleted(now), None),
        (Stored(now), None),
    ]
    for event, attempt in events[job.version - 1 :]:
        assets = (stored_file(job),) if isinstance(event, Stored) else ()
        if early:
            acknowledge(job.id, job.version + 1)
        job = await recorder.record(job, event, attempt, assets)
        if not early:
            acknowledge(job.id, job.version)
    assert job.state in ENDED


async def main(directory: Path, early: bool) -> None:
    entropy = SystemEntropy()
    async with open_store(directory, people=(ADA,)) as store:
        recorder = Recorder(store, ManualClock(), OnCancel.SETTLE)
        left = iter(await store.unfinished())

        async def caller() -> None:
            for _ in itertools.count():
                await lead(store, recorder, next(left, None), JobId(entropy.new_id("video")), early)

        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(caller())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), early=sys.argv[2:] == ["early"]))
