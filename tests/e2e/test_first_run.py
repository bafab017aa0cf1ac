"""What somebody who has just installed it does first: three steps from the link to a real upstream."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.e2e.acts import is_live
from tests.e2e.browser import visiting
from tests.fake_upstream import FakeUpstream
from tests.running import running, settings_for
from tests.servers import serving


async def test_the_first_link_leads_to_an_administrator_a_video_that_plays_and_a_real_upstream(
    browser: Browser, tmp_path: Path
) -> None:
    async with (
        serving(FakeUpstream("the right key").app()) as upstream,
        running(settings_for(tmp_path)) as gateway,
        visiting(browser, gateway) as root,
    ):
        page = root.page
        await root.sign_in()

        await expect(page.get_by_role("heading", name="Make yourself the administrator")).to_be_visible()
        await page.get_by_label("E-mail").fill("root@example.org")
        await page.get_by_label("Password", exact=True).fill("correct horse")
        await page.get_by_role("button", name="Become the administrator").click()

        await page.get_by_role("button", name="Make the first video").click()
        await expect(page.get_by_text("This is how every video comes")).to_be_visible()
        await expect(page.locator("video")).to_have_js_property("paused", False)
        await page.get_by_role("button", name="Go on").click()
        await page.get_by_role("link", name="First video").click()
        await expect(page.get_by_text("This is how every video comes")).to_be_visible()  # still the same one
        await page.get_by_role("button", name="Go on").click()

        await page.get_by_label("Name", exact=True).fill("studio")
        await page.get_by_label("Address", exact=True).fill(f"{upstream}/v1")
        await page.get_by_label("Its API key").fill("a wrong key")
        await page.get_by_role("button", name="Check and add").click()
        await expect(page.get_by_text("401")).to_be_visible()  # doctor's answer, and nothing was added
        await expect(page.get_by_role("button", name="Add it all the same")).to_be_visible()
        await page.get_by_label("Its API key").fill("the right key")
        await page.get_by_role("button", name="Check and add").click()
        await expect(page.get_by_text("studio is connected.")).to_be_visible()

        await page.get_by_role("button", name="To the board").click()
        await is_live(root)
        await expect(page.get_by_text("Just ended")).to_be_visible()
        await expect(page.get_by_text("Simulator.")).to_have_count(0)
        await page.get_by_role("button", name="Menu").click()
        await expect(page.get_by_text("root@example.org")).to_be_visible()


async def test_whoever_is_no_administrator_comes_to_the_board(browser: Browser, tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, visiting(browser, gateway) as ann:
        await gateway.store.people.create_user("user_ann", "ann@example.org", "member", None, 0, 0.0)
        await ann.sign_in("ann@example.org")
        await expect(ann.page.get_by_role("textbox", name="Prompt")).to_be_visible()
        await ann.arrive("#/welcome")
        await expect(ann.page.get_by_text("This is not for your role")).to_be_visible()
