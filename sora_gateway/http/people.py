"""Signing in by a one-time link, who am I, and API keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from starlette.responses import Response

from sora_gateway.core.principal import Principal, Role, Scope
from sora_gateway.core.views import View, iso
from sora_gateway.errors import InsecureConnection, NotAuthenticated, NotFound
from sora_gateway.http.credentials import check_secure, end_session, set_session
from sora_gateway.http.routing import Access, Call, Endpoint, to_json
from sora_gateway.store.accounts import KeyRecord


class Redeem(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid", "strict": True})

    token: Annotated[str, Field(min_length=1, max_length=512)]


class Person(View):
    id: str
    email: str
    role: Role


class Me(View):
    user: Person
    simulator: bool = Field(description="Whether videos are simulated because no upstream is configured.")


class CreateKey(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid", "strict": True})

    name: Annotated[str, Field(min_length=1, max_length=100)]


class Key(View):
    id: str
    name: str
    prefix: str
    created_at: str
    last_used_at: str | None


class NewKey(Key):
    key: str = Field(description="The key itself; it is shown this once.")


class Keys(View):
    keys: list[Key]


def _me(call: Call, principal: Principal) -> Me:
    person = Person(id=principal.user_id, email=principal.email, role=principal.role)
    return Me(user=person, simulator=call.services.catalogue.simulated)


def _key(record: KeyRecord) -> Key:
    return Key(
        id=record.id,
        name=record.name,
        prefix=record.prefix,
        created_at=iso(record.created_at) or "",
        last_used_at=iso(record.last_used_at),
    )


async def redeem(call: Call) -> Response:
    """Uses a one-time link up and signs the browser in by a cookie."""
    check_secure(call)  # the link would be used up
    principal, session = await call.services.accounts.redeem(call.body.token)
    response = Response(to_json(_me(call, principal)), media_type="application/json")
    set_session(call, response, session)
    return response


async def logout(call: Call) -> Response:
    """Ends the session, here and in the store."""
    await call.services.accounts.logout(call.caller)
    response = Response(status_code=204)
    end_session(call, response)
    return response


async def me(call: Call) -> Me:
    """Who is asking."""
    return _me(call, call.caller)


async def list_keys(call: Call) -> Keys:
    """The caller's keys that are in use, newest first."""
    return Keys(keys=[_key(record) for record in await call.services.accounts.keys(call.caller.user_id)])


async def create_key(call: Call) -> NewKey:
    """A new key with the caller's own rights; its text is shown this once."""
    text, record = await call.services.accounts.create_key(call.caller.user_id, call.body.name)
    return NewKey(**_key(record).model_dump(), key=text)


async def revoke_key(call: Call) -> Response:
    """The key stops working with the next request."""
    await call.services.accounts.revoke_key(call.caller.user_id, call.path["id"])
    return Response(status_code=204)


ENDPOINTS = [
    Endpoint(
        method="POST", path="/api/auth/redeem", handler=redeem, summary="Sign in by a one-time link",
        access=Access.PUBLIC, tag="people", request=Redeem, response=Me,
        errors=(NotAuthenticated, InsecureConnection),
    ),
    Endpoint(
        method="POST", path="/api/auth/logout", handler=logout, summary="Sign out",
        access=Access.VIEWER, tag="people", status=204,
    ),
    Endpoint(
        method="GET", path="/api/auth/me", handler=me, summary="Who am I?",
        access=Access.VIEWER, tag="people", needs=Scope.READ, response=Me,
    ),
    Endpoint(
        method="GET", path="/api/keys", handler=list_keys, summary="My API keys",
        access=Access.VIEWER, tag="people", response=Keys,
    ),
    Endpoint(
        method="POST", path="/api/keys", handler=create_key, summary="A new API key",
        access=Access.VIEWER, tag="people", request=CreateKey, response=NewKey, status=201,
    ),
    Endpoint(
        method="DELETE", path="/api/keys/{id}", handler=revoke_key, summary="Revoke an API key",
        access=Access.VIEWER, tag="people", status=204, errors=(NotFound,),
    ),
]  # fmt: skip
