"""What was made is found again, compared, shown to others and deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from sora_gateway.app import Gateway
from tests.e2e.acts import plays, tile
from tests.e2e.browser import Visitor, visiting
from tests.running import person, running, settings_for

BOATS, TRAIN = ("a paper boat in the rain", "a paper boat in the sun"), "a train at dawn"


@asynccontextmanager
async def ann_in_her_gallery(browser: Browser, data_dir: Path) -> AsyncIterator[tuple[Gateway, Visitor]]:
    """She has two videos of boats and one of a train."""
    async with (
        running(settings_for(data_dir)) as gateway,
        person(gateway) as program,
        visiting(browser, gateway) as ann,
    ):
        for prompt in (TRAIN, *BOATS):
            made = await program.make(prompt, tags=[prompt.split()[-1]])
            await program.comes_to(made["videoId"], "completed")
        await ann.sign_in("ann@example.org")
        await ann.arrive("#/gallery")
        await expect(ann.page.locator(".tile")).to_have_count(3)
        yield gateway, ann


async def look_at(page: Page, prompt: str) -> None:
    await page.get_by_role("button", name=prompt).click()
    await expect(page.get_by_role("dialog").locator("video")).to_be_visible()


async def test_a_video_is_the_draft_of_the_next_one(browser: Browser, tmp_path: Path) -> None:
    async with ann_in_her_gallery(browser, tmp_path) as (_, ann):
        await look_at(ann.page, TRAIN)
        await ann.page.get_by_role("link", name="Make from this").click()
        await expect(ann.page.get_by_role("textbox", name="Prompt")).to_have_value(TRAIN)
        await expect(ann.page.get_by_role("region", name="The video it comes from")).to_contain_text(TRAIN)


async def test_deleting_can_be_taken_back_for_a_while(browser: Browser, tmp_path: Path) -> None:
    async with ann_in_her_gallery(browser, tmp_path) as (_, ann):
        page = ann.page
        await look_at(page, TRAIN)
        await page.get_by_role("button", name="Delete").click()
        await expect(tile(ann, TRAIN)).to_have_count(0)
        await page.get_by_role("button", name="Undo").click()
        await expect(tile(ann, TRAIN)).to_be_visible()
        await page.reload()
        await expect(tile(ann, TRAIN)).to_be_visible()

        await look_at(page, TRAIN)
        await page.get_by_role("button", name="Delete").click()
        await expect(tile(ann, TRAIN)).to_have_count(0)
        await page.get_by_role("link", name="Board").click()  # Whoever leaves does not take it back.
        await page.get_by_role("link", name="Gallery", exact=True).click()
        await expect(page.locator(".tile")).to_have_count(2)
        await page.reload()
        await expect(page.locator(".tile")).to_have_count(2)
        ann.forgive("status of 404")  # The board had looked for it.


async def test_a_stranger_sees_a_video_by_its_link_until_it_is_revoked(
    browser: Browser, tmp_path: Path
) -> None:
    async with (
        ann_in_her_gallery(browser, tmp_path) as (gateway, ann),
        visiting(browser, gateway) as stranger,
    ):
        await look_at(ann.page, TRAIN)
        await ann.page.get_by_role("button", name="Share").click()
        sheet = ann.page.get_by_role("dialog", name="Share links")
        await sheet.get_by_role("button", name="Make a link").click()
        link = await sheet.get_by_role("button", name="Copy the link").get_by_role("code").inner_text()
        await stranger.page.goto(link)
        await expect(stranger.page.get_by_role("heading", name="A video for you")).to_be_visible()
        await plays(stranger.page.locator("video"))
        await expect(stranger.page.get_by_text(TRAIN)).to_have_count(0)
        await sheet.get_by_role("button", name="Revoke").click()
        await expect(sheet.get_by_text("There is no link to it.")).to_be_visible()
        await stranger.page.reload()
        await expect(stranger.page.get_by_text("This link opens nothing (any more)")).to_be_visible()
        stranger.forgive("api/shared/")
        assert stranger.problems == [], "a stranger is not asked who they are, and so not refused"
        await stranger.page.get_by_role("link", name="Sora Gateway").click()
        await expect(stranger.page.get_by_label("E-mail")).to_be_visible()
        stranger.forgive("api/auth/me")


async def test_two_videos_are_seen_side_by_side(browser: Browser, tmp_path: Path) -> None:
    async with ann_in_her_gallery(browser, tmp_path) as (_, ann):
        page = ann.page
        await page.get_by_role("button", name="Select").click()
        for prompt in BOATS:
            await page.get_by_role("checkbox", name=prompt).click()
        await page.get_by_role("button", name="Compare").click()
        sheet = page.get_by_role("dialog", name="Side by side")
        await sheet.get_by_role("button", name="Play both").click()
        for index in range(2):
            await expect(sheet.locator("video").nth(index)).to_have_js_property("paused", False)
        await page.keyboard.press("Escape")
        await expect(sheet).to_have_count(0)


async def test_what_narrows_the_list_is_in_the_address(browser: Browser, tmp_path: Path) -> None:
    async with ann_in_her_gallery(browser, tmp_path) as (_, ann):
        page, tiles = ann.page, ann.page.locator(".tile")
        await page.get_by_role("searchbox").fill("boat")
        await expect(tiles).to_have_count(2)
        await page.get_by_role("button", name="More filters").click()
        await page.get_by_role("combobox", name="Tag").select_option("sun")
        await expect(tiles).to_have_count(1)
        await page.reload()
        await expect(tiles).to_have_count(1)
        await expect(page.get_by_role("searchbox")).to_have_value("boat")
        await page.go_back()
        await expect(tiles).to_have_count(2)
        await page.get_by_role("button", name="Show all again").click()
        await expect(tiles).to_have_count(3)
        await page.get_by_role("combobox", name="State").select_option("failed")
        await expect(page.get_by_text("Nothing fits")).to_be_visible()
