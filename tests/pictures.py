"""Images for tests, as small as can be: whole ones, with everything that files carry besides pixels, and bombs."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
FORMATS = ("JPEG", "PNG", "WEBP")


def striped(width: int = 80, height: int = 40) -> Image.Image:
    """From left to right: a quarter green, a quarter red, a quarter blue, a quarter green."""
    image = Image.new("RGB", (width, height), GREEN)
    image.paste(RED, (width // 4, 0, width // 2, height))
    image.paste(BLUE, (width // 2, 0, 3 * width // 4, height))
    return image


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    if kind == "WEBP":
        options.setdefault("lossless", True)
    if kind == "JPEG":
        options.setdefault("quality", 95)
        options.setdefault("subsampling", 0)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, compressed: bytes, *more: bytes) -> bytes:
    """A PNG from its parts; *compressed* are the rows, each after a filter byte; *more* are chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", compressed) + chunk(b"IEND")
    return b"\x89PNG\r\n\x1a\n" + body


def bomb(side: int = 13_000) -> bytes:
    """A PNG of *side* x *side* black pixels, some twenty kilobytes."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return png(side, side, 1, 0, rows)


def sixteen_bits(*values: int) -> bytes:
    """One row of grey pixels of 16 bits each."""
    row = b"\0" + struct.pack(f">{len(values)}H", *values)
    return png(len(values), 1, 16, 0, zlib.compress(row))


def riff(*chunks: bytes) -> bytes:
    """A WebP file of chunks that are made by :func:`webp_chunk`."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def film() -> bytes:
    """What a motion photo has behind its picture: the boxes of an MP4 file, with little in them."""
    boxes = ((b"ftyp", b"mp42\0\0\0\0"), (b"moov", b""), (b"mdat", b"frames"))
    return b"".join(struct.pack(">I4s", 8 + len(data), kind) + data for kind, data in boxes)


def samsungs_notes(*blocks: bytes) -> bytes:
    """What Samsung's phones append to a photo: blocks, their directory, and the directory's length."""
    data, entries = b"", b""
    total = sum(8 + 4 + len(block) for block in blocks)
    for block in blocks:
        head = struct.pack("<HH", 0, 0x0A01)
        body = head + struct.pack("<I", 4) + b"name" + block
        entries += head + struct.pack("<II", total - len(data), len(body))
        data += body
    directory = b"SEFH" + struct.pack("<II", 101, len(blocks)) + entries
    return data + directory + struct.pack("<I", len(directory)) + b"SEFT"
