"""Requests and answers through each proxy: who came, files in parts, uploads, cookies, HTTPS."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx

from sora_gateway.settings import Server
from tests.matrix import BLACK
from tests.proxies.conftest import VISITOR, Site

MAX_UPLOAD: int = Server.model_fields["max_upload"].default
STRANGER = "203.0.113.66"


# --- who came ----------------------------------------------------------------------------------------


async def test_the_log_has_the_visitors_address_whatever_they_say_of_themselves(site: Site) -> None:
    claims = {
        "X-Forwarded-For": STRANGER,
        "X-Real-IP": STRANGER,
        "Forwarded": f"for={STRANGER}",
        "X-Forwarded-Proto": "http",
    }
    async with site.ann() as ann:
        for headers in ({}, claims):
            made = await ann.post("/api/keys", json={"name": f"by {site.kind}"}, headers=headers)
            assert made.status_code == 201, made.text
        audit = (await ann.get("/api/admin/audit?action=key.&limit=2")).json()["entries"]
        assert [entry["address"] for entry in audit] == [VISITOR, VISITOR]


async def test_over_https_the_session_has_its_careful_cookie(site: Site) -> None:
    async with site.visitor() as browser:
        wish = {"token": site.house.links.pop()}
        answer = await browser.post("/api/auth/redeem", json=wish, headers={"X-Forwarded-Proto": "http"})
        assert answer.status_code == 200, answer.text
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-sid=")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
        assert answer.headers["strict-transport-security"]
        # The page's own requests and its WebSocket count; another page's do not.
        session = {"Cookie": cookie.partition(";")[0]}
        async with site.socket(headers={**session, "Origin": site.origin}) as socket:
            assert '"ready"' in str(await socket.recv())
        refused, ended = [
            await browser.post("/api/auth/logout", headers={**session, "Origin": origin})
            for origin in ("https://evil.test", site.origin)
        ]
        assert (refused.status_code, ended.status_code) == (403, 204)


async def test_plain_http_leads_to_https(site: Site) -> None:
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(f"http://{site.house.host}:{site.stand.http}/admin?lang=en")
    location = answer.headers["location"]
    if site.kind == "caddy":  # knows no other port than that of HTTPS
        location = location.replace(f"https://{site.house.host}/", f"{site.origin}/")
    assert (answer.status_code, location) == (308, f"{site.origin}/admin?lang=en")


async def test_another_name_is_refused_by_the_gateway_or_before(site: Site) -> None:
    async with site.visitor(Host="evil.test") as browser:
        answer = await browser.get("/health")
        # Caddy has no site of that name, and answers with nothing.
        assert answer.status_code == 400 or not answer.content


# --- files -------------------------------------------------------------------------------------------


async def video_of(site: Site, ann: httpx.AsyncClient) -> str:
    """Where its file is."""
    made = (await ann.post("/api/video/tasks", json={"prompt": "a boat"})).json()["videoId"]
    async with asyncio.timeout(20):
        while (await ann.get(f"/api/video/tasks/{made}?wait=10")).json()["status"] != "completed":
            pass
    return f"/api/video/tasks/{made}/content"


async def test_a_player_gets_the_parts_that_it_asks_for(site: Site) -> None:
    async with site.ann() as ann:
        path = await video_of(site, ann)
        whole = await ann.get(path)
        size, tag = len(whole.content), whole.headers["etag"]
        assert (whole.status_code, whole.headers["content-length"]) == (200, str(size))
        assert whole.headers["accept-ranges"] == "bytes"

        async def part(**headers: str) -> httpx.Response:
            return await ann.get(
                path, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )

        first = await part(range="bytes=0-99")
        assert (first.status_code, first.content) == (206, whole.content[:100])
        assert first.headers["content-range"] == f"bytes 0-99/{size}"
        rest = await part(range="bytes=100-", if_range=tag)
        assert (rest.status_code, rest.content) == (206, whole.content[100:])
        assert (await part(range="bytes=-7")).content == whole.content[-7:]
        changed = await part(range="bytes=100-", if_range='"another"')
        assert (changed.status_code, changed.content) == (200, whole.content)
        several = await part(range="bytes=0-9,20-29")
        assert several.headers["content-type"].startswith("multipart/byteranges")
        assert whole.content[20:30] in several.content
        beyond = await part(range=f"bytes={size}-")
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
        assert beyond.json()["error"]["code"] == "range_not_satisfiable"
        assert (await part(if_none_match=tag)).status_code == 304
        head = await ann.head(path)
        assert (head.status_code, head.headers["content-length"], head.content) == (200, str(size), b"")


# --- uploads -----------------------------------------------------------------------------------------


def order(size: int) -> bytes:
    """A reference image with so long a name that the whole has *size* bytes."""
    begin, end = f'{{"imageUrl": "{BLACK}", "name": "'.encode(), b'"}'
    return begin + b"x" * (size - len(begin) - len(end)) + end


async def test_the_largest_upload_arrives_and_the_gateway_refuses_one_byte_more(site: Site) -> None:
    async with site.ann() as ann:
        path, headers = "/api/references", {"Content-Type": "application/json"}
        answer = await ann.post(path, content=order(MAX_UPLOAD), headers=headers)
        # All of it was read: what is wrong with it is the name.
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "name")
    sent = ("--header", "Content-Type: application/json", "--data-binary", "@-")
    refused, status = await asyncio.to_thread(site.curl, path, *sent, body=order(MAX_UPLOAD + 1))
    assert status == "2 413"
    if site.kind == "nginx" or refused:
        # The others hand the answer on while the file is still being sent; sometimes its sentence is lost then.
        assert json.loads(refused)["error"]["code"] == "too_large"


async def test_an_upload_that_takes_its_time_and_does_not_say_its_length_arrives(site: Site) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        body = order(300_000)
        for start in range(0, len(body), 60_000):
            yield body[start : start + 60_000]
            await asyncio.sleep(0.05)

    async with site.ann() as ann:
        headers = {"Content-Type": "application/json"}
        answer = await ann.post("/api/references", content=slowly(), headers=headers)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "name")


# --- HTTP/2 ------------------------------------------------------------------------------------------


def test_a_browser_is_offered_http_2(site: Site) -> None:
    answer, status = site.curl("/api/auth/me")
    assert (status, json.loads(answer)["user"]["email"]) == ("2 200", "ann@example.org")
