"""What a follower was told, over all its connections, and whether that is what the protocol promises.

R1 of live updates: every event of what one follows, in order, none twice and none left out, or an explicit ``reset``
first; of events that are not final an earlier one may be left out for a later one of the same job. In the end the
true state of every job is known.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sora_gateway.core.messages import Cursor, StoredEvent


class BrokenPromise(AssertionError):
    """Something was told twice, not at all, too late, or to the wrong reader."""


def promise(kept: bool, sentence: str, *details: object) -> None:
    if not kept:
        raise BrokenPromise(": ".join(map(str, (sentence, *details))))


@dataclass(frozen=True, slots=True)
class Connected:
    """A new connection, to the log *epoch*; what follows was told on it."""

    epoch: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The follower asked for its topic, from *since* on."""

    since: Cursor | None


@dataclass(frozen=True, slots=True)
class Told:
    """A message of the gateway's."""

    message: dict[str, Any]


Entry = Connected | Asked | Told


@dataclass
class History:
    """What happened to the event logs that there were, by epoch."""

    events: dict[str, list[StoredEvent]] = field(default_factory=dict)
    trimmed: dict[str, int] = field(default_factory=dict)
    """Up to which sequence number the log has lost its events."""
    replay: int = 1000
    """How many events are told one by one, at most."""
    merges: bool = True
    """Whether an event that is not final may be left out for the next of its job."""

    def event(self, cursor: Cursor) -> StoredEvent:
        """Raises BrokenPromise: there was none."""
        events = self.events[cursor.epoch]
        promise(0 < cursor.seq <= len(events), "an event that never happened", cursor)
        event = events[cursor.seq - 1]
        assert event.seq == cursor.seq, "the log has numbers from 1 on, without a gap"
        return event


