"""The real gateway, made to die by SIGKILL at one named point; run as ``python -m tests.killable POINT serve ...``.

Nothing of this is in the product: the points are put around its functions here, before its own command line
takes over. ``none`` as the point changes nothing but the pace. A point is ``step:moment``; the steps that are
commits have the four moments of :data:`MOMENTS`, the others have the moments of :data:`CALLS`.
``--mutant NAME`` breaks a promise on purpose, so that the tests can show that they would notice.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sora_gateway.core import job as j

MOMENTS = ("before", "during", "committing", "after")
"""Of a commit: before its SQL ran, after that and before COMMIT, while COMMIT runs, and after COMMIT returned
but before anybody was told."""

COMMITS: dict[str, type[j.Event] | None] = {
    "accept": None,
    "intent": j.Claimed,
    "postponed": j.Postponed,
    "receipt": j.Accepted,
    "doubt": j.AnswerLost,
    "poll": j.Observed,
    "finished": j.UpstreamCompleted,
    "stored": j.Stored,
    "cancel": j.CancelRequested,
    "cancelled": j.CancelConfirmed,
    "adopted": j.Adopted,
    "again": j.PayAgain,
    "deleted": j.Deleted,
    "removed": j.FilesRemoved,
}


def die() -> None:
    """As a power cut would have it: no handler, no flush, no goodbye."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def die_in(seconds: float) -> None:
    def later() -> None:
        time.sleep(seconds)
        die()

    threading.Thread(target=later, daemon=True).start()


def instead(owner: Any, name: str, replacement: Callable[..., Any]) -> None:
    """Puts *replacement* in the place of a function of the product."""
    assert callable(getattr(owner, name)), f"{owner} has no {name} any more"
    setattr(owner, name, replacement)


# --- commits -----------------------------------------------------------------------------------------


def at_commit(step: str, moment: str, delay: float) -> None:
    """Dies around the transaction that stores the first event of *step*; *delay* is how far into COMMIT."""
    from sora_gateway.store import accepting, jobs

    wanted = COMMITS[step]
    in_transaction = threading.Event()

    def around(work: Callable[..., Any], is_it: Callable[..., bool]) -> Callable[..., Any]:
        def unit(*arguments: Any) -> Any:
            if not is_it(*arguments):
                return work(*arguments)
            if moment == "before":
                die()
            result = work(*arguments)
            if moment == "during":
                die()
            in_transaction.set()
            return result

        return unit

    def is_save(*arguments: Any) -> bool:
        return wanted is not None and isinstance(arguments[3], wanted)

    instead(accepting, "accept", around(accepting.accept, lambda *_: wanted is None))
    instead(jobs, "save", around(jobs.save, is_save))

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql != "COMMIT" or not in_transaction.is_set():
                return super().execute(sql, *parameters)
            if moment == "committing":
                die_in(delay)
            result = super().execute(sql, *parameters)
            if moment == "committing":
                # The kill is on its way; nobody may be told before it comes.
                time.sleep(60)
            die()
            return result

    connect = sqlite3.connect
    instead(sqlite3, "connect", lambda *a, **k: connect(*a, **({"factory": Connection} | k)))


# --- calls -------------------------------------------------------------------------------------------


def around_call(name: str, moment: str) -> None:
    """Dies before a call of the upstream leaves, or when its answer is here and nothing is done with it yet."""
    from sora_gateway.upstream.openai import OpenAIAdapter

    call = getattr(OpenAIAdapter, name)

    async def dying(self: Any, *arguments: Any) -> Any:
        if moment == "before":
            die()
        answer = await call(self, *arguments)
        die()
        return answer

    instead(OpenAIAdapter, name, dying)


def while_it_is_created(journal: Path) -> None:
    """Dies when the upstream has taken the job for good and has not answered yet."""
    from sora_gateway.upstream.openai import OpenAIAdapter

    create = OpenAIAdapter.create

    def watch(attempt_id: str) -> None:
        while attempt_id not in journal.read_text(encoding="utf-8"):
            time.sleep(0.001)
        die()

    async def watched(self: OpenAIAdapter, order: Any, timeout: float) -> Any:
        threading.Thread(target=watch, args=(order.attempt_id,), daemon=True).start()
        return await create(self, order, timeout)

    instead(OpenAIAdapter, "create", watched)


