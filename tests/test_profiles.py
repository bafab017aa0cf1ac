"""What is different about each server, one after the other: what it is asked, and how its answers are read.

Over real sockets, against the servers of ``tests/profile_fakes``. What they have in common is the contract in
``tests/test_upstream_contract.py``; the last part is a whole gateway in front of each.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Listing, Look, LookKind
from sora_gateway.core.outcome import Outcome, OutcomeClass, classify, valid_external_id
from sora_gateway.upstream.adapter import CancelAnswer, ContentTrouble, CreateOrder, Variant
from sora_gateway.upstream.openai import OpenAIAdapter

from .lab import Lab, at_the_lab, ledger
from .profile_fakes import FAKES, serving_fake
from .profile_fakes.core import WORDS, Fake
from .profile_fakes.inworld import Inworld
from .profile_fakes.litellm import LiteLLM
from .profile_fakes.new_api import NewAPI, NewAPILegacy
from .profile_fakes.sglang import SGLang
from .profile_fakes.tokens_pool import TokensPool, TokensPoolRaw
from .profile_fakes.vllm_omni import VLLMOmni
from .upstream_cases import KEY, ORDER, talking_to

Kind = ContentTrouble.Kind
F = TypeVar("F", bound=Fake)


@asynccontextmanager
async def at(server: type[F], profile: str) -> AsyncIterator[tuple[F, OpenAIAdapter, CreateOrder]]:
    """The *server*, an adapter that takes it for one of *profile*, and an order that it takes."""
    name = next(name for name, made in FAKES.items() if made is server)
    async with (
        serving_fake(name, KEY) as (fake, url),
        talking_to(url.removesuffix("/v1"), profile) as adapter,
    ):
        assert isinstance(fake, server)
        yield fake, adapter, replace(ORDER, **fake.order)


async def outcome(adapter: OpenAIAdapter, order: CreateOrder) -> Outcome:
    return classify(await adapter.create(order, 10), adapter.rules)


async def taken(adapter: OpenAIAdapter, order: CreateOrder) -> ExternalId:
    answer = await outcome(adapter, order)
    assert answer.kind is OutcomeClass.RECEIPT, answer
    assert answer.external_id is not None
    return answer.external_id


async def fetched(adapter: OpenAIAdapter, job: ExternalId, url: str | None = None) -> bytes:
    async with adapter.open_content(job, url, Variant.VIDEO) as content:
        return b"".join([chunk async for chunk in content.chunks])


async def trouble(adapter: OpenAIAdapter, job: ExternalId, url: str | None = None) -> ContentTrouble.Kind:
    with pytest.raises(ContentTrouble) as caught:
        await fetched(adapter, job, url)
    return caught.value.kind


async def all_listed(adapter: OpenAIAdapter) -> list[str]:
    """The ids of every page, newest first."""
    ids: list[str] = []
    more = True
    while more:
        page = await adapter.list_jobs(ExternalId(ids[-1]) if ids else None)
        assert isinstance(page, Listing), page
        ids += [row.external_id for row in page.rows]
        more = page.more
    return ids


# --- vLLM-Omni -----------------------------------------------------------------------------------------


async def test_vllm_omni_does_not_understand_json() -> None:
    async with at(VLLMOmni, "openai") as (_, adapter, order):
        answer = await outcome(adapter, order)
        assert (answer.kind, answer.code) == (OutcomeClass.REFUSED, "400")
        assert "Field required" in answer.message


async def test_vllm_omni_makes_only_what_its_model_makes() -> None:
    async with at(VLLMOmni, "vllm-omni") as (fake, adapter, order):
        answer = await outcome(adapter, replace(order, model="sora-2"))
        assert answer == Outcome(OutcomeClass.REFUSED, None, "400", "Model mismatch")
        assert fake.paid == 0


@pytest.mark.parametrize("status", [500, 422, 400])
async def test_vllm_omnis_failure_has_the_status_of_its_cause(status: int) -> None:
    """A client that takes every 500 for a passing trouble would wait for ever."""
    async with at(VLLMOmni, "vllm-omni") as (fake, adapter, order):
        fake.failure_status = status
        job = await taken(adapter, order)
        fake.fail("CUDA out of memory")
        assert await adapter.look(job) == Look(
            LookKind.FAILED, "failed", code=str(status), message="CUDA out of memory"
        )
        assert await trouble(adapter, job) is Kind.NOT_MEDIA


async def test_vllm_omnis_nought_percent_is_no_progress() -> None:
    """It says 0 until it says 100: the gateway's own estimate tells people more."""
    async with at(VLLMOmni, "vllm-omni") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.start(progress=70)
        assert await adapter.look(job) == Look(LookKind.ALIVE, "in_progress", progress=None)


