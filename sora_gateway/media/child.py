"""Runs one media task in a limited child process, because native decoders meet files of strangers there.

The child gets none of our environment (keys live there), a bound on memory and processor time, a low
priority, and is killed when its time is up or its caller is cancelled. One process per task: a pool would
keep a worker that a hostile file has been in.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

log = logging.getLogger(__name__)

TASKS: Mapping[str, str] = MappingProxyType(
    {
        "probe": "sora_gateway.media.video:probe",
        "poster": "sora_gateway.media.video:poster",
        "spritesheet": "sora_gateway.media.video:spritesheet",
        "render": "sora_gateway.media.render:render",
        "image": "sora_gateway.media.image_task:prepare",
    }
)
"""Name -> ``module:function``; imported in the child only."""

_MAX_ANSWER = 1 << 20
START = "from sora_gateway.media.task import main; main()"
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "TEMP", "SYSTEMROOT")


class ChildFailed(Exception):
    """The task was not done; the text is one sentence without paths."""


class TaskRefused(ChildFailed):
    """The task found that it cannot be done, and says why: a sentence for people."""


class TaskStopped(ChildFailed):
    """It took more time or memory than it may, or crashed: most likely over its file."""


async def run_in_child(
    task: str,
    arguments: Mapping[str, Any],
    timeout: float,
    memory: int = 1 << 30,
    *,
    tasks: Mapping[str, str] = TASKS,
) -> dict[str, Any]:
    """Runs *task* with JSON-able keyword *arguments* and returns its JSON object.

    *timeout* is wall seconds for everything, *memory* address space in bytes. Cancelling kills the child.

    Raises:
        ChildFailed: the task could not be started, or has a bug (:class:`TaskRefused`: it said no;
            :class:`TaskStopped`: a limit or a crash ended it).
        KeyError: there is no such task.
    """
    command = (sys.executable, "-P", "-c", START, tasks[task], str(memory), str(timeout))
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(),
            # Ctrl-C in the terminal is for the server, which then ends its tasks itself.
            start_new_session=True,
        )
    except OSError as error:
        raise ChildFailed(f"The {task} task could not be started: {error.strerror}.") from error
    try:
        async with asyncio.timeout(timeout):
            answer = await _exchange(process, json.dumps(dict(arguments)).encode())
            code = await process.wait()
    except TimeoutError:
        raise TaskStopped(f"The {task} task took longer than {timeout:g} seconds and was stopped.") from None
    finally:
        await _end(process)
    return _understood(task, answer, code)


def _environment() -> dict[str, str]:
    """Where to import from, as here; nothing else of ours: the environment holds secrets."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # The same places in the same order, however we are installed: editable, wheel, zip or user site.
    kept["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    # Each allocation arena of glibc reserves 64 MiB of the address space that is limited.
    kept["MALLOC_ARENA_MAX"] = "2"
    return kept


async def _exchange(process: asyncio.subprocess.Process, request: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    # A child that died before it read everything tells why by its exit status.
    with contextlib.suppress(ConnectionError):
        process.stdin.write(request)
        await process.stdin.drain()
    process.stdin.close()
    answer = bytearray()
    while len(answer) <= _MAX_ANSWER and (chunk := await process.stdout.read(1 << 16)):
        answer += chunk
    if len(answer) > _MAX_ANSWER:
        process.kill()
    return bytes(answer)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kills what still runs, and reads its pipe to the end so that the loop lets go of it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.communicate()


def _understood(task: str, answer: bytes, code: int) -> dict[str, Any]:
    if code < 0:
        raise TaskStopped(f"The {task} task was ended by {_signal_name(-code)}.")
    try:
        outcome = json.loads(answer)
        refusal, excess, failure = (outcome.get(key) for key in ("refused", "stopped", "error"))
        result = outcome.get("result")
    except (ValueError, AttributeError):
        raise ChildFailed(f"The {task} task ended with exit status {code} and without an answer.") from None
    if refusal is not None:
        raise TaskRefused(refusal)
    if excess is not None:
        raise TaskStopped(excess)
    if failure is not None:
        log.warning("the %s task failed: %s", task, outcome.get("detail"))
        raise ChildFailed(failure)
    if not isinstance(result, dict):
        raise ChildFailed(f"The {task} task gave no result.")
    return result


def _signal_name(number: int) -> str:
    reasons = {"SIGXCPU": "its limit of processor time", "SIGALRM": "its limit of time"}
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return reasons.get(name, name)
