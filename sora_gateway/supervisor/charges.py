"""Disputed holds: jobs that failed after their upstream had taken them. Only a person knows whether they are owed."""

from __future__ import annotations

from sora_gateway.clock import Clock
from sora_gateway.core import job as j
from sora_gateway.core.actor import Actor
from sora_gateway.core.job import Job, JobId, State
from sora_gateway.core.money import OnCancel
from sora_gateway.errors import Conflict, NotFound
from sora_gateway.store import Store, audit
from sora_gateway.supervisor.ended import record_ended
from sora_gateway.supervisor.recorder import Recorder


class Charges:
    """Ends holds that are still open although their jobs are not."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._recorder = Recorder(store, clock, OnCancel.SETTLE)  # none of this is a cancel

    async def decide(self, job_id: JobId, *, owed: bool, by: Actor) -> Job:
        """Takes the credits of a job, or gives them back, as *by* says; stored and told when this returns.

        Raises:
            NotFound: there is no such job.
            Conflict: its hold is not open, or is needed for what is still being made.
        """
        job = await self._store.get(job_id)
        if job is None:
            raise NotFound("There is no video by that id.")
        if not job.ended:
            raise Conflict("The video has not ended, so its credits are still set aside; cancel it first.")
        if job.state is not State.FAILED:
            raise Conflict("The credits of this video are settled or given back already.")
        now = self._clock.now()
        event = j.ChargeSettled(now) if owed else j.ChargeReleased(now)
        decided = audit.entry(
            by, now, "job.settle" if owed else "job.release", job_id, f"{job.credits} credits"
        )
        # Deleting a video does not decide who pays for it.
        return await record_ended(self._store, self._recorder, job_id, event, decided, deleted_too=True)
