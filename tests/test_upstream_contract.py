"""The contract of an upstream, on our fake, over a socket and in process, and on a server per profile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import LookKind
from sora_gateway.upstream.adapter import Adapter
from sora_gateway.upstream.profiles import PROFILES

from .fake_upstream import FakeUpstream
from .profile_fakes import FAKES, serving_fake
from .raw_server import Received, Wire, always, answer, serving_raw
from .sample_videos import sample_image
from .servers import serving
from .upstream_cases import KEY, ORDER, talking_to
from .upstream_contract import Clause, Upstream, accepted, clauses


@asynccontextmanager
async def faked(profile: str, *, in_process: bool) -> AsyncIterator[Upstream]:
    fake = FakeUpstream(KEY)

    async def finish() -> None:
        fake.finish()

    async def fail(reason: str) -> None:
        fake.fail(reason)

    def upstream(adapter: Adapter) -> Upstream:
        return Upstream(
            adapter,
            finish,
            ORDER,
            cancels=profile == "simulator",
            thumbnails=profile != "generic",
            fail=fail,
        )

    if in_process:
        async with talking_to("http://fake", profile, app=fake.app()) as adapter:
            yield upstream(adapter)
        return
    async with serving(fake.app()) as url, talking_to(url, profile) as adapter:
        yield upstream(adapter)


@clauses
@pytest.mark.parametrize("profile", ["openai", "generic", "simulator"])
async def test_the_fake_keeps_the_contract_over_a_socket(clause: Clause, profile: str) -> None:
    async with faked(profile, in_process=False) as upstream:
        await clause(upstream)


@asynccontextmanager
async def profiled(profile: str) -> AsyncIterator[Upstream]:
    """The server of *profile* behind an adapter."""
    async with (
        serving_fake(profile, KEY) as (fake, url),
        talking_to(url.removesuffix("/v1"), profile) as adapter,
    ):

        async def finish() -> None:
            fake.finish()

        async def fail(reason: str) -> None:
            fake.fail(reason)

        order = replace(ORDER, **fake.order)
        yield Upstream(
            adapter,
            finish,
            order,
            cancels=PROFILES[profile].delete_cancels,
            thumbnails=False,
            refused=replace(order, **fake.refused),
            ranges=fake.ranges,
            fail=fail,
        )


@clauses
@pytest.mark.parametrize("profile", FAKES)
async def test_the_server_of_each_profile_keeps_the_contract(clause: Clause, profile: str) -> None:
    async with profiled(profile) as upstream:
        await clause(upstream)


@pytest.mark.parametrize("profile", FAKES)
async def test_an_image_arrives_at_the_server_of_each_profile(profile: str) -> None:
    """Each knows one way to be given an image, and this is asked for in that way."""
    async with profiled(profile) as upstream:
        await accepted(upstream, replace(upstream.order, image=sample_image("png"), image_type="image/png"))


def test_every_profile_has_a_server_that_differs_as_it_says() -> None:
    assert {*FAKES, "generic", "openai", "simulator"} == set(PROFILES)


@clauses
async def test_the_fake_keeps_the_contract_in_process(clause: Clause) -> None:
    async with faked("simulator", in_process=True) as upstream:
        await clause(upstream)


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (answer(401, {"error": {"message": "no"}}), "The upstream refuses our key or account (HTTP 401)."),
        (answer(404), "neither videos nor models are there (HTTP 404): check base_url."),
        (answer(200, "<html>"), "not with JSON: check base_url."),
        (b"", "The upstream cannot be reached: the connection ended in the middle of the answer."),
    ],
)
async def test_a_probe_says_what_is_wrong(reply: bytes, sentence: str) -> None:
    async with serving_raw(always(reply)) as server, talking_to(server.url) as upstream:
        assert (await upstream.probe()).endswith(sentence)
        assert {request.method for request in server.requests} == {"GET"}


@pytest.mark.parametrize(
    ("status", "body", "well"),
    [
        (404, {"error": {"message": "There is no such task."}}, True),
        (400, {"code": "task_not_exist", "message": "task_not_exist", "data": None}, True),
        (404, {"detail": "Not Found"}, False),
        (404, {"error": {"message": "Invalid URL (GET /v1/videos/x)"}}, False),
        (404, {}, False),
    ],
)
async def test_a_server_with_neither_list_nor_models_is_asked_for_a_video_that_nobody_made(
    status: int, body: dict[str, object], well: bool
) -> None:
    """Whoever knows the route says that there is no such video; of a wrong address any server says less."""

    async def only_videos(request: Received, wire: Wire) -> None:
        made = request.target.startswith("/v1/videos/")
        await wire.send(answer(status, body) if made else answer(404, {"detail": "Not Found"}))

    async with serving_raw(only_videos) as server, talking_to(server.url, "tokens-pool") as upstream:
        assert (await upstream.probe()).startswith("ok: ") is well
        assert {request.method for request in server.requests} == {"GET"}


async def test_a_word_for_a_state_that_nobody_knows_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    busy = always(answer(200, {"id": "video_1", "status": "Simmering"}))
    async with serving_raw(busy) as server, talking_to(server.url) as upstream:
        for _ in range(3):
            assert (await upstream.look(ExternalId("video_1"))).kind is LookKind.ALIVE
    assert [record.getMessage() for record in caplog.records if record.name.endswith("upstream.openai")] == [
        "lab calls a state 'simmering', which counts as running"
    ]


async def test_a_server_without_a_list_is_probed_by_its_models() -> None:
    async def only_models(request: Received, wire: Wire) -> None:
        await wire.send(answer(200, {"data": []}) if request.target == "/v1/models" else answer(404))

    async with serving_raw(only_models) as server, talking_to(server.url) as upstream:
        assert await upstream.probe() == "ok: it answers and takes our key."
