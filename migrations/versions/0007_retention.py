"""Files that are not kept for ever: which jobs have none any more, since when and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("files_removed_at", sa.Float(), nullable=True))
    op.add_column("jobs", sa.Column("files_removed_because", sa.Text(), nullable=True))
    op.create_index(
        "ix_jobs_with_files",
        "jobs",
        ["finished_at", "id"],
        unique=False,
        sqlite_where=sa.text(
            "finished_at IS NOT NULL AND deleted_at IS NULL"
            " AND (files_removed_because IS NULL OR files_removed_because = 'missing')"
        ),
    )
    op.create_table(
        "removed_assets",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("removed_at", sa.Float(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.CheckConstraint("because IN ('age', 'disk', 'missing')", name=op.f("ck_removed_assets_because")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_removed_assets_job_id")),
        sa.PrimaryKeyConstraint("job_id", "variant", name=op.f("pk_removed_assets")),
    )
