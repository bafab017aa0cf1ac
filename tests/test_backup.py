"""A backup: whole or not there, checked, kept in number; and what is wrong with one is found."""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sora_gateway.backup import files, keeping, making, manifest
from sora_gateway.backup.manifest import NoBackup
from sora_gateway.backup.schedule import AGAIN, automatic_backups
from sora_gateway.backup_settings import Backup
from sora_gateway.cli import main
from sora_gateway.core.asset import InputFile
from sora_gateway.errors import StartupError
from sora_gateway.media.files import MediaFiles
from sora_gateway.places import DataDirectory
from sora_gateway.store import Store, snapshot
from tests.backups import MOMENT, backed_up, complaints, files_in
from tests.examples import examples
from tests.fakes import ManualClock
from tests.jobs import make_job
from tests.processes import ROOT
from tests.running import running, settings_for
from tests.stores import ADA, EPOCH, open_store

JOBS = [f"video_{number:030x}ab" for number in (1, 2)]
DAY = 86400.0


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data directory with two jobs, what they are made from, and a signing key; no gateway runs on it."""
    data = tmp_path / "data"
    data.mkdir()
    async with open_store(data, people=(ADA,)) as store:
        for job_id in JOBS:
            await store_job(store, data, job_id)
    (data / "secrets").mkdir(mode=0o700)
    (data / "secrets" / "signing.key").write_text("a key that is long enough to be one of ours")
    return data


async def store_job(store: Store, data: Path, job_id: str) -> None:
    file = await MediaFiles(data / "media").put(job_id, InputFile("reference", b"png" * 1000, "image/png"))
    await store.accept(make_job(id=job_id), (file,))


async def comes_true(condition: Callable[[], bool]) -> None:
    """Returns when it holds; a thread of the system's has its own pace."""
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def path_of(job_id: str) -> str:
    return f"media/ab/{job_id}/reference.png"


# --- what is in it -----------------------------------------------------------------------------------------


