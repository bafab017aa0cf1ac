"""Files: every one of them in every way, by right, by a signed address and by a share link, for everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from tests.belongings import ALL, House, Whose, house
from tests.callers import Caller, administrator, narrow, nobodies, others, owner
from tests.matrix import SECRET, Right, Row, Thing, answer_for
from tests.sample_videos import sample_image, sample_mp4

STILLS = ("thumbnail", "spritesheet")
VARIANTS = ("video", *STILLS, "reference")
BY_RIGHT = {
    **{f"/api/video/tasks/{{id}}/content?variant={each}": Row(Right.FILE, Thing.JOB) for each in VARIANTS},
    **{f"/v1/videos/{{id}}/content?variant={each}": Row(Right.LOOK, Thing.JOB) for each in VARIANTS[:3]},
    "/api/references/{id}/content": Row(Right.LOOK, Thing.IMAGE),
}
"""Every address of a file, and the right that it asks for."""
WAYS: tuple[tuple[str, dict[str, str], int], ...] = (
    ("GET", {}, 200),
    ("HEAD", {}, 200),
    ("GET", {"Range": "bytes=0-9"}, 206),
    ("HEAD", {"Range": "bytes=0-9"}, 206),
    ("GET", {"If-None-Match": "*"}, 304),
    ("GET", {"Range": "bytes=99999999-"}, 416),
)
"""Method, headers, and what whoever may is answered."""


async def everybody(all: House) -> list[Caller]:
    groups = [await group(all) for group in (owner, administrator, others, narrow, nobodies)]
    return [caller for group in groups for caller in group if not caller.in_address]


def ways(caller: Caller) -> tuple[tuple[str, dict[str, str], int], ...]:
    """Where no right is asked for, strangers try everything and the others whether they are kept out."""
    return WAYS if caller.name == "a stranger" else WAYS[:1]


async def get(
    all: House, caller: Caller, address: str, method: str = "GET", headers: dict[str, str] | None = None
) -> httpx.Response:
    brought: dict[str, Any] = await caller.bring()
    answer = await all.http.request(
        method, address, headers=brought.get("headers", {}) | (headers or {}), params=brought.get("params")
    )
    all.http.cookies.clear()
    return answer


def is_refused(answer: httpx.Response, all: House) -> None:
    """There is nothing of a file in it: neither bytes, nor its length, type or hash."""
    assert {"etag", "content-range", "accept-ranges"}.isdisjoint(answer.headers), answer.headers
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    for secret in (SECRET, *all.secrets()):
        assert secret not in answer.text
        assert secret not in str(answer.headers)


async def test_every_file_in_every_way_for_everybody(tmp_path: Path) -> None:
    async with house(tmp_path) as all:
        for caller in await everybody(all):
            for address, row in BY_RIGHT.items():
                # Who is turned away before anything is looked up tries what is Ann's alone.
                known = caller.column(row, Whose.PRIVATE) not in ("nobody", "other scope")
                for whose in ALL if known else (Whose.PRIVATE,):
                    expected = answer_for(row.right, caller.column(row, whose))
                    for number, id in enumerate(all.target(row, whose).ids):
                        for method, headers, done in WAYS[:2] if number else WAYS:
                            answer = await get(all, caller, address.replace("{id}", id), method, headers)
                            cell = (caller.name, method, address, headers, whose, answer.status_code)
                            # What a range is of, and whether a copy is still good, is nobody else's business either.
                            assert answer.status_code == (expected or done), cell
                            if expected is not None:
                                is_refused(answer, all)


async def test_a_file_that_is_seen_is_the_right_one(tmp_path: Path) -> None:
    async with house(tmp_path) as all:
        (bob, *_) = await others(all)
        for address, row in BY_RIGHT.items():
            answer = await get(all, bob, address.replace("{id}", all.target(row, Whose.TEAM).ids[0]))
            if "variant=video" in address:
                assert answer.content == sample_mp4()
            elif any(still in address for still in STILLS):
                assert answer.content == sample_image()
            else:
                assert answer.headers["content-type"] == "image/png"


async def test_a_signed_address_opens_its_one_file_for_everybody(tmp_path: Path) -> None:
    """Whoever has it; changed in any way it is worth nothing, and everybody is told by right."""
    async with house(tmp_path) as all:
        mine, other = (all.kept[Thing.JOB, whose, "done"] for whose in (Whose.PRIVATE, Whose.TEAM))
        task = await all.team.ann.task(mine.ids[0])
        gone = await all.make(Thing.JOB, Whose.PRIVATE)
        late = (await all.team.ann.task(gone.ids[0]))["videoUrl"]
        assert (await all.team.ann.http.delete(f"/api/video/tasks/{gone.ids[0]}")).status_code == 204
        look = Row(Right.FILE, Thing.JOB)
        for caller in await everybody(all):
            for variant in VARIANTS:
                url: str = task[f"{variant}Url"]
                for method, headers, done in ways(caller):
                    answer = await get(all, caller, url, method, headers)
                    assert answer.status_code == done, (caller.name, variant, method, headers)
                changed = {
                    url.replace("signature=", "signature=A"): Whose.PRIVATE,
                    url.replace("expires=", "expires=1"): Whose.PRIVATE,
                    url.replace("signedBy=1", "signedBy=2"): Whose.PRIVATE,
                    url.replace(f"={variant}", f"={VARIANTS[VARIANTS.index(variant) - 1]}"): Whose.PRIVATE,
                    url.replace(mine.ids[0], mine.ids[1]): Whose.PRIVATE,
                    url.replace(mine.ids[0], other.ids[0]): Whose.TEAM,
                    url.replace(mine.ids[0], gone.ids[0]): Whose.GONE,
                    url.replace(mine.ids[0], "video_" + "0" * 32): Whose.NOBODYS,
                }
                assert url not in changed
                for address, whose in changed.items():
                    column = caller.column(look, whose)
                    # Whoever is nobody here is told that the address is no good, whatever it was of.
                    expected = 403 if column in ("nobody", "other scope") else answer_for(Right.FILE, column)
                    answer = await get(all, caller, address)
                    assert answer.status_code == (expected or 200), (caller.name, address)
                    if expected is not None:
                        is_refused(answer, all)
            assert (await get(all, caller, late)).status_code == 404, caller.name
            # It is an address of that file and of nothing else.
            query = task["videoUrl"].partition("?")[2]
            for path in (f"/v1/videos/{mine.ids[0]}/content", f"/api/video/tasks/{mine.ids[0]}"):
                answer = await get(all, caller, f"{path}?{query}")
                assert answer.status_code in (400, 401, 403, 404), (caller.name, path)
                is_refused(answer, all)


async def test_a_share_link_opens_its_files_for_everybody(tmp_path: Path) -> None:
    async with house(tmp_path) as all:
        token, mine = await all.share_token(), all.kept[Thing.JOB, Whose.PRIVATE, "done"]
        revoked = await all.make(Thing.JOB, Whose.PRIVATE)
        path = f"/api/video/tasks/{revoked.ids[0]}/shares"
        (share,) = (await all.team.ann.get(path)).json()["shares"]
        assert (await all.team.ann.http.delete(f"{path}/{share['id']}")).status_code == 204
        no_good = [token + "A", token[:-1], token.partition(".")[0], mine.share, mine.ids[0], share["url"].rpartition("/")[2],
                   "%2e%2e", "a" * 2000]  # fmt: skip
        for caller in await everybody(all):
            answer = await get(all, caller, f"/api/shared/{token}")
            assert answer.status_code == 200, caller.name
            for secret in (SECRET, *mine.ids, "user_ann", "ann@"):
                assert secret not in answer.text
            for variant in VARIANTS[:3]:
                for method, headers, done in ways(caller):
                    file = await get(
                        all, caller, f"/api/shared/{token}/content?variant={variant}", method, headers
                    )
                    assert file.status_code == done, (caller.name, variant, method, headers)
            for variant in ("reference", "source"):
                file = await get(all, caller, f"/api/shared/{token}/content?variant={variant}")
                assert file.status_code == 400, (caller.name, variant)
            told = set()
            for other in no_good:
                for tail in ("", "/content"):
                    answer = await get(all, caller, f"/api/shared/{other}{tail}")
                    assert answer.status_code == 404, (caller.name, other)
                    is_refused(answer, all)
                    told.add(str(answer.json()["error"] | {"requestId": ""}))
            assert len(told) == 1, told
