"""The sender over a real store and a manual clock: days of trying in milliseconds."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from sora_gateway.core.job import Deleted, Job
from sora_gateway.core.webhooks import DeliveryStatus
from sora_gateway.entropy import Entropy
from sora_gateway.errors import StorageFull
from sora_gateway.keybox import KeyBox
from sora_gateway.logs.redaction import REDACTED, Redactor
from sora_gateway.store import Store
from sora_gateway.store.webhook_deliveries import DeliveryRecord, Due, TryRecord
from sora_gateway.store.webhooks import Recipient, WebhookRecord
from sora_gateway.webhook_settings import Webhooks
from sora_gateway.webhooks.endpoints import TESTS_AT_ONCE
from sora_gateway.webhooks.messages import Messages
from sora_gateway.webhooks.sender import Sender, SenderLimits
from sora_gateway.webhooks.signing import Secrets
from tests.fakes import REAL_WORK, CountingEntropy, ManualClock, settle
from tests.gateways import count_real_work
from tests.jobs import accepted, to_completed, to_processing, walk
from tests.receivers import ScriptedReceivers, answered
from tests.stores import ADA, BEN, ROOT, open_store
from tests.test_webhook_outbox import ENTRY, record

HOUR, DAY = 3600.0, 86_400.0


@dataclass
class Post:
    """A sender and everything around it."""

    store: Store
    sender: Sender
    clock: ManualClock
    receivers: ScriptedReceivers
    secrets: Secrets
    locked: str
    secret: str
    jobs: int = 0

    async def hook(self, id: str = "hook_1", owner: str = ADA.user_id, **other: object) -> WebhookRecord:
        made = record(id, owner, secret=self.locked, **other)
        await self.store.webhooks.create(made, 0, ENTRY)
        return made

    async def ends(self, **job: object) -> Job:
        """A video of Ada's that is completed now."""
        self.jobs += 1
        id, now = f"ext-{self.clock.now():.0f}-{self.jobs}", self.clock.now()
        made = await walk(
            self.store, await accepted(self.store, **job), *to_processing(id, now), *to_completed(now)
        )
        self.sender.look()
        await settle()
        return made

    async def deliveries(self, id: str = "hook_1") -> list[DeliveryRecord]:
        return (await self.store.webhooks.deliveries(id, None, None, 100))[0]

    async def only(self, id: str = "hook_1") -> DeliveryRecord:
        (delivery,) = await self.deliveries(id)
        return delivery

    async def tries(self, id: str = "hook_1") -> list[TryRecord]:
        only = await self.only(id)
        return (await self.store.webhooks.tries([only]))[only.seq]

    async def webhook(self, id: str = "hook_1") -> WebhookRecord:
        recipient = await self.store.webhooks.recipient(id)
        assert recipient is not None
        return recipient.webhook


@asynccontextmanager
async def post(
    tmp_path: Path,
    receivers: ScriptedReceivers | None = None,
    *,
    clock: ManualClock | None = None,
    entropy: Entropy | None = None,
    limits: SenderLimits = SenderLimits(),  # noqa: B008 - frozen
) -> AsyncIterator[Post]:
    clock, receivers = clock or ManualClock(), receivers or ScriptedReceivers()
    async with open_store(tmp_path) as store, AsyncExitStack() as stack:
        count_real_work(stack, store)
        secrets = Secrets(KeyBox(tmp_path / "webhooks.key"), CountingEntropy())
        # It opens them in a thread.
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        patched.setattr(secrets, "_open", REAL_WORK.counted(secrets._open))
        secret, locked = await secrets.new()
        sender = Sender(
            store, Messages(store, lambda job, variant: f"https://gateway.example/{job}/{variant}"), secrets,
            receivers.post, clock, entropy or CountingEntropy(), limits,
        )  # fmt: skip
        await stack.enter_async_context(sender)
        await settle()
        yield Post(store, sender, clock, receivers, secrets, locked, secret)


def url(id: str = "hook_1") -> str:
    return f"https://{id}.example/"


def test_the_senders_defaults_are_the_settings() -> None:
    settings, limits = Webhooks(), SenderLimits()
    assert (limits.at_once, limits.disable_after) == (settings.at_once, settings.disable_after)
    # Tests that people make beside them need connections too, of which the client has 64.
    most = next(each.le for each in Webhooks.model_fields["at_once"].metadata if hasattr(each, "le"))
    assert most + TESTS_AT_ONCE <= 64