class Verifier:
    """Reads one follower's transcript. *follows* says which events have to be told, *may* which ones can be."""

    def __init__(
        self,
        history: History,
        epoch: str,
        follows: Callable[[StoredEvent], bool],
        may: Callable[[StoredEvent], bool] = lambda _event: False,
    ) -> None:
        """*epoch* is that of the log which there is in the end."""
        self._history = history
        self._last_epoch = epoch
        self._follows = follows
        self._may = may
        self._followed = {
            log: [event for event in events if follows(event)] for log, events in history.events.items()
        }
        self._numbers = {log: [e.seq for e in events] for log, events in self._followed.items()}
        self._epoch = ""
        self._place: Cursor | None = None
        """The last event that was told, or up to which a snapshot speaks; None while nothing is followed."""
        self._snapshot: dict[str, int] = {}
        """What the last snapshot told, if the updates after it go on from it."""
        self._latest: dict[str, int] = {}
        """The newest that was told of each job, in a snapshot or an update."""
        self._base = 0
        """Where the last snapshot was."""
        self._claimed = 0
        """Up to where the follower had seen everything before, as it says."""
        self._since: Cursor | None = None
        self._reset = False

    def read(self, transcript: Sequence[Entry]) -> Verifier:
        """Raises BrokenPromise."""
        for entry in transcript:
            match entry:
                case Connected(epoch):
                    if epoch != self._epoch:
                        self._latest, self._base, self._claimed = {}, 0, 0
                    self._epoch, self._place, self._reset = epoch, None, False
                case Asked(since):
                    self._since = since
                case Told(message):
                    self._told(message)
        return self

    def ended(self, *, deleted: frozenset[str] = frozenset()) -> None:
        """Everything was told that there was: nothing is missing. Jobs that are *deleted* are in no snapshot."""
        promise(self._place is not None, "it follows nothing in the end")
        assert self._place is not None
        promise(self._epoch == self._last_epoch, "it is in another log", self._epoch)
        left = self._between(self._place.seq, None)
        promise(not left, "these were never told", left)
        truth = {event.job_id: event for event in self._followed[self._epoch]}
        for job_id, last in truth.items():
            known = self._latest.get(job_id, 0)
            over = max(self._base if job_id in deleted else 0, 0 if known else self._claimed)
            if last.seq <= over:
                continue
            promise(known == last.job_seq, "not the true state", last, known, self._base, self._place)

    # -----------------------------------------------------------------------------------------------

    def _told(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "reset":
                self._was_reset(_cursor_of(message), message["reason"])
            case "subscribed":
                self._begins(_cursor_of(message), {task["videoId"]: task["seq"] for task in message["tasks"]})
            case "update":
                self._goes_on(_cursor_of(message), message)
            case "nothing more":
                # To a stream's cursor: it is honoured, and there is nothing after it.
                assert self._since is not None
                self._goes_on_from(self._since)
                self._place, self._snapshot = self._since, {}
            case "unsubscribed":
                self._place = None
            case "log":
                self._steps(message)

    def _was_reset(self, cursor: Cursor, reason: str) -> None:
        since = self._since
        promise(since is not None, "reset although there was no cursor")
        assert since is not None
        promise(cursor.epoch == self._epoch, "another log's cursor", cursor)
        match reason:
            case "epoch":
                justified = since.epoch != cursor.epoch
            case "too_old":
                justified = since.seq < self._history.trimmed.get(cursor.epoch, 0)
            case "too_many":
                missed = self._history.events[self._epoch][since.seq :]
                told = [event for event in missed if self._follows(event) or self._may(event)]
                justified = len(told) > self._history.replay
            case _:
                justified = False
        promise(justified, "reset without a reason", reason, since, cursor)
        self._reset = True

    def _begins(self, cursor: Cursor, tasks: dict[str, int]) -> None:
        promise(cursor.epoch == self._epoch, "another log's cursor", cursor)
        if self._since is None or self._reset:
            self._snapshot, self._base = tasks, cursor.seq
        else:
            promise(cursor == self._since, "the cursor is neither honoured nor reset", cursor, self._since)
            self._snapshot = {}
            self._goes_on_from(cursor)
        self._place, self._reset = cursor, False
        for job_id, seq in tasks.items():
            self._latest[job_id] = max(seq, self._latest.get(job_id, 0))

    def _goes_on_from(self, since: Cursor) -> None:
        if not self._latest:
            self._claimed = since.seq

    def _goes_on(self, cursor: Cursor, message: dict[str, Any]) -> None:
        place, job_id, job_seq = self._place, message["videoId"], message["seq"]
        promise(place is not None, "an update of what is not followed", message)
        assert place is not None
        promise(cursor.epoch == self._epoch, "an update of another log", cursor)
        event = self._history.event(cursor)
        promise((event.job_id, event.job_seq) == (job_id, job_seq), "another job's update", event, message)
        promise(self._follows(event) or self._may(event), "an update of what is not followed", message)
        promise(cursor.seq > place.seq, "told twice, or too late", cursor, place)
        promise(job_seq > self._snapshot.get(job_id, 0), "older than the snapshot", job_id, job_seq)
        skipped = self._between(place.seq, cursor.seq)
        kept = [each for each in skipped if each.final or not self._history.merges]
        promise(not kept, "left out", kept, place, cursor)
        self._place = cursor
        self._latest[job_id] = max(job_seq, self._latest.get(job_id, 0))

    def _steps(self, message: dict[str, Any]) -> None:
        """The step log is the job's history so far, but for what is not kept any more."""
        steps = [(step["seq"], step["step"]) for step in message["steps"]]
        true = [
            (e.job_seq, e.step) for e in self._history.events[self._epoch] if e.job_id == message["videoId"]
        ]
        begins = steps[0][0] if steps else 1
        wanted = [each for each in true if each[0] >= begins][: len(steps)]
        promise(steps == wanted, "the step log is another", steps, true)
        promise(message["truncated"] == (begins > 1 or not steps), "it hides that steps are missing", message)

    def _between(self, after: int, before: int | None) -> list[StoredEvent]:
        """Events that are to be told, and no snapshot has told."""
        numbers, followed = self._numbers[self._epoch], self._followed[self._epoch]
        end = len(numbers) if before is None else bisect_left(numbers, before)
        return [
            event
            for event in followed[bisect_right(numbers, after) : end]
            if event.job_seq > self._snapshot.get(event.job_id, 0)
        ]


def _cursor_of(message: dict[str, Any]) -> Cursor:
    cursor = Cursor.parse(message["cursor"])
    assert cursor is not None, message
    return cursor
