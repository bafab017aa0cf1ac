"""What a soak came to: everything that was seen, held against every promise. Pure reading; nothing runs any more."""

from __future__ import annotations

import json
import sqlite3
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sora_gateway.core.messages import StoredEvent
from sora_gateway.store.ledger import CHECKS
from tests.canaries import leaks
from tests.soak.listeners import Listener
from tests.soak.meter import Life, Sample, slope
from tests.soak.people import WHOLE, Books
from tests.transcripts import BrokenPromise, History, Verifier
from tests.verdict import file_complaints, job_complaints

ENDED = ("completed", "failed", "cancelled")
WARM = 10.0
"""Seconds after which a process has loaded what it needs."""
LONG = 15.0
"""Seconds beyond that which a life has to have for its slope to say something."""
LONGEST = 5
"""So many of the longest lives are looked at."""
MEMORY_SLOPE = 15.0
"""MB a minute. Caches and the allocator go on filling for two minutes, at half of that; whatever loses a quarter of a
megabyte in a second is found."""
MEMORY_BETWEEN = 10.0
"""MB by which the last lives may have more than the first ones at the same age: with the number of jobs that there are."""
DESCRIPTOR_SLOPE = 30.0
"""A minute: peers come and go. What is lost more slowly is found when they have left."""
LEFT_OPEN = 8
"""Descriptors that a gateway may have more, when everybody has left, than a fresh one: kept connections to upstreams,
readers of the database that were opened when they were needed."""
LEFT_MEMORY = 40.0
"""MB that it may have more: modules and caches that a fresh one has no use for yet."""


@dataclass
class Evidence:
    """Everything that was seen. *directory* is the data directory that was left behind."""

    directory: Path
    journal: Path
    """The upstream's own list of paid creates."""
    log: Path
    books: Books
    listeners: list[Listener]
    lives: list[Life]
    replay: int
    price: int
    balances: dict[str, int]
    """What each person began with, by their id."""
    fetched: dict[str, str] = field(default_factory=dict)
    """By completed job: the hash of its file as it was fetched in the end."""
    heard_until: int = 0
    """The number of the last event that followers had to hear before they left."""
    rested: float = 0.0
    """When it was at rest: what was completed by then was fetched."""
    heard: dict[str, set[str]] = field(default_factory=dict)
    """By job: the types of the webhook's messages that came for it."""
    webhook: tuple[str, float] = ("", 0.0)
    """Whose it is, and since when."""
    left: Sample | None = None
    """The gateway when everybody had left, and *fresh* one on the same directory that nobody has used."""
    fresh: Sample | None = None
    backups: list[str] = field(default_factory=list)
    """What is wrong with backups that were taken meanwhile."""
    backups_taken: int = 0
    complaints: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Promise:
    """*said* is what was found, in a few words; *broken* every way in which it was not kept."""

    name: str
    said: str
    broken: Sequence[str] = ()

    def __str__(self) -> str:
        return f"  {self.name:<26} {self.said:<74} {'BROKEN' if self.broken else 'ok'}"


def judge(evidence: Evidence) -> list[Promise]:
    """Every promise, in the order in which they are printed."""
    with closing(sqlite3.connect(evidence.directory / "gateway.db")) as database:
        database.row_factory = sqlite3.Row
        return [
            _kept(evidence, database),
            _paid(evidence, database),
            _money(evidence, database),
            _files(evidence, database),
            _told(evidence, database),
            _webhooks(evidence, database),
            _database(evidence, database),
            _answers(evidence),
            _memory(evidence),
            _descriptors(evidence),
            Promise(
                "backups hold", f"{evidence.backups_taken} taken under load and verified", evidence.backups
            ),
        ]


def _rows(database: sqlite3.Connection, sql: str, *values: object) -> list[sqlite3.Row]:
    return database.execute(sql, values).fetchall()


def paid_creates(journal: Path) -> list[dict[str, str]]:
    """Every create that the upstream has taken."""
    whole, _, _ = journal.read_text(encoding="utf-8").rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def _kept(evidence: Evidence, database: sqlite3.Connection) -> Promise:
    """What was promised is there, and has ended or is unknown; what was asked of it was done."""
    jobs = {row["id"]: row for row in _rows(database, "SELECT * FROM jobs")}
    books, broken, ends = evidence.books, [], Counter[str]()
    for job_id, promised in books.accepted.items():
        row = jobs.get(job_id)
        if row is None:
            broken.append(f"{job_id} ({promised.mark}) was accepted and is lost")
            continue
        ends[row["state"]] += 1
        if row["state"] not in (*ENDED, "unknown"):
            broken.append(f"{job_id} is still {row['state']}: {row['note']}")
        if job_id in books.cancelled and row["state"] == "unknown" and not row["cancel_requested"]:
            broken.append(f"the cancel of {job_id} is forgotten")
        if job_id in books.deleted and row["deleted_at"] is None:
            broken.append(f"{job_id} was deleted and is there again")
    broken += [f"nobody was told of {job_id}" for job_id in jobs.keys() - books.accepted.keys()]
    said = f"{len(books.accepted)} accepted: {', '.join(f'{number} {state}' for state, number in ends.most_common())}"
    return Promise("nothing accepted is lost", said, broken)


