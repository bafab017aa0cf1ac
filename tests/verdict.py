"""What must be true of a gateway's data directory after any number of kills: one checker for every test."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sora_gateway.media.mp4 import BrokenFile, inspect_mp4
from sora_gateway.store import Store
from sora_gateway.store.snapshot import broken_promises
from tests.processes import Place

_ENTRIES = {
    "completed": [["hold", "settle"]],
    "unknown": [["hold"]],
    "cancelled": [["hold", "release"], ["hold", "settle"]],
    "failed": [["hold"], ["hold", "release"]],
}


@dataclass
class Verdict:
    """*ends* are the states of the jobs with the mark, *creates* how many of them the upstream has; *broken* is
    every promise that was not kept, one sentence each."""

    ends: list[str]
    creates: int
    broken: list[str] = field(default_factory=list)


async def verdict(place: Place, mark: str, acknowledged: str | None, requests: int = 1) -> Verdict:
    """Looks at everything; no gateway may run on *place*. *requests* is how many had the mark."""
    database = place.data / "gateway.db"
    async with Store(database, lambda events: None):
        pass  # Whatever was committed is in the file now.
    broken = broken_promises(database).all
    creates = place.upstream.creates(mark)
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        broken += file_complaints(connection)
        jobs_of = dict(connection.execute("SELECT id, job_id FROM attempts").fetchall())
        rows = connection.execute("SELECT * FROM jobs WHERE instr(prompt, ?) ORDER BY id", (mark,)).fetchall()
        for row in rows:
            broken += job_complaints(connection, row, place.data / "media")
            if row["state"] not in (*_ENTRIES, "unknown"):
                broken.append(f"{row['id']} is still {row['state']}")
            if row["state"] in ("completed", "cancelled") and row["external_id"] not in [
                create["id"] for create in creates
            ]:
                broken.append(f"{row['id']} is {row['state']}, but the upstream never took it")
    if acknowledged is not None and acknowledged not in [row["id"] for row in rows]:
        broken.append(f"{acknowledged} was acknowledged and is gone")
    if creates and not rows:
        broken.append("the upstream was paid for a job that is not there")
    if len(rows) > requests:
        broken.append(f"{'one request' if requests == 1 else f'{requests} requests'} became {len(rows)} jobs")
    if requests == 1 and len(creates) > 1:
        broken.append(f"one job was paid {len(creates)} times")
    elif requests > 1:
        paid = Counter(jobs_of[create["client_request_id"]] for create in creates)
        broken += [f"{job} was paid {number} times" for job, number in paid.items() if number > 1]
    return Verdict([row["state"] for row in rows], len(creates), broken)


def file_complaints(connection: sqlite3.Connection) -> list[str]:
    """What is wrong with the database as a file, and with its event log, of which nothing was pruned."""
    found = [row[0] for row in connection.execute("PRAGMA quick_check") if row[0] != "ok"]
    found += [
        f"a foreign key leads nowhere: {tuple(row)}" for row in connection.execute("PRAGMA foreign_key_check")
    ]
    gaps = connection.execute(
        "SELECT j.id FROM jobs j LEFT JOIN events e ON e.job_id = j.id GROUP BY j.id"
        " HAVING count(e.seq) <> j.version OR min(e.job_seq) <> 1 OR max(e.job_seq) <> j.version"
        " OR count(DISTINCT e.job_seq) <> j.version"
    )
    return found + [f"the events of {row[0]} have a gap" for row in gaps]


def job_complaints(connection: sqlite3.Connection, row: sqlite3.Row, media: Path) -> list[str]:
    """What is wrong with the money and the files of one row of ``jobs``."""
    return _money(connection, row) + _files(connection, row, media)


def _money(connection: sqlite3.Connection, row: sqlite3.Row) -> list[str]:
    entries = [
        entry[0]
        for entry in connection.execute("SELECT kind FROM ledger WHERE job_id = ? ORDER BY id", (row["id"],))
    ]
    wanted = _ENTRIES.get(row["state"], [["hold"]])
    return [] if entries in wanted else [f"{row['id']} is {row['state']}, and its entries are {entries}"]


def _files(connection: sqlite3.Connection, row: sqlite3.Row, media: Path) -> list[str]:
    assets = connection.execute("SELECT * FROM assets WHERE job_id = ?", (row["id"],)).fetchall()
    if row["deleted_at"] is not None:
        left = [*assets, *media.glob(f"*/{row['id']}/*")]
        return [f"{row['id']} is deleted and left something behind"] if left else []
    if row["state"] != "completed":
        return [f"{row['id']} is {row['state']} and has files"] if assets else []
    if "video" not in [asset["variant"] for asset in assets]:
        return [f"{row['id']} is completed without a video"]
    found = []
    for asset in assets:
        path = media / asset["path"]
        if not path.is_file():
            found.append(f"{asset['path']} is not there")
            continue
        data = path.read_bytes()
        if len(data) != asset["size"] or hashlib.sha256(data).hexdigest() != asset["sha256"]:
            found.append(f"{asset['path']} is not the file that was recorded")
        if asset["variant"] == "video":
            try:
                inspect_mp4(path)
            except BrokenFile as error:
                found.append(f"{asset['path']} is not whole: {error}")
    directory = (media / assets[0]["path"]).parent
    unexpected = {entry.name for entry in directory.iterdir()} - {
        Path(asset["path"]).name for asset in assets
    }
    return found + [f"{row['id']} has leftovers: {sorted(unexpected)}"] * bool(unexpected)
