"""A real browser that complains: about whatever a script says on the console, what the content security policy stops,
every request to another origin, and (when asked) every barrier that axe-core finds."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

from sora_gateway.app import Gateway

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip
"""A container's root has no sandbox to give, and a test's browser talks to nobody else."""

Language = Literal["en", "zh-CN"]
Theme = Literal["light", "dark"]
Device = Literal["desktop", "phone"]

SIZES: dict[Device, tuple[int, int]] = {"desktop": (1200, 800), "phone": (390, 844)}


def chromium() -> str:
    """Where the system's browser is; the variable CHROMIUM names another.

    Raises:
        FileNotFoundError: there is none.
    """
    for name in (os.environ.get("CHROMIUM"), *NAMES):
        found = shutil.which(name) if name else None
        if found is not None:
            return found
    raise FileNotFoundError(
        "No Chromium was found: install it (apt-get install chromium), or name it in CHROMIUM."
    )


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visitor:
    """One person's browser. *problems* is what it complained of; see :func:`visiting`."""

    gateway: Gateway
    context: BrowserContext
    page: Page
    problems: list[str] = field(default_factory=list)

    async def arrive(self, path: str = "#/") -> None:
        """Opens an address of the page."""
        await self.page.goto(f"{self.gateway.address}/{path}")

    async def sign_in(self, email: str | None = None) -> None:
        """By a one-time link: as *email*, or as the first administrator."""
        token = await self.gateway.accounts.new_login_link(email)
        await self.arrive(f"#login={token}")
        await self.page.locator(".connection[data-state=live]").wait_for()

    def forgive(self, part: str) -> None:
        """Takes what was complained of with *part* in it as meant."""
        self.problems = [each for each in self.problems if part not in each]

    async def barriers(self) -> list[str]:
        """What axe-core finds serious or critical on the page as it is, a sentence for each element."""
        # It measures colours that are on their way to others, and complains on the console of what plays by itself, aloud,
        # and is not there yet.
        await self.page.wait_for_function(
            """() => !document.getAnimations().some((each) => each instanceof CSSTransition)
              && [...document.querySelectorAll("[autoplay]:not([muted])")]
                .every((each) => !each.currentSrc || each.readyState > 0 || each.error)"""
        )
        await self.page.evaluate(_axe())
        # Without a look into the style sheets, for which it makes elements that the policy stops.
        result = await self.page.evaluate(
            "() => axe.run(document, { preload: false, resultTypes: ['violations'] })"
        )
        return [
            f"{found['id']} ({found['impact']}): {found['help']} at {' '.join(map(str, node['target']))}"
            for found in result["violations"]
            if found["impact"] in ("serious", "critical")
            for node in found["nodes"]
        ]


@cache
def _axe() -> str:
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")


@asynccontextmanager
async def visiting(
    browser: Browser,
    gateway: Gateway,
    *,
    language: Language = "en",
    theme: Theme = "light",
    device: Device = "desktop",
) -> AsyncIterator[Visitor]:
    """A browser of its own; in the end it must have had nothing to complain of."""
    width, height = SIZES[device]
    options: dict[str, Any] = {"has_touch": True, "is_mobile": True} if device == "phone" else {}
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        locale=language,
        color_scheme=theme,
        timezone_id="Europe/Berlin",
        **options,
    )
    context.set_default_timeout(10_000)
    await context.add_init_script(
        "addEventListener('securitypolicyviolation',"
        " (event) => window.console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`))"
    )
    page = await context.new_page()
    visitor = Visitor(gateway, context, page)
    origin = urlsplit(gateway.address).netloc

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            visitor.problems.append(f"{message.type}: {message.text} {message.location['url']}")

    def asked(request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("http", "https", "ws", "wss") and url.netloc != origin:
            visitor.problems.append(f"a request to another origin: {request.url}")

    page.on("console", said)
    page.on("pageerror", lambda error: visitor.problems.append(f"an error: {error}"))
    page.on("request", asked)
    try:
        yield visitor
        assert not visitor.problems, visitor.problems
    finally:
        await context.close()
