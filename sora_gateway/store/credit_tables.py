"""The tables of credits and limits, and of what makes many videos easy to ask for and to find (see :mod:`.tables`).

Whoever imports :data:`metadata` from here has the tables of all three modules.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

# How constraints are named is decided there, before any of them is made.
from sora_gateway.store.people_tables import metadata as metadata


class LedgerEntry(SQLModel, table=True):
    """Credits that moved; immutable (triggers refuse UPDATE and DELETE).

    ``available`` and ``held`` are the changes of a person's two balances, whose sums they are.
    """

    __tablename__ = "ledger"
    __table_args__ = (
        CheckConstraint("kind IN ('grant', 'hold', 'settle', 'release', 'adjust', 'redeem')", name="kind"),
        # Each job has one hold, and at most one of settle and release.
        Index(
            "uq_ledger_job_id_hold", "job_id", unique=True,
            sqlite_where=text("kind = 'hold'"),
        ),
        Index(
            "uq_ledger_job_id_end", "job_id", unique=True,
            sqlite_where=text("kind IN ('settle', 'release')"),
        ),
        # A month's credits come once.
        Index(
            "uq_ledger_user_id_period", "user_id", "period", unique=True,
            sqlite_where=text("period IS NOT NULL"),
        ),
        Index("ix_ledger_user_id_id", "user_id", "id"),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    user_id: str = Field(foreign_key="users.id", sa_type=Text)
    job_id: str | None = Field(default=None, foreign_key="jobs.id", sa_type=Text)
    kind: str = Field(sa_type=Text)
    available: int
    held: int
    note: str = Field(default="", sa_type=Text)
    at: float
    actor: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    price_version: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    period: str | None = Field(default=None, sa_type=Text)


class Plan(SQLModel, table=True):
    """A plan that was made while the gateway ran; JSON with the names of the configuration."""

    __tablename__ = "plans"

    name: str = Field(primary_key=True, sa_type=Text)
    settings: str = Field(sa_type=Text)
    changed_at: float


class Code(SQLModel, table=True):
    """Credits, or a plan for some days, for whoever has the code; only its hash is kept."""

    __tablename__ = "codes"
    __table_args__ = (
        CheckConstraint("credits >= 0 AND uses_left >= 0", name="worth"),
        UniqueConstraint("code_hash", name="uq_codes_code_hash"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    code_hash: str = Field(sa_type=Text)
    prefix: str = Field(sa_type=Text)
    credits: int
    plan: str | None = Field(default=None, sa_type=Text)
    plan_days: int | None = None
    uses_left: int
    note: str = Field(sa_type=Text)
    created_by: str = Field(sa_type=Text)
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None


class Redemption(SQLModel, table=True):
    """Who has redeemed which code: once each."""

    __tablename__ = "redemptions"

    code_id: str = Field(primary_key=True, foreign_key="codes.id", sa_type=Text)
    user_id: str = Field(primary_key=True, foreign_key="users.id", sa_type=Text)
    at: float


class JobTag(SQLModel, table=True):
    """A word that its owner gave to a job."""

    __tablename__ = "job_tags"
    __table_args__ = (Index("ix_job_tags_tag", "tag", "job_id"),)

    job_id: str = Field(primary_key=True, foreign_key="jobs.id", sa_type=Text)
    tag: str = Field(primary_key=True, sa_type=Text)


class Template(SQLModel, table=True):
    """A prompt with gaps, and what else to ask for; the owner's own or the team's."""

    __tablename__ = "templates"
    __table_args__ = (CheckConstraint("visibility IN ('private', 'team')", name="visibility"),)

    id: str = Field(primary_key=True, sa_type=Text)
    owner: str = Field(foreign_key="users.id", index=True, sa_type=Text)
    visibility: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    prompt: str = Field(sa_type=Text)
    model: str | None = Field(default=None, sa_type=Text)
    size: str | None = Field(default=None, sa_type=Text)
    seconds: int | None = None
    created_at: float
    changed_at: float
