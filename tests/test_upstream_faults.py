"""The catalogue of what upstreams do wrong: for each fault, what becomes of a create, of a look and of a download.

``CATALOGUE`` names for each fault the test in each of the three places; where there is none, the fault cannot be met
there. What is not here is where the part is tested that meets it. The last test sees to it that all of them exist.
"""

from __future__ import annotations

import ast
import asyncio
import gzip
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import LookKind
from sora_gateway.core.outcome import OutcomeClass, classify
from sora_gateway.upstream.client import HttpClient, Lost, NotSent, Reply, Request
from sora_gateway.upstream.openai import OpenAIAdapter
from sora_gateway.upstream.profiles import PROFILES

from .lab import SPEED, Lab, at_the_lab, closing, ledger, opportunity, outcomes, says, unused_port
from .raw_server import Handler, Received, Wire, always, answer, serving_raw
from .running import Person
from .sample_videos import sample_image, sample_mp4
from .upstream_cases import KEY, ORDER, talking_to

CREATE, OUTCOMES, SUPERVISOR = "test_upstream_create", "test_create_outcomes", "test_supervisor"
CONTENT, DOWNLOAD, CLIENT = "test_upstream_content", "test_download", "test_upstream_client"
DOUBTFUL = f"{CREATE}.test_an_answer_that_proves_nothing_is_unknown"
BROKEN_OFF = f"{CREATE}.test_a_broken_exchange_after_the_request_is_unknown"
BUSY = f"{OUTCOMES}.test_a_busy_upstream_is_asked_again_and_takes_it_once"
LOOKS = "test_whatever_a_look_meets_the_job_is_as_it_was_and_its_video_arrives"
FILES = "test_whatever_a_download_meets_the_video_arrives_whole"

