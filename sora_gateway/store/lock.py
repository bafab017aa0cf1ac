"""One process per data directory: whoever holds the lock is the writer."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from sora_gateway.errors import StartupError

LOCK = ".lock"


class DataDirectoryInUse(StartupError):
    """Another process has the data directory."""


class DataLock:
    """``with DataLock(data_dir)``: an advisory lock that the system drops with the process, however it dies."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / LOCK
        self._data_dir = data_dir
        self._descriptor = -1

    def __enter__(self) -> DataLock:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise DataDirectoryInUse(
                f"Another sora-gateway (process {holder}) is using the data directory {self._data_dir}; stop it or choose another."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
