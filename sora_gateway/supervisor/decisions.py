"""What a person may decide about a job whose create's answer was lost."""

from __future__ import annotations

from dataclasses import dataclass

from sora_gateway.core import job as j
from sora_gateway.core.job import Event, ExternalId
from sora_gateway.core.outcome import valid_external_id
from sora_gateway.errors import InvalidRequest
from sora_gateway.store.jobs import Answered


@dataclass(frozen=True, slots=True)
class Adopt:
    """The upstream has it, under this id."""

    external_id: ExternalId


@dataclass(frozen=True, slots=True)
class PayAgain:
    """Send another create, knowing that the first may have been paid for."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Close the job and give the credits back."""


def answer_dropped(now: float) -> tuple[Event, Answered]:
    """What is said of a create that a dead process was sending, or whose answer was dropped: nobody knows."""
    reason = "the gateway stopped before the answer came"
    return j.AnswerLost(now, reason), Answered("unknown", detail=reason)


Decision = Adopt | PayAgain | GiveUp


def consequence(decision: Decision, now: float) -> tuple[Event, Answered]:
    """The event that carries out *decision*, and what the books say of the doubtful attempt.

    Raises:
        InvalidRequest: what is to be adopted cannot be an upstream's id.
    """
    match decision:
        case Adopt(external_id):
            if valid_external_id(external_id) is None:
                raise InvalidRequest("No upstream gives such an id; copy it from the upstream's own list.")
            return j.Adopted(now, external_id), Answered("adopted", external_id)
        case PayAgain():
            return j.PayAgain(now), Answered("pay_again")
        case GiveUp():
            return j.GivenUp(now), Answered("given_up")
