"""The people of the authorisation matrix, and how they ask. Who may what is in ``tests/matrix.py``."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from sora_gateway.app import Gateway
from tests.described import as_described
from tests.lab import SPEED, Lab, at_the_lab, closing
from tests.matrix import BLACK, MATRIX, ONE_JOB, RECEIVER, SECRET, SHOWN
from tests.running import Json, Person, person
from tests.sample_videos import sample_mp4

__all__ = [
    "BLACK", "MATRIX", "ONE_JOB", "SECRET", "SHOWN", "Team", "ask", "client", "team",
]  # fmt: skip

_new = itertools.count(1)


@dataclass
class Team:
    """Ann owns the videos. Bob is somebody else, Vic may only look, Root administers."""

    gateway: Gateway
    lab: Lab
    ann: Person
    bob: Person
    vic: Person
    root: Person

    async def video(self, kind: str) -> Json:
        """One of Ann's, accepted by the upstream and then *kind*."""
        done = kind == "done"
        self.lab.looks = {"status": "completed"} if done else {"status": "in_progress"}
        task = await self.ann.make(SECRET)
        task = await self.ann.comes_to(task["videoId"], "completed" if done else "processing")
        if kind == "ended":
            await self.ann.http.post(f"/api/video/tasks/{task['videoId']}/cancel")
            task = await self.ann.comes_to(task["videoId"], "cancelled")
        return task


@asynccontextmanager
async def team(
    data_dir: Path, lab: Lab | None = None, *, speed: float = SPEED, credits: int = 100, **sections: Any
) -> AsyncIterator[Team]:
    """*lab*, *speed* and *sections* are those of :func:`tests.lab.at_the_lab`."""
    if lab is None:
        lab = Lab(content=closing(200, sample_mp4(), {"Content-Type": "video/mp4"}))
    upstream = {"max_concurrent": 0, "profile": "openai"}
    webhooks = {"hosts": [urlsplit(RECEIVER).netloc], "per_person": 0} | sections.pop("webhooks", {})
    async with contextlib.AsyncExitStack() as stack:
        ann = await stack.enter_async_context(
            at_the_lab(
                data_dir, lab, balance=10_000, speed=speed, upstream=upstream, webhooks=webhooks, **sections
            )
        )
        bob, vic, root = [
            await stack.enter_async_context(person(ann.gateway, name, role, credits=credits))
            for name, role in (("bob", "member"), ("vic", "viewer"), ("root", "admin"))
        ]
        yield Team(ann.gateway, lab, ann, bob, vic, root)


async def ask(
    http: httpx.AsyncClient, route: str, id: str = "", names: dict[str, str] | None = None, **options: Any
) -> httpx.Response:
    """Asks for *route* with *id*, and *names* for what else the path has. Of an event stream only the beginning is
    read, up to its snapshot. *options* are those of httpx."""
    method, path = route.split(" ")
    row = MATRIX[route]
    for name, value in {"id": row.name or id, "name": row.name, **(names or {})}.items():
        path = path.replace(f"{{{name}}}", value)
    path += row.query.replace("{id}", id)
    if row.form is not None:
        options["files"] = {
            name: (None if isinstance(value, str) else name, value) for name, value in row.form.items()
        }
    elif row.body is not None:
        body = json.dumps(row.body).replace('"{id}"', json.dumps(id)).replace("{new}", f"new{next(_new)}")
        options["json"] = json.loads(body)
    async with http.stream(method, path, **options) as answer:
        content = await _beginning(answer)
    return httpx.Response(answer.status_code, headers=answer.headers, content=content, request=answer.request)


async def _beginning(answer: httpx.Response) -> bytes:
    if not answer.headers.get("content-type", "").startswith("text/event-stream"):
        return await answer.aread()
    read = b""
    async for chunk in answer.aiter_bytes():
        read += chunk
        if b"event: subscribed" in read and read.endswith(b"\n\n"):
            break
    return read


def client(gateway: Gateway, key: str | None = None) -> httpx.AsyncClient:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(
        base_url=gateway.address, headers=headers, trust_env=False, event_hooks={"response": [as_described]}
    )
