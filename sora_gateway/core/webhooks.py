"""What is told to webhooks, and when a delivery that failed is tried again: values in, values out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from sora_gateway.core.states import State


class EventType(StrEnum):
    """What an endpoint can be told of."""

    COMPLETED = "video.completed"
    FAILED = "video.failed"
    CANCELLED = "video.cancelled"


DEFAULT_EVENTS = (EventType.COMPLETED, EventType.FAILED)
TEST_EVENT = "webhook.test"
"""Sent when somebody asks for it, whatever the endpoint is told of."""

_OF_STATE = {
    State.COMPLETED: EventType.COMPLETED,
    State.FAILED: EventType.FAILED,
    State.CANCELLED: EventType.CANCELLED,
}

WAITS = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds from each try that failed to the next one: ten tries over about 75 hours."""
JITTER = 0.1
"""By which share a wait is shorter or longer: endpoints that failed together are not tried together for ever."""
OVERLOADED = frozenset({429, 503})
"""Statuses whose ``Retry-After`` is heeded."""
GONE = 410


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    """It is going to be tried, now or later."""
    DELIVERED = "delivered"
    """The receiver answered with 2xx."""
    GIVEN_UP = "given_up"
    """It is tried no more, unless somebody has it sent again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one try. *http_status* is None where no answer came; *error* is a sentence for the endpoint's
    owner, empty for 2xx; *duration* and *retry_after* are in seconds."""

    http_status: int | None
    error: str
    duration: float
    retry_after: float | None = None

    @property
    def delivered(self) -> bool:
        return self.http_status is not None and 200 <= self.http_status < 300


def event_of(state: State) -> EventType:
    """What is told of a job that has ended in *state*."""
    return _OF_STATE[state]


def message_id(epoch: str, webhook_id: str, job_id: str, version: int) -> str:
    """The id of what an endpoint is told of a job's change: the same however often it is computed, so that a change
    which is stored twice is told once. That it can be guessed by who knows the rest harms nobody.

    *epoch* names the log. After a restore the change of that number may be another one than was told before, and a
    receiver that knows the id would pass it over.
    """
    text = f"{epoch}|{webhook_id}|{job_id}|{version}"
    return f"msg_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def next_wait(tries: int, fraction: float, answer: Answer) -> float | None:
    """Seconds until the next try after *tries* that failed, the last one with *answer*; None when that was the last.

    *fraction* in [0, 1) is jitter. A receiver that is overloaded may ask for more time, never for less.
    """
    if answer.http_status == GONE or tries > len(WAITS):
        return None
    wait = WAITS[tries - 1] * (1 - JITTER + 2 * JITTER * fraction)
    if answer.http_status in OVERLOADED and answer.retry_after is not None:
        return max(wait, answer.retry_after)
    return wait
