"""Checks with sentences for names; nothing but the standard library, for they run in environments of others."""

from __future__ import annotations

import struct
import time
import traceback
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

Check = Callable[[Any], None]


@dataclass
class Checks:
    """A client's checks, in the order in which they are written down."""

    found: list[tuple[str, Check]] = field(default_factory=list)

    def __call__(self, function: Check) -> Check:
        self.found.append((_sentence(function.__name__), function))
        return function

    def each(self, *values: str) -> Callable[[Callable[[Any, str], None]], None]:
        """One check for each of *values*, which the function gets as its second argument."""

        def add(function: Callable[[Any, str], None]) -> None:
            for value in values:
                self.found.append((f"{_sentence(function.__name__)}: {value}", _with(function, value)))

        return add

    def run(self, argument: Any, wanted: Sequence[str] = ()) -> int:
        """Tries all, or those whose sentence has one of *wanted* in it, prints a line for each; the exit code."""
        failed = 0
        for sentence, function in self.found:
            if wanted and not any(word in sentence for word in wanted):
                continue
            started = time.monotonic()
            try:
                function(argument)
            except Exception as error:
                # However a check fails, the others are still tried.
                failed += 1
                print(f"FAIL {sentence}: {_reason(error)}", flush=True)
            else:
                print(f"ok   {sentence} ({time.monotonic() - started:.1f} s)", flush=True)
        return 1 if failed else 0


def same(found: object, expected: object) -> None:
    assert found == expected, f"{found!r} is not {expected!r}"


def png(width: int, height: int) -> bytes:
    """An image of stripes."""
    row = b"\0" + bytes((40, 120, 200) * width)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(row * height)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _sentence(name: str) -> str:
    return name.replace("_", " ")


def _with(function: Callable[[Any, str], None], value: str) -> Check:
    return partial(_swapped, function, value)


def _swapped(function: Callable[[Any, str], None], value: str, argument: Any) -> None:
    function(argument, value)


def _reason(error: Exception) -> str:
    """One line: what is wrong, and the innermost line of the checks that it is wrong in."""
    ours = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "/tests/clients/" in frame.filename
    ]
    place = ours[-2] if ours[-1].name == "same" else ours[-1]
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{' '.join(text.split())[:600]} ({Path(place.filename).name}:{place.lineno}: {place.line})"
