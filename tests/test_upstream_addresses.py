"""Which addresses a file may be fetched from: none that leads into our own network, however it is spelled.

The table of addresses is in ``tests/hostile_addresses.py``; images are held against it in ``test_image_fetch.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from sora_gateway.clock import SystemClock
from sora_gateway.errors import Unavailable
from sora_gateway.upstream.adapter import ContentTrouble, Variant
from sora_gateway.upstream.addresses import (
    AddressGuard,
    AddressRefused,
    Lookups,
    is_public,
    origin_of,
    public_only,
    public_or,
    resolve,
)
from sora_gateway.upstream.client import HttpClient, NotSent, Request
from sora_gateway.upstream.download import Downloader, Place, Resume
from sora_gateway.upstream.hops import MAX_TRIED, open_checked

from .hostile_addresses import HOSTS, NAMES, Connects, names, recorded_connects, service_inside
from .raw_server import always, answer, serving_raw

PRIVATE = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "168.63.129.16",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "2001:20::1",
    "2001:db8::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%1",
    "fc00::1",
    "fd12::1",
    "fec0::1",
    "ff02::1",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f.1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_leads_inward_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::1"])
def test_what_is_on_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


async def test_one_private_address_refuses_the_host() -> None:
    async def both(host: str, port: int) -> Sequence[str]:
        return ["8.8.8.8", "10.0.0.1"]

    with pytest.raises(AddressRefused, match="private"):
        await public_only(both)("cdn.example.org", 443)


async def test_a_public_host_is_resolved_once_and_by_all_its_addresses() -> None:
    asked = []

    async def public(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return ["8.8.8.8", "8.8.4.4"]

    assert await public_only(public)("cdn.example.org", 443) == ["8.8.8.8", "8.8.4.4"]
    assert asked == [("cdn.example.org", 443)]


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "localhost", "127.0.0.1", "::1"])
async def test_no_spelling_of_this_machine_passes(host: str) -> None:
    with pytest.raises(AddressRefused):
        await public_only()(host, 80)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "x" * 70 + ".org", ""])
async def test_a_host_without_an_address_is_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        await public_only()(host, 443)


@pytest.mark.parametrize("port", [0, 22, 25, 6379, 8080])
async def test_a_port_of_another_service_is_refused(port: int) -> None:
    with pytest.raises(AddressRefused, match="port"):
        await public_only(names)("public.example", port)


async def test_an_address_resolves_to_itself() -> None:
    assert list(await resolve("127.0.0.1", 80)) == ["127.0.0.1"]


async def test_a_name_service_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sora_gateway.upstream.addresses._TIMEOUT", 0.05)

    async def silent(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(AddressRefused, match="resolved"):
        await public_only(silent)("public.example", 443)


# --- look-ups that take for ever ---------------------------------------------------------------------


class SilentNames:
    """A name service that knows one host; all others it answers when it is told to."""

    def __init__(self) -> None:
        self.answering = threading.Event()

    def look_up(self, host: str, port: int) -> Sequence[str]:
        if host != "public.example":
            self.answering.wait(30)
        return ["8.8.8.8"]


async def test_hosts_that_people_name_have_threads_of_their_own() -> None:
    silent = SilentNames()
    lookups = Lookups(at_once=3, patience=0.1, look_up=silent.look_up)
    asking = [asyncio.create_task(lookups("silent.example", 80)) for _ in range(3)]
    await asyncio.sleep(0)
    for each in asking:
        # Their callers are gone; the look-ups are not.
        each.cancel()
    await asyncio.wait(asking)
    with pytest.raises(Unavailable, match="try again") as busy:
        await public_only(lookups)("public.example", 80)
    assert busy.value.retry_after == 10
    # Upstreams are looked up as ever, however many these are.
    async with asyncio.timeout(5):
        assert await asyncio.gather(*(resolve("127.0.0.1", 80) for _ in range(64))) == [["127.0.0.1"]] * 64
    silent.answering.set()
    async with asyncio.timeout(5):
        while True:
            with contextlib.suppress(Unavailable):
                assert await lookups("public.example", 80) == ["8.8.8.8"]
                break


async def test_what_a_look_up_says_is_passed_on() -> None:
    assert list(await Lookups()("127.0.0.1", 80)) == ["127.0.0.1"]
    with pytest.raises(AddressRefused, match="resolved"):
        await public_only(Lookups())("nowhere.invalid", 80)
    with pytest.raises(AddressRefused, match="resolved"):
        await public_only(Lookups())("x" * 70 + ".org", 80)


HANGING = """
import asyncio, time
from sora_gateway.upstream.addresses import Lookups

