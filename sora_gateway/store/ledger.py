"""Credits: immutable entries, and two balances per person that are always their sums.

Two phases, as TigerBeetle has it: a hold moves credits from *available* to *held* when a job is accepted;
its end takes them (settle) or gives them back (release), in the transaction of the job's last change.
Every movement is a guarded UPDATE: what is not there cannot be spent, under any concurrency.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from sora_gateway.core.job import Job
from sora_gateway.core.money import Movement
from sora_gateway.errors import Conflict, InsufficientCredits
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction

Kind = Literal["grant", "hold", "settle", "release", "adjust", "redeem"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement: *available* and *held* are the changes of the two balances of *user_id*. *actor* is whoever
    decided on it, *period* the month that a monthly grant is for, *price_version* the price list of a hold."""

    user_id: str
    kind: Kind
    available: int
    held: int
    at: float
    job_id: str | None = None
    note: str = ""
    actor: str = ""
    period: str | None = None
    price_version: str = ""


_NAMES = tuple(field.name for field in fields(Entry))
_COLUMNS = ", ".join(_NAMES)


def hold(tx: Transaction, job: Job, price_version: str = "") -> None:
    """Sets the price of *job* aside; *price_version* names the list that it is from.

    Raises:
        InsufficientCredits: the balance does not cover it.
    """
    cursor = tx.execute(
        "UPDATE users SET available = available - ?, held = held + ? WHERE id = ? AND available >= ?",
        (job.credits, job.credits, job.owner, job.credits),
    )
    if cursor.rowcount != 1:
        has = balance(tx, job.owner)
        raise InsufficientCredits(
            f"This video costs {job.credits} credits and {has} are left; {job.credits - has} more are needed."
            " Redeem a code, or ask an administrator."
        )
    _write(
        tx,
        Entry(
            job.owner, "hold", -job.credits, job.credits, job.created_at, job.id, price_version=price_version
        ),
    )


def balance(tx: Transaction, user_id: str) -> int:
    """What a person can spend."""
    row = tx.one("SELECT available FROM users WHERE id = ?", (user_id,))
    return int(row["available"]) if row else 0


def apply(tx: Transaction, job: Job, movement: Movement, at: float, actor: str = "") -> None:
    """Ends the hold of *job* as *movement* says; the frozen price is in the job. *actor* is who decided, if anybody.

    Raises:
        Conflict: it has ended already.
    """
    if movement is Movement.SETTLE:
        available = 0
    elif movement is Movement.RELEASE:
        available = job.credits
    else:
        return
    if (
        tx.one("SELECT 1 FROM ledger WHERE job_id = ? AND kind IN ('settle', 'release')", (job.id,))
        is not None
    ):
        raise Conflict("The credits of this video are settled or given back already.")
    cursor = tx.execute(
        "UPDATE users SET available = available + ?, held = held - ? WHERE id = ? AND held >= ?",
        (available, job.credits, job.owner, job.credits),
    )
    assert cursor.rowcount == 1, f"the hold of {job.id} is not in its owner's balance"
    _write(tx, Entry(job.owner, _KIND[movement], available, -job.credits, at, job.id, actor=actor))


_KIND: dict[Movement, Kind] = {Movement.SETTLE: "settle", Movement.RELEASE: "release"}


def grant(tx: Transaction, user_id: str, amount: int, note: str, at: float, actor: str = "") -> None:
    """Gives *amount* credits, more than zero, to a person."""
    _credit(tx, Entry(user_id, "grant", amount, 0, at, note=note, actor=actor))


def grant_monthly(tx: Transaction, user_id: str, amount: int, period: str, at: float) -> None:
    """Gives a month's credits, once for each *period*."""
    had = tx.one("SELECT 1 FROM ledger WHERE user_id = ? AND period = ?", (user_id, period))
    if amount and had is None:
        _credit(tx, Entry(user_id, "grant", amount, 0, at, note=f"credits of {period}", period=period))


def redeem(tx: Transaction, user_id: str, amount: int, note: str, at: float) -> None:
    """Gives what a code is worth."""
    _credit(tx, Entry(user_id, "redeem", amount, 0, at, note=note, actor=user_id))


def adjust(tx: Transaction, user_id: str, amount: int, note: str, at: float, actor: str) -> None:
    """Corrects a balance by *amount*, which may be negative; what is held is not touched.

    Raises:
        Conflict: there are fewer credits than are to be taken.
    """
    cursor = tx.execute(
        "UPDATE users SET available = available + ? WHERE id = ? AND available + ? >= 0",
        (amount, user_id, amount),
    )
    if cursor.rowcount != 1:
        raise Conflict(f"Only {balance(tx, user_id)} credits are there; a balance cannot fall below zero.")
    _write(tx, Entry(user_id, "adjust", amount, 0, at, note=note, actor=actor))


