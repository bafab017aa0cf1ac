"""What a client is told of videos, and the times that it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Transport: TypeAlias = Literal["websocket", "sse", "polling"]
"""The ways of following, the best first."""

State: TypeAlias = Literal["connecting", "live", "polling", "reconnecting", "ended"]

FINAL = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Task:
    """A video as the gateway answers it. *progress* is 0..100; *raw* is the whole answer, with the API's names."""

    video_id: str
    external_video_id: str | None
    status: str
    stage: str
    progress: float
    error: str | None
    """Why it failed, in a sentence."""
    video_url: str | None
    created_at: str
    seq: int
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Task:
        """Raises KeyError when that is no task."""
        return cls(
            video_id=raw["videoId"],
            external_video_id=raw.get("externalVideoId"),
            status=raw["status"],
            stage=raw["stage"],
            progress=raw["progress"],
            error=_sentence(raw),
            video_url=raw.get("videoUrl"),
            created_at=raw["createdAt"],
            seq=raw["seq"],
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class Update:
    """How a video is now. *step* is what has just happened, None when it is told as it was found; *message* says the
    same in a sentence; *seq* counts the changes of the video; *raw* is the message or task with the API's names."""

    video_id: str
    external_video_id: str | None
    status: str
    stage: str
    progress: float
    step: str | None
    message: str
    error: str | None
    video_url: str | None
    seq: int
    transport: Transport
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def final(self) -> bool:
        """Whether nothing more will be made of it: completed, failed, cancelled or deleted."""
        return self.status in FINAL or self.step == "deleted"

    @classmethod
    def of(cls, raw: Mapping[str, Any], transport: Transport) -> Update:
        """From an ``update`` or a task. Raises KeyError when it is none."""
        assets: Mapping[str, Any] = raw.get("assets") or raw
        return cls(
            video_id=raw["videoId"],
            external_video_id=raw.get("externalVideoId"),
            status=raw["status"],
            stage=raw["stage"],
            progress=raw["progress"],
            step=raw.get("step"),
            message=raw.get("message")
            or _sentence(raw)
            or raw.get("note")
            or f"{raw['stage'].capitalize()}.",
            error=_sentence(raw),
            video_url=assets.get("videoUrl"),
            seq=raw["seq"],
            transport=transport,
            raw=raw,
        )


def _sentence(raw: Mapping[str, Any]) -> str | None:
    error = raw.get("error")
    return str(error["message"]) if error else None


@dataclass(frozen=True, slots=True)
class Topic:
    """What to follow: one video by the gateway's or the upstream's id, or everything that may be seen."""

    video_id: str | None = None
    external_video_id: str | None = None
    pending: bool = False
    """Wait for an upstream's id that is not known yet."""

    @property
    def id(self) -> str | None:
        return self.video_id if self.video_id is not None else self.external_video_id

    @property
    def wish(self) -> Mapping[str, Any]:
        """As the WebSocket's ``subscribe`` has it."""
        if self.video_id is not None:
            return {"videoId": self.video_id}
        if self.external_video_id is not None:
            return {"externalVideoId": self.external_video_id, "pending": self.pending}
        return {"all": True}


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds."""

    first_delay: float = 0.5
    last_delay: float = 30.0
    """Before a new attempt: a random part of the first, then of twice as much, up to the last."""
    busy_delay: float = 10.0
    """At least, after "too many"."""
    restart_delay: float = 2.0
    """A restarting gateway's readers come back spread over at least this long."""
    open_timeout: float = 10.0
    """Until something has to be heard of a new connection."""
    pong_timeout: float = 5.0
    heartbeat: float = 30.0
    """How often something is heard at least, until the gateway says its own."""
    lasting: float = 5.0
    """A connection that lasted so long was a good one."""
    tries: int = 2
    """Failures of one way before the next is tried."""
    first_probe: float = 60.0
    last_probe: float = 600.0
    """A better way is tried again after the first, and twice as long after each failure, up to the last."""
    poll: float = 5.0
