"""Answers as servers really send them, and as they never should: what each one says about a job."""

from __future__ import annotations

import json
from email.utils import formatdate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sora_gateway.core.observation import Look, LookKind
from sora_gateway.upstream.adapter import CancelAnswer
from sora_gateway.upstream.client import Reply
from sora_gateway.upstream.moments import retry_after
from sora_gateway.upstream.parsing import (
    error_of,
    parse_cancel,
    parse_create,
    parse_look,
    result_url,
)
from sora_gateway.upstream.profiles import PROFILES
from sora_gateway.upstream.text import clean

GENERIC = PROFILES["generic"].id_paths
NOW = 1_763_700_000.0


def reply(body: object, status: int = 200, **headers: str) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


def look(body: object, status: int = 200, external_id: str = "v1", **headers: str) -> Look:
    return parse_look(reply(body, status, **headers), external_id, now=NOW, id_paths=GENERIC)


# --- verbatim ----------------------------------------------------------------------------------------

OPENAI = """{"id":"video_68d7","object":"video","model":"sora-2","status":"in_progress","progress":33,
 "created_at":1760627796,"completed_at":null,"expires_at":null,"prompt":"a paper boat in the rain",
 "size":"1280x720","seconds":"8","remixed_from_video_id":null,"error":null}"""
VLLM_OMNI = """{"id":"video_gen_0f3c","object":"video","model":"Wan-AI/Wan2.2-T2V-A14B-Diffusers","status":"queued","progress":0,
 "prompt":"...","size":"832x480","seconds":"8","quality":"default","created_at":1763700000,"completed_at":null,
 "expires_at":null,"remixed_from_video_id":null,"error":null,"media_type":"video/mp4","file_name":null,
 "inference_time_s":null,"fps":null}"""
LITELLM = """{"id":"video_bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOmdlbWluaQ==","object":"video","status":"processing",
 "created_at":0,"model":"veo-3.1"}"""
LITELLM_REFUSAL = {
    "error": {
        "message": 'litellm.BadRequestError: OpenAIException - {"error":{"message":"Your request was blocked by our '
        'moderation system.","type":"invalid_request_error","param":"prompt","code":"moderation_blocked"}}\n\n'
        "LiteLLM: model group 'clips' failed with the error above. No fallback was attempted.",
        "type": "invalid_request_error",
        "param": None,
        "code": "400",
    }
}
NEW_API = """{"id":"task_9fQ","task_id":"task_9fQ","object":"video","model":"sora-2","status":"queued","progress":0,
 "created_at":1763700000,"seconds":"8","size":"1280x720"}"""
NEW_API_DONE = """{"id":"task_9fQ","object":"video","status":"completed","progress":100,
 "metadata":{"url":"https://files.example.org/a.mp4"}}"""
NEW_API_LEGACY = """{"code":"success","message":"","data":{"task_id":"task_9fQ","status":"IN_PROGRESS","progress":"30%",
 "fail_reason":"","result_url":"","submit_time":1763700000,"start_time":0,"finish_time":0}}"""
NEW_API_LEGACY_DONE = """{"code":"success","message":"","data":{"task_id":"task_9fQ","status":"SUCCESS","progress":"100%",
 "fail_reason":"https://files.example.org/a.mp4","result_url":""}}"""
NEW_API_LEGACY_FAILED = """{"code":"success","message":"","data":{"task_id":"task_9fQ","status":"FAILURE","progress":"100%",
 "fail_reason":"任务超时"}}"""


@pytest.mark.parametrize(
    ("text", "external_id"),
    [
        (OPENAI, "video_68d7"),
        (VLLM_OMNI, "video_gen_0f3c"),
        (LITELLM, "video_bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOmdlbWluaQ=="),
        (NEW_API, "task_9fQ"),
        ('{"data": {"task_id": "task_9fQ"}, "code": "success"}', "task_9fQ"),
        ('{"id": 4711}', "4711"),
    ],
)
def test_a_receipt_is_found_in_the_answers_of_known_servers(text: str, external_id: str) -> None:
    answer = parse_create(reply(text.encode()), now=NOW, id_paths=GENERIC)
    assert answer.external_id == external_id
    assert answer.parsed