CATALOGUE: dict[str, dict[str, str]] = {
    "429 with or without Retry-After": {
        "create": BUSY,
        "look": "test_a_look_that_is_refused_for_now_is_repeated_when_it_may_be",
        "download": "test_a_download_that_is_refused_for_now_is_repeated_when_it_may_be",
    },
    "500, 502, 504": {"create": DOUBTFUL, "look": LOOKS, "download": FILES},
    "503": {"create": BUSY, "look": LOOKS, "download": FILES},
    "401, 403": {
        "create": f"{OUTCOMES}.test_an_upstream_that_is_out_of_order_keeps_its_jobs_waiting",
        "look": "test_a_look_that_finds_the_account_out_of_order_stops_creates_and_no_job",
        "download": "test_a_download_that_finds_the_account_out_of_order_stops_creates_and_waits",
    },
    "402, or a code that says the same": {
        "create": "test_an_empty_account_stops_creates_whatever_status_says_so",
        "look": "test_a_look_that_finds_the_account_out_of_order_stops_creates_and_no_job",
    },
    "refused connection, no such name, no TLS": {
        "create": f"{OUTCOMES}.test_an_upstream_that_cannot_be_reached_gets_the_job_once_it_is_there",
        "look": "test_an_upstream_that_goes_away_and_comes_back_delivers",
        "download": "test_an_upstream_that_goes_away_and_comes_back_delivers",
    },
    "no free connection": {
        "create": f"{CLIENT}.test_only_what_proves_it_is_not_sent",
        "look": "test_a_look_that_gets_no_connection_is_left_out",
        "download": f"{DOWNLOAD}.test_only_so_many_transfers_run_at_once",
    },
    "cut off while it is sent": {"create": "test_a_create_that_is_cut_off_while_it_is_sent_is_unknown"},
    "cut off after it is sent": {"create": BROKEN_OFF, "look": LOOKS, "download": FILES},
    "truncated, with a length or in chunks": {"create": BROKEN_OFF, "look": LOOKS, "download": FILES},
    "truncated, without a length": {
        "create": "test_half_an_answer_without_a_length_is_unknown",
        "look": LOOKS,
        "download": f"{DOWNLOAD}.test_a_file_that_was_cut_without_a_declared_length_is_refused",
    },
    "another content type": {
        "create": "test_a_receipt_is_one_whatever_it_is_called",
        "look": LOOKS,
        "download": f"{DOWNLOAD}.test_what_is_no_video_is_refused_whatever_it_is_called",
    },
    "an HTML page with 200": {"create": DOUBTFUL, "look": LOOKS, "download": FILES},
    "nothing with 200 or 204": {"create": DOUBTFUL, "look": LOOKS, "download": FILES},
    "JSON that is huge, deep, no JSON, or says a thing twice": {"create": DOUBTFUL, "look": LOOKS},
    "a slow drip": {
        "create": BROKEN_OFF,
        "look": "test_a_look_has_half_a_minute_in_all",
        "download": f"{CONTENT}.test_a_transfer_that_crawls_is_interrupted",
    },
    "a compression bomb": {
        "create": DOUBTFUL,
        "look": LOOKS,
        "download": f"{CONTENT}.test_what_is_no_media_is_not_saved",
    },
    "nonsense as progress": {"look": "test_progress_never_goes_back_nor_to_100_whatever_the_upstream_says"},
    "completed, and then in progress": {"look": "test_completed_is_believed_once_a_good_file_is_here"},
    "completed, and then failed": {"look": "test_a_stored_video_stays_whatever_the_upstream_says_later"},
    "an unknown word for a state": {"look": "test_a_state_that_nobody_knows_is_at_work"},
    "completed without a file": {
        "look": "test_completed_without_a_file_is_lost_and_its_hold_kept_for_a_person"
    },
    "404 or 409 for the file, right after completed": {"download": FILES},
    "404 for the job, right after the create": {
        "create": f"{SUPERVISOR}.test_a_404_right_after_the_receipt_is_the_upstreams_own_delay",
        "look": f"{SUPERVISOR}.test_an_upstream_that_forgets_a_job_leaves_it_unknown_with_its_hold",
    },
    "an id that another job has": {"create": f"{OUTCOMES}.test_an_id_that_another_job_has_proves_nothing"},
    "a hostile id": {"create": DOUBTFUL, "look": f"{CONTENT}.test_an_id_is_percent_encoded_in_the_path"},
    "a redirect": {
        "create": DOUBTFUL,
        "look": LOOKS,
        "download": f"{CONTENT}.test_our_key_stays_with_the_upstream_when_it_redirects_elsewhere",
    },
    "an address that has expired": {"download": "test_an_address_that_has_expired_is_asked_for_again"},
    "never an end": {
        "look": f"{SUPERVISOR}.test_the_final_limit_ends_it_and_leaves_the_hold_for_an_administrator"
    },
    "another time": {
        "create": f"{CREATE}.test_a_refusal_for_now_says_how_long",
        "look": "test_an_upstream_that_lives_in_another_time_delivers",
    },
    "a moderation refusal": {
        "create": f"{OUTCOMES}.test_a_403_for_the_content_pauses_nobody",
        "look": "test_a_moderated_video_has_failed_and_costs_nothing",
    },
    "a blip in the middle": {"look": f"{SUPERVISOR}.test_trouble_with_looking_never_ends_a_job"},
}

VIDEO = {"Content-Type": "video/mp4", "ETag": '"one"'}
FILE = sample_mp4()


@dataclass
class Scripted(Lab):
    """A lab whose looks and files follow a script for each job, by its prompt; after that all is well."""

    polls: dict[str, list[Handler]] = field(default_factory=dict)
    files: dict[str, list[Handler]] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    """External id -> prompt."""
    seen: list[tuple[str, float, Received]] = field(default_factory=list)
    """Every look and download: what it was, when in seconds of the gateway, and the request."""

    async def handle(self, request: Received, wire: Wire) -> None:
        if request.method != "GET":
            await super().handle(request, wire)
            if not self.creates:
                self.jobs[f"ext-{len(self.orders)}"] = str(request.json["prompt"])
            return
        parts = request.target.partition("?")[0].split("/")
        what = "file" if parts[-1] == "content" or parts[1] == "files" else "look"
        self.seen.append((what, time.monotonic() * SPEED, request))
        external_id = next(part for part in parts if part in self.jobs)
        scripts = (self.files if what == "file" else self.polls).get(self.jobs[external_id], [])
        if scripts:
            await scripts.pop(0)(request, wire)
        elif what == "file":
            await ranged(request, wire)
        else:
            await wire.send(closing(200, {"id": external_id, "status": "completed"}))

    def times(self, what: str) -> list[float]:
        return [moment for kind, moment, _ in self.seen if kind == what]


async def ranged(request: Received, wire: Wire) -> None:
    """The file, from the byte on that is asked for."""
    start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
    part = {**VIDEO, "Content-Range": f"bytes {start}-{len(FILE) - 1}/{len(FILE)}"}
    await wire.send(closing(206, FILE[start:], part) if start else closing(200, FILE, VIDEO))


