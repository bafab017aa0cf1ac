"""Bringing the finished file home: download, verify, place, and only then say so."""

from __future__ import annotations

import logging
from collections import Counter

from sora_gateway.core import job as j
from sora_gateway.core.asset import StoredFile
from sora_gateway.core.job import State
from sora_gateway.core.observation import LookKind
from sora_gateway.core.retries import DownloadTrouble, next_download
from sora_gateway.media.download import DownloadFailed
from sora_gateway.supervisor.polling import limit_passed, without_upstream
from sora_gateway.supervisor.watcher import Upstream, Watcher
from sora_gateway.upstream.adapter import Variant

log = logging.getLogger(__name__)


async def storing(watcher: Watcher) -> None:
    """Fetches until the file is here or is known to be lost."""
    upstream = watcher.upstream
    if upstream is None:
        await without_upstream(watcher)
        return
    failures: Counter[DownloadTrouble] = Counter()
    since: dict[DownloadTrouble, float] = {}
    if not watcher.result_known:
        await _look_again(watcher, upstream)
    while watcher.job.state is State.STORING:
        try:
            assets = await watcher.meanwhile(_fetch(watcher, upstream))
        except DownloadFailed as trouble:
            failures[trouble.kind] += 1
            first = since.setdefault(trouble.kind, watcher.now())
            delay = next_download(
                trouble.kind, failures[trouble.kind], watcher.now() - first, watcher.around.entropy.fraction()
            )
            log.info("%s: download: %s", watcher.job.id, trouble)
            if delay is None:
                await watcher.insist(
                    j.FileLost(watcher.now(), "file_lost", f"The finished video cannot be had: {trouble}.")
                )
                return
            if await limit_passed(watcher):
                return
            if await watcher.sleep(max(delay, trouble.retry_after or 0.0)):
                return
            if trouble.kind is DownloadTrouble.EXPIRED:
                await _look_again(watcher, upstream)
        else:
            if assets is None:
                return
            await watcher.insist(j.Stored(watcher.now()), assets=assets)


async def _fetch(watcher: Watcher, upstream: Upstream) -> tuple[StoredFile, ...]:
    """The video and whatever stills can be had; the video alone decides."""
    job, downloader = watcher.job, watcher.around.downloader
    assert job.external_id is not None
    video = await downloader.fetch(
        upstream.adapter, job.external_id, watcher.result_url, job.id, Variant.VIDEO
    )
    return (video, *await downloader.stills(upstream.adapter, job.external_id, job.id, video))


async def _look_again(watcher: Watcher, upstream: Upstream) -> None:
    """A fresh result address; without one the content route is tried."""
    assert watcher.job.external_id is not None
    look = await watcher.meanwhile(watcher.look(upstream, watcher.job.external_id))
    if look is None:
        return
    if look.kind is LookKind.COMPLETED:
        watcher.result_url = look.result_url
    elif look.kind is LookKind.OUT_OF_ORDER:
        upstream.gate.pause(look.message)
