"""``/api/admin/storage``: what takes how much of the disk, and how much is left."""

from __future__ import annotations

from pydantic import Field

from sora_gateway.core.views import View, iso
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.services import Services
from sora_gateway.retention.old_files import Hindrance, Shortage, Upcoming
from sora_gateway.retention.reconciler import Fault, Tally

LARGEST = 10
NEXT = 10


class DiskView(View):
    """The disk that holds the files, in bytes."""

    total: int
    free: int
    floor: int = Field(description="With less free than this nothing new is taken or sent; 0: no floor.")
    below_floor: bool


class StoredView(View):
    kind: str = Field(
        description="`video`, `thumbnail`, `spritesheet`, `reference` or `source` of a video, or `library`: saved "
        "reference images."
    )
    files: int
    bytes: int


class DatabaseView(View):
    bytes: int
    wal_bytes: int = Field(description="Committed, and not yet in the database file.")
    backup_bytes: int = Field(description="Copies from before migrations.")


class LargestView(View):
    video_id: str
    owner: str = Field(description="Their e-mail address.")
    prompt: str
    model: str
    bytes: int
    completed_at: str


class UpcomingView(View):
    video_id: str
    owner: str = Field(description="Their e-mail address.")
    prompt: str
    bytes: int
    expires_at: str | None = Field(description="Null: as soon as the disk needs the room.")


class ChoreView(View):
    name: str = Field(
        description="`age`, `disk`, `left_over`: videos whose files were removed; `events`, `audit`, `deliveries`, "
        "`expired`, `claims`: rows; `pages`: of the database, given back; `walk`: faults found."
    )
    done: int = Field(description="Since the start.")
    failed: str | None = Field(description="Why it did not get through the last time.")


class ShortageView(View):
    """What the disk lacks and housekeeping could not free."""

    needed: int = Field(description="Bytes.")
    because: Hindrance = Field(
        description="`share`: as much was removed within 24 hours as may be; `backup`: a backup on the same disk has the "
        "oldest files too, so removing them would free nothing; `nothing_left`: the others are protected, or there are none."
    )


class WalkView(View):
    """Rows and files, held against each other by the slow walk that housekeeping takes."""

    ended_at: str
    files: int
    rows: int
    orphans: int = Field(description="Files that no row has.")
    missing: int = Field(description="Rows whose file is not there.")
    wrong_size: int
    back: int = Field(
        description="Files that were written down as gone and are there again: `storage check --repair` gives them back."
    )


class RetentionView(View):
    keep_days: int = Field(
        description="Days for which files are kept, unless a plan says otherwise; 0: for ever."
    )
    keep_tag: str = Field(description="Videos with this tag keep their files; empty: there is none.")
    free_below: int = Field(description="With less free the oldest files go; 0: never.")
    free_above: int = Field(description="Until so much is free.")
    free_share: float = Field(
        description="Of all stored bytes, 0 to 1, no more goes within 24 hours for the sake of the disk."
    )
    shortage: ShortageView | None = Field(description="As the latest look at the disk found it; null: none.")
    events_days: int = Field(description="Days for which the steps of ended videos are kept; 0: for ever.")
    audit_days: int = Field(description="Days for which is kept what people did; 0: for ever.")
    last_run_at: str | None = Field(description="When housekeeping was last done; null: not since the start.")
    freed: int = Field(description="Bytes of the files that were removed since the start.")
    chores: list[ChoreView]
    next: list[UpcomingView] = Field(description="Whose files go next, soonest first.")
    walk: WalkView | None = Field(description="The latest whole walk; null before the first.")


class StorageView(View):
    disk: DiskView
    files: list[StoredView] = Field(description="By what the database knows of them, the largest kind first.")
    database: DatabaseView
    largest: list[LargestView] = Field(description="The largest videos.")
    max_file: int = Field(description="Bytes of a result at most.")
    orphans_removed: int | None = Field(
        description="Of how many jobs that nobody knows any more the start removed files."
    )
    retention: RetentionView = Field(description="What is kept for how long, and what goes next.")


async def get_storage(call: Call) -> StorageView:
    """Counted by the database's rows, so it costs little."""
    services = call.services
    space, media = services.store.space, services.settings.media
    free, database = services.files.free_bytes(), await space.database()
    return StorageView(
        disk=DiskView(
            total=services.files.disk_bytes(),
            free=free,
            floor=media.min_free_disk,
            below_floor=free < media.min_free_disk,
        ),
        files=[StoredView(kind=each.name, files=each.files, bytes=each.size) for each in await space.kinds()],
        database=DatabaseView(bytes=database.main, wal_bytes=database.log, backup_bytes=database.backups),
        largest=[
            LargestView(
                video_id=each.job_id,
                owner=each.email,
                prompt=each.prompt,
                model=each.model,
                bytes=each.size,
                completed_at=iso(each.finished_at) or "",
            )
            for each in await space.largest(LARGEST)
        ],
        max_file=media.max_file,
        orphans_removed=services.files.swept,
        retention=await _retention(services),
    )


async def _retention(services: Services) -> RetentionView:
    keeping = services.housekeeping
    settings, janitor = keeping.settings, keeping.janitor
    upcoming = await keeping.old_files.upcoming(NEXT)
    said = await services.store.upkeep.prompts([each.kept.job_id for each in upcoming])
    return RetentionView(
        keep_days=settings.keep_days,
        keep_tag=settings.keep_tag,
        free_below=settings.free_below,
        free_above=max(settings.free_above, settings.free_below),
        free_share=settings.free_share,
        shortage=_shortage(keeping.old_files.shortage),
        events_days=settings.events_days,
        audit_days=settings.audit_days,
        last_run_at=iso(janitor.last_run),
        freed=keeping.old_files.freed,
        chores=[
            ChoreView(name=name, done=done, failed=janitor.failed.get(name))
            for name, done in janitor.done.items()
        ],
        next=[_upcoming(each, *said[each.kept.job_id]) for each in upcoming],
        walk=_walk(keeping.walk.last),
    )


def _upcoming(each: Upcoming, prompt: str, owner: str) -> UpcomingView:
    kept = each.kept
    return UpcomingView(
        video_id=kept.job_id, owner=owner, prompt=prompt, bytes=kept.size, expires_at=iso(each.at)
    )


def _shortage(found: Shortage | None) -> ShortageView | None:
    return None if found is None else ShortageView(needed=found.needed, because=found.because)


def _walk(tally: Tally | None) -> WalkView | None:
    if tally is None:
        return None
    faults = tally.faults
    return WalkView(
        ended_at=iso(tally.ended_at) or "",
        files=tally.files,
        rows=tally.rows,
        orphans=faults[Fault.ORPHAN],
        missing=faults[Fault.MISSING],
        wrong_size=faults[Fault.SIZE],
        back=faults[Fault.BACK],
    )


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/admin/storage", handler=get_storage, summary="What is stored and how much is free",
        access=Access.ADMIN, tag="admin", response=StorageView,
    ),
]  # fmt: skip