def status(word: str, **more: object) -> Handler:
    """An object of the only job, in this state."""
    return says(200, {"id": "ext-1", "status": word} | more)


async def all_completed(ann: Person, lab: Scripted, prompts: list[str]) -> None:
    """A video for every prompt, each paid for once."""
    tasks = [await ann.make(prompt) for prompt in prompts]
    for task in tasks:
        done = await ann.comes_to(task["videoId"], "completed")
        assert await ledger(ann, done) == ["hold", "settle"], done["prompt"]
        assert (await ann.get(done["videoUrl"])).content == FILE, done["prompt"]
    assert len(lab.orders) == len(prompts)


# --- a create ------------------------------------------------------------------------------------------


async def stop_reading(wire: Wire) -> bool:
    await wire.reader.read(100)
    await asyncio.sleep(30)
    return False


async def reset_in_the_middle(wire: Wire) -> bool:
    await wire.reader.read(100)
    wire.reset()
    return False


@pytest.mark.parametrize("how", [stop_reading, reset_in_the_middle])
async def test_a_create_that_is_cut_off_while_it_is_sent_is_unknown(how: Any) -> None:
    """What has left this machine may have been enough for the upstream."""
    order = replace(ORDER, image=bytes(30 << 20), image_type="image/png")
    async with serving_raw(always(b""), how) as server, talking_to(server.url) as upstream:
        found = await upstream.create(order, 2)
    assert found.lost
    assert classify(found, upstream.rules).kind is OutcomeClass.UNKNOWN


@pytest.mark.parametrize("half", [b"", b'{"id": "video_1", "sta'])
async def test_half_an_answer_without_a_length_is_unknown(half: bytes) -> None:
    old = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + half
    async with serving_raw(always(old)) as server, talking_to(server.url) as upstream:
        found = await upstream.create(ORDER, 5)
    assert classify(found, upstream.rules).kind is OutcomeClass.UNKNOWN


async def test_a_receipt_is_one_whatever_it_is_called() -> None:
    """An id in JSON that is called a text has been paid for like any other."""
    mislabelled = answer(200, '{"id": "video_1", "status": "queued"}', {"Content-Type": "text/html"})
    async with serving_raw(always(mislabelled)) as server, talking_to(server.url) as upstream:
        found = await upstream.create(ORDER, 5)
    assert classify(found, upstream.rules).external_id == "video_1"


@pytest.mark.parametrize(
    ("code", "error"), [(402, ""), (429, "insufficient_quota"), (400, "billing_hard_limit_reached")]
)
async def test_an_empty_account_stops_creates_whatever_status_says_so(
    code: int, error: str, tmp_path: Path
) -> None:
    empty = says(code, {"error": {"message": "You exceeded your current quota.", "code": error}})
    lab = Lab(creates=[empty, says(200, {"id": "ext-1", "status": "queued"})])
    async with at_the_lab(tmp_path, lab) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "queued", note="reports no balance")
        task = await ann.comes_to(task["videoId"], "processing")
        assert await outcomes(ann, task) == ["out_of_order", "receipt"]


# --- a look --------------------------------------------------------------------------------------------


async def reset(_: Received, wire: Wire) -> None:
    wire.reset()


def quoted(body: str) -> Handler:
    return says(200, body, {"Content-Type": "application/json"})


