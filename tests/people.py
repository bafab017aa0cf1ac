"""People with passwords, and the browsers in front of which they sit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import httpx
from argon2 import PasswordHasher

from sora_gateway.app import Gateway
from sora_gateway.clock import SystemClock
from sora_gateway.core.principal import Role
from tests.canaries import MARK
from tests.described import as_described

PASSWORD = f"a paper boat {MARK}"
OTHER = f"a paper plane {MARK}"
ANN = "ann@example.org"


class LaterClock(SystemClock):
    """Stands still, as many seconds after its making as a test wants; who waits for something waits real seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._now, self._monotonic = super().now(), super().monotonic()

    def now(self) -> float:
        return self._now + self.ahead

    def monotonic(self) -> float:
        return self._monotonic + self.ahead


@cache
def hashed(password: str = PASSWORD) -> str:
    """As the gateway stores it; made once, because it takes long."""
    return PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(password)


async def add(gateway: Gateway, email: str = ANN, role: Role = "member", stored: str | None = None) -> str:
    """Somebody with :data:`PASSWORD`, or the *stored* hash; their id."""
    user_id = f"user_{email.partition('@')[0]}"
    await gateway.store.people.create_user(user_id, email, role, stored or hashed(), 0, 0.0)
    return user_id


@asynccontextmanager
async def browser(
    gateway: Gateway, email: str | None = None, **headers: str
) -> AsyncIterator[httpx.AsyncClient]:
    """Keeps cookies; signed in as *email* with :data:`PASSWORD` if there is one. ``_`` in a header stands for ``-``."""
    async with httpx.AsyncClient(
        base_url=gateway.address,
        headers={"Sec-Fetch-Site": "same-origin"}
        | {name.replace("_", "-"): value for name, value in headers.items()},
        trust_env=False,
        event_hooks={"response": [as_described]},
    ) as page:
        if email is not None:
            answer = await login(page, email)
            assert answer.status_code == 200, answer.text
        yield page


async def login(
    page: httpx.AsyncClient, email: str = ANN, password: str = PASSWORD, **more: Any
) -> httpx.Response:
    return await page.post("/api/auth/login", json={"email": email, "password": password, **more})


def told(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and sentence of an error."""
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


def code(answer: httpx.Response) -> tuple[int, str]:
    return told(answer)[:2]


async def actions(gateway: Gateway, target: str) -> list[str]:
    """What the audit log has of *target*, oldest first."""
    return [entry.action for entry in await gateway.store.audited(target)]
