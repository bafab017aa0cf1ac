"""A relay on ``/v1/chat/completions``: the four shapes of stream that relays send, and a server that plays them.

The deltas are word for word those of relays' own documentation (collected in November 2026). What it leaves out of
a frame ("…") is filled in from the one frame that it prints whole; the video's address leads to this server.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.raw_server import Handler, Received, Wire, answer
from tests.sample_videos import sample_mp4

ADDRESS = "https://host/x.mp4"
"""The video's address in the documentation; on the wire it is one of the fake's own."""
DONE = b"data: [DONE]\n\n"


def frame(
    content: str | None = None,
    *,
    reasoning: str | None = None,
    finish: str | None = None,
    role: bool = False,
    response_id: str = "",
) -> bytes:
    """One ``data:`` line in the envelope of the documentation's whole frame."""
    delta: dict[str, str] = {"role": "assistant"} if role else {}
    if content is not None:
        delta["content"] = content
    if reasoning is not None:
        delta["reasoning_content"] = reasoning
    whole = {
        "id": response_id,
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "sora-2",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return data(whole)


def data(value: object) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


EMOJI = (
    b'data: {"id":"","object":"chat.completion.chunk","created":0,"model":"sora-2",'
    b'"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}\n\n',
    frame('```json\n{\n  "prompt": "…",\n  "mode": "横屏模式"\n}\n```\n\n'),
    frame("> ⌛️ 任务正在队列中，请耐心等待...\n\n"),
    frame("> 🏃 进度：36.0%\n\n"),
    # As documented: no JSON.
    b'data: {"id":"","choices":[{"index":0,"delta":{"content":"?"},"finish_reason":null}]]}\n\n',
    frame("> 🏃 进度：98.7%\n\n"),
    frame(f"> ✅ 视频生成成功，[点击这里]({ADDRESS}) 查看视频~~~\n\n"),
    b'data: {"id":"","object":"chat.completion.chunk","created":0,"model":"sora-2",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"total_tokens":1}}\n\n',
    DONE,
)
EMOJI_IN_ENGLISH = (
    frame("> Progress: 36.0%\n\n"),
    frame(f"> ✅ video generated successful,[click here]({ADDRESS})\n\n"),
    frame(finish="stop"),
    DONE,
)
SORA2API = (
    frame(role=True, response_id="chatcmpl-1700000000"),
    frame(reasoning="**Generation Process Begins**\n\n", response_id="chatcmpl-1700000000"),
    b":\n\n",
    frame(reasoning="\n**Video Generation Progress**: 36% (running)\n", response_id="chatcmpl-1700000000"),
    b":\n\n",
    frame(
        f"```html\n<video src='{ADDRESS}' controls></video>\n```\n",
        finish="STOP",
        response_id="chatcmpl-1700000000",
    ),
    DONE,
)
TASK_ID_TEXT = f"""```json
{{
  "prompt": "生成一段高清的,牛马跳舞的视频",
  "orientation": "portrait"
}}
```

> ID: `task_01k7dzptgwf2z87wj2c3t36qk0`
> [数据预览](https://host/web/task_01k7) | [原始数据](https://host/source/task_01k7)
> 排队中......
> 生成中.
> 🏃 进度 76..
> 生成完成 ✅
> sid: s_68ec8accd80c8191ae1fc957

[在线观看]({ADDRESS})
"""


def in_tokens(text: str) -> tuple[bytes, ...]:
    """As relays do that speak token by token: no frame ends where a word or a number does."""
    return (
        frame("", role=True, response_id="chatcmpl-89CEJjhPV6JVibDDSw6U42hyRDOpZ"),
        *(frame(text[start : start + 3]) for start in range(0, len(text), 3)),
        frame(finish="stop"),
        DONE,
    )


TASK_ID = in_tokens(TASK_ID_TEXT)
PLAIN = (frame(ADDRESS), frame(finish="stop"), DONE)

SHAPES = {
    "emoji": EMOJI,
    "english": EMOJI_IN_ENGLISH,
    "sora2api": SORA2API,
    "task-id": TASK_ID,
    "plain": PLAIN,
}


async def drop(_: Received, wire: Wire) -> None:
    """The connection ends in good order, the answer does not."""
    wire.writer.close()


async def reset(_: Received, wire: Wire) -> None:
    """The connection breaks."""
    wire.reset()


Step = bytes | asyncio.Event | Handler
"""Bytes to send, an event to wait for, or an end: one that breaks, or somebody who says the rest."""


def saying(*steps: Step, head: bool = True, headers: str = "Content-Type: text/event-stream") -> Handler:
    """Answers with a stream; without an end among the *steps* it is whole. Without *head* it is the rest of one."""

    async def handle(request: Received, wire: Wire) -> None:
        if head:
            start = f"HTTP/1.1 200 OK\r\n{headers}\r\nTransfer-Encoding: chunked\r\n\r\n"
            await wire.send(start.encode())
        for step in steps:
            if isinstance(step, bytes):
                piece = step.replace(ADDRESS.encode(), _own(request).encode())
                await wire.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            elif isinstance(step, asyncio.Event):
                if not await _comes(step, wire):
                    return
            else:
                await step(request, wire)
                return
        await wire.send(b"0\r\n\r\n")

    return handle


def playing(shape: str, *, head: bool = True) -> Handler:
    """Answers with one of the shapes."""

    async def handle(request: Received, wire: Wire) -> None:
        tokens = in_tokens(TASK_ID_TEXT.replace(ADDRESS, _own(request)))
        await saying(*(tokens if shape == "task-id" else SHAPES[shape]), head=head)(request, wire)

    return handle


def _own(request: Received) -> str:
    return f"http://{request.headers['host']}/x.mp4"


async def _comes(event: asyncio.Event, wire: Wire) -> bool:
    """Waits for *event*; False when the other side hangs up before."""
    waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(wire.reader.read(1))]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return event.is_set()
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