FAILED = '{"id": "ext-1", "status": "failed"}'
USELESS_LOOKS: dict[str, Handler] = {
    "429": says(429),
    "500": says(500, {"error": {"message": "oops"}}),
    "502": says(502, "<html>Bad Gateway</html>"),
    "503": says(503),
    "504": says(504),
    "closed": always(b""),
    "reset": reset,
    "half a head": always(b"HTTP/1.1 200 OK\r\nContent-Ty"),
    "half a body": always(closing(200, FAILED)[:-10]),
    "half a chunk": always(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"id"'),
    "half without a length": always(b"HTTP/1.0 200 OK\r\n\r\n" + FAILED[:-3].encode()),
    "HTML": says(200, "<html>Maintenance</html>", {"Content-Type": "text/html"}),
    "HTML called JSON": quoted("<html>Maintenance</html>"),
    "a list": quoted(f"[{FAILED}]"),
    "nothing": says(200),
    "204": says(204),
    "huge": quoted(f'{{"id": "ext-1", "status": "failed", "pad": "{"x" * (2 << 20)}"}}'),
    "deep": quoted('{"id": "ext-1", "status": "failed", "a": ' + "[" * 100 + "]" * 100 + "}"),
    "NaN": quoted('{"id": "ext-1", "status": "failed", "progress": NaN}'),
    "twice": quoted('{"id": "ext-1", "status": "failed", "status": "failed"}'),
    "a bomb": says(
        200,
        gzip.compress(b'{"id": "ext-1", "status": "failed", "pad": "' + b"x" * (20 << 20)),
        {"Content-Encoding": "gzip"},
    ),
    "a redirect": says(302, FAILED, {"Location": "/v1/videos/ext-1?again"}),
    "of another job": says(200, {"id": "ext-999", "status": "failed"}),
    "an error with 200": says(200, {"error": {"message": "overloaded"}}),
}


async def test_whatever_a_look_meets_the_job_is_as_it_was_and_its_video_arrives(tmp_path: Path) -> None:
    """Three times each; half of them would say that the job has failed, to a reader who believed anything."""
    lab = Scripted(polls={case: [fault] * 3 for case, fault in USELESS_LOOKS.items()})
    async with at_the_lab(tmp_path, lab, upstream={"max_concurrent": 0}, balance=1000) as ann:
        await all_completed(ann, lab, list(USELESS_LOOKS))
    assert not any(lab.polls.values()), "each was met"
    assert not [request for _, _, request in lab.seen if "again" in request.target], "no redirect is followed"


async def test_a_look_that_is_refused_for_now_is_repeated_when_it_may_be(tmp_path: Path) -> None:
    lab = Scripted(polls={"a boat": [says(429, "", {"Retry-After": "300"})]})
    async with at_the_lab(tmp_path, lab) as ann:
        await all_completed(ann, lab, ["a boat"])
    refused, repeated, *_ = lab.times("look")
    assert repeated - refused >= 300


@pytest.mark.parametrize("code", [401, 402, 403])
async def test_a_look_that_finds_the_account_out_of_order_stops_creates_and_no_job(
    code: int, tmp_path: Path
) -> None:
    lab = Scripted(polls={"first": [says(code, {"error": {"message": "no"}})] * 3})
    async with at_the_lab(tmp_path, lab) as ann:
        first = await ann.comes_to((await ann.make("first"))["videoId"], "processing")
        while not lab.seen:  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.01)
        second = await ann.make("second")
        await ann.comes_to(second["videoId"], "queued", note="lab is paused")
        for task in (first, second):
            await ann.comes_to(task["videoId"], "completed")
        assert len(lab.orders) == 2


async def test_an_upstream_that_goes_away_and_comes_back_delivers(tmp_path: Path) -> None:
    lab, port = Scripted(polls={"a boat": [status("in_progress")] * 1000}), unused_port()
    async with at_the_lab(tmp_path, lab, url=f"http://127.0.0.1:{port}") as ann:
        async with serving_raw(lab.handle, port=port):
            task = await ann.comes_to((await ann.make("a boat"))["videoId"], "processing")
        await opportunity()
        assert (await ann.task(task["videoId"]))["stage"] == "processing"
        lab.polls.clear()
        lab.files = {"a boat": [reset] * 1000}
        async with serving_raw(lab.handle, port=port):
            await ann.comes_to(task["videoId"], "storing")
        await opportunity()
        assert (await ann.task(task["videoId"]))["stage"] == "storing"
        lab.files.clear()
        async with serving_raw(lab.handle, port=port):
            await ann.comes_to(task["videoId"], "completed")
        assert len(lab.orders) == 1


class Recorded(HttpClient):
    """A client that sends nothing, and says how long it would have waited for the answer."""

    def __init__(self, failure: NotSent | Lost) -> None:
        super().__init__()
        self.failure = failure
        self.deadlines: list[float] = []

    async def send(self, request: Request, *, deadline: float, fresh: bool = False) -> Reply:
        self.deadlines.append(deadline)
        raise self.failure


async def test_a_look_has_half_a_minute_in_all() -> None:
    """That the deadline is for the whole call, however the bytes come: tests/test_upstream_client.py."""
    client = Recorded(Lost("no complete answer within 30 seconds"))
    adapter = OpenAIAdapter("lab", "http://127.0.0.1:9/v1", KEY, PROFILES["openai"], client, max_file=1)
    look = await adapter.look(ExternalId("video_1"))
    assert (look.kind, client.deadlines) == (LookKind.TROUBLE, [30.0])


