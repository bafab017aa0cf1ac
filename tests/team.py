"""Who may reach what: a row for every route, and the people who try."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import httpx

from sora_gateway.app import Gateway
from tests.described import as_described
from tests.lab import Lab, at_the_lab, closing
from tests.running import Json, Person, person
from tests.sample_videos import sample_mp4

SECRET = "a paper boat that only Ann may see"
BLACK = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC"
"""An image of one pixel."""


class Kind(Enum):
    OPEN = "anyone may ask"
    MINE = "a list of what is mine, or something about me"
    MAKE = "makes something that is mine"
    JOB = "one video"
    WITHIN = "one video, which the body names"
    FILE = "one video's file, which a signed address opens to anyone"
    KEY = "one API key"
    SESSION = "one sign-in of somebody"
    IDENTITY = "one identity at a provider"
    IMAGE = "one saved image"
    CHARACTER = "one character"
    SHARED = "something by its name that is the same for everybody"
    ADMIN = "an administrator's; for everybody else there is nothing there"


@dataclass(frozen=True)
class Row:
    kind: Kind
    status: int = 200
    """What the owner is answered."""
    body: dict[str, Any] | None = None
    """With ``{id}`` in the place of a video's id."""
    form: dict[str, str | bytes] | None = None
    """The same for what takes forms only, with files as bytes."""
    job: str = "done"
    """Which of the owner's videos it works on: ``done``, ``running`` or ``ended``."""
    viewer: int = 404
    """What somebody is told who may look at most, and not at this."""
    name: str = ""
    """What is asked for where it has a name instead of a secret id."""


