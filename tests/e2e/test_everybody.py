"""Everybody can use it: in Chinese and in the dark, with a phone, with nothing but a keyboard, below a path."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Browser, Locator, expect

from sora_gateway.core.actor import COMMAND_LINE
from tests.between import Proxy, standing
from tests.e2e.acts import card, is_live
from tests.e2e.browser import Visitor, visiting
from tests.lab import unused_port
from tests.running import person, running, settings_for

GROUND = "getComputedStyle(document.documentElement).backgroundColor"
ANN, PASSWORD = "ann@example.org", "correct horse"


async def test_in_chinese_and_in_the_dark(browser: Browser, tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        person(gateway),
        visiting(browser, gateway, language="zh-CN", theme="dark") as ann,
    ):
        await ann.sign_in(ANN)
        page = ann.page
        await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        dark = await page.evaluate(GROUND)
        await page.locator("textarea[name=prompt]").fill("雨中的纸船")
        await page.keyboard.press("Control+Enter")
        await expect(card(ann, "雨中的纸船").locator("video")).to_be_visible()
        # Both are a choice, too, and stay with the browser.
        await page.get_by_role("button", name="菜单").click()
        await page.locator("#menu .language select").first.select_option("en")
        await expect(page.get_by_role("button", name="Make the video")).to_be_visible()
        await page.get_by_role("combobox", name="Theme").select_option("light")
        await page.reload()
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        assert lightness(await page.evaluate(GROUND)) > lightness(dark)


def lightness(colour: str) -> float:
    """The first part of an oklch(), as the tokens are written."""
    return float(re.findall(r"[\d.]+", colour)[0])


async def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Browser, tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        person(gateway),
        visiting(browser, gateway, device="phone") as ann,
    ):
        await ann.sign_in(ANN)
        page = ann.page
        await page.get_by_role("textbox", name="Prompt").fill("a paper boat in the rain")
        await page.get_by_role("button", name="Make the video").tap()
        await expect(card(ann, "a paper boat in the rain").locator("video")).to_be_visible()
        await page.get_by_role("link", name="Gallery", exact=True).tap()
        await page.get_by_role("button", name="a paper boat in the rain").tap()
        await expect(page.get_by_role("dialog").locator("video")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_a_keyboard_is_enough(browser: Browser, tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        person(gateway),
        visiting(browser, gateway) as ann,
    ):
        page, keys = ann.page, ann.page.keyboard
        await give_password(ann)
        await expect(page.get_by_label("E-mail")).to_be_focused()
        await keys.type(ANN)
        await tab_to(ann, page.get_by_label("Password", exact=True))
        await keys.type(PASSWORD)
        await keys.press("Enter")
        await is_live(ann)

        await tab_to(ann, page.get_by_role("textbox", name="Prompt"))
        await keys.type("a paper boat in the rain")
        await tab_to(ann, page.get_by_role("button", name="Make the video"))
        await keys.press("Enter")
        made = card(ann, "a paper boat in the rain")
        await expect(made.locator("video")).to_be_visible()

        # A dialog takes the focus, keeps it, and gives it back.
        delete = made.get_by_role("button", name="Delete")
        await tab_to(ann, delete)
        await keys.press("Enter")
        dialog = page.get_by_role("dialog")
        await expect(dialog.get_by_role("button", name="Back")).to_be_focused()
        for _ in range(6):
            await keys.press("Tab")
            assert await page.evaluate(
                "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
            )
        await keys.press("Escape")
        await expect(dialog).to_have_count(0)
        await expect(delete).to_be_focused()

        # The menu, and the way out.
        menu = page.get_by_role("button", name="Menu")
        await menu.focus()
        await keys.press("Enter")
        await tab_to(ann, page.get_by_role("link", name="Account and keys"))
        await keys.press("Enter")
        await expect(page.get_by_role("heading", name="Your account")).to_be_visible()
        await menu.focus()
        await keys.press("Enter")
        await tab_to(ann, page.get_by_role("button", name="Sign out", exact=True))
        await keys.press("Enter")
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        ann.forgive("status of 401")


async def give_password(ann: Visitor) -> None:
    """She sets one by a link, and stands at the door."""
    accounts = ann.gateway.accounts
    token = await accounts.new_reset_link(ANN, COMMAND_LINE)
    await ann.arrive(f"#reset={token}")
    await ann.page.get_by_label("New password").fill(PASSWORD)
    await ann.page.keyboard.press("Enter")
    await expect(ann.page.get_by_role("heading", name="Sign in")).to_be_visible()


async def tab_to(visitor: Visitor, wanted: Locator) -> None:
    """Presses Tab until *wanted* has the focus; wherever it is on the way, it can be seen."""
    for _ in range(60):
        await visitor.page.keyboard.press("Tab")
        # Between the page and the browser's own bars; and in a player, whose controls are the browser's.
        if await visitor.page.evaluate("document.activeElement.matches('body, video')"):
            continue
        seen = await visitor.page.evaluate(
            """() => {
                const element = document.activeElement;
                const marked = (each) => {
                    const { outlineStyle, boxShadow } = getComputedStyle(each);
                    return outlineStyle !== "none" || boxShadow !== "none";
                };
                const shown = [element, element.closest("label"), element.closest(".composer")].filter(Boolean);
                return element.matches(":focus-visible") && shown.some(marked);
            }"""
        )
        where = await visitor.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        assert seen, f"The focus cannot be seen on {where}"
        if await wanted.evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"Tab does not lead to {wanted}")


async def test_the_page_works_below_a_path(browser: Browser, tmp_path: Path) -> None:
    port = unused_port()
    server = {"root_path": "/videos", "trusted_proxies": ["127.0.0.1"], "port": port}
    async with (
        running(settings_for(tmp_path, server=server)) as gateway,
        standing(Proxy(port, prefix="/videos", strips=True, scheme="http")) as proxy,
    ):
        gateway.address = f"http://127.0.0.1:{proxy.port}/videos"
        async with visiting(browser, gateway) as ann:
            await ann.sign_in()
            await ann.arrive("#/")
            await ann.page.get_by_role("textbox", name="Prompt").fill("a paper boat in the rain")
            await ann.page.get_by_role("button", name="Make the video").click()
            await expect(card(ann, "a paper boat in the rain").locator("video")).to_be_visible()
            await expect(card(ann, "a paper boat in the rain").locator("video")).to_have_js_property(
                "error", None
            )
            for screen, heading in (("gallery", "Gallery"), ("account", "Your account"), ("admin", "Admin")):
                await ann.arrive(f"#/{screen}")
                await expect(ann.page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
            assert await ann.page.evaluate("performance.getEntriesByType('resource').length") > 10
