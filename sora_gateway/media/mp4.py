"""Whether an MP4 file is whole, by walking its boxes (ISO/IEC 14496-12). Pure Python, no decoder needed.

A file whose index (``moov``) comes first still opens, with the right length and frame count, when it is cut
in the middle. So two things are checked: the boxes add up to the file's size, and every chunk of samples that
the index names lies inside the file.

What cannot be told: a fragmented file that ends exactly between two fragments. Its declared length has to.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import BinaryIO

MAX_BOXES = 50_000
MAX_ENTRIES = 4_000_000
"""Entries of all sample tables: hours of video. More is an attack on our memory and time."""


class BrokenFile(Exception):
    """It is not a whole video file; the text says why."""


class CutFile(BrokenFile):
    """It ends before what it announces."""


@dataclass(frozen=True, slots=True)
class Mp4Facts:
    """What the index says. Width and height are in pixels, as shown."""

    duration: float
    """Seconds; 0 when the index does not say, as in a fragmented file."""
    width: int
    height: int
    frames: int
    """Of the first video track; 0 in a fragmented file."""
    fragmented: bool


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    """Of the payload."""
    end: int


@dataclass(frozen=True, slots=True)
class _Track:
    handler: bytes
    width: int
    height: int
    samples: int


def inspect_mp4(source: Path | BinaryIO) -> Mp4Facts:
    """Walks the file once; reads its index, not its frames.

    Raises:
        BrokenFile: it is not a whole MP4 file with a video in it (:class:`CutFile`: it ends too early).
        OSError: it cannot be read.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return _Walk(file).facts()
    return _Walk(source).facts()


