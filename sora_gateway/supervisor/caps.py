"""Who has used up the daily credits of their plan: the operator is told once, and can look it up."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from sora_gateway.clock import Clock
from sora_gateway.errors import DailyCreditsUsed

log = logging.getLogger(__name__)


class DailyCaps:
    """Kept in memory: after a restart somebody is told of again when they ask again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def note(self, owner: str, refusal: DailyCreditsUsed) -> None:
        """*owner* was refused."""
        now = self._clock.now()
        news = self._until.get(owner, 0.0) <= now
        self._until[owner] = now + (refusal.retry_after or 0.0)
        if news:
            log.warning("%s has used up the daily credits of their plan: %s", owner, refusal.message)

    def reached(self) -> Mapping[str, float]:
        """Until when, by person."""
        now = self._clock.now()
        self._until = {owner: until for owner, until in self._until.items() if until > now}
        return self._until