async def test_a_video_that_ends_is_told_at_once(tmp_path: Path) -> None:
    async with post(tmp_path) as at:
        await at.hook()
        job = await at.ends(prompt="a lighthouse")
        ((where, headers, body),) = at.receivers.sent
        message = json.loads(body)
        assert (where, message["type"]) == (url(), "video.completed")
        assert message["timestamp"].startswith("2027-01-15T08:00:00")
        data = message["data"]
        assert (data["videoId"], data["externalVideoId"], data["status"], data["error"]) == (
            job.id, job.external_id, "completed", None
        )  # fmt: skip
        assert data["videoUrl"] == f"https://gateway.example/{job.id}/video"
        assert data["owner"] == {"id": ADA.user_id, "email": ADA.email}
        delivery = await at.only()
        assert (delivery.status, delivery.next_at, headers["webhook-id"]) == ("delivered", None, delivery.id)
        assert [made.http_status for made in await at.tries()] == [204]


async def test_what_fails_is_tried_ten_times_in_three_days_under_one_id(tmp_path: Path) -> None:
    receivers = ScriptedReceivers({url(): [answered(500)]})
    async with post(tmp_path, receivers) as at:
        await at.hook()
        await at.ends()
        await at.clock.advance(4 * DAY)
        moments = [made.at for made in await at.tries()]
        waits = [round(later - earlier) for earlier, later in pairwise(moments)]
        assert waits == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
        delivery = await at.only()
        assert (delivery.status, delivery.tries, delivery.next_at) == ("given_up", 10, None)
        assert set(receivers.ids(url())) == {delivery.id}
        # Each try is signed for its own moment.
        assert len({headers["webhook-timestamp"] for _, headers, _ in receivers.sent}) == 10
        assert (await at.webhook()).enabled


async def test_a_receiver_that_comes_back_gets_it(tmp_path: Path) -> None:
    script = [answered(None), answered(500), answered(302), answered(200)]
    async with post(tmp_path, ScriptedReceivers({url(): [*script]})) as at:
        await at.hook()
        await at.ends()
        assert (await at.webhook()).failing_since == at.clock.now()
        await at.clock.advance(HOUR)
        assert [made.http_status for made in await at.tries()] == [None, 500, 302, 200]
        assert (await at.only()).status is DeliveryStatus.DELIVERED
        assert (await at.webhook()).failing_since is None


async def test_retry_after_is_heeded(tmp_path: Path) -> None:
    script = [answered(429, 120.0), answered(503, 1.0), answered(500, 900.0), answered(204)]
    async with post(tmp_path, ScriptedReceivers({url(): [*script]})) as at:
        await at.hook()
        await at.ends()
        await at.clock.advance(HOUR)
        moments = [made.at for made in await at.tries()]
        assert [round(b - a) for a, b in pairwise(moments)] == [120, 300, 1800]


async def test_410_disables_and_gives_up_the_rest(tmp_path: Path) -> None:
    script = [answered(500), answered(410)]
    async with post(tmp_path, ScriptedReceivers({url(): [*script]})) as at:
        await at.hook()
        await at.ends()
        await at.ends()
        webhook = await at.webhook()
        assert (webhook.enabled, webhook.disabled_reason) == (
            False, "The receiver answered that it is gone for good (status 410)."
        )  # fmt: skip
        assert {each.status for each in await at.deliveries()} == {DeliveryStatus.GIVEN_UP}
        await at.ends()
        await at.clock.advance(4 * DAY)
        assert len(at.receivers.sent) == 2
        assert len(await at.deliveries()) == 2


async def test_five_days_without_a_success_disable_it(tmp_path: Path) -> None:
    async with post(tmp_path, ScriptedReceivers({url(): [answered(500)]})) as at:
        await at.hook()
        for day in range(9):
            assert (await at.webhook()).enabled is (day < 6), day
            await at.ends()
            await at.clock.advance(DAY)
        webhook = await at.webhook()
        assert webhook.disabled_reason == "Every try has failed for 5 days."
        assert not [each for each in await at.deliveries() if each.next_at is not None]


async def test_a_success_between_begins_the_five_days_anew(tmp_path: Path) -> None:
    receivers = ScriptedReceivers({url(): [answered(500)]})
    async with post(tmp_path, receivers) as at:
        await at.hook()
        for day in range(9):
            receivers.scripts[url()] = [answered(204 if day == 4 else 500)]
            await at.ends()
            await at.clock.advance(DAY)
        assert (await at.webhook()).enabled


