"""``/api/admin/storage``: what takes how much of the disk, and how much is left."""

from __future__ import annotations

from pydantic import Field

from sora_gateway.core.views import View, iso
from sora_gateway.http.routing import Access, Call, Endpoint

LARGEST = 10


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


class StorageView(View):
    disk: DiskView
    files: list[StoredView] = Field(description="By what the database knows of them, the largest kind first.")
    database: DatabaseView
    largest: list[LargestView] = Field(description="The largest videos.")
    max_file: int = Field(description="Bytes of a result at most.")
    orphans_removed: int | None = Field(
        description="Of how many jobs that nobody knows any more the start removed files."
    )


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
    )


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/admin/storage", handler=get_storage, summary="What is stored and how much is free",
        access=Access.ADMIN, tag="admin", response=StorageView,
    ),
]  # fmt: skip
