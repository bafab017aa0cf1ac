"""Credits: immutable entries, and two balances per person that are always their sums.

Two phases, as TigerBeetle has it: a hold moves credits from *available* to *held* when a job is accepted;
its end takes them (settle) or gives them back (release), in the transaction of the job's last change.
Every movement is a guarded UPDATE: what is not there cannot be spent, under any concurrency.
"""

from __future__ import annotations

from sora_gateway.core.job import Job
from sora_gateway.core.money import Movement
from sora_gateway.errors import InsufficientCredits
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction


def hold(tx: Transaction, job: Job) -> None:
    """Sets the price of *job* aside.

    Raises:
        InsufficientCredits: the balance does not cover it.
    """
    cursor = tx.execute(
        "UPDATE users SET available = available - ?, held = held + ? WHERE id = ? AND available >= ?",
        (job.credits, job.credits, job.owner, job.credits),
    )
    if cursor.rowcount != 1:
        row = tx.one("SELECT available FROM users WHERE id = ?", (job.owner,))
        has = row["available"] if row else 0
        raise InsufficientCredits(
            f"This video costs {job.credits} credits and {has} are left; ask an administrator for more."
        )
    _entry(tx, job.owner, job.id, "hold", -job.credits, job.credits, job.created_at)


def apply(tx: Transaction, job: Job, movement: Movement, at: float) -> None:
    """Ends the hold of *job* as *movement* says; the frozen price is in the job."""
    if movement is Movement.SETTLE:
        available = 0
    elif movement is Movement.RELEASE:
        available = job.credits
    else:
        return
    cursor = tx.execute(
        "UPDATE users SET available = available + ?, held = held - ? WHERE id = ? AND held >= ?",
        (available, job.credits, job.owner, job.credits),
    )
    assert cursor.rowcount == 1, f"the hold of {job.id} is not in its owner's balance"
    _entry(tx, job.owner, job.id, movement.value, available, -job.credits, at)


def grant(tx: Transaction, user_id: str, amount: int, note: str, at: float) -> None:
    """Gives *amount* credits, more than zero, to a person."""
    tx.execute("UPDATE users SET available = available + ? WHERE id = ?", (amount, user_id))
    _entry(tx, user_id, None, "grant", amount, 0, at, note)


def _entry(
    tx: Transaction,
    user_id: str,
    job_id: str | None,
    kind: str,
    available: int,
    held: int,
    at: float,
    note: str = "",
) -> None:
    tx.execute(
        "INSERT INTO ledger (user_id, job_id, kind, available, held, note, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (user_id, job_id, kind, available, held, note, at),
    )


_CHECKS = {
    "a balance is not the sum of its entries": (
        "SELECT u.id FROM users u LEFT JOIN ledger l ON l.user_id = u.id GROUP BY u.id"
        " HAVING u.available <> coalesce(sum(l.available), 0) OR u.held <> coalesce(sum(l.held), 0)"
    ),
    "a balance is negative": "SELECT id FROM users WHERE available < 0 OR held < 0",
    "a job has no hold": "SELECT id FROM jobs WHERE id NOT IN (SELECT job_id FROM ledger WHERE kind = 'hold')",
    "an unfinished job's hold has ended": (
        "SELECT id FROM jobs WHERE state NOT IN ('completed', 'failed', 'cancelled')"
        " AND id IN (SELECT job_id FROM ledger WHERE kind IN ('settle', 'release'))"
    ),
    "a completed job is not settled": (
        "SELECT id FROM jobs WHERE state = 'completed' AND id NOT IN (SELECT job_id FROM ledger WHERE kind = 'settle')"
    ),
    "a cancelled job is neither settled nor released": (
        "SELECT id FROM jobs WHERE state = 'cancelled'"
        " AND id NOT IN (SELECT job_id FROM ledger WHERE kind IN ('settle', 'release'))"
    ),
}


async def check(readers: Readers) -> list[str]:
    """Every way in which the books do not balance, one sentence each; empty when they do."""
    found = []
    for complaint, sql in _CHECKS.items():
        rows = await readers.all(f"{sql} LIMIT 3")
        found += [f"{complaint}: {row['id']}" for row in rows]
    return found


async def entries(readers: Readers, job_id: str) -> list[tuple[str, int, int]]:
    """The movements of one job in order: kind, change of available, change of held."""
    rows = await readers.all(
        "SELECT kind, available, held FROM ledger WHERE job_id = ? ORDER BY id", (job_id,)
    )
    return [(row["kind"], row["available"], row["held"]) for row in rows]
