"""The wire messages of ``/ws`` and SSE, both directions, and the cursor that resumes them.

What an update says of its job is made in :mod:`.steps`, when the change is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from sora_gateway.core.event_log import Cursor as Cursor
from sora_gateway.core.event_log import StoredEvent as StoredEvent
from sora_gateway.core.event_log import UrlsOf as UrlsOf
from sora_gateway.core.job import State
from sora_gateway.core.steps import PublicState, Step, StoredState
from sora_gateway.core.steps import stored_state as stored_state
from sora_gateway.core.views import Status, Task, View

# --- server to client --------------------------------------------------------------------------------

_TYPE = partial(Field, description="Which message it is.")
_TOPIC: str = Field(description="What it is about: `video:ID`, `external:ID` or `all`, as it was subscribed.")
_CURSOR: str = Field(description="Where to go on after this message: `since` of the next `subscribe`.")


class Assets(View):
    """Signed addresses of a completed job's files."""

    video_url: str | None = Field(default=None, description="The video.")
    thumbnail_url: str | None = Field(default=None, description="A still image of it.")
    spritesheet_url: str | None = Field(default=None, description="A film strip of it.")


class Ready(View):
    """The socket is authenticated, at its beginning or once more; subscriptions are welcome."""

    type: Literal["ready"] = _TYPE("ready")
    cursor: str = Field(description="Where the event log is now.")
    heartbeat: float = Field(description="Seconds between two signs of life of an event stream.")


class Subscribed(View):
    """The answer to ``subscribe``: the newest state of what was asked for, and the cursor after which updates follow.

    One task for a job, up to a hundred newest for ``all``; none with ``pending`` while the job does not exist,
    and a second answer with the task once it does. With an honoured ``since`` the cursor is that one, and the
    updates that were missed follow first: those whose ``seq`` is not above the task's tell its past.
    """

    type: Literal["subscribed"] = _TYPE("subscribed")
    topic: str = _TOPIC
    cursor: str = _CURSOR
    tasks: list[Task] = Field(description="The newest state of what was asked for.")


class Update(PublicState):
    """One change of one job."""

    type: Literal["update"] = _TYPE("update")
    cursor: str = _CURSOR
    assets: Assets | None = Field(
        default=None, description="Signed addresses of the files, once they are stored."
    )


class Reset(View):
    """The cursor cannot be honoured: take the snapshot that follows."""

    type: Literal["reset"] = _TYPE("reset")
    cursor: str = _CURSOR
    reason: Literal["epoch", "too_old", "too_many", "unknown_cursor"] = Field(
        description="Another database's cursor, events that are not kept any more, too many of them to be told one by "
        "one, or no cursor at all."
    )


class LogStep(View):
    """One step of a job, as the update said it when it happened."""

    step: Step = Field(description="What happened, in one word.")
    message: str = Field(description="The same in one plain sentence.")
    status: Status = Field(description="How far the video was then, in five words.")
    stage: State = Field(description="The same in the nine stages of the gateway's machine.")
    progress: float = Field(description="Percent, 0 to 100.")
    seq: int = Field(description="Counts the video's changes.")
    timestamp: str = Field(description="When it happened: ISO 8601 in UTC.")


LOG_STEPS = 200
"""Steps of one :class:`Log`: the newest. Who reads them for it needs one more, to tell that there are older ones."""


class Log(View):
    """The steps of one job so far, oldest first: for ``subscribe`` with ``log``, before its snapshot.

    Of a long one, and of one whose oldest events are trimmed, the newest are there, and ``truncated`` says so.
    """

    type: Literal["log"] = _TYPE("log")
    topic: str = _TOPIC
    video_id: str = Field(description="The gateway's own id.")
    steps: list[LogStep] = Field(max_length=LOG_STEPS, description="Oldest first.")
    truncated: bool = Field(description="Whether there were older ones that are not told.")


class Unsubscribed(View):
    """The answer to ``unsubscribe``: nothing of the topic follows."""

    type: Literal["unsubscribed"] = _TYPE("unsubscribed")
    topic: str = _TOPIC


class ErrorMessage(View):
    """A message of the client's that could not be served; the connection stays."""

    type: Literal["error"] = _TYPE("error")
    code: str = Field(description="Stable; made for programs.")
    message: str = Field(description="One sentence, made for people.")
    topic: str | None = Field(default=None, description="What it is about, as in `subscribed`.")


class Pong(View):
    """The answer to ``ping``."""

    type: Literal["pong"] = _TYPE("pong")


SERVER_MESSAGES: tuple[type[View], ...] = (
    Ready, Subscribed, Update, Log, Reset, Unsubscribed, ErrorMessage, Pong,
)  # fmt: skip


def update_of(event: StoredEvent, epoch: str, urls_of: UrlsOf) -> Update:
    """The message for one stored event, the same for every reader; with addresses when there are files."""
    state = StoredState.model_validate_json(event.payload)
    variants = state.variants
    urls = urls_of(event.job_id, variants) if variants else {}
    assets = Assets(**{f"{variant}_url": url for variant, url in urls.items()}) if urls else None
    shown = {name: getattr(state, name) for name in PublicState.model_fields}
    return Update(**shown, cursor=str(Cursor(epoch, event.seq)), assets=assets)


def log_of(topic: str, job_id: str, events: Sequence[StoredEvent]) -> Log:
    """The step log of the job *job_id* from its stored *events*, oldest first."""
    states = [StoredState.model_validate_json(event.payload) for event in events[-LOG_STEPS:]]
    steps = [LogStep(**{name: getattr(state, name) for name in LogStep.model_fields}) for state in states]
    # A job's first change has the number 1; with it nothing is missing.
    truncated = not steps or steps[0].seq > 1
    return Log(topic=topic, video_id=job_id, steps=steps, truncated=truncated)


# --- client to server --------------------------------------------------------------------------------


class ClientMessage(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid", "strict": True})


class Auth(ClientMessage):
    """The first message of who has no header, cookie or ticket; later the same person's new credential."""

    type: Literal["auth"] = _TYPE()
    token: Annotated[str, Field(min_length=1, max_length=512, description="An API key.")]


class Topic(ClientMessage):
    """Exactly one of the three."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["videoId"]}, {"required": ["externalVideoId"]}, {"required": ["all"]}]
        }
    )

    video_id: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        default=None, description="One video, by the gateway's own id."
    )
    external_video_id: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        default=None, description="One video, by its upstream's id."
    )
    all: Literal[True] | None = Field(
        default=None,
        description="All videos of one's own and of the team; an administrator's are everybody's.",
    )

    @property
    def name(self) -> str:
        """How answers refer to it: ``video:<id>``, ``external:<id>`` or ``all``."""
        if self.video_id is not None:
            return f"video:{self.video_id}"
        return f"external:{self.external_video_id}" if self.external_video_id is not None else "all"


class Subscribe(Topic):
    """Follow it from now on; the same topic again begins anew."""

    type: Literal["subscribe"] = _TYPE()
    since: str | None = Field(default=None, description="Cursor of the last event seen.")
    pending: bool = Field(
        default=False,
        description="Wait for an external id that is not known yet, within the caller's own videos.",
    )
    log: bool = Field(
        default=False, description="Send the step log of the video first; nothing of it with `all`."
    )


class Unsubscribe(Topic):
    """Do not follow it any more."""

    type: Literal["unsubscribe"] = _TYPE()


class Ping(ClientMessage):
    """Are you there?"""

    type: Literal["ping"] = _TYPE()


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
