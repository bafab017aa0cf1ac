"""What each service is sent, byte for byte, and what its answers mean."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import tomllib
import urllib.parse
from typing import Any

import pytest
from pydantic import ValidationError

from sora_gateway.alerts.services import Outgoing, refusal, request_to, tokens_in
from sora_gateway.alerts.wording import _LANGUAGES, sentence, text_of, trial_text
from sora_gateway.alerts_settings import Alert
from sora_gateway.core.alerts import AT_ONCE, AlertKind, Message, Note, Phase, Trouble
from sora_gateway.core.webhook_signature import is_signed
from tests.canaries import WEBHOOK_SECRET
from tests.snippets import ROOT, block

AT = 1_800_000_000.5
RAISED = Message((Note(Phase.RAISED, Trouble(AlertKind.UPSTREAM, "lab", "silent"), AT - 60),))
OVER = Message((Note(Phase.RESOLVED, Trouble(AlertKind.STORAGE, "disk", "disk"), AT - 7200),))
LINE = "New: Upstream lab does not answer. Its videos wait; it is tried again by itself. (since 2027-01-15 07:59 UTC)"
TITLE = "sora-gateway videos.example.org: needs attention"


def destination(kind: str, url: str = "https://example.org/hook", secret: str = "", **more: Any) -> Alert:
    return Alert.model_validate({"kind": kind, "url": url, "secret": secret, **more})


def sent(to: Alert, message: Message | None = RAISED) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Address, headers and body."""
    gateway = "videos.example.org"
    text = trial_text(to.language, gateway) if message is None else text_of(message, to.language, gateway)
    request = request_to(to, Outgoing(text, message, gateway, "alert_1", AT))
    assert request.method == "POST"
    assert request.body is not None
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    return request.url, dict(request.headers), json.loads(request.body)


# --- bodies ----------------------------------------------------------------------------------------------


def test_slack_is_sent_plain_text() -> None:
    assert sent(destination("slack"))[2] == {"text": f"{TITLE}\n{LINE}", "mrkdwn": False}


def test_slacks_control_characters_are_escaped() -> None:
    text = text_of(
        Message((Note(Phase.RAISED, Trouble(AlertKind.UPSTREAM, "<!channel> & co", "silent"), AT),)), "en", ""
    )
    body = request_to(destination("slack"), Outgoing(text, None, "", "alert_1", AT)).body
    assert b"Upstream &lt;!channel&gt; &amp; co does" in (body or b"")


def test_feishu_is_sent_a_text_message() -> None:
    url, _, body = sent(destination("feishu"))
    assert url == "https://example.org/hook"
    assert body == {"msg_type": "text", "content": {"text": f"{TITLE}\n{LINE}"}}


def test_feishus_signature_is_keyed_with_time_and_secret() -> None:
    _, _, body = sent(destination("feishu", secret="c4n4ry-of-feishu"))
    key = b"1800000000\nc4n4ry-of-feishu"
    expected = base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
    assert (body["timestamp"], body["sign"]) == ("1800000000", expected)


def test_dingtalk_is_sent_a_text_message() -> None:
    url, _, body = sent(destination("dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=c4n4ry"))
    assert url == "https://oapi.dingtalk.com/robot/send?access_token=c4n4ry"
    assert body == {"msgtype": "text", "text": {"content": f"{TITLE}\n{LINE}"}}


def test_dingtalks_signature_is_in_the_address() -> None:
    address = "https://oapi.dingtalk.com/robot/send?access_token=c4n4ry"
    url, _, _ = sent(destination("dingtalk", address, "SECc4n4ry"))
    digest = hmac.new(b"SECc4n4ry", b"1800000000500\nSECc4n4ry", hashlib.sha256).digest()
    sign = urllib.parse.quote_plus(base64.b64encode(digest))
    assert url == f"{address}&timestamp=1800000000500&sign={sign}"


