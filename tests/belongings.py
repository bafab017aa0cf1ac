"""What Ann has, in every state and hidden or shown: what others try to reach."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import httpx
from PIL import Image

from sora_gateway.core.actor import COMMAND_LINE
from sora_gateway.core.webhooks import TEST_EVENT, DeliveryStatus
from sora_gateway.store import audit
from sora_gateway.store.identities import IdentityRecord
from sora_gateway.store.webhook_deliveries import Conclusion, DeliveryRecord, TryRecord
from tests.lab import WORKING, Lab, closing
from tests.matrix import RECEIVER, SECRET, SHOWN, Row, Thing
from tests.raw_server import Received, Wire
from tests.running import Json, Person
from tests.sample_videos import sample_image, sample_mp4
from tests.team import Team, client, team

STATES = {"done": "completed", "running": "processing", "ended": "failed"}


class Whose(StrEnum):
    PRIVATE = "Ann's"
    TEAM = "Ann's, who shows it to the team"
    GONE = "Ann's, until it was deleted"
    NOBODYS = "nobody's"


ALL = (Whose.PRIVATE, Whose.TEAM, Whose.GONE, Whose.NOBODYS)
OF = {
    Thing.JOB: ALL,
    Thing.BATCH: ALL,
    Thing.TEMPLATE: ALL,
    Thing.IMAGE: ALL,
    Thing.CHARACTER: (Whose.PRIVATE, Whose.NOBODYS),
    Thing.KEY: (Whose.PRIVATE, Whose.GONE, Whose.NOBODYS),
    Thing.SESSION: (Whose.PRIVATE, Whose.GONE, Whose.NOBODYS),
    Thing.IDENTITY: (Whose.PRIVATE, Whose.GONE, Whose.NOBODYS),
    Thing.WEBHOOK: (Whose.PRIVATE, Whose.GONE, Whose.NOBODYS),
    Thing.DELIVERY: (Whose.PRIVATE, Whose.GONE, Whose.NOBODYS),
}
"""Whose each thing can be."""
MADE_UP = {
    Thing.JOB: ("video_" + "0" * 32, "upstream-none"),
    Thing.BATCH: ("batch_" + "0" * 32,),
    Thing.TEMPLATE: ("tpl_" + "0" * 32,),
    Thing.IMAGE: ("ref_" + "0" * 32,),
    Thing.CHARACTER: ("char_" + "0" * 32, "upstream-none"),
    Thing.KEY: ("key_" + "0" * 32,),
    Thing.SESSION: ("session_" + "0" * 32,),
    Thing.IDENTITY: ("identity_" + "0" * 32,),
    Thing.WEBHOOK: ("hook_" + "0" * 32,),
    Thing.DELIVERY: ("msg_" + "0" * 32,),
}


@dataclass(frozen=True)
class Target:
    """*ids* are what it goes by: ours, and the upstream's where that has one."""

    ids: tuple[str, ...]
    share: str = "share_none"
    batch: str = ""


@dataclass
class LabByPrompt(Lab):
    """An upstream at which each video becomes what its prompt says, and every still is there."""

    fates: dict[str, str] = field(default_factory=dict)
    """``running`` or ``ended`` by id; all others are done at once."""

    async def handle(self, request: Received, wire: Wire) -> None:
        id, _, rest = request.target.removeprefix("/v1/videos").strip("/").partition("/")
        if request.method == "POST" and not self.creates:
            self.orders.append(request)
            id = f"upstream-{len(self.orders):04}"
            fate = next((each for each in STATES if f", {each}".encode() in request.body), "done")
            self.fates[id] = fate
            await wire.send(closing(200, {"id": id, "status": "queued"}))
        elif request.method == "GET" and rest.startswith("content"):
            kind = "video/mp4" if "variant=" not in rest or "variant=video" in rest else "image/webp"
            content = sample_mp4() if kind == "video/mp4" else sample_image()
            await wire.send(closing(200, content, {"Content-Type": kind}))
        elif request.method == "GET":
            looks: dict[str, dict[str, object]] = {
                "running": WORKING,
                "ended": {"status": "failed"},
                "done": {"status": "completed"},
            }
            await wire.send(closing(200, {"id": id, **looks[self.fates.get(id, "done")]}))
        else:
            await super().handle(request, wire)


