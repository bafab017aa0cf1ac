"""What an uploaded video says of itself, before anything is paid for it."""

from __future__ import annotations

import contextlib
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.media.mp4 import inspect_mp4
from sora_gateway.media.mp4_facts import UnusableVideo, VideoFacts, facts
from tests.sample_videos import sample_image, sample_mp4, sample_webm
from tests.test_mp4 import box

KINDS = ((True, False), (False, False), (False, True))
"""With the index first, last, and in pieces."""


@pytest.mark.parametrize(("faststart", "fragmented"), KINDS, ids=["index first", "index last", "fragmented"])
def test_a_video_tells_its_size_and_length(faststart: bool, fragmented: bool) -> None:
    found = facts(sample_mp4(faststart, fragmented))
    assert (found.width, found.height) == (64, 48)
    assert found.seconds == pytest.approx(1.0, abs=0.1)
    assert facts(sample_mp4(faststart, fragmented, frames=36)).seconds == pytest.approx(1.5, abs=0.1)


def test_a_video_that_was_filmed_upright_is_as_large_as_it_is_shown() -> None:
    whole = bytearray(sample_mp4())
    matrix = whole.index(b"tkhd") + 4 + 40
    one = 1 << 16
    whole[matrix : matrix + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 48 * one, 0, 1 << 30)
    assert (facts(bytes(whole)).width, facts(bytes(whole)).height) == (48, 64)
    # Upside down is as wide and as high as before.
    whole[matrix : matrix + 36] = struct.pack(">9i", -one, 0, 0, 0, -one, 0, 0, 0, 1 << 30)
    assert (facts(bytes(whole)).width, facts(bytes(whole)).height) == (64, 48)


def test_fragments_that_begin_late_are_as_long_as_they_are() -> None:
    """A piece of a live recording goes on counting from where the recording began."""
    late = bytearray(sample_mp4(False, fragmented=True))
    at = 0
    while (at := late.find(b"tfdt", at) + 4) > 3:
        (time,) = struct.unpack(">Q", late[at + 4 : at + 12])
        late[at + 4 : at + 12] = struct.pack(">Q", time + 10_000_000)
    assert facts(bytes(late)).seconds == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("gone", [b"tfdt", b"trex"])
def test_fragments_may_leave_out_what_the_standard_lets_them(gone: bytes) -> None:
    assert facts(sample_mp4(False, fragmented=True).replace(gone, b"free")).seconds == pytest.approx(
        1.0, abs=0.1
    )


def one_fragment(default: bytes, of_fragment: bytes, runs: bytes, timescale: int = 24) -> bytes:
    """A video of one track and one fragment, made of the three places that can say how long a frame takes."""
    number = struct.pack(">I", 1)
    tkhd = box(b"tkhd", bytes(12) + number + bytes(60) + struct.pack(">II", 64 << 16, 48 << 16))
    mdhd = box(b"mdhd", bytes(12) + struct.pack(">II", timescale, 0) + bytes(4))
    tables = box(b"stsz", bytes(12)) + box(b"stsc", bytes(8)) + box(b"stco", bytes(8))
    media = mdhd + box(b"hdlr", bytes(8) + b"vide") + box(b"minf", box(b"stbl", tables))
    trex = box(b"trex", bytes(4) + number + bytes(4) + default + bytes(8))
    moov = box(b"mvhd", bytes(100)) + box(b"trak", tkhd + box(b"mdia", media)) + box(b"mvex", trex)
    moof = box(b"moof", box(b"traf", of_fragment + runs))
    return box(b"ftyp", b"isom") + box(b"moov", moov) + moof + box(b"mdat", b"frames")


def header(flags: int, *numbers: int) -> bytes:
    return box(b"tfhd", struct.pack(f">I{1 + len(numbers)}I", flags, 1, *numbers))


def run(flags: int, *numbers: int) -> bytes:
    return box(b"trun", struct.pack(f">I{len(numbers)}I", flags, *numbers))


