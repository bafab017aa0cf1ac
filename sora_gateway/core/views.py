"""What people and programs see of a job: the task of ``/api`` and the video of ``/v1``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from sora_gateway.core.fair_queue import Lane, Turn
from sora_gateway.core.job import Job, State
from sora_gateway.core.operation import Operation
from sora_gateway.core.retention import Removal
from sora_gateway.core.visibility import Visibility
from sora_gateway.core.wire import OpenAIView as OpenAIView
from sora_gateway.core.wire import View as View
from sora_gateway.core.wire import iso as iso

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

Priority = Literal["vip", "normal", "batch"]
_PRIORITY: dict[Lane, Priority] = {Lane.VIP: "vip", Lane.NORMAL: "normal", Lane.BATCH: "batch"}
Orientation = Literal["landscape", "portrait", "square"]


class TaskError(View):
    code: str = Field(description="Stable; made for programs.")
    message: str = Field(description="One sentence, made for people.")


class Owner(View):
    """Whose it is."""

    id: str = Field(description="The account's id.")
    email: str | None = Field(description="Null where the account is not there any more.")


class Task(View):
    """A job as ``/api`` and the live messages show it. Times are ISO 8601 in UTC."""

    video_id: str = Field(description="The gateway's own id.")
    external_video_id: str | None = Field(
        description="The upstream's id; null until it has accepted the video."
    )
    status: Status = Field(description="How far it is, in five words.")
    stage: State = Field(description="The same in the nine stages of the gateway's machine.")
    progress: float = Field(description="Percent, 0 to 100; 100 only when the file is stored.")
    progress_estimated: bool = Field(
        description="Whether the progress is the gateway's guess, because the upstream tells none."
    )
    overdue: bool = Field(description="Whether it takes longer than it should; it is still watched.")
    cancel_requested: bool = Field(
        description="Whether somebody wants it stopped, and that is not decided yet."
    )
    note: str = Field(description="What it waits for, in plain words; empty when it simply goes on.")
    prompt: str = Field(description="What is to be seen.")
    model: str = Field(description="The model that was asked for.")
    upstream: str = Field(description="Who makes it, by the name in the gateway's configuration.")
    seconds: int = Field(description="Length of the video.")
    size: str = Field(description="Width and height in pixels, as in `1280x720`.")
    orientation: Orientation = Field(description="The longer side of the size.")
    credits: int = Field(description="Its price, held while it runs.")
    error: TaskError | None = Field(
        description="Why there will be no video; null unless it failed or was cancelled."
    )
    video_url: str | None = Field(description="Signed address of the video; null until it is stored.")
    thumbnail_url: str | None = Field(description="Signed address of its still image.")
    spritesheet_url: str | None = Field(description="Signed address of its film strip.")
    created_at: str = Field(description="When the gateway accepted it.")
    submitted_at: str | None = Field(description="When it was last sent to the upstream.")
    completed_at: str | None = Field(description="When the file was stored.")
    estimated_completion_at: str | None = Field(
        description="When it should be ready, by what others took and by the progress that it has reported; "
        "null when nobody can say."
    )
    expires_at: str | None = Field(
        description="When its files will have been kept long enough and are removed; null: not by their age."
    )
    files_removed_at: str | None = Field(
        description="When its files were removed, although nobody deleted the video."
    )
    files_removed_because: Removal | None = Field(
        description="`age`: kept long enough; `disk`: to make room; `missing`: they were not there any more."
    )
    retry_of: str | None = Field(description="The video that this one tries again.")
    operation: Operation = Field(description="How it is made: anew, or from another video.")
    source_video_id: str | None = Field(description="The video that it is made from.")
    reference_url: str | None = Field(description="Signed address of the image that it begins with.")
    visibility: Visibility = Field(description="Who may see it.")
    owner: Owner = Field(description="Whose it is.")
    mine: bool = Field(description="Whether it is the reader's own.")
    tags: list[str] = Field(description="The words by which its owner finds it again.")
    batch_id: str | None = Field(description="What was ordered together with it.")
    priority: Priority = Field(description="Its owner's place in the queue.")
    queue_position: int | None = Field(
        description="While it waits for a place at its upstream: the next one is at 1."
    )
    estimated_start_at: str | None = Field(
        description="While it waits for a place at its upstream: when it should get one."
    )
    upstream_cost: float | None = Field(
        description="What the upstream says that it took, in its own money; null when it does not say."
    )
    seq: int = Field(description="Counts its changes: of two messages about it the higher one is newer.")


@dataclass(frozen=True, slots=True)
class Beside:
    """What is shown of a job beside what is in it: *urls* maps a stored variant (video, thumbnail, spritesheet,
    reference) to an address signed for its reader, *expected* is how many seconds it should take from receipt to
    completion, *email* is its owner's address."""

    urls: Mapping[str, str]
    email: str | None = None
    expected: float | None = None
    tags: Sequence[str] = ()
    turn: Turn | None = None
    kept_until: float | None = None
    """When its files are removed because of their age."""


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
        expires_at=iso(beside.kept_until),
        files_removed_at=iso(job.files_removed_at),
        files_removed_because=job.files_removed_because,
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


def video_view(job: Job, kept_until: float | None = None) -> Video:
    """The same job in OpenAI's shape; a cancelled one has failed with ``error.code = "cancelled"``. *kept_until* as in
    :class:`Beside`."""
    error = error_of(job)
    done = job.state is State.COMPLETED
    return Video(
        id=job.id,
        model=job.model,
        status=_VIDEO_STATUS[status_of(job.state)],
        progress=int(job.progress),
        created_at=int(job.created_at),
        completed_at=int(job.finished_at) if done and job.finished_at is not None else None,
        expires_at=int(kept_until) if kept_until is not None else None,
        prompt=job.prompt,
        size=job.size,
        seconds=str(job.seconds),
        remixed_from_video_id=job.source_id if job.operation is Operation.REMIX else None,
        error=VideoError(code=error.code, message=error.message) if error else None,
    )
