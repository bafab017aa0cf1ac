"""Money follows the outcome: which ledger movement belongs to which ending, as one table.

The movement is written in the same transaction as the job's change of state.
"""

from __future__ import annotations

from enum import StrEnum

from sora_gateway.core import job as j
from sora_gateway.core.job import ENDED, Event, Job


class Movement(StrEnum):
    KEEP = "keep"
    """The hold stays as it is: the job goes on, or nobody knows yet."""
    SETTLE = "settle"
    """The hold is taken."""
    RELEASE = "release"
    """The hold is given back."""
    DISPUTE = "dispute"
    """The job ended, but whether it is owed is for an administrator to say; the hold stays until then."""


class OnCancel(StrEnum):
    SETTLE = "settle"
    RELEASE = "release"


def movement(before: Job, event: Event, after: Job, on_cancel: OnCancel = OnCancel.SETTLE) -> Movement:
    """What happens to the hold when *event* takes a job from *before* to *after*."""
    match event:
        # The hold of an ended job that is still open; the ledger refuses a second end.
        case j.ChargeSettled():
            return Movement.SETTLE
        case j.ChargeReleased():
            return Movement.RELEASE
    if after.state not in ENDED or before.state in ENDED:
        return Movement.KEEP
    match event:
        case j.Stored():
            return Movement.SETTLE
        case j.CancelUnconfirmed():
            return Movement.SETTLE if on_cancel is OnCancel.SETTLE else Movement.RELEASE
        case j.FileLost():
            return Movement.DISPUTE
        case j.FinalLimit():
            # Still queued at the limit: nobody ever accepted it.
            return Movement.RELEASE if before.state is j.State.QUEUED else Movement.DISPUTE
        case j.Refused() | j.UpstreamFailed() | j.CancelConfirmed() | j.GivenUp() | j.CancelRequested():
            return Movement.RELEASE
    raise AssertionError(f"no movement is written down for {type(event).__name__} ending a job")
