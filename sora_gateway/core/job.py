"""The job machine: one table says what may happen to a job, and :func:`advance` is the only way to do it.

A job is a value. An event says what was learned; the table says which state follows; an absent pair is
illegal. The same list of states is a CHECK constraint in SQL, and README's diagram is drawn from the table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sora_gateway.core.fair_queue import Lane
from sora_gateway.core.ids import ExternalId as ExternalId
from sora_gateway.core.ids import JobId as JobId
from sora_gateway.core.job_events import Accepted as Accepted
from sora_gateway.core.job_events import Adopted as Adopted
from sora_gateway.core.job_events import AnswerLost as AnswerLost
from sora_gateway.core.job_events import BecameOverdue as BecameOverdue
from sora_gateway.core.job_events import CancelConfirmed as CancelConfirmed
from sora_gateway.core.job_events import CancelRequested as CancelRequested
from sora_gateway.core.job_events import CancelUnconfirmed as CancelUnconfirmed
from sora_gateway.core.job_events import ChargeReleased as ChargeReleased
from sora_gateway.core.job_events import ChargeSettled as ChargeSettled
from sora_gateway.core.job_events import Claimed as Claimed
from sora_gateway.core.job_events import Deleted as Deleted
from sora_gateway.core.job_events import Event as Event
from sora_gateway.core.job_events import FileLost as FileLost
from sora_gateway.core.job_events import FilesFound as FilesFound
from sora_gateway.core.job_events import FilesRemoved as FilesRemoved
from sora_gateway.core.job_events import FinalLimit as FinalLimit
from sora_gateway.core.job_events import GivenUp as GivenUp
from sora_gateway.core.job_events import LostUpstream as LostUpstream
from sora_gateway.core.job_events import Observed as Observed
from sora_gateway.core.job_events import PayAgain as PayAgain
from sora_gateway.core.job_events import Postponed as Postponed
from sora_gateway.core.job_events import Refused as Refused
from sora_gateway.core.job_events import Rerouted as Rerouted
from sora_gateway.core.job_events import Stored as Stored
from sora_gateway.core.job_events import UpstreamCompleted as UpstreamCompleted
from sora_gateway.core.job_events import UpstreamFailed as UpstreamFailed
from sora_gateway.core.job_events import VisibilityChanged as VisibilityChanged
from sora_gateway.core.job_events import Waiting as Waiting
from sora_gateway.core.operation import Operation
from sora_gateway.core.progress import progress_after
from sora_gateway.core.retention import Removal
from sora_gateway.core.states import ENDED as ENDED
from sora_gateway.core.states import State as State
from sora_gateway.core.visibility import Visibility


@dataclass(frozen=True, slots=True)
class Job:
    """One requested video. Times are seconds since the epoch, progress is 0..100."""

    id: JobId
    owner: str
    prompt: str
    model: str
    upstream: str
    upstream_model: str
    seconds: int
    size: str
    created_at: float
    state: State = State.QUEUED
    version: int = 1
    """Counts the stored changes; it is also the per-job sequence number of the latest event."""
    attempt: int = 0
    """Number of the latest attempt; 0 before the first claim."""
    refusals: int = 0
    """Creates in a row that the upstream refused for now."""
    not_before: float = 0.0
    """A queued job is not claimed before this moment."""
    queued_again_at: float | None = None
    """When a person had it paid again: from here its last moment counts anew."""
    external_id: ExternalId | None = None
    progress: float = 0.0
    progress_estimated: bool = False
    upstream_status: str = ""
    overdue: bool = False
    cancel_requested: bool = False
    """Somebody asked to cancel while a create's outcome was open; honoured when it is known."""
    submitted_at: float | None = None
    """When the latest create was sent."""
    accepted_at: float | None = None
    """When the upstream's receipt was committed."""
    finished_at: float | None = None
    """When the job ended."""
    expires_at: float | None = None
    """When the upstream says that it will drop the file."""
    note: str = ""
    """What the job waits for, in plain words; empty when it simply goes on."""
    error_code: str | None = None
    error_message: str | None = None
    credits: int = 0
    """The price frozen in the hold."""
    lane: Lane = Lane.NORMAL
    """Its owner's priority when it was accepted."""
    batch_id: str | None = None
    """What was accepted together with it, all or nothing."""
    cost: float | None = None
    """What the upstream says that it took for it, in the upstream's own money."""
    retry_of: JobId | None = None
    operation: Operation = Operation.CREATE
    source_id: JobId | None = None
    """The video that a remix, edit or extension starts from; None for an uploaded one."""
    source_external_id: ExternalId | None = None
    """The same by the upstream's id: what goes along in the create."""
    extended_by: int | None = None
    """Seconds that an extension adds; ``seconds`` is the whole."""
    characters: str = ""
    """The upstream's ids of the characters in it, separated by spaces."""
    took: float | None = None
    """Seconds from the receipt to the upstream's end."""
    deleted_at: float | None = None
    visibility: Visibility = Visibility.PRIVATE
    files_removed_at: float | None = None
    """When its files were removed although nobody deleted it."""
    files_removed_because: Removal | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED


