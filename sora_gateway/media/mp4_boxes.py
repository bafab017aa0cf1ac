"""The boxes of an MP4 file (ISO/IEC 14496-12), read with a budget: a stranger's file decides neither our time nor our memory."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_BOXES = 50_000


class BrokenFile(Exception):
    """It is not a whole video file; the text says why."""


class CutFile(BrokenFile):
    """It ends before what it announces."""


@dataclass(frozen=True, slots=True)
class Box:
    kind: bytes
    start: int
    """Of the payload."""
    end: int


class BoxReader:
    """The boxes of *file*: at most :data:`MAX_BOXES` of them, and *max_entries* numbers in all tables together.

    Every method raises :class:`BrokenFile` when the bytes are not what they announce.
    """

    def __init__(self, file: BinaryIO, max_entries: int) -> None:
        self._file = file
        self.size = file.seek(0, 2)
        """Of the file, in bytes."""
        self._budget = MAX_BOXES
        self._entries = max_entries

    def top(self) -> list[Box]:
        """The boxes that the file consists of."""
        return list(self._boxes(Box(b"file", 0, self.size), top=True))

    def children(self, parent: Box) -> list[Box]:
        """The boxes that fill *parent* exactly."""
        return list(self._boxes(parent))

    def inside(self, parent: Box) -> dict[bytes, Box]:
        """The first box of each kind in *parent*."""
        found: dict[bytes, Box] = {}
        for box in self._boxes(parent):
            found.setdefault(box.kind, box)
        return found

    def descend(self, box: Box, *path: bytes) -> Box:
        """The box at the end of *path*, a kind for each level."""
        for kind in path:
            child = self.inside(box).get(kind)
            if child is None:
                raise BrokenFile(f"a track has no {kind.decode()}")
            box = child
        return box

    def field(self, box: Box, offset: int, length: int) -> bytes:
        """*length* bytes of the payload from *offset*."""
        if box.start + offset + length > box.end:
            raise BrokenFile(f"a {box.kind.decode('latin-1')} box is too short")
        return self._read(box.start + offset, length)

    def table(self, box: Box, offset: int, count: int, code: str = "I") -> array[int]:
        """*count* big-endian numbers from *offset* of the payload."""
        self._entries -= count
        if self._entries < 0:
            raise BrokenFile("the sample tables are too long")
        numbers = array(code)
        numbers.frombytes(self.field(box, offset, count * numbers.itemsize))
        if sys.byteorder == "little":
            numbers.byteswap()
        return numbers

    def _boxes(self, parent: Box, top: bool = False) -> Iterator[Box]:
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
            yield Box(kind, start, end)
            position = end

    def _read(self, position: int, length: int) -> bytes:
        self._file.seek(position)
        data = self._file.read(length)
        if len(data) != length:
            raise CutFile("the file ends too early")
        return data
