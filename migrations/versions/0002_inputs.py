"""What a video is made from (images, other videos, characters), and requests that are known to be repeated."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plain ADD COLUMN: rebuilding the largest table would copy every job.
    op.execute(
        "ALTER TABLE jobs ADD COLUMN operation TEXT NOT NULL DEFAULT 'create'"
        " CONSTRAINT ck_jobs_operation CHECK (operation IN ('create', 'remix', 'edit', 'extend'))"
    )
    op.add_column("jobs", sa.Column("source_id", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("source_external_id", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("extended_by", sa.Integer(), nullable=True))
    op.execute("ALTER TABLE jobs ADD COLUMN characters TEXT NOT NULL DEFAULT ''")
    _assets()
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("made_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_idempotency_keys_user_id")),
        sa.PrimaryKeyConstraint("user_id", "route", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "resends",
        sa.Column("made_id", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("made_id", name=op.f("pk_resends")),
    )
    op.create_index("ix_resends_at", "resends", ["at"], unique=False)
    op.create_index("ix_resends_credential", "resends", ["credential", "fingerprint", "count"], unique=False)
    op.create_table(
        "reference_images",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("library", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.CheckConstraint("library IN ('personal', 'team')", name=op.f("ck_reference_images_library")),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name=op.f("fk_reference_images_owner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference_images")),
    )
    op.create_index(
        "ix_reference_images_owner_created_at",
        "reference_images",
        ["owner", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "characters",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.CheckConstraint("state IN ('creating', 'ready', 'unknown')", name=op.f("ck_characters_state")),
        sa.CheckConstraint(
            "(state = 'ready') = (external_id IS NOT NULL)", name=op.f("ck_characters_ready_has_external_id")
        ),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name=op.f("fk_characters_owner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_characters")),
    )
    op.create_index("ix_characters_owner", "characters", ["owner"], unique=False)


def _assets() -> None:
    """SQLite changes a CHECK constraint by making the table anew; nothing refers to this one."""
    op.create_table(
        "assets_0002",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "variant IN ('video', 'thumbnail', 'spritesheet', 'reference', 'source')",
            name=op.f("ck_assets_variant"),
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_assets_job_id")),
        sa.PrimaryKeyConstraint("job_id", "variant", name=op.f("pk_assets")),
    )
    op.execute(
        "INSERT INTO assets_0002 (job_id, variant, path, media_type, size, sha256)"
        " SELECT job_id, variant, path, media_type, size, sha256 FROM assets"
    )
    op.drop_table("assets")
    op.rename_table("assets_0002", "assets")
