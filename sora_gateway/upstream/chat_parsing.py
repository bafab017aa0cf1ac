"""A chat completion's stream turned into observations: pure, tolerant, and never raising, whatever the bytes are.

Bytes become lines, lines frames, frames text, and only the whole text is read for its meaning: one word may come
in several frames, one character in several packets. What is not a frame is skipped; some relays send frames that
are no JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.outcome import CreateAnswer, is_moderation, valid_external_id
from sora_gateway.upstream.chat_text import (
    Spoken,
    address_of,
    failure_of,
    is_moderation_text,
    is_queued,
    progress_of,
    spoken,
    task_id_of,
)
from sora_gateway.upstream.client import Reply
from sora_gateway.upstream.parsing import Object, error_of, load_object
from sora_gateway.upstream.text import clean

MAX_LINE = 1 << 20
"""Bytes of one line, and of the lines that one frame is spread over; what is longer is skipped."""
MAX_TEXT = 256 * 1024
"""Characters of text that are kept of each kind; of a longer one the end, where the result is."""
_EXCERPT = 2048
_MAX_ID = 200

_FIELDS_WITHOUT_MEANING = ("event:", "id:", "retry:")
_STATUS = re.compile(r"[45][0-9]{2}")
_TIMEOUT = re.compile(r"time[d ]{0,2}out|超时", re.IGNORECASE)
_CODES = (
    ("rate_limit", 429),
    ("too_many", 429),
    ("auth", 401),
    ("api_key", 401),
    ("quota", 402),
    ("billing", 402),
    ("permission", 403),
    ("invalid", 400),
    ("not_found", 404),
)
"""Part of an error's code -> the HTTP status that it stands for."""


class Transcript:
    """What one stream has said so far about the order with *prompt*; *secrets* are kept out of every text."""

    def __init__(self, prompt: str, secrets: Iterable[str] = ()) -> None:
        self._prompt = prompt
        self.secrets = tuple(secrets)
        self._lines = _Lines()
        self._pending: list[str] = []
        self._pending_size = 0
        self._content = _Text()
        self._reasoning = _Text()
        self._spoken: tuple[int, Spoken] = (-1, Spoken("", ()))
        self._head = b""
        self._response_id = ""
        self.error: tuple[str, str] | None = None
        """Code and message of an error object; nothing is taken in after it."""
        self.finished = False
        """Whether it said that the answer is whole."""
        self.done = False
        """Whether nothing follows: ``[DONE]`` or an error object."""
        self._filtered = False

    # --- taking in -----------------------------------------------------------------------------------

    def feed(self, data: bytes) -> bool:
        """Takes in the next bytes; says whether they carried more than signs of life."""
        if len(self._head) < _EXCERPT:
            self._head += data[: _EXCERPT - len(self._head)]
        before = self._state()
        for line in self._lines.feed(data):
            self._line(line)
        return self._state() != before

    def end_of_body(self) -> None:
        """Takes in what the body ended with: a line without its end, or an answer that was no stream."""
        for line in self._lines.rest():
            self._line(line)
        self._dispatch()

    def _state(self) -> tuple[object, ...]:
        return self._content.taken, self._reasoning.taken, self.finished, self.done

    def _line(self, line: str) -> None:
        if self.done or line.startswith((":", *_FIELDS_WITHOUT_MEANING)):
            return
        if not line.strip():
            self._dispatch()
            return
        payload = line[5:].removeprefix(" ") if line.startswith("data:") else line
        if payload.lstrip().startswith("[DONE]"):
            self.finished = self.done = True
            return
        frame = _object(payload)
        if frame is not None and (not self._pending or not {"choices", "error"}.isdisjoint(frame)):
            self._pending, self._pending_size = [], 0
            self._frame(frame)
        elif self._pending_size + len(payload) <= MAX_LINE:
            # Part of a frame that is spread over several lines; an object in it may be alone in its line.
            self._pending.append(payload)
            self._pending_size += len(payload)

    def _dispatch(self) -> None:
        frame = _object("\n".join(self._pending)) if len(self._pending) > 1 else None
        self._pending, self._pending_size = [], 0
        if frame is not None and not self.done:
            self._frame(frame)

    def _frame(self, frame: Object) -> None:
        choices = frame.get("choices")
        code, message = error_of(frame, self.secrets)
        if frame.get("error") or (not choices and code):
            self.error, self.done = (code, message), True
            return
        response_id = frame.get("id")
        if isinstance(response_id, str) and not self._response_id:
            self._response_id = response_id
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        for part in (choice.get("delta"), choice.get("message")):
            if isinstance(part, dict):
                self._content.add(_text_of(part.get("content")))
                self._reasoning.add(_text_of(part.get("reasoning_content") or part.get("reasoning")))
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason not in ("", "null"):
            self.finished = True
            self._filtered = reason.lower() == "content_filter"

    # --- what it comes to ----------------------------------------------------------------------------

    @property
    def accepted(self) -> bool:
        """Whether it has said anything: the relay is at work."""
        return self._content.said or self._reasoning.said

    @property
    def task_id(self) -> str | None:
        """The relay's own id of the task, if its text has one."""
        return task_id_of(self._words().text) or task_id_of(self._reasoning.whole())

    @property
    def response_id(self) -> str | None:
        """The id of the chat completion, if it can be part of an external id. Many relays give all the same."""
        return valid_external_id(self._response_id) if len(self._response_id) <= _MAX_ID else None

    @property
    def concluded(self) -> bool:
        """Whether it is known how the job ended, although the stream may go on."""
        return self.last("").kind is not LookKind.LOST

    def now(self) -> Look:
        """The job while the stream goes on."""
        texts = self._words().text, self._reasoning.whole()
        known = [value for text in texts if (value := progress_of(text)) is not None]
        queued = not known and any(map(is_queued, texts))
        return Look(LookKind.ALIVE, "queued" if queued else "running", max(known, default=None))

    def last(self, why: str) -> Look:
        """The job once nothing more will come; *why* not is told when the text does not say how it ended."""
        words, reasoning = self._words(), spoken(self._reasoning.whole(), self._prompt)
        whole = self.finished
        for said in (words, reasoning):
            if (url := address_of(said, self._prompt, whole=whole)) is not None:
                return Look(LookKind.COMPLETED, "completed", 100.0, result_url=url)
        if self.error is not None:
            code, message = self.error
            return self._failed(message, "moderation_blocked" if self._moderated() else code)
        for said in (words, reasoning):
            if sentence := failure_of(said.text, whole=whole):
                return self._failed(sentence, "moderation_blocked" if is_moderation_text(sentence) else "")
        if self._filtered:
            return self._failed("The upstream's content filter stopped it.", "moderation_blocked")
        if whole:
            why = f"the upstream's answer ended without a video: {words.text[-200:].strip() or 'it is empty'}"
        return Look(LookKind.LOST, message=clean(why, self.secrets))

    def refusal(self) -> CreateAnswer:
        """An error object that came before anything else, as if its HTTP status had said it."""
        code, message = self.error or ("", "")
        if self._moderated():
            code = "moderation_blocked"
        return CreateAnswer(
            status=_status_of(code, message), error_code=code, error_message=message, excerpt=self.excerpt()
        )

    def excerpt(self) -> str:
        """The start of the answer for the operator."""
        return clean(self._head.decode("utf-8", "replace"), self.secrets)

    def _moderated(self) -> bool:
        code, message = self.error or ("", "")
        return is_moderation(code) or is_moderation_text(f"{code} {message}")

    def _failed(self, message: str, code: str) -> Look:
        message = clean(message, self.secrets) or "The upstream gave no reason."
        return Look(LookKind.FAILED, "failed", code=code or "upstream_failed", message=message)

    def _words(self) -> Spoken:
        if self._spoken[0] != self._content.taken:
            self._spoken = self._content.taken, spoken(self._content.whole(), self._prompt)
        return self._spoken[1]