# --- files -------------------------------------------------------------------------------------------


def in_download(moment: str) -> None:
    from sora_gateway.media.download import Downloader
    from sora_gateway.media.part import PartFile

    start, append, verify = PartFile.start, PartFile.append, Downloader._verify

    def starting(self: PartFile, offset: int, origin: Any) -> None:
        start(self, offset, origin)
        die()

    def appending(self: PartFile, data: bytes | bytearray) -> None:
        append(self, data[: len(data) // 2])
        die()

    async def verifying(self: Downloader, *arguments: Any) -> str:
        if moment == "verified":
            await verify(self, *arguments)
        die()
        raise AssertionError

    match moment:
        case "begun":
            instead(PartFile, "start", starting)
        case "middle":
            instead(PartFile, "append", appending)
        case _:
            instead(Downloader, "_verify", verifying)


def while_packets_are_counted() -> None:
    """Dies beside a child process that reads the file."""
    from sora_gateway.media.download import Downloader

    count = Downloader._count_packets

    async def counting(self: Downloader, *arguments: Any) -> None:
        die_in(0.1)
        await count(self, *arguments)

    instead(Downloader, "_count_packets", counting)


def around_rename(variant: str, moment: str) -> None:
    rename = os.rename

    def renaming(source: Any, target: Any, **options: Any) -> None:
        if Path(source).name != f"{variant}.part":
            rename(source, target, **options)
            return
        if moment == "after":
            rename(source, target, **options)
        die()

    instead(os, "rename", renaming)


def placed() -> None:
    """Dies when the file and its name are durable and the note beside the part is not gone yet."""
    from sora_gateway.media.part import PartFile

    instead(PartFile, "forget", lambda self: die())


def around_sending_again(moment: str) -> None:
    """Dies before a create leaves once more with its key, or when its answer is here."""
    from sora_gateway.supervisor import reconciling
    from sora_gateway.supervisor.creating import send_again

    async def dying(*arguments: Any) -> Any:
        if moment == "before":
            die()
        answer = await send_again(*arguments)
        die()
        return answer

    instead(reconciling, "send_again", dying)


def while_files_are_removed() -> None:
    """Dies when the video is unlinked, and what lies beside it is not."""
    remove = shutil.rmtree

    def removing(path: Any, *arguments: Any, **options: Any) -> None:
        videos = list(Path(path).glob("video.mp4"))
        if not videos:
            remove(path, *arguments, **options)
            return
        videos[0].unlink()
        die()

    instead(shutil, "rmtree", removing)


CALLS: dict[str, Callable[[], None]] = {
    "unlink:middle": while_files_are_removed,
    "list:before": lambda: around_call("list_jobs", "before"),
    "list:answered": lambda: around_call("list_jobs", "answered"),
    "resent:before": lambda: around_sending_again("before"),
    "resent:answered": lambda: around_sending_again("answered"),
    "create:before": lambda: around_call("create", "before"),
    "create:answered": lambda: around_call("create", "answered"),
    "character:before": lambda: around_call("create_character", "before"),
    "character:answered": lambda: around_call("create_character", "answered"),
    "look:before": lambda: around_call("look", "before"),
    "look:answered": lambda: around_call("look", "answered"),
    "stop:before": lambda: around_call("cancel", "before"),
    "stop:answered": lambda: around_call("cancel", "answered"),
    "download:begun": lambda: in_download("begun"),
    "download:middle": lambda: in_download("middle"),
    "download:whole": lambda: in_download("whole"),
    "download:counted": while_packets_are_counted,
    "download:verified": lambda: in_download("verified"),
    "rename:before": lambda: around_rename("video", "before"),
    "rename:after": lambda: around_rename("video", "after"),
    "rename:placed": placed,
    "still:after": lambda: around_rename("thumbnail", "after"),
}


# --- mutants -----------------------------------------------------------------------------------------


def requeue_on_boot() -> None:
    """What most queues do: work that was under way when the process died is simply done again."""
    from sora_gateway.store.jobs import Answered
    from sora_gateway.supervisor import supervisor
    from sora_gateway.supervisor.watcher import Watcher

    async def submitting(watcher: Watcher) -> None:
        again = j.Postponed(watcher.now(), watcher.now(), "it is sent again", refused=False)
        await watcher.insist(again, Answered("not_sent"))

    supervisor._STEPS = {**supervisor._STEPS, j.State.SUBMITTING: submitting}


def told_before_stored() -> None:
    """Answers 202 while the commit is still under way."""
    from sora_gateway.store import Store, jobs
    from sora_gateway.store.accepting import NewJob

    accept, insert = Store.accept_together, jobs.insert
    under_way = set()

    async def at_once(self: Store, new: list[NewJob], *rest: Any) -> list[j.Job]:
        under_way.add(asyncio.ensure_future(accept(self, new, *rest)))
        return [each.job for each in new]

    def slowly(*arguments: Any) -> None:
        time.sleep(0.3)
        insert(*arguments)

    instead(Store, "accept_together", at_once)
    instead(jobs, "insert", slowly)


def hoards() -> None:
    """Gives nothing back: half a megabyte and two descriptors in a second."""

    def hoard() -> None:
        kept = []
        while True:
            time.sleep(0.5)
            kept.append((bytearray(os.urandom(1)) * (1 << 18), os.open(os.devnull, os.O_RDONLY)))

    threading.Thread(target=hoard, daemon=True).start()


MUTANTS = {"requeue_on_boot": requeue_on_boot, "told_before_stored": told_before_stored, "hoards": hoards}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("point")
    parser.add_argument("--delay", type=float, default=0.0002, help="seconds into COMMIT")
    parser.add_argument("--journal", type=Path, help="where the upstream writes down what it creates")
    parser.add_argument("--mutant", choices=MUTANTS)
    parser.add_argument("--search", action="store_true", help="look for lost creates within seconds")
    options, command = parser.parse_known_args()
    _hurry(counting=options.point == "download:counted")
    if options.search:
        _search_soon()
    if options.mutant:
        MUTANTS[options.mutant]()
    step, _, moment = options.point.partition(":")
    if step in COMMITS:
        at_commit(step, moment, options.delay)
    elif options.point == "create:taken":
        while_it_is_created(options.journal)
    elif step == "chance":
        die_in(float(moment))
    elif step != "none":
        CALLS[options.point]()

    from sora_gateway.cli import main as command_line

    return command_line(command)


def _hurry(counting: bool) -> None:
    """A test has no two seconds for every look or retry, and needs no packets counted in a child process."""
    from sora_gateway.media import video
    from sora_gateway.supervisor import creating, recorder
    from sora_gateway.upstream.profiles import PROFILES

    creating.FIRST_BACKOFF, creating.STORAGE_PAUSE = 0.1, 0.2
    recorder.RETRY_STORAGE = 0.2
    PROFILES["simulator"] = replace(PROFILES["simulator"], min_poll_interval=0.05)
    instead(video, "available", lambda: counting)


def _search_soon() -> None:
    """A search for a lost create takes three minutes, or with a key a day."""
    from sora_gateway.core import breaker, reconcile
    from sora_gateway.supervisor import reconciling, search
    from sora_gateway.upstream.profiles import PROFILES

    for name, profile in PROFILES.items():
        PROFILES[name] = replace(profile, min_poll_interval=0.05)
    reconcile.LOOKS, reconcile.LATE = (0.3, 1.0, 3.0), 1.0
    reconcile.RESENDS = (0.2, 0.6, 1.2, 2.0, 3.0, 5.0, 8.0, 12.0, 16.0)
    search.GATHERING, search.BETWEEN = 0.05, 0.1
    breaker.FIRST_PAUSE, reconciling.BUSY = 0.2, 0.1


if __name__ == "__main__":
    sys.exit(main())