async def test_a_dead_receiver_delays_no_other(tmp_path: Path) -> None:
    receivers = ScriptedReceivers({url(f"hook_{number}"): ["hang"] for number in range(8)})
    limits = SenderLimits(at_once=8)
    async with post(tmp_path, receivers, limits=limits) as at:
        await at.hook("hook_0")
        await at.hook("hook_ben", ROOT.user_id, everybody=True)
        for _ in range(20):
            before = at.clock.now()
            await at.ends()
            assert at.clock.now() == before, "it was told in the same moment"
        # Two tries at the dead one, and the other has heard of all.
        assert len(receivers.ids(url("hook_0"))) == 2
        assert len(set(receivers.ids(url("hook_ben")))) == 20


async def test_all_that_fail_together_leave_half_of_the_places(tmp_path: Path) -> None:
    receivers, limits = ScriptedReceivers(), SenderLimits(at_once=8)
    async with post(tmp_path, receivers, limits=limits) as at:
        dead = [f"hook_{number}" for number in range(10)]
        for number, id in enumerate(dead):
            await at.hook(id, (ADA, BEN)[number % 2].user_id, failing_since=1.0)
            receivers.scripts[url(id)] = ["hang"]
        await asyncio.gather(*(at.ends(owner=who.user_id) for who in (ADA, BEN) for _ in range(3)))
        assert receivers.under_way == 4
        await at.hook("hook_ben", BEN.user_id)
        await at.ends(owner=BEN.user_id)
        assert (await at.only("hook_ben")).status is DeliveryStatus.DELIVERED
        assert receivers.under_way == 4


async def test_nobody_has_all_places_with_many_webhooks(tmp_path: Path) -> None:
    receivers, limits = ScriptedReceivers(), SenderLimits(at_once=8)
    async with post(tmp_path, receivers, limits=limits) as at:
        for number in range(10):
            await at.hook(f"hook_{number}")
            receivers.scripts[url(f"hook_{number}")] = ["hang"]
        await at.ends()
        assert receivers.under_way == 3


async def test_a_try_that_a_restart_cuts_off_is_made_again(tmp_path: Path) -> None:
    clock, receivers = ManualClock(), ScriptedReceivers({url(): ["hang"]})
    async with post(tmp_path, receivers, clock=clock) as at:
        await at.hook()
        await at.ends()
        assert receivers.under_way == 1
        before = clock.now()
    # It ends at once, without waiting for the receiver.
    assert (receivers.under_way, clock.now()) == (0, before)
    receivers.scripts[url()] = [answered(500), answered(204)]
    async with post(tmp_path, receivers, clock=clock) as at:
        assert (await at.only()).tries == 1
    await clock.advance(HOUR)  # while nothing runs
    async with post(tmp_path, receivers, clock=clock) as at:
        delivery = await at.only()
        assert delivery.status is DeliveryStatus.DELIVERED
        assert receivers.ids(url()) == [delivery.id] * 3


async def test_what_is_delivered_while_the_outbox_is_read_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receivers, read = ScriptedReceivers(), asyncio.Event()
    async with post(tmp_path, receivers) as at:
        due = at.store.webhooks.due

        async def slow(now: float, each: int) -> list[Due]:
            found = await due(now, each)
            if found and receivers.sent:
                await read.wait()
            return found

        monkeypatch.setattr(at.store.webhooks, "due", slow)
        receivers.answering.clear()
        await at.hook()
        await at.ends()
        at.sender.look()
        await settle()
        receivers.answering.set()
        await settle()
        assert (await at.only()).status is DeliveryStatus.DELIVERED
        read.set()
        await settle()
        assert len(receivers.sent) == 1


