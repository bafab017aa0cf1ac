"""An upstream's webhooks: they have a job looked at at once, and change nothing by themselves."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.webhook_signature import TOLERANCE, is_signed
from tests.canaries import WEBHOOK_SECRET
from tests.lab import Lab, lab_settings
from tests.raw_server import serving_raw
from tests.running import person, running

SECRET = WEBHOOK_SECRET
KEY = base64.b64decode(SECRET.removeprefix("whsec_"))
PATH = "/hooks/upstream/lab"


def signature(message_id: str, timestamp: str, body: bytes, secret: bytes = KEY) -> str:
    signed = message_id.encode() + b"." + timestamp.encode() + b"." + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def message(external_id: object, message_id: str = "msg_1", **changed: str) -> dict[str, Any]:
    body = json.dumps({"type": "video.completed", "data": {"id": external_id}}).encode()
    timestamp = changed.get("timestamp", str(int(time.time())))
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(message_id, timestamp, body),
    }
    return {"content": body, "headers": headers | {k: v for k, v in changed.items() if k in headers}}


class TestASignature:
    def test_is_good_for_these_bytes_at_this_time_alone(self) -> None:
        good = signature("msg_1", "1000", b"{}")
        assert is_signed(SECRET, "msg_1", "1000", f"v1,other v2,x {good}", b"{}", 1000.0)
        assert not is_signed(SECRET, "msg_2", "1000", good, b"{}", 1000.0)
        assert not is_signed(SECRET, "msg_1", "1001", good, b"{}", 1000.0)
        assert not is_signed(SECRET, "msg_1", "1000", good, b"{ }", 1000.0)
        assert not is_signed(SECRET, "msg_1", "1000", good.replace("v1", "v2"), b"{}", 1000.0)
        assert not is_signed(SECRET, "msg_1", "1000", good, b"{}", 1000.0 + TOLERANCE + 1)
        assert not is_signed(SECRET, "msg_1", "1000", good, b"{}", 1000.0 - TOLERANCE - 1)

    @given(st.text(), st.text(), st.text(), st.binary())
    def test_that_is_nonsense_is_none(self, one: str, two: str, three: str, body: bytes) -> None:
        assert not is_signed(SECRET, one, two, three, body, 1000.0)


async def test_a_webhook_has_the_job_looked_at_now_and_the_look_decides(tmp_path: Path) -> None:
    lab = Lab()
    async with serving_raw(lab.handle) as server:
        settings = lab_settings(
            tmp_path, server.url, upstream={"webhook_secret": SECRET}, polling={"min_interval": 600.0}
        )
        async with (
            running(settings) as gateway,
            person(gateway, credits=50) as ann,
            httpx.AsyncClient(base_url=gateway.address, trust_env=False) as upstream,
        ):
            task = await ann.comes_to((await ann.make())["videoId"], "processing")
            # What it claims is not believed: the upstream itself says that it is still at work.
            answer = await upstream.post(PATH, **message(task["externalVideoId"]))
            assert answer.status_code == 202
            lab.looks = {"status": "failed", "error": {"message": "It did not work."}}
            assert (await upstream.post(PATH, **message(task["externalVideoId"], "msg_2"))).status_code == 202
            task = await ann.comes_to(task["videoId"], "failed")
            assert task["error"]["message"] == "It did not work."


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(
            lambda: message("ext-1", **{"webhook-signature": "v1,bm9uc2Vuc2U="}), 401, id="another signature"
        ),
        pytest.param(lambda: message("ext-1", timestamp="1000"), 401, id="too old"),
        pytest.param(lambda: {"content": b"{}"}, 401, id="no signature"),
        pytest.param(lambda: {"content": b"x" * (64 * 1024 + 1)}, 413, id="too large"),
        pytest.param(lambda: message("nobody-has-this"), 202, id="an unknown job"),
        pytest.param(lambda: message({"no": "id"}), 202, id="no id"),
    ],
)
async def test_what_is_answered_tells_nothing(
    tmp_path: Path, sent: Callable[[], dict[str, Any]], status: int
) -> None:
    """Signed when it is sent: the tests are read long before, and a signature is good for five minutes."""
    settings = lab_settings(tmp_path, "http://127.0.0.1:1", upstream={"webhook_secret": SECRET})
    async with (
        running(settings) as gateway,
        httpx.AsyncClient(base_url=gateway.address, trust_env=False) as upstream,
    ):
        assert (await upstream.post(PATH, **sent())).status_code == status


async def test_the_same_message_again_has_no_effect_and_without_a_secret_there_is_no_route(
    tmp_path: Path,
) -> None:
    settings = lab_settings(tmp_path, "http://127.0.0.1:1", upstream={"webhook_secret": SECRET})
    async with (
        running(settings) as gateway,
        httpx.AsyncClient(base_url=gateway.address, trust_env=False) as upstream,
    ):
        again = message("ext-1")
        assert [(await upstream.post(PATH, **again)).status_code for _ in range(3)] == [202, 200, 200]
        assert (await upstream.post("/hooks/upstream/other", **again)).status_code == 404


async def test_an_upstream_may_say_something_as_often_as_it_has_something_to_say(tmp_path: Path) -> None:
    settings = lab_settings(
        tmp_path, "http://127.0.0.1:9", upstream={"webhook_secret": SECRET}, limits={"per_address": 2}
    )
    async with (
        running(settings) as gateway,
        httpx.AsyncClient(base_url=gateway.address, trust_env=False) as upstream,
    ):
        strangers = [(await upstream.get("/api/auth/me")).status_code for _ in range(3)]
        assert strangers == [401, 401, 429]
        told = [await upstream.post(PATH, **message("ext-1", f"msg_{number}")) for number in range(5)]
        assert [answer.status_code for answer in told] == [202] * 5