EVENTS: tuple[type[Event], ...] = (
    Claimed, Postponed, Refused, Accepted, AnswerLost, Observed, Waiting, Rerouted, BecameOverdue, UpstreamCompleted,
    UpstreamFailed, LostUpstream, Stored, FileLost, CancelRequested, CancelConfirmed, CancelUnconfirmed, Adopted, PayAgain,
    GivenUp, FinalLimit, Deleted, FilesRemoved, FilesFound, VisibilityChanged, ChargeSettled,
    ChargeReleased,
)  # fmt: skip

S = State
TRANSITIONS: dict[State, dict[type[Event], State]] = {
    S.QUEUED: {
        Claimed: S.SUBMITTING,
        Waiting: S.QUEUED,
        Rerouted: S.QUEUED,
        CancelRequested: S.CANCELLED,
        FinalLimit: S.FAILED,
        VisibilityChanged: S.QUEUED,
    },
    S.SUBMITTING: {
        Accepted: S.PROCESSING,
        Postponed: S.QUEUED,
        Refused: S.FAILED,
        AnswerLost: S.UNKNOWN,
        # The answer is still open: the wish is noted, and honoured when it is known.
        CancelRequested: S.SUBMITTING,
        VisibilityChanged: S.SUBMITTING,
    },
    S.PROCESSING: {
        Observed: S.PROCESSING,
        Waiting: S.PROCESSING,
        BecameOverdue: S.PROCESSING,
        UpstreamCompleted: S.STORING,
        UpstreamFailed: S.FAILED,
        LostUpstream: S.UNKNOWN,
        CancelRequested: S.CANCELLING,
        FinalLimit: S.FAILED,
        VisibilityChanged: S.PROCESSING,
    },
    S.STORING: {
        Stored: S.COMPLETED,
        FileLost: S.FAILED,
        Waiting: S.STORING,
        BecameOverdue: S.STORING,
        CancelRequested: S.CANCELLING,
        FinalLimit: S.FAILED,
        VisibilityChanged: S.STORING,
    },
    S.UNKNOWN: {
        Adopted: S.PROCESSING,
        PayAgain: S.QUEUED,
        GivenUp: S.FAILED,
        Waiting: S.UNKNOWN,
        CancelRequested: S.UNKNOWN,
        VisibilityChanged: S.UNKNOWN,
    },
    S.CANCELLING: {
        CancelConfirmed: S.CANCELLED,
        CancelUnconfirmed: S.CANCELLED,
        # Too late to cancel: it was finished, and paid for, so its owner gets it.
        UpstreamCompleted: S.STORING,
        UpstreamFailed: S.FAILED,
        Waiting: S.CANCELLING,
        VisibilityChanged: S.CANCELLING,
    },
    S.COMPLETED: {
        Deleted: S.COMPLETED,
        FilesRemoved: S.COMPLETED,
        FilesFound: S.COMPLETED,
        VisibilityChanged: S.COMPLETED,
    },
    S.FAILED: {
        Deleted: S.FAILED,
        # What it was made from.
        FilesRemoved: S.FAILED,
        FilesFound: S.FAILED,
        VisibilityChanged: S.FAILED,
        # Of a job whose file was lost, or that the final limit ended; the ledger knows whether its hold is open.
        ChargeSettled: S.FAILED,
        ChargeReleased: S.FAILED,
    },
    S.CANCELLED: {
        Deleted: S.CANCELLED,
        FilesRemoved: S.CANCELLED,
        FilesFound: S.CANCELLED,
        VisibilityChanged: S.CANCELLED,
    },
}


