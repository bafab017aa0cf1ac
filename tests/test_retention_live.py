"""Files that go while people look: what they are told, what they are answered, and what a crash in between leaves."""

from __future__ import annotations

import asyncio
import io
import socket
import sqlite3
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.cli import main
from sora_gateway.clock import SystemClock
from sora_gateway.core.views import iso
from sora_gateway.http.media import RangedFile
from tests.processes import program
from tests.running import Json, Person, person, running, settings_for

DAY = 86_400.0
TASKS = "/api/video/tasks"


class SkippingClock(SystemClock):
    """Goes on, some seconds *ahead*: as if they had passed, and not as if somebody had set the time."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@asynccontextmanager
async def kept_for_a_month(directory: Path) -> AsyncIterator[tuple[Person, Person, SkippingClock]]:
    """Ann and an administrator, where files are kept for 30 days and steps for 10."""
    clock = SkippingClock()
    retention = {"keep_days": 30, "events_days": 10, "interval": 3600}
    async with (
        running(settings_for(directory, retention=retention), clock) as gateway,
        person(gateway) as ann,
        person(gateway, "root", "admin") as root,
    ):
        yield ann, root, clock


async def made(ann: Person, **wish: Any) -> Json:
    return await ann.comes_to((await ann.make(**wish))["videoId"], "completed")


async def tidy(ann: Person) -> None:
    janitor = ann.gateway.housekeeping.janitor
    await janitor.run_once()
    assert janitor.failed == {}


def lies_at(directory: Path, task: Json) -> Path:
    """Where the files of a task lie."""
    video_id: str = task["videoId"]
    return directory / "media" / video_id[-2:] / video_id


async def test_everybody_is_told_that_the_files_are_gone_and_when_they_will_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with kept_for_a_month(tmp_path) as (ann, root, clock):
        task, spared = await made(ann), await made(ann, tags=["keep"])
        ended = (await ann.gateway.store.get(task["videoId"])).finished_at  # type: ignore[union-attr]
        assert ended is not None
        assert (task["expiresAt"], task["filesRemovedAt"]) == (iso(ended + 30 * DAY), None)
        assert spared["expiresAt"] is None
        video = (await ann.get(f"/v1/videos/{task['videoId']}")).json()
        assert (video["expires_at"], video["status"]) == (int(ended + 30 * DAY), "completed")
        listed = {each["id"]: each["expires_at"] for each in (await ann.get("/v1/videos")).json()["data"]}
        assert listed == {task["videoId"]: video["expires_at"], spared["videoId"]: None}
        link = (
            await ann.http.post(f"{TASKS}/{task['videoId']}/shares", json={"expiresIn": int(90 * DAY)})
        ).json()

        clock.ahead += 31 * DAY
        async with ann.live() as live:
            await live.say(type="subscribe", all=True)
            cursor = (await live.next())["cursor"]
            await tidy(ann)
            update = await live.next()
        assert (update["videoId"], update["step"], update["status"]) == (
            task["videoId"],
            "removed",
            "completed",
        )
        assert update["assets"] is None
        assert not lies_at(tmp_path, task).exists()

        after = await ann.task(task["videoId"])
        assert (after["videoUrl"], after["thumbnailUrl"], after["expiresAt"]) == (None, None, None)
        assert after["filesRemovedBecause"] == "age"
        assert after["completedAt"] == task["completedAt"]
        video = (await ann.get(f"/v1/videos/{task['videoId']}")).json()
        assert (video["status"], video["progress"], video["expires_at"]) == ("completed", 100, None)
        for path in (
            f"{TASKS}/{task['videoId']}/content",
            f"{TASKS}/{task['videoId']}/content?variant=thumbnail",
            f"/v1/videos/{task['videoId']}/content",
            f"{link['url'].removeprefix(ann.gateway.address)}/content",
        ):
            answer = await ann.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (410, "gone"), path
            assert "kept for as long as the gateway keeps them, and removed on" in answer.text
        wish = {"ids": [task["videoId"], spared["videoId"]]}
        bundle = zipfile.ZipFile(io.BytesIO((await ann.http.post(f"{TASKS}/archive", json=wish)).content))
        assert sorted(name[-4:] for name in bundle.namelist()) == [".mp4", ".txt"]
        assert "and removed on" in bundle.read("missing.txt").decode()
        # It can be made again, and the one that is to be kept plays.
        again = await ann.http.post(f"{TASKS}/{task['videoId']}/retry")
        assert again.status_code == 202, again.text
        assert (await ann.get(f"{TASKS}/{spared['videoId']}/content")).status_code == 200

        space = (await root.get("/api/admin/storage")).json()["retention"]
        assert (space["keepDays"], space["keepTag"], space["next"]) == (30, "keep", [])
        assert space["lastRunAt"] is not None
        assert space["freed"] > 0
        assert {chore["name"]: chore["done"] for chore in space["chores"]}["age"] == 1

        # Whoever was away since before the steps were trimmed is told the whole anew, and that is true.
        async with ann.live() as live:
            await live.say(type="subscribe", videoId=task["videoId"], since=cursor.rpartition("-")[0] + "-1")
            assert (await live.next())["reason"] == "too_old"
            (told,) = (await live.next())["tasks"]
        assert (told["status"], told["videoUrl"], told["filesRemovedAt"]) == (
            "completed", None, after["filesRemovedAt"],
        )  # fmt: skip
        async with ann.live() as live:
            # From where the log is whole on, nothing is missing.
            await live.say(type="subscribe", videoId=task["videoId"], since=cursor)
            assert (await live.next())["type"] == "subscribed"
            assert (await live.next())["step"] == "removed"

        check = ["storage", "check", "--data-dir", str(tmp_path)]
        assert await asyncio.to_thread(main, check) == 0
        assert "nothing wrong" in capsys.readouterr().out


async def test_who_is_getting_a_file_gets_the_rest_although_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with kept_for_a_month(tmp_path) as (ann, _, clock):
        task = await made(ann)
        large = bytes(range(256)) * 65_536  # 16 MiB: more than sockets hold
        path = lies_at(tmp_path, task) / "video.mp4"
        path.write_bytes(large)
        head = f"GET {TASKS}/{task['videoId']}/content HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ann.key}\r\n"
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", int(ann.gateway.address.rpartition(":")[2]), limit=1 << 16
        )
        with closing(writer):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            writer.write(f"{head}Range: bytes=1000-\r\nConnection: close\r\n\r\n".encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 206")
            begun = await reader.readexactly(5000)
            clock.ahead += 31 * DAY
            await tidy(ann)
            assert not path.exists()
            assert begun + await reader.read(-1) == large[1000:]
        assert (await ann.get(f"{TASKS}/{task['videoId']}/content")).status_code == 410


async def test_a_file_that_goes_between_looking_and_opening_is_gone_and_no_broken_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with kept_for_a_month(tmp_path) as (ann, _, _):
        task = await made(ann)
        path = lies_at(tmp_path, task) / "video.mp4"
        call = RangedFile.__call__

        async def too_late(self: RangedFile, *arguments: Any) -> None:
            path.unlink(missing_ok=True)
            await call(self, *arguments)

        monkeypatch.setattr(RangedFile, "__call__", too_late)
        answer = await ann.get(f"{TASKS}/{task['videoId']}/content")
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "gone")


async def test_an_administrator_is_told_what_the_disk_lacks_and_why_no_more_goes(tmp_path: Path) -> None:
    clock, below = SkippingClock(), 1 << 60
    retention = {"free_below": below, "free_share": 0.1, "interval": 3600}
    async with (
        running(settings_for(tmp_path, retention=retention), clock) as gateway,
        person(gateway, "root", "admin") as root,
    ):

        async def told() -> Json:
            await tidy(root)
            said: Json = (await root.get("/api/admin/storage")).json()["retention"]
            assert (said["freeBelow"], said["freeShare"]) == (below, 0.1)
            return dict(said["shortage"])

        assert (await root.get("/api/admin/storage")).json()["retention"]["shortage"] is None
        tasks = [await made(root), await made(root)]
        just_ended = await told()
        assert (just_ended["because"], 0 < just_ended["needed"] < below) == ("nothing_left", True)
        clock.ahead += 7200
        assert (await told())["because"] == "share"
        assert [(await root.task(task["videoId"]))["filesRemovedBecause"] for task in tasks] == ["disk", None]


async def test_a_wrong_repair_is_taken_back_when_the_disk_is_there_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    media, elsewhere = tmp_path / "media", tmp_path / "elsewhere"
    check = ["storage", "check", "--data-dir", str(tmp_path)]
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        task = await made(ann)
        content = f"{TASKS}/{task['videoId']}/content"
        film = (await ann.get(content)).content
        media.rename(elsewhere)
        media.mkdir()
        assert await asyncio.to_thread(main, [*check, "--repair"]) == 1
        assert "is the right disk mounted" in capsys.readouterr().err
        assert (await ann.task(task["videoId"]))["filesRemovedAt"] is None
        assert await asyncio.to_thread(main, [*check, "--repair", "--even-if-most-are-missing"]) == 0
        assert (await ann.get(content)).status_code == 410

        media.rmdir()
        elsewhere.rename(media)
        assert await asyncio.to_thread(main, check) == 1
        assert "was written down as gone and is there again\n" in capsys.readouterr().out
        async with ann.live() as live:
            await live.say(type="subscribe", videoId=task["videoId"])
            (known,) = (await live.next())["tasks"]
            assert known["videoUrl"] is None
            assert await asyncio.to_thread(main, [*check, "--repair"]) == 0
            update = await live.next()
        assert (update["step"], update["status"], update["seq"]) == ("found", "completed", known["seq"] + 1)
        answer = await ann.http.get(update["assets"]["videoUrl"])
        assert (answer.status_code, answer.content) == (200, film)
        after = await ann.task(task["videoId"])
        assert (after["filesRemovedAt"], after["filesRemovedBecause"]) == (None, None)
        assert after["completedAt"] == task["completedAt"]
        steps = (await ann.get(f"{TASKS}/{task['videoId']}/events")).json()["events"]
        assert [(each["step"], each["message"]) for each in steps[-2:]] == [
            ("removed", steps[-2]["message"]),
            ("found", "The file of this video is on the gateway's disk again."),
        ]
        assert await asyncio.to_thread(main, [*check, "--hashes"]) == 0


# --- killed in between ---------------------------------------------------------------------------------

CONFIG = """
[server]
port = 0
[media]
min_free_disk = 0
[retention]
keep_days = 30
interval = 0.05
"""


@pytest.mark.parametrize(
    ("point", "gone"),
    [
        ("removed:before", False),
        ("removed:committing", None),
        ("removed:after", True),
        ("unlink:middle", True),
    ],
)
async def test_a_crash_leaves_no_row_that_promises_what_is_gone(
    tmp_path: Path, point: str, gone: bool | None
) -> None:
    data, config = tmp_path / "data", tmp_path / "config.toml"
    config.write_text(CONFIG)
    async with running(settings_for(data)) as gateway, person(gateway) as ann:
        task = await made(ann)
    with closing(sqlite3.connect(data / "gateway.db")) as database, database:
        database.execute("UPDATE jobs SET finished_at = finished_at - ?", (31 * DAY,))

    serve = ["serve", "--config", str(config), "--data-dir", str(data)]
    async with program(tmp_path / "errors", "tests.killable", point, *serve) as gateway_process:
        assert await gateway_process.ended(20) == -9
    lies = lies_at(data, task)
    # Whatever was stored: what a row has is on the disk.
    with closing(sqlite3.connect(data / "gateway.db")) as database:
        rows = [path for (path,) in database.execute("SELECT path FROM assets")]
        (said,) = database.execute("SELECT files_removed_because FROM jobs").fetchone()
    assert all((data / "media" / path).is_file() for path in rows)
    assert (said == "age", bool(rows)) == (not rows, said is None)
    if gone is not None:
        assert (said == "age") == gone
    assert lies.exists()  # not, or not all, removed yet

    async with running(settings_for(data)) as gateway, person(gateway) as ann:
        after = await ann.task(task["videoId"])
        answer = await ann.get(f"{TASKS}/{task['videoId']}/content")
        assert (answer.status_code == 410) == (after["filesRemovedAt"] is not None) == (not lies.exists())
