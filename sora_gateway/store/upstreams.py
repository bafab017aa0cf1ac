"""Upstreams that were added while the gateway ran, and which ones an administrator has switched off."""

from __future__ import annotations

from dataclasses import dataclass

from sora_gateway.store import audit
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class AddedUpstream:
    """*settings* is JSON without the key, empty for one of the configuration that was only switched off; *api_key* is
    encrypted."""

    name: str
    settings: str
    api_key: str
    enabled: bool
    changed_at: float = 0.0
    """Set by whoever stores it."""


def put(tx: Transaction, upstream: AddedUpstream, entry: AuditEntry) -> None:
    """Stores it, new or changed; each change goes with its entry in the audit log."""
    at = entry.at
    tx.execute(
        "INSERT INTO upstreams (name, settings, api_key, enabled, created_at, changed_at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET settings = excluded.settings, api_key = excluded.api_key,"
        " enabled = excluded.enabled, changed_at = excluded.changed_at",
        (upstream.name, upstream.settings, upstream.api_key, upstream.enabled, at, at),
    )
    audit.write(tx, entry)


def enable(tx: Transaction, name: str, enabled: bool, entry: AuditEntry) -> None:
    """Switches one on or off, also one that only the configuration knows."""
    tx.execute(
        "INSERT INTO upstreams (name, settings, api_key, enabled, created_at, changed_at) VALUES (?, '', '', ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET enabled = excluded.enabled, changed_at = excluded.changed_at",
        (name, enabled, entry.at, entry.at),
    )
    audit.write(tx, entry)


def remove(tx: Transaction, name: str, entry: AuditEntry) -> None:
    tx.execute("DELETE FROM upstreams WHERE name = ?", (name,))
    audit.write(tx, entry)


async def added(readers: Readers) -> list[AddedUpstream]:
    """In the order in which they were added."""
    rows = await readers.all(
        "SELECT name, settings, api_key, enabled, changed_at FROM upstreams ORDER BY created_at, name"
    )
    return [
        AddedUpstream(row["name"], row["settings"], row["api_key"], bool(row["enabled"]), row["changed_at"])
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Failure:
    """A create that did not end in a receipt. *detail* is the start of the answer, without secrets."""

    job_id: str
    at: float
    outcome: str
    http_status: int | None
    detail: str


async def failures(readers: Readers, name: str, limit: int) -> list[Failure]:
    """The latest creates of an upstream that failed, newest first."""
    rows = await readers.all(
        "SELECT job_id, coalesce(answered_at, sent_at) AS at, outcome, http_status, detail FROM attempts"
        " WHERE upstream = ? AND outcome NOT IN ('receipt', 'known', 'adopted') ORDER BY sent_at DESC LIMIT ?",
        (name, limit),
    )
    return [Failure(**dict(row)) for row in rows]


async def in_doubt(readers: Readers) -> dict[str, int]:
    """How many jobs of each upstream nobody knows the outcome of."""
    rows = await readers.all(
        "SELECT upstream, count(*) AS jobs FROM jobs WHERE state = 'unknown' GROUP BY upstream"
    )
    return {row["upstream"]: row["jobs"] for row in rows}
