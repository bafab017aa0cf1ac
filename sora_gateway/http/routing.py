"""The typed route table: each endpoint is said once, and becomes a route and a part of the API's description."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sora_gateway.core.principal import FRESH, Principal, Scope
from sora_gateway.errors import (
    Forbidden,
    FreshLoginNeeded,
    GatewayError,
    NotAuthenticated,
    NotFound,
    ScopeMissing,
)
from sora_gateway.http.arrival import Spool
from sora_gateway.http.metering import ROUTE
from sora_gateway.http.middleware import REQUEST_ID
from sora_gateway.http.origin import SAFE_METHODS
from sora_gateway.http.request_body import FORMS, Body, RequestBodies, media_type
from sora_gateway.http.services import Services
from sora_gateway.http.validation import parse, parse_query

_CONVERTER = re.compile(r":[a-z]+\}")


class Access(Enum):
    """Who may call an endpoint at all; what they then may see is the handler's business."""

    PUBLIC = "anyone; credentials are not looked at"
    OPTIONAL = "anyone; a good credential is used, a bad one ignored"
    VIEWER = "everyone who is signed in"
    MEMBER = "members and administrators"
    ADMIN = "administrators; for everybody else there is nothing here"


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one endpoint. *body* and *query* are instances of the endpoint's models, or None."""

    request: Request
    principal: Principal | None
    body: Any
    query: Any
    request_id: str
    services: Services
    route: str
    """The path as the table has it: the same for every id."""
    fields: Mapping[str, Any] | None = None
    """The body as it came, before its model filled in and converted anything; None without one."""
    answer_headers: dict[str, str] = field(default_factory=dict)
    """Headers that the handler adds to an answer which is a model."""
    waiting: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
    """Entered by a handler that is going to wait for an upstream: :class:`~sora_gateway.http.request_body.Body`."""

    @property
    def caller(self) -> Principal:
        """The principal of an endpoint that is not open to anyone."""
        assert self.principal is not None
        return self.principal

    @property
    def path(self) -> Mapping[str, str]:
        return self.request.path_params


