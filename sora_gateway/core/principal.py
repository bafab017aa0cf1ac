"""Who is asking, and what that lets them see and do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

SESSION_COOKIE = "sid"
"""Name of the browser's cookie with the session's token."""

Role = Literal["admin", "member", "viewer"]


class Scope(StrEnum):
    """What an API key is for. A key does what its person may do, and of that only what its scopes name."""

    READ = "videos:read"
    """See videos, images, models and live updates."""
    WRITE = "videos:write"
    """Make, change and delete them."""
    ACCOUNT = "account"
    """Keys, sessions, the password and what else is the person's own."""
    ADMIN = "admin"
    """Administer, and see everybody's videos; worth nothing without the role."""


EVERYTHING = frozenset(Scope)
FOR_PROGRAMS = frozenset({Scope.READ, Scope.WRITE})
"""What a new key is for unless it is said otherwise."""

FRESH = 15 * 60.0
"""Seconds after a sign-in for which nobody is asked once more who they are."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated person or program.

    *via* says by what: a browser's session or an API key; *credential* is the session's token hash or the
    key's id, for logout and audit. *authenticated_at* is when the person last proved who they are, 0 for a key;
    *expires_at* when the credential ends by itself, None for never.
    """

    user_id: str
    email: str
    role: Role
    via: Literal["session", "key"]
    credential: str
    scopes: frozenset[Scope] = EVERYTHING
    authenticated_at: float = 0.0
    expires_at: float | None = None

    @property
    def sees_all(self) -> bool:
        """Whether other people's private videos are there; a program needs to be meant for it."""
        return self.role == "admin" and Scope.ADMIN in self.scopes
