"""One accepted job as its upstream's observer has it."""

from __future__ import annotations

from typing import Literal, Protocol

from sora_gateway.core.job import ExternalId, Job
from sora_gateway.core.observation import Listed, Look
from sora_gateway.core.polling import Seen
from sora_gateway.store.jobs import Change


class Follower(Protocol):
    """Who follows a job."""

    def wake(self) -> None:
        """There is ``news``: take it, and tell the observer when it is stored."""
        ...

    def change(self, look: Look) -> Change | None:
        """What *look* makes of the job, for the observer to store together with other jobs'; None if it is the
        follower's own to store. Until :meth:`stored` nothing else happens to the job."""
        ...

    def stored(self, change: Change, *, kept: bool) -> None:
        """*change* is stored, or was not *kept*."""
        ...


class Subject:
    """What its next look depends on, what the last one said, and where it stands meanwhile."""

    __slots__ = (
        "again", "busy", "due", "external_id", "follower", "gone", "job", "listed",
        "listed_at", "looked", "missing",
        "missing_since", "news", "not_yet", "page", "row", "said", "seen", "slot", "unlisted_until", "wake_at",
        "wanted",
    )  # fmt: skip

    def __init__(self, job: Job, external_id: ExternalId, follower: Follower, wake_at: float) -> None:
        self.job = job
        self.external_id = external_id
        self.follower = follower
        self.news: Look | Exception | None = None
        """For the follower, who takes it."""
        self.wake_at = wake_at
        """From this moment on (wall time) a look is news although nothing has changed."""
        self.seen = Seen(age=0.0, progress=job.progress, polls=0, overdue=job.overdue)
        """As the policy of polling wants it; what moves with time is filled in when it is asked."""
        self.missing = 0
        """Answers in a row, past the grace, that it is not known there."""
        self.missing_since = 0.0
        """When (wall time) the first of them came."""
        self.not_yet: float | None = None
        """When (wall time) it had certainly not ended; None if that is not known."""
        self.said: tuple[str, int | None] | None = None
        """Status and whole percents that were told last."""
        self.row: Listed | None = None
        """The row of the list that said the same."""
        self.page = 0
        """Of the list, where it was seen last; 0 if nowhere yet."""
        self.unlisted_until = 0.0
        """Until then (monotonic) it is not worth looking for it there."""
        self.listed: Literal["", "running", "ended"] = ""
        """What the list has just said, and a look at the job itself is to confirm."""
        self.looked: float | None = None
        """When (monotonic) it was seen on a list before it was due; *due* is to be put off by that."""
        self.listed_at = 0.0
        """When (monotonic) it said so."""
        self.due = 0.0
        """When (monotonic) it is looked at next; passed while it is."""
        self.slot: int | None = None
        """Its place on the wheel; None: it has none."""
        self.busy = False
        """Being asked for, or its news not stored yet."""
        self.again = False
        """Something happened while it was busy: look once more at once."""
        self.wanted: int | None = None
        """While it is due and looked for in the list: the page that it should be on."""
        self.gone = False
        """Nobody follows it any more."""