def _paid(evidence: Evidence, database: sqlite3.Connection) -> Promise:
    """By what people asked for, without a look at our books; then by them."""
    creates = paid_creates(evidence.journal)
    asked = Counter(each.mark for each in evidence.books.accepted.values())
    paid = Counter(word for each in creates for word in each["prompt"].split() if word.startswith("mark"))
    broken = [
        f"{mark} was asked for {asked[mark]} times and paid {number} times"
        for mark, number in paid.items()
        if number > asked[mark]
    ]
    job_of = dict(database.execute("SELECT id, job_id FROM attempts").fetchall())
    times = Counter(job_of.get(each["client_request_id"], "nobody") for each in creates)
    broken += [
        f"{job} was paid {number} times" for job, number in times.items() if number > 1 or job == "nobody"
    ]
    ended = {
        row["external_id"]
        for row in _rows(database, "SELECT external_id FROM jobs WHERE state = 'completed'")
    }
    broken += [
        f"{each} is completed, but was never made" for each in ended - {each["id"] for each in creates}
    ]
    return Promise("nobody pays twice", f"{len(creates)} creates were paid for", broken)


def _money(evidence: Evidence, database: sqlite3.Connection) -> Promise:
    """By the gateway's own checker, and by what people began with, minus what was made for them."""
    broken = [f"{complaint}: {row[0]}" for complaint, sql in CHECKS.items() for row in _rows(database, sql)]
    for user in _rows(database, "SELECT id, available, held FROM users"):
        moved = "SELECT kind, count(*) FROM ledger WHERE user_id = ? AND job_id IS NOT NULL GROUP BY kind"
        kinds = Counter(dict(map(tuple, _rows(database, moved, user["id"]))))
        holding = kinds["hold"] - kinds["settle"] - kinds["release"]
        left = evidence.balances[user["id"]] - evidence.price * (kinds["settle"] + holding)
        if (user["available"], user["held"]) != (left, evidence.price * holding):
            has = f"{user['available']} and {user['held']} held"
            broken.append(f"{user['id']} has {has}, not {left} and {evidence.price * holding}")
    entries = _rows(database, "SELECT count(*) FROM ledger")[0][0]
    return Promise("the books balance", f"{entries} entries of {len(evidence.balances)} people", broken)


def _files(evidence: Evidence, database: sqlite3.Connection) -> Promise:
    media, broken, whole = evidence.directory / "media", list[str](), 0
    for row in _rows(database, "SELECT * FROM jobs"):
        broken += job_complaints(database, row, media)
        if (
            row["state"] != "completed"
            or row["deleted_at"] is not None
            or row["finished_at"] > evidence.rested
        ):
            continue
        found = evidence.fetched.get(row["id"], "was not asked for")
        if found != WHOLE:
            broken.append(f"the file of {row['id']}: {found}")
        whole += found == WHOLE
    downloads = evidence.books.counts["downloads"]
    return Promise("files are whole", f"{whole} fetched in the end, {downloads} by people meanwhile", broken)


def _told(evidence: Evidence, database: sqlite3.Connection) -> Promise:
    (epoch,) = _rows(database, "SELECT value FROM meta WHERE key = 'epoch'")[0]
    columns = "seq, job_id, owner, job_seq, step, payload, at, final"
    events = [StoredEvent(*row) for row in _rows(database, f"SELECT {columns} FROM events ORDER BY seq")]
    trimmed = events[0].seq - 1 if events else 0
    if trimmed:
        # Numbers begin at 1; what is not kept any more can be in no transcript that is checked.
        return Promise("followers see every end", "the log was trimmed", [f"{trimmed} events are missing"])
    gone = frozenset(row["id"] for row in _rows(database, "SELECT id FROM jobs WHERE deleted_at IS NOT NULL"))
    broken = []
    for each in evidence.listeners:
        # What happened after they had left nobody could hear.
        until = max(evidence.heard_until, each.since.seq if each.since else 0)
        history = History({epoch: events[:until]}, {epoch: 0}, evidence.replay)
        broken += _misled(each, history, epoch, gone)
    connections = sum(each.connections for each in evidence.listeners)
    resets = sum(each.resets for each in evidence.listeners)
    said = f"{len(evidence.listeners)} over {connections} connections ({resets} resets), {len(events)} events"
    return Promise("followers see every end", said, broken)


def _misled(listener: Listener, history: History, epoch: str, gone: frozenset[str]) -> list[str]:
    """What it was told wrongly, or not at all."""

    def follows(event: StoredEvent) -> bool:
        if listener.job_id is not None:
            return event.job_id == listener.job_id
        return listener.owner is None or event.owner == listener.owner

    verifier = Verifier(history, epoch, follows)
    try:
        verifier.read(listener.transcript)
        if listener.job_id not in gone and not listener.refused:
            verifier.ended(deleted=gone)
    except BrokenPromise as error:
        return [f"{listener.name}: {str(error)[:300]}"]
    return []


