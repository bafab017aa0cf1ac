"""What a relay's words say of a video: how far it is, where it lies, that there will be none.

Pure, and for any text. Relays write for people, in Chinese or English, and repeat the order before they begin:
what the order says must not be taken for what the relay says.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sora_gateway.upstream.parsing import Object, result_url

_LEAST_ECHO = 8
"""A shorter prompt is not looked for in the answer: it would be found in the middle of words."""
_MAX_BLOCKS = 20
_MAX_URL = 4096

_JSON_BLOCK = re.compile(r"```[ \t]{0,4}(?:json|JSON)?[ \t]{0,4}\r?\n?[ \t]{0,8}(?=\{)")

_NAMED_PROGRESS = re.compile(r"(?:进度|进展|progress)\W{0,12}?(\d{1,3}(?:\.\d{1,4})?)", re.IGNORECASE)
_PERCENT = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,4})?) ?[%％]")
_FILLED, _EMPTY = "█▓■▰●🟩🟦🟧🟨🟪", "░▒□▱○⬜⬛▢"
_BAR = re.compile(f"[{_FILLED}{_EMPTY}]{{5,}}")
_QUEUED = re.compile(r"⌛|排队|队列|\bqueue|\bpending\b", re.IGNORECASE)

_TAG = re.compile(r"<(?:video|source)\b[^<>]*>", re.IGNORECASE)
_SRC = re.compile(r"""\bsrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_LINK = re.compile(
    r"(!?)\[([^\[\]\n]{0,200})\]\(\s*(https?://(?:[^()\s]|\([^()\s]*\))+)(?:\s[^()\n]{0,200})?\)"
)
_BARE = re.compile(r"https?://[!#-&(-;=?-\[\]_a-z~]+")
_VIDEO_FILE = re.compile(r"\.(?:mp4|webm|mov|m4v)(?:[?#]|$)", re.IGNORECASE)
_IMAGE_FILE = re.compile(r"\.(?:png|jpe?g|gif|webp|svg|bmp|ico)(?:[?#]|$)", re.IGNORECASE)
_TAKE_IT = re.compile(r"点击|下载|观看|播放|视频|click|download|watch|play|video", re.IGNORECASE)
_NOT_IT = re.compile(r"预览|数据|原始|封面|preview|source|data|cover|thumb|gif", re.IGNORECASE)
_SUCCESS = re.compile(r"✅|成功|完成|success|complete|finished|\bdone\b|\bready\b", re.IGNORECASE)

_FAILED = re.compile(r"❌|失败|错误|出错|\bfail(?:ed|ure)?\b|\berror\b", re.IGNORECASE)
_SURELY_FAILED = re.compile(r"❌|失败|\bfailed\b", re.IGNORECASE)
_TRYING_AGAIN = re.compile(r"正在重试|自动重试|重新生成中|\bretrying\b", re.IGNORECASE)
_MODERATION = re.compile(
    r"违规|违反|敏感|不合规|内容政策|审核(?:未通过|不通过|失败|拒绝)|未通过[^\n]{0,6}审核|moderation|content[ _-]policy"
    r"|policy[ _]violation|violat(?:e|es|ed|ing|ion)|guardrail|sentinel|nsfw|unsafe",
    re.IGNORECASE,
)
_TASK_ID = re.compile(r"\bID[:：]\s*(?:`(task_[A-Za-z0-9_-]{1,100})`|(task_[A-Za-z0-9_-]{1,100})(?=\s))")
_MARKDOWN = " \t>#*-_~"
_DECORATION = f"{_MARKDOWN}❌⚠️：:"


@dataclass(frozen=True, slots=True)
class Spoken:
    """The relay's own words, *text*, and the JSON objects that it put between them, without what repeats the order."""

    text: str
    objects: tuple[Object, ...]


def spoken(text: str, prompt: str) -> Spoken:
    """*text* without JSON blocks and without *prompt*; a block that is not whole yet hides what follows it."""
    kept, objects, position = [], [], 0
    decoder = json.JSONDecoder()
    for _ in range(_MAX_BLOCKS):
        block = _JSON_BLOCK.search(text, position)
        if block is None:
            break
        kept.append(text[position : block.start()])
        try:
            # By its own end: the prompt in it may have a fence, too.
            value, end = decoder.raw_decode(text, block.end())
        except (ValueError, RecursionError):
            value, end = None, block.end()
        if isinstance(value, dict):
            objects.append(value)
        fence = text.find("```", end)
        position = len(text) if fence < 0 else fence + 3
    kept.append(text[position:])
    own = "".join(kept)
    if len(prompt) >= _LEAST_ECHO:
        own = own.replace(prompt, " ")
    return Spoken(own, tuple(objects))