@pytest.mark.parametrize(
    ("kind", "sign"),
    [
        # printf '' | openssl dgst -sha256 -hmac "$(printf '1800000000\nthis is c4n4ry')" -binary | base64
        ("feishu", "L7Z8A8a6chotTV1xIIO0hxlwoj/lfSEeYEkhFpi2FJ8="),
        # printf '1800000000500\nthis is c4n4ry' | openssl dgst -sha256 -hmac 'this is c4n4ry' -binary | base64
        ("dingtalk", "Tks4KiCghjN8cpzZ7Fykc7vO8XgQy+xzkUYxQ2BL1WY="),
    ],
)
def test_signatures_are_those_that_another_program_computes(kind: str, sign: str) -> None:
    url, _, body = sent(destination(kind, secret="this is c4n4ry"))
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    assert {**query, **body}["sign"] == sign


def test_ntfy_is_sent_json_at_its_root_with_the_topic_inside() -> None:
    url, headers, body = sent(destination("ntfy", "https://ntfy.example.org:8443/my-topic_1"))
    assert url == "https://ntfy.example.org:8443/"
    assert "Authorization" not in headers
    assert body == {
        "topic": "my-topic_1",
        "title": TITLE,
        "message": LINE,
        "priority": 4,
        "tags": ["warning"],
    }
    _, headers, body = sent(destination("ntfy", "https://ntfy.sh/a", "tk_c4n4ry"), OVER)
    assert headers["Authorization"] == "Bearer tk_c4n4ry"
    assert (body["priority"], body["tags"]) == (3, ["information_source"])
    assert body["title"] == "sora-gateway videos.example.org: all right again"


def test_other_programs_are_sent_facts_that_are_signed() -> None:
    to = destination("json", secret=WEBHOOK_SECRET)
    _, headers, body = sent(to)
    assert body == {
        "type": "alert",
        "timestamp": "2027-01-15T08:00:00.500Z",
        "data": {
            "gateway": "videos.example.org",
            "title": TITLE,
            "text": LINE,
            "alerts": [
                {
                    "phase": "raised", "kind": "upstream", "subject": "lab", "cause": "silent", "count": 1,
                    "since": "2027-01-15T07:59:00.500Z",
                }
            ],
        },
    }  # fmt: skip
    request = request_to(to, Outgoing(text_of(RAISED, "en", ""), RAISED, "", "alert_1", AT))
    assert request.body is not None
    assert is_signed(
        WEBHOOK_SECRET, request.headers["webhook-id"], request.headers["webhook-timestamp"],
        request.headers["webhook-signature"], request.body, AT,
    )  # fmt: skip
    assert headers["webhook-id"] == "alert_1"
    assert "webhook-signature" not in sent(destination("json"))[1]
    assert sent(destination("json"), None)[2]["type"] == "test"


# --- answers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("feishu", b'{"code":0,"msg":"success","data":{}}', None),
        ("feishu", b'{"StatusCode":0,"StatusMessage":"success"}', None),
        ("feishu", b'{"code":19021,"msg":"sign match fail or timestamp is not within one hour"}', 19021),
        ("dingtalk", b'{"errcode":0,"errmsg":"ok"}', None),
        ("dingtalk", b'{"errcode":310000,"errmsg":"sign not match"}', 310000),
        ("dingtalk", b"<html>", None),
        ("dingtalk", b"[1]", None),
        ("dingtalk", b'{"errcode":"many"}', None),
        ("slack", b'{"code":1,"errcode":1}', None),
        ("ntfy", b'{"id":"x","code":1}', None),
    ],
)
def test_a_refusal_under_the_status_200_is_one(kind: str, body: bytes, code: int | None) -> None:
    assert refusal(kind, body) == code


# --- words -----------------------------------------------------------------------------------------------


