"""What people and programs see of a job: the task of ``/api`` and the video of ``/v1``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from sora_gateway.core.fair_queue import Lane
from sora_gateway.core.job import Job, State
from sora_gateway.core.operation import Operation
from sora_gateway.core.visibility import Visibility

Status = Literal["queued", "processing", "completed", "failed", "cancelled"]
VideoStatus = Literal["queued", "in_progress", "completed", "failed"]

_STATUS: dict[State, Status] = {
    State.QUEUED: "queued",
    State.SUBMITTING: "processing",
    State.PROCESSING: "processing",
    State.STORING: "processing",
    State.UNKNOWN: "processing",
    State.CANCELLING: "processing",
    State.COMPLETED: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}
_VIDEO_STATUS: dict[Status, VideoStatus] = {
    "queued": "queued",
    "processing": "in_progress",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "failed",
}

FIRST_MOMENT = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LAST_MOMENT = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
"""Between them a moment has a year of four digits in UTC."""

Priority = Literal["vip", "normal", "batch"]
_PRIORITY: dict[Lane, Priority] = {Lane.VIP: "vip", Lane.NORMAL: "normal", Lane.BATCH: "batch"}
Orientation = Literal["landscape", "portrait", "square"]


class View(BaseModel):
    """Base of everything in ``/api``: snake case inside, camelCase on the wire."""

    # Validators are built at a model's first use: most starts need few of them, and all take 7 % of a start.
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, defer_build=True)


class OpenAIView(BaseModel):
    """Base of everything in ``/v1``: the names of OpenAI's API on both sides."""

    model_config = ConfigDict(defer_build=True)


class TaskError(View):
    code: str
    message: str


class Owner(View):
    """Whose it is. *email* is null where the account is not there any more."""

    id: str
    email: str | None


class Task(View):
    """A job as ``/api`` and the live messages show it. Times are ISO 8601 in UTC."""

    video_id: str
    external_video_id: str | None
    status: Status
    stage: State
    progress: float
    progress_estimated: bool
    overdue: bool
    cancel_requested: bool
    note: str
    prompt: str
    model: str
    upstream: str
    seconds: int
    size: str
    orientation: Orientation
    credits: int
    error: TaskError | None
    video_url: str | None
    thumbnail_url: str | None
    spritesheet_url: str | None
    created_at: str
    submitted_at: str | None
    completed_at: str | None
    estimated_completion_at: str | None
    expires_at: str | None
    retry_of: str | None
    operation: Operation
    source_video_id: str | None
    reference_url: str | None
    visibility: Visibility
    owner: Owner
    mine: bool
    tags: list[str]
    batch_id: str | None
    priority: Priority
    queue_position: int | None = Field(
        description="While it waits for a place at its upstream: the next one is at 1."
    )
    estimated_start_at: str | None
    upstream_cost: float | None = Field(
        description="What the upstream says that it took, in its own money; null when it does not say."
    )
    seq: int


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a queued job stands at its upstream, and when it should get its place; None when nobody can say."""

    position: int
    starts_at: float | None


@dataclass(frozen=True, slots=True)
class Beside:
    """What is shown of a job beside what is in it: *urls* maps a stored variant (video, thumbnail, spritesheet,
    reference) to an address signed for its reader, *expected* is the learned duration in seconds from receipt to
    completion, *email* is its owner's address."""

    urls: Mapping[str, str]
    email: str | None = None
    expected: float | None = None
    tags: Sequence[str] = ()
    turn: Turn | None = None


class VideoError(OpenAIView):
    code: str
    message: str


class Video(OpenAIView):
    """The Video object of OpenAI's API. Times are epoch seconds, ``seconds`` is a string."""

    id: str
    object: Literal["video"] = "video"
    model: str
    status: VideoStatus
    progress: int
    created_at: int
    completed_at: int | None
    expires_at: int | None
    prompt: str
    size: str
    seconds: str
    remixed_from_video_id: str | None
    error: VideoError | None


def status_of(state: State) -> Status:
    """The five words of the API for the nine stages of the machine."""
    return _STATUS[state]


def orientation_of(size: str) -> Orientation:
    width, height = (int(side) for side in size.split("x"))
    return "square" if width == height else "landscape" if width > height else "portrait"


def iso(moment: float | None) -> str | None:
    """Epoch seconds as ISO 8601 in UTC with milliseconds; of what cannot be written so, the nearest that can."""
    if moment is None:
        return None
    # With a time zone people can name moments that have no year in UTC, and a code adds its days to any moment.
    return (
        datetime.fromtimestamp(min(max(moment, FIRST_MOMENT), LAST_MOMENT), UTC).isoformat(
            timespec="milliseconds"
        )[:-6]
        + "Z"
    )


def error_of(job: Job) -> TaskError | None:
    if job.state is State.CANCELLED:
        return TaskError(code="cancelled", message="The video was cancelled.")
    if job.state is State.FAILED:
        return TaskError(code=job.error_code or "failed", message=job.error_message or "The video failed.")
    return None


def task_view(job: Job, beside: Beside, *, reader: str) -> Task:
    """*reader* is the id of whoever reads it."""
    urls, expected, turn = beside.urls, beside.expected, beside.turn
    eta = None if job.ended or expected is None or job.accepted_at is None else job.accepted_at + expected
    return Task(
        video_id=job.id,
        external_video_id=job.external_id,
        status=status_of(job.state),
        stage=job.state,
        progress=round(job.progress, 1),
        progress_estimated=job.progress_estimated,
        overdue=job.overdue,
        cancel_requested=job.cancel_requested,
        note=job.note,
        prompt=job.prompt,
        model=job.model,
        upstream=job.upstream,
        seconds=job.seconds,
        size=job.size,
        orientation=orientation_of(job.size),
        credits=job.credits,
        error=error_of(job),
        video_url=urls.get("video"),
        thumbnail_url=urls.get("thumbnail"),
        spritesheet_url=urls.get("spritesheet"),
        created_at=iso(job.created_at) or "",
        submitted_at=iso(job.submitted_at),
        completed_at=iso(job.finished_at) if job.state is State.COMPLETED else None,
        estimated_completion_at=iso(eta),
        expires_at=iso(job.expires_at),
        retry_of=job.retry_of,
        operation=job.operation,
        source_video_id=job.source_id,
        reference_url=urls.get("reference"),
        visibility=job.visibility,
        owner=Owner(id=job.owner, email=beside.email),
        mine=job.owner == reader,
        tags=list(beside.tags),
        batch_id=job.batch_id,
        priority=_PRIORITY[job.lane],
        queue_position=turn.position if turn else None,
        estimated_start_at=iso(turn.starts_at) if turn else None,
        upstream_cost=job.cost,
        seq=job.version,
    )


def video_view(job: Job) -> Video:
    """The same job in OpenAI's shape; a cancelled one has failed with ``error.code = "cancelled"``."""
    error = error_of(job)
    done = job.state is State.COMPLETED
    return Video(
        id=job.id,
        model=job.model,
        status=_VIDEO_STATUS[status_of(job.state)],
        progress=int(job.progress),
        created_at=int(job.created_at),
        completed_at=int(job.finished_at) if done and job.finished_at is not None else None,
        expires_at=None,
        prompt=job.prompt,
        size=job.size,
        seconds=str(job.seconds),
        remixed_from_video_id=job.source_id if job.operation is Operation.REMIX else None,
        error=VideoError(code=error.code, message=error.message) if error else None,
    )
