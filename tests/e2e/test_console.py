"""Builders try the API and see every frame."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.e2e.browser import visiting
from tests.running import running, settings_for


async def test_an_operation_is_sent_and_answered(browser: Browser, tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, visiting(browser, gateway) as ann:
        await ann.sign_in()
        await ann.arrive("#/console")
        await ann.page.get_by_label("Body (JSON)").fill('{"prompt": "a lighthouse in fog"}')
        await expect(ann.page.get_by_role("main")).to_contain_text("curl")
        await ann.page.get_by_role("button", name="Send").click()
        answer = ann.page.get_by_role("region", name="Answer")
        await expect(answer.get_by_role("status")).to_contain_text("202")
        await expect(answer).to_contain_text('"prompt": "a lighthouse in fog"')


async def test_every_frame_is_shown(browser: Browser, tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, visiting(browser, gateway) as ann:
        await ann.sign_in()
        await ann.arrive("#/console/live")
        frames = ann.page.get_by_role("region", name="Frames")
        await ann.page.get_by_role("button", name="Connect", exact=True).click()
        await expect(frames.get_by_text('"type":"ready"')).to_be_visible()
        await ann.page.get_by_role("button", name="Send").click()
        await expect(frames.get_by_text('"type":"pong"')).to_be_visible()
        await ann.page.get_by_role("button", name="Disconnect").click()
        await expect(frames.get_by_text("closed 1000").first).to_be_visible()

        await ann.page.get_by_role("combobox", name="Transport").select_option("sse")
        await ann.page.get_by_role("button", name="Connect", exact=True).click()
        await expect(frames.get_by_text("subscribed ·").first).to_be_visible()
        await ann.page.get_by_role("button", name="Disconnect").click()
