"""The tables as SQLModel knows them: what Alembic compares the migrations with.

Only migrations and tests import this module; the serving path never does (half of a second of imports).
A ``table=True`` model does not validate, so none is ever filled from a request: rows are written by the
plain SQL of this package, and what must hold is a CHECK constraint.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, MetaData, Text, text
from sqlmodel import Field, SQLModel

from sora_gateway.core.fair_queue import Lane
from sora_gateway.core.job import State
from sora_gateway.core.operation import Operation
from sora_gateway.core.visibility import Visibility

# Batch migrations on SQLite need every constraint to have a name.
metadata: MetaData = SQLModel.metadata
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

STATES = ", ".join(f"'{state}'" for state in State)
LANES = ", ".join(str(int(lane)) for lane in Lane)
VISIBILITIES = ", ".join(f"'{visibility}'" for visibility in Visibility)
OPERATIONS = ", ".join(f"'{operation}'" for operation in Operation)
_INTENT_STATES = "'submitting', 'processing', 'storing', 'unknown', 'cancelling', 'completed'"


class Meta(SQLModel, table=True):
    """Facts about the database itself: the event log's epoch."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)


class User(SQLModel, table=True):
    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('admin', 'member', 'viewer')", name="role"),
        CheckConstraint("available >= 0 AND held >= 0", name="balance"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    email: str = Field(unique=True, sa_type=Text)
    role: str = Field(sa_type=Text)
    password_hash: str | None = Field(default=None, sa_type=Text)
    available: int = 0
    held: int = 0
    created_at: float
    disabled_at: float | None = None
    plan: str | None = Field(default=None, sa_type=Text)
    plan_until: float | None = None


class JobRow(SQLModel, table=True):
    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(f"state IN ({STATES})", name="state"),
        CheckConstraint(
            "state NOT IN ('processing', 'storing', 'cancelling', 'completed') OR external_id IS NOT NULL",
            name="accepted_has_external_id",
        ),
        CheckConstraint(f"state NOT IN ({_INTENT_STATES}) OR attempt > 0", name="intent_before_create"),
        CheckConstraint(
            "(state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)", name="ended_has_a_time"
        ),
        CheckConstraint("progress >= 0 AND progress <= 100 AND (progress < 100 OR state = 'completed')", name="progress"),
        CheckConstraint("state <> 'failed' OR error_code IS NOT NULL", name="failed_has_a_reason"),
        CheckConstraint(f"operation IN ({OPERATIONS})", name="operation"),
        CheckConstraint(f"visibility IN ({VISIBILITIES})", name="visibility"),
        # An upstream's id belongs to one job, for ever; an upstream that repeats itself is not believed.
        Index(
            "uq_jobs_upstream_external_id", "upstream", "external_id", unique=True,
            sqlite_where=text("external_id IS NOT NULL"),
        ),
        Index("ix_jobs_owner_created_at", "owner", "created_at", "id"),
        Index("ix_jobs_created_at", "created_at", "id", sqlite_where=text("deleted_at IS NULL")),
        Index(
            "ix_jobs_unfinished", "created_at",
            sqlite_where=text("state NOT IN ('completed', 'failed', 'cancelled')"),
        ),
        CheckConstraint(f"lane IN ({LANES})", name="lane"),
        Index("ix_jobs_batch_id", "batch_id", sqlite_where=text("batch_id IS NOT NULL")),
        Index("ix_jobs_team", "created_at", "id", sqlite_where=text("visibility = 'team'")),
        Index("ix_jobs_took", "upstream", "finished_at", sqlite_where=text("took IS NOT NULL")),
        Index(
            "ix_jobs_with_files", "finished_at", "id",
            sqlite_where=text(
                "finished_at IS NOT NULL AND deleted_at IS NULL"
                " AND (files_removed_because IS NULL OR files_removed_because = 'missing')"
            ),
        ),
    )  # fmt: skip

    id: str = Field(primary_key=True, sa_type=Text)
    owner: str = Field(foreign_key="users.id", sa_type=Text)
    prompt: str = Field(sa_type=Text)
    model: str = Field(sa_type=Text)
    upstream: str = Field(sa_type=Text)
    upstream_model: str = Field(sa_type=Text)
    seconds: int
    size: str = Field(sa_type=Text)
    created_at: float
    state: str = Field(sa_type=Text)
    version: int
    attempt: int
    refusals: int
    not_before: float
    queued_again_at: float | None = None
    external_id: str | None = Field(default=None, sa_type=Text)
    progress: float
    progress_estimated: bool
    upstream_status: str = Field(sa_type=Text)
    overdue: bool
    cancel_requested: bool
    submitted_at: float | None = None
    accepted_at: float | None = None
    finished_at: float | None = None
    expires_at: float | None = None
    note: str = Field(sa_type=Text)
    error_code: str | None = Field(default=None, sa_type=Text)
    error_message: str | None = Field(default=None, sa_type=Text)
    credits: int
    retry_of: str | None = Field(default=None, sa_type=Text)
    deleted_at: float | None = None
    operation: str = Field(sa_type=Text, sa_column_kwargs={"server_default": "create"})
    source_id: str | None = Field(default=None, sa_type=Text)
    source_external_id: str | None = Field(default=None, sa_type=Text)
    extended_by: int | None = None
    characters: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    took: float | None = None
    visibility: str = Field(sa_type=Text, sa_column_kwargs={"server_default": "private"})
    lane: int = Field(sa_column_kwargs={"server_default": text("1")})
    batch_id: str | None = Field(default=None, sa_type=Text)
    cost: float | None = None
    files_removed_at: float | None = None
    files_removed_because: str | None = Field(default=None, sa_type=Text)


