"""Webhooks over a real port, from the request that makes one to the message at its receiver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from sora_gateway.clock import SystemClock
from sora_gateway.core.principal import EVERYTHING, Scope
from sora_gateway.store import Store
from tests.canaries import leaks
from tests.lab import unused_port
from tests.people import LaterClock, actions, add, browser, code, told
from tests.receivers import FakeReceiver, receiving, signed_by
from tests.running import Json, Person, person, running, settings_for

HOOKS = "/api/webhooks"


async def hook(who: httpx.AsyncClient, receiver: FakeReceiver | str, **wish: Any) -> Json:
    url = receiver if isinstance(receiver, str) else receiver.url
    made = await who.post(HOOKS, json={"url": url, **wish})
    assert made.status_code == 201, made.text
    return dict(made.json())


async def deliveries(who: Person, hook: Json, number: int = 1, status: str = "") -> list[Json]:
    """The webhook's (all of them, or those with *status*), newest first, once there are so many and all were tried."""
    path = f"{HOOKS}/{hook['id']}/deliveries" + (f"?status={status}" if status else "")
    async with asyncio.timeout(20):
        while True:
            found = (await who.get(path)).json()["deliveries"]
            if len(found) >= number and all(each["tries"] or each["note"] for each in found):
                # Once more, because the tries are read after what they have led to.
                return list((await who.get(path)).json()["deliveries"])
            await asyncio.sleep(0.01)


@asynccontextmanager
async def ann_and(directory: Path, *receivers: FakeReceiver | str, **webhooks: Any) -> AsyncIterator[Person]:
    """Ann, at a gateway that may send to *receivers*."""
    hosts = [each if isinstance(each, str) else each.host for each in receivers]
    clock = webhooks.pop("clock", None)
    settings = settings_for(
        directory,
        webhooks={"hosts": hosts, "timeout": 5.0} | webhooks,
        server={"public_url": "https://videos.example.org"},
    )
    async with running(settings, clock) as gateway, person(gateway) as ann:
        yield ann


async def test_a_receiver_is_told_that_a_video_is_ready_and_can_fetch_it(tmp_path: Path) -> None:
    async with receiving() as receiver, ann_and(tmp_path, receiver) as ann:
        made = await hook(ann.http, receiver, description="the archive")
        assert (made["enabled"], made["events"], made["everybody"]) == (
            True, ["video.completed", "video.failed"], False
        )  # fmt: skip
        task = await ann.make("a paper boat")
        (request,) = await receiver.gets(1)
        assert signed_by(request, made["secret"], SystemClock().now())
        assert not signed_by(request, made["secret"][:-4] + "AAA=", SystemClock().now())
        message = request.json
        now = await ann.task(task["videoId"])
        sent: Any = message["data"]
        assert message["type"] == "video.completed"
        assert {name: value for name, value in sent.items() if not name.endswith("Url")} == {
            name: value for name, value in now.items() if not name.endswith("Url")
        }
        # Its address is whole, works without a key, and is good from the moment of sending on.
        origin, _, path = sent["videoUrl"].partition("/api/")
        assert origin == "https://videos.example.org"
        async with httpx.AsyncClient(trust_env=False) as stranger:
            assert (await stranger.get(f"{ann.gateway.address}/api/{path}")).status_code == 200
        (delivery,) = await deliveries(ann, made)
        assert (delivery["id"], delivery["videoId"], delivery["status"]) == (
            request.headers["webhook-id"], task["videoId"], "delivered"
        )  # fmt: skip
        assert (await ann.get(f"{HOOKS}/deliveries/{delivery['id']}")).json() == delivery
        stored = await ann.gateway.store.run(
            lambda tx: [tuple(row) for row in tx.execute("SELECT * FROM webhook_deliveries")]
        )
        assert "signature" not in str(stored)


async def test_what_failed_and_what_was_cancelled(tmp_path: Path) -> None:
    async with receiving() as receiver, ann_and(tmp_path, receiver) as ann:
        await hook(ann.http, receiver, events=["video.cancelled", "video.failed", "video.failed"])
        failed = await ann.make("a boat [[fault:fail]]")
        (request,) = await receiver.gets(1)
        data: Any = request.json["data"]
        assert (request.json["type"], data["videoId"], data["videoUrl"]) == (
            "video.failed", failed["videoId"], None
        )  # fmt: skip
        assert data["error"]["message"]
        running = await ann.make("a boat [[fault:never]]")
        await ann.http.post(f"/api/video/tasks/{running['videoId']}/cancel")
        assert (await receiver.gets(2))[1].json["type"] == "video.cancelled"
        await ann.make("a boat")
        await ann.comes_to((await ann.make("another"))["videoId"], "completed")
        assert len(receiver.received) == 2


