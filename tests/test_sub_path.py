"""``server.root_path``: the gateway below a path of somebody else's host, behind real proxies of both kinds."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from websockets.asyncio.client import connect

from sora_gateway.app import Gateway, opened
from sora_gateway.errors import StartupError
from sora_gateway.http.edge import check_root_path
from sora_gateway.http.system import System
from sora_gateway.http.table import table
from tests.between import Proxy, standing
from tests.running import Json, person, running, settings_for
from tests.team import BLACK

ROOT = "/videos"
EACH_KIND = pytest.mark.parametrize("strips", [True, False], ids=["prefix taken off", "prefix left on"])


@asynccontextmanager
async def below(tmp_path: Path, *, strips: bool) -> AsyncIterator[tuple[Gateway, httpx.AsyncClient]]:
    """The gateway below the path, and Ann's program in front of the proxy."""
    server = {"root_path": ROOT, "trusted_proxies": ["127.0.0.1"], "public_url": f"https://team.test{ROOT}"}
    async with (
        running(settings_for(tmp_path, server=server)) as gateway,
        person(gateway) as ann,
        standing(Proxy(port_of(gateway), prefix=ROOT, strips=strips)) as proxy,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{proxy.port}", headers=ann.http.headers, trust_env=False
        ) as program,
    ):
        yield gateway, program


def port_of(gateway: Gateway) -> int:
    return httpx.URL(gateway.address).port or 80


class Addresses(HTMLParser):
    """Every address in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attributes if name in ("href", "src") and value]


@EACH_KIND
async def test_the_page_and_all_it_is_made_of_is_below_the_path(tmp_path: Path, strips: bool) -> None:
    async with below(tmp_path, strips=strips) as (_, browser):
        page = await browser.get(f"{ROOT}/")
        assert page.headers["content-type"].startswith("text/html")
        addresses = Addresses()
        addresses.feed(page.text)
        assert len(addresses.found) > 3
        for address in addresses.found:
            assert (await browser.get(urljoin(str(page.url), address))).status_code == 200, address
        for outside in ("/", "/api/models", "/videosx", "/openapi.json"):
            assert (await browser.get(outside)).status_code == 404


async def test_the_path_without_its_slash_leads_to_the_page(tmp_path: Path) -> None:
    async with below(tmp_path, strips=False) as (_, browser):
        answer = await browser.get(f"{ROOT}?lang=en")
        assert (answer.status_code, answer.headers["location"]) == (308, f"{ROOT}/")
        assert answer.headers["x-content-type-options"] == "nosniff"


@EACH_KIND
async def test_a_video_is_made_watched_and_fetched(tmp_path: Path, strips: bool) -> None:
    async with below(tmp_path, strips=strips) as (gateway, program):
        made = await program.post(f"{ROOT}/api/video/tasks", json={"prompt": "a boat"})
        video = made.json()["videoId"]
        updates = [update async for update in followed(program, f"{ROOT}/api/video/tasks/{video}/stream")]
        assert updates[-1]["stage"] == "completed"
        task = (await program.get(f"{ROOT}/api/video/tasks/{video}")).json()
        # Its addresses are whole: the browser asks the proxy for them, without a credential.
        told = [update["assets"]["videoUrl"] for update in updates if update.get("assets")]
        assert told
        async with httpx.AsyncClient(base_url=program.base_url, trust_env=False) as player:
            for url in (task["videoUrl"], *told):
                assert url.startswith(f"{ROOT}/api/video/tasks/{video}/content?")
                file = await player.get(url)
                assert (file.status_code, file.headers["content-type"]) == (200, "video/mp4")
        assert gateway.public_url == f"https://team.test{ROOT}"


async def followed(program: httpx.AsyncClient, path: str) -> AsyncIterator[Json]:
    async with program.stream("GET", path) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        async for line in stream.aiter_lines():
            if line.startswith("data: {"):
                yield json.loads(line.removeprefix("data: "))


@EACH_KIND
async def test_a_websocket_opens_below_the_path_and_nowhere_else(tmp_path: Path, strips: bool) -> None:
    async with below(tmp_path, strips=strips) as (_, program):
        address = f"ws://127.0.0.1:{program.base_url.port}{ROOT}/ws"
        headers = {"Authorization": program.headers["authorization"]}
        async with connect(address, additional_headers=headers, proxy=None) as socket:
            assert json.loads(await socket.recv())["type"] == "ready"


@EACH_KIND
async def test_an_upload_has_the_room_of_uploads(tmp_path: Path, strips: bool) -> None:
    async with below(tmp_path, strips=strips) as (_, program):
        large = {"imageUrl": BLACK, "name": "x" * (2 << 20)}  # more than a usual body may have
        answer = await program.post(f"{ROOT}/api/references", json=large)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "name")
        image = (await program.post(f"{ROOT}/api/references", json={"imageUrl": BLACK})).json()
        assert image["url"] == f"{ROOT}/api/references/{image['id']}/content"
        assert (await program.get(image["url"])).status_code == 200


async def test_the_same_order_over_both_kinds_of_proxy_is_one_order(tmp_path: Path) -> None:
    async with below(tmp_path, strips=True) as (gateway, program):
        async with standing(Proxy(port_of(gateway), prefix=ROOT)) as other:
            headers = {"Idempotency-Key": "order-1"}
            path, wish = f"{ROOT}/api/video/tasks", {"prompt": "a boat"}
            first = await program.post(path, json=wish, headers=headers)
            again = await program.post(f"http://127.0.0.1:{other.port}{path}", json=wish, headers=headers)
        assert first.json()["videoId"] == again.json()["videoId"]


async def test_the_description_says_where_it_is(tmp_path: Path) -> None:
    async with below(tmp_path, strips=True) as (_, program):
        served = (await program.get(f"{ROOT}/openapi.json")).json()
        assert served["servers"] == [{"url": f"https://team.test{ROOT}"}]


@pytest.mark.parametrize("root_path", ["/api", "/v1", "/ws", "/health", "/api/video"])
async def test_a_path_that_is_the_gateways_own_is_refused_at_the_start(
    tmp_path: Path, root_path: str
) -> None:
    with pytest.raises(StartupError, match=f"cannot be {root_path}"):
        async with opened(settings_for(tmp_path, server={"root_path": root_path})):
            pass


def test_every_route_is_looked_at_and_a_longer_name_is_no_beginning() -> None:
    paths = [endpoint.path for endpoint in table(System(0.0, list))]
    for path in paths:
        with pytest.raises(StartupError):
            check_root_path(f"/{path.split('/')[1]}", paths)
    check_root_path("/ap", paths)
    check_root_path("/apis", paths)
    check_root_path("", paths)
