"""Lists, counts and pages: exactly what somebody may see, and no sign of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from tests.belongings import ALL, House, Whose, house
from tests.callers import Caller, administrator, narrow, others, owner
from tests.matrix import SECRET, SHOWN, Thing


async def everybody(all: House) -> list[Caller]:
    """Who may look at all."""
    callers = [*await owner(all), *await administrator(all), *await others(all), *await narrow(all)]
    return [caller for caller in callers if caller.scopes >= {"videos:read"}]


def visible(all: House, caller: Caller, thing: Thing, *, shown_only: bool = False) -> set[str]:
    """The ids of Ann's things that *caller* sees."""
    sees = (Whose.TEAM,) if shown_only or not (caller.sees_all or caller.user == "user_ann") else ALL[:2]
    return {target.ids[0] for (kind, whose, _), target in all.kept.items() if kind is thing and whose in sees}


async def get(all: House, caller: Caller, path: str) -> httpx.Response:
    return await all.http.get(path, **await caller.bring())


async def paged(all: House, caller: Caller, path: str, limit: int) -> list[str]:
    """The ids of a whole list, by pages of *limit*."""
    found: list[str] = []
    more, after = True, ""
    while more:
        page = await get(all, caller, f"{path}{'&' if '?' in path else '?'}limit={limit}{after}")
        assert page.status_code == 200, page.text
        hidden_from(all, caller, page)
        answer: dict[str, Any] = page.json()
        (listed,) = [value for value in answer.values() if isinstance(value, list)]
        found += [each.get("videoId") or each["id"] for each in listed]
        more = bool(answer.get("hasMore", answer.get("has_more")))
        after = f"&after={found[-1]}" if found else ""
    return found


def hidden_from(all: House, caller: Caller, answer: httpx.Response) -> None:
    if not (caller.sees_all or caller.user == "user_ann"):
        for secret in all.secrets():
            assert secret not in answer.text, (caller.name, str(answer.url), secret)


async def test_lists_have_exactly_what_may_be_seen_in_pages_of_any_size(tmp_path: Path) -> None:
    async with house(tmp_path) as all:
        hidden = all.kept[Thing.JOB, Whose.PRIVATE, "done"]
        for caller in await everybody(all):
            mine, sees = caller.user == "user_ann", visible(all, caller, Thing.JOB)
            shown = visible(all, caller, Thing.JOB, shown_only=True)
            lists = {
                "/api/video/tasks": sees,
                "/api/video/tasks?scope=visible": sees,
                "/api/video/tasks?scope=mine": sees if mine else set(),
                "/api/video/tasks?scope=team": shown,
                "/api/video/tasks?q=paper": sees,
                f"/api/video/tasks?q={SECRET}": sees - shown,
                f"/api/video/tasks?batch={hidden.batch}": sees & {hidden.ids[0]},
                "/v1/videos": sees if mine or caller.sees_all else set(),
                "/v1/videos?order=asc": sees if mine or caller.sees_all else set(),
                "/api/references": visible(all, caller, Thing.IMAGE),
                "/api/references?library=team": visible(all, caller, Thing.IMAGE, shown_only=True),
                "/api/references?library=personal": visible(all, caller, Thing.IMAGE)
                - visible(all, caller, Thing.IMAGE, shown_only=True),
            }
            for path, expected in lists.items():
                for limit in (1, 100):
                    found = await paged(all, caller, path, limit)
                    assert sorted(found) == sorted(expected), (caller.name, path, limit)


async def test_lists_by_status_and_counts_know_of_nothing_else(tmp_path: Path) -> None:
    async with house(tmp_path) as all:
        for caller in await everybody(all):
            counts = (await get(all, caller, "/api/video/stats")).json()["counts"]
            sees = visible(all, caller, Thing.JOB)
            for job, status in {"done": "completed", "running": "processing", "ended": "failed"}.items():
                expected = {
                    target.ids[0]
                    for (thing, _, state), target in all.kept.items()
                    if thing is Thing.JOB and state == job and target.ids[0] in sees
                }
                found = await paged(all, caller, f"/api/video/tasks?status={status}", limit=2)
                assert set(found) == expected, (caller.name, status)
                assert counts.get(status, 0) == len(expected), (caller.name, status)
            assert sum(counts.values()) == len(sees), caller.name


