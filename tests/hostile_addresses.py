"""Addresses that lead into our own network, in every spelling that somebody has tried; and a service that waits there.

One table for everything that fetches what others name: reference images and results of upstreams.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from sora_gateway.upstream.addresses import resolve

NAMES: dict[str, list[str]] = {
    "public.example": ["8.8.8.8"],
    "loopback.example": ["127.0.0.1"],
    "loopback-six.example": ["::1"],
    "intranet.example": ["10.0.0.5"],
    "metadata.example": ["169.254.169.254"],
    "one-of-two.example": ["8.8.8.8", "127.0.0.1"],
    "one-of-three.example": ["2606:4700::1111", "8.8.8.8", "fd00::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "zone.example": ["fe80::1%lo"],
    "localhost": ["127.0.0.1", "::1"],
}
"""What the fake name service of the tests knows."""

HOSTS = [
    # This machine.
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "127.0.0.1.", "2130706433", "0x7f000001", "0x7f.1", "0X7F.0.0.1",
    "0177.0.0.1", "017700000001", "0", "0.0.0.0", "0.1.2.3", "localhost", "LOCALHOST", "localhost.", "loopback.example",
    "loopback-six.example", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]",
    # This machine as IPv4 inside of IPv6: mapped, compatible, translated, 6to4, NAT64, Teredo.
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[2002:7f00:1::]", "[64:ff9b::7f00:1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2001:0:7f00:1::]", "mapped.example",
    # The network that it is in.
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "198.18.0.1", "[fe80::1]", "[fe80::1%25lo]",
    "[fc00::1]", "[fd12::1]", "[fec0::1]", "[5f00::1]", "intranet.example", "zone.example", "one-of-two.example",
    "one-of-three.example",
    # What clouds tell their own machines.
    "169.254.169.254", "2852039166", "0xa9fea9fe", "169.254.43518", "metadata.example", "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]", "100.100.100.200", "192.0.0.192", "168.63.129.16",
    # Everybody, and nobody.
    "224.0.0.1", "239.255.255.255", "255.255.255.255", "240.0.0.1", "192.88.99.1", "192.0.2.1", "203.0.113.1", "[ff02::1]",
    "[2001:db8::1]", "[3fff::1]",
    # What one reader takes for an address and another does not.
    "１２７.0.0.1", "127。0。0。1", "①②⑦.0.0.1", "ⓛocalhost", "127.0.0.1%00.public.example", "127.0.0.1%2f.public.example",
    "[::1%25.public.example]", "[127.0.0.1]", "127.0.0.1\\.public.example", ".", "..", "", "nowhere.invalid",
]  # fmt: skip
"""Hosts as they stand in an address."""

ADDRESSES = [
    # Who is the host here?
    "http://public.example@127.0.0.1:{port}/", "http://public.example:80@127.0.0.1:{port}/", "http://@127.0.0.1:{port}/",
    "http://public.example\\@127.0.0.1:{port}/", "http://127.0.0.1:{port}\\@public.example/", "http://a:b@public.example:{port}/",
    "http://127.0.0.1:{port}#@public.example/", "http://127.0.0.1:{port}?@public.example/",
    "http:127.0.0.1:{port}/", "http:/127.0.0.1:{port}/", "http:///127.0.0.1:{port}/", "//127.0.0.1:{port}/",
    "http://127.0.0.1:{port}:80/", "http://[::1]:{port}.public.example/", "http://public.example:{port}@localhost:{port}/",
    "\thttp://127.0.0.1:{port}/", "http://127.0.0\t.1:{port}/", "http://127.0.0.1\r\nX-Evil: 1:{port}/", "127.0.0.1:{port}",
    # Other services.
    "http://public.example:22/", "http://public.example:6379/", "http://public.example:25/", "http://public.example:0/",
    "https://public.example:11211/", "http://public.example:65536/", "http://public.example:-80/",
    # Other ways to fetch.
    "file:///etc/passwd", "file://127.0.0.1:{port}/etc/passwd", "gopher://127.0.0.1:{port}/_FLUSHALL", "ftp://127.0.0.1:{port}/",
    "dict://127.0.0.1:{port}/stats", "ldap://127.0.0.1:{port}/", "tftp://127.0.0.1:{port}/x", "jar:http://127.0.0.1:{port}!/",
    "unix:///run/docker.sock", "ws://127.0.0.1:{port}/", "javascript:alert(1)", "", "/", "/etc/passwd", "?", "http://", "https://",
]  # fmt: skip
"""Whole addresses; ``{port}`` is the port of the service that waits."""


async def names(host: str, port: int) -> Sequence[str]:
    """The fake name service. Numbers are read by the system, in all the ways in which it reads them."""
    if host in NAMES:
        return NAMES[host]
    if host.endswith((".example", ".invalid")):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return await resolve(host, port)


@dataclass
class Inside:
    """A service of our own network that nobody outside may reach through us."""

    port: int
    connections: int = 0

    def addresses(self) -> list[str]:
        """Every address of the two tables, aimed at this service."""
        hosts = [f"http://{host}:{self.port}/secret.png" for host in HOSTS]
        return hosts + [address.format(port=self.port) for address in ADDRESSES]


@asynccontextmanager
async def service_inside(answer: bytes = b"") -> AsyncIterator[Inside]:
    """Listens on both loopback addresses, where there are two."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside.connections += 1
        writer.write(answer)
        writer.close()

    inside = Inside(0)
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    inside.port = server.sockets[0].getsockname()[1]
    servers = [server]
    if socket.has_ipv6:
        try:
            servers.append(await asyncio.start_server(serve, "::1", inside.port))
        except OSError:
            # A machine without IPv6; the spellings of it lead nowhere then.
            servers = [server]
    try:
        yield inside
    finally:
        for each in servers:
            each.close()


@dataclass
class Connects:
    """What the event loop was asked to connect to. Nothing leaves this machine."""

    asked: list[tuple[str, int]] = field(default_factory=list)


@contextmanager
def recorded_connects() -> Iterator[Connects]:
    """Writes down every connect below the HTTP client, and lets only those to the loopback happen."""
    loop = asyncio.get_running_loop()
    connect, seen = loop.sock_connect, Connects()

    async def recorded(sock: socket.socket, address: Any) -> None:
        seen.asked.append((address[0], address[1]))
        if address[0] not in ("127.0.0.1", "::1"):
            raise ConnectionRefusedError("tests stay on this machine")
        await connect(sock, address)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop, "sock_connect", recorded)
        yield seen
