"""Official clients send a POST again after a lost answer, with no key: they only count their tries. However many of
them arrive, and whatever the earlier ones are still busy with, one request is one job, on every paid route.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.live import until
from tests.paid_routes import (
    IMAGES,
    PICTURE,
    Asking,
    Shop,
    different,
    id_of,
    refused,
    send,
    shop,
    signed_in,
    stored,
    with_image,
)
from tests.pictures import encoded, striped
from tests.raw_server import Received, Wire, answer, serving_raw
from tests.running import Person, person


async def tried(shop: Shop, ask: Asking, count: object, who: Person | None = None, **headers: str) -> str:
    """The id that try number *count* is answered with."""
    return await shop.made(ask, who, x_stainless_retry_count=str(count), **headers)


# --- one request -------------------------------------------------------------------------------------


async def test_three_tries_are_one_job(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        for ask in at.everything():
            first = await tried(at, ask, 0)
            cost = await at.cost()
            assert [await tried(at, ask, 1), await tried(at, ask, 2)] == [first, first], ask
            assert await at.cost() == cost, ask


async def test_a_try_that_never_arrived_does_not_break_the_chain(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        for ask in at.everything():
            assert await tried(at, ask, 2) == await tried(at, ask, 3) == await tried(at, ask, 5), ask


async def test_a_form_that_is_written_anew_for_the_next_try_is_the_same_request(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        for ask in [ask for ask in at.everything() if ask.form]:
            again = replace(ask, boundary="another", filename="tmp-17.mp4", backwards=True)
            assert await tried(at, ask, 0) == await tried(at, again, 1), ask


@pytest.mark.parametrize("way", IMAGES)
async def test_an_image_is_part_of_the_request(way: str, tmp_path: Path) -> None:
    ask, other = with_image(way), with_image(way, encoded(striped(80, 128)))
    async with shop(tmp_path, sources=0) as at:
        first = await tried(at, ask, 0)
        cost = await at.cost()
        assert await tried(at, ask, 1) == await tried(at, replace(ask, filename="b.jpg"), 2) == first
        assert await at.cost() == cost
        assert await tried(at, other, 3) != first
        assert len(stored(tmp_path, "reference")) == 2


# --- other requests ----------------------------------------------------------------------------------


async def test_the_same_asked_for_twice_is_two_jobs(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        for ask in at.everything():
            assert await tried(at, ask, 0) != await tried(at, ask, 0), ask


async def test_two_equal_requests_that_are_both_sent_again_are_two_jobs(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        for ask in at.everything():
            made = {await tried(at, ask, 0), await tried(at, ask, 0)}
            assert {await tried(at, ask, 1), await tried(at, ask, 1)} == made, ask
            assert {await tried(at, ask, 2), await tried(at, ask, 2)} == made, ask
            assert await tried(at, ask, 1) not in made, ask


async def test_another_body_or_video_is_another_request(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        for ask in at.everything():
            made = await tried(at, ask, 0)
            for other in different(ask, at.sources[1]):
                assert await tried(at, other, 1) != made, other


async def test_another_api_key_is_another_client(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        laptop, _ = await at.gateway.accounts.create_key("user_ann", "laptop")
        for ask in at.everything():
            made = await tried(at, ask, 0)
            assert await tried(at, ask, 1, authorization=f"Bearer {laptop}") != made, ask


async def test_another_persons_equal_request_is_another_job(tmp_path: Path) -> None:
    async with shop(tmp_path) as at, person(at.gateway, "bob", credits=1000) as bob:
        ask = Asking("", "/v1/videos", {"prompt": "a boat"})
        assert await tried(at, ask, 0) != await tried(at, ask, 1, bob)


async def test_a_browser_has_no_such_client(tmp_path: Path) -> None:
    """A page that sends the header, for whatever reason, means what it asks for."""
    async with shop(tmp_path) as at, signed_in(at.ann) as page:
        for ask in at.everything():
            assert await tried(at, ask, 0, page) != await tried(at, ask, 1, page), ask


async def test_what_is_no_count_is_not_looked_at(tmp_path: Path) -> None:
    garbage = ("-1", "abc", "99999", "", "1.0", "0x1", "1 1", "+1", "true")
    async with shop(tmp_path) as at:
        for ask, some in zip(at.everything(), itertools.cycle((garbage[:3], garbage[3:6], garbage[6:]))):
            made = {await tried(at, ask, 0)} | {await tried(at, ask, count) for count in some}
            assert len(made) == 1 + len(some), (ask, some)


async def test_a_key_says_more_than_a_count(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        for number, ask in enumerate(at.everything()):
            first = await tried(at, ask, 0)
            keyed = await tried(at, ask, 1, idempotency_key=f"k{number}")
            assert keyed != first
            assert await tried(at, ask, 2, idempotency_key=f"k{number}") == keyed
            assert await tried(at, ask, 1) == first, ask


# --- while the earlier try is still being worked on --------------------------------------------------


@dataclass
class Images:
    """A server of images that keeps everybody waiting until it is opened."""

    port: int = 0
    answer: bytes = answer(200, PICTURE)
    asked: int = 0
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, _: Received, wire: Wire) -> None:
        self.asked += 1
        await self.opened.wait()
        await wire.send(self.answer)

    async def wait_for(self, number: int) -> None:
        await until(lambda: self.asked >= number)

    def askings(self) -> list[Asking]:
        """A create on each API with an image from here."""
        url = f"http://127.0.0.1:{self.port}/boat.png"
        base = {"prompt": "a boat", "size": "720x1280"}
        return [
            Asking("", "/v1/videos", {**base, "input_reference": {"image_url": url}}),
            Asking("", "/api/video/tasks", {**base, "inputReference": {"imageUrl": url}}),
        ]


@asynccontextmanager
async def slow_images(data_dir: Path) -> AsyncIterator[tuple[Shop, Images]]:
    images = Images()
    async with serving_raw(images.handle) as server:
        images.port = server.port
        hosts = {"image_hosts": [f"127.0.0.1:{server.port}"]}
        async with shop(data_dir, sources=0, media=hosts) as at:
            yield at, images
            images.opened.set()


SAME = ({"x_stainless_retry_count": "{n}"}, {"idempotency_key": "k"})
"""The two ways to say that a request is an earlier one."""


@pytest.mark.parametrize("says", SAME, ids=["by count", "by key"])
async def test_a_try_waits_for_an_earlier_one_and_gets_its_job(says: dict[str, str], tmp_path: Path) -> None:
    async with slow_images(tmp_path) as (at, images):
        for number, ask in enumerate(images.askings(), 1):
            images.opened.clear()
            tries = []
            for n in (0, 1, 3):
                headers = {name: value.format(n=n) for name, value in says.items()}
                tries.append(asyncio.create_task(send(at.ann, ask, **headers)))
                await images.wait_for(number)
                await a_moment(at)
            images.opened.set()
            assert len({id_of(answer) for answer in await asyncio.gather(*tries)}) == 1
            assert images.asked == number
            assert await at.jobs() == number


@pytest.mark.parametrize("says", SAME, ids=["by count", "by key"])
async def test_a_try_whose_earlier_one_fails_is_a_request_of_its_own(
    says: dict[str, str], tmp_path: Path
) -> None:
    async with slow_images(tmp_path) as (at, images):
        cost = await at.cost()
        images.answer = answer(200, b"<html>This is no image.</html>")
        ask = images.askings()[0]
        tries = []
        for n in range(3):
            headers = {name: value.format(n=n) for name, value in says.items()}
            tries.append(asyncio.create_task(send(at.ann, ask, **headers)))
            await images.wait_for(1)
            await a_moment(at)
        assert images.asked == 1
        images.opened.set()
        for failed in await asyncio.gather(*tries):
            assert refused(failed) == (400, "invalid_image", "false")
        assert images.asked == 3
        assert await at.cost() == cost
        # Once it is there, the next try is served.
        images.answer = answer(200, PICTURE)
        headers = {name: value.format(n=3) for name, value in says.items()}
        assert id_of(await send(at.ann, ask, **headers))


async def test_two_equal_requests_at_once_that_are_both_sent_again_at_once_are_two_jobs(
    tmp_path: Path,
) -> None:
    async with slow_images(tmp_path) as (at, images):
        ask = images.askings()[0]
        tries = []
        for count in (0, 0, 1, 1, 2, 2):
            tries.append(asyncio.create_task(tried(at, ask, count)))
            await images.wait_for(min(2, len(tries)))
            await a_moment(at)
        images.opened.set()
        made = await asyncio.gather(*tries)
        assert set(made[:2]) == set(made[2:4]) == set(made[4:])
        assert await at.jobs() == images.asked == 2


async def test_a_client_that_leaves_before_its_answer_finds_its_job_at_the_next_try(tmp_path: Path) -> None:
    async with slow_images(tmp_path) as (at, images):
        for number, ask in enumerate(images.askings(), 1):
            images.opened.clear()
            await leave_before_the_answer(at, ask, images, number)
            again = asyncio.create_task(tried(at, ask, 1))
            await a_moment(at)
            images.opened.set()
            made = await again
            assert await at.jobs() == images.asked == number
            assert (await at.ann.task(made))["videoId"] == made


async def test_a_client_that_leaves_and_never_comes_back_has_one_job(tmp_path: Path) -> None:
    async with slow_images(tmp_path) as (at, images):
        await leave_before_the_answer(at, images.askings()[0], images, 1)
        images.opened.set()
        await until(lambda: len(at.lab.orders) == 1)
        assert await at.jobs() == 1


async def a_moment(at: Shop) -> None:
    """Whatever was sent before this has been read when it is over: the gateway reads in the order of arrival."""
    for _ in range(3):
        assert (await at.ann.get("/api/models")).status_code == 200


async def leave_before_the_answer(at: Shop, ask: Asking, images: Images, number: int) -> None:
    """Sends try 0, and hangs up while its image is on its way."""
    body = json.dumps(dict(ask.fields)).encode()
    head = (
        f"POST {ask.path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {at.ann.key}\r\nx-stainless-retry-count: 0\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    address = httpx.URL(at.gateway.address)
    _, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(head.encode() + body)
    await images.wait_for(number)
    writer.close()
    await writer.wait_closed()


# --- any order ---------------------------------------------------------------------------------------


@settings(max_examples=examples(12), deadline=None)
@given(
    clients=st.lists(st.sets(st.integers(0, 3), min_size=1).map(sorted), min_size=1, max_size=4),
    whole=st.booleans(),
)
async def test_equal_requests_at_once_never_make_more_jobs_than_there_are(
    tmp_path_factory: pytest.TempPathFactory, clients: list[list[int]], whole: bool
) -> None:
    """Each client sends its tries one after the other, all clients at once; if *whole*, every try arrives."""
    ask = Asking("", "/v1/videos", {"prompt": "a boat"})
    async with shop(tmp_path_factory.mktemp("shop"), sources=0) as at:

        async def client(tries: list[int]) -> set[str]:
            return {await tried(at, ask, n) for n in (range(max(tries) + 1) if whole else tries)}

        answers = await asyncio.gather(*map(client, clients))
        jobs = len(set().union(*answers))
        assert await at.jobs() == jobs
        assert jobs == len(clients) if whole else jobs <= len(clients)
