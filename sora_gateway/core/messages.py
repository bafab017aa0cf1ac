"""The wire messages of ``/ws`` and SSE, both directions, and the cursor that resumes them.

Every stored event carries the whole public state of its job, so an unread one may be replaced by the next.
Stored events hold no addresses: those are signed when a message is made for a reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from sora_gateway.core import job as j
from sora_gateway.core.job import Event, Job, State
from sora_gateway.core.views import Status, Task, TaskError, View, error_of, iso, status_of
from sora_gateway.core.visibility import Visibility


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the event log: the log's epoch and the global sequence number of the last event seen."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """The cursor written as *text*, or None if it is none."""
        match = re.fullmatch(r"([0-9a-f]{16})-(0|[1-9][0-9]{0,18})", text)
        return cls(match[1], int(match[2])) if match else None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One row of the event log, as the hub and the replay hand it on."""

    seq: int
    job_id: str
    owner: str
    job_seq: int
    step: str
    payload: str
    """JSON of :class:`StoredState`."""
    at: float
    final: bool
    team: bool = False
    """Whether the whole team may see the job: when it happened for the hub, today for the replay."""


Step = Literal[
    "accepted", "submitting", "submitted", "waiting", "progress", "overdue", "downloading", "done", "failed",
    "unknown", "cancelling", "cancelled", "deleted", "visibility", "charge",
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
    if after.state is State.CANCELLED and not isinstance(event, j.Deleted | j.VisibilityChanged):
        return "cancelled"
    return _STEPS[type(event)]


def sentence_of(step: Step, job: Job) -> str:
    """The same in one plain sentence."""
    match step:
        case "accepted":
            return "Accepted; waiting for a free place."
        case "submitting":
            return f"Sending it to {job.upstream}."
        case "submitted":
            return f"{job.upstream} has it."
        case "waiting":
            return job.note or "Waiting."
        case "progress":
            return f"{'About ' if job.progress_estimated else ''}{job.progress:.0f} % done."
        case "overdue":
            return "It takes longer than usual; still watching."
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
        case "visibility":
            return "The team may see it." if job.visibility is Visibility.TEAM else "Private again."


class PublicState(View):
    """What an event says of its job."""

    video_id: str
    external_video_id: str | None
    status: Status
    stage: State
    progress: float
    progress_estimated: bool
    overdue: bool
    cancel_requested: bool
    step: Step
    message: str
    error: TaskError | None
    visibility: Visibility = Visibility.PRIVATE
    seq: int
    timestamp: str


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
            "message": sentence_of(step, job),
            "error": error and {"code": error.code, "message": error.message},
            "visibility": job.visibility,
            "seq": job.version,
            "timestamp": iso(at),
            "variants": variants,
        }
    )
    return step, payload.decode()


# --- server to client --------------------------------------------------------------------------------


class Assets(View):
    """Signed addresses of a completed job's files."""

    video_url: str | None = None
    thumbnail_url: str | None = None
    spritesheet_url: str | None = None


class Ready(View):
    """The socket is authenticated; subscriptions are welcome."""

    type: Literal["ready"] = "ready"
    cursor: str
    heartbeat: float


class Subscribed(View):
    """The answer to ``subscribe``: the newest state of what was asked for, and the cursor after which updates follow.

    One task for a job, up to a hundred newest for ``all``; none with ``pending`` while the job does not exist,
    and a second answer with the task once it does. With an honoured ``since`` the cursor is that one, and the
    updates that were missed follow first: those whose ``seq`` is not above the task's tell its past.
    """

    type: Literal["subscribed"] = "subscribed"
    topic: str
    cursor: str
    tasks: list[Task]


class Update(PublicState):
    """One change of one job."""

    type: Literal["update"] = "update"
    cursor: str
    assets: Assets | None = None


class Reset(View):
    """The cursor cannot be honoured: take the snapshot that follows."""

    type: Literal["reset"] = "reset"
    cursor: str
    reason: Literal["epoch", "too_old", "too_many", "unknown_cursor"]


class Unsubscribed(View):
    type: Literal["unsubscribed"] = "unsubscribed"
    topic: str


class ErrorMessage(View):
    """A message of the client's that could not be served; the connection stays."""

    type: Literal["error"] = "error"
    code: str
    message: str
    topic: str | None = None


class Pong(View):
    type: Literal["pong"] = "pong"


UrlsOf: TypeAlias = Callable[[str, Sequence[str]], Mapping[str, str]]
"""From a job's id and the names of its stored files to their addresses by name, signed now."""


def update_of(event: StoredEvent, epoch: str, urls_of: UrlsOf) -> Update:
    """The message for one stored event, the same for every reader; with addresses when there are files."""
    state = StoredState.model_validate_json(event.payload)
    variants = state.variants
    urls = urls_of(event.job_id, variants) if variants else {}
    assets = Assets(**{f"{variant}_url": url for variant, url in urls.items()}) if urls else None
    shown = {name: getattr(state, name) for name in PublicState.model_fields}
    return Update(**shown, cursor=str(Cursor(epoch, event.seq)), assets=assets)


# --- client to server --------------------------------------------------------------------------------


class ClientMessage(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid", "strict": True})


class Auth(ClientMessage):
    type: Literal["auth"]
    token: Annotated[str, Field(min_length=1, max_length=512)]


class Topic(ClientMessage):
    """Exactly one of the three."""

    video_id: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    external_video_id: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    all: Literal[True] | None = None

    @property
    def name(self) -> str:
        """How answers refer to it: ``video:<id>``, ``external:<id>`` or ``all``."""
        if self.video_id is not None:
            return f"video:{self.video_id}"
        return f"external:{self.external_video_id}" if self.external_video_id is not None else "all"


class Subscribe(Topic):
    type: Literal["subscribe"]
    since: str | None = None
    """Cursor of the last event seen."""
    pending: bool = False
    """Wait for an external id that is not known yet, within the caller's own jobs."""


class Unsubscribe(Topic):
    type: Literal["unsubscribe"]


class Ping(ClientMessage):
    type: Literal["ping"]


AnyClientMessage = Auth | Subscribe | Unsubscribe | Ping


@cache
def _client_messages() -> TypeAdapter[AnyClientMessage]:
    """Built when the first message comes."""
    return TypeAdapter(Annotated[AnyClientMessage, Field(discriminator="type")], config=None)


class BadMessage(Exception):
    """The client's message is none of the protocol's; the text says which part."""


def parse_client_message(text: str) -> AnyClientMessage:
    """The message written as JSON *text*.

    Raises:
        BadMessage: it is not JSON, has an unknown type or key, or names no topic or several.
    """
    try:
        message = _client_messages().validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise BadMessage(f"{where}: {first['msg']}") from None
    if isinstance(message, Topic):
        given: list[Any] = [message.video_id, message.external_video_id, message.all]
        if sum(value is not None for value in given) != 1:
            raise BadMessage("name exactly one of videoId, externalVideoId and all")
    return message
