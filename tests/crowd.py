"""Everybody who may be connected when a gateway is told to stop, and how it ended for each of them."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import websockets
from websockets.exceptions import ConnectionClosed

CHATTING = 10
"""Every so manieth WebSocket has always just said something."""
PIECE = 64 * 1024
RECEIVE_BUFFER = 64 * 1024
"""Bytes that a download's kernel takes ahead of it; by itself that is megabytes, and nothing would be in progress."""
AT_ONCE = 50


@dataclass(frozen=True)
class Size:
    sockets: int
    streams: int
    quick: int
    """Downloads that go on as fast as they can when the gateway is told to stop."""
    slow: int
    """Downloads that are not through in time."""


@dataclass(frozen=True)
class Download:
    """What somebody has of a file."""

    etag: str
    size: int
    complete: bool


class Crowd:
    """*film* is the file that is downloaded, from *path*. Everybody is there once this is entered (:func:`crowd`)."""

    def __init__(self, http: httpx.AsyncClient, key: str, path: str, film: bytes) -> None:
        self._http = http
        self._key = key
        self._path = path
        self._film = film
        self._there = 0
        self._leaving = asyncio.Event()
        self._left = False
        self._sockets: list[asyncio.Task[int | None]] = []
        self._streams: list[asyncio.Task[str]] = []
        self._downloads: list[asyncio.Task[Download]] = []

    async def come(self, size: Size) -> None:
        for start in range(0, size.sockets, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, size.sockets))
            self._sockets += [
                asyncio.create_task(self._follow(chatting=number % CHATTING == 0)) for number in numbers
            ]
            await self._all_there()
        self._streams = [asyncio.create_task(self._listen()) for _ in range(size.streams)]
        await self._all_there()
        self._downloads = [
            asyncio.create_task(self._download(slow=number < size.slow))
            for number in range(size.quick + size.slow)
        ]
        await self._all_there()

    async def _all_there(self) -> None:
        tasks = [*self._sockets, *self._streams, *self._downloads]
        async with asyncio.timeout(20):
            while self._there < len(tasks):
                for task in tasks:
                    if task.done():
                        raise AssertionError(f"somebody has left already: {task.result()}")
                await asyncio.sleep(0.01)

    def leave(self) -> None:
        """The gateway was told to stop: whoever downloads quickly goes on."""
        self._leaving.set()

    async def close_codes(self) -> list[int | None]:
        """One for each WebSocket."""
        return await asyncio.gather(*self._sockets)

    async def ends_of_streams(self) -> list[str]:
        """Empty for a body that ended as it should, or what was wrong."""
        return await asyncio.gather(*self._streams)

    async def downloads(self) -> list[Download]:
        """To be asked when the gateway is gone: the slow ones take what is still on its way to them."""
        self._left = True
        return await asyncio.gather(*self._downloads)

    async def go(self) -> None:
        tasks = [*self._sockets, *self._streams, *self._downloads]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, *, chatting: bool) -> int | None:
        address = str(self._http.base_url).replace("http", "ws", 1).rstrip("/") + "/ws"
        headers = {"Authorization": f"Bearer {self._key}"}
        async with websockets.connect(
            address, additional_headers=headers, proxy=None, ping_interval=None, max_queue=None
        ) as connection:
            await connection.recv()
            await connection.send(json.dumps({"type": "subscribe", "all": True}))
            await connection.recv()
            self._there += 1
            try:
                while True:
                    async with asyncio.timeout(0.05 if chatting else None):
                        await connection.recv()
            except TimeoutError:
                return await self._chat(connection)
            except ConnectionClosed:
                return connection.close_code

    async def _chat(self, connection: websockets.ClientConnection) -> int | None:
        """Twenty messages a second, and their answers."""
        try:
            while True:
                await connection.send('{"type":"ping"}')
                await connection.recv()
                await asyncio.sleep(0.05)
        except ConnectionClosed:
            return connection.close_code

    async def _listen(self) -> str:
        async with self._http.stream("GET", "/api/events/stream", timeout=60) as response:
            try:
                async for line in response.aiter_lines():
                    self._there += line == "event: subscribed"
            except httpx.TransportError as error:  # also for a body without its last chunk
                return repr(error)
        return ""

    async def _download(self, *, slow: bool) -> Download:
        size = 0
        async with self._http.stream("GET", self._path, timeout=60) as response:
            assert response.status_code == 200, response.status_code
            try:
                async for piece in response.aiter_raw(PIECE):
                    assert piece == self._film[size : size + len(piece)]
                    size += len(piece)
                    if size == len(piece):
                        self._there += 1
                        await self._leaving.wait()
                    if slow and not self._left:
                        await asyncio.sleep(0.2)
            except httpx.TransportError:
                return Download(response.headers["etag"], size, complete=False)
        return Download(response.headers["etag"], size, complete=True)


@asynccontextmanager
async def crowd(address: str, key: str, path: str, film: bytes, size: Size) -> AsyncIterator[Crowd]:
    transport = httpx.AsyncHTTPTransport(
        limits=httpx.Limits(max_connections=None),
        socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)],
    )
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, transport=transport) as http:
        found = Crowd(http, key, path, film)
        try:
            await found.come(size)
            yield found
        finally:
            await found.go()