@pytest.mark.parametrize(
    ("text", "external_id", "seen"),
    [
        (OPENAI, "video_68d7", Look(LookKind.ALIVE, "in_progress", 33.0)),
        (VLLM_OMNI, "video_gen_0f3c", Look(LookKind.ALIVE, "queued", 0.0)),
        (NEW_API_LEGACY, "task_9fQ", Look(LookKind.ALIVE, "in_progress", 30.0)),
        (
            NEW_API_DONE,
            "task_9fQ",
            Look(LookKind.COMPLETED, "completed", 100.0, "https://files.example.org/a.mp4"),
        ),
        (
            NEW_API_LEGACY_DONE,
            "task_9fQ",
            Look(LookKind.COMPLETED, "success", 100.0, "https://files.example.org/a.mp4"),
        ),
        (
            NEW_API_LEGACY_FAILED,
            "task_9fQ",
            Look(LookKind.FAILED, "failure", code="upstream_failed", message="任务超时"),
        ),
    ],
)
def test_a_look_reads_the_answers_of_known_servers(text: str, external_id: str, seen: Look) -> None:
    assert look(text.encode(), external_id=external_id) == seen


def test_openais_failure_is_a_failure_with_its_reason() -> None:
    blocked = "Your request was blocked by our moderation system."
    seen = look({"id": "v1", "status": "failed", "error": {"code": "moderation_blocked", "message": blocked}})
    assert seen == Look(LookKind.FAILED, "failed", code="moderation_blocked", message=blocked)


def test_vllm_omni_answers_the_look_at_a_failed_job_with_500() -> None:
    seen = look(
        {"id": "v1", "status": "failed", "error": {"code": 500, "message": "CUDA out of memory"}}, 500
    )
    assert seen == Look(LookKind.FAILED, "failed", code="500", message="CUDA out of memory")


# --- the status union --------------------------------------------------------------------------------

UNION = {
    LookKind.ALIVE: "queued pending submitted NOT_START notstarted preparing created starting waiting queuing in_queue "
    "IN_QUEUE inqueue throttled unknown UNKNOWN in_progress IN_PROGRESS inprogress processing running generating "
    "preprocessing dreaming rendering moderating something_new",
    LookKind.COMPLETED: "completed complete success SUCCESS succeeded succeed finished done COMPLETED",
    LookKind.FAILED: "failed failure FAILURE fail error rejected incomplete budget_exceeded expired deleted",
    LookKind.CANCELLED: "cancelled canceled",
}


@pytest.mark.parametrize(
    ("kind", "word"), [(kind, w) for kind, words in UNION.items() for w in words.split()]
)
def test_every_word_for_a_state_is_understood(kind: LookKind, word: str) -> None:
    assert look({"id": "v1", "status": f" {word} "}).kind is kind


def test_expired_says_so() -> None:
    assert look({"id": "v1", "status": "expired"}).code == "expired"


def test_completed_with_an_error_is_a_failure() -> None:
    assert look({"id": "v1", "status": "COMPLETED", "error": "no output"}).kind is LookKind.FAILED
    assert look({"id": "v1", "status": "completed", "error": {}}).kind is LookKind.COMPLETED


