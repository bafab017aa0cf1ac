"""Share links: one video's files for whoever has the link, until it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from sora_gateway.store.shares import MAX_SHARES, ShareRecord
from tests.running import Json, Person, person
from tests.sample_videos import sample_mp4
from tests.team import SECRET, Team, client, team


async def share(who: Person, task: Json, **wish: int) -> Json:
    answer = await who.http.post(f"/api/video/tasks/{task['videoId']}/shares", json=wish)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_whoever_has_the_link_gets_the_files_and_learns_nothing_else(tmp_path: Path) -> None:
    async with team(tmp_path) as all, client(all.gateway) as nobody:
        task = await all.video("done")
        link = await share(all.ann, task)
        answer = await nobody.get(link["url"])
        assert answer.status_code == 200
        shared = answer.json()
        told = {
            name: shared[name] for name in ("status", "model", "seconds", "size", "orientation", "expiresAt")
        }
        assert told == {
            "status": "completed", "model": "sora-2", "seconds": 4, "size": "720x1280", "orientation": "portrait",
            "expiresAt": link["expiresAt"],
        }  # fmt: skip
        for secret in (SECRET, task["videoId"], task["externalVideoId"], "user_ann", "ann@", "lab"):
            assert secret not in answer.text
        video = await nobody.get(shared["videoUrl"])
        assert (video.status_code, video.content) == (200, sample_mp4())
        part = await nobody.get(shared["videoUrl"], headers={"Range": "bytes=0-9"})
        assert (part.status_code, part.content) == (206, sample_mp4()[:10])
        known = await nobody.get(shared["videoUrl"], headers={"If-None-Match": video.headers["etag"]})
        assert known.status_code == 304
        assert task["videoId"] not in str(video.headers)
        assert (await nobody.get(shared["thumbnailUrl"])).headers["content-type"].startswith("image/")
        # Not what it was made from, and nothing of the API.
        for variant in ("reference", "source"):
            assert (await nobody.get(f"{link['url']}/content?variant={variant}")).status_code == 400
        assert (await nobody.get(f"/api/video/tasks/{task['videoId']}")).status_code == 401


async def test_a_link_ends_when_it_is_revoked(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        task = await all.video("done")
        link, other = await share(all.ann, task), await share(all.ann, task)
        await works(all, link, other)
        path = f"/api/video/tasks/{task['videoId']}/shares"
        assert {each["id"] for each in (await all.ann.get(path)).json()["shares"]} == {
            link["id"],
            other["id"],
        }
        assert (await all.ann.http.delete(f"{path}/{link['id']}")).status_code == 204
        await is_gone(all, link)
        await works(all, other)
        assert (await all.ann.http.delete(f"{path}/{link['id']}")).status_code == 404
        (left,) = (await all.ann.get(path)).json()["shares"]
        assert left == other
        noted = [(line.action, line.actor) for line in await all.gateway.store.audited(task["videoId"])]
        assert noted == [("share.create", "user_ann")] * 2 + [("share.revoke", "user_ann")]


async def test_a_link_ends_with_its_time_the_video_or_the_account(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        task = await all.video("done")
        link = await share(all.ann, task)
        # The clock of this gateway runs 500 times as fast: a second is over before the next request.
        await is_gone(all, await share(all.ann, task, expiresIn=1))
        assert len((await all.ann.get(f"/api/video/tasks/{task['videoId']}/shares")).json()["shares"]) == 1
        people = all.gateway.store.people
        his = await all.bob.comes_to((await all.bob.make("Bob's"))["videoId"], "completed")
        his_link = await share(all.bob, his)
        await works(all, link, his_link)
        entry = (await all.gateway.store.audited(task["videoId"]))[0]
        await people.disable_user("bob@example.org", 0.0, entry)
        await is_gone(all, his_link)
        assert (await all.ann.http.delete(f"/api/video/tasks/{task['videoId']}")).status_code == 204
        await is_gone(all, link)


@pytest.mark.parametrize("change", [{"disabled": True}, {"role": "member"}])
async def test_an_administrators_link_to_somebody_elses_video_ends_with_their_rights(
    change: Json, tmp_path: Path
) -> None:
    async with team(tmp_path) as all, person(all.gateway, "eve", "admin") as eve:
        task = await all.video("done")
        link, anns = await share(eve, task), await share(all.ann, task)
        await works(all, link, anns)
        assert (await all.root.http.patch("/api/admin/users/user_eve", json=change)).status_code == 200
        await is_gone(all, link)
        await works(all, anns)
        # What is listed is what works.
        listed = (await all.ann.get(f"/api/video/tasks/{task['videoId']}/shares")).json()["shares"]
        assert [each["id"] for each in listed] == [anns["id"]]


async def test_a_link_goes_on_while_the_video_is_made_and_whoever_may_see_it_else(tmp_path: Path) -> None:
    async with team(tmp_path) as all, client(all.gateway) as nobody:
        task = await all.video("running")
        link = await share(all.ann, task)
        shared = (await nobody.get(link["url"])).json()
        assert (shared["status"], shared["videoUrl"]) == ("processing", None)
        assert (await nobody.get(f"{link['url']}/content")).status_code == 409
        for visibility in ("team", "private"):
            await all.ann.http.post(
                f"/api/video/tasks/{task['videoId']}/visibility", json={"visibility": visibility}
            )
            assert (await nobody.get(link["url"])).status_code == 200


async def test_only_its_owner_and_administrators_share_it(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        task = await all.video("done")
        path = f"/api/video/tasks/{task['videoId']}/shares"
        link = await share(all.ann, task)
        for visibility, refused in (("private", 404), ("team", 403)):
            await all.ann.http.post(path.replace("shares", "visibility"), json={"visibility": visibility})
            answers = [
                await all.bob.http.post(path, json={}),
                await all.bob.get(path),
                await all.bob.http.delete(f"{path}/{link['id']}"),
            ]
            assert [answer.status_code for answer in answers] == [refused] * 3
            assert all_without(link["id"], [answer.text for answer in answers])
        theirs = await share(all.root, task)
        assert (await all.ann.http.delete(f"{path}/{theirs['id']}")).status_code == 204
        assert (await all.root.http.delete(f"{path}/{link['id']}")).status_code == 204
        # A link of one video is not revoked through another.
        other = await all.video("done")
        link = await share(all.ann, task)
        elsewhere = f"/api/video/tasks/{other['videoId']}/shares/{link['id']}"
        assert (await all.ann.http.delete(elsewhere)).status_code == 404
        await works(all, link)


def all_without(secret: str, texts: list[str]) -> bool:
    return not any(secret in text for text in texts)


@pytest.mark.parametrize("seconds", [0, -1, 365 * 86400 + 1, 1.5, "60"])
async def test_a_lifetime_is_a_second_to_a_year(seconds: object, tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        task = await all.video("ended")
        wish = {"expiresIn": seconds}
        refused = await all.ann.http.post(f"/api/video/tasks/{task['videoId']}/shares", json=wish)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "expiresIn")


async def test_a_token_that_was_not_signed_here_for_this_opens_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as all, client(all.gateway) as nobody:
        task = await all.video("done")
        link = await share(all.ann, task)
        token = link["url"].rsplit("/", 1)[1]
        share_id, key_id, signature = token.split(".")
        assert (share_id, key_id) == (link["id"], "1")
        other = (await share(all.ann, task))["id"]
        media = task["videoUrl"].rsplit("signature=", 1)[1]
        for wrong in (
            share_id, f"{share_id}.1", f"{share_id}.1.", f"{share_id}.2.{signature}", f"{other}.1.{signature}",
            f"{share_id}.1.{media}", token.replace(signature, signature.swapcase()), f"x{token}", ".", "..",
            "%00", "%F0%9F%92%A9",
        ):  # fmt: skip
            for path in (f"/api/shared/{wrong}", f"/api/shared/{wrong}/content"):
                answer = await nobody.get(path)
                assert (answer.status_code, SECRET in answer.text) == (404, False), path


async def test_one_video_has_a_hundred_links_at_most(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        task = await all.video("ended")
        first = await share(all.ann, task)
        store, (entry, *_) = all.gateway.store, await all.gateway.store.audited(task["videoId"])
        for number in range(MAX_SHARES - 1):
            await store.create_share(
                ShareRecord(f"share_{number}", task["videoId"], "user_ann", entry.at, 9e9), entry
            )
        path = f"/api/video/tasks/{task['videoId']}/shares"
        assert (await all.ann.http.post(path, json={})).status_code == 409
        assert (await all.ann.http.delete(f"{path}/{first['id']}")).status_code == 204
        await share(all.ann, task)


async def works(all: Team, *links: Json) -> None:
    async with client(all.gateway) as nobody:
        for link in links:
            for path in (link["url"], f"{link['url']}/content"):
                assert (await nobody.get(path)).status_code == 200


async def is_gone(all: Team, link: Json) -> None:
    """For everybody alike: its owner and an administrator look at the video itself."""
    async with client(all.gateway) as nobody:
        for who in (nobody, all.ann.http, all.root.http):
            for path in (link["url"], f"{link['url']}/content"):
                answer = await who.get(path)
                assert answer.status_code == 404
                assert answer.json()["error"]["message"] == "Nothing is shared at this address (any more)."
