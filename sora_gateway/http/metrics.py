"""``/metrics``: for this machine, or for whoever has ``metrics.token``."""

from __future__ import annotations

import hmac
import ipaddress

from starlette.requests import HTTPConnection
from starlette.responses import Response

from sora_gateway.errors import NotAuthenticated, NotFound
from sora_gateway.http.hosts import host_name, is_loopback
from sora_gateway.http.routing import Call

TEXT = "text/plain"
_CONTENT_TYPE = f"{TEXT}; version=0.0.4; charset=utf-8"

_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
"""Any of them says that a proxy was in between, whoever it believes to be on the other side."""


async def metrics(call: Call) -> Response:
    """How the gateway does, in Prometheus' text format: from this machine itself, or with `metrics.token` as a bearer
    token."""
    settings = call.services.settings.metrics
    if not settings.enabled:
        raise NotFound("There is nothing at this address.")
    token = settings.token.get_secret_value()
    if not (_has(call.request, token) or _from_this_machine(call.request)):
        if not token:
            raise NotFound("There is nothing at this address.")
        raise NotAuthenticated("Send the gateway's metrics.token as Authorization: Bearer.")
    return Response(await call.services.metrics(), headers={"content-type": _CONTENT_TYPE})


def _has(request: HTTPConnection, token: str) -> bool:
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    return (
        bool(token)
        and scheme.lower() == "bearer"
        and hmac.compare_digest(sent.strip().encode(), token.encode())
    )


def _from_this_machine(request: HTTPConnection) -> bool:
    """Whether the peer is a program on this machine, and not a proxy on it that others are behind, nor a browser whose
    page has another name pointed here."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        peer = ipaddress.ip_address(request.client.host)
    except ValueError:
        return False
    peer = getattr(peer, "ipv4_mapped", None) or peer
    return peer.is_loopback and is_loopback(host_name(request.headers.get("host", "")))
