"""A request to every paid route, made from the route table: a new route is asked for without anything being added
here, as long as its fields are among those that are known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel

from sora_gateway.app import Gateway
from sora_gateway.http.routing import Endpoint
from sora_gateway.http.system import System
from sora_gateway.http.table import table
from tests.fakes import CountingEntropy, FastClock
from tests.lab import WORKING, Lab, closing, lab_settings
from tests.live import until
from tests.pictures import encoded, striped
from tests.raw_server import Received, serving_raw
from tests.running import Json, Person, person, running
from tests.sample_videos import sample_mp4
from tests.test_references_api import data_url

PAID: dict[str, Endpoint] = {
    f"{endpoint.method} {endpoint.template}": endpoint
    for endpoint in table(System(0.0, list))
    if endpoint.paid
}
CHARACTERS = "POST /v1/videos/characters"
FILM = closing(200, sample_mp4(), {"Content-Type": "video/mp4"})
SPEED = 25
"""Seconds of the gateway in one of the test: a source is there soon, and a client's next try in time."""


@dataclass(frozen=True)
class Asking:
    """One request. A *form* is written by hand, so that it can be written in another way."""

    route: str
    path: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    form: bool = False
    boundary: str = "b"
    filename: str = "film.mp4"
    backwards: bool = False
    """The fields in the opposite order."""

    @property
    def options(self) -> dict[str, Any]:
        if not self.fields:
            return {}
        if not self.form:
            return {"json": dict(self.fields)}
        names = list(self.fields)[:: -1 if self.backwards else 1]
        body = b"".join(self._part(name, self.fields[name]) for name in names)
        return {
            "content": body + f"--{self.boundary}--\r\n".encode(),
            "headers": {"content-type": f"multipart/form-data; boundary={self.boundary}"},
        }

    def _part(self, name: str, value: str | bytes) -> bytes:
        is_file = isinstance(value, bytes)
        more = f'; filename="{self.filename}"' if is_file else ""
        head = f'--{self.boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
        return head.encode() + (value if isinstance(value, bytes) else value.encode()) + b"\r\n"

    def to(self, source: str) -> Asking:
        """The same about another video, where the path names one."""
        return replace(self, path=PAID[self.route].template.replace("{id}", source))

    def saying(self, **fields: object) -> Asking:
        return replace(self, fields={**self.fields, **fields})


def asking(route: str, source: str, *, form: bool = False) -> Asking:
    """A good request; *source* is a finished video. A form brings files wherever it may."""
    endpoint = PAID[route]
    model = endpoint.form if form else endpoint.request
    fields = {} if model is None else _fields(model, source, form)
    return Asking(route, "", fields, form).to(source)


def _fields(model: type[BaseModel], source: str, form: bool) -> dict[str, Any]:
    known: dict[str, Any] = {
        "prompt": "a paper boat",
        "seconds": "8",
        "name": "Otter",
        "prompts": "a paper boat",
        "video": sample_mp4() if form else {"id": source},
    }
    # A prompt can be left out where a template or a list can stand for it.
    said = ("prompt", "prompts")
    return {
        name: known[name] for name, each in model.model_fields.items() if each.is_required() or name in said
    }


PICTURE = encoded(striped(72, 128))
IMAGES = {
    "a file": ("/v1/videos", "input_reference"),
    "a file in the other API": ("/api/video/tasks", "inputReference"),
    "a data URL": ("/v1/videos", "input_reference"),
    "a data URL in a form": ("/v1/videos", "input_reference[image_url]"),
}
"""Ways to send an image along: the path and the field."""


def with_image(way: str, image: bytes = PICTURE) -> Asking:
    """A create with *image*, in one of the ways of :data:`IMAGES`."""
    path, name = IMAGES[way]
    as_file, form = "file" in way, way != "a data URL"
    value: object = image if as_file else data_url(image) if form else {"image_url": data_url(image)}
    fields = {"prompt": "a paper boat", "size": "720x1280", "seconds": "4", name: value}
    return Asking(f"POST {path}", path, fields, form)


def askings(route: str, source: str) -> list[Asking]:
    """The request in every kind of body that the route takes."""
    endpoint = PAID[route]
    kinds = [form for form, model in ((False, endpoint.request), (True, endpoint.form)) if model]
    return [asking(route, source, form=form) for form in kinds or [False]]


def different(ask: Asking, other_source: str) -> list[Asking]:
    """Other requests to the same route: another word in the body, another video in the path."""
    found = [
        ask.saying(**{name: f"{ask.fields[name]} at night"})
        for name in ("prompt", "prompts", "name")
        if name in ask.fields
    ]
    if ask.to(other_source) != ask:
        found.append(ask.to(other_source))
    assert found, f"{ask.route} cannot be asked for anything else"
    return found


