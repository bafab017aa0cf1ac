"""Images that are meant to hurt: bombs against a process of its own, addresses of our own network, and bodies that
are too large. All of it over sockets, and none of it leaves anything behind."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.hostile_addresses import NAMES, recorded_connects, service_inside
from tests.lab import Lab
from tests.loop_lag import TRIES
from tests.measured import stalls
from tests.paid_routes import refused, shop
from tests.pictures import bomb, encoded, striped
from tests.processes import Client, LoggingUpstream, Program, furnish, program, settle_in
from tests.raw_server import always, answer, serving_raw
from tests.test_images_api import kept
from tests.test_references_api import data_url

OPENAI, OWN, SAVED, PREVIEW = "/v1/videos", "/api/video/tasks", "/api/references", "/api/references/preview"
MiB = 1 << 20
LONGEST_STALL = 0.05
"""Seconds for which the event loop may do nothing else."""

# --- a bomb ------------------------------------------------------------------------------------------


@dataclass
class Measured:
    """A gateway in a process of its own, and what it costs that process to serve something."""

    running: Program
    client: Client
    lines: Path
    data: Path

    @property
    def status(self) -> dict[str, str]:
        lines = Path(f"/proc/{self.running.process.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    async def cost(self, work: Callable[[], Awaitable[None]]) -> tuple[float, int]:
        """The longest stall of its event loop while *work* is done, in seconds, and by how much it grew, in bytes.

        What the code does it does each time, what the machine does besides it does not: the best of a few tries.
        """
        tries: list[tuple[float, int]] = []
        while len(tries) < TRIES and (not tries or tries[-1][0] >= LONGEST_STALL):
            tries.append(await self._cost_once(work))
        return min(tries)

    async def _cost_once(self, work: Callable[[], Awaitable[None]]) -> tuple[float, int]:
        self.forget_peak()
        before, since = self.resident("VmRSS"), time.time()
        await work()
        await asyncio.sleep(0.05)
        return max(stalls(self.lines, since), default=0.0), self.resident("VmHWM") - before

    def forget_peak(self) -> None:
        """From here on VmHWM is the most that it has had since."""
        Path(f"/proc/{self.running.process.pid}/clear_refs").write_text("5")

    def resident(self, name: str) -> int:
        return int(self.status[name].removesuffix(" kB")) * 1024


@asynccontextmanager
async def measured(directory: Path, *hosts: str) -> AsyncIterator[Measured]:
    async with serving_raw(Lab().handle) as upstream:
        key = await furnish(directory / "template")
        place = settle_in(
            directory / "place",
            directory / "template",
            key,
            LoggingUpstream(upstream.url, directory / "none"),
        )
        config, lines = place.root / "config.toml", directory / "stalls"
        text = config.read_text().replace("[media]", f"[media]\nimage_hosts = {list(hosts)}")
        config.write_text(text.replace('sizes = ["720x1280"]', ""))
        serve = ("serve", "--config", str(config), "--data-dir", str(place.data))
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            program(directory / "gateway.log", "tests.measured", str(lines), *serve) as running,
            httpx.AsyncClient(base_url=running.address, headers=headers, trust_env=False, timeout=30) as http,
        ):
            yield Measured(running, Client(http), lines, place.data)


@pytest.mark.measures
async def test_a_bomb_of_twenty_kilobytes_is_refused_and_nobody_notices(tmp_path: Path) -> None:
    data = bomb(13_000)
    assert len(data) < 40_000
    async with (
        serving_raw(always(answer(200, data))) as gallery,
        measured(tmp_path, f"127.0.0.1:{gallery.port}") as at,
    ):
        form = {"data": {"prompt": "a boat"}, "files": {"input_reference": ("a.png", data)}}
        image = {"image_url": data_url(data)}
        address = {"image_url": f"{gallery.url}/a.png"}
        ways: list[tuple[str, Any]] = [
            (OPENAI, form),
            (OPENAI, {"json": {"prompt": "a boat", "input_reference": image}}),
            (OPENAI, {"json": {"prompt": "a boat", "input_reference": address}}),
            (OWN, {"json": {"prompt": "a boat", "inputReference": {"imageUrl": image["image_url"]}}}),
            (SAVED, {"files": {"file": ("a.png", data)}}),
            (PREVIEW, {"data": {"size": "720x1280"}, "files": {"file": ("a.png", data)}}),
        ]

        async def explode(path: str, options: Any) -> None:
            response = await at.client.http.post(path, **options)
            assert refused(response) == (400, "invalid_image", "false"), response.text
            assert "13000 x 13000" in response.json()["error"]["message"]

        async def all_at_once() -> None:
            await asyncio.gather(*(explode(*way) for way in ways * 3))

        works: list[Callable[[], Awaitable[None]]] = [partial(explode, *way) for way in ways]
        for work in (*works, all_at_once):
            stall, grown = await at.cost(work)
            assert stall < LONGEST_STALL
            assert grown < 50 * MiB
        assert await at.client.tasks() == []
        assert kept(at.data) == []


# --- our own network ---------------------------------------------------------------------------------


@contextmanager
def fake_names() -> Iterator[None]:
    """The name service of the tests below the event loop, for the names that it knows; the rest is the system's."""
    loop = asyncio.get_running_loop()
    system = loop.getaddrinfo

    async def getaddrinfo(host: Any, port: Any, **options: Any) -> Any:
        if not isinstance(host, str) or host not in NAMES:
            if isinstance(host, str) and host.endswith((".example", ".invalid")):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return await system(host, port, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in NAMES[host]]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop, "getaddrinfo", getaddrinfo)
        yield


