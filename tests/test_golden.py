"""The documented examples of OpenAI's Videos API and of the servers that copied it, word for word.

``tests/golden/`` holds requests and answers as their makers' documentation has them (collected in November 2026);
the ``.txt`` ones are shapes and fragments that are no JSON by themselves, and ``words.json`` is what servers say on
occasion (``tests/profile_fakes`` says it again). What is written here says what each means.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from sora_gateway.core.job import ExternalId, Job, JobId, State
from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.views import video_view
from sora_gateway.http.openai_videos import CreateVideo, CreateVideoForm, VideoDeleted, VideoList
from sora_gateway.http.routing import Access, Call, Endpoint, to_json
from sora_gateway.http.uploads import Upload
from sora_gateway.upstream.adapter import CancelAnswer
from sora_gateway.upstream.client import Reply
from sora_gateway.upstream.parsing import parse_cancel, parse_create, parse_look
from sora_gateway.upstream.profiles import PROFILES
from tests.http_calls import application, client_of
from tests.jobs import make_job

GOLDEN = Path(__file__).parent / "golden"
NOW = 1_763_700_000.0
PNG = b"\x89PNG\r\n\x1a\n--b is no boundary here"


def text(name: str) -> str:
    return (GOLDEN / name).read_text(encoding="utf-8")


def answer(name: str, **changes: object) -> dict[str, Any]:
    """A documented answer; *changes* are named in the documentation beside it."""
    return dict(json.loads(text(name))) | changes


# --- our own side: what clients send, and what they are answered ------------------------------------------


async def take(call: Call) -> Response:
    """Says what reached the handler of ``POST /v1/videos``."""
    said = call.body.model_dump(mode="python", exclude={"input_reference"}, exclude_unset=True)
    image = call.body.input_reference
    if isinstance(image, Upload):
        said["image"] = [image.filename, image.content_type, image.data == PNG]
    elif isinstance(image, BaseModel):
        said["image"] = image.model_dump(exclude_unset=True)
    return JSONResponse(said)


CREATE = Endpoint(
    method="POST", path="/v1/videos", handler=take, summary="", access=Access.MEMBER, tag="openai",
    request=CreateVideo, form=CreateVideoForm, uploads=True,
)  # fmt: skip


async def sent(name: str) -> httpx.Response:
    """The documented request, sent to the models of ``POST /v1/videos``.

    Nothing is changed but what the paper cannot hold: lines of a form end with CRLF, ``<bytes>`` are bytes, and
    the key, which is not looked at here, has only characters that a header can have.
    """
    head, _, body = text(name).partition("\n\n")
    first, *lines = head.split("\n")
    assert first == "POST /v1/videos"
    headers = dict(line.split(": ") for line in lines) | {"Authorization": "Bearer member"}
    content = body.encode()
    if "multipart" in headers["Content-Type"]:
        content = body.replace("\n", "\r\n").encode().replace(b"<bytes>", PNG)
    async with client_of(application([CREATE])) as client:
        return await client.post("/v1/videos", content=content, headers=headers)


async def test_the_documented_json_request_is_understood() -> None:
    assert (await sent("openai_create_json.http")).json() == {
        "model": "sora-2",
        "prompt": "a paper boat in the rain",
        "seconds": 8,
        "size": "1280x720",
        "image": {"image_url": "https://cdn.example.org/first.png"},
    }


async def test_the_documented_form_which_every_sdk_really_sends_is_understood() -> None:
    assert (await sent("openai_create_form.http")).json() == {
        "prompt": "a paper boat in the rain",
        "seconds": 8,
        "image": ["first.png", "image/png", True],
    }


def as_answered(model: BaseModel) -> dict[str, Any]:
    return dict(json.loads(to_json(model)))


def documented_job(**more: Any) -> Job:
    video = answer("openai_video.json")
    fields = {"id": JobId(video["id"]), "seconds": 8} | {
        name: video[name] for name in ("model", "prompt", "size", "created_at")
    }
    return make_job(**(fields | {"state": State.PROCESSING, "progress": 33.4} | more))


def test_a_video_is_answered_as_documented_with_all_13_keys() -> None:
    video = answer("openai_video.json")
    assert len(video) == 13
    assert as_answered(video_view(documented_job())) == video


def test_a_failed_video_is_answered_as_documented() -> None:
    failed = json.loads(f"{{{text('openai_failed.txt')}}}")
    job = documented_job(
        state=State.FAILED, error_code=failed["error"]["code"], error_message=failed["error"]["message"]
    )
    assert as_answered(video_view(job)) == answer("openai_video.json") | failed


def keys(shape: str) -> list[str]:
    return re.findall(r'(?<=[{,])"(\w+)"', shape)


def test_a_list_and_a_deletion_have_the_documented_keys() -> None:
    view = video_view(documented_job())
    listed = as_answered(VideoList(data=[view], first_id=view.id, last_id=view.id, has_more=False))
    assert sorted(listed) == sorted(keys(text("openai_list.txt")))
    assert (listed["object"], listed["data"][0]) == ("list", answer("openai_video.json"))
    deleted = as_answered(VideoDeleted(id=view.id))
    assert list(deleted) == keys(text("openai_deleted.txt"))
    assert (deleted["object"], deleted["deleted"]) == ("video.deleted", True)


async def test_what_another_dialect_sends_to_the_same_path_is_refused_by_name() -> None:
    """OpenRouter's create: its documentation leaves out the empty line and the type, which a client sends."""
    head, _, body = text("openrouter_create.http").partition("\n{")
    assert head.startswith("POST https://openrouter.ai/api/v1/videos\n")
    async with client_of(application([CREATE]), authorization="Bearer member") as client:
        refused = await client.post(
            "/v1/videos", content="{" + body, headers={"content-type": "application/json"}
        )
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == "There is no field 'duration' here."


