"""What one look at an upstream said about a job, free of any dialect."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LookKind(StrEnum):
    ALIVE = "alive"
    """Queued or running there; an unlisted status counts as running."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    MISSING = "missing"
    """It says that it does not know the id (404, 410, ``task_not_exist``)."""
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
