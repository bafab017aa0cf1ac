"""A restore: everything or nothing, nothing deleted, nobody's data directory taken away, and clients are told."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from sora_gateway.backup import files, restoring
from sora_gateway.cli import main
from sora_gateway.core import job as j
from sora_gateway.core.job import State
from sora_gateway.errors import StartupError
from sora_gateway.media.files import MediaFiles
from sora_gateway.media.inventory import Inventory
from sora_gateway.store import Store, schema
from sora_gateway.store.lock import DataDirectoryInUse, DataLock
from sora_gateway.store.writer import Transaction
from tests.backups import MOMENT, backed_up, files_in, put_back, whole
from tests.jobs import accepted, to_completed, to_processing, walk
from tests.running import person, running, settings_for
from tests.stores import ADA, EPOCH, NOW, open_store
from tests.test_webhook_outbox import hook, only

HELD = "it was restored from a backup and may have been sent after that"


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data directory with a job in every state that a restore has to think of, and somebody who is signed in."""
    data = tmp_path / "data"
    (data / "secrets").mkdir(mode=0o700, parents=True)
    (data / "secrets" / "signing.key").write_text("a key that is long enough to be one of ours")
    lost = (j.Claimed(NOW), j.AnswerLost(NOW, "the connection broke"))
    courses: dict[str, tuple[j.Event, ...]] = {
        "queued": (),
        "submitting": (j.Claimed(NOW),),
        "unknown": lost,
        "processing": to_processing("ext-1"),
        "cancelled": (j.CancelRequested(NOW),),
    }
    async with open_store(data, people=(ADA,)) as store:
        for prompt, events in courses.items():
            await walk(store, await accepted(store, prompt=prompt, credits=5), *events)
        await store.run(signed_in)
    return data


def signed_in(tx: Transaction) -> None:
    tx.execute(
        "INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES ('hash', ?, 0, 9e9)",
        (ADA.user_id,),
    )


def rows(data: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(data / "gateway.db")) as connection:
        return connection.execute(sql).fetchall()


def found(data: Path, pattern: str) -> list[Path]:
    return list(data.glob(pattern))


def states(data: Path) -> dict[object, object]:
    return dict(rows(data, "SELECT prompt, state FROM jobs"))  # type: ignore[arg-type]  # rows of two


# --- what is in the database afterwards --------------------------------------------------------------------


async def test_what_may_have_been_sent_after_the_backup_is_in_doubt_and_nobody_is_signed_in(
    data: Path,
    tmp_path: Path,
) -> None:
    made = backed_up(data, tmp_path / "kept").path
    done = await asyncio.to_thread(put_back, made, tmp_path / "new")
    assert (done.held, done.sessions, done.asides) == (2, 1, ())
    assert states(tmp_path / "new") == {
        "queued": "unknown",
        "submitting": "unknown",
        "unknown": "unknown",
        "processing": "processing",
        "cancelled": "cancelled",
    }
    attempts = rows(
        tmp_path / "new",
        "SELECT a.number, a.outcome, a.detail, a.sent_at FROM attempts a JOIN jobs j ON j.id = a.job_id"
        " WHERE j.prompt = 'queued'",
    )
    # It may have been sent at any moment from the backup on.
    assert attempts == [(1, "unknown", HELD, MOMENT)]
    assert rows(tmp_path / "new", "SELECT count(*) FROM sessions") == [(0,)]
    ((said,),) = rows(tmp_path / "new", "SELECT detail FROM audit WHERE action = 'gateway.restore'")
    assert said == "of 2027-01-15T08:00:00.000+00:00, 2 jobs held"
    assert whole(tmp_path / "new") == []
    assert states(data)["queued"] == "queued", "the old directory is as it was"


