"""Share links: what opens one job's files to whoever has the link, until it expires or is revoked."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sora_gateway.core.job import Job, JobId
from sora_gateway.errors import Conflict, NotFound
from sora_gateway.store import audit
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.jobs import COLUMNS, job_of
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction

MAX_SHARES = 100
"""Of one job at a time."""


@dataclass(frozen=True, slots=True)
class ShareRecord:
    """Moments in seconds since the epoch."""

    id: str
    job_id: JobId
    created_by: str
    created_at: float
    expires_at: float
    revoked_at: float | None = None


_NAMES = tuple(field.name for field in fields(ShareRecord))
_SELECT = f"SELECT {', '.join(f's.{name}' for name in _NAMES)} FROM share_links s"  # noqa: S608 - names of our own
_LIVE = (
    "s.revoked_at IS NULL AND s.expires_at > ? AND EXISTS (SELECT 1 FROM users m JOIN jobs j ON j.id = s.job_id"
    " WHERE m.id = s.created_by AND (m.id = j.owner OR m.role = 'admin' AND m.disabled_at IS NULL))"
)
"""Those of the owner, and of whoever administers still."""


def create(tx: Transaction, share: ShareRecord, entry: AuditEntry) -> None:
    """Raises Conflict if the job has too many."""
    count = tx.one(
        f"SELECT count(*) AS links FROM share_links s WHERE job_id = ? AND {_LIVE}",  # noqa: S608
        (share.job_id, share.created_at),
    )
    if count is not None and count["links"] >= MAX_SHARES:
        raise Conflict(f"A video has at most {MAX_SHARES} share links; revoke one first.")
    tx.execute(
        f"INSERT INTO share_links ({', '.join(_NAMES)}) VALUES ({', '.join('?' * len(_NAMES))})",  # noqa: S608
        tuple(getattr(share, name) for name in _NAMES),
    )
    audit.write(tx, entry)


def revoke(tx: Transaction, share_id: str, job_id: str, at: float, entry: AuditEntry) -> None:
    """Raises NotFound unless the job has the link, and it still works."""
    cursor = tx.execute(
        "UPDATE share_links SET revoked_at = ? WHERE id = ? AND job_id = ? AND revoked_at IS NULL AND expires_at > ?",
        (at, share_id, job_id, at),
    )
    if cursor.rowcount != 1:
        raise NotFound("There is no such share link.")
    audit.write(tx, entry)


async def of_job(readers: Readers, job_id: str, now: float) -> list[ShareRecord]:
    """The links that work, newest first."""
    rows = await readers.all(
        f"{_SELECT} WHERE s.job_id = ? AND {_LIVE} ORDER BY s.created_at DESC, s.id",
        (job_id, now),
    )
    return [ShareRecord(**dict(row)) for row in rows]


async def opened(readers: Readers, share_id: str, now: float) -> tuple[ShareRecord, Job] | None:
    """A link and the job that it opens; None if it does not work (any more): revoked, expired, the job deleted, its
    owner disabled, or an administrator's who made it and administers no more."""
    row = await readers.one(
        f"{_SELECT} JOIN jobs ON jobs.id = s.job_id JOIN users ON users.id = jobs.owner"
        f" WHERE s.id = ? AND {_LIVE} AND jobs.deleted_at IS NULL AND users.disabled_at IS NULL",
        (share_id, now),
    )
    if row is None:
        return None
    share = ShareRecord(**dict(row))
    job = await readers.one(f"SELECT {', '.join(COLUMNS)} FROM jobs WHERE id = ?", (share.job_id,))  # noqa: S608
    return (share, job_of(job)) if job is not None else None
