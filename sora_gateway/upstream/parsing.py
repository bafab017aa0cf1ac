"""Answers turned into observations: pure, tolerant, and never raising, whatever the bytes are.

Servers that speak the same language disagree in every detail, so nothing is required but an id on create
and a status on a look. What cannot be understood is trouble, never a failed job.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.outcome import CreateAnswer, is_moderation
from sora_gateway.upstream.adapter import CancelAnswer
from sora_gateway.upstream.client import Reply
from sora_gateway.upstream.moments import moment, number, retry_after, took
from sora_gateway.upstream.text import clean
from sora_gateway.upstream.wrapped_ids import without_model

Object: TypeAlias = dict[str, Any]

MAX_DEPTH = 32

STATUSES: Mapping[str, LookKind] = {
    word: kind
    for kind, words in {
        LookKind.ALIVE: (
            "queued pending submitted not_start notstarted preparing created starting waiting queuing in_queue "
            "inqueue throttled unknown in_progress inprogress processing running generating preprocessing "
            "dreaming rendering"
        ),
        LookKind.COMPLETED: "completed complete success succeeded succeed finished done",
        # "expired" and "deleted": it may have been ready once, but there will be no file.
        LookKind.FAILED: "failed failure fail error rejected incomplete budget_exceeded expired deleted",
        LookKind.CANCELLED: "cancelled canceled",
    }.items()
    for word in words.split()
}
"""The upstream's word for a state, in lower case; one that is not here counts as running."""

_ENDED = (LookKind.COMPLETED, LookKind.FAILED)
_GONE = frozenset({"expired", "deleted"})
_NO_SUCH_JOB = frozenset({"task_not_exist", "task_not_found", "video_not_found"})
_ENVELOPE_OK = frozenset({"", "0", "200", "success", "ok", "none"})
_STATUS_FIELDS = ("status", "task_status", "state")
_PERCENT = re.compile(r"\s*(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)\s*%?\s*")
_MONEY = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,12})?")
_MAX_URL = 4096
_MAX_COST = 1e9

_URL_PATHS = (
    "video_url", "url", "result_url", "urls.0", "unsigned_urls.0", "output.videos.0.url", "video.url",
    "content.video_url", "content.url", "metadata.url", "task_result.videos.0.url", "data.video_url",
    "data.url", "data.result_url", "data.fail_reason", "fail_reason", "resultUrls.0",
    "remixed_from_video_id",
)  # fmt: skip


def parse_create(
    reply: Reply, *, now: float, id_paths: Iterable[str] = ("id",), secrets: Iterable[str] = ()
) -> CreateAnswer:
    """What a create was answered. *now* in epoch seconds; *secrets* are kept out of every text."""
    secrets = tuple(secrets)
    body = load_object(reply)
    code, message = error_of(body or {}, secrets)
    return CreateAnswer(
        status=reply.status,
        external_id=_new_id(body, id_paths) if body is not None else None,
        parsed=body is not None,
        error_code=code,
        error_message=message,
        retry_after=retry_after(reply.headers, now),
        excerpt=excerpt(reply, secrets),
    )


def parse_look(
    reply: Reply,
    external_id: str,
    *,
    now: float,
    id_paths: Iterable[str] = ("id",),
    progress_scale: float = 1.0,
    secrets: Iterable[str] = (),
) -> Look:
    """What a look at *external_id* was answered. *now* in epoch seconds."""
    secrets = tuple(secrets)
    wait = retry_after(reply.headers, now)
    body = load_object(reply)
    ids = ids_of(body, id_paths) if body is not None else []
    ours = without_model(external_id) in map(without_model, ids)
    code, message = error_of(body or {}, secrets)
    if body is not None and ours and not 200 <= reply.status < 300:
        # vLLM-Omni answers the look at a failed job with the failure's own status.
        look = look_of_object(body, code, message, progress_scale, wait)
        if look.kind in (LookKind.FAILED, LookKind.CANCELLED):
            return look
    if not 200 <= reply.status < 300:
        return _of_status(reply.status, code, message, wait)
    if body is None:
        return Look(LookKind.TROUBLE, message="an answer that is no JSON object", retry_after=wait)
    if ids and not ours:
        # Another job's answer may be another person's video.
        return Look(LookKind.TROUBLE, message="an answer about another job", retry_after=wait)
    if not status_of(body) and not (ours and body.get("error")):
        return _without_status(code, message, wait)
    return look_of_object(body, code, message, progress_scale, wait)


