"""The simulator's files: rendered on first request and kept, or the clip that is shipped."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sora_gateway.media.child import ChildFailed, run_in_child
from sora_gateway.media.video import available
from sora_gateway.upstream.simulator.faults import without_directives
from sora_gateway.upstream.simulator.timeline import Record

log = logging.getLogger(__name__)

FPS = 12
RENDER_TIMEOUT = 60.0
MAX_DRAWN = 1000
"""Characters of a prompt that go into a picture at most."""
_LOOK = 1
"""Counts up when the same order draws other pictures: part of the cache's key."""

_HERE = Path(__file__).parent
SHIPPED: Mapping[str, Path] = MappingProxyType(
    {
        "video": _HERE / "clip.mp4",
        "thumbnail": _HERE / "clip.webp",
        "spritesheet": _HERE / "clip-sprites.jpg",
    }
)
"""Variant -> what is served when nothing is rendered."""

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {"video": "video/mp4", "thumbnail": "image/webp", "spritesheet": "image/jpeg"}
)

_PICTURES = {"thumbnail": ("poster", ".webp"), "spritesheet": ("spritesheet", ".jpg")}


class SimulatorFiles:
    """Files in *directory*, named after a hash of what went into them; without *rendering* the clip for all."""

    def __init__(self, directory: Path, *, rendering: bool) -> None:
        self._directory = directory
        self._rendering = rendering and available()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._keeping = asyncio.Lock()
        # Rendering is for fun, answering is not: at least half of the machine stays free.
        self._slots = asyncio.Semaphore(max(1, (os.cpu_count() or 1) // 2))

    async def path(self, record: Record, variant: str) -> Path:
        """The file of *record*'s job; made now if it is not there, once for all who wait for it."""
        if not self._rendering:
            return SHIPPED[variant]
        key = _key(record)
        film = self._directory / f"{key}.mp4"
        try:
            await self._made(film, "render", self._order(record, seed=int(key[:8], 16)))
            if variant == "video":
                return film
            task, suffix = _PICTURES[variant]
            picture = film.with_suffix(suffix)
            await self._made(picture, task, {"path": str(film)})
            return picture
        except (ChildFailed, OSError) as error:
            log.warning("the simulator serves its shipped clip for %s: %s", record.id, error)
            return SHIPPED[variant]

    async def keep(self, image: bytes) -> str:
        """Stores a reference image until its video is drawn; returns its name, empty if none will be.

        Raises:
            OSError: it could not be written.
        """
        if not self._rendering:
            return ""
        name = f"{hashlib.sha256(image).hexdigest()}.reference"
        async with self._keeping:
            await asyncio.to_thread(_write, self._directory / name, image)
        return name

    async def aclose(self) -> None:
        """Stops all rendering."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _made(self, target: Path, task: str, arguments: Mapping[str, Any]) -> None:
        running = self._under_way(target, task, arguments)
        if running is not None:
            # One who stops waiting does not stop the others' file.
            await asyncio.shield(running)

    def _under_way(self, target: Path, task: str, arguments: Mapping[str, Any]) -> asyncio.Task[None] | None:
        """The task that makes *target*; None if it is there already."""
        if target.exists():
            return None
        running = self._running.get(target.name)
        if running is None:
            target.parent.mkdir(mode=0o700, exist_ok=True)
            running = asyncio.create_task(self._make(task, {"target": str(target), **arguments}))
            self._running[target.name] = running
            running.add_done_callback(lambda _: self._running.pop(target.name))
        return running

    async def _make(self, task: str, arguments: Mapping[str, Any]) -> None:
        async with self._slots:
            await run_in_child(task, arguments, RENDER_TIMEOUT)

    def _order(self, record: Record, seed: int) -> dict[str, Any]:
        return {
            "prompt": without_directives(record.prompt)[:MAX_DRAWN],
            "width": record.width,
            "height": record.height,
            "seconds": int(record.seconds),
            "fps": FPS,
            "seed": seed,
            "still": str(self._directory / record.reference) if record.reference else "",
        }


def _key(record: Record) -> str:
    inputs = [_LOOK, without_directives(record.prompt), record.size, record.seconds, FPS]
    if record.reference:
        inputs.append(record.reference)
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def _write(path: Path, data: bytes) -> None:
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)
