"""One example of every live message, made by what makes the real ones: the life of one video."""

from __future__ import annotations

from dataclasses import replace

from sora_gateway.core import job as j
from sora_gateway.core.messages import (
    Auth,
    Cursor,
    ErrorMessage,
    Ping,
    Pong,
    Ready,
    Reset,
    StoredEvent,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    log_of,
    stored_state,
    update_of,
)
from sora_gateway.core.views import Beside, Task, View, task_view

_EPOCH = "0123456789abcdef"
_BEGAN = 1_790_000_000.0
_ADDRESSES = {
    "video": "/api/video/tasks/video_1/content?variant=video&signature=c2ln",
    "thumbnail": "/api/video/tasks/video_1/content?variant=thumbnail&signature=c2ln",
}
_AUTH = Auth(type="auth", token="YOUR_API_KEY")  # noqa: S106 - what stands in a key's place


def examples() -> dict[type[View], list[View]]:
    """By the kind of message."""
    job = _accepted()
    sent = replace(job, state=j.State.SUBMITTING, submitted_at=_BEGAN + 1, version=2)
    running = replace(
        sent,
        state=j.State.PROCESSING,
        external_id=j.ExternalId("video_abc"),
        accepted_at=_BEGAN + 2,
        version=3,
    )
    seen = replace(running, progress=42.0, version=4)
    done = replace(seen, state=j.State.COMPLETED, progress=100.0, finished_at=_BEGAN + 193, version=6)
    story: list[tuple[j.Job, j.Event | None, float]] = [
        (job, None, _BEGAN),
        (sent, j.Claimed(_BEGAN + 1), _BEGAN + 1),
        (running, j.Accepted(_BEGAN + 2, j.ExternalId("video_abc")), _BEGAN + 2),
        (seen, j.Observed(_BEGAN + 81, 42.0, remaining=118.0), _BEGAN + 81),
        (done, j.Stored(_BEGAN + 193), _BEGAN + 193),
    ]
    events = [_stored(number, *change) for number, change in enumerate(story, start=38)]
    topic, cursor = "video:video_1", str(Cursor(_EPOCH, events[3].seq))
    task = task_view(
        story[3][0], Beside({}, "ann@example.com", expected=200.0, tags=("boats",)), reader="user_1"
    )
    return {
        Auth: [_AUTH],
        Subscribe: [
            Subscribe(type="subscribe", video_id="video_1", log=True),
            Subscribe(type="subscribe", external_video_id="video_abc", pending=True),
            Subscribe(type="subscribe", all=True, since=cursor),
        ],
        Unsubscribe: [Unsubscribe(type="unsubscribe", video_id="video_1")],
        Ping: [Ping(type="ping")],
        Ready: [Ready(cursor=cursor, heartbeat=15.0)],
        Subscribed: [Subscribed(topic=topic, cursor=cursor, tasks=[task])],
        type(update := update_of(events[3], _EPOCH, _signed)): [
            update,
            update_of(events[4], _EPOCH, _signed),
        ],
        type(log := log_of(topic, "video_1", events[:4])): [log],
        Reset: [Reset(cursor=cursor, reason="too_old")],
        Unsubscribed: [Unsubscribed(topic=topic)],
        ErrorMessage: [
            ErrorMessage(code="not_found", message="There is no such video.", topic="video:video_2")
        ],
        Pong: [Pong()],
    }


def ended_task(state: j.State) -> Task:
    """The video after it has ended like that, as its owner is shown it."""
    failed = state is j.State.FAILED
    job = replace(
        _accepted(),
        state=state,
        submitted_at=_BEGAN + 1,
        accepted_at=_BEGAN + 2,
        finished_at=_BEGAN + 193,
        external_id=j.ExternalId("video_abc"),
        progress=100.0 if state is j.State.COMPLETED else 42.0,
        error_code="failed" if failed else None,
        error_message="The upstream failed." if failed else None,
        version=6,
    )
    urls = _ADDRESSES if state is j.State.COMPLETED else {}
    return task_view(job, Beside(urls, "ann@example.com", tags=("boats",)), reader="user_1")


def _accepted() -> j.Job:
    return j.Job(
        j.JobId("video_1"), "user_1", "A paper boat in the rain", "sora-2", "lab", "sora-2", 4, "1280x720", _BEGAN
    )  # fmt: skip


def _stored(number: int, job: j.Job, event: j.Event | None, at: float) -> StoredEvent:
    step, payload = stored_state(job, event, at, list(_ADDRESSES) if job.ended else ())
    return StoredEvent(number, job.id, job.owner, job.version, step, payload, at, job.ended)


def _signed(job_id: str, variants: object) -> dict[str, str]:
    return _ADDRESSES