def parse_cancel(reply: Reply) -> CancelAnswer:
    """What a DELETE that should stop a job was answered."""
    if 200 <= reply.status < 300:
        if reply.status == 204:
            return CancelAnswer.CONFIRMED
        body = load_object(reply)
        if body is None or _has_error(body):
            return CancelAnswer.TROUBLE
        word = status_of(body)
        if body.get("deleted") is True or word in _GONE or STATUSES.get(word) is LookKind.CANCELLED:
            return CancelAnswer.CONFIRMED
        return CancelAnswer.FINISHED if STATUSES.get(word) in _ENDED else CancelAnswer.TROUBLE
    if reply.status in (405, 501):
        return CancelAnswer.UNSUPPORTED
    # 409 is vLLM-Omni's "not yet": it is asked again.
    return CancelAnswer.FINISHED if reply.status in (400, 404, 410, 422) else CancelAnswer.TROUBLE


def _of_status(status: int, code: str, message: str, wait: float | None) -> Look:
    kind, text = LookKind.TROUBLE, message or f"HTTP {status}"
    if status in (404, 410) or (status == 400 and code.lower() in _NO_SUCH_JOB):
        return Look(LookKind.MISSING, code=code, message=text, retry_after=wait)
    if status in (401, 402, 403):
        kind = LookKind.OUT_OF_ORDER
    return Look(kind, code=code or f"http_{status}", message=text, retry_after=wait)


def _without_status(code: str, message: str, wait: float | None) -> Look:
    """HTTP 200 that names no state: an error envelope, or nothing that we know."""
    if code.lower() in _NO_SUCH_JOB:
        return Look(LookKind.MISSING, code=code, message=message, retry_after=wait)
    if is_moderation(code):
        return Look(LookKind.FAILED, code=code, message=message, retry_after=wait)
    return Look(
        LookKind.TROUBLE, code=code, message=message or "an answer without a status", retry_after=wait
    )


def look_of_object(body: Object, code: str, message: str, scale: float, wait: float | None) -> Look:
    """What an object says of its job; *code* and *message* are the error in it, *scale* turns progress to percent."""
    word = status_of(body)
    # An object about our job that has an error and no status has failed.
    kind = STATUSES.get(word, LookKind.ALIVE) if word else LookKind.FAILED
    if kind is LookKind.COMPLETED and (_has_error(body) and (code or message)):
        # fal says COMPLETED and means that it has stopped trying.
        kind = LookKind.FAILED
    if kind in (LookKind.FAILED, LookKind.CANCELLED):
        code = code or ("expired" if word in _GONE else f"upstream_{kind}")
        return Look(
            kind, word, code=code, message=message or "The upstream gave no reason.", retry_after=wait
        )
    done = kind is LookKind.COMPLETED
    return Look(
        kind,
        word,
        progress=_progress(first(body, ("progress", "data.progress")), scale),
        result_url=result_url(body) if done else None,
        expires_at=moment(first(body, ("expires_at", "data.expires_at"))) if done else None,
        retry_after=wait,
        took=took(body.get("created_at"), body.get("completed_at")) if done else None,
        cost=_cost(body) if done else None,
    )


# --- pieces, each of which takes anything -----------------------------------------------------------


def load_object(reply: Reply) -> Object | None:
    """The body as a JSON object within bounds, or None. The content type is not asked: too many lie."""
    return None if reply.truncated else load_text(reply.body)


