"""How the Python client comes back: after which close code, how long it waits, with which cursor and key. The server is
scripted and on a real port, and time is moved by hand."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from sora_gateway.client import Answered, GatewayClient, Pace, Update, Watch
from sora_gateway.client.failures import answered
from tests.fakes import CountingEntropy, ManualClock

EPOCH = "0123456789abcdef"
Act = Callable[[ServerConnection], Awaitable[None]]


def cursor(seq: int, epoch: str = EPOCH) -> str:
    return f"{epoch}-{seq}"


def news(seq: int, at: int, status: str = "processing", epoch: str = EPOCH, **more: Any) -> dict[str, Any]:
    """An ``update``, and with a *type* of its own a task as well."""
    return {
        "type": "update", "videoId": "video_1", "externalVideoId": None, "status": status, "stage": status,
        "progress": 0.0, "step": "progress", "message": "News.", "error": None, "seq": seq, "cursor": cursor(at, epoch),
    } | more  # fmt: skip


def subscribed(at: int, *tasks: dict[str, Any], epoch: str = EPOCH) -> dict[str, Any]:
    return {"type": "subscribed", "topic": "video:video_1", "cursor": cursor(at, epoch), "tasks": list(tasks)}


@dataclass
class Stage:
    """*subscribes* and *keys* are what each connection asked and brought."""

    port: int = 0
    subscribes: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    pings: int = 0


def saying(*messages: dict[str, Any], then: int | None = None) -> Act:
    """Says these; then closes with that code, or stays and answers nothing."""

    async def act(socket: ServerConnection) -> None:
        for message in messages:
            await socket.send(json.dumps(message))
        if then is not None:
            await socket.close(then)

    return act


DONE = saying(subscribed(10), news(9, 90, "completed"))


def begun(code: int) -> Act:
    return saying(subscribed(10, news(1, 0)), news(2, 11), then=code)


@asynccontextmanager
async def stage(*acts: Act) -> AsyncIterator[Stage]:
    """A gateway whose connections are played by *acts*, one after the other."""
    playing = Stage()
    waiting = iter(acts)

    async def play(socket: ServerConnection) -> None:
        assert socket.request is not None
        playing.keys.append(socket.request.headers["Authorization"].removeprefix("Bearer "))
        await socket.send(json.dumps({"type": "ready", "cursor": cursor(0), "heartbeat": 15}))
        playing.subscribes.append(json.loads(await socket.recv()))
        with suppress(ConnectionClosed):
            await next(waiting)(socket)
            async for message in socket:
                playing.pings += json.loads(message) == {"type": "ping"}

    async with serve(play, "127.0.0.1", 0) as server:
        playing.port = next(iter(server.sockets)).getsockname()[1]
        yield playing


class Follower:
    """Follows ``video_1`` in a task of its own."""

    def __init__(self, client: GatewayClient) -> None:
        self.states: asyncio.Queue[str] = asyncio.Queue()
        self.updates: list[Update] = []
        self.watch: Watch = client.watch(
            video_id="video_1", on_state=lambda state, _: self.states.put_nowait(state)
        )
        self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async for update in self.watch:
            self.updates.append(update)

    async def comes_to(self, state: str) -> None:
        async with asyncio.timeout(10):
            while await self.states.get() != state:
                pass

    async def ends(self) -> list[int]:
        """The numbers of what it was told."""
        async with asyncio.timeout(10):
            await self.task
        return [update.seq for update in self.updates]


def client_of(
    playing: Stage,
    clock: ManualClock,
    fraction: float = 0.0,
    renew: Callable[[], Awaitable[str]] | None = None,
) -> GatewayClient:
    return GatewayClient(
        f"http://127.0.0.1:{playing.port}", "old", clock=clock, entropy=CountingEntropy(fraction), renew=renew
    )


@pytest.mark.parametrize(
    ("code", "least", "most"),
    [
        (1001, 0.0, 0.5), (1012, 0.0, 2.0), (1013, 10.0, 10.5), (4000, 0.0, 0.5), (4002, 0.0, 0.5),
        (4003, 10.0, 10.5), (4399, 0.0, 0.5),
    ],
)  # fmt: skip
@pytest.mark.parametrize("chance", [0.0, 1.0])
async def test_it_comes_back_after_a_random_while(
    code: int, least: float, most: float, chance: float
) -> None:
    clock = ManualClock()
    async with stage(begun(code), DONE) as playing, client_of(playing, clock, chance) as client:
        following = Follower(client)
        await following.comes_to("reconnecting")
        delay = max(0.001, least if chance == 0.0 else most)
        await clock.advance(delay - 0.0005)
        assert len(playing.keys) == 1
        await clock.advance(0.001)
        assert await following.ends() == [1, 2, 9]
        expected = {"type": "subscribe", "videoId": "video_1"}
        assert playing.subscribes[1] == expected | ({} if code == 4002 else {"since": cursor(11)})


@pytest.mark.parametrize(
    ("code", "status"),
    [(1000, 400), (1008, 400), (1009, 400), (4001, 401), (4401, 401), (4403, 403), (4499, 400)],
)
async def test_it_stays_away_when_coming_back_is_no_use(code: int, status: int) -> None:
    clock = ManualClock()
    async with stage(begun(code)) as playing, client_of(playing, clock) as client:
        following = Follower(client)
        with pytest.raises(Answered) as caught:
            await following.ends()
        assert caught.value.http_status == status
        assert following.watch.state == "ended"


async def test_a_renewed_key_is_used_from_then_on() -> None:
    async def renew() -> str:
        return "new"

    clock = ManualClock()
    async with stage(begun(4001), DONE) as playing, client_of(playing, clock, renew=renew) as client:
        assert await Follower(client).ends() == [1, 2, 9]
        assert playing.keys == ["old", "new"]
        assert playing.subscribes[1]["since"] == cursor(11)


async def test_a_new_key_that_ends_at_once_as_well_is_not_renewed_for_ever() -> None:
    asked = 0

    async def renew() -> str:
        nonlocal asked
        asked += 1
        return f"new {asked}"

    clock = ManualClock()
    ends = saying(subscribed(11), then=4001)
    async with (
        stage(begun(4001), ends, ends, ends) as playing,
        client_of(playing, clock, renew=renew) as client,
    ):
        with pytest.raises(Answered) as caught:
            await Follower(client).ends()
        assert (caught.value.http_status, asked, playing.keys) == (401, 1, ["old", "new 1"])


@pytest.mark.parametrize(
    "message",
    [{"type": "update"}, {"type": "subscribed", "cursor": cursor(12)}, {"type": "update", "cursor": 1}],
)
async def test_what_is_no_message_is_the_end_of_a_connection_and_of_no_more(message: dict[str, Any]) -> None:
    clock = ManualClock()
    back = saying(subscribed(11), news(3, 12, "completed"))
    async with (
        stage(saying(subscribed(10, news(1, 0)), message), back) as playing,
        client_of(playing, clock) as client,
    ):
        following = Follower(client)
        await following.comes_to("reconnecting")
        await clock.advance(0.01)
        assert await following.ends() == [1, 3]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("5", 5.0), ("864000", 900.0), ("9" * 400, None), ("inf", None), ("nan", None), ("soon", None)],
)
def test_nothing_in_between_sends_it_away_for_ever(said: str, seconds: float | None) -> None:
    assert answered(503, {"retry-after": said}, b"").retry_after == seconds


async def test_the_wait_grows_to_half_a_minute_and_begins_anew_after_a_good_connection() -> None:
    clock = ManualClock()
    again = saying(subscribed(11), then=4000)
    async with (
        stage(begun(4000), *[again] * 8, saying(subscribed(11)), DONE) as playing,
        client_of(playing, clock, 1.0) as client,
    ):
        following = Follower(client)
        for delay in (0.5, 1, 2, 4, 8, 16, 30, 30, 30):
            await following.comes_to("reconnecting")
            count = len(playing.keys)
            await clock.advance(delay - 0.05)
            assert len(playing.keys) == count
            await clock.advance(0.051)
        await following.comes_to("live")
        # It lasts until nothing is heard of it any more.
        await clock.advance(36)
        await following.comes_to("reconnecting")
        assert playing.pings == 1
        await clock.advance(0.51)
        assert await following.ends() == [1, 2, 9]


async def test_what_was_missed_is_told_in_its_order_and_the_snapshot_is_not_told_before_it() -> None:
    clock = ManualClock()
    back = saying(
        subscribed(11, news(5, 0, "completed")),
        news(2, 11),
        news(3, 12),
        news(4, 13),
        news(5, 14, "completed"),
    )
    async with stage(begun(4000), back) as playing, client_of(playing, clock) as client:
        following = Follower(client)
        await following.comes_to("reconnecting")
        await clock.advance(0.01)
        assert await following.ends() == [1, 2, 3, 4, 5]


async def test_after_a_reset_the_snapshot_counts_even_if_it_is_of_another_database() -> None:
    restored = "fedcba9876543210"
    clock = ManualClock()
    back = saying(
        {"type": "reset", "cursor": cursor(3, restored), "reason": "epoch"},
        subscribed(3, news(1, 0), epoch=restored),
        news(2, 4, "failed", restored),
    )
    async with stage(begun(4000), back) as playing, client_of(playing, clock) as client:
        following = Follower(client)
        await following.comes_to("reconnecting")
        await clock.advance(0.01)
        assert await following.ends() == [1, 2, 1, 2]
        assert following.updates[-1].final


async def test_after_a_backup_was_restored_its_changes_are_told_although_their_numbers_are_lower() -> None:
    clock = ManualClock()
    back = saying(
        {"type": "reset", "cursor": cursor(3), "reason": "unknown_cursor"},
        subscribed(3),
        news(2, 4, "failed"),
    )
    first = saying(subscribed(10, news(7, 0)), news(8, 11), then=4000)
    async with stage(first, back) as playing, client_of(playing, clock) as client:
        following = Follower(client)
        await following.comes_to("reconnecting")
        await clock.advance(0.01)
        assert await following.ends() == [7, 8, 2]


async def test_a_reset_tells_nothing_again_that_is_still_so() -> None:
    clock = ManualClock()
    back = saying(
        {"type": "reset", "cursor": cursor(99), "reason": "too_old"},
        subscribed(99, news(2, 0)),
        news(3, 100, "failed"),
    )
    async with stage(begun(4000), back) as playing, client_of(playing, clock) as client:
        following = Follower(client)
        await following.comes_to("reconnecting")
        await clock.advance(0.01)
        assert await following.ends() == [1, 2, 3]


async def test_a_video_that_is_deleted_is_followed_no_longer() -> None:
    gone = saying(subscribed(10, news(1, 0)), news(2, 11, step="deleted"))
    async with stage(gone) as playing, client_of(playing, ManualClock()) as client:
        assert await Follower(client).ends() == [1, 2]


async def test_a_server_that_never_greets_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    clock = ManualClock()
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server, client_of(Stage(server.sockets[0].getsockname()[1]), clock) as client:
        following = Follower(client)
        await following.comes_to("connecting")
        await clock.advance(10.1)
        await following.comes_to("reconnecting")
        following.task.cancel()
        await asyncio.gather(following.task, return_exceptions=True)


def test_the_paces_of_both_clients_are_the_same() -> None:
    source = (Path(__file__).parent.parent / "static/js/sora-live.js").read_text("utf-8")
    block = re.search(r"const PACE = \{(.*?)\n\};", source, re.DOTALL)
    assert block is not None
    theirs = {name: int(value.replace("_", "")) for name, value in re.findall(r"(\w+): ([\d_]+),", block[1])}
    ours = {
        re.sub(r"_(\w)", lambda m: m[1].upper(), name): value if name == "tries" else value * 1000
        for name in Pace.__dataclass_fields__
        for value in [getattr(Pace(), name)]
    }
    assert theirs == ours