class _Walk:
    """One look through one file, with a budget of boxes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        self._budget = MAX_BOXES
        self._entries = MAX_ENTRIES

    def facts(self) -> Mp4Facts:
        top = list(self._boxes(_Box(b"file", 0, self._size), top=True))
        kinds = [box.kind for box in top]
        if not top or kinds[0] != b"ftyp":
            raise BrokenFile("the file does not begin with its type")
        if b"moov" not in kinds:
            raise CutFile("the file has no index")
        if b"mdat" not in kinds:
            raise CutFile("the file has no frames")
        fragmented = b"moof" in kinds
        if fragmented and b"mdat" not in kinds[len(kinds) - kinds[::-1].index(b"moof") :]:
            raise CutFile("the last fragment has no frames")

        moov = top[kinds.index(b"moov")]
        inside = list(self._boxes(moov))
        tracks = [self._track(box) for box in inside if box.kind == b"trak"]
        video = next((track for track in tracks if track.handler == b"vide"), None)
        if video is None:
            raise BrokenFile("the file has no video track")
        if not video.samples and not fragmented:
            raise BrokenFile("the video track is empty")
        header = next((box for box in inside if box.kind == b"mvhd"), None)
        if header is None:
            raise BrokenFile("the index has no header")
        return Mp4Facts(self._duration(header), video.width, video.height, video.samples, fragmented)

    def _boxes(self, parent: _Box, top: bool = False) -> Iterator[_Box]:
        """The boxes that fill *parent* exactly."""
        position = parent.start
        while position < parent.end:
            self._budget -= 1
            if self._budget < 0:
                raise BrokenFile("the file has too many boxes")
            if parent.end - position < 8:
                raise CutFile("the file ends within the head of a box")
            size, kind = struct.unpack(">I4s", self._read(position, 8))
            if any(byte < 0x20 for byte in kind):
                raise BrokenFile("the file has a box without a type")
            start = position + 8
            if size == 1:
                if parent.end - position < 16:
                    raise CutFile("the file ends within the head of a box")
                (size,) = struct.unpack(">Q", self._read(start, 8))
                start += 8
            elif size == 0 and top:
                size = parent.end - position
            end = position + size
            if end < start:
                raise BrokenFile("the file has a box that is smaller than its head")
            if end > parent.end:
                raise CutFile(f"the file ends {end - parent.end} bytes before its box does")
            yield _Box(kind, start, end)
            position = end

    def _inside(self, parent: _Box) -> dict[bytes, _Box]:
        """The first box of each kind in *parent*."""
        found: dict[bytes, _Box] = {}
        for box in self._boxes(parent):
            found.setdefault(box.kind, box)
        return found

    def _descend(self, box: _Box, *path: bytes) -> _Box:
        for kind in path:
            child = self._inside(box).get(kind)
            if child is None:
                raise BrokenFile(f"a track has no {kind.decode()}")
            box = child
        return box

    def _track(self, trak: _Box) -> _Track:
        header = self._descend(trak, b"tkhd")
        # Version 1 has 64-bit times before it.
        at = 88 if self._field(header, 0, 1) == b"\x01" else 76
        width, height = struct.unpack(">II", self._field(header, at, 8))
        handler = self._field(self._descend(trak, b"mdia", b"hdlr"), 8, 4)
        samples = self._samples(self._inside(self._descend(trak, b"mdia", b"minf", b"stbl")))
        # Fixed point, 16.16.
        return _Track(handler, width >> 16, height >> 16, samples)

    def _duration(self, mvhd: _Box) -> float:
        long = self._field(mvhd, 0, 1) == b"\x01"
        scale, duration = (
            struct.unpack(">IQ", self._field(mvhd, 20, 12))
            if long
            else struct.unpack(">II", self._field(mvhd, 12, 8))
        )
        return float(duration / scale) if scale else 0.0

    def _samples(self, tables: dict[bytes, _Box]) -> int:
        """Checks that every chunk lies inside the file; returns how many samples there are."""
        if not {b"stsz", b"stsc"} <= tables.keys() or not {b"stco", b"co64"} & tables.keys():
            raise BrokenFile("a track has no sample tables")
        size_of_all, count = struct.unpack(">II", self._field(tables[b"stsz"], 4, 8))
        # Where the samples end if they were one after the other; one size for all needs no table.
        ends = (
            None
            if size_of_all
            else array("Q", accumulate(self._table(tables[b"stsz"], 12, count), initial=0))
        )
        offsets = self._offsets(tables)
        seen = 0
        for first, last, per_chunk in self._runs(tables[b"stsc"], len(offsets)):
            if seen + per_chunk * (last - first) > count:
                raise BrokenFile("the sample tables disagree")
            for chunk in range(first, last):
                length = per_chunk * size_of_all if ends is None else ends[seen + per_chunk] - ends[seen]
                if offsets[chunk] + length > self._size:
                    raise CutFile("the file ends before its last frames")
                seen += per_chunk
        return int(count)

    def _offsets(self, tables: dict[bytes, _Box]) -> array[int]:
        wide = b"co64" in tables
        table = tables[b"co64" if wide else b"stco"]
        (count,) = struct.unpack(">I", self._field(table, 4, 4))
        return self._table(table, 8, count, "Q" if wide else "I")

    def _runs(self, stsc: _Box, chunks: int) -> Iterator[tuple[int, int, int]]:
        """(first chunk, chunk after the last, samples per chunk), chunks counted from 0."""
        (count,) = struct.unpack(">I", self._field(stsc, 4, 4))
        table = self._table(stsc, 8, count * 3)
        firsts = [number - 1 for number in table[0::3]]
        starts_late = chunks > 0 and firsts[:1] != [0]
        if starts_late or any(later <= earlier for earlier, later in pairwise([*firsts, chunks])):
            raise BrokenFile("the sample tables disagree")
        for (first, last), per_chunk in zip(pairwise([*firsts, chunks]), table[1::3], strict=True):
            yield first, last, per_chunk

    def _table(self, box: _Box, offset: int, count: int, code: str = "I") -> array[int]:
        """*count* big-endian numbers."""
        self._entries -= count
        if self._entries < 0:
            raise BrokenFile("the sample tables are too long")
        numbers = array(code)
        numbers.frombytes(self._field(box, offset, count * numbers.itemsize))
        if sys.byteorder == "little":
            numbers.byteswap()
        return numbers

    def _field(self, box: _Box, offset: int, length: int) -> bytes:
        if box.start + offset + length > box.end:
            raise BrokenFile(f"a {box.kind.decode('latin-1')} box is too short")
        return self._read(box.start + offset, length)

    def _read(self, position: int, length: int) -> bytes:
        self._file.seek(position)
        data = self._file.read(length)
        if len(data) != length:
            raise CutFile("the file ends too early")
        return data
