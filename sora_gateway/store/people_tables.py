"""The tables of people: how they prove who they are, what they show to whom, and what they did (see :mod:`.tables`).

Whoever imports :data:`metadata` from here has the tables of both modules.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

# How constraints are named is decided there, before any of them is made.
from sora_gateway.store.tables import metadata as metadata


class Session(SQLModel, table=True):
    """A signed-in browser; only the hash of its token is kept."""

    __tablename__ = "sessions"

    token_hash: str = Field(primary_key=True, sa_type=Text)
    user_id: str = Field(foreign_key="users.id", index=True, sa_type=Text)
    created_at: float
    expires_at: float
    id: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    authenticated_at: float = Field(sa_column_kwargs={"server_default": text("0")})
    seen_at: float = Field(sa_column_kwargs={"server_default": text("0")})
    address: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    user_agent: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("''")})


class OneTimeLink(SQLModel, table=True):
    """A link that works once: it makes the first administrator, signs in, invites, or lets a password be set."""

    __tablename__ = "one_time_links"
    __table_args__ = (CheckConstraint("kind IN ('admin', 'login', 'invite', 'reset')", name="kind"),)

    token_hash: str = Field(primary_key=True, sa_type=Text)
    id: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    user_id: str | None = Field(default=None, foreign_key="users.id", sa_type=Text)
    email: str | None = Field(default=None, sa_type=Text)
    role: str | None = Field(default=None, sa_type=Text)
    created_by: str = Field(sa_type=Text)
    created_at: float
    expires_at: float


class Identity(SQLModel, table=True):
    """A person as an identity provider knows them."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject", name="uq_identities_issuer_subject"),)

    id: str = Field(primary_key=True, sa_type=Text)
    issuer: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    user_id: str = Field(foreign_key="users.id", index=True, sa_type=Text)
    email: str = Field(sa_type=Text)
    created_at: float


class ApiKey(SQLModel, table=True):
    """A program's key; shown once, kept as prefix and hash."""

    __tablename__ = "api_keys"

    id: str = Field(primary_key=True, sa_type=Text)
    user_id: str = Field(foreign_key="users.id", index=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    prefix: str = Field(sa_type=Text)
    key_hash: str = Field(unique=True, sa_type=Text)
    created_at: float
    last_used_at: float | None = None
    revoked_at: float | None = None
    # Keys from before there were scopes do what they did.
    scopes: str = Field(
        sa_type=Text, sa_column_kwargs={"server_default": "account admin videos:read videos:write"}
    )
    expires_at: float | None = None


class AuditEntry(SQLModel, table=True):
    """What a person did that others may want to know; never changed, never deleted."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_target", "target"), {"sqlite_autoincrement": True})

    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    at: float
    actor: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    target: str = Field(sa_type=Text)
    detail: str = Field(sa_type=Text)
    address: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    request_id: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("''")})


class ShareLink(SQLModel, table=True):
    """A link that opens one job's files to whoever has it, until it expires or is revoked."""

    __tablename__ = "share_links"

    id: str = Field(primary_key=True, sa_type=Text)
    job_id: str = Field(foreign_key="jobs.id", index=True, sa_type=Text)
    created_by: str = Field(foreign_key="users.id", sa_type=Text)
    created_at: float
    expires_at: float
    revoked_at: float | None = None


class RuntimeSetting(SQLModel, table=True):
    """A setting that an administrator has changed while the gateway ran; JSON."""

    __tablename__ = "settings"

    key: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)
    changed_at: float
    changed_by: str = Field(sa_type=Text)