def test_it_has_the_database_its_files_and_the_keys_and_is_its_owners_alone(
    data: Path, tmp_path: Path
) -> None:
    (data / "media" / "ab" / JOBS[0] / "video.part").write_bytes(b"half a video")
    made = backed_up(data, tmp_path / "kept")
    there = {"gateway.db", "secrets/signing.key", *map(path_of, JOBS)}
    assert set(files_in(made.path)) == {*there, "manifest.json", "manifest.sha256"}
    assert {entry.path for entry in made.manifest.files} == there
    assert (made.manifest.rows["jobs"], made.manifest.epoch, made.manifest.moment) == (2, EPOCH, MOMENT)
    assert made.linked == 2, "on the same disk a file of a job takes no room of its own"
    assert complaints(made.path) == []
    others = [path for path in made.path.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert others == []
    sums = subprocess.run(
        ["sha256sum", "-c", "manifest.sha256"], cwd=made.path, check=False, capture_output=True
    )
    assert sums.returncode == 0, "the usual tool can check it too"


def test_without_secrets_it_has_no_key(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    assert main(["backup", str(kept), "--data-dir", str(data), "--without-secrets"]) == 0
    assert "keys" not in capsys.readouterr().out
    (made,) = keeping.backups(kept)
    assert not (made / "secrets").exists()
    assert complaints(made) == []


async def test_a_file_that_is_deleted_while_it_is_made_is_in_neither_database_nor_files(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, copies = snapshot.copy, 0

    def and_then_somebody_deletes(database: Path, target: Path, stopped: snapshot.Stopped) -> None:
        nonlocal copies
        copy(database, target, stopped)
        copies += 1
        if copies == 1:
            with closing(sqlite3.connect(database, isolation_level=None)) as connection:
                connection.execute("DELETE FROM assets WHERE job_id = ?", (JOBS[0],))
            shutil.rmtree(data / "media" / "ab" / JOBS[0])

    monkeypatch.setattr(snapshot, "copy", and_then_somebody_deletes)
    made = backed_up(data, tmp_path / "kept")
    assert (copies, made.manifest.missing) == (2, ())
    assert [path for path in files_in(made.path) if path.startswith("media")] == [path_of(JOBS[1])]
    assert complaints(made.path) == []


def test_a_file_that_is_gone_or_damaged_is_named_and_the_rest_is_saved(data: Path, tmp_path: Path) -> None:
    (data / path_of(JOBS[0])).unlink()
    (data / path_of(JOBS[1])).write_bytes(b"short")
    made = backed_up(data, tmp_path / "kept")
    assert made.manifest.missing == (path_of(JOBS[0]), path_of(JOBS[1]))
    assert "2 files of the gateway are gone or damaged" in made.summary()
    assert complaints(made.path) == [], "of the backup itself nothing is wrong"


def test_where_links_cannot_lead_files_are_copied_and_those_of_the_one_before_shared(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another disk: no name can be made there for a file that is here."""
    link = files.link
    monkeypatch.setattr(
        making, "link", lambda source, target: not source.is_relative_to(data) and link(source, target)
    )
    first = backed_up(data, tmp_path / "kept")
    second = backed_up(data, tmp_path / "kept", MOMENT + DAY)
    assert (first.linked, second.linked) == (0, 2)
    assert (second.path / path_of(JOBS[0])).samefile(first.path / path_of(JOBS[0]))
    assert not (first.path / path_of(JOBS[0])).samefile(data / path_of(JOBS[0]))
    assert complaints(second.path) == []


# --- how many ----------------------------------------------------------------------------------------------


def test_only_the_newest_are_kept_and_what_is_no_backup_is_left_alone(data: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "sora-gateway-20200101T000000Z").mkdir(parents=True)  # of somebody's own, without a manifest
    made = [backed_up(data, kept, MOMENT + day * DAY).path for day in range(3)]
    last = backed_up(data, kept, MOMENT + 3 * DAY, keep=2)
    assert last.removed == 2
    assert keeping.backups(kept) == [made[2], last.path]
    assert (kept / "sora-gateway-20200101T000000Z").is_dir()
    again = backed_up(data, kept, MOMENT + 3 * DAY)
    assert keeping.backups(kept)[-1] == again.path, "two of the same second are told apart"


def test_the_one_that_was_just_made_stays_although_others_claim_to_be_from_later(
    data: Path, tmp_path: Path
) -> None:
    """A clock that was ahead has named them."""
    kept = tmp_path / "kept"
    ahead = [backed_up(data, kept, MOMENT + 3000 * DAY + number).path for number in range(2)]
    made = [backed_up(data, kept, MOMENT + number, keep=2).path for number in range(2)]
    assert keeping.backups(kept) == made
    assert not any(path.exists() for path in ahead)


async def test_backups_are_made_although_one_claims_to_be_from_later(data: Path, tmp_path: Path) -> None:
    kept, clock = tmp_path / "kept", ManualClock()
    ahead = backed_up(data, kept, clock.now() + 3000 * DAY).path
    strange = ahead.with_name("sora-gateway-99999999T999999Z")
    shutil.copytree(ahead, strange)
    assert keeping.latest(kept, clock.now()) is None
    async with automatic_backups(Backup(directory=str(kept), every=DAY), DataDirectory(data), clock):
        await comes_true(lambda: len(keeping.backups(kept)) == 3)
        await clock.advance(DAY)
        await comes_true(lambda: len(keeping.backups(kept)) == 4)
    assert keeping.latest(kept, clock.now()) == clock.now()


async def test_a_directory_that_cannot_be_read_for_a_while_ends_no_backups(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept, clock = tmp_path / "kept", ManualClock()

    def gone(directory: Path) -> list[Path]:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(keeping, "backups", gone)
        async with automatic_backups(Backup(directory=str(kept)), DataDirectory(data), clock):
            await comes_true(lambda: "Stale file handle" in caplog.text)
            patch.undo()
            await clock.advance(AGAIN)
            await comes_true(lambda: keeping.backups(kept) != [])


@pytest.mark.parametrize("step", ["link", "sync_tree"])
def test_whoever_is_told_to_stop_links_and_syncs_no_more(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Each of a hundred thousand directories takes its time: a stop would wait for all of them."""
    told, linked, synced = threading.Event(), list[Path](), list[Path]()
    link, sync_tree = files.link, files.sync_tree

    def links(source: Path, target: Path) -> bool:
        linked.append(target)
        if step == "link":
            told.set()
        return link(source, target)

    def syncs(root: Path, *stopped: snapshot.Stopped) -> None:
        told.set()
        monkeypatch.setattr(files, "sync_directory", synced.append)
        sync_tree(root, *stopped)

    monkeypatch.setattr(making, "link", links)
    monkeypatch.setattr(making, "sync_tree", syncs)
    kept = tmp_path / "kept"
    with pytest.raises(StartupError, match="given up because the gateway is stopping"):
        making.make(DataDirectory(data), kept, MOMENT, "0.0.test", stopped=told.is_set)
    assert (len(linked), synced) == (1 if step == "link" else 2, [])
    monkeypatch.undo()
    made = backed_up(data, kept, MOMENT + 1).path
    assert [path.name for path in kept.iterdir() if path.name != ".lock"] == [made.name]


async def test_a_gateway_that_stops_gives_up_the_one_that_it_is_making(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, begun, goes_on, linked = tmp_path / "kept", asyncio.Event(), threading.Event(), list[Path]()
    loop, link = asyncio.get_running_loop(), files.link

    def links(source: Path, target: Path) -> bool:
        linked.append(target)
        loop.call_soon_threadsafe(begun.set)
        assert goes_on.wait(20)
        return link(source, target)

    monkeypatch.setattr(making, "link", links)
    async with automatic_backups(Backup(directory=str(kept)), DataDirectory(data), ManualClock()):
        await begun.wait()
        loop.call_later(0.05, goes_on.set)  # when it is being left
    assert len(linked) == 1
    assert keeping.backups(kept) == []


async def test_the_gateway_makes_them_by_itself_and_a_restart_neither_adds_one_nor_puts_one_off(
    data: Path, tmp_path: Path
) -> None:
    kept, clock = tmp_path / "kept", ManualClock()
    wanted = Backup(directory=str(kept), every="24h", keep=2)  # type: ignore[arg-type]  # as it is written in a file

    async with automatic_backups(wanted, DataDirectory(data), clock):
        await comes_true(lambda: len(keeping.backups(kept)) == 1)
        await clock.advance(DAY - 60)
    async with automatic_backups(wanted, DataDirectory(data), clock):
        await clock.advance(30)
        assert len(keeping.backups(kept)) == 1
        await clock.advance(40)
        await comes_true(lambda: len(keeping.backups(kept)) == 2)
    first, _ = keeping.backups(kept)
    async with automatic_backups(wanted, DataDirectory(data), clock):
        await clock.advance(DAY)
        await comes_true(lambda: first not in keeping.backups(kept))
    assert [complaints(each) for each in keeping.backups(kept)] == [[], []]
    assert list(kept.glob(f".*{keeping.PARTIAL}")) == []


async def test_one_that_cannot_be_made_is_said_and_tried_again(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept, clock = tmp_path / "kept", ManualClock()
    kept.write_text("a file where the directory should be")
    async with automatic_backups(Backup(directory=str(kept)), DataDirectory(data), clock):
        await comes_true(lambda: "no backup was made" in caplog.text)
        kept.unlink()
        await clock.advance(AGAIN)
        await comes_true(lambda: keeping.backups(kept) != [])


# --- whole or not there ------------------------------------------------------------------------------------

_DIES = """
import os, signal, sys
from sora_gateway import cli
from sora_gateway.backup import making
from sora_gateway.store import snapshot
owner, name = {"copied": (snapshot, "damage_of"), "gathered": (making, "link"),
               "synced": (making, "sync_tree")}[sys.argv[1]]
setattr(owner, name, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
cli.main(sys.argv[2:])
"""


@pytest.mark.parametrize("moment", ["copied", "gathered", "synced"])
def test_killed_in_the_middle_it_leaves_nothing_that_looks_like_one(
    data: Path, tmp_path: Path, moment: str
) -> None:
    kept = tmp_path / "kept"
    command = [sys.executable, "-c", _DIES, moment, "backup", str(kept), "--data-dir", str(data)]
    assert subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == -signal.SIGKILL
    assert keeping.backups(kept) == []
    assert len(list(kept.glob(f".sora-gateway-*{keeping.PARTIAL}"))) == 1
    made = backed_up(data, kept)
    assert keeping.backups(kept) == [made.path]
    assert [path.name for path in kept.iterdir() if path.name != ".lock"] == [made.path.name]


_FULL = """
import resource, sys
from sora_gateway.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
raise SystemExit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("size", [4096, 100_000])
def test_on_a_full_disk_it_says_so_in_a_sentence_and_leaves_nothing(
    data: Path, tmp_path: Path, size: int
) -> None:
    """Files cannot grow beyond *size*, which SQLite and the system report as they do a disk that fails."""
    kept = tmp_path / "kept"
    command = [sys.executable, "-c", _FULL, str(size), "backup", str(kept), "--data-dir", str(data)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("sora-gateway: ")
    assert "Traceback" not in done.stderr
    assert [path.name for path in kept.iterdir()] == [".lock"]


# --- what is wrong is found --------------------------------------------------------------------------------


@pytest.fixture
def backup(data: Path, tmp_path: Path) -> Path:
    made = backed_up(data, tmp_path / "kept").path
    for path in files_in(made):
        # A copy to play with: the links to the data directory are cut.
        text = (made / path).read_bytes()
        (made / path).unlink()
        (made / path).write_bytes(text)
    return made


def found_wrong(backup: Path) -> list[str]:
    try:
        return complaints(backup)
    except NoBackup as error:
        return [str(error)]


def test_every_changed_byte_of_every_file_is_found(backup: Path) -> None:
    there = files_in(backup)
    names = st.sampled_from(sorted(there))

    @settings(max_examples=examples(60))
    @given(name=names, part=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
    def flipped(name: str, part: float, change: int) -> None:
        text = bytearray(there[name])
        text[int(part * len(text))] ^= change
        (backup / name).write_bytes(text)
        wrong = found_wrong(backup)
        (backup / name).write_bytes(there[name])
        assert wrong, f"{name} is damaged and nothing is said"

    flipped()
    assert found_wrong(backup) == []


def test_a_file_that_is_missing_cut_or_added_is_found(backup: Path) -> None:
    (backup / path_of(JOBS[0])).unlink()
    (backup / path_of(JOBS[1])).write_bytes(b"short")
    (backup / "secrets" / "other.key").write_text("not ours")
    assert found_wrong(backup) == [
        f"{path_of(JOBS[0])} cannot be read (No such file or directory)",
        f"{path_of(JOBS[1])} has 5 bytes and should have 3000",
        "secrets/other.key is not in the manifest",
    ]
    (backup / "manifest.sha256").unlink()
    assert "no backup" in found_wrong(backup)[0]


def test_books_that_do_not_balance_are_found_though_every_hash_is_right(data: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(data / "gateway.db", isolation_level=None)) as connection:
        connection.execute("UPDATE users SET available = available + 5")
        connection.execute("DELETE FROM events WHERE job_id = ?", (JOBS[0],))
    made = backed_up(data, tmp_path / "kept").path
    wrong = complaints(made)
    assert wrong == [
        f"a balance is not the sum of its entries: {ADA.user_id}",
        f"{JOBS[0]}: it goes on, and no event tells of it",
    ]
    with closing(sqlite3.connect(data / "gateway.db", isolation_level=None)) as connection:
        connection.execute("UPDATE users SET available = available - 5")
    shutil.rmtree(made)


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/passwd", "media/../../outside", "gateway.db/x", ".lock"]
)
def test_a_manifest_that_leads_out_of_the_backup_is_refused(backup: Path, path: str) -> None:
    text = (backup / "manifest.json").read_text().replace(path_of(JOBS[0]), path)
    for name, written in {
        "manifest.json": text.encode(),
        "manifest.sha256": manifest.summed(text.encode()),
    }.items():
        (backup / name).write_bytes(written)
    assert "is not one of sora-gateway's" in found_wrong(backup)[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MOMENTS = [
    "yesterday",
    "2027-01-15",
    "2027-01-15T08:00:00",
    "9999-12-31T23:59:59-23:59",
    "2027-13-01T00:00:00Z",
    "",
]


def test_a_manifest_with_anything_else_in_it_is_refused_in_one_sentence(backup: Path) -> None:
    """Its hash is right, so nobody but its reader can tell."""
    whole = json.loads((backup / "manifest.json").read_text())
    kinds = {name: type(value) for name, value in whole.items()}

    def told(text: str) -> list[str]:
        (backup / "manifest.json").write_text(text)
        (backup / "manifest.sha256").write_bytes(manifest.summed(text.encode()))
        return found_wrong(backup)

    refused = f"The manifest of {backup} is not one of sora-gateway's."

    @settings(max_examples=examples(100))
    @given(name=st.sampled_from(sorted(whole)), value=JSON)
    def broken(name: str, value: object) -> None:
        said = told(json.dumps(whole | {name: value}))
        if type(value) is not kinds[name]:
            assert said == [refused]

    @settings(max_examples=examples(60))
    @given(
        name=st.sampled_from(["path", "size", "sha256"]),
        at=st.integers(0, len(whole["files"]) - 1),
        value=JSON,
    )
    def broken_entry(name: str, at: int, value: object) -> None:
        files = [each | ({name: value} if number == at else {}) for number, each in enumerate(whole["files"])]
        said = told(json.dumps(whole | {"files": files}))
        assert said == [refused] or type(value) is int

    broken()
    broken_entry()
    for moment in MOMENTS:
        assert told(json.dumps(whole | {"made_at": moment})) == [refused], moment
    one = whole["files"][0]
    changes: tuple[dict[str, object], ...] = (
        {"rows": {}},
        {"files": [*whole["files"], one]},
        {"files": [{name: value for name, value in one.items() if name != "size"}]},
        {"files": [one | {"size": -1}]},
        {"files": [one | {"size": True}]},
        {"files": []},
        {"more": 1},
    )
    for changed in changes:
        assert told(json.dumps(whole | changed)) == [refused], changed
    for name in whole:
        assert told(json.dumps({each: whole[each] for each in whole if each != name})) == [refused], name
    for text in ("", "[]", "7", '"manifest"', "[" * 100_000, "1" * 5000):
        assert told(text) == [refused], text[:20]
    assert told(json.dumps(whole)) == []


def test_no_date_in_a_manifest_is_no_bug_of_ours(
    backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = json.dumps(json.loads((backup / "manifest.json").read_text()) | {"made_at": "soon"}).encode()
    (backup / "manifest.json").write_bytes(text)
    (backup / "manifest.sha256").write_bytes(manifest.summed(text))
    for command in (["--verify", str(backup)], [str(backup), "--data-dir", str(tmp_path / "new")]):
        assert main(["restore", *command]) == 1
        assert (
            capsys.readouterr().err
            == f"sora-gateway: The manifest of {backup} is not one of sora-gateway's.\n"
        )
    assert not (tmp_path / "new").exists()


def test_what_a_stranger_wrote_into_a_backup_does_not_steer_the_terminal(
    backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b]0;title\x07\x1b[2J\u202e\r\n/kept is whole"
    harmless = r"\x1b]0;title\x07\x1b[2J\u202e\r\n/kept is whole"

    def rewritten(**values: object) -> None:
        said = json.loads((backup / "manifest.json").read_text()) | values
        text = json.dumps(said).encode()
        (backup / "manifest.json").write_bytes(text)
        (backup / "manifest.sha256").write_bytes(manifest.summed(text))

    def told(command: list[str], code: int) -> str:
        assert main(command) == code
        said = "".join(capsys.readouterr())
        assert all(character.isprintable() or character == "\n" for character in said)
        assert "\n/kept is whole" not in said
        return said

    verify = ["restore", "--verify", str(backup)]
    rewritten(missing=[evil], gateway=evil, made_at="2027-01-15T08:00:00+00:00")
    assert told(verify, 0).count(harmless) == 2
    stranger = backup / "secrets" / evil.replace("/", "-")
    stranger.write_text("not ours")
    assert f"secrets/{harmless.replace('/', '-')} is not in the manifest\n" in told(verify, 1)
    rewritten(format=2)
    new = ["restore", str(backup), "--data-dir", str(tmp_path / "new")]
    assert [harmless in told(command, 1) for command in (verify, new)] == [True, True]


# --- people are told ---------------------------------------------------------------------------------------


def test_the_command_says_in_a_line_what_it_made_and_verify_that_it_is_whole(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    assert main(["backup", str(kept), "--data-dir", str(data), "--keep", "3"]) == 0
    told = capsys.readouterr()
    (made,) = keeping.backups(kept)
    assert told.out.startswith(f"{made}: 2 jobs, 4 files, ")
    assert "as secret as the data directory" in told.out
    assert "checking the database" in told.err
    before = files_in(made)
    assert main(["restore", "--verify", str(made)]) == 0
    assert capsys.readouterr().out.startswith(f"{made} is whole: 2 jobs, 4 files")
    assert files_in(made) == before
    (made / "secrets" / "signing.key").write_text("another key")
    assert main(["restore", "--verify", str(made)]) == 1
    assert "take another one" in capsys.readouterr().out


def test_a_place_that_cannot_be_is_refused_in_a_sentence(data: Path, tmp_path: Path) -> None:
    for place in (data, data / "media", data / "secrets" / "deep"):
        with pytest.raises(StartupError, match="part of the data directory"):
            backed_up(data, place)
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match="choose another directory"):
        backed_up(data, tmp_path / "file")
    with pytest.raises(StartupError, match="nothing to back up"):
        backed_up(tmp_path / "nowhere", tmp_path / "kept")
    with (
        keeping.taken(tmp_path / "kept"),
        pytest.raises(StartupError, match="Another backup is being made"),
    ):
        backed_up(data, tmp_path / "kept")
    made = backed_up(data, data / "backups")
    assert keeping.backups(data / "backups") == [made.path], "beside the database it may be"


async def test_a_damaged_database_is_copied_by_nobody_and_served_by_nobody(
    data: Path, tmp_path: Path
) -> None:
    database = data / "gateway.db"
    text = bytearray(database.read_bytes())
    with closing(sqlite3.connect(database)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'jobs'").fetchone()
    text[(page - 1) * 4096 : (page - 1) * 4096 + 64] = b"\xff" * 64
    database.write_bytes(text)
    with pytest.raises(StartupError, match=r"damaged|malformed"):
        backed_up(data, tmp_path / "kept")
    assert keeping.backups(tmp_path / "kept") == []
    with pytest.raises(StartupError, match=r"damaged.*nothing was changed"):
        async with running(settings_for(data)):
            pass
    assert database.read_bytes() == bytes(text)
