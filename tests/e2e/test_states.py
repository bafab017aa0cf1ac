"""What the page says when something is not as usual."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.e2e.acts import card, order, studio
from tests.e2e.browser import visiting
from tests.lab import Lab
from tests.running import person, running, settings_for

MORE_THAN_THERE_IS = 1 << 60


async def test_a_full_disk_is_told_before_and_when_somebody_tries(browser: Browser, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, media={"min_free_disk": MORE_THAN_THERE_IS})
    async with running(settings) as gateway, visiting(browser, gateway) as root:
        await root.sign_in()
        await root.arrive("#/")
        page = root.page
        await expect(page.get_by_role("alert").filter(has_text="disk")).to_be_visible()
        await page.get_by_role("textbox", name="Prompt").fill("a lighthouse in fog")
        await page.get_by_role("button", name="Make the video").click()
        await expect(page.get_by_text("The gateway's disk is full.")).to_be_visible()
        await expect(page.get_by_role("textbox", name="Prompt")).to_have_value("a lighthouse in fog")
        await root.arrive("#/admin/overview")
        await expect(page.get_by_role("link", name="The disk is full")).to_be_visible()
        root.forgive("status of 507")


async def test_a_paused_upstream_is_told_to_those_whose_videos_wait(browser: Browser, tmp_path: Path) -> None:
    async with (
        studio(tmp_path, Lab()) as gateway,
        person(gateway),
        visiting(browser, gateway) as root,
        visiting(browser, gateway) as ann,
    ):
        await root.sign_in()
        await root.arrive("#/admin/upstreams")
        await root.page.get_by_role("button", name="Pause lab").click()
        await root.page.get_by_role("dialog").get_by_role("button", name="Pause").click()
        await expect(root.page.get_by_role("button", name="Resume lab")).to_be_visible()

        await ann.sign_in("ann@example.org")
        made = await order(ann, "a lighthouse in fog")
        await expect(made.get_by_text("An administrator has paused lab.")).to_be_visible()
        await root.page.get_by_role("button", name="Resume lab").click()
        await expect(made).to_have_attribute("data-stage", "processing")


async def test_a_viewer_watches_and_is_offered_nothing_else(browser: Browser, tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        person(gateway) as ann,
        person(gateway, "vic", "viewer"),
        visiting(browser, gateway) as vic,
    ):
        made = await ann.make("a lighthouse in fog", visibility="team")
        await ann.comes_to(made["videoId"], "completed")
        await vic.sign_in("vic@example.org")
        page = vic.page
        await expect(page.get_by_text("You can watch here what the team makes.")).to_be_visible()
        await expect(page.get_by_role("textbox", name="Prompt")).to_have_count(0)
        await expect(page.get_by_role("link", name="Admin")).to_have_count(0)
        shown = card(vic, "a lighthouse in fog")
        await expect(shown.locator("video")).to_be_visible()
        await expect(shown.get_by_role("button", name="Delete")).to_have_count(0)
        await vic.arrive("#/admin")
        await expect(page.get_by_text("This is not for your role")).to_be_visible()


async def test_addresses_that_lead_nowhere_say_so(browser: Browser, tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, visiting(browser, gateway) as ann:
        await ann.sign_in()
        page = ann.page
        await ann.arrive("#/video/video_of_nobody")
        await expect(page.get_by_text("There is no such video")).to_be_visible()
        await ann.arrive("#/no-such-screen")
        await expect(page.get_by_role("textbox", name="Prompt")).to_be_visible()
        await ann.arrive("#/shared/a-link-of-nobody")
        await expect(page.get_by_text("This link opens nothing (any more)")).to_be_visible()
        ann.forgive("status of 404")


async def test_a_link_that_was_used_says_so_and_leads_to_the_door(browser: Browser, tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, visiting(browser, gateway) as ann:
        await ann.arrive("#login=it-was-used-already")
        await expect(ann.page.get_by_text("This sign-in link is not good any more.")).to_be_visible()
        await expect(ann.page.get_by_role("heading", name="Sign in")).to_be_visible()
        await ann.page.get_by_text("No password, or forgotten?").click()
        await expect(ann.page.get_by_text("sora-gateway user reset")).to_be_visible()
        assert await ann.barriers() == []
        ann.forgive("status of 401")
