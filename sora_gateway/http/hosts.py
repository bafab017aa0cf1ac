"""Which host a request is addressed to, and whether the gateway goes by that name."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sora_gateway.errors import UnknownHost


def host_name(authority: str) -> str:
    """The host of ``host:port`` in small letters, an IPv6 address without its brackets; empty for none."""
    host, bracket, _ = authority.partition("]")
    name = host.removeprefix("[") if bracket else authority.partition(":")[0]
    return name.lower().removesuffix(".")


def is_loopback(name: str) -> bool:
    """Whether that host can only be this machine: ``localhost``, 127.0.0.0/8 or ::1."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class KnownHosts:
    """Refuses requests and handshakes for other hosts: a page whose name was made to point here (DNS rebinding),
    or a link that a forged Host would lead astray.

    Taken are *allowed*, the host of *public_url*, and this machine's own names; everything if neither is given.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str], public_url: str) -> None:
        self.app = app
        ours = {*allowed, urlsplit(public_url).netloc} if public_url else set(allowed)
        self.known = frozenset(host_name(host) for host in ours)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.known:
            hosts = Headers(scope=scope).getlist("host")
            name = host_name(hosts[0]) if len(hosts) == 1 else ""
            if name not in self.known and not is_loopback(name):
                raise UnknownHost("The gateway does not go by that host name; its operator can allow it.")
        await self.app(scope, receive, send)
