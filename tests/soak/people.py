"""People who use the gateway all the time, and keep books of what they were told. Whoever gets no answer asks again."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.clients.gateway import CLIP

TASKS = "/api/video/tasks"
FAULTS = (
    ("create_drop", "create_half", "create_empty", "create_no_id", "create_500=committed", "create_hang=6"),
    ("create_429=1", "create_503=1", "fail", "moderation", "create_400", "poll_500=2", "backwards"),
    ("content_404=2", "content_drop=1", "truncate=1", "wrong_type=1", "stuck=60", "no_progress"),
)
"""Of the upstream: a paid create whose answer is lost; what it refuses, delays or fails; files that come badly."""
NEVER_TAKEN = 0.05
"""Share of the faults at which a create is lost before it is taken: nobody can know, so it stays unknown."""
WHOLE = hashlib.sha256(CLIP.read_bytes()).hexdigest()
"""Of every video that the simulated upstream makes."""


@dataclass
class Accepted:
    """A video that somebody was promised with a 2xx. *mark* is in the prompts of all that were made from one wish."""

    job_id: str
    mark: str
    owner: str
    again: bool = False
    """Whether the promise came at a second sending or later."""


@dataclass
class Books:
    """What all people together were told."""

    accepted: dict[str, Accepted] = field(default_factory=dict)
    """By job."""
    cancelled: set[str] = field(default_factory=set)
    """Those for whom a cancel was answered with 2xx."""
    deleted: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)


@dataclass
class Person:
    """Somebody with an API key, who has several *hands*: tasks that act on their own."""

    name: str
    user_id: str
    http: httpx.AsyncClient
    books: Books
    chance: random.Random
    marks: Iterator[int]
    hear: Callable[[Person, str], None]
    """Called with each new video of theirs."""
    faulty: float
    """Share of their videos at which the upstream does something wrong."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when nothing new is to be begun."""

    async def hand(self, pause: float) -> None:
        """Acts, on average every *pause* seconds, until it is over; what has begun is brought to its end."""
        acts = (self.make, self.make, self.make, self.cancel, self.retry, self.delete, self.download, self.download, self.wait)  # fmt: skip
        while not self.over.is_set():
            await self.chance.choice(acts)()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), self.chance.expovariate(1 / pause))

    # --- what they do ------------------------------------------------------------------------------

    async def make(self) -> None:
        mark = f"mark{next(self.marks):06d}"
        wish = {"prompt": f"a paper boat {mark}{self._fault()}", "size": "720x1280", "seconds": 4}
        path = self.chance.choice([TASKS, "/v1/videos"])
        await self._pay(path, wish, mark)

    async def retry(self) -> None:
        """The same once more, as a new video."""
        ended = await self._one("failed", "cancelled", "completed")
        if ended is not None:
            await self._pay(f"{TASKS}/{ended}/retry", None, self.books.accepted[ended].mark)

    async def _pay(self, path: str, wish: object, mark: str) -> None:
        """Sends it with one key, again and again, until it is answered."""
        key, sendings = f"{mark}-{self.chance.randrange(1 << 60):x}", 0
        while True:
            sendings += 1
            impatient = self.chance.random() < 0.05
            response = await self._send(
                "POST", path, json=wish, headers={"Idempotency-Key": key},
                timeout=self.chance.uniform(0.001, 0.05) if impatient else 20.0,
            )  # fmt: skip
            if response is None:
                self.books.counts["creates without an answer"] += 1
                await self._rest()
            elif response.is_success:
                break
            else:
                self._expect(response, {"not_finished", "not_found"})
                return
        video = response.json()
        job_id = str(video.get("videoId") or video["id"])
        if job_id in self.books.accepted:
            self.books.complaints.append(f"{job_id} was promised for two different requests")
        self.books.accepted[job_id] = Accepted(job_id, mark, self.user_id, again=sendings > 1)
        self.hear(self, job_id)

    async def cancel(self) -> None:
        chosen = await self._one("queued", "processing")
        if chosen is not None and (answer := await self._until_answered("POST", f"{TASKS}/{chosen}/cancel")):
            if answer.is_success:
                self.books.cancelled.add(chosen)
            self._expect(answer, {"already_ended"})

    async def delete(self) -> None:
        chosen = await self._one("completed", "failed", "cancelled")
        if chosen is not None and (answer := await self._until_answered("DELETE", f"{TASKS}/{chosen}")):
            # Not found: the first sending was carried out and its answer lost.
            if answer.is_success or answer.status_code == 404:
                self.books.deleted.add(chosen)
            self._expect(answer, {"not_finished", "not_found"})

    async def wait(self) -> None:
        chosen = await self._one("queued", "processing")
        if chosen is not None and (
            answer := await self._send("GET", f"{TASKS}/{chosen}", params={"wait": 3})
        ):
            self._expect(answer, set())
            self.books.counts["long polls"] += 1

    async def download(self) -> None:
        """In pieces, and on from where it was when the gateway has gone meanwhile."""
        chosen = await self._one("completed")
        if chosen is None:
            return
        data, total, pieces = b"", 1, 0
        while len(data) < total:
            size = self.chance.randint(8_000, 60_000)
            span = {"Range": f"bytes={len(data)}-{len(data) + size - 1}"}
            answer = await self._send("GET", f"{TASKS}/{chosen}/content", headers=span)
            if answer is None:
                await self._rest()
                continue
            if answer.status_code != 206:
                # Another hand of theirs has deleted it.
                self._expect(answer, {"not_found"})
                return
            total = int(answer.headers["content-range"].rpartition("/")[2])
            data, pieces = data + answer.content, pieces + 1
        if hashlib.sha256(data).hexdigest() != WHOLE:
            self.books.complaints.append(f"the file of {chosen}, fetched in {pieces} pieces, is another")
        self.books.counts["downloads"] += 1

    # -----------------------------------------------------------------------------------------------

    async def _one(self, *statuses: str) -> str | None:
        """One of their latest videos that is in one of *statuses*."""
        query = [("limit", "50"), ("scope", "mine"), *(("status", each) for each in statuses)]
        answer = await self._send("GET", TASKS, params=query)
        if answer is None or not self._expect(answer, set()):
            return None
        self.books.counts["lists"] += 1
        found = [task["videoId"] for task in answer.json()["tasks"]]
        # Whatever another hand still waits to hear of is not theirs to decide on.
        known = [each for each in found if each in self.books.accepted]
        return self.chance.choice(known) if known else None

    async def _until_answered(self, method: str, path: str) -> httpx.Response | None:
        for _ in itertools.count():
            if (answer := await self._send(method, path)) is not None:
                return answer
            await self._rest()
        return None

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        """None: there was no answer, or one that asks to come again."""
        try:
            answer = await self.http.request(method, path, **options)
        except httpx.TransportError:
            self.books.counts["requests without an answer"] += 1
            return None
        self.books.counts["requests"] += 1
        if answer.status_code == 503:
            self.books.counts["answers 503"] += 1
            return None
        return answer

    def _expect(self, answer: httpx.Response, codes: set[str]) -> bool:
        """Whether it is a success; if not, it has to be one of *codes*."""
        if answer.is_success:
            return True
        try:
            code = str(answer.json()["error"]["code"])
        except (ValueError, KeyError):
            code = answer.text[:80]
        if code not in codes:
            what = f"{answer.request.method} {answer.request.url.path}"
            self.books.complaints.append(f"{what} was answered {answer.status_code} {code}")
        return False

    def _fault(self) -> str:
        if self.chance.random() >= self.faulty:
            return ""
        if self.chance.random() < NEVER_TAKEN:
            return " [[fault:create_drop_before]]"
        return f" [[fault:{self.chance.choice(self.chance.choice(FAULTS))}]]"

    async def _rest(self) -> None:
        await asyncio.sleep(self.chance.uniform(0.05, 0.3))


async def fetched(http: httpx.AsyncClient, job_id: str) -> str:
    """The hash of a video's file, asked for in two halves; what was answered instead, if it was not the file."""
    data = b""
    for span in ("bytes=0-39999", "bytes=40000-"):
        answer = await http.get(f"{TASKS}/{job_id}/content", headers={"Range": span})
        if answer.status_code != 206:
            return f"status {answer.status_code}"
        data += answer.content
    return hashlib.sha256(data).hexdigest()


async def until_ready(http: httpx.AsyncClient, within: float = 30.0) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if (await http.get("/ready")).is_success:
                return
        await asyncio.sleep(0.05)
    raise TimeoutError("the gateway is not ready")
