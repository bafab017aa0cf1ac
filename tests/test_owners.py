"""Everybody tries every route on everything: each cell of the matrix, over a real port.

The table of rights and the rows of the routes are in ``tests/matrix.py``, what is tried on in ``tests/belongings.py``,
who tries in ``tests/callers.py``. Files: ``tests/test_owners_files.py``; lists: ``tests/test_owners_lists.py``; ids that
collide or are none: ``tests/test_owners_ids.py``; what is live: ``tests/test_owners_live.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sora_gateway.http.system import System
from sora_gateway.http.table import table
from tests.belongings import OF, House, Whose, house
from tests.callers import Caller, administrator, narrow, nobodies, others, owner, with_tickets
from tests.matrix import MATRIX, ONE_JOB, Right, Thing, answer_for
from tests.team import ask

ENDPOINTS = {f"{endpoint.method} {endpoint.template}": endpoint for endpoint in table(System(0.0, list))}
GROUPS: dict[str, Callable[[House], Awaitable[list[Caller]]]] = {
    "its owner": owner,
    "an administrator": administrator,
    "everybody else": others,
    "keys for one thing": narrow,
    "nobody": nobodies,
}
Told = defaultdict[str, set[tuple[Any, ...]]]
"""What somebody was told where there is nothing, by route."""


def test_every_route_has_a_row() -> None:
    assert set(ENDPOINTS) == set(MATRIX), "a route without a row, or a row without a route"
    for route, row in MATRIX.items():
        assert ("{id}" in route) <= (row.thing is not None or bool(row.name)), route
        # Nothing that only a role opens is a matter of whose it is.
        assert (row.right is Right.ADMINISTER) == route.split(" ")[1].startswith("/api/admin/"), route
    assert len(ONE_JOB) > 15


@pytest.mark.parametrize("group", GROUPS)
async def test_everybody_tries_every_route_on_everything(group: str, tmp_path: Path) -> None:
    async with house(tmp_path) as all:
        callers, before = await GROUPS[group](all), await all.as_ann_sees_it()
        for caller in callers:
            told: Told = defaultdict(set)
            for route, row in MATRIX.items():
                for whose in OF[row.thing] if row.thing is not None else (None,):
                    await _try(all, caller, route, whose, told)
            for route, ways in told.items():
                assert len(ways) == 1, (
                    f"{caller.name} can tell what {route} hides from what is not there: {ways}"
                )
        after = await all.as_ann_sees_it()
        assert {id: after.get(id) for id in before} == before, "what was not theirs to change was changed"
        if group in ("everybody else", "nobody"):
            assert after == before, "something was made in Ann's name"


async def test_a_ticket_opens_a_stream_once_and_nothing_else(tmp_path: Path) -> None:
    async with house(tmp_path) as all:
        before = await all.as_ann_sees_it()
        on_streams, elsewhere = await with_tickets(all)
        streams = {route for route, endpoint in ENDPOINTS.items() if endpoint.tickets}
        assert streams == {"GET /api/events/stream", "GET /api/video/tasks/{id}/stream"}
        for route, row in MATRIX.items():
            for whose in OF[row.thing] if row.thing is not None else (None,):
                caller = on_streams if route in streams else elsewhere
                await _try(all, caller, route, whose, defaultdict(set))
        for route in streams:
            brought = await on_streams.bring()
            id = all.kept[Thing.JOB, Whose.PRIVATE, "done"].ids[0]
            statuses = [(await ask(all.http, route, id, **brought)).status_code for _ in range(3)]
            assert statuses == [200, 401, 401], route
        assert await all.as_ann_sees_it() == before


async def _try(all: House, caller: Caller, route: str, whose: Whose | None, told: Told) -> None:
    """One cell, by each id that the thing goes by."""
    row = MATRIX[route]
    column = caller.column(row, whose)
    expected, numbers = answer_for(row.right, column), range(1)
    uses_it_up = expected is None and changes(route)
    # Who is turned away before anything is looked up needs one id, and what is used up is made anew for each.
    if (
        whose is not None
        and column not in ("nobody", "other scope")
        and not (uses_it_up and caller.by_session)
    ):
        numbers = range(len(all.target(row, whose).ids))
    for number in numbers:
        id, names = "", {}
        if whose is not None:
            target = await all.make_for(row, whose) if uses_it_up else all.target(row, whose)
            id, names = target.ids[number], {"share": target.share}
        if row.thing is Thing.CHARACTER and number:
            whose = Whose.NOBODYS  # the upstream's id of a character is nobody's name for it
            expected = answer_for(row.right, caller.column(row, whose))
        if caller.in_address and _knows_its_parameters(route):
            expected = 400
        answer = await ask(all.http, route, id, names, **await caller.bring())
        all.http.cookies.clear()
        cell = f"{caller.name}, {route}, {whose}, {id}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code == (expected or _done(route, caller)), cell
        if expected is not None or not (caller.sees_all or caller.user == "user_ann"):
            for secret in all.secrets():
                assert secret == id or secret not in answer.text, cell
        if answer.status_code == 404 and row.right is not Right.OPEN:
            told[route].add(_words(answer))


def changes(route: str) -> bool:
    return MATRIX[route].right in (Right.CHANGE, Right.OWN) and not route.startswith("GET ")


def _knows_its_parameters(route: str) -> bool:
    """Whether it is open to strangers, and refuses a parameter that it has not."""
    return ENDPOINTS[route].query is not None and MATRIX[route].right in (Right.OPEN, Right.FILE)


def _done(route: str, caller: Caller) -> int:
    row = MATRIX[route]
    return (caller.by_session and row.by_session) or row.status


def _words(answer: httpx.Response) -> tuple[Any, ...]:
    """All of an answer but what differs from request to request."""
    headers = {name: value for name, value in answer.headers.items() if name not in ("date", "x-request-id")}
    return str(answer.json()["error"] | {"requestId": ""}), str(sorted(headers.items()))