def test_chinese_is_spoken_where_it_is_wanted() -> None:
    _, _, body = sent(destination("feishu", language="zh"))
    assert body["content"]["text"] == (
        "sora-gateway videos.example.org: 需要处理\n"
        "新告警: 上游 lab 没有应答。其视频在等待，网关会自动重试。（自 2027-01-15 07:59 UTC 起）"
    )
    assert "测试" in sent(destination("feishu", language="zh"), None)[2]["content"]["text"]


@pytest.mark.parametrize("language", _LANGUAGES)
def test_everything_has_a_sentence_for_its_beginning_and_its_end(language: str) -> None:
    words = _LANGUAGES[language]
    assert set(words.wrong) == set(_LANGUAGES["en"].wrong)
    for kind, cause in words.wrong:
        for over in (False, True):
            text = sentence(Trouble(kind, "lab", cause, 3), over=over, language=language)
            assert "{" not in text
            assert text.endswith((".", "。", "unknown list"))
    assert {kind for kind, _ in words.wrong} == set(AlertKind) == {kind for kind, _ in words.over}


@pytest.mark.parametrize("language", _LANGUAGES)
def test_the_longest_message_fits_where_the_least_is_taken(language: str) -> None:
    notes = tuple(
        Note(Phase.RAISED, Trouble(AlertKind.UNKNOWN, "u" * 32, "unknown", 100_000), AT)
        for _ in range(AT_ONCE)
    )
    text = text_of(Message(notes, 99, AT), language, "h" * 60)
    assert len("\n".join(text.lines).encode()) < 4096
    assert text.lines[-2].count("99") == 1
    assert "08:00 UTC" in text.lines[-1]


# --- settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"kind": "slack", "url": "ftp://example.org/"}, "http://"),
        ({"kind": "slack", "url": "https:///c4n4ry"}, "http://"),
        ({"kind": "slack", "url": "https://me:c4n4ry@example.org/"}, "http://"),
        ({"kind": "slack", "url": "https://example.org:99999/"}, "http://"),
        ({"kind": "slack", "url": "https://example.org/a#c4n4ry"}, "http://"),
        ({"kind": "slack", "url": "https://example.org/a b"}, "http://"),
        ({"kind": "slack", "url": "https://example.org/", "secret": "c4n4ry"}, "no secret"),
        ({"kind": "ntfy", "url": "https://ntfy.sh/"}, "topic"),
        ({"kind": "ntfy", "url": "https://ntfy.sh/a/b"}, "topic"),
        ({"kind": "ntfy", "url": "https://ntfy.sh/a", "secret": "c4n4ry\n"}, "printable"),
        ({"kind": "json", "url": "https://example.org/", "secret": "c4n4ry"}, "random bytes"),
        ({"kind": "teams", "url": "https://example.org/"}, "slack"),
        ({"kind": "slack", "url": "https://example.org/", "about": ["rain"]}, "upstream"),
    ],
)
def test_what_cannot_work_is_refused_without_repeating_it(table: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Alert.model_validate(table)
    (problem,) = refused.value.errors(include_url=False, include_input=False)
    assert complaint in problem["msg"]
    assert "c4n4ry" not in problem["msg"]


def test_the_tokens_of_an_address_are_known() -> None:
    slack = destination("slack", "https://hooks.slack.com/services/T0000/B0000/c4n4ryXXXXXXXX")
    assert "c4n4ryXXXXXXXX" in tokens_in(slack)
    ding = destination("dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=c4n4ry1", "SECc4n4ry2")
    assert tokens_in(ding) >= {"c4n4ry1", "SECc4n4ry2"}


@pytest.mark.parametrize("kind", ["slack", "feishu", "dingtalk", "ntfy", "json"])
def test_the_examples_of_the_documentation_are_valid(kind: str) -> None:
    text = block(ROOT / "docs/operating.md", kind)
    ((_, table),) = tomllib.loads(text)["alerts"].items()
    assert Alert.model_validate(table).kind == kind
