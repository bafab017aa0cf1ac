"""Where a request carries its credential: an Authorization header first, else the session cookie."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response

from sora_gateway.accounts.authenticator import SESSION_LIFETIME, Authenticator
from sora_gateway.core.principal import SESSION_COOKIE, Principal
from sora_gateway.errors import InvalidApiKey, NotAuthenticated


class Credentials:
    """Reads who is asking; *accounts* knows the tokens."""

    def __init__(self, accounts: Authenticator) -> None:
        self._accounts = accounts

    async def __call__(self, connection: HTTPConnection) -> Principal | None:
        header = connection.headers.get("authorization")
        if header is not None:
            scheme, _, token = header.partition(" ")
            principal = await self._accounts.by_bearer(token.strip()) if scheme.lower() == "bearer" else None
            if principal is None:
                raise InvalidApiKey("The key is not valid (any more); send it as Authorization: Bearer KEY.")
            return principal
        cookie = connection.cookies.get(SESSION_COOKIE)
        if cookie is None:
            return None
        principal = await self._accounts.by_session(cookie)
        if principal is None:
            raise NotAuthenticated("Your session has ended; sign in again.")
        return principal


def set_session(response: Response, token: str, *, secure: bool) -> None:
    """Gives the browser its session; scripts never see it, other sites never send it."""
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=int(SESSION_LIFETIME),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def end_session(response: Response) -> None:
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax")
