"""Which addresses a file may be fetched from: upstreams and people may name any, and must not aim us at our own network.

A name is resolved once, every address that it has is checked, and the connection goes to a checked one, so
that a second resolution cannot say something else.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from sora_gateway.errors import Unavailable

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to every IP address; raises OSError when there is none, Unavailable when it cannot be asked now."""

AddressGuard = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to the addresses that may be connected to; raises :class:`AddressRefused`, and Unavailable where
its resolver does."""

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
    return _addresses(found)


def look_up(host: str, port: int) -> Sequence[str]:
    """The same, blocking. Raises OSError, UnicodeError."""
    return _addresses(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def _addresses(found: Sequence[tuple[Any, ...]]) -> list[str]:
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Lookups:
    """A resolver for hosts that people name: few at once, and none in a thread that others need.

    A look-up cannot be cancelled. Whoever names hosts whose name servers are silent would have all threads of the
    event loop, and no upstream could be resolved. A thread of these keeps its place until it has ended; it is a
    daemon, because those of an executor keep the process from ending.
    """

    def __init__(
        self,
        at_once: int = 4,
        patience: float = 5.0,
        look_up: Callable[[str, int], Sequence[str]] = look_up,
    ) -> None:
        """*patience* is how many seconds a look-up waits for a thread."""
        self._places = asyncio.Semaphore(at_once)
        self._patience = patience
        self._look_up = look_up

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Raises OSError, UnicodeError as :func:`look_up`; Unavailable: all threads are busy."""
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError:
            raise Unavailable(
                "Hosts cannot be looked up now; try again in a moment.", retry_after=10
            ) from None
        found: asyncio.Future[Sequence[str]] = asyncio.get_running_loop().create_future()
        try:
            threading.Thread(target=self._run, args=(host, port, found), name="look-up", daemon=True).start()
        except RuntimeError:
            self._places.release()
            raise OSError(errno.EAGAIN, "there are too many threads") from None
        return await found

    def _run(self, host: str, port: int, found: asyncio.Future[Sequence[str]]) -> None:
        try:
            ended = partial(self._ended, found, self._look_up(host, port), None)
        except Exception as error:  # whatever it is, it is for the one who waits
            ended = partial(self._ended, found, (), error)
        # A loop that is closed has nobody who waits.
        with contextlib.suppress(RuntimeError):
            found.get_loop().call_soon_threadsafe(ended)

    def _ended(
        self, found: asyncio.Future[Sequence[str]], addresses: Sequence[str], error: Exception | None
    ) -> None:
        self._places.release()
        if found.done():
            return
        if error is None:
            found.set_result(addresses)
        else:
            found.set_exception(error)


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
