"""What can happen to a job: each kind of event says what was learned, and when.

:mod:`sora_gateway.core.job` has the table of what each does in which state.
"""

from __future__ import annotations

from dataclasses import dataclass

from sora_gateway.core.ids import ExternalId
from sora_gateway.core.retention import Removal
from sora_gateway.core.visibility import Visibility


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that was learned about a job, and when; kinds that say no more are plain subclasses."""

    at: float


class Claimed(Event):
    """The watcher is about to send the create: the intent, committed before anything leaves."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Postponed(Event):
    """The create provably did not happen; try again at ``not_before``."""

    not_before: float
    reason: str
    refused: bool
    """Whether the upstream answered (a refusal for now, which counts) or was not reached (which does not)."""


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """The upstream will not make this video, or has refused it too often."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Accepted(Event):
    """The receipt: the upstream has the job under this id."""

    external_id: ExternalId


@dataclass(frozen=True, slots=True)
class AnswerLost(Event):
    """A create was, or may have been, sent and its answer cannot be had."""

    reason: str


@dataclass(frozen=True, slots=True)
class Observed(Event):
    """The upstream is at work; what it says of how far it is."""

    progress: float | None
    estimated: bool = False
    upstream_status: str = ""
    remaining: float | None = None
    """Seconds that it is expected to need still: told to people, and not kept."""


@dataclass(frozen=True, slots=True)
class Waiting(Event):
    """Why nothing happens for now, in plain words; an empty text takes it back."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rerouted(Event):
    """Another upstream is to make it; nobody has accepted it yet."""

    upstream: str
    upstream_model: str


class BecameOverdue(Event):
    """It takes longer than it should. A flag, never an end."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class UpstreamCompleted(Event):
    """The upstream says that the video is ready; it *took* so many seconds, and says that it *cost* so much."""

    expires_at: float | None = None
    took: float | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class UpstreamFailed(Event):
    """The upstream says that there will be no video; it *took* so many seconds to say so."""

    code: str
    message: str
    took: float | None = None


@dataclass(frozen=True, slots=True)
class LostUpstream(Event):
    """An upstream that had accepted the job says, repeatedly, that it does not know it."""

    reason: str


class Stored(Event):
    """The file is in its place, checked and hashed."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class FileLost(Event):
    """The upstream finished, but its file cannot be had."""

    code: str
    message: str


class CancelRequested(Event):
    """A person wants it stopped."""

    __slots__ = ()


class CancelConfirmed(Event):
    """The upstream says that it stopped."""

    __slots__ = ()


class CancelUnconfirmed(Event):
    """The upstream cannot be stopped, or did not say so; we stop watching."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Adopted(Event):
    """The doubtful create was found upstream: by its id, from a list or from a person."""

    external_id: ExternalId


class PayAgain(Event):
    """A person, or a policy that a person chose, takes the risk of a second create."""

    __slots__ = ()


class GivenUp(Event):
    """A person closes a doubtful job and gives the credits back."""

    __slots__ = ()


class FinalLimit(Event):
    """The configured last moment has passed."""

    __slots__ = ()


class Deleted(Event):
    """A person removed an ended job; its row stays for the books."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class FilesRemoved(Event):
    """Files of an ended job are not kept any more; everything else of it stays."""

    because: Removal
    variants: tuple[str, ...] = ()
    """Which; empty for all that it has."""


@dataclass(frozen=True, slots=True)
class FilesFound(Event):
    """Files of an ended job that were written down as missing are there again, and are what they were."""

    variants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VisibilityChanged(Event):
    """A person shows it to the team, or takes that back."""

    visibility: Visibility


class ChargeSettled(Event):
    """A person decides that an ended job whose hold is open is owed."""

    __slots__ = ()


class ChargeReleased(Event):
    """A person decides that it is not, and gives the credits back."""

    __slots__ = ()
