"""Signing in by a password or a one-time link, registering, and setting a forgotten password."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from starlette.responses import Response

from sora_gateway.accounts.address import MAX_ADDRESS
from sora_gateway.core.principal import Principal
from sora_gateway.core.views import View
from sora_gateway.errors import (
    AccountDisabled,
    AccountExists,
    InsecureConnection,
    InvalidRequest,
    NotAdmitted,
    NotAuthenticated,
    NotFound,
    TooManyRequests,
    Unavailable,
)
from sora_gateway.http.credentials import check_secure, session_of, set_session
from sora_gateway.http.people import ASKED, Me, Password, me_of, visit_of
from sora_gateway.http.routing import Access, Call, Endpoint, to_json

Email = Annotated[str, Field(min_length=1, max_length=MAX_ADDRESS)]
Token = Annotated[str, Field(min_length=1, max_length=512)]
Kind = Annotated[
    Literal["cookie", "bearer"],
    Field(
        description="cookie signs the browser in; bearer answers with a token, for programs, and sets no cookie."
    ),
]


class Login(View):
    model_config = ASKED

    email: Email
    password: Password
    session: Kind = "cookie"


class Redeem(View):
    model_config = ASKED

    token: Token
    session: Kind = "cookie"


class SignedIn(Me):
    token: str | None = Field(description="The session's, when it was asked for; shown this once.")


class Register(View):
    model_config = ASKED

    email: Email
    password: Password = Field(description="8 to 128 characters.")
    invitation: Token | None = Field(None, description="What an invitation's link has behind `#invite=`.")


class Reset(View):
    model_config = ASKED

    token: Token = Field(description="What the link has behind `#reset=`.")
    password: Password = Field(description="8 to 128 characters.")


async def login(call: Call) -> Response:
    """An unknown address and a wrong password are answered alike. After the sixth wrong password in a row an account
    is locked for a second, then for twice as long each time, up to a quarter of an hour; while it is, nothing is tried."""
    wish: Login = call.body
    check_secure(call)
    token = await call.services.password_accounts.sign_in(wish.email, wish.password, visit_of(call))
    principal = await call.services.accounts.by_session(token)
    if principal is None:  # disabled between the two
        raise AccountDisabled("This account is disabled; ask an administrator.")
    return await _signed_in(call, principal, token, wish.session)


async def redeem(call: Call) -> Response:
    """Uses a one-time link up and signs in by it."""
    wish: Redeem = call.body
    check_secure(call)  # the link would be used up
    visit = visit_of(call)
    call.services.password_accounts.count(visit)
    principal, token = await call.services.accounts.redeem(wish.token, visit.by, visit.user_agent)
    return await _signed_in(call, principal, token, wish.session)


async def _signed_in(call: Call, principal: Principal, token: str, kind: str) -> Response:
    """A session under an id that was not there before; the one that the browser had ends."""
    answer = SignedIn(**dict(await me_of(call, principal)), token=token if kind == "bearer" else None)
    response = Response(to_json(answer), media_type="application/json")
    if kind == "cookie":
        before = session_of(call.request)
        if before is not None:
            await call.services.accounts.end_session(before)
        set_session(call, response, token)
    return response


async def register(call: Call) -> Response:
    """Makes an account, as far as `accounts.registration` allows it; sign in with it then.

    Where everybody may register, an address that has an account already gets the same answer and nothing is done:
    who is known here is nobody's business. Whoever was invited is told.
    """
    wish: Register = call.body
    await call.services.password_accounts.register(wish.email, wish.password, wish.invitation, visit_of(call))
    return Response(status_code=204)


async def reset_password(call: Call) -> Response:
    """Sets the password by a link from an administrator; ends every session of the account."""
    wish: Reset = call.body
    await call.services.password_accounts.reset(wish.token, wish.password, visit_of(call))
    return Response(status_code=204)


ENDPOINTS = [
    Endpoint(
        method="POST", path="/api/auth/login", handler=login, summary="Sign in by a password",
        access=Access.PUBLIC, tag="people", request=Login, response=SignedIn,
        errors=(NotAuthenticated, AccountDisabled, InsecureConnection, TooManyRequests, Unavailable),
    ),
    Endpoint(
        method="POST", path="/api/auth/redeem", handler=redeem, summary="Sign in by a one-time link",
        access=Access.PUBLIC, tag="people", request=Redeem, response=SignedIn,
        errors=(NotAuthenticated, AccountDisabled, InsecureConnection, TooManyRequests),
    ),
    Endpoint(
        method="POST", path="/api/auth/register", handler=register, summary="Make an account",
        access=Access.PUBLIC, tag="people", request=Register, status=204,
        errors=(InvalidRequest, NotFound, NotAdmitted, AccountExists, TooManyRequests, Unavailable),
    ),
    Endpoint(
        method="POST", path="/api/auth/reset", handler=reset_password, summary="Set a forgotten password",
        access=Access.PUBLIC, tag="people", request=Reset, status=204,
        errors=(InvalidRequest, NotAuthenticated, TooManyRequests, Unavailable),
    ),
]  # fmt: skip