# --- what the status of the answer says ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, {"error": {"message": "not found"}}, LookKind.MISSING),
        (404, b"<html>", LookKind.MISSING),
        (410, b"", LookKind.MISSING),
        (400, {"code": "task_not_exist", "message": "task_not_exist", "data": None}, LookKind.MISSING),
        (200, {"code": "task_not_exist", "message": "gone"}, LookKind.MISSING),
        (400, {"error": {"message": "bad"}}, LookKind.TROUBLE),
        (401, b"", LookKind.OUT_OF_ORDER),
        (402, b"", LookKind.OUT_OF_ORDER),
        (403, b"", LookKind.OUT_OF_ORDER),
        (301, b"", LookKind.TROUBLE),
        (429, b"", LookKind.TROUBLE),
        (500, b"<html>", LookKind.TROUBLE),
        (500, {"id": "v2", "status": "failed"}, LookKind.TROUBLE),
        (500, {"id": "v1", "status": "completed"}, LookKind.TROUBLE),
        (503, b"", LookKind.TROUBLE),
        (200, b"<html>", LookKind.TROUBLE),
        (200, b"", LookKind.TROUBLE),
        (200, [1], LookKind.TROUBLE),
        (200, {}, LookKind.TROUBLE),
        (200, {"id": "v1"}, LookKind.TROUBLE),
        (200, {"error": {"message": "overloaded"}}, LookKind.TROUBLE),
        (200, {"success": False, "msg": "busy"}, LookKind.TROUBLE),
        (200, {"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, LookKind.TROUBLE),
        (200, {"code": 451, "message": "blocked"}, LookKind.FAILED),
        (200, {"id": "v1", "error": "it broke"}, LookKind.FAILED),
        (200, {"id": "v2", "status": "completed"}, LookKind.TROUBLE),
        (200, b'{"id": "v1", "status": "failed", "progress": NaN}', LookKind.TROUBLE),
        (200, b'{"id": "v2", "id": "v1", "status": "done"}', LookKind.TROUBLE),
        (200, b'{"id": "v1", "status": "queued", "status": "done"}', LookKind.TROUBLE),
    ],
)
def test_a_look_that_is_answered_oddly(status: int, body: object, kind: LookKind) -> None:
    assert look(body, status).kind is kind


def test_trouble_and_refusals_carry_the_wait() -> None:
    assert look(b"", 429, retry_after="12").retry_after == 12.0
    assert look(b"", 503, retry_after_ms="250").retry_after == 0.25
    assert look({"id": "v1", "status": "queued"}, retry_after="4").retry_after == 4.0


@pytest.mark.parametrize(
    ("value", "percent"),
    [
        (0, 0.0), (33, 33.0), (0.5, 0.5), (36.5, 36.5), ("30%", 30.0), (" 30.5 % ", 30.5), ("70", 70.0),
        (None, None), (True, None), ("soon", None), ([], None), (-5, 0.0), (250, 100.0), ("-3%", 0.0),
    ],
)  # fmt: skip
def test_progress_is_percent_whatever_it_was(value: object, percent: float | None) -> None:
    assert look({"id": "v1", "status": "running", "progress": value}).progress == percent


def test_a_profile_may_say_that_progress_is_a_fraction() -> None:
    body = reply({"id": "v1", "status": "running", "progress": 0.42})
    assert parse_look(body, "v1", now=NOW, progress_scale=100).progress == 42.0


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (1760714196, 1760714196.0),
        (1760714196000, 1760714196.0),
        (None, None),
        (0, None),
        ("x", None),
        # Nanoseconds, or nonsense: no calendar has such a day.
        (1760714196000000000, None),
        (1e300, None),
    ],
)
def test_expiry_is_in_epoch_seconds(value: object, moment: float | None) -> None:
    assert look({"id": "v1", "status": "completed", "expires_at": value}).expires_at == moment


# --- result addresses ---------------------------------------------------------------------------------

URL = "https://cdn.example.org/a.mp4?sig=1"


