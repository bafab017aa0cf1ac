"""What a relay's stream says, whatever pieces it comes in: text for people, read as observations."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.outcome import OutcomeClass, RejectRules, classify
from sora_gateway.upstream.chat_parsing import MAX_LINE, MAX_TEXT, Transcript
from sora_gateway.upstream.chat_text import address_of, failure_of, progress_of, spoken
from tests.fake_chat import ADDRESS, DONE, EMOJI, SHAPES, SORA2API, TASK_ID, TASK_ID_TEXT, data, frame

PROMPT = "a paper boat in the rain"
DROPPED = "the connection broke before the video was ready"
RULES = RejectRules(frozenset({500, 503}))


def read(*pieces: bytes, prompt: str = PROMPT) -> Transcript:
    transcript = Transcript(prompt)
    for piece in pieces:
        transcript.feed(piece)
    return transcript


def ending(*pieces: bytes, prompt: str = PROMPT) -> Look:
    transcript = read(*pieces, prompt=prompt)
    transcript.end_of_body()
    return transcript.last(DROPPED)


def text_of(words: str, *, whole: bool = True, prompt: str = PROMPT) -> Look:
    return ending(frame(words), *([frame(finish="stop"), DONE] if whole else []), prompt=prompt)


# --- the shapes that relays send ------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_ends_with_the_address(shape: str) -> None:
    look = ending(*SHAPES[shape])
    assert (look.kind, look.result_url) == (LookKind.COMPLETED, ADDRESS)


@pytest.mark.parametrize("shape", SHAPES)
@given(cut=st.data())
def test_no_shape_depends_on_where_packets_end(shape: str, cut: st.DataObject) -> None:
    whole = b"".join(SHAPES[shape])
    ends = sorted(cut.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    pieces = [whole[start:end] for start, end in zip([0, *ends], [*ends, len(whole)], strict=True)]
    assert ending(*pieces) == ending(whole)


def test_the_emoji_shape_goes_from_the_queue_over_percents() -> None:
    seen = [read(*EMOJI[: count + 1]).now() for count in range(6)]
    assert [(look.status, look.progress) for look in seen] == [
        ("running", None),
        ("running", None),
        ("queued", None),
        ("running", 36.0),
        ("running", 36.0),
        ("running", 98.7),
    ]


def test_the_reasoning_has_progress_too() -> None:
    assert read(*SORA2API[:5]).now().progress == 36.0


def test_a_task_id_is_taken_from_the_whole_text_and_not_before_it_is_there() -> None:
    whole = "task_01k7dzptgwf2z87wj2c3t36qk0"
    found = [read(*TASK_ID[:count]).task_id for count in range(len(TASK_ID))]
    assert set(found) == {None, whole}
    assert found == sorted(found, key=lambda one: one is not None)


@given(st.text(alphabet="x生🏃🟩é\ud83c\udfc3", min_size=1, max_size=30))
def test_a_character_may_come_in_halves(text: str) -> None:
    """Some relays cut UTF-16 between the halves of an emoji: each frame has one of them."""
    units = text.encode("utf-16-le", "surrogatepass")
    transcript = Transcript(PROMPT)
    for at in range(0, len(units), 2):
        half = units[at : at + 2].decode("utf-16-le", "surrogatepass")
        transcript.feed(f"data: {json.dumps({'choices': [{'delta': {'content': half}}]})}\n\n".encode())
    assert transcript._content.whole() == units.decode("utf-16-le", "replace")


# --- frames ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        'data: {"choices":[{"delta":{"content":"hello"}}]}\n\n',
        'data:{"choices":[{"delta":{"content":"hello"}}]}\r\n\r\n',
        '\ufeffdata: {"choices":[{"delta":{"content":"hello"}}]}\n',
        'event: message\nid: 7\nretry: 10\ndata: {"choices":[{"delta":{"content":"hello"}}]}\n\n',
        'data: {"choices":[{"delta":\ndata: {"content":"hello"}}]}\n\n',
        'data: {\n  "choices": [\n    {"delta": {"content": "hello"}}\n  ]\n}\n\n',
        ': comment\n\ndata: {"choices":[]}\n\ndata: {"choices":[{"text":1}]}\n\n'
        'data: {"choices":[{"delta":{"content":[{"type":"text","text":"hello"}]}}]}',
        '{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}',
        '{\n  "choices": [\n    {"message": {"content": "hello"}}\n  ]\n}',
        'data: {"choices":[{"delta":{"content":"lost"}}]]}\n\ndata: {"choices":[{"delta":{"content":"hello"}}]}\n\n',
        'data: nonsense\ndata: {"choices":[{"delta":{"content":"hello"}}]}\n\n',
        'data: {"choices":[{"delta":{"content":"hello"}}]}\n\ndata: {"choices":[{"delta":{"content":null}}]}\n\n',
        'data: {"choices":[{"delta":{"content":"hello"}}]}\n\ndata: [DONE]\n\ndata: {"choices":[{"delta":{"content":"!"}}]}\n\n',
        'data: {"choices":[{"delta":{"content":"hello"}}]}\n\ndata: [DONE]\\n\\n',
    ],
)
def test_a_frame_is_found_however_it_is_written(lines: str) -> None:
    transcript = read(lines.encode())
    transcript.end_of_body()
    assert transcript._content.whole() == "hello"


def test_signs_of_life_are_no_words() -> None:
    transcript = Transcript(PROMPT)
    for sign in (b":\n\n", b"\n", frame(role=True), frame(""), data({"choices": []}), b"event: ping\n"):
        assert not transcript.feed(sign)
    assert transcript.feed(frame(" \u200b\n"))
    assert not transcript.accepted
    assert transcript.feed(frame("> 排队"))
    assert transcript.accepted


@given(st.binary(max_size=400))
@example(b'data: {"choices":[{"delta":{"content":"```json\\n{"}}]}\n\n')
@example(b'data: {"choices":[{"index":0,"delta":"?"}],"id":7}\n\n')
@example(b'data: {"error":[]}\n\ndata: {"error":"x","choices":[7]}\n\n')
def test_no_bytes_are_too_strange(noise: bytes) -> None:
    transcript = read(noise)
    transcript.end_of_body()
    assert transcript.now().kind is LookKind.ALIVE
    assert transcript.last(DROPPED).kind in (LookKind.COMPLETED, LookKind.FAILED, LookKind.LOST)
    assert classify(transcript.refusal(), RULES).kind is not OutcomeClass.RECEIPT


def test_a_line_without_end_is_skipped_and_the_next_one_read() -> None:
    transcript = Transcript(PROMPT)
    transcript.feed(b"data: " + b"x" * MAX_LINE)
    transcript.feed(b"x" * MAX_LINE)
    assert len(transcript._lines._buffer) <= MAX_LINE
    transcript.feed(b"x\n" + frame("hello"))
    assert transcript._content.whole() == "hello"


def test_of_a_text_without_end_the_last_part_is_kept() -> None:
    transcript = Transcript(PROMPT)
    for _ in range(40):
        transcript.feed(frame("> 🏃 进度：36.0%\n" * 2000))
    transcript.feed(frame(f"[点击这里]({ADDRESS})"))
    kept = transcript._content
    assert len(kept.whole()) == MAX_TEXT
    assert sum(map(len, kept._pieces)) <= 3 * MAX_TEXT
    assert transcript.last(DROPPED).result_url == ADDRESS


@pytest.mark.parametrize(
    "unit",
    ["[a](http://", "<video ", "```{", '```{"a":[', "http://a.b/c ", "![", "](http://x(", "进度 ", "❌", "\ud83c",
     "█" * 5, "ID: task_", "<video src=http://a.b/c>", "`" * 3 + " "],
)  # fmt: skip
def test_no_text_is_slow_to_read(unit: str) -> None:
    transcript = Transcript(PROMPT)
    transcript._content.add(unit * (MAX_TEXT // len(unit)))
    began = time.process_time()
    transcript.now()
    transcript.last(DROPPED)
    assert time.process_time() - began < 1.0


# --- where the video is ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ADDRESS,
        f"Here it is: {ADDRESS}.",
        f"视频：{ADDRESS}，请查看。",
        f"({ADDRESS})",
        f"**{ADDRESS}**",
        json.dumps({"url": ADDRESS}),
        json.dumps({"video_url": ADDRESS}),
        f"```json\n{json.dumps({'prompt': PROMPT, 'video_url': ADDRESS})}\n```",
        f"[下载视频]({ADDRESS})",
        f'[click here]({ADDRESS} "the video")',
        f"```html\n<video src='{ADDRESS}' controls></video>\n```",
        f'<video controls><source type="video/mp4" src="{ADDRESS}"></video>',
        f"<VIDEO SRC={ADDRESS}>",
        f"![cover](https://host/cover.png) [▶️ 在线观看](https://host/x.gif) [⏬ 下载]({ADDRESS})",
        f"> [数据预览](https://host/web/t) | [原始数据](https://host/source/t)\n{ADDRESS}",
        f"https://host/first.mp4 was not good; better: {ADDRESS}",
        f"{ADDRESS}\n[help](https://host/help)",
        f"⚠️ 错误, 已恢复\n[点击这里]({ADDRESS})",
    ],
)
def test_the_address_is_found_however_it_is_given(words: str) -> None:
    assert text_of(words).result_url == ADDRESS


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ("[点击这里](https://host/get?id=7&sig=a)", "https://host/get?id=7&sig=a"),
        ("<video src='https://host/get?id=7&amp;sig=a'></video>", "https://host/get?id=7&sig=a"),
        ("https://host/v/123", "https://host/v/123"),
        ("✅ 生成成功 https://host/v/123 ", "https://host/v/123"),
        ("[点击这里](https://host/x(1).mp4)", "https://host/x(1).mp4"),
        ("https://host/x.mp4?a=[1]&b=(2)", "https://host/x.mp4?a=[1]&b=(2)"),
        ("<video src='/relative.mp4'></video> https://host/x.webm", "https://host/x.webm"),
    ],
)
def test_addresses_of_all_kinds(words: str, address: str) -> None:
    assert text_of(words).result_url == address


@pytest.mark.parametrize(
    "words",
    [
        "余额不足，请到 https://host/topup 充值",
        "❌ 余额不足，[点击这里](https://host/topup) 充值",
        "see [help](https://host/help)",
        "![cover](https://host/cover.png)",
        "ftp://host/x.mp4",
        "<video src='javascript:x.mp4'></video>",
        f"https://host/{'x' * 5000}.mp4",
    ],
)
def test_a_link_to_something_else_is_no_video(words: str) -> None:
    assert text_of(words).result_url is None


@pytest.mark.parametrize(
    "words",
    [
        f"```json\n{json.dumps({'prompt': f'[点击这里]({ADDRESS}) ❌ 进度：99%', 'mode': '横屏模式'})}\n```\n> 🏃 进度：12%\n",
        f"```json\n{json.dumps({'prompt': f'``` [点击这里]({ADDRESS})'})}\n```\n> 🏃 进度：12%\n",
        f'```json\n{{"prompt": "[点击这里]({ADDRESS})',
        f"> 提示词：[点击这里]({ADDRESS})\n> 🏃 进度：12%\n",
        "```json\n{broken\n```\n> 🏃 进度：12%\n",
    ],
)
def test_what_the_order_says_is_not_the_relays_word(words: str) -> None:
    prompt = f"[点击这里]({ADDRESS})"
    transcript = read(frame(words), prompt=prompt)
    assert not transcript.concluded
    assert transcript.now().progress in (12.0, None)
    assert text_of(words, prompt=prompt).kind is LookKind.LOST


@given(st.integers(1, len(TASK_ID_TEXT)))
def test_an_address_that_may_go_on_is_not_taken(length: int) -> None:
    words = spoken(TASK_ID_TEXT[:length], PROMPT)
    assert address_of(words, PROMPT, whole=False) in (None, ADDRESS)


def test_a_bare_address_is_whole_when_something_follows_it() -> None:
    for words, found in ((ADDRESS[:-1], None), (ADDRESS, None), (f"{ADDRESS}\n", ADDRESS)):
        assert address_of(spoken(words, PROMPT), PROMPT, whole=False) == found
    assert text_of(ADDRESS, whole=False).kind is LookKind.LOST


# --- how far it is ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "percent"),
    [
        ("> 🏃 进度：36.0%", 36.0),
        ("> 🏃 进度 76..", 76.0),
        ("进度:5", 5.0),
        ("\n**Video Generation Progress**: 36% (running)\n", 36.0),
        ("Progress: [████░░░░░░] 40%\n", 40.0),
        ("▓" * 3 + "░" * 7 + "\n", None),
        ("🟩🟩🟩⬜⬜⬜⬜⬜⬜⬜\n", 30.0),
        ("█████", None),
        ("██████████\n", 100.0),
        ("已完成 12.5％", 12.5),
        ("进度：10%\n进度：98.7%", 98.7),
        ("进度：400%", None),
        ("in 4 seconds", None),
        ("", None),
    ],
)
def test_progress_is_the_last_that_is_named(words: str, percent: float | None) -> None:
    if words.startswith("▓"):
        percent = 30.0
    assert progress_of(words) == percent


# --- that there will be none ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("❌ 生成失败: 服务器繁忙", "upstream_failed", "生成失败: 服务器繁忙"),
        ("> 🏃 进度：36%\n\n> ❌ 错误\n> 原因：超时", "upstream_failed", "错误 原因：超时"),
        ("Error: the backend is down", "upstream_failed", "Error: the backend is down"),
        ("> ❌ 生成失败：提示词违反内容政策", "moderation_blocked", "生成失败：提示词违反内容政策"),
        (
            "❌ Failed: this violates our guardrails",
            "moderation_blocked",
            "Failed: this violates our guardrails",
        ),
        ("抱歉，您的内容违规，无法生成", "moderation_blocked", "抱歉，您的内容违规，无法生成"),
        ("❌", "upstream_failed", "The upstream gave no reason."),
    ],
)
def test_a_failure_in_words_is_a_failure(words: str, code: str, message: str) -> None:
    look = text_of(words)
    assert (look.kind, look.code, look.message) == (LookKind.FAILED, code, message)


@pytest.mark.parametrize(
    "words", ["> 🏃 进度：36%\n> 正在审核", "I can only talk about videos.", "", "> 生成完成 ✅"]
)
def test_an_end_without_a_video_and_without_a_reason_is_lost(words: str) -> None:
    look = text_of(words)
    assert (look.kind, look.result_url) == (LookKind.LOST, None)
    assert look.message.startswith("the upstream's answer ended without a video: ")


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("> 🏃 进度：36%", LookKind.LOST),
        ("> ❌ 第一次失败，正在重试...", LookKind.LOST),
        ("> ⚠️ 错误\n> 🏃 进度：36%", LookKind.LOST),
        ("> 🏃 进度：36%\n> ❌ 生成失败，请重试", LookKind.FAILED),
        (f"[点击这里]({ADDRESS})", LookKind.COMPLETED),
    ],
)
def test_a_drop_is_lost_unless_the_last_word_was_said(words: str, kind: LookKind) -> None:
    look = text_of(words, whole=False)
    assert look.kind is kind
    assert kind is not LookKind.LOST or look.message == DROPPED


def test_a_polite_error_that_the_relay_gets_over_is_none() -> None:
    assert failure_of("> ❌ 失败，自动重试\n", whole=False) == ""


def test_the_content_filter_is_moderation() -> None:
    look = ending(frame("> 🏃 进度：36%"), frame(finish="content_filter"), DONE)
    assert (look.kind, look.code) == (LookKind.FAILED, "moderation_blocked")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            {"message": "no account", "type": "server_error", "param": None, "code": None},
            "server_error",
        ),
        ({"message": "提示词违规", "type": "server_error"}, "moderation_blocked"),
        ({"message": "no", "code": "sentinel_block"}, "moderation_blocked"),
        ("it broke", "upstream_failed"),
    ],
)
def test_an_error_object_after_the_first_word_is_a_failure(error: object, code: str) -> None:
    look = ending(frame("> 🏃 进度：36%\n"), data({"error": error}), frame("more"), DONE)
    assert (look.kind, look.code) == (LookKind.FAILED, code)


def test_an_error_object_takes_no_video_away() -> None:
    look = ending(frame(f"[点击这里]({ADDRESS})"), data({"error": {"message": "usage not counted"}}))
    assert look.kind is LookKind.COMPLETED


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ({"message": "no account", "type": "server_error", "code": None}, OutcomeClass.REFUSED_FOR_NOW),
        ({"message": "生成失败"}, OutcomeClass.REFUSED_FOR_NOW),
        ("it broke", OutcomeClass.REFUSED_FOR_NOW),
        ({"message": "slow down", "code": "rate_limit_exceeded"}, OutcomeClass.REFUSED_FOR_NOW),
        ({"message": "busy", "code": 503}, OutcomeClass.REFUSED_FOR_NOW),
        ({"message": "who?", "code": "invalid_api_key"}, OutcomeClass.OUT_OF_ORDER),
        ({"message": "no money", "code": "insufficient_user_quota"}, OutcomeClass.OUT_OF_ORDER),
        ({"message": "no such model", "code": "model_not_found"}, OutcomeClass.REFUSED),
        ({"message": "提示词违规", "type": "server_error"}, OutcomeClass.REFUSED),
        ({"message": "no", "code": "content_policy_violation"}, OutcomeClass.REFUSED),
        ({"message": "upstream timed out", "type": "server_error"}, OutcomeClass.UNKNOWN),
        ({"message": "bad gateway", "code": 502}, OutcomeClass.UNKNOWN),
    ],
)
def test_an_error_object_before_the_first_word_counts_as_the_status_that_it_stands_for(
    error: object, outcome: OutcomeClass
) -> None:
    for stream in (data({"error": error}), json.dumps({"error": error}).encode()):
        transcript = read(stream)
        transcript.end_of_body()
        assert not transcript.accepted
        assert transcript.error is not None
        assert classify(transcript.refusal(), RULES).kind is outcome


def test_our_key_is_in_no_text() -> None:
    key = "sk-our-own-secret-key-0123456789"
    for pieces in ((frame(f"❌ 失败 {key}"), DONE), (data({"error": {"message": f"bad {key}"}}),)):
        transcript = Transcript(PROMPT, (key,))
        for piece in pieces:
            transcript.feed(piece)
        for text in (transcript.last("").message, transcript.refusal().error_message, transcript.excerpt()):
            assert key not in text
