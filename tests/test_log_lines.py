"""What the process writes about itself: one bounded line for each record, without secrets, as text or as JSON."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.logs.context import answering, current_job, current_request, of_job
from sora_gateway.logs.lines import JsonLines, Lines, TextLines
from sora_gateway.logs.redaction import REDACTED, Redactor
from tests.lab import Lab, at_the_lab, says

KEY = "an/upstream's+own key"
LINE = re.compile(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING tests\.lines: (.*)")


class Log:
    """A logger of its own, and what was written by it."""

    def __init__(self, form: type[logging.Formatter] = TextLines) -> None:
        self.redactor = Redactor()
        self.redactor.add([KEY])
        self.stream = io.StringIO()
        handler = Lines(self.stream)
        handler.setFormatter(form(self.redactor))  # type: ignore[arg-type]  # both of ours take a redactor
        self.logger = logging.Logger("tests.lines")
        self.logger.addHandler(handler)

    @property
    def lines(self) -> list[str]:
        """What was written, cut where a program that collects logs would cut it."""
        return self.stream.getvalue().removesuffix("\n").splitlines()

    def broke(self, error: Exception, **options: bool) -> None:
        """Logs that *error* was raised."""
        try:
            raise error
        except type(error):
            self.logger.exception("it broke", **options)  # type: ignore[arg-type]  # stack_info alone is given

    def message(self) -> str:
        (line,) = self.lines
        found = LINE.fullmatch(line)
        assert found, line
        return found[1]


# --- one line ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("two\nlines", r"two\nlines"),
        ("\r2026-11-22T00:00:00.000Z INFO forged: all is well", r"\r2026-11-22T00:00:00.000Z INFO forged: all is well"),
        ("\x1b[2Jgone\x1b]0;title\x07", r"\x1b[2Jgone\x1b]0;title\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("\u2028\u2029\x85\x0b\x0c", r"\u2028\u2029\x85\x0b\x0c"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\ud800", r"\ud800"),
        ("nul \0", r"nul \x00"),
        ("船と猫 é", "船と猫 é"),
    ],
)  # fmt: skip
def test_what_a_stranger_sent_stays_in_its_line_and_steers_no_terminal(sent: str, written: str) -> None:
    log = Log()
    log.logger.warning("a name: %s", sent)
    assert log.message() == f"a name: {written}"


@given(st.text(st.characters(), max_size=60), st.sampled_from([TextLines, JsonLines]))
def test_any_text_at_all_is_one_line(sent: str, form: type[logging.Formatter]) -> None:
    log = Log(form)
    log.logger.warning("%s", sent)
    (line,) = log.lines
    assert line.isprintable()


@pytest.mark.parametrize("form", [TextLines, JsonLines])
@pytest.mark.parametrize(
    "piece", ["a boat ", "船", "\n", "Bearer ", 'token="', "eyJaaaaaaaa-", "://a", "password=\\"]
)
def test_a_prompt_of_a_megabyte_is_one_bounded_line_at_once(
    form: type[logging.Formatter], piece: str
) -> None:
    log = Log(form)
    prompt = piece * ((1 << 20) // len(piece))
    before = time.perf_counter()
    log.logger.warning("the prompt was %s", prompt)
    assert time.perf_counter() - before < 0.5, "milliseconds, on any machine"
    (line,) = log.lines
    assert len(line) < 100_000
    assert "characters more)" in line or r"\u2026 (" in line


def test_a_long_message_says_how_much_is_left_out() -> None:
    log = Log()
    log.logger.warning("x" * 10_000)
    assert log.message() == f"{'x' * 8192}… (1808 characters more)"


# --- as JSON -------------------------------------------------------------------------------------------


def test_json_is_an_object_on_each_line_with_the_text_as_it_was() -> None:
    log = Log(JsonLines)
    log.logger.warning("a \x1b[31mred\n%s", '"quote"')
    (line,) = log.lines
    said = json.loads(line)
    assert re.fullmatch(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said.pop("time"))
    assert said == {"level": "warning", "logger": "tests.lines", "message": 'a \x1b[31mred\n"quote"'}


def test_a_traceback_is_a_field_in_json() -> None:
    log = Log(JsonLines)
    log.broke(RuntimeError(f"no {KEY}\nhere"))
    (line,) = log.lines
    said = json.loads(line)
    assert said["message"] == "it broke"
    assert said["traceback"].startswith("Traceback (most recent call last):")
    assert said["traceback"].endswith(f"RuntimeError: no {REDACTED}\nhere")


async def test_a_line_says_which_request_it_belongs_to_until_that_is_answered() -> None:
    text, form = Log(), Log(JsonLines)
    answered = asyncio.Event()

    async def watcher() -> None:
        assert current_request() == "req_7"
        await answered.wait()
        text.logger.warning("later")

    with answering("req_7"):
        text.logger.warning("now")
        form.logger.warning("now")
        task = asyncio.create_task(watcher())
        await asyncio.sleep(0)
    answered.set()
    await task
    assert [LINE.fullmatch(line)[1] for line in text.lines] == ["now [request req_7]", "later"]  # type: ignore[index]
    assert json.loads(form.lines[0])["requestId"] == "req_7"


# --- tracebacks as text --------------------------------------------------------------------------------


def test_no_line_of_a_traceback_can_pass_for_a_record() -> None:
    log = Log()
    log.broke(ValueError("bad\n2026-11-22T00:00:00.000Z INFO forged: all is well\x1b[0m"), stack_info=True)
    first, *block = log.lines
    assert first.endswith("ERROR tests.lines: it broke")
    assert all(line.startswith("    ") and line.isprintable() for line in block)
    assert any(line.endswith(r"all is well\x1b[0m") for line in block)
    assert any("Stack (most recent call last)" in line for line in block)


def test_of_a_long_traceback_both_ends_are_written() -> None:
    log = Log()
    error = RuntimeError("the first")
    for n in range(60):
        later = RuntimeError(f"number {n}; {'x' * 1000}")
        later.__cause__ = error
        error = later
    log.broke(error)
    written = log.stream.getvalue()
    assert len(written) < 50_000
    assert "RuntimeError: the first" in written
    assert "RuntimeError: number 59" in written
    assert "characters more)" in written
    log.broke(ValueError("x" * (1 << 20)))
    assert len(log.stream.getvalue()) < 100_000


# --- no secret -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [KEY, "an%2Fupstream%27s%2Bown%20key"])
def test_a_secret_that_is_known_is_hidden_in_messages_arguments_and_tracebacks(hidden: str) -> None:
    log = Log()
    log.logger.warning("a key %s, %s", hidden, {"key": hidden})
    log.broke(RuntimeError(hidden))
    written = log.stream.getvalue()
    assert hidden not in written
    assert written.count(REDACTED) >= 3


SGW = "sgw_" + "aB3_-" * 8
SHAPES = {
    f"the key {SGW}": f"the key {REDACTED}",
    f"Authorization: Bearer {SGW}": f"Authorization: Bearer {REDACTED}",
    "{'Authorization': 'Basic YW5uOnB3', 'a': 1}": f"{{'Authorization': 'Basic {REDACTED}', 'a': 1}}",
    "with bearer abc.def,": f"with {REDACTED},",
    "Cookie: a=b; __Host-sid=abc": f"Cookie: {REDACTED}",
    "(b'cookie', b'__Host-sid=abc')": f"(b'cookie', b'__Host-sid={REDACTED}')",
    "GET /x?expires=1&signature=abc&variant=video": f"GET /x?expires=1&signature={REDACTED}&variant=video",
    "ws://a/ws?ticket=abc": f"ws://a/ws?ticket={REDACTED}",
    "GET /callback?state=1&code=abc": f"GET /callback?state=1&code={REDACTED}",
    "http://127.0.0.1:8000/#login=abc": f"http://127.0.0.1:8000/#login={REDACTED}",
    "sk-proj-abcdefgh is wrong": f"{REDACTED} is wrong",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": REDACTED,
    # A webhook's secret is known by nothing but its shape, also in an address.
    "GET /hook?s=whsec_MfKQ9r8GKYq%2BTwjUPD8ILPZIo2La%2FLaSwMfKQ9r8G%3D&x=1 404": f"GET /hook?s={REDACTED}&x=1 404",
    "webhook-signature: v1,abc=": f"webhook-signature: {REDACTED},abc=",
    "webhook_secret=abc api_key='a b' token=\"it's\"": f"webhook_secret={REDACTED} api_key={REDACTED} token={REDACTED}",
    "password = hunter2; next": f"password = {REDACTED}; next",
    "password: hunter2": f"password: {REDACTED}",
    '{"client_secret": "a\\"b", "n": 1}': f'{{"client_secret": {REDACTED}, "n": 1}}',
    "id_token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.abc": f"id_token {REDACTED}",
    "GET /api/shared/v1.1.abcdefgh-_/content": f"GET /api/shared/{REDACTED}/content",
    "https://me:pw@host.test/v1": f"https://{REDACTED}host.test/v1",
    "the token was refused, and inside=3": "the token was refused, and inside=3",
}


@pytest.mark.parametrize("text", SHAPES)
def test_what_looks_like_a_secret_is_hidden_and_its_name_stays(text: str) -> None:
    assert Redactor().shown(text, 1000) == SHAPES[text]


SECRETS = st.lists(st.text("abAB/%\"' é", min_size=6, max_size=12), min_size=1, max_size=4)


@given(SECRETS, st.lists(st.text("abAB/%\"' é=", max_size=12), max_size=6), st.integers(1, 80))
def test_every_character_of_a_known_secret_is_hidden_at_the_cut_and_where_two_overlap(
    secrets: list[str], between: list[str], limit: int
) -> None:
    redactor = Redactor()
    redactor.add(secrets)
    text = "".join(part + secrets[n % len(secrets)] for n, part in enumerate([*between, ""]))
    covered = {
        start + n
        for secret in secrets
        for start in range(len(text))
        if text.startswith(secret, start)
        for n in range(len(secret))
    }
    open_to_see = "".join(c for n, c in enumerate(text[:limit]) if n not in covered)
    assert redactor.shown(text, limit).split("… (")[0].replace(REDACTED, "") == open_to_see


def test_a_placeholder_for_a_key_tears_no_words_apart() -> None:
    redactor = Redactor()
    redactor.add(["", "none", "EMPTY"])
    assert redactor.shown("none of it is EMPTY", 100) == "none of it is EMPTY"


# --- what logging itself would print -------------------------------------------------------------------


def test_a_line_that_does_not_fit_its_arguments_shows_none_of_them() -> None:
    class Unspeakable:
        def __str__(self) -> str:
            raise RuntimeError(KEY)

    log = Log()
    for arguments in ((KEY, 1), (Unspeakable(),)):
        log.logger.warning("one %s", *arguments)
    assert [LINE.fullmatch(line)[1] for line in log.lines] == [  # type: ignore[index]
        "one %s (this line does not fit its arguments)"
    ] * 2


def test_a_stream_that_is_closed_makes_no_noise(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log()
    log.stream.close()
    log.logger.warning("a key %s", KEY)
    assert capsys.readouterr() == ("", "")


PROCESS = """
import gc, logging, sys, threading, warnings
from sora_gateway.logs.lines import configure
from sora_gateway.logs.redaction import Redactor

