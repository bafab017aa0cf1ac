"""Keys for programs: a name, what they are for, and until when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field
from starlette.responses import Response

from sora_gateway.accounts.authenticator import MAX_KEY_NAME
from sora_gateway.core.principal import FOR_PROGRAMS, Principal, Scope
from sora_gateway.core.views import View, iso
from sora_gateway.errors import Forbidden, FreshLoginNeeded, InvalidRequest, NotFound, ScopeMissing
from sora_gateway.http.auditing import actor_of
from sora_gateway.http.people import ASKED
from sora_gateway.http.routing import Access, Call, Endpoint, check_fresh
from sora_gateway.store.accounts import KeyRecord

LONGEST = 10 * 365 * 86400
"""Seconds until a key expires, at most."""


class CreateKey(View):
    model_config = ASKED

    name: Annotated[str, Field(min_length=1, max_length=MAX_KEY_NAME)]
    scopes: (
        Annotated[list[Annotated[Scope, Field(strict=False)]], Field(min_length=1, max_length=16)] | None
    ) = Field(None, description="What it is for; without, `videos:read` and `videos:write`.")
    expires_at: Annotated[AwareDatetime, Field(strict=False)] | None = Field(
        None, description="ISO 8601 with a time zone; without, it does not end by itself."
    )
    expires_in: Annotated[int, Field(ge=1, le=LONGEST)] | None = Field(
        None, description="Seconds; instead of expiresAt."
    )


class Key(View):
    """Times are ISO 8601 in UTC."""

    id: str
    name: str
    prefix: str = Field(description="How it begins.")
    scopes: list[Scope]
    created_at: str
    expires_at: str | None
    last_used_at: str | None = Field(description="To the minute.")


class NewKey(Key):
    key: str = Field(description="The key itself; it is shown this once.")


class Keys(View):
    keys: list[Key]


def key_view(record: KeyRecord) -> Key:
    return Key(
        id=record.id,
        name=record.name,
        prefix=record.prefix,
        scopes=sorted(record.scopes),
        created_at=iso(record.created_at) or "",
        expires_at=iso(record.expires_at),
        last_used_at=iso(record.last_used_at),
    )


async def list_keys(call: Call) -> Keys:
    """The caller's keys that are not revoked, newest first; expired ones too."""
    return Keys(keys=[key_view(record) for record in await call.services.accounts.keys(call.caller.user_id)])


async def create_key(call: Call) -> NewKey:
    """Its text is shown this once. It can do no more, and lasts no longer, than the key that makes it."""
    wish: CreateKey = call.body
    scopes, now = _scopes(call.caller, wish.scopes), call.services.clock.now()
    if Scope.ADMIN in scopes:
        # Such a key needs no fresh sign-in: making one must not be the way around it.
        check_fresh(call.caller, now)
    expires_at = _expiry(call.caller, wish, now)
    text, record = await call.services.accounts.create_key(
        call.caller.user_id, wish.name, scopes, expires_at, actor_of(call)
    )
    return NewKey(**dict(key_view(record)), key=text)


def _scopes(caller: Principal, wanted: list[Scope] | None) -> frozenset[Scope]:
    """Raises ScopeMissing or Forbidden for what the caller could not do themselves."""
    scopes = FOR_PROGRAMS & caller.scopes if wanted is None else frozenset(wanted)
    missing = scopes - caller.scopes
    if missing:
        raise ScopeMissing(f"This key is not for {', '.join(sorted(missing))}, so it makes none that is.")
    if Scope.ADMIN in scopes and caller.role != "admin":
        raise Forbidden("Only an administrator makes keys for administrating.")
    return scopes


def _expiry(caller: Principal, wish: CreateKey, now: float) -> float | None:
    at: datetime | None = wish.expires_at
    if at is not None and wish.expires_in is not None:
        raise InvalidRequest("Say expiresAt or expiresIn, not both.", param="expiresIn")
    expires_at = None
    if at is not None:
        expires_at = at.timestamp()
    elif wish.expires_in is not None:
        expires_at = now + wish.expires_in
    if expires_at is not None and expires_at > now + LONGEST:
        raise InvalidRequest("A key lasts ten years at most, or does not end by itself.", param="expiresAt")
    if caller.via == "key" and caller.expires_at is not None:
        return min(expires_at or caller.expires_at, caller.expires_at)
    return expires_at


async def revoke_key(call: Call) -> Response:
    """The key stops working with the next request, and what it has open within two seconds."""
    await call.services.accounts.revoke_key(call.caller.user_id, call.path["id"], actor_of(call))
    return Response(status_code=204)


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/keys", handler=list_keys, summary="My API keys",
        access=Access.VIEWER, tag="people", response=Keys,
    ),
    Endpoint(
        method="POST", path="/api/keys", handler=create_key, summary="A new API key",
        access=Access.VIEWER, tag="people", request=CreateKey, response=NewKey, status=201,
        errors=(InvalidRequest, Forbidden, ScopeMissing, FreshLoginNeeded),
    ),
    Endpoint(
        method="DELETE", path="/api/keys/{id}", handler=revoke_key, summary="Revoke an API key",
        access=Access.VIEWER, tag="people", status=204, errors=(NotFound,),
    ),
]  # fmt: skip
