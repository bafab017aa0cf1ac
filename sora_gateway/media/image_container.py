"""What a JPEG, PNG or WebP file says of itself, and where it ends. Pure Python: no decoder has seen the bytes yet.

A file that goes on after its image is two files in one, and the other one may be anything: it is refused, but for
what phones append to a JPEG (more JPEGs, a short film, Samsung's notes).
"""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass

from sora_gateway.media.mp4_boxes import BoxReader, BrokenFile
from sora_gateway.media.sniff import HEAD, sniff

NO_IMAGE = "The file is not a JPEG, PNG or WebP image; save it as one of these and send it again."
DAMAGED = "The image is damaged or cut off; save or export it once more and send the new file."
_ANIMATED = "The image is animated; send a single picture as JPEG, PNG or WebP."
_TOO_MANY_SCANS = "The JPEG is built up in too many steps; save or export it once more as a plain one."
_GOES_ON = "The file goes on after the end of the image; save or export it once more as a plain JPEG or PNG."

MAX_SCANS = 100
"""Of one JPEG; programs write ten or so. A decoder goes over all pixels for each, and a scan of nothing has few bytes."""

_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN = 0xD8, 0xD9, 0xDA
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers that no segment follows."""
_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_PADDING = re.compile(rb"\x00*")
_UNTIL_FILM = re.compile(rb"\x00*?(?=[\x00-\xff]{4}ftyp)")
"""Padding before a film, whose first bytes, its length, may be zero themselves."""


class UnusableImage(ValueError):
    """It cannot be a reference image; the text is one sentence for people that says what to do."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Width and height in pixels, as declared and before any turning; both are above 0."""

    media_type: str
    width: int
    height: int
    length: int
    """Bytes of the image itself: less than the file has when a phone appended something."""


def outline_of(data: bytes) -> Outline:
    """What *data* declares, every part of it being there.

    Raises:
        UnusableImage: it is no image of the three kinds, is animated, is cut off, or goes on after its end.
    """
    kind = sniff(data[:HEAD])
    try:
        match kind:
            case "image/jpeg":
                outline = _jpeg(data)
            case "image/png":
                outline = _png(data)
            case "image/webp":
                outline = _webp(data)
            case _:
                raise UnusableImage(NO_IMAGE)
    except struct.error:
        # A number that would lie beyond the end.
        raise UnusableImage(DAMAGED) from None
    if not outline.width or not outline.height:
        raise UnusableImage(DAMAGED)
    return outline


def _png(data: bytes) -> Outline:
    """Signature, IHDR, any chunks, IEND, nothing."""
    position, kind = 8, b""
    if data[12:16] != b"IHDR":
        raise UnusableImage(DAMAGED)
    width, height = struct.unpack_from(">II", data, 16)
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + length
        if position > len(data):
            raise UnusableImage(DAMAGED)
        if kind == b"acTL":
            raise UnusableImage(_ANIMATED)
    if position < len(data):
        raise UnusableImage(_GOES_ON)
    return Outline("image/png", width, height, position)


def _webp(data: bytes) -> Outline:
    """A RIFF file as long as it says, of chunks that fill it; the first one tells the size."""
    (declared,) = struct.unpack_from("<I", data, 4)
    end = 8 + declared
    if end > len(data):
        raise UnusableImage(DAMAGED)
    if len(data) > end + declared % 2:
        raise UnusableImage(_GOES_ON)
    width, height = _webp_size(data)
    position = 12
    while position < end:
        kind, length = struct.unpack_from("<4sI", data, position)
        if kind in (b"ANIM", b"ANMF"):
            raise UnusableImage(_ANIMATED)
        if position + 8 + length > end:
            raise UnusableImage(DAMAGED)
        position += 8 + length + length % 2
    return Outline("image/webp", width, height, len(data))


def _webp_size(data: bytes) -> tuple[int, int]:
    match data[12:16]:
        case b"VP8X":
            if data[20:21] and data[20] & 0x02:
                raise UnusableImage(_ANIMATED)
            width, width_high, height, height_high = struct.unpack_from("<HBHB", data, 24)
            return 1 + width + (width_high << 16), 1 + height + (height_high << 16)
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
        case _:
            raise UnusableImage(DAMAGED)


def _jpeg(data: bytes) -> Outline:
    width, height, length = _one_jpeg(data, 0)
    end = _samsungs_notes(data, length)
    position = length
    while position < end:
        if film := _UNTIL_FILM.match(data, position):
            _require_film(data[film.end() : end])
            break
        padding = _PADDING.match(data, position)
        assert padding is not None, "no padding is padding too"
        position = padding.end()
        if data.startswith(b"\xff\xd8\xff", position):
            position = _one_jpeg(data, position)[2]
        elif position < end:
            raise UnusableImage(_GOES_ON)
    return Outline("image/jpeg", width, height, length)


def _one_jpeg(data: bytes, start: int) -> tuple[int, int, int]:
    """Width, height and the end of the JPEG that begins at *start*."""
    width = height = scans = 0
    position = start + 2
    while True:
        marker = _MARKER.match(data, position)
        if marker is None:
            raise UnusableImage(DAMAGED)
        position, code = marker.end(), marker[1][0]
        if code == _END_OF_IMAGE:
            if not width or not height:
                raise UnusableImage(DAMAGED)
            return width, height, position
        if code in _ALONE:
            continue
        (length,) = struct.unpack_from(">H", data, position)
        # A second frame, or a second beginning, is a second image inside of this one.
        if code == _START_OF_IMAGE or length < 2 or (code in _FRAME_HEADERS and width):
            raise UnusableImage(DAMAGED)
        if code in _FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", data, position + 3)
        position += length
        if code == _START_OF_SCAN:
            scans += 1
            if scans > MAX_SCANS:
                raise UnusableImage(_TOO_MANY_SCANS)
            after = _AFTER_SCAN.search(data, position)
            if after is None:
                raise UnusableImage(DAMAGED)
            position = after.start()


def _require_film(data: bytes) -> None:
    """The moving part of a motion photo is an MP4 file up to the end: boxes, and nothing between or after them."""
    try:
        BoxReader(io.BytesIO(data), max_entries=0).top()
    except BrokenFile:
        raise UnusableImage(_GOES_ON) from None


def _samsungs_notes(data: bytes, after: int) -> int:
    """Where the notes begin that Samsung's phones append to every photo; the end of *data* when there are none.

    Blocks, then a directory (``SEFH``, version, count; per block: head, distance from the directory, length),
    then the directory's length and ``SEFT``. A block begins with the head that the directory has for it.
    """
    none = len(data)
    if none < after + 20 or not data.endswith(b"SEFT"):
        return none
    (length,) = struct.unpack_from("<I", data, none - 8)
    directory = none - 8 - length
    if directory < after or data[directory : directory + 4] != b"SEFH":
        return none
    (count,) = struct.unpack_from("<I", data, directory + 8)
    if length != 12 + 12 * count:
        return none
    first: int = directory
    for head, distance, size in struct.iter_unpack("<4sII", data[directory + 12 : directory + length]):
        start: int = directory - distance
        if start < after or size > distance or data[start : start + 4] != head:
            return none
        first = min(first, start)
    return first