@pytest.mark.parametrize(
    ("default", "fragment", "runs", "seconds"),
    [
        (2, header(0), run(0, 12), 1.0),
        (2, header(0x8, 4), run(0, 12), 2.0),
        # An offset of eight bytes and a description's index come before it.
        (2, header(0xB, 9, 9, 9, 4), run(0, 12), 2.0),
        # Of each frame its own: duration; duration and size, after an offset and the first one's flags.
        (2, header(0x8, 4), run(0x100, 3, 8, 8, 8), 1.0),
        (2, header(0x8, 4), run(0x305, 3, 99, 99, 8, 99, 8, 99, 8, 99), 1.0),
        # Sizes alone.
        (2, header(0), run(0x200, 3, 99, 99, 99), 0.25),
        (2, header(0), run(0, 12) + run(0, 12), 2.0),
    ],
)
def test_the_length_of_a_frame_is_the_nearest_that_is_said(
    default: int, fragment: bytes, runs: bytes, seconds: float
) -> None:
    video = one_fragment(struct.pack(">I", default), fragment, runs)
    assert facts(video) == VideoFacts(64, 48, seconds)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The video is no whole MP4 file: the file does not begin with its type."),
        (b"<html>", "The video is no whole MP4 file: the file ends within the head of a box."),
        (sample_webm(), "The video is no whole MP4 file: "),
        (sample_image("png"), "The video is no whole MP4 file: "),
        (sample_mp4()[:-1], "The video is no whole MP4 file: the file ends 1 bytes before its box does."),
        (sample_mp4().replace(b"vide", b"auxv"), "The video is no whole MP4 file: the file has no video track."),
        (one_fragment(bytes(4), header(0), run(0, 12)), "The video does not say how long it is."),
        (one_fragment(b"\0\0\0\1", header(0), run(0, 9), timescale=0), "The video does not say how long it is."),
        (
            one_fragment(b"\0\0\0\1", header(0), run(0x100, 500_000)),
            "The video is no whole MP4 file: the sample tables are too long.",
        ),
    ],
    ids=["nothing", "HTML", "WebM", "PNG", "cut", "sound only", "no length", "no timescale", "endless table"],
)  # fmt: skip
def test_what_cannot_be_a_source_is_refused_with_one_sentence(body: bytes, sentence: str) -> None:
    with pytest.raises(UnusableVideo, match=r"\.$") as caught:
        facts(body)
    assert str(caught.value).startswith(sentence)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("place", ["size", "length"])
def test_a_video_that_does_not_say_what_it_is_is_refused(place: str) -> None:
    body = bytearray(sample_mp4())
    if place == "size":
        width = body.index(b"tkhd") + 4 + 76
        body[width : width + 8] = bytes(8)
    else:
        length = body.index(b"mvhd") + 4 + 16
        # All ones are the standard's word for "unknown".
        body[length : length + 4] = b"\xff" * 4
    with pytest.raises(UnusableVideo, match="does not say how"):
        facts(bytes(body))


@pytest.mark.parametrize(("frames", "fits"), [(24 * 3600, True), (24 * 3600 + 24, False), (2**32 - 1, False)])
def test_a_video_that_claims_to_last_for_ages_is_refused(frames: int, fits: bool) -> None:
    """Its length becomes a price and a number of the database."""
    video = one_fragment(struct.pack(">I", 1), header(0), run(0, frames))
    if fits:
        assert facts(video).seconds == 3600
    else:
        with pytest.raises(UnusableVideo, match="longer than 60 minutes"):
            facts(video)


@pytest.mark.parametrize(("faststart", "fragmented"), KINDS[:2])
def test_a_video_that_is_cut_anywhere_is_refused(faststart: bool, fragmented: bool) -> None:
    whole = sample_mp4(faststart, fragmented)
    for length in range(0, len(whole), 7):
        with pytest.raises(UnusableVideo):
            facts(whole[:length])


@given(st.sampled_from(KINDS), st.integers(0, 1 << 16))
def test_no_cut_breaks_the_reader(kind: tuple[bool, bool], length: int) -> None:
    whole = sample_mp4(*kind)
    with contextlib.suppress(UnusableVideo):
        facts(whole[: length % len(whole)])


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    for given_bytes in (body, box(b"ftyp", b"isom") + body, sample_mp4(False, fragmented=True) + body):
        with contextlib.suppress(UnusableVideo):
            facts(given_bytes)


@given(
    st.sampled_from(KINDS), st.lists(st.tuples(st.integers(0, 8191), st.integers(0, 255)), min_size=1, max_size=8)
)  # fmt: skip
def test_no_damage_breaks_the_reader(kind: tuple[bool, bool], damage: list[tuple[int, int]]) -> None:
    body = bytearray(sample_mp4(*kind))
    for position, value in damage:
        body[position % len(body)] = value
    with contextlib.suppress(UnusableVideo):
        found = facts(bytes(body))
        assert found.width > 0
        assert found.height > 0
        assert found.seconds > 0


@given(st.binary(max_size=48), st.binary(max_size=48), st.binary(max_size=48))
def test_no_fragment_breaks_the_reader(of_fragment: bytes, time: bytes, runs: bytes) -> None:
    number = struct.pack(">II", 0, 1)
    video = one_fragment(
        b"\0\0\0\1", box(b"tfhd", number + of_fragment), box(b"tfdt", time) + box(b"trun", runs)
    )
    with contextlib.suppress(UnusableVideo):
        facts(video)


def test_a_downloaded_video_may_leave_its_length_open() -> None:
    """What was paid for is kept; only what is about to be paid for has to say more."""
    body = one_fragment(bytes(4), header(0), run(0, 12))
    assert inspect_mp4(io.BytesIO(body)).duration == 0