async def test_with_the_word_that_nothing_came_after_it_jobs_are_what_they_were(
    data: Path, tmp_path: Path
) -> None:
    made = backed_up(data, tmp_path / "kept").path
    done = await asyncio.to_thread(put_back, made, tmp_path / "new", resume_queued=True)
    assert done.held == 0
    assert states(tmp_path / "new") == states(data)
    assert rows(tmp_path / "new", "SELECT value FROM meta WHERE key = 'restored_at'") == []
    assert rows(tmp_path / "new", "SELECT value FROM meta WHERE key = 'epoch'") != [(EPOCH,)]


async def test_an_end_after_the_restore_is_told_under_another_id_than_one_that_was_told_before(
    tmp_path: Path,
) -> None:
    """The old gateway told that the video is there, after as many changes; its receiver knows that id."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    async with open_store(old, people=(ADA,)) as store:
        await hook(store)
        job = await accepted(store)
        made = await asyncio.to_thread(backed_up, old, tmp_path / "kept")
        before = await walk(store, job, *to_processing("ext-1"), *to_completed())
        told_before = await only(store)
    await asyncio.to_thread(put_back, made.path, new)
    async with open_store(new) as store:
        held = await store.get(job.id)
        assert held is not None
        waited = [j.Waiting(NOW, f"It was not found {times}.") for times in ("once", "twice")]
        after = await walk(store, held, *waited, j.GivenUp(NOW))
        told_after = await only(store)
    assert after.version == before.version
    assert (told_before.type, told_after.type) == ("video.completed", "video.failed")
    assert told_before.id != told_after.id


async def test_a_client_with_a_newer_cursor_is_sent_a_snapshot(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "live")
    async with running(settings) as gateway, person(gateway) as ann:
        before = await ann.make("before the backup")
        await ann.comes_to(before["videoId"], "completed")
        made = await asyncio.to_thread(backed_up, tmp_path / "live", tmp_path / "kept")
        async with ann.live() as live:
            await live.say(type="subscribe", all=True)
            cursor = (await live.next())["cursor"]
            after = await ann.make("after the backup")
            cursor = (await live.until("completed"))[-1]["cursor"]
    await asyncio.to_thread(put_back, made.path, tmp_path / "live", replace=True)
    async with running(settings) as gateway, person(gateway) as ann:
        async with ann.live() as live:
            await live.say(type="subscribe", all=True, since=cursor)
            reset, subscribed = await live.next(), await live.next()
        assert (reset["type"], reset["reason"]) == ("reset", "epoch")
        assert [task["videoId"] for task in subscribed["tasks"]] == [before["videoId"]]
        assert (await ann.get(f"/api/video/tasks/{after['videoId']}")).status_code == 404
        # What was made is there, also the file.
        assert (await ann.get(f"/v1/videos/{before['videoId']}/content")).status_code == 200


# --- nothing is taken away ---------------------------------------------------------------------------------


async def test_what_is_there_is_moved_aside_and_only_when_that_was_asked_for(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = backed_up(data, data / "backups").path
    (data / "simulator").mkdir()
    (data / "simulator" / "creates.jsonl").write_text("the simulated upstream's own memory")
    async with open_store(data) as store:
        await accepted(store, prompt="after the backup")
    before = files_in(data)
    command = ["restore", str(made), "--data-dir", str(data)]
    assert await asyncio.to_thread(main, command) == 1
    assert "is not empty; --replace moves what is there aside" in capsys.readouterr().err
    assert files_in(data) == before

    assert await asyncio.to_thread(main, [*command, "--replace"]) == 0
    told = capsys.readouterr().out
    (aside,) = found(data, "replaced-*")
    assert f"What was there is at {aside}." in told
    assert "2 videos may have been sent after that" in told
    after = files_in(data)
    for path, text in before.items():
        # Where it was, if the backup has nothing to do with it.
        stays = path.startswith(("backups/", "simulator/"))
        assert after[path if stays else f"{aside.name}/{path}"] == text, path
    assert len(states(data)) == 5
    assert len(rows(aside, "SELECT 1 FROM jobs")) == 6


async def test_a_directory_that_a_gateway_uses_is_refused(data: Path, tmp_path: Path) -> None:
    made = backed_up(data, tmp_path / "kept").path
    before = files_in(data)
    with DataLock(data), pytest.raises(DataDirectoryInUse):
        put_back(made, data, replace=True)
    assert files_in(data) == before


@pytest.mark.parametrize("damage", ["a file", "the database", "the manifest", "no room"])
async def test_a_backup_that_is_not_whole_changes_nothing(
    data: Path, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = backed_up(data, tmp_path / "kept").path
    name = {"a file": "secrets/signing.key", "the database": "gateway.db"}.get(damage, "manifest.json")
    if damage == "no room":
        usage = shutil._ntuple_diskusage(10**6, 10**6 - 1, 1)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    else:
        text = bytearray((made / name).read_bytes())
        text[len(text) // 2] ^= 1
        (made / name).write_bytes(text)
    before = files_in(data)
    with pytest.raises(StartupError, match="no room" if damage == "no room" else "damaged"):
        put_back(made, data, replace=True)
    assert files_in(data) == before


async def test_a_backup_that_breaks_promises_is_put_back_only_by_whoever_says_so_and_never_when_damaged(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(data / "gateway.db", isolation_level=None)) as connection:
        ((job_id,),) = connection.execute("SELECT id FROM jobs WHERE state = 'processing'").fetchall()
        connection.execute("DELETE FROM events WHERE job_id = ?", (job_id,))
    made = backed_up(data, tmp_path / "kept").path
    fault = f"{job_id}: it goes on, and no event tells of it"
    new = tmp_path / "new"
    command = ["restore", str(made), "--data-dir", str(new)]
    assert await asyncio.to_thread(main, command) == 1
    told = capsys.readouterr().err
    assert fault in told
    assert "--despite-faults" in told
    assert files_in(new) == {}
    assert await asyncio.to_thread(main, [*command, "--despite-faults"]) == 0
    assert f"Not right, and put back as it was: {fault}\n" in capsys.readouterr().out
    assert whole(new) == [fault]
    assert states(new)["queued"] == "unknown"

    # A key that leads nowhere is damage.
    with closing(sqlite3.connect(made / "gateway.db", isolation_level=None)) as connection:
        connection.execute("UPDATE sessions SET user_id = 'nobody'")
    with pytest.raises(StartupError, match="a foreign key leads nowhere"):
        put_back(made / "gateway.db", tmp_path / "other", despite_faults=True)
    with pytest.raises(StartupError, match=r"gateway\.db is not what was saved"):
        put_back(made, tmp_path / "other", despite_faults=True)


async def test_a_restore_that_was_interrupted_keeps_a_gateway_from_starting_with_half_of_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = backed_up(data, tmp_path / "kept").path
    rename, renames = Path.rename, 0

    def dies_in_the_middle(path: Path, target: Path) -> Path:
        nonlocal renames
        renames += 1
        if renames == 4:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", dies_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        await asyncio.to_thread(put_back, made, data, replace=True)
    monkeypatch.undo()
    assert (data / schema.RESTORING).is_dir()
    assert not (data / "gateway.db").exists()
    with pytest.raises(StartupError, match="was interrupted; run `sora-gateway restore"):
        async with running(settings_for(data)):
            pass
    await asyncio.to_thread(put_back, made, data, replace=True)
    assert whole(data) == []
    assert len(states(data)) == 5
    assert not (data / schema.RESTORING).exists()


async def test_a_restore_that_is_interrupted_twice_keeps_a_gateway_from_starting_all_the_same(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the videos are aside, half of them here: a start would sweep away what the database does not know."""
    made = backed_up(data, tmp_path / "kept").path
    for count in (2, 1, 2, 3, 4):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", breaks(count, KeyboardInterrupt()))
            with pytest.raises(KeyboardInterrupt):
                await asyncio.to_thread(put_back, made, data, replace=True)
        assert (data / schema.RESTORING).is_dir()
    await asyncio.to_thread(put_back, made, data, replace=True)
    assert whole(data) == []


