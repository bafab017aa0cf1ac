"""Where a job can be; the same list is a CHECK constraint in SQL."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    QUEUED = "queued"
    """Accepted and stored, not sent. The watcher claims it when the upstream has a free place; after a restart it goes on."""
    SUBMITTING = "submitting"
    """The intent to pay is committed and a create may be on the wire. Only its answer moves it on; after a restart it is unknown."""
    PROCESSING = "processing"
    """The upstream has it and gave it an id. Polls move it on; after a restart they resume and nothing is submitted again."""
    STORING = "storing"
    """The upstream has finished. The download moves it on; after a restart it resumes where the file ends."""
    UNKNOWN = "unknown"
    """A create may or may not have been paid for. Its hold stays; only finding it upstream or a person moves it on."""
    CANCELLING = "cancelling"
    """A person wants it stopped and the upstream has it. The upstream's answer, or its silence, moves it on."""
    COMPLETED = "completed"
    """The file is stored, checked and named. Nothing follows."""
    FAILED = "failed"
    """It ended without a file, with a reason. Nothing follows."""
    CANCELLED = "cancelled"
    """A person ended it. Nothing follows."""


ENDED = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})