redactor = Redactor()
redactor.add([sys.argv[1]])
configure("debug", sys.argv[2], redactor)

class Unclean:
    def __del__(self):
        raise RuntimeError(f"unraisable {sys.argv[1]}")

def fail():
    raise RuntimeError(f"in a thread {sys.argv[1]}")

logging.getLogger("a.library").info("Bearer %s", sys.argv[1])
for library in ("httpx", "httpcore", "aiosqlite", "websockets"):
    logging.getLogger(library).info("a whole address, statement or message")
warnings.warn(f"a warning {sys.argv[1]}")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
one = Unclean()
del one
gc.collect()
raise RuntimeError(f"uncaught {sys.argv[1]}")
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_everything_that_a_process_says_passes_the_handler(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROCESS, KEY, form], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1
    assert KEY not in done.stderr
    said = done.stderr.splitlines()
    records: list[Any] = [line for line in said if not line.startswith("    ")]
    assert len(records) == 5
    for record, words in zip(records, ("Bearer", "a warning", "nobody", "nobody", "nobody"), strict=True):
        assert words in (json.loads(record)["message"] if form == "json" else record) or words == "Bearer"
    for words in ("in a thread", "unraisable", "uncaught"):
        assert f"RuntimeError: {words} {REDACTED}" in done.stderr


