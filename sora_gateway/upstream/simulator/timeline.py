"""What a simulated job looks like at a moment: a pure function of its record and the time.

Nothing but the record is stored, so a restart in mid-job changes nothing that anybody can see.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import NormalDist
from typing import Any

from sora_gateway.upstream.simulator.faults import NO_FAULTS, Faults

QUEUED_SHARE = 0.08
"""Part of a job's duration that it waits."""
MAX_QUEUED = 2.0
"""Seconds of waiting at most."""

MODERATION = "moderation_blocked"
MESSAGES: Mapping[str, str] = {
    MODERATION: "Your request was blocked by our moderation system.",
    "video_generation_failed": "The video could not be generated; try again.",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One paid create, as it is stored. Times in epoch seconds, *duration* in seconds."""

    id: str
    prompt: str
    model: str
    seconds: str
    size: str
    created_at: float
    duration: float
    failure: str = ""
    """The error code that the job ends with; empty when it succeeds."""
    client_request_id: str = ""
    faults: Faults = field(default_factory=lambda: NO_FAULTS)
    reference: str = ""
    """The name of its reference image's file, if it has one that is kept."""
    remixed_from: str | None = None
    characters: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"faults": dict(self.faults)}

    @property
    def width(self) -> int:
        return int(self.size.split("x")[0])

    @property
    def height(self) -> int:
        return int(self.size.split("x")[1])


@dataclass(frozen=True, slots=True)
class Moment:
    """*status* in OpenAI's words; *progress* 0..100 or None; *completed_at* in epoch seconds."""

    status: str
    progress: int | None
    completed_at: float | None = None

    @property
    def ended(self) -> bool:
        return self.status in ("completed", "failed")


def drawn_duration(median: float, sigma: float, fraction: float) -> float:
    """A log-normal duration in seconds; *fraction* in [0, 1) is the randomness, 0.5 gives the median."""
    inside = min(max(fraction, 1e-6), 1 - 1e-6)
    return median * math.exp(sigma * NormalDist().inv_cdf(inside))


def moment(record: Record, now: float) -> Moment:
    """How *record*'s job stands at *now*. Time before the create counts as the create's."""
    age = max(0.0, now - record.created_at)
    if age >= record.duration and "never" not in record.faults:
        if record.failure:
            return Moment("failed", _shown(record, 0.99))
        return Moment("completed", _shown(record, 1.0), record.created_at + record.duration)
    waiting = min(MAX_QUEUED, record.duration * QUEUED_SHARE)
    if age < waiting:
        return Moment("queued", _shown(record, 0.0))
    running = record.duration - waiting
    return Moment("in_progress", _shown(record, min(0.99, (age - waiting) / running) if running else 0.99))


def video_object(record: Record, now: float) -> dict[str, Any]:
    """The job as OpenAI's ``Video`` object."""
    at = moment(record, now)
    error = None
    if at.status == "failed":
        message = MESSAGES.get(record.failure, MESSAGES["video_generation_failed"])
        error = {"code": record.failure, "message": message}
    return {
        "id": record.id,
        "object": "video",
        "model": record.model,
        "status": at.status,
        "progress": at.progress,
        "created_at": int(record.created_at),
        "completed_at": None if at.completed_at is None else int(at.completed_at),
        # The files are kept until the job is deleted.
        "expires_at": None,
        "prompt": record.prompt,
        "size": record.size,
        "seconds": record.seconds,
        "remixed_from_video_id": record.remixed_from,
        "error": error,
    }


def _shown(record: Record, share: float) -> int | None:
    """Progress as the job's faults let it be seen; a finished video has made it to the end whatever they say."""
    if "no_progress" in record.faults:
        return None
    percent = int(share * 100)
    if share >= 1.0:
        return percent
    if "backwards" in record.faults and 0.5 <= share < 0.75:
        percent -= 30
    stuck = record.faults.get("stuck")
    return min(percent, int(stuck)) if isinstance(stuck, float) else percent
