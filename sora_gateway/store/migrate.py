"""Alembic, on an engine of its own. Only imported when there is something to migrate."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.pool import NullPool


def config(migrations: Path) -> Config:
    """Alembic's configuration, in code: there is no ini file."""
    made = Config()
    made.set_main_option("script_location", str(migrations).replace("%", "%%"))
    return made


def revisions(migrations: Path) -> list[str]:
    """Every revision known to this program, newest first."""
    return [script.revision for script in ScriptDirectory.from_config(config(migrations)).walk_revisions()]


def upgrade(database: Path, migrations: Path, revision: str = "head") -> None:
    """Migrates in one transaction, then checks every foreign key.

    Raises:
        RuntimeError: a foreign key points nowhere afterwards; everything was rolled back.
    """
    engine = create_engine(f"sqlite:///{database}", poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def _plain(connection, _record):  # type: ignore[no-untyped-def]  # SQLAlchemy's hook is untyped
        # Python's implicit transactions would commit before DDL and leave half a schema behind.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=OFF")

    @event.listens_for(engine, "begin")
    def _immediate(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        with engine.begin() as connection:
            made = config(migrations)
            made.attributes["connection"] = connection
            command.upgrade(made, revision)
            broken = connection.execute(text("PRAGMA foreign_key_check")).fetchall()
            if broken:
                raise RuntimeError(f"{len(broken)} rows would point nowhere")
    finally:
        engine.dispose()


def schema_script(migrations: Path) -> str:
    """The SQL of everything that the migrations build, in the order of its making: ``migrations/schema.sql``."""
    with tempfile.TemporaryDirectory() as directory:
        database = Path(directory) / "fresh.db"
        upgrade(database, migrations)
        connection = sqlite3.connect(database)
        try:
            rows = connection.execute(
                "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
            ).fetchall()
        finally:
            connection.close()
    statements = "\n".join(f"{row[0].replace(chr(9), '    ').strip()};" for row in rows)
    return f"-- Made by `make schema` from the migrations; a test compares.\n{statements}\n"


def differences(migrations: Path) -> list[str]:
    """What the models have and the migrations do not build, or the other way round; empty when they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from sora_gateway.store import webhook_tables

    with tempfile.TemporaryDirectory() as directory:
        database = Path(directory) / "fresh.db"
        upgrade(database, migrations)
        engine = create_engine(f"sqlite:///{database}", poolclass=NullPool)
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "compare_server_default": True}
            )
            found = [str(difference) for difference in compare_metadata(context, webhook_tables.metadata)]
        engine.dispose()
    return found