async def test_a_full_disk_does_not_make_it_send_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with post(tmp_path) as at:
        await at.hook()
        conclude = at.store.webhooks.conclude
        full = True

        async def concluded(*arguments: object) -> None:
            if full:
                raise StorageFull("no room")
            await conclude(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(at.store.webhooks, "conclude", concluded)
        await at.ends()
        await at.clock.advance(HOUR)
        assert len(at.receivers.sent) == 1
        full = False
        await at.clock.advance(60)
        assert (await at.only()).status is DeliveryStatus.DELIVERED
        assert len(at.receivers.sent) == 1


async def test_what_may_not_be_told_any_more_is_not(tmp_path: Path) -> None:
    """Each was put up under the rights of that moment, and is sent under today's."""
    receivers = ScriptedReceivers({url(): [answered(500)]})
    async with post(tmp_path, receivers) as at:
        await at.hook("hook_1", ROOT.user_id, everybody=True)
        deleted, other, own = await at.ends(), await at.ends(), await at.ends(owner=ROOT.user_id)
        sent = len(receivers.sent)
        await walk(at.store, deleted, Deleted(at.clock.now()))

        def demote(column: str, value: object) -> Callable[..., None]:
            return lambda tx: tx.execute(
                f"UPDATE users SET {column} = ? WHERE id = ?",
                (value, ROOT.user_id),
            )

        await at.store.run(demote("role", "member"))
        await at.clock.advance(6)
        notes = {each.job_id: each.note for each in await at.deliveries()}
        assert notes == {
            deleted.id: "The video was deleted.",
            other.id: "The video is somebody else's.",
            own.id: "",
        }
        assert len(receivers.sent) == sent + 1
        await at.store.run(demote("disabled_at", 1.0))
        await at.clock.advance(HOUR)
        assert {each.job_id: each.note for each in await at.deliveries()}[
            own.id
        ] == "The account was disabled."
        assert len(receivers.sent) == sent + 1


async def test_after_a_rotation_both_secrets_sign_for_a_while(tmp_path: Path) -> None:
    async with post(tmp_path) as at:
        await at.hook()
        _, locked = await at.secrets.new()
        await at.store.webhooks.rotate("hook_1", locked, at.clock.now() + HOUR, ENTRY)
        await at.ends()
        await at.clock.advance(HOUR)
        await at.ends()
        first, second = [headers["webhook-signature"] for _, headers, _ in at.receivers.sent]
        assert len(first.split(" ")) == 2
        assert len(second.split(" ")) == 1


async def test_a_secret_that_cannot_be_read_ends_its_deliveries_and_nobody_elses(tmp_path: Path) -> None:
    async with post(tmp_path) as at:
        await at.hook()
        broken = await at.hook("hook_2")
        await at.store.webhooks.rotate("hook_2", "nonsense", at.clock.now(), ENTRY)
        await at.ends()
        assert (await at.only()).status is DeliveryStatus.DELIVERED
        lost = await at.only("hook_2")
        assert (lost.status, lost.note[:13]) == (DeliveryStatus.GIVEN_UP, "The secret of")
        # A new one helps at once, though the old one still counts.
        await at.store.webhooks.rotate("hook_2", broken.secret, at.clock.now() + HOUR, ENTRY)
        await at.store.webhooks.replay(lost.id, ADA.user_id, at.clock.now())
        at.sender.look()
        await settle()
        assert (await at.only("hook_2")).status is DeliveryStatus.DELIVERED


async def test_trouble_in_the_outbox_does_not_end_the_sending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with post(tmp_path) as at:
        await at.hook()

        async def broken(*_: object) -> None:
            raise RuntimeError("the reader broke")

        with monkeypatch.context() as patched:
            patched.setattr(at.store.webhooks, "due", broken)
            await at.ends()
            assert at.receivers.sent == []
        await at.clock.advance(31)
        assert (await at.only()).status is DeliveryStatus.DELIVERED
        assert "the outbox of webhooks cannot be read" in caplog.text
        with monkeypatch.context() as patched:
            patched.setattr(at.store, "tags_of_many", broken)
            await at.ends()
            await at.clock.advance(300)  # it is made ten times, with half a minute in between
        assert [each.note for each in await at.deliveries()] == ["The message could not be made.", ""]


async def test_a_secret_is_stored_as_nobody_can_read_it_and_hidden_by_its_shape(tmp_path: Path) -> None:
    async with post(tmp_path) as at:
        await at.hook()
        assert at.secret not in (await at.webhook()).secret
        assert Redactor().shown(f"to {at.secret}!", 1000) == f"to {REDACTED}!"


async def test_a_store_that_cannot_be_read_for_a_moment_loses_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with post(tmp_path) as at:
        await at.hook()
        recipient, fails = at.store.webhooks.recipient, iter([True, True])

        async def failing(webhook_id: str) -> Recipient | None:
            if next(fails, False):
                raise sqlite3.OperationalError("disk I/O error")
            return await recipient(webhook_id)

        monkeypatch.setattr(at.store.webhooks, "recipient", failing)
        await at.ends()
        assert (await at.only()).status is DeliveryStatus.PENDING
        await at.clock.advance(60)
        assert (await at.only()).status is DeliveryStatus.DELIVERED