def _webhooks(evidence: Evidence, database: sqlite3.Connection) -> Promise:
    owner, since = evidence.webhook
    ended = _rows(
        database, "SELECT id, state FROM jobs WHERE owner = ? AND finished_at > ? AND deleted_at IS NULL", owner, since
    )  # fmt: skip
    waiting = {
        row[0] for row in _rows(database, "SELECT job_id FROM webhook_deliveries WHERE status = 'pending'")
    }
    untold = [
        row["id"] for row in ended if f"video.{row['state']}" not in evidence.heard.get(row["id"], ()) and row["id"] not in waiting
    ]  # fmt: skip
    heard = sum(map(len, evidence.heard.values()))
    said = f"{heard} of {len(ended)} ends and more were told, {len(waiting)} wait for another try"
    return Promise("webhooks tell every end", said, [f"the end of {each} was never told" for each in untold])


def _database(evidence: Evidence, database: sqlite3.Connection) -> Promise:
    size = (evidence.directory / "gateway.db").stat().st_size
    return Promise("the database is sound", f"{size / 1e6:.1f} MB", file_complaints(database))


def _answers(evidence: Evidence) -> Promise:
    counts, log = evidence.books.counts, evidence.log.read_text(encoding="utf-8")
    broken = (
        evidence.books.complaints
        + evidence.complaints
        + [f"a secret in the log: {each}" for each in leaks(log)]
    )
    broken += [line[:300] for line in log.splitlines() if " ERROR " in line or line.startswith("Traceback")]
    said = f"{counts['requests']} answers, {counts['requests without an answer']} requests without one, {log.count(chr(10))} lines of log"
    return Promise("no answer or log is wrong", said, broken)


# --- what grows --------------------------------------------------------------------------------------


def _slopes(lives: Iterable[Life], quantity: str) -> list[float]:
    """Growth in a minute, of the longest lives."""
    slopes = []
    for life in sorted(lives, key=lambda life: -len(life.samples))[:LONGEST]:
        points = [(each.age / 60, getattr(each, quantity)) for each in life.samples if each.age >= WARM]
        if points and points[-1][0] - points[0][0] >= LONG / 60:
            slopes.append(slope(points))
    return slopes


def _between(lives: Iterable[Life], quantity: str) -> float:
    """By how much the last third of the lives has more than the first, shortly before they are warm."""
    near = [
        statistics.median(seen)
        for life in lives
        if (seen := [getattr(each, quantity) for each in life.samples if WARM * 0.6 <= each.age <= WARM])
    ]
    third = len(near) // 3
    return statistics.median(near[-third:]) - statistics.median(near[:third]) if third else 0.0


def _memory(evidence: Evidence) -> Promise:
    """RSS: what a process shares with a child that was forked a moment ago counts half in its PSS."""
    within, between, left = (
        _slopes(evidence.lives, "rss"),
        _between(evidence.lives, "rss"),
        _left(evidence, "rss"),
    )
    grows = statistics.median(within) if within else 0.0
    broken = []
    if grows > MEMORY_SLOPE:
        broken.append(f"within lives it grows by {grows:.1f} MB a minute, more than {MEMORY_SLOPE:g}")
    if between > MEMORY_BETWEEN:
        broken.append(
            f"the last lives have {between:.1f} MB more than the first, more than {MEMORY_BETWEEN:g}"
        )
    if left > LEFT_MEMORY:
        broken.append(
            f"{left:.1f} MB more than a fresh gateway when everybody has left, more than {LEFT_MEMORY:g}"
        )
    samples = [each for life in evidence.lives for each in life.samples]
    most = f"most {max((each.rss for each in samples), default=0):.0f} MB, PSS {max((each.pss for each in samples), default=0):.0f}"
    said = f"{grows:+.1f} MB/min in {len(within)} lives, {between:+.1f} MB between; left {left:+.1f}; {most}"
    return Promise("memory is flat (RSS)", said, broken)


def _descriptors(evidence: Evidence) -> Promise:
    within = _slopes(evidence.lives, "descriptors")
    grows, left = statistics.median(within) if within else 0.0, _left(evidence, "descriptors")
    broken = []
    if grows > DESCRIPTOR_SLOPE:
        broken.append(f"within lives they grow by {grows:.1f} a minute, more than {DESCRIPTOR_SLOPE:g}")
    if left > LEFT_OPEN:
        broken.append(f"{left:g} more than a fresh gateway when everybody has left, more than {LEFT_OPEN}")
    most = max((each.descriptors for life in evidence.lives for each in life.samples), default=0)
    return Promise(
        "descriptors are flat",
        f"{grows:+.1f}/min in {len(within)} lives; left {left:+g}, most {most}",
        broken,
    )


def _left(evidence: Evidence, quantity: str) -> float:
    """By how much the last gateway had more than a fresh one, when everybody had left."""
    if evidence.left is None or evidence.fresh is None:
        return 0.0
    return float(getattr(evidence.left, quantity) - getattr(evidence.fresh, quantity))
