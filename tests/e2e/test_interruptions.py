"""The page and the gateway are left and come back in the middle of a video, and nobody has to do anything."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from playwright.async_api import Browser, expect

from sora_gateway.app import Gateway
from tests.e2e.acts import FINISHED, card, is_live, order, studio
from tests.e2e.browser import visiting
from tests.lab import Lab, unused_port
from tests.raw_server import serving_raw

AWAY = "net::ERR_CONNECTION_REFUSED"


def hang_up(gateway: Gateway) -> None:
    """Breaks every connection: a browser that is told to be offline keeps those that it has."""
    server = gateway.server._server
    assert server is not None
    for connection in list(server.server_state.connections):
        connection.transport.abort()


async def test_a_reload_in_the_middle_loses_nothing(browser: Browser, tmp_path: Path) -> None:
    lab = Lab()
    async with studio(tmp_path, lab) as gateway, visiting(browser, gateway) as ann:
        await ann.sign_in()
        made = await order(ann, "a lighthouse in fog")
        await expect(made).to_have_attribute("data-stage", "processing")
        await ann.page.reload()
        await is_live(ann)
        await expect(made).to_have_attribute("data-stage", "processing")
        await expect(made.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "10")
        lab.looks = FINISHED
        await expect(made.locator("video")).to_be_visible()


async def test_a_restart_in_the_middle_is_told_truthfully_and_ends_with_the_video(
    browser: Browser, tmp_path: Path
) -> None:
    lab, server = Lab(), {"port": unused_port()}
    async with serving_raw(lab.handle) as upstream, AsyncExitStack() as visit:
        async with studio(tmp_path, lab, url=upstream.url, server=server) as gateway:
            ann = await visit.enter_async_context(visiting(browser, gateway))
            await ann.sign_in()
            made = await order(ann, "a lighthouse in fog")
            await expect(made).to_have_attribute("data-stage", "processing")
        await expect(ann.page.locator(".connection")).to_have_attribute("data-state", "reconnecting")
        await expect(ann.page.locator(".notice.stale")).to_be_visible()
        lab.looks = FINISHED
        await expect(made).to_have_attribute("data-stage", "processing")  # what it knew last, and since when
        async with studio(tmp_path, lab, url=upstream.url, server=server):
            await is_live(ann)
            await expect(ann.page.locator(".notice.stale")).to_have_count(0)
            await expect(made.locator("video")).to_be_visible()
            ann.forgive(AWAY)
            await visit.aclose()


async def test_without_a_network_the_page_says_so_and_catches_up_afterwards(
    browser: Browser, tmp_path: Path
) -> None:
    lab = Lab()
    async with studio(tmp_path, lab) as gateway, visiting(browser, gateway) as ann:
        await ann.sign_in()
        made = await order(ann, "a lighthouse in fog")
        await expect(made).to_have_attribute("data-stage", "processing")
        await ann.context.set_offline(True)
        hang_up(gateway)
        await expect(ann.page.locator(".connection")).to_have_attribute("data-state", "offline")
        await expect(ann.page.locator(".connection")).to_contain_text("Offline")
        await expect(ann.page.locator(".notice.stale")).to_contain_text("This device is offline.")
        lab.looks = FINISHED
        await ann.context.set_offline(False)
        await is_live(ann)
        await expect(made.locator("video")).to_be_visible()
        await expect(card(ann, "a lighthouse in fog")).to_have_attribute("data-status", "completed")
        ann.forgive("net::ERR_INTERNET_DISCONNECTED")
