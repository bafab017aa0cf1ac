"""kill -9 at every step of a job's life, with an upstream in another process that writes down what it was paid for.

Every case runs twice over the same data directory: a gateway that dies at a named point (tests/killable.py),
and one that is left alone. Then the verdict is the same for all (tests/verdict.py): the job is there if it was
acknowledged, it has ended as it must, it was paid at most once, its file is whole and the books balance.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.killable import MOMENTS
from tests.processes import Client, LoggingUpstream, Place, furnish, logging_upstream, settle_in
from tests.verdict import Verdict, verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")

AT_ONCE = 3
"""Cases side by side: two cores are busy, and one case waits for its upstream."""
DIES_WITHIN = 15.0

_marks = (f"mark{number:05d}" for number in itertools.count(1))


@dataclass(frozen=True)
class Case:
    """What is asked for, where the gateway dies, and how the job ends after a restart: in one of *ends*, with
    that many creates; ``absent`` when it was never stored."""

    point: str
    ends: tuple[str, ...] = ("completed",)
    creates: tuple[int, ...] = (1,)
    faults: str = ""
    then: str = ""
    """What the person does once the job is on its way: ``cancel``; once it is completed: ``delete``."""
    again: tuple[str, ...] = ()
    """Where the next gateways on the same directory die, one after the other."""
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.point, *self.again, *self.options, self.faults)).strip()


@dataclass
class House:
    """What all cases of a test share."""

    directory: Path
    upstream: LoggingUpstream
    key: str

    def place(self, mark: str) -> Place:
        return settle_in(self.directory / mark, self.directory / "template", self.key, self.upstream)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    directory = tmp_path_factory.mktemp("kills")
    key = await furnish(directory / "template")
    async with logging_upstream(directory) as upstream:
        yield House(directory, upstream, key)


async def killed(house: House, case: Case) -> Verdict:
    """Runs *case* to its end; says what it came to."""
    mark = next(_marks)
    place = house.place(mark)
    faults = case.faults or ("[[fault:duration=1.2]]" if case.then == "cancel" else "")
    acknowledged = None
    for number, point in enumerate((case.point, *case.again)):
        async with place.gateway(killable=(point, *case.options)) as (gateway, client):
            if number == 0:
                acknowledged = await client.make(f"a paper boat {mark} {faults}")
            if case.then:
                await _then(client, case.then)
            code = await gateway.ended(DIES_WITHIN)
            assert code == -signal.SIGKILL, f"{case}: {point} was not reached: {gateway.complaints}"
    async with place.gateway() as (gateway, client):
        if await client.tasks():
            await client.task_at({"completed", "unknown", "cancelled", "failed"})
        # One more kill: what people have seen is on the disk.
        assert await gateway.told(signal.SIGKILL) == -signal.SIGKILL
    return await verdict(place, mark, acknowledged)


async def _then(client: Client, act: str) -> None:
    """Does it, or finds the gateway dead."""
    try:
        if act == "cancel":
            task = await client.task_at({"processing", "cancelling"})
            await client.http.post(f"/api/video/tasks/{task['videoId']}/cancel")
        else:
            task = await client.task_at({"completed"})
            await client.http.delete(f"/api/video/tasks/{task['videoId']}")
    except httpx.TransportError:
        pass


async def all_keep_their_promises(house: House, cases: Sequence[Case]) -> None:
    """Runs *cases* side by side; each must end as it says, and break nothing."""
    places = asyncio.Semaphore(AT_ONCE)

    async def run(case: Case) -> str | None:
        async with places:
            seen = await killed(house, case)
        end = seen.ends[0] if seen.ends else "absent"
        if seen.broken or end not in case.ends or seen.creates not in case.creates:
            return f"{case}: {seen}"
        return None

    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(run(case)) for case in cases]
    wrong = [complaint for each in runs if (complaint := each.result())]
    assert not wrong, "\n".join(wrong)


def commit(
    step: str,
    without: tuple[str, int],
    with_it: tuple[str, int] = ("completed", 1),
    *,
    faults: str = "",
    then: str = "",
) -> list[Case]:
    """The four moments of a commit: how it ends when the commit did not happen, and when it did. What a kill in
    the middle of COMMIT leaves is one or the other, never something between."""
    cases = []
    for moment in MOMENTS:
        possible = {"after": [with_it], "committing": [without, with_it]}.get(moment, [without])
        ends, creates = tuple(end for end, _ in possible), tuple(number for _, number in possible)
        cases.append(Case(f"{step}:{moment}", ends, creates, faults, then))
    return cases


async def test_killed_at_the_accept_the_job_is_there_whole_or_not_at_all(house: House) -> None:
    await all_keep_their_promises(house, commit("accept", ("absent", 0)))


async def test_killed_at_the_intent_nothing_was_paid_and_what_is_not_known_is_said_so(house: House) -> None:
    await all_keep_their_promises(house, commit("intent", ("completed", 1), ("unknown", 0)))


async def test_killed_around_the_paid_create_it_is_never_sent_again(house: House) -> None:
    cases = [
        Case("create:before", ("unknown",), (0,)),
        Case("create:taken", ("unknown",), (1,), "[[fault:create_hang=5]]"),
        Case("create:answered", ("unknown",), (1,)),
    ]
    await all_keep_their_promises(house, cases)


async def test_killed_at_the_receipt_the_job_is_known_or_in_doubt_and_paid_once(house: House) -> None:
    await all_keep_their_promises(house, commit("receipt", ("unknown", 1)))


async def test_killed_when_the_doubt_is_written_down_it_stays_a_doubt(house: House) -> None:
    doubt = ("unknown", 1)
    await all_keep_their_promises(house, commit("doubt", doubt, doubt, faults="[[fault:create_drop]]"))


async def test_killed_when_a_busy_upstream_is_to_be_asked_again_it_is_paid_once(house: House) -> None:
    cases = commit("postponed", ("unknown", 0), faults="[[fault:create_429=0.1]]")
    await all_keep_their_promises(house, cases)


async def test_killed_at_a_poll_the_watching_goes_on(house: House) -> None:
    cases = [Case("look:before"), Case("look:answered"), *commit("poll", ("completed", 1))]
    await all_keep_their_promises(house, cases)


async def test_killed_when_the_upstream_has_finished_the_file_is_still_fetched(house: House) -> None:
    await all_keep_their_promises(house, commit("finished", ("completed", 1)))


async def test_killed_in_the_middle_of_the_download_it_goes_on(house: House) -> None:
    moments = ("begun", "middle", "whole", "verified")
    await all_keep_their_promises(house, [Case(f"download:{moment}") for moment in moments])


async def test_killed_around_the_rename_there_is_one_whole_file(house: House) -> None:
    points = ("rename:before", "rename:after", "rename:placed", "still:after")
    await all_keep_their_promises(house, [Case(point) for point in points])


async def test_killed_at_the_final_commit_it_is_settled_once(house: House) -> None:
    await all_keep_their_promises(house, commit("stored", ("completed", 1)))


async def test_killed_at_the_wish_to_cancel_it_is_honoured_if_it_was_stored(house: House) -> None:
    await all_keep_their_promises(house, commit("cancel", ("completed", 1), ("cancelled", 1), then="cancel"))


async def test_killed_while_the_upstream_is_told_to_stop_it_is_told_again(house: House) -> None:
    cancelled = ("cancelled", 1)
    cases = [
        Case("stop:before", ("cancelled",), then="cancel"),
        Case("stop:answered", ("cancelled",), then="cancel"),
        *commit("cancelled", cancelled, cancelled, then="cancel"),
    ]
    await all_keep_their_promises(house, cases)