async def test_it_is_changed_listed_and_deleted_and_all_of_it_is_written_down(tmp_path: Path) -> None:
    async with receiving() as receiver, ann_and(tmp_path, receiver, per_person=2) as ann:
        first, second = await hook(ann.http, receiver), await hook(ann.http, receiver)
        refused = await ann.http.post(HOOKS, json={"url": receiver.url})
        assert code(refused) == (409, "conflict")
        path = f"{HOOKS}/{first['id']}"
        wish = {"description": "new", "events": ["video.cancelled"], "url": receiver.url + "?token=s3cret"}
        changed = (await ann.http.patch(path, json=wish)).json()
        assert {name: changed[name] for name in wish} == wish
        off = (await ann.http.patch(path, json={"enabled": False})).json()
        assert (off["enabled"], off["url"]) == (False, wish["url"])
        assert (await ann.get(path)).json() == off
        listed = (await ann.get(HOOKS)).json()["webhooks"]
        assert [each["id"] for each in listed] == [first["id"], second["id"]]
        assert (await ann.http.post(f"{path}/rotate-secret")).status_code == 200
        assert (await ann.http.delete(path)).status_code == 204
        assert (await ann.get(path)).status_code == 404
        assert await actions(ann.gateway, first["id"]) == [
            "webhook.create", "webhook.change", "webhook.change", "webhook.rotate", "webhook.delete"
        ]  # fmt: skip
        log = await ann.gateway.store.audited(first["id"])
        assert receiver.host in log[0].detail
        assert "s3cret" not in str(log)
        await hook(ann.http, receiver)


async def test_the_first_of_many_at_once_can_all_be_signed(tmp_path: Path) -> None:
    """They make the file of the encrypting key together."""
    async with receiving() as receiver, ann_and(tmp_path, receiver, per_person=0) as ann:
        made = await asyncio.gather(*(hook(ann.http, receiver) for _ in range(20)))
        for each in made:
            assert (await ann.http.post(f"{HOOKS}/{each['id']}/test")).json()["delivered"]
            assert signed_by(receiver.received[-1], each["secret"], SystemClock().now())


WRONG: dict[str, tuple[Json, str]] = {
    "nothing": ({}, "url"),
    "not https": ({"url": "http://example.org/"}, "url"),
    "another port": ({"url": "https://8.8.8.8:8443/"}, "url"),
    "a private host": ({"url": "https://10.0.0.1/"}, "url"),
    "this machine": ({"url": "https://localhost/"}, "url"),
    "an address inside of another": ({"url": "https://[::ffff:127.0.0.1]/"}, "url"),
    "credentials": ({"url": "https://me:pw@8.8.8.8/"}, "url"),
    "a fragment": ({"url": "https://8.8.8.8/#x"}, "url"),
    "no events": ({"url": "https://8.8.8.8/", "events": []}, "events"),
    "an unknown event": ({"url": "https://8.8.8.8/", "events": ["video.started"]}, "events[0]"),
    "its own secret": ({"url": "https://8.8.8.8/", "secret": "whsec_AAAA"}, "secret"),
}


async def test_what_is_no_webhook_is_refused_by_name(tmp_path: Path) -> None:
    async with receiving() as receiver, ann_and(tmp_path, receiver) as ann:
        made = await hook(ann.http, receiver)
        for name, (wish, param) in WRONG.items():
            for answer in (
                await ann.http.post(HOOKS, json=wish),
                await ann.http.patch(f"{HOOKS}/{made['id']}", json=wish) if wish else None,
            ):
                if answer is not None:
                    assert answer.status_code == 400, (name, answer.text)
                    assert answer.json()["error"]["param"] == param, name
        assert len((await ann.get(HOOKS)).json()["webhooks"]) == 1
        assert (await ann.get(f"{HOOKS}/{made['id']}")).json()["url"] == receiver.url


async def test_after_a_rotation_messages_carry_two_signatures_for_a_day(tmp_path: Path) -> None:
    clock = LaterClock()
    async with receiving() as receiver, ann_and(tmp_path, receiver, clock=clock) as ann:
        made = await hook(ann.http, receiver)
        rotated = (await ann.http.post(f"{HOOKS}/{made['id']}/rotate-secret")).json()
        assert rotated["secret"] != made["secret"]
        assert rotated["oldSecretUntil"] is not None
        await ann.http.post(f"{HOOKS}/{made['id']}/test")
        clock.ahead = 86_401.0
        await ann.http.post(f"{HOOKS}/{made['id']}/test")
        both, one = await receiver.gets(2)
        now = int(both.headers["webhook-timestamp"])
        assert [signed_by(both, each["secret"], now) for each in (made, rotated)] == [True, True]
        now = int(one.headers["webhook-timestamp"])
        assert [signed_by(one, each["secret"], now) for each in (made, rotated)] == [False, True]
        assert (await ann.get(f"{HOOKS}/{made['id']}")).json()["oldSecretUntil"] is None


