"""The HTTP application without a socket or a store: for tests of what happens between request and handler."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any, cast

import httpx
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from sora_gateway.core.catalogue import Catalogue
from sora_gateway.core.principal import Principal, Role
from sora_gateway.errors import NotAuthenticated
from sora_gateway.http.application import http_application
from sora_gateway.http.limits import RequestLimits
from sora_gateway.http.routing import Endpoint
from sora_gateway.http.services import Phase, Readiness, Services
from sora_gateway.runtime_settings import RuntimeSettings
from sora_gateway.settings import Settings
from tests.canaries import MARK

NOBODY: Any = None


class StillClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float, wake: asyncio.Event | None = None) -> bool:
        self.time += seconds
        return False


class CountingEntropy:
    """Ids that can be written down in a test."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers)}"

    def token(self) -> str:
        return f"{MARK}-{next(self._numbers)}"

    def fraction(self) -> float:
        return 0.5


async def role_is_the_key(connection: HTTPConnection) -> Principal | None:
    """``Authorization: Bearer admin`` is an administrator, and so on; the cookie ``session=member`` likewise."""
    authorization = connection.headers.get("authorization")
    name = authorization.removeprefix("Bearer ") if authorization else connection.cookies.get("session")
    if name is None:
        return None
    if name not in ("admin", "member", "viewer"):
        raise NotAuthenticated("This key is not known.")
    via = "key" if authorization else "session"
    return Principal(f"user_{name}", f"{name}@team.test", cast(Role, name), via, f"{name}-credential")  # type: ignore[arg-type]


class Shelf:
    """A store that keeps nothing; *full* when it could not."""

    full = False

    async def writable(self) -> bool:
        return not self.full


def services(clock: StillClock | None = None) -> Services:
    clock = clock or StillClock()
    return Services(
        store=cast(Any, Shelf()),
        supervisor=NOBODY,
        hub=NOBODY,
        live=NOBODY,
        accounts=NOBODY,
        codes=NOBODY,
        charges=NOBODY,
        plans=NOBODY,
        sign_in=NOBODY,
        password_accounts=NOBODY,
        files=NOBODY,
        images=NOBODY,
        image_fetcher=NOBODY,
        library=NOBODY,
        characters=NOBODY,
        tries=NOBODY,
        tickets=NOBODY,
        looks=NOBODY,
        sharing=NOBODY,
        runtime=RuntimeSettings(Settings(), NOBODY, clock),
        clock=clock,
        entropy=CountingEntropy(),
        urls=NOBODY,
        authenticate=role_is_the_key,
        catalogue=Catalogue(),
        provisioning=NOBODY,
        upstreams={},
        webhooks=NOBODY,
        alerts=NOBODY,
        metrics=NOBODY,
        housekeeping=NOBODY,
        limits=RequestLimits(clock),
        readiness=Readiness(Phase.SERVING),
    )


def application(endpoints: Sequence[Endpoint], parts: Services | None = None, **options: Any) -> Starlette:
    return http_application(
        endpoints, parts or services(), **{"max_body": 1 << 20, "max_upload": 25 << 20} | options
    )


def client_of(app: Any, **headers: str) -> httpx.AsyncClient:
    """A client that never touches a network; *headers* go with every request, ``_`` standing for ``-``."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://gateway.test",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
