"""``make screenshots``: every screen in both languages and themes, on a desk and on a phone, into build/screenshots;
a few of them, smaller, into docs/pictures for the README."""

from __future__ import annotations

import asyncio
import io
import itertools
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page

from tests.e2e.acts import settled
from tests.e2e.browser import SIZES, Device, Language, Theme, launched, visiting
from tests.e2e.filled import Filled, filled
from tests.e2e.table import addresses

HERE = Path(__file__).parents[2]
WHOLE = HERE / "build" / "screenshots"
CHOSEN = HERE / "docs" / "pictures"
MOST = 150_000
"""Bytes of a picture in the README."""
LONGEST = 2_400
"""Pixels; what is below is left off."""
PROMPTS: dict[Language, str] = {
    "en": "A lighthouse in fog at dawn, its beam turning slowly, gulls in the foreground",
    "zh-CN": "清晨薄雾中的灯塔，光束缓缓转动，前景有海鸥飞过",
}
SEEN_ONLY = {"board", "gallery", "gallery/ready"}
"""Screens that draw only what is in the window; it is made as long as they are."""
FOR_README: dict[tuple[str, Language, Theme, Device], str] = {
    ("board", "en", "light", "desktop"): "board",
    ("board", "zh-CN", "dark", "phone"): "board-phone-dark-zh",
    ("gallery/ready", "en", "dark", "desktop"): "gallery-dark",
    ("video/refused", "en", "light", "desktop"): "refused",
    ("admin/upstreams", "en", "light", "desktop"): "upstreams",
}
LANGUAGES: tuple[Language, ...] = ("en", "zh-CN")
THEMES: tuple[Theme, ...] = ("light", "dark")
DEVICES: tuple[Device, ...] = ("desktop", "phone")


async def main() -> None:
    only = set(sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        async with filled(Path(folder), videos=12, render="full") as there, launched() as browser:
            for language, theme, device in itertools.product(LANGUAGES, THEMES, DEVICES):
                await take_all(browser, there, only, language, theme, device)


async def take_all(
    browser: Browser, there: Filled, only: set[str], language: Language, theme: Theme, device: Device
) -> None:
    """Those whose names are in *only*, or all."""
    async with visiting(browser, there.gateway, language=language, theme=theme, device=device) as ann:
        folder = WHOLE / f"{language}-{theme}-{device}"
        folder.mkdir(parents=True, exist_ok=True)
        await ann.sign_in("ann@example.org")
        for name, address in addresses(there).items():
            if only and name not in only:
                continue
            await ann.arrive(address)
            if name == "board":  # As somebody has it before them who is about to ask for something.
                await ann.page.locator("textarea[name=prompt]").fill(PROMPTS[language])
            await settled(ann)
            whole = await picture_of(ann.page, SIZES[device], name in SEEN_ONLY)
            whole.save(folder / f"{name.replace('/', '-')}.png")
            chosen = FOR_README.get((name, language, theme, device))
            if chosen is not None:
                keep(whole, CHOSEN / f"{chosen}.webp")


async def picture_of(page: Page, size: tuple[int, int], seen_only: bool) -> Image.Image:
    """The whole page, from above to :data:`LONGEST`."""
    width, height = size
    if seen_only:
        long = await page.evaluate("document.documentElement.scrollHeight")
        await page.set_viewport_size({"width": width, "height": max(height, min(long, LONGEST))})
        await page.wait_for_load_state("networkidle")
        await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    taken = Image.open(io.BytesIO(await page.screenshot(full_page=True, animations="disabled")))
    await page.set_viewport_size({"width": width, "height": height})
    return taken.crop((0, 0, taken.width, min(taken.height, LONGEST)))


def keep(picture: Image.Image, path: Path) -> None:
    """As large as the README shows it, and no heavier than :data:`MOST`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = picture.crop((0, 0, picture.width, min(picture.height, 1_100))).convert("RGB")
    for quality in range(88, 30, -8):
        target = io.BytesIO()
        shown.save(target, "WEBP", quality=quality, method=6)
        if len(target.getvalue()) <= MOST:
            break
    path.write_bytes(target.getvalue())


if __name__ == "__main__":
    asyncio.run(main())
