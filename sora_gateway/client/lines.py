"""The three ways of being told: each is a stream of messages in the words of the WebSocket, until it ends.

A line raises :class:`Ended`, or Answered when there is nothing to come back for. Polling adds one message of its own,
``tasks``: how everything is now.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

from sora_gateway.client.failures import Answered, Ended, Unreachable, answered, ended_by
from sora_gateway.client.http import Http, task_path
from sora_gateway.client.values import Pace, Topic, Transport
from sora_gateway.clock import Clock
from sora_gateway.entropy import Entropy

MAX_MESSAGE = 64 << 20
"""Bytes: a snapshot of a hundred videos with long prompts has a few."""

Message = Mapping[str, Any]


@dataclass
class Hearing:
    """When something was last heard on a line, and how long silence may last from then on."""

    clock: Clock
    silence: float
    nudge: Callable[[], Awaitable[None]] | None = None
    """Asks the other side for a sign of life."""
    last: float = field(init=False)

    def __post_init__(self) -> None:
        self.heard()

    def heard(self, silence: float | None = None) -> None:
        self.last = self.clock.monotonic()
        if silence is not None:
            self.silence = silence


@dataclass(frozen=True)
class Line:
    """What a line needs. *cursor* is of the message that was told last."""

    http: Http
    topic: Topic
    cursor: str | None
    clock: Clock
    entropy: Entropy
    pace: Pace
    hearing: Hearing


async def over_websocket(line: Line) -> AsyncGenerator[Message, None]:
    socket = await _socket(line)
    try:
        while True:
            message = json.loads(await socket.recv())
            # Answered pings count as well: what is silent is the topic, not the network.
            line.hearing.heard()
            if message["type"] == "ready":
                line.hearing.heard(2 * message["heartbeat"])
                line.hearing.nudge = lambda: _say(socket, {"type": "ping"})
                since = {"since": line.cursor} if line.cursor else {}
                await _say(socket, {"type": "subscribe", **line.topic.wish, **since})
            elif message["type"] != "pong":
                yield message
    except ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd else 0
        reason = closed.rcvd.reason if closed.rcvd else ""
        raise Ended(reason or "the connection broke", code, said=code >= 4000) from None
    except (ValueError, KeyError, TypeError):
        raise Ended("it sends what is no live update") from None
    finally:
        await socket.close()


async def _socket(line: Line) -> ClientConnection:
    try:
        return await connect(
            line.http.socket_address,
            additional_headers=line.http.authorization,
            proxy=None,
            compression=None,
            open_timeout=None,  # silence is noticed by whoever hears the line
            ping_interval=None,
            close_timeout=1,
            max_size=MAX_MESSAGE,
            user_agent_header="sora-gateway",
        )
    except InvalidStatus as refused:
        answer = refused.response
        error = answered(answer.status_code, dict(answer.headers.raw_items()), bytes(answer.body or b""))
        raise ended_by(error) from None
    except (InvalidHandshake, WebSocketException, OSError, EOFError) as error:
        raise Ended(getattr(error, "strerror", None) or "no connection could be made") from None


async def _say(socket: ClientConnection, message: Message) -> None:
    await socket.send(json.dumps(message))


async def over_events(line: Line) -> AsyncGenerator[Message, None]:
    topic_id, cursor = line.topic.id, line.cursor
    path = "api/events/stream" if topic_id is None else f"{task_path(topic_id)}/stream"
    silence, begun = 1.5 * line.pace.heartbeat, False
    while True:
        try:
            async for message in line.http.events(path, cursor, lambda: line.hearing.heard(silence)):
                begun = True
                yield message
            if not begun and topic_id is not None:
                # Nothing is to come: it has ended, and its end was told.
                yield {"type": "tasks", "tasks": [await line.http.request("GET", task_path(topic_id))]}
            raise Ended("the stream ended", said=begun)
        except Answered as error:
            if not (error.http_status == 404 and error.from_gateway and line.topic.pending):
                raise ended_by(error) from None
        except Unreachable as error:
            raise Ended(str(error)) from None
        except (ValueError, KeyError, TypeError):
            raise Ended("it sends what is no live update") from None
        await _pause(line)


async def by_asking(line: Line) -> AsyncGenerator[Message, None]:
    topic_id = line.topic.id
    path = "api/video/tasks?limit=100" if topic_id is None else task_path(topic_id)
    while True:
        tasks: list[Message] = []
        try:
            answer = await line.http.request("GET", path)
            tasks = answer["tasks"] if topic_id is None else [answer]
        except Answered as error:
            if not (error.http_status == 404 and error.from_gateway and line.topic.pending):
                raise ended_by(error) from None
        except Unreachable as error:
            raise Ended(str(error)) from None
        except (KeyError, TypeError):
            raise Ended("it answers with what is no video") from None
        yield {"type": "tasks", "tasks": tasks}
        await _pause(line)


async def _pause(line: Line) -> None:
    line.hearing.heard(line.pace.open_timeout + 2 * line.pace.poll)
    await line.clock.sleep(line.pace.poll * (0.75 + line.entropy.fraction() / 2))


LINES: Mapping[Transport, Callable[[Line], AsyncGenerator[Message, None]]] = {
    "websocket": over_websocket,
    "sse": over_events,
    "polling": by_asking,
}
"""In the order in which they are tried."""