class Attempt(SQLModel, table=True):
    """One paid create: the intent before it leaves, the outcome once it is known."""

    __tablename__ = "attempts"
    __table_args__ = (
        CheckConstraint(
            "outcome IS NULL OR outcome IN ('not_sent', 'refused_for_now', 'out_of_order', 'refused', 'receipt', "
            "'known', 'unknown', 'adopted', 'pay_again', 'given_up')",
            name="outcome",
        ),
        Index(
            "ix_attempts_upstream_external_id", "upstream", "external_id",
            sqlite_where=text("external_id IS NOT NULL"),
        ),
    )  # fmt: skip

    id: str = Field(primary_key=True, sa_type=Text)
    job_id: str = Field(foreign_key="jobs.id", index=True, sa_type=Text)
    number: int
    upstream: str = Field(sa_type=Text)
    sent_at: float
    outcome: str | None = Field(default=None, sa_type=Text)
    external_id: str | None = Field(default=None, sa_type=Text)
    http_status: int | None = None
    detail: str = Field(default="", sa_type=Text)
    answered_at: float | None = None


class EventRow(SQLModel, table=True):
    """The event log: written in the transaction of the change, told after its commit."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_job_id_seq", "job_id", "seq"),
        Index("ix_events_owner_seq", "owner", "seq"),
        {"sqlite_autoincrement": True},
    )

    seq: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    job_id: str = Field(sa_type=Text)
    owner: str = Field(sa_type=Text)
    job_seq: int
    step: str = Field(sa_type=Text)
    payload: str = Field(sa_type=Text)
    at: float
    final: bool


class Asset(SQLModel, table=True):
    __tablename__ = "assets"
    __table_args__ = (
        CheckConstraint(
            "variant IN ('video', 'thumbnail', 'spritesheet', 'reference', 'source')", name="variant"
        ),
    )

    job_id: str = Field(primary_key=True, foreign_key="jobs.id", sa_type=Text)
    variant: str = Field(primary_key=True, sa_type=Text)
    path: str = Field(sa_type=Text)
    media_type: str = Field(sa_type=Text)
    size: int
    sha256: str = Field(sa_type=Text)


class RemovedAsset(SQLModel, table=True):
    """A file that was an asset, and is not kept any more."""

    __tablename__ = "removed_assets"
    __table_args__ = (CheckConstraint("because IN ('age', 'disk', 'missing')", name="because"),)

    job_id: str = Field(primary_key=True, foreign_key="jobs.id", sa_type=Text)
    variant: str = Field(primary_key=True, sa_type=Text)
    size: int
    sha256: str = Field(sa_type=Text)
    removed_at: float
    because: str = Field(sa_type=Text)


class IdempotencyKey(SQLModel, table=True):
    """What a request with this key has made."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)

    user_id: str = Field(primary_key=True, foreign_key="users.id", sa_type=Text)
    route: str = Field(primary_key=True, sa_type=Text)
    key: str = Field(primary_key=True, sa_type=Text)
    fingerprint: str = Field(sa_type=Text)
    made_id: str = Field(sa_type=Text)
    created_at: float


class Resend(SQLModel, table=True):
    """The latest try of the one chain of tries that a job absorbs."""

    __tablename__ = "resends"
    __table_args__ = (
        Index("ix_resends_credential", "credential", "fingerprint", "count"),
        Index("ix_resends_at", "at"),
    )

    made_id: str = Field(primary_key=True, sa_type=Text)
    credential: str = Field(sa_type=Text)
    fingerprint: str = Field(sa_type=Text)
    count: int
    at: float


class ReferenceImage(SQLModel, table=True):
    """A saved image, of one person or for the whole team."""

    __tablename__ = "reference_images"
    __table_args__ = (
        CheckConstraint("library IN ('personal', 'team')", name="library"),
        Index("ix_reference_images_owner_created_at", "owner", "created_at", "id"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    owner: str = Field(foreign_key="users.id", sa_type=Text)
    library: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    path: str = Field(sa_type=Text)
    media_type: str = Field(sa_type=Text)
    width: int
    height: int
    size: int
    sha256: str = Field(sa_type=Text)
    created_at: float


class Character(SQLModel, table=True):
    """A character that an upstream has learned from a video; ``creating`` is the intent."""

    __tablename__ = "characters"
    __table_args__ = (
        CheckConstraint("state IN ('creating', 'ready', 'unknown')", name="state"),
        CheckConstraint("(state = 'ready') = (external_id IS NOT NULL)", name="ready_has_external_id"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    owner: str = Field(foreign_key="users.id", index=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    upstream: str = Field(sa_type=Text)
    external_id: str | None = Field(default=None, sa_type=Text)
    state: str = Field(sa_type=Text)
    created_at: float


class AddedUpstream(SQLModel, table=True):
    """An upstream that was added while the gateway ran; its key is encrypted with one outside the database."""

    __tablename__ = "upstreams"

    name: str = Field(primary_key=True, sa_type=Text)
    settings: str = Field(sa_type=Text)
    api_key: str = Field(sa_type=Text)
    enabled: bool
    created_at: float
    changed_at: float
