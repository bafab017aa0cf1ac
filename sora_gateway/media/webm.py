"""Whether a WebM file has the length that it announces (EBML, RFC 8794). Its clusters are not looked into."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from sora_gateway.media.mp4 import BrokenFile, CutFile

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


def inspect_webm(source: Path | BinaryIO) -> None:
    """Checks the header and the length of the segment; a live recording declares none.

    Raises:
        BrokenFile: it is no WebM file (:class:`CutFile`: it ends too early).
        OSError: it cannot be read.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return inspect_webm(file)
    size = source.seek(0, 2)
    source.seek(0)
    header = _element(source, _EBML)
    if header is None or header > size:
        raise CutFile("the file ends within its head")
    source.seek(header, 1)
    length = _element(source, _SEGMENT)
    if size <= source.tell() or (length is not None and source.tell() + length > size):
        raise CutFile("the file ends before its segment does")


def _element(file: BinaryIO, identifier: bytes) -> int | None:
    """Reads the head of an element; returns its length, or None when it is left open."""
    if file.read(4) != identifier:
        raise BrokenFile("the file is no WebM file")
    first = file.read(1)
    if not first or not first[0]:
        raise BrokenFile("the file has an element without a length")
    width = 9 - first[0].bit_length()
    rest = file.read(width - 1)
    if len(rest) != width - 1:
        raise CutFile("the file ends within the head of an element")
    value = int.from_bytes(first + rest, "big") & ((1 << (7 * width)) - 1)
    return None if value == (1 << (7 * width)) - 1 else value
