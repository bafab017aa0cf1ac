"""The outbox in the store: written with the change that it tells of, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sora_gateway.core.actor import COMMAND_LINE
from sora_gateway.core.job import CancelRequested, Deleted, Job, UpstreamFailed
from sora_gateway.core.webhooks import DeliveryStatus
from sora_gateway.errors import Conflict, NotFound
from sora_gateway.store import Store, audit, webhook_deliveries
from sora_gateway.store.webhook_deliveries import Conclusion, DeliveryRecord, TryRecord
from sora_gateway.store.webhooks import WebhookRecord
from tests.jobs import NOW, accepted, to_completed, to_processing, walk
from tests.stores import ADA, BEN, ROOT, open_store

ENTRY = audit.entry(COMMAND_LINE, NOW, "webhook.create", "hook")
ALL = ("video.completed", "video.failed", "video.cancelled")


def record(id: str = "hook_1", owner: str = ADA.user_id, **other: Any) -> WebhookRecord:
    fields: dict[str, Any] = {
        "url": f"https://{id}.example/", "description": "", "events": ALL, "everybody": False, "enabled": True,
        "disabled_reason": "", "secret": "locked", "old_secret": None, "old_until": None, "failing_since": None,
        "created_at": NOW, "changed_at": NOW,
    }  # fmt: skip
    return WebhookRecord(id, owner, **(fields | other))


async def hook(store: Store, id: str = "hook_1", owner: str = ADA.user_id, **other: Any) -> WebhookRecord:
    made = record(id, owner, **other)
    await store.webhooks.create(made, 0, ENTRY)
    return made


async def told(store: Store, id: str = "hook_1") -> list[tuple[str, str | None]]:
    found, _ = await store.webhooks.deliveries(id, None, None, 100)
    return [(each.type, each.job_id) for each in found]


async def finished(store: Store, external: str = "ext-1", **job: Any) -> Job:
    return await walk(store, await accepted(store, **job), *to_processing(external), *to_completed())


async def only(store: Store, id: str = "hook_1") -> DeliveryRecord:
    ((delivery,), _) = await store.webhooks.deliveries(id, None, None, 100)
    return delivery


def failed() -> Conclusion:
    """A try that is followed by another."""
    made = TryRecord(NOW, 0.1, 500, "no")
    return Conclusion(made, DeliveryStatus.PENDING, "https://hook_1.example/", next_at=NOW + 5)


def ended(disable: str = "") -> Conclusion:
    """The last try."""
    made = TryRecord(NOW, 0.1, 410, "no")
    return Conclusion(made, DeliveryStatus.GIVEN_UP, "https://hook_1.example/", disable=disable)


async def test_the_end_of_a_video_and_its_message_are_one_transaction(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await hook(store)
        job = await walk(store, await accepted(store), *to_processing("ext-1"))
        assert await told(store) == []
        before = store.commits
        events = to_completed()
        job = await walk(store, job, *events)
        assert store.commits == before + len(events)
        assert await told(store) == [("video.completed", job.id)]
        assert (await only(store)).next_at == NOW


async def test_a_change_that_is_not_kept_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash, or a full disk, between the change and the message leaves neither."""
    async with open_store(tmp_path) as store:
        await hook(store)
        job = await walk(store, await accepted(store), *to_processing("ext-1"), *to_completed()[:-1])

        def broken(*_: object) -> None:
            raise OSError("the machine stops here")

        with monkeypatch.context() as patched:
            patched.setattr(webhook_deliveries, "queue", broken)
            with pytest.raises(OSError, match="stops here"):
                await walk(store, job, to_completed()[-1])
        assert await told(store) == []
        assert await store.get(job.id) == job
        await walk(store, job, to_completed()[-1])
        assert await told(store) == [("video.completed", job.id)]


