"""``make test-clients``: the documentation's snippets for OpenAI's SDKs, as a reader would type them, on a real gateway.

Those of a page are one program in each language. What each prints, and the files that it leaves, are looked at.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.clients.__main__ import ENVIRONMENTS, NODE, NODE_PACKAGES, node_major
from tests.clients.gateway import Home, own
from tests.processes import ROOT
from tests.snippets import blocks

ID = r"video_[0-9a-f]{32}"
PRINTS = {
    "readme": r"",
    "begin": r"\[\s*'sora-2'.*\]",
    "create": rf"{ID} queued",
    "again": r"1 '?video'?",
    "image": r"queued",
    "wait": r"completed 100",
    "download": r"1000 '?bytes'?",
    "list": rf"({ID} \w+\n){{3,}}",
    "cancel": r"failed cancelled\n(T|t)rue\n(T|t)rue",
    "live": r"completed 100",
    "wrong": r"model_not_found model \w+",
}
"""Name of a block -> what it prints."""
MARK = "@@@"


@dataclass(frozen=True)
class Sdk:
    """One SDK: the *language* of its blocks, and the command that runs a file of them."""

    name: str
    language: str
    command: list[str]
    package: str = ""
    """In ``node/node_modules``, for what the snippets call ``openai``."""


def sdks() -> Iterator[Sdk]:
    """Those that are here."""
    for name in ("openai-3", "openai-2.54"):
        yield Sdk(name, "python", [str(ENVIRONMENTS / name / "bin" / "python")])
    node = shutil.which("node")
    for package, least in NODE_PACKAGES.items():
        if node and (NODE / "node_modules").is_dir() and node_major(node) >= least:
            yield Sdk(f"node-{package}", "js", [node], package)
        else:
            print(f"node, npm or its packages are not here: the snippets were not tried with {package}")


def program(page: Path, sdk: Sdk, address: str) -> str:
    """The page's snippets for *sdk*, each announced by its name."""
    say = {"python": 'print("{}")', "js": 'console.log("{}");'}[sdk.language]
    parts = [
        f"{say.format(f'{MARK} {part.clients}')}\n{part.text}"
        for part in blocks(page)
        if part.clients and part.language == sdk.language
    ]
    return (
        "\n".join(parts)
        .replace("http://127.0.0.1:8000", address)
        .replace("ws://127.0.0.1:8000", address.replace("http", "ws"))
    )


async def tried(page: Path, sdk: Sdk, home: Home, address: str) -> bool:
    """Whether each snippet of *page* did what it is for; says so, line by line."""
    with tempfile.TemporaryDirectory(prefix="sora-snippets-") as folder:
        place = Path(folder)
        Image.new("RGB", (96, 64), "teal").save(place / "boat.png")
        text = program(page, sdk, address)
        if not text:
            return True
        file = place / {"python": "page.py", "js": "page.mjs"}[sdk.language]
        file.write_text(text, encoding="utf-8")
        if sdk.package:
            (place / "node_modules").mkdir()
            for name, package in {"openai": sdk.package, "ws": "ws"}.items():
                (place / "node_modules" / name).symlink_to(NODE / "node_modules" / package)
        key = await home.person(f"{page.stem.lower()}-{sdk.name}")
        done = await asyncio.to_thread(
            subprocess.run, [*sdk.command, file.name], cwd=place, env=own({"KEY": key}), check=False, timeout=120,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        pieces = re.split(rf"^{MARK} (\w+)\n", done.stdout, flags=re.MULTILINE)
        said = dict(zip(pieces[1::2], pieces[2::2], strict=True))
        wrong = [name for name, text in said.items() if not re.search(PRINTS[name], text)]
        wrong += [] if done.returncode == 0 else [f"exit {done.returncode}"]
        wrong += [] if (place / "boat.mp4").read_bytes()[4:8] == b"ftyp" else ["boat.mp4"]
        for name in said:
            print(f"{sdk.name:14}{'FAIL' if name in wrong else 'ok  '} {page.name}: {name}", flush=True)
        if wrong:
            print(f"{', '.join(wrong)}\n{done.stdout}{done.stderr}")
        return not wrong


async def main() -> int:
    pages = [ROOT / "README.md", ROOT / "docs/api.md"]
    with tempfile.TemporaryDirectory(prefix="sora-clients-") as folder:
        home = Home(Path(folder))
        async with home.serving() as address:
            # They mostly wait.
            well = await asyncio.gather(
                *(tried(page, sdk, home, address) for sdk in sdks() for page in pages)
            )
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
