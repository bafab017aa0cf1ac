"""The long form of tests/test_kills.py, collected only with ``--kills=full`` (``make kill-test``): the same points
with an upstream that misbehaves, with gateways that die again while they recover, and at moments left to chance.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.killable import MOMENTS
from tests.killing import Case, House, all_keep_their_promises, commit, kill_house
from tests.killing_in_doubt import Doubt, all_end, losing_house
from tests.lossy_lab import LOSSES
from tests.processes import CREATE_TIMEOUT

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with kill_house(tmp_path_factory.mktemp("kills")) as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def losing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with losing_house(tmp_path_factory.mktemp("doubts")) as house:
        yield house


# --- an upstream that loses answers --------------------------------------------------------------------

LOST_ANSWERS = {
    "create_drop": 1,
    "create_half": 1,
    "create_empty": 1,
    "create_no_id": 1,
    "create_500=committed": 1,
    "create_502_html=committed": 1,
    "create_502_html": 0,
    "create_drop_before": 0,
    f"create_hang={CREATE_TIMEOUT * 2:g}": 1,
}
"""Faults of a create after which nobody can know, and how many creates the upstream has then."""


@pytest.mark.parametrize(("fault", "taken"), LOST_ANSWERS.items(), ids=LOST_ANSWERS)
async def test_killed_beside_an_upstream_that_loses_answers_it_pays_at_most_once(
    house: House, fault: str, taken: int
) -> None:
    doubt, faults = ("unknown", taken), f"[[fault:{fault}]]"
    cases = [
        *commit("accept", ("absent", 0), doubt, faults=faults),
        *commit("intent", doubt, ("unknown", 0), faults=faults),
        Case("create:before", ("unknown",), (0,), faults),
        Case("create:answered", ("unknown",), (taken,), faults),
        *commit("doubt", doubt, doubt, faults=faults),
    ]
    if taken:
        slow = faults if "hang" in fault else f"{faults} [[fault:create_hang=3]]"
        cases.append(Case("create:taken", ("unknown",), (1,), slow))
    await all_keep_their_promises(house, cases)


@pytest.mark.parametrize(
    "faults",
    [
        "[[fault:poll_500=2]]",
        "[[fault:no_progress]]",
        "[[fault:backwards]]",
        "[[fault:content_404=1]]",
        "[[fault:content_drop=1]]",
        "[[fault:truncate=1]]",
    ],
)
async def test_killed_beside_an_upstream_that_stumbles_afterwards_the_video_is_had(
    house: House, faults: str
) -> None:
    done = ("completed", 1)
    points = ("look:before", "look:answered", "download:begun", "download:middle", "rename:before")
    cases = [Case(f"{point}", faults=faults) for point in (*points, "rename:after", "rename:placed")]
    await all_keep_their_promises(
        house, [*cases, *commit("finished", done, faults=faults), *commit("stored", done, faults=faults)]
    )


@pytest.mark.parametrize("loss", LOSSES)
async def test_killed_while_it_is_looked_for_it_is_found_where_that_can_be(losing: House, loss: str) -> None:
    doubt = [f"doubt:{moment}" for moment in MOMENTS]
    found = [*doubt, "create:answered", "list:before", "list:answered", "adopted:committing", "adopted:after"]
    await all_end(losing, [Doubt(loss, "openai", (point,)) for point in found], "1 completed")
    again = [*found[:5], "resent:before", "resent:answered", *found[7:]]
    await all_end(losing, [Doubt(loss, "inworld", (point,)) for point in again], "1 completed")
    await all_end(losing, [Doubt(loss, "generic", (point,)) for point in found[:5]], "1 unknown")


@pytest.mark.parametrize("loss", ["drops", "502", "hangs"])
async def test_killed_with_five_alike_under_way_none_is_paid_twice(losing: House, loss: str) -> None:
    points = [
        "accept:after",
        "intent:after",
        "create:before",
        "create:answered",
        "doubt:before",
        "doubt:after",
    ]
    for profile in ("openai", "inworld", "generic"):
        cases = [Doubt(loss, profile, (point,), 5) for point in points]
        # One that never left and its twins that did cannot be told apart: these wait for a person.
        await all_end(losing, [*cases, Doubt(loss, profile, ("doubt:after", "doubt:after"), 5)])


async def test_killed_around_a_second_create_that_was_chosen_there_is_one_more(losing: House) -> None:
    points = [f"again:{moment}" for moment in MOMENTS]
    cases = [
        Doubt(loss, "openai", ("create:before", *more), on_ambiguous="resubmit_if_absent")
        for loss in ("drops", "502")
        for more in [(point,) for point in points] + [("again:before", "again:committing")]
    ]
    await all_end(losing, cases, "1 completed")


async def test_killed_twice_while_it_is_looked_for_it_is_found(losing: House) -> None:
    points = ["list:before", "list:answered", "adopted:before", "adopted:during"]
    pairs = itertools.product(points, points)
    await all_end(losing, [Doubt("half a body", "openai", pair) for pair in pairs], "1 completed")


# --- kills during the recovery -------------------------------------------------------------------------


def moments(*steps: str) -> list[str]:
    return [f"{step}:{moment}" for step in steps for moment in MOMENTS]


DOUBT = moments("doubt")
PLACED = ["still:after", *moments("stored")]
FETCH = ["download:verified", "rename:before", "rename:after", "rename:placed", *PLACED]
WATCH = ["look:before", "look:answered", *moments("finished"), "download:begun", "download:middle", *FETCH]
PAY = [*moments("intent", "receipt"), "create:before", "create:answered", *WATCH]

RECOVERIES: dict[str, list[str]] = {
    "accept:after": PAY,
    "intent:before": PAY,
    "intent:during": PAY,
    "intent:after": DOUBT,
    "create:before": DOUBT,
    "create:answered": DOUBT,
    "receipt:before": DOUBT,
    "receipt:during": DOUBT,
    "receipt:after": WATCH,
    "look:answered": WATCH,
    "finished:before": WATCH,
    "finished:during": WATCH,
    "finished:after": ["download:begun", "download:middle", *FETCH],
    "download:begun": ["download:begun", "download:middle", *FETCH],
    "download:middle": ["download:middle", *FETCH],
    "download:whole": FETCH,
    "download:verified": FETCH,
    "rename:before": FETCH,
    "rename:after": PLACED,
    "rename:placed": PLACED,
    "still:after": moments("stored"),
    "stored:before": moments("stored"),
    "stored:during": moments("stored"),
}
"""Where a gateway died, and where the next one can then die."""

SECOND_KILLS = 5
_NOT_PAID = {"accept:after", "intent:before", "intent:during"}


def ends_of(first: str, second: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """How a job can end that was interrupted at both: what matters is the kill after which it may have been paid."""
    match second if first in _NOT_PAID else first:
        case "intent:after" | "create:before":
            return ("unknown",), (0,)
        case "create:answered" | "receipt:before" | "receipt:during":
            return ("unknown",), (1,)
        case "intent:committing":
            return ("completed", "unknown"), (0, 1)
        case "receipt:committing":
            return ("completed", "unknown"), (1,)
        case _:
            return ("completed",), (1,)


@pytest.mark.parametrize("first", RECOVERIES)
async def test_killed_again_while_it_recovers_it_pays_once(house: House, first: str) -> None:
    chance = random.Random(first)
    seconds = RECOVERIES[first]
    # A job that lasts: the one who recovers still finds it at work.
    faults = "[[fault:duration=1]]"
    cases = []
    for second in chance.sample(seconds, min(SECOND_KILLS, len(seconds))):
        ends, creates = ends_of(first, second)
        cases.append(Case(first, ends, creates, faults, again=(second,)))
    if first in seconds:
        cases.append(Case(first, faults=faults, again=(first, first)))
    await all_keep_their_promises(house, cases)


# --- chance ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["accept", "intent", "receipt", "finished", "stored"])
async def test_killed_anywhere_inside_a_commit_it_happened_or_it_did_not(house: House, step: str) -> None:
    without, with_it = {
        "accept": (("absent", 0), ("completed", 1)),
        "intent": (("completed", 1), ("unknown", 0)),
        "receipt": (("unknown", 1), ("completed", 1)),
    }.get(step, (("completed", 1), ("completed", 1)))
    ends, creates = (without[0], with_it[0]), (without[1], with_it[1])
    cases = [
        Case(f"{step}:committing", ends, creates, options=("--delay", str(microseconds / 1e6)))
        for microseconds in (0, 20, 50, 100, 200, 400, 800, 1600)
    ]
    await all_keep_their_promises(house, cases)


async def test_killed_three_times_at_moments_of_chance_it_keeps_every_promise(house: House) -> None:
    chance = random.Random(2)
    cases = []
    for _ in range(24):
        first, *rest = (f"chance:{chance.uniform(0.4, 1.3):.3f}" for _ in range(3))
        ends = ("absent", "completed", "unknown")
        cases.append(Case(first, ends, (0, 1), "[[fault:duration=1]]", again=tuple(rest)))
    await all_keep_their_promises(house, cases)
