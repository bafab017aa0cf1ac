"""What an upstream said about jobs, free of any dialect."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sora_gateway.core.job import ExternalId


class LookKind(StrEnum):
    ALIVE = "alive"
    """Queued or running there; an unlisted status counts as running."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    MISSING = "missing"
    """It says that it does not know the id (404, 410, ``task_not_exist``)."""
    LOST = "lost"
    """Nobody can be asked any more how the job ends: the connection that was the job has gone."""
    TROUBLE = "trouble"
    """No usable answer: the job is as it was."""
    OUT_OF_ORDER = "out_of_order"
    """401, 402 or 403: our account there is the problem; the job is as it was."""


@dataclass(frozen=True, slots=True)
class Look:
    """One observation. *progress* in percent or None; *expires_at* in epoch seconds; *retry_after* in seconds."""

    kind: LookKind
    status: str = ""
    """The upstream's own word for the state."""
    progress: float | None = None
    result_url: str | None = None
    """Absolute address of the result if the object named one."""
    expires_at: float | None = None
    code: str = ""
    message: str = ""
    """On failure the upstream's reason; on trouble what went wrong; bounded and redacted."""
    retry_after: float | None = None
    took: float | None = None
    """Seconds from the beginning to the end, if the object says when it was completed."""
    cost: float | None = None
    """What it took for a finished video, in its own money, if the object says so."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of an upstream's list: what a look at the job would say, and by what a lost create is known again.

    What the upstream does not tell is None. *created_at* is in epoch seconds of the upstream's clock.
    """

    external_id: ExternalId
    look: Look
    created_at: float | None = None
    prompt: str | None = None
    model: str | None = None
    seconds: str | None = None
    size: str | None = None
    token: str | None = None
    """Our own word for the attempt, from upstreams that keep one."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of an upstream's list, newest first."""

    rows: tuple[Listed, ...]
    more: bool
    """Whether there are older ones."""
    date: float | None = None
    """The upstream's clock when it answered, in epoch seconds."""
