"""The control socket: how the command line reaches a running gateway, so that there is never a second writer.

One connection carries one line of JSON each way: ``{"command": ..., "arguments": {...}}`` and back
``{"result": ...}`` or ``{"error": {"code", "message"}}``. Whoever can open the socket (mode 0600, in the data
directory) is the operator; there is no other credential.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from sora_gateway.errors import GatewayError, InvalidRequest, StartupError

log = logging.getLogger(__name__)

Command = Callable[..., Awaitable[Any]]
MAX_LINE = 1 << 16
"""Longest request, in bytes."""
PATIENCE = 10.0
"""Seconds that a client may take to send its line, or to take the answer."""
LONGEST_ADDRESS = 100
"""Bytes; the system's limit for the address of a Unix socket is 108 on Linux and 104 elsewhere."""


class NotRunning(Exception):
    """Nobody listens on the control socket."""


class CommandFailed(GatewayError):
    """The running gateway answered with an error; *code* is the one that it gave."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ControlServer:
    """``async with ControlServer(path, commands)``: answers until left; commands under way are cancelled then.

    The caller holds the data directory's lock, so a socket file found here belongs to nobody and is replaced.

    Raises:
        StartupError: the socket cannot be made.
    """

    def __init__(
        self, path: Path, commands: Callable[[], Mapping[str, Command]], patience: float = PATIENCE
    ) -> None:
        """*commands* are asked for when the first one comes."""
        self._path = path
        self._commands = cache(commands)
        self._patience = patience
        self._clients: set[asyncio.Task[None]] = set()
        self._closing = False

    async def __aenter__(self) -> ControlServer:
        listener = _bind(self._path)
        self._server = await asyncio.start_unix_server(self._connected, sock=listener, limit=MAX_LINE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._server.close()
        for client in self._clients:
            client.cancel("control: closing")
        if self._clients:
            await asyncio.wait(self._clients)
        self._path.unlink(missing_ok=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closing:
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer), name="control client")
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)
        # Here and not in the task: one that is cancelled before it began has no "finally".
        task.add_done_callback(lambda _: writer.close())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = await self._answer(reader)
        # A client that is gone or does not listen changes nothing: what it asked for is done.
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._patience):
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._patience):
                line = await reader.readline()
            return {"result": await self._run(line)}
        except GatewayError as error:
            return _failure(error.code, error.message)
        except StartupError as error:
            return _failure("cannot_run", str(error))
        except TimeoutError:
            return _failure("invalid_request", "The request did not come in time.")
        except ValueError:
            return _failure("invalid_request", "The request is longer than allowed.")
        except Exception:
            # A command that breaks is a bug of ours; it must not take the gateway's socket along.
            log.exception("a control command failed")
            return _failure("internal_error", "The command failed inside the gateway; its log says why.")

    async def _run(self, line: bytes) -> Any:
        name, arguments = _parse(line)
        command = self._commands().get(name)
        if command is None:
            raise InvalidRequest(f"There is no command {name[:100]!r}.")
        try:
            inspect.signature(command).bind(**arguments)
        except TypeError as error:
            raise InvalidRequest(f"The command {name} does not fit its arguments: {error}.") from None
        return await command(**arguments)


def call(path: Path, command: str, arguments: Mapping[str, Any], timeout: float = 60.0) -> Any:
    """Has the running gateway execute *command*, and returns its result. Blocking; *timeout* in seconds.

    Raises:
        NotRunning: nobody listens on *path*.
        CommandFailed: the gateway answered with an error.
        StartupError: it did not answer, or not in time.
    """
    request = json.dumps({"command": command, "arguments": arguments}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout)
        try:
            with _address(path) as address:
                client.connect(address)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            raise NotRunning(path) from None
        except OSError as error:
            raise StartupError(f"The gateway's control socket {path} cannot be opened: {error}.") from None
        try:
            client.sendall(request)
            with client.makefile("rb") as answers:
                answer = json.loads(answers.readline())
        except (OSError, ValueError):
            raise StartupError(
                "The running gateway did not answer; whether it carried out the command is not known."
            ) from None
    if "error" in answer:
        raise CommandFailed(answer["error"]["code"], answer["error"]["message"])
    return answer["result"]


def _parse(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        request = None
    match request:
        case {"command": str(name), "arguments": dict(arguments)}:
            return name, arguments
    raise InvalidRequest('A request is one line of JSON: {"command": "...", "arguments": {...}}.')


def _failure(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        # Not chmod afterwards: between the two, others could connect.
        mask = os.umask(0o177)
        try:
            with _address(path) as address:
                listener.bind(address)
        finally:
            os.umask(mask)
    except OSError as error:
        listener.close()
        raise StartupError(f"The control socket {path} cannot be made: {error.strerror}.") from None
    except StartupError:
        listener.close()
        raise
    return listener


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """*path* as the address of a socket, which may be much shorter than paths may be."""
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
    elif sys.platform == "linux":
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{directory}/{path.name}"
        finally:
            with suppress(OSError):
                os.close(directory)
    else:
        raise StartupError(f"The path {path} is too long for a socket; choose a shorter --data-dir.")
