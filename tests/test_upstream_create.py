"""Every row of the create-outcome table, over real sockets: what was seen, and what it is called."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
from dataclasses import replace
from email.utils import formatdate

import pytest

from sora_gateway.core.job import ExternalId
from sora_gateway.core.outcome import CreateAnswer, Outcome, OutcomeClass, RejectRules, classify
from sora_gateway.upstream.client import HttpClient
from sora_gateway.upstream.openai import OpenAIAdapter
from sora_gateway.upstream.profiles import PROFILES, Profile

from .raw_server import Handler, Received, Wire, always, answer, serving_raw
from .upstream_cases import KEY, ORDER, talking_to

RECEIPT: dict[str, object] = {"id": "video_1", "object": "video", "status": "queued", "progress": 0}


async def created(
    handler: Handler, *, profile: str | Profile = "openai", timeout: float = 5.0
) -> CreateAnswer:
    """What one create is answered; however it ends, exactly one request arrives."""
    async with serving_raw(handler) as server, talking_to(server.url, profile) as upstream:
        found = await upstream.create(ORDER, timeout)
        assert len(server.requests) == server.connections == 1
        return found


async def outcome_of(handler: Handler, **how: float) -> Outcome:
    return classify(await created(handler, **how), RejectRules())  # type: ignore[arg-type]


# --- a receipt ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_a_2xx_with_an_id_is_a_receipt(status: int) -> None:
    found = await created(always(answer(status, RECEIPT)))
    assert classify(found, RejectRules()) == Outcome(OutcomeClass.RECEIPT, "video_1")  # type: ignore[arg-type]


async def test_the_request_is_the_documented_one() -> None:
    async with serving_raw(always(answer(200, RECEIPT))) as server, talking_to(server.url) as upstream:
        await upstream.create(ORDER, 5)
        [request] = server.requests
    assert (request.method, request.target) == ("POST", "/v1/videos")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-client-request-id"] == "attempt_1"
    assert "idempotency-key" not in request.headers
    assert request.headers["content-type"] == "application/json"
    assert request.json == {
        "model": "sora-2",
        "prompt": "a paper boat in the rain",
        "seconds": "8",
        "size": "1280x720",
    }


async def test_an_image_makes_it_multipart_with_a_file() -> None:
    order = replace(ORDER, image=b"\x89PNG...", image_type="image/png")
    async with serving_raw(always(answer(200, RECEIPT))) as server, talking_to(server.url) as upstream:
        await upstream.create(order, 5)
        [request] = server.requests
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="seconds"\r\n\r\n8\r\n' in request.body
    assert (
        b'name="input_reference"; filename="reference.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG'
        in request.body
    )


async def test_a_profile_changes_the_request_without_code() -> None:
    profile = Profile(
        auth_scheme="raw", create_encoding="json", duration_field="duration", duration_type="integer"
    )
    order = replace(ORDER, image=b"abc", image_type="image/png")
    async with (
        serving_raw(always(answer(200, RECEIPT))) as server,
        talking_to(server.url, profile) as upstream,
    ):
        await upstream.create(order, 5)
        [request] = server.requests
    assert request.headers["authorization"] == KEY
    assert request.json["duration"] == 8
    assert "seconds" not in request.json
    assert request.json["input_reference"] == {"image_url": "data:image/png;base64,YWJj"}


async def test_a_profile_may_ask_for_multipart_without_an_image() -> None:
    profile = Profile(create_encoding="multipart")
    async with (
        serving_raw(always(answer(200, RECEIPT))) as server,
        talking_to(server.url, profile) as upstream,
    ):
        assert (await upstream.create(ORDER, 5)).external_id == "video_1"
        [request] = server.requests
    assert b'name="prompt"\r\n\r\na paper boat in the rain\r\n' in request.body


async def test_a_create_has_a_connection_of_its_own_and_looks_share_one() -> None:
    """A kept connection may be dead already; then nobody would know whether the create arrived."""

    async def keep_open(_: Received, wire: Wire) -> None:
        await wire.send(answer(200, RECEIPT))
        while await wire.reader.read(65536):
            await wire.send(answer(200, RECEIPT))

    async with serving_raw(keep_open) as server, talking_to(server.url) as upstream:
        await upstream.create(ORDER, 5)
        await upstream.create(ORDER, 5)
        assert server.connections == 2
        await upstream.look(ExternalId("video_1"))
        await upstream.look(ExternalId("video_1"))
        assert server.connections == 3


async def test_a_base_url_without_a_path_means_v1() -> None:
    async with serving_raw(always(answer(200, RECEIPT))) as server:
        adapter = OpenAIAdapter("lab", server.url + "/", KEY, PROFILES["openai"], HttpClient(), max_file=1)
        await adapter.create(ORDER, 5)
        await adapter.aclose()
        assert server.requests[0].target == "/v1/videos"


@pytest.mark.parametrize(
    "url", ["ftp://example.org/v1", "example.org", "http://", "http://me:pw@example.org/v1"]
)
def test_a_base_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="not an http address"):
        OpenAIAdapter("lab", url, KEY, PROFILES["openai"], HttpClient(), max_file=1)


# --- not sent ----------------------------------------------------------------------------------------


async def test_a_refused_connection_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with talking_to(f"http://127.0.0.1:{port}") as upstream:
        found = await upstream.create(ORDER, 5)
    assert found.not_sent == "no connection could be made"
    assert classify(found, RejectRules()).kind is OutcomeClass.NOT_SENT


async def test_a_name_that_does_not_resolve_is_not_sent() -> None:
    async with talking_to("http://nowhere.invalid") as upstream:
        found = await upstream.create(ORDER, 20)
    assert classify(found, RejectRules()).kind is OutcomeClass.NOT_SENT


async def test_a_host_that_does_not_answer_a_connection_is_not_sent_even_under_a_short_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as queue:
        for _ in range(4):
            # The queue of connections that nobody accepts is full after one or two; the next SYN is dropped.
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        async with talking_to(f"http://127.0.0.1:{full.getsockname()[1]}") as upstream:
            found = await upstream.create(ORDER, 1)
    assert classify(found, RejectRules()).kind is OutcomeClass.NOT_SENT


async def test_a_handshake_that_never_ends_is_not_sent() -> None:
    async def stall(wire: Wire) -> bool:
        await wire.hang()
        return False

    async with serving_raw(always(b""), stall) as server:
        async with talking_to(f"https://127.0.0.1:{server.port}") as upstream:
            found = await upstream.create(ORDER, 1)
        assert classify(found, RejectRules()).kind is OutcomeClass.NOT_SENT


async def test_a_failed_tls_handshake_is_not_sent() -> None:
    async def speak_no_tls(wire: Wire) -> bool:
        await wire.reader.read(64)
        await wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return False

    async with serving_raw(always(b""), speak_no_tls) as server:
        async with talking_to(f"https://127.0.0.1:{server.port}") as upstream:
            found = await upstream.create(ORDER, 5)
        assert classify(found, RejectRules()).kind is OutcomeClass.NOT_SENT
        assert server.requests == []


# --- unknown: the connection -------------------------------------------------------------------------


async def nothing(_: Received, wire: Wire) -> None:
    """Takes the request and closes."""


async def reset(_: Received, wire: Wire) -> None:
    wire.reset()


async def hang(_: Received, wire: Wire) -> None:
    await wire.hang()


async def drip(_: Received, wire: Wire) -> None:
    # 2.5 bytes a second: every single read is in time.
    await wire.drip(answer(200, RECEIPT), 0.4)


LOST: dict[str, tuple[Handler, float]] = {
    "closed after the request": (nothing, 5),
    "reset after the request": (reset, 5),
    "silent past the deadline": (hang, 0.3),
    "a drip past the deadline": (drip, 1.0),
    "half a status line": (always(b"HTTP/1."), 5),
    "half a head": (always(b"HTTP/1.1 200 OK\r\nContent-Ty"), 5),
    "half a body": (always(answer(200, RECEIPT)[:-10]), 5),
    "a cut chunked body": (always(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"id"'), 5),
    "not HTTP": (always(b"SSH-2.0-OpenSSH_9.2\r\n"), 5),
}


@pytest.mark.parametrize("case", LOST)
async def test_a_broken_exchange_after_the_request_is_unknown(case: str) -> None:
    handler, timeout = LOST[case]
    found = await created(handler, timeout=timeout)
    assert found.lost
    assert found.status is None
    assert "127.0.0.1" not in found.lost
    assert classify(found, RejectRules()).kind is OutcomeClass.UNKNOWN


async def test_a_connection_closed_before_a_byte_was_read_is_unknown() -> None:
    """From here it looks as if the request had arrived, and so it is treated."""

    async def hang_up(wire: Wire) -> bool:
        return False

    async with serving_raw(always(b""), hang_up) as server, talking_to(server.url) as upstream:
        found = await upstream.create(ORDER, 5)
        assert server.requests == []
    assert classify(found, RejectRules()).kind is OutcomeClass.UNKNOWN


# --- unknown: the answer -----------------------------------------------------------------------------

DOUBTFUL: dict[str, bytes] = {
    "HTML with 200": answer(200, "<html>It works!</html>", {"Content-Type": "text/html"}),
    "an empty 200": answer(200),
    "204": answer(204),
    "JSON without an id": answer(200, {"status": "queued"}),
    "an id that is null": answer(200, {"id": None}),
    "an error with 200": answer(200, {"id": "req_1", "error": {"message": "no"}}),
    "a list": answer(200, "[1]"),
    "NaN": answer(200, '{"id": "video_1", "progress": NaN}'),
    "two ids": answer(200, '{"id": "video_1", "id": "video_2"}'),
    "deep nesting": answer(200, '{"id": "video_1", "a": ' + "[" * 50 + "]" * 50 + "}"),
    "a very deep nesting": answer(200, "[" * 200_000),
    "5 MB of JSON": answer(200, {"id": "video_1", "pad": "x" * 5_000_000}),
    "a gzip bomb": answer(
        200, gzip.compress(b'{"id": "video_1", "pad": "' + b"x" * 50_000_000), {"Content-Encoding": "gzip"}
    ),
    "an encoding nobody asked for": answer(200, b"\x1b\x02\x80{}", {"Content-Encoding": "br"}),
    "../ as an id": answer(200, {"id": "../../admin"}),
    "a 4 KB id": answer(200, {"id": "v" * 4096}),
    "CRLF in an id": answer(200, {"id": "video_1\r\nX-Evil: 1"}),
    "a unicode id": answer(200, {"id": "video_ü"}),
    "301": answer(301, "", {"Location": "http://127.0.0.1:9/v1/videos"}),
    "302": answer(302, "", {"Location": "/login"}),
    "307": answer(307, "", {"Location": "/v1/videos/"}),
    "408": answer(408, {"error": {"message": "too slow"}}),
    "409 without a key of ours": answer(409, {"id": "video_1"}),
    "425": answer(425),
    "500": answer(500, {"error": {"message": "oops"}}),
    "502": answer(502, "<html>Bad Gateway</html>"),
    "a bare 503": answer(503, {"error": {"message": "overloaded"}}),
    "503 with a Retry-After that says nothing": answer(503, "", {"Retry-After": "soon"}),
    "504": answer(504),
}


@pytest.mark.parametrize("case", DOUBTFUL)
async def test_an_answer_that_proves_nothing_is_unknown(case: str) -> None:
    outcome = await outcome_of(always(DOUBTFUL[case]))
    assert outcome.kind is OutcomeClass.UNKNOWN
    assert outcome.external_id is None


async def test_an_id_that_we_already_have_is_unknown() -> None:
    found = await created(always(answer(200, RECEIPT)))
    assert classify(found, RejectRules(), id_is_new=False).kind is OutcomeClass.UNKNOWN


async def test_a_body_that_is_compressed_all_the_same_is_read() -> None:
    body = gzip.compress(json.dumps(RECEIPT).encode())
    assert (await created(always(answer(200, body, {"Content-Encoding": "gzip"})))).external_id == "video_1"


# --- refused for now ---------------------------------------------------------------------------------

WAITS: dict[str, tuple[int, dict[str, str], float | None]] = {
    "429 with seconds": (429, {"Retry-After": "7"}, 7.0),
    "429 with milliseconds": (429, {"retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
    "429 with a date": (
        429,
        {
            "Date": formatdate(1_700_000_000, usegmt=True),
            "Retry-After": formatdate(1_700_000_042, usegmt=True),
        },
        42.0,
    ),
    "429 with a date long ago": (429, {"Retry-After": formatdate(0, usegmt=True)}, 0.0),
    "429 with a day": (429, {"Retry-After": "86400"}, 900.0),
    "429 without any": (429, {}, None),
    "503 with seconds": (503, {"Retry-After": "3"}, 3.0),
}


@pytest.mark.parametrize("case", WAITS)
async def test_a_refusal_for_now_says_how_long(case: str) -> None:
    status, headers, seconds = WAITS[case]
    outcome = await outcome_of(
        always(answer(status, {"error": {"message": "busy", "code": "slow"}}, headers))
    )
    assert outcome == Outcome(OutcomeClass.REFUSED_FOR_NOW, None, "slow", "busy", seconds)


async def test_a_profile_names_further_statuses_that_precede_any_charge() -> None:
    profile = Profile(rejected_before_work=frozenset({503}))
    async with serving_raw(always(answer(503))) as server, talking_to(server.url, profile) as upstream:
        found = await upstream.create(ORDER, 5)
        assert classify(found, upstream.rules).kind is OutcomeClass.REFUSED_FOR_NOW


# --- out of order, refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_our_account_there_is_the_problem(status: int) -> None:
    outcome = await outcome_of(always(answer(status, {"error": {"message": f"bad key {KEY}"}})))
    assert outcome.kind is OutcomeClass.OUT_OF_ORDER
    assert KEY not in outcome.message


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415, 422])
async def test_a_refusal_carries_the_reason_in_plain_words(status: int) -> None:
    body: dict[str, object] = {
        "error": {"message": "Inpaint image must match.\r\n", "type": "invalid_request_error", "code": None}
    }
    outcome = await outcome_of(always(answer(status, body)))
    assert outcome == Outcome(
        OutcomeClass.REFUSED, None, "invalid_request_error", "Inpaint image must match."
    )


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("code", ["moderation_blocked", "sentinel_block", "content_policy_violation", 451])
async def test_moderation_has_one_name(status: int, code: object) -> None:
    outcome = await outcome_of(always(answer(status, {"error": {"message": "blocked", "code": code}})))
    assert outcome == Outcome(OutcomeClass.REFUSED, None, "moderation_blocked", "blocked")


async def test_our_key_is_in_no_text_of_the_answer() -> None:
    found = await created(always(answer(400, {"error": {"message": f"x{KEY}y", "code": KEY}})))
    assert KEY not in repr(found)


# --- in process --------------------------------------------------------------------------------------


async def test_an_exception_in_an_application_called_in_process_is_a_lost_answer() -> None:
    async def broken(scope: object, receive: object, send: object) -> None:
        raise RuntimeError("dropped")

    async with talking_to("http://simulator", app=broken) as upstream:
        found = await upstream.create(ORDER, 5)
    assert classify(found, RejectRules()).kind is OutcomeClass.UNKNOWN


async def test_cancelling_a_create_passes_through() -> None:
    asked = asyncio.Event()

    async def never_answer(_: Received, wire: Wire) -> None:
        asked.set()
        await wire.hang()

    async with serving_raw(never_answer) as server, talking_to(server.url) as upstream:
        task = asyncio.create_task(upstream.create(ORDER, 30))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
