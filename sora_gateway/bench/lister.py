"""An upstream that has many jobs at work and costs next to nothing: ``python -m sora_gateway.bench.lister JOBS``.

A process of its own, so that none of its work counts. Its answers are made beforehand, as bytes; it prints its port.
``GET /change?share=0.05`` moves that share of its jobs on by a percent and answers how many that were;
``GET /requests`` answers how many others there have been. It ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from urllib.parse import parse_qs, urlsplit

PAGE = 100
BEGAN = 1_800_000_000
_PROMPT = "A lighthouse at dusk, waves in slow motion, seen from a boat that passes by."


def name_of(number: int) -> str:
    """The id of job *number*, counted from the oldest."""
    return f"video_{number:032x}"


class Jobs:
    """Newest first, as lists have them."""

    def __init__(self, count: int) -> None:
        self._progress = [number % 40 for number in range(count)]
        self._rows = [self._row(number) for number in range(count)]
        self._next = 0
        self.requests = 0

    def change(self, share: float) -> int:
        """Moves on as many, here and there; none again before all others have."""
        count = round(len(self._rows) * share)
        stride = max(1, len(self._rows) // max(1, count))
        for turn in range(count):
            number = (self._next + turn * stride) % len(self._rows)
            self._progress[number] += 1
            self._rows[number] = self._row(number)
        self._next += 1
        return count

    def answer(self, target: str) -> bytes:
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/change":
            return b"%d" % self.change(float(query["share"]))
        if url.path == "/requests":
            return b"%d" % self.requests
        self.requests += 1
        name = url.path.rpartition("/")[2]
        if name != "videos":
            return self._rows[int(name.removeprefix("video_"), 16)]
        after = query.get("after")
        newest = len(self._rows) if after is None else int(after.removeprefix("video_"), 16)
        rows = self._rows[max(0, newest - PAGE) : newest][::-1]
        more = b"true" if newest > PAGE else b"false"
        return b'{"object":"list","data":[' + b",".join(rows) + b'],"has_more":' + more + b"}"

    def _row(self, number: int) -> bytes:
        row = {
            "id": name_of(number), "object": "video", "created_at": BEGAN + number, "status": "in_progress",
            "completed_at": None, "expires_at": None, "error": None, "model": "sora-2", "prompt": _PROMPT,
            "progress": self._progress[number], "remixed_from_video_id": None, "seconds": "8", "size": "1280x720",
        }  # fmt: skip
        return json.dumps(row, separators=(",", ":")).encode()


class _Connection(asyncio.Protocol):
    """Requests without bodies, one after the other."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            body = self._jobs.answer(head.split(b" ", 2)[1].decode())
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                + body
            )


async def _serve(count: int) -> None:
    jobs = Jobs(count)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(jobs), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.buffer.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
