"""What is told to people of each change of a job: a word for it, a sentence, and the state that is stored with it.

Every stored event carries the whole public state of its job, so an unread one may be replaced by the next.
Stored events hold no addresses: those are signed when a message is made for a reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from pydantic_core import to_json

from sora_gateway.core import job as j
from sora_gateway.core.job import Event, Job, State
from sora_gateway.core.retention import gone_sentence
from sora_gateway.core.views import Status, TaskError, View, error_of, iso, status_of
from sora_gateway.core.visibility import Visibility

Step = Literal[
    "accepted", "submitting", "submitted", "waiting", "progress", "overdue", "downloading", "done", "failed",
    "unknown", "cancelling", "cancelled", "deleted", "visibility", "charge", "removed",
    "found",
]  # fmt: skip

_STEPS: dict[type[Event], Step] = {
    j.Claimed: "submitting",
    j.Postponed: "waiting",
    j.Refused: "failed",
    j.Accepted: "submitted",
    j.AnswerLost: "unknown",
    j.Observed: "progress",
    j.Waiting: "waiting",
    j.Rerouted: "waiting",
    j.BecameOverdue: "overdue",
    j.UpstreamCompleted: "downloading",
    j.UpstreamFailed: "failed",
    j.LostUpstream: "unknown",
    j.Stored: "done",
    j.FileLost: "failed",
    j.CancelRequested: "cancelling",
    j.CancelConfirmed: "cancelled",
    j.CancelUnconfirmed: "cancelled",
    j.Adopted: "submitted",
    j.PayAgain: "waiting",
    j.GivenUp: "failed",
    j.FinalLimit: "failed",
    j.Deleted: "deleted",
    j.FilesRemoved: "removed",
    j.FilesFound: "found",
    j.VisibilityChanged: "visibility",
    j.ChargeSettled: "charge",
    j.ChargeReleased: "charge",
}


def step_of(event: Event | None, after: Job) -> Step:
    """The word told to people for what just happened; None is the accept itself."""
    if event is None:
        return "accepted"
    if after.deleted_at is not None:
        # Its credits may be decided on later, which brings nothing back to whoever follows it.
        return "deleted"
    if after.state is State.CANCELLED and not isinstance(
        event, j.Deleted | j.VisibilityChanged | j.FilesRemoved | j.FilesFound
    ):
        return "cancelled"
    return _STEPS[type(event)]


def sentence_of(step: Step, job: Job, event: Event | None, at: float) -> str:
    """The same in one plain sentence; *at* is the moment of the change."""
    match step:
        case "accepted":
            return "Checked and accepted; waiting for a free place."
        case "submitting":
            return f"Sending it to {job.upstream}."
        case "submitted":
            return f"{job.upstream} has it, as {job.external_id}."
        case "waiting":
            return job.note or "Waiting."
        case "progress":
            return _progress_sentence(job, event, at)
        case "overdue":
            return f"Not ready{_so_far(job, at)}, which is longer than usual; still watching."
        case "downloading":
            return "Finished upstream; downloading the file."
        case "done":
            return "The video is ready."
        case "failed":
            return job.error_message or "The video failed."
        case "unknown":
            return f"It is not known whether {job.upstream} accepted it ({job.note}); an administrator can decide."
        case "cancelling":
            return "Cancelling."
        case "cancelled":
            return "Cancelled."
        case "deleted":
            return "Deleted."
        case "charge":
            return job.note
        case "removed":
            return _removed_sentence(event)
        case "found":
            return _found_sentence(event)
        case "visibility":
            return "The team may see it." if job.visibility is Visibility.TEAM else "Private again."


def _removed_sentence(event: Event | None) -> str:
    assert isinstance(event, j.FilesRemoved)
    if event.variants and "video" not in event.variants:
        return f"Not on the gateway's disk any more: {', '.join(event.variants)}."
    return gone_sentence(event.at, event.because)


def _found_sentence(event: Event | None) -> str:
    assert isinstance(event, j.FilesFound)
    if "video" not in event.variants:
        return f"On the gateway's disk again: {', '.join(event.variants)}."
    return "The file of this video is on the gateway's disk again."


def _progress_sentence(job: Job, event: Event | None, at: float) -> str:
    remaining = event.remaining if isinstance(event, j.Observed) else None
    left = "" if remaining is None else f"; about {_roughly(remaining)} to go"
    return f"{'About ' if job.progress_estimated else ''}{job.progress:.0f} % done{_so_far(job, at)}{left}."


def _so_far(job: Job, at: float) -> str:
    """How long ago the create was sent, where one was."""
    return "" if job.submitted_at is None else f" after {_span(at - job.submitted_at)}"


def _span(seconds: float) -> str:
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _roughly(seconds: float) -> str:
    """A guess, no finer than it is worth: five seconds, then whole minutes."""
    step = 5 if seconds < 57.5 else 60
    return _span(max(step, round(seconds / step) * step))


class PublicState(View):
    """What an event says of its job."""

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
    step: Step = Field(description="What just happened, in one word.")
    message: str = Field(description="The same in one plain sentence.")
    error: TaskError | None = Field(
        description="Why there will be no video; null unless it failed or was cancelled."
    )
    visibility: Visibility = Field(default=Visibility.PRIVATE, description="Who may see it.")
    seq: int = Field(description="Counts its changes: of two messages about it the higher one is newer.")
    timestamp: str = Field(description="When it happened: ISO 8601 in UTC.")


class StoredState(PublicState):
    """The same as it is stored: with the names of the job's files, whose addresses depend on when it is read."""

    variants: list[str] = Field(default_factory=list)


def stored_state(job: Job, event: Event | None, at: float, variants: Sequence[str] = ()) -> tuple[Step, str]:
    """The step, and the JSON of :class:`StoredState`, that are stored with the change that *event* made.

    *variants* are the files of a completed job. Written out by name, because making and checking the model takes
    as long as storing the change; a test reads every payload back through it.
    """
    step, error = step_of(event, job), error_of(job)
    payload = to_json(
        {
            "videoId": job.id,
            "externalVideoId": job.external_id,
            "status": status_of(job.state),
            "stage": job.state,
            "progress": round(job.progress, 1),
            "progressEstimated": job.progress_estimated,
            "overdue": job.overdue,
            "cancelRequested": job.cancel_requested,
            "step": step,
            "message": sentence_of(step, job, event, at),
            "error": error and {"code": error.code, "message": error.message},
            "visibility": job.visibility,
            "seq": job.version,
            "timestamp": iso(at),
            "variants": variants,
        }
    )
    return step, payload.decode()
