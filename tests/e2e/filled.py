"""A gateway as it looks after some days of use: people, videos in every state, credits, and what needs a decision."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sora_gateway.app import Gateway
from sora_gateway.clock import SystemClock
from sora_gateway.core.actor import COMMAND_LINE
from sora_gateway.core.principal import Role
from sora_gateway.entropy import SystemEntropy
from sora_gateway.upstream.simulator import SimulatorOptions, SimulatorState, build_simulator
from tests.running import Json, Person, person, running, settings_for
from tests.servers import serving

READY = (
    "A paper boat sails down a rainy street at dusk, the camera close behind it",
    "Snow falls on a harbour with fishing boats, seen from above, very early light",
    "A heron rides a bicycle along a canal, golden hour, 35 mm",
    "Close-up of coffee being poured, slow motion, steam in morning sun",
    "A night train crosses a viaduct under the Milky Way",
    "Two robots play chess in a greenhouse, rain on the glass",
    "雨夜的上海弄堂，霓虹倒映在石板路上，镜头缓缓推进",
    "一只橘猫趴在窗台上看雪，柔和的自然光",
    "A drone flies through a slot canyon towards a narrow strip of blue sky",
    "Origami cranes unfold and fly out of an open book",
    "A lighthouse in fog, its beam turning slowly",
    "Time-lapse of a market square from dawn to night",
)
PATIENCE = 240.0
"""Seconds; drawing real videos takes its time. A test has fewer and is stopped long before."""
FATES: dict[str, str] = {
    "A celebrity says something they never said": "moderation",
    "A very long tracking shot through a palace, 60 rooms": "fail=server_error",
    "Waves roll over a pier, long exposure": "never",
    "A kite over a beach, seen from the string": "never",
    "Fireflies in a birch forest at midnight": "never",
    "A potter at the wheel, hands only": "create_drop",
    "A tram turns into a sunlit square": "create_drop",
}
"""What the upstream does with a prompt, by a fault of the simulator."""


class Fated:
    """The simulator behind a door where *FATES* are written into the prompts that go in, for nobody else to see."""

    def __init__(self, simulator: ASGIApp) -> None:
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self._simulator(scope, receive, send)
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        for prompt, fate in FATES.items():
            told = json.dumps(prompt, ensure_ascii=False).strip('"').encode()
            body = body.replace(told, told + f" [[fault:{fate}]]".encode())
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        whole: list[Message] = [{"type": "http.request", "body": body}]

        async def again() -> Message:
            return whole.pop() if whole else await receive()

        return await self._simulator(dict(scope, headers=headers), again, send)


@dataclass
class Filled:
    gateway: Gateway
    person: str
    """Ann's id. She administers."""
    ready: str
    """The id of a finished video of hers, with tags and a share link."""
    refused: str
    running: str
    shared: str
    """The token of the share link."""
    webhook: str


@asynccontextmanager
async def filled(
    data_dir: Path, *, videos: int = 4, render: Literal["full", "clip"] = "clip"
) -> AsyncIterator[Filled]:
    """*videos* are ready, at most twelve."""
    options = SimulatorOptions(duration=0.5, sigma=0.3, render=render, directives=True, api_key="studio-key")
    state = SimulatorState(data_dir / "studio", SystemClock(), SystemEntropy(), options)
    async with serving(Fated(build_simulator(state))) as studio:
        settings = settings_for(
            data_dir / "gateway",
            upstreams={
                "studio": {
                    "base_url": f"{studio}/v1", "api_key": "studio-key", "profile": "simulator",
                    "models": {"sora-2": "sora-2", "sora-2-pro": "sora-2-pro"}, "max_concurrent": 4,
                },
                "spare": {
                    "base_url": f"{studio}/v1", "api_key": "studio-key", "profile": "generic",
                    "models": {"wan-2.2": "sora-2"}, "cost_per_video": 0.4, "on_ambiguous": "hold",
                },
            },
            credits={"enabled": True},
            pricing={"per_second": 2},
            plans={"team": {"concurrency": 4, "per_day": 200, "monthly_credits": 1000}},
            webhooks={"hosts": ["127.0.0.1:9"]},
            alerts={
                "ops": {"kind": "slack", "url": "http://127.0.0.1:9/told"},
                "phone": {"kind": "ntfy", "url": "http://127.0.0.1:9/phone", "about": ["storage", "backup"]},
            },
        )  # fmt: skip
        async with (
            running(settings, entropy=SystemEntropy()) as gateway,
            known(gateway, "ann", "admin", 2_000) as ann,
            known(gateway, "bob", "member", 500) as bob,
            known(gateway, "chen", "member", 300) as chen,
            known(gateway, "vic", "viewer", 0),
        ):
            yield await _fill(gateway, ann, (bob, chen), READY[:videos])
    await state.aclose()


