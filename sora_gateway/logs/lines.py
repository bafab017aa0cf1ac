"""The root handler of the process: every library's records pass it as well.

One line for each record, in a form that a person or a program reads. Nothing that a stranger sent can end the line,
move the cursor, or make it long. A traceback is a bounded block of indented lines behind its record as text, and a
field of it as JSON.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TextIO

from sora_gateway.logs.context import current_job, current_request
from sora_gateway.logs.redaction import Redactor

MAX_MESSAGE = 8192
"""Characters of a message."""
MAX_TRACEBACK = 16384
"""Characters of each end of a traceback; what is between them is left out."""
_INDENT = "    "

Format = Literal["text", "json"]


class _Lines(logging.Formatter):
    """What both forms have in common: bounded, redacted texts."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def _message(self, record: logging.LogRecord) -> str:
        try:
            message = record.getMessage()
        except (
            Exception
        ):  # a mistake of whoever logs; the arguments may be anything and raise whatever they like
            message = f"{record.msg} (this line does not fit its arguments)"
        return self._redactor.shown(message, MAX_MESSAGE)

    def _traceback(self, record: logging.LogRecord) -> str:
        """The traceback and the stack of a record, empty without."""
        texts = []
        if record.exc_info and record.exc_info[0] is not None:
            texts.append(self.formatException(record.exc_info))
        if record.stack_info:
            texts.append(record.stack_info)
        return self._both_ends("\n".join(texts))

    def _both_ends(self, text: str) -> str:
        if len(text) <= 2 * MAX_TRACEBACK:
            return self._redactor.shown(text, 2 * MAX_TRACEBACK)
        head = self._redactor.shown(text, MAX_TRACEBACK)
        # From the beginning of a line: what looks like a secret has no line end, so it is not cut in two.
        start = text.find("\n", len(text) - MAX_TRACEBACK)
        return head if start < 0 else f"{head}{self._redactor.shown(text[start:], MAX_TRACEBACK)}"


class TextLines(_Lines):
    """``2026-11-22T15:31:22.123Z WARNING sora_gateway.app: message [job video_1] [request req_1]``"""

    def format(self, record: logging.LogRecord) -> str:
        job, request = _job_of(record), current_request()
        line = f"{_moment(record)} {record.levelname} {printable(record.name)}: {printable(self._message(record))}"
        if job is not None and job not in line:
            line += f" [job {printable(job)}]"
        if request is not None:
            line += f" [request {printable(request)}]"
        traceback = self._traceback(record)
        # Indented, so that none of these lines can pass for a record.
        return "\n".join([line, *(_INDENT + printable(each) for each in traceback.split("\n") if traceback)])


class JsonLines(_Lines):
    """``{"time", "level", "logger", "message", "jobId", "requestId", "traceback"}``, the last three where there are any."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._message(record),
        }
        if (job := _job_of(record)) is not None:
            fields["jobId"] = job
        if (request := current_request()) is not None:
            fields["requestId"] = request
        if traceback := self._traceback(record):
            fields["traceback"] = traceback
        # In ASCII, where everything that is not is escaped, all that ends lines included.
        return json.dumps(fields)


class Lines(logging.StreamHandler[TextIO]):
    """Writes to *stream*, and keeps quiet when that cannot be written to: logging would print the arguments."""

    def handleError(self, record: logging.LogRecord) -> None:
        return


def configure(level: str, form: Format, redactor: Redactor, stream: TextIO | None = None) -> None:
    """Has everything that the process says pass through one handler: logs of ours and of libraries, warnings, and
    what nobody caught. *stream* is stderr without."""
    handler = Lines(stream or sys.stderr)
    handler.setFormatter(TextLines(redactor) if form == "text" else JsonLines(redactor))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # They write every address, statement and message whole, with signatures, tickets and prompts in them.
    for chatty in ("httpx", "httpcore", "aiosqlite", "websockets"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda found: _uncaught(found.exc_type, found.exc_value, found.exc_traceback)
    threading.excepthook = lambda found: _uncaught(found.exc_type, found.exc_value, found.exc_traceback)


def warn_on_stderr(secrets: Iterable[str] = ()) -> None:
    """For a command that keeps no log: what is worth a warning goes to stderr in the same lines, without *secrets*."""
    redactor = Redactor()
    redactor.add(secrets)
    handler = Lines(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(TextLines(redactor))
    logging.lastResort = handler


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    error = error if error is not None else BaseException(kind.__name__)
    logging.getLogger(__name__).critical("nobody caught this", exc_info=(kind, error, trace))


def _job_of(record: logging.LogRecord) -> str | None:
    """The job that *record* is about: what it says itself (``extra={"job": id}``), else the job whose watcher logs it."""
    said = getattr(record, "job", None)
    return said if isinstance(said, str) else current_job()


def printable(text: str) -> str:
    """*text* with control characters, line ends of all kinds and what turns the direction of writing escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _moment(record: logging.LogRecord) -> str:
    """RFC 3339 in UTC."""
    return f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z"
