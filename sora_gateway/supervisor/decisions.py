"""What a person may decide about a job whose create's answer was lost."""

from __future__ import annotations

from dataclasses import dataclass

from sora_gateway.core import job as j
from sora_gateway.core.actor import Actor
from sora_gateway.core.job import Event, ExternalId, JobId
from sora_gateway.core.outcome import valid_external_id
from sora_gateway.errors import InvalidRequest, Unavailable
from sora_gateway.store import audit
from sora_gateway.store.audit import AuditEntry
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


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Look for it at the upstream now."""


def answer_dropped(now: float) -> tuple[Event, Answered]:
    """What is said of a create that a dead process was sending, or whose answer was dropped: nobody knows."""
    reason = "the gateway stopped before the answer came"
    return j.AnswerLost(now, reason), Answered("unknown", detail=reason)


Decision = Adopt | PayAgain | GiveUp | LookAgain


def consequence(decision: Decision, now: float) -> tuple[Event, Answered]:
    """The event that carries out *decision*, and what the books say of the doubtful attempt.

    Raises:
        InvalidRequest: what is to be adopted cannot be an upstream's id.
        Unavailable: nobody is there to look.
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
        case LookAgain():
            raise Unavailable(
                "While no gateway runs nobody looks; it looks by itself as soon as it is started."
            )


def audited(decision: Decision, job_id: JobId, by: Actor, now: float) -> AuditEntry:
    """What the audit log says of *decision*, which *by* took."""
    match decision:
        case Adopt(external_id):
            # Whatever was typed: it may be no id at all.
            return audit.entry(by, now, "job.adopt", job_id, external_id[:200])
        case PayAgain():
            return audit.entry(by, now, "job.pay_again", job_id)
        case GiveUp():
            return audit.entry(by, now, "job.give_up", job_id)
        case LookAgain():
            return audit.entry(by, now, "job.look_again", job_id)
