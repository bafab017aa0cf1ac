"""axe-core looks at every screen and every tab, as two kinds of people have it before them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.acts import settled
from tests.e2e.browser import visiting
from tests.e2e.filled import Filled, filled
from tests.e2e.table import addresses, screens, tabs_of

PARTS = 3
"""So that each stays far below the time that a test may take."""
READERS: list[dict[str, Any]] = [
    {"language": "en", "theme": "light", "device": "desktop"},
    {"language": "zh-CN", "theme": "dark", "device": "phone"},
]


def test_no_screen_and_no_tab_is_missing() -> None:
    named = set(addresses(Filled(None, *"abcdef")))  # type: ignore[arg-type]  # Only the names matter.
    assert {name.partition("/")[0] for name in named} == set(screens())
    for area in ("account", "admin", "console"):
        tabs = {name.partition("/")[2] for name in named if name.startswith(f"{area}/")}
        assert set(tabs_of(area)) <= tabs


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: "-".join(reader.values()))
@pytest.mark.parametrize("part", range(PARTS))
async def test_nothing_serious_stands_in_the_way_of_anybody(
    browser: Browser, tmp_path: Path, reader: dict[str, Any], part: int
) -> None:
    async with filled(tmp_path) as there, visiting(browser, there.gateway, **reader) as ann:
        await ann.sign_in("ann@example.org")
        barriers = {}
        for name, address in list(addresses(there).items())[part::PARTS]:
            await ann.arrive(address)
            await settled(ann)
            barriers[name] = await ann.barriers()
            if reader["device"] == "phone":
                width = await ann.page.evaluate("document.documentElement.scrollWidth")
                if width > 390:
                    barriers[name].append(f"It is {width} px wide.")
        assert not any(barriers.values()), {name: found for name, found in barriers.items() if found}


async def test_nothing_serious_stands_in_a_dialog(browser: Browser, tmp_path: Path) -> None:
    async with filled(tmp_path) as there, visiting(browser, there.gateway) as ann:
        await ann.sign_in("ann@example.org")
        page, dialog = ann.page, ann.page.get_by_role("dialog")
        barriers = []
        for address, button in (
            (f"#/gallery?play={there.ready}", None),
            (f"#/video/{there.ready}", "Share"),
            ("#/admin/people", "Add a person"),
            ("#/admin/plans", "Make a plan"),
            ("#/admin/invitations", "Invite"),
            ("#/admin/codes", "Make codes"),
            ("#/admin/upstreams", "Add an upstream"),
            ("#/admin/upstreams", "Pause studio"),
        ):
            await ann.arrive(address)
            if button:
                await page.get_by_role("button", name=button, exact=True).click()
            await expect(dialog).to_be_visible()
            barriers += await ann.barriers()
            await page.keyboard.press("Escape")
            await expect(dialog).to_have_count(0)
        await ann.arrive("#/")
        await page.get_by_role("textbox", name="Prompt").focus()
        await page.get_by_role("button", name="More").click()
        await expect(page.get_by_text("Drop an image here")).to_be_visible()
        await page.get_by_role("button", name="Menu").click()
        barriers += await ann.barriers()
        assert barriers == []
