"""An append-only file of JSON lines: what was appended is on the disk, what was torn never happened."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sora_gateway.errors import StartupError


class Journal:
    """The file at *path*; made with the first line. *lines* is what it held when it was opened.

    Raises:
        StartupError: a line before the last one is not JSON.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()
        self.lines, self._end = _read(path)

    async def append(self, line: Mapping[str, Any], then: Callable[[], None]) -> None:
        """Writes *line*, and calls *then* once it is on the disk. Cancelling the caller stops neither.

        Raises:
            OSError: it could not be written; the file holds what it held before.
        """
        await asyncio.shield(asyncio.create_task(self._append(line, then)))

    async def settled(self) -> None:
        """Returns when nothing is being written."""
        async with self._lock:
            pass

    async def _append(self, line: Mapping[str, Any], then: Callable[[], None]) -> None:
        data = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        async with self._lock:
            await asyncio.to_thread(_write, self._path, data, self._end)
            self._end += len(data)
            then()


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The complete lines of the file and where they end. A last line without its end was never answered."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    end = data.rfind(b"\n") + 1
    try:
        return [json.loads(line) for line in data[:end].splitlines()], end
    except ValueError:
        raise StartupError(
            f"{path} is damaged; move it away to start the simulator with an empty memory."
        ) from None


def _write(path: Path, data: bytes, end: int) -> None:
    """Puts *data* at *end*, over whatever a crash or a full disk left behind it."""
    is_new = not path.exists()
    file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        os.ftruncate(file, end)
        os.lseek(file, end, os.SEEK_SET)
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
        os.fsync(file)
    finally:
        os.close(file)
    if is_new and os.name == "posix":
        # A new file is only as durable as the directory that names it.
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
