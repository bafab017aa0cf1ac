"""What the operator is told, and when: troubles and time in, messages out.

It follows states and not events. What a destination was told is compared with what is the case, and the difference
is its next message. So a destination that was dead, or a gateway that was, has nothing to catch up with but how
things are now, and what is kept is bounded by what can be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sora_gateway.core.alert_kinds import AlertKind as AlertKind
from sora_gateway.core.polling import backoff

Key = tuple[AlertKind, str]

SETTLES = 120.0
"""Seconds for which a trouble must be gone to be over: what comes and goes is one trouble."""
PATIENCE: Mapping[AlertKind, float] = {AlertKind.UNKNOWN: 60.0}
"""Seconds for which a trouble must have been seen to be told of: a lost create is looked for, and often found."""
HOUR = 3600.0
PER_HOUR = 12
"""Messages to one destination in any hour; the last of them says until when it is silent."""
AT_ONCE = 10
"""Notes in one message: ntfy takes 4096 bytes, Feishu 20 KB."""
WORSE = 2
"""A number that has grown by this factor since it was told of is news."""
FIRST_WAIT, LONGEST_WAIT = 5.0, 900.0
"""Seconds between two tries to reach a destination: full jitter below the first one, doubled each time."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong now. *subject* says where, *cause* is a word that chooses the sentence, *count* how
    many it concerns; *since* is in epoch seconds, None when only this look knows of it."""

    kind: AlertKind
    subject: str
    cause: str
    count: int = 1
    since: float | None = None

    @property
    def key(self) -> Key:
        return self.kind, self.subject


@dataclass(frozen=True, slots=True)
class Alert:
    """A trouble over time. *since* is when it began, *seen_at* when it was last there, *present* whether it is."""

    trouble: Trouble
    since: float
    seen_at: float
    present: bool = True


class Phase(StrEnum):
    RAISED = "raised"
    WORSE = "worse"
    STILL = "still"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Note:
    """One line of a message."""

    phase: Phase
    trouble: Trouble
    since: float


@dataclass(frozen=True, slots=True)
class Message:
    """What a destination is sent. *more* is how many notes wait for the next message, *silent_until* the moment
    before which there will be none, None unless this is the last of its hour."""

    notes: tuple[Note, ...]
    more: int = 0
    silent_until: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a destination knows of one trouble, and since when; *at* is when it was last told."""

    trouble: Trouble
    since: float
    at: float


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a destination wants to hear. *repeat_after* in seconds, 0: never."""

    kinds: frozenset[AlertKind] = frozenset(AlertKind)
    repeat_after: float = 14_400.0


Alerts = Mapping[Key, Alert]


def observe(before: Alerts, troubles: Iterable[Trouble], now: float) -> dict[Key, Alert]:
    """What is the case after a look at *now* that found *troubles*."""
    after: dict[Key, Alert] = {}
    for trouble in troubles:
        known = before.get(trouble.key)
        began = known.since if known is not None else now
        since = began if trouble.since is None else min(began, trouble.since)
        after[trouble.key] = Alert(trouble, since, now)
    for key, alert in before.items():
        # A clock that was set back must not keep it for ever.
        if key not in after and 0 <= now - alert.seen_at < SETTLES:
            after[key] = replace(alert, present=False)
    return after


def recalled(told: Iterable[Told], now: float) -> dict[Key, Alert]:
    """What is the case for a gateway that has just started and looked at nothing yet: what was told of before."""
    return {each.trouble.key: Alert(each.trouble, each.since, now, present=False) for each in told}


@dataclass(frozen=True, slots=True)
class Desk:
    """All that is known of one destination; a value, so that a message that does not arrive changes nothing."""

    told: Mapping[Key, Told] = field(default_factory=dict)
    sent: tuple[float, ...] = ()
    """When it was sent something in the last hour."""
    failures: int = 0
    """In a row."""
    retry_at: float = 0.0

    def message(self, alerts: Alerts, now: float, wishes: Wishes) -> Message | None:
        """What is to be sent now; None for nothing, or not yet."""
        if now < self.retry_at <= now + LONGEST_WAIT:
            return None
        recent = _recent(self.sent, now)
        if len(recent) >= PER_HOUR:
            return None
        notes = self._notes(alerts, now, wishes)
        if not notes:
            return None
        last = len(recent) == PER_HOUR - 1
        return Message(
            tuple(notes[:AT_ONCE]),
            more=max(0, len(notes) - AT_ONCE),
            silent_until=min((*recent, now)) + HOUR if last else None,
        )

    def _notes(self, alerts: Alerts, now: float, wishes: Wishes) -> list[Note]:
        """The difference between what is the case and what was told, the most urgent first."""
        found: dict[Phase, list[Note]] = {phase: [] for phase in _ORDER}
        for key, alert in alerts.items():
            phase = self._phase(key, alert, now, wishes)
            if phase is not None and alert.trouble.kind in wishes.kinds:
                found[phase].append(Note(phase, alert.trouble, alert.since))
        found[Phase.RESOLVED] = [
            Note(Phase.RESOLVED, each.trouble, each.since)
            for key, each in self.told.items()
            if key not in alerts
        ]
        return [note for phase in _ORDER for note in found[phase]]

    def _phase(self, key: Key, alert: Alert, now: float, wishes: Wishes) -> Phase | None:
        if not alert.present:
            return None
        told = self.told.get(key)
        if told is None:
            seen_for = alert.seen_at - alert.since
            return Phase.RAISED if seen_for >= PATIENCE.get(alert.trouble.kind, 0.0) else None
        if alert.trouble.count >= WORSE * told.trouble.count:
            return Phase.WORSE
        if wishes.repeat_after and now - told.at >= wishes.repeat_after:
            return Phase.STILL
        return None

    def delivered(self, message: Message, now: float) -> Desk:
        """After *message* has arrived."""
        told = dict(self.told)
        for note in message.notes:
            if note.phase is Phase.RESOLVED:
                told.pop(note.trouble.key, None)
            else:
                told[note.trouble.key] = Told(note.trouble, note.since, now)
        return Desk(told, (*_recent(self.sent, now), now))

    def failed(self, now: float, fraction: float, at_least: float | None = None) -> Desk:
        """After a message that did not arrive. *fraction* in [0, 1) is jitter, *at_least* the seconds that the
        destination asked for."""
        wait = backoff(self.failures, base=FIRST_WAIT, cap=LONGEST_WAIT, fraction=fraction)
        wait = min(LONGEST_WAIT, max(1.0, wait, at_least or 0.0))
        return replace(self, failures=self.failures + 1, retry_at=now + wait)


_ORDER = (Phase.RAISED, Phase.WORSE, Phase.RESOLVED, Phase.STILL)


def _recent(sent: Iterable[float], now: float) -> tuple[float, ...]:
    """Those of the last hour; a moment that is still to come is from before the clock was set back."""
    return tuple(at for at in sent if now - HOUR < at <= now)
