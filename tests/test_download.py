"""One try to fetch a file: resumed, bounded, and judged by its bytes, never by the upstream's word."""

from __future__ import annotations

import asyncio
import hashlib
import json
import resource
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sora_gateway.clock import SystemClock
from sora_gateway.core.job import ExternalId, JobId
from sora_gateway.core.observation import Listing, Look
from sora_gateway.core.operation import Operation
from sora_gateway.core.outcome import CreateAnswer, RejectRules
from sora_gateway.core.retries import DownloadTrouble
from sora_gateway.media.child import ChildFailed, run_in_child
from sora_gateway.media.download import Downloader, DownloadFailed, DownloadLimits
from sora_gateway.media.files import MediaFiles
from sora_gateway.upstream.adapter import CancelAnswer, Content, ContentTrouble, CreateOrder, Variant
from tests.examples import examples
from tests.sample_videos import sample_image, sample_mp4, sample_webm

JOB = JobId("video_" + "0" * 30 + "ab")
EXTERNAL = ExternalId("gen_1")
Kind = ContentTrouble.Kind
T = DownloadTrouble


@dataclass
class Shelf:
    """An upstream that has files and hands them out the way it is told to."""

    videos: bytes = b""
    stills: dict[Variant, bytes] = field(default_factory=dict)
    etag: str | None = '"v1"'
    declared: int | None = -1
    """The length it declares; -1 is the right one."""
    ranges: bool = True
    breaks_after: list[int] = field(default_factory=list)
    """For each transfer to come: after how many bytes it breaks."""
    trouble: ContentTrouble | None = None
    chunk: int = 1000
    hangs: asyncio.Event | None = None
    """Set when a transfer has sent everything, which then never ends."""
    asked: list[tuple[int, str | None]] = field(default_factory=list)
    """Offset and validator of each request for the video."""

    name: str = "shelf"
    rules: RejectRules = field(default_factory=RejectRules)
    min_poll_interval: float = 0.0
    operations: frozenset[Operation] = frozenset(Operation)
    characters: bool = True
    listing: Literal["none", "stale", "live"] = "none"
    looks_are_requests: bool = True
    stops_jobs: bool = False
    idempotent: bool = False

    async def create(self, order: CreateOrder, timeout: float) -> CreateAnswer:
        raise NotImplementedError

    async def create_character(
        self, name: str, video: bytes, media_type: str, timeout: float, attempt_id: str
    ) -> CreateAnswer:
        raise NotImplementedError

    async def look(self, external_id: ExternalId) -> Look:
        raise NotImplementedError

    async def list_jobs(self, after: ExternalId | None = None) -> Listing | Look:
        raise NotImplementedError

    async def cancel(self, external_id: ExternalId) -> CancelAnswer:
        raise NotImplementedError

    async def probe(self) -> str:
        raise NotImplementedError

    async def aclose(self) -> None:
        """Nothing is open."""

    def open_content(
        self,
        external_id: ExternalId,
        result_url: str | None,
        variant: Variant,
        offset: int = 0,
        etag: str | None = None,
    ) -> AbstractAsyncContextManager[Content]:
        return self._open(variant, offset, etag)

    @asynccontextmanager
    async def _open(self, variant: Variant, offset: int, etag: str | None) -> AsyncIterator[Content]:
        if variant is Variant.VIDEO:
            self.asked.append((offset, etag))
        elif variant not in self.stills:
            raise ContentTrouble(Kind.UNSUPPORTED, "no such variant")
        if self.trouble is not None:
            raise self.trouble
        body = self.videos if variant is Variant.VIDEO else self.stills[variant]
        if not self.ranges or (etag is not None and etag != self.etag):
            offset = 0
        total = len(body) if self.declared == -1 else self.declared
        breaks = self.breaks_after.pop(0) if self.breaks_after else None
        yield Content(offset, total, "video/mp4", self.etag, self._chunks(body[offset:], breaks))

    async def _chunks(self, body: bytes, breaks_after: int | None) -> AsyncIterator[bytes]:
        for start in range(0, len(body[:breaks_after]), self.chunk):
            yield body[:breaks_after][start : start + self.chunk]
        if breaks_after is not None:
            raise ContentTrouble(Kind.INTERRUPTED, "reset")
        if self.hangs is not None:
            self.hangs.set()
            await asyncio.Event().wait()


@pytest.fixture
def files(tmp_path: Path) -> MediaFiles:
    return MediaFiles(tmp_path / "files")


