"""Whose files are kept for how long: the configuration's days, or those of the owner's plan."""

from __future__ import annotations

from collections.abc import Collection

from sora_gateway.accounts.plans import Plans
from sora_gateway.core.job import Job, State
from sora_gateway.core.retention import Cutoff, cutoffs, expiry
from sora_gateway.retention_settings import Retention


class Rules:
    def __init__(self, settings: Retention, plans: Plans) -> None:
        self._settings = settings
        self._plans = plans

    @property
    def any(self) -> bool:
        """Whether anybody's files go because of their age."""
        return bool(self._default or any(self._of_people().values()))

    def kept_until(self, job: Job, tags: Collection[str]) -> float | None:
        """When the files of *job* will have been kept long enough; None if they stay, or are not there."""
        if job.state is not State.COMPLETED or job.finished_at is None or job.files_removed_at is not None:
            return None
        if self._settings.keep_tag and self._settings.keep_tag in tags:
            return None
        return expiry(job.finished_at, self._days(job.owner))

    def cutoffs(self, now: float) -> list[Cutoff]:
        return cutoffs(now, self._default, self._of_people())

    @property
    def _default(self) -> int:
        return self._plans.of("").keep_days or self._settings.keep_days

    def _of_people(self) -> dict[str, int]:
        """The days of everybody who was given a plan."""
        return {owner: self._days(owner) for owner in self._plans.people()}

    def _days(self, owner: str) -> int:
        """Of somebody whose plan is not known nobody knows for how long, and a plan can come back while files cannot."""
        if self._plans.lost(owner):
            return 0
        return self._plans.of(owner).keep_days or self._settings.keep_days