@dataclass
class House:
    """The team, and Ann's things. *http* brings no credential by itself and keeps no cookie."""

    team: Team
    http: httpx.AsyncClient
    kept: dict[tuple[Thing, Whose, str], Target] = field(default_factory=dict)
    """Those that nobody but Ann can change, by thing, whose it is, and a video's state."""
    made: int = 0

    async def furnish(self) -> None:
        """Makes one of each, so that it can be asked for again and again."""
        wanted = [
            (thing, whose, job)
            for thing in Thing
            if thing is not Thing.BATCH  # each video is one
            for whose in OF[thing]
            for job in (STATES if thing is Thing.JOB and whose in ALL[:2] else ("done",))
        ]
        found = await asyncio.gather(*(self.make(*each) for each in wanted))
        self.kept = dict(zip(wanted, found, strict=True))
        for whose in OF[Thing.BATCH]:
            video = self.kept[Thing.JOB, whose, "done"]
            ids = (video.batch,) if video.batch else MADE_UP[Thing.BATCH]
            self.kept[Thing.BATCH, whose, "done"] = Target(ids)

    def target(self, row: Row, whose: Whose) -> Target:
        assert row.thing is not None
        return self.kept[row.thing, whose, row.job if whose in ALL[:2] else "done"]

    def secrets(self) -> list[str]:
        """What must be in no answer to anybody but Ann and administrators."""
        hidden = [
            target for (_, whose, _), target in self.kept.items() if whose in (Whose.PRIVATE, Whose.GONE)
        ]
        return [SECRET, *(id for target in hidden for id in target.ids)]

    async def as_ann_sees_it(self) -> dict[str, Json]:
        """Everything that she has, without what changes by itself."""
        seen: dict[str, Json] = {}
        after: str | None = ""
        while after is not None:
            page = (await self.team.ann.get(f"/api/video/tasks?scope=mine&limit=100{after}")).json()
            for task in page["tasks"]:
                names = ("prompt", "stage", "visibility", "cancelRequested")
                seen[task["videoId"]] = {name: task[name] for name in names}
            after = f"&after={page['tasks'][-1]['videoId']}" if page["hasMore"] else None
        for kind in ("/api/references", "/api/templates", "/api/keys", "/api/auth/identities"):
            answer = (await self.team.ann.get(kind)).json()
            for each in answer[kind.rpartition("/")[2]]:
                seen[each["id"]] = {"library": each.get("library")}
        for (thing, whose, _), target in self.kept.items():
            if thing is Thing.JOB and whose in ALL[:2]:
                shares = (await self.team.ann.get(f"/api/video/tasks/{target.ids[0]}/shares")).json()[
                    "shares"
                ]
                seen[target.share] = {"shares": {share["id"] for share in shares}}
        return seen

    # --- handing on ------------------------------------------------------------------------------

    async def share_token(self) -> str:
        """That of a link to Ann's finished video."""
        path = f"/api/video/tasks/{self.kept[Thing.JOB, Whose.PRIVATE, 'done'].ids[0]}/shares"
        (share,) = (await self.team.ann.get(path)).json()["shares"]
        return str(share["url"]).rpartition("/")[2]

    async def ticket(self, who: Person) -> str:
        return str((await who.http.post("/api/stream-tickets")).json()["ticket"])

    # --- making ----------------------------------------------------------------------------------

    async def make_for(self, row: Row, whose: Whose) -> Target:
        """One that may be used up."""
        assert row.thing is not None
        return await self.make(row.thing, whose, row.job)

    async def make(self, thing: Thing, whose: Whose, job: str = "done") -> Target:
        """A new one."""
        if whose is Whose.NOBODYS:
            return Target(MADE_UP[thing])
        self.made += 1
        make = {
            Thing.JOB: self._video, Thing.IMAGE: self._image, Thing.CHARACTER: self._character, Thing.KEY: self._key,
            Thing.SESSION: self._session, Thing.TEMPLATE: self._template, Thing.IDENTITY: self._identity,
            Thing.WEBHOOK: self._webhook, Thing.DELIVERY: self._delivery,
        }[thing]  # fmt: skip
        return await make(whose, job)

    async def _video(self, whose: Whose, job: str) -> Target:
        ann, visibility = self.team.ann, "team" if whose is Whose.TEAM else "private"
        prompt = f"{SHOWN if whose is Whose.TEAM else SECRET}, {job}"
        wish: Json = {"items": [{"prompt": prompt}], "visibility": visibility}
        if not self.kept:  # what stays has an image that it was made from; the rest needs none
            wish["inputReference"] = {"imageUrl": picture(self.made)}
        made = (await ann.http.post("/api/video/tasks/batch", json=wish)).json()
        task = await ann.comes_to(made["tasks"][0]["videoId"], STATES[job])
        path = f"/api/video/tasks/{task['videoId']}"
        share = (await ann.http.post(f"{path}/shares", json={})).json()["id"]
        if whose is Whose.GONE:
            assert (await ann.http.delete(path)).status_code == 204
        return Target((task["videoId"], task["externalVideoId"]), share, made["batchId"])

    async def _template(self, whose: Whose, _: str) -> Target:
        ann, visibility = self.team.ann, "team" if whose is Whose.TEAM else "private"
        wish = {"name": f"template {self.made}", "prompt": SHOWN if whose is Whose.TEAM else SECRET}
        made = await ann.http.post("/api/templates", json=wish | {"visibility": visibility})
        id = made.json()["id"]
        if whose is Whose.GONE:
            assert (await ann.http.delete(f"/api/templates/{id}")).status_code == 204
        return Target((id,))

    async def _image(self, whose: Whose, _: str) -> Target:
        ann, library = self.team.ann, "team" if whose is Whose.TEAM else "personal"
        wish = {
            "imageUrl": picture(self.made),
            "name": SHOWN if whose is Whose.TEAM else SECRET,
            "library": library,
        }
        id = (await ann.http.post("/api/references", json=wish)).json()["id"]
        if whose is Whose.GONE:
            assert (await ann.http.delete(f"/api/references/{id}")).status_code == 204
        return Target((id,))

    async def _character(self, _: Whose, __: str) -> Target:
        made = await self.team.ann.http.post(
            "/v1/videos/characters", data={"name": SECRET}, files={"video": ("video", sample_mp4())}
        )
        external = await self.team.gateway.store.run(
            lambda tx: [row["external_id"] for row in tx.execute("SELECT external_id FROM characters")]
        )
        return Target((made.json()["id"], external[-1]))

    async def _key(self, whose: Whose, _: str) -> Target:
        accounts = self.team.gateway.accounts
        _, record = await accounts.create_key("user_ann", SECRET)
        if whose is Whose.GONE:
            await accounts.revoke_key("user_ann", record.id)
        return Target((record.id,))

    async def _session(self, whose: Whose, _: str) -> Target:
        accounts = self.team.gateway.accounts
        token = await accounts.new_session("user_ann")
        principal = await accounts.by_session(token)
        assert principal is not None
        (id,) = [record.id for record, current in await accounts.sessions(principal) if current]
        if whose is Whose.GONE:
            await accounts.end_session(token)
        return Target((id,))

    async def _identity(self, whose: Whose, _: str) -> Target:
        people, id = self.team.gateway.store.people, f"identity_{self.made:032x}"
        record = IdentityRecord(id, "https://id.example.org", id, "user_ann", "ann@example.org", 0.0)
        entry = audit.entry(COMMAND_LINE, 0.0, "identity.link", id)
        await people.link_identity(record, entry)
        if whose is Whose.GONE:
            await people.unlink_identity(id, "user_ann", entry)
        return Target((id,))

    async def _webhook(self, whose: Whose, _: str) -> Target:
        wish = {"url": RECEIVER, "events": ["video.cancelled"], "description": SECRET}
        made = await self.team.ann.http.post("/api/webhooks", json=wish)
        id = str(made.json()["id"])
        if whose is Whose.GONE:
            assert (await self.team.ann.http.delete(f"/api/webhooks/{id}")).status_code == 204
        return Target((id,))

    async def _delivery(self, whose: Whose, _: str) -> Target:
        (webhook,) = (await self._webhook(Whose.PRIVATE, "")).ids
        id, at = webhook.replace("hook_", "msg_"), 1_800_000_000.0
        made = TryRecord(at, 0.1, 404, "The receiver answered with status 404.")
        tested = DeliveryRecord(0, id, webhook, None, TEST_EVENT, at, DeliveryStatus.PENDING, "", 0, 1, None)
        store = self.team.gateway.store
        await store.webhooks.insert_test(tested, Conclusion(made, DeliveryStatus.GIVEN_UP, RECEIVER))
        if whose is Whose.GONE:
            assert (await self.team.ann.http.delete(f"/api/webhooks/{webhook}")).status_code == 204
        return Target((id,))


def picture(width: int) -> str:
    """An image of one row as an address, another one for each *width*."""
    file = io.BytesIO()
    Image.new("RGB", (width, 1)).save(file, "png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


@asynccontextmanager
async def house(data_dir: Path) -> AsyncIterator[House]:
    """With everything in it. A ticket of a minute is good for a second there."""
    lab = LabByPrompt()
    async with (
        team(data_dir, lab, speed=50, credits=10_000, polling={"min_interval": 2}) as people,
        client(people.gateway) as http,
    ):
        # Ann can sign in otherwise, so that any identity may be unlinked.
        all = House(people, http)
        await all.make(Thing.IDENTITY, Whose.PRIVATE)
        await all.furnish()
        yield all
