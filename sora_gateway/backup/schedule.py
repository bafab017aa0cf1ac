"""Backups by themselves, while the gateway serves. When the next one is due the backups themselves tell, so a restart
neither puts one off nor makes one more."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sora_gateway.backup_settings import Backup
from sora_gateway.clock import Clock
from sora_gateway.errors import StartupError
from sora_gateway.places import DataDirectory

if TYPE_CHECKING:
    from sora_gateway.backup.making import Made

log = logging.getLogger(__name__)

LONGEST_WAIT = 3600.0
"""Seconds after which it is looked again what time it is: clocks are set, and machines sleep."""
AGAIN = 900.0
"""Seconds after a failure; sooner where backups are more frequent than that."""


@asynccontextmanager
async def automatic_backups(settings: Backup, places: DataDirectory, clock: Clock) -> AsyncIterator[None]:
    """Makes backups as *settings* say for as long as it is entered; one that is being made at the end is given up."""
    if not settings.directory:
        yield
        return
    leaving = threading.Event()
    task = asyncio.create_task(_make_them(settings, places, clock, leaving), name="backups")
    try:
        yield
    finally:
        leaving.set()
        task.cancel("backups: shutting down")
        await asyncio.gather(task, return_exceptions=True)


async def _make_them(settings: Backup, places: DataDirectory, clock: Clock, leaving: threading.Event) -> None:
    from sora_gateway.backup import keeping  # not before there are backups to make

    directory = Path(settings.directory)
    retry = min(AGAIN, settings.every)
    while True:
        try:
            # In a thread: that disk may be slow, or another machine's.
            latest = await asyncio.to_thread(keeping.latest, directory, clock.now())
            wait = 0.0 if latest is None else latest + settings.every - clock.now()
            if wait > 0:
                await clock.sleep(min(wait, LONGEST_WAIT))
                continue
            done = await _in_thread(settings, places, directory, clock.now(), leaving)
        except Exception as error:
            # Whatever it was, or nobody would make backups any more until the next start.
            surprise = not isinstance(error, StartupError | OSError)
            log.error(
                "no backup was made, trying again in %.0f minutes: %s", retry / 60, error, exc_info=surprise
            )
            await clock.sleep(retry)
        else:
            log.info("backup: %s", done.summary())
            if done.manifest.missing:
                log.error(
                    "files that the gateway has stored are gone or damaged: %s",
                    ", ".join(done.manifest.missing[:10]),
                )


async def _in_thread(
    settings: Backup, places: DataDirectory, directory: Path, moment: float, leaving: threading.Event
) -> Made:
    """Whoever is cancelled still waits for the thread: it must not write when the process believes that it is over."""
    from importlib.metadata import version

    from sora_gateway.backup.making import make

    making = asyncio.ensure_future(
        asyncio.to_thread(
            make, places, directory, moment, version("sora-gateway"),
            secrets=settings.secrets, keep=settings.keep, stopped=leaving.is_set,
        )
    )  # fmt: skip
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        await asyncio.gather(making, return_exceptions=True)
        raise
