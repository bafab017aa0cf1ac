"""``doctor --spend``: one paid clip at one upstream, from the create to a file that plays; never a second create."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sora_gateway.errors import StartupError

if TYPE_CHECKING:
    from sora_gateway.clock import Clock
    from sora_gateway.core.asset import StoredFile
    from sora_gateway.core.job import ExternalId
    from sora_gateway.core.observation import Look
    from sora_gateway.core.retries import DownloadTrouble
    from sora_gateway.entropy import Entropy
    from sora_gateway.media.download import Downloader, DownloadLimits, RunChild
    from sora_gateway.settings import Settings, Upstream
    from sora_gateway.upstream.adapter import Adapter, CreateOrder

PROMPT = "A paper boat on a pond, seen from above"
MODEL, SECONDS, SIZE = "sora-2", 4, "1280x720"
"""Where the settings let everything through."""
STEP = 10.0
"""Percent of progress that are worth a line."""

Tell = Callable[[bool | None, str], object]
"""Prints a line, and whether it is well; None is what may still become well."""


def chosen(settings: Settings, name: str | None) -> str:
    """The upstream to spend at. Raises StartupError when nobody said which of several, or there is none."""
    if name is not None:
        return name
    if len(settings.upstreams) == 1:
        return next(iter(settings.upstreams))
    if not settings.upstreams:
        raise StartupError("There is no upstream to spend at: none is configured.")
    raise StartupError(f"Say with --upstream at which one to spend: {', '.join(settings.upstreams)}.")


def spend(settings: Settings, name: str, agreed: bool, tell: Tell) -> bool:
    """Makes the cheapest clip that the settings of *name* allow, if the person agrees; whether it became a video.

    Raises:
        StartupError: nobody can be asked, or the upstream's configuration cannot work.
    """
    from sora_gateway.cli.demo import unused_name
    from sora_gateway.cli.jobs import check_target
    from sora_gateway.entropy import SystemEntropy

    entry, entropy = settings.upstreams[name], SystemEntropy()
    order = cheapest(entry, entropy)
    price = entry.cost_per_video + entry.cost_per_second * order.seconds
    print(
        f"This makes and pays for one video at {name}: {order.model}, {order.seconds} seconds, {order.size}"
        f"{f', which costs {price:g}' if price else ''}.",
        flush=True,
    )
    if not (agreed or _asked()):
        print("Nothing was sent.")
        return False
    check_target(unused_name(f"doctor-{name}"))
    return asyncio.run(_spend(settings, name, order, entropy, tell))


def cheapest(entry: Upstream, entropy: Entropy) -> CreateOrder:
    """The first model, the shortest length and the smallest size."""
    from sora_gateway.upstream.adapter import CreateOrder

    attempt = entropy.new_id("attempt")
    return CreateOrder(
        attempt,
        PROMPT,
        next(iter(entry.models.values()), MODEL),
        min(entry.seconds, default=SECONDS),
        min(entry.sizes, key=_pixels, default=SIZE),
        idempotency_key=attempt,
    )


def _pixels(size: str) -> int:
    width, _, height = size.partition("x")
    return int(width) * int(height)


def _asked() -> bool:
    """Whether the person at the terminal says yes."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise StartupError("This costs money: give --yes, or run it on a terminal to be asked.")
    try:
        return input("Go on? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


async def _spend(settings: Settings, name: str, order: CreateOrder, entropy: Entropy, tell: Tell) -> bool:
    from sora_gateway.clock import SystemClock
    from sora_gateway.wiring import adapter_for

    clock = SystemClock()
    adapter = adapter_for(name, settings.upstreams[name], settings.media.max_file, clock)
    try:
        return await _Trial(adapter, settings, clock, entropy, tell).run(order)
    finally:
        await adapter.aclose()


class _Trial:
    """One clip on its way. Every step tells how it went; only the first one costs something, and is taken once."""

    def __init__(
        self, adapter: Adapter, settings: Settings, clock: Clock, entropy: Entropy, tell: Tell
    ) -> None:
        self._adapter = adapter
        self._settings = settings
        self._clock = clock
        self._entropy = entropy
        self._tell = tell
        self._began = clock.monotonic()

    async def run(self, order: CreateOrder) -> bool:
        """Whether it is a video in the working directory now."""
        external_id = await self._create(order)
        if external_id is None:
            return False
        try:
            look = await self._finished(external_id)
            return look is not None and await self._fetched(external_id, look)
        except asyncio.CancelledError:
            self._tell(False, f"nobody waits any more; the video goes on there as {external_id}")
            raise

    async def _create(self, order: CreateOrder) -> ExternalId | None:
        from sora_gateway.core.outcome import OutcomeClass, classify

        adapter = self._adapter
        try:
            answer = await adapter.create(order, self._settings.jobs.create_timeout)
        except asyncio.CancelledError:
            self._tell(False, "stopped in the middle of the create; see there whether it was accepted")
            raise
        outcome = classify(answer, adapter.rules)
        match outcome.kind:
            case OutcomeClass.RECEIPT | OutcomeClass.KNOWN:
                self._tell(True, f"accepted after {self._elapsed():.1f} s as {outcome.external_id}")
            case OutcomeClass.UNKNOWN:
                self._tell(
                    False,
                    f"it is not known whether it was accepted and charged ({outcome.message}); see there before "
                    "trying again",
                )
            case OutcomeClass.NOT_SENT:
                self._tell(False, f"nothing was sent: {outcome.message}")
            case _:
                self._tell(False, f"refused, so nothing was made: {outcome.message}")
        return outcome.external_id

    async def _finished(self, external_id: ExternalId) -> Look | None:
        """The look that says so; None when it never will, or not in the time that people call usual."""
        from sora_gateway.core.observation import LookKind
        from sora_gateway.supervisor.polling import LOST_AFTER

        interval = max(self._adapter.min_poll_interval, self._settings.polling.min_interval)
        known_at, told, trouble = self._elapsed(), 0.0, ""
        while True:
            look = await self._adapter.look(external_id)
            if look.kind is LookKind.COMPLETED:
                self._tell(True, f"ready after {self._elapsed():.1f} s")
                return look
            if look.kind in (LookKind.FAILED, LookKind.CANCELLED, LookKind.LOST):
                self._tell(False, f"{look.kind} after {self._elapsed():.1f} s: {look.message}")
                return None
            if look.kind is not LookKind.MISSING:
                known_at = self._elapsed()
            elif self._elapsed() - known_at > LOST_AFTER:
                self._tell(False, f"it was accepted as {external_id}, and there is no such video any more")
                return None
            if self._elapsed() > self._settings.jobs.overdue_after:
                self._tell(
                    False, f"not ready after {self._elapsed():.0f} s; it goes on there as {external_id}"
                )
                return None
            if look.progress is not None and look.progress >= told + STEP:
                told = look.progress
                self._tell(True, f"{told:.0f} % after {self._elapsed():.1f} s")
            if look.message != trouble:
                trouble = look.message
                self._tell(None, trouble or "it answers again")
            await self._clock.sleep(max(interval, look.retry_after or 0.0))

    async def _fetched(self, external_id: ExternalId, look: Look) -> bool:
        from sora_gateway.cli.demo import unused_name
        from sora_gateway.media import video
        from sora_gateway.media.child import run_in_child
        from sora_gateway.media.download import Downloader, DownloadLimits
        from sora_gateway.media.files import MediaFiles

        with tempfile.TemporaryDirectory(prefix="sora-gateway-doctor-", ignore_cleanup_errors=True) as name:
            files = MediaFiles(Path(name))
            limits = DownloadLimits(max_file=self._settings.media.max_file)
            child = run_in_child if video.available() else None
            stored = await self._downloaded(Downloader(files, child, self._clock, limits), external_id, look)
            if stored is None:
                return False
            path = files.resolve(stored.path)
            facts = f"{stored.size} bytes of {stored.media_type}{await _seen(child, path, limits)}"
            saved = shutil.move(path, unused_name(f"doctor-{self._adapter.name}", path.suffix))
        self._tell(True, f"a valid video after {self._elapsed():.1f} s in all: {facts}, saved as {saved}")
        return True

    async def _downloaded(
        self, downloader: Downloader, external_id: ExternalId, look: Look
    ) -> StoredFile | None:
        """The file, whole and looked into; asked for as often as the gateway itself would."""
        from sora_gateway.core.job import JobId
        from sora_gateway.core.observation import LookKind
        from sora_gateway.core.retries import next_download
        from sora_gateway.media.download import DownloadFailed

        job_id, url = JobId(self._entropy.new_id("video")), look.result_url
        failures: Counter[DownloadTrouble] = Counter()
        since: dict[DownloadTrouble, float] = {}
        while True:
            try:
                return await downloader.fetch(self._adapter, external_id, url, job_id)
            except DownloadFailed as trouble:
                kind = trouble.kind
                failures[kind] += 1
                age = self._elapsed() - since.setdefault(kind, self._elapsed())
                delay = next_download(kind, failures[kind], age, self._entropy.fraction())
                if delay is None or self._elapsed() > self._settings.jobs.overdue_after:
                    self._tell(False, f"the file of {external_id} cannot be had: {trouble}")
                    return None
                self._tell(None, str(trouble))
                await self._clock.sleep(max(delay, trouble.retry_after or 0.0))
            again = await self._adapter.look(external_id)
            if again.kind is LookKind.COMPLETED:
                url = again.result_url

    def _elapsed(self) -> float:
        """Seconds since the create was sent."""
        return self._clock.monotonic() - self._began


async def _seen(child: RunChild | None, path: Path, limits: DownloadLimits) -> str:
    """How large and long the video is, where that can be seen: its being whole has been checked already."""
    from sora_gateway.media.child import ChildFailed

    if child is None:
        return ""
    try:
        seen = await child("probe", {"path": str(path)}, limits.child_timeout)
    except ChildFailed:
        return ""
    return f", {seen['width']}x{seen['height']}, {seen['seconds']:.1f} seconds"
