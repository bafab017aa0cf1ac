"""Which addresses a result may be fetched from: an upstream may name any, and must not aim us at our own network.

A name is resolved once, every address that it has is checked, and the connection goes to a checked one, so
that a second resolution cannot say something else.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to every IP address; raises OSError when there is none."""

AddressGuard = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to the addresses that may be connected to; raises :class:`AddressRefused`."""

_PORTS = frozenset({80, 443})
_TIMEOUT = 10.0
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# What ``is_global`` lets pass although it leads, or may lead, into a private network.
_REFUSED: tuple[_Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "100.64.0.0/10", "192.88.99.0/24", "224.0.0.0/4", "240.0.0.0/4",
        # IPv4 inside IPv6: compatible, mapped, NAT64 (both), 6to4, Teredo.
        "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32",
        "fec0::/10", "ff00::/8",
    )
)  # fmt: skip


class AddressRefused(Exception):
    """The host is not one that a result may come from. The text is a sentence without the address."""


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
    if ip.version == 6 and ip.scope_id is not None:
        return False
    return ip.is_global and not any(ip.version == net.version and ip in net for net in _REFUSED)


def public_only(resolver: Resolver = resolve) -> AddressGuard:
    """A guard that lets through public hosts on the ports of HTTP; one private address refuses the host."""

    async def check(host: str, port: int) -> Sequence[str]:
        if port not in _PORTS:
            raise AddressRefused("The result is on a port that is not used for files.")
        try:
            async with asyncio.timeout(_TIMEOUT):
                addresses = await resolver(host, port)
        except (OSError, UnicodeError):
            # UnicodeError: no host name in the first place. TimeoutError is an OSError.
            raise AddressRefused("The host of the result cannot be resolved.") from None
        if not addresses or not all(is_public(address) for address in addresses):
            raise AddressRefused("The result is on a private address.")
        return addresses

    return check
