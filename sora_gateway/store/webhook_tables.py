"""The tables of outbound webhooks (see :mod:`.tables`).

Whoever imports :data:`metadata` from here has the tables of all four modules.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Text, text
from sqlmodel import Field, SQLModel

# How constraints are named is decided there, before any of them is made.
from sora_gateway.store.credit_tables import metadata as metadata


class Webhook(SQLModel, table=True):
    """An address that is told when somebody's videos have ended. Its secrets are encrypted; ``old_secret`` signs
    beside the new one until ``old_until``."""

    __tablename__ = "webhooks"

    id: str = Field(primary_key=True, sa_type=Text)
    owner: str = Field(foreign_key="users.id", index=True, sa_type=Text)
    url: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    events: str = Field(sa_type=Text)
    """Separated by spaces."""
    everybody: bool
    enabled: bool
    disabled_reason: str = Field(sa_type=Text)
    secret: str = Field(sa_type=Text)
    old_secret: str | None = Field(default=None, sa_type=Text)
    old_until: float | None = None
    failing_since: float | None = None
    created_at: float
    changed_at: float


class WebhookDelivery(SQLModel, table=True):
    """One message to one endpoint, written with the change that it tells of. ``round`` counts how often it was asked
    for: what an earlier round finds out does not end a later one."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'delivered', 'given_up')", name="status"),
        Index("ix_webhook_deliveries_webhook_id_seq", "webhook_id", "seq"),
        Index(
            "ix_webhook_deliveries_pending", "webhook_id", "next_at",
            sqlite_where=text("status = 'pending'"),
        ),
        Index("ix_webhook_deliveries_created_at", "created_at"),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    seq: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    id: str = Field(unique=True, sa_type=Text)
    webhook_id: str = Field(foreign_key="webhooks.id", sa_type=Text)
    job_id: str | None = Field(default=None, foreign_key="jobs.id", sa_type=Text)
    type: str = Field(sa_type=Text)
    created_at: float
    status: str = Field(sa_type=Text)
    note: str = Field(sa_type=Text)
    tries: int
    round: int
    next_at: float | None = None


class WebhookTry(SQLModel, table=True):
    """What became of one try to deliver."""

    __tablename__ = "webhook_tries"

    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    delivery: int = Field(foreign_key="webhook_deliveries.seq", index=True)
    at: float
    duration: float
    http_status: int | None = None
    error: str = Field(sa_type=Text)