COMMAND = """
import logging, sys
from sora_gateway.logs.lines import warn_on_stderr

warn_on_stderr([sys.argv[1]])
logging.getLogger("a.library").info("nobody asked")
logging.getLogger("a.library").warning("two\\nlines %s", sys.argv[1])
"""


def test_a_command_that_keeps_no_log_warns_in_the_same_lines() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, KEY], capture_output=True, text=True, check=True, timeout=30
    )
    (line,) = done.stderr.splitlines()
    assert line.endswith(rf"WARNING a.library: two\nlines {REDACTED}")


# --- which job -----------------------------------------------------------------------------------------


async def test_what_a_jobs_watcher_says_has_the_jobs_id_and_what_others_say_has_not() -> None:
    text, form = Log(), Log(JsonLines)

    async def watch() -> None:
        for log in (text, form):
            log.logger.warning("it is slow")
        await asyncio.create_task(fetch())

    async def fetch() -> None:
        form.logger.warning("so is its file")

    with answering("req_7"):
        watching = asyncio.create_task(watch(), context=of_job("video_1"))
        await asyncio.sleep(0)
    await watching
    form.logger.warning("the observer says of it", extra={"job": "video_2"})
    form.logger.warning("and of nobody")
    assert text.message() == "it is slow [job video_1] [request req_7]"
    lines = [json.loads(line) for line in form.lines]
    assert [line.get("jobId") for line in lines] == ["video_1", "video_1", "video_2", None]
    assert [line.get("requestId") for line in lines] == ["req_7", None, None, None]


async def test_a_job_that_stands_in_the_line_is_not_said_twice() -> None:
    log = Log()
    log.logger.warning("%s: the outcome is unknown", "video_1", extra={"job": "video_1"})
    assert log.message() == "video_1: the outcome is unknown"


async def test_the_watcher_of_a_running_gateway_logs_as_its_job(
    tmp_path: Path,
) -> None:
    heard: list[tuple[str | None, str]] = []

    class Listens(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append((current_job(), record.getMessage()))

    listens = Listens()
    logging.getLogger("sora_gateway.supervisor").addHandler(listens)
    try:
        async with at_the_lab(tmp_path, Lab(creates=[says(500, {})])) as ann:
            video = await ann.make()
            await ann.comes_to(video["videoId"], "unknown")
    finally:
        logging.getLogger("sora_gateway.supervisor").removeHandler(listens)
    ((job, said),) = [each for each in heard if "is unknown" in each[1]]
    assert job == video["videoId"], said
