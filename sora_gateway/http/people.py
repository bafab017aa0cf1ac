"""One's own account: who am I, my sessions, my password."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from starlette.responses import Response

from sora_gateway.accounts.password_accounts import Visit
from sora_gateway.core.principal import FRESH, Principal, Role, Scope
from sora_gateway.core.views import View, iso
from sora_gateway.errors import (
    Conflict,
    FreshLoginNeeded,
    InsecureConnection,
    InvalidRequest,
    NotFound,
    TooManyRequests,
    Unavailable,
    WrongPassword,
)
from sora_gateway.http.auditing import actor_of
from sora_gateway.http.credentials import check_secure, end_session, set_session
from sora_gateway.http.routing import Access, Call, Endpoint, to_json
from sora_gateway.store.sessions import SessionRecord

ASKED = ConfigDict(**{**View.model_config, "extra": "forbid", "strict": True})
Password = Annotated[str, Field(min_length=1, max_length=1024)]
"""Whether it is a good one is said by whoever hashes it."""


class Person(View):
    id: str
    email: str
    role: Role


class Me(View):
    user: Person
    simulator: bool = Field(description="Whether videos are simulated because no upstream is configured.")
    via: Literal["session", "key"] = Field(description="What was presented.")
    scopes: list[Scope] = Field(description="What it is for; a session is for everything.")
    has_password: bool
    fresh_until: str | None = Field(
        description="Until when the sign-in counts as fresh; null when it does not any more, and for a key."
    )
    expires_at: str | None = Field(description="When the session or the key ends by itself.")


class SessionView(View):
    """Times are ISO 8601 in UTC."""

    id: str
    created_at: str
    seen_at: str = Field(description="Its last use, to the hour.")
    expires_at: str
    address: str = Field(description="Where the sign-in came from.")
    user_agent: str
    current: bool = Field(description="Whether this request came by it.")


class Sessions(View):
    sessions: list[SessionView]


class ChangePassword(View):
    model_config = ASKED

    current: Password | None = Field(
        None, description="Left out only by who has no password yet, within 15 minutes after a sign-in."
    )
    new: Password = Field(description="8 to 128 characters.")


class PasswordChanged(View):
    token: str | None = Field(
        description="The session's new token, for programs that send it as a bearer; null otherwise."
    )


async def me_of(call: Call, principal: Principal) -> Me:
    now = call.services.clock.now()
    fresh_until = principal.authenticated_at + FRESH
    return Me(
        user=Person(id=principal.user_id, email=principal.email, role=principal.role),
        simulator=call.services.catalogue.simulated,
        via=principal.via,
        scopes=sorted(principal.scopes),
        has_password=await call.services.password_accounts.has_password(principal),
        fresh_until=iso(fresh_until) if fresh_until > now else None,
        expires_at=iso(principal.expires_at),
    )


def visit_of(call: Call) -> Visit:
    """Where a request comes from; it has no name when nobody is signed in."""
    name = call.principal.user_id if call.principal is not None else ""
    return Visit(actor_of(call, name), call.request.headers.get("user-agent", ""))


def _session(record: SessionRecord, current: bool) -> SessionView:
    return SessionView(
        id=record.id,
        created_at=iso(record.created_at) or "",
        seen_at=iso(record.seen_at) or "",
        expires_at=iso(record.expires_at) or "",
        address=record.address,
        user_agent=record.user_agent,
        current=current,
    )


async def me(call: Call) -> Me:
    """Who is asking."""
    return await me_of(call, call.caller)


async def list_sessions(call: Call) -> Sessions:
    """Where the caller is signed in, newest first."""
    found = await call.services.accounts.sessions(call.caller)
    return Sessions(sessions=[_session(record, current) for record, current in found])


async def revoke_session(call: Call) -> Response:
    """It ends with its next request, and what it has open within two seconds."""
    await call.services.accounts.end_own_session(call.caller, call.path["id"], actor_of(call))
    return Response(status_code=204)


async def revoke_other_sessions(call: Call) -> Response:
    """Ends every session of the caller but the one that asks; API keys stay. A key has no session: all of them end."""
    await call.services.accounts.end_other_sessions(call.caller, actor_of(call))
    return Response(status_code=204)


async def logout(call: Call) -> Response:
    """Ends the session, here and in the store. An API key has none and stays."""
    await call.services.accounts.logout(call.caller, actor_of(call))
    return _signed_out(call)


async def logout_everywhere(call: Call) -> Response:
    """Ends every session of the caller, this one too; API keys stay."""
    await call.services.accounts.logout_everywhere(call.caller, actor_of(call))
    return _signed_out(call)


def _signed_out(call: Call) -> Response:
    response = Response(status_code=204)
    end_session(call, response)
    return response


async def change_password(call: Call) -> Response:
    """Ends all other sessions, and the links that were made for the caller; this session goes on under a new token.

    Wrong passwords here count like those of sign-ins.
    """
    wish: ChangePassword = call.body
    by_header = "authorization" in call.request.headers
    if not by_header:
        check_secure(call)  # before the old token ends
    token = await call.services.password_accounts.change(call.caller, wish.current, wish.new, visit_of(call))
    answer = PasswordChanged(token=token if by_header else None)
    response = Response(to_json(answer), media_type="application/json")
    if token is not None and not by_header:
        set_session(call, response, token)
    return response


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/auth/me", handler=me, summary="Who am I?",
        access=Access.VIEWER, tag="people", needs=Scope.READ, response=Me,
    ),
    Endpoint(
        method="POST", path="/api/auth/logout", handler=logout, summary="Sign out",
        access=Access.VIEWER, tag="people", status=204,
    ),
    Endpoint(
        method="POST", path="/api/auth/logout-everywhere", handler=logout_everywhere, summary="Sign out everywhere",
        access=Access.VIEWER, tag="people", status=204,
    ),
    Endpoint(
        method="GET", path="/api/auth/sessions", handler=list_sessions, summary="Where I am signed in",
        access=Access.VIEWER, tag="people", response=Sessions,
    ),
    Endpoint(
        method="DELETE", path="/api/auth/sessions", handler=revoke_other_sessions,
        summary="Sign out everywhere else", access=Access.VIEWER, tag="people", status=204,
    ),
    Endpoint(
        method="DELETE", path="/api/auth/sessions/{id}", handler=revoke_session, summary="Sign out somewhere else",
        access=Access.VIEWER, tag="people", status=204, errors=(NotFound,),
    ),
    Endpoint(
        method="POST", path="/api/auth/password", handler=change_password, summary="Set my password",
        access=Access.VIEWER, tag="people", request=ChangePassword, response=PasswordChanged,
        errors=(
            InvalidRequest, WrongPassword, FreshLoginNeeded, InsecureConnection, Conflict, TooManyRequests,
            Unavailable,
        ),
    ),
]  # fmt: skip