def progress_of(text: str) -> float | None:
    """Percent within 0..100, the latest that is named; a bar counts once its line is whole."""
    found = [
        (match.start(1), float(match[1]))
        for pattern in (_NAMED_PROGRESS, _PERCENT)
        for match in pattern.finditer(text)
    ]
    found += [
        (bar.start(), 100 * sum(cell in _FILLED for cell in bar[0]) / len(bar[0]))
        for bar in _BAR.finditer(text, 0, text.rfind("\n") + 1)
    ]
    return max(((place, value) for place, value in found if value <= 100), default=(0, None))[1]


def is_queued(text: str) -> bool:
    """Whether it says that the video waits for its turn."""
    return _QUEUED.search(text) is not None


def task_id_of(text: str) -> str | None:
    """The relay's own id of the task, once it is there to its end."""
    match = _TASK_ID.search(text)
    return (match[1] or match[2]) if match else None


# --- where the video is ------------------------------------------------------------------------------


class _Candidate(NamedTuple):
    """An address and how surely it is the video's; of equals the later one, which relays say is the better one."""

    surety: int
    place: int
    url: str


_ANY_LINK, _LABELLED, _FILE, _PLAYER = 1, 2, 3, 4


def address_of(words: Spoken, prompt: str, *, whole: bool) -> str | None:
    """The video's address; *whole* says that no more text will follow and that none is missing.

    An address at the end of an unfinished text may go on. One that the order has is not the relay's answer.
    """
    text = words.text
    found = sorted([*_from_objects(words), *_from_text(text, whole)], reverse=True)
    best = next((one for one in found if _usable(one.url) and one.url not in prompt), None)
    if best is None or best.surety >= _FILE:
        return best.url if best else None
    # It may be a link to anything, such as a page on which an account is filled up.
    well, badly = _SUCCESS.search(text) is not None, _FAILED.search(text) is not None
    if best.surety == _LABELLED:
        return None if badly and not well else best.url
    alone = text.strip() == best.url
    return best.url if whole and (alone or (well and not badly)) else None


def _from_objects(words: Spoken) -> Iterator[_Candidate]:
    objects = list(words.objects)
    if words.text.strip().startswith("{"):
        try:
            alone = json.loads(words.text)
        except (ValueError, RecursionError):
            alone = None
        objects += [alone] if isinstance(alone, dict) else []
    for value in objects:
        if (url := result_url(value)) is not None:
            yield _Candidate(_FILE, 0, url)


def _from_text(text: str, whole: bool) -> Iterator[_Candidate]:
    for tag in _TAG.finditer(text):
        if source := _SRC.search(tag[0]):
            yield _Candidate(_PLAYER, tag.start(), html.unescape(source[1] or source[2] or source[3] or ""))
    for link in _LINK.finditer(text):
        picture, label, url = link.groups()
        yield from _linked(label, url, link.start(), picture=bool(picture))
    # What is in a tag or a link has been looked at; places stay what they are.
    rest = _LINK.sub(_blank, _TAG.sub(_blank, text))
    for bare in _BARE.finditer(rest):
        if whole or bare.end() < len(rest):
            yield from _linked("", _trimmed(bare[0]), bare.start(), picture=False)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _linked(label: str, url: str, place: int, *, picture: bool) -> Iterator[_Candidate]:
    """What a link is worth by its address and its label."""
    if _VIDEO_FILE.search(url):
        yield _Candidate(_FILE, place, url)
    elif not picture and not _IMAGE_FILE.search(url) and not _NOT_IT.search(label):
        yield _Candidate(_LABELLED if _TAKE_IT.search(label) else _ANY_LINK, place, url)


def _trimmed(url: str) -> str:
    """A bare address without the punctuation of the sentence around it."""
    url = url.rstrip(".,;:!?*_~")
    for opening, closing in ("()", "[]"):
        if opening not in url:
            url = url.partition(closing)[0]
    return url


def _usable(url: str) -> bool:
    return (
        len(url) <= _MAX_URL
        and url.lower().startswith(("http://", "https://"))
        and url.isprintable()
        and " " not in url
    )


# --- that there will be none -------------------------------------------------------------------------


def failure_of(text: str, *, whole: bool) -> str:
    """The sentence in which the relay says that it failed; empty when it does not.

    Relays report errors that they get over: until the text is *whole*, only a last line without any doubt counts.
    """
    lines = [line for line in text.splitlines() if line.strip(_MARKDOWN)]
    if not lines:
        return ""
    if not whole:
        last = lines[-1]
        sure = _SURELY_FAILED.search(last) and not _TRYING_AGAIN.search(last)
        return _sentence([last]) if sure else ""
    failed = [number for number, line in enumerate(lines) if _FAILED.search(line)]
    if failed:
        return _sentence(lines[failed[-1] :])
    # Some refuse politely.
    return _sentence(lines[-1:]) if is_moderation_text(lines[-1]) else ""


def is_moderation_text(text: str) -> bool:
    """Whether the content is what was refused."""
    return _MODERATION.search(text) is not None


def _sentence(lines: list[str]) -> str:
    return " ".join(line.strip(_DECORATION) for line in lines).strip() or "The upstream gave no reason."