async def test_a_look_that_gets_no_connection_is_left_out() -> None:
    client = Recorded(NotSent("all connections to the upstream are busy"))
    adapter = OpenAIAdapter("lab", "http://127.0.0.1:9/v1", KEY, PROFILES["openai"], client, max_file=1)
    assert (await adapter.look(ExternalId("video_1"))).kind is LookKind.TROUBLE


# --- what a look says ----------------------------------------------------------------------------------


async def test_progress_never_goes_back_nor_to_100_whatever_the_upstream_says(tmp_path: Path) -> None:
    said = [50, 30, -5, "60%", "soon", 250, [], 1e9, 0]
    lab = Scripted(polls={"a boat": [status("in_progress", progress=one) for one in said]})
    async with at_the_lab(tmp_path, lab) as ann:
        await all_completed(ann, lab, ["a boat"])
        [task] = (await ann.get("/api/video/tasks")).json()["tasks"]
        events = (await ann.get(f"/api/video/tasks/{task['videoId']}/events")).json()["events"]
    shown = [event["progress"] for event in events]
    assert shown == sorted(shown)
    assert {50, 60, 99} <= set(shown)
    assert max(shown[:-1]) == 99
    assert shown[-1] == 100


async def test_completed_is_believed_once_a_good_file_is_here(tmp_path: Path) -> None:
    lab = Scripted(
        polls={"a boat": [status("completed"), *[status("in_progress")] * 2]},
        files={"a boat": [says(404)] * 3},
    )
    async with at_the_lab(tmp_path, lab) as ann:
        await all_completed(ann, lab, ["a boat"])


async def test_a_stored_video_stays_whatever_the_upstream_says_later(tmp_path: Path) -> None:
    lab = Scripted()
    async with at_the_lab(tmp_path, lab) as ann:
        await all_completed(ann, lab, ["a boat"])
        lab.polls = {"a boat": [status("failed")] * 100}
        looks = len(lab.times("look"))
        await opportunity()
        [task] = (await ann.get("/api/video/tasks")).json()["tasks"]
        assert task["stage"] == "completed"
        assert len(lab.times("look")) == looks, "nobody asks any more"


async def test_a_state_that_nobody_knows_is_at_work(tmp_path: Path) -> None:
    lab = Scripted(polls={"a boat": [status("moderating"), status("Simmering"), status("preprocessing")]})
    async with at_the_lab(tmp_path, lab) as ann:
        await all_completed(ann, lab, ["a boat"])


async def test_completed_without_a_file_is_lost_and_its_hold_kept_for_a_person(tmp_path: Path) -> None:
    lab = Scripted(files={"a boat": [says(404)] * 1000})
    async with at_the_lab(tmp_path, lab) as ann:
        task = await ann.comes_to((await ann.make("a boat"))["videoId"], "failed")
        # Patience begins with the first answer and ends after the last, so not between their requests.
        patience = time.monotonic() * SPEED - lab.times("file")[0]
        assert task["error"]["code"] == "file_lost"
        assert await ledger(ann, task) == ["hold"]
        assert patience >= 600, "ten minutes"


async def test_an_upstream_that_lives_in_another_time_delivers(tmp_path: Path) -> None:
    """What it says of the past and the future is about its own clock."""
    times: list[dict[str, object]] = [
        {"created_at": 0, "expires_at": 1, "completed_at": 1},
        {"created_at": "yesterday", "expires_at": "tomorrow"},
        {"created_at": 1e30, "expires_at": -1e30},
    ]
    lab = Scripted(polls={str(number): [] for number in range(len(times))})
    async with at_the_lab(tmp_path, lab) as ann:
        for number, odd in enumerate(times):
            lab.polls[str(number)] = [says(200, {"id": f"ext-{number + 1}", "status": "completed", **odd})]
            task = await ann.comes_to((await ann.make(str(number)))["videoId"], "completed")
            assert task["expiresAt"] is None


async def test_a_moderated_video_has_failed_and_costs_nothing(tmp_path: Path) -> None:
    error = {"code": "content_policy_violation", "message": "Not\r\nthis."}
    lab = Scripted(polls={"a boat": [status("failed", error=error)]})
    async with at_the_lab(tmp_path, lab) as ann:
        task = await ann.comes_to((await ann.make("a boat"))["videoId"], "failed")
        assert task["error"] == {"code": "moderation_blocked", "message": "Not this."}
        assert await ledger(ann, task) == ["hold", "release"]


