"""What a failed download calls for: numbers in, seconds or giving up out.

The video is paid for, so nothing here is hasty: only an upstream that keeps sending no usable file loses it,
never the network and never our own disk.
"""

from __future__ import annotations

from enum import StrEnum

from sora_gateway.core.polling import backoff


class DownloadTrouble(StrEnum):
    """Why a file is not here yet, and so what its watcher does."""

    NOT_YET = "not_yet"
    """The upstream says that it is still at it: ask again."""
    EXPIRED = "expired"
    """The address is no longer good: look at the job for a fresh one, then ask again."""
    TRUNCATED = "truncated"
    """The file ends too early, though the transfer did not: the part is dropped, download again."""
    BROKEN = "broken"
    """The file is not whole in some other way: the part is dropped, download again."""
    NOT_MEDIA = "not_media"
    """What came is no video at all: ask again, later."""
    TOO_LARGE = "too_large"
    """It is larger than this gateway accepts, and will be the next time."""
    GONE = "gone"
    """Nobody can say any more where it is."""
    INTERRUPTED = "interrupted"
    """The transfer broke: resume."""
    STORAGE = "storage"
    """Our disk is full or failing: wait, nothing is lost."""


DOWNLOADS_AGAIN = 3
"""How often a file that arrived broken is fetched anew."""
NOT_MEDIA_AGAIN = 5
"""How often something that is no video is asked for again; the waits add up to half an hour."""
PATIENCE = {DownloadTrouble.NOT_YET: 600.0, DownloadTrouble.EXPIRED: 3600.0}
"""Seconds after the first failure at which an upstream that does not hand out its file has lost it."""
LEAST_TRIES = 5
"""Patience is not spent by time alone: the gateway may have been switched off for all of it."""


def next_download(
    kind: DownloadTrouble, failures_of_kind: int, first_failure_age: float, fraction: float
) -> float | None:
    """Seconds until the next try, or None when the file is lost.

    *failures_of_kind* counts the failures of this kind so far, this one included, *first_failure_age* is the
    age of the first of them in seconds, *fraction* in [0, 1) is jitter. An upstream's ``Retry-After`` is the
    caller's to add: it waits for the longer of the two. ``interrupted`` and ``storage`` never lose a file; the
    final limit of the job does.
    """
    failures = max(1, failures_of_kind)
    match kind:
        case DownloadTrouble.TOO_LARGE | DownloadTrouble.GONE:
            return None
        case DownloadTrouble.INTERRUPTED:
            # Full jitter, for many downloads break together when an upstream goes away.
            return max(1.0, backoff(failures, base=1.0, cap=60.0, fraction=fraction))
        case DownloadTrouble.STORAGE:
            delay = 5.0 * 2.0 ** min(failures - 1, 4)
        case DownloadTrouble.TRUNCATED | DownloadTrouble.BROKEN:
            if failures > DOWNLOADS_AGAIN:
                return None
            delay = 5.0 * 2.0 ** (failures - 1)
        case DownloadTrouble.NOT_MEDIA:
            if failures > NOT_MEDIA_AGAIN:
                return None
            delay = min(900.0, 60.0 * 2.0 ** (failures - 1))
        case DownloadTrouble.NOT_YET | DownloadTrouble.EXPIRED:
            if failures >= LEAST_TRIES and first_failure_age >= PATIENCE[kind]:
                return None
            delay = min(60.0, 2.0 ** min(failures, 6))
    return delay * (1 + fraction / 10)