Handler: TypeAlias = Callable[[Call], Awaitable[Response | BaseModel]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path. The handler's name is the operation's id, its docstring the description."""

    method: str
    path: str
    handler: Handler
    summary: str
    access: Access
    tag: str
    request: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    """The model of the body when it comes as a form, where it may; without *request* it must."""
    uploads: bool = False
    """Whether the body may be as large as files are; the path has no parameters then."""
    tickets: bool = False
    """Whether ``?ticket=`` is a credential here: for streams, to which a browser can give nothing but an address."""
    paid: bool = False
    """Whether it may cost something, so that sending it again must not cost it again (:mod:`.paid`)."""
    query: type[BaseModel] | None = None
    response: type[BaseModel] | None = None
    status: int = 200
    produces: tuple[str, ...] = ("application/json",)
    also: Mapping[int, str] = field(default_factory=dict)
    """Other statuses that are no errors, and when they come; 206 has the media types of the file."""
    errors: tuple[type[GatewayError], ...] = ()
    """What it can answer beyond what follows from the rest of the row."""
    needs: Scope | None = None
    """What a key must be for, where that does not follow from the rest of the row: see :attr:`scope`."""

    @property
    def template(self) -> str:
        """The path as it is described: ``{id}`` also where a value may have slashes (``{id:path}``)."""
        return _CONVERTER.sub("}", self.path)

    @property
    def scope(self) -> Scope | None:
        """What an API key must be for to call it; None where nobody needs to be signed in."""
        if self.access is Access.PUBLIC:
            return None
        if self.needs is not None:
            return self.needs
        if self.access is Access.ADMIN:
            return Scope.ADMIN
        if self.tag == "people":
            return Scope.ACCOUNT
        return Scope.READ if self.method in SAFE_METHODS else Scope.WRITE

    @property
    def fresh(self) -> bool:
        """Whether a session must have begun a short time ago: a browser that was left open cannot hand the gateway
        over to whoever finds it. API keys are not browsers."""
        return self.access is Access.ADMIN and self.method not in SAFE_METHODS


def routes(endpoints: Sequence[Endpoint], services: Services, spool: Spool) -> list[Route]:
    """One route per path, in the order of the table: a literal path must come before a pattern that fits it."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        methods = by_path.setdefault(endpoint.path, {})
        assert endpoint.method not in methods, f"{endpoint.method} {endpoint.path} is there twice"
        methods[endpoint.method] = endpoint
    bodies = RequestBodies(spool)
    return [
        Route(path, _dispatcher(methods, services, bodies), methods=list(methods))
        for path, methods in by_path.items()
    ]


def _dispatcher(
    methods: Mapping[str, Endpoint], services: Services, bodies: RequestBodies
) -> Callable[[Request], Awaitable[Response]]:
    async def dispatch(request: Request) -> Response:
        endpoint = methods.get(request.method) or methods["GET"]  # HEAD is GET without the body
        request.scope[ROUTE].template = endpoint.template
        return await _answer(endpoint, request, services, bodies)

    return dispatch


async def _answer(
    endpoint: Endpoint, request: Request, services: Services, bodies: RequestBodies
) -> Response:
    principal, told = await _counted(endpoint, request, services)
    if endpoint.method not in SAFE_METHODS:
        services.readiness.check()
    query = parse_query(endpoint.query, request.query_params) if endpoint.query else None
    async with _body(endpoint, request, bodies) as (model, body):
        if model is not None:
            # An upload may take minutes to arrive, and rights can be withdrawn meanwhile.
            principal = await _admit(endpoint, request, services)
        call = Call(
            request, principal, model, query, request.scope[REQUEST_ID], services, endpoint.path,
            fields=body.value, waiting=body.waiting,
        )  # fmt: skip
        answer = await endpoint.handler(call)
    if isinstance(answer, Response):
        answer.headers.update(told)
        return answer
    return Response(
        to_json(answer),
        status_code=endpoint.status,
        media_type="application/json",
        headers={**told, **call.answer_headers},
    )


_UNCOUNTED = frozenset({"system", "upstreams"})
"""Balancers ask often, and so does an upstream at which many videos are finished; it signs what it sends."""


async def _counted(
    endpoint: Endpoint, request: Request, services: Services
) -> tuple[Principal | None, Mapping[str, str]]:
    """Who asks, and what is left of what they may ask for.

    Raises:
        TooManyRequests: nothing is left. Whoever is refused for other reasons is counted as a stranger.
    """
    address = request.client.host if request.client else ""
    limits = services.settings.limits
    if endpoint.tag in _UNCOUNTED:
        return await _admit(endpoint, request, services), {}
    try:
        principal = await _admit(endpoint, request, services)
    except (NotAuthenticated, NotFound, Forbidden):
        services.limits.count(limits, None, address, paid=False)
        raise
    return principal, services.limits.count(limits, principal, address, paid=endpoint.paid)


@asynccontextmanager
async def _body(
    endpoint: Endpoint, request: Request, bodies: RequestBodies
) -> AsyncIterator[tuple[BaseModel | None, Body]]:
    """The body as the endpoint's model and as it came."""
    model = endpoint.request or endpoint.form
    if model is None:
        yield None, Body(None)
        return
    if endpoint.form is not None and media_type(request) in FORMS:
        model = endpoint.form
    json, forms = endpoint.request is not None, endpoint.form is not None
    async with bodies.body(request, json=json, forms=forms, uploads=endpoint.uploads) as body:
        yield parse(model, body.value), body


async def _admit(endpoint: Endpoint, request: Request, services: Services) -> Principal | None:
    """Who asks, if they may call the endpoint at all.

    Raises:
        NotAuthenticated: nobody does.
        NotFound, Forbidden: their role, what their key is for, or the age of their session does not let them.
    """
    access = endpoint.access
    if access is Access.PUBLIC:
        return None
    try:
        principal = await _who_asks(endpoint, request, services)
    except NotAuthenticated:
        if access is not Access.OPTIONAL:
            raise
        return None
    if access is Access.OPTIONAL:
        return principal if principal is not None and endpoint.scope in principal.scopes else None
    if principal is None:
        raise NotAuthenticated("Sign in, or send an API key as Authorization: Bearer.")
    if access is Access.ADMIN and principal.role != "admin":
        raise NotFound("There is nothing at this address.")
    if access is Access.MEMBER and principal.role == "viewer":
        raise Forbidden("Your role lets you look, but not do this.")
    if endpoint.scope not in principal.scopes:
        raise ScopeMissing(f"This key is not for this; make one with the scope {endpoint.scope}.")
    if endpoint.fresh:
        check_fresh(principal, services.clock.now())
    return principal


def check_fresh(principal: Principal, now: float) -> None:
    """Raises FreshLoginNeeded if *principal* came by a session that began too long ago."""
    if principal.via == "session" and now - principal.authenticated_at > FRESH:
        raise FreshLoginNeeded(
            f"This needs a sign-in of the last {FRESH / 60:.0f} minutes: sign in again, with your password, your "
            f"identity provider or a link from `sora-gateway user link {principal.email}`."
        )


async def _who_asks(endpoint: Endpoint, request: Request, services: Services) -> Principal | None:
    ticket = request.query_params.get("ticket") if endpoint.tickets else None
    return await services.authenticate(request) if ticket is None else await services.tickets.redeem(ticket)


def to_json(model: BaseModel) -> bytes:
    """The model by its aliases, straight to bytes (``model_dump_json`` makes a string of them first)."""
    return model.__pydantic_serializer__.to_json(model, by_alias=True)