# --- the upstream's side: what servers answer, read by the profile for a server that nobody described ------


def reply(body: object, status: int = 200) -> Reply:
    return Reply(status, {}, json.dumps(body).encode())


def created(body: object, status: int = 200, profile: str = "generic") -> tuple[str | None, str, str]:
    """The receipt's id, or the error's code and message, as a create is answered."""
    seen = parse_create(reply(body, status), now=NOW, id_paths=PROFILES[profile].id_paths)
    assert (seen.parsed, seen.status) == (True, status)
    return seen.external_id, seen.error_code, seen.error_message


def looked(
    body: dict[str, Any], status: int = 200, external_id: str | None = None, profile: str = "generic"
) -> Look:
    """What a look is answered, at the job that *body* names unless *external_id* is given."""
    asked = ExternalId(external_id or body.get("id") or body["data"]["task_id"])
    return parse_look(reply(body, status), asked, now=NOW, id_paths=PROFILES[profile].id_paths)


@pytest.mark.parametrize("profile", ["openai", "generic"])
def test_openais_video_is_at_work(profile: str) -> None:
    video = answer("openai_video.json")
    assert created(video, profile=profile) == (video["id"], "", "")
    assert looked(video, profile=profile) == Look(LookKind.ALIVE, "in_progress", 33.0)


@pytest.mark.parametrize("profile", ["openai", "generic"])
def test_openais_failure_comes_with_status_200_and_its_reason(profile: str) -> None:
    failed = json.loads(f"{{{text('openai_failed.txt')}}}")
    assert looked(answer("openai_video.json", **failed), profile=profile) == Look(
        LookKind.FAILED, "failed", code="moderation_blocked", message=failed["error"]["message"]
    )


def test_openais_create_answers_leave_out_what_is_null_and_add_a_quality() -> None:
    video = answer("openai_video.json", quality="standard", status="queued")
    lean = {name: value for name, value in video.items() if value is not None}
    assert created(lean) == (video["id"], "", "")
    assert looked(lean).kind is LookKind.ALIVE


def test_an_image_of_another_size_is_a_refusal_in_openais_words() -> None:
    assert created(answer("openai_image_of_another_size.json"), 400) == (
        None, "invalid_request_error", "Inpaint image must match the requested width and height",
    )  # fmt: skip


def test_openais_deletion_of_a_job_stops_it() -> None:
    assert parse_cancel(reply({"id": "video_68d7…", "object": "video.deleted", "deleted": True})) is (
        CancelAnswer.CONFIRMED
    )


def test_vllm_omni_takes_a_job() -> None:
    video = answer("vllm_omni_created.json")
    assert created(video) == ("video_gen_0f3c…", "", "")
    assert looked(video) == Look(LookKind.ALIVE, "queued", 0.0)
    assert looked(answer("vllm_omni_created.json", size=None, status="completed", progress=100)) == Look(
        LookKind.COMPLETED, "completed", 100.0
    )


