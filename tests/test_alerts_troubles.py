"""What is wrong is gathered from the parts that know it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.alerts import troubles
from sora_gateway.alerts.troubles import DAY, ROWS_EVERY, Backups, Troubles
from sora_gateway.core.alerts import AlertKind, Told, Trouble
from sora_gateway.core.job import FinalLimit
from sora_gateway.core.polling import PollPolicy
from sora_gateway.core.spend import Spend, Tariff
from sora_gateway.errors import StorageFull
from sora_gateway.store import Store
from sora_gateway.supervisor.gate import Gate
from sora_gateway.supervisor.watcher import Upstream
from tests.fakes import ManualClock, ScriptedUpstream
from tests.jobs import NOW, accepted, to_processing, walk
from tests.stores import open_store
from tests.test_doubts_store import doubtful
from tests.test_webhook_outbox import finished, hook

LAB = AlertKind.UPSTREAM, "lab"


@dataclass
class Parts:
    clock: ManualClock
    gate: Gate
    store: Store
    troubles: Troubles
    free: int = 1000

    async def now(self, *, fresh: bool = True) -> dict[tuple[AlertKind, str], Trouble]:
        return {each.key: each for each in await self.troubles.now(fresh=fresh)}


@asynccontextmanager
async def parts(directory: Path, **options: Any) -> AsyncIterator[Parts]:
    clock = ManualClock()
    gate = Gate(clock, 0, 2, spend=Spend(Tariff(cap=10, per_video=4)))
    upstreams = {"lab": Upstream(ScriptedUpstream(), gate, PollPolicy())}
    async with open_store(directory) as store:
        made = Parts(clock, gate, store, None)  # type: ignore[arg-type]
        made.troubles = Troubles(upstreams, store, clock, lambda: made.free, 500, **options)
        yield made


async def test_a_gateway_in_order_has_no_troubles(tmp_path: Path) -> None:
    async with parts(tmp_path) as it:
        assert await it.now() == {}


async def test_an_upstream_that_is_paused_is_one_and_says_why(tmp_path: Path) -> None:
    async with parts(tmp_path) as it:
        for _ in range(5):
            it.gate.failed()
        began = it.clock.now()
        await it.clock.advance(45)
        found = (await it.now())[LAB]
        assert (found.cause, found.since) == ("silent", began), "also while one create is let through"
        it.gate.worked()
        assert await it.now() == {}
        it.gate.pause("the key is refused")
        assert (await it.now())[LAB].cause == "refused"
        it.gate.hold("an administrator switched it off")
        assert (await it.now())[LAB].cause == "switched_off"
        it.gate.release()
        assert await it.now() == {}


async def test_a_spend_cap_is_one_while_it_stops_something(tmp_path: Path) -> None:
    async with parts(tmp_path) as it:
        for attempt in ("a", "b"):
            it.gate.spend.count(attempt, it.clock.now(), 4)
        assert await it.now() == {}, "there is money left, and nobody was refused"
        it.gate.spend.refuse(it.clock.now(), 4)
        assert list(await it.now()) == [(AlertKind.SPEND_CAP, "lab")]
        await it.clock.advance(DAY + 1)
        assert await it.now() == {}


async def test_a_disk_below_its_floor_is_one(tmp_path: Path) -> None:
    async with parts(tmp_path) as it:
        it.free = 499
        assert list(await it.now()) == [(AlertKind.STORAGE, "disk")]


async def test_a_disk_for_which_no_more_may_be_removed_is_one(tmp_path: Path) -> None:
    async with parts(tmp_path, held_back=lambda: True) as it:
        assert list(await it.now()) == [(AlertKind.STORAGE, "room")]


async def test_videos_in_doubt_and_credits_in_dispute_are_counted(tmp_path: Path) -> None:
    async with parts(tmp_path) as it:
        await doubtful(it.store)
        await doubtful(it.store)
        await walk(it.store, await accepted(it.store), *to_processing("ext-1"), FinalLimit(NOW + 2))
        assert set((await it.now()).values()) == {
            Trouble(AlertKind.UNKNOWN, "lab", "unknown", 2),
            Trouble(AlertKind.DISPUTE, "", "undecided", 1),
        }


async def test_webhooks_that_fail_for_long_or_were_disabled_lately_are_one_each(tmp_path: Path) -> None:
    async with parts(tmp_path) as it:
        now = it.clock.now()
        await hook(it.store, "hook_1", failing_since=now - 7200)
        await hook(it.store, "hook_2", failing_since=now - 60)
        await hook(it.store, "hook_3", enabled=False, disabled_reason="Every try has failed.", changed_at=now)
        await hook(it.store, "hook_4", enabled=False, disabled_reason="The same.", changed_at=now - 2 * DAY)
        await hook(it.store, "hook_5", enabled=False)
        found = await it.now()
        assert {subject: each.count for (_, subject), each in found.items()} == {"failing": 1, "disabled": 1}


@pytest.mark.parametrize("sending", [True, False])
async def test_an_outbox_that_nobody_empties_is_one_unless_nobody_is_to(
    tmp_path: Path, sending: bool
) -> None:
    async with parts(tmp_path, sends_webhooks=sending) as it:
        await hook(it.store)
        await finished(it.store)
        assert await it.now() == {}
        await it.clock.advance(3600)
        assert list(await it.now()) == ([(AlertKind.WEBHOOKS, "waiting")] if sending else [])


async def test_a_database_that_cannot_be_read_is_one_and_what_was_known_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with parts(tmp_path) as it:
        await hook(it.store, failing_since=it.clock.now() - 7200)
        before = set(await it.now())

        async def broken() -> dict[str, int]:
            raise OSError("disk I/O error")

        with monkeypatch.context() as broken_disk:
            broken_disk.setattr(it.store.alerts, "doubts", broken)
            assert set(await it.now()) == before | {(AlertKind.STORAGE, "database")}
        assert set(await it.now(fresh=False)) == before, "it is tried at every look"


async def test_a_database_that_cannot_be_written_is_one_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with parts(tmp_path) as it:

        async def full(_: object) -> None:
            raise StorageFull("The disk is full.")

        it.store.measured.failing = True
        with monkeypatch.context() as full_disk:
            full_disk.setattr(it.store._writer, "run", full)
            assert list(await it.now()) == [(AlertKind.STORAGE, "database")]
        assert await it.now() == {}


async def test_a_disk_that_hangs_is_told_of_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(troubles, "DISK_MAY_TAKE", 0.05)
    async with parts(tmp_path) as it:

        async def hangs(*_: object) -> None:
            await asyncio.Event().wait()

        for owner, name in ((it.store.alerts, "doubts"), (it.store, "writable")):
            with monkeypatch.context() as hanging:
                hanging.setattr(owner, name, hangs)
                assert list(await it.now()) == [(AlertKind.STORAGE, "database")], name
        assert await it.now() == {}


async def test_a_backup_that_is_overdue_is_one(tmp_path: Path) -> None:
    made: list[float] = []
    async with parts(tmp_path, backups=Backups(lambda: made[-1] if made else None, DAY)) as it:
        began = it.clock.now()
        await it.clock.advance(DAY)
        assert await it.now() == {}, "it is being made"
        await it.clock.advance(DAY)
        assert await it.now() == {
            (AlertKind.BACKUP, ""): Trouble(AlertKind.BACKUP, "", "old", since=began + DAY)
        }
        made.append(it.clock.now())
        assert await it.now() == {}


async def test_rows_are_counted_once_a_minute_only(tmp_path: Path) -> None:
    async with parts(tmp_path) as it:
        assert await it.now(fresh=False) == {}
        await hook(it.store, failing_since=it.clock.now() - 7200)
        assert await it.now(fresh=False) == {}
        await it.clock.advance(ROWS_EVERY)
        assert list(await it.now(fresh=False)) == [(AlertKind.WEBHOOKS, "failing")]


async def test_what_was_told_is_kept_as_it_was(tmp_path: Path) -> None:
    told = Told(Trouble(AlertKind.UNKNOWN, "lab", "unknown", 3), 1.5, 2.5)
    async with open_store(tmp_path) as store:
        assert await store.alerts.told() == {}
        await store.alerts.remember({"ops": [told], "phone": []})
    async with open_store(tmp_path) as store:
        assert await store.alerts.told() == {"ops": [told]}
        await store._writer.run(
            lambda tx: tx.execute(
                """UPDATE meta SET value = '{"ops": [["rain", "", "", 1, 0, 0]]}' WHERE key = 'alerts'"""
            )
        )
        assert await store.alerts.told() == {"ops": []}, "a kind of another version"
