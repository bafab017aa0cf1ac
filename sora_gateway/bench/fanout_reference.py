"""The reference of ``bench fanout``: a bare server of ``websockets`` that broadcasts what it was given.

``python -m sora_gateway.bench.fanout_reference``. A client's message is the number of the topic that it follows from
then on; 0 is the one that all follow. No compression; the pings are the gateway's.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Frame, Opcode

from sora_gateway.bench.fanout_serving import obey
from sora_gateway.bench.store import run_on_our_loop
from sora_gateway.descriptors import raise_limit
from sora_gateway.serving import settle_collector

PING = 20
"""Seconds between pings, and until a missing answer ends the connection."""


class Broadcaster:
    def __init__(self) -> None:
        self._topics: dict[int, dict[ServerConnection, int]] = {}
        """By topic: who follows it, with the descriptor of its socket."""
        self._text = ""

    async def handle(self, connection: ServerConnection) -> None:
        following = dict[ServerConnection, int]()
        descriptor: int = connection.transport.get_extra_info("socket").fileno()
        # The clients end without a farewell.
        with suppress(ConnectionClosedError):
            async for text in connection:
                following.pop(connection, None)
                following = self._topics.setdefault(int(text), {})
                following[connection] = descriptor
                await connection.send('{"type":"subscribed"}')
        following.pop(connection, None)

    def learn(self, text: str) -> None:
        self._text = text

    async def publish(self, on: str, first: int, count: int) -> int:
        """The same bytes as the gateway's but for the number; made beforehand, unlike there."""
        texts, topics = self._texts(first, count), self._followed(on)
        began = time.time_ns()
        for text in texts:
            for connections in topics:
                broadcast(connections, text)
        return began

    async def write(self, on: str, first: int, count: int) -> int:
        """The same frames in a bare loop of writes to the sockets, the least that a Python server can do: nobody looks
        whether a connection is open, or takes what it is given."""
        frames = [
            Frame(Opcode.TEXT, text.encode()).serialize(mask=False) for text in self._texts(first, count)
        ]
        topics = self._followed(on)
        began = time.time_ns()
        for frame in frames:
            for connections in topics:
                for descriptor in connections.values():
                    os.write(descriptor, frame)
        return began

    def _texts(self, first: int, count: int) -> list[str]:
        return [re.sub(r'"seq":\d+', f'"seq":{first + n}', self._text) for n in range(count)]

    def _followed(self, on: str) -> list[dict[ServerConnection, int]]:
        return [each for number, each in self._topics.items() if (number == 0) == (on == "one")]


async def _serve() -> None:
    bare = Broadcaster()
    async with serve(
        bare.handle, "127.0.0.1", 0, compression=None, ping_interval=PING, ping_timeout=PING, backlog=2048
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        settle_collector()  # as ours, so that this is no difference
        await obey({"port": port}, {"publish": bare.publish, "write": bare.write}, bare.learn)


if __name__ == "__main__":
    raise_limit()
    run_on_our_loop(_serve())