async def test_a_page_after_what_is_hidden_is_a_page_after_nothing(tmp_path: Path) -> None:
    """Else a page would tell that a video exists, and when it was made."""
    async with house(tmp_path) as all:
        for caller in await others(all):
            for path in ("/api/video/tasks?after=", "/v1/videos?after=", "/v1/videos?order=asc&after="):
                told = set()
                for whose in (Whose.PRIVATE, Whose.GONE, Whose.NOBODYS):
                    for id in all.kept[Thing.JOB, whose, "done"].ids:
                        answer = await get(all, caller, path + id)
                        assert answer.status_code == 404, (caller.name, path, whose)
                        told.add(str(answer.json()["error"] | {"requestId": ""}))
                assert len(told) == 1, told
                for id in all.kept[Thing.JOB, Whose.TEAM, "done"].ids:
                    assert (await get(all, caller, path + id)).status_code == 200
            # Images are in the order of their ids: any id is a place in it, whether there is such an image or not.
            for whose in (Whose.PRIVATE, Whose.GONE, Whose.NOBODYS):
                answer = await get(
                    all, caller, f"/api/references?after={all.kept[Thing.IMAGE, whose, 'done'].ids[0]}"
                )
                assert answer.status_code == 200
                hidden_from(all, caller, answer)


async def test_what_happened_to_a_video_is_told_of_that_video_only(tmp_path: Path) -> None:
    async with house(tmp_path) as all:
        for caller in await others(all):
            for job in ("done", "running", "ended"):
                for id in all.kept[Thing.JOB, Whose.TEAM, job].ids:
                    answer = await get(all, caller, f"/api/video/tasks/{id}/events")
                    assert answer.status_code == 200
                    hidden_from(all, caller, answer)
                    about = {event["videoId"] for event in answer.json()["events"]}
                    assert about == {all.kept[Thing.JOB, Whose.TEAM, job].ids[0]}


async def test_who_sees_a_video_sees_what_it_says_and_no_more_of_its_owner_than_their_address(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as all:
        id = all.kept[Thing.JOB, Whose.TEAM, "done"].ids[0]
        for caller in await others(all):
            task = (await get(all, caller, f"/api/video/tasks/{id}")).json()
            assert task["prompt"] == f"{SHOWN}, done"
            assert task["owner"] == {"id": "user_ann", "email": "ann@example.org"}
            assert not task["mine"]
            # What else is Ann's they do not find by her id.
            for path in ("/api/keys", "/api/auth/sessions", "/api/auth/identities"):
                answer = await get(all, caller, path)
                assert answer.status_code == 200
                assert "user_ann" not in answer.text
                assert SECRET not in answer.text
                for thing in (Thing.KEY, Thing.SESSION, Thing.IDENTITY):
                    assert all.kept[thing, Whose.PRIVATE, "done"].ids[0] not in answer.text


async def test_what_is_done_to_many_is_done_to_ones_own_only(tmp_path: Path) -> None:
    async with house(tmp_path) as all:
        before = await all.as_ann_sees_it()
        wanted = {
            id: whose
            for whose in ALL
            for id in all.kept[Thing.JOB, whose, "running" if whose in ALL[:2] else "done"].ids
        }
        for caller in await others(all):
            for action in ("cancel", "delete"):
                answer = await all.http.post(
                    "/api/video/tasks/bulk",
                    json={"action": action, "ids": list(wanted)},
                    **await caller.bring(),
                )
                if caller.role == "viewer":
                    assert answer.status_code == 403
                    continue
                told = set()
                for result in answer.json()["results"]:
                    error = result["error"]
                    shown = wanted[result["id"]] is Whose.TEAM
                    assert (result["done"], error["code"]) == (False, "forbidden" if shown else "not_found")
                    told |= set() if shown else {error["message"]}
                assert len(told) == 1
                chosen: dict[str, Any]
                for chosen in ({"batch": all.kept[Thing.JOB, Whose.TEAM, "done"].batch}, {"filter": {}}):
                    answer = await all.http.post(
                        "/api/video/tasks/bulk", json={"action": action} | chosen, **await caller.bring()
                    )
                    assert answer.json()["results"] == [], (caller.name, chosen)
        assert await all.as_ann_sees_it() == before
