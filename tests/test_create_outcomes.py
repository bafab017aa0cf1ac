"""What a create's outcome means, end to end: each row of the table over a real socket, from the API to the books.

``tests/test_upstream_create.py`` says which answers belong to which row; here is what follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from tests.canaries import UPSTREAM_KEY
from tests.lab import Lab, at_the_lab, closing, ledger, opportunity, outcomes, says, turned_away, unused_port
from tests.raw_server import Handler, Received, Wire, always, serving_raw

# --- not sent: again, as often as it takes -----------------------------------------------------------


async def test_an_upstream_that_cannot_be_reached_gets_the_job_once_it_is_there(tmp_path: Path) -> None:
    lab, port = Lab(), unused_port()
    async with at_the_lab(tmp_path, lab, url=f"http://127.0.0.1:{port}") as ann:
        waiting = await turned_away(ann, (await ann.make())["videoId"])
        assert waiting["error"] is None
        assert await ledger(ann, waiting) == ["hold"]
        async with serving_raw(lab.handle, port=port):
            task = await ann.comes_to(waiting["videoId"], "processing")
            assert task["note"] == ""
            assert len(lab.orders) == 1
            seen = await outcomes(ann, task)
            assert set(seen[:-1]) == {"not_sent"}
            assert seen[-1] == "receipt"
            assert await ledger(ann, task) == ["hold"]


async def test_a_name_that_does_not_resolve_is_tried_again(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), url="http://nowhere.invalid") as ann:
        task = await turned_away(ann, (await ann.make())["videoId"])
        assert "nowhere" not in task["note"]
        assert set(await outcomes(ann, task)) <= {"not_sent", None}


async def test_a_connection_that_nobody_takes_is_tried_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as queue:
        for _ in range(4):
            # The queue of connections that nobody accepts is full after one or two; the next SYN is dropped.
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        async with at_the_lab(tmp_path, Lab(), url=url, jobs={"create_timeout": 0.2}) as ann:
            task = await turned_away(ann, (await ann.make())["videoId"])
            assert "not_sent" in await outcomes(ann, task)


async def test_a_tls_handshake_that_fails_is_tried_again(tmp_path: Path) -> None:
    async def speak_no_tls(wire: Wire) -> bool:
        await wire.reader.read(64)
        await wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return False

    async with (
        serving_raw(always(b""), speak_no_tls) as server,
        at_the_lab(tmp_path, Lab(), url=server.url.replace("http", "https")) as ann,
    ):
        task = await turned_away(ann, (await ann.make())["videoId"])
        assert "not_sent" in await outcomes(ann, task)
        assert server.requests == []


async def test_a_job_that_waits_for_an_unreachable_upstream_can_be_cancelled(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), url=f"http://127.0.0.1:{unused_port()}") as ann:
        task = await turned_away(ann, (await ann.make())["videoId"])
        while True:
            # A create may be on its way just now: then the wish is kept until it is known not to have arrived.
            await ann.http.post(f"/api/video/tasks/{task['videoId']}/cancel")
            if (task := await ann.task(task["videoId"]))["stage"] == "cancelled":
                break
            await asyncio.sleep(0.01)
        assert await ledger(ann, task) == ["hold", "release"]


# --- refused for now: a few times --------------------------------------------------------------------

BUSY: dict[str, object] = {"error": {"message": "Too many videos at once.", "code": "rate_limited"}}
BUSY_ANSWERS: dict[str, Handler] = {
    "429 with Retry-After": says(429, BUSY, {"Retry-After": "2"}),
    "429 with nothing": says(429),
    "503 with Retry-After": says(503, BUSY, {"Retry-After": "2"}),
}


@pytest.mark.parametrize("case", BUSY_ANSWERS)
async def test_a_busy_upstream_is_asked_again_and_takes_it_once(case: str, tmp_path: Path) -> None:
    busy = BUSY_ANSWERS[case]
    lab = Lab(creates=[busy, busy, says(200, {"id": "ext-1", "status": "queued"})])
    async with at_the_lab(tmp_path, lab) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "processing")
        await opportunity()
        assert task["externalVideoId"] == "ext-1"
        assert len(lab.orders) == 3
        assert await outcomes(ann, task) == ["refused_for_now", "refused_for_now", "receipt"]
        assert await ledger(ann, task) == ["hold"]


@pytest.mark.parametrize("case", BUSY_ANSWERS)
async def test_an_upstream_that_stays_busy_is_asked_five_times(case: str, tmp_path: Path) -> None:
    lab = Lab(creates=[BUSY_ANSWERS[case]])
    async with at_the_lab(tmp_path, lab) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "failed")
        await opportunity()
        assert "lab refused it 5 times" in task["error"]["message"]
        assert len(lab.orders) == 5
        assert await outcomes(ann, task) == ["refused_for_now"] * 5
        assert await ledger(ann, task) == ["hold", "release"]


async def test_retry_after_is_honoured(tmp_path: Path) -> None:
    lab = Lab(creates=[says(429, BUSY, {"Retry-After": "600"}), says(200, {"id": "ext-1"})])
    async with at_the_lab(tmp_path, lab) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "queued", note="lab is busy; trying again.")
        await opportunity()
        assert len(lab.orders) == 1
        assert (await ann.comes_to(task["videoId"], "processing"))["externalVideoId"] == "ext-1"


# --- out of order: the upstream pauses, the job waits ------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "refuses our key"), (402, "reports no balance"), (403, "forbids this account")],
)
async def test_an_upstream_that_is_out_of_order_keeps_its_jobs_waiting(
    status: int, reason: str, tmp_path: Path
) -> None:
    refusal = says(status, {"error": {"message": f"no {UPSTREAM_KEY} here"}})
    lab = Lab(creates=[refusal, says(200, {"id": "ext-1"}), says(200, {"id": "ext-2"})])
    async with at_the_lab(tmp_path, lab) as ann:
        first = await ann.comes_to((await ann.make())["videoId"], "queued", note=reason)
        assert first["note"] == f"lab is paused: the upstream {reason}."
        second = await ann.make("another")
        assert len(lab.orders) == 1  # nobody else runs into the same wall
        # The pause ends, the operator has put it in order meanwhile.
        for task in (first, second):
            await ann.comes_to(task["videoId"], "processing")
            assert await ledger(ann, task) == ["hold"]
        assert await outcomes(ann, first) == ["out_of_order", "receipt"]
        assert await outcomes(ann, second) == ["receipt"]
        assert len(lab.orders) == 3


async def test_an_upstream_that_stays_out_of_order_fails_nobody(tmp_path: Path) -> None:
    lab = Lab(creates=[says(401)])
    async with at_the_lab(tmp_path, lab) as ann:
        task = await ann.make()
        async with asyncio.timeout(20):
            while len(lab.orders) < 3:  # noqa: ASYNC110 - what is waited for sets no event
                await asyncio.sleep(0.01)
        task = await ann.task(task["videoId"])
        assert task["stage"] in ("queued", "submitting")
        assert await ledger(ann, task) == ["hold"]
        first, second, third = [
            attempt.sent_at for attempt in (await ann.gateway.store.attempts(task["videoId"]))[:3]
        ]
        # Each pause is longer than the one before.
        assert second - first >= 30
        assert third - second >= 60


# --- refused: the end --------------------------------------------------------------------------------


async def test_a_refusal_is_final_and_costs_nothing(tmp_path: Path) -> None:
    lab = Lab()
    async with at_the_lab(tmp_path, lab) as ann:
        tasks = []
        for status in (400, 404, 405, 413, 415, 422):
            lab.creates = [says(status, {"error": {"message": "The size is wrong.", "code": "bad_size"}})]
            tasks.append(await ann.comes_to((await ann.make(f"HTTP {status}"))["videoId"], "failed"))
        await opportunity()
        assert len(lab.orders) == len(tasks)
        for task in tasks:
            assert task["error"] == {"code": "bad_size", "message": "The size is wrong."}
            assert await outcomes(ann, task) == ["refused"], task["prompt"]
            assert await ledger(ann, task) == ["hold", "release"]


async def test_a_403_for_the_content_pauses_nobody(tmp_path: Path) -> None:
    blocked = says(403, {"error": {"message": "Not this.", "code": "content_policy_violation"}})
    lab = Lab(creates=[blocked, says(200, {"id": "ext-1"})])
    async with at_the_lab(tmp_path, lab) as ann:
        refused = await ann.comes_to((await ann.make())["videoId"], "failed")
        assert refused["error"] == {"code": "moderation_blocked", "message": "Not this."}
        assert await ledger(ann, refused) == ["hold", "release"]
        await ann.comes_to((await ann.make("something else"))["videoId"], "processing")
        assert len(lab.orders) == 2


# --- a receipt ---------------------------------------------------------------------------------------


async def test_a_receipt_is_the_only_create(tmp_path: Path) -> None:
    lab = Lab(creates=[says(201, {"id": "ext-1", "status": "queued"})])
    async with at_the_lab(tmp_path, lab) as ann:
        task = await ann.comes_to((await ann.make("a paper boat"))["videoId"], "processing")
        await opportunity()
        assert task["externalVideoId"] == "ext-1"
        assert lab.orders[0].json == {
            "model": "wan-2.2", "prompt": "a paper boat", "seconds": "4", "size": "720x1280",
        }  # fmt: skip
        assert lab.orders[0].headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
        assert len(lab.orders) == 1
        assert await outcomes(ann, task) == ["receipt"]
        assert await ledger(ann, task) == ["hold"]


# --- unknown: held, never paid again -----------------------------------------------------------------


async def close_at_once(_: Received, wire: Wire) -> None:
    """Takes the request and closes."""


async def reset(_: Received, wire: Wire) -> None:
    wire.reset()


async def hang(_: Received, wire: Wire) -> None:
    await wire.hang()


RECEIPT = closing(200, {"id": "ext-1", "status": "queued"})
DOUBTS: dict[str, Handler] = {
    "closed after the request": close_at_once,
    "reset after the request": reset,
    "half a head": always(b"HTTP/1.1 200 OK\r\nContent-Ty"),
    "half a body": always(RECEIPT[:-10]),
    "2xx without an id": says(200, {"status": "queued"}),
    "2xx with a bad id": says(200, {"id": "../../admin", "status": "queued"}),
    "2xx that is no JSON": says(200, "<html>It works!</html>"),
    "204": says(204),
    "301": says(301, "", {"Location": "/v1/videos/"}),
    "307": says(307, "", {"Location": "/v1/videos"}),
    "408": says(408, BUSY, {"Retry-After": "1"}),
    "409 without a key of ours": says(409, {"id": "ext-1"}),
    "425": says(425),
    "451": says(451),
    "500": says(500, BUSY, {"Retry-After": "1"}),
    "502": says(502, "<html>Bad Gateway</html>", {"Retry-After": "1"}),
    "503 without Retry-After": says(503, BUSY),
    "504": says(504, "", {"Retry-After": "1"}),
}


async def test_a_doubt_is_held_and_never_paid_again(tmp_path: Path) -> None:
    lab, tasks = Lab(), []
    async with at_the_lab(tmp_path, lab, upstream={"max_concurrent": 1}, balance=1000) as ann:
        for case, handler in DOUBTS.items():
            lab.creates = [handler]
            tasks.append(await ann.comes_to((await ann.make(case))["videoId"], "unknown"))
            # So many failures in a row close the gate for ever longer; an administrator opens it.
            ann.gateway.upstreams.by_name["lab"].gate.release()
        await opportunity()
        assert len(lab.orders) == len(DOUBTS)
        for task in tasks:
            case, task = task["prompt"], await ann.task(task["videoId"])
            assert (task["status"], task["stage"], task["error"]) == ("processing", "unknown", None), case
            assert task["note"], case
            assert await outcomes(ann, task) == ["unknown"], case
            assert await ledger(ann, task) == ["hold"], case
        # Doubts do not use up the upstream's places.
        lab.creates = []
        await ann.comes_to((await ann.make())["videoId"], "processing")


async def test_silence_until_the_timeout_is_a_doubt(tmp_path: Path) -> None:
    lab = Lab(creates=[hang])
    async with at_the_lab(tmp_path, lab, jobs={"create_timeout": 0.3}) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "unknown")
        await opportunity()
        assert len(lab.orders) == 1
        assert await outcomes(ann, task) == ["unknown"]
        assert await ledger(ann, task) == ["hold"]


async def test_an_id_that_another_job_has_proves_nothing(tmp_path: Path) -> None:
    lab = Lab(creates=[says(200, {"id": "ext-1", "status": "queued"})])
    async with at_the_lab(tmp_path, lab) as ann:
        first = await ann.comes_to((await ann.make())["videoId"], "processing")
        second = await ann.comes_to((await ann.make())["videoId"], "unknown")
        await opportunity()
        assert second["externalVideoId"] is None
        assert "the upstream answered with an id that another job has" in second["note"]
        assert (await ann.task(first["videoId"]))["externalVideoId"] == "ext-1"
        assert len(lab.orders) == 2
        assert await outcomes(ann, second) == ["unknown"]
        assert await ledger(ann, second) == ["hold"]


async def test_our_own_end_in_between_is_a_doubt(tmp_path: Path) -> None:
    """The gateway stops while a create is on the wire, and starts again."""
    lab = Lab(creates=[hang])
    async with serving_raw(lab.handle) as server:
        async with at_the_lab(tmp_path, lab, url=server.url) as ann:
            task = await ann.make()
            while not lab.orders:  # noqa: ASYNC110 - what is waited for sets no event
                await asyncio.sleep(0.01)
            # As if the process were killed: nobody waits for the answer.
            await ann.gateway.supervisor.stop(grace=0)
        async with at_the_lab(tmp_path, lab, url=server.url) as ann:
            again = await ann.comes_to(task["videoId"], "unknown")
            await opportunity()
            assert len(lab.orders) == 1
            assert await ledger(ann, again) == ["hold"]
