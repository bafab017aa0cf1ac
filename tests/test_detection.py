"""Which profile fits a server: told from what it says for nothing, or not told at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sora_gateway.upstream.client import ASGIApp, HttpClient
from sora_gateway.upstream.detection import Finding, fitting_profiles
from tests.profile_fakes import FAKES, serving_fake
from tests.profile_fakes.core import Fake
from tests.profile_fakes.inworld import Inworld
from tests.profile_fakes.litellm import LiteLLM
from tests.profile_fakes.new_api import NewAPI
from tests.profile_fakes.tokens_pool import TokensPool
from tests.profile_fakes.vllm_omni import VLLMOmni
from tests.raw_server import Received, Wire, always, answer, serving_raw
from tests.simulators import on_a_socket
from tests.upstream_cases import KEY

GENERIC = ("generic",)


async def found_at(url: str, app: ASGIApp | None = None, deadline: float = 10.0) -> Finding:
    client = HttpClient(app)
    try:
        return await fitting_profiles(client, url, KEY, deadline)
    finally:
        await client.aclose()


async def found_in(fake: Fake, url: str = "http://fake/v1") -> Finding:
    return await found_at(url, fake.app())


@pytest.mark.parametrize("profile", FAKES)
async def test_every_server_is_known_as_itself_or_as_nobody_special(profile: str) -> None:
    """Inworld shows only by its name, which a server on this machine does not have."""
    async with serving_fake(profile, KEY) as (fake, url):
        found = await found_at(url)
        assert found.profiles == (GENERIC if profile == "inworld" else (profile,))
        assert found.reasons
        assert {asked.method for asked in fake.asked} <= {"GET"}
        assert fake.paid == 0


@pytest.mark.parametrize("profile", FAKES)
async def test_behind_a_proxy_that_hides_what_it_is_it_is_itself_or_nobody_special(profile: str) -> None:
    async with serving_fake(profile, KEY) as (fake, url):
        fake.signs, fake.owner = {}, "system"
        assert (await found_at(url)).profiles in ((profile,), GENERIC)


@pytest.mark.parametrize("profile", FAKES)
async def test_of_a_server_that_refuses_the_key_nothing_is_guessed(profile: str) -> None:
    async with serving_fake(profile, "another key") as (_, url):
        own = {"litellm": ("litellm",), "sglang": ("sglang",)}
        assert (await found_at(url)).profiles == own.get(profile, ())


async def test_inworld_is_known_by_its_name() -> None:
    for host in ("api.inworld.ai", "inworld.ai"):
        assert (await found_in(Inworld(KEY), f"https://{host}/v1")).profiles == ("inworld",)
    for host in ("inworld.ai.example.com", "notinworld.ai"):
        # Where creates are believed to be known again by their key, they are sent again.
        assert (await found_in(Inworld(KEY), f"https://{host}/v1")).profiles == GENERIC


class NewAPIInBothLanguages(NewAPI):
    def routes(self) -> list[object]:  # type: ignore[override]
        return [*super().routes(), self.route("GET", "/video/generations/{id}", self._retrieve)]


async def test_new_api_with_both_its_languages_is_best_spoken_to_in_the_newer_one() -> None:
    assert (await found_in(NewAPIInBothLanguages(KEY))).profiles == ("new-api", "new-api-legacy")


async def test_new_api_without_its_headers_is_known_by_what_it_calls_a_missing_task() -> None:
    fake = NewAPI(KEY)
    fake.signs = {}
    found = await found_in(fake)
    assert found == Finding(("new-api",), ("it says task_not_exist of a video that nobody made",))


async def test_a_proxy_in_front_of_vllm_omni_is_not_vllm_omni() -> None:
    """A DELETE there would be the proxy's, and stop nothing, or something else."""
    fake = VLLMOmni(KEY)
    fake.signs = LiteLLM.signs
    assert (await found_in(fake)).profiles == ("litellm",)
    fake.signs = NewAPI.signs
    assert (await found_in(fake)).profiles == GENERIC


async def test_a_vllm_without_videos_is_nothing_that_we_speak_to() -> None:
    not_found = {"error": {"message": "Not Found", "type": "NotFoundError", "param": None, "code": 404}}
    models: dict[str, object] = {"object": "list", "data": [{"id": "m", "owned_by": "vllm"}]}

    async def only_models(request: Received, wire: Wire) -> None:
        await wire.send(
            answer(200, models) if request.target == "/v1/models" else answer(404, dict(not_found))
        )

    async with serving_raw(only_models) as server:
        assert (await found_at(f"{server.url}/v1")).profiles == ()


async def test_tokens_pool_elsewhere_is_not_presumed() -> None:
    fake = TokensPool(KEY)
    fake.base = "/v1"
    assert (await found_in(fake)).profiles == GENERIC


async def test_a_server_that_follows_openai_to_the_letter_is_one(tmp_path: Path) -> None:
    async with on_a_socket(tmp_path) as simulator:
        assert (await found_at(f"{simulator.client.base_url}/v1")).profiles == ("openai",)
        assert simulator.state.paid_creates() == 0


# --- servers that make no sense ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        answer(200, "<!doctype html><title>Welcome</title>"),
        answer(200),
        b"",
        b"\x00\xff not http at all",
        answer(200, "[]"),
        answer(200, {}),
        answer(200, {"id": "video_nobody_has_made", "status": "completed"}),
        answer(404, {"error": {"message": "Invalid URL (GET /v1/videos/characters)"}}),
        answer(404, {"detail": "Not Found"}),
        answer(302, headers={"Location": "/login"}),
        answer(401, {"error": "no"}),
        answer(500, {"error": {"message": "Internal error", "code": 500}}),
        answer(200, "x" * (2 << 20)),
    ],
)
async def test_of_nonsense_nothing_is_concluded(reply: bytes) -> None:
    async with serving_raw(always(reply)) as server:
        assert (await found_at(f"{server.url}/v1")).profiles == ()
        assert {request.method for request in server.requests} <= {"GET"}


@pytest.mark.parametrize(
    "data",
    [[], [None], [{"owned_by": ["vllm"]}], [{"owned_by": {"name": "vllm"}}], [{"id": 7, "owned_by": "vllm"}]],
)
async def test_whoever_answers_everything_with_one_list_is_nobody_special(data: list[object]) -> None:
    async with serving_raw(always(answer(200, {"data": data}))) as server:
        assert (await found_at(f"{server.url}/v1")).profiles == GENERIC


async def test_whoever_denies_everything_in_the_same_words_has_a_video_route_for_all_we_know() -> None:
    body: dict[str, object] = {"error": {"message": "No such video or character.", "code": 404}}
    async with serving_raw(always(answer(404, body))) as server:
        assert (await found_at(f"{server.url}/v1")).profiles == GENERIC


async def _hangs(_: Received, wire: Wire) -> None:
    await wire.hang()


async def _drips(_: Received, wire: Wire) -> None:
    await wire.drip(answer(200, {"data": []}), pause=0.05)


@pytest.mark.parametrize("handler", [_hangs, _drips])
async def test_a_server_that_does_not_finish_is_not_waited_for(handler: object) -> None:
    async with serving_raw(handler) as server, asyncio.timeout(5):  # type: ignore[arg-type]
        assert (await found_at(f"{server.url}/v1", deadline=0.3)).profiles == ()


async def test_where_nobody_listens_there_is_nothing_to_find() -> None:
    assert (await found_at("http://127.0.0.1:1/v1")).profiles == ()
