"""A database that the first release wrote comes along: nothing of it is lost, its books balance, and it is served."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from sora_gateway.media.files import MediaFiles
from sora_gateway.store import schema
from sora_gateway.store.snapshot import broken_promises, contents
from tests.backups import backed_up, complaints, put_back, whole
from tests.running import Live, Person, running, settings_for
from tests.stores import EPOCH, MIGRATIONS, NOW

DUMP = Path(__file__).parent / "old_databases" / "first_release.sql"
KEY = "sgw_of-ada-in-the-first-release-" + "y" * 15
VIDEO = {
    "video.mp4": b"the bytes of a video that the first release stored",
    "thumbnail.webp": b"thumbnail",
    "spritesheet.jpg": b"spritesheet",
}
COMPLETED = f"video_{7:032x}"
ENDED_ELSEWHERE = frozenset({"alembic_version", "login_links"})
"""Tables that are not what they were: links for signing in are had anew."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data directory as the first release left it."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with closing(sqlite3.connect(data / "gateway.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(DUMP.read_text(encoding="utf-8"))
    part = MediaFiles(data / "media").part_path(COMPLETED, "video")
    for name, text in VIDEO.items():
        part.with_name(name).write_bytes(text)
    return data


Rows = dict[str, list[dict[str, Any]]]


def everything(database: Path) -> Rows:
    """Every row of every table, in one order."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: sorted((dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')), key=str)
            for (name,) in tables
        }


def test_everything_that_it_had_is_there_afterwards_and_the_books_balance(data: Path) -> None:
    before = everything(data / "gateway.db")
    copy = schema.prepare(data / "gateway.db", MIGRATIONS, NOW, EPOCH)
    after = everything(data / "gateway.db")
    for table in before.keys() - ENDED_ELSEWHERE:
        columns = set(before[table][0]) if before[table] else set()
        same = [{name: row[name] for name in columns} for row in after[table]]
        assert sorted(map(str, map(sorted_items, same))) == sorted(
            map(str, map(sorted_items, before[table]))
        ), table
    assert {row["state"] for row in after["jobs"]} == {
        "queued", "submitting", "processing", "storing", "unknown", "cancelling", "completed", "failed", "cancelled",
    }  # fmt: skip
    assert whole(data) == []
    # The way back: a copy of what was there, in the schema of then.
    assert copy is not None
    assert contents(copy).revision == "0001"
    assert everything(copy) == before


def sorted_items(row: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(row.items())


async def test_the_gateway_serves_it_to_those_who_had_keys_and_cursors(data: Path) -> None:
    async with running(settings_for(data)) as gateway:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(base_url=gateway.address, headers=headers, trust_env=False) as http:
            ada = Person(gateway, "user_ada", KEY, http)
            tasks = {task["prompt"]: task for task in (await ada.get("/api/video/tasks")).json()["tasks"]}
            # What waited goes on, at whoever makes videos now.
            await ada.comes_to(tasks.pop("queued")["videoId"], "completed")
            assert {prompt: task["stage"] for prompt, task in tasks.items()} == {
                "processing": "processing",
                "unknown": "unknown",
                "completed": "completed",
                "failed": "failed",
                "cancelled": "cancelled",
            }
            assert (await ada.get(f"/v1/videos/{COMPLETED}/content")).content == VIDEO["video.mp4"]
            balance = (await ada.get("/api/credits")).json()
            assert balance["held"] > 0
            async with ada.live() as live:
                assert [update["seq"] for update in await replayed(live, COMPLETED)] == [4, 5, 6]


async def replayed(live: Live, video_id: str) -> list[dict[str, Any]]:
    """What a client of then is told that has not heard the end of a video."""
    await live.say(type="subscribe", videoId=video_id, since=f"{EPOCH}-22")
    answer = await live.next()
    assert answer["type"] == "subscribed", answer
    return [await live.next() for _ in range(3)]


async def test_a_backup_of_then_is_checked_and_restored_by_the_program_of_now(
    data: Path, tmp_path: Path
) -> None:
    made = await asyncio.to_thread(backed_up, data, tmp_path / "kept")
    assert made.manifest.schema == "0001"
    assert await asyncio.to_thread(complaints, made.path) == []
    done = await asyncio.to_thread(put_back, made.path, tmp_path / "new")
    assert done.held == 2
    assert whole(tmp_path / "new") == []
    assert broken_promises(tmp_path / "new" / "gateway.db").all == []
    assert contents(tmp_path / "new" / "gateway.db").revision == schema.HEAD
