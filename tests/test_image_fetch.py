"""Images behind addresses that people give: fetched from the internet, and never from our own network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from sora_gateway.errors import InvalidImage, Unavailable
from sora_gateway.media.image_source import ImageFetcher
from sora_gateway.upstream.addresses import public_only, public_or
from sora_gateway.upstream.client import HttpClient

from .hostile_addresses import Connects, names, recorded_connects, service_inside
from .pictures import encoded, striped
from .raw_server import Handler, Received, Wire, always, answer, serving_raw

IMAGE = encoded(striped())
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
UNREACHABLE = r"^The image cannot be fetched from its address; [^.]*\.$"


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.aclose()


@pytest.fixture
async def connects() -> AsyncIterator[Connects]:
    with recorded_connects() as seen:
        yield seen


def fetcher(client: HttpClient, *ports: int, timeout: float = 30.0, max_bytes: int = 1 << 20) -> ImageFetcher:
    """Trusts ``loopback.example`` on *ports*, which stands for the internet here; else public hosts only."""
    trusted = [f"loopback.example:{port}" for port in ports]
    return ImageFetcher(public_or(trusted, names), client, timeout=timeout, max_bytes=max_bytes)


async def fetch(images: ImageFetcher, url: str) -> bytes:
    async with images.fetched(url) as data:
        return data


async def fetched(client: HttpClient, handler: Handler, path: str = "/boat.png", **options: float) -> bytes:
    async with serving_raw(handler) as server:
        images = fetcher(client, server.port, **options)  # type: ignore[arg-type]
        return await fetch(images, f"http://loopback.example:{server.port}{path}")


# --- what arrives -------------------------------------------------------------------------------------


async def test_an_image_is_fetched_with_nothing_of_ours_in_the_request(client: HttpClient) -> None:
    async with serving_raw(always(answer(200, IMAGE, {"Content-Type": "image/png"}))) as server:
        url = f"http://loopback.example:{server.port}/boat.png?sig=1#top"
        assert await fetch(fetcher(client, server.port), url) == IMAGE
    [request] = server.requests
    assert (request.method, request.target) == ("GET", "/boat.png?sig=1")
    assert request.headers == {
        "host": f"loopback.example:{server.port}",
        "accept": "image/jpeg, image/png, image/webp",
        "accept-encoding": "identity",
        "connection": request.headers["connection"],
        "user-agent": "sora-gateway",
    }


@pytest.mark.parametrize("kind", ["text/html", "application/octet-stream", "application/json", "nonsense"])
async def test_the_declared_type_is_not_asked(client: HttpClient, kind: str) -> None:
    assert await fetched(client, always(answer(200, IMAGE, {"Content-Type": kind}))) == IMAGE


@pytest.mark.parametrize("body", [b"<svg/>", b"<html><script>", b"GIF89a" + bytes(99), b"", b"\x89PNG"])
async def test_what_is_no_image_is_refused_whatever_it_calls_itself(client: HttpClient, body: bytes) -> None:
    with pytest.raises(InvalidImage, match="not a JPEG, PNG or WebP"):
        await fetched(client, always(answer(200, body, {"Content-Type": "image/png"})))


async def test_a_page_is_not_fetched_to_its_end(client: HttpClient) -> None:
    async def endless(_: Received, wire: Wire) -> None:
        await wire.send(HEAD + b"\r\n<!doctype html><html>")
        await wire.hang()

    with pytest.raises(InvalidImage, match="not a JPEG, PNG or WebP"):
        await fetched(client, endless, timeout=30.0)


async def test_nothing_is_decompressed(client: HttpClient) -> None:
    """A bomb in transit stays as small as it is sent; compressed, an image is none."""
    body = b"\x1f\x8b\x08" + bytes(100)
    with pytest.raises(InvalidImage, match="not a JPEG, PNG or WebP"):
        await fetched(client, always(answer(200, body, {"Content-Encoding": "gzip"})))


# --- how much and how long ----------------------------------------------------------------------------


@pytest.mark.parametrize("declared", [b"Content-Length: 1048577\r\n", b""])
async def test_an_image_over_the_bound_is_refused(client: HttpClient, declared: bytes) -> None:
    endless = HEAD + declared + b"\r\n" + IMAGE + bytes(1 << 20)
    with pytest.raises(InvalidImage, match="larger than 1 MiB"):
        await fetched(client, always(endless))


async def test_an_image_that_says_that_it_is_too_large_is_not_waited_for(client: HttpClient) -> None:
    async def promising(_: Received, wire: Wire) -> None:
        await wire.send(HEAD + b"Content-Length: 99999999999\r\n\r\n")
        await wire.hang()

    with pytest.raises(InvalidImage, match="larger than 1 MiB"):
        await fetched(client, promising, timeout=30.0)


async def drip(_: Received, wire: Wire) -> None:
    await wire.send(HEAD + b"Content-Length: 1000\r\n\r\n")
    await wire.drip(IMAGE, 0.02)


async def silent(_: Received, wire: Wire) -> None:
    await wire.hang()


async def slow_circle(request: Received, wire: Wire) -> None:
    await asyncio.sleep(0.2)
    await wire.send(answer(302, "", {"Location": request.target}))


@pytest.mark.parametrize("handler", [drip, silent, slow_circle])
async def test_everything_together_has_one_deadline(client: HttpClient, handler: Handler) -> None:
    began = time.monotonic()
    with pytest.raises(InvalidImage, match=UNREACHABLE):
        await fetched(client, handler, timeout=0.3)
    assert time.monotonic() - began < 3


async def test_a_name_that_takes_for_ever_counts_too(client: HttpClient) -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(InvalidImage, match=UNREACHABLE):
        await fetch(ImageFetcher(public_only(never), client, timeout=0.1), "http://public.example/")


async def test_so_many_images_are_on_their_way_and_no_more(client: HttpClient) -> None:
    under_way, most = 0, 0
    in_pairs = asyncio.Barrier(2)

    async def counting(_: Received, wire: Wire) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await in_pairs.wait()
        under_way -= 1
        await wire.send(answer(200, IMAGE))

    async with serving_raw(counting) as server:
        guard = public_or([f"loopback.example:{server.port}"], names)
        images = ImageFetcher(guard, client, at_once=2)
        url = f"http://loopback.example:{server.port}/"
        assert await asyncio.gather(*(fetch(images, url) for _ in range(6))) == [IMAGE] * 6
    assert most == 2


async def test_waiting_for_a_turn_is_not_part_of_an_images_own_time(client: HttpClient) -> None:
    async def slow(_: Received, wire: Wire) -> None:
        await asyncio.sleep(0.3)
        await wire.send(answer(200, IMAGE))

    async with serving_raw(slow) as server:
        guard = public_or([f"loopback.example:{server.port}"], names)
        images = ImageFetcher(guard, client, timeout=0.8, at_once=1)
        url = f"http://loopback.example:{server.port}/"
        assert await asyncio.gather(*(fetch(images, url) for _ in range(4))) == [IMAGE] * 4


async def test_who_would_wait_too_long_for_a_turn_is_told_to_come_back(client: HttpClient) -> None:
    async with serving_raw(silent) as server:
        guard = public_or([f"loopback.example:{server.port}"], names)
        images = ImageFetcher(guard, client, at_once=1, patience=0.05)
        url = f"http://loopback.example:{server.port}/"
        first = asyncio.create_task(fetch(images, url))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="Too many images are being fetched") as busy:
            await fetch(images, url)
        assert busy.value.retry_after == 10
        first.cancel()
        await asyncio.wait({first})
        # There is a turn again, and its own time runs out instead.
        with pytest.raises(InvalidImage, match=UNREACHABLE):
            await fetch(ImageFetcher(guard, client, timeout=0.05), url)


async def test_an_image_keeps_its_place_until_it_is_not_needed_any_more(client: HttpClient) -> None:
    """However many requests name one, few are in memory, whatever they then wait for."""
    async with serving_raw(always(answer(200, IMAGE))) as server:
        guard = public_or([f"loopback.example:{server.port}"], names)
        images = ImageFetcher(guard, client, at_once=1, patience=0.05)
        url = f"http://loopback.example:{server.port}/"
        async with images.fetched(url) as data:
            assert data == IMAGE
            with pytest.raises(Unavailable):
                await fetch(images, url)
        assert await fetch(images, url) == IMAGE


# --- redirects ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "location", ["/there.png", "there.png?x=1", "http://loopback.example:{port}/there.png"]
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(client: HttpClient, status: int, location: str) -> None:
    async def handle(request: Received, wire: Wire) -> None:
        onward = location.format(port=server.port)
        sent_on = answer(status, "", {"Location": onward, "Set-Cookie": "who=you"})
        await wire.send(answer(200, IMAGE) if request.target.startswith("/there.png") else sent_on)

    async with serving_raw(handle) as server:
        url = f"http://loopback.example:{server.port}/boat.png"
        assert await fetch(fetcher(client, server.port), url) == IMAGE
    assert "cookie" not in server.requests[1].headers
    assert "referer" not in server.requests[1].headers


@pytest.mark.parametrize("hops", [3, 4])
async def test_three_redirects_are_followed_and_no_more(client: HttpClient, hops: int) -> None:
    async def handle(request: Received, wire: Wire) -> None:
        done = len(server.requests) - 1
        await wire.send(answer(200, IMAGE) if done == hops else answer(302, "", {"Location": f"/{done}"}))

    async with serving_raw(handle) as server:
        fetching = fetch(fetcher(client, server.port), f"http://loopback.example:{server.port}/")
        if hops == 3:
            assert await fetching == IMAGE
        else:
            with pytest.raises(InvalidImage, match=UNREACHABLE):
                await fetching
    assert len(server.requests) == 4


# --- our own network ----------------------------------------------------------------------------------


async def test_no_hostile_address_of_an_image_is_connected_to(client: HttpClient, connects: Connects) -> None:
    async with service_inside(answer(200, IMAGE)) as inside:
        images = ImageFetcher(public_only(names, ports={80, 443, inside.port}), client)
        for url in inside.addresses():
            with pytest.raises(InvalidImage) as caught:
                await fetch(images, url)
            assert caught.value.message.startswith("The image"), url
        assert inside.connections == 0
    assert connects.asked == []


async def test_no_redirect_leads_inward(client: HttpClient, connects: Connects) -> None:
    async with service_inside(answer(200, IMAGE)) as inside:
        for url in inside.addresses():
            location = url.encode().replace(b"\r\n", b"")
            sent_on = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
            async with serving_raw(always(sent_on)) as cdn:
                guard = public_or([f"loopback.example:{cdn.port}"], names, ports={80, 443, inside.port})
                with pytest.raises(InvalidImage, match=UNREACHABLE):
                    await fetch(ImageFetcher(guard, client), f"http://loopback.example:{cdn.port}/")
                assert {port for _, port in connects.asked} == {cdn.port}, url
                connects.asked.clear()
        assert inside.connections == 0


async def test_a_name_that_changes_its_mind_is_asked_once(client: HttpClient, connects: Connects) -> None:
    """Rebinding: public when it is checked, private when it is connected to."""
    answers = [["8.8.8.8"], ["127.0.0.1"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    async with service_inside(answer(200, IMAGE)) as inside:
        images = ImageFetcher(public_only(rebinding, ports={inside.port}), client)
        with pytest.raises(InvalidImage, match=UNREACHABLE):
            await fetch(images, f"http://rebind.example:{inside.port}/")
        assert inside.connections == 0
    assert connects.asked == [("8.8.8.8", inside.port)]


async def test_a_name_that_changes_its_mind_between_redirects_is_checked_again(
    client: HttpClient, connects: Connects
) -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    async def check(host: str, port: int) -> Sequence[str]:
        # The loopback stands for the internet once.
        return await (public_or([host], rebinding, {port}) if len(answers) == 2 else public_only(rebinding))(
            host, port
        )

    async with serving_raw(always(answer(302, "", {"Location": "/again"}))) as server:
        with pytest.raises(InvalidImage, match=UNREACHABLE):
            await fetch(ImageFetcher(check, client), f"http://rebind.example:{server.port}/")
        assert len(server.requests) == 1
    assert connects.asked == [("127.0.0.1", server.port)]


async def message_of(images: ImageFetcher, url: str) -> str:
    with pytest.raises(InvalidImage) as caught:
        await fetch(images, url)
    return caught.value.message


async def test_the_answer_does_not_tell_who_is_there(client: HttpClient, connects: Connects) -> None:
    """Nobody, somebody private, somebody who does not answer, who refuses, who fails: one and the same sentence."""
    told = set()
    async with service_inside() as inside:
        images = ImageFetcher(public_only(names, ports={80, 443, inside.port}), client)
        for host in ("nowhere.invalid", "loopback.example", "intranet.example", "public.example"):
            told.add(await message_of(images, f"http://{host}:{inside.port}/"))
        told.add(await message_of(images, "http://public.example:22/"))
    for reply in (answer(404), answer(401), answer(500), answer(206, IMAGE), b"", b"nonsense", HEAD[:30]):
        async with serving_raw(always(reply)) as server:
            url = f"http://loopback.example:{server.port}/"
            told.add(await message_of(fetcher(client, server.port), url))
    cut = HEAD + b"Content-Length: 100000\r\n\r\n" + IMAGE
    async with serving_raw(always(cut)) as server:
        told.add(await message_of(fetcher(client, server.port), f"http://loopback.example:{server.port}/"))
    [message] = told
    assert message.startswith("The image cannot be fetched from its address")


async def test_an_operators_own_image_host_may_be_private(client: HttpClient) -> None:
    async with serving_raw(always(answer(200, IMAGE))) as server:
        images = ImageFetcher(public_or([f"127.0.0.1:{server.port}"]), client)
        assert await fetch(images, f"http://127.0.0.1:{server.port}/boat.png") == IMAGE
        with pytest.raises(InvalidImage, match=UNREACHABLE):
            await fetch(images, f"http://localhost:{server.port}/boat.png")


@pytest.mark.parametrize(
    "url", ["data:image/png;base64,AAAA", "file:///etc/passwd", "boat.png", "http://me:pw@x.example/"]
)
async def test_an_address_that_is_none_says_what_one_looks_like(client: HttpClient, url: str) -> None:
    with pytest.raises(InvalidImage, match="must begin with http"):
        await fetch(fetcher(client), url)