@pytest.fixture
def downloader(files: MediaFiles) -> Downloader:
    return Downloader(files, None, SystemClock())


async def fetch(downloader: Downloader, shelf: Shelf) -> bytes:
    """The stored bytes, having checked that what is told of them is true."""
    stored = await downloader.fetch(shelf, EXTERNAL, None, JOB, Variant.VIDEO)
    body = downloader._files.resolve(stored.path).read_bytes()
    assert (stored.size, stored.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    return body


async def trouble_of(downloader: Downloader, shelf: Shelf) -> DownloadTrouble:
    with pytest.raises(DownloadFailed) as failed:
        await fetch(downloader, shelf)
    return failed.value.kind


def part_of(files: MediaFiles) -> bytes | None:
    part = files.part_path(JOB, "video")
    return part.read_bytes() if part.exists() else None


# --- the good cases ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [sample_mp4(), sample_mp4(False), sample_webm()], ids=["first", "last", "webm"]
)
async def test_a_whole_video_is_stored(downloader: Downloader, files: MediaFiles, body: bytes) -> None:
    assert await fetch(downloader, Shelf(body)) == body
    assert part_of(files) is None


async def test_the_name_of_a_file_says_what_its_bytes_are(downloader: Downloader) -> None:
    """The shelf calls everything video/mp4."""
    stored = await downloader.fetch(Shelf(sample_webm()), EXTERNAL, None, JOB, Variant.VIDEO)
    assert (stored.media_type, stored.path) == ("video/webm", f"ab/{JOB}/video.webm")


async def test_a_broken_transfer_goes_on_where_it_ended(downloader: Downloader, files: MediaFiles) -> None:
    shelf = Shelf(sample_mp4(), breaks_after=[2500])
    assert await trouble_of(downloader, shelf) is T.INTERRUPTED
    assert part_of(files) == sample_mp4()[:2500]
    assert await fetch(downloader, shelf) == sample_mp4()
    assert shelf.asked == [(0, None), (2500, '"v1"')]


async def test_a_stop_in_mid_transfer_keeps_what_has_arrived(
    downloader: Downloader, files: MediaFiles
) -> None:
    body = sample_mp4()
    shelf = Shelf(body[:2500], declared=len(body), hangs=asyncio.Event())
    transfer = asyncio.create_task(fetch(downloader, shelf))
    assert shelf.hangs
    await shelf.hangs.wait()
    transfer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await transfer
    assert part_of(files) == body[:2500]
    assert await fetch(downloader, Shelf(body)) == body


async def test_whenever_it_is_stopped_a_part_is_a_beginning_of_the_file(
    downloader: Downloader, files: MediaFiles
) -> None:
    """Also in the middle of a write, which goes on in its thread."""
    # A box that players skip makes it as large as several writes.
    padding = b"".join(number.to_bytes(4, "big") for number in range(1 << 20))
    body = sample_mp4() + (len(padding) + 8).to_bytes(4, "big") + b"free" + padding
    for delay in range(12):
        transfer = asyncio.create_task(fetch(downloader, Shelf(body, chunk=1 << 19)))
        await asyncio.sleep(delay / 2000)
        still_running = transfer.cancel()
        await asyncio.wait({transfer})
        assert transfer.cancelled() == still_running
        assert body.startswith(part_of(files) or b"")
    assert await fetch(downloader, Shelf(body)) == body


async def test_a_file_that_had_arrived_when_we_died_is_not_fetched_again(
    downloader: Downloader, files: MediaFiles
) -> None:
    shelf = Shelf(sample_mp4(), breaks_after=[len(sample_mp4()) - 1])
    await trouble_of(downloader, shelf)
    with files.part_path(JOB, "video").open("ab") as part:
        part.write(sample_mp4()[-1:])
    assert await fetch(downloader, shelf) == sample_mp4()
    assert len(shelf.asked) == 1


async def test_a_file_that_was_in_its_place_when_we_died_is_taken_as_it_is(
    files: MediaFiles, downloader: Downloader
) -> None:
    """By now the upstream may not have it any more."""
    body = sample_mp4()
    first = await downloader.fetch(Shelf(body), EXTERNAL, None, JOB)
    files.part_path(JOB, "video").write_bytes(b"the note and the part may be there still")
    shelf = Shelf(trouble=ContentTrouble(Kind.EXPIRED, "gone"))
    assert await Downloader(files, None, SystemClock()).fetch(shelf, EXTERNAL, None, JOB) == first
    assert shelf.asked == []
    assert part_of(files) is None


