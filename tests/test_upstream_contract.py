"""The contract of an upstream, on our fake, over a socket and in process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from sora_gateway.upstream.adapter import Adapter

from .fake_upstream import FakeUpstream
from .raw_server import Received, Wire, always, answer, serving_raw
from .servers import serving
from .upstream_cases import KEY, ORDER, talking_to
from .upstream_contract import CONTRACT, Upstream

Clause = Callable[[Upstream], Awaitable[None]]
clauses = pytest.mark.parametrize("clause", CONTRACT, ids=lambda clause: clause.__name__)


@asynccontextmanager
async def faked(profile: str, *, in_process: bool) -> AsyncIterator[Upstream]:
    fake = FakeUpstream(KEY)

    async def finish() -> None:
        fake.finish()

    def upstream(adapter: Adapter) -> Upstream:
        return Upstream(
            adapter,
            finish,
            ORDER,
            cancels=profile == "simulator",
            thumbnails=profile != "generic",
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


async def test_a_server_without_a_list_is_probed_by_its_models() -> None:
    async def only_models(request: Received, wire: Wire) -> None:
        await wire.send(answer(200, {"data": []}) if request.target == "/v1/models" else answer(404))

    async with serving_raw(only_models) as server, talking_to(server.url) as upstream:
        assert await upstream.probe() == "ok: it answers and takes our key."
