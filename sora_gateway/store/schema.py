"""Is the database's schema ours? A plain look decides; only a migration imports Alembic.

A new database is made from ``migrations/schema.sql``, which a test holds against what the migrations
build step by step. An older one is copied first, then migrated on an engine of its own with foreign keys
off (batch migrations drop and re-create tables, and would take the children along).
"""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from sora_gateway.errors import StartupError
from sora_gateway.store import snapshot

HEAD = "0008"
"""The newest revision; a test compares it with ``migrations/versions``."""
RESTORING = ".restore"
"""Beside a database whose place a restored one is about to take: whoever starts now would start with nothing."""


def current_revision(database: Path) -> str | None:
    """The revision a database is at, None if it is new or empty.

    Raises:
        StartupError: the file is no database, or not one of ours.
    """
    if not database.exists() or database.stat().st_size == 0:
        return None
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return None
        if "alembic_version" not in tables:
            raise StartupError(
                f"{database} is a database, but not of sora-gateway; choose another --data-dir."
            )
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else None
    except sqlite3.DatabaseError as error:
        raise StartupError(f"{database} cannot be read as a database ({error}); restore a backup.") from None
    finally:
        connection.close()


def prepare(database: Path, migrations: Path, now: float, epoch: str) -> Path | None:
    """Brings *database* to :data:`HEAD`, making it with *epoch* if it is new. Returns the backup taken, if any.

    Blocking; call it before the event loop is busy.

    Raises:
        StartupError: the database is newer than this program, the migration failed, or a restore was interrupted;
            nothing was changed.
    """
    if (database.parent / RESTORING).exists():
        raise StartupError(
            f"A restore into {database.parent} was interrupted; run `sora-gateway restore BACKUP --replace` again."
        )
    revision = current_revision(database)
    if revision == HEAD:
        return None
    if revision is None:
        try:
            _create(database, migrations, epoch)
        except (sqlite3.Error, OSError) as error:
            raise StartupError(f"The database {database} cannot be made ({error}); is there room?") from None
        return None
    return _migrate(database, migrations, revision, now)


def _create(database: Path, migrations: Path, epoch: str) -> None:
    script = (migrations / "schema.sql").read_text(encoding="utf-8")
    _touch(database)
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        # Pages of what is pruned go back to the disk, a few at a time; it can be chosen for an empty database only.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}")
        connection.execute("INSERT INTO alembic_version (version_num) VALUES (?)", (HEAD,))
        # The epoch names this event log: cursors of another database are answered with a reset.
        connection.execute("INSERT INTO meta (key, value) VALUES ('epoch', ?)", (epoch,))
        connection.execute("COMMIT")
    finally:
        connection.close()


def _touch(database: Path) -> None:
    """An empty file for its owner only, before anything is in it; SQLite's own beside it get the same mode."""
    os.close(os.open(database, os.O_WRONLY | os.O_CREAT, 0o600))
    database.chmod(0o600)


def _migrate(database: Path, migrations: Path, revision: str, now: float) -> Path:
    from sora_gateway.store import migrate  # Alembic and SQLAlchemy: half a second of imports.

    if revision not in migrate.revisions(migrations):
        raise StartupError(
            f"{database} was written by a newer sora-gateway (schema {revision}, this program knows {HEAD}); "
            "install that version again or restore a backup."
        )
    try:
        backup = _backup(database, revision, now)
    except (snapshot.CopyFailed, OSError) as error:
        raise StartupError(
            f"{database} must be migrated, and could not be copied before ({error}); nothing was changed."
        ) from None
    try:
        migrate.upgrade(database, migrations)
    except Exception as error:
        # Whatever a migration raises, its transaction was rolled back; the person needs one sentence.
        raise StartupError(
            f"The migration of {database} from {revision} to {HEAD} failed ({error}); nothing was changed, "
            f"and a copy is at {backup}. Install the version again that ran before: it goes on with this directory as it is."
        ) from error
    return backup


def _backup(database: Path, revision: str, now: float) -> Path:
    """A consistent copy beside the database."""
    directory = database.parent / "backups"
    directory.mkdir(mode=0o700, exist_ok=True)
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")
    target = directory / f"before-migration-{revision}-{stamp}.db"
    # One that is there already is of a start in the same second.
    snapshot.copy(database, target)
    return target
