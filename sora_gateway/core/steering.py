"""When a client that polls should ask again: a job and two moments in, seconds out.

Between two looks of the gateway at the upstream nothing about a job can change, so a client that asks in between
has asked for nothing. Times are seconds since the epoch.
"""

from __future__ import annotations

from sora_gateway.core.job import Job
from sora_gateway.core.states import ENDED, State

SOONEST = 0.25
LATEST = 30.0
MARGIN = 0.25
"""What a look takes until its result is stored."""
LONGEST_IN_QUEUE = 5.0
WITHOUT_A_LOOK = 5.0
FOR_A_PERSON = 15.0
FOR_AN_ANSWER = 1.0

SHORTEST_KEPT = 2.0
LONGEST_KEPT = 10.0


def poll_after(job: Job, next_look: float | None, now: float) -> float | None:
    """Seconds after which asking for *job* again may tell something new; None when it has ended.

    *next_look* is the moment at which its upstream is asked next, None when none is planned. What is processing
    is asked for just after that moment; what is queued every second, and less often the longer it has waited,
    but not before it may be sent at all; what is unknown waits for a person. Never below a quarter of a second,
    never above half a minute: a look can come early (somebody cancels), and a clock can be set.
    """
    if job.state in ENDED:
        return None
    match job.state:
        case State.QUEUED:
            waited = now - (job.queued_again_at or job.created_at)
            seconds = max(min(LONGEST_IN_QUEUE, 1.0 + waited / 15.0), job.not_before - now)
        case State.PROCESSING:
            seconds = WITHOUT_A_LOOK if next_look is None else next_look - now + MARGIN
        case State.UNKNOWN:
            seconds = FOR_A_PERSON
        case _:
            # A create, a download or a cancel is under way: it ends when it ends.
            seconds = FOR_AN_ANSWER
    return min(LATEST, max(SOONEST, seconds))


def kept_interval(seconds: float) -> float:
    """The same for a client that asks every so many seconds from now on, whatever later answers say.

    OpenAI's poll helper keeps the header of its first look, which comes right after the create, when the next
    news is a moment away: an interval of a quarter of a second for minutes, or of half a minute for ever.
    """
    return min(LONGEST_KEPT, max(SHORTEST_KEPT, seconds))