@dataclass
class Shop:
    """Ann at a gateway in front of an upstream that can do everything, with two finished videos of hers."""

    lab: Lab
    clock: FastClock
    entropy: CountingEntropy
    ann: Person
    sources: list[str] = field(default_factory=list)

    @property
    def gateway(self) -> Gateway:
        return self.ann.gateway

    def everything(self) -> list[Asking]:
        """A request to every paid route in every kind of body that it takes."""
        return [ask for route in PAID for ask in askings(route, self.sources[0])]

    async def jobs(self) -> int:
        """How many there are, whoever owns them, deleted or not."""
        return int((await self._read("SELECT count(*) FROM jobs"))[0])

    async def characters(self) -> int:
        return int((await self._read("SELECT count(*) FROM characters"))[0])

    async def cost(self) -> tuple[int, int, int]:
        """Jobs, characters, and credits that everybody has left: what a repeated request must not change."""
        left = sum(user.available for user in await self.gateway.store.people.users())
        return await self.jobs(), await self.characters(), left

    async def _read(self, query: str) -> Any:
        return await self.gateway.store.run(lambda tx: tuple(tx.one(query) or ()))

    async def made(self, ask: Asking, who: Person | None = None, **headers: str) -> str:
        """The id of what the request makes."""
        return id_of(await send(who or self.ann, ask, **headers))

    async def source(self, who: Person | None = None, **wish: object) -> str:
        """A finished video of *who*."""
        made = await (who or self.ann).make("a source", **wish)
        return await self.finished(str(made["videoId"]), who)

    async def finished(self, video_id: str, who: Person | None = None) -> str:
        """The id, once the upstream has finished the video and it is stored."""
        self.lab.looks = {"status": "completed"}
        await (who or self.ann).comes_to(video_id, "completed")
        self.lab.looks = dict(WORKING)
        return video_id

    async def order(self, number: int) -> Received:
        """The paid request that reached the upstream after *number* others."""
        await until(lambda: len(self.lab.orders) > number)
        return self.lab.orders[number]


@asynccontextmanager
async def shop(
    data_dir: Path,
    before: Shop | None = None,
    *,
    sources: int = 2,
    profile: str = "openai",
    each_once: bool = True,
    **sections: Any,
) -> AsyncIterator[Shop]:
    """A new one, or the one *before*, that is closed, after a restart. *each_once*: at the end every job and character
    that is there was asked for once upstream, and nothing else."""
    lab = before.lab if before else Lab(content=FILM)
    clock = before.clock if before else FastClock(SPEED)
    entropy = before.entropy if before else CountingEntropy(fraction=0.0)
    upstream = {"profile": profile, "max_concurrent": 0}
    async with serving_raw(lab.handle) as server:
        settings = lab_settings(
            data_dir, server.url, upstream=upstream, polling={"min_interval": 2.0}, **sections
        )
        async with running(settings, clock, entropy) as gateway, person(gateway, credits=10_000) as ann:
            at = Shop(lab, clock, entropy, ann, before.sources if before else [])
            while len(at.sources) < sources:
                at.sources.append(await at.source())
            yield at
            if each_once:
                made = await at.jobs() + await at.characters()
                await until(lambda: len(lab.orders) >= made)
                assert len(lab.orders) == made


async def send(who: Person, ask: Asking, **headers: str | bytes) -> httpx.Response:
    """*headers* with underscores for hyphens."""
    options = ask.options
    named: dict[str, Any] = {name.replace("_", "-"): value for name, value in headers.items()}
    return await who.http.post(ask.path, **options | {"headers": options.get("headers", {}) | named})


def stored(data_dir: Path, variant: str) -> list[Path]:
    """The files of that kind which jobs have, whole or not."""
    return sorted((data_dir / "media").rglob(f"{variant}.*"))


def id_of(response: httpx.Response) -> str:
    assert response.is_success, response.text
    body: Json = response.json()
    video = body["tasks"][0] if "tasks" in body else body
    return str(video.get("videoId") or video["id"])


def refused(response: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and what official clients are told about trying again."""
    return response.status_code, response.json()["error"]["code"], response.headers.get("x-should-retry")


@asynccontextmanager
async def signed_in(who: Person) -> AsyncIterator[Person]:
    """The same person at the web page, with a session's cookie instead of a key."""
    _, token = await who.gateway.accounts.redeem(
        await who.gateway.accounts.new_login_link(f"{who.user_id.removeprefix('user_')}@example.org")
    )
    headers = {"Cookie": f"sid={token}", "Origin": who.gateway.address}
    async with httpx.AsyncClient(base_url=who.gateway.address, headers=headers, trust_env=False) as http:
        yield Person(who.gateway, who.user_id, "", http)