@pytest.mark.parametrize("status", [500, 400, 422])
def test_vllm_omni_answers_the_look_at_a_failed_job_with_the_failures_status_and_a_number_as_code(
    status: int,
) -> None:
    body = answer("vllm_omni_created.json", status="failed", error={"code": status, "message": "no memory"})
    assert looked(body, status) == Look(LookKind.FAILED, "failed", code=str(status), message="no memory")


def test_vllm_omni_forgets_everything_at_a_restart_and_sometimes_says_not_yet() -> None:
    assert looked({"detail": "Video not found"}, 404, "video_gen_0f3c…").kind is LookKind.MISSING
    assert parse_cancel(reply({"detail": "Cancellation in progress"}, 409)) is CancelAnswer.TROUBLE
    refusal = {"error": {"message": "Model mismatch", "type": "BadRequestError", "param": None, "code": 400}}
    assert created(refusal, 400) == (None, "400", "Model mismatch")


SGLANG = {"id": "0f3c", "object": "video", "model": "wan", "size": "832x480", "seconds": "4", "created_at": 1}


def test_sglang_has_no_prompt_and_errors_without_a_code() -> None:
    assert created(SGLANG | {"status": "queued", "progress": 0}) == ("0f3c", "", "")
    assert looked(SGLANG | {"status": "in_progress", "progress": 99}) == Look(
        LookKind.ALIVE, "in_progress", 99.0
    )
    assert looked(SGLANG | {"status": "failed", "error": {"message": "out of memory"}}) == Look(
        LookKind.FAILED, "failed", code="upstream_failed", message="out of memory"
    )


def test_sglangs_result_in_the_cloud_is_found_and_its_own_paths_are_not_taken_for_one() -> None:
    here = {
        "status": "completed",
        "progress": 100,
        "file_path": "/srv/out/a.mp4",
        "file_paths": ["/srv/out/a.mp4"],
    }
    assert looked(SGLANG | here).result_url is None
    cloud = here | {"url": "https://cloud.example/a.mp4", "urls": ["https://cloud.example/a.mp4"]}
    assert looked(SGLANG | cloud).result_url == "https://cloud.example/a.mp4"


def test_sglangs_deleted_means_that_no_file_will_come() -> None:
    deleted = SGLANG | {"status": "deleted"}
    assert (looked(deleted).kind, looked(deleted).code) == (LookKind.FAILED, "expired")
    assert parse_cancel(reply(deleted)) is CancelAnswer.CONFIRMED
    assert not PROFILES["generic"].delete_cancels, "it only forgets the job: nobody is to send it a DELETE"


def test_litellm_is_processing_and_its_ids_are_long() -> None:
    external_id = f"video_{'bGl0ZWxsbTpjdXN0b21fbGxt' * 25}=="
    for moment in (0, None):
        body = {"id": external_id, "object": "video", "status": "processing", "created_at": moment}
        assert created(body) == (external_id, "", "")
        assert looked(body) == Look(LookKind.ALIVE, "processing")


def test_new_api_takes_a_job_and_gives_the_address_of_the_result() -> None:
    assert created(answer("new_api_created.json")) == ("task_9fQ…", "", "")
    assert looked(answer("new_api_created.json")) == Look(LookKind.ALIVE, "queued", 0.0)
    assert looked(answer("new_api_completed.json")) == Look(
        LookKind.COMPLETED, "completed", 100.0, "https://…mp4"
    )
    assert looked(answer("new_api_created.json", status="unknown")).kind is LookKind.ALIVE


def test_new_apis_errors_have_a_code_and_a_message_of_their_own() -> None:
    error = answer("new_api_error.json")
    assert created(error, 500) == (None, "fail_to_fetch_task", "<upstream body as a string>")
    inner = json.dumps({"error": {"message": "Too many jobs.", "code": "rate_limit_exceeded"}})
    assert created(error | {"message": inner}, 429) == (None, "rate_limit_exceeded", "Too many jobs.")
    assert looked(error, 500, "task_9fQ…").kind is LookKind.TROUBLE
    unknown = error | {"code": "task_not_exist", "message": "task_not_exist"}
    assert looked(unknown, 400, "task_9fQ…").kind is LookKind.MISSING


