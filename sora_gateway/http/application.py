"""The HTTP side as one ASGI application."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from sora_gateway.errors import NotFound
from sora_gateway.http.arrival import Spool
from sora_gateway.http.edge import EXPOSED, BelowRootPath, NoCredentialInUrl, check_root_path
from sora_gateway.http.hosts import KnownHosts
from sora_gateway.http.lazily import OnFirstRequest
from sora_gateway.http.metering import Metered
from sora_gateway.http.middleware import (
    BodyBounds,
    BodyLimit,
    CommonHeaders,
    ErrorBoundary,
    SameOrigin,
    starlette_error,
)
from sora_gateway.http.route_index import RouteIndex
from sora_gateway.http.routing import Endpoint, routes
from sora_gateway.http.services import Services
from sora_gateway.http.static_files import Page
from sora_gateway.http.system import System, whole_table


def gateway_application(system: System, services: Services, spool: Spool, static: Path) -> ASGIApp:
    """Everything that the gateway answers over HTTP; *static* is the directory of the page. What is not about the
    process itself is made with the first request for it.

    Raises:
        StartupError: ``server.root_path`` is the beginning of a route.
    """
    server = services.settings.server
    build = partial(http_application, max_body=server.max_body, max_upload=server.max_upload)

    def whole() -> ASGIApp:
        from sora_gateway.http.live import live_routes

        return build(
            whole_table(system), services, spool=spool, sockets=live_routes(services), static=Page(static)
        )

    about_the_process = system.endpoints()
    application = OnFirstRequest(
        build(about_the_process, services), [each.path for each in about_the_process], whole
    )
    if server.root_path:
        application.complete()  # which looks whether it is the beginning of a route
    return application


def http_application(
    endpoints: Sequence[Endpoint],
    services: Services,
    *,
    max_body: int,
    max_upload: int,
    spool: Spool = Spool(),  # noqa: B008  # a value that nobody can change
    body_deadline: float = 60.0,
    upload_deadline: float = 180.0,
    sockets: Sequence[WebSocketRoute] = (),
    static: ASGIApp | None = None,
) -> Starlette:
    """*sockets* are WebSocket routes; *static* answers whatever no route does; a request body may have
    *max_body* bytes and take *body_deadline* seconds to arrive, where the table says ``uploads``
    *max_upload* bytes and *upload_deadline* seconds. What is large of it lies in *spool* until it is read.

    Raises:
        StartupError: ``server.root_path`` is the beginning of a route.
    """
    server = services.settings.server
    uploading = [(endpoint.method, endpoint.path) for endpoint in endpoints if endpoint.uploads]
    assert not any("{" in path for _, path in uploading), "the limit is known by the path alone"
    table: list[Route | WebSocketRoute] = [*routes(endpoints, services, spool), *sockets]
    check_root_path(server.root_path, [each.path for each in table])
    application = Starlette(
        routes=[RouteIndex(table)],
        middleware=[
            Middleware(CommonHeaders, entropy=services.entropy),
            Middleware(Metered, requests=services.requests, clock=services.clock),
            *_cross_origin(server.cors_origins),
            Middleware(ErrorBoundary, unanswered=services.unanswered),
            Middleware(KnownHosts, allowed=server.allowed_hosts, public_url=server.public_url),
            *([Middleware(BelowRootPath, root_path=server.root_path)] if server.root_path else []),
            Middleware(NoCredentialInUrl),
            Middleware(SameOrigin),
            Middleware(
                BodyLimit,
                usual=BodyBounds(max_body, body_deadline),
                uploads=BodyBounds(max_upload, upload_deadline),
                uploading=uploading,
            ),
        ],
        exception_handlers={HTTPException: starlette_error},
    )
    # A redirect would turn a POST with a stray slash into something else; say 404 instead.
    application.router.redirect_slashes = False
    application.router.default = _elsewhere(static or application.router.default)
    return application


def _elsewhere(answer: ASGIApp) -> ASGIApp:
    """Whatever no route takes: *answer* over HTTP, 404 to a handshake."""

    async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            raise NotFound("There is nothing at this address.")
        await answer(scope, receive, send)

    return elsewhere


def _cross_origin(origins: Sequence[str]) -> list[Middleware]:
    """Lets pages of *origins* call and read; a cookie never counts there, so they bring a key."""
    if not origins:
        return []
    from starlette.middleware.cors import CORSMiddleware  # most gateways do without

    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=("*",),
            expose_headers=EXPOSED,
        )
    ]