async def test_a_test_says_what_the_receiver_said_and_nothing_of_its_body(tmp_path: Path) -> None:
    async with receiving(204, 500, "closes") as receiver, ann_and(tmp_path, receiver) as ann:
        made = await hook(ann.http, receiver)
        test = f"{HOOKS}/{made['id']}/test"
        said = [(await ann.http.post(test)).json() for _ in range(3)]
        assert [(each["delivered"], each["httpStatus"], each["error"]) for each in said] == [
            (True, 204, ""),
            (False, 500, "The receiver answered with status 500."),
            (False, None, "The connection ended before an answer came."),
        ]
        assert receiver.received[0].json["type"] == "webhook.test"
        found = (await ann.get(f"{HOOKS}/{made['id']}/deliveries")).json()["deliveries"]
        assert [each["id"] for each in found] == [each["deliveryId"] for each in reversed(said)]
        assert [each["status"] for each in found] == ["given_up", "given_up", "delivered"]
        assert "what it says" not in str(found)
        # A test that fails is tried no more, and nothing is held against the webhook.
        assert (await ann.get(f"{HOOKS}/{made['id']}")).json()["failingSince"] is None


async def test_a_delivery_is_sent_again_under_its_id_when_its_owner_wants(tmp_path: Path) -> None:
    async with receiving(500, 204) as receiver, ann_and(tmp_path, receiver) as ann:
        made = await hook(ann.http, receiver)
        await ann.make("a boat")
        await receiver.gets(1)
        (delivery,) = await deliveries(ann, made)
        assert (delivery["status"], delivery["tries"][0]["httpStatus"]) == ("pending", 500)
        assert delivery["nextTryAt"] is not None
        again = await ann.http.post(f"{HOOKS}/deliveries/{delivery['id']}/replay")
        assert (again.status_code, again.json()["status"]) == (202, "pending")
        first, second = await receiver.gets(2)
        assert first.headers["webhook-id"] == second.headers["webhook-id"] == delivery["id"]
        await deliveries(ann, made, status="delivered")
        await ann.http.patch(f"{HOOKS}/{made['id']}", json={"enabled": False})
        refused = await ann.http.post(f"{HOOKS}/deliveries/{delivery['id']}/replay")
        assert told(refused) == (409, "conflict", "The webhook is disabled; enable it first.")


async def test_410_disables_and_says_why_until_it_is_enabled_again(tmp_path: Path) -> None:
    async with receiving(410, 204) as receiver, ann_and(tmp_path, receiver) as ann:
        made = await hook(ann.http, receiver)
        await ann.make("a boat")
        await deliveries(ann, made, status="given_up")
        now = (await ann.get(f"{HOOKS}/{made['id']}")).json()
        assert now["enabled"] is False
        assert "gone for good (status 410)" in now["disabledReason"]
        on = (await ann.http.patch(f"{HOOKS}/{made['id']}", json={"enabled": True})).json()
        assert (on["enabled"], on["disabledReason"], on["failingSince"]) == (True, "", None)


async def test_a_receiver_that_never_answers_holds_nobody_up(tmp_path: Path) -> None:
    async with receiving("silent") as dead, receiving() as healthy:
        async with ann_and(tmp_path, dead, healthy, timeout=60.0) as ann:
            silent = await hook(ann.http, dead)
            well = await hook(ann.http, healthy)
            tasks = [await ann.make(f"boat {number}") for number in range(12)]
            for task in tasks:
                await ann.comes_to(task["videoId"], "completed")
            await healthy.gets(12)
            assert {each.json["data"]["videoId"] for each in healthy.received} == {  # type: ignore[index]
                task["videoId"] for task in tasks
            }
            assert len(dead.received) == 2
            await deliveries(ann, well, 12)
            before = SystemClock().monotonic()
        # Nor does the end wait for it; what was under way is there at the next start.
        assert SystemClock().monotonic() - before < 5
        dead.behaves = [204]
        async with ann_and(tmp_path, dead, healthy) as ann:
            await dead.gets(2 + 12)
            found = await deliveries(ann, silent, 12)
            assert len({each["videoId"] for each in found}) == 12
            assert len(healthy.received) == 12


