"""The HTTP client's own promises: nothing from the environment, nothing kept between calls, nothing told to the log."""

from __future__ import annotations

import logging
import subprocess
import sys

import httpx
import pytest

from sora_gateway.upstream.client import HttpClient, Lost, NotSent, Request, _as_ours

from .raw_server import Received, Wire, always, answer, serving_raw


async def test_an_answer_comes_with_status_headers_and_body() -> None:
    async with serving_raw(always(answer(418, b"tea", {"X-Pot": "small"}))) as server:
        client = HttpClient()
        reply = await client.send(Request("GET", server.url + "/x"), deadline=5)
        await client.aclose()
    assert (reply.status, reply.headers["x-pot"], reply.body, reply.truncated) == (
        418,
        "small",
        b"tea",
        False,
    )


async def test_a_body_over_the_bound_is_cut_and_says_so() -> None:
    async with serving_raw(always(answer(200, b"x" * (5 << 20)))) as server:
        client = HttpClient()
        reply = await client.send(Request("GET", server.url), deadline=5)
        await client.aclose()
    assert len(reply.body) == 1 << 20
    assert reply.truncated


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving_raw(always(answer(200))) as server:
        client = HttpClient()
        assert (await client.send(Request("GET", server.url), deadline=5)).status == 200
        await client.aclose()


async def test_a_cookie_is_not_brought_back() -> None:
    async with serving_raw(always(answer(200, b"", {"Set-Cookie": "who=you; Path=/"}))) as server:
        client = HttpClient()
        await client.send(Request("GET", server.url), deadline=5)
        await client.send(Request("GET", server.url), deadline=5)
        await client.aclose()
        assert "cookie" not in server.requests[1].headers


async def test_a_signed_address_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving_raw(always(answer(200))) as server:
        client = HttpClient()
        await client.send(
            Request("GET", server.url + "/a?sig=abc", {"Authorization": "Bearer x"}), deadline=5
        )
        await client.aclose()
    assert "sig=abc" not in caplog.text
    assert "Bearer" not in caplog.text


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "ftp://example.org/"),
        Request("GET", "http://"),
        Request("GET", "http://me:pw@example.org/"),
        Request("GET", "http://example.org:99999/"),
        Request("GET", "http://example.org/", {"Authorization": "Bearer a\r\nX-Evil: 1"}),
    ],
)
async def test_what_cannot_be_put_on_the_wire_was_provably_not_sent(request_: Request) -> None:
    client = HttpClient()
    with pytest.raises(NotSent):
        await client.send(request_, deadline=5)
    await client.aclose()


async def test_a_closed_client_sends_nothing() -> None:
    client = HttpClient()
    await client.aclose()
    with pytest.raises(NotSent):
        await client.send(Request("GET", "http://127.0.0.1:9/"), deadline=5)


async def test_the_deadline_bounds_the_whole_call() -> None:
    async def drip_for_ever(_: Received, wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        await wire.drip(b"x" * 1000, 0.05)

    async with serving_raw(drip_for_ever) as server:
        client = HttpClient()
        with pytest.raises(Lost, match=r"within 0\.5 seconds"):
            await client.send(Request("GET", server.url), deadline=0.5)
        await client.aclose()


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (httpx.ConnectError("x"), NotSent),
        (httpx.ConnectTimeout("x"), NotSent),
        (httpx.PoolTimeout("x"), NotSent),
        (httpx.UnsupportedProtocol("x"), NotSent),
        (httpx.InvalidURL("x"), NotSent),
        (httpx.ReadTimeout("x"), Lost),
        (httpx.WriteTimeout("x"), Lost),
        (httpx.ReadError("x"), Lost),
        (httpx.WriteError("x"), Lost),
        (httpx.CloseError("x"), Lost),
        (httpx.RemoteProtocolError("x"), Lost),
        (httpx.LocalProtocolError("x"), Lost),
        (httpx.DecodingError("x"), Lost),
        (httpx.ProxyError("x"), Lost),
        (RuntimeError("x"), Lost),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
def test_only_what_proves_it_is_not_sent(error: Exception, ours: type[Exception]) -> None:
    with pytest.raises(ours), _as_ours():
        raise error


async def test_no_exception_of_an_application_in_process_looks_like_not_sent() -> None:
    async def confusing(scope: object, receive: object, send: object) -> None:
        raise httpx.ConnectError("its own upstream is away")

    client = HttpClient(confusing)
    with pytest.raises(Lost):
        await client.send(Request("POST", "http://simulator/"), deadline=5)
    await client.aclose()


async def test_an_application_that_stops_in_mid_answer_is_a_lost_answer() -> None:
    async def half(scope: object, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]

    client = HttpClient(half)
    with pytest.raises(Lost):
        await client.send(Request("GET", "http://simulator/"), deadline=5)
    await client.aclose()


def test_httpx_is_imported_by_the_first_call_only() -> None:
    program = "import sys; import sora_gateway.upstream.openai as m; m.HttpClient(); sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
