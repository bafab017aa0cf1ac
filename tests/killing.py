"""One kill case from its beginning to its verdict: a gateway that dies at a named point (tests/killable.py), maybe
more of them, then one on the same directory that is left alone, and then everything is looked at
(tests/verdict.py). The upstream is a process of its own and writes down every create before it answers.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.killable import MOMENTS
from tests.processes import Client, EndedAtStart, LoggingUpstream, Place, furnish, logging_upstream, settle_in
from tests.verdict import Verdict, verdict

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
    """More for tests/killable.py, the last gateway included."""
    forgotten: bool = False
    """Whether the upstream has dropped the job by the time of the restart."""

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


@asynccontextmanager
async def kill_house(directory: Path) -> AsyncIterator[House]:
    key = await furnish(directory / "template")
    async with logging_upstream(directory) as upstream:
        yield House(directory, upstream, key)


async def taken(place: Place, mark: str) -> None:
    """Returns when the upstream has the create; its answer is still to come."""
    async with asyncio.timeout(10):
        while True:
            if place.upstream.creates(mark):
                return
            await asyncio.sleep(0.01)


async def stopping(http: httpx.AsyncClient) -> None:
    """Returns when the gateway has taken its signal in."""
    async with asyncio.timeout(5):
        while True:
            if (await http.get("/ready")).status_code == 503:
                return
            await asyncio.sleep(0.01)


async def killed(house: House, case: Case) -> Verdict:
    """Runs *case* to its end; says what it came to."""
    mark = next(_marks)
    place = house.place(mark)
    faults = case.faults or ("[[fault:duration=2.5]]" if case.then == "cancel" else "")
    acknowledged = None
    for number, point in enumerate((case.point, *case.again)):
        try:
            async with place.gateway(killable=(point, *case.options)) as (gateway, client):
                if number == 0:
                    acknowledged = await client.make(f"a paper boat {mark} {faults}")
                if case.then:
                    await _then(client, case.then)
                code, complaints = await gateway.ended(DIES_WITHIN), gateway.complaints
        except EndedAtStart as ended:
            code, complaints = ended.code, ended.complaints
        except TimeoutError:
            raise AssertionError(f"{case}: {point} was not reached") from None
        assert code == -signal.SIGKILL, f"{case}: at {point} it ended by itself: {complaints}"
    if case.forgotten:
        await house.upstream.forget(mark)
    async with place.gateway(killable=("none", *case.options)) as (gateway, client):
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
            try:
                seen = await killed(house, case)
            except AssertionError as error:
                return str(error)
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
