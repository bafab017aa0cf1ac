"""Result files over real sockets: resumed, bounded, followed to where they are, and never with our key elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sora_gateway.clock import SystemClock
from sora_gateway.core.job import ExternalId
from sora_gateway.upstream.adapter import ContentTrouble, Variant
from sora_gateway.upstream.addresses import AddressRefused
from sora_gateway.upstream.openai import OpenAIAdapter
from sora_gateway.upstream.profiles import Profile

from .raw_server import Handler, Received, Wire, always, answer, serving_raw
from .upstream_cases import KEY, MAX_FILE, talking_to

FILE = bytes(range(256)) * 40
JOB = ExternalId("video_1")
MP4 = {"Content-Type": "video/mp4", "ETag": '"one"'}
Kind = ContentTrouble.Kind


async def fetched(
    upstream: OpenAIAdapter, url: str | None = None, offset: int = 0, etag: str | None = None
) -> tuple[int, int | None, bytes]:
    """Offset, declared length and bytes of one complete download."""
    async with upstream.open_content(JOB, url, Variant.VIDEO, offset, etag) as content:
        return content.offset, content.total, b"".join([chunk async for chunk in content.chunks])


async def trouble_of(
    handler: Handler,
    *,
    url: str | None = None,
    profile: str | Profile = "openai",
    variant: Variant = Variant.VIDEO,
) -> ContentTrouble:
    async with serving_raw(handler) as server, talking_to(server.url, profile) as upstream:
        address = None if url is None else server.url + url
        with pytest.raises(ContentTrouble) as caught:
            await drained(upstream, address, variant, bytearray())
    assert "127.0.0.1" not in str(caught.value)
    return caught.value


async def drained(upstream: OpenAIAdapter, url: str | None, variant: Variant, into: bytearray) -> None:
    async with upstream.open_content(JOB, url, variant) as content:
        async for chunk in content.chunks:
            into += chunk


async def ranges(request: Received, wire: Wire) -> None:
    """A server that honours Range with its validator."""
    wanted = request.headers.get("range", "")
    if not wanted or request.headers.get("if-range", '"one"') != '"one"':
        await wire.send(answer(200, FILE, MP4))
        return
    start = int(wanted.removeprefix("bytes=").rstrip("-"))
    if start >= len(FILE):
        await wire.send(answer(416, b"", {"Content-Range": f"bytes */{len(FILE)}"}))
        return
    part = {**MP4, "Content-Range": f"bytes {start}-{len(FILE) - 1}/{len(FILE)}"}
    await wire.send(answer(206, FILE[start:], part))


# --- whole and resumed --------------------------------------------------------------------------------


async def test_a_file_is_fetched_whole_from_the_content_route() -> None:
    async with serving_raw(ranges) as server, talking_to(server.url) as upstream:
        async with upstream.open_content(JOB, None, Variant.VIDEO) as content:
            assert (content.offset, content.total) == (0, len(FILE))
            assert (content.content_type, content.etag) == ("video/mp4", '"one"')
            assert b"".join([chunk async for chunk in content.chunks]) == FILE
        [request] = server.requests
    assert request.target == "/v1/videos/video_1/content?variant=video"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept-encoding"] == "identity"
    assert "range" not in request.headers


async def test_an_id_is_percent_encoded_in_the_path() -> None:
    async with serving_raw(always(answer(404))) as server, talking_to(server.url) as upstream:
        await upstream.look(ExternalId("a/b+c=@d"))
        assert server.requests[0].target == "/v1/videos/a%2Fb%2Bc%3D%40d"


async def test_a_download_goes_on_where_it_stopped() -> None:
    async with serving_raw(ranges) as server, talking_to(server.url) as upstream:
        assert await fetched(upstream, offset=1000, etag='"one"') == (1000, len(FILE), FILE[1000:])
        assert server.requests[0].headers["range"] == "bytes=1000-"
        assert server.requests[0].headers["if-range"] == '"one"'


async def test_a_file_that_changed_starts_again() -> None:
    async with serving_raw(ranges) as server, talking_to(server.url) as upstream:
        assert await fetched(upstream, offset=1000, etag='"old"') == (0, len(FILE), FILE)


async def test_a_weak_validator_is_not_sent() -> None:
    async with serving_raw(ranges) as server, talking_to(server.url) as upstream:
        await fetched(upstream, offset=1000, etag='W/"one"')
        assert "if-range" not in server.requests[0].headers


async def test_a_server_that_ignores_ranges_starts_again() -> None:
    async with serving_raw(always(answer(200, FILE, MP4))) as server, talking_to(server.url) as upstream:
        assert await fetched(upstream, offset=1000) == (0, len(FILE), FILE)


async def test_a_file_that_is_there_already_has_nothing_more() -> None:
    async with serving_raw(ranges) as server, talking_to(server.url) as upstream:
        assert await fetched(upstream, offset=len(FILE)) == (len(FILE), len(FILE), b"")


async def test_a_file_that_became_shorter_starts_again() -> None:
    async with serving_raw(ranges) as server, talking_to(server.url) as upstream:
        assert await fetched(upstream, offset=len(FILE) + 5) == (0, len(FILE), FILE)


@pytest.mark.parametrize("header", ["bytes 0-9/100", "bytes 5-1", "", "octets 1000-2000/3000"])
async def test_another_range_than_the_one_asked_for_is_not_believed(header: str) -> None:
    async def confused(request: Received, wire: Wire) -> None:
        if "range" in request.headers:
            await wire.send(answer(206, b"x" * 10, {**MP4, "Content-Range": header}))
        else:
            await wire.send(answer(200, FILE, MP4))

    async with serving_raw(confused) as server, talking_to(server.url) as upstream:
        assert await fetched(upstream, offset=1000) == (0, len(FILE), FILE)


# --- broken in transit --------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n"
BROKEN: dict[str, bytes] = {
    "cut before its length": answer(200, FILE, MP4)[:-100],
    "cut in a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n100\r\nabc",
    "a range that ends early": answer(
        206, b"abc", {"Content-Type": "video/mp4", "Content-Range": "bytes 0-9/100", "Content-Length": "3"}
    ),
    "no answer": b"",
    "502": answer(502, "<html>"),
    "500": answer(500),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_transfer_that_breaks_is_interrupted(case: str) -> None:
    assert (await trouble_of(always(BROKEN[case]))).kind is Kind.INTERRUPTED


async def test_what_came_before_the_break_is_kept() -> None:
    async with (
        serving_raw(always(answer(200, FILE, MP4)[:-100])) as server,
        talking_to(server.url) as upstream,
    ):
        got = bytearray()
        with pytest.raises(ContentTrouble, match="download broke"):
            await drained(upstream, None, Variant.VIDEO, got)
        assert bytes(got) == FILE[:-100]


async def test_without_a_length_a_cut_file_looks_whole_and_says_that_it_has_no_length() -> None:
    """Whether it is whole is then for the check of its content to say."""
    async with serving_raw(always(HEAD + b"\r\n" + FILE[:500])) as server, talking_to(server.url) as upstream:
        assert await fetched(upstream) == (0, None, FILE[:500])


async def test_a_refusal_for_now_carries_the_wait() -> None:
    trouble = await trouble_of(always(answer(429, "", {"Retry-After": "8"})))
    assert (trouble.kind, trouble.retry_after) == (Kind.INTERRUPTED, 8.0)


class Slow(SystemClock):
    """Every look at it is 20 seconds later, so that each chunk seems to have taken that long."""

    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        self.time += 20
        return self.time


async def test_a_transfer_that_crawls_is_interrupted() -> None:
    async def crawl(_: Received, wire: Wire) -> None:
        await wire.send(HEAD + b"Content-Length: 1000\r\n\r\n")
        await wire.drip(b"x" * 20, 0.01)
        await wire.hang()

    async with serving_raw(crawl) as server, talking_to(server.url, clock=Slow()) as upstream:
        with pytest.raises(ContentTrouble, match="too slow") as caught:
            await fetched(upstream)
        assert caught.value.kind is Kind.INTERRUPTED


# --- not the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, Kind.NOT_YET),
        (409, Kind.NOT_YET),
        (401, Kind.EXPIRED),
        (410, Kind.EXPIRED),
        (422, Kind.NOT_MEDIA),
    ],
)
async def test_what_the_content_route_refuses(status: int, kind: ContentTrouble.Kind) -> None:
    assert (await trouble_of(always(answer(status, {"detail": "no"})))).kind is kind


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_result_address_that_is_refused_has_expired(status: int) -> None:
    """Also when the content route has nothing either: looking at the job again may give a fresh address."""

    async def handle(request: Received, wire: Wire) -> None:
        await wire.send(answer(status if request.target == "/a.mp4" else 404))

    assert (await trouble_of(handle, url="/a.mp4", profile="generic")).kind is Kind.EXPIRED


async def test_the_content_route_stands_in_for_an_expired_address() -> None:
    async def handle(request: Received, wire: Wire) -> None:
        await wire.send(answer(403) if request.target == "/a.mp4" else answer(200, FILE, MP4))

    async with serving_raw(handle) as server, talking_to(server.url, "generic") as upstream:
        assert await fetched(upstream, f"{server.url}/a.mp4") == (0, len(FILE), FILE)
        assert server.requests[1].target == "/v1/videos/video_1/content"


NO_MEDIA = {
    "HTML": answer(200, "<html>", {"Content-Type": "text/html; charset=utf-8"}),
    "JSON without an address": answer(200, {"status": "completed"}),
    "broken JSON": answer(200, "{", {"Content-Type": "application/json"}),
    "an image": answer(200, b"\x89PNG", {"Content-Type": "image/png"}),
    "a compressed file": answer(200, b"\x1f\x8b", {**MP4, "Content-Encoding": "gzip"}),
    "XML": answer(200, "<Error/>", {"Content-Type": "application/xml"}),
    "a circle": answer(302, "", {"Location": "/v1/videos/video_1/content"}),
    "a file address": answer(302, "", {"Location": "file:///etc/passwd"}),
    "what is no address": answer(302, "", {"Location": "http://[::1/"}),
    "a port that is none": answer(302, "", {"Location": "http://example.org:99999/"}),
    "an address that two parsers read in two ways": answer(
        302, "", {"Location": "http://a.org\\\\@127.0.0.1/"}
    ),
    "an address with credentials": answer(302, "", {"Location": "http://me:pw@example.org/"}),
}


@pytest.mark.parametrize("case", NO_MEDIA)
async def test_what_is_no_media_is_not_saved(case: str) -> None:
    assert (await trouble_of(always(NO_MEDIA[case]))).kind is Kind.NOT_MEDIA


async def test_json_that_says_still_at_it_is_not_yet() -> None:
    assert (await trouble_of(always(answer(200, {"status": "processing"})))).kind is Kind.NOT_YET


async def test_an_address_inside_a_json_answer_is_followed_once() -> None:
    async def anyfast(request: Received, wire: Wire) -> None:
        if request.target == "/file.mp4":
            await wire.send(answer(200, FILE, MP4))
        else:
            await wire.send(answer(200, {"url": f"{server.url}/file.mp4"}))

    async with serving_raw(anyfast) as server, talking_to(server.url) as upstream:
        assert await fetched(upstream) == (0, len(FILE), FILE)

    trouble = await trouble_of(always(answer(200, {"url": "http://127.0.0.1:9/file.mp4"})))
    assert trouble.kind is Kind.NOT_MEDIA


@pytest.mark.parametrize("length", [{}, {"Content-Length": str(MAX_FILE + 1)}])
async def test_a_file_over_the_bound_is_refused(length: dict[str, str]) -> None:
    head = HEAD + b"".join(f"{k}: {v}\r\n".encode() for k, v in length.items()) + b"\r\n"
    assert (await trouble_of(always(head + b"x" * (MAX_FILE + 1)))).kind is Kind.TOO_LARGE


# --- variants -----------------------------------------------------------------------------------------


async def test_a_thumbnail_is_asked_for_by_variant() -> None:
    image = answer(200, b"RIFF", {"Content-Type": "image/webp"})
    async with serving_raw(always(image)) as server, talking_to(server.url) as upstream:
        async with upstream.open_content(JOB, None, Variant.THUMBNAIL) as content:
            assert content.content_type == "image/webp"
        assert server.requests[0].target.endswith("/content?variant=thumbnail")


@pytest.mark.parametrize("reply", [answer(404), answer(400), answer(200, FILE, MP4)])
async def test_a_variant_that_is_not_there_is_unsupported(reply: bytes) -> None:
    assert (await trouble_of(always(reply), variant=Variant.SPRITESHEET)).kind is Kind.UNSUPPORTED


async def test_a_server_without_variants_is_not_asked() -> None:
    async with serving_raw(always(answer(200))) as server, talking_to(server.url, "generic") as upstream:
        with pytest.raises(ContentTrouble, match="no thumbnail"):
            async with upstream.open_content(JOB, None, Variant.THUMBNAIL):
                pass
        assert server.requests == []


# --- other hosts --------------------------------------------------------------------------------------


async def cdn_is_local(host: str, port: int) -> Sequence[str]:
    """Stands in for the public network: one name leads to this machine, every other is refused."""
    if host != "cdn.example.org":
        raise AddressRefused("The result is on a private address.")
    return ["127.0.0.1"]


async def test_our_key_stays_with_the_upstream_when_it_redirects_elsewhere() -> None:
    async with serving_raw(always(answer(200, FILE, MP4))) as cdn:
        elsewhere = answer(302, "", {"Location": f"http://cdn.example.org:{cdn.port}/a.mp4?sig=1"})
        async with (
            serving_raw(always(elsewhere)) as server,
            talking_to(server.url, guard=cdn_is_local) as upstream,
        ):
            assert await fetched(upstream) == (0, len(FILE), FILE)
            assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        [request] = cdn.requests
    assert "authorization" not in request.headers
    assert request.headers["host"] == f"cdn.example.org:{cdn.port}"
    assert request.target == "/a.mp4?sig=1"


async def test_a_result_address_on_another_host_is_fetched_without_our_key() -> None:
    async with serving_raw(always(answer(200, FILE, MP4))) as cdn, serving_raw(ranges) as server:
        async with talking_to(server.url, "generic", guard=cdn_is_local) as upstream:
            url = f"http://cdn.example.org:{cdn.port}/a.mp4"
            assert await fetched(upstream, url) == (0, len(FILE), FILE)
        assert "authorization" not in cdn.requests[0].headers
        assert server.requests == []


async def test_a_redirect_back_to_the_upstream_has_the_key_again() -> None:
    async def home(request: Received, wire: Wire) -> None:
        await wire.send(answer(200, FILE, MP4) if request.target == "/back" else elsewhere)

    async with serving_raw(home) as server:
        async with serving_raw(always(answer(302, "", {"Location": f"{server.url}/back"}))) as cdn:
            elsewhere = answer(302, "", {"Location": f"http://cdn.example.org:{cdn.port}/"})
            async with talking_to(server.url, guard=cdn_is_local) as upstream:
                assert await fetched(upstream) == (0, len(FILE), FILE)
        assert server.requests[1].headers["authorization"] == f"Bearer {KEY}"


async def test_the_upstream_cannot_send_us_into_our_own_network() -> None:
    async with serving_raw(always(answer(200, FILE, MP4))) as inner:
        inward = answer(302, "", {"Location": f"http://127.0.0.1:{inner.port}/admin"})
        trouble = await trouble_of(always(inward))
        assert trouble.kind is Kind.NOT_MEDIA
        assert inner.requests == []


async def test_a_tls_connection_goes_to_the_checked_address_under_the_hosts_name() -> None:
    hello = bytearray()

    async def listen(wire: Wire) -> bool:
        hello.extend(await wire.reader.read(4096))
        return False

    async with (
        serving_raw(always(b""), listen) as cdn,
        talking_to("http://127.0.0.1:9", "generic", guard=cdn_is_local) as upstream,
    ):
        with pytest.raises(ContentTrouble):
            await fetched(upstream, f"https://cdn.example.org:{cdn.port}/a.mp4")
    assert b"cdn.example.org" in hello


async def test_a_second_address_is_tried_when_the_first_takes_no_connection() -> None:
    async def two(host: str, port: int) -> Sequence[str]:
        # Nobody listens on the second loopback address.
        return ["127.0.0.2", "127.0.0.1"]

    async with (
        serving_raw(always(answer(200, FILE, MP4))) as cdn,
        talking_to("http://127.0.0.1:9", "generic", guard=two) as upstream,
    ):
        url = f"http://cdn.example.org:{cdn.port}/a.mp4"
        assert await fetched(upstream, url) == (0, len(FILE), FILE)