@dataclass
class FakeChat:
    """*answers* is used up from the front, its last entry stays. *key* is the only one that it takes."""

    answers: list[Handler] = field(default_factory=lambda: [saying(*EMOJI)])
    key: str = ""
    file: bytes = field(default_factory=sample_mp4)
    orders: list[Received] = field(default_factory=list)
    """Every paid request that arrived."""
    downloads: list[Received] = field(default_factory=list)
    reading: int = 0
    """Streams that are being sent."""

    async def handle(self, request: Received, wire: Wire) -> None:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            await wire.send(
                answer(401, {"error": {"message": "Invalid key.", "type": "authentication_error"}})
            )
        elif request.target == "/v1/models":
            await wire.send(answer(200, {"object": "list", "data": [{"id": "sora-2"}]}))
        elif request.target == "/x.mp4":
            self.downloads.append(request)
            await self._send_file(request, wire)
        elif (request.method, request.target) == ("POST", "/v1/chat/completions"):
            await self._answer(request, wire)
        else:
            await wire.send(answer(404))

    async def _answer(self, request: Received, wire: Wire) -> None:
        self.orders.append(request)
        script = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.reading += 1
        try:
            await script(request, wire)
        finally:
            self.reading -= 1

    async def _send_file(self, request: Received, wire: Wire) -> None:
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        headers = {"Content-Type": "video/mp4", "ETag": '"v1"', "Connection": "close"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(self.file) - 1}/{len(self.file)}"
        await wire.send(answer(206 if start else 200, self.file[start:], headers))


async def until(condition: Callable[[], object] | Callable[[], Awaitable[object]]) -> None:
    """Waits, in real time, for what a socket brings about."""
    async with asyncio.timeout(20):
        while True:
            value = condition()
            if await value if isinstance(value, Awaitable) else value:
                return
            await asyncio.sleep(0.005)
