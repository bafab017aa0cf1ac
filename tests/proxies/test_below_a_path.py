"""The gateway below a path of a host that it shares, through each proxy."""

from __future__ import annotations

import json
from urllib.parse import urljoin

from tests.proxies.conftest import Site
from tests.test_sub_path import Addresses


async def test_the_page_and_all_it_is_made_of_is_below_the_path(site_below: Site) -> None:
    async with site_below.visitor() as browser:
        page = await browser.get("/")
        assert page.headers["content-type"].startswith("text/html")
        addresses = Addresses()
        addresses.feed(page.text)
        assert len(addresses.found) > 3
        for address in addresses.found:
            found = await browser.get(urljoin(str(page.url), address))
            assert found.status_code == 200, address
        # The rest of the host is somebody else's; here nobody's.
        for outside in ("/api/models", "/videosx", "/openapi.json"):
            answer = await browser.get(site_below.origin + outside)
            assert answer.status_code in (404, 503) or not answer.content, outside


async def test_the_path_without_its_slash_leads_to_the_page(site_below: Site) -> None:
    async with site_below.visitor() as browser:
        answer = await browser.get(site_below.address)
        assert answer.status_code in (301, 308)
        assert urljoin(site_below.address, answer.headers["location"]) == f"{site_below.address}/"


async def test_who_signs_in_makes_and_watches_a_video_there(site_below: Site) -> None:
    async with site_below.visitor() as browser:
        signed_in = await browser.post("/api/auth/redeem", json={"token": site_below.house.links.pop()})
        cookie = signed_in.headers["set-cookie"]
        # A cookie of that name is for the whole host; nothing else has the rights that it gives.
        assert cookie.startswith("__Host-sid=")
        assert "Path=/;" in f"{cookie};"
        session = {"Cookie": cookie.partition(";")[0], "Origin": site_below.origin}
        async with site_below.socket(headers=session) as socket:
            assert json.loads(await socket.recv())["type"] == "ready"
            await socket.send('{"type": "subscribe", "all": true}')
            wish = {"prompt": "a boat"}
            made = await browser.post("/api/video/tasks", json=wish, headers=session)
            assert made.status_code == 202, made.text
            message = {"status": ""}
            while message.get("status") != "completed":
                message = json.loads(await socket.recv())
        address = message["assets"]["videoUrl"]  # type: ignore[index]
        assert address.startswith("/videos/api/video/tasks/")
        # Signed: a player needs no cookie for it.
        part = await browser.get(site_below.origin + address, headers={"Range": "bytes=0-9"})
        assert (part.status_code, len(part.content)) == (206, 10)


async def test_the_description_says_where_it_is(site_below: Site) -> None:
    async with site_below.visitor() as browser:
        assert (await browser.get("/openapi.json")).json()["servers"] == [
            {"url": "https://example.org/videos"}
        ]
