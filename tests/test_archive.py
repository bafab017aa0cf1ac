"""Many videos as one archive over a real port: read by an independent reader, in bounded memory, and never half."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sora_gateway.core.file_names import FileNames
from sora_gateway.media.zip_stream import CHUNK, Member, opened, zipped
from tests.examples import examples
from tests.jobs import NOW
from tests.lab import Lab, at_the_lab, closing
from tests.live import until
from tests.running import Person, person
from tests.sample_videos import sample_mp4

ARCHIVE = "/api/video/tasks/archive"
FILM = sample_mp4()


def finishing() -> Lab:
    """An upstream that is done at once."""
    return Lab(looks={"status": "completed"}, content=closing(200, FILM, {"Content-Type": "video/mp4"}))


async def finished(ann: Person, *prompts: str) -> list[str]:
    ids = [(await ann.make(prompt))["videoId"] for prompt in prompts]
    for video_id in ids:
        await ann.comes_to(video_id, "completed")
    return ids


def opened_zip(answer: httpx.Response) -> ZipFile:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    archive = ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


# --- over the wire -----------------------------------------------------------------------------------


async def test_finished_videos_come_as_one_archive_under_names_that_say_what_they_are(
    tmp_path: Path,
) -> None:
    async with at_the_lab(tmp_path, finishing()) as ann:
        ids = await finished(ann, "A paper boat!", "../../etc/passwd", "纸船 in the rain")
        query = "&".join(f"ids={video_id}" for video_id in ids)
        for answer in (
            await ann.get(f"{ARCHIVE}?{query}"),
            await ann.http.post(ARCHIVE, json={"ids": ids}),
        ):
            archive = opened_zip(answer)
            slugs = [name[16:] for name in archive.namelist()]
            assert slugs == ["a-paper-boat.mp4", "etc-passwd.mp4", "纸船-in-the-rain.mp4"]
            assert all(archive.read(name) == FILM for name in archive.namelist())
            assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
            assert answer.headers["content-disposition"].startswith('attachment; filename="20')
            assert answer.headers["cache-control"] == "private, no-store"
        head = await ann.http.head(f"{ARCHIVE}?{query}")
        assert (head.status_code, head.content) == (200, b"")


async def test_a_batch_comes_as_one_archive_and_what_has_no_file_is_named_in_it(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, lab := finishing(), upstream={"max_concurrent": 0}) as ann:
        batch = (
            await ann.http.post("/api/video/tasks/batch", json={"prompts": "a\nb", "variants": 2})
        ).json()
        ids = [task["videoId"] for task in batch["tasks"]]
        for video_id in ids:
            await ann.comes_to(video_id, "completed")
        names = opened_zip(await ann.get(f"{ARCHIVE}?batch={batch['batchId']}")).namelist()
        assert [name[15:] for name in names] == ["-a.mp4", "-a-2.mp4", "-b.mp4", "-b-2.mp4"]
        next((tmp_path / "media").rglob(f"{ids[0]}/video.mp4")).unlink()
        lab.looks = {"status": "in_progress"}
        waiting = (await ann.make())["videoId"]
        archive = opened_zip(await ann.http.post(ARCHIVE, json={"ids": [*ids[:2], waiting]}))
        assert archive.namelist()[-1] == "missing.txt"
        assert len(archive.namelist()) == 2
        assert archive.read("missing.txt").decode().splitlines() == [
            f"{ids[0]}: The file of this video is not kept any more.",
            f"{waiting}: The video is not finished yet.",
        ]
        answer = await ann.http.post(ARCHIVE, json={"ids": [waiting]})
        assert answer.json()["error"]["code"] == "not_ready"


async def test_an_archive_has_only_what_its_reader_may_see(tmp_path: Path) -> None:
    async with (
        at_the_lab(tmp_path, finishing()) as ann,
        person(ann.gateway, "bob", "viewer") as bob,
    ):
        (video_id,) = await finished(ann, "hers")
        for ask in ({"ids": [video_id]}, {"batch": "batch_none"}, {"ids": ["video_none"]}):
            assert (await bob.http.post(ARCHIVE, json=ask)).json()["error"]["code"] == "not_found"
        await ann.http.post(f"/api/video/tasks/{video_id}/visibility", json={"visibility": "team"})
        assert len(opened_zip(await bob.get(f"{ARCHIVE}?ids={video_id}")).namelist()) == 1
        for wrong in ("", "?ids=a&batch=b", "?ids=", "?ids=ä", "?" + "&ids=a" * 51):
            assert (await bob.get(f"{ARCHIVE}{wrong}")).status_code == 400


async def test_a_file_that_breaks_off_ends_the_archive_so_that_its_reader_can_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("the disk has gone")

    async with at_the_lab(tmp_path, finishing()) as ann:
        (video_id,) = await finished(ann, "hers")
        monkeypatch.setattr("sora_gateway.http.archive.opened", Broken)
        with pytest.raises(httpx.RemoteProtocolError):
            await ann.get(f"{ARCHIVE}?ids={video_id}")
        monkeypatch.undo()
        assert len(opened_zip(await ann.get(f"{ARCHIVE}?ids={video_id}")).namelist()) == 1


async def test_a_reader_that_leaves_lets_go_of_the_file(tmp_path: Path) -> None:
    """The file is much larger than what lies between the gateway and a reader that takes nothing."""
    async with at_the_lab(tmp_path, finishing()) as ann:
        (video_id,) = await finished(ann, "hers")
        path = next((tmp_path / "media").rglob("video.mp4"))
        with path.open("r+b") as file:
            file.truncate(64 << 20)

        def open_here() -> bool:
            descriptors = Path("/proc/self/fd").iterdir()
            return any(each.exists() and each.readlink() == path for each in descriptors if each.is_symlink())

        async with ann.http.stream("GET", f"{ARCHIVE}?ids={video_id}") as answer:
            await anext(answer.aiter_raw())
            assert open_here()
        await until(lambda: not open_here())


# --- the bytes ---------------------------------------------------------------------------------------


async def of(members: Sequence[Member]) -> AsyncIterator[Member]:
    for member in members:
        yield member


async def read(members: Sequence[Member]) -> bytes:
    return b"".join([chunk async for chunk in zipped(of(members))])


@pytest.mark.parametrize("limit", [zipfile.ZIP64_LIMIT, 100])
async def test_large_files_have_their_sizes_in_eight_bytes(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is large begins at 100 bytes in the second round."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", limit)
    path = tmp_path / "film"
    path.write_bytes(bytes(range(256)) * 5000)
    data = await read(
        [Member("a.mp4", NOW, opened(path)), Member("b.txt", 0.0, b"b"), Member("c", NOW, opened(path))]
    )
    archive = ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    assert archive.read("a.mp4") == archive.read("c") == path.read_bytes()
    assert archive.getinfo("b.txt").date_time == (1980, 1, 1, 0, 0, 0)
    assert archive.getinfo("a.mp4").date_time[:3] == (2027, 1, 15)


async def test_nothing_of_an_archive_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "film"
    with path.open("wb") as file:
        file.truncate(40 * CHUNK)
    tracemalloc.start()
    try:
        length = 0
        async for chunk in zipped(of([Member(str(n), NOW, opened(path)) for n in range(3)])):
            length += len(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert length > 120 * CHUNK
    assert peak < 8 * CHUNK


async def test_a_file_that_got_shorter_is_no_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(b"x" * 3 * CHUNK)
    received = []
    archive = zipped(of([Member("a", NOW, opened(path))]))
    received.append(await anext(archive))
    with path.open("r+b") as file:
        file.truncate(CHUNK)
    with pytest.raises(OSError, match="broke off"):
        received += [chunk async for chunk in archive]
    with pytest.raises(zipfile.BadZipFile):
        ZipFile(io.BytesIO(b"".join(received)))


# --- names -------------------------------------------------------------------------------------------


def test_a_name_has_the_moment_and_the_prompts_words() -> None:
    names = FileNames()
    assert (
        names.name(NOW, "A Paper  Boat, in_the rain", ".mp4")
        == "20270115-080000-a-paper-boat-in-the-rain.mp4"
    )
    assert (
        names.name(NOW, "a paper boat in the rain", ".mp4")
        == "20270115-080000-a-paper-boat-in-the-rain-2.mp4"
    )
    assert names.name(NOW, "???", ".webm") == "20270115-080000.webm"


@settings(max_examples=examples(300))
@given(st.lists(st.text(max_size=80), min_size=1, max_size=6))
@example(["a", "a", "a 2", "A", ""])
def test_names_are_safe_and_no_two_are_the_same(prompts: list[str]) -> None:
    names = FileNames()
    made = [names.name(NOW, prompt, ".mp4") for prompt in prompts]
    assert len({name.casefold() for name in made}) == len(made)
    for name in made:
        assert len(name.encode()) <= 255
        assert all(each.isalnum() or each == "-" for each in name.removesuffix(".mp4"))