async def test_a_file_that_is_in_its_place_and_not_whole_is_fetched_anew(
    files: MediaFiles, downloader: Downloader
) -> None:
    body = sample_mp4()
    stored = await downloader.fetch(Shelf(body), EXTERNAL, None, JOB)
    files.resolve(stored.path).write_bytes(body[:-20])
    assert await fetch(downloader, Shelf(body)) == body


async def test_an_upstream_that_ignores_the_range_is_read_from_the_start(downloader: Downloader) -> None:
    shelf = Shelf(sample_mp4(), ranges=False, breaks_after=[2500])
    assert await trouble_of(downloader, shelf) is T.INTERRUPTED
    assert await fetch(downloader, shelf) == sample_mp4()


@pytest.mark.parametrize("etag", ['"v2"', None])
async def test_a_file_that_changed_between_two_tries_is_never_pasted_together(
    downloader: Downloader, etag: str | None
) -> None:
    """With a validator the upstream tells; without one the new length does."""
    first = Shelf(sample_mp4(), etag='"v1"' if etag else None, breaks_after=[2500])
    assert await trouble_of(downloader, first) is T.INTERRUPTED
    changed = Shelf(sample_mp4(frames=20), etag=etag)
    if etag is None:
        assert await trouble_of(downloader, changed) is T.INTERRUPTED
    assert await fetch(downloader, changed) == changed.videos
    assert changed.asked[-1][0] == (2500 if etag else 0)


EARLIER = json.dumps({"etag": '"v1"', "total": len(sample_mp4()), "boot": "an earlier start of the machine"})


@pytest.mark.parametrize("note", ["", "{", "[]", EARLIER])
async def test_a_part_that_may_have_holes_is_not_continued(
    downloader: Downloader, files: MediaFiles, note: str
) -> None:
    """After a power cut the tail of a file can be zeros, which no container gives away."""
    shelf = Shelf(sample_mp4(), breaks_after=[2500])
    await trouble_of(downloader, shelf)
    remembered = files.part_path(JOB, "video").with_name("video.part.etag")
    assert json.loads(remembered.read_text())["total"] == len(sample_mp4())
    remembered.write_text(note)
    assert await fetch(downloader, shelf) == sample_mp4()
    assert shelf.asked[-1] == (0, None)