async def test_only_administrators_have_webhooks_for_everybody(tmp_path: Path) -> None:
    async with receiving() as receiver, ann_and(tmp_path, receiver) as ann:
        refused = await ann.http.post(HOOKS, json={"url": receiver.url, "everybody": True})
        assert code(refused) == (403, "forbidden")
        own = await hook(ann.http, receiver)
        assert code(await ann.http.patch(f"{HOOKS}/{own['id']}", json={"everybody": True})) == (
            403,
            "forbidden",
        )
        await ann.http.delete(f"{HOOKS}/{own['id']}")
        async with person(ann.gateway, "root", "admin") as root:
            all = await hook(root.http, receiver, everybody=True)
            task = await ann.make("a boat")
            (request,) = await receiver.gets(1)
            data: Any = request.json["data"]
            assert (data["videoId"], data["mine"], data["owner"]["email"]) == (
                task["videoId"], False, "ann@example.org"
            )  # fmt: skip
            # A key that is not for administrating does not lead it elsewhere, nor learn its new secret.
            key, _ = await ann.gateway.accounts.create_key("user_root", "ci", EVERYTHING - {Scope.ADMIN})
            headers = {"Authorization": f"Bearer {key}"}
            path, (sent,) = f"{HOOKS}/{all['id']}", await deliveries(root, all)
            for answer in (
                await root.http.patch(path, json={"url": receiver.url + "2"}, headers=headers),
                await root.http.post(f"{path}/rotate-secret", headers=headers),
                await root.http.post(f"{path}/test", headers=headers),
                await root.http.post(f"{HOOKS}/deliveries/{sent['id']}/replay", headers=headers),
            ):
                assert code(answer) == (403, "forbidden")
            assert (await root.http.delete(path, headers=headers)).status_code == 204


async def test_everybodys_needs_a_fresh_sign_in(tmp_path: Path) -> None:
    clock = LaterClock()
    async with receiving() as receiver, ann_and(tmp_path, receiver, clock=clock) as ann:
        await add(ann.gateway, "boss@example.org", "admin")
        async with browser(ann.gateway, "boss@example.org") as page:
            all = await hook(page, receiver, everybody=True)
            clock.ahead = 1000.0
            refused = await page.post(HOOKS, json={"url": receiver.url, "everybody": True})
            assert code(refused) == (403, "fresh_login_needed")
            assert code(await page.post(f"{HOOKS}/{all['id']}/rotate-secret")) == (403, "fresh_login_needed")
            await hook(page, receiver)


async def test_who_becomes_a_viewer_keeps_what_they_have_and_changes_nothing(tmp_path: Path) -> None:
    async with receiving() as receiver, ann_and(tmp_path, receiver) as ann:
        made = await hook(ann.http, receiver)
        async with person(ann.gateway, "root", "admin") as root:
            await root.http.patch("/api/admin/users/user_ann", json={"role": "viewer"})
        path = f"{HOOKS}/{made['id']}"
        assert code(await ann.http.patch(path, json={"description": "x"})) == (403, "forbidden")
        assert code(await ann.http.post(f"{path}/test")) == (403, "forbidden")
        assert (await ann.get(path)).status_code == 200
        assert (await ann.http.delete(path)).status_code == 204


async def test_switched_off_nothing_is_sent_and_nothing_is_lost(tmp_path: Path) -> None:
    async with receiving() as receiver:
        async with ann_and(tmp_path, receiver, enabled=False) as ann:
            made = await hook(ann.http, receiver)
            await ann.comes_to((await ann.make("a boat"))["videoId"], "completed")
            assert code(await ann.http.post(f"{HOOKS}/{made['id']}/test")) == (409, "conflict")
            assert receiver.received == []
        async with ann_and(tmp_path, receiver) as ann:
            await receiver.gets(1)


async def test_a_secret_is_shown_once_and_is_nowhere_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host = f"127.0.0.1:{unused_port()}"
    async with receiving() as receiver, ann_and(tmp_path, receiver, host) as ann:
        made = await hook(ann.http, receiver)
        await hook(ann.http, f"http://{host}/")
        secrets = [
            made["secret"],
            (await ann.http.post(f"{HOOKS}/{made['id']}/rotate-secret")).json()["secret"],
        ]
        await ann.make("a boat")
        await deliveries(ann, made)
        answers = [
            (await ann.get(path)).text
            for path in (
                HOOKS,
                f"{HOOKS}/{made['id']}",
                f"{HOOKS}/{made['id']}/deliveries",
                "/api/video/tasks",
            )
        ]
        audit = await ann.gateway.store.audited(made["id"])
        everything = f"{answers} {audit} {caplog.text} {await _tables(ann.gateway.store)}"
        for secret in secrets:
            assert leaks(secret) == [secret]
            assert secret not in everything
            assert secret.removeprefix("whsec_") not in everything
        assert (tmp_path / "secrets" / "webhooks.key").stat().st_mode & 0o077 == 0


async def _tables(store: Store) -> str:
    return await store.run(
        lambda tx: json.dumps([[*map(str, row)] for row in tx.execute("SELECT * FROM webhooks")])
    )
