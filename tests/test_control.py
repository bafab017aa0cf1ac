"""The control socket, over real Unix sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.control import MAX_LINE, Command, CommandFailed, ControlServer, NotRunning, call
from sora_gateway.errors import NotFound, StartupError


async def echo(text: str) -> str:
    return text


async def missing() -> None:
    raise NotFound("There is no such thing.")


async def broken() -> None:
    raise RuntimeError("a secret detail")


COMMANDS: dict[str, Command] = {"echo": echo, "missing": missing, "broken": broken}


async def ask(path: Path, command: str, **arguments: Any) -> Any:
    return await asyncio.to_thread(call, path, command, arguments, 10.0)


async def raw(path: Path, data: bytes) -> dict[str, Any]:
    """What the server answers to exactly these bytes."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        writer.write(data)
        writer.write_eof()
        answer: dict[str, Any] = json.loads(await reader.readline())
        return answer
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_command_gets_its_arguments_and_its_result_comes_back(tmp_path: Path) -> None:
    async with ControlServer(tmp_path / "control.sock", lambda: COMMANDS):
        assert await ask(tmp_path / "control.sock", "echo", text="zwölf\n") == "zwölf\n"


async def test_many_clients_at_once_each_get_their_own_answer(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with ControlServer(path, lambda: COMMANDS):
        answers = await asyncio.gather(*(ask(path, "echo", text=str(n)) for n in range(50)))
    assert answers == [str(n) for n in range(50)]


async def test_only_the_owner_may_open_the_socket_and_it_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with ControlServer(path, lambda: COMMANDS):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_an_error_comes_back_with_its_code_and_sentence(tmp_path: Path) -> None:
    async with ControlServer(tmp_path / "control.sock", lambda: COMMANDS):
        with pytest.raises(CommandFailed, match="There is no such thing") as caught:
            await ask(tmp_path / "control.sock", "missing")
    assert caught.value.code == "not_found"


async def test_a_command_that_breaks_tells_the_log_and_not_the_client(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "control.sock"
    async with ControlServer(path, lambda: COMMANDS):
        with pytest.raises(CommandFailed) as caught:
            await ask(path, "broken")
        assert await ask(path, "echo", text="still here") == "still here"
    assert caught.value.code == "internal_error"
    assert "secret detail" not in str(caught.value)
    assert "secret detail" in caplog.text


async def test_unknown_commands_and_wrong_arguments_are_named(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with ControlServer(path, lambda: COMMANDS):
        with pytest.raises(CommandFailed, match="no command 'dance'"):
            await ask(path, "dance")
        with pytest.raises(CommandFailed, match="unexpected keyword argument 'volume'"):
            await ask(path, "echo", text="x", volume=11)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n",
        b"",
        b"\xff\xfe\n",
        b"[]\n",
        b"null\n",
        b'{"command": 1, "arguments": {}}\n',
        b"{",
        b"[" * 20_000,
    ],
)
async def test_garbage_is_answered_and_does_no_harm(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "control.sock"
    async with ControlServer(path, lambda: COMMANDS):
        assert (await raw(path, garbage))["error"]["code"] == "invalid_request"
        assert await ask(path, "echo", text="fine") == "fine"


async def test_a_line_without_an_end_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with ControlServer(path, lambda: COMMANDS):
        answer = await raw(path, b'"' + b"x" * MAX_LINE)
    assert answer["error"]["message"] == "The request is longer than allowed."


async def test_a_client_that_sends_nothing_or_leaves_is_let_go(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with ControlServer(path, lambda: COMMANDS, patience=0.05):
        reader, writer = await asyncio.open_unix_connection(str(path))
        assert b"did not come in time" in await reader.readline()
        writer.close()
        _, leaving = await asyncio.open_unix_connection(str(path))
        leaving.transport.abort()
        assert await ask(path, "echo", text="fine") == "fine"


async def test_leaving_ends_commands_that_are_under_way(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    begun = asyncio.Event()

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    before = asyncio.all_tasks()
    async with ControlServer(path, lambda: {"endless": endless}):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b'{"command": "endless", "arguments": {}}\n')
        await begun.wait()
    assert await reader.read() == b""
    writer.close()
    assert asyncio.all_tasks() == before


async def test_a_socket_file_that_a_dead_process_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(NotRunning):
        call(path, "echo", {"text": "x"})
    async with ControlServer(path, lambda: COMMANDS):
        assert await ask(path, "echo", text="alive") == "alive"


async def test_a_path_longer_than_a_socket_address_may_be_works_too(tmp_path: Path) -> None:
    directory = tmp_path.joinpath(*["a-long-name-of-a-directory"] * 8)
    directory.mkdir(parents=True)
    path = directory / "control.sock"
    with pytest.raises(NotRunning):
        call(path, "echo", {"text": "x"})
    async with ControlServer(path, lambda: COMMANDS):
        assert await ask(path, "echo", text="far down") == "far down"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


def test_without_a_gateway_the_caller_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        call(tmp_path / "control.sock", "echo", {})


async def test_a_socket_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot be made"):
        async with ControlServer(tmp_path / "missing" / "control.sock", lambda: COMMANDS):
            pass