async def test_who_is_told_of_what(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await hook(store, "hook_all")
        await hook(store, "hook_failed", events=("video.failed",))
        await hook(store, "hook_off", enabled=False)
        await hook(store, "hook_ben", BEN.user_id)
        await hook(store, "hook_root", ROOT.user_id, everybody=True)
        # Somebody who was an administrator when it was made.
        await hook(store, "hook_vain", BEN.user_id, everybody=True)
        done = await finished(store)
        running = await walk(store, await accepted(store), *to_processing("ext-2"))
        bad = await walk(store, running, UpstreamFailed(NOW, "moderation", "no"))
        waiting = await walk(store, await accepted(store), CancelRequested(NOW))
        ends = [("video.cancelled", waiting.id), ("video.failed", bad.id), ("video.completed", done.id)]
        assert await told(store, "hook_all") == await told(store, "hook_root") == ends
        assert await told(store, "hook_failed") == ends[1:2]
        for nobody in ("hook_off", "hook_ben", "hook_vain"):
            assert await told(store, nobody) == [], nobody
        # What happens after the end is no end.
        await walk(store, bad, Deleted(NOW))
        assert len(await told(store, "hook_all")) == 3


async def test_a_deleted_webhook_is_told_nothing_also_of_the_past(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await hook(store)
        await finished(store)
        delivery = await only(store)
        await store.webhooks.conclude(delivery, failed())
        await store.webhooks.remove("hook_1", ENTRY)
        assert await store.webhooks.due(NOW + 1e6, 4) == []
        # A try that was under way ends in nothing.
        await store.webhooks.conclude(delivery, failed())
        with pytest.raises(NotFound):
            await store.webhooks.remove("hook_1", ENTRY)
        with pytest.raises(NotFound):
            await store.webhooks.change(record(), ENTRY)
        with pytest.raises(NotFound):
            await store.webhooks.rotate("hook_1", "x", NOW, ENTRY)


async def test_disabling_gives_up_what_waits_and_a_try_under_way_does_not_bring_it_back(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path) as store:
        webhook = await hook(store)
        await finished(store)
        delivery = await only(store)
        await store.webhooks.change(record(enabled=False), ENTRY)
        await store.webhooks.conclude(delivery, failed())
        after = await only(store)
        assert (after.status, after.note, after.next_at) == ("given_up", "The webhook was disabled.", None)
        with pytest.raises(Conflict):
            await store.webhooks.replay(delivery.id, ADA.user_id, NOW)
        await store.webhooks.change(webhook, ENTRY)
        again = await store.webhooks.replay(delivery.id, ADA.user_id, NOW + 9)
        assert (again.id, again.status, again.round, again.next_at) == (delivery.id, "pending", 2, NOW + 9)


async def test_a_replay_is_not_ended_by_the_try_before_it(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await hook(store)
        await finished(store)
        delivery = await only(store)
        await store.webhooks.replay(delivery.id, ADA.user_id, NOW + 1)
        await store.webhooks.conclude(delivery, ended())
        assert (await only(store)).next_at == NOW + 1
        tries = await store.webhooks.tries([delivery])
        assert len(tries[delivery.seq]) == 1
        with pytest.raises(NotFound):
            await store.webhooks.replay(delivery.id, BEN.user_id, NOW)


async def test_another_address_is_not_judged_by_the_one_before(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await hook(store)
        await finished(store)
        delivery = await only(store)
        await store.webhooks.change(record(url="https://new.example/"), ENTRY)
        await store.webhooks.conclude(delivery, ended(disable="It is gone."))
        found = await store.webhooks.find("hook_1", ADA.user_id)
        assert (found.enabled, found.failing_since) == (True, None)


async def test_one_webhook_with_a_thousand_waiting_hides_nobody(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await hook(store, "hook_1")
        for number in range(20):
            await finished(store, f"ext-{number}")
        await hook(store, "hook_2")
        await finished(store, "ext-last")
        due = await store.webhooks.due(NOW, 4)
        assert [each.delivery.webhook_id for each in due] == ["hook_1"] * 4 + ["hook_2"]
        assert await store.webhooks.due(NOW - 1, 4) == []
        assert await store.webhooks.next_due(NOW - 1) == NOW
        assert await store.webhooks.next_due(NOW) is None


async def test_pages_of_deliveries_and_their_pruning(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await hook(store)
        jobs = [await finished(store, f"ext-{number}") for number in range(5)]
        first, more = await store.webhooks.deliveries("hook_1", None, None, 3)
        assert ([each.job_id for each in first], more) == ([job.id for job in jobs[:1:-1]], True)
        rest, more = await store.webhooks.deliveries("hook_1", "pending", first[-1].id, 3)
        assert ([each.job_id for each in rest], more) == ([job.id for job in jobs[1::-1]], False)
        assert await store.webhooks.deliveries("hook_1", "delivered", None, 3) == ([], False)
        assert await store.webhooks.deliveries("hook_2", None, first[0].id, 3) == ([], False)
        await store.webhooks.conclude(rest[0], failed())
        assert await store.webhooks.prune(NOW, 10) == 0
        assert [await store.webhooks.prune(NOW + 1, 4) for _ in range(3)] == [4, 1, 0]


async def test_there_are_as_many_as_are_allowed(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.webhooks.create(record("hook_1"), 1, ENTRY)
        with pytest.raises(Conflict, match="1 webhooks already"):
            await store.webhooks.create(record("hook_2"), 1, ENTRY)
        await store.webhooks.create(record("hook_3", BEN.user_id), 1, ENTRY)
        assert [each.id for each in await store.webhooks.of(ADA.user_id)] == ["hook_1"]
        with pytest.raises(NotFound):
            await store.webhooks.find("hook_3", ADA.user_id)


async def test_what_was_delivered_long_ago_makes_no_look_for_what_is_due_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(tmp_path) as store:
        readers, plans = store.webhooks._readers, []
        ask = readers.all

        async def explain(sql: str, values: Any = ()) -> Any:
            rows = await ask(f"EXPLAIN QUERY PLAN {sql}", values)
            plans.append(next(row["detail"] for row in rows if "webhook_deliveries" in row["detail"]))
            return []

        monkeypatch.setattr(readers, "all", explain)
        monkeypatch.setattr(readers, "one", explain)
        await store.webhooks.due(NOW, 4)
        await store.webhooks.next_due(NOW)
    # In it are those alone that are to be told yet.
    assert ["ix_webhook_deliveries_pending" in plan for plan in plans] == [True, True]