# --- a download ----------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n"
USELESS_FILES: dict[str, Handler] = {
    "429": says(429),
    "500": says(500),
    "502": says(502, "<html>Bad Gateway</html>"),
    "503": says(503),
    "504": says(504),
    "closed": always(b""),
    "reset": reset,
    "half": always(closing(200, FILE, VIDEO)[: -len(FILE) // 2]),
    "half a chunk": always(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1000\r\n" + FILE[:100]),
    "half without a length": always(HEAD + b"Connection: close\r\n\r\n" + FILE[: len(FILE) // 2]),
    "HTML": says(200, "<html>Maintenance</html>", {"Content-Type": "text/html"}),
    "HTML called a video": says(200, "<html>Maintenance</html>", VIDEO),
    "JSON": says(200, {"error": {"message": "no"}}),
    "an image": says(200, sample_image("png"), VIDEO),
    "nothing": says(200, b"", VIDEO),
    "204": says(204),
    "compressed": says(200, gzip.compress(FILE), {**VIDEO, "Content-Encoding": "gzip"}),
    "401": says(401),
    "403": says(403),
    "404": says(404),
    "409": says(409),
    "a redirect to nowhere": says(302, "", {"Location": "http://127.0.0.1:9/file.mp4"}),
}


async def test_whatever_a_download_meets_the_video_arrives_whole(tmp_path: Path) -> None:
    lab = Scripted(files={case: [fault] * 2 for case, fault in USELESS_FILES.items()})
    async with at_the_lab(tmp_path, lab, upstream={"max_concurrent": 0}, balance=1000) as ann:
        await all_completed(ann, lab, list(USELESS_FILES))
    assert not any(lab.files.values()), "each was met"
    cut = [ext for ext, prompt in lab.jobs.items() if prompt == "half"]
    ranges = [
        one.headers.get("range") for kind, _, one in lab.seen if kind == "file" and cut[0] in one.target
    ]
    assert ranges[0] is None
    assert all(ranges[1:]), "it goes on where it was cut"


async def test_a_download_that_is_refused_for_now_is_repeated_when_it_may_be(tmp_path: Path) -> None:
    lab = Scripted(files={"a boat": [says(429, "", {"Retry-After": "300"})]})
    async with at_the_lab(tmp_path, lab) as ann:
        await all_completed(ann, lab, ["a boat"])
    refused, repeated = lab.times("file")
    assert repeated - refused >= 300


async def test_a_download_that_finds_the_account_out_of_order_stops_creates_and_waits(tmp_path: Path) -> None:
    locked = says(401, {"error": {"message": "no"}})
    lab = Scripted(polls={"first": [status("completed"), *[locked] * 3]}, files={"first": [locked] * 4})
    async with at_the_lab(tmp_path, lab) as ann:
        first = await ann.comes_to((await ann.make("first"))["videoId"], "storing")
        while len(lab.times("look")) < 2:  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.01)
        second = await ann.make("second")
        await ann.comes_to(second["videoId"], "queued", note="lab is paused")
        for task in (first, second):
            await ann.comes_to(task["videoId"], "completed")


async def test_an_address_that_has_expired_is_asked_for_again(tmp_path: Path) -> None:
    async def named(request: Received, wire: Wire) -> None:
        host = request.headers["host"]
        url = f"http://{host}/files/ext-1/{len(lab.times('look'))}.mp4"
        await wire.send(closing(200, {"id": "ext-1", "status": "completed", "video_url": url}))

    lab = Scripted(polls={"a boat": [named] * 2}, files={"a boat": [says(403), says(404)]})
    async with at_the_lab(tmp_path, lab) as ann:
        await all_completed(ann, lab, ["a boat"])
    assert [request.target for kind, _, request in lab.seen if kind == "file"] == [
        "/files/ext-1/1.mp4",
        "/v1/videos/ext-1/content",
        "/files/ext-1/2.mp4",
    ]


# --- the catalogue -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", CATALOGUE)
def test_every_fault_of_the_catalogue_has_its_tests(fault: str) -> None:
    for place, test in CATALOGUE[fault].items():
        assert place in ("create", "look", "download")
        module, _, name = test.rpartition(".")
        assert name in names_of_tests(module or "test_upstream_faults"), test


def names_of_tests(module: str) -> set[str]:
    tree = ast.parse((Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
