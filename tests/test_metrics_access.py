"""Who may read ``/metrics``: programs on this machine, and whoever has the token."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from sora_gateway.errors import StartupError
from sora_gateway.http.system import System
from sora_gateway.metrics_settings import Metrics
from sora_gateway.runtime_settings import RuntimeSettings
from sora_gateway.settings import load_settings
from tests.canaries import MARK
from tests.http_calls import NOBODY, StillClock, application, services
from tests.running import OnlyGiven, person, running, settings_for

TOKEN = f"{MARK}-of-the-metrics"
HERE = "http://127.0.0.1:8000"


async def asked(
    peer: str, url: str = HERE, token: str = TOKEN, headers: dict[str, str] | None = None, **metrics: Any
) -> httpx.Response:
    """The answer to a program at the address *peer*."""

    async def text() -> bytes:
        return b"numbers"

    settings = OnlyGiven(metrics=Metrics(**{"token": token} | metrics))
    parts = replace(services(), metrics=text, runtime=RuntimeSettings(settings, NOBODY, StillClock()))
    app = application(System(0.0, list).endpoints(), parts)
    transport = httpx.ASGITransport(app=app, client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=url) as client:
        return await client.get("/metrics", headers=headers)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("url", [HERE, "http://localhost:8000", "http://[::1]:8000"])
async def test_this_machine_may(peer: str, url: str) -> None:
    answer = await asked(peer, url)
    assert (answer.status_code, answer.text) == (200, "numbers")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("peer", ["10.0.0.7", "192.168.1.4", "2001:db8::1", "::ffff:10.0.0.7", "unix", ""])
async def test_another_machine_may_with_the_token_alone(peer: str) -> None:
    url = "https://videos.example.org"
    for sent, status in (
        (None, 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        (f"Basic {TOKEN}", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer näh", 401),
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN} ", 200),
    ):
        headers = {} if sent is None else {"authorization": sent.encode("latin-1")}
        answer = await asked(peer, url, headers=headers)  # type: ignore[arg-type]  # bytes are headers too
        assert (sent, answer.status_code) == (sent, status)
        if status == 401:
            assert answer.json()["error"]["code"] == "not_authenticated"
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_without_a_token_there_is_nothing_for_others() -> None:
    for headers in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer x"}):
        answer = await asked("10.0.0.7", token="", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_what_is_switched_off_is_not_there_for_anybody() -> None:
    for peer in ("127.0.0.1", "10.0.0.7"):
        answer = await asked(peer, headers={"authorization": f"Bearer {TOKEN}"}, enabled=False)
        assert answer.status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "127.0.0.1"},
        {"x-forwarded-for": "203.0.113.9"},
        {"x-forwarded-proto": "https"},
        {"forwarded": "for=127.0.0.1"},
        {"x-real-ip": "127.0.0.1"},
        {"via": "1.1 proxy"},
        {"host": "videos.example.org"},
        {"host": "evil.test:8000"},
    ],
    ids=str,
)
async def test_what_came_through_a_proxy_on_this_machine_is_not_from_it(headers: dict[str, str]) -> None:
    """Nor what a browser here was led to by a name that somebody pointed at this machine."""
    assert (await asked("127.0.0.1", token="", headers=headers)).status_code == 404
    headers |= {"authorization": f"Bearer {TOKEN}"}
    assert (await asked("127.0.0.1", headers=headers)).status_code == 200


async def test_over_a_real_socket_a_trusted_proxys_word_counts(tmp_path: Path) -> None:
    server = {"trusted_proxies": ("127.0.0.1",), "public_url": "https://videos.example.org"}
    settings = settings_for(tmp_path, server=server, metrics={"token": TOKEN})
    async with running(settings) as gateway, person(gateway) as ann:
        forwarded = {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"}
        for headers, status in (
            ({"authorization": ""}, 200),
            (forwarded, 401),
            (forwarded | {"authorization": f"Bearer {TOKEN}"}, 200),
            # A key of a person, and be it an administrator's, is for other things.
            (forwarded | {"authorization": f"Bearer {ann.key}"}, 401),
        ):
            assert (await ann.http.get("/metrics", headers=headers)).status_code == status, headers
        assert (await ann.http.get(f"/metrics?token={TOKEN}")).status_code == 400, (
            "addresses are kept in logs"
        )


def test_a_token_that_can_be_guessed_is_no_setting(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"metrics\.token: .*16 characters or more") as error:
        load_settings(data_dir=tmp_path, metrics={"token": "short"})
    assert "short" not in str(error.value).replace("shorter", "")
