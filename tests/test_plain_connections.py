"""The small reader of lists: what it understands it reads as httpx does, and the rest it leaves to httpx."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.upstream.client import MAX_JSON, HttpClient, Lost, Request
from sora_gateway.upstream.plain import Answer, NotPlain
from tests.raw_server import Received, Wire, serving_raw

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BODY = b'{"data": [], "has_more": false}'
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = (
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + BODY[:5] + b"\r\n1a\r\n" + BODY[5:] + b"\r\n0\r\n\r\n"
)


def read(packets: Sequence[bytes], limit: int = 1000) -> Answer:
    answer = Answer(limit)
    done = [answer.feed(packet) for packet in packets]
    assert done[-1], "the answer is not all there"
    assert not any(done[:-1]), "it was taken for whole too early"
    return answer


@pytest.mark.parametrize("answer", [pytest.param(WHOLE, id="length"), pytest.param(CHUNKED, id="chunks")])
class TestAnAnswer:
    def test_is_read_whole(self, answer: bytes) -> None:
        found = read([answer])
        assert (found.status, found.body, found.keeps) == (200, BODY, True)
        assert found.headers["content-type"] == "application/json"

    @given(data=st.data())
    def test_is_read_the_same_however_it_is_cut(self, answer: bytes, data: st.DataObject) -> None:
        cuts = sorted(data.draw(st.sets(st.integers(1, len(answer) - 1), max_size=12)))
        packets = [answer[a:b] for a, b in zip([0, *cuts], [*cuts, len(answer)], strict=True)]
        assert read(packets).body == BODY

    @given(data=st.data())
    def test_that_is_damaged_is_never_half_understood(self, answer: bytes, data: st.DataObject) -> None:
        """Whatever one byte becomes: the same body, another whole one, more to come, or a case for httpx."""
        at = data.draw(st.integers(0, len(answer) - 1))
        damaged = answer[:at] + data.draw(st.binary(min_size=1, max_size=1)) + answer[at + 1 :]
        found = Answer(1000)
        try:
            whole = found.feed(damaged)
        except NotPlain:
            return
        assert not whole or len(found.body) <= 1000

    def test_with_more_behind_it_ends_the_connection(self, answer: bytes) -> None:
        assert not read([answer + b"HTTP/1.1 200 OK\r\n"]).keeps


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", id="an old version"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="an answer before the answer"),
        pytest.param(HEAD + b"\r\n{}", id="no length"),
        pytest.param(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", id="two lengths"),
        pytest.param(
            HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", id="length and chunks"
        ),
        pytest.param(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="another coding"),
        pytest.param(HEAD + b"Content-Length: -2\r\n\r\n{}", id="a negative length"),
        pytest.param(HEAD + b"X-A: 1\r\n folded\r\nContent-Length: 2\r\n\r\n{}", id="a folded header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000, id="an endless head"),
        pytest.param(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + b"x" * 200, id="a chunk without a size"
        ),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", id="trailers"),
        pytest.param(b"<html>no http at all</html>\r\n\r\n", id="no HTTP"),
    ],
)
def test_what_is_a_matter_of_opinion_is_left_to_httpx(answer: bytes) -> None:
    with pytest.raises(NotPlain):
        Answer(1000).feed(answer)


def test_a_body_over_the_bound_is_cut_and_said_to_be() -> None:
    found = read([HEAD + b"Content-Length: 5000\r\n\r\n" + b"x" * 1001], limit=1000)
    assert (len(found.body), found.truncated, found.keeps) == (1000, True, False)


# --- over a socket -----------------------------------------------------------------------------------


async def get(client: HttpClient, url: str) -> tuple[int, bytes]:
    reply = await client.read(f"{url}/v1/videos", {"Authorization": "Bearer k"}, deadline=5)
    return reply.status, reply.body


async def test_a_kept_connection_serves_the_next_request() -> None:
    async def handle(request: Received, wire: Wire) -> None:
        assert request.headers["authorization"] == "Bearer k"
        await wire.send(WHOLE)
        while await wire.reader.readuntil(b"\r\n\r\n"):
            await wire.send(WHOLE)

    async with serving_raw(handle) as server:
        client = HttpClient()
        assert [await get(client, server.url) for _ in range(3)] == [(200, BODY)] * 3
        assert server.connections == 1
        await client.aclose()


async def test_a_kept_connection_that_was_closed_meanwhile_costs_nothing_but_another() -> None:
    async def handle(_: Received, wire: Wire) -> None:
        await wire.send(WHOLE)

    async with serving_raw(handle) as server:
        client = HttpClient()
        for _ in range(3):
            assert await get(client, server.url) == (200, BODY)
            await asyncio.sleep(0.01)
        assert server.connections == 3
        await client.aclose()


async def test_what_it_does_not_understand_is_asked_for_by_httpx() -> None:
    async def handle(_: Received, wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY)

    async with serving_raw(handle) as server:
        client = HttpClient()
        assert await get(client, server.url) == (200, BODY)
        await client.aclose()


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200", HEAD + b"Content-Length: 500\r\n\r\nhalf"])
async def test_an_answer_that_breaks_off_is_lost(sent: bytes) -> None:
    async def handle(_: Received, wire: Wire) -> None:
        await wire.send(sent)

    async with serving_raw(handle) as server:
        client = HttpClient()
        with pytest.raises(Lost):
            await get(client, server.url)
        await client.aclose()


async def test_an_upstream_that_is_silent_is_lost_at_the_deadline() -> None:
    async def handle(_: Received, wire: Wire) -> None:
        await asyncio.sleep(3600)

    async with serving_raw(handle) as server:
        client = HttpClient()
        with pytest.raises(Lost, match="no complete answer"):
            await client.read(f"{server.url}/v1/videos", {}, deadline=0.1)
        await client.aclose()


async def test_its_answers_are_those_that_httpx_gives() -> None:
    bodies = [BODY, b"", b"x" * (MAX_JSON + 10), "Schiff auf dem Fluß".encode()]

    async def handle(request: Received, wire: Wire) -> None:
        body = bodies[int(request.target.rpartition("/")[2])]
        await wire.send(
            HEAD + b"Content-Length: %d\r\nX-Clock: 12\r\nConnection: close\r\n\r\n" % len(body) + body
        )

    async with serving_raw(handle) as server:
        client = HttpClient()
        for number in range(len(bodies)):
            url = f"{server.url}/{number}"
            ours = await client.read(url, {}, deadline=5)
            theirs = await client.send(Request("GET", url), deadline=5)
            assert (ours.status, ours.body, ours.truncated) == (theirs.status, theirs.body, theirs.truncated)
            assert ours.headers == theirs.headers
        await client.aclose()
