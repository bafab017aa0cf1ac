"""Whether two requests ask for the same: one digest of what they say, however they were written down."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

from sora_gateway.http.uploads import Upload

_AT_ONCE = 1 << 16
"""Characters and bytes that are digested in well under a millisecond; more are in a thread."""
_SLICE = 1 << 20


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


async def fingerprint(path: str, fields: Mapping[str, Any] | None) -> str:
    """Hex SHA-256 of a request's concrete path and its body as plain values (``Call.fields``).

    It does not depend on the order of fields, on white space, on a form's boundary, or on what a file is called
    and declared to be; on the bytes of files it does.
    """
    if _size(fields) <= _AT_ONCE:
        return _fingerprint(path, fields)
    return await asyncio.to_thread(_fingerprint, path, fields)


def _fingerprint(path: str, fields: Mapping[str, Any] | None) -> str:
    digest = hashlib.sha256()
    _digest(path, digest)
    _digest(fields, digest)
    return digest.hexdigest()


def _digest(value: Any, digest: _Digest) -> None:
    """Every value begins with its kind and its length, so that no two values make the same bytes."""
    if isinstance(value, Upload):
        digest.update(b"file %d " % len(value.data))
        digest.update(value.data)
    elif isinstance(value, str):
        digest.update(b"text %d " % len(value))
        for start in range(0, len(value), _SLICE):
            digest.update(value[start : start + _SLICE].encode())
    elif isinstance(value, Mapping):
        digest.update(b"object %d " % len(value))
        for name in sorted(value):
            _digest(name, digest)
            _digest(value[name], digest)
    elif isinstance(value, list):
        digest.update(b"list %d " % len(value))
        for item in value:
            _digest(item, digest)
    else:
        # A number, true, false or null: their texts differ.
        digest.update(f"{value!r} ".encode())


def _size(value: Any) -> int:
    """About as many characters and bytes as there are to digest."""
    if isinstance(value, Upload):
        return len(value.data)
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_size(name) + _size(item) for name, item in value.items())
    return sum(map(_size, value)) if isinstance(value, list) else 1