class IllegalTransition(Exception):
    """The table has no such pair: a bug of ours, never something to be ignored."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"a job that is {state} cannot take {type(event).__name__}")
        self.state = state
        self.event = event


def allows(state: State, event: type[Event]) -> bool:
    """Whether the table has the pair."""
    return event in TRANSITIONS[state]


def advance(job: Job, event: Event) -> Job:
    """The job after *event*.

    Returns *job* itself when nothing changed, so that "no news" is told from "news" with ``is``.

    Raises:
        IllegalTransition: the table has no such pair; the job is as it was.
    """
    if (state := TRANSITIONS[job.state].get(type(event))) is None:
        raise IllegalTransition(job.state, event)
    if isinstance(event, Observed):
        return _observed(job, event)  # by the thousand: one copy of a job is enough
    changed = _apply(replace(job, state=state), event)
    if changed == job and not isinstance(event, ChargeSettled | ChargeReleased | FilesRemoved | FilesFound):
        # A decision over money is never old news here: whether it was taken before, the ledger knows. Nor is it that
        # a single still is gone or back, which only the rows of files know.
        return job
    if state in ENDED and job.state not in ENDED:
        changed = replace(changed, finished_at=event.at, cancel_requested=False, note="")
    return replace(changed, version=job.version + 1)


def _apply(job: Job, event: Event) -> Job:
    """The fields that *event* carries; the state is already the next one."""
    match event:
        case Claimed(at):
            return replace(job, attempt=job.attempt + 1, submitted_at=at, note="")
        case Postponed(_, not_before, reason, refused):
            refusals = job.refusals + 1 if refused else job.refusals
            return replace(job, not_before=not_before, note=reason, refusals=refusals)
        case UpstreamFailed(_, code, message, took):
            return replace(job, error_code=code, error_message=message, took=took)
        case Refused(_, code, message) | FileLost(_, code, message):
            return replace(job, error_code=code, error_message=message)
        case Accepted(at, external_id) | Adopted(at, external_id):
            # One that was accepted long ago, was lost and is found again keeps its clock.
            since = job.accepted_at or at
            return replace(job, external_id=external_id, accepted_at=since, note="", refusals=0)
        case AnswerLost(_, reason) | LostUpstream(_, reason) | Waiting(_, reason):
            return replace(job, note=reason)
        case Rerouted(_, upstream, upstream_model):
            return replace(job, upstream=upstream, upstream_model=upstream_model, not_before=0.0, note="")
        case BecameOverdue():
            return replace(job, overdue=True)
        case UpstreamCompleted(_, expires_at, took, cost):
            return replace(
                job, progress=max(job.progress, 99.0), progress_estimated=False, expires_at=expires_at,
                took=took, cost=cost, cancel_requested=False, note="",
            )  # fmt: skip
        case Stored():
            return replace(job, progress=100.0, progress_estimated=False, overdue=False)
        case CancelRequested():
            return job if job.state in ENDED else replace(job, cancel_requested=True)
        case PayAgain(at):
            # The old id, if there was one, belongs to the attempt; the next one starts from nothing.
            return replace(
                job, external_id=None, accepted_at=None, progress=0.0, progress_estimated=False,
                not_before=0.0, queued_again_at=at, refusals=0, note="", overdue=False,
            )  # fmt: skip
        case GivenUp():
            reason = "The upstream's answer was lost and an administrator closed the job."
            return replace(job, error_code="given_up", error_message=reason)
        case FinalLimit():
            reason = "The video was not ready before the gateway's final limit."
            return replace(job, error_code="final_limit", error_message=reason)
        case Deleted(at):
            return replace(job, deleted_at=at)
        case ChargeSettled():
            return replace(job, note="An administrator has decided that it is owed.")
        case ChargeReleased():
            return replace(job, note="An administrator has given the credits back.")
        case FilesRemoved(at, because, variants):
            if job.files_removed_at is not None or (variants and "video" not in variants):
                return job
            return replace(job, files_removed_at=at, files_removed_because=because)
        case FilesFound(_, variants):
            if job.files_removed_because is not Removal.MISSING or "video" not in variants:
                return job
            return replace(job, files_removed_at=None, files_removed_because=None)
        case VisibilityChanged(_, visibility):
            return replace(job, visibility=visibility)
    return job


def _observed(job: Job, event: Observed) -> Job:
    """What a look leaves; most say nothing new."""
    progress, guessed = progress_after(job.progress, job.progress_estimated, event.progress, event.estimated)
    word, known = event.upstream_status, (job.progress, job.progress_estimated, job.upstream_status, job.note)
    if (progress, guessed, word, "") == known:
        return job
    changed = replace(job, progress=progress, progress_estimated=guessed, upstream_status=word, note="")
    return replace(changed, version=job.version + 1)
