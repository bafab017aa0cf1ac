"""Webhooks as everybody else sees the store's part of them: ``store.webhooks``. Whose endpoint it is, is asked of
every look at one; what they are told is in :mod:`.webhook_deliveries`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sora_gateway.errors import Conflict, NotFound
from sora_gateway.store import audit
from sora_gateway.store import webhook_deliveries as outbox
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.readers import Readers
from sora_gateway.store.webhook_deliveries import Conclusion, DeliveryRecord, Due, TryRecord
from sora_gateway.store.writer import Transaction, Writer


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """An endpoint. *secret* and *old_secret* are encrypted; *everybody* says whether it is told of all videos;
    *failing_since* is the first failure after its last success."""

    id: str
    owner: str
    url: str
    description: str
    events: tuple[str, ...]
    everybody: bool
    enabled: bool
    disabled_reason: str
    secret: str
    old_secret: str | None
    old_until: float | None
    failing_since: float | None
    created_at: float
    changed_at: float


@dataclass(frozen=True, slots=True)
class Recipient:
    """An endpoint, and who has it as they are today."""

    webhook: WebhookRecord
    email: str
    active: bool
    """Whether their account is not disabled."""
    administers: bool


_NAMES = tuple(field.name for field in fields(WebhookRecord))
_SELECT = f"SELECT {', '.join(f'w.{name}' for name in _NAMES)} FROM webhooks w"  # noqa: S608 - our own names
_CHANGEABLE = (
    "url", "description", "events", "everybody", "enabled", "disabled_reason", "failing_since", "changed_at"
)  # fmt: skip


class Webhooks:
    """Endpoints, and the outbox of what they are told."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    # --- endpoints -------------------------------------------------------------------------------

    async def create(self, webhook: WebhookRecord, limit: int, entry: AuditEntry) -> None:
        """Raises Conflict when its owner has *limit* (0: unlimited) already."""

        def work(tx: Transaction) -> None:
            row = tx.one("SELECT count(*) AS number FROM webhooks WHERE owner = ?", (webhook.owner,))
            if limit and row is not None and row["number"] >= limit:
                raise Conflict(f"There are {limit} webhooks already; delete one first.")
            tx.execute(
                f"INSERT INTO webhooks ({', '.join(_NAMES)}) VALUES ({', '.join('?' * len(_NAMES))})",  # noqa: S608
                tuple(_column(webhook, name) for name in _NAMES),
            )
            audit.write(tx, entry)

        await self._writer.run(work)

    async def change(self, webhook: WebhookRecord, entry: AuditEntry) -> None:
        """All but its secrets. Raises NotFound when it was deleted meanwhile."""

        def work(tx: Transaction) -> None:
            assignments = ", ".join(f"{name} = ?" for name in _CHANGEABLE)
            values = tuple(_column(webhook, name) for name in _CHANGEABLE)
            changed = tx.execute(f"UPDATE webhooks SET {assignments} WHERE id = ?", (*values, webhook.id))  # noqa: S608
            _there(changed.rowcount)
            if not webhook.enabled:
                outbox.drop_pending(tx, webhook.id)
            audit.write(tx, entry)

        await self._writer.run(work)

    async def rotate(self, webhook_id: str, secret: str, old_until: float, entry: AuditEntry) -> None:
        """Makes *secret* the one that signs; the one before signs as well until *old_until*. Raises NotFound."""

        def work(tx: Transaction) -> None:
            changed = tx.execute(
                "UPDATE webhooks SET old_secret = secret, old_until = ?, secret = ?, changed_at = ? WHERE id = ?",
                (old_until, secret, entry.at, webhook_id),
            )
            _there(changed.rowcount)
            audit.write(tx, entry)

        await self._writer.run(work)

    async def remove(self, webhook_id: str, entry: AuditEntry) -> None:
        """With everything that it was told. Raises NotFound."""

        def work(tx: Transaction) -> None:
            outbox.remove_of(tx, webhook_id)
            _there(tx.execute("DELETE FROM webhooks WHERE id = ?", (webhook_id,)).rowcount)
            audit.write(tx, entry)

        await self._writer.run(work)

    async def of(self, owner: str) -> list[WebhookRecord]:
        """Somebody's, oldest first."""
        rows = await self._readers.all(f"{_SELECT} WHERE w.owner = ? ORDER BY w.created_at, w.id", (owner,))
        return [_record(dict(row)) for row in rows]

    async def find(self, webhook_id: str, owner: str) -> WebhookRecord:
        """Raises NotFound unless it is *owner*'s."""
        row = await self._readers.one(f"{_SELECT} WHERE w.id = ? AND w.owner = ?", (webhook_id, owner))
        if row is None:
            raise NotFound("There is no such webhook.")
        return _record(dict(row))

    async def recipient(self, webhook_id: str) -> Recipient | None:
        """Whoever has it, for the sender only."""
        row = await self._readers.one(f"{_SELECT} WHERE w.id = ?", (webhook_id,))
        if row is None:
            return None
        user = await self._readers.one(
            "SELECT email, role, disabled_at FROM users WHERE id = ?", (row["owner"],)
        )
        assert user is not None
        return Recipient(
            _record(dict(row)),
            user["email"],
            active=user["disabled_at"] is None,
            administers=user["role"] == "admin",
        )

    # --- what they are told ----------------------------------------------------------------------

    async def due(self, now: float, each: int) -> list[Due]:
        return await outbox.due(self._readers, now, each)

    async def next_due(self, now: float) -> float | None:
        return await outbox.next_due(self._readers, now)

    async def conclude(self, delivery: DeliveryRecord, conclusion: Conclusion) -> None:
        await self._writer.run(lambda tx: outbox.conclude(tx, delivery, conclusion))

    async def insert_test(self, tested: DeliveryRecord, conclusion: Conclusion) -> DeliveryRecord | None:
        return await self._writer.run(lambda tx: outbox.insert_test(tx, tested, conclusion))

    async def give_up(self, delivery: DeliveryRecord, note: str) -> None:
        await self._writer.run(lambda tx: outbox.give_up(tx, delivery, note))

    async def replay(self, delivery_id: str, owner: str, at: float) -> DeliveryRecord:
        """Raises NotFound, Conflict."""
        return await self._writer.run(lambda tx: outbox.replay(tx, delivery_id, owner, at))

    async def prune(self, before: float, limit: int) -> int:
        return await self._writer.run(lambda tx: outbox.prune(tx, before, limit))

    async def deliveries(
        self, webhook_id: str, status: str | None, after: str | None, limit: int
    ) -> tuple[list[DeliveryRecord], bool]:
        return await outbox.page(self._readers, webhook_id, status, after, limit)

    async def delivery(self, delivery_id: str, owner: str) -> DeliveryRecord:
        """Raises NotFound."""
        return await outbox.find(self._readers, delivery_id, owner)

    async def tries(self, deliveries: list[DeliveryRecord]) -> dict[int, list[TryRecord]]:
        return await outbox.tries_of(self._readers, deliveries)


def _there(rows: int) -> None:
    if rows != 1:
        raise NotFound("There is no such webhook.")


def _column(webhook: WebhookRecord, name: str) -> object:
    return " ".join(webhook.events) if name == "events" else getattr(webhook, name)


def _record(row: dict[str, Any]) -> WebhookRecord:
    flags = {name: bool(row[name]) for name in ("everybody", "enabled")}
    return WebhookRecord(**{**row, **flags, "events": tuple(row["events"].split())})