@given(
    breaks=st.lists(st.integers(0, 4000), max_size=6),
    chunk=st.integers(1, 5000),
    ranges=st.booleans(),
    etag=st.sampled_from([None, '"v1"']),
    declared=st.booleans(),
)
@settings(max_examples=examples(60), deadline=None)
async def test_however_a_transfer_is_torn_the_stored_file_is_the_upstreams(
    breaks: list[int], chunk: int, ranges: bool, etag: str | None, declared: bool
) -> None:
    shelf = Shelf(
        sample_mp4(), ranges=ranges, etag=etag, chunk=chunk, breaks_after=list(breaks),
        declared=-1 if declared else None,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        downloader = Downloader(MediaFiles(Path(folder)), None, SystemClock())
        for _ in range(len(breaks) + 1):
            try:
                assert await fetch(downloader, shelf) == sample_mp4()
                break
            except DownloadFailed as failed:
                assert failed.kind is T.INTERRUPTED  # noqa: PT017 - the loop needs the other outcome too
        else:
            pytest.fail("it never arrived")


# --- bytes that are refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("share", [1, 10, 60, 99])
@pytest.mark.parametrize("faststart", [True, False])
async def test_a_file_that_was_cut_without_a_declared_length_is_refused(
    downloader: Downloader, files: MediaFiles, faststart: bool, share: int
) -> None:
    body = sample_mp4(faststart)
    shelf = Shelf(body[: len(body) * share // 100], declared=None)
    assert await trouble_of(downloader, shelf) in (T.TRUNCATED, T.BROKEN)
    assert part_of(files) is None


async def test_a_cut_file_is_refused_although_its_declared_length_agrees(downloader: Downloader) -> None:
    assert await trouble_of(downloader, Shelf(sample_mp4()[:2500])) is T.TRUNCATED


@pytest.mark.parametrize("declared", [100, len(sample_mp4()) + 50])
async def test_a_whole_file_is_taken_although_its_declared_length_is_wrong(
    downloader: Downloader, declared: int
) -> None:
    assert await fetch(downloader, Shelf(sample_mp4(), declared=declared)) == sample_mp4()


async def test_a_transfer_that_ends_before_the_declared_length_goes_on_later(
    downloader: Downloader, files: MediaFiles
) -> None:
    body = sample_mp4()
    assert await trouble_of(downloader, Shelf(body[:2500], declared=len(body))) is T.INTERRUPTED
    assert part_of(files) == body[:2500]
    assert await fetch(downloader, Shelf(body)) == body


@pytest.mark.parametrize("breaks_after", [[], [2500]], ids=["ends", "breaks"])
async def test_a_cut_file_that_is_longer_than_declared_is_refused(
    downloader: Downloader, files: MediaFiles, breaks_after: list[int]
) -> None:
    """Going on with it would never end: it is fetched anew, and not for ever."""
    shelf = Shelf(sample_mp4()[:2500], declared=100, breaks_after=breaks_after)
    assert await trouble_of(downloader, shelf) in (T.TRUNCATED, T.BROKEN)
    assert part_of(files) is None


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"\x00" * 5000, sample_image("png")])
async def test_what_is_no_video_is_refused_whatever_it_is_called(
    downloader: Downloader, files: MediaFiles, body: bytes
) -> None:
    assert await trouble_of(downloader, Shelf(body)) is T.NOT_MEDIA
    assert part_of(files) is None


async def test_a_page_without_end_is_not_read_to_the_end(downloader: Downloader) -> None:
    shelf = Shelf(b"<p>busy</p>" * 400_000, chunk=1 << 16, breaks_after=[3 << 20])
    assert await trouble_of(downloader, shelf) is T.NOT_MEDIA


async def test_what_came_instead_of_a_video_is_logged_without_its_secrets(
    downloader: Downloader, caplog: pytest.LogCaptureFixture
) -> None:
    await trouble_of(downloader, Shelf(b"<h1>quota</h1> Bearer sk-verysecret12345 " + b"x" * 5000))
    assert "quota" in caplog.text
    assert "verysecret" not in caplog.text
    assert len(caplog.text) < 2500


@pytest.mark.parametrize("declared", [-1, None])
async def test_a_file_that_is_too_large_is_refused(files: MediaFiles, declared: int | None) -> None:
    downloader = Downloader(files, None, SystemClock(), DownloadLimits(max_file=3000))
    assert await trouble_of(downloader, Shelf(sample_mp4(), declared=declared)) is T.TOO_LARGE
    assert part_of(files) is None


# --- what the upstream, the disk and the child do ---------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Kind.NOT_YET, T.NOT_YET),
        (Kind.EXPIRED, T.EXPIRED),
        (Kind.NOT_MEDIA, T.NOT_MEDIA),
        (Kind.TOO_LARGE, T.TOO_LARGE),
        (Kind.INTERRUPTED, T.INTERRUPTED),
        (Kind.UNSUPPORTED, T.EXPIRED),
        (Kind.GONE, T.GONE),
    ],
)
async def test_what_the_upstream_says_is_passed_on(
    downloader: Downloader, said: ContentTrouble.Kind, kind: DownloadTrouble
) -> None:
    shelf = Shelf(trouble=ContentTrouble(said, "It said so.", retry_after=7.0))
    with pytest.raises(DownloadFailed, match="It said so") as failed:
        await fetch(downloader, shelf)
    assert (failed.value.kind, failed.value.retry_after) == (kind, 7.0)


