"""What holds for every request: ids, headers, errors, origins, and the size and pace of bodies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sora_gateway.errors import (
    Conflict,
    InsufficientCredits,
    NotAuthenticated,
    NotFound,
    RequestTimeout,
    StorageFailed,
    StorageFull,
    Unavailable,
)
from sora_gateway.http.routing import Access, Call, Endpoint
from tests.canaries import MARK
from tests.http_calls import application, client_of
from tests.listening import listening, peer_of


async def fine(call: Call) -> Response:
    return PlainTextResponse("fine")


async def own_headers(call: Call) -> Response:
    return PlainTextResponse(
        "a file", headers={"cache-control": "private", "content-security-policy": "sandbox"}
    )


async def read(call: Call) -> Response:
    return PlainTextResponse(str(len(await call.request.body())))


async def bug(call: Call) -> Response:
    raise RuntimeError("the secret detail")


async def late_bug(call: Call) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"so far so good"
        raise RuntimeError("the secret detail")

    return StreamingResponse(body())


class Raising:
    """A handler that raises what it was given."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.__name__ = type(error).__name__

    async def __call__(self, call: Call) -> Response:
        raise self.error


def endpoint(method: str, path: str, handler: Any) -> Endpoint:
    return Endpoint(method=method, path=path, handler=handler, summary="", access=Access.PUBLIC, tag="test")


async def talk(socket: WebSocket) -> None:
    if "refused" in socket.query_params:
        raise NotAuthenticated("This ticket is used up.")
    if "bug" in socket.query_params:
        raise RuntimeError("the secret detail")
    await socket.accept()
    if "late" in socket.query_params:
        raise RuntimeError("the secret detail")
    await socket.send_text("hello")
    await socket.close()


def gateway(*more: Endpoint, **options: Any) -> Any:
    table = [
        endpoint("GET", "/fine", fine),
        endpoint("POST", "/fine", fine),
        endpoint("GET", "/own", own_headers),
        endpoint("POST", "/read", read),
        endpoint("GET", "/bug", bug),
        endpoint("GET", "/late-bug", late_bug),
        *more,
    ]
    return application(table, sockets=[WebSocketRoute("/ws", talk)], **options)


# --- ids and headers -----------------------------------------------------------------------------------


async def test_every_response_has_a_request_id() -> None:
    async with client_of(gateway()) as client:
        answers = [await client.get(path) for path in ("/fine", "/nothing", "/bug")]
    assert [answer.headers["x-request-id"] for answer in answers] == ["req_1", "req_2", "req_3"]
    assert answers[1].json()["error"]["requestId"] == "req_2"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("trace-1.2_3", "trace-1.2_3"),
        ("x" * 65, "req_1"),
        ("a b", "req_1"),
        ("", "req_1"),
        ("a\x1b[0m", "req_1"),
    ],
)
async def test_a_request_id_of_the_client_is_used_if_it_is_sane(given: str, used: str) -> None:
    async with client_of(gateway(), x_request_id=given) as client:
        assert (await client.get("/fine")).headers["x-request-id"] == used


SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}


@pytest.mark.parametrize("path", ["/fine", "/nothing", "/bug"])
async def test_every_response_keeps_browsers_careful_and_names_no_server(path: str) -> None:
    async with client_of(gateway()) as client:
        headers = (await client.get(path)).headers
    assert {name: headers[name] for name in SAFE_HEADERS} == SAFE_HEADERS
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers


async def test_a_response_may_have_a_policy_of_its_own() -> None:
    async with client_of(gateway()) as client:
        headers = (await client.get("/own")).headers
    assert headers.get_list("cache-control") == ["private"]
    assert headers.get_list("content-security-policy") == ["sandbox"]


# --- errors --------------------------------------------------------------------------------------------


async def test_an_error_is_told_in_openais_envelope() -> None:
    app = gateway(
        endpoint("GET", "/poor", Raising(InsufficientCredits("You need 10 credits.", param="seconds")))
    )
    async with client_of(app) as client:
        answer = await client.get("/poor")
    assert answer.status_code == 402
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "error": {
            "code": "insufficient_credits",
            "message": "You need 10 credits.",
            "type": "insufficient_quota",
            "param": "seconds",
            "requestId": "req_1",
        }
    }


async def test_an_error_that_passes_says_when_to_come_back_in_whole_seconds() -> None:
    app = gateway(endpoint("GET", "/busy", Raising(Unavailable("Busy.", retry_after=1.2))))
    async with client_of(app) as client:
        assert (await client.get("/busy")).headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("error", "definitive"),
    [
        (NotFound("No."), True),
        (Conflict("No."), True),
        (Conflict("Not yet.", retry_after=1), False),
        (StorageFull("No."), True),
        (Unavailable("No."), False),
        (Unavailable("Not yet.", retry_after=10), False),
        (StorageFailed("No."), False),
        (RequestTimeout("No."), False),
    ],
)
async def test_openais_clients_are_told_when_a_retry_changes_nothing(
    error: Exception, definitive: bool
) -> None:
    app = gateway(endpoint("GET", "/v1/videos", Raising(error)), endpoint("GET", "/api/x", Raising(error)))
    async with client_of(app) as client:
        for path in ("/v1/videos", "/api/x"):
            told = (await client.get(path)).headers.get("x-should-retry")
            assert told == ("false" if definitive else None), path


async def test_a_bug_is_logged_whole_and_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with client_of(gateway()) as client:
        answer = await client.get("/bug?ticket=hidden")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert "secret detail" not in answer.text
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "Unexpected error in GET /bug, request req_1"
    assert "the secret detail" in caplog.text
    assert "hidden" not in caplog.text