async def test_vllm_omni_says_not_yet_and_then_really_stops() -> None:
    async with at(VLLMOmni, "vllm-omni") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.slow_aborts = 1
        assert await adapter.cancel(job) is CancelAnswer.TROUBLE
        assert await adapter.cancel(job) is CancelAnswer.CONFIRMED
        assert fake.aborted == [job]


async def test_vllm_omni_forgets_everything_at_a_restart() -> None:
    async with at(VLLMOmni, "vllm-omni") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.restart()
        assert (await adapter.look(job)).kind is LookKind.MISSING
        assert await all_listed(adapter) == []


async def test_vllm_omni_is_sometimes_completed_before_its_file_is_there() -> None:
    async with at(VLLMOmni, "vllm-omni") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.finish()
        fake.late_files = True
        assert await trouble(adapter, job) is Kind.NOT_YET
        assert await adapter.cancel(job) is CancelAnswer.TROUBLE


async def test_vllm_omnis_pages_end_where_a_second_ends_or_not() -> None:
    """Its list is in order by whole seconds; every job is on some page all the same."""
    async with at(VLLMOmni, "vllm-omni") as (fake, adapter, order):
        jobs = {await taken(adapter, order) for _ in range(105)}
        listed = await all_listed(adapter)
        assert (len(listed), set(listed)) == (105, jobs)
        assert [asked.query["limit"] for asked in fake.asked[-2:]] == ["100", "100"]


# --- SGLang --------------------------------------------------------------------------------------------


async def test_sglang_lists_twenty_unless_it_is_asked_for_more_and_no_prompts() -> None:
    async with at(SGLang, "sglang") as (fake, adapter, order):
        for _ in range(25):
            await taken(adapter, order)
        page = await adapter.list_jobs()
        assert isinstance(page, Listing)
        assert (len(page.rows), page.more) == (25, False)
        assert {(row.prompt, row.seconds, row.size) for row in page.rows} == {(None, "8", "1280x720")}
        assert fake.asked[-1].query == {"limit": "100", "order": "desc"}


async def test_sglang_has_no_variant_called_video() -> None:
    async with at(SGLang, "openai") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.finish()
        assert await trouble(adapter, job) is Kind.NOT_YET, "it looks as if the file came later"
    async with at(SGLang, "sglang") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.finish()
        assert await fetched(adapter, job) == fake.file
        assert fake.asked[-1].query == {}


async def test_sglang_would_forget_a_job_and_compute_it_all_the_same_so_it_is_not_told() -> None:
    async with at(SGLang, "sglang") as (fake, adapter, order):
        job = await taken(adapter, order)
        assert await adapter.cancel(job) is CancelAnswer.UNSUPPORTED
        assert "DELETE" not in {asked.method for asked in fake.asked}


async def test_sglangs_file_in_the_cloud_is_where_the_object_says() -> None:
    async with at(SGLang, "sglang") as (fake, adapter, order):
        fake.in_the_cloud = True
        job = await taken(adapter, order)
        fake.finish()
        url = (await adapter.look(job)).result_url
        assert url is not None
        assert await fetched(adapter, job, url) == fake.file
        assert await trouble(adapter, job) is Kind.EXPIRED, "without the address: look for it"


async def test_sglangs_own_paths_are_no_addresses() -> None:
    async with at(SGLang, "sglang") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.finish()
        assert (await adapter.look(job)).result_url is None


async def test_sglangs_failure_has_no_code_so_it_gets_one() -> None:
    async with at(SGLang, "sglang") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.fail("out of memory")
        assert await adapter.look(job) == Look(
            LookKind.FAILED, "failed", code="upstream_failed", message="out of memory"
        )


# --- LiteLLM -------------------------------------------------------------------------------------------


async def test_litellms_ids_are_long_and_stay_whole() -> None:
    async with at(LiteLLM, "litellm") as (fake, adapter, order):
        job = await taken(adapter, order)
        assert len(job) > 128
        assert valid_external_id(job) == job
        fake.start(progress=30)
        assert await adapter.look(job) == Look(LookKind.ALIVE, "processing", 30.0)
        assert fake.asked[-1].path == f"/v1/videos/{job}"


async def test_litellms_looks_are_about_the_job_though_their_ids_leave_out_its_model() -> None:
    async with at(LiteLLM, "litellm") as (fake, adapter, order):
        first, second = await taken(adapter, order), await taken(adapter, order)
        assert first != second
        for job in (first, second):
            assert (await adapter.look(job)).kind is LookKind.ALIVE
        fake.clips[second] = fake.clips[first]
        assert await adapter.look(second) == Look(LookKind.TROUBLE, message="an answer about another job")