async def test_no_address_of_our_own_network_is_connected_to_or_told_about(tmp_path: Path) -> None:
    """Whether somebody listens there or not, the answer is the same."""
    secret = answer(200, encoded(striped()))
    async with shop(tmp_path, sources=0) as at:
        cost, gateway = await at.cost(), httpx.URL(at.gateway.address).port
        told: list[dict[str, str]] = []
        async with service_inside(secret) as inside:
            urls = [url for url in inside.addresses() if url]
            urls += [url.replace(f":{inside.port}", "") for url in urls]
        assert len(set(urls)) > 160
        with fake_names(), recorded_connects() as connects:
            for listening in (True, False):
                answers: dict[str, str] = {}
                async with maybe(listening, inside.port, secret) as connections:
                    for url in dict.fromkeys(urls):
                        for path, field, name in (
                            (OPENAI, "input_reference", "image_url"),
                            (OWN, "inputReference", "imageUrl"),
                        ):
                            wish = {"prompt": "a boat", field: {name: url}}
                            response = await at.ann.http.post(path, json=wish)
                            assert refused(response) == (400, "invalid_image", "false"), url
                            answers[path + url] = response.json()["error"]["message"]
                    assert connections() == 0
                told.append(answers)
            assert {port for _, port in connects.asked} <= {gateway}
        assert told[0] == told[1]
        assert {message.split(";")[0] for message in told[0].values()} == {
            "The image cannot be fetched from its address",
            "The image's address is not usable",
        }
        assert await at.cost() == cost
        assert kept(tmp_path) == []


@asynccontextmanager
async def maybe(listening: bool, port: int, data: bytes) -> AsyncIterator[Callable[[], int]]:
    """A service on *port* that counts its visitors, or nobody."""
    if not listening:
        yield lambda: 0
        return
    async with serving_raw(always(data), port=port) as server:
        yield lambda: server.connections


# --- too much ----------------------------------------------------------------------------------------


def put_away() -> int:
    """Files without a name that this process holds."""
    links = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum("(deleted)" in link for link in links)


async def test_a_byte_over_25_mib_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    head = b'--b\r\nContent-Disposition: form-data; name="input_reference"; filename="a.png"\r\n\r\n'
    tail = b'\r\n--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na boat\r\n--b--\r\n'
    image = encoded(striped())

    def body(size: int) -> bytes:
        return head + image + bytes(size - len(head) - len(image) - len(tail)) + tail

    async def in_pieces(data: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(data), 1 << 16):
            yield data[start : start + (1 << 16)]

    data_dir = tmp_path / "data"
    async with shop(data_dir, sources=0) as at:
        cost, before = await at.cost(), put_away()
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        for path in (OPENAI, OWN):
            for declared in (True, False):
                content: Any = body(25 * MiB + 1)
                content = content if declared else in_pieces(content)
                response = await at.ann.http.post(path, content=content, headers=headers)
                assert refused(response) == (413, "too_large", "false"), (path, declared)
        # What fits is read, and then looked at.
        response = await at.ann.http.post(OPENAI, content=body(25 * MiB), headers=headers)
        assert refused(response) == (400, "invalid_image", "false")
        assert await at.cost() == cost
        assert kept(data_dir) == []
        assert put_away() == before
        assert list(temporary.iterdir()) == []
