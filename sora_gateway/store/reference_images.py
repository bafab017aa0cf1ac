"""Saved reference images as rows; their files are the library's (``media/library.py``)."""

from __future__ import annotations

from dataclasses import dataclass

from sora_gateway.core.principal import Principal
from sora_gateway.core.reference import Library, SavedImage
from sora_gateway.errors import Conflict, NotFound
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction

_COLUMNS = (
    "id", "owner", "library", "name", "path", "media_type", "width", "height", "size", "sha256", "created_at",
)  # fmt: skip
_SELECT = (
    f"SELECT {', '.join(f'r.{name}' for name in _COLUMNS)}, u.email AS owner_email"  # noqa: S608 - names of our own
    " FROM reference_images r JOIN users u ON u.id = r.owner"
)
_INSERT = f"INSERT INTO reference_images ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_VISIBLE = "(r.library = 'team' OR r.owner = ? OR ?)"


@dataclass(frozen=True, slots=True)
class Page:
    """Which of the visible images to list. *after* is the id of the last one of the page before."""

    limit: int = 50
    after: str | None = None
    library: Library | None = None


# --- writing (on the writer's transaction) -----------------------------------------------------------


def add(tx: Transaction, image: SavedImage, limit: int) -> SavedImage:
    """Keeps *image*, or returns the one of the same bytes that its owner has in the same library.

    Raises:
        Conflict: the owner has *limit* images; 0 is unlimited.
    """
    same = tx.one(
        f"{_SELECT} WHERE r.owner = ? AND r.library = ? AND r.sha256 = ?",
        (image.owner, image.library, image.sha256),
    )
    if same is not None:
        return SavedImage(**dict(same))
    counted = tx.one("SELECT count(*) AS images FROM reference_images WHERE owner = ?", (image.owner,))
    assert counted is not None
    if limit and counted["images"] >= limit:
        raise Conflict(
            f"You have saved {counted['images']} images, and {limit} are allowed; delete one first."
        )
    tx.execute(_INSERT, tuple(getattr(image, name) for name in _COLUMNS))
    return image


def remove(tx: Transaction, image_id: str) -> None:
    """Raises NotFound when somebody else was quicker."""
    if tx.execute("DELETE FROM reference_images WHERE id = ?", (image_id,)).rowcount != 1:
        raise NotFound("There is no saved image by that id.")


# --- reading -----------------------------------------------------------------------------------------


async def find(readers: Readers, image_id: str, principal: Principal) -> SavedImage:
    """The image by its id among those *principal* may see: the team's, their own, all for an administrator.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    row = await readers.one(
        f"{_SELECT} WHERE r.id = ? AND {_VISIBLE}", (image_id, principal.user_id, principal.sees_all)
    )
    if row is None:
        raise NotFound("There is no saved image by that id.")
    return SavedImage(**dict(row))


async def page(readers: Readers, principal: Principal, wanted: Page) -> tuple[list[SavedImage], bool]:
    """One page of visible images, newest first, and whether more follow.

    Ids are in the order of saving, so a page can begin after an image that was deleted meanwhile, and the
    question tells nobody whether an image exists.
    """
    where: list[str] = [_VISIBLE]
    arguments: list[str | bool] = [principal.user_id, principal.sees_all]
    if wanted.library is not None:
        where.append("r.library = ?")
        arguments.append(wanted.library)
    if wanted.after is not None:
        where.append("r.id < ?")
        arguments.append(wanted.after)
    rows = await readers.all(
        f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY r.id DESC LIMIT ?", (*arguments, wanted.limit + 1)
    )
    return [SavedImage(**dict(row)) for row in rows[: wanted.limit]], len(rows) > wanted.limit


async def paths(readers: Readers) -> set[str]:
    """Where the files of all saved images lie."""
    return {row["path"] for row in await readers.all("SELECT path FROM reference_images")}
