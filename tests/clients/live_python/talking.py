"""The libraries, each made to say and hear messages; and what all checks need of the gateway beside them."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import httpx
import websocket
from httpx_sse import EventSource, ServerSentEvent, connect_sse
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

Message = dict[str, Any]
FINAL = ("completed", "failed", "cancelled")
WITHIN = 15.0


class Talk(Protocol):
    """One WebSocket of either library."""

    def say(self, **message: Any) -> None: ...

    def next(self) -> Message: ...

    def close_code(self) -> int:
        """Reads to the end; the code in the gateway's close frame, 0 without one."""

    def cut(self) -> None:
        """Breaks the connection without a word."""


class Websockets:
    """With ``websockets``."""

    def __init__(self, url: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._connection = connect(url, additional_headers=headers, proxy=None, open_timeout=WITHIN)

    def say(self, **message: Any) -> None:
        self._connection.send(json.dumps(message))

    def next(self) -> Message:
        return dict(json.loads(self._connection.recv(timeout=WITHIN)))

    def close_code(self) -> int:
        try:
            while True:
                self._connection.recv(timeout=WITHIN)
        except ConnectionClosed as closed:
            return int(closed.rcvd.code) if closed.rcvd else 0

    def cut(self) -> None:
        self._connection.socket.shutdown(socket.SHUT_RDWR)


class WebsocketClient:
    """With ``websocket-client``."""

    def __init__(self, url: str, key: str) -> None:
        self._connection = websocket.create_connection(
            url, header=[f"Authorization: Bearer {key}"], timeout=WITHIN
        )

    def say(self, **message: Any) -> None:
        self._connection.send(json.dumps(message))

    def next(self) -> Message:
        return dict(json.loads(self._connection.recv()))

    def close_code(self) -> int:
        while True:
            opcode, content = self._connection.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(content[:2])

    def cut(self) -> None:
        self._connection.shutdown()


LIBRARIES: dict[str, type[Websockets] | type[WebsocketClient]] = {
    "websockets": Websockets,
    "websocket-client": WebsocketClient,
}


class Place:
    """The gateway, as somebody with a key."""

    def __init__(self) -> None:
        self.url = os.environ["SORA_CLIENT_URL"]
        self.key = os.environ["SORA_CLIENT_KEY"]
        self.http = self._client(self.key)

    def _client(self, key: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=WITHIN, trust_env=False)

    def make(self, about: str) -> str:
        """The id of a new video."""
        answer = self.http.post("/api/video/tasks", json={"prompt": about})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["videoId"])

    def ended(self, video: str) -> None:
        """Waits for its end without the live updates."""
        ends = time.monotonic() + WITHIN
        while self.http.get(f"/api/video/tasks/{video}").json()["status"] not in FINAL:
            assert time.monotonic() < ends
            time.sleep(0.05)

    def new_key(self) -> tuple[str, str]:
        """The id of another key of the same person, and the key."""
        answer = self.http.post("/api/keys", json={"name": "to be revoked"})
        assert answer.is_success, answer.text
        return str(answer.json()["id"]), str(answer.json()["key"])

    def revoke(self, key_id: str) -> None:
        assert self.http.delete(f"/api/keys/{key_id}").is_success

    def talk(self, library: str, key: str = "") -> tuple[Talk, Message]:
        """A WebSocket, and the gateway's greeting."""
        talk = LIBRARIES[library](self.url.replace("http", "ws", 1) + "/ws", key or self.key)
        ready = talk.next()
        assert ready["type"] == "ready", ready
        return talk, ready

    @contextmanager
    def stream(self, path: str, after: str = "", key: str = "") -> Iterator[EventSource]:
        """An event stream; *after* is the last id that was read."""
        headers = {"Last-Event-ID": after} if after else {}
        with (
            self._client(key or self.key) as http,
            connect_sse(http, "GET", path, headers=headers) as source,
        ):
            yield source


def updates_until_final(talk: Talk, videos: set[str]) -> list[Message]:
    """The updates up to the last one of the last of *videos*."""
    seen, left = [], set(videos)
    while left:
        seen.append(talk.next())
        assert seen[-1]["type"] == "update", seen[-1]
        if seen[-1]["status"] in FINAL:
            left.remove(seen[-1]["videoId"])
    return seen


def messages_of(source: EventSource) -> Iterator[ServerSentEvent]:
    """What has data: httpx-sse makes an event of a line that only says when to come back, too."""
    return (event for event in source.iter_sse() if event.data)
