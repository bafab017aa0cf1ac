"""What somebody who has just installed it does first."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.e2e.browser import visiting
from tests.running import running, settings_for


async def test_a_prompt_becomes_a_video_that_plays(browser: Browser, tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, visiting(browser, gateway) as ann:
        await ann.sign_in()
        await ann.arrive("#/")
        await ann.page.get_by_role("textbox", name="Prompt").fill("a paper boat in the rain")
        await ann.page.get_by_role("button", name="Make the video").click()
        video = ann.page.locator("video").first
        await expect(video).to_be_visible()
        await video.evaluate("(video) => video.play()")
        await expect(video).to_have_js_property("paused", False)
        assert await ann.barriers() == []
