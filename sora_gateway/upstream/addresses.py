"""Which addresses a file may be fetched from: upstreams and people may name any, and must not aim us at our own network.

A name is resolved once, every address that it has is checked, and the connection goes to a checked one, so
that a second resolution cannot say something else.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from urllib.parse import urlsplit

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to every IP address; raises OSError when there is none."""

AddressGuard = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to the addresses that may be connected to; raises :class:`AddressRefused`."""

HTTP_PORTS = frozenset({80, 443})
_TIMEOUT = 10.0
_HOST_AND_PORT = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")
"""All that is given to hosts of the internet. IPv4 inside of IPv6 (mapped, compatible, NAT64), private, link-local and
multicast addresses, and whatever gets a meaning later, lie outside."""
# What ``is_global`` lets pass, in one version of Python or another, although it leads, or may lead, inward.
_REFUSED: tuple[_Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4", "240.0.0.0/4",
        # A public address at which a cloud answers its own machines.
        "168.63.129.16/32",
        # For protocols (Teredo among them), 6to4, documentation.
        "2001::/23", "2002::/16", "3fff::/20",
    )
)  # fmt: skip


class AddressRefused(Exception):
    """The host is not one that a file may come from. The text is a sentence without the address."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of *host*, as the system sees it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Whether *address* is one of the open internet, by every spelling that leads elsewhere."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if ip.version == 6 and (ip.scope_id is not None or ip not in _GLOBAL_V6):
        return False
    return ip.is_global and not any(ip.version == net.version and ip in net for net in _REFUSED)


def public_only(resolver: Resolver = resolve, ports: Collection[int] = HTTP_PORTS) -> AddressGuard:
    """A guard that lets through public hosts on *ports*; one private address refuses the host."""
    return public_or((), resolver, ports)


def public_or(
    hosts: Collection[str], resolver: Resolver = resolve, ports: Collection[int] = HTTP_PORTS
) -> AddressGuard:
    """The same guard, which lets *hosts* through wherever they are: the operator named them.

    Each is ``host`` (on *ports*) or ``host:port``, in exactly the spelling that an address will have, apart from
    upper case; IPv6 in brackets.
    """
    named = frozenset(host.lower() for host in hosts)

    async def check(host: str, port: int) -> Sequence[str]:
        name = f"[{host}]" if ":" in host else host
        named_with_port = f"{name}:{port}" in named
        if port not in ports and not named_with_port:
            raise AddressRefused("The address has a port that is not used for files.")
        try:
            async with asyncio.timeout(_TIMEOUT):
                addresses = await resolver(host, port)
        except (OSError, UnicodeError):
            # UnicodeError: no host name in the first place. TimeoutError is an OSError.
            raise AddressRefused("The host of the address cannot be resolved.") from None
        trusted = named_with_port or name in named
        if not addresses or not (trusted or all(map(is_public, addresses))):
            raise AddressRefused("The address leads into a private network.")
        return addresses

    return check


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port, the default port filled in.

    Raises:
        ValueError: *url* is not an absolute http address, carries credentials, or has a host that two parsers
            could read in two ways.
    """
    parts = urlsplit(url)
    scheme, host, port = parts.scheme.lower(), (parts.hostname or "").rstrip("."), parts.port
    if scheme not in ("http", "https") or not host or not _HOST_AND_PORT.fullmatch(parts.netloc):
        raise ValueError("not an http address without credentials")
    return scheme, host, (443 if scheme == "https" else 80) if port is None else port
