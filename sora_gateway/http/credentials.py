"""Where a request carries its credential: an Authorization header first, else the session cookie."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response

from sora_gateway.accounts.authenticator import SESSION_LIFETIME, Authenticator
from sora_gateway.core.principal import SESSION_COOKIE, Principal
from sora_gateway.errors import InsecureConnection, InvalidApiKey, NotAuthenticated
from sora_gateway.http.hosts import host_name, is_loopback
from sora_gateway.http.routing import Call

SECURE_SESSION_COOKIE = f"__Host-{SESSION_COOKIE}"
"""Its name over HTTPS: browsers take that prefix only from the host itself, over HTTPS, for every path."""


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
        cookie = session_of(connection)
        if cookie is None:
            return None
        principal = await self._accounts.by_session(cookie)
        if principal is None:
            raise NotAuthenticated("Your session has ended; sign in again.")
        return principal


def session_of(connection: HTTPConnection) -> str | None:
    """The session's token from the cookie of a request or a handshake, None without one.

    Over HTTPS only the cookie that HTTPS can set: a neighbour that answers plain HTTP under our name, or under
    a subdomain, can plant a ``sid`` and nothing with ``__Host-``.
    """
    return connection.cookies.get(_cookie(connection))


def check_secure(call: Call) -> None:
    """Before anybody is signed in: whether the browser's session would be safe on this connection.

    Raises:
        InsecureConnection: plain HTTP beyond this machine, and ``server.allow_insecure`` is off.
    """
    connection = call.request
    # A proxy that nobody named may put a host of its own there; the origin is the browser's word for the page.
    hosts = [connection.headers.get("host", "")]
    hosts += [origin.partition("//")[2] for origin in connection.headers.getlist("origin")]
    safe = _secure(connection) or all(is_loopback(host_name(host)) for host in hosts)
    if not safe and not call.services.settings.server.allow_insecure:
        raise InsecureConnection(
            "Signing in needs HTTPS: use https://, let the operator name the proxy that ends it in "
            "server.trusted_proxies, or set server.allow_insecure in a network that you trust."
        )


def set_session(call: Call, response: Response, token: str) -> None:
    """Gives the browser its session; scripts never see it, other sites never send it.

    Raises:
        InsecureConnection: as :func:`check_secure`, which is to be asked first where a login uses something up.
    """
    check_secure(call)
    response.set_cookie(
        _cookie(call.request),
        token,
        max_age=int(SESSION_LIFETIME),
        path="/",
        secure=_secure(call.request),
        httponly=True,
        samesite="lax",
    )


def end_session(call: Call, response: Response) -> None:
    """Takes the browser its session; that it ends in the store is the caller's business."""
    response.delete_cookie(
        _cookie(call.request), path="/", secure=_secure(call.request), httponly=True, samesite="lax"
    )


def _secure(connection: HTTPConnection) -> bool:
    # A trusted proxy's word is in the scheme already (http/server.py).
    return connection.scope["scheme"] in ("https", "wss")


def _cookie(connection: HTTPConnection) -> str:
    return SECURE_SESSION_COOKIE if _secure(connection) else SESSION_COOKIE