def _credit(tx: Transaction, entry: Entry) -> None:
    tx.execute("UPDATE users SET available = available + ? WHERE id = ?", (entry.available, entry.user_id))
    _write(tx, entry)


def _write(tx: Transaction, entry: Entry) -> None:
    tx.execute(
        f"INSERT INTO ledger ({_COLUMNS}) VALUES ({', '.join('?' * len(_NAMES))})",  # noqa: S608 - our own names
        tuple(getattr(entry, name) for name in _NAMES),
    )


CHECKS = {
    "a balance is not the sum of its entries": (
        "SELECT u.id FROM users u LEFT JOIN ledger l ON l.user_id = u.id GROUP BY u.id"
        " HAVING u.available <> coalesce(sum(l.available), 0) OR u.held <> coalesce(sum(l.held), 0)"
    ),
    "a balance is negative": "SELECT id FROM users WHERE available < 0 OR held < 0",
    "a balance was negative once": (
        "SELECT user_id AS id FROM (SELECT user_id, sum(available) OVER books AS available, sum(held) OVER books AS held"
        " FROM ledger WINDOW books AS (PARTITION BY user_id ORDER BY id)) WHERE available < 0 OR held < 0"
    ),
    "what is held is not what the jobs with open holds cost": (
        "SELECT u.id FROM users u LEFT JOIN jobs j ON j.owner = u.id"
        " AND j.id NOT IN (SELECT job_id FROM ledger WHERE kind IN ('settle', 'release'))"
        " GROUP BY u.id HAVING u.held <> coalesce(sum(j.credits), 0)"
    ),
    "a job has no hold": "SELECT id FROM jobs WHERE id NOT IN (SELECT job_id FROM ledger WHERE kind = 'hold')",
    "a hold is not its job's price, or not its owner's": (
        "SELECT l.job_id AS id FROM ledger l LEFT JOIN jobs j ON j.id = l.job_id WHERE l.kind = 'hold'"
        " AND (j.id IS NULL OR l.user_id <> j.owner OR l.held <> j.credits OR l.available <> -j.credits)"
    ),
    "an end is not that of its hold": (
        "SELECT e.job_id AS id FROM ledger e LEFT JOIN ledger h ON h.job_id = e.job_id AND h.kind = 'hold'"
        " WHERE e.kind IN ('settle', 'release')"
        " AND (h.id IS NULL OR h.id > e.id OR h.user_id <> e.user_id OR e.held <> -h.held"
        " OR e.available <> CASE e.kind WHEN 'release' THEN h.held ELSE 0 END)"
    ),
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
    # What remains open is for an administrator: the others ended in the transaction in which they failed.
    "a failed job is neither settled nor released": (
        "SELECT id FROM jobs WHERE state = 'failed' AND error_code NOT IN ('file_lost', 'final_limit')"
        " AND id NOT IN (SELECT job_id FROM ledger WHERE kind IN ('settle', 'release'))"
    ),
    "a grant, redeemed code or correction moves what it must not": (
        "SELECT id FROM ledger WHERE kind IN ('grant', 'redeem', 'adjust')"
        " AND (held <> 0 OR job_id IS NOT NULL OR (kind <> 'adjust' AND available <= 0))"
    ),
    "credits of a code were never redeemed": (
        "SELECT l.id FROM ledger l WHERE l.kind = 'redeem' AND NOT EXISTS (SELECT 1 FROM redemptions r"
        " JOIN codes c ON c.id = r.code_id WHERE r.user_id = l.user_id AND r.at = l.at AND c.credits = l.available)"
    ),
    "a redeemed code gave no credits": (
        "SELECT r.code_id AS id FROM redemptions r JOIN codes c ON c.id = r.code_id WHERE c.credits > 0"
        " AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.kind = 'redeem' AND l.user_id = r.user_id"
        " AND l.at = r.at AND l.available = c.credits)"
    ),
    "an amount is no whole number": (
        "SELECT id FROM ledger WHERE typeof(available) <> 'integer' OR typeof(held) <> 'integer'"
    ),
}
"""What is wrong where one of these queries finds something; that each finds nothing is the promise."""


async def check(readers: Readers) -> list[str]:
    """Every way in which the books do not balance, one sentence each; empty when they do."""
    found = []
    for complaint, sql in CHECKS.items():
        rows = await readers.all(f"{sql} LIMIT 3")
        found += [f"{complaint}: {row['id']}" for row in rows]
    return found


async def entries(readers: Readers, job_id: str) -> list[tuple[str, int, int]]:
    """The movements of one job in order: kind, change of available, change of held."""
    rows = await readers.all(
        "SELECT kind, available, held FROM ledger WHERE job_id = ? ORDER BY id", (job_id,)
    )
    return [(row["kind"], row["available"], row["held"]) for row in rows]
