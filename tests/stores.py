"""A real store on a real file, for the length of a block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from sora_gateway.core.messages import StoredEvent
from sora_gateway.core.principal import Principal, Role
from sora_gateway.store import Store, schema

MIGRATIONS = Path(__file__).parent.parent / "migrations"
EPOCH = "0123456789abcdef"
NOW = 1_800_000_000.0

ADA = Principal("user_ada", "ada@example.test", "member", "session", "session-of-ada")
BEN = Principal("user_ben", "ben@example.test", "member", "session", "session-of-ben")
VERA = Principal("user_vera", "vera@example.test", "viewer", "session", "session-of-vera")
ROOT = Principal("user_root", "root@example.test", "admin", "session", "session-of-root")
PEOPLE = (ADA, BEN, VERA, ROOT)


@asynccontextmanager
async def open_store(
    tmp_path: Path,
    on_commit: Callable[[list[StoredEvent]], None] = lambda events: None,
    *,
    people: tuple[Principal, ...] = PEOPLE,
    balance: int = 1000,
) -> AsyncIterator[Store]:
    """The store in *tmp_path*, made at the first opening with *people*, each with *balance* credits."""
    database = tmp_path / "gateway.db"
    fresh = not database.exists()
    schema.prepare(database, MIGRATIONS, NOW, EPOCH)
    async with Store(database, on_commit) as store:
        if fresh:
            for person in people:
                await add_person(store, person, balance)
        yield store


async def add_person(store: Store, person: Principal, balance: int = 0) -> None:
    role: Role = person.role
    await store.people.create_user(person.user_id, person.email, role, None, balance, NOW)
