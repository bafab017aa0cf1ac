"""The callers of ``bench api``: ``python -m sora_gateway.bench.api_clients PORT``.

Each connection sends its next request when it has the answer to the one before. Requests are made beforehand, and of an
answer nothing is looked at but its status and its length: the callers have to keep up with a server easily.
Commands and answers are lines of JSON on stdin and stdout; it ends when stdin does.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import cast

from sora_gateway.bench.store import run_on_our_loop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Unexpected(Exception):
    """An answer with another status, or none."""


class Caller(asyncio.Protocol):
    """One kept connection. *took* gets the seconds of each answer."""

    def __init__(self) -> None:
        self._came = bytearray()
        self._transport: asyncio.WriteTransport | None = None
        self._done: asyncio.Future[None] | None = None
        self._began = 0.0
        self._left = 0
        self._request = self._status = b""
        self.took: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A TCP transport; uvloop's is none by its class.
        self._transport = cast(asyncio.WriteTransport, transport)

    async def run(self, request: bytes, status: int, count: int) -> list[float]:
        """Sends it *count* times.

        Raises:
            Unexpected: an answer has another status.
        """
        self._request, self._status, self._left = request, f"HTTP/1.1 {status} ".encode(), count
        self.took = []
        self._done = asyncio.get_running_loop().create_future()
        self._send()
        await self._done
        return self.took

    def _send(self) -> None:
        assert self._transport is not None
        self._began = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._came += data
        head = self._came.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._came, 0, head)
        if length is None or not self._came.startswith(self._status):
            self._fail(bytes(self._came[:200]))
            return
        if len(self._came) < head + 4 + int(length[1]):
            return
        self.took.append(time.perf_counter() - self._began)
        self._came.clear()
        self._left -= 1
        if self._left:
            self._send()
        elif self._done is not None:
            self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(b"the connection ended")

    def _fail(self, reason: bytes) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(Unexpected(reason.decode("latin-1")))

    def close(self) -> None:
        assert self._transport is not None
        self._done = None
        self._transport.close()


async def _called(port: int, request: str, status: int, count: int, connections: int) -> dict[str, object]:
    """What *count* of one request took, over so many new connections."""
    loop = asyncio.get_running_loop()
    callers = [(await loop.create_connection(Caller, "127.0.0.1", port))[1] for _ in range(connections)]
    share, rest = divmod(count, connections)
    began, used = time.perf_counter(), time.process_time()
    try:
        took = await asyncio.gather(
            *(each.run(request.encode(), status, share + (n < rest)) for n, each in enumerate(callers))
        )
    except Unexpected as error:
        return {"error": str(error)}
    finally:
        for each in callers:
            each.close()
    wall = time.perf_counter() - began
    return {
        "wall": wall, "used": time.process_time() - used, "took": sorted(each for some in took for each in some)
    }  # fmt: skip


async def _serve(port: int) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
    )
    while line := await reader.readline():
        command = json.loads(line)
        answer = await _called(
            port, command["request"], command["status"], command["count"], command["connections"]
        )
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run_on_our_loop(_serve(int(sys.argv[1])))
