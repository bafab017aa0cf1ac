"""Untrusted media meets native code in a child process that cannot hurt anybody but itself."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import uvloop

from sora_gateway.media.child import START, ChildFailed, run_in_child
from tests.child_tasks import TASKS


async def run(task: str, timeout: float = 20.0, **arguments: Any) -> dict[str, Any]:
    return await run_in_child(task, arguments, timeout, 512 << 20, tasks=TASKS)


def pid_in(file: Path) -> int:
    """Waits until the child has written it."""
    while not (file.exists() and file.read_text()):
        time.sleep(0.01)
    return int(file.read_text())


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_task_gets_its_arguments_and_gives_its_result() -> None:
    assert await run("echo", text="纸船", numbers=[1, 2.5, None]) == {
        "text": "纸船",
        "numbers": [1, 2.5, None],
    }


async def test_arguments_longer_than_a_pipe_arrive_whole() -> None:
    text = "x" * 300_000
    assert await run("echo", text=text) == {"text": text}


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_it_works_on_the_loop_of_asyncio_and_on_uvloop(new_loop: Any, tmp_path: Path) -> None:
    async def work() -> None:
        assert await run("echo", answer=42) == {"answer": 42}
        with pytest.raises(ChildFailed, match=r"longer than 0\.5 seconds"):
            await run("dawdle", timeout=0.5, pid_file=str(tmp_path / "pid"))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(work())


async def test_what_libraries_print_does_not_corrupt_the_answer() -> None:
    assert await run("noise") == {"heard": True}


async def test_a_slow_task_is_killed_and_waited_for(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(ChildFailed, match="was stopped"):
        await run("dawdle", timeout=1.0, pid_file=str(pid_file))
    assert not alive(int(pid_file.read_text()))


async def test_cancelling_the_caller_kills_the_child(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    caller = asyncio.create_task(run("dawdle", pid_file=str(pid_file)))
    pid = await asyncio.to_thread(pid_in, pid_file)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not alive(pid)


async def test_memory_beyond_the_limit_is_an_answer_not_a_full_machine() -> None:
    with pytest.raises(ChildFailed, match="more memory than it may use"):
        await run("hoard")


async def test_a_child_whose_parent_died_still_ends_by_itself(tmp_path: Path) -> None:
    """The parent here dies by not being there: the child is started by hand."""
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", START, TASKS["dawdle"], str(512 << 20), "0.2", stdin=asyncio.subprocess.PIPE
    )
    await process.communicate(b'{"pid_file": "%s"}' % str(tmp_path / "pid").encode())
    assert process.returncode is not None
    assert process.returncode < 0
    assert time.monotonic() - started < 20


async def test_a_crash_in_native_code_names_the_signal() -> None:
    with pytest.raises(ChildFailed, match="SIGSEGV"):
        await run("crash")


async def test_a_refusal_reaches_the_caller_word_for_word() -> None:
    with pytest.raises(ChildFailed, match=r"^The file is not a video\.$"):
        await run("refuse")


async def test_a_bug_is_logged_in_full_and_told_without_its_details(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ChildFailed, match=r"^The media task failed with ZeroDivisionError\.$"):
        await run("stumble")
    assert "a secret detail" in caplog.text


async def test_an_answer_without_end_is_cut_off() -> None:
    with pytest.raises(ChildFailed):
        await run("flood")


async def test_a_child_that_just_leaves_is_a_failure() -> None:
    with pytest.raises(ChildFailed, match="exit status 3"):
        await run("nothing")


async def test_the_child_has_no_secrets_no_core_dumps_and_a_low_priority(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SORA_GATEWAY_UPSTREAMS__LAB__API_KEY", "sk-secret")
    seen = await run("surroundings")
    assert not [name for name in seen["environment"] if name.startswith("SORA_GATEWAY")]
    assert seen["core"] == 0
    assert seen["niceness"] >= 10


async def test_the_child_starts_without_the_weight_of_the_gateway() -> None:
    modules = (await run("surroundings"))["modules"]
    assert not {"asyncio", "PIL", "av", "starlette", "pydantic"} & set(modules)


async def test_only_tasks_of_the_table_run() -> None:
    with pytest.raises(KeyError):
        await run_in_child("os:system", {}, 1.0)
