"""When each accepted job of one upstream is looked at next: its policy of polling, put on a timing wheel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sora_gateway.clock import Clock
from sora_gateway.core.durations import Durations
from sora_gateway.core.job import Job
from sora_gateway.core.polling import PolicyName, PollPolicy, next_delay
from sora_gateway.entropy import Entropy
from sora_gateway.supervisor.subject import Subject
from sora_gateway.supervisor.wheel import Wheel

PACE = 0.05
"""Seconds from one to the next when many jobs come at an unexpected moment to be asked for one by one."""


class Planner:
    """*durations*: how long jobs like one take; *watched*: whether somebody follows it at this moment."""

    def __init__(
        self,
        policy: PollPolicy,
        clock: Clock,
        entropy: Entropy,
        durations: Callable[[Job], Durations],
        watched: Callable[[Job], bool],
    ) -> None:
        self._policy = policy
        self._adaptive = policy.name is PolicyName.ADAPTIVE
        self._clock = clock
        self._entropy = entropy
        self._durations = durations
        self._watched = watched
        self._paced = 0.0
        self.wheel = Wheel()

    def plan(self, subject: Subject) -> None:
        """Looks again when that makes sense, counted from now."""
        subject.looked = None
        self.wheel.put(subject, self._clock.monotonic() + self.delay(subject, self._clock.now()))

    def sooner(self, subject: Subject) -> None:
        """Plans the next look anew, if that makes it earlier."""
        due = self._clock.monotonic() + self.delay(subject, self._clock.now())
        if due < subject.due:
            self.wheel.put(subject, due)

    def at_once(self, subject: Subject) -> None:
        self.wheel.put(subject, self._clock.monotonic())

    def one_by_one(self, subjects: Sequence[Subject]) -> None:
        """Looks at each, a little after the one before."""
        now = self._clock.monotonic()
        for subject in subjects:
            self._paced = max(now, self._paced + PACE)
            self.wheel.put(subject, self._paced)

    def due(self, until: float) -> list[Subject]:
        """Everything that is due *until* then (monotonic), off the wheel."""
        taken = self.wheel.take(until)
        for subject in taken:
            if subject.looked is not None:
                self.settle(subject)
        return [subject for subject in taken if subject.slot is None]

    def settle(self, subject: Subject) -> None:
        """Puts off the next look if the job was seen on a list meanwhile."""
        if subject.looked is not None:
            looked, subject.looked = subject.looked, None
            then = self._clock.now() - (self._clock.monotonic() - looked)
            self.wheel.put(subject, max(subject.due, looked + self.delay(subject, then)))

    def delay(self, subject: Subject, now: float) -> float:
        """Seconds from *now* (wall time) until the next look at *subject* makes sense."""
        if subject.again:
            subject.again = False
            return 0.0
        job, seen = subject.job, subject.seen
        seen.age = now - (job.accepted_at or now)
        if self._adaptive:
            seen.durations, seen.watched = self._durations(job), self._watched(job)
        return next_delay(self._policy, seen, self._entropy.fraction())
