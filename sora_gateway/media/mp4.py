"""Whether an MP4 file is whole, by walking its boxes (ISO/IEC 14496-12). Pure Python, no decoder needed.

A file whose index (``moov``) comes first still opens, with the right length and frame count, when it is cut
in the middle. So two things are checked: the boxes add up to the file's size, and every chunk of samples that
the index names lies inside the file.

What cannot be told: a fragmented file that ends exactly between two fragments. Its declared length has to.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import BinaryIO

from sora_gateway.media.mp4_boxes import Box, BoxReader
from sora_gateway.media.mp4_boxes import BrokenFile as BrokenFile
from sora_gateway.media.mp4_boxes import CutFile as CutFile

MAX_ENTRIES = 4_000_000
"""Entries of all sample tables: hours of video. More is an attack on our memory and time."""

_UNKNOWN = (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
"""Durations that say "I do not know", in both widths."""


@dataclass(frozen=True, slots=True)
class Mp4Facts:
    """What the index says. Width and height are in pixels, as shown: turned if the file says so."""

    duration: float
    """Seconds; 0 when the index does not say, as in a fragmented file."""
    width: int
    height: int
    frames: int
    """Of the first video track; 0 in a fragmented file."""
    fragmented: bool


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
            return inspect_mp4(file)
    return index_of(BoxReader(source, MAX_ENTRIES))


def index_of(reader: BoxReader) -> Mp4Facts:
    """The same within *reader*'s budget.

    Raises:
        BrokenFile: as for :func:`inspect_mp4`.
    """
    return _Walk(reader).facts()


class _Walk:
    """One look through one file."""

    def __init__(self, reader: BoxReader) -> None:
        self._reader = reader

    def facts(self) -> Mp4Facts:
        top = self._reader.top()
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
        inside = self._reader.children(moov)
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

    def _track(self, trak: Box) -> _Track:
        header = self._reader.descend(trak, b"tkhd")
        # Version 1 has 64-bit times before it. The matrix is (a, b, u, c, d, v, x, y, w).
        at = 52 if self._reader.field(header, 0, 1) == b"\x01" else 40
        a, b, _, c, d, *_, width, height = struct.unpack(">11I", self._reader.field(header, at, 44))
        if not a and not d and b and c:
            # Filmed upright: the pictures lie on their side, and the player turns them.
            width, height = height, width
        handler = self._reader.field(self._reader.descend(trak, b"mdia", b"hdlr"), 8, 4)
        samples = self._samples(self._reader.inside(self._reader.descend(trak, b"mdia", b"minf", b"stbl")))
        # Fixed point, 16.16.
        return _Track(handler, width >> 16, height >> 16, samples)

    def _duration(self, mvhd: Box) -> float:
        long = self._reader.field(mvhd, 0, 1) == b"\x01"
        scale, duration = (
            struct.unpack(">IQ", self._reader.field(mvhd, 20, 12))
            if long
            else struct.unpack(">II", self._reader.field(mvhd, 12, 8))
        )
        return float(duration / scale) if scale and duration not in _UNKNOWN else 0.0

    def _samples(self, tables: dict[bytes, Box]) -> int:
        """Checks that every chunk lies inside the file; returns how many samples there are."""
        if not {b"stsz", b"stsc"} <= tables.keys() or not {b"stco", b"co64"} & tables.keys():
            raise BrokenFile("a track has no sample tables")
        size_of_all, count = struct.unpack(">II", self._reader.field(tables[b"stsz"], 4, 8))
        # Where the samples end if they were one after the other; one size for all needs no table.
        ends = (
            None
            if size_of_all
            else array("Q", accumulate(self._reader.table(tables[b"stsz"], 12, count), initial=0))
        )
        offsets = self._offsets(tables)
        seen = 0
        for first, last, per_chunk in self._runs(tables[b"stsc"], len(offsets)):
            if seen + per_chunk * (last - first) > count:
                raise BrokenFile("the sample tables disagree")
            for chunk in range(first, last):
                length = per_chunk * size_of_all if ends is None else ends[seen + per_chunk] - ends[seen]
                if offsets[chunk] + length > self._reader.size:
                    raise CutFile("the file ends before its last frames")
                seen += per_chunk
        return int(count)

    def _offsets(self, tables: dict[bytes, Box]) -> array[int]:
        wide = b"co64" in tables
        table = tables[b"co64" if wide else b"stco"]
        (count,) = struct.unpack(">I", self._reader.field(table, 4, 4))
        return self._reader.table(table, 8, count, "Q" if wide else "I")

    def _runs(self, stsc: Box, chunks: int) -> Iterator[tuple[int, int, int]]:
        """(first chunk, chunk after the last, samples per chunk), chunks counted from 0."""
        (count,) = struct.unpack(">I", self._reader.field(stsc, 4, 4))
        table = self._reader.table(stsc, 8, count * 3)
        firsts = [number - 1 for number in table[0::3]]
        starts_late = chunks > 0 and firsts[:1] != [0]
        if starts_late or any(later <= earlier for earlier, later in pairwise([*firsts, chunks])):
            raise BrokenFile("the sample tables disagree")
        for (first, last), per_chunk in zip(pairwise([*firsts, chunks]), table[1::3], strict=True):
            yield first, last, per_chunk
