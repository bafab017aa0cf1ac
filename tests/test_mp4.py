"""Whether a video is whole is told by its bytes."""

from __future__ import annotations

import contextlib
import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.media.mp4 import BrokenFile, CutFile, inspect_mp4
from sora_gateway.media.sniff import sniff
from sora_gateway.media.webm import inspect_webm
from tests.sample_videos import sample_image, sample_mp4, sample_webm


def box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", len(payload) + 8, kind) + payload


@pytest.mark.parametrize("faststart", [True, False])
def test_a_whole_file_tells_its_length_size_and_frames(faststart: bool) -> None:
    facts = inspect_mp4(io.BytesIO(sample_mp4(faststart)))
    assert facts.duration == pytest.approx(1.0, abs=0.1)
    assert (facts.width, facts.height, facts.frames, facts.fragmented) == (64, 48, 24, False)


def test_a_fragmented_file_is_whole_too() -> None:
    assert inspect_mp4(io.BytesIO(sample_mp4(False, fragmented=True))).fragmented


def test_a_file_is_read_from_its_path_too(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(sample_mp4())
    assert inspect_mp4(path).frames == 24


@pytest.mark.parametrize("faststart", [True, False])
def test_a_file_that_is_cut_anywhere_is_refused(faststart: bool) -> None:
    whole = sample_mp4(faststart)
    for length in range(len(whole)):
        with pytest.raises(BrokenFile):
            inspect_mp4(io.BytesIO(whole[:length]))


def test_an_index_that_points_behind_the_end_gives_a_cut_file_away() -> None:
    """Cut at 60 % and with the box mended, so that only the sample tables can tell."""
    whole = sample_mp4(faststart=True)
    start = whole.index(b"mdat") - 4
    cut = whole[: start + (len(whole) - start) * 6 // 10]
    mended = cut[:start] + box(b"mdat", cut[start + 8 :])
    with pytest.raises(CutFile, match="before its last frames"):
        inspect_mp4(io.BytesIO(mended))


def test_a_last_box_of_open_length_reaches_to_the_end() -> None:
    whole = sample_mp4(faststart=True)
    start = whole.index(b"mdat") - 4
    open_ended = whole[:start] + bytes(4) + whole[start + 4 :]
    assert inspect_mp4(io.BytesIO(open_ended)).frames == 24
    with pytest.raises(CutFile):
        inspect_mp4(io.BytesIO(open_ended[:-1]))


def test_a_box_may_have_a_length_of_64_bits() -> None:
    whole = sample_mp4(faststart=False)
    mdat, moov = whole.index(b"mdat") - 4, whole.index(b"moov") - 4
    # The muxer left an empty box of eight bytes before the frames, for exactly this.
    assert whole[mdat - 8 : mdat] == box(b"free", b"")
    wide = struct.pack(">I4sQ", 1, b"mdat", moov - mdat + 8)
    assert inspect_mp4(io.BytesIO(whole[: mdat - 8] + wide + whole[mdat + 8 :])).frames == 24


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><title>504 Gateway Time-out</title>",
        b'{"error": {"message": "not ready"}}',
        box(b"ftyp", b"isom"),
        box(b"ftyp", b"isom") + box(b"moov", b""),
        box(b"ftyp", b"isom") + box(b"moov", b"") + box(b"mdat", b""),
        box(b"ftyp", b"isom") + box(b"free", b"") * 60_000,
    ],
)
def test_what_is_no_video_is_refused(body: bytes) -> None:
    with pytest.raises(BrokenFile):
        inspect_mp4(io.BytesIO(body))


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    for given_bytes in (
        body,
        box(b"ftyp", b"isom") + body,
        box(b"ftyp", b"") + box(b"moov", body) + box(b"mdat", b""),
    ):
        with pytest.raises(BrokenFile):
            inspect_mp4(io.BytesIO(given_bytes))


@given(st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), min_size=1, max_size=8))
def test_no_damage_to_a_good_file_breaks_the_reader(damage: list[tuple[int, int]]) -> None:
    body = bytearray(sample_mp4())
    for position, value in damage:
        body[position % len(body)] = value
    with contextlib.suppress(BrokenFile):
        inspect_mp4(io.BytesIO(bytes(body)))


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (sample_mp4(), "video/mp4"),
        (sample_webm(), "video/webm"),
        (sample_image("webp"), "image/webp"),
        (sample_image("jpeg"), "image/jpeg"),
        (sample_image("png"), "image/png"),
        (b"<html>", None),
        (b"", None),
    ],
    ids=["mp4", "webm", "webp", "jpeg", "png", "html", "nothing"],
)
def test_a_file_is_what_its_first_bytes_say(body: bytes, media_type: str | None) -> None:
    assert sniff(body[:16]) == media_type


def test_a_webm_file_is_whole_or_refused() -> None:
    whole = sample_webm()
    inspect_webm(io.BytesIO(whole))
    for length in range(len(whole)):
        with pytest.raises(BrokenFile):
            inspect_webm(io.BytesIO(whole[:length]))


@given(st.binary(max_size=100))
def test_no_bytes_break_the_webm_reader(body: bytes) -> None:
    for given_bytes in (body, b"\x1a\x45\xdf\xa3" + body):
        with contextlib.suppress(BrokenFile):
            inspect_webm(io.BytesIO(given_bytes))