def load_text(text: bytes | str) -> Object | None:
    try:
        value = json.loads(text, parse_constant=refuse_constant, object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and within_depth(value) else None


def refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def without_duplicates(pairs: list[tuple[str, object]]) -> Object:
    """The object, unless a name is in it twice: two readers of one id or status would not agree on it."""
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def within_depth(value: object, limit: int = MAX_DEPTH) -> bool:
    level: list[object] = [value]
    for _ in range(limit):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return True
    return not any(isinstance(item, dict | list) for item in level)


def _at(value: object, path: str) -> object:
    """The value at a dotted path, numbers being list positions; None when there is none."""
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def first(body: Object, paths: Iterable[str]) -> object:
    """The first value that is there, of dotted paths."""
    return next((found for path in paths if (found := _at(body, path)) is not None), None)


def ids_of(body: Object, id_paths: Iterable[str]) -> list[str]:
    """Every id that *body* carries, numbers as text."""
    found = (_at(body, path) for path in id_paths)
    return [
        str(one) for one in found if isinstance(one, str | int) and not isinstance(one, bool) and one != ""
    ]


def _new_id(body: Object, id_paths: Iterable[str]) -> str | None:
    if _has_error(body) and not status_of(body):
        # An error envelope's id is the request's, not a job's.
        return None
    ids = ids_of(body, id_paths)
    return ids[0] if ids else None


def status_of(body: Object) -> str:
    """The upstream's word for the state in lower case; empty when it has none."""
    for where in (_at(body, "data"), body):
        if isinstance(where, dict):
            for name in _STATUS_FIELDS:
                word = where.get(name)
                if isinstance(word, str) and word in STATUSES:
                    return word
                if isinstance(word, str) and word.strip():
                    return clean(word, limit=40).lower()
    return ""


def result_url(body: Object) -> str | None:
    """The first absolute http address that the object gives for its result."""
    nested = _at(body, "data.resultJson") or _at(body, "resultJson")
    places = [body, (load_text(nested) or {}) if isinstance(nested, str) else {}]
    found = (_at(place, path) for place in places for path in _URL_PATHS)
    return next((one for one in found if _is_url(one)), None)  # type: ignore[return-value]


def _is_url(value: object) -> bool:
    return (
        isinstance(value, str)
        and len(value) <= _MAX_URL
        and value.lower().startswith(("http://", "https://"))
        and value.isprintable()
        and " " not in value
    )


def _has_error(body: Object) -> bool:
    """Whether the object itself says that something is wrong, apart from its status."""
    code = body.get("code")
    return (
        bool(body.get("error") or _at(body, "data.error"))
        or body.get("success") is False
        or (isinstance(code, str | int) and str(code).strip().lower() not in _ENVELOPE_OK)
        or _at(body, "base_resp.status_code") not in (None, 0, "0")
    )


def error_of(body: Object, secrets: Iterable[str] = ()) -> tuple[str, str]:
    """Code and message in any of the forms that servers use; moderation always as ``moderation_blocked``."""
    secrets = tuple(secrets)
    code, message = _raw_error(body)
    inner = load_text(message) or load_text(message[message.find('{"error"') : message.rfind("}") + 1])
    if inner is not None:
        # Relays pass on their own upstream's error body as a string, LiteLLM in the middle of its own words.
        inner_code, inner_message = _raw_error(inner)
        code, message = inner_code or code, inner_message or message
    if is_moderation(code) or body.get("respect_moderation") is False:
        code = "moderation_blocked"
    return clean(code, secrets, limit=100), clean(message, secrets)


def _raw_error(body: Object) -> tuple[str, str]:
    error = body.get("error")
    if error is None:
        error = _at(body, "data.error")
    if isinstance(error, str):
        return _word(body.get("code")), error
    if isinstance(error, dict):
        code = _word(error.get("code")) or _word(error.get("type"))
        return code, _text(error.get("message")) or _text(error.get("detail"))
    detail = body.get("detail")
    if detail:
        return _word(body.get("code")), _detail(detail)
    code = _word(first(body, ("bizCode", "failureCode", "data.failureCode", "base_resp.status_code", "code")))
    reasons = ("fail_reason", "data.fail_reason", "failMsg", "data.failMsg", "failure", "data.failure")
    reason = next((text for path in reasons if (text := _text(_at(body, path))) and not _is_url(text)), "")
    message = reason or _text(first(body, ("message", "msg", "base_resp.status_msg")))
    return ("", reason) if code.strip().lower() in _ENVELOPE_OK else (code, message)


def _detail(detail: object) -> str:
    """FastAPI's: a sentence, or a list of complaints."""
    if isinstance(detail, list):
        return "; ".join(text for item in detail[:5] if (text := _text(_at(item, "msg")) or _text(item)))
    return _text(detail) or _text(_at(detail, "message"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _word(value: object) -> str:
    """A code, which may be a number."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _progress(value: object, scale: float) -> float | None:
    """Percent within 0..100 from a number or a text like "30%"; None if *scale* is 0, for then it means nothing."""
    if isinstance(value, str):
        match = _PERCENT.fullmatch(value)
        value = float(match[1]) if match else None
    percent = number(value)
    return None if percent is None or scale == 0 else min(100.0, max(0.0, percent * scale))


def _cost(body: Object) -> float | None:
    """What it took, in the upstream's own money: Merge Gateway and Eden AI say ``cost``, OpenRouter ``usage.cost``."""
    for path in ("cost", "usage.cost"):
        value = _at(body, path)
        if isinstance(value, str):
            value = float(value) if _MONEY.fullmatch(value) else None
        cost = number(value)
        if cost is not None and 0 <= cost < _MAX_COST:
            return cost
    return None


def excerpt(reply: Reply, secrets: Iterable[str] = ()) -> str:
    """The start of the answer for the operator."""
    return clean(reply.body.decode("utf-8", "replace"), secrets)
