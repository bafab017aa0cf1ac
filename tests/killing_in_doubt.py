"""One case of a create whose answer is lost beside gateways that die: from the request to the verdict."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.killing import AT_ONCE, DIES_WITHIN, House
from tests.processes import Client, EndedAtStart, LoggingUpstream, furnish, program
from tests.verdict import Verdict, verdict

SETTLES_WITHIN = 30.0
_marks = (f"doubt{number:05d}" for number in itertools.count(1))


@dataclass(frozen=True)
class Doubt:
    """*number* equal requests, whose creates' answers are lost in the way *loss*, and gateways that die at *points*.

    *profile* is ``openai`` (a list), ``generic`` (none) or ``inworld`` (a list and idempotency keys).
    """

    loss: str
    profile: str
    points: tuple[str, ...]
    number: int = 1
    on_ambiguous: str = ""

    def __str__(self) -> str:
        return f"{self.number} x {self.loss} at {self.profile} {self.on_ambiguous} {' '.join(self.points)}"


@asynccontextmanager
async def losing_house(directory: Path) -> AsyncIterator[House]:
    """Where all cases of a test run; its upstream loses answers."""
    key = await furnish(directory / "template")
    journal = directory / "creates.jsonl"
    journal.touch()
    async with program(directory / "upstream.log", "tests.losing_upstream", str(journal)) as running:
        yield House(directory, LoggingUpstream(running.address, journal), key)


async def in_doubt(house: House, case: Doubt) -> Verdict:
    """Runs *case* until nothing more happens by itself; says what it came to."""
    mark = next(_marks)
    place = house.place(mark)
    config = place.root / "config.toml"
    text = config.read_text(encoding="utf-8").replace('profile = "simulator"', f'profile = "{case.profile}"')
    text = text.replace("create_timeout = 4.0", "create_timeout = 1.0")
    config.write_text(
        text + f'on_ambiguous = "{case.on_ambiguous}"\nrequests_per_minute = 0\n', encoding="utf-8"
    )
    acknowledged: list[str | None] = []
    for number, point in enumerate(case.points):
        try:
            async with place.gateway(killable=(point, "--search")) as (gateway, client):
                if number == 0:
                    prompt = f"a paper boat {mark} [[loss:{case.loss}]]"
                    acknowledged = await asyncio.gather(*(client.make(prompt) for _ in range(case.number)))
                code, complaints = await gateway.ended(DIES_WITHIN), gateway.complaints
        except EndedAtStart as ended:
            code, complaints = ended.code, ended.complaints
        except TimeoutError:
            raise AssertionError(f"{point} was not reached") from None
        assert code == -signal.SIGKILL, f"at {point} it ended by itself: {complaints}"
    async with place.gateway(killable=("none", "--search")) as (gateway, client):
        await _settled(client)
        # One more kill: what people have seen is on the disk.
        assert await gateway.told(signal.SIGKILL) == -signal.SIGKILL
    seen = await verdict(place, mark, acknowledged[0] if acknowledged else None, case.number)
    known = [job for job in acknowledged if job is not None]
    if len(seen.ends) < len(known):
        seen.broken.append("what was acknowledged is gone")
    return seen


async def _settled(client: Client) -> None:
    """Returns when each task has ended or waits for an administrator."""
    tasks: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(SETTLES_WITHIN):
            while True:
                tasks = await client.tasks()
                if all(map(_waits_for_nothing, tasks)):
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(
            f"these go on for ever: {[(each['stage'], each['note']) for each in tasks]}"
        ) from None


def _waits_for_nothing(task: dict[str, Any]) -> bool:
    return task["status"] in {"completed", "failed", "cancelled"} or (
        task["stage"] == "unknown" and "administrator" in task["note"]
    )


async def all_end(house: House, cases: Iterable[Doubt], *ends: str) -> None:
    """Runs the cases side by side; each must break nothing, and end in one of *ends*, if there are some: how many
    creates there were, and the states of its jobs, ``absent`` when none was stored."""
    places = asyncio.Semaphore(AT_ONCE)

    async def run(case: Doubt) -> str | None:
        async with places:
            try:
                seen = await in_doubt(house, case)
            except AssertionError as error:
                return f"{case}: {error}"
        end = f"{seen.creates} {' '.join(sorted(set(seen.ends))) or 'absent'}"
        return f"{case}: {end}: {seen}" if seen.broken or (ends and end not in ends) else None

    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(run(case)) for case in cases]
    wrong = [complaint for each in runs if (complaint := each.result())]
    assert not wrong, "\n".join(wrong)