async def main():
    async with asyncio.timeout(0.1):
        await Lookups(look_up=lambda host, port: time.sleep(50))("silent.example", 80)

try:
    asyncio.run(main())
except TimeoutError:
    print("ended")
"""


async def test_a_look_up_without_an_answer_does_not_keep_the_process_from_ending() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HANGING, stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": ":".join(sys.path)}
    )
    try:
        async with asyncio.timeout(20):
            assert (await process.communicate())[0] == b"ended\n"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0


# --- hosts that the operator lets through -------------------------------------------------------------

ALLOWED = ("intranet.example", "loopback.example:9000", "[::1]:9000", "127.0.0.1")


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("intranet.example", 80),
        ("intranet.example", 443),
        ("loopback.example", 9000),
        ("::1", 9000),
        ("127.0.0.1", 80),
        ("public.example", 443),
    ],
)
async def test_a_host_that_the_operator_named_is_let_through(host: str, port: int) -> None:
    expected = NAMES.get(host, [host])
    assert await public_or(ALLOWED, names)(host, port) == expected


@pytest.mark.parametrize(
    ("host", "port"),
    [
        # Another port, another name for the same machine, a part of the name, more than the name.
        ("intranet.example", 9000),
        ("loopback.example", 80),
        ("loopback.example", 9001),
        ("::1", 80),
        ("127.1", 80),
        ("localhost", 80),
        ("10.0.0.5", 80),
        ("ntranet.example", 80),
        ("x.intranet.example", 80),
        ("public.example", 9000),
    ],
)
async def test_only_exactly_what_the_operator_named_is_let_through(host: str, port: int) -> None:
    with pytest.raises(AddressRefused):
        await public_or(ALLOWED, names)(host, port)


async def test_the_operator_may_write_a_host_in_capitals() -> None:
    assert await public_or(["Intranet.Example:8080"], names)("intranet.example", 8080) == ["10.0.0.5"]


# --- what an address says -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://example.org", ("http", "example.org", 80)),
        ("HTTPS://Example.ORG./a?b#c", ("https", "example.org", 443)),
        ("http://example.org:00080/", ("http", "example.org", 80)),
        ("https://[2606:4700::1111]:8443/", ("https", "2606:4700::1111", 8443)),
        ("http://example.org:0/", ("http", "example.org", 0)),
        ("http://xn--bcher-kva.example/", ("http", "xn--bcher-kva.example", 80)),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: tuple[str, str, int]) -> None:
    assert origin_of(url) == origin


NO_ORIGIN = """
example.org
ftp://example.org/
http://
http://./
http://a@b/
http://a:b/
http://b\\@c/
http://a b/
http://a:99999/
http://bücher.example/
http://[::1/
http://[fe80::1%25lo]/
"""


@pytest.mark.parametrize("url", NO_ORIGIN.split("\n"))
def test_what_two_readers_could_read_in_two_ways_has_no_origin(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        origin_of(url)


# --- the table, for results of upstreams --------------------------------------------------------------


def test_the_table_is_long_enough() -> None:
    assert len(HOSTS) >= 40
    assert len(set(HOSTS)) == len(HOSTS)


@pytest.fixture
async def connects() -> AsyncIterator[Connects]:
    with recorded_connects() as seen:
        yield seen


async def result_at(url: str, client: HttpClient, guard: AddressGuard) -> bytes:
    """The file at an address that an upstream gave."""
    downloader = Downloader(
        client,
        "https://upstream.example/v1",
        {"Authorization": "Bearer secret"},
        guard=guard,
        clock=SystemClock(),
        max_file=1 << 20,
        not_yet=frozenset(),
    )
    async with downloader.open(Place(url), Variant.VIDEO, Resume()) as content:
        return b"".join([chunk async for chunk in content.chunks])


async def test_no_hostile_address_of_a_result_is_connected_to(connects: Connects) -> None:
    client = HttpClient()
    async with service_inside(answer(200, b"secret", {"Content-Type": "video/mp4"})) as inside:
        guard = public_only(names, ports={80, 443, inside.port})
        for url in inside.addresses():
            with pytest.raises(ContentTrouble) as caught:
                await result_at(url, client, guard)
            assert caught.value.kind is ContentTrouble.Kind.NOT_MEDIA, url
            assert "127.0.0.1" not in str(caught.value)
        assert inside.connections == 0
    assert connects.asked == []
    await client.aclose()


async def test_the_table_would_notice_a_guard_that_guards_nothing(connects: Connects) -> None:
    async def everybody(host: str, port: int) -> Sequence[str]:
        try:
            return await names(host, port)
        except (OSError, UnicodeError):
            raise AddressRefused("There is no such host.") from None

    client = HttpClient()
    reached = set()
    async with service_inside(answer(200, b"secret", {"Content-Type": "video/mp4"})) as inside:
        for host in HOSTS:
            before = inside.connections
            try:
                await result_at(f"http://{host}:{inside.port}/secret.png", client, everybody)
            except ContentTrouble:
                continue
            assert inside.connections > before
            reached.add(host)
    await client.aclose()
    assert reached >= {"127.1", "2130706433", "0x7f.1", "017700000001", "localhost.", "one-of-two.example"}
    assert ("169.254.169.254", inside.port) in connects.asked


async def test_a_redirect_to_any_of_them_is_not_followed(connects: Connects) -> None:
    client = HttpClient()
    async with service_inside() as inside:
        for url in inside.addresses():
            sent_on = b"HTTP/1.1 302 Found\r\nLocation: " + url.encode().replace(b"\r\n", b"") + b"\r\n\r\n"
            async with serving_raw(always(sent_on)) as cdn:
                # The one host that the operator trusts does not make others trusted.
                guard = public_or(
                    [f"loopback.example:{cdn.port}"], names, ports={80, 443, inside.port, cdn.port}
                )
                with pytest.raises(ContentTrouble):
                    await result_at(f"http://loopback.example:{cdn.port}/", client, guard)
                assert {port for _, port in connects.asked} <= {cdn.port}, url
                connects.asked.clear()
        assert inside.connections == 0
    await client.aclose()


async def test_what_follows_a_hash_is_no_host(connects: Connects) -> None:
    client = HttpClient()
    async with service_inside() as inside:
        with pytest.raises(ContentTrouble, match="no connection"):
            await result_at(f"http://public.example#@127.0.0.1:{inside.port}/", client, public_only(names))
        assert inside.connections == 0
    assert connects.asked == [("8.8.8.8", 80)]
    await client.aclose()


async def test_a_name_that_changes_its_mind_is_asked_once(connects: Connects) -> None:
    """Rebinding: public when it is checked, private when it is connected to."""
    answers = [["8.8.8.8"], ["127.0.0.1"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    client = HttpClient()
    async with service_inside() as inside:
        with pytest.raises(ContentTrouble, match="no connection"):
            await result_at(
                f"http://rebind.example:{inside.port}/", client, public_only(rebinding, ports={inside.port})
            )
        assert inside.connections == 0
    assert connects.asked == [("8.8.8.8", inside.port)]
    assert len(answers) == 1
    await client.aclose()


async def test_a_host_of_many_addresses_makes_us_knock_at_few(connects: Connects) -> None:
    async def many(host: str, port: int) -> Sequence[str]:
        return [f"8.8.8.{number}" for number in range(1, 200)]

    client = HttpClient()
    with pytest.raises(NotSent):
        await open_checked(client, public_only(many), Request("GET", "http://many.example/"), deadline=5)
    assert len(connects.asked) == MAX_TRIED
    await client.aclose()