async def test_when_anything_cannot_be_moved_what_was_there_is_there(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = backed_up(data, tmp_path / "kept").path
    async with open_store(data) as store:
        await accepted(store, prompt="after the backup")
    before = files_in(data)
    for count in range(1, 100):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", breaks(count, OSError(errno.EIO, "Input/output error")))
            with suppress(StartupError):
                await asyncio.to_thread(put_back, made, data, replace=True)
                break
        assert files_in(data) == before
        assert not (data / schema.RESTORING).exists()
    assert count > 4
    assert whole(data) == []


async def test_a_disk_of_its_own_in_the_data_directory_is_refused_before_anything_is_moved(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = backed_up(data, tmp_path / "kept").path
    before = files_in(data)
    monkeypatch.setattr(Path, "is_mount", lambda path: path == data / "secrets")
    with pytest.raises(StartupError, match="secrets is a disk of its own"):
        await asyncio.to_thread(put_back, made, data, replace=True)
    assert files_in(data) == before


def breaks(count: int, error: BaseException) -> Callable[[Path, Path], Path]:
    """A renaming that raises *error* the *count*-th time, and works before and after that."""
    rename, numbers = Path.rename, itertools.count(1)

    def breaking(path: Path, target: Path) -> Path:
        if next(numbers) == count:
            raise error
        return rename(path, target)

    return breaking


async def test_keys_that_are_there_stay_when_the_backup_has_none(data: Path, tmp_path: Path) -> None:
    assert main(["backup", str(tmp_path / "kept"), "--data-dir", str(data), "--without-secrets"]) == 0
    (made,) = found(tmp_path / "kept", "sora-gateway-*")
    key = (data / "secrets" / "signing.key").read_bytes()
    await asyncio.to_thread(put_back, made, data, replace=True)
    assert (data / "secrets" / "signing.key").read_bytes() == key


async def test_what_root_restores_is_given_to_the_account_of_the_data_directory(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = backed_up(data, tmp_path / "kept").path
    with monkeypatch.context() as patch:
        given: dict[int, tuple[int, int]] = {}  # by inode

        def chown(path: Path | str, *account: int, dir_fd: int | None = None, follow_symlinks: bool) -> None:
            given[os.stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks).st_ino] = (
                account[0],
                account[1],
            )

        patch.setattr(os, "chown", chown)
        patch.setattr(restoring, "account_of", lambda root: (4321, 4322))
        done = await asyncio.to_thread(put_back, made, data, replace=True)
    (aside,) = done.asides
    written = [data / name for name in ("gateway.db", "media", "secrets", "secrets/signing.key", ".lock")]
    assert [given[path.stat().st_ino] for path in (*written, aside)] == [(4321, 4322)] * 6

    def refuses(account: tuple[int, int], path: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as patch:  # a disk that does not let root
        patch.setattr(restoring, "account_of", lambda root: (4321, 4322))
        patch.setattr(restoring, "given_to", refuses)
        await asyncio.to_thread(put_back, made, data, replace=True)
    assert whole(data) == []

    # Whoever is not root, and root in a directory of its own, gives nothing away.
    for user, owner, account in [(0, 7, (7, 8)), (0, 0, None), (7, 7, None)]:
        with monkeypatch.context() as patch:
            patch.setattr(os, "geteuid", lambda user=user: user)
            stat = os.stat_result((0o40700, 1, 1, 1, owner, 8, 0, 0, 0, 0))
            patch.setattr(Path, "stat", lambda path, stat=stat: stat)
            found_account = files.account_of(data)
        assert found_account == account


# --- a database alone --------------------------------------------------------------------------------------


async def test_the_copy_of_a_database_is_put_back_and_videos_that_it_does_not_know_are_kept(
    data: Path,
    tmp_path: Path,
) -> None:
    """As from before a migration, or as Litestream restores one: the files are the newer ones."""
    made = backed_up(data, tmp_path / "kept").path
    media = MediaFiles(data / "media")
    known, unknown = rows(data, "SELECT id FROM jobs WHERE state = 'processing'")[0][0], f"video_{'0' * 30}ab"
    for job_id in (str(known), unknown):
        media.part_path(job_id, "video").write_bytes(b"a video that was paid for")
    done = await asyncio.to_thread(put_back, made / "gateway.db", data, replace=True)
    # The newest that it knows is older than the moment of the backup: from there on anything may have happened.
    assert done.held == 2
    assert rows(
        data, "SELECT sent_at FROM attempts a JOIN jobs j ON j.id = job_id WHERE prompt = 'queued'"
    ) == [(NOW,)]
    (aside,) = done.asides
    assert [path.name for path in found(aside, "media/*/*")] == [unknown]
    assert [path.name for path in found(data, "media/*/*")] == [known]
    assert (data / "secrets" / "signing.key").exists()
    with pytest.raises(StartupError, match="There is no backup at"):
        put_back(tmp_path / "nowhere", data)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(StartupError, match=r"no database|cannot be read"):
        put_back(tmp_path / "text", tmp_path / "other")


async def test_videos_on_a_disk_of_their_own_are_kept_on_it_when_a_database_alone_is_put_back(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No renaming leads from one disk to another."""
    made = backed_up(data, tmp_path / "kept").path
    media, unknown = data / "media", f"video_{'0' * 30}ab"
    MediaFiles(media).part_path(unknown, "video").write_bytes(b"a video that was paid for")
    known = {path.name for path in found(data, "media/??/*")} - {unknown}
    rename = Path.rename

    def on_one_disk(path: Path, target: Path) -> Path:
        if path.is_relative_to(media) != target.is_relative_to(media):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", on_one_disk)
        restore = ["restore", str(made / "gateway.db"), "--data-dir", str(data), "--replace"]
        assert await asyncio.to_thread(main, restore) == 0
    (aside,), (beside,) = found(data, "replaced-*"), found(media, "replaced-*")
    assert f"What was there is at {aside} and {beside}.\n" in capsys.readouterr().out
    assert (aside.name, [path.name for path in found(beside, "*/*")]) == (beside.name, [unknown])
    assert (aside / "gateway.db").exists()
    # The next start leaves it alone, and so does who looks for what no row has.
    assert await MediaFiles(media).sweep(set()) == sorted(known)
    assert not [file for number in range(256) for file in await Inventory(media).shard(number)]
    assert (beside / "ab" / unknown / "video.part").read_bytes() == b"a video that was paid for"


async def test_a_backup_of_a_newer_version_is_refused_in_a_sentence(data: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(data / "gateway.db", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    made = backed_up(data, tmp_path / "kept").path
    with pytest.raises(StartupError, match="written by a newer sora-gateway"):
        put_back(made, tmp_path / "new")
    assert not (tmp_path / "new" / "gateway.db").exists()
    with closing(sqlite3.connect(data / "gateway.db", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (schema.HEAD,))


async def test_a_restored_directory_can_be_restored_from_again(data: Path, tmp_path: Path) -> None:
    """Holding what is held already changes nothing, and the moment moves on."""
    made = backed_up(data, tmp_path / "kept").path
    await asyncio.to_thread(put_back, made, tmp_path / "one")
    again = backed_up(tmp_path / "one", tmp_path / "kept", MOMENT + 1).path
    done = await asyncio.to_thread(put_back, again, tmp_path / "two")
    assert done.held == 0
    assert states(tmp_path / "two") == states(tmp_path / "one")
    async with Store(tmp_path / "two" / "gateway.db", lambda _: None) as store:
        first = float(str(rows(tmp_path / "one", "SELECT value FROM meta WHERE key = 'restored_at'")[0][0]))
        assert store.restored_at >= first >= MOMENT
        (doubt, *_) = await store.doubts()
    assert doubt.job.state is State.UNKNOWN
