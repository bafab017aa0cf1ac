"""Every fault that the simulator can be asked for, met over a real socket, as a gateway meets it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from sora_gateway.upstream.simulator.broken import ConnectionDropped
from sora_gateway.upstream.simulator.files import SHIPPED
from tests.live import until
from tests.simulators import CLIP, Lab, in_process, on_a_socket

CLIP_BYTES = SHIPPED["video"].read_bytes()
CUT = int(len(CLIP_BYTES) * 0.6)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with on_a_socket(tmp_path) as lab:
        yield lab


async def asked(lab: Lab, faults: str) -> httpx.Response:
    return await lab.client.post("/v1/videos", json={"prompt": f"a boat {faults}"})


# Creates that were refused: nothing is paid.


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("create_400", 400, "invalid_request"),
        ("create_401", 401, "invalid_api_key"),
        ("create_402", 402, "billing_hard_limit_reached"),
        ("create_500", 500, "server_error"),
        ("create_503", 503, "server_error"),
        ("moderation", 400, "moderation_blocked"),
    ],
)
async def test_a_refused_create_says_why_and_costs_nothing(
    fault: str, status: int, code: str, lab: Lab
) -> None:
    for _ in range(2):
        answer = await asked(lab, f"[[fault:{fault}]]")
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert "retry-after" not in answer.headers
    assert lab.state.paid_creates() == 0


@pytest.mark.parametrize(("fault", "status"), [("create_429", 429), ("create_503", 503)])
async def test_a_busy_server_says_when_to_come_back_and_then_takes_the_job(
    fault: str, status: int, lab: Lab
) -> None:
    refused = await asked(lab, f"[[fault:{fault}=2.5]]")
    assert (refused.status_code, refused.headers["retry-after"]) == (status, "2.5")
    assert (await asked(lab, f"[[fault:{fault}=2.5]]")).status_code == 200
    assert lab.state.paid_creates() == 1


async def test_an_account_in_trouble_recovers_after_the_number_of_creates(lab: Lab) -> None:
    statuses = [(await asked(lab, "[[fault:create_401=2]]")).status_code for _ in range(3)]
    assert statuses == [401, 401, 200]


async def test_a_proxy_answers_in_html(lab: Lab) -> None:
    answer = await asked(lab, "[[fault:create_502_html]]")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert lab.state.paid_creates() == 0


async def test_a_fault_can_be_for_the_first_create_only(lab: Lab) -> None:
    assert (await asked(lab, "[[fault:create_500]] [[fault:once]]")).status_code == 500
    assert (await asked(lab, "[[fault:create_500]] [[fault:once]]")).status_code == 200


async def test_an_unknown_fault_is_a_clear_refusal(lab: Lab) -> None:
    answer = await asked(lab, "[[fault:flood]]")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("There is no fault called flood;")


async def test_without_leave_directives_are_only_words(tmp_path: Path) -> None:
    async with in_process(tmp_path, replace(CLIP, directives=False)) as lab:
        video = await lab.create("a boat [[fault:create_500]] [[fault:flood]]")
        assert video["status"] == "queued"


# Creates that were paid for, and whose answer was lost or useless.


async def test_the_connection_breaks_after_the_job_was_taken(lab: Lab) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        await asked(lab, "[[fault:create_drop]]")
    assert lab.state.paid_creates() == 1
    listed = (await lab.client.get("/v1/videos")).json()["data"]
    assert [video["prompt"] for video in listed] == ["a boat [[fault:create_drop]]"]


async def test_the_connection_breaks_before_the_job_was_taken(lab: Lab) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        await asked(lab, "[[fault:create_drop_before]]")
    assert lab.state.paid_creates() == 0


async def test_in_process_a_broken_connection_is_an_exception(tmp_path: Path) -> None:
    async with in_process(tmp_path) as lab:
        for fault in ("create_drop", "create_half", "create_drop_before"):
            with pytest.raises(ConnectionDropped):
                await asked(lab, f"[[fault:{fault}]]")
        assert lab.state.paid_creates() == 2


async def test_half_an_answer_arrives(lab: Lab) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        await asked(lab, "[[fault:create_half]]")
    assert lab.state.paid_creates() == 1


@pytest.mark.parametrize("fault", ["create_500", "create_502_html"])
async def test_an_error_can_come_after_the_job_was_taken(fault: str, lab: Lab) -> None:
    assert (await asked(lab, f"[[fault:{fault}=committed]]")).status_code >= 500
    assert lab.state.paid_creates() == 1


async def test_an_empty_answer_and_one_without_an_id(lab: Lab) -> None:
    empty = await asked(lab, "[[fault:create_empty]]")
    assert (empty.status_code, empty.content) == (200, b"")
    nameless = await asked(lab, "[[fault:create_no_id]]")
    assert nameless.status_code == 200
    assert "id" not in nameless.json()
    assert lab.state.paid_creates() == 2


async def test_an_answer_that_takes_longer_than_anybody_waits(lab: Lab) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await lab.client.post("/v1/videos", json={"prompt": "[[fault:create_hang=5]]"}, timeout=0.2)
    await until(lambda: lab.state.paid_creates() == 1)
    # The server ends with nobody waiting in it.
    await lab.clock.advance(5.0)


# Jobs that go wrong.


async def test_a_job_fails_at_the_end(lab: Lab) -> None:
    failed = await lab.get(await lab.finished("[[fault:fail]]"))
    assert (failed["status"], failed["error"]["code"]) == ("failed", "moderation_blocked")
    other = await lab.get(await lab.finished("[[fault:fail=worker_lost]]"))
    assert other["error"]["code"] == "worker_lost"


async def test_a_job_takes_as_long_as_it_was_told(lab: Lab) -> None:
    video = await lab.create("[[fault:duration=3]]")
    await lab.clock.advance(3.0)
    assert (await lab.get(video["id"]))["status"] == "completed"


async def test_a_job_is_accepted_and_forgotten(lab: Lab) -> None:
    video = await lab.create("[[fault:amnesia]]")
    for path in (f"/v1/videos/{video['id']}", f"/v1/videos/{video['id']}/content"):
        assert (await lab.client.get(path)).status_code == 404
    assert (await lab.client.get("/v1/videos")).json()["data"] == []


async def test_reads_fail_and_recover(lab: Lab) -> None:
    video = await lab.create("[[fault:poll_500=2]]")
    statuses = [(await lab.client.get(f"/v1/videos/{video['id']}")).status_code for _ in range(3)]
    assert statuses == [500, 500, 200]


# Files that go wrong.


async def test_a_file_comes_late(lab: Lab) -> None:
    video = await lab.finished("[[fault:content_404=2]]")
    statuses = [(await lab.content(video)).status_code for _ in range(3)]
    assert statuses == [404, 404, 200]


async def test_a_truncated_file_looks_complete_on_the_wire(lab: Lab) -> None:
    answer = await lab.content(await lab.finished("[[fault:truncate]]"))
    assert answer.status_code == 200
    assert "content-length" not in answer.headers
    assert answer.content == CLIP_BYTES[:CUT]


async def test_a_transfer_breaks_and_the_rest_can_be_had(lab: Lab) -> None:
    video = await lab.finished("[[fault:content_drop=1]]")
    received = bytearray()

    async def download() -> None:
        async with lab.client.stream("GET", f"/v1/videos/{video}/content") as answer:
            assert answer.headers["content-length"] == str(len(CLIP_BYTES))
            async for chunk in answer.aiter_raw():
                received.extend(chunk)

    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        await download()
    assert bytes(received) == CLIP_BYTES[:CUT]
    rest = await lab.content(video, headers={"Range": f"bytes={CUT}-"})
    assert bytes(received) + rest.content == CLIP_BYTES


async def test_a_login_page_comes_instead_of_the_file(lab: Lab) -> None:
    video = await lab.finished("[[fault:wrong_type=1]]")
    page = await lab.content(video)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (await lab.content(video)).content == CLIP_BYTES


async def test_faults_of_the_file_leave_its_pictures_alone(lab: Lab) -> None:
    video = await lab.finished("[[fault:wrong_type]] [[fault:truncate]] [[fault:content_404=9]]")
    answer = await lab.content(video, params={"variant": "thumbnail"})
    assert answer.content == SHIPPED["thumbnail"].read_bytes()
