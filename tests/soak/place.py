"""What stands around the gateway of a soak: its configuration, its people, and questions to its database from outside."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import httpx

from sora_gateway.accounts.authenticator import Authenticator
from sora_gateway.clock import SystemClock
from sora_gateway.core.principal import EVERYTHING, Role
from sora_gateway.entropy import SystemEntropy
from sora_gateway.store import Store, schema
from tests.soak.verdict import paid_creates
from tests.stores import EPOCH, MIGRATIONS

BALANCE = 1_000_000
PRICE = 5
REPLAY = 20
"""Events that a returning client gets one by one: more than during a restart, fewer than during a nap. Who comes back
later is told to begin anew."""
CONFIG = """
[server]
port = {port}
[upstreams.lab]
profile = "simulator"
base_url = "{upstream}/v1"
api_key = "{key}"
models = {{ "sora-2" = "sora-2" }}
max_concurrent = 12
requests_per_minute = 0
[jobs]
create_timeout = 4
[credits]
enabled = true
[pricing]
per_video = {price}
[media]
min_free_disk = 0
[realtime]
replay = {replay}
heartbeat = 2
[webhooks]
hosts = ["127.0.0.1:{hooks}"]
[limits]
per_person = 0
per_key = 0
per_address = 0
creates_per_person = 0
"""


async def furnished(data: Path, people: Iterable[str]) -> dict[str, str]:
    """Makes the data directory, with *people* who have credits; ``root`` administers. Returns their API keys."""
    os.makedirs(data)
    clock, entropy, keys = SystemClock(), SystemEntropy(), {}
    schema.prepare(data / "gateway.db", MIGRATIONS, clock.now(), EPOCH)
    async with Store(data / "gateway.db", lambda events: None) as store:
        for name in people:
            role: Role = "admin" if name == "root" else "member"
            user_id = f"user_{name}"
            await store.people.create_user(user_id, f"{name}@example.org", role, None, BALANCE, clock.now())
            keys[name], _ = await Authenticator(store, clock, entropy).create_key(user_id, "soak", EVERYTHING)
    return keys


async def webhook(http: httpx.AsyncClient, url: str) -> str:
    """Makes one for every end; returns its secret."""
    events = ["video.completed", "video.failed", "video.cancelled"]
    answer = await http.post("/api/webhooks", json={"url": url, "events": events})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["secret"])


def ask(data: Path, sql: str) -> list[tuple[str, ...]]:
    """Reads beside whoever has the database open."""
    with closing(
        sqlite3.connect(f"{(data / 'gateway.db').as_uri()}?mode=ro", uri=True, timeout=10)
    ) as database:
        return database.execute(sql).fetchall()


async def comes_to_rest(data: Path, journal: Path, patience: float) -> None:
    """Returns when nothing is at work, at the latest after two minutes; then waits up to *patience* seconds for creates
    that are looked for although the upstream has them, and for messages that are to be sent again."""
    await _until(lambda: not ask(data, _AT_WORK), 120.0)
    await _until(lambda: not (_findable(data, journal) or ask(data, _TO_BE_SENT)), patience)


_AT_WORK = "SELECT 1 FROM jobs WHERE state NOT IN ('completed', 'failed', 'cancelled', 'unknown') LIMIT 1"
_TO_BE_SENT = "SELECT 1 FROM webhook_deliveries WHERE status = 'pending' LIMIT 1"


def _findable(data: Path, journal: Path) -> bool:
    """Whether the upstream has a video of an unknown job."""
    unknown = "SELECT a.id FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE j.state = 'unknown'"
    taken = {each["client_request_id"] for each in paid_creates(journal)}
    return not taken.isdisjoint(row[0] for row in ask(data, unknown))


async def _until(condition: Callable[[], bool], within: float) -> None:
    deadline = time.monotonic() + within
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110 - what is in the database sets no event
        await asyncio.sleep(0.2)


def last_events(data: Path) -> dict[str | None, int]:
    """The number of the last event of each owner, and of all (None)."""
    found: dict[str | None, int] = {
        row[0]: int(row[1]) for row in ask(data, "SELECT owner, max(seq) FROM events GROUP BY owner")
    }
    return found | {None: max(found.values(), default=0)}