@contextmanager
def disk_that_takes(size: int) -> Iterator[None]:
    """Files cannot grow beyond *size* bytes: the kernel refuses the write, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_loses_nothing_that_has_arrived(downloader: Downloader, files: MediaFiles) -> None:
    shelf = Shelf(sample_mp4())
    with disk_that_takes(2000):
        assert await trouble_of(downloader, shelf) is T.STORAGE
    assert part_of(files) == sample_mp4()[:2000]
    assert await fetch(downloader, shelf) == sample_mp4()
    assert shelf.asked[-1][0] == 2000


class HurryingClock(SystemClock):
    """Every look at it finds ten minutes gone."""

    def __init__(self) -> None:
        self._passed = 0.0

    def monotonic(self) -> float:
        self._passed += 600.0
        return self._passed


async def test_one_try_has_a_deadline_and_keeps_its_part(files: MediaFiles) -> None:
    downloader = Downloader(files, None, HurryingClock())
    shelf = Shelf(sample_mp4(), chunk=100)
    assert await trouble_of(downloader, shelf) is T.INTERRUPTED
    assert part_of(files) == sample_mp4()[:400]


async def test_only_so_many_transfers_run_at_once(files: MediaFiles) -> None:
    downloader = Downloader(files, None, SystemClock(), DownloadLimits(at_once=1))
    first, second = Shelf(sample_mp4(), hangs=asyncio.Event()), Shelf(sample_mp4())
    running = asyncio.create_task(fetch(downloader, first))
    assert first.hangs
    await first.hangs.wait()
    waiting = asyncio.create_task(
        downloader.fetch(second, EXTERNAL, None, JobId("video_" + "0" * 30 + "cd"), Variant.VIDEO)
    )
    await asyncio.sleep(0.01)
    assert second.asked == []
    running.cancel()
    await waiting


async def test_a_file_with_missing_packets_is_refused(files: MediaFiles) -> None:
    async def counting(task: str, arguments: dict[str, Any], timeout: float) -> dict[str, Any]:
        assert (task, arguments) == ("probe", {"path": str(files.part_path(JOB, "video"))})
        return {"whole": False, "packets": 13, "declared_packets": 24}

    downloader = Downloader(files, counting, SystemClock())
    with pytest.raises(DownloadFailed, match="13 of 24 frames") as failed:
        await fetch(downloader, Shelf(sample_mp4()))
    assert failed.value.kind is T.TRUNCATED


async def failing(task: str, arguments: dict[str, Any], timeout: float) -> dict[str, Any]:
    raise ChildFailed("out of memory")


async def test_a_helper_that_fails_does_not_cost_a_paid_file(files: MediaFiles) -> None:
    assert await fetch(Downloader(files, failing, SystemClock()), Shelf(sample_mp4())) == sample_mp4()


# --- stills -------------------------------------------------------------------------------------------


async def stills_of(downloader: Downloader, shelf: Shelf) -> dict[str, str]:
    """Variant -> media type of the stills that a stored video gets."""
    video = await downloader.fetch(shelf, EXTERNAL, None, JOB, Variant.VIDEO)
    found = await downloader.stills(shelf, EXTERNAL, JOB, video)
    for still in found:
        body = downloader._files.resolve(still.path).read_bytes()
        assert (still.size, still.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert not list(downloader._files.resolve(video.path).parent.glob("*.part*"))
    return {still.variant: still.media_type for still in found}


async def test_stills_come_from_the_upstream_when_it_has_them(downloader: Downloader) -> None:
    images = {Variant.THUMBNAIL: sample_image("webp"), Variant.SPRITESHEET: sample_image("jpeg")}
    assert await stills_of(downloader, Shelf(sample_mp4(), images)) == {
        "thumbnail": "image/webp",
        "spritesheet": "image/jpeg",
    }


async def test_stills_are_made_here_when_the_upstream_has_none(files: MediaFiles) -> None:
    """With the real decoder in its real child process."""
    downloader = Downloader(files, run_in_child, SystemClock())
    assert await stills_of(downloader, Shelf(sample_mp4())) == {
        "thumbnail": "image/webp",
        "spritesheet": "image/jpeg",
    }


@pytest.mark.parametrize(
    "body", [b"<html>no</html>", b"", sample_mp4(), sample_image("png") + bytes(6 << 20)]
)
async def test_a_still_that_is_no_image_or_too_large_is_left_out(downloader: Downloader, body: bytes) -> None:
    assert await stills_of(downloader, Shelf(sample_mp4(), dict.fromkeys(Variant, body))) == {}


async def test_a_video_is_complete_without_stills(downloader: Downloader, files: MediaFiles) -> None:
    assert await stills_of(downloader, Shelf(sample_mp4())) == {}
    assert await stills_of(Downloader(files, failing, SystemClock()), Shelf(sample_mp4())) == {}


async def test_a_child_that_leaves_no_image_behind_is_no_trouble(files: MediaFiles) -> None:
    async def idle(task: str, arguments: dict[str, Any], timeout: float) -> dict[str, Any]:
        if task == "poster":
            await asyncio.to_thread(Path(arguments["target"]).write_bytes, b"not an image")
        return {"whole": True}

    assert await stills_of(Downloader(files, idle, SystemClock()), Shelf(sample_mp4())) == {}
