"""Tries at receivers over real sockets: what they say, what they hold up, and that none leads into our own network."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence

import pytest

from sora_gateway.clock import SystemClock
from sora_gateway.errors import InvalidRequest
from sora_gateway.upstream.addresses import public_only, public_or
from sora_gateway.upstream.client import HttpClient
from sora_gateway.webhooks.receiver import Receivers
from tests.hostile_addresses import Connects, names, recorded_connects, service_inside
from tests.lab import unused_port
from tests.receivers import receiving

HEADERS = {"Content-Type": "application/json", "webhook-id": "msg_1"}
BODY = b'{"type":"webhook.test"}'


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.aclose()


@pytest.fixture
async def connects() -> AsyncIterator[Connects]:
    with recorded_connects() as seen:
        yield seen


def receivers(client: HttpClient, *hosts: str, timeout: float = 5.0, allow_http: bool = False) -> Receivers:
    """Lets *hosts* through, which stand for the internet here."""
    guard = public_or(hosts, names)
    return Receivers(guard, client, SystemClock(), timeout=timeout, allow_http=allow_http, hosts=hosts)


SAYS: dict[int | str, tuple[int | None, str]] = {
    200: (200, ""),
    204: (204, ""),
    299: (299, ""),
    "slow": (200, ""),
    # Its status has come; what it goes on to write nobody reads.
    "huge": (200, ""),
    "drip": (200, ""),
    "redirect": (302, "The receiver redirects (status 302), which is not followed."),
    304: (304, "The receiver redirects (status 304), which is not followed."),
    404: (404, "The receiver answered with status 404."),
    410: (410, "The receiver answered with status 410."),
    500: (500, "The receiver answered with status 500."),
    "silent": (None, "No answer came within 0.5 seconds."),
    "closes": (None, "The connection ended before an answer came."),
    "resets": (None, "The connection ended before an answer came."),
}


@pytest.mark.parametrize("behaviour", SAYS)
async def test_what_comes_of_a_try(client: HttpClient, connects: Connects, behaviour: int | str) -> None:
    async with receiving(behaviour) as receiver:
        began = time.monotonic()
        answer = await receivers(client, receiver.host, timeout=0.5).post(receiver.url, HEADERS, BODY)
        assert (answer.http_status, answer.error) == SAYS[behaviour]
        assert time.monotonic() - began < 3
        assert answer.duration < 3
        # Once, and nowhere else: no redirect is followed and nothing is sent again by itself.
        assert len(receiver.received) == 1
        assert len(connects.asked) == 1


async def test_nothing_goes_along_but_the_message(client: HttpClient) -> None:
    async with receiving() as receiver:
        await receivers(client, receiver.host).post(receiver.url + "?a=b", HEADERS, BODY)
        (request,) = receiver.received
    assert (request.method, request.target, request.body) == ("POST", "/hook?a=b", BODY)
    assert request.headers == {
        "host": receiver.host,
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": request.headers["connection"],
        "user-agent": "sora-gateway",
        "content-type": "application/json",
        "content-length": str(len(BODY)),
        "webhook-id": "msg_1",
    }


@pytest.mark.parametrize(("said", "wait"), [("7", 7.0), ("99999", 900.0), ("soon", None)])
async def test_retry_after_has_bounds(client: HttpClient, said: str, wait: float | None) -> None:
    async with receiving(503) as receiver:
        receiver.headers = {"Retry-After": said}
        answer = await receivers(client, receiver.host).post(receiver.url, HEADERS, BODY)
    assert answer.retry_after == wait


async def test_a_proxy_of_the_environment_is_not_asked(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    async with receiving() as receiver:
        answer = await receivers(client, receiver.host).post(receiver.url, HEADERS, BODY)
    assert answer.delivered


async def test_nobody_there_is_told_as_such(client: HttpClient) -> None:
    host = f"127.0.0.1:{unused_port()}"
    answer = await receivers(client, host).post(f"http://{host}/", HEADERS, BODY)
    assert (answer.http_status, answer.error) == (None, "No connection could be made.")


# --- addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("allow_http", [False, True])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_hostile_address_is_taken_or_connected_to(
    client: HttpClient, connects: Connects, scheme: str, allow_http: bool
) -> None:
    async with service_inside(b"HTTP/1.1 204 No\r\n\r\n") as inside:
        guard = public_only(names, ports={80, 443, inside.port})
        checked = Receivers(guard, client, SystemClock(), timeout=5, allow_http=allow_http)
        for address in inside.addresses():
            url = address.replace("http://", f"{scheme}://")
            with pytest.raises(InvalidRequest) as caught:
                await checked.check(url)
            assert caught.value.param == "url", url
            answer = await checked.post(url, HEADERS, BODY)
            assert (answer.http_status, answer.error) == (
                None, "The address leads nowhere that may be connected to."
            ), url  # fmt: skip
        assert inside.connections == 0
    assert connects.asked == []


async def test_a_name_that_changes_its_mind_is_connected_to_as_it_was_checked(
    client: HttpClient, connects: Connects
) -> None:
    """Rebinding: public when the webhook is made, private later; and public when a try looks, private right after."""
    answers = [["8.8.8.8"], ["127.0.0.1"], ["8.8.8.8"], ["127.0.0.1"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    async with service_inside() as inside:
        guard = public_only(rebinding, ports={inside.port})
        checked = Receivers(guard, client, SystemClock(), allow_http=True)
        url = f"http://rebind.example:{inside.port}/"
        await checked.check(url)
        assert (await checked.post(url, HEADERS, BODY)).error.startswith("The address leads nowhere")
        assert connects.asked == []
        assert (await checked.post(url, HEADERS, BODY)).error == "No connection could be made."
        assert connects.asked == [("8.8.8.8", inside.port)]
        assert inside.connections == 0


GOOD = [
    "https://public.example/hook",
    "https://public.example:443/",
    "https://public.example:80/x?y=z",
    "https://8.8.8.8/",
]
FORM = [
    "http://public.example/", "https://public.example/#part", "https://public.example/#", "https://me@public.example/",
    "https://public.example/a b", "https://public.example/é", "ftp://public.example/", "public.example", "",
    "https://public.example/" + "x" * 2048,
]  # fmt: skip


async def test_what_an_address_looks_like(client: HttpClient) -> None:
    for url in GOOD:
        await receivers(client).check(url)
    for url in FORM:
        with pytest.raises(InvalidRequest, match="begins with https"):
            await receivers(client).check(url)
    with pytest.raises(InvalidRequest, match="none that can be reached"):
        await receivers(client).check("https://public.example:8443/")


async def test_plain_http_is_the_operators_to_allow(client: HttpClient) -> None:
    await receivers(client, allow_http=True).check("http://public.example/")
    await receivers(client, "loopback.example").check("http://LOOPBACK.example/")
    await receivers(client, "[::1]:8080").check("http://[::1]:8080/")
    for url in ("http://public.example/", "http://127.0.0.1/", "http://loopback.example:81/"):
        with pytest.raises(InvalidRequest):
            await receivers(client, "loopback.example").check(url)


async def test_the_answer_does_not_tell_who_is_there(client: HttpClient) -> None:
    told = set()
    for host in ("nowhere.invalid", "intranet.example", "metadata.example", "public.example:22"):
        with pytest.raises(InvalidRequest) as caught:
            await receivers(client).check(f"https://{host}/")
        told.add(caught.value.message)
    assert len(told) == 1
