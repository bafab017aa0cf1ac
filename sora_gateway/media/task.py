"""The other side of :mod:`sora_gateway.media.child`: limits first, then one function, then the result.

Imports nothing heavy before the limits hold, and nothing of the gateway but the task's own module.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import traceback
from typing import Any

NICENESS = 10
"""Below everything that answers people."""


class TaskFailed(Exception):
    """The task cannot be done, for a reason that is told: one sentence."""


def main() -> None:
    """Runs ``module:function`` of the command line with the keyword arguments from stdin.

    Command line: target, memory in bytes, seconds. Writes ``{"result": ...}``,
    or why there is none: ``{"refused"}``, ``{"stopped"}`` or ``{"error", "detail"}``.
    """
    target, memory, seconds = sys.argv[1:]
    answer = _keep_stdout_for_the_answer()
    _limit(int(memory), float(seconds))
    try:
        outcome = {"result": _call(target, json.load(sys.stdin.buffer))}
    except TaskFailed as error:
        outcome = {"refused": str(error)}
    except MemoryError:
        outcome = {"stopped": "The media task needs more memory than it may use."}
    except Exception as error:
        # Whatever a library raises over a hostile file must reach the parent as an answer.
        outcome = {
            "error": f"The media task failed with {type(error).__name__}.",
            "detail": traceback.format_exc(),
        }
    with os.fdopen(answer, "w", encoding="utf-8") as stream:
        json.dump(outcome, stream)


def _keep_stdout_for_the_answer() -> int:
    """Moves stdout to a descriptor of its own: libraries, native ones too, like to print to 1."""
    answer = os.dup(1)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    return answer


def _limit(memory: int, seconds: float) -> None:
    """Bounds memory, processor time and, should the parent die, the wall time."""
    with contextlib.suppress(AttributeError, OSError):
        os.nice(NICENESS)
    try:
        import resource
    except ImportError:
        # Windows has no such limits: there the parent's timeout is the only one.
        return
    cores = os.cpu_count() or 1
    wanted = (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, int(seconds * cores) + 1),
    )
    for limit, value in wanted:
        _, hard = resource.getrlimit(limit)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        # macOS refuses RLIMIT_AS.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (value, value))
    signal.setitimer(signal.ITIMER_REAL, seconds + 1.0)


def _call(target: str, arguments: dict[str, Any]) -> Any:
    module, _, function = target.partition(":")
    task = getattr(importlib.import_module(module), function)
    return task(**arguments)
