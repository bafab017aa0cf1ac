"""``/api/admin/users``: the people, and what an administrator can do about them. Nobody is deleted: disabling somebody
keeps their videos and their books."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from starlette.responses import Response

from sora_gateway.accounts.address import MAX_ADDRESS
from sora_gateway.accounts.authenticator import LINK_LIFETIME, RESET_LIFETIME, SESSION_IDLE
from sora_gateway.core.principal import Role
from sora_gateway.core.views import View, iso
from sora_gateway.errors import Conflict, InvalidRequest, NotFound
from sora_gateway.http.api_keys import Keys, key_view
from sora_gateway.http.auditing import actor_of, entry
from sora_gateway.http.one_time_links import LinkView, address_of
from sora_gateway.http.people import ASKED, Password
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.store.accounts import UserRecord
from sora_gateway.store.administration import Moment, Resident, UserFilter


class UserView(View):
    """Times are ISO 8601 in UTC, credits are whole."""

    id: str
    email: str
    role: Role
    created_at: str
    disabled_at: str | None = Field(description="Since when they cannot come in; null for somebody who can.")
    plan: str = Field(description="The plan that counts now.")
    plan_until: str | None = Field(description="When the default plan follows; null for never.")
    available: int
    held: int = Field(description="Credits that unfinished videos keep back.")
    has_password: bool
    identities: int = Field(description="Accounts at identity providers by which they can sign in.")
    keys: int = Field(description="API keys that work.")
    sessions: int = Field(description="Browsers in which they are signed in.")
    last_seen_at: str | None = Field(description="The latest use of a session or key, to the hour.")


class UserPage(View):
    users: list[UserView]
    has_more: bool


class UserQuery(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    search: Annotated[str, Field(min_length=1, max_length=MAX_ADDRESS)] | None = Field(
        None, description="A part of the address."
    )
    role: Role | None = None
    disabled: bool | None = None
    plan: Annotated[str, Field(min_length=1, max_length=32)] | None = Field(
        None,
        description="The name of the plan that they were given and still have; `default` for those without.",
    )
    after: Annotated[str, Field(max_length=128)] | None = Field(
        None, description="The id of the last person of the page before."
    )


class CreateUser(View):
    model_config = ASKED

    email: Annotated[str, Field(min_length=1, max_length=MAX_ADDRESS)]
    role: Role = "member"
    password: Password | None = Field(
        None, description="8 to 128 characters; without it they sign in by a link, and set one."
    )


class ChangeUser(View):
    """What is left out stays as it is."""

    model_config = ASKED

    role: Role | None = None
    disabled: bool | None = None


def _view(call: Call, resident: Resident) -> UserView:
    user, plans = resident.user, call.services.plans
    plan = plans.of(user.id)
    held = plans.held(user.id)
    return UserView(
        id=user.id,
        email=user.email,
        role=user.role,
        created_at=iso(user.created_at) or "",
        disabled_at=iso(user.disabled_at),
        plan=plan.name,
        plan_until=iso(held.until) if plan.name == held.plan else None,
        available=user.available,
        held=user.held,
        has_password=user.has_password,
        identities=resident.identities,
        keys=resident.keys,
        sessions=resident.sessions,
        last_seen_at=iso(resident.last_seen_at),
    )


def _moment(call: Call) -> Moment:
    return Moment(call.services.clock.now(), SESSION_IDLE)


async def _user(call: Call) -> UserRecord:
    """The person whom the path names. Raises NotFound."""
    return (await call.services.store.administration.resident(call.path["id"], _moment(call))).user


async def list_users(call: Call) -> UserPage:
    """Newest first. The next page is asked for with `after`, the id of the last person of this one."""
    query: UserQuery = call.query
    wanted = UserFilter(query.limit, query.search, query.role, query.disabled, query.after, query.plan)
    residents, more = await call.services.store.administration.page(wanted, _moment(call))
    return UserPage(users=[_view(call, resident) for resident in residents], has_more=more)


async def get_user(call: Call) -> UserView:
    """One of them."""
    return _view(call, await call.services.store.administration.resident(call.path["id"], _moment(call)))


async def create_user(call: Call) -> UserView:
    """Somebody new, with the starting balance. Without a password, give them a reset link or a sign-in link."""
    wish: CreateUser = call.body
    user_id = await call.services.password_accounts.add(wish.email, wish.role, wish.password, actor_of(call))
    return _view(call, await call.services.store.administration.resident(user_id, _moment(call)))


async def change_user(call: Call) -> UserView:
    """Another role, disabled, or enabled again; it holds for the next request, and within two seconds for what is open.

    Whoever is disabled is signed out, their keys rest until they are enabled, and links for them end. Invitations and
    links that somebody made who administers no more end too. The only administrator who is left stays one.
    """
    wish: ChangeUser = call.body
    user_id = call.path["id"]
    await call.services.store.administration.change(
        user_id, wish.role, wish.disabled, actor_of(call), call.services.clock.now()
    )
    call.services.accounts.revoked(user_id)
    return await get_user(call)


async def make_reset_link(call: Call) -> LinkView:
    """A link by which they set a new password, once and within a day; then they sign in with it."""
    user = await _enabled(call)
    token = await call.services.accounts.new_reset_link(user.email, actor_of(call))
    return _link(call, "reset", token, RESET_LIFETIME)


async def make_login_link(call: Call) -> LinkView:
    """A link that signs them in, once and within an hour."""
    user = await _enabled(call)
    token = await call.services.accounts.new_login_link(user.email, actor_of(call))
    return _link(call, "login", token, LINK_LIFETIME)


async def _enabled(call: Call) -> UserRecord:
    user = await _user(call)
    if user.disabled_at is not None:
        raise Conflict(f"{user.email} is disabled, so no link would work; enable them first.")
    return user


def _link(call: Call, kind: str, token: str, lifetime: float) -> LinkView:
    expires_at = iso(call.services.clock.now() + lifetime) or ""
    return LinkView(url=address_of(call, kind, token), token=token, expires_at=expires_at)


async def end_user_sessions(call: Call) -> Response:
    """Signs them out everywhere, and ends links that would sign them in; API keys stay."""
    user_id = call.path["id"]
    await call.services.store.administration.end_sessions(user_id, entry(call, "session.end_all", user_id))
    call.services.accounts.revoked(user_id)
    return Response(status_code=204)


async def list_user_keys(call: Call) -> Keys:
    """Their API keys that are not revoked, newest first."""
    user = await _user(call)
    return Keys(keys=[key_view(record) for record in await call.services.accounts.keys(user.id)])


async def revoke_user_key(call: Call) -> Response:
    """The key stops working with the next request."""
    await call.services.accounts.revoke_key(call.path["id"], call.path["key_id"], actor_of(call))
    return Response(status_code=204)


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/admin/users", handler=list_users, summary="The people",
        access=Access.ADMIN, tag="admin", query=UserQuery, response=UserPage,
    ),
    Endpoint(
        method="POST", path="/api/admin/users", handler=create_user, summary="Add a person",
        access=Access.ADMIN, tag="admin", request=CreateUser, response=UserView, status=201,
        errors=(InvalidRequest, Conflict),
    ),
    Endpoint(
        method="GET", path="/api/admin/users/{id}", handler=get_user, summary="One person",
        access=Access.ADMIN, tag="admin", response=UserView, errors=(NotFound,),
    ),
    Endpoint(
        method="PATCH", path="/api/admin/users/{id}", handler=change_user, summary="Change a role, disable or enable",
        access=Access.ADMIN, tag="admin", request=ChangeUser, response=UserView, errors=(NotFound, Conflict),
    ),
    Endpoint(
        method="POST", path="/api/admin/users/{id}/reset-link", handler=make_reset_link, summary="A link to set a password",
        access=Access.ADMIN, tag="admin", response=LinkView, status=201, errors=(NotFound, Conflict),
    ),
    Endpoint(
        method="POST", path="/api/admin/users/{id}/login-link", handler=make_login_link, summary="A link that signs in",
        access=Access.ADMIN, tag="admin", response=LinkView, status=201, errors=(NotFound, Conflict),
    ),
    Endpoint(
        method="POST", path="/api/admin/users/{id}/end-sessions", handler=end_user_sessions, summary="Sign a person out everywhere",
        access=Access.ADMIN, tag="admin", status=204, errors=(NotFound,),
    ),
    Endpoint(
        method="GET", path="/api/admin/users/{id}/keys", handler=list_user_keys, summary="A person's API keys",
        access=Access.ADMIN, tag="admin", response=Keys, errors=(NotFound,),
    ),
    Endpoint(
        method="DELETE", path="/api/admin/users/{id}/keys/{key_id}", handler=revoke_user_key, summary="Revoke a person's API key",
        access=Access.ADMIN, tag="admin", status=204, errors=(NotFound,),
    ),
]  # fmt: skip
