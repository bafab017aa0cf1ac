"""Signing in with an identity provider, and which identities are mine.

A browser comes to the callback by itself, so what goes wrong there is told to the page: ``#signInError=CODE``, with a
code of the catalogue. Whoever accepts JSON and no HTML gets the error itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import ConfigDict, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sora_gateway.accounts.oidc import LIFETIME, Begun, Wish
from sora_gateway.core.views import View, iso
from sora_gateway.errors import (
    AccountDisabled,
    AccountExists,
    AddressNotVerified,
    FreshLoginNeeded,
    GatewayError,
    IdentityTaken,
    InsecureConnection,
    LastSignIn,
    NotAdmitted,
    NotAuthenticated,
    NotFound,
    ProviderFailed,
    ProviderUnavailable,
    SignInExpired,
    SignInRefused,
    TooManyRequests,
)
from sora_gateway.http.auditing import actor_of
from sora_gateway.http.credentials import check_secure, session_of, set_session
from sora_gateway.http.people import visit_of
from sora_gateway.http.routing import Access, Call, Endpoint, check_fresh, to_json
from sora_gateway.store.identities import IdentityRecord

ROUND_TRIP_COOKIE = "oidc"
"""What a browser keeps while it is at the provider; over HTTPS with ``__Host-`` in front."""

_CHARACTERS = r"A-Za-z0-9._~!$&'()*+,;=:@%?-"
# A second slash would begin another host's name, and browsers take a backslash for a slash.
LocalPath = Annotated[
    str,
    StringConstraints(
        max_length=512, pattern=rf"^(/([{_CHARACTERS}][/{_CHARACTERS}]*)?)?(#[/{_CHARACTERS}]*)?$"
    ),
]


class LoginQuery(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    next: LocalPath = Field(
        default="/", description="Where to go afterwards: a path of this gateway, or `#...`."
    )


class BeginSignIn(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid", "strict": True})

    next: LocalPath = Field(
        default="/", description="Where to go afterwards: a path of this gateway, or `#...`."
    )
    invitation: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        default=None, description="The token of an invitation, for somebody who has no account yet."
    )
    link: bool = Field(
        default=False,
        description="Link the identity to the account that is signed in, instead of signing in.",
    )


class SignInBegun(View):
    url: str = Field(description="Where the browser has to go now, within ten minutes.")


class SignInWay(View):
    name: str
    label: str


class Methods(View):
    password: bool
    registration: Literal["closed", "invite", "open"] = Field(
        description="Who may make an account by a password."
    )
    providers: list[SignInWay]


class Identity(View):
    id: str
    provider: str | None = Field(
        description="The provider's name here, null if it is not configured any more."
    )
    issuer: str
    email: str = Field(description="The address that the provider named when it was linked.")
    created_at: str


class Identities(View):
    identities: list[Identity]


async def sign_in_methods(call: Call) -> Methods:
    """The ways of signing in, for a page that nobody is signed in to yet."""
    ways = [SignInWay(name=each.name, label=each.label) for each in call.services.sign_in().providers]
    return Methods(password=True, registration=call.services.password_accounts.registration, providers=ways)


async def go_to_provider(call: Call) -> Response:
    """Sends the browser to the provider, and on its way back to the callback."""
    try:
        begun = await _begin(call, Wish(_callback(call), call.query.next))
    except GatewayError as error:
        return _told(call, error)
    return _keeping(call, RedirectResponse(begun.url, 302), begun)


async def begin_sign_in(call: Call) -> Response:
    """The same for a page that brings an invitation, or wants to link an identity to the account that is signed in.

    Linking is not begun by a mere address: another site could send people there, and link an identity of its own.
    """
    wanted: BeginSignIn = call.body
    link_to = None
    if wanted.link:
        if call.principal is None or call.principal.via != "session":
            raise NotAuthenticated(
                "Sign in first; an identity is linked to the account of the browser's session."
            )
        check_fresh(call.principal, call.services.clock.now())
        link_to = call.principal.user_id
    closed = call.services.password_accounts.registration == "closed"
    invitation = None if closed else wanted.invitation
    begun = await _begin(call, Wish(_callback(call), wanted.next, invitation, link_to))
    answer = Response(to_json(SignInBegun(url=begun.url)), media_type="application/json")
    return _keeping(call, answer, begun)


async def come_back_from_provider(call: Call) -> Response:
    """Where the provider sends the browser. It ends at a page, signed in or with `#signInError=CODE`."""
    call_cookie = call.request.cookies.get(_cookie(call.request))
    items = call.request.query_params.multi_items()
    try:
        check_secure(call)
        if len(dict(items)) != len(items):
            raise SignInExpired("The provider's answer says something twice; begin again.")
        finished = await call.services.sign_in().finish(
            call.path["name"], call_cookie, dict(items), call.principal, visit_of(call)
        )
        answer: Response = RedirectResponse(_ours(call, finished.next), 302)
        if finished.session is not None:
            before = session_of(call.request)
            if before is not None:
                await call.services.accounts.end_session(before)
            set_session(call, answer, finished.session)
    except GatewayError as error:
        answer = _told(call, error)
    answer.delete_cookie(_cookie(call.request), **_attributes(call.request))
    return answer


async def list_identities(call: Call) -> Identities:
    """The identities that sign the caller in, oldest first."""
    names = {each.issuer: each.name for each in call.services.sign_in().providers}
    found = await call.services.sign_in().identities(call.caller.user_id)
    return Identities(identities=[_identity(each, names.get) for each in found])


async def unlink_identity(call: Call) -> Response:
    """The identity signs nobody in any more, and can be linked to another account."""
    check_fresh(call.caller, call.services.clock.now())
    await call.services.sign_in().unlink(call.caller.user_id, call.path["id"], actor_of(call, ""))
    return Response(status_code=204)


# --- the parts -----------------------------------------------------------------------------------------


async def _begin(call: Call, wish: Wish) -> Begun:
    check_secure(call)
    call.services.password_accounts.count(visit_of(call))
    return await call.services.sign_in().begin(call.path["name"], wish)


def _callback(call: Call) -> str:
    """The address that the operator has registered with the provider."""
    server, url = call.services.settings.server, call.request.url
    base = server.public_url or f"{url.scheme}://{url.netloc}{server.root_path}"
    return f"{base}/api/auth/oidc/{call.path['name']}/callback"


def _ours(call: Call, path: str) -> str:
    root = call.services.settings.server.root_path
    return f"{root}{path}" if path.startswith("/") else f"{root}/{path}"


def _told(call: Call, error: GatewayError) -> Response:
    accepts = call.request.headers.get("accept", "")
    if "application/json" in accepts and "text/html" not in accepts:
        raise error
    return RedirectResponse(_ours(call, f"#{urlencode({'signInError': error.code})}"), 302)


def _keeping(call: Call, answer: Response, begun: Begun) -> Response:
    answer.set_cookie(_cookie(call.request), begun.cookie, max_age=int(LIFETIME), **_attributes(call.request))
    return answer


def _cookie(request: Request) -> str:
    return f"__Host-{ROUND_TRIP_COOKIE}" if request.url.scheme == "https" else ROUND_TRIP_COOKIE


def _attributes(request: Request) -> dict[str, Any]:
    # Lax: the browser comes back from another site, by a link.
    return {"path": "/", "secure": request.url.scheme == "https", "httponly": True, "samesite": "lax"}


def _identity(record: IdentityRecord, name_of: Callable[[str], str | None]) -> Identity:
    return Identity(
        id=record.id,
        provider=name_of(record.issuer),
        issuer=record.issuer,
        email=record.email,
        created_at=iso(record.created_at) or "",
    )


_GOING = (InsecureConnection, NotFound, ProviderFailed, ProviderUnavailable, TooManyRequests)
_COMING = (
    SignInExpired, SignInRefused, AddressNotVerified, NotAdmitted, AccountExists, AccountDisabled, IdentityTaken,
    NotAuthenticated,
)  # fmt: skip

ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/auth/methods", handler=sign_in_methods, summary="Ways of signing in",
        access=Access.PUBLIC, tag="people", response=Methods,
    ),
    Endpoint(
        method="GET", path="/api/auth/oidc/{name}/login", handler=go_to_provider, summary="Sign in with a provider",
        access=Access.PUBLIC, tag="people", query=LoginQuery, status=302, produces=(), errors=_GOING,
    ),
    Endpoint(
        method="POST", path="/api/auth/oidc/{name}/login", handler=begin_sign_in, summary="Begin to, for a page",
        access=Access.OPTIONAL, tag="people", request=BeginSignIn, response=SignInBegun,
        errors=(*_GOING, NotAuthenticated, FreshLoginNeeded),
    ),
    Endpoint(
        method="GET", path="/api/auth/oidc/{name}/callback", handler=come_back_from_provider,
        summary="Where the provider sends the browser", access=Access.OPTIONAL, tag="people", status=302,
        produces=(), errors=(*_GOING, *_COMING),
    ),
    Endpoint(
        method="GET", path="/api/auth/identities", handler=list_identities, summary="My identities at providers",
        access=Access.VIEWER, tag="people", response=Identities,
    ),
    Endpoint(
        method="DELETE", path="/api/auth/identities/{id}", handler=unlink_identity, summary="Unlink an identity",
        access=Access.VIEWER, tag="people", status=204, errors=(NotFound, LastSignIn, FreshLoginNeeded),
    ),
]  # fmt: skip
