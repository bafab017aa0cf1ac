"""kill -9 while a paid request is served, and the same request again after the restart: by its idempotency key, and
as official clients count their tries. It is one job, and the upstream was paid for it once.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.killable import MOMENTS
from tests.killing import AT_ONCE, DIES_WITHIN, House, kill_house
from tests.lab import Lab
from tests.pictures import encoded, striped
from tests.processes import Client, LoggingUpstream, furnish, settle_in
from tests.raw_server import serving_raw
from tests.sample_videos import sample_mp4
from tests.verdict import verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")

_marks = (f"resent{number:05d}" for number in itertools.count(1))
Headers = Callable[[int], dict[str, str]]


def by_key(_: int) -> dict[str, str]:
    return {"Idempotency-Key": "the-same-key"}


def by_count(count: int) -> dict[str, str]:
    return {"x-stainless-retry-count": str(count)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with kill_house(tmp_path_factory.mktemp("resent")) as house:
        yield house


@dataclass(frozen=True)
class Request:
    """A paid request; ``{source}`` in its path is a finished video."""

    path: str
    json: dict[str, Any] | None = None
    form: dict[str, str] | None = None
    files: dict[str, bytes] | None = None

    async def send(self, http: httpx.AsyncClient, source: str, mark: str, headers: dict[str, str]) -> str:
        """The id of its job.

        Raises:
            httpx.TransportError: there is no answer.
        """
        prompt = {"prompt": f"a paper boat {mark}"}
        response = await http.post(
            self.path.format(source=source),
            json=None if self.form is not None else prompt | (self.json or {}),
            data=None if self.form is None else prompt | self.form,
            files=self.files,
            headers=headers,
        )
        assert response.is_success, response.text
        body = response.json()
        return str(body.get("videoId") or body["id"])


SIZE = {"size": "720x1280", "seconds": "4"}
REQUESTS = {
    "a create": Request("/api/video/tasks", json={"size": "720x1280", "seconds": 4}),
    "a create with an image": Request(
        "/v1/videos", form=SIZE, files={"input_reference": encoded(striped(720, 1280))}
    ),
    "a remix": Request("/v1/videos/{source}/remix"),
    "an edit of an uploaded video": Request("/v1/videos/edits", form={}, files={"video": sample_mp4()}),
}


async def sent_again(house: House, request: Request, headers: Headers, *points: str) -> str | None:
    """Sends it to gateways that die at *points*, one after the other, and then to one that lives; says what is wrong."""
    mark = next(_marks)
    place = house.place(mark)
    async with place.gateway() as (_, client):
        source = await client.make("a source") or ""
        await client.task_at({"completed"})
    for count, point in enumerate(points):
        async with place.gateway(killable=(point,)) as (gateway, client):
            # It may be dead already, or die a while after its answer.
            with contextlib.suppress(httpx.TransportError):
                await request.send(client.http, source, mark, headers(count))
            assert await gateway.ended(DIES_WITHIN) == -signal.SIGKILL
    async with place.gateway() as (gateway, client):
        ids = {await request.send(client.http, source, mark, headers(len(points) + n)) for n in range(3)}
        await ended(client, *ids)
        assert await gateway.told(signal.SIGKILL) == -signal.SIGKILL
    seen = await verdict(place, mark, next(iter(ids)))
    right = not seen.broken and seen.creates == 1 and len(seen.ends) == len(ids) == 1
    return None if right else f"{request.path} after {points}: {ids}, {seen}"


async def ended(client: Client, *ids: str) -> None:
    """Waits for all these jobs to end, or to be in doubt."""
    async with asyncio.timeout(20):
        while True:
            stages = {task["videoId"]: task["stage"] for task in await client.tasks()}
            if all(stages[id] in ("completed", "unknown", "failed") for id in ids):
                return
            await asyncio.sleep(0.03)


async def all_are_one_job(house: House, *cases: tuple[str, Headers, tuple[str, ...]]) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def run(name: str, headers: Headers, points: tuple[str, ...]) -> str | None:
        async with places:
            return await sent_again(house, REQUESTS[name], headers, *points)

    complaints = await asyncio.gather(*(run(*case) for case in cases))
    assert not any(complaints), "\n".join(filter(None, complaints))


@pytest.mark.parametrize("headers", [by_key, by_count], ids=["by key", "by count"])
async def test_killed_at_the_accept_it_is_sent_again_and_is_one_job(house: House, headers: Headers) -> None:
    await all_are_one_job(
        house, *(("a create with an image", headers, (f"accept:{moment}",)) for moment in MOMENTS)
    )


async def test_killed_right_after_the_commit_every_kind_of_request_is_one_job(house: House) -> None:
    await all_are_one_job(
        house,
        *(
            (name, headers, ("accept:after",))
            for name, headers in zip(REQUESTS, (by_key, by_count) * 2, strict=True)
        ),
    )


@pytest.mark.parametrize("headers", [by_key, by_count], ids=["by key", "by count"])
async def test_killed_again_and_again_it_is_one_job(house: House, headers: Headers) -> None:
    """Also when it was paid and nobody knows: then it is in doubt, and still not paid again."""
    await all_are_one_job(
        house,
        ("a create", headers, ("accept:during", "accept:after", "create:answered")),
        ("a remix", headers, ("accept:before", "accept:after", "receipt:after")),
    )


@pytest.mark.parametrize(("point", "asked"), [("character:before", 0), ("character:answered", 1)])
async def test_a_character_whose_answer_died_with_the_gateway_is_not_made_twice(
    point: str, asked: int, tmp_path: Path
) -> None:
    lab = Lab()
    video = {"video": sample_mp4()}

    async def learn(client: Client, key: str) -> httpx.Response:
        headers = {"Idempotency-Key": key}
        return await client.http.post(
            "/v1/videos/characters", data={"name": "Otter"}, files=video, headers=headers
        )

    async with serving_raw(lab.handle) as server:
        upstream = LoggingUpstream(server.url, tmp_path / "journal")
        upstream.journal.touch()
        key = await furnish(tmp_path / "template")
        place = settle_in(tmp_path / "place", tmp_path / "template", key, upstream)
        async with place.gateway(killable=(point,)) as (gateway, client):
            with pytest.raises(httpx.TransportError):
                await learn(client, "k")
            assert await gateway.ended(DIES_WITHIN) == -signal.SIGKILL
        async with place.gateway() as (_, client):
            for _ in range(2):
                answer = await learn(client, "k")
                assert (answer.status_code, answer.headers["x-should-retry"]) == (502, "false")
                assert answer.json()["error"]["code"] == "outcome_unknown"
            assert len(lab.orders) == asked
            # Whoever has looked and wants it anew says so with a new key.
            assert (await learn(client, "another")).status_code == 200
        assert len(lab.orders) == asked + 1