@pytest.mark.parametrize(
    "body",
    [
        {"video_url": URL, "url": "https://cdn.example.org/other"},
        {"url": URL},
        {"result_url": URL},
        {"urls": [URL, "https://cdn.example.org/other"]},
        {"unsigned_urls": [URL]},
        {"output": {"videos": [{"url": URL}]}},
        {"video": {"url": URL}},
        {"content": {"video_url": URL}},
        {"content": {"url": URL}},
        {"metadata": {"url": URL}},
        {"task_result": {"videos": [{"url": URL}]}},
        {"data": {"result_url": URL}},
        {"data": {"fail_reason": URL}},
        {"resultJson": json.dumps({"resultUrls": [URL]})},
        {"remixed_from_video_id": URL},
        {"url": "/relative.mp4", "metadata": {"url": URL}},
        {"url": "file:///etc/passwd", "metadata": {"url": URL}},
        {"url": "https://cdn.example.org/a b\r\n", "metadata": {"url": URL}},
    ],
)
def test_the_result_is_found_where_servers_put_it(body: dict[str, object]) -> None:
    assert result_url(body) == URL


def test_an_id_of_a_remix_is_no_address() -> None:
    assert result_url({"remixed_from_video_id": "video_1"}) is None


# --- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": {"message": "m", "code": "c"}}, "c", "m"),
        ({"error": {"message": "m", "type": "t", "code": None}}, "t", "m"),
        ({"error": {"message": "m", "code": 400}}, "400", "m"),
        ({"error": "m"}, "", "m"),
        ({"detail": "m"}, "", "m"),
        ({"detail": [{"loc": ["body"], "msg": "m"}, {"msg": "n"}]}, "", "m; n"),
        ({"code": "c", "message": "m", "data": None}, "c", "m"),
        ({"code": 1001, "msg": "m"}, "1001", "m"),
        ({"failMsg": "m"}, "", "m"),
        ({"fail_reason": "m"}, "", "m"),
        ({"failure": "m", "failureCode": "SAFETY.INPUT.TEXT"}, "moderation_blocked", "m"),
        ({"bizCode": 451, "message": "m"}, "moderation_blocked", "m"),
        ({"respect_moderation": False}, "moderation_blocked", ""),
        ({"code": "fail_to_fetch_task", "message": '{"error":{"code":"sentinel_block","message":"m"}}'}, "moderation_blocked", "m"),
        (LITELLM_REFUSAL, "moderation_blocked", "Your request was blocked by our moderation system."),
        ({"error": {"message": 'broken - {"error": {"message": "m"', "code": "400"}}, "400", 'broken - {"error": {"message": "m"'),
        ({"error": {"message": 'a sentence {"code": 7}', "code": "400"}}, "400", 'a sentence {"code": 7}'),
        ({"error": ["odd"]}, "", ""),
        ({"code": 0, "message": "fine"}, "", ""),
    ],
)  # fmt: skip
def test_every_form_of_error_is_read(body: dict[str, object], code: str, message: str) -> None:
    assert error_of(body) == (code, message)


def test_texts_are_one_bounded_printable_line() -> None:
    assert clean("a\r\nb\x00\x1b[31m\tc\u202ed\ud800") == "a b[31m cd"
    assert len(clean("x" * 10_000)) == 500


@pytest.mark.parametrize(
    "text",
    ["Bearer abcdefgh123", "key sk-abcdefgh123 here", "key=topsecret1", "topsec\x00ret1", "topsecret1" * 80],
)
def test_keys_are_in_no_text(text: str) -> None:
    shown = clean(text, ["topsecret1"])
    assert not {"abcdefgh", "topsec"} & {shown[i : i + n] for n in (6, 8) for i in range(len(shown))}


@given(key=st.text("abc", min_size=4, max_size=12), before=st.text(max_size=600), after=st.text(max_size=50))
def test_no_message_ever_contains_our_key(key: str, before: str, after: str) -> None:
    body = {"id": "v1", "status": "failed", "error": {"message": before + key + after, "code": key}}
    assert key not in repr(parse_look(reply(body), "v1", now=NOW, secrets=[key])).replace("redacted", "")
    assert key not in parse_create(reply(body), now=NOW, secrets=[key]).excerpt.replace("redacted", "")


# --- waits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "99999"}, 900.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e400"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": "Fri, 99 Foo 9999 99:99:99 GMT"}, None),
        ({"retry-after-ms": "1500", "retry-after": "60"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "60"}, 60.0),
    ],
)
def test_a_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


