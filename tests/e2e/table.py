"""Every screen and tab of the page, with an address that has something to show."""

from __future__ import annotations

import re
from pathlib import Path

from sora_gateway.places import shipped
from tests.e2e.filled import Filled

SCRIPTS = shipped("static") / "js"


def addresses(there: Filled) -> dict[str, str]:
    """By the name of the screen, and of its tab behind a slash."""
    return {
        "board": "#/",
        "gallery": "#/gallery",
        "gallery/ready": "#/gallery?status=completed",
        "video/ready": f"#/video/{there.ready}",
        "video/refused": f"#/video/{there.refused}",
        "video/running": f"#/video/{there.running}",
        "console/http": "#/console/http",
        "console/live": "#/console/live",
        **{f"admin/{tab}": f"#/admin/{tab}" for tab in tabs_of("admin")},
        "admin/person": f"#/admin/people/{there.person}",
        **{f"account/{tab}": f"#/account/{tab}" for tab in tabs_of("account")},
        "account/webhook": f"#/account/webhooks/{there.webhook}",
        "shared": f"#/shared/{there.shared}",
        "welcome/account": "#/welcome/account",
        "welcome/video": "#/welcome/video",
        "welcome/upstream": "#/welcome/upstream",
    }


def screens() -> list[str]:
    """The names in the table of the page; the board has none there."""
    table = (
        (SCRIPTS / "screens.js")
        .read_text("utf-8")
        .partition("export const SCREENS = {")[2]
        .partition("};")[0]
    )
    return [name or "board" for name in re.findall(r'^  "?(\w*)"?: \{', table, re.MULTILINE)]


def tabs_of(area: str) -> list[str]:
    """The names of the tabs that the screen of an area has; each way to write them down is known here."""
    text = Path(SCRIPTS, area, "screen.js").read_text("utf-8")
    table = re.search(r"const (?:TABS|STEPS) = ([\[{].*?[\]}]);$", text, re.MULTILINE | re.DOTALL)
    assert table is not None, f"{area}/screen.js names no tabs"
    named = re.findall(r'name: "(\w+)"', table[1]) or re.findall(r'"(\w+)"', table[1])
    return named or re.findall(r"(\w+): \w+", table[1])