async def test_a_token_in_an_address_is_not_logged_with_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    async with client_of(gateway(endpoint("GET", "/shared/{token}/content", bug))) as client:
        assert (await client.get(f"/shared/{MARK}-1/content")).status_code == 500
    assert "Unexpected error in GET /shared/{token}/content" in caplog.text


async def test_a_bug_in_mid_response_cuts_it_visibly_short() -> None:
    async with listening(gateway()) as port, peer_of(port) as peer:
        await peer.send(b"GET /late-bug HTTP/1.1\r\nHost: gateway.test\r\n\r\n")
        answer = await peer.until_closed()
    assert b"so far so good" in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert b"secret detail" not in answer


async def test_a_client_that_leaves_in_mid_request_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    left = asyncio.Event()

    async def wait_for_body(call: Call) -> Response:
        try:
            return await read(call)
        finally:
            left.set()

    async with listening(gateway(endpoint("POST", "/wait", wait_for_body))) as port:
        async with peer_of(port) as peer:
            await peer.send(b"POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        await left.wait()
    assert caplog.records == []


@pytest.mark.parametrize("error", [None, NotAuthenticated("This ticket is used up.")])
async def test_a_websocket_that_leaves_before_it_is_answered_is_no_error(
    error: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    over = asyncio.Event()

    async def late(socket: WebSocket) -> None:
        assert [(await socket.receive())["type"] for _ in range(2)] == [
            "websocket.connect",
            "websocket.disconnect",
        ]
        over.set()
        if error is not None:
            raise error
        await socket.accept()

    upgrade = (
        b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    async with listening(application([], sockets=[WebSocketRoute("/ws", late)])) as port:
        async with peer_of(port) as peer:
            await peer.send(upgrade)
        await over.wait()
    assert caplog.records == []


# --- origins -------------------------------------------------------------------------------------------


async def test_another_sites_page_cannot_act_with_a_cookie_but_may_be_looked_at() -> None:
    async with client_of(gateway(), cookie="session=abc", sec_fetch_site="cross-site") as client:
        refused = await client.post("/fine")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "cross_origin")
        assert (await client.get("/fine")).status_code == 200


async def test_a_program_with_a_key_has_no_origin_to_check() -> None:
    async with client_of(gateway(), authorization="Bearer x", sec_fetch_site="cross-site") as client:
        assert (await client.post("/fine")).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.test", "null", None])
async def test_a_websocket_with_a_cookie_from_elsewhere_is_refused_before_it_opens(
    origin: str | None,
) -> None:
    async with listening(gateway()) as port:
        headers = {"cookie": "session=abc"} | ({"origin": origin} if origin else {})
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{port}/ws", additional_headers=headers, proxy=None)
    answer = refused.value.response
    assert answer.status_code == 403
    assert b'"cross_origin"' in answer.body
    assert answer.headers["x-request-id"] == "req_1"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_websocket_of_our_own_page_opens() -> None:
    async with listening(gateway()) as port:
        headers = {"cookie": "session=abc", "origin": f"http://127.0.0.1:{port}"}
        async with connect(f"ws://127.0.0.1:{port}/ws", additional_headers=headers, proxy=None) as socket:
            assert await socket.recv() == "hello"
            assert socket.response is not None
            assert socket.response.headers["x-request-id"] == "req_1"


@pytest.mark.parametrize(("query", "status"), [("refused", 401), ("bug", 500)])
async def test_an_error_before_a_websocket_opens_is_an_http_answer(query: str, status: int) -> None:
    async with listening(gateway()) as port:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{port}/ws?{query}=1", proxy=None)
    assert refused.value.response.status_code == status
    assert b"secret detail" not in refused.value.response.body


async def test_a_bug_behind_an_open_websocket_closes_it_with_1011() -> None:
    async with (
        listening(gateway()) as port,
        connect(f"ws://127.0.0.1:{port}/ws?late=1", proxy=None) as socket,
    ):
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1011, "")


# --- bodies --------------------------------------------------------------------------------------------


async def chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 100


async def test_a_body_of_exactly_the_limit_is_read_and_one_byte_more_is_not() -> None:
    async with client_of(gateway(max_body=1000)) as client:
        assert (await client.post("/read", content=b"x" * 1000)).text == "1000"
        refused = await client.post("/read", content=b"x" * 1001)
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_large")
    assert refused.json()["error"]["message"] == "The request body is larger than 1000 bytes."


async def test_a_body_that_does_not_declare_its_length_is_counted() -> None:
    async with client_of(gateway(max_body=1000)) as client:
        assert (await client.post("/read", content=chunks(10))).text == "1000"
        assert (await client.post("/read", content=chunks(11))).status_code == 413


async def test_a_declared_length_is_refused_before_anything_is_read() -> None:
    async with listening(gateway(max_body=1000)) as port, peer_of(port) as peer:
        await peer.send(b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
        assert (await peer.response())[0] == 413


async def test_a_body_that_trickles_in_is_answered_408() -> None:
    async with listening(gateway(body_deadline=0.1)) as port, peer_of(port) as peer:
        await peer.send(b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        status, body = await peer.response()
    assert status == 408
    assert b'"request_timeout"' in body


async def test_after_the_body_a_client_may_stay_as_long_as_it_likes() -> None:
    async def linger(call: Call) -> Response:
        await call.request.body()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call.request.receive(), 0.3)
        return PlainTextResponse("still here")

    app = gateway(endpoint("POST", "/linger", linger), body_deadline=0.1)
    async with client_of(app) as client:
        assert (await client.post("/linger", content=b"ab")).text == "still here"
