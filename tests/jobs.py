"""Jobs for tests, and a walk through the machine that is stored on the way."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from sora_gateway.core.asset import StoredFile
from sora_gateway.core.job import (
    Accepted,
    Claimed,
    Event,
    ExternalId,
    Job,
    JobId,
    Observed,
    Stored,
    UpstreamCompleted,
    advance,
)
from sora_gateway.core.money import movement
from sora_gateway.store import Store
from sora_gateway.store.jobs import Answered, Intent

NOW = 1_800_000_000.0
_numbers = itertools.count(1)


def make_job(**overrides: Any) -> Job:
    """A queued job like any other, with an id of its own; *overrides* are its fields."""
    fields: dict[str, Any] = {
        "id": JobId(f"video_{next(_numbers):032x}"),
        "owner": "user_ada",
        "prompt": "a lighthouse in a storm",
        "model": "sora-2",
        "upstream": "lab",
        "upstream_model": "wan-2.2",
        "seconds": 8,
        "size": "1280x720",
        "created_at": NOW,
    }
    return Job(**(fields | overrides))


def stored_file(job: Job, variant: str = "video") -> StoredFile:
    return StoredFile(variant, f"{job.id}/{variant}", "video/mp4", 1000, "0" * 64)


async def accepted(store: Store, **overrides: Any) -> Job:
    """A new job, in the store."""
    job = make_job(**overrides)
    await store.accept(job)
    return job


async def walk(
    store: Store, job: Job, *events: Event, variants: Sequence[str] = ("video", "thumbnail", "spritesheet")
) -> Job:
    """The stored *job* after *events*, each saved as a change of its own with the attempt and money that
    belong to it; a finished one has files for *variants*."""
    for event in events:
        after = advance(job, event)
        if after is job:
            continue
        attempt: Intent | Answered | None = None
        if isinstance(event, Claimed):
            attempt = Intent(f"attempt_{after.id}_{after.attempt}")
        elif isinstance(event, Accepted):
            attempt = Answered("receipt", event.external_id)
        files = (
            tuple(stored_file(after, variant) for variant in variants) if isinstance(event, Stored) else ()
        )
        await store.save(job, after, event, movement(job, event, after), attempt, files)
        job = after
    return job


def to_processing(external_id: str, at: float = NOW) -> tuple[Event, ...]:
    """From queued to processing, under *external_id*."""
    return Claimed(at), Accepted(at, ExternalId(external_id))


def to_completed(at: float = NOW) -> tuple[Event, ...]:
    """From processing to completed, with one look at half of it."""
    return Observed(at, 50.0), UpstreamCompleted(at), Stored(at)