MATRIX = {
    "GET /api/models": Row(Kind.MINE),
    "GET /api/video/stats": Row(Kind.MINE),
    "POST /api/video/tasks": Row(Kind.MAKE, 202, {"prompt": "a boat"}, viewer=403),
    "GET /api/video/tasks": Row(Kind.MINE),
    "GET /api/video/tasks/{id}": Row(Kind.JOB),
    "GET /api/video/tasks/{id}/events": Row(Kind.JOB),
    "GET /api/video/tasks/{id}/stream": Row(Kind.JOB),
    "GET /api/video/tasks/{id}/content": Row(Kind.FILE),
    "POST /api/video/tasks/{id}/cancel": Row(Kind.JOB, job="running", viewer=403),
    "POST /api/video/tasks/{id}/retry": Row(Kind.JOB, 202, job="ended", viewer=403),
    "POST /api/video/tasks/{id}/remix": Row(Kind.JOB, 202, {"prompt": "a boat"}, viewer=403),
    "POST /api/video/tasks/{id}/refresh-url": Row(Kind.JOB),
    "POST /api/video/tasks/{id}/visibility": Row(Kind.JOB, body={"visibility": "private"}, viewer=403),
    "POST /api/video/tasks/{id}/shares": Row(Kind.JOB, 201, {}, viewer=403),
    "GET /api/video/tasks/{id}/shares": Row(Kind.JOB, viewer=403),
    # There is no such link; tests/test_shares.py has one.
    "DELETE /api/video/tasks/{id}/shares/{share}": Row(Kind.JOB, 404, viewer=403),
    "GET /api/shared/{token}": Row(Kind.OPEN, 404),
    "GET /api/shared/{token}/content": Row(Kind.OPEN, 404),
    "DELETE /api/video/tasks/{id}": Row(Kind.JOB, 204, job="ended", viewer=403),
    "POST /api/references": Row(Kind.MAKE, 201, {"imageUrl": BLACK, "name": SECRET}, viewer=403),
    "GET /api/references": Row(Kind.MINE),
    "POST /api/references/preview": Row(Kind.MAKE, 200, {"imageUrl": BLACK, "size": "8x8"}, viewer=403),
    "GET /api/references/{id}": Row(Kind.IMAGE),
    "GET /api/references/{id}/content": Row(Kind.IMAGE),
    "DELETE /api/references/{id}": Row(Kind.IMAGE, 204, viewer=403),
    "GET /api/events/stream": Row(Kind.MINE),
    "POST /api/stream-tickets": Row(Kind.MINE, 201),
    "POST /v1/videos": Row(Kind.MAKE, body={"prompt": "a boat"}, viewer=403),
    "GET /v1/videos": Row(Kind.MINE),
    "GET /v1/videos/{id}": Row(Kind.JOB),
    "DELETE /v1/videos/{id}": Row(Kind.JOB, job="ended", viewer=403),
    "GET /v1/videos/{id}/content": Row(Kind.JOB),
    "POST /v1/videos/{id}/remix": Row(Kind.JOB, body={"prompt": "a boat"}, viewer=403),
    "POST /v1/videos/edits": Row(Kind.WITHIN, body={"prompt": "a boat", "video": {"id": "{id}"}}, viewer=403),
    "POST /v1/videos/extensions": Row(
        Kind.WITHIN, body={"prompt": "a boat", "seconds": 4, "video": {"id": "{id}"}}, viewer=403
    ),
    "POST /v1/videos/characters": Row(Kind.MAKE, form={"name": SECRET, "video": sample_mp4()}, viewer=403),
    "GET /v1/videos/characters/{id}": Row(Kind.CHARACTER),
    "GET /v1/models": Row(Kind.MINE),
    "GET /v1/models/{id}": Row(Kind.SHARED, name="sora-2"),
    "POST /api/auth/redeem": Row(Kind.OPEN, 401, {"token": "none"}),
    "POST /api/auth/login": Row(Kind.OPEN, 401, {"email": "ann@example.org", "password": "not hers"}),
    "POST /api/auth/register": Row(Kind.OPEN, 403, {"email": "new@example.org", "password": "not invited"}),
    "POST /api/auth/reset": Row(Kind.OPEN, 401, {"token": "none", "password": "no such link"}),
    "POST /api/auth/logout": Row(Kind.MINE, 204),
    "POST /api/auth/logout-everywhere": Row(Kind.MINE, 204),
    "GET /api/auth/me": Row(Kind.MINE),
    "GET /api/auth/sessions": Row(Kind.MINE),
    "DELETE /api/auth/sessions/{id}": Row(Kind.SESSION, 204),
    # They came by a key, and have no password yet; tests/test_sign_in.py has people who may.
    "POST /api/auth/password": Row(Kind.MAKE, 403, {"new": "a paper boat"}, viewer=403),
    "GET /api/auth/methods": Row(Kind.OPEN),
    # No provider is configured; tests/test_oidc.py has one.
    "GET /api/auth/oidc/{name}/login": Row(Kind.OPEN, 302, name="none"),
    "POST /api/auth/oidc/{name}/login": Row(Kind.OPEN, 404, {}, name="none"),
    "GET /api/auth/oidc/{name}/callback": Row(Kind.OPEN, 302, name="none"),
    "GET /api/auth/identities": Row(Kind.MINE),
    # There is none; tests/test_oidc.py has one that is somebody else's.
    "DELETE /api/auth/identities/{id}": Row(Kind.IDENTITY, 404),
    "GET /api/keys": Row(Kind.MINE),
    "POST /api/keys": Row(Kind.MAKE, 201, {"name": "laptop"}, viewer=201),
    "DELETE /api/keys/{id}": Row(Kind.KEY, 204),
    "GET /api/admin/upstreams": Row(Kind.ADMIN),
    "GET /api/admin/upstreams/{name}": Row(Kind.ADMIN, name="lab"),
    "PUT /api/admin/upstreams/{name}": Row(
        Kind.ADMIN, body={"baseUrl": "http://127.0.0.1:1/v1", "models": {"other": "other"}}, name="added"
    ),
    "POST /api/admin/upstreams/{name}/test": Row(Kind.ADMIN, name="lab"),
    "POST /api/admin/upstreams/{name}/pause": Row(Kind.ADMIN, name="lab"),
    "POST /api/admin/upstreams/{name}/resume": Row(Kind.ADMIN, name="lab"),
    "DELETE /api/admin/upstreams/{name}": Row(Kind.ADMIN, 204, name="added"),
    "GET /api/admin/users": Row(Kind.ADMIN),
    "POST /api/admin/users": Row(Kind.ADMIN, 201, {"email": "new@example.org"}),
    "GET /api/admin/users/{id}": Row(Kind.ADMIN, name="user_ann"),
    "PATCH /api/admin/users/{id}": Row(Kind.ADMIN, body={"role": "member"}, name="user_ann"),
    "POST /api/admin/users/{id}/reset-link": Row(Kind.ADMIN, 201, name="user_ann"),
    "POST /api/admin/users/{id}/login-link": Row(Kind.ADMIN, 201, name="user_ann"),
    "POST /api/admin/users/{id}/end-sessions": Row(Kind.ADMIN, 204, name="user_ann"),
    "GET /api/admin/users/{id}/keys": Row(Kind.ADMIN, name="user_ann"),
    # There is no such key and no such invitation; tests/test_admin_users.py and test_invitations.py have both.
    "DELETE /api/admin/users/{id}/keys/{key_id}": Row(Kind.ADMIN, 404, name="user_ann"),
    "GET /api/admin/invitations": Row(Kind.ADMIN),
    "POST /api/admin/invitations": Row(Kind.ADMIN, 201, {"role": "viewer"}),
    "DELETE /api/admin/invitations/{id}": Row(Kind.ADMIN, 404, name="link_none"),
    "GET /api/admin/audit": Row(Kind.ADMIN),
    "GET /api/admin/settings": Row(Kind.ADMIN),
    "PATCH /api/admin/settings": Row(Kind.ADMIN, body={"jobs.max_prompt": 30000}),
    "GET /api/admin/jobs/unknown": Row(Kind.ADMIN),
    # There is no such video; tests/test_doubts_api.py has one for each.
    "POST /api/admin/jobs/{id}/look-again": Row(Kind.ADMIN, 404, name="video_none"),
    "POST /api/admin/jobs/{id}/adopt": Row(Kind.ADMIN, 404, {"externalVideoId": "x"}, name="video_none"),
    "POST /api/admin/jobs/{id}/pay-again": Row(Kind.ADMIN, 404, name="video_none"),
    "POST /api/admin/jobs/{id}/give-up": Row(Kind.ADMIN, 404, name="video_none"),
    "POST /hooks/upstream/{name}": Row(Kind.OPEN, 404, name="lab"),
    "GET /health": Row(Kind.OPEN),
    "GET /ready": Row(Kind.OPEN),
    "GET /openapi.json": Row(Kind.OPEN),
}
ONE_JOB = {route: row for route, row in MATRIX.items() if row.kind in (Kind.JOB, Kind.WITHIN, Kind.FILE)}


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
async def team(data_dir: Path) -> AsyncIterator[Team]:
    lab = Lab(content=closing(200, sample_mp4(), {"Content-Type": "video/mp4"}))
    async with contextlib.AsyncExitStack() as stack:
        ann = await stack.enter_async_context(
            at_the_lab(data_dir, lab, balance=10_000, upstream={"max_concurrent": 0, "profile": "openai"})
        )
        bob, vic, root = [
            await stack.enter_async_context(person(ann.gateway, name, role, credits=100))
            for name, role in (("bob", "member"), ("vic", "viewer"), ("root", "admin"))
        ]
        yield Team(ann.gateway, lab, ann, bob, vic, root)


async def ask(http: httpx.AsyncClient, route: str, id: str = "") -> httpx.Response:
    method, path = route.split(" ")
    row = MATRIX[route]
    path = path.replace("{id}", row.name or id).replace("{name}", row.name)
    if row.form is not None:
        files = {name: (None if isinstance(value, str) else name, value) for name, value in row.form.items()}
        return await http.request(method, path, files=files)
    body = None if row.body is None else json.loads(json.dumps(row.body).replace("{id}", id))
    return await http.request(method, path, json=body)


def client(gateway: Gateway, key: str | None = None) -> httpx.AsyncClient:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(
        base_url=gateway.address, headers=headers, trust_env=False, event_hooks={"response": [as_described]}
    )