# --- cancel ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, {"id": "v1", "object": "video.deleted", "deleted": True}, CancelAnswer.CONFIRMED),
        (200, {"id": "v1", "status": "cancelled"}, CancelAnswer.CONFIRMED),
        (204, b"", CancelAnswer.CONFIRMED),
        (200, {"id": "v1", "status": "completed"}, CancelAnswer.FINISHED),
        (200, {"id": "v1", "status": "in_progress"}, CancelAnswer.TROUBLE),
        (200, b"<html>", CancelAnswer.TROUBLE),
        (400, {"error": {"message": "already completed"}}, CancelAnswer.FINISHED),
        (404, b"", CancelAnswer.FINISHED),
        (405, b"", CancelAnswer.UNSUPPORTED),
        (409, {"detail": "Cancellation in progress"}, CancelAnswer.TROUBLE),
        (429, b"", CancelAnswer.TROUBLE),
        (500, b"", CancelAnswer.TROUBLE),
    ],
)
def test_only_a_clear_yes_confirms_a_cancellation(status: int, body: object, said: CancelAnswer) -> None:
    assert parse_cancel(reply(body, status)) is said


# --- nothing raises -----------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
KEYS = st.sampled_from(
    [
        "id", "task_id", "status", "state", "progress", "error", "code", "message", "data", "detail", "url", "urls",
        "video", "output", "metadata", "expires_at", "fail_reason", "resultJson", "base_resp", "success", "deleted",
    ]
)  # fmt: skip
OBJECTS = st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON, max_size=6), max_size=8)
BODIES = (
    st.binary(max_size=300)
    | OBJECTS.map(lambda o: json.dumps(o).encode())
    | JSON.map(lambda o: json.dumps(o).encode())
)


@given(
    body=BODIES,
    status=st.integers(100, 999),
    wait=st.text(max_size=20),
    truncated=st.booleans(),
    external_id=st.text(max_size=10),
)
@example(body=b"[" * 100_000, status=200, wait="", truncated=False, external_id="v1")
@example(body=b'{"progress":1e999}', status=200, wait="", truncated=False, external_id="v1")
@example(body=b'{"id":' + b"9" * 5000 + b"}", status=200, wait="", truncated=False, external_id="v1")
@example(
    body=b'{"status":"x","progress":' + b"9" * 400 + b"}",
    status=200,
    wait="",
    truncated=False,
    external_id="",
)
def test_no_answer_is_so_odd_that_it_raises(
    body: bytes, status: int, wait: str, truncated: bool, external_id: str
) -> None:
    odd = Reply(status, {"retry-after": wait, "retry-after-ms": wait, "date": wait}, body, truncated)
    answer = parse_create(odd, now=NOW, id_paths=GENERIC, secrets=["secret"])
    assert len(answer.excerpt) <= 500
    assert len(answer.error_message) <= 500
    assert answer.parsed or answer.external_id is None
    seen = parse_look(odd, external_id, now=NOW, id_paths=GENERIC)
    assert seen.progress is None or 0 <= seen.progress <= 100
    assert seen.retry_after is None or 0 <= seen.retry_after <= 900
    for text in (seen.message, seen.code, seen.status, answer.excerpt, answer.error_message):
        text.encode()
        assert text.isprintable()
    parse_cancel(odd)


@given(body=OBJECTS, status=st.sampled_from([100, 302, 400, 404, 429, 500, 503]))
def test_an_answer_that_does_not_name_our_job_never_ends_it(body: dict[str, object], status: int) -> None:
    body = {"id": "another", **{k: v for k, v in body.items() if k not in ("id", "task_id", "data")}}
    kind = parse_look(reply(body, status), "v1", now=NOW, id_paths=GENERIC).kind
    assert kind in (LookKind.TROUBLE, LookKind.MISSING, LookKind.OUT_OF_ORDER)
