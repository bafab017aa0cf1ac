"""The HTTP side as one ASGI application."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from sora_gateway.http.arrival import Spool
from sora_gateway.http.middleware import (
    BodyBounds,
    BodyLimit,
    CommonHeaders,
    ErrorBoundary,
    SameOrigin,
    starlette_error,
)
from sora_gateway.http.routing import Endpoint, routes
from sora_gateway.http.services import Services


def http_application(
    endpoints: Sequence[Endpoint],
    services: Services,
    *,
    max_body: int,
    max_upload: int,
    spool: Spool = Spool(),  # noqa: B008  # a value that nobody can change
    body_deadline: float = 60.0,
    upload_deadline: float = 180.0,
    sockets: Sequence[BaseRoute] = (),
    static: ASGIApp | None = None,
) -> Starlette:
    """*sockets* are WebSocket routes; *static* answers whatever no route does; a request body may have
    *max_body* bytes and take *body_deadline* seconds to arrive, where the table says ``uploads``
    *max_upload* bytes and *upload_deadline* seconds. What is large of it lies in *spool* until it is read."""
    uploading = [(endpoint.method, endpoint.path) for endpoint in endpoints if endpoint.uploads]
    assert not any("{" in path for _, path in uploading), "the limit is known by the path alone"
    application = Starlette(
        routes=[*routes(endpoints, services, spool), *sockets],
        middleware=[
            Middleware(CommonHeaders, entropy=services.entropy),
            Middleware(ErrorBoundary, unanswered=services.unanswered),
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
    if static is not None:
        application.router.default = static
    return application