@asynccontextmanager
async def known(gateway: Gateway, name: str, role: Role, credits: int) -> AsyncIterator[Person]:
    """Somebody who came three days ago."""
    came = SystemClock().now() - 3 * 86_400
    people = gateway.store.people
    await people.create_user(f"user_{name}", f"{name}@example.org", role, None, credits, came)
    async with person(gateway, name) as somebody:
        yield somebody


async def _fill(
    gateway: Gateway, ann: Person, others: tuple[Person, Person], prompts: tuple[str, ...]
) -> Filled:
    everybody = (ann, ann, *others)
    made = [await _made(everybody[index % 4], prompt, index) for index, prompt in enumerate(prompts)]
    for index, task in enumerate(made):
        await _comes_to(everybody[index % 4], task, "completed")
    token = await gateway.accounts.new_reset_link("ann@example.org", COMMAND_LINE)
    await _ask(ann.http, "/api/auth/reset", {"token": token, "password": "correct horse"})
    ready = (await ann.get("/api/video/tasks?status=completed&scope=mine&limit=1")).json()["tasks"][0][
        "videoId"
    ]
    refused, late, running_one, *_ = [await ann.make(prompt) for prompt in list(FATES)[:3]]
    for prompt in list(FATES)[3:5]:
        await others[0].make(prompt, visibility="team")
    for prompt in list(FATES)[5:]:
        await _comes_to(others[1], await others[1].make(prompt, model="wan-2.2"), "unknown")
    for task, stage in ((refused, "failed"), (late, "failed"), (running_one, "processing")):
        await _comes_to(ann, task, stage)
    batch = {"items": [{"prompt": f"Variation {n} of a sunrise over rice fields"} for n in range(1, 7)]}
    await _ask(ann.http, "/api/video/tasks/batch", batch)
    await _ask(ann.http, f"/api/video/tasks/{ready}/remix", {"prompt": "The same, in watercolour"})
    share = await _ask(ann.http, f"/api/video/tasks/{ready}/shares", {"expiresIn": 604800})
    webhook = await _ask(
        ann.http, "/api/webhooks", {"url": "http://127.0.0.1:9/told", "description": "Edit suite"}
    )
    await _ask(
        ann.http, "/api/templates", {"name": "Animals", "prompt": "{animal} on a bicycle, golden hour"}
    )
    await _ask(ann.http, "/api/admin/invitations", {"email": "dora@example.org", "role": "member"})
    await _ask(ann.http, "/api/admin/codes", {"credits": 100, "count": 3, "note": "spring"})
    for name in ("bob", "chen"):
        grant = {"email": f"{name}@example.org", "amount": 50, "note": "thank you"}
        await _ask(ann.http, "/api/admin/credits/grant", grant)
    token = share["url"].rsplit("/", 1)[-1]
    return Filled(
        gateway, ann.user_id, ready, refused["videoId"], running_one["videoId"], token, webhook["id"]
    )


async def _comes_to(owner: Person, task: Json, stage: str) -> None:
    """Waits, without asking so often that nothing else gets its turn."""
    async with asyncio.timeout(PATIENCE):
        while (await owner.task(task["videoId"]))["stage"] != stage:  # noqa: ASYNC110  # nothing tells it here
            await asyncio.sleep(0.2)


async def _made(who: Person, prompt: str, index: int) -> Json:
    shape = {"size": "1280x720" if index % 3 else "720x1280", "seconds": (4, 8, 12)[index % 3]}
    visibility = "team" if index % 2 else "private"
    tags = [("rain", "night", "animals", "city")[index % 4]]
    return await who.make(prompt, **shape, visibility=visibility, tags=tags)


async def _ask(http: httpx.AsyncClient, path: str, body: Mapping[str, object]) -> dict[str, str]:
    answer = await http.post(path, json=body)
    assert answer.is_success, f"{path}: {answer.text}"
    told: dict[str, str] = answer.json() if answer.content else {}
    return told