class _Lines:
    """Bytes to lines, each at most :data:`MAX_LINE` long."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[str]:
        self._buffer += data
        while (end := self._buffer.find(b"\n", self._searched)) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._searched = 0
            if not self._skipping:
                yield _decoded(line)
            self._skipping = False
        self._searched = len(self._buffer)
        if self._searched > MAX_LINE:
            self._skipping = True
            self._buffer.clear()
            self._searched = 0

    def rest(self) -> Iterator[str]:
        if self._buffer and not self._skipping:
            yield _decoded(bytes(self._buffer))
        self._buffer.clear()


class _Text:
    """One growing text, of which at most the last :data:`MAX_TEXT` characters are kept."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0
        self.taken = 0
        """Characters that came so far."""
        self.said = False
        """Whether one of them can be seen."""

    def add(self, piece: str) -> None:
        if not piece:
            return
        self._pieces.append(piece)
        self._size += len(piece)
        self.taken += len(piece)
        # Some keep the connection alive with spaces, visible or not.
        self.said = self.said or bool(piece.strip("\u200b\u200c\u200d\ufeff \t\r\n"))
        if self._size > 2 * MAX_TEXT:
            self._pieces = [self.whole()]
            self._size = len(self._pieces[0])

    def whole(self) -> str:
        text = "".join(self._pieces)[-MAX_TEXT:]
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            # The halves of one character came in two frames.
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return text


def _decoded(line: bytes) -> str:
    return line.removesuffix(b"\r").removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


def _object(text: str) -> Object | None:
    text = text.strip()
    return load_object(Reply(200, {}, text.encode(errors="replace"))) if text.startswith("{") else None


def _text_of(content: object) -> str:
    """A text, or the texts and addresses in a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = []
    for part in content:
        if isinstance(part, dict):
            video = part.get("video_url")
            url = video.get("url") if isinstance(video, dict) else None
            texts += [part["text"]] if isinstance(part.get("text"), str) else []
            texts += [f"\n{url}\n"] if isinstance(url, str) else []
    return "".join(texts)


def _status_of(code: str, message: str) -> int:
    """The HTTP status that an error object in a stream stands for. What is not named is the server's own fault."""
    if _STATUS.fullmatch(code):
        return int(code)
    if code == "moderation_blocked":
        return 400
    if _TIMEOUT.search(f"{code} {message}"):
        # It does not know either whether somebody is at work.
        return 504
    lowered = code.lower()
    return next((status for part, status in _CODES if part in lowered), 500)
