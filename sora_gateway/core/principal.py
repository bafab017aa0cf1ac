"""Who is asking, and what that lets them see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SESSION_COOKIE = "sid"
"""Name of the browser's cookie with the session's token."""

Role = Literal["admin", "member", "viewer"]


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated person or program.

    *via* says by what: a browser's session or an API key; *credential* is the session's token hash or the
    key's id, for logout and audit.
    """

    user_id: str
    email: str
    role: Role
    via: Literal["session", "key"]
    credential: str

    @property
    def sees_all(self) -> bool:
        return self.role == "admin"
