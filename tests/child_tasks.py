"""Tasks for the child process tests: one that behaves, and one per way to misbehave."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path
from typing import Any

from sora_gateway.media.task import TaskFailed

TASKS = {
    name: f"tests.child_tasks:{name}"
    for name in (
        "echo",
        "noise",
        "dawdle",
        "hoard",
        "crash",
        "refuse",
        "stumble",
        "surroundings",
        "flood",
        "nothing",
    )
}


def echo(**arguments: Any) -> dict[str, Any]:
    return arguments


def noise() -> dict[str, Any]:
    """Prints from Python and, as native libraries do, from C."""
    print('{"result": "a fake"}')
    ctypes.CDLL(None).puts(b'{"result": "another"}')
    sys.stdout.flush()
    os.write(2, b"complaints\n")
    return {"heard": True}


def dawdle(pid_file: str) -> dict[str, Any]:
    Path(pid_file).write_text(str(os.getpid()))
    time.sleep(60)
    return {}


def hoard() -> dict[str, Any]:
    return {"bytes": len(bytearray(1 << 30))}


def crash() -> dict[str, Any]:
    ctypes.string_at(0)
    return {}


def refuse() -> dict[str, Any]:
    raise TaskFailed("The file is not a video.")


def stumble() -> dict[str, Any]:
    raise ZeroDivisionError("a secret detail")


def surroundings() -> dict[str, Any]:
    import resource

    return {
        "environment": sorted(os.environ),
        "niceness": os.nice(0),
        "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "modules": sorted(sys.modules),
    }


def flood() -> dict[str, Any]:
    return {"text": "x" * (2 << 20)}


def nothing() -> None:
    os._exit(3)
