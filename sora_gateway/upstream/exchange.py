"""What goes out and what comes back, as plain values."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

COMPRESSED = frozenset({"gzip", "x-gzip", "deflate"})
GZIP_OR_ZLIB = 32 + 15


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body; a file when it has a *filename*."""

    name: str
    value: bytes
    filename: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """*body* or *parts*, not both. *address* is the checked IP address to connect to instead of resolving."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    parts: tuple[Part, ...] = ()
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False
    """Whether the body was longer than the bound; what was over it is gone."""


def decoded(body: bytes, encoding: str, limit: int) -> tuple[bytes, bool]:
    """The body without its compression, at most *limit* bytes, and whether something is missing.

    We ask for none; some servers compress anyway. An encoding that we do not know is left as it is.
    """
    if encoding.strip().lower() not in COMPRESSED:
        return body[:limit], len(body) > limit
    decoder = zlib.decompressobj(GZIP_OR_ZLIB)
    try:
        data = decoder.decompress(body, limit + 1)
    except zlib.error:
        return b"", True
    return data[:limit], len(data) > limit or not decoder.eof