def legacy(**data: object) -> dict[str, Any]:
    body = answer("new_api_legacy.json")
    return body | {"data": body["data"] | data}


LEGACY: dict[str, Look] = {
    "NOT_START": Look(LookKind.ALIVE, "not_start", 30.0),
    "SUBMITTED": Look(LookKind.ALIVE, "submitted", 30.0),
    "QUEUED": Look(LookKind.ALIVE, "queued", 30.0),
    "IN_PROGRESS": Look(LookKind.ALIVE, "in_progress", 30.0),
    "SUCCESS": Look(LookKind.COMPLETED, "success", 30.0),
    "FAILURE": Look(LookKind.FAILED, "failure", code="upstream_failed", message="The upstream gave no reason."),
    "UNKNOWN": Look(LookKind.ALIVE, "unknown", 30.0),
}  # fmt: skip


@pytest.mark.parametrize("status", LEGACY)
def test_new_apis_older_answers_are_in_an_envelope(status: str) -> None:
    assert looked(legacy(status=status)) == LEGACY[status]


def test_new_apis_older_builds_give_the_address_as_the_reason_of_a_failure_that_was_none() -> None:
    url = "https://files.example.org/a.mp4"
    done = legacy(status="SUCCESS", progress="100%", fail_reason=url)
    assert looked(done) == Look(LookKind.COMPLETED, "success", 100.0, url)
    failed = legacy(status="FAILURE", progress="100%", fail_reason="任务超时")
    assert looked(failed) == Look(LookKind.FAILED, "failure", code="upstream_failed", message="任务超时")


def test_openrouter_takes_a_job_with_202_and_says_pending() -> None:
    body = answer("openrouter_created.json")
    assert created(body, 202) == ("gen-vid-1763700000-abcdefghijklmnopqrst", "", "")
    assert looked(body, 202) == Look(LookKind.ALIVE, "pending")


def test_openrouters_result_is_the_signed_address_and_it_says_how_long_and_what_it_took() -> None:
    assert looked(answer("openrouter_completed.json")) == Look(
        LookKind.COMPLETED, "completed", None, "https://…signed…", 1763786400.0, cost=0.42
    )


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        ("in_progress", LookKind.ALIVE, ""),
        ("failed", LookKind.FAILED, "upstream_failed"),
        ("cancelled", LookKind.CANCELLED, "upstream_cancelled"),
        ("expired", LookKind.FAILED, "expired"),
    ],
)
def test_openrouters_other_states_come_with_an_error_that_is_text(
    status: str, kind: LookKind, code: str
) -> None:
    seen = looked(answer("openrouter_created.json", status=status, error="The provider said no."))
    assert (seen.kind, seen.code) == (kind, code)
    assert seen.message == ("" if kind is LookKind.ALIVE else "The provider said no.")


HOSTED: dict[str, tuple[dict[str, Any], str | None]] = {
    "three addresses at the top": (
        {"url": "https://a.example/1", "video_url": "https://a.example/1", "result_url": "https://a.example/1"},
        "https://a.example/1",
    ),
    "Inworld's": ({"output": {"videos": [{"url": "https://a.example/2"}]}}, "https://a.example/2"),
    "Agnes AI's, in the place of an id": ({"remixed_from_video_id": "https://a.example/3"}, "https://a.example/3"),
    "Qiniu's": ({"task_result": {"videos": [{"url": "https://a.example/4"}]}}, "https://a.example/4"),
    "none, as of a remix": ({"remixed_from_video_id": "video_68d7…"}, None),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTED)
def test_hosted_gateways_put_the_result_in_different_places(case: str) -> None:
    more, url = HOSTED[case]
    assert looked(answer("openai_video.json", status="completed", progress=100, **more)).result_url == url


def test_hosted_gateways_take_jobs_in_words_of_their_own() -> None:
    assert (
        created({"id": "vid_1", "object": "video", "status": "queued", "progress": None}, 202)[0] == "vid_1"
    )
    assert created({"id": "t1", "object": "video.generation", "status": "processing"})[0] == "t1"
    assert created({"id": "sora-2:task_1", "size": "small", "status": "queued"})[0] == "sora-2:task_1"
