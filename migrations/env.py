"""How Alembic runs here: always on a connection that is handed in (sora_gateway/store/migrate.py)."""

from __future__ import annotations

from alembic import context

from sora_gateway.store import webhook_tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=webhook_tables.metadata,
    render_as_batch=True,
    compare_type=True,
    compare_server_default=True,
    # One transaction, begun and committed by the caller.
    transactional_ddl=True,
)
context.run_migrations()