async def test_litellm_is_told_not_to_pay_again_for_an_answer_that_it_lost() -> None:
    async with at(LiteLLM, "litellm") as (fake, adapter, order):
        fake.loses_answers = True
        assert (await outcome(adapter, order)).kind is OutcomeClass.UNKNOWN
        assert fake.paid == 1
    async with at(LiteLLM, "openai") as (fake, adapter, order):
        fake.loses_answers = True
        await adapter.create(order, 10)
        assert fake.paid == 3


async def test_litellm_is_asked_neither_for_a_list_nor_to_forget_a_job() -> None:
    async with at(LiteLLM, "litellm") as (fake, adapter, order):
        job = await taken(adapter, order)
        assert await adapter.cancel(job) is CancelAnswer.UNSUPPORTED
        assert adapter.listing == "none"
        assert {asked.method for asked in fake.asked} == {"POST"}


# --- new-api -------------------------------------------------------------------------------------------


async def test_new_apis_refusal_is_its_providers() -> None:
    async with at(NewAPI, "new-api") as (fake, adapter, order):
        assert await outcome(adapter, replace(order, seconds=5)) == Outcome(
            OutcomeClass.REFUSED, None, "invalid_request_error", "seconds must be 4, 8 or 12"
        )
        assert fake.paid == 0


async def test_new_api_answers_400_for_a_task_that_it_does_not_have() -> None:
    async with at(NewAPI, "new-api") as (_, adapter, _order):
        look = await adapter.look(ExternalId("task_unknown"))
        assert (look.kind, look.code) == (LookKind.MISSING, "task_not_exist")


async def test_new_api_knows_what_its_loop_last_saw() -> None:
    """Looking more often than the loop runs tells nothing new."""
    async with at(NewAPI, "new-api") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.lagging = True
        fake.finish()
        assert await adapter.look(job) == Look(LookKind.ALIVE, "queued", 0.0)
        fake.sweep()
        assert (await adapter.look(job)).kind is LookKind.COMPLETED
        assert adapter.min_poll_interval == 15


async def test_new_apis_own_timeout_is_a_failure_at_100_percent() -> None:
    async with at(NewAPI, "new-api") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.fail(WORDS["new-api"]["timed out"])
        look = await adapter.look(job)
        assert (look.kind, look.message) == (LookKind.FAILED, "任务超时")


async def test_new_apis_content_route_says_400_until_it_is_ready() -> None:
    async with at(NewAPI, "new-api") as (_, adapter, order):
        job = await taken(adapter, order)
        assert await trouble(adapter, job) is Kind.NOT_YET


async def test_a_file_that_takes_new_api_longer_than_a_minute_comes_in_pieces() -> None:
    async with at(NewAPI, "new-api") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.finish()
        fake.cut_after = 1500
        got, etag, tries = bytearray(), None, 0
        while len(got) < len(fake.file):
            tries += 1
            async with adapter.open_content(job, None, Variant.VIDEO, len(got), etag) as content:
                assert content.offset == len(got)
                etag = content.etag
                with contextlib.suppress(ContentTrouble):
                    async for chunk in content.chunks:
                        got += chunk
        assert bytes(got) == fake.file
        assert tries == 3


async def test_new_apis_file_is_at_its_providers_if_there_is_an_address() -> None:
    async with at(NewAPI, "new-api") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.finish()
        look = await adapter.look(job)
        assert look.result_url is not None
        asked = len(fake.asked)
        assert await fetched(adapter, job, look.result_url) == fake.file
        assert len(fake.asked) == asked, "nothing went through new-api"
        fake.provider_has_addresses = False
        assert (await adapter.look(job)).result_url is None
        assert await fetched(adapter, job) == fake.file


@pytest.mark.parametrize("old", [False, True], ids=["result_url", "fail_reason"])
async def test_older_builds_of_new_api_wrap_everything_and_count_in_text(old: bool) -> None:
    async with at(NewAPILegacy, "new-api-legacy") as (fake, adapter, order):
        fake.url_in_fail_reason = old
        job = await taken(adapter, order)
        fake.start(progress=34)
        assert await adapter.look(job) == Look(LookKind.ALIVE, "in_progress", 30.0)
        fake.finish()
        look = await adapter.look(job)
        assert (look.kind, look.progress) == (LookKind.COMPLETED, 100.0)
        assert await fetched(adapter, job, look.result_url) == fake.file
        assert await trouble(adapter, job) is Kind.EXPIRED, "without the address there is no file"
        assert {asked.path for asked in fake.asked} == {
            "/v1/video/generations",
            f"/v1/video/generations/{job}",
        }


