"""What an uploaded source video is, before anything is paid for it: its size and its length."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from sora_gateway.media.mp4 import index_of
from sora_gateway.media.mp4_boxes import Box, BoxReader, BrokenFile

MAX_ENTRIES = 400_000
"""Entries of all sample tables: half an hour of sound and pictures at the least. A table is read in one call
that lets no other thread run; this many are read in some milliseconds."""
MAX_LENGTH = 3600
"""Seconds. A file can claim to last for ages, and its length is what is paid for and stored."""


class UnusableVideo(ValueError):
    """It cannot be a source video; the text is one sentence for people."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """Width and height in pixels, as shown; all three are above 0."""

    width: int
    height: int
    seconds: float


def facts(data: bytes) -> VideoFacts:
    """What the MP4 file *data* says of itself, fragmented or not. Takes some 50 ms at worst: call it in a thread.

    Raises:
        UnusableVideo: it is no whole MP4 file, does not say how large and how long it is, or is too long.
    """
    reader = BoxReader(io.BytesIO(data), MAX_ENTRIES)
    try:
        index = index_of(reader)
        seconds = index.duration
        if index.fragmented:
            seconds = max(seconds, _of_fragments(reader))
    except BrokenFile as broken:
        raise UnusableVideo(f"The video is no whole MP4 file: {broken}.") from None
    if not index.width or not index.height:
        raise UnusableVideo("The video does not say how large its pictures are.")
    if not seconds:
        raise UnusableVideo("The video does not say how long it is.")
    if seconds > MAX_LENGTH:
        raise UnusableVideo(
            f"The video is longer than {MAX_LENGTH // 60} minutes; send the part that is to be used."
        )
    return VideoFacts(index.width, index.height, seconds)


@dataclass(frozen=True, slots=True)
class _Track:
    """The first video track. *timescale* is units per second, *frame* the length of a frame where no fragment says."""

    number: bytes
    timescale: int
    frame: int


def _of_fragments(reader: BoxReader) -> float:
    """Seconds from the first frame of the first fragment to the end of the last one; 0 if they do not say."""
    top = reader.top()
    track = _video_track(reader, next(box for box in top if box.kind == b"moov"))
    first: int | None = None
    end = 0
    for moof in top:
        if moof.kind != b"moof":
            continue
        for traf in reader.children(moof):
            if traf.kind == b"traf" and reader.field(reader.descend(traf, b"tfhd"), 4, 4) == track.number:
                start, length = _fragment(reader, traf, track)
                start = end if start is None else start
                first = start if first is None else first
                end = max(end, start + length)
    return (end - (first or 0)) / track.timescale if track.timescale else 0.0


def _video_track(reader: BoxReader, moov: Box) -> _Track:
    tracks = (box for box in reader.children(moov) if box.kind == b"trak")
    # index_of() has found one.
    video = next(
        box for box in tracks if reader.field(reader.descend(box, b"mdia", b"hdlr"), 8, 4) == b"vide"
    )
    header, times = reader.descend(video, b"tkhd"), reader.descend(video, b"mdia", b"mdhd")
    # Version 1 has 64-bit times before both.
    number = reader.field(header, 20 if _version(reader, header) else 12, 4)
    (timescale,) = struct.unpack(">I", reader.field(times, 20 if _version(reader, times) else 12, 4))
    extends = reader.inside(moov).get(b"mvex")
    frame = 0
    for box in reader.children(extends) if extends else []:
        if box.kind == b"trex" and reader.field(box, 4, 4) == number:
            (frame,) = struct.unpack(">I", reader.field(box, 12, 4))
    return _Track(number, timescale, frame)


def _fragment(reader: BoxReader, traf: Box, track: _Track) -> tuple[int | None, int]:
    """Where the fragment's frames begin, if it says, and how long they take; both in the track's units."""
    boxes = reader.children(traf)
    inside = {box.kind: box for box in reversed(boxes)}
    frame = _default_frame(reader, inside[b"tfhd"], track.frame)
    start: int | None = None
    if (time := inside.get(b"tfdt")) is not None:
        long = _version(reader, time) == 1
        (start,) = struct.unpack(">Q" if long else ">I", reader.field(time, 4, 8 if long else 4))
    return start, sum(_run(reader, box, frame) for box in boxes if box.kind == b"trun")


def _default_frame(reader: BoxReader, tfhd: Box, frame: int) -> int:
    flags = _flags(reader, tfhd)
    if not flags & 0x8:
        return frame
    # After the track's number: an offset of eight bytes and a description's index, if they are there.
    at = 8 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
    (own,) = struct.unpack(">I", reader.field(tfhd, at, 4))
    return int(own)


def _run(reader: BoxReader, trun: Box, frame: int) -> int:
    """How long the frames of one run take."""
    flags = _flags(reader, trun)
    (count,) = struct.unpack(">I", reader.field(trun, 4, 4))
    if not flags & 0x100:
        return int(count * frame)
    # Before the frames: an offset and the flags of the first one. Of each: duration, size, flags, shift.
    at = 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
    columns = (flags >> 8 & 0xF).bit_count()
    return sum(reader.table(trun, at, count * columns)[::columns])


def _version(reader: BoxReader, box: Box) -> int:
    return reader.field(box, 0, 1)[0]


def _flags(reader: BoxReader, box: Box) -> int:
    return int.from_bytes(reader.field(box, 1, 3), "big")
