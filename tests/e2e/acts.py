"""What people do on the page, in words of the tests, and gateways whose upstream a test leads by the hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Locator, expect

from sora_gateway.app import Gateway
from sora_gateway.upstream import simulator
from tests.e2e.browser import Visitor
from tests.lab import Lab, closing, lab_settings
from tests.raw_server import serving_raw
from tests.running import running

FINISHED: dict[str, object] = {"status": "completed", "progress": 100}
CLIP = Path(simulator.__file__).with_name("clip.mp4")


@asynccontextmanager
async def studio(
    data_dir: Path, lab: Lab, *, url: str | None = None, **sections: Any
) -> AsyncIterator[Gateway]:
    """A gateway in front of *lab*, whose finished videos play in a browser. It looks often, and nothing costs credits
    unless *sections* say otherwise. *lab* gets an address of its own unless another *url* is given."""
    lab.content = closing(200, CLIP.read_bytes(), {"Content-Type": "video/mp4"})
    often = {
        "polling": {"min_interval": 0.1},
        "credits": {"enabled": False},
        "upstream": {"max_concurrent": 0},
    }
    async with AsyncExitStack() as stack:
        if url is None:
            url = (await stack.enter_async_context(serving_raw(lab.handle))).url
        yield await stack.enter_async_context(running(lab_settings(data_dir, url, **often | sections)))


def card(visitor: Visitor, prompt: str) -> Locator:
    """The card of a video on the board."""
    return visitor.page.get_by_role("article", name=prompt, exact=True)


def tile(visitor: Visitor, prompt: str) -> Locator:
    """A video in the gallery."""
    return visitor.page.get_by_role("listitem").filter(has=visitor.page.get_by_role("link", name=prompt))


async def order(visitor: Visitor, prompt: str) -> Locator:
    """Types *prompt* on the board and asks for its video. Gives the card that appears."""
    await visitor.arrive("#/")
    await visitor.page.get_by_role("textbox", name="Prompt").fill(prompt)
    await visitor.page.get_by_role("button", name="Make the video").click()
    made = card(visitor, prompt)
    await expect(made).to_be_visible()
    return made


async def unfold(visitor: Visitor) -> None:
    """Everything that can be asked for beside the prompt."""
    await visitor.arrive("#/")
    await visitor.page.get_by_role("textbox", name="Prompt").focus()
    await visitor.page.get_by_role("button", name="More").click()


async def confirm(visitor: Visitor, action: str) -> None:
    """Answers the question of a dialog."""
    await visitor.page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()


async def is_live(visitor: Visitor) -> None:
    await expect(visitor.page.locator(".connection")).to_have_attribute("data-state", "live")


async def settled(visitor: Visitor) -> None:
    """The screen of the address is there, and what it asked for is, too."""
    page, main = visitor.page, visitor.page.get_by_role("main")
    # The address is heard of in a task of its own, and what follows is drawn with the next frame.
    await page.evaluate(
        "new Promise((done) => setTimeout(() => requestAnimationFrame(() => setTimeout(done))))"
    )
    await expect(main).to_have_attribute("aria-busy", "false")
    await expect(main.get_by_text("Loading…").or_(main.get_by_text("正在加载…"))).to_have_count(0)
    await page.wait_for_load_state("networkidle")
    await expect(main.get_by_text("Loading…").or_(main.get_by_text("正在加载…"))).to_have_count(0)
    await expect(main.get_by_role("heading").first).to_be_visible()


async def plays(video: Locator) -> None:
    """It plays, or does once it is told to."""
    await video.evaluate("(video) => ((video.muted = true), video.play())")
    await expect(video).to_have_js_property("paused", False)
