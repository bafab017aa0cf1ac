"""What the operator is told, and when: no sockets and no waiting, only values."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.alerts import (
    AT_ONCE,
    HOUR,
    LONGEST_WAIT,
    PER_HOUR,
    SETTLES,
    Alert,
    AlertKind,
    Desk,
    Key,
    Message,
    Phase,
    Told,
    Trouble,
    Wishes,
    observe,
    recalled,
)

LAB = Trouble(AlertKind.UPSTREAM, "lab", "silent")
DISK = Trouble(AlertKind.STORAGE, "disk", "disk")
START = 1_800_000_000.0
STEP = 10.0


class World:
    """One destination that takes everything, and time in steps."""

    def __init__(self, wishes: Wishes | None = None) -> None:
        self.now = START
        self.wishes = wishes or Wishes(repeat_after=0.0)
        self.alerts: dict[Key, Alert] = {}
        self.desk = Desk()
        self.messages: list[tuple[float, Message]] = []

    def look(self, *troubles: Trouble, arrives: bool = True) -> list[str]:
        """A look later by a step; what was said then, as ``phase subject``."""
        self.now += STEP
        self.alerts = observe(self.alerts, troubles, self.now)
        message = self.desk.message(self.alerts, self.now, self.wishes)
        if message is None:
            return []
        if not arrives:
            self.desk = self.desk.failed(self.now, 0.5)
            return []
        self.desk = self.desk.delivered(message, self.now)
        self.messages.append((self.now, message))
        return said(message)

    def looks(self, seconds: float, *troubles: Trouble, arrives: bool = True) -> list[str]:
        """The same for *seconds*."""
        steps = int(seconds / STEP)
        return [word for _ in range(steps) for word in self.look(*troubles, arrives=arrives)]


def said(message: Message) -> list[str]:
    return [f"{note.phase} {note.trouble.subject}" for note in message.notes]


# --- raised once, over once ----------------------------------------------------------------------------


def test_what_is_wrong_is_told_once_and_its_end_once() -> None:
    world = World()
    assert world.look() == []
    assert world.looks(3600, LAB) == ["raised lab"]
    assert world.looks(3600) == ["resolved lab"]
    assert world.looks(3600) == []


def test_what_comes_and_goes_within_two_minutes_is_one_trouble() -> None:
    world = World()
    heard = []
    for _ in range(20):
        heard += world.look(LAB) + world.looks(SETTLES - 2 * STEP)
    assert heard == ["raised lab"]
    assert world.looks(SETTLES) == ["resolved lab"]


def test_a_trouble_is_dated_from_its_beginning() -> None:
    world = World()
    world.look(Trouble(LAB.kind, LAB.subject, LAB.cause, since=START - 500))
    world.looks(600, LAB)
    world.looks(600)
    assert [message.notes[0].since for _, message in world.messages] == [START - 500, START - 500]


def test_things_that_go_wrong_together_are_one_message() -> None:
    world = World()
    assert world.look(LAB, DISK) == ["raised lab", "raised disk"]
    assert len(world.messages) == 1


def test_a_lost_create_is_told_of_only_when_it_was_not_found_soon() -> None:
    lost = Trouble(AlertKind.UNKNOWN, "lab", "unknown")
    world = World()
    assert world.looks(50, lost) == []
    assert world.looks(3600) == [], "it was found: nobody was bothered"
    assert world.looks(600, lost) == ["raised lab"]


def test_a_number_that_has_doubled_is_news() -> None:
    def lost(videos: int) -> Trouble:
        return Trouble(AlertKind.UNKNOWN, "lab", "unknown", videos)

    world = World()
    world.looks(120, lost(2))
    assert world.looks(600, lost(3)) == []
    assert world.looks(600, lost(4)) == ["worse lab"]
    assert world.looks(600, lost(1)) == [], "fewer is nothing new"
    assert world.looks(600, lost(8)) == ["worse lab"]


def test_it_is_reminded_of_what_lasts() -> None:
    world = World(Wishes(repeat_after=1800))
    assert world.looks(7300, LAB) == ["raised lab", *["still lab"] * 4]


def test_a_destination_hears_only_what_it_wants() -> None:
    world = World(Wishes(frozenset({AlertKind.STORAGE}), 0.0))
    assert world.looks(600, LAB, DISK) == ["raised disk"]
    assert world.looks(600) == ["resolved disk"]


# --- storms ----------------------------------------------------------------------------------------------


def test_a_storm_ends_in_silence_that_is_announced_and_in_a_summary() -> None:
    world = World()
    for turn in range(200):
        world.look(Trouble(AlertKind.UPSTREAM, f"up{turn}", "silent"))
    assert len(world.messages) == PER_HOUR
    (_, last) = world.messages[-1]
    assert last.silent_until == world.messages[0][0] + HOUR
    assert all(message.silent_until is None for _, message in world.messages[:-1])
    world.looks(HOUR)
    summary = world.messages[PER_HOUR][1]
    assert world.messages[PER_HOUR][0] >= last.silent_until
    assert {note.phase for note in summary.notes} == {Phase.RESOLVED}, "what was told of is over by now"


def test_many_things_at_once_are_told_in_parts() -> None:
    world = World()
    many = [Trouble(AlertKind.UPSTREAM, f"up{number}", "silent") for number in range(AT_ONCE * 2 + 3)]
    first = world.look(*many)
    assert len(first) == AT_ONCE
    assert world.messages[0][1].more == AT_ONCE + 3
    assert sorted(first + world.looks(60, *many)) == sorted(f"raised {each.subject}" for each in many)


# --- a destination that is dead, a gateway that was ------------------------------------------------------


def test_a_destination_that_comes_back_hears_how_things_are_now() -> None:
    world = World()
    assert world.looks(7200, LAB, arrives=False) == []
    world.looks(7200, LAB, DISK, arrives=False)
    assert world.looks(3600, DISK) == ["raised disk"]


def test_tries_become_rare_and_then_no_rarer() -> None:
    desk, now, waits = Desk(), START, []
    for _ in range(30):
        desk = desk.failed(now, 0.999)
        waits.append(desk.retry_at - now)
        now = desk.retry_at
    assert waits[0] <= 5
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(LONGEST_WAIT, rel=0.01)
    assert Desk().failed(START, 0.0).retry_at == START + 1
    assert Desk().failed(START, 0.0, at_least=60).retry_at == START + 60
    assert Desk().failed(START, 0.0, at_least=1e9).retry_at == START + LONGEST_WAIT


def test_a_restart_says_nothing_twice_and_forgets_no_end() -> None:
    told = [Told(LAB, START - 50, START), Told(DISK, START - 60, START)]
    world = World()
    world.desk = Desk({each.trouble.key: each for each in told})
    world.alerts = recalled(told, world.now)
    assert world.looks(SETTLES - 2 * STEP, LAB) == []
    assert world.looks(600, LAB) == ["resolved disk"]
    assert world.looks(600) == ["resolved lab"]
    assert world.messages[-1][1].notes[0].since == START - 50


def test_a_clock_that_is_set_back_silences_nobody() -> None:
    world = World()
    world.looks(60, LAB)
    world.desk = world.desk.failed(world.now, 0.999)
    world.now -= 10 * HOUR
    assert world.look(LAB, DISK) == ["raised disk"]
    assert world.looks(600, DISK) == ["resolved lab"]


# --- in general ------------------------------------------------------------------------------------------

SUBJECTS = ("a", "b", "c")
MOMENTS = st.lists(
    st.tuples(
        st.sets(st.sampled_from(SUBJECTS)), st.integers(1, 20), st.booleans(), st.sampled_from([1, 2, 5])
    ),
    max_size=30,
)


def troubles(subjects: Iterable[str], count: int) -> list[Trouble]:
    return [Trouble(AlertKind.UPSTREAM, subject, "silent", count) for subject in sorted(subjects)]


@given(MOMENTS, st.sampled_from([0.0, 900.0]))
def test_whatever_happens_nothing_is_told_twice_missed_or_too_often(
    moments: list[tuple[set[str], int, bool, int]], repeat_after: float
) -> None:
    world = World(Wishes(repeat_after=repeat_after))
    for subjects, steps, arrives, count in moments:
        for _ in range(steps):
            world.look(*troubles(subjects, count), arrives=arrives)
    final = moments[-1][0] if moments else set()
    # Long enough for every backoff and for a full hour of silence.
    world.looks(2 * HOUR, *troubles(final, 1))

    assert {subject for _, subject in world.desk.told} == final, "in the end everything is told"
    known: dict[str, float] = {}
    for at, message in world.messages:
        within = [other for other, _ in world.messages if at - HOUR < other <= at]
        assert len(within) <= PER_HOUR
        for note in message.notes:
            subject = note.trouble.subject
            assert (subject in known) == (note.phase is not Phase.RAISED), "raised once, over once"
            if note.phase is Phase.STILL:
                assert repeat_after
                assert at - known[subject] >= repeat_after
            if note.phase is Phase.RESOLVED:
                del known[subject]
            else:
                known[subject] = at