# --- Tokens-Pool ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "profile"), [(TokensPool, "tokens-pool-raw"), (TokensPoolRaw, "tokens-pool")]
)
async def test_tokens_pool_wants_its_licence_as_its_version_does(
    server: type[TokensPool], profile: str
) -> None:
    async with at(server, profile) as (fake, adapter, order):
        assert (await outcome(adapter, order)).kind is OutcomeClass.OUT_OF_ORDER
        assert fake.paid == 0


async def test_tokens_pool_has_a_duration_and_its_variants_in_the_models_name() -> None:
    async with at(TokensPool, "tokens-pool") as (fake, adapter, order):
        await taken(adapter, replace(order, model="sora_video2-landscape-hd", seconds=15))
        assert fake.asked[-1].path == "/sora/v1/videos"
        assert fake.asked[-1].fields == {
            "model": "sora_video2-landscape-hd",
            "prompt": ORDER.prompt,
            "duration": 15,
            "size": "1280x720",
        }


async def test_tokens_pools_errors_are_text() -> None:
    async with at(TokensPool, "tokens-pool") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.fail("stuck at 90 %")
        assert await adapter.look(job) == Look(
            LookKind.FAILED, "failed", code="upstream_failed", message="stuck at 90 %"
        )


# --- Inworld -------------------------------------------------------------------------------------------


async def test_inworld_answers_a_create_that_is_sent_again_with_its_first_job() -> None:
    async with at(Inworld, "inworld") as (fake, adapter, order):
        order = replace(order, idempotency_key="video_1-1")
        assert await taken(adapter, order) == await taken(adapter, order)
        assert fake.paid == 1


async def test_inworlds_addresses_are_signed_anew_at_every_look() -> None:
    async with at(Inworld, "inworld") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.finish()
        first = (await adapter.look(job)).result_url
        assert await fetched(adapter, job, first) == fake.file
        fake.expire()
        assert await trouble(adapter, job, first) is Kind.EXPIRED
        second = (await adapter.look(job)).result_url
        assert first != second
        assert await fetched(adapter, job, second) == fake.file


async def test_inworlds_list_says_how_jobs_are_but_not_where_their_files_are() -> None:
    async with at(Inworld, "inworld") as (fake, adapter, order):
        await taken(adapter, order)
        fake.finish()
        page = await adapter.list_jobs()
        assert isinstance(page, Listing)
        [row] = page.rows
        assert (row.look.kind, row.look.result_url) == (LookKind.COMPLETED, None)


async def test_a_job_that_somebody_cancelled_at_inworld_is_cancelled() -> None:
    async with at(Inworld, "inworld") as (fake, adapter, order):
        job = await taken(adapter, order)
        fake.cancel()
        assert (await adapter.look(job)).kind is LookKind.CANCELLED


# --- a whole gateway in front of each ------------------------------------------------------------------


def configured(profile: str, fake: Fake, url: str) -> dict[str, object]:
    models = {"sora-2": fake.order["model"]}
    return {"profile": profile, "base_url": url, "api_key": KEY, "models": models}


@pytest.mark.parametrize("profile", FAKES)
async def test_a_video_is_made_on_the_server_of_each_profile_and_paid_once(
    profile: str, tmp_path: Path
) -> None:
    async with (
        serving_fake(profile, KEY) as (fake, url),
        at_the_lab(tmp_path, Lab(), url=url, upstream=configured(profile, fake, url)) as ann,
    ):
        task = await ann.make(seconds=fake.order["seconds"])
        task = await ann.comes_to(task["videoId"], "processing")
        fake.start()
        fake.finish()
        done = await ann.comes_to(task["videoId"], "completed")
        assert (await ann.get(done["videoUrl"])).content == fake.file
        assert await ledger(ann, done) == ["hold", "settle"]
        assert fake.paid == 1


async def test_what_vllm_omni_has_stopped_costs_nothing(tmp_path: Path) -> None:
    async with serving_fake("vllm-omni", KEY) as (fake, url):
        assert isinstance(fake, VLLMOmni)
        fake.slow_aborts = 2
        async with at_the_lab(tmp_path, Lab(), url=url, upstream=configured("vllm-omni", fake, url)) as ann:
            task = await ann.comes_to((await ann.make(seconds=8))["videoId"], "processing")
            await ann.http.post(f"/api/video/tasks/{task['videoId']}/cancel")
            task = await ann.comes_to(task["videoId"], "cancelled")
            assert fake.aborted == [task["externalVideoId"]]
            assert await ledger(ann, task) == ["hold", "release"]
