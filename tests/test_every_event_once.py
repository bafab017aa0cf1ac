"""R1 and R2 of live updates: every event of what one follows, in order, none twice and none left out, or an explicit
``reset`` first; in the end the true state of every job. Whoever follows it by its id, by its upstream's id (also before
that is known) or with everything: the same.

The followers come, ask again, leave, are slow, and are cut off in the middle of a message; the jobs are shown to the team
and taken back; the log is trimmed; the gateway restarts, is killed, and gets another database. ``tests/transcripts.py``
says what was promised. ``--kills=full`` (``make kill-test``) has 1,000 followers and 500 events. That the property notices
a broken hub or mailbox is tested at the end: each mutant there is a mistake that one could make.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.realtime import hub, mailbox
from sora_gateway.realtime.hub import Hub, Subscription
from sora_gateway.realtime.letter import Letter
from sora_gateway.realtime.mailbox import Mailbox
from sora_gateway.realtime.session import Attached, Session
from tests.transcripts import BrokenPromise
from tests.watched_world import Plan, live_through, world

ROUGH = {
    "as configured": {},
    "small slices": {"slice": 5},
    "small slices and mailboxes": {"slice": 5, "letters": 6},
}
PLANS = {
    "merged": Plan(60, 80),
    "told one by one": Plan(60, 80, merges=False),
    "a short log": Plan(60, 80, replay=20),
    "little patience": Plan(60, 80, high=2048, patience=0.02),
}


def rough(
    monkeypatch: pytest.MonkeyPatch, *, slice: int = hub.SLICE, letters: int = mailbox.MAX_EVENTS
) -> None:
    """Slices so small that a broadcast is over only when much else has happened; mailboxes that overflow."""
    monkeypatch.setattr(hub, "SLICE", slice)
    monkeypatch.setattr(mailbox, "MAX_EVENTS", letters)


@pytest.mark.parametrize("how", ROUGH)
@pytest.mark.parametrize("plan", PLANS)
async def test_whoever_follows_and_is_cut_off_sees_every_event_once_and_in_order(
    tmp_path: Path, plan: str, how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rough(monkeypatch, **ROUGH[how])
    for seed in range(3):
        directory = tmp_path / str(seed)
        directory.mkdir()
        async with world(directory, PLANS[plan], seed) as there:
            await live_through(there)
            there.verify()
    assert not caplog.records, caplog.text


@pytest.mark.timeout(900)
async def test_a_thousand_followers_of_five_hundred_events(
    tmp_path: Path, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    full = request.config.getoption("--kills") == "full"
    followers, events = (1000, 500) if full else (150, 100)
    async with world(tmp_path, Plan(followers, events), 1) as there:
        await live_through(there)
        there.verify()
    assert not caplog.records, caplog.text


# --- what the property notices -------------------------------------------------------------------------


def floors_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    attach = Session.attach

    async def forgetful(session: Session, subscription: Subscription) -> Attached:
        attached = await attach(session, subscription)
        subscription.floor = 0
        return attached

    monkeypatch.setattr(Session, "attach", forgetful)


def the_older_letter_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    put = Mailbox.put

    def stubborn(box: Mailbox, letter: Letter) -> None:
        if letter.event.job_id not in box._newest:
            put(box, letter)

    monkeypatch.setattr(Mailbox, "put", stubborn)


def what_was_read_from_the_log_stays_in_the_mailbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mailbox, "keep_wanted", lambda *_: None)


def the_first_event_after_attaching_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    attach = Session.attach

    async def late(session: Session, subscription: Subscription) -> Attached:
        attached = await attach(session, subscription)
        subscription.floor += 1
        return attached

    monkeypatch.setattr(Session, "attach", late)


def an_event_that_comes_during_a_broadcast_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    add = Hub._add

    def busy(there: Hub, event: Any) -> None:
        if event.job_id not in there._newest:
            add(there, event)

    monkeypatch.setattr(Hub, "_add", busy)


@pytest.mark.parametrize(
    "mistake",
    [
        floors_are_forgotten,
        the_older_letter_is_kept,
        what_was_read_from_the_log_stays_in_the_mailbox,
        the_first_event_after_attaching_is_missed,
        an_event_that_comes_during_a_broadcast_is_dropped,
    ],
)
async def test_a_mistake_is_noticed(
    tmp_path: Path, mistake: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    rough(monkeypatch, slice=1)
    mistake(monkeypatch)
    with pytest.raises(BrokenPromise):
        await _keeps_its_promises(tmp_path)


async def _keeps_its_promises(tmp_path: Path) -> None:
    for seed in range(30):
        directory = tmp_path / str(seed)
        directory.mkdir()
        async with world(directory, Plan(60, 80, high=2048), seed) as there:
            await live_through(there)
            there.verify()
