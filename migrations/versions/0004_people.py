"""People: sessions that say where they are, links of several kinds, identities, scopes, what is shown to whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _jobs()
    _sessions()
    _links()
    # Keys from before there were scopes do what they did.
    op.execute(
        "ALTER TABLE api_keys ADD COLUMN scopes TEXT NOT NULL DEFAULT 'account admin videos:read videos:write'"
    )
    op.add_column("api_keys", sa.Column("expires_at", sa.Float(), nullable=True))
    for column in ("address", "request_id"):
        op.execute(f"ALTER TABLE audit ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")
    op.create_table(
        "identities",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identities_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identities_issuer_subject")),
    )
    op.create_index("ix_identities_user_id", "identities", ["user_id"], unique=False)
    op.create_table(
        "settings",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_settings")),
    )


def _jobs() -> None:
    op.execute(
        "ALTER TABLE jobs ADD COLUMN visibility TEXT NOT NULL DEFAULT 'private'"
        " CONSTRAINT ck_jobs_visibility CHECK (visibility IN ('private', 'team'))"
    )
    op.create_index(
        "ix_jobs_team",
        "jobs",
        ["created_at", "id"],
        unique=False,
        sqlite_where=sa.text("visibility = 'team'"),
    )
    op.create_table(
        "share_links",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("revoked_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_share_links_job_id")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_share_links_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_links")),
    )
    op.create_index("ix_share_links_job_id", "share_links", ["job_id"], unique=False)


def _sessions() -> None:
    for column in ("id", "address", "user_agent"):
        op.execute(f"ALTER TABLE sessions ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")
    for column in ("authenticated_at", "seen_at"):
        op.execute(f"ALTER TABLE sessions ADD COLUMN {column} FLOAT NOT NULL DEFAULT 0")
    # Who is signed in stays so, and the idle time begins now.
    op.execute(
        "UPDATE sessions SET id = 'session_' || substr(token_hash, 1, 32),"
        " authenticated_at = created_at, seen_at = max(created_at, CAST(strftime('%s', 'now') AS REAL))"
    )


def _links() -> None:
    # Its rows live for an hour at most, and can be had anew.
    op.drop_table("login_links")
    op.create_table(
        "one_time_links",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('admin', 'login', 'invite', 'reset')", name=op.f("ck_one_time_links_kind")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_one_time_links_user_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_one_time_links")),
    )
